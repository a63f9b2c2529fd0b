//! Starting values of parameters: PyTorch's `torch.nn.init`. Each function overwrites a leaf in place, with
//! numbers from the default generator.

use rushlight_array::random::default_generator;
use rushlight_array::{Array, Device, fail};
use rushlight_autograd::{GradModeGuard, Tensor};

/// Which number of neighbours keeps its variance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FanMode {
    /// Inputs: the forward pass keeps its scale.
    FanIn,
    /// Outputs: the backward pass keeps its scale.
    FanOut,
}

/// The function that follows the layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nonlinearity {
    /// None, or a sigmoid.
    Linear,
    /// tanh.
    Tanh,
    /// ReLU.
    ReLU,
    /// Leaky ReLU; the slope is an argument of its own.
    LeakyReLU,
}

/// The factor by which a nonlinearity shrinks the scale; `slope` is that of a leaky ReLU.
///
/// ```
/// use rushlight_nn::init::{Nonlinearity, calculate_gain};
/// assert_eq!(calculate_gain(Nonlinearity::Tanh, 0.0), 5.0 / 3.0);
/// ```
pub fn calculate_gain(nonlinearity: Nonlinearity, slope: f64) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::ReLU => 2f64.sqrt(),
        Nonlinearity::LeakyReLU => (2.0 / (1.0 + slope * slope)).sqrt(),
    }
}

#[track_caller]
fn set(tensor: &Tensor, value: &Array) {
    let _mode = GradModeGuard::no_grad();
    tensor.set(value.to_device(&tensor.device()));
}

/// Values drawn evenly from `[low, high)`.
///
/// # Panics
/// If the tensor is not a float leaf.
#[track_caller]
pub fn uniform_(tensor: &Tensor, low: f64, high: f64) {
    set(tensor, &Array::uniform(tensor.shape(), low, high, tensor.dtype(), &default_generator()));
}

/// Normal values.
///
/// # Panics
/// If the tensor is not a float leaf.
#[track_caller]
pub fn normal_(tensor: &Tensor, mean: f64, std: f64) {
    set(tensor, &Array::normal(tensor.shape(), mean, std, tensor.dtype(), &default_generator()));
}

/// One value everywhere.
///
/// # Panics
/// If the tensor is not a leaf.
#[track_caller]
pub fn constant_(tensor: &Tensor, value: f64) {
    set(tensor, &Array::full(tensor.shape(), value, tensor.dtype(), &Device::cpu()));
}

/// Zeros.
///
/// # Panics
/// If the tensor is not a leaf.
#[track_caller]
pub fn zeros_(tensor: &Tensor) {
    constant_(tensor, 0.0);
}

/// Ones.
///
/// # Panics
/// If the tensor is not a leaf.
#[track_caller]
pub fn ones_(tensor: &Tensor) {
    constant_(tensor, 1.0);
}

/// `(fan_in, fan_out)` of a weight `(out, in, kernel...)`.
#[track_caller]
fn fans(op: &str, tensor: &Tensor) -> (f64, f64) {
    let shape = tensor.shape();
    if shape.len() < 2 {
        fail!("{op}: shape {shape:?} has no fan in and fan out; it must have at least two dims");
    }
    let kernel: usize = shape[2..].iter().product();
    ((shape[1] * kernel) as f64, (shape[0] * kernel) as f64)
}

/// Evenly drawn values that keep the variance of forward and backward pass (Glorot & Bengio, "Understanding
/// the difficulty of training deep feedforward neural networks", 2010).
///
/// # Panics
/// If the tensor is not a float leaf of at least two dims.
#[track_caller]
pub fn xavier_uniform_(tensor: &Tensor, gain: f64) {
    let (fan_in, fan_out) = fans("xavier_uniform_", tensor);
    let bound = 3f64.sqrt() * (gain * (2.0 / (fan_in + fan_out)).sqrt());
    uniform_(tensor, -bound, bound);
}

/// As [`xavier_uniform_`], with normal values.
///
/// # Panics
/// If the tensor is not a float leaf of at least two dims.
#[track_caller]
pub fn xavier_normal_(tensor: &Tensor, gain: f64) {
    let (fan_in, fan_out) = fans("xavier_normal_", tensor);
    normal_(tensor, 0.0, gain * (2.0 / (fan_in + fan_out)).sqrt());
}

#[track_caller]
fn kaiming_std(op: &str, tensor: &Tensor, slope: f64, mode: FanMode, nonlinearity: Nonlinearity) -> f64 {
    let (fan_in, fan_out) = fans(op, tensor);
    let fan = if mode == FanMode::FanIn { fan_in } else { fan_out };
    if fan == 0.0 { 0.0 } else { calculate_gain(nonlinearity, slope) / fan.sqrt() }
}

/// Evenly drawn values that keep the variance through rectifiers (He et al., "Delving deep into
/// rectifiers", 2015). `slope` is that of the leaky ReLU that follows.
///
/// # Panics
/// If the tensor is not a float leaf of at least two dims.
#[track_caller]
pub fn kaiming_uniform_(tensor: &Tensor, slope: f64, mode: FanMode, nonlinearity: Nonlinearity) {
    let bound = 3f64.sqrt() * kaiming_std("kaiming_uniform_", tensor, slope, mode, nonlinearity);
    uniform_(tensor, -bound, bound);
}

/// As [`kaiming_uniform_`], with normal values.
///
/// # Panics
/// If the tensor is not a float leaf of at least two dims.
#[track_caller]
pub fn kaiming_normal_(tensor: &Tensor, slope: f64, mode: FanMode, nonlinearity: Nonlinearity) {
    let std = kaiming_std("kaiming_normal_", tensor, slope, mode, nonlinearity);
    normal_(tensor, 0.0, std);
}
