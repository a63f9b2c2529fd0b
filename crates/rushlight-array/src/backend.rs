//! What a device must be able to do.
//!
//! The required methods come in kinds (transfer, copy, elementwise, reduce, matmul, index); the provided
//! ones are fused operations whose default bodies compose the required ones. A new device needs the
//! first, and may override the second where it can do better.
//!
//! Arguments arrive checked and, for elementwise work, already broadcast: [`Array`] does that once for
//! all devices. Results are new contiguous arrays unless a method says otherwise.

use crate::array::Array;
use crate::cpu::memory::HostBuffer;
use crate::dtype::DType;
use crate::storage::Buffer;
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
    Log,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// max(x, 0).
    Relu,
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

    /// `x W^T + b`: `[N, in] x [out, in] + [out] -> [N, out]`.
    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
        let y = self.matmul(x, &weight.t());
        match bias {
            Some(bias) => y.add(bias),
            None => y,
        }
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
}

impl AdamStep {
    /// `(lr / (1 - beta1^t), sqrt(1 - beta2^t))`: the corrections for the means' start at zero.
    pub fn corrections(&self) -> (f64, f64) {
        let t = self.step as i32;
        (self.lr / (1.0 - self.beta1.powi(t)), (1.0 - self.beta2.powi(t)).sqrt())
    }
}
