//! Activations as layers. Those without parameters and options are values: `ReLU`.

use crate::fields;
use crate::module::{Mode, Module, Parameter, Path};
use crate::print::python_float;
use rushlight_array::{Array, DType, Device};
use rushlight_autograd::Tensor;

macro_rules! activation {
    ($($(#[$doc:meta])* $Name:ident, $method:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shape: any, unchanged.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $Name;
        fields!($Name {});

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                x.$method()
            }
        }
    )*};
}
activation! {
    /// max(x, 0).
    ReLU, relu;
    /// x moved into 0..=6.
    ReLU6, relu6;
    /// The hyperbolic tangent.
    Tanh, tanh;
    /// 1 / (1 + exp(-x)).
    Sigmoid, sigmoid;
    /// log(1 / (1 + exp(-x))).
    LogSigmoid, logsigmoid;
    /// x sigmoid(x), also called swish (Elfwing et al., "Sigmoid-weighted linear units", 2017).
    SiLU, silu;
    /// x tanh(softplus(x)) (Misra, "Mish: a self regularized non-monotonic activation function", 2019).
    Mish, mish;
    /// A scaled exponential unit that keeps mean 0 and variance 1 (Klambauer et al., "Self-normalizing neural networks",
    /// 2017).
    SELU, selu;
    /// x / 6 + 1 / 2 moved into 0..=1.
    Hardsigmoid, hardsigmoid;
    /// x times the hard sigmoid of x (Howard et al., "Searching for MobileNetV3", 2019).
    Hardswish, hardswish;
    /// x / (1 + |x|).
    Softsign, softsign;
    /// x - tanh(x).
    Tanhshrink, tanhshrink;
}

/// Names and numbers; PyTorch leaves the names of the two shrinking ones out.
fn shown(layer: &str, numbers: &[(&str, f64)]) -> String {
    let one = |&(name, number): &(&str, f64)| match layer {
        "Hardshrink" | "Softshrink" => python_float(number),
        _ => format!("{name}={}", python_float(number)),
    };
    numbers.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A layer with numbers as options, which it hands to a function.
macro_rules! with_numbers {
    ($($(#[$doc:meta])* $Name:ident { $($field:ident: $default:expr),* }, $method:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shape: any, unchanged.
        #[derive(Debug)]
        pub struct $Name {
            $($field: f64,)*
            path: Path,
        }
        fields!($Name { path, $($field),* });

        impl $Name {
            /// With these numbers; `default()` has PyTorch's.
            pub fn new($($field: f64),*) -> Self {
                $Name { $($field,)* path: Path::default() }
            }
        }

        impl Default for $Name {
            fn default() -> Self {
                $Name::new($($default),*)
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let y = x.$method($(self.$field),*);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                shown(stringify!($Name), &[$((stringify!($field), self.$field)),*])
            }
        }
    )*};
}
with_numbers! {
    /// x where positive, else negative_slope * x. The default slope is 0.01.
    LeakyReLU { negative_slope: 0.01 }, leaky_relu_with;
    /// x where positive, else alpha (exp(x) - 1) (Clevert et al., "Exponential linear units", 2016). The default is 1.
    ELU { alpha: 1.0 }, elu_with;
    /// max(x, 0) + min(alpha (exp(x / alpha) - 1), 0) (Barron, "Continuously differentiable exponential linear units",
    /// 2017). The default is 1.
    CELU { alpha: 1.0 }, celu_with;
    /// log(1 + exp(beta x)) / beta, and x where beta x is above the threshold. The defaults are 1 and 20.
    Softplus { beta: 1.0, threshold: 20.0 }, softplus_with;
    /// x moved into min_val..=max_val. The defaults are -1 and 1.
    Hardtanh { min_val: -1.0, max_val: 1.0 }, hardtanh_with;
    /// x where it is beyond +-lambd, else 0. The default is 0.5.
    Hardshrink { lambd: 0.5 }, hardshrink_with;
    /// x brought nearer to 0 by lambd, and 0 where it is within. The default is 0.5.
    Softshrink { lambd: 0.5 }, softshrink_with;
}

/// x where it is above the threshold, else a value.
///
/// Shape: any, unchanged.
#[derive(Debug)]
pub struct Threshold {
    threshold: f64,
    value: f64,
    path: Path,
}
fields!(Threshold { path, threshold, value });

impl Threshold {
    /// `value` for all that is not above `threshold`.
    pub fn new(threshold: f64, value: f64) -> Self {
        Threshold { threshold, value, path: Path::default() }
    }
}

impl Module for Threshold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Threshold");
        let y = x.threshold(self.threshold, self.value);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        format!("threshold={}, value={}", python_float(self.threshold), python_float(self.value))
    }
}

/// x times the probability that a normal value is below x (Hendrycks & Gimpel, "Gaussian error linear units", 2016).
///
/// Shape: any, unchanged.
#[derive(Debug, Default)]
pub struct GELU {
    tanh: bool,
    path: Path,
}
fields!(GELU { path, tanh });

impl GELU {
    /// By the error function; `default()` is the same.
    pub fn new() -> Self {
        GELU::default()
    }

    /// By a formula with tanh: PyTorch's `approximate="tanh"`.
    pub fn tanh() -> Self {
        GELU { tanh: true, path: Path::default() }
    }
}

impl Module for GELU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "GELU");
        let y = if self.tanh { x.gelu_tanh() } else { x.gelu() };
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        format!("approximate='{}'", if self.tanh { "tanh" } else { "none" })
    }
}

/// x where positive, else x times a trained slope, one or one for each channel (He et al., "Delving deep into rectifiers",
/// 2015).
///
/// Shape: `(N, C, *)` or any with one slope, unchanged; weight `(num_parameters)`.
#[derive(Debug)]
pub struct PReLU {
    /// `(num_parameters)`.
    pub weight: Parameter,
    path: Path,
}
fields!(PReLU { path, weight });

impl PReLU {
    /// So many slopes, each `init` at the start; PyTorch's defaults are 1 and 0.25.
    pub fn new(num_parameters: usize, init: f64) -> Self {
        let weight = Parameter::new(Array::full(num_parameters, init, DType::F32, &Device::cpu()));
        PReLU { weight, path: Path::default() }
    }
}

impl Default for PReLU {
    fn default() -> Self {
        PReLU::new(1, 0.25)
    }
}

impl Module for PReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "PReLU");
        let y = x.prelu(&self.weight);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        format!("num_parameters={}", self.weight.numel())
    }
}

/// x where positive, else x times a slope that is drawn for each element in training and the mean of the bounds in
/// evaluation (Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015).
///
/// Shape: any, unchanged.
#[derive(Debug)]
pub struct RReLU {
    lower: f64,
    upper: f64,
    training: Mode,
    path: Path,
}
fields!(RReLU { path, training, lower, upper });

impl RReLU {
    /// Slopes between these bounds; PyTorch's defaults are 1 / 8 and 1 / 3.
    pub fn new(lower: f64, upper: f64) -> Self {
        RReLU { lower, upper, training: Mode::default(), path: Path::default() }
    }
}

impl Default for RReLU {
    fn default() -> Self {
        RReLU::new(1.0 / 8.0, 1.0 / 3.0)
    }
}

impl Module for RReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "RReLU");
        let y = crate::functional::rrelu(x, self.lower, self.upper, self.training.is_training());
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        format!("lower={}, upper={}", python_float(self.lower), python_float(self.upper))
    }
}

/// A layer along a dim.
macro_rules! along {
    ($($(#[$doc:meta])* $Name:ident, $method:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Name {
            dim: isize,
            path: Path,
        }
        fields!($Name { path, dim });

        impl $Name {
            /// Along this dim; a negative one counts from the back.
            pub fn new(dim: isize) -> Self {
                $Name { dim, path: Path::default() }
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let y = x.$method(self.dim);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                format!("dim={}", self.dim)
            }
        }
    )*};
}
along! {
    /// exp(x) over its sum along a dim.
    ///
    /// Shape: any with that dim, unchanged.
    Softmax, softmax;
    /// The softmax of -x along a dim.
    ///
    /// Shape: any with that dim, unchanged.
    Softmin, softmin;
    /// The logarithm of the softmax along a dim.
    ///
    /// Shape: any with that dim, unchanged.
    LogSoftmax, log_softmax;
    /// The first half of a dim times the sigmoid of the second (Dauphin et al., "Language modeling with gated
    /// convolutional networks", 2017).
    ///
    /// Shape: any with that dim, which becomes half as long.
    GLU, glu;
}
