use crate::fields;
use crate::module::{Module, Path};
use rushlight_autograd::Tensor;

macro_rules! activation {
    ($(#[$doc:meta])* $Name:ident, $method:ident) => {
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
    };
}
activation!(
    /// max(x, 0).
    ReLU,
    relu
);
activation!(
    /// The hyperbolic tangent.
    Tanh,
    tanh
);
activation!(
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    sigmoid
);

/// x where positive, else negative_slope * x.
///
/// Shape: any, unchanged.
#[derive(Clone, Debug)]
pub struct LeakyReLU {
    negative_slope: f64,
}
fields!(LeakyReLU { negative_slope });

impl LeakyReLU {
    /// With this slope; PyTorch's default is 0.01.
    pub fn new(negative_slope: f64) -> Self {
        LeakyReLU { negative_slope }
    }
}

impl Default for LeakyReLU {
    fn default() -> Self {
        LeakyReLU::new(0.01)
    }
}

impl Module for LeakyReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        x.leaky_relu_with(self.negative_slope)
    }

    fn extra_repr(&self) -> String {
        format!("negative_slope={:?}", self.negative_slope)
    }
}

/// exp(x) over its sum along a dim.
///
/// Shape: any with that dim, unchanged.
#[derive(Debug)]
pub struct Softmax {
    dim: isize,
    path: Path,
}
fields!(Softmax { path, dim });

impl Softmax {
    /// Along this dim; a negative one counts from the back.
    pub fn new(dim: isize) -> Self {
        Softmax { dim, path: Path::default() }
    }
}

impl Module for Softmax {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Softmax");
        x.softmax(self.dim)
    }

    fn extra_repr(&self) -> String {
        format!("dim={}", self.dim)
    }
}
