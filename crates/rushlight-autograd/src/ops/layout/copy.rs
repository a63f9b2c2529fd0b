//! Copies in row-major order.

use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::Array;

/// The elements in row-major order in a block of their own.
#[derive(Debug)]
struct Copy;

impl Op for Copy {
    fn name(&self) -> &'static str {
        "clone"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].copy()
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
    }
}

/// Copies.
impl Tensor {
    /// The elements in row-major order without gaps; the tensor itself if they lie so.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { Tensor::apply(Copy, &[self]) }
    }

    /// The elements in a block of memory of their own, in row-major order: PyTorch's `clone()`, through which gradients
    /// pass. (Rust's `clone` is another handle on the same tensor.)
    ///
    /// Values never change behind a tensor's back, so a copy is seldom needed: to let go of the large block that a
    /// small view keeps alive, or to give a graph a place of its own.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([1.0, 2.0]).requires_grad_();
    /// x.copy().sum().backward();
    /// assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn copy(&self) -> Tensor {
        Tensor::apply(Copy, &[self])
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Copy", "copy", "torch.clone", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].copy().exp())
    })
    .differs("Rust's `clone` is another handle on the same tensor."),
    OpInfo::composed("contiguous", "torch.Tensor.contiguous", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].transpose(0, -1).contiguous().exp())
    }),
];
