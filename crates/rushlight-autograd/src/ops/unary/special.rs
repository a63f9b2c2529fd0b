//! Special functions: of probability, gamma, Bessel.

use super::super::inplace::in_place;
use super::{Which, one, plain_or};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Sample};
use crate::table::{Reject, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

unary_op!(Sigmoid, sigmoid, Any, OUTPUT,
/// 1 / (1 + exp(-x)).
#[doc(alias = "expit")]
|saved, grad| plain_or(saved, Which::Output, grad, Array::sigmoid_grad, |grad, y| grad * y * (1.0 - y)));
unary_op!(Erf, erf, Any, INPUTS,
/// The error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
|saved, grad| {
    let x = saved.input(0);
    grad * (-(&x * &x)).exp() * FRAC_2_SQRT_PI
});
unary_op!(Erfc, erfc, Any, INPUTS,
/// 1 - erf(x), accurate also where that is small.
|saved, grad| {
    let x = saved.input(0);
    grad * (-(&x * &x)).exp() * -FRAC_2_SQRT_PI
});
unary_op!(Erfinv, erfinv, Unit, OUTPUT,
/// The number whose error function is x; infinite at -1 and 1, NaN beyond.
|saved, grad| grad * saved.output().square().exp() * (0.5 * PI.sqrt()));
unary_op!(Lgamma, lgamma, Positive, INPUTS,
    /// The logarithm of the absolute value of the gamma function.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// // gamma(5) is 4!.
    /// assert_eq!(tensor([5.0]).lgamma().item(), f64::from(24f32.ln()));
    /// ```
    #[doc(alias = "gammaln")]
    |saved, grad| grad * saved.input(0).digamma());
unary_op!(Digamma, digamma, Positive, INPUTS,
    /// The derivative of the logarithm of the gamma function.
    #[doc(alias = "psi")]
    |saved, grad| grad * saved.input(0).polygamma(1));
unary_op!(I0, i0, Any, INPUTS,
    /// The modified Bessel function of the first kind of order 0.
    |saved, grad| grad * saved.input(0).i1());
unary_op!(I1, i1 = "torch.special.i1", NonZero, ALL,
/// The modified Bessel function of the first kind of order 1: the derivative of [`Tensor::i0`].
|saved, grad| {
    let x = saved.input(0);
    let slope = x.i0() - saved.output() / &x;
    grad * where_(&x.eq(0.0), &(zero(grad) + 0.5), &slope)
});

/// A derivative of digamma.
#[derive(Debug)]
struct Polygamma(u32);

impl Op for Polygamma {
    fn name(&self) -> &'static str {
        "polygamma"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].polygamma(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad * Tensor::apply(Polygamma(self.0 + 1), &[&saved.input(0)]));
    }
}

/// log(x / (1 - x)), of x moved into a range.
#[derive(Debug)]
struct Logit(Option<f64>);

impl Op for Logit {
    fn name(&self) -> &'static str {
        "logit"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].logit(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let x = saved.input(0);
            let low = self.0.unwrap_or(0.0);
            let outside = x.lt(low).logical_or(&x.gt(1.0 - low));
            // Without a range there is no logit outside, which is not a slope of 0.
            let beyond = zero(grad) + if self.0.is_some() { 0.0 } else { f64::NAN };
            where_(&outside, &beyond, &(grad / (&x * (1.0 - &x))))
        });
    }
}

impl Tensor {
    /// log(x / (1 - x)), the inverse of [`Tensor::sigmoid`]; NaN outside of 0..=1.
    #[track_caller]
    pub fn logit(&self) -> Tensor {
        Tensor::apply(Logit(None), &[self])
    }

    /// [`Tensor::logit`] of x moved into `eps..=1 - eps`; what is moved has the gradient 0.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let y = tensor([0.0, 0.5, 2.0]).logit_with(0.1);
    /// assert!(y.allclose(&tensor([-9f64.ln(), 0.0, 9f64.ln()]), 1e-6, 0.0));
    /// ```
    #[track_caller]
    pub fn logit_with(&self, eps: f64) -> Tensor {
        // As in PyTorch, where a negative one means none.
        Tensor::apply(Logit(Some(eps).filter(|eps| *eps >= 0.0)), &[self])
    }

    /// The n-th derivative of [`Tensor::digamma`], which is that for 0. (PyTorch's function has `n` first.)
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// // The sum of 1 / k^2 is pi^2 / 6.
    /// let y = tensor([1.0]).polygamma(1).item();
    /// assert!((y - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If `n` is negative.
    #[track_caller]
    pub fn polygamma(&self, n: i64) -> Tensor {
        match u32::try_from(n) {
            Ok(0) => self.digamma(),
            Ok(n) => Tensor::apply(Polygamma(n), &[self]),
            Err(_) => fail!("polygamma: n is {n}; it must be from 0 to 4294967295"),
        }
    }
}

in_place! {
    sigmoid_ = sigmoid();
    erf_ = erf();
    erfc_ = erfc();
    erfinv_ = erfinv();
    lgamma_ = lgamma();
    digamma_ = digamma();
    polygamma_ = polygamma(n: i64);
    i0_ = i0();
    logit_ = logit();
    logit_with_ = logit_with(eps: f64);
}

pub(crate) const TABLE: &[OpInfo] = &[
    Sigmoid::INFO,
    Erf::INFO,
    Erfc::INFO,
    Erfinv::INFO,
    Lgamma::INFO,
    Digamma::INFO,
    OpInfo::op("Polygamma", "polygamma", "torch.polygamma", |draw| {
        let n = 1 + draw.below(3) as i64;
        one(draw, Domain::Positive, move |x| (&x[0] + 1.0).polygamma(n))
    })
    .rejects(|| {
        vec![Reject::new("polygamma: n is -1; it must be from 0", || {
            floats([2]).polygamma(-1);
        })]
    }),
    I0::INFO,
    I1::INFO,
    OpInfo::op("Logit", "logit", "torch.logit", |draw| match draw.coin() {
        true => one(draw, Domain::Unit, |x| x[0].logit()),
        false => one(draw, Domain::Unit, |x| (&x[0] * 0.3 + 0.5).logit_with(0.1)),
    }),
];
