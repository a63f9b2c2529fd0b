//! Cholesky's factors.

use super::{check_matrix, check_square, first_failure, places, t, triangle, with_equal_batches};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// The lower factor; it is computed before, together with what says whether it exists.
#[derive(Debug)]
struct Cholesky(Option<Array>);

impl Op for Cholesky {
    fn name(&self) -> &'static str {
        "linalg_cholesky_ex"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.0.take().expect("it is computed once")
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // Murray, "Differentiation of the Cholesky decomposition", 2016, equation 10.
        give.to(0, || {
            let factor = saved.output();
            let inner = t(&factor).matmul(grad);
            let n = inner.shape()[inner.dim() - 1];
            let halves = places(grad, n, n, Array::ge) + places(grad, n, n, Array::gt);
            let inner = inner * halves * 0.5;
            let solve = |b: &Tensor| super::solve_triangular(&t(&factor), b, true);
            let outer = solve(&t(&solve(&inner)));
            (&outer + t(&outer)) * 0.5
        });
    }
}

/// `(L L^T)^-1 B` for a triangle.
#[derive(Debug)]
struct CholeskySolve {
    upper: bool,
}

impl Op for CholeskySolve {
    fn name(&self) -> &'static str {
        "cholesky_solve"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (b, factor) = (inputs[0], inputs[1]);
        let lower = if self.upper { factor.transpose(-1, -2) } else { factor.clone() };
        let y = lower.solve_triangular(b, false, false);
        lower.transpose(-1, -2).solve_triangular(&y, true, false)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let factor = saved.input(1);
        let to_b = Tensor::apply(CholeskySolve { upper: self.upper }, &[grad, &factor]);
        // As PyTorch's, for the whole factor and not for one triangle of it.
        give.to(1, || {
            let product = to_b.matmul(&t(&saved.output()));
            let sum = &product + t(&product);
            -(if self.upper { factor.matmul(&sum) } else { sum.matmul(&factor) })
        });
        give.to(0, || to_b);
    }
}

/// `(L L^T)^-1` for a triangle.
#[derive(Debug)]
struct CholeskyInverse {
    upper: bool,
}

impl Op for CholeskyInverse {
    fn name(&self) -> &'static str {
        "cholesky_inverse"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let factor = inputs[0];
        let diagonal = factor.diagonal_view();
        if diagonal.eq(&diagonal.scalar_operand(0.0)).any().item::<bool>() {
            fail!("cholesky_inverse: a matrix is singular: there is a zero on the factor's diagonal");
        }
        if self.upper { factor.transpose(-1, -2).cholesky_inverse() } else { factor.cholesky_inverse() }
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (factor, inverse) = (saved.input(0), saved.output());
            let inner = inverse.matmul(&(grad + t(grad)).matmul(&inverse));
            -(if self.upper { factor.matmul(&inner) } else { inner.matmul(&factor) })
        });
    }
}

/// The lower triangular `L` of symmetric positive-definite matrices `A = L L^T`. Only the lower triangle is read; the
/// gradient is symmetric.
///
/// Shape: `(*, n, n)` -> `(*, n, n)`.
///
/// ```
/// use rushlight_autograd::ops::linalg;
/// use rushlight_autograd::tensor;
/// let a = tensor([[4.0, 2.0], [2.0, 10.0]]);
/// assert_eq!(linalg::cholesky(&a).to_vec::<f32>(), [2.0, 0.0, 1.0, 3.0]);
/// ```
///
/// # Panics
/// If the matrices are not square, not positive-definite, or not of `f32` or `f64`.
#[track_caller]
pub fn cholesky(a: &Tensor) -> Tensor {
    cholesky_with(a, false)
}

/// [`cholesky`], or, if `upper`, the upper triangular `U` of `A = U^T U`, for which only the upper triangle is read.
///
/// # Panics
/// As [`cholesky`].
#[track_caller]
pub fn cholesky_with(a: &Tensor, upper: bool) -> Tensor {
    let lower = if upper && a.dim() >= 2 { t(a) } else { a.clone() };
    let (factor, info) = factor("linalg.cholesky", &lower);
    if let Some((batch, order)) = first_failure(&info) {
        fail!(
            "linalg.cholesky: the matrix (batch {batch}) is not positive-definite: its leading minor of order {order} is \
             not positive"
        );
    }
    if upper { t(&factor) } else { factor }
}

/// [`cholesky`] and for each matrix 0, or, as `i32`, the order of the first leading minor that is not positive; then its
/// factor is arbitrary.
///
/// # Panics
/// If the matrices are not square or not of `f32` or `f64`.
#[track_caller]
pub fn cholesky_ex(a: &Tensor) -> (Tensor, Tensor) {
    let (factor, info) = factor("linalg.cholesky_ex", a);
    (factor, info.into())
}

#[track_caller]
fn factor(name: &str, a: &Tensor) -> (Tensor, Array) {
    check_square(name, a);
    let (factor, info) = a.array().cholesky();
    (Tensor::apply(Cholesky(Some(factor)), &[a]), info)
}

/// From Cholesky's factors.
impl Tensor {
    /// [`cholesky`](crate::ops::linalg::cholesky) as a method.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn cholesky(&self) -> Tensor {
        cholesky(self)
    }

    /// [`cholesky_with`](crate::ops::linalg::cholesky_with) as a method.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn cholesky_with(&self, upper: bool) -> Tensor {
        cholesky_with(self, upper)
    }

    /// `A^-1` of this tensor for `A = L L^T`, by two triangular systems. The gradient of the factor is PyTorch's: that of
    /// the whole matrix, not of one triangle.
    ///
    /// Shape: `(*, n, k)`, factor `(*, n, n)` -> `(*, n, k)`.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn cholesky_solve(&self, factor: &Tensor) -> Tensor {
        self.cholesky_solve_with(factor, false)
    }

    /// [`Tensor::cholesky_solve`] for an upper factor, `A = U^T U`, if `upper`.
    ///
    /// # Panics
    /// As [`Tensor::cholesky_solve`].
    #[track_caller]
    pub fn cholesky_solve_with(&self, factor: &Tensor, upper: bool) -> Tensor {
        let n = check_square("cholesky_solve", factor);
        check_matrix("cholesky_solve", self);
        if self.shape()[self.dim() - 2] != n {
            fail!(
                "cholesky_solve: shape {:?} does not fit the factor {:?}; it must have {n} rows",
                self.shape(),
                factor.shape()
            );
        }
        let (b, factor) = with_equal_batches("cholesky_solve", self, factor);
        Tensor::apply(CholeskySolve { upper }, &[&b, &factor])
    }

    /// `A^-1` for `A = L L^T`, from its factor, whose lower triangle is read. The gradient is PyTorch's: that of the whole
    /// matrix, not of one triangle.
    ///
    /// # Panics
    /// If the matrices are not square or not of `f32` or `f64`, or there is a zero on the diagonal.
    #[track_caller]
    pub fn cholesky_inverse(&self) -> Tensor {
        self.cholesky_inverse_with(false)
    }

    /// [`Tensor::cholesky_inverse`] from an upper factor, `A = U^T U`, if `upper`.
    ///
    /// # Panics
    /// As [`Tensor::cholesky_inverse`].
    #[track_caller]
    pub fn cholesky_inverse_with(&self, upper: bool) -> Tensor {
        check_square("cholesky_inverse", self);
        Tensor::apply(CholeskyInverse { upper }, &[self])
    }
}

/// The shape of a batch of square matrices.
pub(super) fn square(draw: &mut Draw<'_>) -> Vec<usize> {
    let n = draw.size();
    draw.shape(0, 1).iter().copied().chain([n, n]).collect()
}

/// Symmetric positive-definite matrices from any.
fn definite(x: &Tensor) -> Tensor {
    let n = x.shape()[x.dim() - 1];
    // Scaled, so that large matrices are as well conditioned as small ones.
    x.matmul(&t(x)) * (1.0 / n.max(1) as f64) + super::identity(x, n)
}

/// A triangle with a diagonal away from zero, from any matrix.
pub(super) fn regular(x: &Tensor, upper: bool) -> Tensor {
    let n = x.shape()[x.dim() - 1];
    triangle(x, upper, true) * (1.0 / n.max(1) as f64) + super::identity(x, n) * (x * x + 1.0)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Cholesky", "linalg::cholesky", "torch.linalg.cholesky", |draw| {
        let shape = square(draw);
        let upper = draw.coin();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| cholesky_with(&definite(&x[0]), upper))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "linalg.cholesky: the matrix (batch 0) is not positive-definite: its leading minor of order 1 is not \
                 positive",
                || {
                    cholesky(&floats([2, 2]));
                },
            ),
            Reject::new("linalg.cholesky: the matrices of shape [2, 3] are not square", || {
                cholesky(&floats([2, 3]));
            }),
            Reject::new("linalg.cholesky: shape [2] of float32; expected matrices of float32 or float64", || {
                cholesky(&floats([2]));
            }),
        ]
    }),
    OpInfo::composed("linalg::cholesky_ex", "torch.linalg.cholesky_ex", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| cholesky_ex(&definite(&x[0])).0)
    })
    .differs("there is no `upper`, and no `check_errors`, which is what `cholesky` does"),
    OpInfo::op("CholeskySolve", "cholesky_solve", "torch.cholesky_solve", |draw| {
        let shape = square(draw);
        let mut right = shape.clone();
        *right.last_mut().expect("a matrix") = draw.size();
        let upper = draw.coin();
        let inputs = vec![draw.leaf(&right, Domain::Any), draw.leaf(&shape, Domain::Any)];
        Sample::new(inputs, move |x| x[0].cholesky_solve_with(&regular(&x[1], upper), upper))
    })
    .rejects(|| {
        vec![Reject::new("cholesky_solve: shape [2, 1] does not fit the factor [3, 3]; it must have 3 rows", || {
            floats([2, 1]).cholesky_solve(&floats([3, 3]));
        })]
    }),
    OpInfo::op("CholeskyInverse", "cholesky_inverse", "torch.cholesky_inverse", |draw| {
        let shape = square(draw);
        let upper = draw.coin();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            regular(&x[0], upper).cholesky_inverse_with(upper)
        })
    })
    .rejects(|| {
        vec![
            Reject::new("cholesky_inverse: the matrices of shape [2, 3] are not square", || {
                floats([2, 3]).cholesky_inverse();
            }),
            Reject::new("cholesky_inverse: a matrix is singular: there is a zero on the factor's diagonal", || {
                floats([2, 2]).cholesky_inverse();
            }),
        ]
    }),
];
