//! Activation functions. (`sigmoid` and `tanh` stand with their kin in `unary`, softmax in a file of its own.)

mod random;
mod table;

pub use random::{GumbelSoftmaxOptions, gumbel_softmax, gumbel_softmax_with, rrelu};

use super::elementwise::zero;
use super::inplace::in_place;
use super::unary::{Which, plain_or, relu_rule};
use super::where_;
use crate::autocast::Choice;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::OpInfo;
use crate::tensor::Tensor;
use rushlight_array::backend::{Activation, Gelu};
use rushlight_array::{Array, DType, axis, fail};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI};

/// The tables of these files.
pub(super) const TABLES: [&[OpInfo]; 2] = [table::TABLE, random::TABLE];

#[derive(Debug)]
struct Relu;

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].relu()
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || relu_rule(saved, grad));
    }
}

/// x times the probability that a normal number is below x.
#[derive(Debug)]
struct GeluOp(Gelu);

impl Op for GeluOp {
    fn name(&self) -> &'static str {
        "gelu"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].gelu(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            plain_or(
                saved,
                Which::Input,
                grad,
                |grad, x| grad.gelu_grad(x, self.0),
                |grad, x| match self.0 {
                    Gelu::Exact => {
                        let below = (x * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
                        let density = (x * x * -0.5).exp() * (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
                        grad * (below + x * density)
                    }
                    Gelu::Tanh => {
                        // The two numbers of the approximation, as in the kernel.
                        let (scale, cubic) = ((2.0 / PI).sqrt(), 0.044715);
                        let t = ((x + x * x * x * cubic) * scale).tanh();
                        let slope = (x * x * (3.0 * cubic) + 1.0) * scale;
                        grad * (&t * 0.5 + 0.5 + x * (1.0 - &t * &t) * slope * 0.5)
                    }
                },
            )
        });
    }
}

/// Any of the others.
#[derive(Debug)]
struct Activate(Activation);

impl Op for Activate {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].activation(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let kernel = |grad: &Array, x: &Array| grad.activation_grad(x, self.0);
        give.to(0, || plain_or(saved, Which::Input, grad, kernel, |grad, x| recorded(self.0, grad, x)));
    }
}

/// The gradient of an activation, as its kernel has it, from operations with rules of their own.
fn recorded(kind: Activation, grad: &Tensor, x: &Tensor) -> Tensor {
    // Nothing where the condition holds, else the gradient.
    let unless = |condition: &Tensor| where_(condition, &zero(grad), grad);
    match kind {
        Activation::LeakyRelu(slope) => where_(&x.gt(0.0), grad, &(grad * slope)),
        Activation::Silu => {
            let s = x.sigmoid();
            grad * (&s * (x * (1.0 - &s) + 1.0))
        }
        Activation::Mish => {
            let t = x.softplus().tanh();
            grad * (&t + x * x.sigmoid() * (1.0 - &t * &t))
        }
        Activation::Softplus { beta, threshold } => {
            let scaled = x * beta;
            where_(&scaled.gt(threshold), grad, &(grad * scaled.sigmoid()))
        }
        Activation::Elu { alpha, scale, rate } => {
            let below = x.le(0.0);
            // Without the positive ones, whose exponentials may be infinite.
            let slope = (where_(&below, x, &zero(x)) * rate).exp() * (alpha * scale * rate);
            where_(&below, &(grad * slope), &(grad * scale))
        }
        Activation::LogSigmoid => grad * (-x).sigmoid(),
        Activation::Hardsigmoid => {
            let inside = x.gt(-3.0).logical_and(&x.lt(3.0));
            where_(&inside, &(grad / 6.0), &zero(grad))
        }
        Activation::Hardswish => {
            let between = where_(&x.lt(3.0), &(grad * (x / 3.0 + 0.5)), grad);
            where_(&x.le(-3.0), &zero(grad), &between)
        }
        Activation::Hardtanh { low, high } => unless(&x.le(low).logical_or(&x.ge(high))),
        Activation::Threshold { threshold, .. } => unless(&x.le(threshold)),
        Activation::Hardshrink(bound) | Activation::Softshrink(bound) => {
            unless(&x.ge(-bound).logical_and(&x.le(bound)))
        }
    }
}

/// Activation functions. They keep the shape, but for `glu`; unless said otherwise they take floats only, and panic if
/// the dtype is another.
impl Tensor {
    /// max(x, 0), also of integers; the gradient at 0 is 0.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        Tensor::apply(Relu, &[self])
    }

    /// x moved into 0..=6, also of integers. The gradient at the bounds is 0.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn relu6(&self) -> Tensor {
        self.hardtanh_with(0.0, 6.0)
    }

    /// x where positive, else 0.01 x; see [`Tensor::leaky_relu_with`].
    #[track_caller]
    pub fn leaky_relu(&self) -> Tensor {
        self.leaky_relu_with(0.01)
    }

    /// x where positive, else `negative_slope` x; the gradient at 0 is the slope (Maas, Hannun & Ng, "Rectifier
    /// nonlinearities improve neural network acoustic models", 2013).
    #[track_caller]
    pub fn leaky_relu_with(&self, negative_slope: f64) -> Tensor {
        self.activate(Activation::LeakyRelu(negative_slope))
    }

    /// x where positive, else `weight` x, with a weight that is learnt (He et al., "Delving deep into rectifiers", 2015).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[-1.0, -2.0], [3.0, -4.0]]);
    /// assert_eq!(x.prelu(&tensor([0.5, 0.25])).to_vec::<f32>(), [-0.5, -0.5, 3.0, -1.0]);
    /// ```
    ///
    /// Shape: `(N, C, *)` and a weight of one number or of C numbers, one for each place along dim 1.
    ///
    /// # Panics
    /// If the weight has another number of elements or more dims than one, or another dtype than x.
    #[track_caller]
    pub fn prelu(&self, weight: &Tensor) -> Tensor {
        let choice = Choice::of("prelu", &[self, weight]);
        let (x, weight) = (choice.cast(self), choice.cast(weight));
        let (shape, dtypes) = (x.shape(), [x.dtype(), weight.dtype()]);
        if weight.dim() > 1 {
            fail!("prelu: the weight has the shape {:?}; it must have at most one dim", weight.shape());
        }
        if dtypes[0] != dtypes[1] || !dtypes[0].is_float() {
            fail!(
                "prelu: the dtypes are {} and {} of the weight; both must be the same float",
                dtypes[0].name(),
                dtypes[1].name()
            );
        }
        let channels = if shape.len() < 2 { 1 } else { shape[1] };
        let mut places: Vec<usize> = vec![1; shape.len()];
        match weight.numel() {
            1 => {}
            count if count == channels => places[1] = count,
            count => fail!(
                "prelu: the weight has {count} elements for an input of shape {shape:?}; it must have 1 or {channels}"
            ),
        }
        // Without the positive ones, whose part in the weight's gradient would be 0 times infinity.
        let positive = x.gt(0.0);
        where_(&positive, &x, &(x.masked_fill(&positive, 0.0) * weight.reshape(&places[..])))
    }

    /// x times the probability that a normal number is below x: PyTorch's `gelu` with `approximate="none"`
    /// (Hendrycks & Gimpel, "Gaussian error linear units", 2016). As in PyTorch it is NaN at minus infinity, and for
    /// `f32` at infinity.
    #[track_caller]
    pub fn gelu(&self) -> Tensor {
        Tensor::apply(GeluOp(Gelu::Exact), &[self])
    }

    /// [`Tensor::gelu`] by a formula with tanh, as GPT-2 has it: PyTorch's `approximate="tanh"`.
    #[track_caller]
    pub fn gelu_tanh(&self) -> Tensor {
        Tensor::apply(GeluOp(Gelu::Tanh), &[self])
    }

    /// x sigmoid(x), also known as swish (Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units", 2017).
    #[track_caller]
    pub fn silu(&self) -> Tensor {
        self.activate(Activation::Silu)
    }

    /// x tanh(log(1 + exp(x))) (Misra, "Mish: a self regularized non-monotonic activation function", 2019).
    #[track_caller]
    pub fn mish(&self) -> Tensor {
        self.activate(Activation::Mish)
    }

    /// log(1 + exp(x)), a smooth relu; x itself above 20, where that is the same.
    #[track_caller]
    pub fn softplus(&self) -> Tensor {
        self.softplus_with(1.0, 20.0)
    }

    /// log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold.
    #[track_caller]
    pub fn softplus_with(&self, beta: f64, threshold: f64) -> Tensor {
        self.activate(Activation::Softplus { beta, threshold })
    }

    /// x where positive, else exp(x) - 1 (Clevert, Unterthiner & Hochreiter, "Exponential linear units", 2015).
    #[track_caller]
    pub fn elu(&self) -> Tensor {
        self.elu_with(1.0)
    }

    /// x where positive, else alpha (exp(x) - 1); the gradient at 0 is alpha.
    #[track_caller]
    pub fn elu_with(&self, alpha: f64) -> Tensor {
        self.activate(Activation::Elu { alpha, scale: 1.0, rate: 1.0 })
    }

    /// [`Tensor::elu`]; the two differ by the meaning of alpha.
    #[track_caller]
    pub fn celu(&self) -> Tensor {
        self.celu_with(1.0)
    }

    /// x where positive, else alpha (exp(x / alpha) - 1) (Barron, "Continuously differentiable exponential linear
    /// units", 2017).
    ///
    /// # Panics
    /// If alpha is 0.
    #[track_caller]
    pub fn celu_with(&self, alpha: f64) -> Tensor {
        if alpha == 0.0 {
            fail!("celu: alpha is 0, by which x would be divided; it must be another number");
        }
        self.activate(Activation::Elu { alpha, scale: 1.0, rate: 1.0 / alpha })
    }

    /// 1.0507 times x where positive, else 1.7581 (exp(x) - 1): numbers that keep mean 0 and deviation 1 from layer to
    /// layer (Klambauer et al., "Self-normalizing neural networks", 2017).
    #[track_caller]
    pub fn selu(&self) -> Tensor {
        // The paper's numbers, to as many digits as f64 has.
        let (alpha, scale) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
        self.activate(Activation::Elu { alpha, scale, rate: 1.0 })
    }

    /// The first half along a dim times the sigmoid of the second half (Dauphin et al., "Language modeling with gated
    /// convolutional networks", 2016). PyTorch's default dim is -1.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([3.0, 4.0, 0.0, 0.0]).glu(-1).to_vec::<f32>(), [1.5, 2.0]);
    /// ```
    ///
    /// Shape: that dim is halved.
    ///
    /// # Panics
    /// If the dim is out of range, or its size is odd.
    #[track_caller]
    pub fn glu(&self, dim: isize) -> Tensor {
        let shape = self.shape();
        if shape.is_empty() {
            fail!("glu: a tensor without dims cannot be halved");
        }
        self.check_float("glu");
        let along = axis("glu", dim, &shape);
        if shape[along] % 2 == 1 {
            fail!("glu: dim {dim} of shape {shape:?} has the odd size {}; it is halved", shape[along]);
        }
        let half = shape[along] / 2;
        self.narrow(dim, 0, half) * self.narrow(dim, half, half).sigmoid()
    }

    /// x / 6 + 1 / 2 moved into 0..=1: three lines like a sigmoid.
    #[track_caller]
    pub fn hardsigmoid(&self) -> Tensor {
        self.activate(Activation::Hardsigmoid)
    }

    /// x [`hardsigmoid`](Tensor::hardsigmoid)(x) (Howard et al., "Searching for MobileNetV3", 2019).
    #[track_caller]
    pub fn hardswish(&self) -> Tensor {
        self.activate(Activation::Hardswish)
    }

    /// x moved into -1..=1, also of integers. The gradient at the bounds is 0.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn hardtanh(&self) -> Tensor {
        self.hardtanh_with(-1.0, 1.0)
    }

    /// x moved into `min_val..=max_val`, also of integers, for which the bounds are cut to whole numbers. The gradient
    /// at the bounds is 0.
    ///
    /// # Panics
    /// For bools, or if `min_val` is greater than `max_val`.
    #[track_caller]
    pub fn hardtanh_with(&self, min_val: f64, max_val: f64) -> Tensor {
        if min_val > max_val {
            fail!("hardtanh: min_val is {min_val:?} and max_val {max_val:?}; the first must not be greater");
        }
        self.activate(Activation::Hardtanh { low: min_val, high: max_val })
    }

    /// log(sigmoid(x)), without the loss of small values.
    #[track_caller]
    pub fn logsigmoid(&self) -> Tensor {
        self.activate(Activation::LogSigmoid)
    }

    /// x / (1 + |x|). Integers give `f32`.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn softsign(&self) -> Tensor {
        self / (self.abs() + 1)
    }

    /// x - tanh(x). Integers give `f32`.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn tanhshrink(&self) -> Tensor {
        if self.dtype() == DType::Bool {
            fail!("tanhshrink: not defined for bool; cast with .to(DType::F32) first");
        }
        self - self.tanh()
    }

    /// x where it is above the threshold, else the value; also of integers, for which both are cut to whole numbers.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn threshold(&self, threshold: f64, value: f64) -> Tensor {
        self.activate(Activation::Threshold { threshold, value })
    }

    /// x where its absolute value is above 1/2, else 0.
    #[track_caller]
    pub fn hardshrink(&self) -> Tensor {
        self.hardshrink_with(0.5)
    }

    /// x where its absolute value is above `lambd`, else 0.
    #[track_caller]
    pub fn hardshrink_with(&self, lambd: f64) -> Tensor {
        self.activate(Activation::Hardshrink(lambd))
    }

    /// x moved towards 0 by 1/2, at most to 0.
    #[track_caller]
    pub fn softshrink(&self) -> Tensor {
        self.softshrink_with(0.5)
    }

    /// x moved towards 0 by `lambd`, at most to 0.
    ///
    /// # Panics
    /// If `lambd` is negative or NaN.
    #[track_caller]
    pub fn softshrink_with(&self, lambd: f64) -> Tensor {
        if lambd.is_nan() || lambd < 0.0 {
            fail!("softshrink: lambd is {lambd:?}; it must not be negative");
        }
        self.activate(Activation::Softshrink(lambd))
    }

    #[track_caller]
    fn activate(&self, kind: Activation) -> Tensor {
        Tensor::apply(Activate(kind), &[self])
    }

    #[track_caller]
    fn check_float(&self, name: &str) {
        if !self.dtype().is_float() {
            fail!(
                "{name}: the dtype is {}, not a float; cast with .to(DType::F32) first",
                self.dtype().name()
            );
        }
    }
}

in_place! {
    relu_ = relu();
    relu6_ = relu6();
    leaky_relu_ = leaky_relu();
    leaky_relu_with_ = leaky_relu_with(negative_slope: f64);
    silu_ = silu();
    mish_ = mish();
    elu_ = elu();
    elu_with_ = elu_with(alpha: f64);
    celu_ = celu();
    celu_with_ = celu_with(alpha: f64);
    selu_ = selu();
    hardsigmoid_ = hardsigmoid();
    hardswish_ = hardswish();
    hardtanh_ = hardtanh();
    hardtanh_with_ = hardtanh_with(min_val: f64, max_val: f64);
    threshold_ = threshold(threshold: f64, value: f64);
}
