//! Linear algebra: factorizations and triangular solves.
//!
//! `cholesky`, `lu` and `triangular` halve a matrix again and again, so that nearly all of their work is the matrix
//! product of `gemm`, and finish pieces of some columns by plain loops (`block`). `qr` is Householder's method as LAPACK
//! has it, signs included; `svd` turns columns (Jacobi); `eigen` makes matrices tridiagonal first. These three compute in f64 for
//! f32, too: they are not worth two compilations.
//!
//! Pieces are cut by the shape alone, so the bits do not depend on the number of threads.

mod block;
mod cholesky;
mod cross;
mod eigen;
mod lu;
mod qr;
mod svd;
mod triangular;

pub(crate) use cross::cross;

use super::float::Float;
use super::gemm::{Multiply, View};
use crate::array::Array;
use crate::dtype::DType;
use crate::profile::{Work, kernel};
use crate::shape::Shape;
use block::Block;

/// Runs an expression with `T` standing for f32 or f64.
macro_rules! with_float {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $t = f32;
                $body
            }
            DType::F64 => {
                type $t = f64;
                $body
            }
            dtype => panic!("linear algebra of {dtype}; arrays check before they ask for it"),
        }
    };
}

/// The span of a kernel that does about so many operations on an array.
fn work(name: &'static str, x: &Array, flops: usize) -> crate::profile::Span {
    kernel(name, || Work { bytes: 2 * (x.numel() * x.dtype().size()) as u64, flops: flops as u64 })
}

/// The sizes of matrices of a shape: how many, rows, columns.
fn sizes(x: &Array) -> (usize, usize, usize) {
    let (batch, matrix) = x.shape().split_at(x.rank() - 2);
    (batch.iter().product(), matrix[0], matrix[1])
}

/// The shape of matrices with the leading dims of `x`.
fn shaped(x: &Array, tail: &[usize]) -> Shape {
    x.shape()[..x.rank() - 2].iter().chain(tail).copied().collect()
}

/// What LAPACK calls `info`: a number for each matrix, 0 if all is well.
fn info(x: &Array, values: Vec<i32>) -> Array {
    Array::from_vec(values, shaped(x, &[]))
}

/// The Cholesky factors `L` of matrices whose lower triangles are read, and for each matrix the order of the first
/// leading minor that is not positive, or 0.
pub(crate) fn cholesky(x: &Array) -> (Array, Array) {
    let (count, n, _) = sizes(x);
    let _span = work("cholesky", x, count * n * n * n / 3);
    let mut out = super::copy(x);
    let mut failed = vec![0; count];
    with_float!(x.dtype(), T => {
        for (matrix, failed) in out.make_mut::<T>().chunks_mut((n * n).max(1)).zip(&mut failed) {
            *failed = cholesky::factor(&mut Block::new(matrix, n)).err().map_or(0, |order| order as i32);
        }
    });
    (out, info(x, failed))
}

/// The inverses of `L L^T`, from lower triangles.
pub(crate) fn cholesky_inverse(factor: &Array) -> Array {
    let (count, n, _) = sizes(factor);
    let _span = work("cholesky_inverse", factor, count * n * n * n * 2 / 3);
    let mut out = super::copy(factor);
    with_float!(factor.dtype(), T => {
        for matrix in out.make_mut::<T>().chunks_mut((n * n).max(1)) {
            cholesky::inverse(&mut Block::new(matrix, n));
        }
    });
    out
}

/// LU factors in one matrix each, `P A = L U`; the row that each row was exchanged with, from 1; and for each matrix the
/// first pivot that is zero, from 1, or 0.
pub(crate) fn lu(x: &Array) -> (Array, Array, Array) {
    let (count, m, n) = sizes(x);
    let _span = work("lu", x, count * m * n * m.min(n) * 2 / 3);
    let mut out = super::copy(x);
    let (mut singular, mut swaps) = (vec![0; count], Vec::with_capacity(count * m.min(n)));
    with_float!(x.dtype(), T => {
        for (i, matrix) in out.make_mut::<T>().chunks_mut((m * n).max(1)).enumerate() {
            let pivots = lu::factor(&mut Block::new(matrix, n));
            singular[i] = (0..m.min(n)).find(|&k| matrix[k * n + k] == 0.0).map_or(0, |k| k as i32 + 1);
            swaps.extend(pivots.iter().map(|&row| row as i32 + 1));
        }
    });
    (out, Array::from_vec(swaps, shaped(x, &[m.min(n)])), info(x, singular))
}

/// `A^-1 B` for triangular `A`, of which one triangle is read, without its diagonal if that is `unit`.
pub(crate) fn solve_triangular(a: &Array, b: &Array, upper: bool, unit: bool) -> Array {
    let (count, n, width) = sizes(b);
    let _span = work("solve_triangular", b, count * n * n * width);
    let mut out = super::copy(b);
    with_float!(a.dtype(), T => {
        let matrices = out.make_mut::<T>().chunks_mut((n * width).max(1));
        for (i, matrix) in matrices.enumerate() {
            let triangle = triangular::Triangle { a: view::<T>(a, i), upper, unit };
            triangular::solve(&triangle, &mut Block::new(matrix, width));
        }
    });
    out
}

/// `A = Q R`: `[m, k]` and `[k, n]`, where k is the smaller size, or m if `complete`.
pub(crate) fn qr(x: &Array, complete: bool) -> (Array, Array) {
    let (count, m, n) = sizes(x);
    let _span = work("qr", x, count * m * n * m.min(n) * 2);
    let k = if complete { m } else { m.min(n) };
    let (mut q, mut r) = (Vec::new(), Vec::new());
    for matrix in matrices(x) {
        qr::qr(matrix, m, n, k, &mut q, &mut r);
    }
    (back(q, x, &[m, k]), back(r, x, &[k, n]))
}

/// `A = U diag(S) V^T`: `[m, k]`, `[k]` and `[k, n]`, where k is the smaller size; if `full` all columns of `U` and rows
/// of `V^T`. `None` if the iteration does not converge.
pub(crate) fn svd(x: &Array, full: bool) -> Option<(Array, Array, Array)> {
    let (count, m, n) = sizes(x);
    let _span = work("svd", x, count * m * n * m.min(n) * 4);
    let k = m.min(n);
    let (mut u, mut s, mut v) = (Vec::new(), Vec::new(), Vec::new());
    for matrix in matrices(x) {
        svd::svd(&matrix, m, n, full, [&mut u, &mut s, &mut v])?;
    }
    let (rows, columns) = if full { (m, n) } else { (k, k) };
    Some((back(u, x, &[m, rows]), back(s, x, &[k]), back(v, x, &[columns, n])))
}

/// Eigenvalues, ascending, and eigenvectors, the columns, of symmetric matrices whose lower triangles are read. `None` if
/// the iteration does not converge.
pub(crate) fn eigh(x: &Array) -> Option<(Array, Array)> {
    let (count, n, _) = sizes(x);
    let _span = work("eigh", x, count * n * n * n * 4);
    let (mut values, mut vectors) = (Vec::new(), Vec::new());
    for matrix in matrices(x) {
        eigen::eigh(&matrix, n, &mut values, &mut vectors)?;
    }
    Some((back(values, x, &[n]), back(vectors, x, &[n, n])))
}

/// The matrices of an array, row by row, in f64.
fn matrices(x: &Array) -> Vec<Vec<f64>> {
    let (count, m, n) = sizes(x);
    let values = x.cast(DType::F64).to_vec::<f64>();
    (0..count).map(|i| values[i * m * n..(i + 1) * m * n].to_vec()).collect()
}

/// Matrices of a shape with the leading dims and the dtype of `x`.
fn back(values: Vec<f64>, x: &Array, tail: &[usize]) -> Array {
    Array::from_vec(values, shaped(x, tail)).cast(x.dtype())
}

/// The matrix with a row-major number among those of an array.
fn view<T: Multiply>(x: &Array, mut number: usize) -> View<'_, T> {
    let (shape, strides, batch) = (x.shape(), x.layout().strides(), x.rank() - 2);
    let mut at = x.layout().offset() as isize;
    for i in (0..batch).rev() {
        at += (number % shape[i]) as isize * strides[i];
        number /= shape[i];
    }
    View {
        data: x.host(),
        at: at as usize,
        rows: shape[batch],
        columns: shape[batch + 1],
        row_stride: strides[batch],
        column_stride: strides[batch + 1],
    }
}
