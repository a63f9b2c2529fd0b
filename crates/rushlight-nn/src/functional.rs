//! Layers and losses as functions: PyTorch's `torch.nn.functional`.

mod activation;

pub use rushlight_autograd::ops::{layer_norm, linear, rms_norm};

// Losses.
pub use rushlight_autograd::ops::{
    BceWithLogitsOptions, CrossEntropyOptions, CtcLossOptions, GaussianNllLossOptions, HuberLossOptions,
    KlDivReduction, Lengths, MultiMarginLossOptions, NllLossOptions, PoissonNllLossOptions, Reduction,
    TripletMarginLossOptions, binary_cross_entropy, binary_cross_entropy_with,
    binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with, cosine_embedding_loss,
    cosine_embedding_loss_with, cross_entropy, cross_entropy_with, ctc_loss, ctc_loss_with,
    gaussian_nll_loss, gaussian_nll_loss_with, hinge_embedding_loss, hinge_embedding_loss_with, huber_loss,
    huber_loss_with, kl_div, kl_div_with, l1_loss, l1_loss_with, margin_ranking_loss,
    margin_ranking_loss_with, mse_loss, mse_loss_with, multi_margin_loss, multi_margin_loss_with,
    multilabel_margin_loss, multilabel_margin_loss_with, multilabel_soft_margin_loss,
    multilabel_soft_margin_loss_with, nll_loss, nll_loss_with, poisson_nll_loss, poisson_nll_loss_with,
    smooth_l1_loss, smooth_l1_loss_with, soft_margin_loss, soft_margin_loss_with, triplet_margin_loss,
    triplet_margin_loss_with,
};
pub use rushlight_autograd::ops::{
    EmbeddingBagMode, EmbeddingBagOptions, EmbeddingOptions, embedding, embedding_bag, embedding_bag_with,
    embedding_with, one_hot, one_hot_with,
};
pub use rushlight_autograd::ops::{PadMode, channel_shuffle, pad, pad_with, pixel_shuffle, pixel_unshuffle};

/// max(x, 0).
#[track_caller]
pub fn relu(x: &Tensor) -> Tensor {
    x.relu()
}

/// x where positive, else slope * x.
#[track_caller]
pub fn leaky_relu(x: &Tensor, slope: f64) -> Tensor {
    x.leaky_relu(slope)
}

/// The hyperbolic tangent.
#[track_caller]
pub fn tanh(x: &Tensor) -> Tensor {
    x.tanh()
}

/// 1 / (1 + exp(-x)).
#[track_caller]
pub fn sigmoid(x: &Tensor) -> Tensor {
    x.sigmoid()
}

/// x times the probability that a normal number is below x.
#[track_caller]
pub fn gelu(x: &Tensor) -> Tensor {
    x.gelu()
}

/// [`gelu`] by a formula with tanh: PyTorch's `approximate="tanh"`.
#[track_caller]
pub fn gelu_tanh(x: &Tensor) -> Tensor {
    x.gelu_tanh()
}

/// exp(x) over its sum along a dim.
///
/// # Panics
/// If the dtype is not a float or the dim is out of range.
#[track_caller]
pub fn softmax(x: &Tensor, dim: isize) -> Tensor {
    x.softmax(dim)
}

/// The logarithm of the softmax along a dim.
///
/// # Panics
/// If the dtype is not a float or the dim is out of range.
#[track_caller]
pub fn log_softmax(x: &Tensor, dim: isize) -> Tensor {
    x.log_softmax(dim)
}

/// Sets each element to zero with probability `p` and multiplies the others by 1 / (1 - p); nothing unless
/// `training`. The mask is drawn from the default generator, and none is drawn where it cannot matter.
///
/// # Panics
/// If `p` is not a probability.
#[track_caller]
pub fn dropout(x: &Tensor, p: f64, training: bool) -> Tensor {
    if !(0.0..=1.0).contains(&p) {
        fail!("dropout: p is {p}; a probability must be between 0 and 1");
    }
    if !training || p == 0.0 || x.numel() == 0 {
        return x.clone();
    }
    if p == 1.0 {
        return x * 0.0;
    }
    let mask = Array::bernoulli(x.shape(), 1.0 - p, &default_generator()).cast(x.dtype());
    let mask = mask.div(&mask.scalar_operand(1.0 - p)).to_device(&x.device());
    x * Tensor::constant(mask)
}
pub use activation::*;
pub use rushlight_autograd::ops::{
    BceOptions, BceWithLogitsOptions, CrossEntropyOptions, NllLossOptions, Reduction, binary_cross_entropy,
    binary_cross_entropy_with, binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with,
    cross_entropy, cross_entropy_with, dropout, dropout_, dropout2d, dropout2d_, layer_norm, linear,
    mse_loss, mse_loss_with, nll_loss, nll_loss_with, rms_norm,
};
