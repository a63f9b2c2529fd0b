//! Losses: from predictions and targets to a number, or one number a sample. The common ones are a single
//! node; [`nll_loss`], and [`cross_entropy`] with weights, smoothing or probabilities, are composed of others.

mod binary;
mod classes;

pub use binary::{
    BceOptions, BceWithLogitsOptions, binary_cross_entropy, binary_cross_entropy_with,
    binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with, mse_loss, mse_loss_with,
};
pub use classes::{
    CrossEntropyOptions, NllLossOptions, cross_entropy, cross_entropy_with, nll_loss, nll_loss_with,
};

use crate::table::OpInfo;
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// What becomes of the losses of the single samples.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Nothing: one loss for each.
    None,
}

impl Reduction {
    #[track_caller]
    fn array(self, losses: &Array) -> Array {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses.clone(),
        }
    }

    #[track_caller]
    fn tensor(self, losses: &Tensor) -> Tensor {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses.clone(),
        }
    }

    /// The gradient of a single loss, from that of the result.
    fn spread(self, grad: &Tensor, count: usize) -> Tensor {
        match self {
            Reduction::Mean => grad / count as f64,
            Reduction::Sum | Reduction::None => grad.clone(),
        }
    }
}

/// A tensor that a loss takes beside its input must be on the input's device.
#[track_caller]
fn check_device(op: &str, name: &str, other: &Tensor, input: &Tensor) {
    let (here, there) = (input.device(), other.device());
    if here != there {
        fail!("{op}: the input is on {here}, {name} on {there}; move one with .to(..)");
    }
}

pub(crate) static TABLE: &[OpInfo] =
    &[classes::CROSS_ENTROPY, binary::BINARY_CROSS_ENTROPY, binary::BCE_WITH_LOGITS, binary::MSE_LOSS];
