//! The largest and the smallest, their places, and medians of everything.

use super::{Over, check_not_bool, over, reduced};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::backend::Rank;
use rushlight_array::{Array, Dims, fail};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Max,
    Min,
    Median,
    NanMedian,
}

/// The largest, smallest or middle element over dims; equal ones share the gradient.
#[derive(Debug)]
struct Extreme {
    over: Over,
    kind: Kind,
    name: &'static str,
}

impl Op for Extreme {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        match self.kind {
            Kind::Max => over!(inputs[0], self.over, max, amax),
            Kind::Min => over!(inputs[0], self.over, min, amin),
            Kind::Median => inputs[0].reshape([-1]).kth("median", Rank::Median, 0).0.reshape(()),
            Kind::NanMedian => inputs[0].reshape([-1]).kth("nanmedian", Rank::NanMedian, 0).0.reshape(()),
        }
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (x, shape) = (saved.input(0), saved.shape(0));
            let y = self.over.restore(&saved.output(), shape);
            let mut winners = x.eq(&y);
            if self.over.dims.is_none() {
                // Among all, NaN is found as well; along dims nothing is equal to it, as in PyTorch.
                winners = winners.logical_or(&x.ne(&x).logical_and(&y.ne(&y)));
            }
            self.over.shared(&winners, &self.over.restore(grad, shape))
        });
    }
    fn grad_fn(&self) -> String {
        // PyTorch's number 0 of max and min is that of one dim, with places.
        match self.name {
            "max" => "MaxBackward1",
            "min" => "MinBackward1",
            "amax" => "AmaxBackward0",
            "amin" => "AminBackward0",
            "median" => "MedianBackward0",
            _ => "NanmedianBackward0",
        }
        .to_string()
    }
}

/// Elements at places along a dim, as another kernel has found them.
#[derive(Debug)]
struct Picked {
    name: &'static str,
    dim: isize,
    keepdim: bool,
    /// The elements, until they are given out.
    values: Option<Array>,
    /// Their places; the dim stays.
    index: Array,
}

impl Op for Picked {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let values = match self.values.take() {
            Some(values) => values,
            None => inputs[0].gather(self.dim, &self.index),
        };
        if self.keepdim { values } else { values.squeeze_dim(self.dim) }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let zeros = Array::full(saved.shape(0), 0.0, grad.dtype(), &grad.device());
            let grad = grad.reshape(self.index.shape());
            Tensor::constant(zeros).scatter_add(self.dim, &self.index.clone().into(), &grad)
        });
    }
}

impl Tensor {
    /// Values and places as tensors; the values pass their gradient to where they came from.
    #[track_caller]
    pub(crate) fn picked(
        &self,
        name: &'static str,
        dim: isize,
        keepdim: bool,
        (values, index): (Option<Array>, Array),
    ) -> (Tensor, Tensor) {
        if self.dim() == 0 {
            return (self.clone(), Tensor::constant(index.reshape(())));
        }
        let op = Picked { name, dim, keepdim, values, index: index.clone() };
        let values = Tensor::apply(op, &[self]);
        (values, if keepdim { index } else { index.squeeze_dim(dim) }.into())
    }

    /// The largest of all elements; equal ones share the gradient. For PyTorch's `max` of two tensors see
    /// [`Tensor::maximum`].
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        Tensor::apply(Extreme { over: Over::ALL, kind: Kind::Max, name: "max" }, &[self])
    }

    /// The smallest of all elements; equal ones share the gradient. For PyTorch's `min` of two tensors see
    /// [`Tensor::minimum`].
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        Tensor::apply(Extreme { over: Over::ALL, kind: Kind::Min, name: "min" }, &[self])
    }

    /// The largest elements along dims; equal ones share the gradient.
    ///
    /// # Panics
    /// If a reduced dim is empty, out of range or named twice.
    #[track_caller]
    pub fn amax(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let over = Over::some(dims, keepdim);
        Tensor::apply(Extreme { over, kind: Kind::Max, name: "amax" }, &[self])
    }

    /// The smallest elements along dims; equal ones share the gradient.
    ///
    /// # Panics
    /// If a reduced dim is empty, out of range or named twice.
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let over = Over::some(dims, keepdim);
        Tensor::apply(Extreme { over, kind: Kind::Min, name: "amin" }, &[self])
    }

    /// The smallest and the largest of all elements; equal ones share the gradient.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (least, most) = tensor([2.0, -1.0, 3.0]).aminmax();
    /// assert_eq!([least.item(), most.item()], [-1.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn aminmax(&self) -> (Tensor, Tensor) {
        if self.numel() == 0 {
            fail!("aminmax: shape {:?} holds no element and has no extreme value", self.shape());
        }
        (self.amin([0isize; 0], false), self.amax([0isize; 0], false))
    }

    /// The smallest and the largest elements along a dim; equal ones share the gradient.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn aminmax_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        (self.amin(dim, keepdim), self.amax(dim, keepdim))
    }

    /// The largest elements along one dim and their places: PyTorch's `max(dim)`. The gradient goes to the
    /// first of equal ones.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn max_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let index = self.array().argmax(dim, true);
        self.picked("max", dim, keepdim, (None, index))
    }

    /// The smallest elements along one dim and their places: PyTorch's `min(dim)`. The gradient goes to the
    /// first of equal ones.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn min_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let index = self.array().argmin(dim, true);
        self.picked("min", dim, keepdim, (None, index))
    }

    /// The place of the first largest of all elements, in row-major order, as `i64`; NaN is the largest.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1.0, 5.0], [5.0, 0.0]]).argmax().item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If there is none, or the dtype is bool.
    #[track_caller]
    pub fn argmax(&self) -> Tensor {
        self.check_some("argmax");
        self.array().reshape([-1]).argmax(0, false).into()
    }

    /// The place of the first largest element along a dim, as `i64`; NaN is the largest.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1.0, 5.0], [5.0, 0.0]]).argmax_dim(1, false).to_vec::<i64>(), [1, 0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is empty or out of range, or the dtype is bool.
    #[track_caller]
    pub fn argmax_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        check_not_bool("argmax", self);
        self.array().argmax(dim, keepdim).into()
    }

    /// The place of the first smallest of all elements, in row-major order, as `i64`; NaN is the smallest.
    ///
    /// # Panics
    /// If there is none, or the dtype is bool.
    #[track_caller]
    pub fn argmin(&self) -> Tensor {
        self.check_some("argmin");
        self.array().reshape([-1]).argmin(0, false).into()
    }

    /// The place of the first smallest element along a dim, as `i64`; NaN is the smallest.
    ///
    /// # Panics
    /// If the dim is empty or out of range, or the dtype is bool.
    #[track_caller]
    pub fn argmin_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        check_not_bool("argmin", self);
        self.array().argmin(dim, keepdim).into()
    }

    #[track_caller]
    fn check_some(&self, name: &str) {
        check_not_bool(name, self);
        if self.numel() == 0 {
            fail!("{name}: shape {:?} holds no element and has no position", self.shape());
        }
    }

    /// The lower one of the two in the middle of all elements in order, NaN if any is; of nothing it is NaN. Equal ones share
    /// the gradient.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([4.0, 1.0, 3.0, 2.0]).median().item(), 2.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is bool, or there is no element and it is not a float.
    #[track_caller]
    pub fn median(&self) -> Tensor {
        self.middle("median", Kind::Median)
    }

    /// [`Tensor::median`] of what is not NaN.
    ///
    /// # Panics
    /// If the dtype is bool, or there is no element and it is not a float.
    #[track_caller]
    pub fn nanmedian(&self) -> Tensor {
        self.middle("nanmedian", Kind::NanMedian)
    }

    #[track_caller]
    fn middle(&self, name: &'static str, kind: Kind) -> Tensor {
        check_not_bool(name, self);
        if self.numel() == 0 && self.dtype().is_float() {
            // As the mean of nothing, which also takes part in gradients.
            return self.mean();
        }
        Tensor::apply(Extreme { over: Over::ALL, kind, name }, &[self])
    }

    /// The lower one of the two in the middle of each row along a dim, and its place; the first NaN if there is any. Which
    /// one of equal elements is meant, is open.
    ///
    /// # Panics
    /// If the dim is empty or out of range, or the dtype is bool.
    #[track_caller]
    pub fn median_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        check_not_bool("median", self);
        let (values, index) = self.array().kth("median", Rank::Median, dim);
        self.picked("median", dim, keepdim, (Some(values), index))
    }

    /// [`Tensor::median_dim`] of what is not NaN.
    ///
    /// # Panics
    /// If the dim is empty or out of range, or the dtype is bool.
    #[track_caller]
    pub fn nanmedian_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        check_not_bool("nanmedian", self);
        let (values, index) = self.array().kth("nanmedian", Rank::NanMedian, dim);
        self.picked("nanmedian", dim, keepdim, (Some(values), index))
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Extreme", "amax", "torch.amax", |draw| match draw.below(5) {
        0 => reduced(draw, true, Domain::Distinct, |x, dims, keepdim| match dims {
            [] => x.max().exp(),
            dims => x.amax(dims, keepdim).exp(),
        }),
        1 => reduced(draw, true, Domain::Distinct, |x, dims, keepdim| match dims {
            [] => x.min().exp(),
            dims => x.amin(dims, keepdim).exp(),
        }),
        2 => reduced(draw, true, Domain::Distinct, |x, _, _| x.median().exp()),
        3 => reduced(draw, true, Domain::Distinct, |x, _, _| x.nanmedian().exp()),
        _ => {
            // Each extreme stands twice, and both places belong to one input.
            let shape = draw.full_shape(1, 3);
            let (dim, largest) = (draw.dim(&shape), draw.coin());
            Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| {
                let twice = Tensor::cat(&[&x[0], &x[0]], dim);
                if largest { twice.amax(dim, false).exp() } else { twice.amin(dim, true).exp() }
            })
        }
    })
    .rejects(|| {
        vec![
            Reject::new("max: axis 0 of shape [0] is empty and has no extreme value", || {
                floats([0]).max();
            }),
            Reject::new("amin: dim 5 is out of range for shape [2]", || {
                floats([2]).amin(5, false);
            }),
        ]
    }),
    OpInfo::op("Picked", "max_dim", "torch.max", |draw| {
        let shape = draw.full_shape(0, 3);
        let (dim, which, keepdim) = (draw.dim(&shape), draw.below(4), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| match which {
            0 => x[0].max_dim(dim, keepdim).0.exp(),
            1 => x[0].min_dim(dim, keepdim).0.exp(),
            2 => x[0].median_dim(dim, keepdim).0.exp(),
            _ => x[0].nanmedian_dim(dim, keepdim).0.exp(),
        })
    })
    .rejects(|| {
        vec![
            Reject::new("argmax: axis 1 of shape [2, 0] is empty and has no position", || {
                floats([2, 0]).max_dim(1, false);
            }),
            Reject::new("median: axis 1 of shape [2, 0] is empty and has no element", || {
                floats([2, 0]).median_dim(1, false);
            }),
        ]
    }),
    OpInfo::composed("aminmax", "torch.aminmax", |draw| {
        let shape = draw.full_shape(0, 3);
        let dim = draw.dim(&shape);
        Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| {
            let ((a, b), (c, d)) = (x[0].aminmax(), x[0].aminmax_dim(dim, false));
            a * b.exp() * c * d.exp()
        })
    })
    .rejects(|| {
        vec![Reject::new("aminmax: shape [2, 0] holds no element", || {
            floats([2, 0]).aminmax();
        })]
    }),
    OpInfo::composed("argmax", "torch.argmax", |draw| {
        let shape = draw.full_shape(0, 3);
        let (dim, keepdim) = (draw.dim(&shape), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].argmax_dim(dim, keepdim) + x[0].argmax()
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("argmax: shape [0, 2] holds no element and has no position", || {
            floats([0, 2]).argmax();
        })]
    }),
    OpInfo::composed("argmin", "torch.argmin", |draw| {
        let shape = draw.full_shape(0, 3);
        let (dim, keepdim) = (draw.dim(&shape), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].argmin_dim(dim, keepdim) + x[0].argmin()
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("argmin: dim 1 is out of range for shape [2]", || {
            floats([2]).argmin_dim(1, false);
        })]
    }),
];
