//! Norms of vectors.

use super::{Over, check_float};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::linalg::{NormOrder, of_matrices};
use crate::ops::where_;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Term;
use rushlight_array::{Array, DType, Dims, fail};

/// What [`Tensor::norm_with`] takes beside the tensor.
#[derive(Clone, Debug)]
pub struct NormOptions {
    /// The order: 2 is the length, 1 the sum of absolute values, 0 the number of elements that are not 0, infinity the
    /// largest absolute value, minus infinity the smallest; else the sum of `|x|^p` to the power of `1 / p`. Frobenius'
    /// is the order 2; the nuclear one is the sum of the singular values of matrices, which need two dims.
    pub p: NormOrder,
    /// Along which dims; `None` for all elements.
    pub dim: Option<Dims>,
    /// Whether these dims stay with size 1.
    pub keepdim: bool,
    /// The tensor is cast to this dtype first.
    pub dtype: Option<DType>,
}

impl Default for NormOptions {
    fn default() -> Self {
        NormOptions { p: NormOrder::P(2.0), dim: None, keepdim: false, dtype: None }
    }
}

/// The norm of order `p` of the elements over dims; where it is 0 the gradient is.
#[derive(Debug)]
pub(crate) struct VectorNorm {
    pub(crate) p: f64,
    pub(crate) over: Over,
    /// What messages call it.
    pub(crate) name: &'static str,
}

impl Op for VectorNorm {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (x, name) = (inputs[0], self.name);
        check_float(name, x);
        self.over.check(name, x.shape());
        let (dims, dtype) = (self.over.list(), x.dtype());
        if self.over.kept(x.shape()).iter().zip(&**x.shape()).any(|(&kept, &size)| kept == 1 && size == 0)
            && (self.p < 0.0 || self.p.is_infinite())
        {
            fail!("{name}: a norm of order {} of no elements (shape {:?}) does not exist", self.p, x.shape());
        }
        let x = x.cast(dtype.compute());
        let kept = match self.p {
            0.0 => x.count_nonzero(name, dims, true).cast(x.dtype()),
            1.0 => x.reduce_term(name, Term::Abs, None, dims),
            2.0 => x.reduce_term(name, Term::Square, None, dims).sqrt(),
            f64::INFINITY => x.amax(dims.clone(), true).maximum(&x.amin(dims, true).neg()),
            f64::NEG_INFINITY => x.abs().amin(dims, true),
            p => x.abs().powf(p).sum_dim(dims, true).powf(1.0 / p),
        };
        // The negative of 0 is -0.
        let kept = if self.p == f64::INFINITY { kept.abs() } else { kept };
        self.over.shaped(&kept, x.shape()).cast(dtype)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (x, shape) = (saved.input(0), saved.shape(0));
            let (y, grad) = (self.over.restore(&saved.output(), shape), self.over.restore(grad, shape));
            self.rule(&x, &y, &grad)
        });
    }
    fn grad_fn(&self) -> String {
        "LinalgVectorNormBackward0".to_string()
    }
}

impl VectorNorm {
    /// The gradient; where the norm is 0 that is 0, as in PyTorch.
    fn rule(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Tensor {
        let none = || y.eq(0.0);
        match self.p {
            0.0 => x.zeros_like(),
            1.0 => grad * x.sign(),
            2.0 => x * (grad / y.masked_fill(&none(), 1.0)).masked_fill(&none(), 0.0),
            p if p.is_infinite() => {
                let nan = x.ne(x).logical_and(&y.ne(y));
                let winners = x.abs().eq(y).logical_or(&nan);
                x.sign() * self.over.shared(&winners, grad)
            }
            p if p < 1.0 => {
                // The slope at 0 would be infinite.
                let zero = x.eq(0.0);
                let scaled = x.sign() * x.masked_fill(&zero, 1.0).abs().pow(p - 1.0);
                scaled.masked_fill(&zero, 0.0) * grad * y.pow(1.0 - p)
            }
            p => {
                let scale = (grad / y.masked_fill(&none(), 1.0).pow(p - 1.0)).masked_fill(&none(), 0.0);
                if p < 2.0 {
                    x.sign() * x.abs().pow(p - 1.0) * scale
                } else {
                    x * x.abs().pow(p - 2.0) * scale
                }
            }
        }
    }
}

impl Tensor {
    /// The root of the sum of all squares: PyTorch's `norm()`. Where it is 0 the gradient is 0.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([3.0, -4.0]).norm().item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn norm(&self) -> Tensor {
        Tensor::apply(VectorNorm { p: 2.0, over: Over::ALL, name: "norm" }, &[self])
    }

    /// The root of the sum of squares along dims: PyTorch's `norm(dim=dims)`; an empty list means all.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn norm_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(VectorNorm { p: 2.0, over: Over::some(dims, keepdim), name: "norm" }, &[self])
    }

    /// A norm of any order.
    ///
    /// ```
    /// use rushlight_autograd::{ops::NormOptions, tensor};
    /// let options = NormOptions { p: f64::INFINITY.into(), dim: Some(1.into()), ..Default::default() };
    /// let x = tensor([[1.0, -3.0], [2.0, 0.0]]);
    /// assert_eq!(x.norm_with(&options).to_vec::<f32>(), [3.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float, a dim is out of range or named twice, or the order is infinite or negative and a reduced
    /// dim empty.
    #[track_caller]
    pub fn norm_with(&self, options: &NormOptions) -> Tensor {
        check_float("norm", &self.value());
        let x = options.dtype.map_or_else(|| self.clone(), |dtype| self.to(dtype));
        let p = match options.p {
            NormOrder::P(p) => p,
            NormOrder::Fro => 2.0,
            NormOrder::Nuc => return nuclear(&x, options),
        };
        let over = Over { dims: options.dim.clone(), keepdim: options.keepdim };
        Tensor::apply(VectorNorm { p, over, name: "norm" }, &[&x])
    }
}

/// The sums of the singular values of matrices.
#[track_caller]
fn nuclear(x: &Tensor, options: &NormOptions) -> Tensor {
    let dims: Vec<isize> = match &options.dim {
        Some(dims) => dims.iter().collect(),
        None => (0..x.dim() as isize).collect(),
    };
    match dims.as_slice() {
        &[rows, columns] => of_matrices("norm", x, NormOrder::Nuc, [rows, columns], options.keepdim),
        dims => fail!("norm: the nuclear norm is one of matrices; it needs two dims, not {dims:?}"),
    }
}

/// The root of the sum of all squares: PyTorch's `linalg.vector_norm`, as [`Tensor::norm`].
///
/// # Panics
/// If the dtype is not a float.
#[track_caller]
pub fn vector_norm(x: &Tensor) -> Tensor {
    x.norm()
}

/// A norm of any order: PyTorch's `linalg.vector_norm`, whose `ord` is `p` here; see [`Tensor::norm_with`].
///
/// # Panics
/// As [`Tensor::norm_with`].
#[track_caller]
pub fn vector_norm_with(x: &Tensor, options: &NormOptions) -> Tensor {
    x.norm_with(options)
}

/// A norm of some order of elements that are neither 0 nor equal.
fn sample(draw: &mut Draw<'_>) -> Sample {
    const ORDERS: [f64; 9] = [2.0, 1.0, 0.0, 3.0, 1.5, 0.5, -1.0, f64::INFINITY, f64::NEG_INFINITY];
    let (p, shape) = (ORDERS[draw.below(9)], draw.full_shape(0, 3));
    let dim = draw.dim(&shape);
    let dim = draw.coin().then_some(dim);
    let keepdim = draw.coin();
    // Absolute values differ, too.
    Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| {
        let options =
            NormOptions { p: p.into(), dim: dim.map(Dims::from), keepdim, ..NormOptions::default() };
        let x = &x[0] + 2.5;
        let signs = where_(&x.gt(1.7), &x, &-&x);
        vector_norm_with(&signs, &options) + signs.norm()
    })
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("VectorNorm", "norm", "torch.norm", sample).rejects(|| {
        vec![
            Reject::new("norm: the dtype is int64, not a float; cast with .to(DType::F32) first", || {
                integers().norm();
            }),
            Reject::new("norm: a norm of order inf of no elements (shape [0, 2]) does not exist", || {
                floats([0, 2]).norm_with(&NormOptions { p: f64::INFINITY.into(), ..NormOptions::default() });
            }),
        ]
    }),
    OpInfo::composed("vector_norm", "torch.linalg.vector_norm", sample).rejects(|| {
        vec![Reject::new("norm: the dtype is int64, not a float", || {
            vector_norm(&integers());
        })]
    }),
];
