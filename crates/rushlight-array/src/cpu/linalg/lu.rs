//! LU factors with partial pivoting.

use super::Multiply;
use super::block::{Block, LEAF, Rect, half, subtract_scaled};
use super::triangular::solve_leaf;
use crate::cpu::simd::vectorized;

/// Columns that are finished by plain loops. Fewer than elsewhere: the loops run over all rows below.
const NARROW: usize = 8;

/// Puts the factors of `P A = L U` in the place of `A`: `U` above and on the diagonal, `L`, whose diagonal is ones, below.
/// Gives for each row the one it was exchanged with.
pub(super) fn factor<T: Multiply>(a: &mut Block<'_, T>) -> Vec<usize> {
    let all = a.all();
    let square = all.rows.min(all.columns);
    let mut pivots: Vec<usize> = (0..square).collect();
    if square == 0 {
        return pivots;
    }
    let (left, right) = all.split_columns(square);
    factor_part(a, left, &mut pivots);
    if right.columns > 0 {
        exchange(a, right, 0, &pivots);
        solve_unit_lower(a, Rect { columns: square, ..left }, right);
    }
    pivots
}

/// The columns of a rectangle whose first row is that of its first pivot.
fn factor_part<T: Multiply>(a: &mut Block<'_, T>, rect: Rect, pivots: &mut [usize]) {
    let n = rect.columns;
    if n <= NARROW {
        return factor_leaf(a, rect, pivots);
    }
    let h = if n > 2 * LEAF { half(n) } else { (n / 2).next_multiple_of(NARROW) };
    let (left, right) = rect.split_columns(h);
    let (first, last) = pivots.split_at_mut(h);
    factor_part(a, left, first);
    exchange(a, right, rect.row, first);
    let (beside, below) = right.split_rows(h);
    let (corner, side) = left.split_rows(h);
    solve_unit_lower(a, corner, beside);
    if below.rows == 0 {
        return;
    }
    a.subtract_product(below, |a, out| T::product(a.view(side), a.view(beside), out));
    factor_part(a, below, last);
    exchange(a, side, below.row, last);
}

/// Exchanges rows of a rectangle, from row `first` on, with those that the pivots name.
fn exchange<T: Multiply>(a: &mut Block<'_, T>, rect: Rect, first: usize, pivots: &[usize]) {
    let columns = Rect { row: 0, ..rect };
    for (i, &pivot) in pivots.iter().enumerate() {
        if pivot != first + i {
            let (x, y) = a.two_rows(columns, first + i, pivot);
            x.swap_with_slice(y);
        }
    }
}

/// Puts `L^-1 B` in the place of a rectangle `B`, for the lower triangle of another rectangle with ones on its diagonal.
fn solve_unit_lower<T: Multiply>(a: &mut Block<'_, T>, lower: Rect, b: Rect) {
    let n = b.rows;
    if n <= LEAF {
        let mut corner = [[T::ZERO; LEAF]; LEAF];
        for (i, row) in corner.iter_mut().enumerate().take(n) {
            row[..n].copy_from_slice(&a.row(lower, i)[..n]);
        }
        return solve_leaf(&corner, false, true, a, b);
    }
    let h = half(n);
    let (first, last) = b.split_rows(h);
    let (top, bottom) = lower.split_rows(h);
    let (corner, rest) = bottom.split_columns(h);
    solve_unit_lower(a, Rect { columns: h, ..top }, first);
    a.subtract_product(last, |a, out| T::product(a.view(corner), a.view(first), out));
    solve_unit_lower(a, rest, last);
}

/// A few columns, one after the other, in a copy that has them behind each other.
fn factor_leaf<T: Multiply>(a: &mut Block<'_, T>, rect: Rect, pivots: &mut [usize]) {
    let (m, n) = (rect.rows, rect.columns);
    let mut columns = vec![T::ZERO; m * n];
    for i in 0..m {
        for (j, &x) in a.row(rect, i).iter().enumerate() {
            columns[j * m + i] = x;
        }
    }
    for k in 0..n {
        let row = k + largest(&columns[k * m + k..(k + 1) * m]);
        pivots[k] = rect.row + row;
        if row != k {
            (0..n).for_each(|j| columns.swap(j * m + k, j * m + row));
        }
        let (done, rest) = columns.split_at_mut((k + 1) * m);
        let (pivot, below) = done[k * m + k..].split_first_mut().expect("the pivot is there");
        // A column of zeros stays as it is; `U` shows it.
        if *pivot == T::ZERO {
            continue;
        }
        let pivot = *pivot;
        vectorized(
            #[inline(always)]
            || {
                below.iter_mut().for_each(|x| *x = *x / pivot);
                for column in rest.chunks_mut(m) {
                    let (above, column) = column.split_at_mut(k + 1);
                    subtract_scaled(column, above[k], below);
                }
            },
        );
    }
    for i in 0..m {
        for (j, x) in a.row(rect, i).iter_mut().enumerate() {
            *x = columns[j * m + i];
        }
    }
}

/// The place of the first largest absolute value; NaN counts for nothing.
fn largest<T: Multiply>(column: &[T]) -> usize {
    const LANES: usize = 16;
    let mut most = [T::ZERO; LANES];
    vectorized(
        #[inline(always)]
        || {
            for part in column.chunks(LANES) {
                for (most, &x) in most.iter_mut().zip(part) {
                    *most = if x.abs() > *most { x.abs() } else { *most };
                }
            }
        },
    );
    let most = most.into_iter().fold(T::ZERO, |a, b| if b > a { b } else { a });
    column.iter().position(|x| x.abs() == most).unwrap_or(0)
}
