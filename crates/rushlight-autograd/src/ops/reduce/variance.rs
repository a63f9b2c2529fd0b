//! Variances and standard deviations.

use super::{Over, check_float};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Term;
use rushlight_array::{Array, Dims};

/// The sum of the squares of what differs from the mean, over the number of elements less a correction; or the root of that.
#[derive(Debug)]
struct Var {
    over: Over,
    correction: f64,
    /// Whether it is the standard deviation. The root is taken before the cast to a half type, in which squares overflow
    /// and vanish early.
    root: bool,
}

impl Var {
    /// What the sum is divided by; none at all divides by 0.
    fn freedom(&self, count: usize) -> f64 {
        (count as f64 - self.correction).max(0.0)
    }
}

impl Op for Var {
    fn name(&self) -> &'static str {
        if self.root { "std" } else { "var" }
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (x, name) = (inputs[0], self.name());
        check_float(name, x);
        self.over.check(name, x.shape());
        let (dims, dtype) = (self.over.list(), x.dtype());
        let x = x.cast(dtype.compute());
        // Two passes, which do not cancel as the mean of squares less the square of the mean does.
        let mean = x.mean_dim(dims.clone(), true);
        let squares = x.reduce_term(name, Term::Square, Some(&mean), dims);
        let freedom = squares.scalar_operand(self.freedom(self.over.count(x.shape())));
        let var = squares.div(&freedom);
        let y = if self.root { var.sqrt() } else { var };
        self.over.shaped(&y, x.shape()).cast(dtype)
    }
    fn saves(&self) -> Saves {
        if self.root { Saves::ALL } else { Saves::INPUTS }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let x = saved.input(0);
            let centred = &x - x.mean_dim(self.over.list(), true);
            let of_var = self.root.then(|| {
                // The slope of the root is 1 / (2 y), and counts as 0 at 0, as in PyTorch.
                let y = saved.output();
                let none = y.eq(0.0);
                (grad * 0.5 / y.masked_fill(&none, 1.0)).masked_fill(&none, 0.0)
            });
            let slope = self.over.restore(of_var.as_ref().unwrap_or(grad), saved.shape(0));
            match self.freedom(self.over.count(saved.shape(0))) {
                // As in PyTorch: infinite whatever the side, and NaN at the mean itself.
                0.0 if self.over.dims.is_none() || x.dim() == 0 => {
                    slope * centred.abs().div(&Tensor::constant(centred.array().scalar_operand(0.0)))
                }
                _ => centred * (slope * (2.0 / (self.over.count(saved.shape(0)) as f64 - self.correction))),
            }
        });
    }
    fn grad_fn(&self) -> String {
        if self.root { "StdBackward0" } else { "VarBackward0" }.to_string()
    }
}

/// Variances and standard deviations: divided by the number of elements less one, or less another correction. `dims` is one
/// dim or several, negative ones counted from the back; an empty list means all.
impl Tensor {
    #[track_caller]
    fn var_over(&self, over: Over, correction: f64, root: bool) -> Tensor {
        Tensor::apply(Var { over, correction, root }, &[self])
    }

    /// The variance of all elements, divided by their number less one.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn var(&self) -> Tensor {
        self.var_over(Over::ALL, 1.0, false)
    }

    /// The variance along dims, divided by the number of elements less one.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 3.0], [5.0, 5.0]]);
    /// assert_eq!(x.var_dim(1, false).to_vec::<f32>(), [2.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn var_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        self.var_over(Over::some(dims, keepdim), 1.0, false)
    }

    /// The variance along dims, divided by the number of elements less the correction (or by 0 if that is larger); PyTorch's
    /// `unbiased=False` is the correction 0.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.0, 3.0]).var_with(0, 0.0, false).item(), 1.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn var_with(&self, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> Tensor {
        self.var_over(over(dims, keepdim), correction, false)
    }

    /// The square root of [`Tensor::var`]; if all elements are equal the gradient is 0, as in PyTorch.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn std(&self) -> Tensor {
        self.var_over(Over::ALL, 1.0, true)
    }

    /// The square root of [`Tensor::var_dim`]; its gradient is 0 where all elements are equal.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn std_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        self.var_over(Over::some(dims, keepdim), 1.0, true)
    }

    /// The square root of [`Tensor::var_with`]; its gradient is 0 where all elements are equal.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn std_with(&self, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> Tensor {
        self.var_over(over(dims, keepdim), correction, true)
    }
}

/// The dims of a call with a correction; an empty list means all.
fn over(dims: impl Into<Dims>, keepdim: bool) -> Over {
    let dims = dims.into();
    Over { dims: (!dims.is_empty()).then_some(dims), keepdim }
}

/// The variance and the mean of all elements; see [`Tensor::var`].
///
/// # Panics
/// If the dtype is not a float.
#[track_caller]
pub fn var_mean(x: &Tensor) -> (Tensor, Tensor) {
    (x.var(), x.mean())
}

/// The variance and the mean along dims; see [`Tensor::var_with`].
///
/// # Panics
/// If the dtype is not a float, or a dim is out of range or named twice.
#[track_caller]
pub fn var_mean_with(x: &Tensor, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> (Tensor, Tensor) {
    let dims = dims.into();
    (x.var_with(dims.clone(), correction, keepdim), x.mean_dim(dims, keepdim))
}

/// The standard deviation and the mean of all elements; see [`Tensor::std`].
///
/// ```
/// use rushlight_autograd::{ops::std_mean, tensor};
/// let (std, mean) = std_mean(&tensor([1.0, 2.0, 3.0]));
/// assert_eq!([std.item(), mean.item()], [1.0, 2.0]);
/// ```
///
/// # Panics
/// If the dtype is not a float.
#[track_caller]
pub fn std_mean(x: &Tensor) -> (Tensor, Tensor) {
    (x.std(), x.mean())
}

/// The standard deviation and the mean along dims; see [`Tensor::std_with`].
///
/// # Panics
/// If the dtype is not a float, or a dim is out of range or named twice.
#[track_caller]
pub fn std_mean_with(x: &Tensor, dims: impl Into<Dims>, correction: f64, keepdim: bool) -> (Tensor, Tensor) {
    let dims = dims.into();
    (x.std_with(dims.clone(), correction, keepdim), x.mean_dim(dims, keepdim))
}

/// Rows of at least two elements, of which no two are equal.
fn rows(draw: &mut Draw<'_>, call: fn(&Tensor, isize, bool) -> Tensor) -> Sample {
    let mut shape = draw.full_shape(1, 3).to_vec();
    let (dim, keepdim) = (draw.below(shape.len()), draw.coin());
    shape[dim] += 1;
    let dim = if draw.coin() { dim as isize } else { dim as isize - shape.len() as isize };
    Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| call(&x[0], dim, keepdim))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Var", "var", "torch.var", |draw| match draw.below(3) {
        0 => rows(draw, |x, _, _| x.var().exp()),
        1 => rows(draw, |x, dim, keepdim| x.var_dim(dim, keepdim).exp()),
        _ => rows(draw, |x, dim, keepdim| x.var_with(dim, 0.5, keepdim).exp()),
    })
    .rejects(|| {
        vec![
            Reject::new("var: the dtype is int64, not a float; cast with .to(DType::F32) first", || {
                integers().var();
            }),
            Reject::new("var: dim 1 is out of range for shape [2]", || {
                floats([2]).var_dim(1, false);
            }),
        ]
    }),
    OpInfo::composed("std", "torch.std", |draw| match draw.below(3) {
        0 => rows(draw, |x, _, _| x.std().exp()),
        1 => rows(draw, |x, dim, keepdim| x.std_dim(dim, keepdim).exp()),
        _ => rows(draw, |x, dim, keepdim| x.std_with(dim, 0.5, keepdim).exp()),
    })
    .rejects(|| {
        vec![Reject::new("std: the dtype is int64, not a float", || {
            integers().std();
        })]
    }),
    OpInfo::composed("var_mean", "torch.var_mean", |draw| {
        rows(draw, |x, dim, keepdim| {
            let ((a, b), (c, d)) = (var_mean(x), var_mean_with(x, dim, 0.0, keepdim));
            a * b + c * d
        })
    })
    .rejects(|| {
        vec![Reject::new("var: the dtype is int64, not a float", || {
            var_mean(&integers());
        })]
    }),
    OpInfo::composed("std_mean", "torch.std_mean", |draw| {
        rows(draw, |x, dim, keepdim| {
            let ((a, b), (c, d)) = (std_mean(x), std_mean_with(x, dim, 0.0, keepdim));
            a * b + c * d
        })
    })
    .rejects(|| {
        vec![Reject::new("std: the dtype is int64, not a float", || {
            std_mean(&integers());
        })]
    }),
];
