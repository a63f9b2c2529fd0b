//! Layers and losses as functions: PyTorch's `torch.nn.functional`.

use rushlight_array::random::default_generator;
use rushlight_array::{Array, fail};
use rushlight_autograd::Tensor;

pub use rushlight_autograd::ops::{
    BceOptions, BceWithLogitsOptions, CrossEntropyOptions, NllLossOptions, Reduction, binary_cross_entropy,
    binary_cross_entropy_with, binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with,
    cross_entropy, cross_entropy_with, linear, mse_loss, mse_loss_with, nll_loss, nll_loss_with,
};

// Windows and normalisation.
pub use rushlight_autograd::ops::{
    AvgPool1dOptions, AvgPool2dOptions, AvgPool3dOptions, AvgPoolOptions, BatchNormOptions, Conv1dOptions,
    Conv2dOptions, Conv3dOptions, ConvOptions, ConvTranspose1dOptions, ConvTranspose2dOptions,
    ConvTranspose3dOptions, ConvTransposeOptions, InstanceNormOptions, InterpolateMode, InterpolateOptions,
    LocalResponseNormOptions, MaxPool1dOptions, MaxPool2dOptions, MaxPool3dOptions, MaxPoolOptions,
    OutputSize, Padding, PerAxis, Resize, UnfoldOptions, adaptive_avg_pool1d, adaptive_avg_pool2d,
    adaptive_avg_pool3d, adaptive_max_pool1d, adaptive_max_pool1d_with_indices, adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices, adaptive_max_pool3d, adaptive_max_pool3d_with_indices, avg_pool1d,
    avg_pool1d_with, avg_pool2d, avg_pool2d_with, avg_pool3d, avg_pool3d_with, batch_norm, batch_norm_with,
    conv_transpose1d, conv_transpose1d_with, conv_transpose2d, conv_transpose2d_with, conv_transpose3d,
    conv_transpose3d_with, conv1d, conv1d_with, conv2d, conv2d_with, conv3d, conv3d_with, fold, fold_with,
    group_norm, group_norm_with, instance_norm, instance_norm_with, interpolate, interpolate_with,
    layer_norm, layer_norm_with, local_response_norm, local_response_norm_with, max_pool1d, max_pool1d_with,
    max_pool1d_with_indices, max_pool2d, max_pool2d_with, max_pool2d_with_indices, max_pool3d,
    max_pool3d_with, max_pool3d_with_indices, rms_norm, rms_norm_with, unfold, unfold_with,
};

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
