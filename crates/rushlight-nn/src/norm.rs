//! Normalisation layers.

use crate::conv::tuple;
use crate::fields;
use crate::module::{Buffer, Mode, Module, Parameter, Path};
use crate::print::{python_bool, python_float};
use crate::walk::{Field, Walk};
use rushlight_array::{Array, DType, Device, fail};
use rushlight_autograd::ops::{self, LocalResponseNormOptions};
use rushlight_autograd::{GradModeGuard, Tensor};

/// A trainable weight of ones and bias of zeros.
fn affine(shape: &[usize], wanted: bool) -> (Option<Parameter>, Option<Parameter>) {
    let filled = |value: f64| Parameter::new(Array::full(shape, value, DType::F32, &Device::cpu()));
    (wanted.then(|| filled(1.0)), wanted.then(|| filled(0.0)))
}

/// Running mean and variance.
#[derive(Debug)]
struct Running {
    mean: Buffer,
    var: Buffer,
    /// The number of batches seen, `i64` without dims.
    batches: Buffer,
}

impl Running {
    fn new(features: usize) -> Self {
        let filled = |value: f64| Buffer::new(Array::full(features, value, DType::F32, &Device::cpu()));
        Running { mean: filled(0.0), var: filled(1.0), batches: Buffer::new(Array::zeros((), DType::I64)) }
    }

    /// Counts a batch; its share in the running values, which without a momentum are the mean of all batches.
    fn count(&self, momentum: Option<f64>) -> f64 {
        let _mode = GradModeGuard::no_grad();
        let seen = self.batches.array().item::<i64>() + 1;
        self.batches.set(Tensor::constant(Array::full((), seen, DType::I64, &self.batches.device())));
        momentum.unwrap_or(1.0 / seen as f64)
    }
}

impl Field for Running {
    fn accept(&self, _: &str, walk: &mut Walk<'_>) {
        walk.field("running_mean", &self.mean);
        walk.field("running_var", &self.var);
        walk.field("num_batches_tracked", &self.batches);
    }
}

macro_rules! options {
    ($(#[$doc:meta])* $Options:ident, $on:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Debug)]
        pub struct $Options {
            /// Added to the variance.
            pub eps: f64,
            /// The share of a batch in the running statistics; `None` for the mean of all batches.
            pub momentum: Option<f64>,
            /// Whether there is a trainable weight.
            pub affine: bool,
            /// Whether there is a bias beside the weight.
            pub bias: bool,
            /// Whether running statistics are kept, which evaluation then uses.
            pub track_running_stats: bool,
        }

        impl Default for $Options {
            fn default() -> Self {
                $Options { eps: 1e-5, momentum: Some(0.1), affine: $on, bias: true, track_running_stats: $on }
            }
        }

        impl Field for $Options {
            fn accept(&self, _: &str, _: &mut Walk<'_>) {}
        }

        impl $Options {
            fn text(&self, features: usize) -> String {
                format!(
                    "{features}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}",
                    python_float(self.eps),
                    self.momentum.map_or("None".to_owned(), python_float),
                    python_bool(self.affine),
                    python_bool(self.affine && self.bias),
                    python_bool(self.track_running_stats)
                )
            }
        }
    };
}
options!(
    /// Options of [`BatchNorm1d`], [`BatchNorm2d`] and [`BatchNorm3d`].
    BatchNormOptions,
    true
);
options!(
    /// Options of [`InstanceNorm1d`], [`InstanceNorm2d`] and [`InstanceNorm3d`].
    InstanceNormOptions,
    false
);

macro_rules! channel_norms {
    ($($Name:ident, $Options:ident, $ranks:expr, $form:literal, $doc:literal, |$layer:ident, $x:ident| $forward:expr;)*) => {$(
        #[doc = $doc]
        ///
        #[doc = concat!("Shape: ", $form, ", unchanged; weight, bias and running statistics `(num_features)`.")]
        #[derive(Debug)]
        pub struct $Name {
            /// `(num_features)`, ones at the start.
            pub weight: Option<Parameter>,
            /// `(num_features)`, zeros at the start.
            pub bias: Option<Parameter>,
            running: Option<Running>,
            options: $Options,
            num_features: usize,
            training: Mode,
            path: Path,
        }
        fields!($Name { path, training, weight, bias, running, options, num_features });

        impl $Name {
            /// With PyTorch's defaults.
            pub fn new(num_features: usize) -> Self {
                $Name::with(num_features, $Options::default())
            }

            /// With other options.
            pub fn with(num_features: usize, options: $Options) -> Self {
                let (weight, bias) = affine(&[num_features], options.affine);
                let bias = bias.filter(|_| options.bias);
                let running = options.track_running_stats.then(|| Running::new(num_features));
                let (training, path) = (Mode::default(), Path::default());
                $Name { weight, bias, running, options, num_features, training, path }
            }

            /// The running mean, `(num_features)`, if it is kept.
            pub fn running_mean(&self) -> Option<&Tensor> {
                self.running.as_ref().map(|running| &*running.mean)
            }

            /// The running variance, `(num_features)`, if it is kept.
            pub fn running_var(&self) -> Option<&Tensor> {
                self.running.as_ref().map(|running| &*running.var)
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                if !$ranks.contains(&x.dim()) {
                    fail!("{}: the input has shape {:?}; it must be {}", stringify!($Name), x.shape(), $form);
                }
                let ($layer, $x) = (self, x);
                let y = $forward;
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                self.options.text(self.num_features)
            }
        }
    )*};
}

macro_rules! batch {
    ($layer:ident, $x:ident) => {{
        let training = $layer.training.is_training();
        let momentum = match &$layer.running {
            Some(running) if training => running.count($layer.options.momentum),
            _ => $layer.options.momentum.unwrap_or(0.0),
        };
        let options = ops::BatchNormOptions {
            training: training || $layer.running.is_none(),
            momentum,
            eps: $layer.options.eps,
        };
        let (mean, var) = ($layer.running_mean(), $layer.running_var());
        ops::batch_norm_with($x, mean, var, $layer.weight.as_deref(), $layer.bias.as_deref(), options)
    }};
}

/// Instance norms take a sample without a batch, too.
macro_rules! instance {
    ($layer:ident, $x:ident, $unbatched:literal) => {{
        let options = ops::InstanceNormOptions {
            use_input_stats: $layer.training.is_training() || $layer.running.is_none(),
            momentum: $layer.options.momentum.unwrap_or(0.0),
            eps: $layer.options.eps,
        };
        let single = $x.dim() == $unbatched;
        let x = if single { $x.unsqueeze(0) } else { $x.clone() };
        let (mean, var) = ($layer.running_mean(), $layer.running_var());
        let y =
            ops::instance_norm_with(&x, mean, var, $layer.weight.as_deref(), $layer.bias.as_deref(), options);
        if single { y.squeeze_dim(0) } else { y }
    }};
}

channel_norms! {
    BatchNorm1d, BatchNormOptions, [2, 3], "`(N, C)` or `(N, C, L)`",
        "Each channel normalised over the batch (Ioffe & Szegedy, \"Batch normalization\", 2015).",
        |layer, x| batch!(layer, x);
    BatchNorm2d, BatchNormOptions, [4], "`(N, C, H, W)`",
        "As [`BatchNorm1d`], of images.",
        |layer, x| batch!(layer, x);
    BatchNorm3d, BatchNormOptions, [5], "`(N, C, D, H, W)`",
        "As [`BatchNorm1d`], of volumes.",
        |layer, x| batch!(layer, x);
    InstanceNorm1d, InstanceNormOptions, [2, 3], "`(N, C, L)` or `(C, L)`",
        "Each channel of each sample normalised (Ulyanov et al., \"Instance normalization\", 2016).",
        |layer, x| instance!(layer, x, 2);
    InstanceNorm2d, InstanceNormOptions, [3, 4], "`(N, C, H, W)` or `(C, H, W)`",
        "As [`InstanceNorm1d`], of images.",
        |layer, x| instance!(layer, x, 3);
    InstanceNorm3d, InstanceNormOptions, [4, 5], "`(N, C, D, H, W)` or `(C, D, H, W)`",
        "As [`InstanceNorm1d`], of volumes.",
        |layer, x| instance!(layer, x, 4);
}

/// The last dims of each sample normalised together (Ba et al., "Layer normalization", 2016).
///
/// Shape: `(*, normalized_shape)`, unchanged; weight and bias `normalized_shape`.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_nn::{LayerNorm, Module};
/// let y = LayerNorm::new([2]).forward(&tensor([[1.0, 3.0]]));
/// assert!(y.allclose(&tensor([[-1.0, 1.0]]), 1e-4, 0.0));
/// ```
#[derive(Debug)]
pub struct LayerNorm {
    /// Of `normalized_shape`, ones at the start.
    pub weight: Option<Parameter>,
    /// Of `normalized_shape`, zeros at the start.
    pub bias: Option<Parameter>,
    normalized_shape: Vec<usize>,
    eps: f64,
    path: Path,
}
fields!(LayerNorm { path, weight, bias, normalized_shape, eps });

/// Options of [`LayerNorm`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LayerNormOptions {
    /// Added to the variance.
    pub eps: f64,
    /// Whether there is a trainable weight.
    pub elementwise_affine: bool,
    /// Whether there is a bias beside the weight.
    pub bias: bool,
}

impl Default for LayerNormOptions {
    fn default() -> Self {
        LayerNormOptions { eps: 1e-5, elementwise_affine: true, bias: true }
    }
}

impl LayerNorm {
    /// Over these last sizes, with PyTorch's defaults.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> Self {
        LayerNorm::with(normalized_shape, LayerNormOptions::default())
    }

    /// With other options.
    pub fn with(normalized_shape: impl Into<Vec<usize>>, options: LayerNormOptions) -> Self {
        let normalized_shape = normalized_shape.into();
        let (weight, bias) = affine(&normalized_shape, options.elementwise_affine);
        let bias = bias.filter(|_| options.bias);
        LayerNorm { weight, bias, normalized_shape, eps: options.eps, path: Path::default() }
    }
}

impl Module for LayerNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "LayerNorm");
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        let y = ops::layer_norm_with(x, &self.normalized_shape, weight, bias, self.eps);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        let shape = tuple(&self.normalized_shape);
        let affine = python_bool(self.weight.is_some());
        let bias = python_bool(self.bias.is_some());
        format!("{shape}, eps={}, elementwise_affine={affine}, bias={bias}", python_float(self.eps))
    }
}

/// The last dims of each sample divided by their root mean square (Zhang & Sennrich, "Root mean square layer
/// normalization", 2019).
///
/// Shape: `(*, normalized_shape)`, unchanged; weight `normalized_shape`.
#[derive(Debug)]
pub struct RMSNorm {
    /// Of `normalized_shape`, ones at the start.
    pub weight: Option<Parameter>,
    normalized_shape: Vec<usize>,
    eps: Option<f64>,
    path: Path,
}
fields!(RMSNorm { path, weight, normalized_shape, eps });

impl RMSNorm {
    /// Over these last sizes, with the epsilon of the dtype added to the mean square and a trainable weight.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> Self {
        RMSNorm::with(normalized_shape, None, true)
    }

    /// With a number that is added to the mean square, or without a weight.
    pub fn with(normalized_shape: impl Into<Vec<usize>>, eps: Option<f64>, elementwise_affine: bool) -> Self {
        let normalized_shape = normalized_shape.into();
        let (weight, _) = affine(&normalized_shape, elementwise_affine);
        RMSNorm { weight, normalized_shape, eps, path: Path::default() }
    }
}

impl Module for RMSNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "RMSNorm");
        let weight = self.weight.as_deref();
        let y = match self.eps {
            Some(eps) => ops::rms_norm_with(x, &self.normalized_shape, weight, eps),
            None => ops::rms_norm(x, &self.normalized_shape, weight),
        };
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        let shape = tuple(&self.normalized_shape);
        let eps = self.eps.map_or("None".to_owned(), python_float);
        format!("{shape}, eps={eps}, elementwise_affine={}", python_bool(self.weight.is_some()))
    }
}

/// Groups of channels of each sample normalised together (Wu & He, "Group normalization", 2018).
///
/// Shape: `(N, C, *)`, unchanged; weight and bias `(num_channels)`.
#[derive(Debug)]
pub struct GroupNorm {
    /// `(num_channels)`, ones at the start.
    pub weight: Option<Parameter>,
    /// `(num_channels)`, zeros at the start.
    pub bias: Option<Parameter>,
    num_groups: usize,
    num_channels: usize,
    eps: f64,
    path: Path,
}
fields!(GroupNorm { path, weight, bias, num_groups, num_channels, eps });

impl GroupNorm {
    /// With a trainable weight and bias, and 1e-5 added to the variance.
    ///
    /// # Panics
    /// If the channels cannot be cut into the groups.
    #[track_caller]
    pub fn new(num_groups: usize, num_channels: usize) -> Self {
        GroupNorm::with(num_groups, num_channels, 1e-5, true)
    }

    /// With another epsilon, or without weight and bias.
    ///
    /// # Panics
    /// If the channels cannot be cut into the groups.
    #[track_caller]
    pub fn with(num_groups: usize, num_channels: usize, eps: f64, with_affine: bool) -> Self {
        if num_groups == 0 || !num_channels.is_multiple_of(num_groups) {
            fail!(
                "GroupNorm: {num_channels} channels cannot be cut into {num_groups} groups; they must be a multiple"
            );
        }
        let (weight, bias) = affine(&[num_channels], with_affine);
        GroupNorm { weight, bias, num_groups, num_channels, eps, path: Path::default() }
    }
}

impl Module for GroupNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "GroupNorm");
        let (weight, bias) = (self.weight.as_deref(), self.bias.as_deref());
        let y = ops::group_norm_with(x, self.num_groups, weight, bias, self.eps);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        let affine = python_bool(self.weight.is_some());
        let eps = python_float(self.eps);
        format!("{}, {}, eps={eps}, affine={affine}, bias={affine}", self.num_groups, self.num_channels)
    }
}

impl Field for LocalResponseNormOptions {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

/// Each element divided by a power of the mean square of its neighbours in other channels (Krizhevsky et al., "ImageNet
/// classification with deep convolutional neural networks", 2012).
///
/// Shape: `(N, C, *)`, unchanged.
#[derive(Debug)]
pub struct LocalResponseNorm {
    size: usize,
    options: LocalResponseNormOptions,
    path: Path,
}
fields!(LocalResponseNorm { path, size, options });

impl LocalResponseNorm {
    /// Over so many channels, with PyTorch's defaults.
    pub fn new(size: usize) -> Self {
        LocalResponseNorm::with(size, LocalResponseNormOptions::default())
    }

    /// With other options.
    pub fn with(size: usize, options: LocalResponseNormOptions) -> Self {
        LocalResponseNorm { size, options, path: Path::default() }
    }
}

impl Module for LocalResponseNorm {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "LocalResponseNorm");
        let y = ops::local_response_norm_with(x, self.size, self.options);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        let LocalResponseNormOptions { alpha, beta, k } = self.options;
        let [alpha, beta, k] = [alpha, beta, k].map(python_float);
        format!("{}, alpha={alpha}, beta={beta}, k={k}", self.size)
    }
}
