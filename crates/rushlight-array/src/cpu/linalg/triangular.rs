//! Triangular systems of equations.

use super::block::{Block, LEAF, Rect, half, subtract_scaled};
use super::{Multiply, View};
use crate::cpu::simd::vectorized;

/// A triangular matrix: one triangle of a square.
#[derive(Clone, Copy)]
pub(super) struct Triangle<'a, T> {
    pub(super) a: View<'a, T>,
    pub(super) upper: bool,
    /// Whether the diagonal counts as ones.
    pub(super) unit: bool,
}

/// Columns of the right side that are solved together by the plain loops: 16 rows of them fit into 32 KB.
const STRIP: usize = 512;

/// Puts `A^-1 B` in the place of `B`.
pub(super) fn solve<T: Multiply>(triangle: &Triangle<'_, T>, b: &mut Block<'_, T>) {
    let all = b.all();
    if all.rows > 0 && all.columns > 0 {
        solve_part(triangle, b, all);
    }
}

fn solve_part<T: Multiply>(triangle: &Triangle<'_, T>, b: &mut Block<'_, T>, rect: Rect) {
    let n = rect.rows;
    if n <= LEAF {
        let mut corner = [[T::ZERO; LEAF]; LEAF];
        for (i, row) in corner.iter_mut().enumerate().take(n) {
            for (j, x) in row.iter_mut().enumerate().take(n) {
                *x = triangle.a.get(i, j);
            }
        }
        return solve_leaf(&corner, triangle.upper, triangle.unit, b, rect);
    }
    let h = half(n);
    let (first, last) = rect.split_rows(h);
    let (a, rest) = (&triangle.a, n - h);
    let corner = |i, rows| Triangle { a: a.part(i, i, rows, rows), ..*triangle };
    if triangle.upper {
        solve_part(&corner(h, rest), b, last);
        b.subtract_product(first, |b, out| T::product(a.part(0, h, h, rest), b.view(last), out));
        solve_part(&corner(0, h), b, first);
    } else {
        solve_part(&corner(0, h), b, first);
        b.subtract_product(last, |b, out| T::product(a.part(h, 0, rest, h), b.view(first), out));
        solve_part(&corner(h, rest), b, last);
    }
}

/// As [`solve`] for few rows, by substitution.
pub(super) fn solve_leaf<T: Multiply>(
    a: &[[T; LEAF]; LEAF],
    upper: bool,
    unit: bool,
    b: &mut Block<'_, T>,
    rect: Rect,
) {
    let n = rect.rows;
    vectorized(
        #[inline(always)]
        || {
            for start in (0..rect.columns).step_by(STRIP) {
                let columns = STRIP.min(rect.columns - start);
                let strip = Rect { column: rect.column + start, columns, ..rect };
                for step in 0..n {
                    let i = if upper { n - 1 - step } else { step };
                    if !unit {
                        b.row(strip, i).iter_mut().for_each(|x| *x = *x / a[i][i]);
                    }
                    if upper {
                        for (j, other) in a.iter().enumerate().take(i) {
                            let (above, row) = b.two_rows(strip, j, i);
                            subtract_scaled(above, other[i], row);
                        }
                    } else {
                        for (j, other) in a.iter().enumerate().take(n).skip(i + 1) {
                            let (row, below) = b.two_rows(strip, i, j);
                            subtract_scaled(below, other[i], row);
                        }
                    }
                }
            }
        },
    );
}

/// Puts `B L^-T` in the place of a rectangle `B`, for the lower triangle `L` of another rectangle of the block.
pub(super) fn solve_transposed_right<T: Multiply>(block: &mut Block<'_, T>, lower: Rect, b: Rect) {
    let n = b.columns;
    if n <= LEAF {
        // The transposed system, with the long side along the rows.
        let mut corner = [[T::ZERO; LEAF]; LEAF];
        for (i, row) in corner.iter_mut().enumerate().take(n) {
            row[..=i].copy_from_slice(&block.row(lower, i)[..=i]);
        }
        let mut columns = vec![T::ZERO; n * b.rows];
        for i in 0..b.rows {
            for (j, &x) in block.row(b, i).iter().enumerate() {
                columns[j * b.rows + i] = x;
            }
        }
        let mut transposed = Block::new(&mut columns, b.rows);
        let all = transposed.all();
        solve_leaf(&corner, false, false, &mut transposed, all);
        for i in 0..b.rows {
            for (j, x) in block.row(b, i).iter_mut().enumerate() {
                *x = columns[j * b.rows + i];
            }
        }
        return;
    }
    let h = half(n);
    let (left, right) = b.split_columns(h);
    let (top, bottom) = lower.split_rows(h);
    let (corner, last) = bottom.split_columns(h);
    solve_transposed_right(block, Rect { columns: h, ..top }, left);
    block.subtract_product(right, |block, out| {
        T::product(block.view(left), block.view(corner).t(), out);
    });
    solve_transposed_right(block, last, right);
}
