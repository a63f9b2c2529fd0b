//! Powers, logarithms and roots.

use super::super::inplace::in_place;
use super::one;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::Array;
use std::f64::consts::{LN_2, LN_10};

unary_op!(Exp, exp, Any, OUTPUT,
    /// e to the power of each element.
    |saved, grad| grad * saved.output());
unary_op!(Exp2, exp2, Any, OUTPUT,
    /// 2 to the power of each element.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([-1.0, 0.0, 3.0]).exp2().to_vec::<f32>(), [0.5, 1.0, 8.0]);
    /// ```
    |saved, grad| grad * saved.output() * LN_2);
unary_op!(Expm1, expm1, Any, OUTPUT,
    /// exp(x) - 1, accurate also near 0.
    |saved, grad| grad * (saved.output() + 1.0));
unary_op!(Log, log, Positive, INPUTS,
    /// The natural logarithm.
    |saved, grad| grad / saved.input(0));
unary_op!(Log2, log2, Positive, INPUTS,
    /// The logarithm to the base 2, exact for powers of 2.
    |saved, grad| grad / (saved.input(0) * LN_2));
unary_op!(Log10, log10, Positive, INPUTS,
    /// The logarithm to the base 10.
    |saved, grad| grad / (saved.input(0) * LN_10));
unary_op!(Log1p, log1p, Positive, INPUTS,
    /// log(1 + x), accurate also near 0.
    |saved, grad| grad / (saved.input(0) + 1.0));
unary_op!(Sqrt, sqrt, Positive, OUTPUT,
    /// The square root; the gradient at 0 is infinite.
    |saved, grad| grad / (saved.output() * 2.0));
unary_op!(Rsqrt, rsqrt, Positive, OUTPUT,
/// 1 / sqrt(x).
|saved, grad| {
    let y = saved.output();
    grad * (&y * &y * &y) * -0.5
});
unary_op!(Reciprocal, reciprocal, NonZero, OUTPUT,
    /// 1 / x.
    |saved, grad| -(grad * saved.output() * saved.output()));
impl Tensor {
    /// x * x. Integers stay integers, bools become `i64`.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self.pow(2)
    }
}

in_place! {
    exp_ = exp();
    exp2_ = exp2();
    expm1_ = expm1();
    log_ = log();
    log2_ = log2();
    log10_ = log10();
    log1p_ = log1p();
    sqrt_ = sqrt();
    rsqrt_ = rsqrt();
    reciprocal_ = reciprocal();
    square_ = square();
}

pub(crate) const TABLE: &[OpInfo] = &[
    Exp::INFO,
    Exp2::INFO,
    Expm1::INFO,
    Log::INFO,
    Log2::INFO,
    Log10::INFO,
    Log1p::INFO,
    Sqrt::INFO,
    Rsqrt::INFO,
    Reciprocal::INFO,
    OpInfo::composed("square", "torch.square", |draw| one(draw, Domain::Any, |x| x[0].square())),
];
