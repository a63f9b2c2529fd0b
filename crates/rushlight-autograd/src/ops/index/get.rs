//! What stands in Python's brackets: `x[...]` and `x[...] = v`.

use super::{number_of, select::IndexSelect};
use crate::create::Halves;
use crate::ops::Operand;
use crate::ops::inplace::in_place;
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{DType, Index, Indices, Step, index_steps};

impl From<&Tensor> for Index {
    fn from(index: &Tensor) -> Index {
        Index::Array(index.array())
    }
}

impl From<&Tensor> for Indices {
    fn from(index: &Tensor) -> Indices {
        Index::from(index).into()
    }
}

/// Indexing.
impl Tensor {
    /// Indexing, as between Python's brackets: `x.get((0, 1..))` is `x[0, 1:]`.
    ///
    /// | Python | Rust |
    /// | --- | --- |
    /// | `x[1]`, `x[1, -1]` | `x.get(1)`, `x.get((1, -1))` |
    /// | `x[:, 1:3]`, `x[::2]` | `x.get((.., 1..3))`, `x.get(Index::Slice { start: 0, end: None, step: 2 })` |
    /// | `x[..., 0]`, `x[None]` | `x.get((Index::Ellipsis, 0))`, `x.get(Index::NewAxis)` |
    /// | `x[[0, 2]]`, `x[:, [0, 2]]` | `x.get(vec![0, 2])`, `x.get((.., vec![0, 2]))` |
    /// | `x[index]`, `x[i, j]` (integer tensors) | `x.get(&index)`, `x.get((&i, &j))` |
    /// | `x[x > 0]` (a bool tensor), `x[True]` | `x.get(&x.gt(0.0))`, `x.get(true)` |
    ///
    /// Several index tensors broadcast and name one element place by place; a mask stands for as many dims as it has.
    /// Their dims stand where the tensors stood if these are neighbours, else in front. A `u8` tensor is a mask. Places,
    /// ranges and new axes make no copy.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.get(0).to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// assert_eq!(x.get((.., 1..)).to_vec::<f32>(), [2.0, 3.0, 5.0, 6.0]);
    /// assert_eq!(x.get(&x.gt(4.0)).to_vec::<f32>(), [5.0, 6.0]);
    /// assert_eq!(x.get((vec![0, 1], vec![2, -1])).to_vec::<f32>(), [3.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If an index does not fit its dim, there are more indices than dims, index tensors do not broadcast, or one holds
    /// floats.
    #[track_caller]
    pub fn get(&self, indices: impl Into<Indices>) -> Tensor {
        self.get_as("index", &indices.into())
    }

    /// As [`Tensor::get`]; messages begin with `name`.
    #[track_caller]
    pub(super) fn get_as(&self, name: &'static str, indices: &Indices) -> Tensor {
        let mut out = self.clone();
        for step in index_steps(name, indices.as_slice(), &self.shape(), &self.device()) {
            out = match step {
                Step::Select(axis, index) => out.select(axis as isize, index as isize),
                Step::Slice(axis, start, len, step) => out.step(axis as isize, start, len, step),
                Step::Unsqueeze(axis) => out.unsqueeze(axis as isize),
                Step::Permute(dims) => out.permute(&dims),
                Step::Flatten(start, end) => out.flatten(start as isize, end as isize),
                Step::Take(axis, index) => {
                    let own = out.shape();
                    let shape = [&own[..axis], index.shape(), &own[axis + 1..]].concat();
                    let op = IndexSelect { dim: axis as isize, index: index.reshape([-1]), name };
                    let taken = Tensor::apply(op, &[&out]);
                    if index.rank() == 1 { taken } else { taken.reshape_for(name, shape.as_slice()) }
                }
            };
        }
        out
    }

    /// This tensor with other values at some places: what Python writes `x[indices] = value`, as a new tensor.
    /// [`Tensor::set_at_`] is the form in place.
    ///
    /// The indices are those of [`Tensor::get`]; the value is a number or a tensor that broadcasts to what they name.
    /// It is cast to this tensor's dtype. Gradients reach the value and the places that were not replaced. If a place is
    /// named more than once, the last value stays.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.set_at(0, 9.0).to_vec::<f32>(), [9.0, 9.0, 3.0, 4.0]);
    /// assert_eq!(x.set_at((.., 1), &tensor([7.0, 8.0])).to_vec::<f32>(), [1.0, 7.0, 3.0, 8.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::get`]; also if the value does not broadcast to what the indices name, or a number is beyond the
    /// range of the dtype.
    #[track_caller]
    pub fn set_at<'a>(&self, indices: impl Into<Indices>, value: impl Into<Operand<'a>>) -> Tensor {
        let indices = indices.into();
        let mut value = match value.into() {
            Operand::Number(number) => number_of("set_at", self, number, Halves::Overflow),
            Operand::Tensor(value) => value.to(self.dtype()),
        };
        // Dims of size 1 in front say nothing: PyTorch drops them here, and only here.
        while value.shape().first() == Some(&1) {
            value = value.squeeze_dim(0);
        }
        if let ([Index::Array(mask)], 0) = (indices.as_slice(), value.dim())
            && mask.dtype() == DType::Bool
            && self.shape().starts_with(mask.shape())
            && mask.device() == &self.device()
        {
            // One value: no places are needed.
            let mut shape = mask.shape().to_vec();
            shape.resize(self.dim(), 1);
            return self.masked_fill(&mask.reshape(shape.as_slice()).into(), &value);
        }
        self.put_as("set_at", indices, &value, false)
    }
}

in_place! {
    set_at_<'a> = set_at(indices: impl Into<Indices>, value: impl Into<Operand<'a>>);
}

/// An index list for a shape; `distinct` if it must not name a place twice.
pub(super) fn draw_indices(draw: &mut Draw<'_>, shape: &[usize], distinct: bool) -> Indices {
    let mut list: Vec<Index> = Vec::new();
    let count = if distinct { 1 + draw.below(2) } else { draw.below(2) };
    let arrays = draw.below(4);
    for (d, &size) in shape.iter().enumerate() {
        let kind = draw.below(8);
        list.push(match kind {
            0 if size > 0 => Index::At(draw.below(2 * size) as isize - size as isize),
            1 => Index::Slice { start: draw.below(size + 1) as isize, end: None, step: 1 + draw.below(2) },
            2 => Index::Slice { start: 0, end: Some(-1), step: 1 },
            // As many places as a mask has do not broadcast with those of other arrays.
            3 if arrays > 0 && d + 1 == shape.len() && !list.iter().any(|i| matches!(i, Index::Array(_))) => {
                Index::Array(draw.mask(&[size]))
            }
            4 | 5 if arrays > 1 && size > 0 && !distinct => {
                let count = [1, 3][count % 2];
                Index::Array(draw.index(&[2, count], size))
            }
            _ => (..).into(),
        });
    }
    if draw.below(4) == 3 {
        let at = draw.below(list.len() + 1);
        list.insert(at, Index::NewAxis);
    }
    list.into()
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("get", "torch.Tensor.__getitem__", |draw| {
        let shape = draw.full_shape(1, 3);
        let indices = draw_indices(draw, &shape, false);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].get(&indices).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("index: 2 is out of range for dim 0 of shape [2, 3]; expected -2 to 1", || {
                floats([2, 3]).get(2);
            }),
            Reject::new("index: -4 is out of range for dim 1 of shape [2, 3]; expected -3 to 2", || {
                floats([2, 3]).get((.., vec![0, -4]));
            }),
            Reject::new("index: 3 indices for shape [2, 3]; it has only 2 dims", || {
                floats([2, 3]).get([0, 0, 0]);
            }),
            Reject::new("index: a mask of shape [3] at dim 0 of shape [2, 3]", || {
                floats([2, 3]).get(vec![true, false, true]);
            }),
            Reject::new("index: shapes [2] and [3] do not broadcast", || {
                floats([2, 3]).get((vec![0, 1], vec![0, 1, 2]));
            }),
            Reject::new("index: two ellipses in one index", || {
                floats([2, 3]).get((Index::Ellipsis, Index::Ellipsis));
            }),
            Reject::new("index: an index array of float32", || {
                floats([2, 3]).get(&floats([1]));
            }),
        ]
    }),
    OpInfo::composed("set_at", "torch.Tensor.__setitem__", |draw| {
        let shape = draw.full_shape(1, 3);
        let indices = draw_indices(draw, &shape, true);
        let x = draw.leaf(&shape, Domain::Any);
        let place = x.detach().get(&indices).shape();
        // The value has all dims of the place, or one number for the last.
        let mut value = place.to_vec();
        if draw.coin() && !value.is_empty() {
            value.remove(0);
        }
        let inputs = vec![x, draw.leaf(&value, Domain::Any)];
        Sample::new(inputs, move |x| x[0].set_at(&indices, &x[1]).exp())
    })
    .differs("a tensor as value is cast to the dtype also beside index tensors")
    .rejects(|| {
        vec![
            Reject::new(
                "set_at: values of shape [2] do not broadcast to shape [3], which the indices name",
                || {
                    floats([2, 3]).set_at(0, &floats([2]));
                },
            ),
            Reject::new("set_at: 300 has no place in uint8", || {
                floats([2]).to(DType::U8).set_at(0, 300);
            }),
            Reject::new("set_at: index 5 is out of range for dim 0 of shape [2]; expected -2 to 1", || {
                floats([2]).set_at(5, 1.0);
            }),
        ]
    }),
];
