//! Signs, absolute values, and whole parts.

use super::super::inplace::in_place;
use super::one;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Sample, integers};
use crate::table::{Reject, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

unary_op!(Neg, neg, Any, NOTHING,
    /// -x.
    ///
    /// # Panics
    /// For bools.
    #[doc(alias = "negative")]
    |_saved, grad| -grad);
unary_op!(Abs, abs, NonZero, INPUTS,
    /// |x|; the gradient at 0 is 0.
    ///
    /// # Panics
    /// For bools.
    #[doc(alias = "absolute")]
    |saved, grad| grad * saved.input(0).sign());
unary_op!(Sign, sign, NonZero, NOTHING,
    /// -1, 0 or 1; 0 for NaN. Bools stay as they are. The gradient is 0.
    |_saved, grad| grad.zeros_like());
unary_op!(Floor, floor, Unit, NOTHING,
    /// The nearest integer below; the gradient is 0.
    ///
    /// # Panics
    /// For bools.
    |_saved, grad| grad.zeros_like());
unary_op!(Ceil, ceil, Unit, NOTHING,
    /// The nearest integer above; the gradient is 0.
    ///
    /// # Panics
    /// For bools.
    |_saved, grad| grad.zeros_like());
unary_op!(Trunc, trunc, Unit, NOTHING,
    /// The nearest integer towards 0; the gradient is 0.
    ///
    /// # Panics
    /// For bools.
    #[doc(alias = "fix")]
    |_saved, grad| grad.zeros_like());
unary_op!(Frac, frac, Unit, NOTHING,
    /// What [`Tensor::trunc`] cuts off; it has the sign of x.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.25, -2.5]).frac().to_vec::<f32>(), [0.25, -0.5]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float.
    |_saved, grad| grad.clone());
unary_op!(Angle, angle, NonZero, NOTHING,
    /// 0 for positive numbers and zeros, pi for negative ones, NaN for NaN; the gradient is 0.
    |_saved, grad| grad.zeros_like());

/// To so many decimals.
#[derive(Debug)]
struct Round(i32);

impl Op for Round {
    fn name(&self) -> &'static str {
        "round"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].round(self.0)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.zeros_like());
    }
}

/// NaN and infinities by other numbers.
#[derive(Debug)]
struct NanToNum(NanToNumOptions);

impl Op for NanToNum {
    fn name(&self) -> &'static str {
        "nan_to_num"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].nan_to_num(self.0.nan, self.0.posinf, self.0.neginf)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || where_(&saved.input(0).isfinite(), grad, &zero(grad)));
    }
}

/// The numbers that [`Tensor::nan_to_num_with`] puts in.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct NanToNumOptions {
    /// For NaN.
    pub nan: f64,
    /// For infinity; `None` is the largest number of the dtype.
    pub posinf: Option<f64>,
    /// For minus infinity; `None` is the smallest number of the dtype.
    pub neginf: Option<f64>,
}

impl Tensor {
    /// The tensor itself: `+x`.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn positive(&self) -> Tensor {
        if self.dtype() == DType::Bool {
            fail!("positive: not defined for bool; cast with .to(DType::I64) first");
        }
        self.clone()
    }

    /// The nearest integer; the even one where two are equally near. The gradient is 0.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([0.5, 1.5, -2.7]).round().to_vec::<f32>(), [0.0, 2.0, -3.0]);
    /// ```
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn round(&self) -> Tensor {
        self.round_with(0)
    }

    /// The nearest number with so many decimals; with -2 the nearest multiple of 100. PyTorch's `round(decimals=..)`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([14.375, 25.0]).round_with(1).to_vec::<f32>(), [14.4, 25.0]);
    /// assert_eq!(tensor([14.375, 25.0]).round_with(-1).to_vec::<f32>(), [10.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// For bools, and for integers unless `decimals` is 0.
    #[track_caller]
    pub fn round_with(&self, decimals: i32) -> Tensor {
        Tensor::apply(Round(decimals), &[self])
    }

    /// 0 in the place of NaN, and the largest and smallest number of the dtype in that of infinity and minus infinity.
    /// Those have the gradient 0. Integers and bools stay as they are.
    pub fn nan_to_num(&self) -> Tensor {
        self.nan_to_num_with(NanToNumOptions::default())
    }

    /// [`Tensor::nan_to_num`] with numbers of your choice.
    ///
    /// ```
    /// use rushlight_autograd::{ops::NanToNumOptions, tensor};
    /// let x = tensor([f64::NAN, f64::INFINITY, 1.0]);
    /// let options = NanToNumOptions { nan: -1.0, posinf: Some(9.0), ..Default::default() };
    /// assert_eq!(x.nan_to_num_with(options).to_vec::<f32>(), [-1.0, 9.0, 1.0]);
    /// ```
    pub fn nan_to_num_with(&self, options: NanToNumOptions) -> Tensor {
        Tensor::apply(NanToNum(options), &[self])
    }
}

in_place! {
    neg_ = neg();
    abs_ = abs();
    sign_ = sign();
    floor_ = floor();
    ceil_ = ceil();
    trunc_ = trunc();
    frac_ = frac();
    round_ = round();
    round_with_ = round_with(decimals: i32);
    nan_to_num_ = nan_to_num();
    nan_to_num_with_ = nan_to_num_with(options: NanToNumOptions);
}

pub(crate) const TABLE: &[OpInfo] = &[
    Neg::INFO.rejects(|| {
        vec![Reject::new("neg: not defined for bool", || {
            integers().gt(1).neg();
        })]
    }),
    OpInfo::composed("positive", "torch.positive", |draw| one(draw, Domain::Any, |x| x[0].positive()))
        .rejects(|| {
            vec![Reject::new("positive: not defined for bool", || {
                integers().gt(1).positive();
            })]
        }),
    Abs::INFO.rejects(|| {
        vec![Reject::new("abs: not defined for bool", || {
            integers().gt(1).abs();
        })]
    }),
    Sign::INFO,
    Floor::INFO,
    Ceil::INFO,
    Trunc::INFO,
    Frac::INFO.rejects(|| {
        vec![Reject::new("frac: the dtype is int64, not a float", || {
            integers().frac();
        })]
    }),
    OpInfo::op("Round", "round", "torch.round", |draw| match draw.coin() {
        true => one(draw, Domain::Unit, |x| (&x[0] * 0.4).round()),
        // All below 0.005, the first tie.
        false => one(draw, Domain::Unit, |x| (&x[0] * 0.004).round_with(2)),
    })
    .rejects(|| {
        vec![
            Reject::new("round: the dtype is int64, not a float", || {
                integers().round_with(1);
            }),
            Reject::new("round: not defined for bool", || {
                floats([2]).gt(0.0).round();
            }),
        ]
    }),
    OpInfo::op("NanToNum", "nan_to_num", "torch.nan_to_num", |draw| {
        one(draw, Domain::Any, |x| x[0].nan_to_num())
    }),
    Angle::INFO,
];
