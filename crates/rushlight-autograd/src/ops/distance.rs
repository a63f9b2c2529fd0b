//! Distances and directions of vectors.

use super::inplace::in_place;
use super::{NormOptions, Operand, rsub, triu_indices_with, where_};
use crate::autocast::Choice;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Term;
use rushlight_array::{Array, Dims, broadcast_shapes, fail};

impl Tensor {
    /// The root of the sum of the squared differences of two tensors.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.0, 2.0]).dist(&tensor([4.0, 6.0])).item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or neither dtype is a float.
    #[track_caller]
    pub fn dist<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
        self.dist_with(other, 2.0)
    }

    /// The norm of order `p` of the difference of two tensors; see [`Tensor::norm_with`].
    ///
    /// # Panics
    /// As [`Tensor::dist`] and [`Tensor::norm_with`].
    #[track_caller]
    pub fn dist_with<'a>(&self, other: impl Into<Operand<'a>>, p: f64) -> Tensor {
        let other = other.into();
        let difference = self.sub(&*other.tensor(self));
        difference.norm_with(&NormOptions { p: p.into(), ..NormOptions::default() })
    }

    /// The slices along a dim, each scaled down to the norm `maxnorm` (of order `p`) if it is larger.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[3.0, 4.0], [0.3, 0.4]]).renorm(2.0, 0, 1.0);
    /// assert!(x.allclose(&tensor([[0.6, 0.8], [0.3, 0.4]]), 1e-5, 0.0));
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two dims or is not a float, `p` is not positive or `maxnorm` negative.
    #[track_caller]
    pub fn renorm(&self, p: f64, dim: isize, maxnorm: f64) -> Tensor {
        if self.dim() < 2 {
            fail!("renorm: the input has shape {:?}; it must have at least two dims", self.shape());
        }
        if p.is_nan() || p <= 0.0 || maxnorm.is_nan() || maxnorm < 0.0 {
            fail!("renorm: p is {p} and maxnorm {maxnorm}; p must be positive, maxnorm not negative");
        }
        let kept = rushlight_array::axis("renorm", dim, &self.shape());
        let others: Vec<isize> = (0..self.dim()).filter(|&d| d != kept).map(|d| d as isize).collect();
        let norm = norm_along(self, p, Dims::from(others.as_slice()), true);
        // PyTorch's own number against division by zero.
        let scale = maxnorm / (&norm + 1e-7);
        let one = Tensor::constant(norm.array().scalar_operand(1.0));
        self * where_(&norm.gt(maxnorm), &scale, &one)
    }
}

in_place! {
    renorm_ = renorm(p: f64, dim: isize, maxnorm: f64);
}

#[track_caller]
fn norm_along(x: &Tensor, p: f64, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
    x.norm_with(&NormOptions { p: p.into(), dim: Some(dims.into()), keepdim, dtype: None })
}

/// `x` where it is above `low`, else that, without a gradient.
fn at_least(x: &Tensor, low: f64) -> Tensor {
    where_(&x.le(low), &Tensor::constant(x.array().scalar_operand(low)), x)
}

/// `x` over its length along `dims`: vectors of the length 1. Those that are shorter than 1e-12 are divided by that.
///
/// ```
/// use rushlight_autograd::{ops::normalize, tensor};
/// assert!(normalize(&tensor([3.0, 4.0]), 0).allclose(&tensor([0.6, 0.8]), 1e-6, 0.0));
/// ```
///
/// # Panics
/// If the dtype is not a float or a dim is out of range.
#[track_caller]
pub fn normalize(x: &Tensor, dims: impl Into<Dims>) -> Tensor {
    normalize_with(x, dims, 2.0, 1e-12)
}

/// `x` over its norm of order `p` along `dims`, which counts as `eps` at least.
///
/// # Panics
/// If the dtype is not a float or a dim is out of range.
#[track_caller]
pub fn normalize_with(x: &Tensor, dims: impl Into<Dims>, p: f64, eps: f64) -> Tensor {
    x / at_least(&norm_along(x, p, dims, true), eps)
}

/// The cosine of the angle between vectors along `dim`, from -1 to 1. Shapes broadcast.
///
/// ```
/// use rushlight_autograd::{ops::cosine_similarity, tensor};
/// assert_eq!(cosine_similarity(&tensor([0.0, 2.0]), &tensor([3.0, 0.0]), 0).item(), 0.0);
/// assert_eq!(cosine_similarity(&tensor([0.0, 2.0]), &tensor([0.0, 4.0]), 0).item(), 1.0);
/// ```
///
/// # Panics
/// If neither dtype is a float, the shapes do not broadcast, or the dim is out of range.
#[track_caller]
pub fn cosine_similarity(x1: &Tensor, x2: &Tensor, dim: isize) -> Tensor {
    cosine_similarity_with(x1, x2, dim, 1e-8)
}

/// [`cosine_similarity`] where lengths count as `eps` at least.
///
/// # Panics
/// As [`cosine_similarity`].
#[track_caller]
pub fn cosine_similarity_with(x1: &Tensor, x2: &Tensor, dim: isize, eps: f64) -> Tensor {
    let choice = Choice::of("cosine_similarity", &[x1, x2]);
    let (x1, x2) = (&choice.cast(x1), &choice.cast(x2));
    let dtype = x1.dtype().promote(x2.dtype());
    if !dtype.is_float() {
        fail!(
            "cosine_similarity: the dtype is {}, not a float; cast with .to(DType::F32) first",
            dtype.name()
        );
    }
    let shape = broadcast_shapes("cosine_similarity", &x1.shape(), &x2.shape());
    let unit = |x: &Tensor| {
        let x = x.to(dtype).expand(&shape);
        let norm = norm_along(&x, 2.0, dim, true);
        // As in PyTorch: the bound is no part of the gradient.
        let short = norm.detach();
        let missing = (rsub(&short, eps)).masked_fill(&short.gt(eps), 0.0);
        x / (norm + missing)
    };
    (unit(x1) * unit(x2)).sum_dim(dim, false)
}

/// What [`pairwise_distance_with`] takes beside the tensors.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PairwiseDistanceOptions {
    /// The order of the norm.
    pub p: f64,
    /// Added to the differences, so that no distance is 0.
    pub eps: f64,
    /// Whether the last dim stays with size 1.
    pub keepdim: bool,
}

impl Default for PairwiseDistanceOptions {
    fn default() -> Self {
        PairwiseDistanceOptions { p: 2.0, eps: 1e-6, keepdim: false }
    }
}

/// The distances of the vectors along the last dim of two tensors: `(N, D) x (N, D) -> (N)`. Shapes broadcast.
///
/// # Panics
/// If the shapes do not broadcast or the devices differ.
#[track_caller]
pub fn pairwise_distance(x1: &Tensor, x2: &Tensor) -> Tensor {
    pairwise_distance_with(x1, x2, &PairwiseDistanceOptions::default())
}

/// [`pairwise_distance`] by another norm.
///
/// # Panics
/// As [`pairwise_distance`].
#[track_caller]
pub fn pairwise_distance_with(x1: &Tensor, x2: &Tensor, options: &PairwiseDistanceOptions) -> Tensor {
    norm_along(&(x1 - x2 + options.eps), options.p, -1, options.keepdim)
}

/// How [`cdist_with`] computes distances of the order 2: PyTorch's `compute_mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CdistMode {
    /// By a matrix product if there are more than 25 vectors on a side.
    #[default]
    MmIfNecessary,
    /// By a matrix product: faster, and less exact for vectors that are near each other.
    Mm,
    /// From the differences.
    NoMm,
}

/// The distances of all pairs of vectors: `(.., P, D) x (.., R, D) -> (.., P, R)`. The first dims broadcast.
///
/// ```
/// use rushlight_autograd::{ops::cdist, tensor};
/// let d = cdist(&tensor([[0.0, 0.0]]), &tensor([[3.0, 4.0], [0.0, 1.0]]));
/// assert_eq!(d.to_vec::<f32>(), [5.0, 1.0]);
/// ```
///
/// # Panics
/// If the shapes do not fit or a dtype is not a float.
#[track_caller]
pub fn cdist(x1: &Tensor, x2: &Tensor) -> Tensor {
    cdist_with(x1, x2, 2.0, CdistMode::default())
}

/// [`cdist`] by another norm. Where a distance is 0 its gradient is.
///
/// # Panics
/// As [`cdist`]; if `p` is negative.
#[track_caller]
pub fn cdist_with(x1: &Tensor, x2: &Tensor, p: f64, mode: CdistMode) -> Tensor {
    let (a, b) = (x1.shape(), x2.shape());
    if a.len() < 2 || b.len() < 2 || a[a.len() - 1] != b[b.len() - 1] {
        fail!("cdist: shapes {a:?} and {b:?}; both must have two dims or more and the same last size");
    }
    if !x1.dtype().is_float() || !x2.dtype().is_float() {
        fail!("cdist: the dtypes are {} and {}; both must be floats", x1.dtype().name(), x2.dtype().name());
    }
    if p.is_nan() || p < 0.0 {
        fail!("cdist: p is {p}; it must not be negative");
    }
    let [rows, columns, size] = [a[a.len() - 2], b[b.len() - 2], a[a.len() - 1]];
    let batch = broadcast_shapes("cdist", &a[..a.len() - 2], &b[..b.len() - 2]);
    let shape = |rows: usize| [&batch[..], &[rows, size]].concat();
    let (a, b) = (x1.expand(shape(rows).as_slice()), x2.expand(shape(columns).as_slice()));
    if p == 2.0 || size == 0 {
        let product = match mode {
            CdistMode::MmIfNecessary => rows > 25 || columns > 25,
            mode => mode == CdistMode::Mm,
        };
        return Tensor::apply(Cdist { product }, &[&a, &b]);
    }
    norm_of_differences(&(a.unsqueeze(-2) - b.unsqueeze(-3)), p)
}

/// The distances of all pairs of rows: `(N, D) -> (N (N - 1) / 2)`, of the first row and the second, the first and the
/// third, and so on: PyTorch's `functional.pdist`.
///
/// ```
/// use rushlight_autograd::{ops::pdist, tensor};
/// let x = tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]);
/// assert_eq!(pdist(&x, 2.0).to_vec::<f32>(), [5.0, 3.0, 4.0]);
/// ```
///
/// # Panics
/// If there are not two dims, the dtype is not a float, or `p` is negative.
#[track_caller]
pub fn pdist(x: &Tensor, p: f64) -> Tensor {
    if x.dim() != 2 || !x.dtype().is_float() {
        fail!("pdist: shape {:?} of {}; it must be [N, D] of floats", x.shape(), x.dtype().name());
    }
    if p.is_nan() || p < 0.0 {
        fail!("pdist: p is {p}; it must not be negative");
    }
    let choice = Choice::of("pdist", &[x]);
    let x = &choice.cast(x);
    let rows = x.size(0);
    let pairs = triu_indices_with(rows, rows, 1).to(x.device());
    let row = |i: isize| x.index_select(0, &pairs.select(0, i));
    // Of no features every distance is 0.
    norm_of_differences(&(row(0) - row(1)), if x.size(1) == 0 { 2.0 } else { p })
}

/// Distances of the order `p` from the differences along the last dim.
fn norm_of_differences(difference: &Tensor, p: f64) -> Tensor {
    if p == f64::INFINITY {
        // Unlike in other norms, each of equal largest differences gets all of the gradient, as in PyTorch.
        let sizes = difference.abs();
        let largest = sizes.detach().amax(-1, true);
        let winners = sizes.detach().eq(&largest);
        let slopes = (&sizes - sizes.detach()).masked_fill(&winners.logical_not(), 0.0);
        return slopes.sum_dim(-1, false) + largest.squeeze_dim(-1);
    }
    norm_along(difference, p, -1, false)
}

/// Euclidean distances of all pairs of vectors.
#[derive(Debug)]
struct Cdist {
    /// Whether by `|a|^2 + |b|^2 - 2 a b`.
    product: bool,
}

impl Op for Cdist {
    fn name(&self) -> &'static str {
        "cdist"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let dtype = inputs[0].dtype().promote(inputs[1].dtype());
        let [a, b] = [inputs[0], inputs[1]].map(|x| x.cast(dtype.compute()));
        let squares = if self.product {
            let square = |x: &Array| x.reduce_term("cdist", Term::Square, None, -1);
            let sums = square(&a).add(&square(&b).transpose(-1, -2));
            let product = a.matmul(&b.transpose(-1, -2));
            // Rounding may leave less than nothing.
            sums.sub(&product.scale(2.0)).relu()
        } else {
            let difference = a.unsqueeze(-2).sub(&b.unsqueeze(-3));
            difference.reduce_term("cdist", Term::Square, None, -1).squeeze_dim(-1)
        };
        squares.sqrt().cast(dtype)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (a, b, y) = (saved.input(0), saved.input(1), saved.output());
        // The slope by a is (a - b) / y; where the distance is 0, nothing.
        let none = y.eq(0.0);
        let slope = || {
            let difference = a.unsqueeze(-2) - b.unsqueeze(-3);
            let y = y.masked_fill(&none, 1.0).unsqueeze(-1);
            (difference / y).masked_fill(&none.unsqueeze(-1), 0.0) * grad.unsqueeze(-1)
        };
        if !self.product {
            // The other form, a product, loses what near vectors differ by.
            let slope = slope();
            give.to(0, || slope.sum_dim(-2, false));
            give.to(1, || -slope.sum_dim(-3, false));
            return;
        }
        let weight = (grad / y.masked_fill(&none, 1.0)).masked_fill(&none, 0.0);
        give.to(0, || &a * weight.sum_dim(-1, true) - weight.matmul(&b));
        give.to(1, || {
            let turned = weight.transpose(-1, -2);
            &b * turned.sum_dim(-1, true) - turned.matmul(&a)
        });
    }
    fn grad_fn(&self) -> String {
        "CdistBackward0".to_string()
    }
}

/// Two tensors of vectors, apart from each other and from zero, and a dim.
fn pairs(draw: &mut Draw<'_>, call: fn(&Tensor, &Tensor, isize, f64) -> Tensor) -> Sample {
    const ORDERS: [f64; 4] = [2.0, 1.0, 3.0, f64::INFINITY];
    let shape = draw.full_shape(1, 3);
    let (dim, p) = (draw.dim(&shape), ORDERS[draw.below(4)]);
    let inputs = vec![draw.leaf(&shape, Domain::Distinct), draw.leaf(&shape, Domain::Distinct)];
    Sample::new(inputs, move |x| call(&(&x[0] + 2.5), &(&x[1] * -0.7 - 3.0), dim, p))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("dist", "torch.dist", |draw| pairs(draw, |a, b, _, p| a.dist_with(b, p))).rejects(
        || {
            vec![Reject::new("norm: the dtype is int64, not a float", || {
                integers().dist(&integers());
            })]
        },
    ),
    OpInfo::composed("renorm", "torch.renorm", |draw| {
        let shape = draw.full_shape(2, 3);
        let (dim, p) = (draw.dim(&shape), if draw.coin() { 2.0 } else { 3.0 });
        Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| {
            // All slices are longer than 0.5.
            (&x[0] + 3.0).renorm(p, dim, 0.5)
        })
    })
    .rejects(|| {
        vec![
            Reject::new("renorm: the input has shape [2]; it must have at least two dims", || {
                floats([2]).renorm(2.0, 0, 1.0);
            }),
            Reject::new("renorm: p is 0 and maxnorm 1; p must be positive", || {
                floats([2, 2]).renorm(0.0, 0, 1.0);
            }),
        ]
    }),
    OpInfo::composed("normalize", "torch.nn.functional.normalize", |draw| {
        pairs(draw, |a, b, dim, p| normalize_with(a, dim, p, 1e-12) + normalize(b, dim))
    })
    .rejects(|| {
        vec![Reject::new("norm: the dtype is int64, not a float", || {
            normalize(&integers(), 0);
        })]
    }),
    OpInfo::composed("cosine_similarity", "torch.nn.functional.cosine_similarity", |draw| {
        pairs(draw, |a, b, dim, _| cosine_similarity(a, b, dim))
    })
    .rejects(|| {
        vec![Reject::new("cosine_similarity: the dtype is int64, not a float", || {
            cosine_similarity(&integers(), &integers(), 0);
        })]
    }),
    OpInfo::composed("pairwise_distance", "torch.nn.functional.pairwise_distance", |draw| {
        pairs(draw, |a, b, _, p| {
            pairwise_distance_with(a, b, &PairwiseDistanceOptions { p, ..PairwiseDistanceOptions::default() })
        })
    })
    .rejects(|| {
        vec![Reject::new("sub: shapes [2] and [3] do not broadcast", || {
            pairwise_distance(&floats([2]), &floats([3]));
        })]
    }),
    OpInfo::composed("pdist", "torch.nn.functional.pdist", |draw| {
        const ORDERS: [f64; 4] = [2.0, 1.0, 3.0, f64::INFINITY];
        let (shape, p) = ([draw.full_size() + 1, draw.full_size()], ORDERS[draw.below(4)]);
        Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| pdist(&x[0], p))
    })
    .rejects(|| {
        vec![Reject::new("pdist: shape [2] of float32; it must be [N, D] of floats", || {
            pdist(&floats([2]), 2.0);
        })]
    }),
    OpInfo::op("Cdist", "cdist", "torch.cdist", |draw| {
        const ORDERS: [f64; 4] = [2.0, 1.0, 3.0, f64::INFINITY];
        const MODES: [CdistMode; 3] = [CdistMode::MmIfNecessary, CdistMode::Mm, CdistMode::NoMm];
        let (batch, size) = (draw.full_shape(0, 1), draw.full_size());
        let shape = |rows: usize| [&batch[..], &[rows, size]].concat();
        let (rows, columns) = (shape(draw.full_size()), shape(draw.full_size()));
        let (p, mode) = (ORDERS[draw.below(4)], MODES[draw.below(3)]);
        let inputs = vec![draw.leaf(&rows, Domain::Distinct), draw.leaf(&columns, Domain::Distinct)];
        Sample::new(inputs, move |x| cdist_with(&(&x[0] + 2.5), &(&x[1] * -0.7 - 3.0), p, mode))
    })
    .rejects(|| {
        vec![
            Reject::new("cdist: shapes [2, 3] and [2, 4]; both must have two dims or more", || {
                cdist(&floats([2, 3]), &floats([2, 4]));
            }),
            Reject::new("cdist: p is -1; it must not be negative", || {
                cdist_with(&floats([2, 3]), &floats([2, 3]), -1.0, CdistMode::default());
            }),
        ]
    }),
];
