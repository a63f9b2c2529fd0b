//! Replacing and adding at places that an index names.

use super::get::draw_indices;
use super::select::flat_places;
use super::{filler, zeros};
use crate::op::{Gradients, Op, Saved};
use crate::ops::Operand;
use crate::ops::inplace::in_place;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::Scatter;
use rushlight_array::{Array, DType, Indices, Scalar, Shape, axis, fail};

/// A tensor with another's slices along a dim put or added at the places that an index array names.
#[derive(Debug)]
struct IndexPlace {
    dim: isize,
    index: Array,
    add: bool,
    name: &'static str,
}

impl Op for IndexPlace {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].index_scatter(self.name, by(self.add), self.dim, &self.index, inputs[1])
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let index = Tensor::constant(self.index.clone());
        give.to(0, || if self.add { grad.clone() } else { grad.index_fill(self.dim, &index, 0.0) });
        give.to(1, || grad.index_select(self.dim, &index).reshape(saved.shape(1)));
    }
}

/// A tensor with a scalar in the slices along a dim that an index array names.
#[derive(Debug)]
struct IndexFill {
    dim: isize,
    index: Array,
}

impl Op for IndexFill {
    fn name(&self) -> &'static str {
        "index_fill"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let a = axis("index_fill", self.dim, inputs[0].shape());
        let mut shape = inputs[0].shape().to_vec();
        match shape.get_mut(a) {
            Some(size) => *size = self.index.numel(),
            None => shape.push(self.index.numel()),
        }
        let source = inputs[1].expand(shape.as_slice());
        inputs[0].index_scatter("index_fill", Scatter::Set, self.dim, &self.index, &source)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.index_fill(self.dim, &self.index.clone().into(), 0.0));
        give.to(1, || {
            // Each place counts once, however often it is named.
            let size = saved.shape(0).get(axis("index_fill", self.dim, saved.shape(0))).copied().unwrap_or(1);
            let (device, index) = (grad.device(), self.index.reshape([-1]));
            let named = Array::full((), true, DType::Bool, &device).expand([index.numel()]);
            let places = Array::full(size, false, DType::Bool, &device).index_scatter(
                "index_fill",
                Scatter::Set,
                0,
                &index,
                &named,
            );
            let places = places.nonzero().reshape([-1]);
            match places.numel() {
                0 => zeros(grad, &Shape::from(())),
                _ => grad.index_select(self.dim, &places.into()).sum(),
            }
        });
    }
}

/// A tensor with values put or added at the places that an index list names.
#[derive(Debug)]
struct IndexPut {
    indices: Indices,
    add: bool,
    name: &'static str,
}

impl Op for IndexPut {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].index_put(self.name, by(self.add), &self.indices, inputs[1])
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || if self.add { grad.clone() } else { grad.set_at(&self.indices, 0.0) });
        // The engine sums what the values were broadcast to.
        give.to(1, || grad.get(&self.indices));
    }
}

fn by(add: bool) -> Scatter {
    if add { Scatter::Add } else { Scatter::Set }
}

/// Replacing and adding.
impl Tensor {
    /// This tensor with `source`'s slices along `dim` added at the places that `index` names.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let y = tensor([1.0, 2.0]).index_add(0, &tensor([1, 1]), &tensor([10.0, 20.0]));
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 32.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn index_add(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        Tensor::apply(IndexPlace { dim, index: index.array(), add: true, name: "index_add" }, &[self, source])
    }

    /// As [`Tensor::index_add`], with `alpha` times the source; for integers alpha is cut to one.
    ///
    /// # Panics
    /// As [`Tensor::index_add`].
    #[track_caller]
    pub fn index_add_with(
        &self,
        dim: isize,
        index: &Tensor,
        source: &Tensor,
        alpha: impl Into<Scalar>,
    ) -> Tensor {
        let alpha = Array::full((), alpha, source.dtype(), &source.device());
        self.index_add(dim, index, &source.mul(&alpha.into()))
    }

    /// This tensor with its slices along `dim` that `index` names replaced by those of `source`. If a place is named
    /// twice the last stays; as in PyTorch, the gradient of the source is then wrong.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let y = tensor([1.0, 2.0, 3.0]).index_copy(0, &tensor([2, 0]), &tensor([8.0, 9.0]));
    /// assert_eq!(y.to_vec::<f32>(), [9.0, 2.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn index_copy(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        Tensor::apply(
            IndexPlace { dim, index: index.array(), add: false, name: "index_copy" },
            &[self, source],
        )
    }

    /// This tensor with one value, a number or a scalar tensor, in the slices along `dim` that `index` names; it is
    /// cast to this tensor's dtype. Negative places count from the back.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let y = tensor([[1.0, 2.0], [3.0, 4.0]]).index_fill(1, &tensor([-1]), 0.0);
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 0.0, 3.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the index is not one-dimensional integers, a place is out of range, the value has dims, or a number is beyond
    /// the range of the dtype.
    #[track_caller]
    pub fn index_fill<'a>(&self, dim: isize, index: &Tensor, value: impl Into<Operand<'a>>) -> Tensor {
        let value = filler("index_fill", self, value.into());
        let shape = self.shape();
        let a = axis("index_fill", dim, &shape);
        if index.dim() > 1 {
            fail!("index_fill: the index has shape {:?}; it must have one dim", index.shape());
        }
        let index = index.array().wrap_index("index_fill", a, &shape);
        Tensor::apply(IndexFill { dim, index }, &[self, &value])
    }

    /// This tensor with `values` at the places that `indices` names: PyTorch's `index_put`, and as
    /// [`Tensor::set_at`] with a tensor of the same dtype.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// let y = x.index_put((&tensor([0, 1]), &tensor([1, 0])), &tensor([8.0, 9.0]));
    /// assert_eq!(y.to_vec::<f32>(), [1.0, 8.0, 9.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If an index does not fit its dim, the values do not broadcast to what the indices name, or the dtypes differ.
    #[track_caller]
    pub fn index_put(&self, indices: impl Into<Indices>, values: &Tensor) -> Tensor {
        self.put_as("index_put", indices.into(), values, false)
    }

    /// As [`Tensor::index_put`]; with `accumulate` the values are added to what is there, also more than one to a place.
    ///
    /// # Panics
    /// As [`Tensor::index_put`].
    #[track_caller]
    pub fn index_put_with(&self, indices: impl Into<Indices>, values: &Tensor, accumulate: bool) -> Tensor {
        self.put_as("index_put", indices.into(), values, accumulate)
    }

    #[track_caller]
    pub(super) fn put_as(&self, name: &'static str, indices: Indices, values: &Tensor, add: bool) -> Tensor {
        Tensor::apply(IndexPut { indices, add, name }, &[self, values])
    }

    /// This tensor with the elements of `source` at row-major numbers; negative ones count from the back.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.put(&tensor([0, -1]), &tensor([8.0, 9.0])).to_vec::<f32>(), [8.0, 2.0, 3.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If index and source have different numbers of elements, the dtypes differ, or a number is out of range.
    #[track_caller]
    pub fn put(&self, index: &Tensor, source: &Tensor) -> Tensor {
        self.put_with(index, source, false)
    }

    /// As [`Tensor::put`]; with `accumulate` the elements are added to what is there.
    ///
    /// # Panics
    /// As [`Tensor::put`].
    #[track_caller]
    pub fn put_with(&self, index: &Tensor, source: &Tensor, accumulate: bool) -> Tensor {
        let places = flat_places("put", index);
        if index.numel() != source.numel() {
            fail!(
                "put: {} indices and {} elements in the source; there must be one for each",
                index.numel(),
                source.numel()
            );
        }
        let flat = self.reshape([-1]);
        flat.put_as("put", places.into(), &source.reshape([-1]), accumulate).reshape(self.shape())
    }
}

in_place! {
    index_add_ = index_add(dim: isize, index: &Tensor, source: &Tensor);
    index_add_with_ = index_add_with(dim: isize, index: &Tensor, source: &Tensor, alpha: impl Into<Scalar>);
    index_copy_ = index_copy(dim: isize, index: &Tensor, source: &Tensor);
    index_fill_<'a> = index_fill(dim: isize, index: &Tensor, value: impl Into<Operand<'a>>);
    index_put_ = index_put(indices: impl Into<Indices>, values: &Tensor);
    index_put_with_ = index_put_with(indices: impl Into<Indices>, values: &Tensor, accumulate: bool);
    put_ = put(index: &Tensor, source: &Tensor);
    put_with_ = put_with(index: &Tensor, source: &Tensor, accumulate: bool);
}

/// A shape, one of its dims, an index along it, and the shape of a source.
pub(super) fn draw_along(draw: &mut Draw<'_>, distinct: bool) -> (Vec<usize>, isize, Tensor, Vec<usize>) {
    let shape = draw.full_shape(1, 3).to_vec();
    let dim = draw.dim(&shape);
    let a = axis("draw", dim, &shape);
    let mut source = shape.clone();
    source[a] = draw.size();
    let index = match distinct {
        true => {
            source[a] = source[a].min(shape[a]);
            let places = draw.permutation(shape[a]).into_iter().take(source[a]).collect();
            draw.integers(places, &[source[a]])
        }
        false => draw.index(&[source[a]], shape[a]),
    };
    (shape, dim, index.into(), source)
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("IndexPlace", "index_add", "torch.index_add", |draw| {
        let (shape, dim, index, source) = draw_along(draw, false);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&source, Domain::Any)];
        let twice = draw.coin();
        Sample::new(inputs, move |x| match twice {
            true => x[0].index_add_with(dim, &index, &x[1], 2.0).exp(),
            false => x[0].index_add(dim, &index, &x[1]).exp(),
        })
    })
    .rejects(|| {
        vec![Reject::new(
            "index_add: index 3 is out of range for dim 0 of shape [3]; expected 0 to 2",
            || {
                floats([3]).index_add(0, &integers(), &floats([3]));
            },
        )]
    }),
    OpInfo::composed("index_copy", "torch.index_copy", |draw| {
        let (shape, dim, index, source) = draw_along(draw, true);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&source, Domain::Any)];
        Sample::new(inputs, move |x| x[0].index_copy(dim, &index, &x[1]).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("index_copy: source shape [2] for index shape [3] along dim 0 of shape [4]", || {
                floats([4]).index_copy(0, &integers(), &floats([2]));
            }),
            Reject::new("index_copy: the source is int64, the array float32", || {
                floats([4]).index_copy(0, &integers(), &integers());
            }),
        ]
    }),
    OpInfo::op("IndexFill", "index_fill", "torch.index_fill", |draw| {
        let (shape, dim, index, _) = draw_along(draw, false);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&[], Domain::Any)];
        Sample::new(inputs, move |x| x[0].index_fill(dim, &index, &x[1]).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("index_fill: the value has shape [1]", || {
                floats([4]).index_fill(0, &integers(), &floats([1]));
            }),
            Reject::new("index_fill: index 2 is out of range for dim 0 of shape [2]", || {
                floats([2]).index_fill(0, &integers(), 1.0);
            }),
        ]
    }),
    OpInfo::op("IndexPut", "index_put", "torch.index_put", |draw| {
        let shape = draw.full_shape(1, 3);
        let add = draw.coin();
        let indices = draw_indices(draw, &shape, !add);
        let x = draw.leaf(&shape, Domain::Any);
        let mut values = x.detach().get(&indices).shape().to_vec();
        if draw.coin() && !values.is_empty() {
            values[0] = 1;
        }
        let inputs = vec![x, draw.leaf(&values, Domain::Any)];
        Sample::new(inputs, move |x| x[0].index_put_with(&indices, &x[1], add).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("index_put: the values are int64, the tensor float32", || {
                floats([4]).index_put(vec![0, 1, 2], &integers());
            }),
            Reject::new(
                "index_put: index 4 is out of range for dim 0 of shape [4]; expected -4 to 3",
                || {
                    floats([4]).index_put(vec![4], &floats([1]));
                },
            ),
        ]
    }),
    OpInfo::composed("put", "torch.Tensor.put", |draw| {
        let (shape, add) = (draw.full_shape(0, 3), draw.coin());
        let count = draw.below(shape.numel() + 1);
        let places = draw.permutation(shape.numel()).into_iter().take(count).collect();
        let index = Tensor::constant(draw.integers(places, &[count]));
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&[count], Domain::Any)];
        Sample::new(inputs, move |x| x[0].put_with(&index, &x[1], add).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("put: 3 indices and 2 elements in the source", || {
                floats([4]).put(&integers(), &floats([2]));
            }),
            Reject::new("put: index 3 is out of range for dim 0 of shape [3]; expected -3 to 2", || {
                floats([3]).put(&integers(), &floats([3]));
            }),
        ]
    }),
];
