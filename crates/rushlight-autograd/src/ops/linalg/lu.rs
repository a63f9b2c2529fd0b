//! LU factors, and inverses and solutions by them.

use super::cholesky::square;
use super::{
    check_matrix, check_square, first_failure, identity, solve_triangular, solve_triangular_with, t,
    triangle, with_equal_batches,
};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Lu, fail};

/// The inverse, computed before together with what says whether it exists.
#[derive(Debug)]
struct Inverse(Option<Array>);

impl Op for Inverse {
    fn name(&self) -> &'static str {
        "linalg_inv_ex"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.0.take().expect("it is computed once")
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let transposed = t(&saved.output());
            -transposed.matmul(&grad.matmul(&transposed))
        });
    }
}

/// The solution of `A X = B`, computed before together with what says whether it exists.
#[derive(Debug)]
struct Solve(Option<Array>);

impl Op for Solve {
    fn name(&self) -> &'static str {
        "linalg_solve_ex"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.0.take().expect("it is computed once")
    }
    fn saves(&self) -> Saves {
        Saves::first(1).and_output()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let to_b = solved(&t(&saved.input(0)), grad).0;
        give.to(0, || -to_b.matmul(&t(&saved.output())));
        give.to(1, || to_b);
    }
}

/// LU factors in one matrix, computed before.
#[derive(Debug)]
struct LuFactor(Option<Lu>);

impl Op for LuFactor {
    fn name(&self) -> &'static str {
        "linalg_lu_factor_ex"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.0.as_ref().expect("it is computed before").factors.clone()
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let factors = saved.output();
            let n = check_square("linalg.lu (its derivative)", &factors);
            let (lower, upper) =
                (triangle(&factors, false, true) + identity(grad, n), triangle(&factors, true, false));
            let inner = triangle(&t(&lower).matmul(&triangle(grad, false, true)), false, true)
                + triangle(&triangle(grad, true, false).matmul(&t(&upper)), true, false);
            let inner = solve_triangular_with(&t(&upper), &inner, false, false, false);
            let inner = solve_triangular_with(&t(&lower), &inner, true, true, true);
            let order = self.0.as_ref().expect("it is computed before").permutation(n);
            Tensor::constant(order.transpose(-1, -2)).matmul(&inner)
        });
    }
}

/// The solution of systems with equal batch dims, and for each matrix the first pivot that is zero, or 0.
#[track_caller]
fn solved(a: &Tensor, b: &Tensor) -> (Tensor, Array) {
    let lu = a.array().lu();
    let x = lu.solve(&b.array());
    (Tensor::apply(Solve(Some(x)), &[a, b]), lu.info)
}

/// Panics if there is a singular matrix.
#[track_caller]
fn check_regular(op: &str, info: &Array) {
    if let Some((batch, pivot)) = first_failure(info) {
        fail!("{op}: the matrix (batch {batch}) is singular: pivot {pivot} is zero");
    }
}

/// The inverses of square matrices. To multiply by one, [`solve`] is faster and more exact.
///
/// # Panics
/// If the matrices are not square, singular, or not of `f32` or `f64`.
#[track_caller]
pub fn inv(a: &Tensor) -> Tensor {
    let (inverse, info) = inverse("linalg.inv", a);
    check_regular("linalg.inv", &info);
    inverse
}

/// [`inv`] and for each matrix 0, or, as `i32`, the first pivot that is zero, from 1; then its inverse holds infinities or
/// NaN.
///
/// # Panics
/// If the matrices are not square or not of `f32` or `f64`.
#[track_caller]
pub fn inv_ex(a: &Tensor) -> (Tensor, Tensor) {
    let (inverse, info) = inverse("linalg.inv_ex", a);
    (inverse, info.into())
}

#[track_caller]
fn inverse(name: &str, a: &Tensor) -> (Tensor, Array) {
    check_square(name, a);
    let lu = a.array().lu();
    (Tensor::apply(Inverse(Some(lu.inverse())), &[a]), lu.info)
}

/// The solution `X` of `A X = B` for square matrices.
///
/// `B` is a matrix or a vector for each `A`; it is read as vectors if it has one dim, or the batch dims of `A` and one
/// more.
///
/// Shape: `(*, n, n)`, `(*, n, k)` or `(*, n)` -> the shape of `B`; batch dims of matrices broadcast.
///
/// # Panics
/// If shapes or dtypes do not fit, or a matrix is singular.
#[track_caller]
pub fn solve(a: &Tensor, b: &Tensor) -> Tensor {
    solve_with(a, b, true)
}

/// [`solve`], or the solution of `X A = B` if not `left`.
///
/// # Panics
/// As [`solve`]; if not `left` and `B` is vectors.
#[track_caller]
pub fn solve_with(a: &Tensor, b: &Tensor, left: bool) -> Tensor {
    let (x, info) = solution("linalg.solve", a, b, left);
    check_regular("linalg.solve", &info);
    x
}

/// [`solve`] and for each matrix 0, or, as `i32`, the first pivot that is zero, from 1.
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn solve_ex(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    let (x, info) = solution("linalg.solve_ex", a, b, true);
    (x, info.into())
}

#[track_caller]
fn solution(name: &str, a: &Tensor, b: &Tensor, left: bool) -> (Tensor, Array) {
    let n = check_square(name, a);
    let (p, q) = (a.shape(), b.shape());
    let vectors = q.len() == 1 || (q.len() + 1 == p.len() && *q == p[..p.len() - 1]);
    if vectors && !left {
        fail!("{name}: shapes {p:?} and {q:?}: vectors stand on the right only; use left = true");
    }
    let b = if vectors { b.unsqueeze(-1) } else { b.clone() };
    check_matrix(name, &b);
    let side = b.shape()[b.dim() - if left { 2 } else { 1 }];
    if side != n {
        fail!(
            "{name}: shapes {p:?} and {q:?} do not fit: {n} and {side} {}; they must be equal",
            if left { "rows" } else { "columns" }
        );
    }
    let (a, b) = with_equal_batches(name, a, &b);
    let (x, info) = if left { solved(&a, &b) } else { solved(&t(&a), &t(&b)) };
    let x = if left { x } else { t(&x) };
    (if vectors { x.squeeze_dim(-1) } else { x }, info)
}

/// `A = P L U` with partial pivoting: the permutation, the lower factor with ones on its diagonal, and the upper one. The
/// gradient is defined for square matrices.
///
/// Shape: `(*, m, n)` -> `(*, m, m)`, `(*, m, k)`, `(*, k, n)`, where k is the smaller size.
///
/// # Panics
/// If there are not two dims at least, or the dtype is not `f32` or `f64`.
#[track_caller]
pub fn lu(a: &Tensor) -> (Tensor, Tensor, Tensor) {
    let (factors, pivots) = lu_factor(a);
    let shape = factors.shape();
    let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
    let k = m.min(n);
    let ones = super::places(&factors, m, k, Array::eq);
    let lower = triangle(&factors.narrow(-1, 0, k), false, true) + ones;
    let upper = triangle(&factors.narrow(-2, 0, k), true, false);
    let order = Lu::from_parts(factors.array(), pivots.array()).permutation(m);
    (Tensor::constant(order.transpose(-1, -2)), lower, upper)
}

/// The factors of [`lu`] in one matrix, and, as `i32`, the row that each row was exchanged with, from 1.
///
/// # Panics
/// As [`lu`].
#[track_caller]
pub fn lu_factor(a: &Tensor) -> (Tensor, Tensor) {
    check_matrix("linalg.lu_factor", a);
    let lu = a.array().lu();
    let pivots = lu.pivots.clone().into();
    (Tensor::apply(LuFactor(Some(lu)), &[a]), pivots)
}

/// The solution of `A X = B` from what [`lu_factor`] gave for `A`.
///
/// Shape: `(*, n, n)`, `(*, n)`, `(*, n, k)` -> `(*, n, k)`, with equal batch dims.
///
/// # Panics
/// If shapes or dtypes do not fit.
#[track_caller]
pub fn lu_solve(lu: &Tensor, pivots: &Tensor, b: &Tensor) -> Tensor {
    let n = check_square("linalg.lu_solve", lu);
    check_matrix("linalg.lu_solve", b);
    let (p, q) = (lu.shape(), b.shape());
    let rank = p.len();
    if rank != q.len() || p[..rank - 1] != q[..rank - 1] || *pivots.shape() != p[..rank - 1] {
        fail!("linalg.lu_solve: shapes {p:?}, {:?} and {q:?} do not fit", pivots.shape());
    }
    let order = Lu::from_parts(lu.array(), pivots.to(DType::I32).array()).permutation(n);
    let y = solve_triangular_with(lu, &Tensor::constant(order).matmul(b), false, true, true);
    solve_triangular(lu, &y, true)
}

/// By LU factors.
impl Tensor {
    /// [`inv`](crate::ops::linalg::inv) as a method.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn inverse(&self) -> Tensor {
        inv(self)
    }
}

/// Matrices with a determinant away from zero, from any.
pub(super) fn invertible(x: &Tensor) -> Tensor {
    let n = x.shape()[x.dim() - 1];
    // Rows exchanged, so that there is something to pivot for: the last column comes first.
    let y = x * (1.0 / n.max(1) as f64) + identity(x, n) * 3.0;
    match n {
        0 => y,
        n => Tensor::cat(&[&y.narrow(-1, n - 1, 1), &y.narrow(-1, 0, n - 1)], -1),
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Inverse", "linalg::inv", "torch.linalg.inv", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| inv(&invertible(&x[0])))
    })
    .rejects(|| {
        vec![Reject::new("linalg.inv: the matrix (batch 0) is singular: pivot 1 is zero", || {
            inv(&floats([2, 2]));
        })]
    }),
    OpInfo::composed("linalg::inv_ex", "torch.linalg.inv_ex", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| inv_ex(&invertible(&x[0])).0)
    })
    .differs("there is no `check_errors`, which is what `inv` does"),
    OpInfo::op("Solve", "linalg::solve", "torch.linalg.solve", |draw| {
        let shape = square(draw);
        let rank = shape.len();
        let (n, left) = (shape[rank - 1], draw.coin());
        let right = match (left, draw.coin()) {
            (true, true) => shape[..rank - 1].to_vec(),
            (true, false) => vec![n, 2],
            (false, _) => vec![1, 2, n],
        };
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&right, Domain::Any)];
        Sample::new(inputs, move |x| solve_with(&invertible(&x[0]), &x[1], left))
    })
    .rejects(|| {
        vec![
            Reject::new("linalg.solve: the matrix (batch 1) is singular: pivot 2 is zero", || {
                let ones = floats([2, 2]).ones_like();
                let identity = identity(&ones, 2);
                solve(&crate::ops::stack(&[&identity, &ones], 0), &floats([2, 1]));
            }),
            Reject::new("linalg.solve: shapes [2, 2] and [3, 1] do not fit: 2 and 3 rows", || {
                solve(&floats([2, 2]), &floats([3, 1]));
            }),
        ]
    }),
    OpInfo::composed("linalg::solve_ex", "torch.linalg.solve_ex", |draw| {
        let n = draw.size();
        let inputs = vec![draw.leaf(&[n, n], Domain::Any), draw.leaf(&[n, 2], Domain::Any)];
        Sample::new(inputs, |x| solve_ex(&invertible(&x[0]), &x[1]).0)
    })
    .differs("there is no `left`, and no `check_errors`, which is what `solve` does"),
    OpInfo::op("LuFactor", "linalg::lu", "torch.linalg.lu", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            let (_, lower, upper) = lu(&invertible(&x[0]));
            Tensor::cat(&[&lower, &upper], -1)
        })
    })
    .differs("the gradient is defined for square matrices only; pivoting cannot be switched off"),
    OpInfo::composed("linalg::lu_factor", "torch.linalg.lu_factor", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| lu_factor(&invertible(&x[0])).0)
    })
    .differs("as `linalg::lu`"),
    OpInfo::composed("linalg::lu_solve", "torch.linalg.lu_solve", |draw| {
        let shape = square(draw);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, Domain::Any)];
        Sample::new(inputs, |x| {
            let (factors, pivots) = lu_factor(&invertible(&x[0]));
            lu_solve(&factors, &pivots, &x[1])
        })
    })
    .differs("there is no `left` and no `adjoint`; batch dims do not broadcast")
    .rejects(|| {
        vec![Reject::new("linalg.lu_solve: shapes [2, 2], [3] and [2, 1] do not fit", || {
            lu_solve(&floats([2, 2]), &floats([3]), &floats([2, 1]));
        })]
    }),
];
