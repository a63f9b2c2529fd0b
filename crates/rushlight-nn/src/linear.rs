use crate::activation::ReLU;
use crate::module::{Module, Parameter, Path, downcast};
use crate::{fields, init};
use rushlight_array::{Array, DType};
use rushlight_autograd::{Tensor, ops};

/// An affine map: `x W^T + b`.
///
/// Shape: `(*, in_features) -> (*, out_features)`; weight `(out_features, in_features)`, bias `(out_features)`.
///
/// Weight and bias start evenly drawn from +-1/sqrt(in_features), as in PyTorch.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_nn::{Linear, Module};
/// let layer = Linear::from_parameters(&tensor([[1.0, 2.0]]), Some(&tensor([0.5])));
/// assert_eq!(layer.forward(&tensor([[3.0, 4.0]])).to_vec::<f32>(), [11.5]);
/// ```
#[derive(Debug)]
pub struct Linear {
    /// `(out_features, in_features)`.
    pub weight: Parameter,
    /// `(out_features)`.
    pub bias: Option<Parameter>,
    /// What it prints as.
    pub(crate) kind: &'static str,
    path: Path,
}
fields!(Linear { path, weight, bias, kind });

impl Linear {
    /// A layer with a bias; values are drawn from the default generator, the weight first.
    pub fn new(in_features: usize, out_features: usize) -> Self {
        let mut layer = Linear::without_bias(in_features, out_features);
        let bias = Parameter::new(Array::zeros(out_features, DType::F32));
        let bound = if in_features > 0 { 1.0 / (in_features as f64).sqrt() } else { 0.0 };
        init::uniform_(&bias, -bound, bound);
        layer.bias = Some(bias);
        layer
    }

    /// A layer without a bias.
    pub fn without_bias(in_features: usize, out_features: usize) -> Self {
        let weight = Parameter::new(Array::zeros([out_features, in_features], DType::F32));
        init::kaiming_uniform_(&weight, 5f64.sqrt(), init::FanMode::FanIn, init::Nonlinearity::LeakyReLU);
        Linear { weight, bias: None, kind: "Linear", path: Path::default() }
    }

    /// A layer with given values.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn from_parameters(weight: &Tensor, bias: Option<&Tensor>) -> Self {
        Linear {
            weight: Parameter::new(weight.array()),
            bias: bias.map(|bias| Parameter::new(bias.array())),
            kind: "Linear",
            path: Path::default(),
        }
    }
}

impl Module for Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Linear");
        let y = ops::linear(x, &self.weight, self.bias.as_deref());
        self.path.finish(self, x, y)
    }

    #[track_caller]
    fn fused(&self, x: &Tensor, behind: &[Box<dyn Module>]) -> Option<(Tensor, usize)> {
        if self.path.is_watched() || downcast::<ReLU>(behind, 0).is_none() {
            return None;
        }
        let _place = self.path.enter(None, "Linear");
        Some((ops::linear_relu(x, &self.weight, self.bias.as_deref()), 2))
    }

    fn multiply_adds(&self, _: &Tensor, y: &Tensor) -> usize {
        y.numel() * self.weight.shape()[1]
    }

    fn type_name(&self) -> &'static str {
        self.kind
    }

    fn extra_repr(&self) -> String {
        let shape = self.weight.shape();
        let bias = if self.bias.is_some() { "True" } else { "False" };
        format!("in_features={}, out_features={}, bias={bias}", shape[1], shape[0])
    }
}

/// Gives back its input; a placeholder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;
fields!(Identity {});

impl Module for Identity {
    fn forward(&self, x: &Tensor) -> Tensor {
        x.clone()
    }
}

/// A bilinear map: `y_k = x1^T A_k x2 + b_k`.
///
/// Shape: `(*, in1_features)` and `(*, in2_features) -> (*, out_features)`; weight `(out_features, in1_features,
/// in2_features)`, bias `(out_features)`.
///
/// Weight and bias start evenly drawn from +-1/sqrt(in1_features), as in PyTorch.
///
/// ```
/// use rushlight_autograd::randn;
/// use rushlight_nn::Bilinear;
/// let y = Bilinear::new(2, 3, 4).forward(&randn([5, 2]), &randn([5, 3]));
/// assert_eq!(y.shape(), [5, 4]);
/// ```
#[derive(Debug)]
pub struct Bilinear {
    /// `(out_features, in1_features, in2_features)`.
    pub weight: Parameter,
    /// `(out_features)`.
    pub bias: Option<Parameter>,
    path: Path,
}
fields!(Bilinear { path, weight, bias });

impl Bilinear {
    /// A layer with a bias; values are drawn from the default generator, the weight first.
    pub fn new(in1_features: usize, in2_features: usize, out_features: usize) -> Self {
        let mut layer = Bilinear::without_bias(in1_features, in2_features, out_features);
        let bias = Parameter::new(Array::zeros(out_features, DType::F32));
        let bound = 1.0 / (in1_features as f64).sqrt();
        init::uniform_(&bias, -bound, bound);
        layer.bias = Some(bias);
        layer
    }

    /// A layer without a bias.
    pub fn without_bias(in1_features: usize, in2_features: usize, out_features: usize) -> Self {
        let weight = Parameter::new(Array::zeros([out_features, in1_features, in2_features], DType::F32));
        let bound = 1.0 / (in1_features as f64).sqrt();
        init::uniform_(&weight, -bound, bound);
        Bilinear { weight, bias: None, path: Path::default() }
    }

    /// The result for two inputs.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward(&self, input1: &Tensor, input2: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Bilinear");
        let y = ops::bilinear(input1, input2, &self.weight, self.bias.as_deref());
        self.path.finish(self, input1, y)
    }
}

impl Module for Bilinear {
    fn multiply_adds(&self, _: &Tensor, y: &Tensor) -> usize {
        let shape = self.weight.shape();
        y.numel() * shape[1] * shape[2]
    }

    fn extra_repr(&self) -> String {
        let shape = self.weight.shape();
        let bias = if self.bias.is_some() { "True" } else { "False" };
        format!(
            "in1_features={}, in2_features={}, out_features={}, bias={bias}",
            shape[1], shape[2], shape[0]
        )
    }
}
