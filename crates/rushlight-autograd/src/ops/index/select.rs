//! Picking places along a dim, or of the flat tensor.

use super::zeros;
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Index, axis, fail};

/// Places along a dim, named by an index array.
#[derive(Debug)]
pub(super) struct IndexSelect {
    pub(super) dim: isize,
    pub(super) index: Array,
    /// The method that was called.
    pub(super) name: &'static str,
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].index_select_by(self.name, self.dim, &self.index)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let index = Tensor::constant(self.index.clone());
        give.to(0, || zeros(grad, saved.shape(0)).index_add(self.dim, &index, grad));
    }
}

/// Picking.
impl Tensor {
    /// The places along `dim` that a one-dimensional integer tensor names; none is negative.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.index_select(1, &tensor([2, 0])).to_vec::<f32>(), [3.0, 1.0, 6.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If an index is out of range or the index tensor is not one-dimensional integers.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        Tensor::apply(IndexSelect { dim, index: index.array(), name: "index_select" }, &[self])
    }

    /// The elements at row-major numbers, in the shape of the index tensor; negative ones count from the back.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.take(&tensor([[0], [-1]])).to_vec::<f32>(), [1.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If a number is out of range, or the index tensor does not hold integers.
    #[track_caller]
    pub fn take(&self, index: &Tensor) -> Tensor {
        let places = flat_places("take", index);
        let taken = self.reshape([-1]).get_as("take", &places.into());
        if index.dim() == 1 { taken } else { taken.reshape(index.shape()) }
    }

    /// `out[i][j] = x[i][indices[i][j]]` for dim 1, and so on; tensor and indices broadcast in the other dims. Without
    /// a dim (`None`) both are read as one flat dim. Negative places count from the back.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]]);
    /// let order = tensor([[1], [0]]);
    /// assert_eq!(x.take_along_dim(&order, 1).to_vec::<f32>(), [1.0, 4.0]);
    /// assert_eq!(x.take_along_dim(&tensor([5]), None).to_vec::<f32>(), [5.0]);
    /// ```
    ///
    /// # Panics
    /// If ranks differ, the other dims do not broadcast, or a place is out of range.
    #[track_caller]
    pub fn take_along_dim(&self, indices: &Tensor, dim: impl Into<Option<isize>>) -> Tensor {
        let Some(dim) = dim.into() else {
            let flat = self.reshape([-1]);
            let places = indices.array().reshape([-1]).wrap_index("take_along_dim", 0, &flat.shape());
            return flat.gather(0, &places.into());
        };
        let (mut own, mut other) = (self.shape().to_vec(), indices.shape().to_vec());
        if own.is_empty() || own.len() != other.len() {
            fail!(
                "take_along_dim: shapes {own:?} of the tensor and {other:?} of the indices; both must have the same number of dims, at least 1"
            );
        }
        let a = axis("take_along_dim", dim, &own);
        let (size, count) = (std::mem::replace(&mut own[a], 1), std::mem::replace(&mut other[a], 1));
        let mut shape = rushlight_array::broadcast_shapes("take_along_dim", &own, &other).to_vec();
        shape[a] = size;
        let x = self.expand(shape.as_slice());
        shape[a] = count;
        let places = indices.array().wrap_index("take_along_dim", a, &self.shape());
        x.gather(a as isize, &places.expand(shape.as_slice()).into())
    }
}

/// Row-major numbers as one dim of an index.
#[track_caller]
pub(super) fn flat_places(op: &str, index: &Tensor) -> Index {
    if !index.dtype().is_int() {
        fail!("{op}: indices are {}, not integers; cast with .to(DType::I64)", index.dtype().name());
    }
    Index::Array(index.array().cast(DType::I64).reshape([-1]))
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("IndexSelect", "index_select", "torch.index_select", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let count = draw.size();
        let index = Tensor::constant(draw.index(&[count], shape[axis("index_select", dim, &shape)]));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].index_select(dim, &index).exp())
    })
    .rejects(|| {
        vec![
            Reject::new(
                "index_select: index 3 is out of range for dim 0 of shape [3, 2]; expected 0 to 2",
                || {
                    floats([3, 2]).index_select(0, &integers());
                },
            ),
            Reject::new("index_select: indices are float32, not integers", || {
                floats([3, 2]).index_select(0, &floats([1]));
            }),
            Reject::new("index_select: the index has shape [1, 3]; it must have one dim", || {
                floats([3, 2]).index_select(0, &integers().unsqueeze(0));
            }),
        ]
    }),
    OpInfo::composed("take", "torch.take", |draw| {
        let (shape, form) = (draw.full_shape(0, 3), draw.shape(0, 2));
        let index = Tensor::constant(draw.index(&form, shape.numel()));
        let back = if draw.coin() { shape.numel() as i64 } else { 0 };
        let index = index.sub(&Tensor::constant(index.array().scalar_operand(back)));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].take(&index).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("take: index 2 is out of range for dim 0 of shape [2]; expected -2 to 1", || {
                floats([2, 1]).take(&integers());
            }),
            Reject::new("take: indices are float32, not integers", || {
                floats([2]).take(&floats([1]));
            }),
        ]
    }),
    OpInfo::composed("take_along_dim", "torch.take_along_dim", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let a = axis("take_along_dim", dim, &shape);
        let mut small: Vec<usize> = shape.iter().map(|&s| if draw.coin() { 1 } else { s }).collect();
        small[a] = draw.size();
        let index = Tensor::constant(draw.index(&small, shape[a]));
        let whole = draw.below(4) == 3;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| match whole {
            true => x[0].take_along_dim(&index, None).exp(),
            false => x[0].take_along_dim(&index, dim).exp(),
        })
    })
    .rejects(|| {
        vec![Reject::new("take_along_dim: shapes [2, 3] of the tensor and [3] of the indices", || {
            floats([2, 3]).take_along_dim(&integers(), 1);
        })]
    }),
];
