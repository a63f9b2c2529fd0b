//! Quantiles, histograms and covariances.

use super::{Operand, where_};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{DType, axis, fail};

/// What a quantile between two elements is: PyTorch's `interpolation`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Interpolation {
    /// In proportion to how near they are.
    #[default]
    Linear,
    /// The smaller one.
    Lower,
    /// The larger one.
    Higher,
    /// The middle of both.
    Midpoint,
    /// The nearer one; half way, the one of an even place.
    Nearest,
}

/// What [`Tensor::quantile_with`] takes beside the tensor and the fractions.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuantileOptions {
    /// Along which dim; `None` for all elements.
    pub dim: Option<isize>,
    /// Whether that dim (or all) stays with size 1.
    pub keepdim: bool,
    /// What a quantile between two elements is.
    pub interpolation: Interpolation,
}

/// What [`Tensor::histc_with`] takes beside the tensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HistcOptions {
    /// The number of bins.
    pub bins: usize,
    /// The lower end of the range.
    pub min: f64,
    /// The upper end of the range, which belongs to the last bin. If both ends are equal, the range is that of the data.
    pub max: f64,
}

impl Default for HistcOptions {
    fn default() -> Self {
        HistcOptions { bins: 100, min: 0.0, max: 0.0 }
    }
}

/// What [`Tensor::cov_with`] takes beside the tensor.
#[derive(Clone, Debug)]
pub struct CovOptions {
    /// What is taken from the number of observations: 1 for the unbiased estimate, 0 for the plain mean.
    pub correction: i64,
    /// How often each observation counts: integers, one for each.
    pub fweights: Option<Tensor>,
    /// How much each observation counts: floats, one for each.
    pub aweights: Option<Tensor>,
}

impl Default for CovOptions {
    fn default() -> Self {
        CovOptions { correction: 1, fweights: None, aweights: None }
    }
}

impl Tensor {
    /// The elements below which the fractions `q` of all elements lie, each from 0 to 1: a number, or a tensor with at most one
    /// dim, which becomes the first of the result. NaN if any element is.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([4.0, 1.0, 2.0, 3.0]);
    /// assert_eq!(x.quantile(0.5).item(), 2.5);
    /// assert_eq!(x.quantile(&tensor([0.0, 1.0])).to_vec::<f32>(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is empty or neither `f32` nor `f64`, or `q` has another dtype, more dims, or values beyond 0 and 1.
    #[track_caller]
    pub fn quantile<'a>(&self, q: impl Into<Operand<'a>>) -> Tensor {
        self.quantile_by("quantile", q.into(), &QuantileOptions::default(), false)
    }

    /// [`Tensor::quantile`] along a dim, or by another rule between two elements.
    ///
    /// # Panics
    /// As [`Tensor::quantile`]; if the dim is out of range.
    #[track_caller]
    pub fn quantile_with<'a>(&self, q: impl Into<Operand<'a>>, options: &QuantileOptions) -> Tensor {
        self.quantile_by("quantile", q.into(), options, false)
    }

    /// [`Tensor::quantile`] of the elements that are not NaN.
    ///
    /// # Panics
    /// As [`Tensor::quantile`].
    #[track_caller]
    pub fn nanquantile<'a>(&self, q: impl Into<Operand<'a>>) -> Tensor {
        self.quantile_by("nanquantile", q.into(), &QuantileOptions::default(), true)
    }

    /// [`Tensor::quantile_with`] of the elements that are not NaN.
    ///
    /// # Panics
    /// As [`Tensor::quantile_with`].
    #[track_caller]
    pub fn nanquantile_with<'a>(&self, q: impl Into<Operand<'a>>, options: &QuantileOptions) -> Tensor {
        self.quantile_by("nanquantile", q.into(), options, true)
    }

    #[track_caller]
    fn quantile_by(&self, name: &str, q: Operand<'_>, options: &QuantileOptions, skip_nan: bool) -> Tensor {
        let q = q.tensor(self);
        check_quantile(name, self, &q);
        // The dim at the end, sorted.
        let (x, dim) = match options.dim {
            None => (self.reshape([-1]), 0),
            Some(dim) if self.dim() == 0 => (self.reshape([1]), axis(name, dim, &self.shape())),
            Some(dim) => (self.clone(), axis(name, dim, &self.shape())),
        };
        if x.numel() == 0 {
            fail!("{name}: shape {:?} holds no element", self.shape());
        }
        let dim = dim as isize;
        let sorted = x.transpose(dim, -1).sort(-1, false).0;
        let last = sorted.size(-1) - 1;
        // The places that are asked for, perhaps between two.
        let q_list = q.reshape([-1]);
        let places = if skip_nan {
            let count = sorted.eq(&sorted).sum_dim(-1, true).to(x.dtype());
            let places = &q_list * (count - 1.0);
            places.masked_fill(&places.lt(0.0), 0.0)
        } else {
            let nan = sorted.narrow(-1, last, 1);
            let count = Tensor::constant(nan.array().ones_like()) * last as f64;
            (&q_list * count).masked_fill(&nan.ne(&nan), last as f64)
        };
        let values = between(&sorted, &places, options.interpolation).transpose(dim, -1);
        let rank = if options.dim.is_some() { self.dim() } else { 0 };
        self.place_quantiles(&values, &q, dim, rank, options)
    }

    /// Puts the quantiles, which lie along a dim, where they belong.
    fn place_quantiles(
        &self,
        values: &Tensor,
        q: &Tensor,
        dim: isize,
        rank: usize,
        options: &QuantileOptions,
    ) -> Tensor {
        // In front, if `q` has a dim; the dim itself stays with size 1.
        let front = values.unsqueeze(0).transpose(0, dim + 1);
        let mut shape: Vec<usize> = if q.dim() == 1 { vec![q.numel()] } else { Vec::new() };
        let own = front.shape();
        match (options.dim, options.keepdim) {
            (None, true) => shape.extend(vec![1; self.dim()]),
            (None, false) => {}
            (Some(_), keepdim) => {
                let stays = |d: &usize| keepdim || *d != dim as usize;
                shape.extend((0..rank).filter(stays).map(|d| own[d + 1]));
            }
        }
        front.reshape(shape.as_slice())
    }

    /// How many elements lie in each of 100 equal parts of the range from the smallest to the largest, in the tensor's dtype.
    ///
    /// # Panics
    /// If the dtype is not a float, or elements are not finite.
    #[track_caller]
    pub fn histc(&self) -> Tensor {
        self.histc_with(&HistcOptions::default())
    }

    /// How many elements lie in each of the bins, equal parts of a range; those outside are not counted.
    ///
    /// ```
    /// use rushlight_autograd::{ops::HistcOptions, tensor};
    /// let options = HistcOptions { bins: 4, min: 0.0, max: 4.0 };
    /// let counts = tensor([0.5, 1.0, 1.5, 4.0, 9.0]).histc_with(&options);
    /// assert_eq!(counts.to_vec::<f32>(), [1.0, 2.0, 0.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the dtype is not a float, there is no bin, `max` is below `min`, or the range is not finite.
    #[track_caller]
    pub fn histc_with(&self, options: &HistcOptions) -> Tensor {
        let x = self.array();
        let HistcOptions { bins, mut min, mut max } = *options;
        if min == max && x.numel() > 0 && x.dtype().is_float() {
            (min, max) = (x.min().item(), x.max().item());
        }
        if min == max {
            (min, max) = (min - 1.0, max + 1.0);
        }
        x.histc(bins, min, max).into()
    }

    /// How often each number from 0 to the largest occurs in a one-dimensional integer tensor, `i64`; or the sums of the
    /// weights there, `f64` (`f32` if the weights are).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1, 3, 1]).bincount(None).to_vec::<i64>(), [0, 2, 0, 1]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is not one-dimensional integers from 0 on, or the weights have another shape.
    #[track_caller]
    pub fn bincount(&self, weights: Option<&Tensor>) -> Tensor {
        self.bincount_with(weights, 0)
    }

    /// [`Tensor::bincount`] with at least `minlength` numbers.
    ///
    /// # Panics
    /// As [`Tensor::bincount`].
    #[track_caller]
    pub fn bincount_with(&self, weights: Option<&Tensor>, minlength: usize) -> Tensor {
        self.array().bincount(weights.map(Tensor::array).as_ref(), minlength).into()
    }

    /// The covariances of variables, the rows of the tensor, whose columns are observations: `(V, N) -> (V, V)`, divided by
    /// `N - 1`. Of one variable, `(N) -> ()`, it is the variance.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]);
    /// assert_eq!(x.cov().to_vec::<f32>(), [1.0, -1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor has more than two dims or is bool.
    #[track_caller]
    pub fn cov(&self) -> Tensor {
        self.cov_with(&CovOptions::default())
    }

    /// [`Tensor::cov`] with weights of observations, or another correction.
    ///
    /// # Panics
    /// As [`Tensor::cov`]; if the weights have other dtypes than they should, are not one for each observation, are negative, or
    /// add up to 0.
    #[track_caller]
    pub fn cov_with(&self, options: &CovOptions) -> Tensor {
        if self.dim() > 2 || self.dtype() == DType::Bool {
            fail!(
                "cov: the input is {} of shape {:?}; it must be numbers with at most two dims",
                self.dtype().name(),
                self.shape()
            );
        }
        let x = if self.dim() < 2 { self.reshape([1, -1]) } else { self.clone() };
        let x = if x.dtype().is_float() { x } else { x.to(DType::F32) };
        let count = x.size(1);
        let frequencies = options.fweights.as_ref().map(|w| check_weights("fweights", w, false, count));
        let importance = options.aweights.as_ref().map(|w| check_weights("aweights", w, true, count));
        let weights = match (&frequencies, &importance) {
            (Some(f), Some(a)) => Some(*f * *a),
            (f, a) => f.or(*a).cloned(),
        };
        let weights = weights.map(|w| if w.dtype().is_float() { w } else { w.to(x.dtype()) });
        let total = weights.as_ref().map(Tensor::sum);
        if total.as_ref().is_some_and(|total| count > 0 && total.item() == 0.0) {
            fail!("cov: the weights add up to 0");
        }
        let weighted = |x: &Tensor| match &weights {
            Some(weights) => x * weights,
            None => x.clone(),
        };
        let correction = options.correction as f64;
        let (mean, freedom) = match (&total, importance) {
            (None, _) => {
                let freedom =
                    Tensor::constant(x.array().scalar_operand((count as f64 - correction).max(0.0)));
                (x.sum_dim(1, true) / count as f64, freedom)
            }
            (Some(total), importance) => {
                let lost = match (importance, &weights) {
                    (Some(a), Some(w)) if options.correction != 0 => (w * a).sum() * correction / total,
                    _ => Tensor::constant(total.array().scalar_operand(correction)),
                };
                let freedom = total - lost;
                let none = freedom.le(0.0);
                (weighted(&x).sum_dim(1, true) / total, freedom.masked_fill(&none, 0.0))
            }
        };
        let centred = x - mean;
        (centred.matmul(&weighted(&centred).t()) / freedom).squeeze()
    }

    /// The correlations of variables, the rows of the tensor (Pearson): the covariances divided by both standard deviations,
    /// between -1 and 1. `(V, N) -> (V, V)`, `(N) -> ()`.
    ///
    /// # Panics
    /// If the tensor has more than two dims or is bool.
    #[track_caller]
    pub fn corrcoef(&self) -> Tensor {
        if self.dim() > 2 || self.dtype() == DType::Bool {
            fail!(
                "corrcoef: the input is {} of shape {:?}; it must be numbers with at most two dims",
                self.dtype().name(),
                self.shape()
            );
        }
        let cov = self.cov();
        if cov.dim() == 0 {
            return cov.div(&cov);
        }
        let n = cov.size(0);
        let deviations = cov.reshape([-1]).step(0, 0, n, n + 1).sqrt();
        let ratio = &cov / deviations.reshape([n, 1]) / deviations.reshape([1, n]);
        ratio.clamp(-1.0, 1.0)
    }
}

/// Values at places along the last dim of a sorted tensor; places between two are interpolated.
fn between(sorted: &Tensor, places: &Tensor, interpolation: Interpolation) -> Tensor {
    let fixed = places.detach();
    let below = fixed.floor();
    let at = |places: &Tensor| {
        // All rows but along the dim are those of the sorted tensor.
        let mut shape = sorted.shape().to_vec();
        let last = shape.len() - 1;
        shape[last] = fixed.size(-1);
        sorted.gather(-1, &places.to(DType::I64).expand(shape.as_slice()))
    };
    let above = || -(-&fixed).floor();
    let weight = match interpolation {
        Interpolation::Lower => return at(&below),
        Interpolation::Higher => return at(&above()),
        Interpolation::Nearest => {
            let rest = &fixed - &below;
            let odd = (&below - (&below * 0.5).floor() * 2.0).eq(1.0);
            let up = rest.gt(0.5).logical_or(&rest.eq(0.5).logical_and(&odd));
            return at(&(&below + up.to(below.dtype())));
        }
        Interpolation::Midpoint => Tensor::constant(fixed.array().scalar_operand(0.5)),
        Interpolation::Linear => places - &below,
    };
    // From the nearer end, as PyTorch's lerp.
    let (low, high) = (at(&below), at(&above()));
    let step = &high - &low;
    let rest = 1.0 - &weight;
    where_(&weight.lt(0.5), &(low + &weight * &step), &(high - rest * &step))
}

#[track_caller]
fn check_quantile(name: &str, x: &Tensor, q: &Tensor) {
    if !matches!(x.dtype(), DType::F32 | DType::F64) {
        fail!("{name}: the dtype is {}; it must be float32 or float64", x.dtype().name());
    }
    if q.dtype() != x.dtype() || q.dim() > 1 {
        fail!(
            "{name}: q is {} of shape {:?}; it must be {} with at most one dim",
            q.dtype().name(),
            q.shape(),
            x.dtype().name()
        );
    }
    if !q.ge(0.0).logical_and(&q.le(1.0)).all().item_as::<bool>() {
        fail!("{name}: q is {q}; it must be between 0 and 1");
    }
}

#[track_caller]
fn check_weights<'a>(name: &str, weights: &'a Tensor, float: bool, count: usize) -> &'a Tensor {
    let fits = if float { weights.dtype().is_float() } else { weights.dtype().is_int() };
    if !fits || weights.dim() > 1 || weights.numel() != count {
        fail!(
            "cov: {name} are {} of shape {:?}; they must be {}, one for each of the {count} observations",
            weights.dtype().name(),
            weights.shape(),
            if float { "floats" } else { "integers" }
        );
    }
    if weights.lt(0.0).any().item_as::<bool>() {
        fail!("cov: {name} are negative: {weights}");
    }
    weights
}

/// Two rows or more of at least two elements, no two equal.
fn observations(draw: &mut Draw<'_>) -> (Tensor, usize) {
    let shape = [1 + draw.full_size(), 2 + draw.full_size()];
    (draw.leaf(&shape, Domain::Distinct), shape[1])
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("quantile", "torch.quantile", |draw| quantiles(draw, Tensor::quantile_with)).rejects(
        || {
            vec![
                Reject::new("quantile: q is tensor(1.5000); it must be between 0 and 1", || {
                    floats([2]).quantile(1.5);
                }),
                Reject::new("quantile: the dtype is int64; it must be float32 or float64", || {
                    integers().quantile(0.5);
                }),
            ]
        },
    ),
    OpInfo::composed("nanquantile", "torch.nanquantile", |draw| quantiles(draw, Tensor::nanquantile_with))
        .rejects(|| {
            vec![Reject::new("nanquantile: shape [0] holds no element", || {
                floats([0]).nanquantile(0.5);
            })]
        }),
    OpInfo::composed("histc", "torch.histc", |draw| {
        let shape = draw.shape(0, 3);
        let bins = draw.full_size();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].histc_with(&HistcOptions { bins, min: -1.0, max: 1.5 })
        })
    })
    .never()
    .rejects(|| {
        vec![
            Reject::new("histc: the dtype is int64, not a float", || {
                integers().histc();
            }),
            Reject::new("histc: the range 3 to 1 is empty or not finite", || {
                floats([2]).histc_with(&HistcOptions { bins: 2, min: 3.0, max: 1.0 });
            }),
        ]
    }),
    OpInfo::composed("bincount", "torch.bincount", |draw| {
        let size = draw.size();
        let index = Tensor::constant(draw.index(&[size], 5));
        Sample::new(vec![draw.leaf(&[size], Domain::Any)], move |x| index.bincount_with(Some(&x[0]), 7))
    })
    .never()
    .rejects(|| {
        vec![
            Reject::new(
                "bincount: the input is float32 of shape [2]; it must be integers with one dim",
                || {
                    floats([2]).bincount(None);
                },
            ),
            Reject::new("bincount: the weights have another shape than the input, [3]", || {
                integers().bincount(Some(&floats([2])));
            }),
        ]
    }),
    OpInfo::composed("cov", "torch.cov", |draw| {
        let (leaf, count) = observations(draw);
        if draw.coin() {
            return Sample::new(vec![leaf], |x| x[0].cov());
        }
        let frequencies: Vec<i64> = (0..count).map(|_| 1 + draw.below(3) as i64).collect();
        let fweights = Some(Tensor::constant(draw.integers(frequencies, &[count])));
        Sample::new(vec![leaf, draw.leaf(&[count], Domain::Positive)], move |x| {
            let (fweights, aweights) = (fweights.clone(), Some(x[1].clone()));
            x[0].cov_with(&CovOptions { fweights, aweights, ..CovOptions::default() })
        })
    })
    .rejects(|| {
        vec![
            Reject::new("cov: the input is float32 of shape [2, 2, 2]", || {
                floats([2, 2, 2]).cov();
            }),
            Reject::new("cov: fweights are float32 of shape [2]; they must be integers", || {
                floats([2]).cov_with(&CovOptions { fweights: Some(floats([2])), ..CovOptions::default() });
            }),
        ]
    }),
    OpInfo::composed("corrcoef", "torch.corrcoef", |draw| {
        let (leaf, _) = observations(draw);
        // The bounds are at 1, where no slope is: only what is beside the diagonal is looked at.
        Sample::new(vec![leaf], |x| {
            let y = x[0].corrcoef();
            let n = y.size(0);
            let lower = y.reshape([-1]).narrow(0, 1, n * n - 1).reshape([n - 1, n + 1]);
            lower.narrow(1, 0, n) * 0.9
        })
    })
    .rejects(|| {
        vec![Reject::new("corrcoef: the input is float32 of shape [2, 2, 2]", || {
            floats([2, 2, 2]).corrcoef();
        })]
    }),
];

/// Quantiles at places that are not those of elements, where the slope by `q` jumps.
fn quantiles(draw: &mut Draw<'_>, call: fn(&Tensor, Operand<'static>, &QuantileOptions) -> Tensor) -> Sample {
    const RULES: [Interpolation; 5] = [
        Interpolation::Linear,
        Interpolation::Lower,
        Interpolation::Higher,
        Interpolation::Midpoint,
        Interpolation::Nearest,
    ];
    let shape = draw.full_shape(0, 3);
    let dim = draw.dim(&shape);
    let options = QuantileOptions {
        dim: draw.coin().then_some(dim),
        keepdim: draw.coin(),
        interpolation: RULES[draw.below(5)],
    };
    Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| call(&x[0], 0.37.into(), &options).sin())
}
