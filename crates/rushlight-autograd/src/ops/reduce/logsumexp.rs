//! The logarithm of a sum of exponentials.

use super::{Over, reduced};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Dims};

/// log(sum(exp(x))) along dims.
#[derive(Debug)]
struct LogSumExp(Over);

impl Op for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        self.0.check("logsumexp", x.shape());
        let dims = self.0.list();
        if self.0.count(x.shape()) == 0 || x.numel() == 0 {
            // The logarithm of an empty sum, which has no largest term.
            return x.sum_dim(dims, self.0.keepdim).log();
        }
        // An infinite maximum must not be subtracted from itself.
        let most = x.amax(dims.clone(), true);
        let finite = most.abs().lt(&most.scalar_operand(f64::INFINITY));
        let most = finite.where_(&most, &most.scalar_operand(0.0));
        let sum = x.sub(&most).exp().sum_dim(dims, true).log().add(&most);
        self.0.shaped(&sum, x.shape())
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            // Both with the dims, so that they broadcast beside the input.
            let beside = |y: &Tensor| self.0.restore(y, saved.shape(0));
            beside(grad) * (saved.input(0) - beside(&saved.output())).exp()
        });
    }
}

impl Tensor {
    /// The logarithm of the sum of exp(x) along dims, without overflow; of nothing it is minus infinity. Integers and bools
    /// give `f32`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let sum = tensor([1000.0, 1000.0]).logsumexp(0, false);
    /// assert!((sum.item() - (1000.0 + 2f64.ln())).abs() < 1e-4);
    /// ```
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn logsumexp(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let op = LogSumExp(Over::some(dims, keepdim));
        if self.dtype().is_float() {
            Tensor::apply(op, &[self])
        } else {
            Tensor::apply(op, &[&self.to(DType::F32)])
        }
    }
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::op("LogSumExp", "logsumexp", "torch.logsumexp", |draw| {
    reduced(draw, false, Domain::Any, |x, dims, keepdim| x.logsumexp(dims, keepdim))
})
.rejects(|| {
    vec![Reject::new("logsumexp: dim 2 is out of range for shape [2, 3]; expected -2 to 1", || {
        floats([2, 3]).logsumexp(2, false);
    })]
})];
