//! Functions of two tensors from geometry, logarithms and statistics.

use super::arithmetic::one;
use super::elementwise::{binary_methods, binary_op, number_first};
use super::inplace::in_place;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::{Operand, pow, where_};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};
use std::f64::consts::LN_2;

binary_op!(
    Atan2,
    atan2 = atan2,
    "Atan2Backward0",
    INPUTS,
    (NonZero, Any),
    |saved, grad| grad * (saved.input(1) * inverse_square(&saved.input(0), &saved.input(1))),
    -(grad * (saved.input(0) * inverse_square(&saved.input(0), &saved.input(1))))
);
binary_op!(
    Hypot,
    hypot = hypot,
    "HypotBackward0",
    ALL,
    (NonZero, Any),
    |saved, grad| grad * (saved.input(0) / saved.output()),
    grad * (saved.input(1) / saved.output())
);
binary_op!(
    Copysign,
    copysign = copysign,
    "CopysignBackward0",
    ALL,
    (NonZero, NonZero),
    |saved, grad| {
        let a = saved.input(0);
        where_(&a.eq(0), 0.0, &(grad * (saved.output() / &a)))
    },
    grad.zeros_like()
);
binary_op!(
    Xlogy,
    xlogy = xlogy,
    "XlogyBackward0",
    INPUTS,
    (NonZero, Positive),
    |saved, grad| {
        let (a, b) = (saved.input(0), saved.input(1));
        where_(&a.eq(0).logical_and(&b.le(0)), 0.0, &(grad * b.log()))
    },
    grad * (saved.input(0) / saved.input(1))
);
// Not a quotient of exponentials, which overflow.
binary_op!(
    Logaddexp,
    logaddexp = logaddexp,
    "LogaddexpBackward0",
    INPUTS,
    (Any, Any),
    |saved, grad| grad * (saved.input(0) - saved.input(1)).sigmoid(),
    grad * (saved.input(1) - saved.input(0)).sigmoid()
);
binary_op!(
    Logaddexp2,
    logaddexp2 = logaddexp2,
    "Logaddexp2Backward0",
    INPUTS,
    (Any, Any),
    |saved, grad| grad * ((saved.input(0) - saved.input(1)) * LN_2).sigmoid(),
    grad * ((saved.input(1) - saved.input(0)) * LN_2).sigmoid()
);

/// 1 / (a^2 + b^2), and 0 where both are 0.
fn inverse_square(a: &Tensor, b: &Tensor) -> Tensor {
    let sum = a * a + b * b;
    where_(&sum.eq(0), 0.0, &(1.0 / &sum))
}

binary_methods! {
    /// The angle of the point (b, a), the first being the height: from -pi to pi. Integers and bools give `f32`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let angles = tensor([1.0, -1.0]).atan2(&tensor([1.0, 0.0]));
    /// assert!(angles.allclose(&tensor([0.785398, -1.570796]), 0.0, 1e-6));
    /// ```
    #[doc(alias = "arctan2")]
    atan2 => Atan2;
    /// The length of the hypotenuse, sqrt(a^2 + b^2), without overflow; for floats. At 0 the gradient is NaN, as in
    /// PyTorch.
    hypot => Hypot;
    /// The magnitude of a with the sign of b, also of -0. Integers and bools give `f32`.
    copysign => Copysign;
    /// a log(b), and 0 where a is 0, unless b is NaN. Integers and bools give `f32`.
    xlogy => Xlogy;
    /// log(e^a + e^b) without overflow, for floats.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// // Twice as much is log 2 more.
    /// let x = tensor([-100.0, 1000.0]);
    /// assert!(x.logaddexp(&x).allclose(&(&x + 0.693147), 1e-6, 0.0));
    /// ```
    logaddexp => Logaddexp;
    /// log2(2^a + 2^b) without overflow, for floats.
    logaddexp2 => Logaddexp2;
    /// 0 where a is below 0 or NaN, 1 where it is above 0, b where it is 0; without a derivative.
    heaviside => Heaviside;
    /// The regularized lower incomplete gamma function P(a, x), with x the operand; for floats. It can be differentiated
    /// by x alone, as in PyTorch. NaN for negative numbers.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// // P(1, x) = 1 - e^-x.
    /// let p = tensor([1.0, 1.0]).igamma(&tensor([0.0, 0.693147]));
    /// assert!(p.allclose(&tensor([0.0, 0.5]), 0.0, 1e-6));
    /// ```
    igamma => Igamma { upper: false };
    /// The regularized upper incomplete gamma function Q(a, x) = 1 - P(a, x); see [`Tensor::igamma`].
    igammac => Igamma { upper: true };
}

in_place! {
    atan2_<'a> = atan2(other: impl Into<Operand<'a>>);
    hypot_<'a> = hypot(other: impl Into<Operand<'a>>);
    copysign_<'a> = copysign(other: impl Into<Operand<'a>>);
    xlogy_<'a> = xlogy(other: impl Into<Operand<'a>>);
    heaviside_<'a> = heaviside(values: impl Into<Operand<'a>>);
    igamma_<'a> = igamma(other: impl Into<Operand<'a>>);
    igammac_<'a> = igammac(other: impl Into<Operand<'a>>);
    ldexp_<'a> = ldexp(other: impl Into<Operand<'a>>);
}

number_first! {
    xlogy(a, b) "assert_eq!(xlogy(3, &tensor([1.0, 0.0])).to_vec::<f32>(), [0.0, f32::NEG_INFINITY]);";
}

impl Tensor {
    /// a * 2^b. Integers and bools give `f32`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([3.0, 5.0]).ldexp(&tensor([2, -1])).to_vec::<f32>(), [12.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn ldexp<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        self.mul(&pow(2.0, &*other.into().tensor(self)))
    }
}

/// A step from 0 to 1.
#[derive(Debug)]
struct Heaviside;

impl Op for Heaviside {
    fn name(&self) -> &'static str {
        "heaviside"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (from, to) = (inputs[0].dtype(), inputs[1].dtype());
        if from != to {
            fail!(
                "heaviside: the dtypes differ: {} and {}; cast one with .to(DType::{from:?})",
                from.name(),
                to.name()
            );
        }
        inputs[0].heaviside(inputs[1])
    }
}

/// P(a, x), or Q(a, x).
#[derive(Debug)]
struct Igamma {
    upper: bool,
}

impl Op for Igamma {
    fn name(&self) -> &'static str {
        if self.upper { "igammac" } else { "igamma" }
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        if self.upper { inputs[0].igammac(inputs[1]) } else { inputs[0].igamma(inputs[1]) }
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        refuse_first(self.name(), give);
        give.to(1, || {
            let slope = Tensor::apply(IgammaSlope, &[&saved.input(0), &saved.input(1)]);
            if self.upper { -(grad * slope) } else { grad * slope }
        });
    }
}

/// x^(a-1) e^-x / Gamma(a), the derivative of P(a, x) by x.
#[derive(Debug)]
struct IgammaSlope;

impl Op for IgammaSlope {
    fn name(&self) -> &'static str {
        "igamma"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].igamma_slope(inputs[1])
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        refuse_first(self.name(), give);
        let (a, x) = (saved.input(0), saved.input(1));
        give.to(1, || grad * saved.output() * ((a - 1) / x - 1));
    }
}

/// Nobody has a formula for the derivative of the incomplete gamma functions by their first argument.
fn refuse_first(name: &str, give: &Gradients<'_>) {
    if give.needs(0) {
        fail!("{name}: it cannot be differentiated by its first argument, as in PyTorch; detach that");
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    Atan2::INFO,
    Hypot::INFO.rejects(|| {
        vec![Reject::new("hypot: not defined for int64; cast with .to(DType::F32) first", || {
            integers().hypot(&integers());
        })]
    }),
    Copysign::INFO,
    Xlogy::INFO,
    Logaddexp::INFO.rejects(|| {
        vec![Reject::new("logaddexp: not defined for bool; cast with .to(DType::F32) first", || {
            integers().gt(0).logaddexp(true);
        })]
    }),
    Logaddexp2::INFO,
    OpInfo::op("Heaviside", "heaviside", "torch.heaviside", |draw| {
        one(draw, Domain::NonZero, |x| x[0].heaviside(&(&x[0] * 0.5)))
    })
    .rejects(|| {
        vec![Reject::new(
            "heaviside: the dtypes differ: float32 and int64; cast one with .to(DType::F32)",
            || {
                floats([3]).heaviside(&integers());
            },
        )]
    })
    .never(),
    OpInfo::op("Igamma", "igamma", "torch.igamma", |draw| {
        let (a, x) = draw.broadcast_pair();
        let (a, x) = (draw.constant(&a, Domain::Positive), draw.leaf(&x, Domain::Positive));
        let upper = draw.coin();
        Sample::new(vec![x], move |x| if upper { a.igammac(&x[0]) } else { a.igamma(&x[0]) })
    })
    .rejects(|| {
        vec![
            Reject::new("igamma: not defined for int64", || {
                integers().igamma(&integers());
            }),
            Reject::new("igamma: it cannot be differentiated by its first argument", || {
                floats([3]).requires_grad_().igamma(&floats([3])).sum().backward();
            }),
        ]
    }),
    OpInfo::op("IgammaSlope", "igamma", "torch.igamma", |draw| {
        let (a, x) = draw.broadcast_pair();
        let (a, x) = (draw.constant(&a, Domain::Positive), draw.leaf(&x, Domain::Positive));
        Sample::new(vec![x], move |x| Tensor::apply(IgammaSlope, &[&a, &x[0]]))
    }),
    OpInfo::composed("ldexp", "torch.ldexp", |draw| {
        let (a, b) = draw.broadcast_pair();
        let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
        Sample::new(inputs, |x| x[0].ldexp(&x[1]))
    }),
];
