//! Sums and means.

use super::{Over, over, reduced};
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Dims, Shape, fail};

/// The sum over dims.
#[derive(Debug)]
struct Sum(Over);

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        over!(inputs[0], self.0, sum, sum_dim)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || self.0.restore(grad, saved.shape(0)).expand(saved.shape(0)));
    }
    fn grad_fn(&self) -> String {
        // PyTorch numbers its overloads: the sum of everything is 0, the sum over dims 1.
        format!("SumBackward{}", u8::from(self.0.dims.is_some()))
    }
}

/// The mean over dims.
#[derive(Debug)]
struct Mean(Over);

impl Op for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        over!(inputs[0], self.0, mean, mean_dim)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let count = saved.shape(0).numel() as f64 / grad.numel().max(1) as f64;
            (self.0.restore(grad, saved.shape(0)) / count).expand(saved.shape(0))
        });
    }
    fn grad_fn(&self) -> String {
        format!("MeanBackward{}", u8::from(self.0.dims.is_some()))
    }
}

/// Sums and means. `dims` is one dim or several, negative ones counted from the back; an empty list means all.
/// With `keepdim` the reduced dims stay with size 1.
impl Tensor {
    /// The sum of all elements; integers and bools are summed as `i64`.
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        Tensor::apply(Sum(Over::ALL), &[self])
    }

    /// [`Tensor::sum`] of the tensor cast to a dtype.
    #[track_caller]
    pub fn sum_with(&self, dtype: DType) -> Tensor {
        self.to(dtype).sum().to(dtype)
    }

    /// The sum along dims; integers and bools are summed as `i64`.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(Sum(Over::some(dims, keepdim)), &[self])
    }

    /// [`Tensor::sum_dim`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn sum_dim_with(&self, dims: impl Into<Dims>, keepdim: bool, dtype: DType) -> Tensor {
        self.to(dtype).sum_dim(dims, keepdim).to(dtype)
    }

    /// The mean of all elements.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        Tensor::apply(Mean(Over::ALL), &[self])
    }

    /// [`Tensor::mean`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If that is not a float.
    #[track_caller]
    pub fn mean_with(&self, dtype: DType) -> Tensor {
        self.to(dtype).mean()
    }

    /// The mean along dims.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(Mean(Over::some(dims, keepdim)), &[self])
    }

    /// [`Tensor::mean_dim`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If that is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn mean_dim_with(&self, dims: impl Into<Dims>, keepdim: bool, dtype: DType) -> Tensor {
        self.to(dtype).mean_dim(dims, keepdim)
    }

    /// The sum of all elements that are not NaN; integers and bools are summed as `i64`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.0, f64::NAN, 2.0]).nansum().item(), 3.0);
    /// ```
    #[track_caller]
    pub fn nansum(&self) -> Tensor {
        self.without_nan().sum()
    }

    /// The sum along dims of what is not NaN; integers and bools are summed as `i64`.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn nansum_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        self.without_nan().sum_dim(dims, keepdim)
    }

    /// The mean of all elements that are not NaN; NaN if there is none.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn nanmean(&self) -> Tensor {
        self.check_nanmean();
        self.nansum() / self.eq(self).sum()
    }

    /// The mean along dims of what is not NaN; NaN where there is nothing.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn nanmean_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        self.check_nanmean();
        let dims = dims.into();
        self.nansum_dim(dims.clone(), keepdim) / self.eq(self).sum_dim(dims, keepdim)
    }

    /// [`Tensor::nansum`] of the tensor cast to a dtype.
    #[track_caller]
    pub fn nansum_with(&self, dtype: DType) -> Tensor {
        self.to(dtype).nansum().to(dtype)
    }

    /// [`Tensor::nansum_dim`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn nansum_dim_with(&self, dims: impl Into<Dims>, keepdim: bool, dtype: DType) -> Tensor {
        self.to(dtype).nansum_dim(dims, keepdim).to(dtype)
    }

    /// [`Tensor::nanmean`] of the tensor cast to another float dtype.
    ///
    /// # Panics
    /// If a dtype is not a float.
    #[track_caller]
    pub fn nanmean_with(&self, dtype: DType) -> Tensor {
        self.check_nanmean();
        self.to(dtype).nanmean()
    }

    /// [`Tensor::nanmean_dim`] of the tensor cast to another float dtype.
    ///
    /// # Panics
    /// If a dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn nanmean_dim_with(&self, dims: impl Into<Dims>, keepdim: bool, dtype: DType) -> Tensor {
        self.check_nanmean();
        self.to(dtype).nanmean_dim(dims, keepdim)
    }

    #[track_caller]
    fn check_nanmean(&self) {
        if !self.dtype().is_float() {
            fail!(
                "nanmean: the dtype is {}, not a float; cast with .to(DType::F32) first",
                self.dtype().name()
            );
        }
    }

    /// With zeros in the places of NaN.
    #[track_caller]
    fn without_nan(&self) -> Tensor {
        if self.dtype().is_float() { self.masked_fill(&self.ne(self), 0.0) } else { self.clone() }
    }

    /// Sums down to a shape that broadcasts to this tensor's own.
    ///
    /// # Panics
    /// If the shape does not broadcast to this tensor's.
    #[track_caller]
    pub fn sum_to(&self, shape: &Shape) -> Tensor {
        let own = self.shape();
        let new = own.len().saturating_sub(shape.len());
        let dims: Vec<isize> = (0..own.len())
            .filter(|&i| i < new || (shape[i - new] == 1 && own[i] != 1))
            .map(|i| i as isize)
            .collect();
        if dims.is_empty() { self.reshape(shape) } else { self.sum_dim(dims.as_slice(), true).reshape(shape) }
    }

    /// Sums down to a shape that broadcasts to this tensor's own: PyTorch's `sum_to_size`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1.0, 2.0], [3.0, 4.0]]).sum_to_size([2, 1]).to_vec::<f32>(), [3.0, 7.0]);
    /// ```
    ///
    /// # Panics
    /// If the shape does not broadcast to this tensor's.
    #[track_caller]
    pub fn sum_to_size(&self, size: impl Into<Shape>) -> Tensor {
        let (own, size) = (self.shape(), size.into());
        let fits = size.len() <= own.len()
            && size.iter().rev().zip(own.iter().rev()).all(|(&size, &own)| size == own || size == 1);
        if !fits {
            fail!("sum_to_size: size {size:?} does not broadcast to this tensor's shape {own:?}");
        }
        self.sum_to(&size)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Sum", "sum", "torch.sum", |draw| {
        reduced(draw, false, Domain::Any, |x, dims, keepdim| match dims {
            [] => x.sum().exp(),
            dims => x.sum_dim(dims, keepdim).sin(),
        })
    })
    .rejects(|| {
        vec![
            Reject::new("sum: dim 2 is out of range for shape [2, 3]; expected -2 to 1", || {
                floats([2, 3]).sum_dim(2, false);
            }),
            Reject::new("sum: dim -1 appears twice in [1, -1]", || {
                floats([2, 3]).sum_dim([1, -1], false);
            }),
        ]
    }),
    OpInfo::op("Mean", "mean", "torch.mean", |draw| {
        reduced(draw, true, Domain::Any, |x, dims, keepdim| match dims {
            [] => x.mean().exp(),
            dims => x.mean_dim(dims, keepdim).exp(),
        })
    })
    .rejects(|| {
        vec![Reject::new("mean: the dtype is int64, not a float; cast with .to(DType::F32) first", || {
            integers().mean();
        })]
    }),
    OpInfo::composed("sum_to_size", "torch.Tensor.sum_to_size", |draw| {
        let shape = draw.full_shape(0, 3);
        let skip = draw.below(shape.len() + 1);
        let size: Vec<usize> = shape[skip..].iter().map(|&s| if draw.coin() { 1 } else { s }).collect();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].sum_to_size(size.as_slice()).exp())
    })
    .rejects(|| {
        vec![Reject::new("sum_to_size: size [2] does not broadcast to this tensor's shape [3]", || {
            floats([3]).sum_to_size([2]);
        })]
    }),
    OpInfo::composed("nansum", "torch.nansum", |draw| {
        let shape = draw.shape(0, 3);
        let (dim, mask) = (draw.dim(&shape), Tensor::constant(draw.mask(&shape)));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].masked_fill(&mask, f64::NAN).nansum_dim(dim, false).exp()
        })
    })
    .rejects(|| {
        vec![Reject::new("sum: dim 1 is out of range for shape [2]", || {
            floats([2]).nansum_dim(1, false);
        })]
    }),
    OpInfo::composed("nanmean", "torch.nanmean", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        // One element at least stays in each place of the result: the mask is of what is put beside it.
        let mask = Tensor::constant(draw.mask(&shape));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            let both = Tensor::stack(&[&x[0], &x[0].masked_fill(&mask, f64::NAN)], 0);
            both.nanmean_dim([0, if dim < 0 { dim } else { dim + 1 }].as_slice(), true).exp()
        })
    })
    .rejects(|| {
        vec![Reject::new("nanmean: the dtype is int64, not a float", || {
            integers().nanmean();
        })]
    }),
];
