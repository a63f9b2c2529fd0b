//! Determinants.

use super::cholesky::square;
use super::lu::invertible;
use super::{check_square, inv, inv_ex, t};
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Device, fail};

/// The determinant.
#[derive(Debug)]
struct Det;

impl Op for Det {
    fn name(&self) -> &'static str {
        "linalg_det"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].lu().det()
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (a, det) = (saved.input(0), saved.output());
            let matrices = |x: &Tensor| x.unsqueeze(-1).unsqueeze(-1);
            if !is_grad_enabled() && det.eq(0.0).any().item_as::<bool>() {
                return matrices(grad) * cofactors(&a.array());
            }
            matrices(&(grad * det)) * t(&inv(&a))
        });
    }
}

/// The derivatives of the determinants, also of singular matrices, from the singular values: `det(U V^T) U diag(p) V^T`,
/// where each `p` is the product of the other singular values.
#[track_caller]
fn cofactors(a: &Array) -> Tensor {
    let Some((u, s, v)) = a.svd(true) else { fail!("linalg.det: the derivative needs finite elements") };
    let n = s.shape()[s.rank() - 1];
    let values = s.to_device(&Device::cpu()).cast(DType::F64).to_vec::<f64>();
    let others = |row: &[f64]| -> Vec<f64> {
        let product = |part: &[f64]| part.iter().product::<f64>();
        (0..n).map(|i| product(&row[..i]) * product(&row[i + 1..])).collect()
    };
    let products: Vec<f64> = values.chunks(n.max(1)).flat_map(others).collect();
    let products = Array::from_vec(products, s.shape()).cast(a.dtype()).to_device(a.device());
    let sign = u.lu().det().mul(&v.lu().det()).unsqueeze(-1).unsqueeze(-1);
    u.mul(&products.unsqueeze(-2)).matmul(&v).mul(&sign).into()
}

/// The logarithm of the determinant's absolute value, computed before with the sign.
#[derive(Debug)]
struct LogAbsDet(Option<Array>);

impl Op for LogAbsDet {
    fn name(&self) -> &'static str {
        "linalg_slogdet"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.0.take().expect("it is computed once")
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.unsqueeze(-1).unsqueeze(-1) * t(&inv_ex(&saved.input(0)).0));
    }
}

/// The determinants of square matrices, by LU factors. The gradient exists for singular matrices, too.
///
/// Shape: `(*, n, n)` -> `(*)`.
///
/// ```
/// use rushlight_autograd::ops::linalg;
/// use rushlight_autograd::tensor;
/// assert_eq!(linalg::det(&tensor([[2.0, 1.0], [4.0, 8.0]])).item(), 12.0);
/// ```
///
/// # Panics
/// If the matrices are not square or not of `f32` or `f64`.
#[track_caller]
pub fn det(a: &Tensor) -> Tensor {
    check_square("linalg.det", a);
    Tensor::apply(Det, &[a])
}

/// The signs of the determinants, without a gradient, and the logarithms of their absolute values.
///
/// Shape: `(*, n, n)` -> `(*)`, `(*)`.
///
/// # Panics
/// As [`det`].
#[track_caller]
pub fn slogdet(a: &Tensor) -> (Tensor, Tensor) {
    check_square("linalg.slogdet", a);
    let (sign, logarithm) = a.array().lu().slogdet();
    (sign.into(), Tensor::apply(LogAbsDet(Some(logarithm)), &[a]))
}

/// Determinants as methods.
impl Tensor {
    /// [`det`](crate::ops::linalg::det) as a method.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn det(&self) -> Tensor {
        det(self)
    }

    /// [`slogdet`](crate::ops::linalg::slogdet) as a method.
    ///
    /// # Panics
    /// As there.
    #[track_caller]
    pub fn slogdet(&self) -> (Tensor, Tensor) {
        slogdet(self)
    }

    /// The logarithms of the determinants: NaN where one is negative, minus infinity where it is 0.
    ///
    /// # Panics
    /// As [`det`](crate::ops::linalg::det).
    #[track_caller]
    pub fn logdet(&self) -> Tensor {
        check_square("logdet", self);
        let (sign, logarithm) = slogdet(self);
        let nan = Tensor::constant(logarithm.array().scalar_operand(f64::NAN));
        where_(&sign.lt(0.0), &nan, &logarithm)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Det", "linalg::det", "torch.linalg.det", |draw| {
        let shape = square(draw);
        let n = shape[shape.len() - 1].max(1) as f64;
        // Scaled, so that large determinants stay within range.
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            det(&(invertible(&x[0]) * (1.0 / (3.0 + 1.0 / n))))
        })
    })
    .differs("at a determinant of exactly 0 the gradient is that of the formula, the cofactors, where PyTorch gives 0")
    .rejects(|| {
        vec![Reject::new("linalg.det: the matrices of shape [2, 3] are not square", || {
            det(&floats([2, 3]));
        })]
    }),
    OpInfo::op("LogAbsDet", "linalg::slogdet", "torch.linalg.slogdet", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            let (sign, logarithm) = slogdet(&invertible(&x[0]));
            sign * logarithm
        })
    })
    .rejects(|| {
        vec![Reject::new(
            "linalg.slogdet: shape [3] of float32; expected matrices of float32 or float64",
            || {
                slogdet(&floats([3]));
            },
        )]
    }),
    OpInfo::composed("logdet", "torch.logdet", |draw| {
        let shape = square(draw);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            let a = invertible(&x[0]);
            // A square, whose determinant is positive.
            a.matmul(&a).logdet()
        })
    }),
];
