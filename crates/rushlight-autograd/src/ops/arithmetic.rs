//! Arithmetic of two operands: sums, products, quotients, remainders.

use super::elementwise::{binary_methods, binary_op, binary_rule_op, number_first};
use super::inplace::in_place;
use super::unary::{Offset, Rsub, Scale};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::Operand;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, fail};

binary_op!(Add, add = add, "AddBackward0", NOTHING, (Any, Any), |_saved, grad| grad.clone(), grad.clone());
binary_op!(Sub, sub = sub, "SubBackward0", NOTHING, (Any, Any), |_saved, grad| grad.clone(), -grad);
binary_op!(
    Mul,
    mul = mul,
    "MulBackward0",
    INPUTS,
    (Any, Any),
    |saved, grad| grad * saved.input(1),
    grad * saved.input(0)
);
binary_op!(Div, div = div, "DivBackward0", INPUTS, (Any, NonZero), |saved, grad| grad / saved.input(1), {
    let b = saved.input(1);
    // Not a / (b * b), whose square may overflow.
    -(grad * (saved.input(0) / &b / &b))
});
binary_rule_op!(
    Fmod,
    fmod = fmod,
    "FmodBackward1",
    INPUTS,
    |saved, grad| grad.clone(),
    -(grad * saved.input(0).div_with(&saved.input(1), RoundingMode::Trunc))
);
binary_rule_op!(
    Remainder,
    remainder = remainder,
    "RemainderBackward1",
    INPUTS,
    |saved, grad| grad.clone(),
    -(grad * saved.input(0).div_with(&saved.input(1), RoundingMode::Floor))
);

binary_methods! {
    /// What the quotient cut towards zero leaves: `a - trunc(a / b) * b`, with the sign of `a`.
    ///
    /// Integers cannot be divided by zero; floats give NaN.
    fmod => Fmod;
    /// What the quotient rounded down leaves: `a - floor(a / b) * b`, with the sign of `b`; Python's `%`.
    ///
    /// Integers cannot be divided by zero; floats give NaN.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([-3, 3, 5]);
    /// assert_eq!(x.remainder(2).to_vec::<i64>(), [1, 1, 1]);
    /// assert_eq!(x.fmod(2).to_vec::<i64>(), [-1, 1, 1]);
    /// ```
    remainder => Remainder;
    /// The quotient rounded down, as Python's `//`; it cannot be differentiated.
    ///
    /// Integers stay integers and cannot be divided by zero.
    floor_divide => FloorDivide;
}

in_place! {
    fmod_<'a> = fmod(other: impl Into<Operand<'a>>);
    remainder_<'a> = remainder(other: impl Into<Operand<'a>>);
    floor_divide_<'a> = floor_divide(other: impl Into<Operand<'a>>);
    true_divide_<'a> = true_divide(other: impl Into<Operand<'a>>);
    div_with_<'a> = div_with(other: impl Into<Operand<'a>>, rounding_mode: RoundingMode);
    add_with_<'a> = add_with(other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>);
    sub_with_<'a> = sub_with(other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>);
}

number_first! {
    remainder(a, b) "assert_eq!(remainder(7, &tensor([2, 4])).to_vec::<i64>(), [1, 3]);";
}

/// Subtraction the other way round: `other - x`, as `torch.rsub`.
///
/// # Panics
/// As [`Tensor::sub`].
#[track_caller]
pub fn rsub<'a>(x: &Tensor, other: impl Into<Operand<'a>>) -> Tensor {
    match other.into() {
        Operand::Number(number) => x.rsub_scalar(number),
        Operand::Tensor(other) => other.sub(x),
    }
}

/// `other - alpha * x`, as `torch.rsub`.
///
/// # Panics
/// As [`Tensor::sub_with`].
#[track_caller]
pub fn rsub_with<'a>(x: &Tensor, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Tensor {
    other.into().tensor(x).sub_with(x, alpha)
}

/// How [`Tensor::div_with`] rounds a quotient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RoundingMode {
    /// Towards zero, as C's integer division: PyTorch's `"trunc"`.
    Trunc,
    /// Down, as Python's `//`: PyTorch's `"floor"`.
    Floor,
}

/// A quotient that is rounded: its slope is 0.
#[derive(Debug)]
struct DivRounded(RoundingMode);

impl Op for DivRounded {
    fn name(&self) -> &'static str {
        "div"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        match self.0 {
            RoundingMode::Trunc => inputs[0].trunc_divide(inputs[1]),
            RoundingMode::Floor => inputs[0].floor_divide(inputs[1]),
        }
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.zeros_like());
        give.to(1, || grad.zeros_like());
    }
    fn grad_fn(&self) -> String {
        "DivBackward2".to_string()
    }
}

/// The quotient rounded down, without a rule, as in PyTorch.
#[derive(Debug)]
struct FloorDivide;

impl Op for FloorDivide {
    fn name(&self) -> &'static str {
        "floor_divide"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].floor_divide(inputs[1])
    }
}

/// a + alpha b.
#[derive(Debug)]
struct AddScaled {
    alpha: Scalar,
    name: &'static str,
}

impl AddScaled {
    /// The factor of `b` in an operation on these, checked as PyTorch does.
    #[track_caller]
    fn new(name: &'static str, a: &Tensor, b: &Tensor, alpha: Scalar, sign: i64) -> AddScaled {
        let dtype = Array::result_dtype(&[&*a.value(), &*b.value()]);
        match alpha {
            Scalar::Float(alpha) if !dtype.is_float() => {
                fail!("{name}: alpha is {alpha:?} beside {}; it must be an integer", dtype.name())
            }
            Scalar::Bool(_) if dtype != DType::Bool => {
                fail!("{name}: alpha is a bool beside {}; it must be a number", dtype.name())
            }
            _ => {}
        }
        let alpha = match alpha {
            Scalar::Float(alpha) => Scalar::Float(alpha * sign as f64),
            Scalar::Int(alpha) => Scalar::Int(alpha.wrapping_mul(sign)),
            alpha => alpha,
        };
        AddScaled { alpha, name }
    }
}

impl Op for AddScaled {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (a, b) = (inputs[0], inputs[1]);
        if Array::result_dtype(inputs) == DType::Bool {
            return a.add(&b.logical_and(&b.scalar_operand(Scalar::Bool(self.alpha.to_f64() != 0.0))));
        }
        // In one pass.
        let one = b.scalar_operand(Scalar::Int(1));
        a.addcmul(b, &one, self.alpha)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
        give.to(1, || grad * self.alpha.to_f64());
    }
}

impl Tensor {
    /// a + b; for bools, or. The operand is a tensor or a number; shapes broadcast, dtypes are promoted.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn add<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        match other.into() {
            Operand::Tensor(other) => Tensor::apply(Add, &[self, other]),
            Operand::Number(number) => self.add_scalar(number),
        }
    }

    /// a + alpha b.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1, 2]).add_with(&tensor([3, 4]), 10).to_vec::<i64>(), [31, 42]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::add`]; if alpha is a float and the result is not, or a bool and the result is not.
    #[track_caller]
    pub fn add_with<'a>(&self, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Tensor {
        let other = other.into();
        let other = other.tensor(self);
        Tensor::apply(AddScaled::new("add", self, &other, alpha.into(), 1), &[self, &other])
    }

    /// a - b. The operand is a tensor or a number; shapes broadcast, dtypes are promoted.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or one is bool.
    #[doc(alias = "subtract")]
    #[track_caller]
    pub fn sub<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        match other.into() {
            Operand::Tensor(other) => Tensor::apply(Sub, &[self, other]),
            Operand::Number(number) => self.sub_scalar(number),
        }
    }

    /// a - alpha b.
    ///
    /// # Panics
    /// As [`Tensor::sub`]; if alpha is a float and the result is not, or a bool.
    #[track_caller]
    pub fn sub_with<'a>(&self, other: impl Into<Operand<'a>>, alpha: impl Into<Scalar>) -> Tensor {
        let other = other.into();
        let other = other.tensor(self);
        if self.dtype() == DType::Bool || other.dtype() == DType::Bool {
            fail!("sub: not defined for bool; use logical_xor, or cast with .to(DType::I64)");
        }
        Tensor::apply(AddScaled::new("sub", self, &other, alpha.into(), -1), &[self, &other])
    }

    /// a * b, element by element; for bools, and. The operand is a tensor or a number; shapes broadcast, dtypes are
    /// promoted.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[doc(alias = "multiply")]
    #[track_caller]
    pub fn mul<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        match other.into() {
            Operand::Tensor(other) => Tensor::apply(Mul, &[self, other]),
            Operand::Number(number) => self.mul_scalar(number),
        }
    }

    /// a / b, always as floats: integers and bools give `f32`. The operand is a tensor or a number; shapes broadcast,
    /// dtypes are promoted.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[doc(alias = "divide")]
    #[track_caller]
    pub fn div<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        Tensor::apply(Div, &[self, &other.into().tensor(self)])
    }

    /// [`Tensor::div`] under its other name.
    ///
    /// # Panics
    /// As [`Tensor::div`].
    #[track_caller]
    pub fn true_divide<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        self.div(other)
    }

    /// a / b rounded to a whole number: PyTorch's `div` with a `rounding_mode`. Integers stay integers; the gradient
    /// is 0.
    ///
    /// ```
    /// use rushlight_autograd::{ops::RoundingMode, tensor};
    /// let x = tensor([-7, 7]);
    /// assert_eq!(x.div_with(2, RoundingMode::Trunc).to_vec::<i64>(), [-3, 3]);
    /// assert_eq!(x.div_with(2, RoundingMode::Floor).to_vec::<i64>(), [-4, 3]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, both are bools, or an integer is divided by zero.
    #[track_caller]
    pub fn div_with<'a>(&self, other: impl Into<Operand<'a>>, rounding_mode: RoundingMode) -> Tensor {
        Tensor::apply(DivRounded(rounding_mode), &[self, &other.into().tensor(self)])
    }
}

/// Operations with a number, which does not widen the dtype.
impl Tensor {
    /// The number as a constant that takes part in an operation with this tensor.
    fn operand(&self, value: Scalar) -> Tensor {
        self.array().scalar_operand(value).into()
    }

    #[track_caller]
    pub(crate) fn add_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Offset { term: value.to_f64(), name: "add" }, &[self]),
            false => self.add(&self.operand(value)),
        }
    }

    #[track_caller]
    pub(crate) fn sub_scalar(&self, value: Scalar) -> Tensor {
        match (self.dtype().is_float(), value) {
            (true, Scalar::Float(_) | Scalar::Int(_)) => {
                Tensor::apply(Offset { term: -value.to_f64(), name: "sub" }, &[self])
            }
            // A bool is refused beside whatever.
            (true, Scalar::Bool(_)) => {
                self.sub(&Tensor::constant(Array::full((), value, DType::Bool, &self.device())))
            }
            (false, _) => self.sub(&self.operand(value)),
        }
    }

    /// value - self.
    #[track_caller]
    pub(crate) fn rsub_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Rsub(value), &[self]),
            false => self.operand(value).sub(self),
        }
    }

    #[track_caller]
    pub(crate) fn mul_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Scale(value.to_f64()), &[self]),
            false => self.mul(&self.operand(value)),
        }
    }

    #[track_caller]
    pub(crate) fn div_scalar(&self, value: Scalar) -> Tensor {
        self.div(value)
    }

    /// value / self.
    #[track_caller]
    pub(crate) fn rdiv_scalar(&self, value: Scalar) -> Tensor {
        self.operand(value).div(self)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    Add::INFO,
    Sub::INFO,
    Mul::INFO,
    Div::INFO,
    OpInfo::op("Fmod", "fmod", "torch.fmod", |draw| between_steps(draw, |a, b| a.fmod(b))).rejects(by_zero),
    OpInfo::op("Remainder", "remainder", "torch.remainder", |draw| {
        between_steps(draw, |a, b| a.remainder(b) + remainder(7.3, &(a * 0.01 + 2.0)))
    })
    .rejects(by_zero),
    OpInfo::op("DivRounded", "div_with", "torch.div", |draw| match draw.coin() {
        true => between_steps(draw, |a, b| a.div_with(b, RoundingMode::Floor)),
        false => between_steps(draw, |a, b| a.div_with(b, RoundingMode::Trunc)),
    })
    .rejects(by_zero),
    OpInfo::op("FloorDivide", "floor_divide", "torch.floor_divide", |draw| {
        between_steps(draw, |a, b| a.floor_divide(b))
    })
    .rejects(by_zero)
    .never(),
    OpInfo::op("AddScaled", "add_with", "torch.add", |draw| {
        let (a, b) = draw.broadcast_pair();
        let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
        Sample::new(inputs, |x| x[0].add_with(&x[1], 1.7).sub_with(&x[1], -3).sub_with(0.5, 2.0))
    })
    .rejects(|| {
        vec![
            Reject::new("add: alpha is 0.5 beside int64; it must be an integer", || {
                integers().add_with(&integers(), 0.5);
            }),
            Reject::new("sub: not defined for bool", || {
                integers().gt(1).sub_with(2, 1);
            }),
        ]
    }),
    OpInfo::composed("true_divide", "torch.true_divide", |draw| {
        one(draw, Domain::NonZero, |x| x[0].true_divide(3).true_divide(&(&x[0] * 2.0 + 0.01)))
    }),
    OpInfo::composed("rsub", "torch.rsub", |draw| match draw.coin() {
        true => one(draw, Domain::Any, |x| rsub(&rsub(&x[0], 1.5), &x[0])),
        false => one(draw, Domain::Any, |x| rsub_with(&rsub_with(&x[0], 1.5, 2), &x[0], -0.5)),
    }),
];

/// A sample with one leaf of any shape.
pub(super) fn one(
    draw: &mut Draw<'_>,
    domain: Domain,
    call: impl Fn(&[Tensor]) -> Tensor + 'static,
) -> Sample {
    let shape = draw.shape(0, 3);
    Sample::new(vec![draw.leaf(&shape, domain)], call)
}

/// A sample whose quotients lie between 2.3 and 2.8, or -2.8 and -2.3, away from whole numbers.
fn between_steps(draw: &mut Draw<'_>, call: fn(&Tensor, &Tensor) -> Tensor) -> Sample {
    let (a, b) = draw.broadcast_pair();
    let inputs = vec![draw.leaf(&a, Domain::Unit), draw.leaf(&b, Domain::Unit)];
    let sign = if draw.coin() { 1.0 } else { -1.0 };
    Sample::new(inputs, move |x| call(&((&x[0] * 0.4 + 4.0) * sign), &(&x[1] * 0.1 + 1.6)))
}

/// Calls that divide integers by zero.
fn by_zero() -> Vec<Reject> {
    vec![
        Reject::new("remainder: an integer is divided by zero", || {
            integers().remainder(0);
        }),
        Reject::new("fmod: an integer is divided by zero", || {
            integers().fmod(&(integers() - 1));
        }),
        Reject::new("floor_divide: an integer is divided by zero", || {
            integers().floor_divide(0);
        }),
        Reject::new("trunc_divide: an integer is divided by zero", || {
            integers().div_with(0, RoundingMode::Trunc);
        }),
        Reject::new("remainder: not defined for bool", || {
            let mask = integers().gt(1);
            mask.remainder(&mask);
        }),
    ]
}
