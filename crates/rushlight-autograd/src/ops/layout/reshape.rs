//! The same elements in another shape.

use crate::op::{Gradients, Op, Saved};
use crate::ops::inplace::in_place;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, Dims, NewShape, Shape, axis, fail};

/// The same elements in another shape.
#[derive(Debug)]
struct Reshape {
    shape: NewShape,
    /// `view`, which never copies, `reshape`, or the method that was called.
    name: &'static str,
    /// Whether it had to copy: PyTorch has another name then.
    copied: bool,
    /// How many dims it was called with, up to "several": PyTorch has a name for each.
    dims: usize,
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        if self.name == "view" {
            inputs[0].view(self.shape.clone())
        } else {
            let output = inputs[0].reshape(self.shape.clone());
            self.copied = !output.shares_storage(inputs[0]);
            output
        }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.reshape(saved.shape(0)));
    }
    fn grad_fn(&self) -> String {
        let name = match self.name {
            "reshape" | "view" if self.copied => "UnsafeViewBackward0",
            "reshape" | "view" => "ViewBackward0",
            "unsqueeze" => "UnsqueezeBackward0",
            "squeeze" => ["SqueezeBackward0", "SqueezeBackward1", "SqueezeBackward2"][self.dims],
            _ => "IndexBackward0",
        };
        name.to_string()
    }
}

/// Shapes.
impl Tensor {
    /// The same elements in another shape; one size may be -1. A view where strides allow it, else a copy.
    ///
    /// # Panics
    /// If the shape does not hold the same number of elements.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<NewShape>) -> Tensor {
        self.reshape_for("reshape", shape)
    }

    /// A reshape under the name of the method that was called.
    #[track_caller]
    pub(crate) fn reshape_for(&self, name: &'static str, shape: impl Into<NewShape>) -> Tensor {
        Tensor::apply(Reshape { shape: shape.into(), name, copied: false, dims: 0 }, &[self])
    }

    /// The same elements in the shape of another tensor; see [`Tensor::reshape`].
    ///
    /// # Panics
    /// If it does not hold the same number of elements.
    #[track_caller]
    pub fn reshape_as(&self, other: &Tensor) -> Tensor {
        self.reshape(other.shape())
    }

    /// As [`Tensor::reshape`], but never a copy. PyTorch's other `view`, which reads the bytes as another dtype, does not
    /// exist.
    ///
    /// # Panics
    /// If the shape does not hold the same number of elements, or strides cannot express it.
    #[track_caller]
    pub fn view(&self, shape: impl Into<NewShape>) -> Tensor {
        self.reshape_for("view", shape)
    }

    /// The same elements in the shape of another tensor, never a copy; see [`Tensor::view`].
    ///
    /// # Panics
    /// If it does not hold the same number of elements, or strides cannot express it.
    #[track_caller]
    pub fn view_as(&self, other: &Tensor) -> Tensor {
        self.view(other.shape())
    }

    /// Merges the dims `start..=end` into one; of a scalar it makes one dim of size 1.
    ///
    /// # Panics
    /// If a dim is out of range or `start` lies behind `end`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let own = self.shape();
        let (a, b) = (axis("flatten", start, &own), axis("flatten", end, &own));
        if a > b {
            fail!("flatten: start dim {start} lies behind end dim {end} in shape {own:?}");
        }
        let merged = Shape::from(own.get(a..=b).unwrap_or_default()).numel();
        let behind = own.iter().skip(b + 1).copied();
        let shape: Shape = own.iter().take(a).copied().chain([merged]).chain(behind).collect();
        if shape == self.shape() { self.clone() } else { self.reshape(shape) }
    }

    /// All elements as one dim, in row-major order.
    #[track_caller]
    pub fn ravel(&self) -> Tensor {
        self.reshape(self.numel())
    }

    /// Cuts one dim into several of the given sizes; one may be -1.
    ///
    /// ```
    /// use rushlight_autograd::zeros;
    /// assert_eq!(zeros([2, 6]).unflatten(1, [3, -1]).shape(), [2, 3, 2]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range or the sizes do not multiply to its size.
    #[track_caller]
    pub fn unflatten(&self, dim: isize, sizes: impl Into<Dims>) -> Tensor {
        let (shape, parts) = (self.shape(), sizes.into());
        let at = super::real_axis("unflatten", dim, &shape);
        let known = parts.iter().filter(|&s| s >= 0).try_fold(1usize, |n, s| n.checked_mul(s as usize));
        let open = parts.iter().filter(|&s| s < 0).count();
        let fits = match (known, open) {
            _ if parts.is_empty() || parts.iter().any(|s| s < -1) => false,
            (Some(known), 0) => known == shape[at],
            (Some(known), 1) => known > 0 && shape[at].is_multiple_of(known),
            _ => false,
        };
        if !fits {
            fail!(
                "unflatten: sizes {:?} do not multiply to the {} of dim {dim} of shape {shape:?}; at most one may be -1",
                parts.iter().collect::<Vec<_>>(),
                shape[at]
            );
        }
        let size = |s: isize| if s < 0 { shape[at] / known.unwrap_or(1) } else { s as usize };
        let new: Shape = shape[..at]
            .iter()
            .copied()
            .chain(parts.iter().map(size))
            .chain(shape[at + 1..].iter().copied())
            .collect();
        // Dims within one old dim: strides can always express them.
        self.reshape_for("view", new)
    }

    /// A new dim of size 1 before dim `dim`; -1 means behind the last.
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        let shape = self.value().unsqueeze(dim).shape().clone();
        self.reshape_for("unsqueeze", shape)
    }

    /// Drops all dims of size 1.
    #[track_caller]
    pub fn squeeze(&self) -> Tensor {
        let shape = self.value().squeeze().shape().clone();
        self.reshape_for("squeeze", shape)
    }

    /// Drops one dim or several, those of them whose size is 1.
    ///
    /// ```
    /// use rushlight_autograd::zeros;
    /// assert_eq!(zeros([1, 2, 1]).squeeze_dim(0).shape(), [2, 1]);
    /// assert_eq!(zeros([1, 2, 1]).squeeze_dim([0, 1, -1]).shape(), [2]);
    /// ```
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn squeeze_dim(&self, dims: impl Into<Dims>) -> Tensor {
        let dims = dims.into();
        let count = dims.iter().count();
        let shape = self.value().squeeze_dim(dims).shape().clone();
        let dims = if count == 1 { 1 } else { 2 };
        Tensor::apply(Reshape { shape: shape.into(), name: "squeeze", copied: false, dims }, &[self])
    }
}

in_place! { views
    squeeze_ = squeeze();
    squeeze_dim_ = squeeze_dim(dims: impl Into<Dims>);
    unsqueeze_ = unsqueeze(dim: isize);
}

/// The tensor with at least one dim: a scalar becomes `[1]`. PyTorch's form of several tensors is a `map` here.
pub fn atleast_1d(x: &Tensor) -> Tensor {
    if x.dim() == 0 { x.reshape(1) } else { x.clone() }
}

/// The tensor with at least two dims: `[N]` becomes `[1, N]`. PyTorch's form of several tensors is a `map` here.
pub fn atleast_2d(x: &Tensor) -> Tensor {
    match x.dim() {
        0 => x.reshape([1, 1]),
        1 => x.unsqueeze(0),
        _ => x.clone(),
    }
}

/// The tensor with at least three dims: `[N]` becomes `[1, N, 1]`, `[M, N]` becomes `[M, N, 1]`. PyTorch's form of
/// several tensors is a `map` here.
pub fn atleast_3d(x: &Tensor) -> Tensor {
    match x.dim() {
        0 => x.reshape([1, 1, 1]),
        1 => x.unsqueeze(0).unsqueeze(-1),
        2 => x.unsqueeze(-1),
        _ => x.clone(),
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Reshape", "reshape", "torch.reshape", |draw| {
        let shape = draw.shape(0, 3);
        let leaf = draw.leaf(&shape, Domain::Any);
        match draw.below(3) {
            0 => Sample::new(vec![leaf], |x| x[0].reshape([x[0].numel()]).exp()),
            1 => Sample::new(vec![leaf], |x| x[0].unsqueeze(-1).exp()),
            _ => Sample::new(vec![leaf], |x| x[0].unsqueeze(0).squeeze_dim(0).exp()),
        }
    })
    .rejects(|| {
        vec![
            Reject::new("reshape: shape [4, 2] does not hold the 6 elements of shape [2, 3]", || {
                floats([2, 3]).reshape([4, 2]);
            }),
            Reject::new("reshape: shape [-1, -1] does not hold the 6 elements of shape [2, 3]", || {
                floats([2, 3]).reshape([-1, -1]);
            }),
            Reject::new("reshape: shape [-1, 0] does not hold the 0 elements of shape [0, 3]", || {
                floats([0, 3]).reshape([-1, 0]);
            }),
        ]
    }),
    OpInfo::composed("reshape_as", "torch.Tensor.reshape_as", |draw| {
        let shape = draw.shape(0, 3);
        let other = draw.constant(&[shape.numel()], Domain::Any);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].reshape_as(&other).exp())
    }),
    OpInfo::composed("view", "torch.Tensor.view", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].contiguous().view(x[0].numel()).exp())
    })
    .differs("There is no `view(dtype)`.")
    .rejects(|| {
        vec![Reject::new("view: shape [6] needs a copy of this array of shape [3, 2]", || {
            floats([2, 3]).t().view([6]);
        })]
    }),
    OpInfo::composed("view_as", "torch.Tensor.view_as", |draw| {
        let shape = draw.shape(0, 3);
        let other = draw.constant(&[shape.numel()], Domain::Any);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].contiguous().view_as(&other).exp())
    }),
    OpInfo::composed("flatten", "torch.flatten", |draw| {
        let shape = draw.shape(0, 3);
        let (a, b) = (draw.below(shape.len().max(1)) as isize, draw.below(shape.len().max(1)) as isize);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].flatten(a.min(b), a.max(b)).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("flatten: start dim 1 lies behind end dim 0 in shape [2, 3]", || {
                floats([2, 3]).flatten(1, 0);
            }),
            Reject::new("flatten: dim 2 is out of range for shape [2, 3]", || {
                floats([2, 3]).flatten(0, 2);
            }),
        ]
    }),
    OpInfo::composed("ravel", "torch.ravel", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].ravel().exp())
    }),
    OpInfo::composed("unflatten", "torch.unflatten", |draw| {
        let mut shape = draw.shape(1, 3);
        let dim = draw.dim(&shape);
        let (a, b) = (1 + draw.below(4), 1 + draw.below(4));
        let at = axis("unflatten", dim, &shape);
        shape = shape.iter().enumerate().map(|(i, &s)| if i == at { a * b } else { s }).collect();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].unflatten(dim, [a as isize, -1]).exp()
        })
    })
    .rejects(|| {
        vec![
            Reject::new("unflatten: sizes [2, 2] do not multiply to the 3 of dim 1 of shape [2, 3]", || {
                floats([2, 3]).unflatten(1, [2, 2]);
            }),
            Reject::new("unflatten: sizes [-1, -1] do not multiply to the 3 of dim -1", || {
                floats([2, 3]).unflatten(-1, [-1, -1]);
            }),
            Reject::new("unflatten: a scalar has no dim 0", || {
                floats([]).unflatten(0, [1]);
            }),
        ]
    }),
    OpInfo::composed("unsqueeze", "torch.unsqueeze", |draw| {
        let shape = draw.shape(0, 3);
        let dim = draw.below(2 * shape.len() + 2) as isize - shape.len() as isize - 1;
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].unsqueeze(dim).exp())
    })
    .rejects(|| {
        vec![Reject::new("unsqueeze: dim 3 is out of range for shape [2]; expected -2 to 1", || {
            floats([2]).unsqueeze(3);
        })]
    }),
    OpInfo::composed("squeeze", "torch.squeeze", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].squeeze().exp())
    }),
    OpInfo::composed("squeeze_dim", "torch.squeeze", |draw| {
        let shape = draw.shape(0, 3);
        let dims: Vec<isize> = (0..shape.len() as isize).filter(|_| draw.coin()).collect();
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].squeeze_dim(&dims).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("squeeze: dim 2 is out of range for shape [2]", || {
                floats([2]).squeeze_dim(2);
            }),
            Reject::new("squeeze: dim -1 of shape [2, 1] is named twice in [1, -1]", || {
                floats([2, 1]).squeeze_dim([1, -1]);
            }),
        ]
    }),
    OpInfo::composed("atleast_1d", "torch.atleast_1d", |draw| {
        let shape = draw.shape(0, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| atleast_1d(&x[0]).exp())
    }),
    OpInfo::composed("atleast_2d", "torch.atleast_2d", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| atleast_2d(&x[0]).exp())
    }),
    OpInfo::composed("atleast_3d", "torch.atleast_3d", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| atleast_3d(&x[0]).exp())
    }),
];
