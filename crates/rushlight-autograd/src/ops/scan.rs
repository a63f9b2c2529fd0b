//! Running sums, products and extremes along a dim, and differences and integrals.

use super::Operand;
use super::inplace::in_place;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::{ArgReduce, Scan};
use rushlight_array::{Array, DType, axis, fail};

/// The sum up to each place, or from there on.
#[derive(Debug)]
struct CumSum {
    dim: isize,
    reverse: bool,
}

impl Op for CumSum {
    fn name(&self) -> &'static str {
        "cumsum"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].scan("cumsum", Scan::Sum, self.dim, self.reverse)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || Tensor::apply(CumSum { dim: self.dim, reverse: !self.reverse }, &[grad]));
    }
    fn grad_fn(&self) -> String {
        "CumsumBackward0".to_string()
    }
}

/// The product up to each place, or from there on.
#[derive(Debug)]
struct CumProd {
    dim: isize,
    reverse: bool,
}

impl Op for CumProd {
    fn name(&self) -> &'static str {
        "cumprod"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].scan("cumprod", Scan::Prod, self.dim, self.reverse)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // The slope of place i at k <= i is the product of all factors up to i but the k-th: of those before k, times
        // `s[k] = g[k] + x[k + 1] s[k + 1]`. No division, so zeros do no harm.
        give.to(0, || {
            if grad.dim() == 0 {
                return grad.clone();
            }
            let x = saved.input(0);
            let behind = recurrence(&x.after_one(self.dim, !self.reverse), grad, self.dim, !self.reverse);
            saved.output().after_one(self.dim, self.reverse) * behind
        });
    }
    fn grad_fn(&self) -> String {
        "CumprodBackward0".to_string()
    }
}

/// `y[k] = b[k] + a[k] y[k - 1]` along a dim, or with `reverse` `b[k] + a[k] y[k + 1]`.
#[derive(Debug)]
struct Recurrence {
    dim: isize,
    reverse: bool,
}

#[track_caller]
fn recurrence(a: &Tensor, b: &Tensor, dim: isize, reverse: bool) -> Tensor {
    Tensor::apply(Recurrence { dim, reverse }, &[a, b])
}

impl Op for Recurrence {
    fn name(&self) -> &'static str {
        "recurrence"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].recurrence(inputs[1], self.dim, self.reverse)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // What reaches y[k]: its own gradient, and through y[k + 1] with the factor a[k + 1].
        let (dim, reverse) = (self.dim, self.reverse);
        let reaching = recurrence(&saved.input(0).after_one(dim, !reverse), grad, dim, !reverse);
        give.to(0, || {
            // The first has nothing before it.
            let before = saved.output().after_one(dim, reverse);
            let first = Tensor::constant(before.array().zeros_like()).after_one(dim, reverse).eq(1.0);
            &reaching * before.masked_fill(&first, 0.0)
        });
        give.to(1, || reaching.clone());
    }
}

/// The logarithm of the sum of exp(x) up to each place.
#[derive(Debug)]
struct LogCumSumExp(isize);

impl Op for LogCumSumExp {
    fn name(&self) -> &'static str {
        "logcumsumexp"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].scan("logcumsumexp", Scan::LogSumExp, self.0, false)
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // The slope of y[i] at x[k] is exp(x[k] - y[i]) = exp(x[k] - y[k]) exp(y[k] - y[k + 1]) .. exp(y[i - 1] - y[i]): no
        // factor is above 1.
        give.to(0, || {
            let (x, y) = (saved.input(0), saved.output());
            if x.dim() == 0 {
                return grad.clone();
            }
            let size = x.size(self.0);
            let here = (x - &y).exp();
            if size < 2 {
                return here * grad;
            }
            let (left, right) = (y.narrow(self.0, 0, size - 1), y.narrow(self.0, 1, size - 1));
            // Infinities of one sign are equal.
            let same = left.eq(&right).logical_and(&left.abs().eq(f64::INFINITY));
            let steps = (left - right).masked_fill(&same, 0.0).exp();
            // The last factor is not read.
            let last = Tensor::constant(steps.array().narrow(self.0, 0, 1).zeros_like());
            here * recurrence(&Tensor::cat(&[&steps, &last], self.0), grad, self.0, true)
        });
    }
}

/// What [`Tensor::diff_with`] takes beside the tensor.
#[derive(Clone, Debug)]
pub struct DiffOptions {
    /// How often differences are taken.
    pub n: usize,
    /// Put in front along the dim first.
    pub prepend: Option<Tensor>,
    /// Put behind along the dim first.
    pub append: Option<Tensor>,
}

impl Default for DiffOptions {
    fn default() -> Self {
        DiffOptions { n: 1, prepend: None, append: None }
    }
}

/// Running results along a dim. A scalar has one dim for this purpose.
impl Tensor {
    /// The product of all elements up to each place, or from there on.
    pub(crate) fn cumprod_from(&self, dim: isize, reverse: bool) -> Tensor {
        Tensor::apply(CumProd { dim, reverse }, &[self])
    }

    /// The sum of all elements up to each place along a dim; integers and bools give `i64`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.0, 2.0, 3.0]).cumsum(0).to_vec::<f32>(), [1.0, 3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Tensor {
        Tensor::apply(CumSum { dim, reverse: false }, &[self])
    }

    /// [`Tensor::cumsum`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If the dim is out of range or the dtype bool.
    #[track_caller]
    pub fn cumsum_with(&self, dim: isize, dtype: DType) -> Tensor {
        check_running("cumsum", dtype);
        self.to(dtype).cumsum(dim).to(dtype)
    }

    /// The product of all elements up to each place along a dim; integers and bools give `i64`. Its gradient is right also
    /// where factors are 0.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.0, 2.0, 3.0]).cumprod(0).to_vec::<f32>(), [1.0, 2.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn cumprod(&self, dim: isize) -> Tensor {
        Tensor::apply(CumProd { dim, reverse: false }, &[self])
    }

    /// [`Tensor::cumprod`] of the tensor cast to a dtype.
    ///
    /// # Panics
    /// If the dim is out of range or the dtype bool.
    #[track_caller]
    pub fn cumprod_with(&self, dim: isize, dtype: DType) -> Tensor {
        check_running("cumprod", dtype);
        self.to(dtype).cumprod(dim).to(dtype)
    }

    /// The logarithm of the sum of exp(x) up to each place along a dim, without overflow.
    ///
    /// # Panics
    /// If the dtype is not a float or the dim is out of range.
    #[track_caller]
    pub fn logcumsumexp(&self, dim: isize) -> Tensor {
        Tensor::apply(LogCumSumExp(dim), &[self])
    }

    /// The largest element up to each place along a dim, and the last place where it stands, which gets the gradient.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let (values, places) = tensor([1.0, 3.0, 2.0, 3.0]).cummax(0);
    /// assert_eq!(values.to_vec::<f32>(), [1.0, 3.0, 3.0, 3.0]);
    /// assert_eq!(places.to_vec::<i64>(), [0, 1, 1, 3]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn cummax(&self, dim: isize) -> (Tensor, Tensor) {
        let (values, index) = self.array().scan_extreme("cummax", ArgReduce::Max, dim);
        self.picked("cummax", dim, true, (Some(values), index))
    }

    /// The smallest element up to each place along a dim, and the last place where it stands, which gets the gradient.
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn cummin(&self, dim: isize) -> (Tensor, Tensor) {
        let (values, index) = self.array().scan_extreme("cummin", ArgReduce::Min, dim);
        self.picked("cummin", dim, true, (Some(values), index))
    }

    /// The differences of neighbours along a dim; of bools, whether they differ.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([1.0, 4.0, 9.0]).diff(0).to_vec::<f32>(), [3.0, 5.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is a scalar or the dim is out of range.
    #[track_caller]
    pub fn diff(&self, dim: isize) -> Tensor {
        self.diff_with(dim, &DiffOptions::default())
    }

    /// Differences of differences, and so on, of what is put before and behind as well.
    ///
    /// ```
    /// use rushlight_autograd::{ops::DiffOptions, tensor};
    /// let x = tensor([1.0, 4.0, 9.0]).diff_with(0, &DiffOptions { n: 2, ..Default::default() });
    /// assert_eq!(x.to_vec::<f32>(), [2.0]);
    /// ```
    ///
    /// # Panics
    /// If the tensor is a scalar, the dim is out of range, or shapes differ outside of it.
    #[track_caller]
    pub fn diff_with(&self, dim: isize, options: &DiffOptions) -> Tensor {
        if self.dim() == 0 {
            fail!("diff: a scalar has no neighbours; reshape it to [1] first");
        }
        axis("diff", dim, &self.shape());
        if options.n == 0 {
            // As in PyTorch, without what is to be put before and behind.
            return self.clone();
        }
        let parts: Vec<&Tensor> = options.prepend.iter().chain([self]).chain(options.append.iter()).collect();
        let mut x = if parts.len() == 1 { self.clone() } else { Tensor::cat(&parts, dim) };
        for _ in 0..options.n.min(x.size(dim)) {
            let size = x.size(dim) - 1;
            let (left, right) = (x.narrow(dim, 0, size), x.narrow(dim, 1, size));
            x = if x.dtype() == DType::Bool { right.logical_xor(&left) } else { right - left };
        }
        x
    }
}

#[track_caller]
fn check_running(name: &str, dtype: DType) {
    if dtype == DType::Bool {
        fail!("{name}: not defined for bool; use DType::I64");
    }
}

in_place! {
    cumsum_ = cumsum(dim: isize);
    cumprod_ = cumprod(dim: isize);
}

/// The pieces under a curve between neighbouring places along a dim: twice their areas.
#[track_caller]
fn pieces(name: &str, y: &Tensor, x: Operand<'_>, dim: isize) -> Tensor {
    if y.dim() == 0 {
        fail!("{name}: a scalar is no curve; reshape it to [1] first");
    }
    if y.dtype() == DType::Bool {
        fail!("{name}: not defined for bool; cast with .to(DType::I64) first");
    }
    let a = axis(name, dim, &y.shape());
    let size = y.size(dim).saturating_sub(1);
    let start = if y.size(dim) == 0 { 0 } else { 1 };
    let heights = y.narrow(dim, 0, size) + y.narrow(dim, start, size);
    match x {
        Operand::Number(dx) => heights * dx.to_f64(),
        Operand::Tensor(x) => {
            let widths = if x.dim() == 1 {
                if x.numel() != y.size(dim) {
                    fail!(
                        "{name}: {} places for the {} values along dim {dim} of shape {:?}; there must be one for each",
                        x.numel(),
                        y.size(dim),
                        y.shape()
                    );
                }
                let mut shape = vec![1; y.dim()];
                shape[a] = size;
                (x.narrow(0, start, size) - x.narrow(0, 0, size)).reshape(shape.as_slice())
            } else {
                // New dims in front, as in broadcasting, so that the dim means the same.
                let mut shape = vec![1; y.dim().saturating_sub(x.dim())];
                shape.extend(&*x.shape());
                let x = x.reshape(shape.as_slice());
                let size = x.size(dim).saturating_sub(1);
                x.narrow(dim, x.size(dim) - size, size) - x.narrow(dim, 0, size)
            };
            heights * widths
        }
    }
}

/// The area under a curve by the trapezoid rule along a dim. `x` is the distance of neighbours, or their places: one for each
/// place of the dim, or a tensor of places that broadcasts with `y`.
///
/// ```
/// use rushlight_autograd::{ops::trapezoid, tensor};
/// let y = tensor([1.0, 2.0, 3.0]);
/// assert_eq!(trapezoid(&y, 1.0, 0).item(), 4.0);
/// assert_eq!(trapezoid(&y, &tensor([0.0, 2.0, 4.0]), 0).item(), 8.0);
/// ```
///
/// # Panics
/// If `y` is a scalar or bool, the dim is out of range, or the places do not fit.
#[doc(alias = "trapz")]
#[track_caller]
pub fn trapezoid<'a>(y: &Tensor, x: impl Into<Operand<'a>>, dim: isize) -> Tensor {
    pieces("trapezoid", y, x.into(), dim).sum_dim(dim, false) / 2.0
}

/// The areas under a curve up to each place but the first; see [`trapezoid`].
///
/// ```
/// use rushlight_autograd::{ops::cumulative_trapezoid, tensor};
/// let areas = cumulative_trapezoid(&tensor([1.0, 2.0, 3.0]), 1.0, 0);
/// assert_eq!(areas.to_vec::<f32>(), [1.5, 4.0]);
/// ```
///
/// # Panics
/// As [`trapezoid`].
#[track_caller]
pub fn cumulative_trapezoid<'a>(y: &Tensor, x: impl Into<Operand<'a>>, dim: isize) -> Tensor {
    pieces("cumulative_trapezoid", y, x.into(), dim).cumsum(dim) / 2.0
}

fn along(draw: &mut Draw<'_>, domain: Domain, call: fn(&Tensor, isize) -> Tensor) -> Sample {
    let shape = draw.shape(0, 3);
    let dim = draw.dim(&shape);
    Sample::new(vec![draw.leaf(&shape, domain)], move |x| call(&x[0], dim))
}

/// A curve, and perhaps places, along a dim.
fn curve(draw: &mut Draw<'_>, call: fn(&Tensor, Operand<'_>, isize) -> Tensor) -> Sample {
    let shape = draw.full_shape(1, 3);
    let dim = draw.dim(&shape);
    let y = draw.leaf(&shape, Domain::Any);
    match draw.below(3) {
        0 => Sample::new(vec![y], move |x| call(&x[0], 0.5.into(), dim)),
        1 => {
            let x = draw.leaf(&[shape[axis("curve", dim, &shape)]], Domain::Any);
            Sample::new(vec![y, x], move |x| call(&x[0], (&x[1]).into(), dim))
        }
        _ => {
            let x = draw.leaf(&shape, Domain::Any);
            Sample::new(vec![y, x], move |x| call(&x[0], (&x[1]).into(), dim))
        }
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("CumSum", "cumsum", "torch.cumsum", |draw| {
        along(draw, Domain::Any, |x, dim| x.cumsum(dim).sin())
    })
    .rejects(|| {
        vec![Reject::new("cumsum: dim 1 is out of range for shape [2]; expected -1 to 0", || {
            floats([2]).cumsum(1);
        })]
    }),
    OpInfo::op("CumProd", "cumprod", "torch.cumprod", |draw| {
        let shape = draw.shape(0, 3);
        let (dim, leaf) = (draw.dim(&shape), draw.leaf(&shape, Domain::NonZero));
        if draw.coin() {
            let factors = Tensor::constant(draw.mask(&shape));
            return Sample::new(vec![leaf], move |x| (&x[0] * &factors).cumprod(dim).sin());
        }
        Sample::new(vec![leaf], move |x| x[0].cumprod(dim).sin())
    })
    .rejects(|| {
        vec![Reject::new("cumprod: dim 1 is out of range for shape [2]; expected -1 to 0", || {
            floats([2]).cumprod(1);
        })]
    }),
    OpInfo::op("Recurrence", "cumprod", "torch.cumprod", |draw| {
        let shape = draw.full_shape(1, 3);
        let (dim, reverse) = (draw.dim(&shape), draw.coin());
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, Domain::Any)];
        Sample::new(inputs, move |x| recurrence(&x[0], &x[1], dim, reverse).sin())
    }),
    OpInfo::op("LogCumSumExp", "logcumsumexp", "torch.logcumsumexp", |draw| {
        along(draw, Domain::Any, |x, dim| x.logcumsumexp(dim))
    })
    .rejects(|| {
        vec![Reject::new("logcumsumexp: the dtype is int64, not a float", || {
            integers().logcumsumexp(0);
        })]
    }),
    OpInfo::composed("cummax", "torch.cummax", |draw| {
        along(draw, Domain::Distinct, |x, dim| x.cummax(dim).0.sin())
    })
    .rejects(|| {
        vec![Reject::new("cummax: dim 1 is out of range for shape [2]; expected -1 to 0", || {
            floats([2]).cummax(1);
        })]
    }),
    OpInfo::composed("cummin", "torch.cummin", |draw| {
        along(draw, Domain::Distinct, |x, dim| x.cummin(dim).0.sin())
    })
    .rejects(|| {
        vec![Reject::new("cummin: dim 1 is out of range for shape [2]; expected -1 to 0", || {
            floats([2]).cummin(1);
        })]
    }),
    OpInfo::composed("diff", "torch.diff", |draw| {
        let shape = draw.full_shape(1, 3);
        let (dim, n) = (draw.dim(&shape), draw.below(3));
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, Domain::Any)];
        Sample::new(inputs, move |x| {
            let options = DiffOptions { n, append: Some(x[1].clone()), ..DiffOptions::default() };
            x[0].diff_with(dim, &options).sin()
        })
    })
    .rejects(|| {
        vec![
            Reject::new("diff: a scalar has no neighbours", || {
                floats([]).diff(0);
            }),
            Reject::new("diff: dim 1 is out of range for shape [2]; expected -1 to 0", || {
                floats([2]).diff(1);
            }),
        ]
    }),
    OpInfo::composed("trapezoid", "torch.trapezoid", |draw| curve(draw, |y, x, dim| trapezoid(y, x, dim)))
        .rejects(|| {
            vec![Reject::new("trapezoid: 3 places for the 2 values along dim 0 of shape [2]", || {
                trapezoid(&floats([2]), &floats([3]), 0);
            })]
        }),
    OpInfo::composed("cumulative_trapezoid", "torch.cumulative_trapezoid", |draw| {
        curve(draw, |y, x, dim| cumulative_trapezoid(y, x, dim))
    })
    .rejects(|| {
        vec![Reject::new("cumulative_trapezoid: dim 1 is out of range for shape [2]", || {
            cumulative_trapezoid(&floats([2]), 1.0, 1);
        })]
    }),
];
