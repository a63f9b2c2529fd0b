//! Walking several strided layouts of one shape in row-major order.

use crate::layout::Layout;
use crate::short::Short;

/// `N` layouts of one shape, with dimensions merged wherever all of them allow it.
pub(crate) struct Walk<const N: usize> {
    shape: Short<usize>,
    strides: [Short<isize>; N],
    offsets: [usize; N],
}

/// A run of elements along the innermost dimension.
pub(crate) struct Row<const N: usize> {
    /// The row-major number of its first element.
    pub start: usize,
    /// The number of elements.
    pub len: usize,
    /// Where each layout's first element lies in its storage.
    pub at: [usize; N],
}

/// Rows of one length, one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Tile<const N: usize> {
    pub rows: usize,
    /// The number of elements of each row.
    pub len: usize,
    /// Where each layout's first element lies in its storage.
    pub at: [usize; N],
    /// From row to row.
    pub outer: [isize; N],
    /// From element to element.
    pub inner: [isize; N],
}

/// A visitor behind a pointer, so that the loops over rows are compiled once, not once for each kernel. Not `dyn FnMut`,
/// whose vtable also holds `call_once`: the kernel would be compiled twice.
trait Visit<R> {
    fn visit(&mut self, row: R);
}

impl<R, F: FnMut(R)> Visit<R> for F {
    fn visit(&mut self, row: R) {
        self(row);
    }
}

impl<const N: usize> Walk<N> {
    pub(crate) fn new(layouts: [&Layout; N]) -> Self {
        let mut walk = Walk {
            shape: Short::new(),
            strides: std::array::from_fn(|_| Short::new()),
            offsets: layouts.map(Layout::offset),
        };
        for (axis, &size) in layouts[0].shape().iter().enumerate() {
            if size == 1 {
                continue;
            }
            let merges = walk.shape.last().is_some()
                && (0..N).all(|k| {
                    walk.strides[k].last() == Some(&layouts[k].strides()[axis].wrapping_mul(size as isize))
                });
            if merges {
                *walk.shape.last_mut().expect("there is one to merge with") *= size;
            } else {
                walk.shape.push(size);
            }
            for (strides, layout) in walk.strides.iter_mut().zip(layouts) {
                if merges {
                    strides.pop();
                }
                strides.push(layout.strides()[axis]);
            }
        }
        if walk.shape.is_empty() {
            walk.shape.push(1);
            walk.strides.iter_mut().for_each(|s| s.push(1));
        }
        walk
    }

    /// Whether everything merged into one dimension.
    pub(crate) fn is_one_row(&self) -> bool {
        self.shape.len() == 1
    }

    /// The length of a whole row.
    pub(crate) fn row_len(&self) -> usize {
        *self.shape.last().expect("a walk has at least one dim")
    }

    /// The strides along the innermost dimension.
    pub(crate) fn inner(&self) -> [isize; N] {
        std::array::from_fn(|k| *self.strides[k].last().expect("a walk has at least one dim"))
    }

    /// The strides along the innermost dimension but one; 0 if there is none.
    fn outer(&self) -> [isize; N] {
        std::array::from_fn(|k| self.strides[k].iter().rev().nth(1).copied().unwrap_or(0))
    }

    /// Calls `visit` for every row, or part of one, among the elements `start..end`.
    pub(crate) fn rows(&self, start: usize, end: usize, visit: &mut impl FnMut(Row<N>)) {
        self.each_row(start, end, visit);
    }

    /// Calls `visit` for the elements `start..end`, as many rows at a time as lie evenly spaced.
    pub(crate) fn tiles(&self, start: usize, end: usize, visit: &mut impl FnMut(Tile<N>)) {
        self.each_tile(start, end, visit);
    }

    fn each_row(&self, start: usize, end: usize, visitor: &mut dyn Visit<Row<N>>) {
        let mut done = start;
        self.tiles(start, end, &mut |tile: Tile<N>| {
            for i in 0..tile.rows {
                let at = std::array::from_fn(|k| (tile.at[k] as isize + i as isize * tile.outer[k]) as usize);
                visitor.visit(Row { start: done, len: tile.len, at });
                done += tile.len;
            }
        });
    }

    fn each_tile(&self, start: usize, end: usize, visitor: &mut dyn Visit<Tile<N>>) {
        if start >= end {
            return;
        }
        let (inner, outer) = (self.inner(), self.outer());
        let (size, rows) = (self.row_len(), self.shape.iter().rev().nth(1).copied().unwrap_or(1));
        let mut done = start;
        while done < end {
            let (mut at, column, row) = self.place(done);
            let left = end - done;
            let (rows, len) = if column == 0 && left >= size {
                ((left / size).min(rows - row), size)
            } else {
                (1, left.min(size - column))
            };
            for (at, &offset) in at.iter_mut().zip(&self.offsets) {
                *at += offset as isize;
            }
            visitor.visit(Tile { rows, len, at: at.map(|at| at as usize), outer, inner });
            done += rows * len;
        }
    }

    /// Where the element with a row-major number lies, without the offsets, and its position along the
    /// innermost dimension and the one before.
    fn place(&self, number: usize) -> ([isize; N], usize, usize) {
        let (mut at, mut positions, mut rest) = ([0; N], [0; 2], number);
        for (d, &size) in self.shape.iter().enumerate().rev() {
            if rest == 0 {
                break;
            }
            let position = rest % size;
            rest /= size;
            if let Some(place) = positions.get_mut(self.shape.len() - 1 - d) {
                *place = position;
            }
            for (at, strides) in at.iter_mut().zip(&self.strides) {
                *at += position as isize * strides[d];
            }
        }
        (at, positions[0], positions[1])
    }
}
