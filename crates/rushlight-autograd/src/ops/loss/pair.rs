//! Losses that a pair of numbers has, whatever stands beside it: one node each.

use super::{Reduction, check_device};
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::where_;
use crate::tensor::Tensor;
use rushlight_array::backend::PairLoss;
use rushlight_array::{Array, broadcast_shapes, fail};

/// A loss of pairs of predictions and targets, which broadcast.
#[derive(Debug)]
pub(super) struct Pair {
    kind: PairLoss,
    reduction: Reduction,
}

/// The losses of all pairs, reduced.
#[track_caller]
pub(super) fn pair_loss(kind: PairLoss, input: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    check_device(name(kind), "the target", target, input);
    Tensor::apply(Pair { kind, reduction }, &[input, target])
}

/// PyTorch's name.
fn name(kind: PairLoss) -> &'static str {
    match kind {
        PairLoss::Square => "mse_loss",
        PairLoss::Absolute => "l1_loss",
        PairLoss::Huber(_) => "huber_loss",
        PairLoss::SmoothL1(_) => "smooth_l1_loss",
        PairLoss::Probability => "binary_cross_entropy",
        PairLoss::Logit => "binary_cross_entropy_with_logits",
    }
}

impl Pair {
    /// The slope of the loss, for passes that are recorded: of operations that have rules of their own.
    fn slope(&self, x: &Tensor, y: &Tensor) -> Tensor {
        match self.kind {
            PairLoss::Square => (x - y) * 2.0,
            PairLoss::Absolute => (x - y).sign(),
            PairLoss::Huber(delta) => (x - y).clamp(-delta, delta),
            PairLoss::SmoothL1(beta) => ((x - y) / beta).clamp(-1.0, 1.0),
            PairLoss::Probability => (x - y) / (x * (1.0 - x)).clamp(PairLoss::LEAST, f64::INFINITY),
            PairLoss::Logit => {
                // The sigmoid on its small side, as in the kernel.
                let below = x.lt(0.0);
                let small = where_(&below, x, &-x).sigmoid();
                where_(&below, &(&small - y), &((1.0 - y) - &small))
            }
        }
    }

    /// The slope with respect to the target, where it is not the other one's negative.
    fn target_slope(&self, x: &Tensor) -> Tensor {
        match self.kind {
            PairLoss::Probability => (1.0 - x).log() - x.log(),
            _ => -x,
        }
    }
}

impl Op for Pair {
    fn name(&self) -> &'static str {
        name(self.kind)
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let [a, b] = [inputs[0].dtype(), inputs[1].dtype()];
        if !a.is_float() && !b.is_float() {
            fail!(
                "{}: input and target are {} and {}; one must be a float, cast with .to(DType::F32)",
                self.name(),
                a.name(),
                b.name()
            );
        }
        self.reduction.array(&inputs[0].pair_loss(self.name(), self.kind, inputs[1]))
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let count = broadcast_shapes(self.name(), saved.shape(0), saved.shape(1)).numel();
        let grad = self.reduction.spread(grad, count);
        let recorded = is_grad_enabled();
        let of_difference = !matches!(self.kind, PairLoss::Probability | PairLoss::Logit);
        let slope = || {
            if recorded {
                &grad * self.slope(&saved.input(0), &saved.input(1))
            } else {
                let (x, y) = (saved.input_array(0), saved.input_array(1));
                x.pair_loss_grad(self.name(), self.kind, y, &grad.value()).into()
            }
        };
        if of_difference && give.needs(0) && give.needs(1) {
            let slope: Tensor = slope();
            give.to(0, || slope.clone());
            give.to(1, || -&slope);
            return;
        }
        give.to(0, slope);
        give.to(1, || match of_difference {
            true => -slope(),
            false => &grad * self.target_slope(&saved.input(0)),
        });
    }
}
