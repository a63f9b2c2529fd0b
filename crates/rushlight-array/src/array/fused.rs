//! Fused operations, forward and backward, for the rules of autograd: checked for dtype here, computed by the
//! device's backend. Shapes are the callers' business.

use super::Array;
use crate::backend::{Attention, Norm, OptimizerStep, Rule};
use crate::layout::axis;

impl Array {
    /// One step of an optimiser on this array and the states that its rule has; see
    /// [`Backend::optimizer_step`](crate::backend::Backend::optimizer_step).
    pub fn optimizer_step<R: Rule>(
        &mut self,
        step: &OptimizerStep<R>,
        grad: &Array,
        state: [Option<&mut Array>; 3],
    ) {
        let device = self.device().clone();
        device.kernels().optimizer_step(step, self, grad, state);
    }

    /// `x W^T + b` for `[N, in] x [out, in] + [out] -> [N, out]`, and a relu behind it if wanted.
    pub fn linear(&self, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let wide = |x: &Array| x.cast(x.dtype().compute());
        if self.dtype() == self.dtype().compute() {
            return self.device().kernels().linear(self, weight, bias, relu);
        }
        if self.device().kernels().product_dtype(self.dtype()) == self.dtype() {
            return self.device().kernels().linear_narrow(self, weight, bias, relu);
        }
        let bias = bias.map(wide);
        self.device().kernels().linear(&wide(self), &wide(weight), bias.as_ref(), relu).cast(self.dtype())
    }

    /// `softmax(q k^T scale) v` with this array as the query, and the softmax if it is to be kept for
    /// [`Array::attention_grad`]; see [`Backend::attention`](crate::Backend::attention). Only for dtypes in which it computes.
    pub fn attention(
        &self,
        key: &Array,
        value: &Array,
        what: &Attention,
        keep: bool,
    ) -> (Array, Option<Array>) {
        self.device().kernels().attention(what, [self, key, value], keep)
    }

    /// The gradients of query, key and value from that of [`Array::attention`]'s result (this array).
    pub fn attention_grad(&self, inputs: [&Array; 3], weights: &Array, what: &Attention) -> [Array; 3] {
        self.device().kernels().attention_grad(what, self, inputs, weights)
    }

    /// The gradient of [`Array::softmax`] from that of its result (this array), and the result `y`.
    #[track_caller]
    pub fn softmax_grad(&self, y: &Array, dim: isize) -> Array {
        self.row_grad(y, dim, |grad, y, a| grad.device().kernels().softmax_grad(grad, y, a))
    }

    /// The gradient of [`Array::log_softmax`] from that of its result (this array), and the result `y`.
    #[track_caller]
    pub fn log_softmax_grad(&self, y: &Array, dim: isize) -> Array {
        self.row_grad(y, dim, |grad, y, a| grad.device().kernels().log_softmax_grad(grad, y, a))
    }

    #[track_caller]
    fn row_grad(&self, y: &Array, dim: isize, f: impl Fn(&Array, &Array, usize) -> Array) -> Array {
        if self.numel() == 0 {
            return self.clone();
        }
        let (a, compute) = (axis("softmax", dim, y.shape()), y.dtype().compute());
        let (grad, wide) = (self.in_dtype(compute), y.in_dtype(compute));
        let out = match y.rank() {
            0 => f(&grad.reshape([1]), &wide.reshape([1]), a).reshape(()),
            _ => f(&grad, &wide, a),
        };
        out.into_dtype(y.dtype())
    }

    /// The losses `-log_softmax(x)[target]` of the rows of `[N, C]`, `[N]`, and what [`Array::cross_entropy_grad`] needs
    /// of them. Targets are class numbers in range, as i64.
    pub fn cross_entropy(&self, target: &Array) -> (Array, Array) {
        if self.shape()[1] == 0 {
            // No class, so no target counts: the losses are there to be left out.
            let zeros = |shape: &[usize], dtype| Array::full(shape, 0.0, dtype, self.device());
            let count = self.shape()[0];
            return (zeros(&[count], self.dtype()), zeros(&[count, 2], self.dtype().compute()));
        }
        let (losses, stats) =
            self.device().kernels().cross_entropy(&self.in_dtype(self.dtype().compute()), target);
        (losses.into_dtype(self.dtype()), stats)
    }

    /// The gradient of [`Array::cross_entropy`]'s losses with respect to this array, from theirs, `[N]`; `stats` is its
    /// second result.
    pub fn cross_entropy_grad(&self, stats: &Array, target: &Array, grad: &Array) -> Array {
        if self.numel() == 0 {
            return self.zeros_like();
        }
        let (x, grad) = (self.in_dtype(stats.dtype()), grad.in_dtype(stats.dtype()));
        self.device().kernels().cross_entropy_grad(&x, stats, target, &grad).into_dtype(self.dtype())
    }

    /// Normalises the rows of `[N, D]`, see [`Backend::norm`](crate::Backend::norm).
    pub fn norm(&self, kind: Norm, weight: Option<&Array>, bias: Option<&Array>, eps: f64) -> (Array, Array) {
        let wide = |x: &Array| x.cast(x.dtype().compute());
        if self.numel() == 0 {
            let stats = [self.shape()[0], 2];
            return (self.clone(), Array::full(stats, 0.0, self.dtype().compute(), self.device()));
        }
        let (weight, bias) = (weight.map(wide), bias.map(wide));
        let (y, stats) = self.device().kernels().norm(kind, &wide(self), weight.as_ref(), bias.as_ref(), eps);
        (y.cast(self.dtype()), stats)
    }

    /// The gradients of [`Array::norm`]'s result with respect to this array, weight and bias, from its own.
    pub fn norm_grad(&self, kind: Norm, stats: &Array, weight: Option<&Array>, grad: &Array) -> [Array; 3] {
        let wide = |x: &Array| x.cast(stats.dtype());
        if self.numel() == 0 {
            let sums = || Array::full(self.shape()[1], 0.0, self.dtype(), self.device());
            return [self.clone(), sums(), sums()];
        }
        let weight = weight.map(wide);
        let backend = self.device().kernels();
        let (dx, dw, db) = backend.norm_grad(kind, &wide(grad), &wide(self), stats, weight.as_ref());
        [dx, dw, db].map(|grad| grad.cast(self.dtype()))
    }
}
