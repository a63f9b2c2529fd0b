//! Walking several strided layouts of one shape in row-major order.

use crate::layout::Layout;
use smallvec::SmallVec;

/// `N` layouts of one shape, with dimensions merged wherever all of them allow it.
pub(crate) struct Walk<const N: usize> {
    shape: SmallVec<[usize; 6]>,
    strides: [SmallVec<[isize; 6]>; N],
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

impl<const N: usize> Walk<N> {
    pub(crate) fn new(layouts: [&Layout; N]) -> Self {
        let mut walk = Walk {
            shape: SmallVec::new(),
            strides: std::array::from_fn(|_| SmallVec::new()),
            offsets: layouts.map(Layout::offset),
        };
        for (axis, &size) in layouts[0].shape().iter().enumerate() {
            if size == 1 {
                continue;
            }
            let merges = walk.shape.last().is_some()
                && (0..N)
                    .all(|k| walk.strides[k].last() == Some(&(layouts[k].strides()[axis] * size as isize)));
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

    /// The strides along the innermost dimension.
    pub(crate) fn inner(&self) -> [isize; N] {
        std::array::from_fn(|k| *self.strides[k].last().expect("a walk has at least one dim"))
    }

    /// Calls `visit` for every row, or part of one, among the elements `start..end`.
    ///
    /// The visitor is a trait object so that this loop is compiled once, not once for each kernel: it is
    /// called once a row.
    pub(crate) fn rows(&self, start: usize, end: usize, visit: &mut dyn FnMut(Row<N>)) {
        if start >= end {
            return;
        }
        let inner = self.shape.len() - 1;
        let mut position = self.position(start);
        let mut at: [isize; N] = std::array::from_fn(|k| {
            let steps = position.iter().zip(&self.strides[k]).map(|(&p, &s)| p as isize * s);
            self.offsets[k] as isize + steps.sum::<isize>()
        });
        let mut done = start;
        loop {
            let len = (self.shape[inner] - position[inner]).min(end - done);
            visit(Row { start: done, len, at: at.map(|a| a as usize) });
            done += len;
            if done >= end {
                return;
            }
            self.to_next_row(&mut position, &mut at);
        }
    }

    /// The position along each dimension of the element with a row-major number.
    fn position(&self, number: usize) -> SmallVec<[usize; 6]> {
        let mut position: SmallVec<[usize; 6]> = SmallVec::from_elem(0, self.shape.len());
        let mut rest = number;
        for (p, &size) in position.iter_mut().zip(&self.shape).rev() {
            *p = rest % size;
            rest /= size;
        }
        position
    }

    /// Back to the start of the row, and the innermost of the other dims that is not at its end moves on.
    fn to_next_row(&self, position: &mut [usize], at: &mut [isize; N]) {
        let inner = self.shape.len() - 1;
        for (a, s) in at.iter_mut().zip(&self.strides) {
            *a -= position[inner] as isize * s[inner];
        }
        position[inner] = 0;
        for d in (0..inner).rev() {
            position[d] += 1;
            for (a, s) in at.iter_mut().zip(&self.strides) {
                *a += s[d];
            }
            if position[d] < self.shape[d] {
                break;
            }
            for (a, s) in at.iter_mut().zip(&self.strides) {
                *a -= self.shape[d] as isize * s[d];
            }
            position[d] = 0;
        }
    }
}
