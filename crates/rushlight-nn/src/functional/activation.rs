//! Activation functions as functions. Each panics as the method that it calls.

use rushlight_array::DType;
use rushlight_autograd::Tensor;

/// max(x, 0). See [`Tensor::relu`].
#[track_caller]
pub fn relu(x: &Tensor) -> Tensor {
    x.relu()
}

/// x moved into 0..=6. See [`Tensor::relu6`].
#[track_caller]
pub fn relu6(x: &Tensor) -> Tensor {
    x.relu6()
}

/// x where positive, else 0.01 x. See [`Tensor::leaky_relu`].
#[track_caller]
pub fn leaky_relu(x: &Tensor) -> Tensor {
    x.leaky_relu()
}

/// x where positive, else `negative_slope` x. See [`Tensor::leaky_relu_with`].
#[track_caller]
pub fn leaky_relu_with(x: &Tensor, negative_slope: f64) -> Tensor {
    x.leaky_relu_with(negative_slope)
}

/// x where positive, else `weight` x. See [`Tensor::prelu`].
#[track_caller]
pub fn prelu(x: &Tensor, weight: &Tensor) -> Tensor {
    x.prelu(weight)
}

/// The hyperbolic tangent. See [`Tensor::tanh`].
#[track_caller]
pub fn tanh(x: &Tensor) -> Tensor {
    x.tanh()
}

/// 1 / (1 + exp(-x)). See [`Tensor::sigmoid`].
#[track_caller]
pub fn sigmoid(x: &Tensor) -> Tensor {
    x.sigmoid()
}

/// x times the probability that a normal number is below x. See [`Tensor::gelu`].
#[track_caller]
pub fn gelu(x: &Tensor) -> Tensor {
    x.gelu()
}

/// [`gelu`] by a formula with tanh: PyTorch's `approximate="tanh"`. See [`Tensor::gelu_tanh`].
#[track_caller]
pub fn gelu_tanh(x: &Tensor) -> Tensor {
    x.gelu_tanh()
}

/// x sigmoid(x). See [`Tensor::silu`].
#[track_caller]
pub fn silu(x: &Tensor) -> Tensor {
    x.silu()
}

/// x tanh(log(1 + exp(x))). See [`Tensor::mish`].
#[track_caller]
pub fn mish(x: &Tensor) -> Tensor {
    x.mish()
}

/// log(1 + exp(x)). See [`Tensor::softplus`].
#[track_caller]
pub fn softplus(x: &Tensor) -> Tensor {
    x.softplus()
}

/// log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold. See [`Tensor::softplus_with`].
#[track_caller]
pub fn softplus_with(x: &Tensor, beta: f64, threshold: f64) -> Tensor {
    x.softplus_with(beta, threshold)
}

/// x where positive, else exp(x) - 1. See [`Tensor::elu`].
#[track_caller]
pub fn elu(x: &Tensor) -> Tensor {
    x.elu()
}

/// x where positive, else alpha (exp(x) - 1). See [`Tensor::elu_with`].
#[track_caller]
pub fn elu_with(x: &Tensor, alpha: f64) -> Tensor {
    x.elu_with(alpha)
}

/// x where positive, else exp(x) - 1. See [`Tensor::celu`].
#[track_caller]
pub fn celu(x: &Tensor) -> Tensor {
    x.celu()
}

/// x where positive, else alpha (exp(x / alpha) - 1). See [`Tensor::celu_with`].
#[track_caller]
pub fn celu_with(x: &Tensor, alpha: f64) -> Tensor {
    x.celu_with(alpha)
}

/// [`elu`] with numbers that keep mean and deviation. See [`Tensor::selu`].
#[track_caller]
pub fn selu(x: &Tensor) -> Tensor {
    x.selu()
}

/// The first half along a dim times the sigmoid of the second half. See [`Tensor::glu`].
#[track_caller]
pub fn glu(x: &Tensor, dim: isize) -> Tensor {
    x.glu(dim)
}

/// x / 6 + 1 / 2 moved into 0..=1. See [`Tensor::hardsigmoid`].
#[track_caller]
pub fn hardsigmoid(x: &Tensor) -> Tensor {
    x.hardsigmoid()
}

/// x hardsigmoid(x). See [`Tensor::hardswish`].
#[track_caller]
pub fn hardswish(x: &Tensor) -> Tensor {
    x.hardswish()
}

/// x moved into -1..=1. See [`Tensor::hardtanh`].
#[track_caller]
pub fn hardtanh(x: &Tensor) -> Tensor {
    x.hardtanh()
}

/// x moved into `min_val..=max_val`. See [`Tensor::hardtanh_with`].
#[track_caller]
pub fn hardtanh_with(x: &Tensor, min_val: f64, max_val: f64) -> Tensor {
    x.hardtanh_with(min_val, max_val)
}

/// log(sigmoid(x)). See [`Tensor::logsigmoid`].
#[track_caller]
pub fn logsigmoid(x: &Tensor) -> Tensor {
    x.logsigmoid()
}

/// x / (1 + |x|). See [`Tensor::softsign`].
#[track_caller]
pub fn softsign(x: &Tensor) -> Tensor {
    x.softsign()
}

/// x - tanh(x). See [`Tensor::tanhshrink`].
#[track_caller]
pub fn tanhshrink(x: &Tensor) -> Tensor {
    x.tanhshrink()
}

/// x where it is above the threshold, else the value. See [`Tensor::threshold`].
#[track_caller]
pub fn threshold(x: &Tensor, threshold: f64, value: f64) -> Tensor {
    x.threshold(threshold, value)
}

/// x where its absolute value is above 1/2, else 0. See [`Tensor::hardshrink`].
#[track_caller]
pub fn hardshrink(x: &Tensor) -> Tensor {
    x.hardshrink()
}

/// x where its absolute value is above `lambd`, else 0. See [`Tensor::hardshrink_with`].
#[track_caller]
pub fn hardshrink_with(x: &Tensor, lambd: f64) -> Tensor {
    x.hardshrink_with(lambd)
}

/// x moved towards 0 by 1/2, at most to 0. See [`Tensor::softshrink`].
#[track_caller]
pub fn softshrink(x: &Tensor) -> Tensor {
    x.softshrink()
}

/// x moved towards 0 by `lambd`, at most to 0. See [`Tensor::softshrink_with`].
#[track_caller]
pub fn softshrink_with(x: &Tensor, lambd: f64) -> Tensor {
    x.softshrink_with(lambd)
}

/// exp(x) over its sum along a dim. See [`Tensor::softmax`].
#[track_caller]
pub fn softmax(x: &Tensor, dim: isize) -> Tensor {
    x.softmax(dim)
}

/// [`softmax`] of the tensor cast to a dtype first. See [`Tensor::softmax_with`].
#[track_caller]
pub fn softmax_with(x: &Tensor, dim: isize, dtype: DType) -> Tensor {
    x.softmax_with(dim, dtype)
}

/// The logarithm of the softmax along a dim. See [`Tensor::log_softmax`].
#[track_caller]
pub fn log_softmax(x: &Tensor, dim: isize) -> Tensor {
    x.log_softmax(dim)
}

/// [`log_softmax`] of the tensor cast to a dtype first. See [`Tensor::log_softmax_with`].
#[track_caller]
pub fn log_softmax_with(x: &Tensor, dim: isize, dtype: DType) -> Tensor {
    x.log_softmax_with(dim, dtype)
}

/// The softmax of -x along a dim. See [`Tensor::softmin`].
#[track_caller]
pub fn softmin(x: &Tensor, dim: isize) -> Tensor {
    x.softmin(dim)
}

/// [`softmin`] of the tensor cast to a dtype first. See [`Tensor::softmin_with`].
#[track_caller]
pub fn softmin_with(x: &Tensor, dim: isize, dtype: DType) -> Tensor {
    x.softmin_with(dim, dtype)
}
