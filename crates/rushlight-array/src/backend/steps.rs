//! The steps of optimisers, as a device must know them: numbers that are worked out, and a rule for each element.

use super::host::host;
use crate::array::Array;
use crate::cpu::optimize;
use std::fmt::Debug;

/// One step of an optimiser on one parameter; see [`Backend::optimizer_step`](super::Backend::optimizer_step).
///
/// What depends on the number of the step (corrections, decayed rates) is worked out by the caller: a device applies the
/// rule to each element on its own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OptimizerStep<R = StepRule> {
    /// Ascend instead of descend: the gradient's sign is turned before all else.
    pub maximize: bool,
    /// L2 penalty: `g += weight_decay * w`, with the `w` of before.
    pub weight_decay: f64,
    /// Decoupled decay: `w *= shrink` before the rule; 1 for none.
    pub shrink: f64,
    /// What happens then.
    pub rule: R,
}

impl<R> OptimizerStep<R> {
    /// The rule alone, without decay.
    pub fn new(rule: R) -> Self {
        OptimizerStep { maximize: false, weight_decay: 0.0, shrink: 1.0, rule }
    }

    /// The same step by another rule.
    pub(crate) fn with<S>(&self, rule: S) -> OptimizerStep<S> {
        OptimizerStep { maximize: self.maximize, weight_decay: self.weight_decay, shrink: self.shrink, rule }
    }
}

/// A rule that the host can compute: one of [`rule`], or a [`StepRule`], which may be any of them. A program that names
/// its rules holds the code of no others.
pub trait Rule: Copy + Debug + Into<StepRule> {
    /// The step on arrays in host memory.
    fn step_on_host(step: &OptimizerStep<Self>, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]);
}

/// A device's step, computed by the host.
pub(super) fn by_host(step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
    let (device, mut weights) = (w.device().clone(), host(w));
    let mut copies = state.each_ref().map(|array| array.as_ref().map(|array| host(array)));
    StepRule::step_on_host(step, &mut weights, &host(g), copies.each_mut().map(Option::as_mut));
    *w = weights.to_device(&device);
    for (array, copy) in state.into_iter().flatten().zip(copies.into_iter().flatten()) {
        *array = copy.to_device(&device);
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $Name:ident, $name:literal { $($(#[$about:meta])* $field:ident: $type:ty,)* })*) => {
        /// How an element of a parameter, its gradient `g` and up to three states change.
        ///
        /// The states have fixed places, and one that is not wanted is left out. The order of roundings is that of
        /// PyTorch's plain loops, but that a division by a number may be a product with its reciprocal.
        pub mod rule {
            $(
                $(#[$doc])*
                #[derive(Clone, Copy, PartialEq, Debug)]
                pub struct $Name {
                    $($(#[$about])* pub $field: $type,)*
                }
            )*
        }

        /// Any [`rule`].
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub enum StepRule {
            $(
                #[doc = concat!("See [`rule::", stringify!($Name), "`].")]
                $Name(rule::$Name),
            )*
        }

        impl StepRule {
            /// A name for profiles: `adam_step`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(StepRule::$Name(_) => $name,)*
                }
            }
        }

        impl Rule for StepRule {
            fn step_on_host(step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
                match step.rule {
                    $(StepRule::$Name(rule) => optimize::optimizer_step(&step.with(rule), w, g, state),)*
                }
            }
        }

        $(
            impl From<rule::$Name> for StepRule {
                fn from(rule: rule::$Name) -> StepRule {
                    StepRule::$Name(rule)
                }
            }

            impl Rule for rule::$Name {
                fn step_on_host(
                    step: &OptimizerStep<Self>,
                    w: &mut Array,
                    g: &Array,
                    state: [Option<&mut Array>; 3],
                ) {
                    optimize::optimizer_step(step, w, g, state);
                }
            }
        )*
    };
}
rules! {
    /// `w -= lr g`. With the state `v`, the velocity: `v = momentum v + fresh g` and `w -= lr v`.
    Sgd, "sgd_step" {
        /// Learning rate.
        lr: f64,
        /// Factor of the velocity of the steps before.
        momentum: f64,
        /// Factor by which a new gradient enters the velocity.
        fresh: f64,
        /// Look ahead by one momentum step: `w -= lr (g + momentum v)`.
        nesterov: bool,
        /// Whether there is no velocity yet: the gradient becomes it, undamped.
        first: bool,
    }
    /// `w -= rate m / (sqrt(v) / root + eps)` with the states `m`, the mean of gradients, `v`, that of their squares,
    /// and, if wanted, the greatest `v` so far, which takes its place.
    Adam, "adam_step" {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of squares.
        beta2: f64,
        /// Added to the root, against division by zero.
        eps: f64,
        /// Learning rate, corrected for the start of `m` at zero.
        rate: f64,
        /// Root of the correction for the start of `v` at zero.
        root: f64,
    }
    /// `w -= lr g / (sqrt(s) + eps)` with the state `s`, the mean of squares. With the second state `b`:
    /// `b = momentum b + g / (..)` and `w -= lr b`. With the third, the mean of gradients `a`: `s - a^2` in place of `s`.
    RmsProp, "rmsprop_step" {
        /// Learning rate.
        lr: f64,
        /// Decay of the means.
        alpha: f64,
        /// Added to the root.
        eps: f64,
        /// Factor of the second state.
        momentum: f64,
    }
    /// `w -= rate g / (sqrt(s) + eps)` with the state `s`, the sum of squares.
    Adagrad, "adagrad_step" {
        /// Learning rate, decayed.
        rate: f64,
        /// Added to the root.
        eps: f64,
    }
    /// `d = g sqrt(u + eps) / sqrt(s + eps)`, `w -= lr d` with the states `s` and `u`, the means of squares of `g` and `d`.
    Adadelta, "adadelta_step" {
        /// Learning rate.
        lr: f64,
        /// Decay of the means.
        rho: f64,
        /// Added below the roots.
        eps: f64,
    }
    /// `w -= rate m / u` with the states `m`, the mean of gradients, and `u = max(beta2 u, |g| + eps)`.
    Adamax, "adamax_step" {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the greatest gradient.
        beta2: f64,
        /// Added to the gradient's size.
        eps: f64,
        /// Learning rate, corrected for the start of `m` at zero.
        rate: f64,
    }
    /// `w -= (rate_grad g + rate_mean m) / (sqrt(v / correction) + eps)` with the states of [`Adam`].
    NAdam, "nadam_step" {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of squares.
        beta2: f64,
        /// Added to the root.
        eps: f64,
        /// Correction for the start of `v` at zero.
        correction: f64,
        /// Learning rate of the gradient.
        rate_grad: f64,
        /// Learning rate of the mean.
        rate_mean: f64,
    }
    /// `w -= lr m / correction`, times `root rectification / (sqrt(v) + eps)` once the variance is known well enough,
    /// with the states of [`Adam`].
    RAdam, "radam_step" {
        /// Learning rate.
        lr: f64,
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of squares.
        beta2: f64,
        /// Added to the root.
        eps: f64,
        /// Correction for the start of `m` at zero.
        correction: f64,
        /// `(root, rectification)`, or `None` in the first steps.
        adaptive: Option<(f64, f64)>,
    }
    /// `w -= rate g`; the state, an average of `w`, moves towards it by the share `average`.
    Asgd, "asgd_step" {
        /// Learning rate, decayed.
        rate: f64,
        /// 1 if the average is `w` itself.
        average: f64,
    }
    /// `w -= s sign(g)`. The states are the gradient of before and the step size `s`, which grows by `plus` while the
    /// gradient keeps its sign, and where it turns shrinks by `minus` and skips the step.
    Rprop, "rprop_step" {
        /// Factor below 1.
        minus: f64,
        /// Factor above 1.
        plus: f64,
        /// The smallest step size.
        min: f64,
        /// The largest.
        max: f64,
    }
}
