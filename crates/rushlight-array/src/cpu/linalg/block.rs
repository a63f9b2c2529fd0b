//! A matrix that is worked on in place, in rectangles.

use super::super::simd::vectorized;
use super::super::threads::for_each_slice;
use super::{Float, Multiply, View};
use crate::cpu::memory::HostBuffer;

/// Pieces with at most so many rows or columns are finished by plain loops: a product of so few inner steps is no
/// faster than they are.
pub(super) const LEAF: usize = 16;

/// Rows of a matrix behind each other, for reading and writing.
pub(super) struct Block<'a, T> {
    pub(super) data: &'a mut [T],
    /// The number of columns.
    pub(super) stride: usize,
}

/// A rectangle of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Rect {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Rect {
    pub(super) fn new(row: usize, column: usize, rows: usize, columns: usize) -> Rect {
        Rect { row, column, rows, columns }
    }

    /// The first `n` rows, and the others.
    pub(super) fn split_rows(self, n: usize) -> (Rect, Rect) {
        (Rect { rows: n, ..self }, Rect { row: self.row + n, rows: self.rows - n, ..self })
    }

    /// The first `n` columns, and the others.
    pub(super) fn split_columns(self, n: usize) -> (Rect, Rect) {
        (Rect { columns: n, ..self }, Rect { column: self.column + n, columns: self.columns - n, ..self })
    }
}

/// About half of `n`, a multiple of [`LEAF`]; `n` is larger than that.
pub(super) fn half(n: usize) -> usize {
    (n / 2).next_multiple_of(LEAF)
}

impl<'a, T: Multiply> Block<'a, T> {
    pub(super) fn new(data: &'a mut [T], stride: usize) -> Self {
        Block { data, stride }
    }

    pub(super) fn rows(&self) -> usize {
        self.data.len().checked_div(self.stride).unwrap_or(0)
    }

    pub(super) fn all(&self) -> Rect {
        Rect::new(0, 0, self.rows(), self.stride)
    }

    /// A rectangle for reading.
    pub(super) fn view(&self, rect: Rect) -> View<'_, T> {
        View {
            data: self.data,
            at: rect.row * self.stride + rect.column,
            rows: rect.rows,
            columns: rect.columns,
            row_stride: self.stride as isize,
            column_stride: 1,
        }
    }

    pub(super) fn get(&self, row: usize, column: usize) -> T {
        self.data[row * self.stride + column]
    }

    /// The part of a row that lies in a rectangle; the rectangle's rows count from 0.
    pub(super) fn row(&mut self, rect: Rect, row: usize) -> &mut [T] {
        &mut self.data[(rect.row + row) * self.stride + rect.column..][..rect.columns]
    }

    /// Two rows of a rectangle, `first < second`.
    pub(super) fn two_rows(&mut self, rect: Rect, first: usize, second: usize) -> (&mut [T], &mut [T]) {
        let (low, high) = self.data.split_at_mut((rect.row + second) * self.stride);
        let first = &mut low[(rect.row + first) * self.stride + rect.column..][..rect.columns];
        (first, &mut high[rect.column..][..rect.columns])
    }

    /// Makes something of each element of a rectangle and of a matrix of its size, which lies row by row in `other`.
    pub(super) fn combine(&mut self, rect: Rect, other: &[T], f: impl Fn(&mut T, T) + Sync + Copy) {
        if rect.rows == 0 || rect.columns == 0 {
            return;
        }
        let stride = self.stride;
        let rows = &mut self.data[rect.row * stride..(rect.row + rect.rows) * stride];
        // 32 K elements for a thread: about as long as a hand-off takes.
        let several = (1usize << 15).div_ceil(rect.columns);
        for_each_slice(rows, several * stride, 1, &|start, rows| {
            let others = other[start / stride * rect.columns..].chunks(rect.columns);
            vectorized(
                #[inline(always)]
                || {
                    for (row, other) in rows.chunks_mut(stride).zip(others) {
                        for (x, &y) in row[rect.column..][..rect.columns].iter_mut().zip(other) {
                            f(x, y);
                        }
                    }
                },
            );
        });
    }

    /// `c -= a b`, where `a` and `b` may be rectangles of this block.
    pub(super) fn subtract_product(&mut self, c: Rect, product: impl FnOnce(&Self, &mut [T])) {
        let mut buffer = HostBuffer::scratch(T::DTYPE, c.rows * c.columns);
        product(self, buffer.as_mut_slice());
        self.combine(
            c,
            buffer.as_slice(),
            #[inline(always)]
            |x, y| *x = *x - y,
        );
    }
}

/// `y -= factor * x`.
#[inline(always)]
pub(super) fn subtract_scaled<T: Float>(y: &mut [T], factor: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = (-factor).mul_add(x, *y);
    }
}
