//! Least squares, pseudo-inverses and ranks.

use super::{NormOrder, inv};
use super::{check_matrix, matrix_norm_with, qr, solve_triangular, svd_with, svdvals, t, with_equal_batches};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

/// The pseudo-inverse, computed before.
#[derive(Debug)]
struct Pinv(Option<Array>);

impl Op for Pinv {
    fn name(&self) -> &'static str {
        "linalg_pinv"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.0.take().expect("it is computed once")
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // Golub & Pereyra, "The differentiation of pseudo-inverses", 1973, equation 4.12, for matrices of constant rank.
        give.to(0, || {
            let (a, p) = (saved.input(0), saved.output());
            let (g, q) = (t(grad), t(&p));
            let right = &g - g.matmul(&p).matmul(&a);
            let left = &g - a.matmul(&p.matmul(&g));
            -t(&p.matmul(&g).matmul(&p)) + q.matmul(&p.matmul(&right)) + left.matmul(&p).matmul(&q)
        });
    }
}

/// What [`lstsq`] finds: PyTorch's four results.
#[derive(Clone, Debug)]
pub struct Lstsq {
    /// `(*, n, k)`.
    pub solution: Tensor,
    /// The sums of the squared residuals of each column, `(*, k)`, if there are more rows than columns and all ranks are
    /// full; else empty.
    pub residuals: Tensor,
    /// The rank of each matrix, `i64`.
    pub rank: Tensor,
    /// The singular values, `(*, min(m, n))`.
    pub singular_values: Tensor,
}

/// The `X` that makes `|A X - B|` smallest, and among those the smallest itself.
///
/// Shape: `(*, m, n)`, `(*, m, k)` -> `(*, n, k)`; batch dims broadcast. The solution has a gradient where the rank is
/// full.
///
/// # Panics
/// If shapes or dtypes do not fit, or elements are infinite or NaN.
#[track_caller]
pub fn lstsq(a: &Tensor, b: &Tensor) -> Lstsq {
    check_matrix("linalg.lstsq", a);
    check_matrix("linalg.lstsq", b);
    let shape = a.shape();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let rows = b.shape()[b.dim() - 2];
    if rows != m {
        fail!(
            "linalg.lstsq: shapes {shape:?} and {:?} do not fit: {m} and {rows} rows; they must be equal",
            b.shape()
        );
    }
    let (a, b) = with_equal_batches("linalg.lstsq", a, b);
    let singular_values = svdvals(&a.detach());
    let rank = count_above(&singular_values, None, None, m.max(n));
    let full = rank.eq(m.min(n) as i64).all().item_as::<bool>();
    let solution = if !full {
        pinv(&a).matmul(&b)
    } else if m >= n {
        let (q, r) = qr(&a);
        solve_triangular(&r, &t(&q).matmul(&b), true)
    } else {
        let (q, r) = qr(&t(&a));
        q.matmul(&solve_triangular(&t(&r), &b, false))
    };
    let residuals = if full && m > n {
        let rest = a.matmul(&solution) - b;
        (&rest * &rest).sum_dim(-2, false)
    } else {
        Array::full(0, 0.0, a.dtype(), &a.device()).into()
    };
    Lstsq { solution, residuals, rank, singular_values }
}

/// How many singular values lie above the bound that tolerances give.
#[track_caller]
fn count_above(values: &Tensor, atol: Option<f64>, rtol: Option<f64>, size: usize) -> Tensor {
    above(values, atol, rtol, size).sum_dim(-1, false)
}

/// Which singular values, descending, lie above `max(atol, rtol largest)`. Without tolerances `rtol` is the larger size
/// times the dtype's precision, as in PyTorch; with `atol` alone it is 0.
#[track_caller]
fn above(values: &Tensor, atol: Option<f64>, rtol: Option<f64>, size: usize) -> Tensor {
    let precision = if values.dtype() == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let default = if atol.unwrap_or(0.0) > 0.0 { 0.0 } else { precision * size as f64 };
    let largest = values.detach().narrow(-1, 0, usize::from(values.shape()[values.dim() - 1] > 0));
    let bound = (largest * rtol.unwrap_or(default)).clamp(atol.unwrap_or(0.0), f64::INFINITY);
    values.detach().gt(&bound)
}

/// The pseudo-inverses of Moore and Penrose; singular values below a bound count as zeros.
///
/// Shape: `(*, m, n)` -> `(*, n, m)`.
///
/// # Panics
/// If there are not two dims at least, the dtype is not `f32` or `f64`, or elements are infinite or NaN.
#[track_caller]
pub fn pinv(a: &Tensor) -> Tensor {
    pinv_with(a, None, None)
}

/// [`pinv`] with the bound `max(atol, rtol times the largest singular value)`.
///
/// # Panics
/// As [`pinv`].
#[track_caller]
pub fn pinv_with(a: &Tensor, atol: Option<f64>, rtol: Option<f64>) -> Tensor {
    check_matrix("linalg.pinv", a);
    let shape = a.shape();
    let size = shape[shape.len() - 1].max(shape[shape.len() - 2]);
    let (u, s, v) = svd_with(&a.detach(), false);
    let small = above(&s, atol, rtol, size).logical_not();
    let inverse = s.masked_fill(&small, 1.0).reciprocal().masked_fill(&small, 0.0);
    let found = (t(&v) * inverse.unsqueeze(-2)).matmul(&t(&u));
    Tensor::apply(Pinv(Some(found.array())), &[a])
}

/// The numbers of singular values above a bound, as `i64`.
///
/// Shape: `(*, m, n)` -> `(*)`.
///
/// # Panics
/// As [`pinv`].
#[track_caller]
pub fn matrix_rank(a: &Tensor) -> Tensor {
    matrix_rank_with(a, None, None)
}

/// [`matrix_rank`] with the bound `max(atol, rtol times the largest singular value)`.
///
/// # Panics
/// As [`pinv`].
#[track_caller]
pub fn matrix_rank_with(a: &Tensor, atol: Option<f64>, rtol: Option<f64>) -> Tensor {
    check_matrix("linalg.matrix_rank", a);
    let shape = a.shape();
    count_above(&svdvals(&a.detach()), atol, rtol, shape[shape.len() - 1].max(shape[shape.len() - 2]))
}

/// The condition numbers: for order 2 the largest singular value over the smallest, for -2 the inverse of that, for others
/// the norms of the matrix and of its inverse multiplied. PyTorch's default is order 2.
///
/// # Panics
/// As [`pinv`]; for other orders, if the matrices are not square or singular, where PyTorch gives infinity.
#[track_caller]
pub fn cond(a: &Tensor, order: impl Into<NormOrder>) -> Tensor {
    let order = order.into();
    match order {
        NormOrder::P(p) if p.abs() == 2.0 => {
            check_matrix("linalg.cond", a);
            let s = svdvals(a);
            let (largest, smallest) = (s.select(-1, 0), s.select(-1, -1));
            if p > 0.0 { largest / smallest } else { smallest / largest }
        }
        order => {
            matrix_norm_with(a, order, [-2, -1], false) * matrix_norm_with(&inv(a), order, [-2, -1], false)
        }
    }
}

/// A matrix of full rank, from any.
#[track_caller]
fn independent(x: &Tensor) -> Tensor {
    let (m, n) = (x.shape()[x.dim() - 2], x.shape()[x.dim() - 1]);
    x * (1.0 / m.max(n).max(1) as f64) + super::places(x, m, n, Array::eq) * 2.0
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Pinv", "linalg::pinv", "torch.linalg.pinv", |draw| {
        let shape = draw.full_shape(2, 3);
        let low = draw.coin();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let a = independent(&x[0]);
            // Of rank 1, whatever moves, but on a curve on which it stays so.
            let column = a.narrow(-1, 0, 1);
            if low { pinv(&column.matmul(&t(&column))) } else { pinv(&a) }
        })
    })
    .rejects(|| {
        vec![Reject::new(
            "linalg.pinv: shape [3] of float32; expected matrices of float32 or float64",
            || {
                pinv(&floats([3]));
            },
        )]
    }),
    OpInfo::composed("linalg::lstsq", "torch.linalg.lstsq", |draw| {
        let (m, n, k) = (draw.size(), draw.size(), draw.size());
        let inputs = vec![draw.leaf(&[m, n], Domain::Any), draw.leaf(&[m, k], Domain::Any)];
        Sample::new(inputs, |x| lstsq(&independent(&x[0]), &x[1]).solution)
    })
    .differs("there is no choice of a driver: singular values and residuals are given as by the drivers that have them")
    .rejects(|| {
        vec![Reject::new("linalg.lstsq: shapes [3, 2] and [2, 1] do not fit: 3 and 2 rows", || {
            lstsq(&floats([3, 2]), &floats([2, 1]));
        })]
    }),
    OpInfo::composed("linalg::matrix_rank", "torch.linalg.matrix_rank", |draw| {
        let shape = draw.shape(2, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| matrix_rank(&independent(&x[0])).to(DType::F64))
    })
    .never(),
    OpInfo::composed("linalg::cond", "torch.linalg.cond", |draw| {
        let n = draw.full_size();
        let p = [2.0, -2.0, 1.0, f64::INFINITY][draw.below(4)];
        Sample::new(vec![draw.leaf(&[n, n], Domain::NonZero)], move |x| {
            let steps = Array::arange(1.0, n as f64 + 1.0, 1.0).cast(DType::F64).to_device(&x[0].device());
            let diagonal = super::identity(&x[0], n) * Tensor::constant(steps);
            cond(&(&x[0] * (0.2 / n as f64) + diagonal), p)
        })
    })
    .differs("a singular matrix panics for orders other than 2 and -2, where PyTorch gives infinity"),
];
