//! Norms of vectors and matrices.

use super::{axis_of, svdvals};
use crate::ops::reduce::{Over, VectorNorm};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{DType, fail};

/// Which norm: PyTorch's `ord`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum NormOrder {
    /// Of vectors `sum(|x|^p)^(1/p)`, or the largest or smallest magnitude for an infinite p, or the number of elements
    /// that are not 0 for p = 0. Of matrices the largest sum of magnitudes of a column (1) or a row (infinity), or the
    /// largest singular value (2), or the smallest of these for negative ones.
    P(f64),
    /// Of matrices, the root of the sum of squares.
    Fro,
    /// Of matrices, the sum of the singular values.
    Nuc,
}

impl From<f64> for NormOrder {
    fn from(p: f64) -> Self {
        NormOrder::P(p)
    }
}

/// The optional arguments of [`norm_with`].
#[derive(Clone, Debug, Default)]
pub struct NormOptions {
    /// Which norm; without one the root of the sum of squares.
    pub ord: Option<NormOrder>,
    /// One dim for norms of vectors, two for those of matrices; without any all dims.
    pub dim: Option<Vec<isize>>,
    /// Whether the dims stay, with size 1.
    pub keepdim: bool,
    /// Cast to this first.
    pub dtype: Option<DType>,
}

/// The root of the sum of squares of all elements: PyTorch's `linalg.norm(x)`.
///
/// # Panics
/// If the dtype is not a float.
#[track_caller]
pub fn norm(x: &Tensor) -> Tensor {
    norm_with(x, &NormOptions::default())
}

/// A norm of vectors or of matrices.
///
/// With `dim` of one dim it is of vectors, of two, of matrices. Without, a tensor of one dim is a vector and one of two a
/// matrix; without `ord` it may have any dims, and all elements are one vector.
///
/// # Panics
/// If `ord` and the number of dims do not fit, the dtype is not a float, or there is no element where a norm needs one.
#[track_caller]
pub fn norm_with(x: &Tensor, options: &NormOptions) -> Tensor {
    let x = in_dtype("linalg.norm", x, options.dtype);
    let rank = x.dim();
    let Some(ord) = options.ord else {
        let dims: Vec<usize> = match &options.dim {
            Some(dims) if !(1..=2).contains(&dims.len()) => {
                fail!("linalg.norm: dims {dims:?}; expected 1 or 2 of them")
            }
            Some(dims) => axes("linalg.norm", &x, dims),
            None => (0..rank).collect(),
        };
        return vector_norm("linalg.norm", &x, 2.0, &dims, options.keepdim);
    };
    let dims = match &options.dim {
        Some(dims) => dims.clone(),
        None if rank == 1 || rank == 2 => (0..rank as isize).collect(),
        None => fail!("linalg.norm: shape {:?} without dim; with ord it must have 1 or 2 dims", x.shape()),
    };
    match (dims.as_slice(), ord) {
        ([_], NormOrder::P(p)) => {
            let axes = axes("linalg.norm", &x, &dims);
            vector_norm("linalg.norm", &x, p, &axes, options.keepdim)
        }
        (&[a, b], ord) => of_matrices("linalg.norm", &x, ord, [a, b], options.keepdim),
        (dims, ord) => {
            fail!("linalg.norm: ord {ord:?} along dims {dims:?}; it is defined for matrices, two dims, only")
        }
    }
}

/// The root of the sum of squares of each matrix: PyTorch's `linalg.matrix_norm(x)`.
///
/// Shape: `(*, m, n)` -> `(*)`.
///
/// # Panics
/// If there are not two dims at least, or the dtype is not a float.
#[track_caller]
pub fn matrix_norm(x: &Tensor) -> Tensor {
    matrix_norm_with(x, NormOrder::Fro, [-2, -1], false)
}

/// A norm of the matrices in two dims.
///
/// # Panics
/// If the order is none of matrices, a dim is out of range, both are the same, the dtype is not a float, or there is no
/// element where a norm needs one.
#[track_caller]
pub fn matrix_norm_with(x: &Tensor, ord: impl Into<NormOrder>, dim: [isize; 2], keepdim: bool) -> Tensor {
    of_matrices("linalg.matrix_norm", &in_dtype("linalg.matrix_norm", x, None), ord.into(), dim, keepdim)
}

#[track_caller]
fn in_dtype(name: &str, x: &Tensor, dtype: Option<DType>) -> Tensor {
    let own = x.dtype();
    if !own.is_float() {
        fail!("{name}: the dtype is {}, not a float; cast with .to(DType::F32) first", own.name());
    }
    match dtype {
        Some(dtype) if !dtype.is_float() => {
            fail!("{name}: the wanted dtype is {}, not a float", dtype.name())
        }
        Some(dtype) if own.promote(dtype) != dtype => {
            fail!("{name}: {} would lose digits as {}; cast with .to(..) first", own.name(), dtype.name())
        }
        Some(dtype) if dtype != own => x.to(dtype),
        _ => x.clone(),
    }
}

#[track_caller]
fn axes(name: &str, x: &Tensor, dims: &[isize]) -> Vec<usize> {
    let shape = x.shape();
    if dims.is_empty() {
        return (0..shape.len()).collect();
    }
    let mut axes: Vec<usize> = Vec::with_capacity(dims.len());
    for &dim in dims {
        if shape.is_empty() && (dim == 0 || dim == -1) {
            // A scalar counts as a vector of one.
            continue;
        }
        let axis = axis_of(name, dim, &shape);
        if axes.contains(&axis) {
            fail!("{name}: dim {dim} appears twice in {dims:?}");
        }
        axes.push(axis);
    }
    axes
}

#[track_caller]
pub(crate) fn of_matrices(
    name: &'static str,
    x: &Tensor,
    ord: NormOrder,
    dim: [isize; 2],
    keepdim: bool,
) -> Tensor {
    if x.dim() < 2 {
        fail!("{name}: shape {:?}; matrices need two dims", x.shape());
    }
    let axes = axes(name, x, &dim);
    let (rows, columns) = (axes[0], axes[1]);
    let spectral = |pick: fn(&Tensor) -> Tensor| {
        let others = (0..x.dim()).filter(|i| !axes.contains(i)).chain([rows, columns]);
        let order: Vec<isize> = others.map(|i| i as isize).collect();
        let y = pick(&svdvals(&x.permute(&order)));
        match keepdim {
            true => y.unsqueeze(rows.min(columns) as isize).unsqueeze(rows.max(columns) as isize),
            false => y,
        }
    };
    // The sums along one dim, then the largest or smallest of them along the other.
    let sums = |summed: usize, along: usize, largest: bool| {
        let sums = x.abs().sum_dim(summed as isize, true);
        let most = match (largest, sums.shape()[along]) {
            // Of no columns the largest sum is 0, as in PyTorch; there is no smallest.
            (true, 0) => sums.sum_dim(along as isize, true),
            (true, _) => sums.amax(along as isize, true),
            (false, size) => {
                check_elements(name, ord, size);
                sums.amin(along as isize, true)
            }
        };
        if keepdim { most } else { without(&most, &axes) }
    };
    match ord {
        NormOrder::Fro => vector_norm(name, x, 2.0, &axes, keepdim),
        NormOrder::Nuc => spectral(|s| s.sum_dim(-1, false)),
        NormOrder::P(2.0) => spectral(|s| match s.shape()[s.dim() - 1] {
            0 => s.sum_dim(-1, false),
            _ => s.amax(-1, false),
        }),
        NormOrder::P(-2.0) => {
            check_elements(name, ord, x.shape()[rows].min(x.shape()[columns]));
            spectral(|s| s.amin(-1, false))
        }
        NormOrder::P(p) if p.abs() == 1.0 => sums(rows, columns, p > 0.0),
        NormOrder::P(p) if p.is_infinite() => sums(columns, rows, p > 0.0),
        NormOrder::P(p) => {
            fail!("{name}: order {p} of matrices; expected 1, 2 or infinity, or their negatives")
        }
    }
}

/// Without dims of size 1.
#[track_caller]
fn without(x: &Tensor, axes: &[usize]) -> Tensor {
    let shape = x.shape();
    let kept: Vec<usize> = (0..shape.len()).filter(|i| !axes.contains(i)).map(|i| shape[i]).collect();
    x.reshape(kept.as_slice())
}

#[track_caller]
fn check_elements(name: &str, ord: NormOrder, size: usize) {
    if size == 0 {
        fail!("{name}: ord {ord:?} of no elements is not defined");
    }
}

/// The norm of the elements along some dims.
#[track_caller]
fn vector_norm(name: &'static str, x: &Tensor, p: f64, axes: &[usize], keepdim: bool) -> Tensor {
    let dims: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    Tensor::apply(VectorNorm { p, over: Over::some(dims.as_slice(), keepdim), name }, &[x])
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("linalg::norm", "torch.linalg.norm", |draw| {
        let rank = 1 + draw.below(2);
        let shape = draw.full_shape(rank, rank);
        let keepdim = draw.coin();
        let p = [2.0, 1.0, f64::INFINITY, 3.5, 0.5, -1.0, f64::NEG_INFINITY, -2.0][draw.below(8)];
        let p = if rank == 2 && p.abs().fract() != 0.0 { 1.0 } else { p };
        let plain = draw.coin();
        let leaf = vec![draw.leaf(&shape, Domain::Distinct)];
        Sample::new(leaf, move |x| {
            // Distinct magnitudes, and as a matrix distinct singular values.
            let (m, n) = (x[0].shape()[0], x[0].shape()[rank - 1]);
            let steps = rushlight_array::Array::arange(1.0, n as f64 + 1.0, 1.0).cast(DType::F64);
            let steps = Tensor::constant(steps.to_device(&x[0].device()));
            let y = match rank {
                1 => &x[0] + 2.5,
                _ => (&x[0] + 2.5) * 0.05 + super::places(&x[0], m, n, rushlight_array::Array::eq) * steps,
            };
            let ord = if plain { None } else { Some(NormOrder::P(p)) };
            norm_with(&y, &NormOptions { ord, keepdim, ..NormOptions::default() })
        })
    })
    .rejects(|| {
        vec![
            Reject::new(
                "linalg.norm: the dtype is int64, not a float; cast with .to(DType::F32) first",
                || {
                    norm(&integers());
                },
            ),
            Reject::new(
                "linalg.norm: ord Fro along dims [0]; it is defined for matrices, two dims, only",
                || {
                    norm_with(
                        &floats([2]),
                        &NormOptions { ord: Some(NormOrder::Fro), ..NormOptions::default() },
                    );
                },
            ),
            Reject::new("linalg.norm: a norm of order inf of no elements (shape [0]) does not exist", || {
                let ord = Some(NormOrder::P(f64::INFINITY));
                norm_with(&floats([0]), &NormOptions { ord, ..NormOptions::default() });
            }),
        ]
    }),
    OpInfo::composed("linalg::matrix_norm", "torch.linalg.matrix_norm", |draw| {
        let shape = draw.full_shape(2, 3);
        let rank = shape.len() as isize;
        let (ord, keepdim) = (draw.below(4), draw.coin());
        let dims = if draw.coin() { [-2, -1] } else { [rank - 1, 0] };
        Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| {
            let ord =
                [NormOrder::Fro, NormOrder::P(1.0), NormOrder::P(f64::INFINITY), NormOrder::P(-1.0)][ord];
            matrix_norm_with(&(&x[0] + 2.5), ord, dims, keepdim)
        })
    })
    .differs("there is no `dtype`; cast first")
    .rejects(|| {
        vec![
            Reject::new("linalg.matrix_norm: order 3 of matrices; expected 1, 2 or infinity", || {
                matrix_norm_with(&floats([2, 2]), 3.0, [-2, -1], false);
            }),
            Reject::new("linalg.matrix_norm: dim 1 appears twice in [1, 1]", || {
                matrix_norm_with(&floats([2, 2]), 1.0, [1, 1], false);
            }),
        ]
    }),
];
