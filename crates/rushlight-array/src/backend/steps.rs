//! The steps of optimisers, as a device must know them: numbers that are worked out, and a rule for each element.

/// One step of an optimiser on one parameter; see [`Backend::optimizer_step`](super::Backend::optimizer_step).
///
/// What depends on the number of the step (corrections, decayed rates) is worked out by the caller: a device applies the
/// [`StepRule`] to each element on its own.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OptimizerStep {
    /// Ascend instead of descend: the gradient's sign is turned before all else.
    pub maximize: bool,
    /// L2 penalty: `g += weight_decay * w`, with the `w` of before.
    pub weight_decay: f64,
    /// Decoupled decay: `w *= shrink` before the rule; 1 for none.
    pub shrink: f64,
    /// What happens then.
    pub rule: StepRule,
}

impl OptimizerStep {
    /// The rule alone, without decay.
    pub fn new(rule: StepRule) -> Self {
        OptimizerStep { maximize: false, weight_decay: 0.0, shrink: 1.0, rule }
    }
}

/// How an element of a parameter, its gradient `g` and up to three states change.
///
/// The states have fixed places, and one that is not wanted is left out. The order of roundings is that of PyTorch's
/// plain loops, but that a division by a number may be a product with its reciprocal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StepRule {
    /// `w -= lr g`. With the state `v`, the velocity: `v = momentum v + fresh g` and `w -= lr v`.
    Sgd {
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
    },
    /// `w -= rate m / (sqrt(v) / root + eps)` with the states `m`, the mean of gradients, `v`, that of their squares,
    /// and, if wanted, the greatest `v` so far, which takes its place.
    Adam {
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
    },
    /// `w -= lr g / (sqrt(s) + eps)` with the state `s`, the mean of squares. With the second state `b`:
    /// `b = momentum b + g / (..)` and `w -= lr b`. With the third, the mean of gradients `a`: `s - a^2` in place of `s`.
    RmsProp {
        /// Learning rate.
        lr: f64,
        /// Decay of the means.
        alpha: f64,
        /// Added to the root.
        eps: f64,
        /// Factor of the second state.
        momentum: f64,
    },
    /// `w -= rate g / (sqrt(s) + eps)` with the state `s`, the sum of squares.
    Adagrad {
        /// Learning rate, decayed.
        rate: f64,
        /// Added to the root.
        eps: f64,
    },
    /// `d = g sqrt(u + eps) / sqrt(s + eps)`, `w -= lr d` with the states `s` and `u`, the means of squares of `g` and `d`.
    Adadelta {
        /// Learning rate.
        lr: f64,
        /// Decay of the means.
        rho: f64,
        /// Added below the roots.
        eps: f64,
    },
    /// `w -= rate m / u` with the states `m`, the mean of gradients, and `u = max(beta2 u, |g| + eps)`.
    Adamax {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the greatest gradient.
        beta2: f64,
        /// Added to the gradient's size.
        eps: f64,
        /// Learning rate, corrected for the start of `m` at zero.
        rate: f64,
    },
    /// `w -= (rate_grad g + rate_mean m) / (sqrt(v / correction) + eps)` with the states of [`StepRule::Adam`].
    NAdam {
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
    },
    /// `w -= lr m / correction`, times `root rectification / (sqrt(v) + eps)` once the variance is known well enough,
    /// with the states of [`StepRule::Adam`].
    RAdam {
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
    },
    /// `w -= rate g`; the state, an average of `w`, moves towards it by the share `average`.
    Asgd {
        /// Learning rate, decayed.
        rate: f64,
        /// 1 if the average is `w` itself.
        average: f64,
    },
    /// `w -= s sign(g)`. The states are the gradient of before and the step size `s`, which grows by `plus` while the
    /// gradient keeps its sign, and where it turns shrinks by `minus` and skips the step.
    Rprop {
        /// Factor below 1.
        minus: f64,
        /// Factor above 1.
        plus: f64,
        /// The smallest step size.
        min: f64,
        /// The largest.
        max: f64,
    },
}

impl StepRule {
    /// A name for profiles: `adam_step`.
    pub fn name(&self) -> &'static str {
        match self {
            StepRule::Sgd { .. } => "sgd_step",
            StepRule::Adam { .. } => "adam_step",
            StepRule::RmsProp { .. } => "rmsprop_step",
            StepRule::Adagrad { .. } => "adagrad_step",
            StepRule::Adadelta { .. } => "adadelta_step",
            StepRule::Adamax { .. } => "adamax_step",
            StepRule::NAdam { .. } => "nadam_step",
            StepRule::RAdam { .. } => "radam_step",
            StepRule::Asgd { .. } => "asgd_step",
            StepRule::Rprop { .. } => "rprop_step",
        }
    }
}
