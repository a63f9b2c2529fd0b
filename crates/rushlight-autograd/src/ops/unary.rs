//! Elementwise functions of one tensor.

use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, Draw, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::backend::Gelu;
use rushlight_array::{Array, Scalar};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// Defines an operation of one tensor without parameters: its type, its rule, its method and its test data.
macro_rules! unary_op {
    ($Op:ident, $name:ident, $domain:ident, $saves:ident, $(#[$doc:meta])* |$saved:ident, $grad:ident| $rule:expr) => {
        #[derive(Debug)]
        struct $Op;

        impl Op for $Op {
            fn name(&self) -> &'static str {
                stringify!($name)
            }
            #[track_caller]
            fn forward(&mut self, inputs: &[&Array]) -> Array {
                inputs[0].$name()
            }
            fn saves(&self) -> Saves {
                Saves::$saves
            }
            fn backward(&self, $saved: &Saved<'_>, $grad: &Tensor, give: &mut Gradients<'_>) {
                give.to(0, || $rule);
            }
        }

        impl $Op {
            const INFO: OpInfo = OpInfo::op(stringify!($Op), stringify!($name), concat!("torch.", stringify!($name)), |draw| {
                    let shape = draw.shape(0, 3);
                    Sample::new(vec![draw.leaf(&shape, Domain::$domain)], |x| x[0].$name())
                });
        }

        impl Tensor {
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> Tensor {
                Tensor::apply($Op, &[self])
            }
        }
    };
}

unary_op!(Neg, neg, Any, NOTHING,
    /// -x.
    ///
    /// # Panics
    /// For bools.
    |_saved, grad| -grad);
unary_op!(Abs, abs, NonZero, INPUTS,
    /// |x|; the gradient at 0 is 0.
    ///
    /// # Panics
    /// For bools.
    |saved, grad| grad * saved.input(0).sign());
unary_op!(Sign, sign, NonZero, NOTHING,
    /// -1, 0 or 1; the gradient is 0.
    ///
    /// # Panics
    /// For bools.
    |_saved, grad| grad.zeros_like());
unary_op!(Floor, floor, Unit, NOTHING,
    /// The nearest integer below; the gradient is 0.
    ///
    /// # Panics
    /// For bools.
    |_saved, grad| grad.zeros_like());
unary_op!(Exp, exp, Any, OUTPUT,
    /// e to the power of each element.
    |saved, grad| grad * saved.output());
unary_op!(Expm1, expm1, Any, OUTPUT,
    /// exp(x) - 1, accurate also near 0.
    |saved, grad| grad * (saved.output() + 1.0));
unary_op!(Log1p, log1p, Positive, INPUTS,
    /// log(1 + x), accurate also near 0.
    |saved, grad| grad / (saved.input(0) + 1.0));
unary_op!(Log, log, Positive, INPUTS,
    /// The natural logarithm.
    |saved, grad| grad / saved.input(0));
unary_op!(Sqrt, sqrt, Positive, OUTPUT,
    /// The square root; the gradient at 0 is infinite.
    |saved, grad| grad / (saved.output() * 2.0));
unary_op!(Reciprocal, reciprocal, NonZero, OUTPUT,
    /// 1 / x.
    |saved, grad| -(grad * saved.output() * saved.output()));
unary_op!(Sin, sin, Any, INPUTS,
    /// The sine of radians.
    |saved, grad| grad * saved.input(0).cos());
unary_op!(Cos, cos, Any, INPUTS,
    /// The cosine of radians.
    |saved, grad| -(grad * saved.input(0).sin()));
unary_op!(Tanh, tanh, Any, OUTPUT,
/// The hyperbolic tangent.
|saved, grad| plain_or(saved, Which::Output, grad, Array::tanh_grad, |grad, y| grad * (1.0 - y * y)));
unary_op!(Sigmoid, sigmoid, Any, OUTPUT,
/// 1 / (1 + exp(-x)).
|saved, grad| plain_or(saved, Which::Output, grad, Array::sigmoid_grad, |grad, y| grad * y * (1.0 - y)));
unary_op!(Relu, relu, NonZero, OUTPUT,
/// max(x, 0); the gradient at 0 is 0.
///
/// # Panics
/// For bools.
|saved, grad| relu_rule(saved, grad));
unary_op!(Erf, erf, Any, INPUTS,
/// The error function: 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
|saved, grad| {
    let x = saved.input(0);
    grad * (-(&x * &x)).exp() * FRAC_2_SQRT_PI
});

/// A rule of a gradient and what was saved: one kernel, unless the backward pass itself is recorded, which takes
/// operations that have rules of their own.
pub(crate) fn plain_or(
    saved: &Saved<'_>,
    which: Which,
    grad: &Tensor,
    kernel: impl FnOnce(&Array, &Array) -> Array,
    recorded: impl FnOnce(&Tensor, &Tensor) -> Tensor,
) -> Tensor {
    match (is_grad_enabled(), which) {
        (true, Which::Input) => recorded(grad, &saved.input(0)),
        (true, Which::Output) => recorded(grad, &saved.output()),
        (false, Which::Input) => kernel(&grad.value(), saved.input_array(0)).into(),
        (false, Which::Output) => kernel(&grad.value(), saved.output_array()).into(),
    }
}

/// What a rule of one saved array reads.
#[derive(Clone, Copy)]
pub(crate) enum Which {
    /// The first input.
    Input,
    /// The result.
    Output,
}

/// The gradient of relu from that of its result, and the result. Not where `y > 0`: beside NaN the gradient passes, as
/// in PyTorch.
pub(crate) fn relu_rule(saved: &Saved<'_>, grad: &Tensor) -> Tensor {
    plain_or(saved, Which::Output, grad, Array::relu_grad, |grad, y| where_(&y.le(0.0), &zero(grad), grad))
}

/// x times the probability that a normal number is below x.
#[derive(Debug)]
struct GeluOp(Gelu);

impl Op for GeluOp {
    fn name(&self) -> &'static str {
        "gelu"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].gelu(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            plain_or(
                saved,
                Which::Input,
                grad,
                |grad, x| grad.gelu_grad(x, self.0),
                |grad, x| match self.0 {
                    Gelu::Exact => {
                        let below = (x * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
                        let density = (x * x * -0.5).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
                        grad * (below + x * density)
                    }
                    Gelu::Tanh => {
                        // The two numbers of the approximation, as in the kernel.
                        let (scale, cubic) = ((2.0 / PI).sqrt(), 0.044715);
                        let t = ((x + x * x * x * cubic) * scale).tanh();
                        let slope = (x * x * (3.0 * cubic) + 1.0) * scale;
                        grad * (&t * 0.5 + 0.5 + x * (1.0 - &t * &t) * slope * 0.5)
                    }
                },
            )
        });
    }
}

/// x * factor.
#[derive(Debug)]
pub(crate) struct Scale(pub(crate) f64);

impl Op for Scale {
    fn name(&self) -> &'static str {
        "mul"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].scale(self.0)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad * self.0);
    }
}

/// x + term.
#[derive(Debug)]
pub(crate) struct Offset {
    pub(crate) term: f64,
    /// `sub` if the term was subtracted.
    pub(crate) name: &'static str,
}

impl Op for Offset {
    fn name(&self) -> &'static str {
        self.name
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].offset(self.term)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
    }
}

/// number - x.
#[derive(Debug)]
pub(crate) struct Rsub(pub(crate) Scalar);

impl Op for Rsub {
    fn name(&self) -> &'static str {
        "rsub"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].scalar_operand(self.0).sub(inputs[0])
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || -grad);
    }
    fn grad_fn(&self) -> String {
        "RsubBackward1".to_string()
    }
}

/// x where positive, else slope * x.
#[derive(Debug)]
struct LeakyRelu(f64);

impl Op for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].leaky_relu(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || where_(&saved.input(0).gt(0.0), grad, &(grad * self.0)));
    }
}

impl Tensor {
    /// x * x.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self.pow(2)
    }

    /// x where positive, else slope * x; the gradient at 0 is the slope.
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Tensor {
        Tensor::apply(LeakyRelu(slope), &[self])
    }

    /// x times the probability that a normal number is below x: PyTorch's `gelu` with `approximate="none"`
    /// (Hendrycks & Gimpel, "Gaussian error linear units", 2016). At minus infinity it is its limit, 0, where PyTorch
    /// gives NaN.
    #[track_caller]
    pub fn gelu(&self) -> Tensor {
        Tensor::apply(GeluOp(Gelu::Exact), &[self])
    }

    /// [`Tensor::gelu`] by a formula with tanh, as GPT-2 has it: PyTorch's `approximate="tanh"`.
    #[track_caller]
    pub fn gelu_tanh(&self) -> Tensor {
        Tensor::apply(GeluOp(Gelu::Tanh), &[self])
    }
}

pub(crate) static TABLE: &[OpInfo] = &[
    Neg::INFO,
    Abs::INFO,
    Sign::INFO,
    Floor::INFO,
    Exp::INFO,
    Expm1::INFO,
    Log1p::INFO,
    Log::INFO,
    Sqrt::INFO,
    Reciprocal::INFO,
    Sin::INFO,
    Cos::INFO,
    Tanh::INFO,
    Sigmoid::INFO,
    Relu::INFO,
    Erf::INFO,
    OpInfo::op("GeluOp", "gelu", "torch.nn.functional.gelu", |draw| match draw.coin() {
        true => one(draw, Domain::Any, |x| x[0].gelu()),
        false => one(draw, Domain::Any, |x| x[0].gelu_tanh()),
    }),
    OpInfo::op("Scale", "mul", "torch.mul", |draw| one(draw, Domain::Any, |x| &x[0] * 1.7)),
    OpInfo::op("Offset", "add", "torch.add", |draw| one(draw, Domain::Any, |x| (&x[0] + 1.7) - 0.5)),
    OpInfo::op("Rsub", "sub", "torch.rsub", |draw| one(draw, Domain::Any, |x| 0.5 - &x[0])),
    OpInfo::op("LeakyRelu", "leaky_relu", "torch.nn.functional.leaky_relu", |draw| {
        one(draw, Domain::NonZero, |x| x[0].leaky_relu(0.1))
    }),
];

/// A sample with one leaf of any shape.
fn one(draw: &mut Draw<'_>, domain: Domain, call: impl Fn(&[Tensor]) -> Tensor + 'static) -> Sample {
    let shape = draw.shape(0, 3);
    Sample::new(vec![draw.leaf(&shape, domain)], call)
}
