//! Starting values of parameters: PyTorch's `torch.nn.init`. Each function overwrites a leaf in place, with
//! numbers from the default generator.

use rushlight_array::random::default_generator;
use rushlight_array::{Array, DType, Device, fail};
use rushlight_autograd::ops::{linalg, where_};
use rushlight_autograd::{GradModeGuard, Tensor, no_grad};

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
    /// None, or a convolution.
    Linear,
    /// A sigmoid.
    Sigmoid,
    /// tanh.
    Tanh,
    /// ReLU.
    ReLU,
    /// Leaky ReLU; the slope is an argument of its own.
    LeakyReLU,
    /// SELU.
    SELU,
}

/// The factor by which a nonlinearity shrinks the scale; `slope` is that of a leaky ReLU.
///
/// ```
/// use rushlight_nn::init::{Nonlinearity, calculate_gain};
/// assert_eq!(calculate_gain(Nonlinearity::Tanh, 0.0), 5.0 / 3.0);
/// ```
pub fn calculate_gain(nonlinearity: Nonlinearity, slope: f64) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::SELU => 0.75,
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
    let (generator, device) = (default_generator(), tensor.device());
    set(tensor, &Array::uniform_on(tensor.shape(), low, high, tensor.dtype(), &generator, &device));
}

/// Normal values.
///
/// # Panics
/// If the tensor is not a float leaf.
#[track_caller]
pub fn normal_(tensor: &Tensor, mean: f64, std: f64) {
    let (generator, device) = (default_generator(), tensor.device());
    set(tensor, &Array::normal_on(tensor.shape(), mean, std, tensor.dtype(), &generator, &device));
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

/// Normal values within `[low, high]`: others are rejected and drawn again.
///
/// Candidates are normal where most of these fit, and else even ones, accepted with the density as the probability; both
/// as in PyTorch.
///
/// # Panics
/// If the tensor is not a float leaf, or the bounds are no range of numbers.
#[track_caller]
pub fn trunc_normal_(tensor: &Tensor, mean: f64, std: f64, low: f64, high: f64) {
    if !(low < high && std > 0.0 && low.is_finite() && high.is_finite()) {
        fail!(
            "trunc_normal_: std {std} within {low} and {high}; it must be positive, and the bounds a finite range"
        );
    }
    let (shape, dtype) = (tensor.shape(), tensor.dtype());
    let even = |low: f64, high: f64| {
        Tensor::constant(Array::uniform(&shape, low, high, dtype, &default_generator()))
    };
    let below = |x: f64| 0.5 * (1.0 + erf((x - mean) / std / 2f64.sqrt()));
    let _mode = GradModeGuard::no_grad();
    let values = if below(high) - below(low) > 0.3 {
        let normal = || Tensor::constant(Array::normal(&shape, mean, std, dtype, &default_generator()));
        let mut values = normal();
        loop {
            let outside = values.lt(low).bitwise_or(&values.gt(high));
            if !outside.any().item_as::<bool>() {
                break values;
            }
            values = where_(&outside, &normal(), &values);
        }
    } else {
        // The logarithm of the density, 0 at its peak in the range.
        let peak = ((mean.clamp(low, high) - mean) / std).powi(2) * -0.5;
        let density = |x: &Tensor| ((x - mean) / std).pow(2) * -0.5 - peak;
        let mut values = even(low, high);
        let mut rejected = even(0.0, 1.0).log().gt(&density(&values));
        while rejected.any().item_as::<bool>() {
            let candidates = even(low, high);
            values = where_(&rejected, &candidates, &values);
            let again = even(0.0, 1.0).log().gt(&density(&candidates));
            rejected = rejected.bitwise_and(&again);
        }
        values
    };
    set(tensor, &values.array());
}

/// The error function of a number.
fn erf(x: f64) -> f64 {
    Tensor::constant(Array::full((), x, DType::F64, &Device::cpu())).erf().item()
}

/// An identity matrix: inputs go through unchanged.
///
/// # Panics
/// If the tensor is not a leaf of two dims.
#[track_caller]
pub fn eye_(tensor: &Tensor) {
    let shape = tensor.shape();
    if shape.len() != 2 {
        fail!("eye_: shape {shape:?}; it must have two dims");
    }
    set(tensor, &Array::eye(shape[0], shape[1], tensor.dtype()));
}

/// Ones where a convolution hands each channel of a group through, zeros elsewhere.
///
/// # Panics
/// If the tensor is not a leaf of 3 to 5 dims, or the groups do not divide the outputs.
#[track_caller]
pub fn dirac_(tensor: &Tensor, groups: usize) {
    let shape = tensor.shape();
    if !(3..=5).contains(&shape.len()) || groups == 0 || !shape[0].is_multiple_of(groups) {
        fail!(
            "dirac_: shape {shape:?} with {groups} groups; it must have 3 to 5 dims, the first a multiple of the groups"
        );
    }
    let of_group = shape[0] / groups;
    let kernel: usize = shape[2..].iter().product();
    // The place in the middle of each axis.
    let middle = shape[2..].iter().fold(0, |at, &size| at * size + size / 2);
    let mut values = vec![0f64; tensor.numel()];
    for group in 0..groups {
        for d in 0..of_group.min(shape[1]) {
            values[((group * of_group + d) * shape[1] + d) * kernel + middle] = 1.0;
        }
    }
    set(tensor, &Array::from_vec(values, shape).cast(tensor.dtype()));
}

/// Orthogonal rows or columns, times `gain` (Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep
/// linear neural networks", 2013). Dims behind the first are taken together.
///
/// # Panics
/// If the tensor is not a float leaf of at least two dims.
#[track_caller]
pub fn orthogonal_(tensor: &Tensor, gain: f64) {
    let shape = tensor.shape();
    if shape.len() < 2 {
        fail!("orthogonal_: shape {shape:?}; it must have at least two dims");
    }
    if tensor.numel() == 0 {
        return;
    }
    let (rows, columns) = (shape[0], tensor.numel() / shape[0]);
    let drawn = Array::normal([rows, columns], 0.0, 1.0, tensor.dtype(), &default_generator());
    let values = no_grad(|| {
        let drawn = Tensor::constant(drawn);
        let drawn = if rows < columns { drawn.t() } else { drawn };
        let (q, r) = linalg::qr(&drawn);
        let q = q * r.diagonal().sign();
        let q = if rows < columns { q.t() } else { q };
        (q * gain).reshape(&shape[..]).array()
    });
    set(tensor, &values);
}

/// Normal values, but in each column a share of zeros (Martens, "Deep learning via Hessian-free optimization", 2010).
///
/// # Panics
/// If the tensor is not a float leaf of two dims, or the share is not in 0-1.
#[track_caller]
pub fn sparse_(tensor: &Tensor, sparsity: f64, std: f64) {
    let shape = tensor.shape();
    if shape.len() != 2 || !(0.0..=1.0).contains(&sparsity) {
        fail!(
            "sparse_: shape {shape:?} with sparsity {sparsity}; it must have two dims, and the share be in 0-1"
        );
    }
    let (rows, columns) = (shape[0], shape[1]);
    let zeros = (sparsity * rows as f64).ceil() as usize;
    let drawn = Array::normal([rows, columns], 0.0, std, tensor.dtype(), &default_generator());
    let mut values = drawn.cast(DType::F64).to_vec::<f64>();
    for column in 0..columns {
        for row in Array::randperm(rows, &default_generator()).to_vec::<i64>().into_iter().take(zeros) {
            values[row as usize * columns + column] = 0.0;
        }
    }
    set(tensor, &Array::from_vec(values, shape).cast(tensor.dtype()));
}
