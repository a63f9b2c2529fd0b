//! Softmax and its logarithm.

use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::unary::{Which, plain_or};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType};

#[derive(Debug)]
struct Softmax(isize);

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].softmax(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let kernel = |grad: &Array, y: &Array| grad.softmax_grad(y, self.0);
        give.to(0, || {
            plain_or(saved, Which::Output, grad, kernel, |grad, y| {
                let weighted = grad * y;
                let total = sum_along(&weighted, self.0);
                weighted - y * total
            })
        });
    }
}

#[derive(Debug)]
struct LogSoftmax(isize);

impl Op for LogSoftmax {
    fn name(&self) -> &'static str {
        "log_softmax"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].log_softmax(self.0)
    }
    fn saves(&self) -> Saves {
        Saves::OUTPUT
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let kernel = |grad: &Array, y: &Array| grad.log_softmax_grad(y, self.0);
        give.to(0, || {
            plain_or(saved, Which::Output, grad, kernel, |grad, y| grad - y.exp() * sum_along(grad, self.0))
        });
    }
}

/// The sum along a dim, which stays.
fn sum_along(x: &Tensor, dim: isize) -> Tensor {
    if x.dim() == 0 { x.clone() } else { x.sum_dim(dim, true) }
}

impl Tensor {
    /// exp(x) over its sum along `dim`, without overflow.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[2.0, 2.0], [1e4, 0.0]]).softmax(1).to_vec::<f32>(), [0.5, 0.5, 1.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Tensor {
        Tensor::apply(Softmax(dim), &[self])
    }

    /// The logarithm of the softmax along `dim`, without its loss of small values.
    ///
    /// # Panics
    /// If the dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Tensor {
        Tensor::apply(LogSoftmax(dim), &[self])
    }

    /// [`Tensor::softmax`] of the tensor cast to a dtype first.
    ///
    /// # Panics
    /// If that dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn softmax_with(&self, dim: isize, dtype: DType) -> Tensor {
        self.to(dtype).softmax(dim)
    }

    /// [`Tensor::log_softmax`] of the tensor cast to a dtype first.
    ///
    /// # Panics
    /// If that dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn log_softmax_with(&self, dim: isize, dtype: DType) -> Tensor {
        self.to(dtype).log_softmax(dim)
    }

    /// The softmax of -x along `dim`: the smallest get most.
    ///
    /// # Panics
    /// If the dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn softmin(&self, dim: isize) -> Tensor {
        (-self).softmax(dim)
    }

    /// [`Tensor::softmin`] of the negated tensor cast to a dtype first.
    ///
    /// # Panics
    /// For bools; if that dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn softmin_with(&self, dim: isize, dtype: DType) -> Tensor {
        (-self).softmax_with(dim, dtype)
    }
}

fn along(draw: &mut Draw<'_>, call: fn(&Tensor, isize) -> Tensor) -> Sample {
    let shape = draw.shape(0, 3);
    let dim = draw.dim(&shape);
    Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| call(&x[0], dim))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Softmax", "softmax", "torch.softmax", |draw| along(draw, |x, dim| x.softmax(dim))).rejects(
        || {
            vec![
                Reject::new("softmax: dim 2 is out of range for shape [2, 3]; expected -2 to 1", || {
                    floats([2, 3]).softmax(2);
                }),
                Reject::new("softmax: the dtype is int64, not a float", || {
                    integers().softmax(0);
                }),
            ]
        },
    ),
    OpInfo::op("LogSoftmax", "log_softmax", "torch.log_softmax", |draw| {
        along(draw, |x, dim| x.log_softmax(dim))
    })
    .rejects(|| {
        vec![Reject::new("log_softmax: dim -3 is out of range for shape [2, 3]; expected -2 to 1", || {
            floats([2, 3]).log_softmax(-3);
        })]
    }),
    OpInfo::composed("softmin", "torch.nn.functional.softmin", |draw| along(draw, |x, dim| x.softmin(dim)))
        .rejects(|| {
            vec![Reject::new("softmax: the dtype is int64, not a float", || {
                integers().softmin(0);
            })]
        }),
];
