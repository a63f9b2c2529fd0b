//! Cholesky's factors, and inverses from them.

use super::Multiply;
use super::block::{Block, LEAF, Rect, half};
use super::triangular::{solve_leaf, solve_transposed_right};
use crate::cpu::memory::HostBuffer;

/// Squares on the diagonal with at most so many rows are updated as a whole: their upper half is wasted work, but one
/// large product is faster than several small ones.
const WHOLE: usize = 256;

/// Puts the lower factor of a square in its place, zeros above it.
///
/// # Errors
/// The order of the first leading minor that is not positive.
pub(super) fn factor<T: Multiply>(a: &mut Block<'_, T>) -> Result<(), usize> {
    let result = factor_part(a, 0, a.stride);
    let n = a.stride;
    for i in 0..n {
        a.data[i * n + i + 1..(i + 1) * n].fill(T::ZERO);
    }
    result
}

fn factor_part<T: Multiply>(a: &mut Block<'_, T>, at: usize, n: usize) -> Result<(), usize> {
    if n <= LEAF {
        return factor_leaf(a, at, n);
    }
    let h = half(n);
    factor_part(a, at, h)?;
    let side = Rect::new(at + h, at, n - h, h);
    solve_transposed_right(a, Rect::new(at, at, h, h), side);
    update(a, Rect::new(at + h, at + h, n - h, n - h), side, false);
    factor_part(a, at + h, n - h).map_err(|order| order + h)
}

fn factor_leaf<T: Multiply>(a: &mut Block<'_, T>, at: usize, n: usize) -> Result<(), usize> {
    for j in 0..n {
        let dot = |a: &Block<'_, T>, i: usize| {
            (0..j).fold(a.get(at + i, at + j), |sum, k| {
                (-a.get(at + i, at + k)).mul_add(a.get(at + j, at + k), sum)
            })
        };
        let square = dot(a, j);
        if square.is_nan() || square <= T::ZERO {
            return Err(j + 1);
        }
        let root = square.sqrt();
        for i in j + 1..n {
            let x = dot(a, i) / root;
            a.data[(at + i) * a.stride + at + j] = x;
        }
        a.data[(at + j) * a.stride + at + j] = root;
    }
    Ok(())
}

/// `C -= S S^T` or, if `transposed`, `C += S^T S`, in the lower triangle of `C`; above it stands what comes.
fn update<T: Multiply>(a: &mut Block<'_, T>, c: Rect, side: Rect, transposed: bool) {
    let n = c.rows;
    let product = |a: &mut Block<'_, T>, c: Rect, rows: Rect, columns: Rect| {
        let mut buffer = HostBuffer::scratch(T::DTYPE, c.rows * c.columns);
        let out = buffer.as_mut_slice();
        if transposed {
            T::product(a.view(rows).t(), a.view(columns), out);
            a.combine(
                c,
                out,
                #[inline(always)]
                |x, y| *x = *x + y,
            );
        } else {
            T::product(a.view(rows), a.view(columns).t(), out);
            a.combine(
                c,
                out,
                #[inline(always)]
                |x, y| *x = *x - y,
            );
        }
    };
    if n <= WHOLE {
        return product(a, c, side, side);
    }
    let h = half(n);
    let (first, last) = if transposed { side.split_columns(h) } else { side.split_rows(h) };
    update(a, Rect { rows: h, columns: h, ..c }, first, transposed);
    update(a, Rect::new(c.row + h, c.column + h, n - h, n - h), last, transposed);
    product(a, Rect::new(c.row + h, c.column, n - h, h), last, first);
}

/// Puts the inverse of `L L^T` in the place of a square with `L` in its lower triangle.
pub(super) fn inverse<T: Multiply>(a: &mut Block<'_, T>) {
    let n = a.stride;
    for i in 0..n {
        a.data[i * n + i + 1..(i + 1) * n].fill(T::ZERO);
    }
    if n > 0 {
        invert_part(a, 0, n);
        gram_part(a, 0, n);
    }
    for i in 0..n {
        for j in i + 1..n {
            a.data[i * n + j] = a.data[j * n + i];
        }
    }
}

/// Puts the inverse of a lower triangle in its place; above it are zeros.
fn invert_part<T: Multiply>(a: &mut Block<'_, T>, at: usize, n: usize) {
    if n <= LEAF {
        let rect = Rect::new(at, at, n, n);
        let mut corner = [[T::ZERO; LEAF]; LEAF];
        for (i, row) in corner.iter_mut().enumerate().take(n) {
            let own = a.row(rect, i);
            row[..=i].copy_from_slice(&own[..=i]);
            own.fill(T::ZERO);
            own[i] = T::ONE;
        }
        return solve_leaf(&corner, false, false, a, rect);
    }
    let h = half(n);
    let (corner, side) = (Rect::new(at, at, h, h), Rect::new(at + h, at, n - h, h));
    let last = Rect::new(at + h, at + h, n - h, n - h);
    invert_part(a, at, h);
    invert_part(a, at + h, n - h);
    // -L22^-1 L21 L11^-1.
    for (left, right) in [(side, corner), (last, side)] {
        let mut buffer = HostBuffer::scratch(T::DTYPE, side.rows * side.columns);
        T::product(a.view(left), a.view(right), buffer.as_mut_slice());
        a.combine(
            side,
            buffer.as_slice(),
            #[inline(always)]
            |x, y| *x = y,
        );
    }
    for i in 0..side.rows {
        a.row(side, i).iter_mut().for_each(|x| *x = -*x);
    }
}

/// Puts the lower triangle of `T^T T` in the place of a lower triangle `T` with zeros above it.
fn gram_part<T: Multiply>(a: &mut Block<'_, T>, at: usize, n: usize) {
    if n <= LEAF {
        let mut out = [[T::ZERO; LEAF]; LEAF];
        for (i, row) in out.iter_mut().enumerate().take(n) {
            for (j, sum) in row.iter_mut().enumerate().take(i + 1) {
                *sum =
                    (i..n).fold(T::ZERO, |sum, k| a.get(at + k, at + i).mul_add(a.get(at + k, at + j), sum));
            }
        }
        for (i, row) in out.iter().enumerate().take(n) {
            a.row(Rect::new(at, at, n, n), i)[..=i].copy_from_slice(&row[..=i]);
        }
        return;
    }
    let h = half(n);
    let (side, last) = (Rect::new(at + h, at, n - h, h), Rect::new(at + h, at + h, n - h, n - h));
    gram_part(a, at, h);
    update(a, Rect::new(at, at, h, h), side, true);
    let mut buffer = HostBuffer::scratch(T::DTYPE, side.rows * side.columns);
    T::product(a.view(last).t(), a.view(side), buffer.as_mut_slice());
    a.combine(
        side,
        buffer.as_slice(),
        #[inline(always)]
        |x, y| *x = y,
    );
    gram_part(a, at + h, n - h);
}
