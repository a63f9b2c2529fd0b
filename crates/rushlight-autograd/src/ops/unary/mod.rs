//! Elementwise functions of one tensor, by kind; and arithmetic with one number. Activations have a file of their own.

use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, Draw, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::{Array, Scalar};

/// Defines an operation of one tensor without parameters: its type, its rule, its method and its test data. The name
/// is PyTorch's, too, unless that is written behind it.
macro_rules! unary_op {
    ($Op:ident, $name:ident, $domain:ident, $($rest:tt)*) => {
        unary_op!($Op, $name = concat!("torch.", stringify!($name)), $domain, $($rest)*);
    };
    (
        $Op:ident, $name:ident = $torch:expr, $domain:ident, $saves:ident,
        $(#[$doc:meta])* |$saved:ident, $grad:ident| $rule:expr
    ) => {
        #[derive(Debug)]
        pub(super) struct $Op;

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
            pub(super) const INFO: OpInfo = OpInfo::op(stringify!($Op), stringify!($name), $torch, |draw| {
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

pub(super) mod classify;
pub(super) mod exponential;
pub(super) mod rounding;
pub(super) mod special;
pub(super) mod trigonometry;

pub use rounding::NanToNumOptions;

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

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Scale", "mul", "torch.mul", |draw| one(draw, Domain::Any, |x| &x[0] * 1.7)),
    OpInfo::op("Offset", "add", "torch.add", |draw| one(draw, Domain::Any, |x| (&x[0] + 1.7) - 0.5)),
    OpInfo::op("Rsub", "sub", "torch.rsub", |draw| one(draw, Domain::Any, |x| 0.5 - &x[0])),
];

/// A sample with one leaf of any shape.
pub(crate) fn one(
    draw: &mut Draw<'_>,
    domain: Domain,
    call: impl Fn(&[Tensor]) -> Tensor + 'static,
) -> Sample {
    let shape = draw.shape(0, 3);
    Sample::new(vec![draw.leaf(&shape, domain)], call)
}
