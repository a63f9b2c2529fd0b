//! What a device must be able to do.
//!
//! The required methods come in kinds (transfer, copy, elementwise, reduce, matmul, index); the provided
//! ones are fused operations whose default bodies compose the required ones. A new device needs the
//! first, and may override the second where it can do better.
//!
//! Arguments arrive checked and, for elementwise work, already broadcast: [`Array`] does that once for
//! all devices. Results are contiguous arrays unless a method says otherwise; where nothing is to do, a backend may
//! give back the argument as it is.

use crate::array::Array;
use crate::cpu::memory::HostBuffer;
use crate::cpu::{channels, window};
use crate::device::Device;
use crate::dtype::DType;
use crate::storage::Buffer;
use crate::window::{Conv, Spans, Window};
use std::fmt::Debug;

/// An elementwise function of one array.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Unary {
    Neg,
    Abs,
    /// -1, 0 or 1; 0 for NaN, as in torch.
    Sign,
    Exp,
    /// exp(x) - 1, accurate near 0.
    Expm1,
    Log,
    /// log(1 + x), accurate near 0.
    Log1p,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// max(x, 0).
    Relu,
    /// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
    Erf,
    /// x times the probability that a normal number is below x.
    Gelu(Gelu),
    /// x where positive, else slope * x.
    LeakyRelu(f64),
    /// 1 / x.
    Reciprocal,
    /// The nearest integer below.
    Floor,
    /// Logical not of a bool array.
    Not,
    /// x * factor.
    Scale(f64),
    /// x + term.
    Offset(f64),
    /// x to a fixed power.
    Power(f64),
    /// x moved into low..=high; NaN stays NaN. For floats a bound may be NaN, and then all results are.
    Clamp(f64, f64),
}

/// How [`Unary::Gelu`] is computed: PyTorch's `approximate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Gelu {
    /// By erf: `approximate="none"`.
    #[default]
    Exact,
    /// By tanh: `approximate="tanh"`.
    Tanh,
}

/// An elementwise function of two arrays of one dtype and shape, with a result of that dtype.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// True division for floats; for integers the quotient cut towards zero.
    Div,
    Pow,
    /// The larger; NaN wins.
    Maximum,
    /// The smaller; NaN wins.
    Minimum,
    /// For bools and integers, bit by bit.
    And,
    Or,
    Xor,
    /// For floats, the gradient of relu from that of its result and the result: the first where the second is not
    /// below or at 0, else 0.
    ReluGrad,
    /// The gradient of the sigmoid, g y (1 - y), from that of its result and the result.
    SigmoidGrad,
    /// The gradient of tanh, g (1 - y^2), from that of its result and the result.
    TanhGrad,
    /// The gradient of gelu from that of its result and its input.
    GeluGrad(Gelu),
}

/// An elementwise comparison of two arrays of one dtype and shape, with a bool result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// How the elements along some axes become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduce {
    /// The sum, pairwise for accuracy; 0 when empty.
    Sum,
    /// The product; 1 when empty.
    Prod,
    /// The largest; NaN wins. Never called on an empty axis.
    Max,
    /// The smallest; NaN wins. Never called on an empty axis.
    Min,
}

/// Which position along an axis is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgReduce {
    /// The first of the largest; a NaN counts as largest.
    Max,
    /// The first of the smallest; a NaN counts as smallest.
    Min,
}

/// What [`Backend::norm`] takes out of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Norm {
    /// Mean and deviation: layer norm.
    Layer,
    /// The root of the mean square: RMS norm.
    Rms,
}

/// What `scatter` does with the value that is already there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scatter {
    /// Replaces it; with repeated indices the last one in row-major order stays.
    Set,
    /// Adds to it, in row-major order of the indices.
    Add,
}

/// An index that does not lie in its axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange {
    /// The offending index.
    pub index: i64,
    /// The size of the axis.
    pub size: usize,
}

/// One step of stochastic gradient descent on one parameter; see [`Backend::sgd_step`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// Factor of the velocity of the steps before; 0 for plain descent.
    pub momentum: f64,
    /// Factor by which a new gradient enters the velocity less: `v = momentum v + (1 - dampening) g`.
    pub dampening: f64,
    /// Look ahead by one momentum step (Nesterov).
    pub nesterov: bool,
    /// L2 penalty: `g += weight_decay * w`.
    pub weight_decay: f64,
    /// Ascend instead of descend.
    pub maximize: bool,
    /// Whether there is no velocity yet: the first gradient becomes it, undampened.
    pub first: bool,
}

/// One step of Adam on one parameter; see [`Backend::adam_step`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the running mean of gradients.
    pub beta1: f64,
    /// Decay of the running mean of squared gradients.
    pub beta2: f64,
    /// Added to the root, against division by zero.
    pub eps: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
    /// The number of this step, from 1.
    pub step: u32,
}

/// A device that holds arrays and computes on them.
pub trait Backend: Send + Sync + Debug {
    /// The device's name as PyTorch writes it: `cpu`, `cuda:0`.
    fn name(&self) -> &str;

    /// Takes host memory to the device.
    fn upload(&self, data: HostBuffer) -> Buffer;

    /// A copy of the array's elements, row-major, in host memory.
    fn download(&self, x: &Array) -> HostBuffer;

    /// The array with row-major strides, in storage of its own.
    fn copy(&self, x: &Array) -> Array;

    /// The array in another dtype.
    fn cast(&self, x: &Array, dtype: DType) -> Array;

    /// A new array of this shape and dtype, filled with one value.
    fn fill(&self, shape: &[usize], dtype: DType, value: crate::Scalar) -> Array;

    /// An elementwise function of a compute-type array.
    fn unary(&self, op: Unary, x: &Array) -> Array;

    /// An elementwise function of two compute-type arrays of one shape.
    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array;

    /// A comparison of two compute-type arrays of one shape.
    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array;

    /// `a` where `condition`, else `b`; all of one shape, `a` and `b` of one dtype.
    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array;

    /// Reduces the given axes (ascending, distinct); they stay with size 1.
    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array;

    /// Positions along one axis, as i64; the axis stays with size 1.
    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array;

    /// Products of matrices: `[..., M, K] x [..., K, N] -> [..., M, N]` with equal leading sizes.
    fn matmul(&self, a: &Array, b: &Array) -> Array;

    /// The places of `x` along `axis` named by the one-dimensional i64 array `index`.
    fn index_select(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange>;

    /// `out[i][j][k] = x[i][index[i][j][k]][k]` for axis 1, and so on; `index` is i64.
    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange>;

    /// `x` with `out[i][index[i][j][k]][k]` set to, or increased by, `source[i][j][k]` for axis 1, and so on.
    fn scatter(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange>;

    /// Joins arrays of one dtype, equal but along `axis`.
    fn cat(&self, parts: &[&Array], axis: usize) -> Array;

    // Provided: fused operations.

    /// `a = op(a, b)` for compute-type arrays of one shape, in place where nobody else holds the elements of `a`.
    fn binary_assign(&self, op: Binary, a: &mut Array, b: &Array) {
        *a = self.binary(op, a, b);
    }

    /// `x W^T + b`: `[N, in] x [out, in] + [out] -> [N, out]`, and a relu behind it if wanted.
    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let y = self.matmul(x, &weight.t());
        let y = match bias {
            Some(bias) => y.add(bias),
            None => y,
        };
        if relu { y.relu() } else { y }
    }

    /// exp(x) over its sum along `axis`, without overflow.
    fn softmax(&self, x: &Array, axis: usize) -> Array {
        let e = x.sub(&self.reduce(Reduce::Max, x, &[axis])).exp();
        let sum = self.reduce(Reduce::Sum, &e, &[axis]);
        e.div(&sum)
    }

    /// The logarithm of [`Backend::softmax`], without its loss of small values.
    fn log_softmax(&self, x: &Array, axis: usize) -> Array {
        let shifted = x.sub(&self.reduce(Reduce::Max, x, &[axis]));
        let sum = self.reduce(Reduce::Sum, &shifted.exp(), &[axis]);
        shifted.sub(&sum.log())
    }

    /// The gradient of [`Backend::softmax`] from that of its result, and the result `y`.
    fn softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        let sum = self.reduce(Reduce::Sum, &grad.mul(y), &[axis]);
        y.mul(&grad.sub(&sum))
    }

    /// The gradient of [`Backend::log_softmax`] from that of its result, and the result `y`.
    fn log_softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        grad.sub(&y.exp().mul(&self.reduce(Reduce::Sum, grad, &[axis])))
    }

    /// The losses `-log_softmax(x)[target]` of the rows of `[N, C]`, `[N]`, and for each row its largest logit and the
    /// logarithm of the sum of the exponentials of the distances to it, `[N, 2]`. The targets, i64, are in range.
    fn cross_entropy(&self, x: &Array, target: &Array) -> (Array, Array) {
        let most = self.reduce(Reduce::Max, x, &[1]);
        let shifted = x.sub(&most);
        let sums = self.reduce(Reduce::Sum, &shifted.exp(), &[1]).log();
        let chosen = self.gather(&shifted, 1, &target.unsqueeze(1)).expect("targets were checked");
        (sums.sub(&chosen).squeeze_dim(1), self.cat(&[&most, &sums], 1))
    }

    /// The gradient of the losses of [`Backend::cross_entropy`]: `(softmax(x) - one_hot(target)) * grad`; `stats` is
    /// its second result and `grad` has the shape `[N]`, perhaps expanded.
    fn cross_entropy_grad(&self, x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array {
        let slopes = x.sub(&stats.narrow(1, 0, 1)).sub(&stats.narrow(1, 1, 1)).exp();
        let column = target.unsqueeze(1);
        let minus_one = self.fill(column.shape(), x.dtype(), crate::Scalar::Float(-1.0));
        let slopes =
            self.scatter(Scatter::Add, &slopes, 1, &column, &minus_one).expect("targets were checked");
        slopes.mul(&grad.unsqueeze(1))
    }

    /// Normalises the rows of `[N, D]`: `(x - mean) * rate * weight + bias`, where the rate is
    /// `1 / sqrt(mean((x - mean)^2) + eps)`; [`Norm::Rms`] takes 0 for the mean. The second result holds mean and
    /// rate of each row, `[N, 2]`.
    fn norm(
        &self,
        kind: Norm,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        eps: f64,
    ) -> (Array, Array) {
        let share = 1.0 / x.shape()[1] as f64;
        let mean = match kind {
            Norm::Layer => {
                // In two steps: the first rounds, and the mean of the differences is what it missed by.
                let near = self.reduce(Reduce::Sum, x, &[1]).scale(share);
                near.add(&self.reduce(Reduce::Sum, &x.sub(&near), &[1]).scale(share))
            }
            Norm::Rms => self.fill(&[x.shape()[0], 1], x.dtype(), crate::Scalar::Float(0.0)),
        };
        let centred = x.sub(&mean);
        let square = self.reduce(Reduce::Sum, &centred.mul(&centred), &[1]).scale(share);
        let rate = square.offset(eps).sqrt().reciprocal();
        let mut y = centred.mul(&rate);
        if let Some(weight) = weight {
            y = y.mul(weight);
        }
        if let Some(bias) = bias {
            y = y.add(bias);
        }
        (y, self.cat(&[&mean, &rate], 1))
    }

    /// The gradients of [`Backend::norm`] with respect to `x`, weight and bias; `stats` is its second result. Without
    /// a weight the last two mean what they would for one of ones.
    fn norm_grad(
        &self,
        kind: Norm,
        grad: &Array,
        x: &Array,
        stats: &Array,
        weight: Option<&Array>,
    ) -> (Array, Array, Array) {
        let share = 1.0 / x.shape()[1] as f64;
        let (mean, rate) = (stats.narrow(1, 0, 1), stats.narrow(1, 1, 1));
        let unit = x.sub(&mean).mul(&rate);
        let inner = weight.map_or_else(|| grad.clone(), |weight| grad.mul(weight));
        let along = self.reduce(Reduce::Sum, &inner.mul(&unit), &[1]).scale(share);
        let mut dx = inner.sub(&unit.mul(&along));
        if kind == Norm::Layer {
            dx = dx.sub(&self.reduce(Reduce::Sum, &inner, &[1]).scale(share));
        }
        (dx.mul(&rate), grad.mul(&unit).sum_dim(0, false), grad.sum_dim(0, false))
    }

    /// One SGD step: changes `w`, and `velocity` where momentum is used.
    ///
    /// The order of operations is PyTorch's: weight decay, velocity, update.
    fn sgd_step(&self, step: &SgdStep, w: &mut Array, g: &Array, velocity: Option<&mut Array>) {
        let mut g = if step.maximize { g.neg() } else { g.clone() };
        if step.weight_decay != 0.0 {
            g = g.add(&w.scale(step.weight_decay));
        }
        if let Some(velocity) = velocity {
            *velocity = match step.first {
                true => g.clone(),
                false => velocity.scale(step.momentum).add(&g.scale(1.0 - step.dampening)),
            };
            g = if step.nesterov { g.add(&velocity.scale(step.momentum)) } else { velocity.clone() };
        }
        *w = w.sub(&g.scale(step.lr));
    }

    /// One Adam step: changes `w` and the running means `m` and `v`.
    fn adam_step(&self, step: &AdamStep, w: &mut Array, g: &Array, m: &mut Array, v: &mut Array) {
        let g = if step.weight_decay == 0.0 { g.clone() } else { g.add(&w.scale(step.weight_decay)) };
        *m = m.scale(step.beta1).add(&g.scale(1.0 - step.beta1));
        *v = v.scale(step.beta2).add(&g.mul(&g).scale(1.0 - step.beta2));
        let (rate, root) = step.corrections();
        *w = w.sub(&m.div(&v.sqrt().scale(1.0 / root).offset(step.eps)).scale(rate));
    }

    // Provided: windows and channels. The default bodies let the host compute.

    /// The convolution of `x` with `weight`, plus a bias for each channel; the shapes are those of [`Conv`], or others with
    /// as many elements.
    fn conv(&self, conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
        let bias = bias.map(host);
        window::conv::conv(conv, &host(x), &host(weight), bias.as_ref()).to_device(x.device())
    }

    /// The gradient of [`Backend::conv`] with respect to `x`, from that of its result.
    fn conv_grad_input(&self, conv: &Conv, grad: &Array, weight: &Array) -> Array {
        window::conv::grad_input(conv, &host(grad), &host(weight)).to_device(grad.device())
    }

    /// The gradient of [`Backend::conv`] with respect to the weight, from that of its result.
    fn conv_grad_weight(&self, conv: &Conv, grad: &Array, x: &Array) -> Array {
        window::conv::grad_weight(conv, &host(grad), &host(x)).to_device(grad.device())
    }

    /// The windows of `[N, C, ...]` as columns, `[N, C * kernel, windows]`.
    fn unfold_windows(&self, window: &Window, x: &Array) -> Array {
        window::columns::unfold(window, &host(x)).to_device(x.device())
    }

    /// The sums of columns `[N, C * kernel, windows]` in the places that [`Backend::unfold_windows`] takes them from.
    fn fold_windows(&self, window: &Window, columns: &Array) -> Array {
        window::columns::fold(window, &host(columns)).to_device(columns.device())
    }

    /// The largest elements of the windows of `[planes, depth, height, width]`, the first of equals and NaN before all,
    /// and their places in the planes, i64.
    fn max_pool(&self, spans: &Spans, x: &Array) -> (Array, Array) {
        let (values, index) = window::pool::max(spans, &host(x));
        (values.to_device(x.device()), index.to_device(x.device()))
    }

    /// The gradient of [`Backend::max_pool`] from that of its result and the places.
    fn max_pool_grad(&self, spans: &Spans, grad: &Array, index: &Array) -> Array {
        window::pool::max_grad(spans, &host(grad), &host(index)).to_device(grad.device())
    }

    /// The means of the windows of `[planes, depth, height, width]`.
    fn avg_pool(&self, spans: &Spans, x: &Array) -> Array {
        window::pool::avg(spans, &host(x)).to_device(x.device())
    }

    /// The gradient of [`Backend::avg_pool`] from that of its result.
    fn avg_pool_grad(&self, spans: &Spans, grad: &Array) -> Array {
        window::pool::avg_grad(spans, &host(grad)).to_device(grad.device())
    }

    /// Mean and variance of each channel of `[N, C, L]`, as `[C, 2]`; the variance is divided by the number of elements.
    fn channel_stats(&self, x: &Array) -> Array {
        channels::channel_stats(&host(x)).to_device(x.device())
    }

    /// For each channel of `[N, C, L]` the sum of the gradients, and that of their products with the distances of `x`
    /// from the mean, `[C]`: as `[C, 2]`.
    fn channel_grad_sums(&self, grad: &Array, x: &Array, mean: &Array) -> Array {
        channels::channel_grad_sums(&host(grad), &host(x), &host(mean)).to_device(x.device())
    }

    /// `(x - m) a + b` with `m, a, b` of each channel of `[N, C, L]`, `[C, 3]`.
    fn channel_scale(&self, x: &Array, factors: &Array) -> Array {
        channels::channel_scale(&host(x), &host(factors)).to_device(x.device())
    }

    /// `grad a + (x - m) b + c` with `m, a, b, c` of each channel of `[N, C, L]`, `[C, 4]`.
    fn channel_mix(&self, grad: &Array, x: &Array, factors: &Array) -> Array {
        channels::channel_mix(&host(grad), &host(x), &host(factors)).to_device(x.device())
    }
}

/// The array in host memory; itself if it is there.
fn host(x: &Array) -> Array {
    x.to_device(&Device::cpu())
}

impl AdamStep {
    /// `(lr / (1 - beta1^t), sqrt(1 - beta2^t))`: the corrections for the means' start at zero.
    pub fn corrections(&self) -> (f64, f64) {
        let t = self.step as i32;
        (self.lr / (1.0 - self.beta1.powi(t)), (1.0 - self.beta2.powi(t)).sqrt())
    }
}
