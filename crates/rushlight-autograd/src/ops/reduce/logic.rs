//! Whether all or any are true, and how many.

use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Dims};

/// Reductions to truth values and counts, without gradients. They are bool, but of `u8` it is `u8`, as in PyTorch.
impl Tensor {
    /// Whether all elements are true (not zero); true if there is none.
    pub fn all(&self) -> Tensor {
        self.truth(self.array().all())
    }

    /// Whether all elements along dims are true (not zero). An empty list of dims leaves every element alone, unlike in
    /// other reductions: PyTorch has it so.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([[1.0, 0.0], [1.0, 2.0]]).all_dim(1, false).to_vec::<bool>(), [false, true]);
    /// ```
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn all_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let dims = dims.into();
        let x = self.array();
        self.truth(if dims.is_empty() { x.cast(DType::Bool) } else { x.all_dim(dims, keepdim) })
    }

    /// Whether any element is true (not zero); false if there is none.
    pub fn any(&self) -> Tensor {
        self.truth(self.array().any())
    }

    /// Whether any element along dims is true (not zero). An empty list of dims leaves every element alone.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn any_dim(&self, dims: impl Into<Dims>, keepdim: bool) -> Tensor {
        let dims = dims.into();
        let x = self.array();
        self.truth(if dims.is_empty() { x.cast(DType::Bool) } else { x.any_dim(dims, keepdim) })
    }

    fn truth(&self, result: Array) -> Tensor {
        if self.dtype() == DType::U8 { result.cast(DType::U8).into() } else { result.into() }
    }

    /// The number of elements that are not zero, `i64`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([0.0, 2.0, f64::NAN]).count_nonzero().item(), 2.0);
    /// ```
    pub fn count_nonzero(&self) -> Tensor {
        self.array().count_nonzero("count_nonzero", [0isize; 0], false).into()
    }

    /// The number of elements along dims that are not zero, `i64`; an empty list means all dims.
    ///
    /// # Panics
    /// If a dim is out of range or named twice.
    #[track_caller]
    pub fn count_nonzero_dim(&self, dims: impl Into<Dims>) -> Tensor {
        self.array().count_nonzero("count_nonzero", dims, false).into()
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("all", "torch.all", |draw| {
        let shape = draw.shape(0, 3);
        let (dim, keepdim) = (draw.dim(&shape), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].gt(-1.5).all_dim(dim, keepdim).logical_or(&x[0].floor().all())
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("all: dim 1 is out of range for shape [2]", || {
            floats([2]).all_dim(1, false);
        })]
    }),
    OpInfo::composed("any", "torch.any", |draw| {
        let shape = draw.shape(0, 3);
        let (dim, keepdim) = (draw.dim(&shape), draw.coin());
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].gt(1.0).any_dim(dim, keepdim).logical_xor(&x[0].floor().any())
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("any: dim 1 is out of range for shape [2]", || {
            floats([2]).any_dim(1, false);
        })]
    }),
    OpInfo::composed("count_nonzero", "torch.count_nonzero", |draw| {
        let shape = draw.shape(0, 3);
        let dim = draw.dim(&shape);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            x[0].floor().count_nonzero_dim(dim) + x[0].relu().count_nonzero()
        })
    })
    .never()
    .rejects(|| {
        vec![Reject::new("count_nonzero: dim 1 is out of range for shape [2]", || {
            floats([2]).count_nonzero_dim(1);
        })]
    }),
];
