//! Reductions.

use crate::op::{Gradients, Op, Saved, Saves};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Dims, Shape, axis};

/// The dims of a reduction; an empty list means all.
#[derive(Clone, Debug)]
struct Over {
    dims: Option<Dims>,
    keepdim: bool,
}

impl Over {
    const ALL: Over = Over { dims: None, keepdim: false };

    fn some(dims: impl Into<Dims>, keepdim: bool) -> Self {
        Over { dims: Some(dims.into()), keepdim }
    }

    /// A result of the reduction in the shape in which it broadcasts with the input.
    fn restore(&self, y: &Tensor, input: &Shape) -> Tensor {
        let mut shape: Vec<usize> = input.to_vec();
        match &self.dims {
            Some(dims) if !dims.is_empty() => {
                for dim in dims.iter().filter(|_| !input.is_empty()) {
                    shape[axis("reduce", dim, input)] = 1;
                }
            }
            _ => shape.fill(1),
        }
        y.reshape(shape.as_slice())
    }
}

macro_rules! over {
    ($array:expr, $over:expr, $all:ident, $some:ident) => {
        match &$over.dims {
            None => $array.$all(),
            Some(dims) => $array.$some(dims.clone(), $over.keepdim),
        }
    };
}

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

/// The product of all elements.
#[derive(Debug)]
struct Prod;

impl Op for Prod {
    fn name(&self) -> &'static str {
        "prod"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].prod()
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let x = saved.input(0);
            if x.eq(0.0).any().item_as::<bool>() {
                return grad * products_of_others(&x);
            }
            grad * (saved.output() / x)
        });
    }
}

/// For each element the product of all others, without a division, for which a zero would do harm: an n by
/// n table of the elements with ones on its diagonal, multiplied along its rows.
fn products_of_others(x: &Tensor) -> Tensor {
    let flat = x.reshape([-1]);
    let n = flat.numel();
    let diagonal = Tensor::constant(Array::eye(n, n, DType::Bool).to_device(&x.device()));
    let table = crate::ops::where_(&diagonal, &Tensor::constant(flat.array().scalar_operand(1.0)), &flat);
    let columns = (0..n).map(|j| table.select(1, j as isize));
    columns.reduce(|product, column| product * column).unwrap_or(flat).reshape(x.shape())
}

/// The largest or smallest element over dims; equal ones share the gradient.
#[derive(Debug)]
struct Extreme {
    over: Over,
    largest: bool,
    name: &'static str,
}

impl Op for Extreme {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        match self.largest {
            true => over!(inputs[0], self.over, max, amax),
            false => over!(inputs[0], self.over, min, amin),
        }
    }
    fn saves(&self) -> Saves {
        Saves::ALL
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let (x, shape) = (saved.input(0), saved.shape(0));
            let y = self.over.restore(&saved.output(), shape);
            let winners = x.eq(&y).to(x.dtype());
            let count = match &self.over.dims {
                None => winners.sum(),
                Some(dims) => winners.sum_dim(dims.clone(), true),
            };
            self.over.restore(grad, shape) * (winners / count)
        });
    }
    fn grad_fn(&self) -> String {
        // PyTorch's number 0 of max and min is that of one dim, with places.
        match self.name {
            "max" => "MaxBackward1",
            "min" => "MinBackward1",
            "amax" => "AmaxBackward0",
            _ => "AminBackward0",
        }
        .to_string()
    }
}

/// The elements at one place each along a dim.
#[derive(Debug)]
struct Pick {
    dim: isize,
    keepdim: bool,
    /// The places; here the dim has size 1.
    index: Array,
    name: &'static str,
}

impl Op for Pick {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let values = inputs[0].gather(self.dim, &self.index);
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

/// Reductions. `dims` is one dim or several, negative ones counted from the back; an empty list means all.
/// With `keepdim` the reduced dims stay with size 1.
impl Tensor {
    /// The sum of all elements; integers and bools are summed as `i64`.
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        Tensor::apply(Sum(Over::ALL), &[self])
    }

    /// The sum along dims; integers and bools are summed as `i64`.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(Sum(Over::some(dims, keepdim)), &[self])
    }

    /// The mean of all elements.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        Tensor::apply(Mean(Over::ALL), &[self])
    }

    /// The mean along dims.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(Mean(Over::some(dims, keepdim)), &[self])
    }

    /// The variance of all elements, divided by their number less one: PyTorch's `var()`.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn var(&self) -> Tensor {
        let centred = self - self.mean();
        (&centred * &centred).sum() / (self.numel() as f64 - 1.0).max(0.0)
    }

    /// The variance along dims, divided by the number of elements less one: PyTorch's `var(dim)`.
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
        let dims = dims.into();
        let mean = self.mean_dim(dims.clone(), true);
        let count = self.numel() as f64 / mean.numel() as f64;
        let centred = self - mean;
        (&centred * &centred).sum_dim(dims, keepdim) / (count - 1.0).max(0.0)
    }

    /// The square root of [`Tensor::var`]; if all elements are equal the gradient is 0, as in PyTorch.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn std(&self) -> Tensor {
        flat_root(&self.var())
    }

    /// The square root of [`Tensor::var_dim`]; its gradient is 0 where all elements are equal.
    ///
    /// # Panics
    /// If the dtype is not a float, or a dim is out of range or named twice.
    #[track_caller]
    pub fn std_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        flat_root(&self.var_dim(dims, keepdim))
    }

    /// The product of all elements; integers and bools give `i64`.
    #[track_caller]
    pub fn prod(&self) -> Tensor {
        Tensor::apply(Prod, &[self])
    }

    /// The largest of all elements; equal ones share the gradient.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn max(&self) -> Tensor {
        Tensor::apply(Extreme { over: Over::ALL, largest: true, name: "max" }, &[self])
    }

    /// The smallest of all elements; equal ones share the gradient.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn min(&self) -> Tensor {
        Tensor::apply(Extreme { over: Over::ALL, largest: false, name: "min" }, &[self])
    }

    /// The largest elements along dims; equal ones share the gradient.
    ///
    /// # Panics
    /// If a reduced dim is empty, out of range or named twice.
    #[track_caller]
    pub fn amax(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(Extreme { over: Over::some(dims, keepdim), largest: true, name: "amax" }, &[self])
    }

    /// The smallest elements along dims; equal ones share the gradient.
    ///
    /// # Panics
    /// If a reduced dim is empty, out of range or named twice.
    #[track_caller]
    pub fn amin(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        Tensor::apply(Extreme { over: Over::some(dims, keepdim), largest: false, name: "amin" }, &[self])
    }

    /// The largest elements along one dim and their places: PyTorch's `max(dim)`. The gradient goes to the
    /// first of equal ones.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn max_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.pick("max", dim, keepdim, self.array().argmax(dim, true))
    }

    /// The smallest elements along one dim and their places: PyTorch's `min(dim)`. The gradient goes to the
    /// first of equal ones.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn min_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        self.pick("min", dim, keepdim, self.array().argmin(dim, true))
    }

    #[track_caller]
    fn pick(&self, name: &'static str, dim: isize, keepdim: bool, index: Array) -> (Tensor, Tensor) {
        if self.dim() == 0 {
            return (self.clone(), Tensor::constant(index.reshape(())));
        }
        let values = Tensor::apply(Pick { dim, keepdim, index: index.clone(), name }, &[self]);
        (values, if keepdim { index } else { index.squeeze_dim(dim) }.into())
    }

    /// The place of the first largest element along a dim, as `i64`. For that among all elements, as PyTorch's
    /// `argmax()` without a dim, flatten first: `x.flatten(0, -1).argmax(0)`.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn argmax(&self, dim: isize) -> Tensor {
        self.array().argmax(dim, false).into()
    }

    /// The place of the first smallest element along a dim, as `i64`.
    ///
    /// # Panics
    /// If the dim is empty or out of range.
    #[track_caller]
    pub fn argmin(&self, dim: isize) -> Tensor {
        self.array().argmin(dim, false).into()
    }

    /// Whether all elements are true (not zero).
    pub fn all(&self) -> Tensor {
        self.array().all().into()
    }

    /// Whether any element is true (not zero).
    pub fn any(&self) -> Tensor {
        self.array().any().into()
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
}

/// The square root of variances, with the slope 0 at 0: the infinite one would make NaN of the variance's 0.
#[track_caller]
fn flat_root(var: &Tensor) -> Tensor {
    let none = var.eq(0.0);
    var.masked_fill(&none, 1.0).sqrt().masked_fill(&none, 0.0)
}

/// A reduction over one dim, several, or all.
fn reduced(
    draw: &mut Draw<'_>,
    full: bool,
    domain: Domain,
    call: fn(&Tensor, &[isize], bool) -> Tensor,
) -> Sample {
    let shape = if full { draw.full_shape(0, 3) } else { draw.shape(0, 3) };
    let mut dims: Vec<isize> = draw.permutation(shape.len()).iter().map(|&d| d as isize).collect();
    dims.truncate(draw.below(shape.len() + 1));
    let keepdim = draw.coin();
    Sample::new(vec![draw.leaf(&shape, domain)], move |x| call(&x[0], &dims, keepdim))
}

pub(crate) static TABLE: &[OpInfo] = &[
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
        if draw.below(3) == 2 {
            // At least two elements, of which no two are equal.
            let mut shape = draw.full_shape(1, 2).to_vec();
            shape[0] += 1;
            let (keepdim, square) = (draw.coin(), draw.coin());
            return Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| match square {
                true => x[0].var_dim(0, keepdim).exp(),
                false => x[0].std_dim(0, keepdim).exp(),
            });
        }
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
    OpInfo::op("Prod", "prod", "torch.prod", |draw| {
        let shape = draw.shape(0, 2);
        let leaf = draw.leaf(&shape, Domain::NonZero);
        if draw.coin() {
            // With zeros among the factors, as the rule must not divide.
            let factors = Tensor::constant(draw.mask(&shape));
            return Sample::new(vec![leaf], move |x| (&x[0] * &factors).prod());
        }
        Sample::new(vec![leaf], |x| x[0].prod())
    }),
    OpInfo::op("Extreme", "amax", "torch.amax", |draw| match draw.below(3) {
        0 => reduced(draw, true, Domain::Distinct, |x, dims, keepdim| match dims {
            [] => x.max().exp(),
            dims => x.amax(dims, keepdim).exp(),
        }),
        1 => reduced(draw, true, Domain::Distinct, |x, dims, keepdim| match dims {
            [] => x.min().exp(),
            dims => x.amin(dims, keepdim).exp(),
        }),
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
    OpInfo::op("Pick", "max_dim", "torch.max", |draw| {
        let shape = draw.full_shape(0, 3);
        let (dim, largest, keepdim) = (draw.dim(&shape), draw.coin(), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Distinct)], move |x| match largest {
            true => x[0].max_dim(dim, keepdim).0.exp(),
            false => x[0].min_dim(dim, keepdim).0.exp(),
        })
    })
    .rejects(|| {
        vec![Reject::new("argmax: axis 1 of shape [2, 0] is empty and has no position", || {
            floats([2, 0]).max_dim(1, false);
        })]
    }),
];
