//! Picking and placing by index.

use crate::op::{Gradients, Op, Saved};
use crate::ops::elementwise::Where;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Index, Indices, Step, axis, fail, index_steps};

/// Places along a dim, named by an index array.
#[derive(Debug)]
struct IndexSelect {
    dim: isize,
    index: Array,
    /// The method that was called.
    name: &'static str,
}

impl Op for IndexSelect {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].index_select(self.dim, &self.index)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let zeros = Array::full(saved.shape(0), 0.0, grad.dtype(), &grad.device());
            Tensor::constant(zeros).index_add(self.dim, &self.index.clone().into(), grad)
        });
    }
}

/// A tensor with another's places along a dim added at the places that an index array names.
#[derive(Debug)]
struct IndexAdd {
    dim: isize,
    index: Array,
}

impl Op for IndexAdd {
    fn name(&self) -> &'static str {
        "index_add"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].index_add(self.dim, &self.index, inputs[1])
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
        give.to(1, || grad.index_select(self.dim, &self.index.clone().into()));
    }
}

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
        give.to(0, || {
            let zeros = Array::full(saved.shape(0), 0.0, grad.dtype(), &grad.device());
            Tensor::constant(zeros).scatter_add(self.dim, &self.index.clone().into(), grad)
        });
    }
}

/// `out[i][index[i][j]] = source[i][j]`, or `+=`.
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
        give.to(0, || match self.add {
            true => grad.clone(),
            false => {
                let zeros = Array::full(self.index.shape(), 0.0, grad.dtype(), &grad.device());
                grad.scatter(self.dim, &index, &zeros.into())
            }
        });
        give.to(1, || {
            // Only the corner of the source that the index covers was read.
            let read = grad.gather(self.dim, &index);
            if read.shape() == *saved.shape(1) {
                return read;
            }
            let mut full = read;
            for (d, &size) in saved.shape(1).iter().enumerate() {
                let places = Array::arange(0, full.shape()[d] as i64, 1).to_device(&grad.device());
                let mut shape = full.shape().to_vec();
                shape[d] = size;
                let zeros = Array::full(shape, 0.0, grad.dtype(), &grad.device());
                full = Tensor::constant(zeros).index_add(d as isize, &places.into(), &full);
            }
            full
        });
    }
}

/// Indexing. Index tensors hold integers and have no gradient.
impl Tensor {
    /// Indexing: places, ranges, new axes, index tensors and masks, one a dim, as between Python's brackets.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.get(0).to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// assert_eq!(x.get((.., 1..)).to_vec::<f32>(), [2.0, 3.0, 5.0, 6.0]);
    /// assert_eq!(x.get(&x.gt(4.0)).to_vec::<f32>(), [5.0, 6.0]);
    /// ```
    ///
    /// # Panics
    /// If an index does not fit its dim.
    #[track_caller]
    pub fn get(&self, indices: impl Into<Indices>) -> Tensor {
        let indices = indices.into();
        let mut out = self.clone();
        for step in index_steps(indices.as_slice(), &self.shape()) {
            out = match step {
                Step::Select(axis, index) => out.select(axis as isize, index as isize),
                Step::Slice(axis, start, len, step) => out.step(axis as isize, start, len, step),
                Step::Unsqueeze(axis) => out.unsqueeze(axis as isize),
                Step::Permute(dims) => out.permute(&dims),
                Step::Flatten(start, end) => out.flatten(start as isize, end as isize),
                Step::Take(axis, index) => out.take(axis, &index),
            };
        }
        out
    }

    #[track_caller]
    fn take(&self, axis: usize, index: &Array) -> Tensor {
        let own = self.shape();
        let mut shape = own[..axis].to_vec();
        shape.extend(&**index.shape());
        shape.extend(&own[axis + 1..]);
        let op = IndexSelect { dim: axis as isize, index: index.reshape([-1]), name: "index" };
        let taken = Tensor::apply(op, &[self]);
        if index.rank() == 1 { taken } else { taken.reshape_for("index", shape.as_slice()) }
    }

    /// The places along `dim` that a one-dimensional integer tensor names.
    ///
    /// # Panics
    /// If an index is out of range or the index tensor is not one-dimensional integers.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Tensor) -> Tensor {
        Tensor::apply(IndexSelect { dim, index: index.array(), name: "index_select" }, &[self])
    }

    /// This tensor with `source`'s places along `dim` added at the places that `index` names.
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
        Tensor::apply(IndexAdd { dim, index: index.array() }, &[self, source])
    }

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

    /// This tensor with `out[i][index[i][j]] = source[i][j]` for dim 1, and so on.
    ///
    /// As in PyTorch, the gradient of the source is right only if no place is named twice.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter(&self, dim: isize, index: &Tensor, source: &Tensor) -> Tensor {
        Tensor::apply(Scatter { dim, index: index.array(), add: false }, &[self, source])
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
        Tensor::apply(Scatter { dim, index: index.array(), add: true }, &[self, source])
    }

    /// The elements where the bool mask is true, as one dim; mask and tensor broadcast.
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        if mask.dtype() != DType::Bool {
            fail!(
                "masked_select: the mask is {}, not bool; compare it, as in x.gt(0.0)",
                mask.dtype().name()
            );
        }
        let shape = rushlight_array::broadcast_shapes("masked_select", &self.shape(), &mask.shape());
        let index = mask.array().expand(&shape).reshape([-1]).nonzero().reshape([-1]);
        let op = IndexSelect { dim: 0, index, name: "masked_select" };
        Tensor::apply(op, &[&self.expand(&shape).reshape([-1])])
    }

    /// This tensor with `value` where the bool mask is true; the mask broadcasts.
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: f64) -> Tensor {
        if mask.dtype() != DType::Bool {
            fail!("masked_fill: the mask is {}, not bool; compare it, as in x.gt(0.0)", mask.dtype().name());
        }
        let op = Where { condition: mask.array(), name: "masked_fill" };
        Tensor::apply(op, &[&self.array().scalar_operand(value).into(), self])
    }

    /// The positions of the elements that are not zero: `[count, dims]`, `i64`.
    pub fn nonzero(&self) -> Tensor {
        self.array().nonzero().into()
    }
}

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

pub(crate) static TABLE: &[OpInfo] = &[
    OpInfo::op("IndexSelect", "index_select", "torch.index_select", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let count = draw.size();
        let index = Tensor::constant(draw.index(&[count], shape[axis("index_select", dim, &shape)]));
        let leaf = draw.leaf(&shape, Domain::Any);
        if draw.coin() {
            let mask = Tensor::constant(draw.mask(&shape));
            return Sample::new(vec![leaf], move |x| x[0].masked_select(&mask).exp());
        }
        Sample::new(vec![leaf], move |x| x[0].index_select(dim, &index).exp())
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
            Reject::new("masked_select: the mask is float32, not bool", || {
                floats([3]).masked_select(&floats([3]));
            }),
            Reject::new("index: 2 is out of range for dim 0 of shape [2, 3]; expected -2 to 1", || {
                floats([2, 3]).get(2);
            }),
            Reject::new("index: 3 indices for shape [2, 3]; it has only 2 dims", || {
                floats([2, 3]).get([0, 0, 0]);
            }),
        ]
    }),
    OpInfo::op("IndexAdd", "index_add", "torch.index_add", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let a = axis("index_add", dim, &shape);
        let mut source = shape.to_vec();
        source[a] = draw.size();
        let index = Tensor::constant(draw.index(&[source[a]], shape[a]));
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&source, Domain::Any)];
        Sample::new(inputs, move |x| x[0].index_add(dim, &index, &x[1]).exp())
    })
    .rejects(|| {
        vec![Reject::new(
            "index_add: index 3 is out of range for dim 0 of shape [3]; expected 0 to 2",
            || {
                floats([3]).index_add(0, &integers(), &floats([3]));
            },
        )]
    }),
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
        // Each row of the index names distinct places.
        let (rows, size) = (draw.full_size(), draw.full_size());
        let count = draw.below(size + 1);
        let places =
            (0..rows).flat_map(|_| draw.permutation(size).into_iter().take(count)).collect::<Vec<i64>>();
        let index = Tensor::constant(draw.integers(places, &[rows, count]));
        let source = {
            let extra = draw.below(2);
            draw.leaf(&[rows, count + extra], Domain::Any)
        };
        let inputs = vec![draw.leaf(&[rows, size], Domain::Any), source];
        if draw.coin() {
            return Sample::new(inputs, move |x| x[0].scatter(1, &index, &x[1]).exp());
        }
        Sample::new(inputs, move |x| x[0].scatter_add(1, &index, &x[1]).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("scatter: source shape [2] is smaller than index shape [3]", || {
                floats([4]).scatter(0, &integers(), &floats([2]));
            }),
            Reject::new("scatter_add: the source is int64, the array float32", || {
                floats([4]).scatter_add(0, &integers(), &integers());
            }),
        ]
    }),
];
