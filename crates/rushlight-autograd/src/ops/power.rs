//! Powers.

use super::arithmetic::one;
use super::elementwise::{binary_op, number_first};
use super::inplace::in_place;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::{Operand, where_};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, fail};

binary_op!(
    Pow,
    pow = pow,
    "PowBackward1",
    ALL,
    (Positive, Any),
    |saved, grad| {
        let (a, b) = (saved.input(0), saved.input(1));
        // b = 0 has slope 0 everywhere, also where a^(b-1) is infinite.
        where_(&b.eq(0), 0.0, &(grad * (&b * a.pow(&(&b - 1)))))
    },
    {
        // 0^b is 0 for every positive b: its logarithm must not turn the slope into NaN.
        let (a, b, y) = (saved.input(0), saved.input(1), saved.output());
        where_(&a.eq(0).logical_and(&b.ge(0)), 0.0, &(grad * &y * a.log()))
    }
);
/// x to a fixed power.
#[derive(Debug)]
struct PowScalar(f64);

impl Op for PowScalar {
    fn name(&self) -> &'static str {
        "pow"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].powf(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // x^0 is constant; its rule would give 0 * inf at x = 0.
        give.to(0, || match self.0 {
            0.0 => grad.zeros_like(),
            p => grad * (saved.input(0).pow(p - 1.0) * p),
        });
    }
}

in_place! {
    pow_<'a> = pow(exponent: impl Into<Operand<'a>>);
}

number_first! {
    pow(base, exponent) "assert_eq!(pow(2.0, &tensor([1.0, 3.0])).to_vec::<f32>(), [2.0, 8.0]);";
    float_power(base, exponent) "assert_eq!(float_power(2, &tensor([-1, 3])).to_vec::<f64>(), [0.5, 8.0]);";
}

impl Tensor {
    /// x to the power of a tensor or a number. Integers stay integers beside integers, and wrap; a negative power in a
    /// tensor of integers is cut towards zero.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([2.0, 3.0]).pow(2).to_vec::<f32>(), [4.0, 9.0]);
    /// assert_eq!(tensor([2, 3]).pow(&tensor([3, 2])).to_vec::<i64>(), [8, 9]);
    /// assert_eq!(tensor([4, 9]).pow(0.5).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, both are bools, or integers are raised to a negative
    /// integer number.
    #[track_caller]
    pub fn pow<'a>(&self, exponent: impl Into<Operand<'a>>) -> Tensor {
        let exponent = exponent.into();
        if let Operand::Number(number) = exponent {
            if self.dtype().is_float() {
                return Tensor::apply(PowScalar(number.to_f64()), &[self]);
            }
            if matches!(number, Scalar::Int(power) if power < 0) {
                fail!(
                    "pow: integers to the negative integer power {}; cast with .to(DType::F32)",
                    number.to_i64()
                );
            }
        } else if self.dtype() == DType::Bool && exponent.tensor(self).dtype() == DType::Bool {
            fail!("pow: not defined for two bools; cast one with .to(DType::I64)");
        }
        Tensor::apply(Pow, &[self, &exponent.tensor(self)])
    }

    /// x to the power of a tensor or a number, computed in `f64`.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn float_power<'a>(&self, exponent: impl Into<Operand<'a>>) -> Tensor {
        match exponent.into() {
            Operand::Tensor(exponent) => self.to(DType::F64).pow(&exponent.to(DType::F64)),
            Operand::Number(number) => self.to(DType::F64).pow(number.to_f64()),
        }
    }

    /// In-place form of [`Tensor::float_power`]; see [`Tensor::add_`] for what that means.
    ///
    /// # Panics
    /// As the form that makes a new tensor; if the dtype is not `f64`; as [`Tensor::add_`].
    #[track_caller]
    pub fn float_power_<'a>(&mut self, exponent: impl Into<Operand<'a>>) -> &mut Tensor {
        if self.dtype() != DType::F64 {
            fail!(
                "float_power_: the tensor is {}, the result float64; cast with .to(DType::F64)",
                self.dtype().name()
            );
        }
        self.check_replaceable("float_power_");
        let result = self.float_power(exponent);
        self.replace("float_power_", result)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    Pow::INFO,
    OpInfo::op("PowScalar", "pow", "torch.pow", |draw| match draw.below(4) {
        0 => one(draw, Domain::Any, |x| x[0].pow(2)),
        1 => one(draw, Domain::NonZero, |x| x[0].pow(-3)),
        2 => one(draw, Domain::Any, |x| x[0].pow(0.0)),
        _ => one(draw, Domain::Positive, |x| x[0].pow(1.5)),
    })
    .rejects(|| {
        vec![Reject::new("pow: integers to the negative integer power -1", || {
            integers().pow(-1);
        })]
    }),
    OpInfo::composed("float_power", "torch.float_power", |draw| match draw.coin() {
        true => one(draw, Domain::Positive, |x| x[0].float_power(1.5)),
        false => one(draw, Domain::Positive, |x| float_power(2, &x[0]).float_power(&x[0])),
    }),
];
