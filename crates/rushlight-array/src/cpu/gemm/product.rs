//! One product of two matrices: which kernels do it, and in which parts for the threads.

use super::block::{DEPTH, PANEL, block, columns_of_few, dots, packs};
use super::kernel::Product;
use super::large;
use crate::cpu::simd::prefetch;
use crate::cpu::threads::{SendPointer, num_threads};
use std::ops::Range;

/// A matrix inside a storage: its first element, rows, columns and the strides between them.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Matrix<'a, T> {
    pub(in crate::cpu) data: &'a [T],
    pub(in crate::cpu) at: usize,
    pub(in crate::cpu) rows: usize,
    pub(in crate::cpu) columns: usize,
    pub(in crate::cpu) row_stride: isize,
    pub(in crate::cpu) column_stride: isize,
}

impl<'a, T: Copy> Matrix<'a, T> {
    /// The first rows of a slice that holds rows of `columns` elements, one behind the other.
    pub(in crate::cpu) fn dense(data: &'a [T], rows: usize, columns: usize) -> Self {
        Matrix { data, at: 0, rows, columns, row_stride: columns as isize, column_stride: 1 }
    }

    /// Whether every element lies inside the storage; the unsafe kernels rely on it. In 128 bits, where
    /// no layout, however wrong, makes it overflow.
    pub(super) fn is_in_bounds(&self) -> bool {
        let reach = |n: usize, stride: isize| (n as i128 - 1) * stride as i128;
        let (r, c) = (reach(self.rows, self.row_stride), reach(self.columns, self.column_stride));
        let low = self.at as i128 + r.min(0) + c.min(0);
        let high = self.at as i128 + r.max(0) + c.max(0);
        low >= 0 && high < self.data.len() as i128
    }

    pub(super) fn pointer(&self, i: usize, j: usize) -> *const T {
        let offset = self.at as isize + i as isize * self.row_stride + j as isize * self.column_stride;
        self.data.as_ptr().wrapping_offset(offset)
    }

    /// Asks the processor for a part, if its rows or columns lie without gaps.
    pub(super) fn prefetch(&self, rows: Range<usize>, columns: Range<usize>) {
        if self.column_stride == 1 {
            rows.for_each(|i| prefetch(self.pointer(i, columns.start), columns.len()));
        } else if self.row_stride == 1 {
            columns.for_each(|j| prefetch(self.pointer(rows.start, j), rows.len()));
        }
    }

    /// Rows and columns changed.
    pub(in crate::cpu) fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Whether the elements of a row lie behind each other.
    fn has_rows(&self) -> bool {
        self.column_stride == 1 || self.columns == 1
    }
}

/// What becomes of the sums: `out = relu(sums + bias)`.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a, T> {
    /// One for each column.
    pub(super) bias: Option<&'a [T]>,
    /// Whether negative results become zero.
    pub(super) relu: bool,
    /// Whether the sums go on from what the result holds; tiles alone can do that.
    pub(super) adds: bool,
}

impl<T> Epilogue<'_, T> {
    /// The product alone.
    pub(super) const NONE: Self = Epilogue { bias: None, relu: false, adds: false };
}

/// A part of the result: rows and columns from `(i, j)`, `[m, n]` of them, in rows `stride` apart.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Part<T> {
    pub(super) i: usize,
    pub(super) j: usize,
    pub(super) m: usize,
    pub(super) n: usize,
    /// The first element of the whole result.
    pub(super) out: *mut T,
    pub(super) stride: usize,
}

impl<T> Part<T> {
    /// Where an element of the part lies.
    pub(super) fn pointer(&self, i: usize, j: usize) -> *mut T {
        self.out.wrapping_add((self.i + i) * self.stride + self.j + j)
    }
}

/// The way to compute a product of one shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Tiles of registers along the rows.
    Tiles,
    /// The same for the transposed result, since it has few columns.
    Columns,
    /// A few rows, each of scalar products with the columns of the right operand.
    RowDots,
    /// A few columns, each of scalar products with the rows of the left operand.
    ColumnDots,
    /// Both operands packed, on all threads together.
    Large,
}

/// Results with fewer columns than this, and more rows, are computed transposed.
const FEW: usize = 6;

/// Whether scalar products of `few` vectors with `many` others are faster than tiles, which need the others transposed.
///
/// Cycles: a scalar product adds up its lanes in about 7, a square of 16 x 16 takes 64 shuffles. So one row of 30 with
/// 20 columns goes by scalar products, 24 % faster, but two rows do not, by 10 %.
fn dots_pay(few: usize, many: usize, k: usize) -> bool {
    few <= 2 && few * many * 7 < many.div_ceil(16) * k.div_ceil(16) * 64
}

/// The least number of multiply-adds that are worth handing to another thread: about a microsecond's work, as long as
/// the hand-off takes. 64^3, four times as much, gained 30 % by a second thread.
const TASK: usize = 1 << 16;

/// From so many multiply-adds on, and with more than one pass over the inner index, both operands are packed. By one or two
/// threads less work than this is done 1 to 8 % faster where the operands lie, as they are asked for ahead; more threads would
/// pack the right one once each.
fn large() -> usize {
    if num_threads() <= 2 { 1 << 26 } else { 1 << 24 }
}

/// How a product is done: its way, and the size of the parts for the threads.
///
/// Shapes, strides and the number of threads decide: an element is the same chain of operations in tiles and in a large product,
/// and wherever parts are cut.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    way: Way,
    rows: usize,
    columns: usize,
    across: usize,
    /// The number of parts.
    pub(super) parts: usize,
    /// The multiply-adds of one product, at least 1.
    work: usize,
}

impl Plan {
    /// For products of operands of the shapes and strides of these.
    pub(super) fn new<T: Product>(a: &Matrix<'_, T>, b: &Matrix<'_, T>) -> Plan {
        let (m, k, n) = (a.rows, a.columns, b.columns);
        let work = m.saturating_mul(n).saturating_mul(k).max(1);
        let way = if dots_pay(m, n, k) && a.has_rows() && b.t().has_rows() && b.columns > 1 {
            Way::RowDots
        } else if dots_pay(n, m, k) && a.has_rows() && b.t().has_rows() {
            Way::ColumnDots
        } else if n < FEW && m >= 2 * n {
            Way::Columns
        } else if work >= large() && k > DEPTH && m.min(n) >= 64 {
            Way::Large
        } else {
            Way::Tiles
        };
        let count = (work / TASK).min(num_threads());
        if count <= 1 || way == Way::Large {
            return Plan { way, rows: m, columns: n, across: 1, parts: 1, work };
        }
        let (rows, columns) = if m >= n && (m >= count * n || !packs(b, m)) || n < count * PANEL {
            (m.div_ceil(count).next_multiple_of(8), n)
        } else {
            // Parts of columns pack a part of the right operand each, parts of rows would pack all of it.
            (m, n.div_ceil(count).next_multiple_of(16))
        };
        let across = n.div_ceil(columns);
        let parts = m.div_ceil(rows) * across;
        Plan { way, rows, columns, across, parts, work }
    }

    /// Whether a product shares its work out among the threads itself.
    pub(super) fn is_shared(&self) -> bool {
        self.way == Way::Large
    }

    /// How many of so many parts should be one task for a thread.
    pub(super) fn group(&self, tasks: usize) -> usize {
        if tasks == 1 { 1 } else { (TASK * self.parts / self.work).max(1) }
    }

    /// Computes one part of `a b`.
    ///
    /// What can be checked is asserted: [`Backend`](crate::Backend) is public, so the shapes may come from anywhere.
    ///
    /// # Safety
    /// `out` points to `a.rows` rows of `b.columns` elements, one behind the other. Those of the part are the
    /// caller's alone until the call returns; what they hold before is not read.
    pub(super) unsafe fn run<T: Product>(
        &self,
        a: &Matrix<'_, T>,
        b: &Matrix<'_, T>,
        out: *mut T,
        number: usize,
        epilogue: &Epilogue<'_, T>,
    ) {
        let (m, k, n) = (a.rows, a.columns, b.columns);
        let fits = k == b.rows && epilogue.bias.is_none_or(|bias| bias.len() == n);
        assert!(fits && number < self.parts, "the operands of a matrix product do not fit");
        assert!(
            k == 0 || (a.is_in_bounds() && b.is_in_bounds()),
            "a matrix product would leave its operands"
        );
        let (i, j) = match self.parts {
            1 => (0, 0),
            _ => (number / self.across * self.rows, number % self.across * self.columns),
        };
        assert!(i < m && j < n, "a part of a matrix product lies outside of it");
        let part = Part { i, j, m: self.rows.min(m - i), n: self.columns.min(n - j), out, stride: n };
        // SAFETY: both operands lie inside their storages, their inner sizes are equal, the bias has an element
        // for each column (all asserted), and the caller lends us the part, which lies inside the result.
        unsafe {
            match self.way {
                Way::Tiles => block(a, b, &part, epilogue),
                Way::Columns => columns_of_few(a, b, &part, epilogue),
                Way::RowDots => dots(b.t(), a.t(), &part, true, epilogue),
                Way::ColumnDots => dots(*a, *b, &part, false, epilogue),
                Way::Large => large::multiply(a, b, SendPointer(out), epilogue),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_right_where_64_bits_would_wrap() {
        let data = [0f32; 4];
        let matrix = |at, rows, row_stride| {
            Matrix { data: &data, at, rows, columns: 2, row_stride, column_stride: 1 }.is_in_bounds()
        };
        assert!(matrix(0, 2, 2) && matrix(2, 2, -2));
        assert!(!matrix(1, 2, 2) && !matrix(1, 2, -2) && !matrix(usize::MAX, 1, 0));
        // 4 steps of 2^62 wrap around to 0.
        assert!(!matrix(0, 5, 1 << 62));
    }
}
