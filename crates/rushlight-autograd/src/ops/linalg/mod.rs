//! Linear algebra: PyTorch's `torch.linalg`.
//!
//! Matrices lie in the last two dims; those before them are a batch, which broadcasts where there are two operands. The
//! dtype is `f32` or `f64`. What does not go well for a matrix (it is singular, an iteration does not converge) panics and
//! names the matrix; functions that end in `_ex` give a number for each matrix instead.

mod cholesky;
mod det;
mod lstsq;
mod lu;
mod norm;
mod power;
mod qr;
mod spectral;
mod triangular;

pub use cholesky::{cholesky, cholesky_ex, cholesky_with};
pub use det::{det, slogdet};
pub use lstsq::{Lstsq, cond, lstsq, matrix_rank, matrix_rank_with, pinv, pinv_with};
pub use lu::{inv, inv_ex, lu, lu_factor, lu_solve, solve, solve_ex, solve_with};
pub(crate) use norm::of_matrices;
pub use norm::{NormOptions, NormOrder, matrix_norm, matrix_norm_with, norm, norm_with};
pub use power::{matrix_power, multi_dot};
pub use qr::{QrMode, qr, qr_with};
pub use spectral::{eigh, eigh_with, eigvalsh, eigvalsh_with, svd, svd_with, svdvals};
pub use triangular::{solve_triangular, solve_triangular_with};

use crate::table::OpInfo;
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Shape, axis, broadcast_shapes, fail};

/// The tables of these files.
pub(super) const TABLES: [&[OpInfo]; 9] = [
    cholesky::TABLE,
    det::TABLE,
    lu::TABLE,
    triangular::TABLE,
    qr::TABLE,
    spectral::TABLE,
    lstsq::TABLE,
    power::TABLE,
    norm::TABLE,
];

/// The cross products of vectors along a dim of size 3: [`Tensor::cross_dim`].
///
/// # Panics
/// As [`Tensor::cross_dim`].
#[track_caller]
pub fn cross(input: &Tensor, other: &Tensor, dim: isize) -> Tensor {
    input.cross_dim(other, dim)
}

/// Checks for matrices of floats that are not narrow.
#[track_caller]
fn check_matrix(op: &str, x: &Tensor) {
    if x.dim() < 2 || !matches!(x.dtype(), DType::F32 | DType::F64) {
        fail!("{op}: shape {:?} of {}; expected matrices of float32 or float64", x.shape(), x.dtype().name());
    }
}

/// Checks for square matrices: their size.
#[track_caller]
fn check_square(op: &str, x: &Tensor) -> usize {
    check_matrix(op, x);
    let shape = x.shape();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    if m != n {
        fail!("{op}: the matrices of shape {shape:?} are not square");
    }
    n
}

/// The matrices transposed.
#[track_caller]
fn t(x: &Tensor) -> Tensor {
    x.transpose(-1, -2)
}

/// Both with the batch dims that they broadcast to.
#[track_caller]
fn with_equal_batches(op: &str, a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    super::matmul::check_same(op, a, b);
    let (p, q) = (a.shape(), b.shape());
    if p[..p.len() - 2] == q[..q.len() - 2] {
        return (a.clone(), b.clone());
    }
    let batch = broadcast_shapes(op, &p[..p.len() - 2], &q[..q.len() - 2]);
    (expanded(a, &batch), expanded(b, &batch))
}

fn expanded(x: &Tensor, batch: &[usize]) -> Tensor {
    let shape = x.shape();
    let full: Vec<usize> = batch.iter().chain(&shape[shape.len() - 2..]).copied().collect();
    x.expand(full.as_slice())
}

/// A mask of a matrix's places by row and column, in the dtype and on the device of a tensor.
fn places(like: &Tensor, rows: usize, columns: usize, holds: fn(&Array, &Array) -> Array) -> Tensor {
    let index = |n: usize| Array::arange(0, n as i64, 1);
    holds(&index(rows).unsqueeze(1), &index(columns)).cast(like.dtype()).to_device(&like.device()).into()
}

/// The triangle of matrices, without the diagonal if `strict`, zeros elsewhere.
#[track_caller]
fn triangle(x: &Tensor, upper: bool, strict: bool) -> Tensor {
    let shape = x.shape();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let holds = match (upper, strict) {
        (true, true) => Array::lt,
        (true, false) => Array::le,
        (false, true) => Array::gt,
        (false, false) => Array::ge,
    };
    x * places(x, m, n, holds)
}

/// Ones on the diagonals of `[n, n]`.
fn identity(like: &Tensor, n: usize) -> Tensor {
    places(like, n, n, Array::eq)
}

/// The first matrix whose `info` is not 0, and that number.
fn first_failure(info: &Array) -> Option<(usize, i32)> {
    let values = info.to_device(&rushlight_array::Device::cpu()).to_vec::<i32>();
    values.iter().position(|&info| info != 0).map(|batch| (batch, values[batch]))
}

/// Several results of one operation as one array: the dims behind the batch dims flattened, one behind the other.
fn pack(batch: &[usize], parts: &[&Array]) -> Array {
    let flat = |x: &&Array| {
        let size: usize = x.shape()[batch.len()..].iter().product();
        let shape: Shape = batch.iter().copied().chain([size]).collect();
        x.reshape(shape)
    };
    let flat: Vec<Array> = parts.iter().map(flat).collect();
    Array::cat(&flat.iter().collect::<Vec<_>>(), -1)
}

/// What [`pack`] joined, with the shapes behind the batch dims.
#[track_caller]
fn unpack<const N: usize>(packed: &Tensor, tails: [&[usize]; N]) -> [Tensor; N] {
    let shape = packed.shape();
    let mut start = 0;
    tails.map(|tail| {
        let len = tail.iter().product();
        let full: Vec<usize> = shape[..shape.len() - 1].iter().chain(tail).copied().collect();
        start += len;
        packed.narrow(-1, start - len, len).reshape(full.as_slice())
    })
}

/// The axis that a dim names.
#[track_caller]
fn axis_of(op: &str, dim: isize, shape: &[usize]) -> usize {
    let found = axis(op, dim, shape);
    if found >= shape.len() {
        fail!("{op}: a scalar has no dim {dim}");
    }
    found
}
