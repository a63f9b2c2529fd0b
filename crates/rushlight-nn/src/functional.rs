//! Layers and losses as functions: PyTorch's `torch.nn.functional`.

mod activation;

pub use activation::*;
pub use rushlight_autograd::ops::{
    BceOptions, BceWithLogitsOptions, CrossEntropyOptions, NllLossOptions, Reduction, binary_cross_entropy,
    binary_cross_entropy_with, binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with,
    cross_entropy, cross_entropy_with, dropout, dropout_, dropout2d, dropout2d_, layer_norm, linear,
    mse_loss, mse_loss_with, nll_loss, nll_loss_with, rms_norm,
};
