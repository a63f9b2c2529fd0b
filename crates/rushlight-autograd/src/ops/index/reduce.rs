//! Joining values at the places that an index names: sums, products, means and extremes.

use super::gather::{corner, draw_scatter};
use super::put::draw_along;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::inplace::in_place;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Scatter;
use rushlight_array::{Array, DType, Device, Scalar, Shape, axis};

/// How [`Tensor::scatter_reduce`] and [`Tensor::index_reduce`] join values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScatterReduce {
    /// The sum: `"sum"`.
    Sum,
    /// The product: `"prod"`.
    Prod,
    /// The mean; of integers the next one below: `"mean"`.
    Mean,
    /// The largest: `"amax"`. Equal ones share the gradient.
    Amax,
    /// The smallest: `"amin"`. Equal ones share the gradient.
    Amin,
}

impl ScatterReduce {
    fn scatter(self) -> Scatter {
        match self {
            ScatterReduce::Sum | ScatterReduce::Mean => Scatter::Add,
            ScatterReduce::Prod => Scatter::Mul,
            ScatterReduce::Amax => Scatter::Max,
            ScatterReduce::Amin => Scatter::Min,
        }
    }

    /// What changes no value that it is joined with.
    fn neutral(self, dtype: DType) -> Scalar {
        let (least, most): (Scalar, Scalar) = match dtype {
            DType::I64 => (i64::MIN.into(), i64::MAX.into()),
            DType::I32 => (i32::MIN.into(), i32::MAX.into()),
            DType::I16 => (i16::MIN.into(), i16::MAX.into()),
            DType::I8 => (i8::MIN.into(), i8::MAX.into()),
            DType::U8 => (u8::MIN.into(), u8::MAX.into()),
            DType::Bool => (false.into(), true.into()),
            _ => (f64::NEG_INFINITY.into(), f64::INFINITY.into()),
        };
        match self {
            ScatterReduce::Sum | ScatterReduce::Mean => 0.into(),
            ScatterReduce::Prod => 1.into(),
            ScatterReduce::Amax => least,
            ScatterReduce::Amin => most,
        }
    }
}

/// Where the elements of a source belong: a place along a dim for each element, or for each slice.
#[derive(Clone, Debug)]
struct Places {
    dim: isize,
    index: Array,
    slices: bool,
    name: &'static str,
}

impl Places {
    #[track_caller]
    fn join(&self, by: Scatter, x: &Array, source: &Array) -> Array {
        match self.slices {
            true => x.index_scatter(self.name, by, self.dim, &self.index, source),
            false => x.scatter_by(self.name, by, self.dim, &self.index, source),
        }
    }

    /// What belongs to each element of the source.
    fn read(&self, x: &Tensor, source: &Shape) -> Tensor {
        let index = self.index.clone().into();
        let read = if self.slices { x.index_select(self.dim, &index) } else { x.gather(self.dim, &index) };
        read.reshape(source)
    }

    fn add(&self, x: &Tensor, source: &Tensor) -> Tensor {
        let index = self.index.clone().into();
        if self.slices {
            x.index_add(self.dim, &index, source)
        } else {
            x.scatter_add(self.dim, &index, source)
        }
    }

    /// Zeros at the places.
    fn clear(&self, x: &Tensor) -> Tensor {
        let index = self.index.clone().into();
        if self.slices { x.index_fill(self.dim, &index, 0.0) } else { x.scatter(self.dim, &index, 0.0) }
    }
}

/// A tensor joined with the elements of a source at the places where these belong.
#[derive(Clone, Debug)]
struct ReduceAt {
    places: Places,
    reduce: ScatterReduce,
    include_self: bool,
}

impl ReduceAt {
    /// How many values each place of the result is the mean of; 1 where nothing was placed.
    fn counts(&self, own: &Shape, source: &Shape, device: &Device) -> Array {
        let full = |value: i64, shape: &[usize]| Array::full(shape, value, DType::I64, device);
        let start = i64::from(self.include_self);
        let Places { dim, index, slices, name } = &self.places;
        let counts = if *slices {
            // One count for each slice, which broadcasts.
            let a = axis(name, *dim, own);
            let mut column = vec![1; own.len()];
            if let Some(size) = column.get_mut(a) {
                *size = own[a];
            }
            let ones = full(1, &[]).expand([index.numel()]);
            let size = own.get(a).copied().unwrap_or(1);
            let counts = full(start, &[size]).index_scatter(name, Scatter::Add, 0, index, &ones);
            counts.reshape(column.as_slice())
        } else {
            self.places.join(Scatter::Add, &full(start, own), &full(1, &[]).expand(source))
        };
        if self.include_self { counts } else { counts.maximum(&full(1, &[])) }
    }

    fn again(&self, x: &Tensor, source: &Tensor) -> Tensor {
        Tensor::apply(self.clone(), &[x, source])
    }

    fn prod_backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (x, source) = (saved.input(0), saved.input(1));
        // A zero is taken out, not divided by: what is left is the product of the others.
        give.to(0, || {
            let others = x.masked_fill(&x.eq(0.0), 1.0);
            let grad = grad * self.again(&others, &source) / &others;
            if self.include_self { grad } else { self.places.clear(&grad) }
        });
        give.to(1, || {
            let shape = saved.shape(1);
            let zero = source.eq(0.0);
            let counts = self.places.add(&x.detach().zeros_like(), &zero.to(x.dtype()));
            let only = zero.logical_and(&self.places.read(&counts, shape).eq(1.0));
            let others = self.again(&x, &source.masked_fill(&only, 1.0));
            let plain = self.places.read(&(grad * saved.output()), shape) / source.masked_fill(&zero, 1.0);
            where_(&only, &self.places.read(&(grad * others), shape), &plain)
        });
    }

    fn extreme_backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (x, source, y) = (saved.input(0).detach(), saved.input(1).detach(), saved.output().detach());
        let shape = saved.shape(1);
        let mut own = x.eq(&y).to(y.dtype());
        if !self.include_self {
            own = self.places.clear(&own);
        }
        let theirs = source.eq(&self.places.read(&y, shape)).to(y.dtype());
        let shared = grad / self.places.add(&own, &theirs);
        give.to(0, || &shared * &own);
        give.to(1, || self.places.read(&shared, shape) * &theirs);
    }
}

impl Op for ReduceAt {
    fn name(&self) -> &'static str {
        self.places.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (x, source, by) = (inputs[0], inputs[1], self.reduce.scatter());
        let out = if self.include_self {
            self.places.join(by, x, source)
        } else {
            let neutral = Array::full((), self.reduce.neutral(x.dtype()), x.dtype(), x.device());
            let start = self.places.join(Scatter::Set, x, &neutral.expand(source.shape()));
            self.places.join(by, &start, source)
        };
        match self.reduce {
            ScatterReduce::Mean => out.div_counts(&self.counts(x.shape(), source.shape(), x.device())),
            _ => out,
        }
    }
    fn saves(&self) -> Saves {
        match self.reduce {
            ScatterReduce::Sum | ScatterReduce::Mean => Saves::NOTHING,
            _ => Saves::ALL,
        }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let grad = match self.reduce {
            ScatterReduce::Prod => return self.prod_backward(saved, grad, give),
            ScatterReduce::Amax | ScatterReduce::Amin => return self.extreme_backward(saved, grad, give),
            ScatterReduce::Sum => grad.clone(),
            ScatterReduce::Mean => {
                let counts = self.counts(saved.shape(0), saved.shape(1), &grad.device());
                grad / Tensor::constant(counts.cast(grad.dtype()))
            }
        };
        give.to(0, || if self.include_self { grad.clone() } else { self.places.clear(&grad) });
        give.to(1, || self.places.read(&grad, saved.shape(1)));
    }
}

/// Joining values at places.
impl Tensor {
    /// This tensor with each element `source[i][j]` joined into `out[i][index[i][j]]` for dim 1, and so on.
    ///
    /// ```
    /// use rushlight_autograd::{ops::ScatterReduce, tensor};
    /// let x = tensor([1.0, 2.0, 3.0]);
    /// let (index, source) = (tensor([0, 0, 2]), tensor([4.0, 7.0, 1.0]));
    /// assert_eq!(x.scatter_reduce(0, &index, &source, ScatterReduce::Mean).to_vec::<f32>(), [4.0, 2.0, 2.0]);
    /// assert_eq!(x.scatter_reduce(0, &index, &source, ScatterReduce::Amax).to_vec::<f32>(), [7.0, 2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter_reduce(
        &self,
        dim: isize,
        index: &Tensor,
        source: &Tensor,
        reduce: ScatterReduce,
    ) -> Tensor {
        self.scatter_reduce_with(dim, index, source, reduce, true)
    }

    /// As [`Tensor::scatter_reduce`]; without `include_self` the old values of the places that the index names do not
    /// count.
    ///
    /// # Panics
    /// As [`Tensor::scatter_reduce`].
    #[track_caller]
    pub fn scatter_reduce_with(
        &self,
        dim: isize,
        index: &Tensor,
        source: &Tensor,
        reduce: ScatterReduce,
        include_self: bool,
    ) -> Tensor {
        let source = corner("scatter_reduce", source, index);
        self.reduce_at("scatter_reduce", dim, index, &source, reduce, include_self)
    }

    #[track_caller]
    pub(super) fn reduce_at(
        &self,
        name: &'static str,
        dim: isize,
        index: &Tensor,
        source: &Tensor,
        reduce: ScatterReduce,
        include_self: bool,
    ) -> Tensor {
        let places = Places { dim, index: index.array(), slices: false, name };
        Tensor::apply(ReduceAt { places, reduce, include_self }, &[self, source])
    }

    /// This tensor with `source`'s slices along `dim` joined into those that `index` names.
    ///
    /// ```
    /// use rushlight_autograd::{ops::ScatterReduce, tensor};
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.index_reduce(0, &tensor([1, 1]), &tensor([[2.0, 5.0], [2.0, 1.0]]), ScatterReduce::Prod);
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 12.0, 20.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn index_reduce(&self, dim: isize, index: &Tensor, source: &Tensor, reduce: ScatterReduce) -> Tensor {
        self.index_reduce_with(dim, index, source, reduce, true)
    }

    /// As [`Tensor::index_reduce`]; without `include_self` the old values of the slices that the index names do not
    /// count.
    ///
    /// # Panics
    /// As [`Tensor::index_reduce`].
    #[track_caller]
    pub fn index_reduce_with(
        &self,
        dim: isize,
        index: &Tensor,
        source: &Tensor,
        reduce: ScatterReduce,
        include_self: bool,
    ) -> Tensor {
        let places = Places { dim, index: index.array(), slices: true, name: "index_reduce" };
        Tensor::apply(ReduceAt { places, reduce, include_self }, &[self, source])
    }
}

in_place! {
    scatter_reduce_ = scatter_reduce(dim: isize, index: &Tensor, source: &Tensor, reduce: ScatterReduce);
    scatter_reduce_with_ = scatter_reduce_with(dim: isize, index: &Tensor, source: &Tensor, reduce: ScatterReduce, include_self: bool);
    index_reduce_ = index_reduce(dim: isize, index: &Tensor, source: &Tensor, reduce: ScatterReduce);
    index_reduce_with_ = index_reduce_with(dim: isize, index: &Tensor, source: &Tensor, reduce: ScatterReduce, include_self: bool);
}

const KINDS: [ScatterReduce; 5] =
    [ScatterReduce::Sum, ScatterReduce::Prod, ScatterReduce::Mean, ScatterReduce::Amax, ScatterReduce::Amin];

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("ReduceAt", "scatter_reduce", "torch.scatter_reduce", |draw| {
        let (shape, index, source) = draw_scatter(draw, false);
        let inputs = vec![draw.leaf(&shape, Domain::Distinct), source];
        let (kind, include_self) = (KINDS[draw.below(5)], draw.coin());
        Sample::new(inputs, move |x| {
            // Away from zero for products; values of the two inputs are never equal.
            let source = &x[1].exp() + 10.0;
            x[0].scatter_reduce_with(1, &index, &source, kind, include_self).sin()
        })
    })
    .differs("without include_self, the values that do not count have no part in ties")
    .rejects(|| {
        vec![
            Reject::new("scatter_reduce: index 3 is out of range for dim 0 of shape [3]", || {
                floats([3]).scatter_reduce(0, &integers(), &floats([3]), ScatterReduce::Amax);
            }),
            Reject::new("scatter_reduce: the source is int64, the array float32", || {
                floats([4]).scatter_reduce(0, &integers(), &integers(), ScatterReduce::Sum);
            }),
        ]
    }),
    OpInfo::composed("index_reduce", "torch.index_reduce", |draw| {
        let (shape, dim, index, source) = draw_along(draw, false);
        let inputs = vec![draw.leaf(&shape, Domain::Distinct), draw.leaf(&source, Domain::Distinct)];
        let (kind, include_self) = (KINDS[draw.below(5)], draw.coin());
        Sample::new(inputs, move |x| {
            let source = x[1].exp() - 10.0;
            x[0].index_reduce_with(dim, &index, &source, kind, include_self).sin()
        })
    })
    .differs("knows the sum, too; without include_self, the values that do not count have no part in ties")
    .rejects(|| {
        vec![Reject::new("index_reduce: index 3 is out of range for dim 0 of shape [3]", || {
            floats([3]).index_reduce(0, &integers(), &floats([3]), ScatterReduce::Mean);
        })]
    }),
];
