//! Losses, for the rules of autograd: shapes and dtypes are brought together here, the rest is the backend's.

use super::Array;
use crate::backend::{Ctc, PairLoss};
use std::borrow::Cow;

impl Array {
    /// The loss of each pair of elements of this array and another. Shapes broadcast, dtypes are promoted, integers
    /// and bools count as `f32`.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ; the message names `op`.
    #[track_caller]
    pub fn pair_loss(&self, op: &str, kind: PairLoss, other: &Array) -> Array {
        let dtype = self.loss_dtype(other);
        let (a, b) = self.operands(op, other, dtype.compute());
        self.device().kernels().pair_loss(kind, &a, &b).into_dtype(dtype)
    }

    /// The gradients of [`Array::pair_loss`] with respect to this array, in the broadcast shape, from those of the losses:
    /// one for all (a scalar) or one for each.
    ///
    /// # Panics
    /// As [`Array::pair_loss`].
    #[track_caller]
    pub fn pair_loss_grad(&self, op: &str, kind: PairLoss, other: &Array, grad: &Array) -> Array {
        let dtype = self.loss_dtype(other);
        let (a, b) = self.operands(op, other, dtype.compute());
        let grad = grad.in_dtype(dtype.compute());
        let grad = if grad.rank() == 0 || grad.shape() == a.shape() {
            grad
        } else {
            Cow::Owned(grad.broadcast_to(op, a.shape()))
        };
        self.device().kernels().pair_loss_grad(kind, &grad, &a, &b).into_dtype(dtype)
    }

    fn loss_dtype(&self, other: &Array) -> crate::DType {
        let dtype = self.dtype().promote(other.dtype());
        if dtype.is_float() { dtype } else { crate::DType::F32 }
    }

    /// Whether all elements of a float array lie in `low..=high`; NaN does not.
    pub fn within(&self, low: f64, high: f64) -> bool {
        self.device().kernels().within(&self.in_dtype(self.dtype().compute()), low, high)
    }

    /// Whether any number of a one-dimensional i64 array is neither in `0..classes` nor `ignored`, and whether any is
    /// `ignored`. `None` if the device will tell later, by a panic: see `graph_step` of the CUDA backend.
    pub fn class_numbers(&self, classes: usize, ignored: Option<i64>) -> Option<[bool; 2]> {
        self.device().kernels().class_numbers(self, classes, ignored)
    }

    /// The losses of connectionist temporal classification, `[N]`, of log-probabilities `[T, N, C]`; see [`Ctc`].
    pub fn ctc_loss(&self, task: &Ctc) -> Array {
        let x = self.in_dtype(self.dtype().compute());
        self.device().kernels().ctc_loss(&x, task).into_dtype(self.dtype())
    }

    /// The gradient of [`Array::ctc_loss`] with respect to this array, from that of the losses.
    pub fn ctc_loss_grad(&self, task: &Ctc, grad: &Array) -> Array {
        let (x, grad) = (self.in_dtype(self.dtype().compute()), grad.in_dtype(self.dtype().compute()));
        self.device().kernels().ctc_loss_grad(&x, task, &grad).into_dtype(self.dtype())
    }
}

/// The losses, of operations that every device has.
pub(crate) fn composed(kind: PairLoss, x: &Array, y: &Array) -> Array {
    let error = || x.sub(y);
    // Both are the distance within the bound, and the bound beyond: size * size / 2, bound * (size - bound / 2).
    let huber = |bound: f64| {
        let size = error().abs();
        let near = size.clamp(0.0, bound);
        near.mul(&size.sub(&near.scale(0.5)))
    };
    match kind {
        PairLoss::Square => {
            let error = error();
            error.mul(&error)
        }
        PairLoss::Absolute => error().abs(),
        PairLoss::Huber(delta) => huber(delta),
        PairLoss::SmoothL1(beta) => huber(beta).scale(1.0 / beta),
        PairLoss::Probability => {
            let cut = |x: Array| x.clamp(-100.0, f64::INFINITY);
            let (yes, no) = (cut(x.log()), cut(x.neg().log1p()));
            y.offset(-1.0).mul(&no).sub(&y.mul(&yes))
        }
        PairLoss::Logit => {
            let tail = x.neg().relu().add(&x.abs().neg().exp().log1p());
            y.neg().offset(1.0).mul(x).add(&tail)
        }
    }
}

/// The slopes times the gradients, of operations that every device has.
pub(crate) fn composed_grad(kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
    let error = || x.sub(y);
    let slope = match kind {
        PairLoss::Square => error().scale(2.0),
        PairLoss::Absolute => error().sign(),
        PairLoss::Huber(delta) => error().clamp(-delta, delta),
        PairLoss::SmoothL1(beta) => error().scale(1.0 / beta).clamp(-1.0, 1.0),
        PairLoss::Probability => {
            error().div(&x.neg().offset(1.0).mul(x).clamp(PairLoss::LEAST, f64::INFINITY))
        }
        PairLoss::Logit => x.sigmoid().sub(y),
    };
    slope.mul(grad)
}
