//! What kind of number each element is, and the parts of a float.

use super::one;
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType};

/// The mantissa; the exponents come from the same pass.
#[derive(Debug)]
struct Mantissa {
    mantissa: Option<Array>,
    exponent: Option<Array>,
}

impl Op for Mantissa {
    fn name(&self) -> &'static str {
        "frexp"
    }
    fn forward(&mut self, _: &[&Array]) -> Array {
        self.mantissa.take().expect("forward runs once")
    }
    fn by_product(&mut self) -> Option<Array> {
        self.exponent.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad / saved.by_product().to(grad.dtype()).exp2());
    }
}

impl Tensor {
    /// `x = mantissa * 2^exponent`: mantissas of absolute value 1/2 to 1, and exponents as `i32`, which have no gradient.
    /// Zeros, infinities and NaN are their own mantissas, with the exponent 0.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (mantissa, exponent) = tensor([6.0, -0.25]).frexp();
    /// assert_eq!(mantissa.to_vec::<f32>(), [0.75, -0.5]);
    /// assert_eq!(exponent.to_vec::<i32>(), [3, -1]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn frexp(&self) -> (Tensor, Tensor) {
        let (mantissa, exponent) = self.array().frexp();
        let op = Mantissa { mantissa: Some(mantissa), exponent: Some(exponent.clone()) };
        (Tensor::apply(op, &[self]), exponent.into())
    }

    /// Whether x is NaN.
    pub fn isnan(&self) -> Tensor {
        self.ne(self)
    }

    /// Whether x is an infinity.
    pub fn isinf(&self) -> Tensor {
        if self.dtype().is_float() {
            self.array().abs().eq(&self.number(f64::INFINITY)).into()
        } else {
            self.every(false)
        }
    }

    /// Whether x is neither infinite nor NaN.
    pub fn isfinite(&self) -> Tensor {
        if self.dtype().is_float() {
            self.array().abs().lt(&self.number(f64::INFINITY)).into()
        } else {
            self.every(true)
        }
    }

    /// Whether x is infinity.
    pub fn isposinf(&self) -> Tensor {
        if self.dtype().is_float() { self.eq(f64::INFINITY) } else { self.every(false) }
    }

    /// Whether x is minus infinity.
    pub fn isneginf(&self) -> Tensor {
        if self.dtype().is_float() { self.eq(f64::NEG_INFINITY) } else { self.every(false) }
    }

    /// Whether x is real: always, as there are no complex tensors.
    pub fn isreal(&self) -> Tensor {
        self.every(true)
    }

    /// Whether the sign bit is set: of negative numbers, minus zero, and some NaNs.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([-1.0, -0.0, 0.0]).signbit().to_vec::<bool>(), [true, true, false]);
    /// ```
    pub fn signbit(&self) -> Tensor {
        self.array().signbit().into()
    }

    /// A number as an array of this tensor's dtype.
    fn number(&self, value: f64) -> Array {
        self.array().scalar_operand(value)
    }

    /// The same for all elements.
    fn every(&self, value: bool) -> Tensor {
        Array::full(self.shape(), value, DType::Bool, &self.device()).into()
    }
}

macro_rules! question {
    ($name:ident) => {
        OpInfo::composed(stringify!($name), concat!("torch.", stringify!($name)), |draw| {
            one(draw, Domain::Any, |x| x[0].$name())
        })
        .never()
    };
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Mantissa", "frexp", "torch.frexp", |draw| {
        // Between two powers of 2, where the mantissa jumps.
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Unit)], |x| (&x[0] + 1.05).frexp().0)
    })
    .rejects(|| {
        vec![Reject::new("frexp: the dtype is int64, not a float", || {
            integers().frexp();
        })]
    }),
    question!(isnan),
    question!(isinf),
    question!(isfinite),
    question!(isposinf),
    question!(isneginf),
    question!(isreal),
    question!(signbit),
];
