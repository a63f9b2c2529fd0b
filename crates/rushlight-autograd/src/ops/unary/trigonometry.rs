//! Circular and hyperbolic functions and their inverses.

use super::super::inplace::in_place;
use super::{Which, plain_or};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::Array;
use std::f64::consts::PI;

unary_op!(Sin, sin, Any, INPUTS,
    /// The sine of radians.
    |saved, grad| grad * saved.input(0).cos());
unary_op!(Cos, cos, Any, INPUTS,
    /// The cosine of radians.
    |saved, grad| -(grad * saved.input(0).sin()));
unary_op!(Tan, tan, Unit, OUTPUT,
/// The tangent of radians.
|saved, grad| {
    let y = saved.output();
    grad * (&y * &y + 1.0)
});
unary_op!(Asin, asin, Unit, INPUTS,
    /// The angle in -pi/2..=pi/2 with this sine; NaN outside of -1..=1.
    #[doc(alias = "arcsin")]
    |saved, grad| grad * one_minus_square(saved).rsqrt());
unary_op!(Acos, acos, Unit, INPUTS,
    /// The angle in 0..=pi with this cosine; NaN outside of -1..=1.
    #[doc(alias = "arccos")]
    |saved, grad| -(grad * one_minus_square(saved).rsqrt()));
unary_op!(Atan, atan, Any, INPUTS,
    /// The angle in -pi/2..=pi/2 with this tangent.
    #[doc(alias = "arctan")]
    |saved, grad| grad / (saved.input(0).square() + 1.0));
unary_op!(Sinh, sinh, Any, INPUTS,
    /// The hyperbolic sine.
    |saved, grad| grad * saved.input(0).cosh());
unary_op!(Cosh, cosh, Any, INPUTS,
    /// The hyperbolic cosine.
    |saved, grad| grad * saved.input(0).sinh());
unary_op!(Tanh, tanh, Any, OUTPUT,
/// The hyperbolic tangent.
|saved, grad| plain_or(saved, Which::Output, grad, Array::tanh_grad, |grad, y| grad * (1.0 - y * y)));
unary_op!(Asinh, asinh, Any, INPUTS,
    /// The number with this hyperbolic sine.
    #[doc(alias = "arcsinh")]
    |saved, grad| grad * (saved.input(0).square() + 1.0).rsqrt());
unary_op!(Acosh, acosh, Positive, INPUTS,
    /// The positive number with this hyperbolic cosine; NaN below 1.
    #[doc(alias = "arccosh")]
    |saved, grad| grad * (saved.input(0).square() - 1.0).rsqrt());
unary_op!(Atanh, atanh, Unit, INPUTS,
    /// The number with this hyperbolic tangent; infinite at -1 and 1, NaN beyond.
    #[doc(alias = "arctanh")]
    |saved, grad| grad / one_minus_square(saved));
unary_op!(Sinc, sinc, NonZero, INPUTS,
/// sin(pi x) / (pi x); 1 at 0.
///
/// ```
/// use rushlight_autograd::tensor;
/// assert_eq!(tensor([0.0, 1.0, 2.0]).sinc().to_vec::<f32>(), [1.0, 0.0, 0.0]);
/// ```
|saved, grad| {
    let x = saved.input(0);
    let angle = &x * PI;
    let slope = (&angle * angle.cos() - angle.sin()) / (angle * &x);
    where_(&x.eq(0.0), &zero(grad), &(grad * slope))
});
unary_op!(Deg2Rad, deg2rad, Any, NOTHING,
    /// Degrees in radians.
    |_saved, grad| grad.deg2rad());
unary_op!(Rad2Deg, rad2deg, Any, NOTHING,
    /// Radians in degrees.
    |_saved, grad| grad.rad2deg());

/// 1 - x^2 for an input x.
fn one_minus_square(saved: &Saved<'_>) -> Tensor {
    1.0 - saved.input(0).square()
}

in_place! {
    sin_ = sin();
    cos_ = cos();
    tan_ = tan();
    asin_ = asin();
    acos_ = acos();
    atan_ = atan();
    sinh_ = sinh();
    cosh_ = cosh();
    tanh_ = tanh();
    asinh_ = asinh();
    acosh_ = acosh();
    atanh_ = atanh();
    sinc_ = sinc();
    deg2rad_ = deg2rad();
    rad2deg_ = rad2deg();
}

pub(crate) const TABLE: &[OpInfo] = &[
    Sin::INFO,
    Cos::INFO,
    Tan::INFO,
    Asin::INFO,
    Acos::INFO,
    Atan::INFO,
    Sinh::INFO,
    Cosh::INFO,
    Tanh::INFO,
    Asinh::INFO,
    // From 1.6 on: acosh has no number below 1.
    Acosh::INFO.sample(|draw| super::one(draw, Domain::Positive, |x| (&x[0] + 1.3).acosh())),
    Atanh::INFO,
    Sinc::INFO,
    Deg2Rad::INFO,
    Rad2Deg::INFO,
];
