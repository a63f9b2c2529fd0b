//! Another order of the dims.

use crate::op::{Gradients, Op, Saved};
use crate::ops::inplace::in_place;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, Dims, axis, fail};

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
            grad.permute(back)
        });
    }
}

/// Order of the dims.
impl Tensor {
    /// Reorders the dims: dim `i` of the result is `dims[i]` of this tensor.
    ///
    /// # Panics
    /// If `dims` is not an order of all dims.
    #[track_caller]
    pub fn permute(&self, dims: impl Into<Dims>) -> Tensor {
        Tensor::apply(Permute { dims: dims.into().iter().collect(), name: "permute" }, &[self])
    }

    /// Swaps two dims: also PyTorch's `swapdims` and `swapaxes`.
    ///
    /// # Panics
    /// If a dim is out of range.
    #[doc(alias = "swapaxes")]
    #[doc(alias = "swapdims")]
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

    /// The transpose of a matrix. Tensors with fewer dims stay as they are.
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

    /// All dims in the opposite order: the transpose of a matrix.
    #[track_caller]
    #[allow(non_snake_case, reason = "PyTorch's name")]
    pub fn T(&self) -> Tensor {
        Tensor::apply(Permute { dims: (0..self.dim() as isize).rev().collect(), name: "permute" }, &[self])
    }

    /// The transposes of a batch of matrices: `[.., M, N]` becomes `[.., N, M]`. A scalar stays as it is.
    ///
    /// # Panics
    /// If there is exactly one dim.
    #[track_caller]
    #[allow(non_snake_case, reason = "PyTorch's name")]
    pub fn mT(&self) -> Tensor {
        self.matrix_transpose("mT")
    }

    /// The conjugate transpose of a matrix, which for real numbers is [`Tensor::T`]. A scalar stays as it is.
    ///
    /// # Panics
    /// If there are one, three or more dims.
    #[track_caller]
    #[allow(non_snake_case, reason = "PyTorch's name")]
    pub fn H(&self) -> Tensor {
        if self.dim() > 2 {
            fail!("H: shape {:?} is not a matrix; for a batch of matrices use mH", self.shape());
        }
        self.matrix_transpose("H")
    }

    /// The conjugate transposes of a batch of matrices, which for real numbers is [`Tensor::mT`]; also PyTorch's
    /// `adjoint`.
    ///
    /// # Panics
    /// If there is exactly one dim.
    #[track_caller]
    #[allow(non_snake_case, reason = "PyTorch's name")]
    pub fn mH(&self) -> Tensor {
        self.matrix_transpose("mH")
    }

    #[track_caller]
    fn matrix_transpose(&self, name: &str) -> Tensor {
        match self.dim() {
            0 => self.clone(),
            1 => fail!("{name}: shape {:?} has one dim; a matrix has two", self.shape()),
            _ => self.transpose(-2, -1),
        }
    }

    /// Moves dims to other places, the others keep their order: also PyTorch's `moveaxis`.
    ///
    /// ```
    /// use rushlight_autograd::zeros;
    /// assert_eq!(zeros([2, 3, 4]).movedim(0, -1).shape(), [3, 4, 2]);
    /// assert_eq!(zeros([2, 3, 4]).movedim([0, 1], [2, 0]).shape(), [3, 4, 2]);
    /// ```
    ///
    /// # Panics
    /// If there is not one destination for each source, or a dim is out of range or named twice.
    #[doc(alias = "moveaxis")]
    #[track_caller]
    pub fn movedim(&self, source: impl Into<Dims>, destination: impl Into<Dims>) -> Tensor {
        let (source, destination) = (source.into(), destination.into());
        let (from, to) = (self.moved("source", &source), self.moved("destination", &destination));
        if from.len() != to.len() {
            fail!(
                "movedim: {} dims {from:?} go to {} places {to:?}; there must be one for each",
                from.len(),
                to.len()
            );
        }
        let mut left = (0..self.dim()).filter(|axis| !from.contains(axis));
        let mut dims = Vec::with_capacity(self.dim());
        for i in 0..self.dim() {
            let moved = to.iter().position(|&place| place == i).map(|k| from[k]);
            dims.extend(moved.or_else(|| left.next()).map(|axis| axis as isize));
        }
        self.permute(dims)
    }

    /// The axes that one of the arguments of `movedim` names; of a scalar it may name one, which is nowhere.
    #[track_caller]
    fn moved(&self, which: &str, dims: &Dims) -> Vec<usize> {
        let mut axes = Vec::new();
        for dim in dims.iter() {
            let axis = axis("movedim", dim, &self.shape());
            if axes.contains(&axis) {
                fail!("movedim: dim {dim} of shape {:?} is named twice in the {which}", self.shape());
            }
            axes.push(axis);
        }
        axes
    }
}

in_place! { views
    transpose_ = transpose(a: isize, b: isize);
    t_ = t();
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Permute", "permute", "torch.permute", |draw| {
        let shape = draw.shape(0, 3);
        let leaf = draw.leaf(&shape, Domain::Any);
        let rank = shape.len() as isize;
        let sign = if draw.coin() { rank } else { 0 };
        let dims: Vec<isize> = draw.permutation(shape.len()).iter().map(|&d| d as isize - sign).collect();
        Sample::new(vec![leaf], move |x| x[0].permute(&dims).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("permute: dims [0, 0] are not an order of the 2 dims of shape [2, 3]", || {
                floats([2, 3]).permute([0, 0]);
            }),
            Reject::new("permute: dim 2 is out of range for shape [2, 3]", || {
                floats([2, 3]).permute([0, 2]);
            }),
        ]
    }),
    OpInfo::composed("transpose", "torch.transpose", |draw| {
        let shape = draw.shape(0, 3);
        let (a, b) = (draw.dim(&shape), draw.dim(&shape));
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| x[0].transpose(a, b).exp())
    })
    .rejects(|| {
        vec![Reject::new("transpose: dim 2 is out of range for shape [2, 3]; expected -2 to 1", || {
            floats([2, 3]).transpose(0, 2);
        })]
    }),
    OpInfo::composed("t", "torch.t", |draw| {
        let shape = draw.shape(0, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].t().exp())
    })
    .rejects(|| {
        vec![Reject::new("t: expected at most 2 dims, but shape is [2, 3, 4]", || {
            floats([2, 3, 4]).t();
        })]
    }),
    OpInfo::composed("T", "torch.Tensor.T", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].T().exp())
    }),
    OpInfo::composed("mT", "torch.Tensor.mT", |draw| {
        let shape = draw.shape(2, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].mT().exp())
    })
    .rejects(|| {
        vec![Reject::new("mT: shape [3] has one dim; a matrix has two", || {
            floats([3]).mT();
        })]
    }),
    OpInfo::composed("H", "torch.Tensor.H", |draw| {
        let shape = draw.shape(2, 2);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].H().exp())
    })
    .rejects(|| {
        vec![Reject::new("H: shape [2, 3, 4] is not a matrix; for a batch of matrices use mH", || {
            floats([2, 3, 4]).H();
        })]
    }),
    OpInfo::composed("mH", "torch.Tensor.mH", |draw| {
        let shape = draw.shape(2, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].mH().exp())
    })
    .rejects(|| {
        vec![Reject::new("mH: shape [3] has one dim; a matrix has two", || {
            floats([3]).mH();
        })]
    }),
    OpInfo::composed("movedim", "torch.movedim", |draw| {
        let shape = draw.shape(1, 3);
        let leaf = draw.leaf(&shape, Domain::Any);
        let count = draw.below(shape.len()) + 1;
        let mut some =
            || -> Vec<isize> { draw.permutation(shape.len())[..count].iter().map(|&d| d as isize).collect() };
        let (from, to) = (some(), some());
        Sample::new(vec![leaf], move |x| x[0].movedim(&from, &to).exp())
    })
    .rejects(|| {
        vec![
            Reject::new("movedim: 1 dims [0] go to 2 places [0, 1]; there must be one for each", || {
                floats([2, 3]).movedim(0, [0, 1]);
            }),
            Reject::new("movedim: dim -2 of shape [2, 3] is named twice in the source", || {
                floats([2, 3]).movedim([0, -2], [0, 1]);
            }),
        ]
    }),
];
