//! Picking and placing element by element along a dim.

use super::{number_of, zeros};
use crate::create::Halves;
use crate::op::{Gradients, Op, Saved};
use crate::ops::inplace::in_place;
use crate::ops::{Operand, ScatterReduce};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, axis, fail};

/// `out[i][j] = x[i][index[i][j]]`.
#[derive(Debug)]
struct Gather {
    dim: isize,
    index: Array,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].gather(self.dim, &self.index)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let index = Tensor::constant(self.index.clone());
        give.to(0, || zeros(grad, saved.shape(0)).scatter_add(self.dim, &index, grad));
    }
}

/// A tensor with `out[i][index[i][j]]` set to, or increased by, `source[i][j]`.
#[derive(Debug)]
struct Scatter {
    dim: isize,
    index: Array,
    add: bool,
}

impl Op for Scatter {
    fn name(&self) -> &'static str {
        if self.add { "scatter_add" } else { "scatter" }
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        match self.add {
            true => inputs[0].scatter_add(self.dim, &self.index, inputs[1]),
            false => inputs[0].scatter(self.dim, &self.index, inputs[1]),
        }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let index = Tensor::constant(self.index.clone());
        give.to(0, || if self.add { grad.clone() } else { grad.scatter(self.dim, &index, 0.0) });
        give.to(1, || grad.gather(self.dim, &index).reshape(saved.shape(1)));
    }
}

/// The corner of a source that an index covers: the rest is not read, and has no gradient.
#[track_caller]
pub(super) fn corner(op: &str, source: &Tensor, index: &Tensor) -> Tensor {
    let (own, other) = (source.shape(), index.shape());
    // A scalar counts as one dim.
    if own.len().max(1) != other.len().max(1) || own.iter().zip(&*other).any(|(s, i)| s < i) {
        if index.numel() == 0 {
            return zeros(source, &other);
        }
        fail!(
            "{op}: source shape {own:?} is smaller than index shape {other:?}; it must hold a value for every index"
        );
    }
    let mut part = source.clone();
    for (d, (&size, &whole)) in other.iter().zip(&*own).enumerate() {
        if size != whole {
            part = part.narrow(d as isize, 0, size);
        }
    }
    part
}

/// Picking and placing element by element.
impl Tensor {
    /// `out[i][j] = x[i][index[i][j]]` for dim 1, and so on.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.gather(1, &tensor([[1], [0]])).to_vec::<f32>(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the index tensor has another rank, is larger in another dim, or holds a place out of range.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Tensor) -> Tensor {
        Tensor::apply(Gather { dim, index: index.array() }, &[self])
    }

    /// This tensor with `out[i][index[i][j]] = source[i][j]` for dim 1, and so on; a number stands in every place.
    ///
    /// If a place is named twice the last value stays. As in PyTorch, the gradient of the source is then wrong: each of
    /// them gets that of the place.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0, 3.0]]);
    /// assert_eq!(x.scatter(1, &tensor([[2, 0]]), 9.0).to_vec::<f32>(), [9.0, 2.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter<'a>(&self, dim: isize, index: &Tensor, source: impl Into<Operand<'a>>) -> Tensor {
        let source = self.source("scatter", index, source.into());
        Tensor::apply(Scatter { dim, index: index.array(), add: false }, &[self, &source])
    }

    /// As [`Tensor::scatter`], joining the old value of a place and the new ones: `reduce="add"` is
    /// [`ScatterReduce::Sum`], `reduce="multiply"` is [`ScatterReduce::Prod`].
    ///
    /// # Panics
    /// As [`Tensor::scatter`].
    #[track_caller]
    pub fn scatter_with<'a>(
        &self,
        dim: isize,
        index: &Tensor,
        source: impl Into<Operand<'a>>,
        reduce: ScatterReduce,
    ) -> Tensor {
        let source = self.source("scatter", index, source.into());
        self.reduce_at("scatter", dim, index, &source, reduce, true)
    }

    /// This tensor with `out[i][index[i][j]] += source[i][j]` for dim 1, and so on.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0, 3.0]]);
    /// let y = x.scatter_add(1, &tensor([[2, 2]]), &tensor([[10.0, 20.0]]));
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 33.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        let source = corner("scatter_add", source, index);
        Tensor::apply(Scatter { dim, index: index.array(), add: true }, &[self, &source])
    }

    #[track_caller]
    fn source(&self, op: &str, index: &Tensor, source: Operand<'_>) -> Tensor {
        match source {
            Operand::Tensor(source) => corner(op, source, index),
            Operand::Number(number) => {
                number_of(op, self, number, Halves::Bounded).array().expand(index.shape()).into()
            }
        }
    }
}

in_place! {
    scatter_<'a> = scatter(dim: isize, index: &Tensor, source: impl Into<Operand<'a>>);
    scatter_with_<'a> = scatter_with(dim: isize, index: &Tensor, source: impl Into<Operand<'a>>, reduce: ScatterReduce);
    scatter_add_ = scatter_add(dim: isize, index: &Tensor, source: &Tensor);
}

/// An index of distinct places in each row of a matrix, the matrix's shape, and a source that may be wider.
pub(super) fn draw_scatter(draw: &mut Draw<'_>, distinct: bool) -> ([usize; 2], Tensor, Tensor) {
    let (rows, size) = (draw.full_size(), draw.full_size());
    let count = draw.below(size + 1);
    let places: Vec<i64> = match distinct {
        true => (0..rows).flat_map(|_| draw.permutation(size).into_iter().take(count)).collect(),
        false => (0..rows * count).map(|_| draw.below(size) as i64).collect(),
    };
    let index = Tensor::constant(draw.integers(places, &[rows, count]));
    let extra = draw.below(2);
    ([rows, size], index, draw.leaf(&[rows, count + extra], Domain::Distinct))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Gather", "gather", "torch.gather", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let a = axis("gather", dim, &shape);
        let mut small: Vec<usize> = shape.iter().map(|&s| 1 + draw.below(s)).collect();
        small[a] = draw.size();
        let index = Tensor::constant(draw.index(&small, shape[a]));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].gather(dim, &index).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("gather: index shape [3] does not fit shape [2, 3]", || {
                floats([2, 3]).gather(0, &integers());
            }),
            Reject::new("gather: index 3 is out of range for dim 0 of shape [3]; expected 0 to 2", || {
                floats([3]).gather(0, &integers());
            }),
        ]
    }),
    OpInfo::op("Scatter", "scatter", "torch.scatter", |draw| {
        let (shape, index, source) = draw_scatter(draw, true);
        let inputs = vec![draw.leaf(&shape, Domain::Any), source];
        let number = draw.coin();
        Sample::new(inputs, move |x| match number {
            true => x[0].scatter(1, &index, 0.5).exp(),
            false => x[0].scatter(1, &index, &x[1]).exp(),
        })
    })
    .rejects(|| {
        vec![
            Reject::new("scatter: source shape [2] is smaller than index shape [3]", || {
                floats([4]).scatter(0, &integers(), &floats([2]));
            }),
            Reject::new("scatter: index 3 is out of range for dim 0 of shape [3]; expected 0 to 2", || {
                floats([3]).scatter(0, &integers(), 1.0);
            }),
        ]
    }),
    OpInfo::composed("scatter_add", "torch.scatter_add", |draw| {
        let (shape, index, source) = draw_scatter(draw, false);
        let inputs = vec![draw.leaf(&shape, Domain::Any), source];
        Sample::new(inputs, move |x| x[0].scatter_add(1, &index, &x[1]).exp())
    })
    .rejects(|| {
        vec![Reject::new("scatter_add: the source is int64, the array float32", || {
            floats([4]).scatter_add(0, &integers(), &integers());
        })]
    }),
    OpInfo::composed("scatter_with", "torch.scatter", |draw| {
        let (shape, index, source) = draw_scatter(draw, false);
        let inputs = vec![draw.leaf(&shape, Domain::NonZero), source];
        let product = draw.coin();
        Sample::new(inputs, move |x| match product {
            true => x[0].scatter_with(1, &index, &x[1].exp(), ScatterReduce::Prod),
            false => x[0].scatter_with(1, &index, &x[1], ScatterReduce::Sum).exp(),
        })
    })
    .differs("has gradients, and knows the other kinds of scatter_reduce"),
];
