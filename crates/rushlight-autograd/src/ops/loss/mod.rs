//! Losses: from predictions and targets to a number, or one number a sample. The common ones are a single
//! node; others are composed.

mod binary;
mod classes;
mod ctc;
mod embedding;
mod likelihood;
mod margin;
mod pair;
mod regression;

pub use binary::{
    BceWithLogitsOptions, binary_cross_entropy, binary_cross_entropy_with, binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_with,
};
pub use classes::{
    CrossEntropyOptions, NllLossOptions, cross_entropy, cross_entropy_with, nll_loss, nll_loss_with,
};
pub use ctc::{CtcLossOptions, Lengths, ctc_loss, ctc_loss_with};
pub use embedding::{
    TripletMarginLossOptions, TripletMarginWithDistanceLossOptions, cosine_embedding_loss,
    cosine_embedding_loss_with, triplet_margin_loss, triplet_margin_loss_with,
    triplet_margin_with_distance_loss, triplet_margin_with_distance_loss_with,
};
pub use likelihood::{
    GaussianNllLossOptions, KlDivReduction, PoissonNllLossOptions, gaussian_nll_loss, gaussian_nll_loss_with,
    kl_div, kl_div_with, poisson_nll_loss, poisson_nll_loss_with,
};
pub use margin::{
    MultiMarginLossOptions, hinge_embedding_loss, hinge_embedding_loss_with, margin_ranking_loss,
    margin_ranking_loss_with, multi_margin_loss, multi_margin_loss_with, multilabel_margin_loss,
    multilabel_margin_loss_with, multilabel_soft_margin_loss, multilabel_soft_margin_loss_with,
    soft_margin_loss, soft_margin_loss_with,
};
pub use regression::{
    HuberLossOptions, huber_loss, huber_loss_with, l1_loss, l1_loss_with, mse_loss, mse_loss_with,
    smooth_l1_loss, smooth_l1_loss_with,
};

use crate::ops::where_;
use crate::table::OpInfo;
use crate::tensor::Tensor;
use rushlight_array::{Array, broadcast_shapes, fail};

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

/// max(x, 0) with the slope of PyTorch's `clamp_min`: none at 0, and none beside NaN, which stays.
#[track_caller]
fn above_zero(x: &Tensor) -> Tensor {
    where_(&x.gt(0.0), x, &x.detach().relu())
}

/// A tensor that a loss takes beside its input must be on the input's device.
#[track_caller]
fn check_device(op: &str, name: &str, other: &Tensor, input: &Tensor) {
    let (here, there) = (input.device(), other.device());
    if here != there {
        fail!("{op}: the input is on {here}, {name} on {there}; move one with .to(..)");
    }
}

/// Two tensors of a loss must broadcast and be on one device; the operations inside of it would name themselves.
#[track_caller]
fn check_together(op: &str, input: &Tensor, target: &Tensor) {
    check_device(op, "the target", target, input);
    broadcast_shapes(op, &input.shape(), &target.shape());
}

/// All, for samples.
const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

pub(crate) const TABLE: &[OpInfo] = &[
    classes::CROSS_ENTROPY,
    classes::NLL_LOSS,
    binary::BINARY_CROSS_ENTROPY,
    binary::BCE_WITH_LOGITS,
    regression::MSE_LOSS,
    regression::L1_LOSS,
    regression::SMOOTH_L1_LOSS,
    regression::HUBER_LOSS,
    likelihood::KL_DIV,
    likelihood::POISSON_NLL_LOSS,
    likelihood::GAUSSIAN_NLL_LOSS,
    margin::HINGE_EMBEDDING_LOSS,
    margin::MARGIN_RANKING_LOSS,
    margin::SOFT_MARGIN_LOSS,
    margin::MULTI_MARGIN_LOSS,
    margin::MULTILABEL_MARGIN_LOSS,
    margin::MULTILABEL_SOFT_MARGIN_LOSS,
    embedding::COSINE_EMBEDDING_LOSS,
    embedding::TRIPLET_MARGIN_LOSS,
    embedding::TRIPLET_MARGIN_WITH_DISTANCE_LOSS,
    ctc::CTC_LOSS,
    ctc::CTC_LOSS_BACKWARD,
];
