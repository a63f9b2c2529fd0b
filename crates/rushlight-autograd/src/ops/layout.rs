//! Views.

use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, NewShape, Shape, axis, fail};

/// The same elements in another shape.
#[derive(Debug)]
struct Reshape {
    shape: NewShape,
    /// `view`, which never copies, `reshape`, or the method that was called.
    name: &'static str,
    /// Whether it had to copy, or was called with a dim: PyTorch has other names then.
    copied: bool,
    of_dim: bool,
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
            "squeeze" if self.of_dim => "SqueezeBackward1",
            "squeeze" => "SqueezeBackward0",
            "select" => "SelectBackward0",
            _ => "IndexBackward0",
        };
        name.to_string()
    }
}

/// Another order of the dims.
#[derive(Debug)]
struct Permute {
    dims: Vec<isize>,
    name: &'static str,
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].permute(&self.dims)
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let mut back = vec![0; self.dims.len()];
            for (i, &d) in self.dims.iter().enumerate() {
                back[axis("permute", d, &grad.shape())] = i as isize;
            }
            grad.permute(&back)
        });
    }
}

/// Dims of size 1 repeated; the engine sums the gradient over them.
#[derive(Debug)]
struct Expand(NewShape);

impl Op for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].expand(self.0.clone())
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
    }
}

/// Some places along a dim, evenly apart.
#[derive(Debug)]
struct Slice {
    dim: isize,
    start: usize,
    len: usize,
    step: usize,
    name: &'static str,
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        if self.step == 1 {
            inputs[0].narrow(self.dim, self.start, self.len)
        } else {
            inputs[0].step(self.dim, self.start, self.len, self.step)
        }
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let end = self.start + self.len * self.step;
            let index = Array::arange(self.start as i64, end as i64, self.step as i64);
            let index = index.to_device(&grad.device());
            zeros_like(grad, saved.shape(0)).index_add(self.dim, &index.into(), grad)
        });
    }
}

/// Sliding windows along a dim.
#[derive(Debug)]
struct Unfold {
    dim: isize,
    size: usize,
    step: usize,
}

impl Op for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].unfold(self.dim, self.size, self.step)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // Where each element of the windows came from, in a flat reading of the input.
        give.to(0, || {
            let shape = saved.shape(0);
            let places = Array::arange(0, shape.numel() as i64, 1).reshape(shape);
            let index = places.unfold(self.dim, self.size, self.step).reshape([-1]).to_device(&grad.device());
            let flat = zeros_like(grad, &Shape::from(shape.numel()));
            flat.index_add(0, &index.into(), &grad.reshape([-1])).reshape(shape)
        });
    }
}

/// A copy in row-major order.
#[derive(Debug)]
struct Contiguous;

impl Op for Contiguous {
    fn name(&self) -> &'static str {
        "clone"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].contiguous()
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
    }
}

/// Zeros of a shape, with the dtype and device of a gradient.
fn zeros_like(grad: &Tensor, shape: &Shape) -> Tensor {
    Array::full(shape, 0.0, grad.dtype(), &grad.device()).into()
}

/// Views.
impl Tensor {
    /// The same elements in another shape; one size may be -1. A view where strides allow it, else a copy.
    ///
    /// # Panics
    /// If the shape does not hold the same number of elements.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<NewShape>) -> Tensor {
        self.reshape_as("reshape", shape)
    }

    #[track_caller]
    pub(crate) fn reshape_as(&self, name: &'static str, shape: impl Into<NewShape>) -> Tensor {
        Tensor::apply(Reshape { shape: shape.into(), name, copied: false, of_dim: false }, &[self])
    }

    /// As [`Tensor::reshape`], but never a copy.
    ///
    /// # Panics
    /// If the shape does not hold the same number of elements, or strides cannot express it.
    #[track_caller]
    pub fn view(&self, shape: impl Into<NewShape>) -> Tensor {
        self.reshape_as("view", shape)
    }

    /// Merges the dims `start..=end` into one.
    ///
    /// # Panics
    /// If a dim is out of range or `start` lies behind `end`.
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let shape = self.array().flatten(start, end).shape().clone();
        if shape == self.shape() { self.clone() } else { self.reshape(shape) }
    }

    /// A new dim of size 1 before dim `dim`; -1 means behind the last.
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        let shape = self.array().unsqueeze(dim).shape().clone();
        self.reshape_as("unsqueeze", shape)
    }

    /// Drops all dims of size 1.
    #[track_caller]
    pub fn squeeze(&self) -> Tensor {
        let shape = self.array().squeeze().shape().clone();
        self.reshape_as("squeeze", shape)
    }

    /// Drops one dim if its size is 1.
    ///
    /// # Panics
    /// If `dim` is out of range.
    #[track_caller]
    pub fn squeeze_dim(&self, dim: isize) -> Tensor {
        let shape = self.array().squeeze_dim(dim).shape().clone();
        let op = Reshape { shape: shape.into(), name: "squeeze", copied: false, of_dim: true };
        Tensor::apply(op, &[self])
    }

    /// Reorders the dims: dim `i` of the result is `dims[i]` of this tensor.
    ///
    /// # Panics
    /// If `dims` is not an order of all dims.
    #[track_caller]
    pub fn permute(&self, dims: &[isize]) -> Tensor {
        Tensor::apply(Permute { dims: dims.to_vec(), name: "permute" }, &[self])
    }

    /// Swaps two dims.
    ///
    /// # Panics
    /// If a dim is out of range.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let shape = self.shape();
        let (a, b) = (axis("transpose", a, &shape), axis("transpose", b, &shape));
        let mut dims: Vec<isize> = (0..shape.len() as isize).collect();
        if !dims.is_empty() {
            dims.swap(a, b);
        }
        Tensor::apply(Permute { dims, name: "transpose" }, &[self])
    }

    /// The transpose of a matrix: PyTorch's `x.T` and `x.t()`. Tensors with fewer dims stay as they are.
    ///
    /// # Panics
    /// If there are more than two dims; use `transpose` or `permute`.
    #[track_caller]
    pub fn t(&self) -> Tensor {
        let rank = self.dim();
        if rank > 2 {
            fail!("t: expected at most 2 dims, but shape is {:?}; use transpose or permute", self.shape());
        }
        Tensor::apply(Permute { dims: (0..rank as isize).rev().collect(), name: "t" }, &[self])
    }

    /// Repeats dims of size 1 to the given sizes, and adds dims in front, without copying; -1 keeps a size.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1], [2]]).expand([-1, 3]).to_vec::<i64>(), [1, 1, 1, 2, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If a size differs and is not 1.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<NewShape>) -> Tensor {
        Tensor::apply(Expand(shape.into()), &[self])
    }

    /// The `len` places from `start` along `dim`.
    ///
    /// # Panics
    /// If they leave the dim.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: usize, len: usize) -> Tensor {
        self.step(dim, start, len, 1)
    }

    /// The `len` places from `start` along `dim`, `step` apart.
    ///
    /// # Panics
    /// If they leave the dim, or `step` is 0.
    #[track_caller]
    pub fn step(&self, dim: isize, start: usize, len: usize, step: usize) -> Tensor {
        Tensor::apply(Slice { dim, start, len, step, name: "slice" }, &[self])
    }

    /// The elements at one index along `dim`, without that dim; a negative index counts from the back.
    ///
    /// # Panics
    /// If the index is out of range.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        let part = self.array().select(dim, index);
        let axis = axis("select", dim, &self.shape());
        let start = if index < 0 { index + self.size(dim) as isize } else { index };
        let slice = self.narrow(axis as isize, start as usize, 1);
        slice.reshape_as("select", part.shape())
    }

    /// Windows of `size` places, `step` apart, along `dim`; the window becomes a new last dim.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([1, 2, 3]).unfold(0, 2, 1);
    /// assert_eq!(x.to_string(), "tensor([[1, 2],\n        [2, 3]])");
    /// ```
    ///
    /// # Panics
    /// If the window is larger than the dim or `step` is 0.
    #[track_caller]
    pub fn unfold(&self, dim: isize, size: usize, step: usize) -> Tensor {
        Tensor::apply(Unfold { dim, size, step }, &[self])
    }

    /// Pieces of `size` along `dim`; the last may be smaller.
    ///
    /// # Panics
    /// If `size` is 0 or the dim out of range.
    #[track_caller]
    pub fn split(&self, size: usize, dim: isize) -> Vec<Tensor> {
        let lengths: Vec<usize> = self
            .array()
            .split(size, dim)
            .iter()
            .map(|p| p.shape()[axis("split", dim, &self.shape())])
            .collect();
        let mut pieces = Vec::with_capacity(lengths.len());
        for (i, &len) in lengths.iter().enumerate() {
            let slice = Slice { dim, start: i * size, len, step: 1, name: "split" };
            pieces.push(Tensor::apply(slice, &[self]));
        }
        pieces
    }

    /// The elements in row-major order without gaps.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { Tensor::apply(Contiguous, &[self]) }
    }
}

pub(crate) static TABLE: &[OpInfo] = &[
    OpInfo::op("Reshape", "reshape", "torch.reshape", |draw| {
        let shape = draw.shape(0, 3);
        let leaf = draw.leaf(&shape, Domain::Any);
        match draw.below(5) {
            0 => Sample::new(vec![leaf], |x| x[0].reshape([x[0].numel()]).exp()),
            1 => Sample::new(vec![leaf], |x| x[0].flatten(0, -1).exp()),
            2 => Sample::new(vec![leaf], |x| x[0].unsqueeze(-1).exp()),
            3 => Sample::new(vec![leaf], |x| x[0].squeeze().exp()),
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
            Reject::new("view: shape [6] needs a copy of this array of shape [3, 2]", || {
                floats([2, 3]).t().view([6]);
            }),
            Reject::new("flatten: start dim 1 lies behind end dim 0 in shape [2, 3]", || {
                floats([2, 3]).flatten(1, 0);
            }),
            Reject::new("unsqueeze: dim 3 is out of range for shape [2]; expected -2 to 1", || {
                floats([2]).unsqueeze(3);
            }),
            Reject::new("squeeze: dim 2 is out of range for shape [2]", || {
                floats([2]).squeeze_dim(2);
            }),
        ]
    }),
    OpInfo::op("Permute", "permute", "torch.permute", |draw| {
        let shape = draw.shape(0, 3);
        let leaf = draw.leaf(&shape, Domain::Any);
        if draw.coin() {
            let (a, b) = (draw.dim(&shape), draw.dim(&shape));
            return Sample::new(vec![leaf], move |x| x[0].transpose(a, b).exp());
        }
        let dims: Vec<isize> = draw.permutation(shape.len()).iter().map(|&d| d as isize).collect();
        Sample::new(vec![leaf], move |x| x[0].permute(&dims).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("permute: dims [0, 0] are not an order of the 2 dims of shape [2, 3]", || {
                floats([2, 3]).permute(&[0, 0]);
            }),
            Reject::new("transpose: dim 2 is out of range for shape [2, 3]; expected -2 to 1", || {
                floats([2, 3]).transpose(0, 2);
            }),
            Reject::new("t: expected at most 2 dims, but shape is [2, 3, 4]", || {
                floats([2, 3, 4]).t();
            }),
        ]
    }),
    OpInfo::op("Expand", "expand", "torch.Tensor.expand", |draw| {
        let shape = draw.shape(0, 2);
        let small: Shape = shape.iter().map(|&s| if draw.coin() { 1 } else { s }).collect();
        let full: Vec<usize> = [draw.size()].into_iter().chain(shape.iter().copied()).collect();
        Sample::new(vec![draw.leaf(&small, Domain::Any)], move |x| x[0].expand(full.as_slice()).exp())
    })
    .rejects(|| {
        vec![Reject::new("expand: shape [2, 3] does not expand to [2, 4]", || {
            floats([2, 3]).expand([2, 4]);
        })]
    }),
    OpInfo::op("Slice", "narrow", "torch.narrow", |draw| {
        let shape = draw.full_shape(1, 3);
        let dim = draw.dim(&shape);
        let size = shape[axis("narrow", dim, &shape)];
        let start = draw.below(size);
        let step = 1 + draw.below(2);
        let len = draw.below((size - start).div_ceil(step) + 1);
        let leaf = draw.leaf(&shape, Domain::Any);
        if draw.below(4) == 3 {
            return Sample::new(vec![leaf], move |x| x[0].select(dim, start as isize).exp());
        }
        Sample::new(vec![leaf], move |x| x[0].step(dim, start, len, step).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("narrow: start 1, length 2, step 1 leave axis 0 of shape [2, 3]", || {
                floats([2, 3]).narrow(0, 1, 2);
            }),
            Reject::new("select: index 3 is out of range for dim 1 of shape [2, 3]", || {
                floats([2, 3]).select(1, 3);
            }),
            Reject::new("split: pieces of size 0 along dim 0 of shape [2, 3]", || {
                floats([2, 3]).split(0, 0);
            }),
        ]
    }),
    OpInfo::op("Unfold", "unfold", "torch.Tensor.unfold", |draw| {
        let shape = draw.full_shape(1, 2);
        let dim = draw.dim(&shape);
        let size = 1 + draw.below(shape[axis("unfold", dim, &shape)]);
        let step = 1 + draw.below(2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].unfold(dim, size, step).exp())
    })
    .rejects(|| {
        vec![Reject::new("unfold: size 4, step 1 do not fit axis 1 of shape [2, 3]", || {
            floats([2, 3]).unfold(1, 4, 1);
        })]
    }),
    OpInfo::op("Contiguous", "contiguous", "torch.Tensor.contiguous", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            Tensor::apply(Contiguous, &[&x[0].transpose(0, -1)]).exp()
        })
    }),
];
