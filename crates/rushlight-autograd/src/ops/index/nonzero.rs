//! Where elements are not zero.

use crate::table::{Domain, OpInfo, Sample};
use crate::tensor::Tensor;
use rushlight_array::DType;

/// Where elements are not zero.
impl Tensor {
    /// The positions of the elements that are not zero: `[count, dims]`, `i64`, in row-major order.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([[0.0, 5.0], [6.0, 0.0]]);
    /// assert_eq!(x.nonzero().to_vec::<i64>(), [0, 1, 1, 0]);
    /// ```
    pub fn nonzero(&self) -> Tensor {
        self.array().nonzero().into()
    }

    /// The same as [`Tensor::nonzero`], under the name that NumPy gave it.
    pub fn argwhere(&self) -> Tensor {
        self.nonzero()
    }

    /// The columns of [`Tensor::nonzero`], one for each dim, with which [`Tensor::get`] picks these elements: PyTorch's
    /// `nonzero(as_tuple=True)`. A scalar counts as one dim.
    pub fn nonzero_as_tuple(&self) -> Vec<Tensor> {
        let x = if self.dim() == 0 { self.detach().unsqueeze(0) } else { self.detach() };
        let places = x.nonzero();
        (0..x.dim()).map(|d| places.select(1, d as isize)).collect()
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::composed("nonzero", "torch.nonzero", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].gt(0.0).nonzero().to(DType::F64))
    })
    .never(),
    OpInfo::composed("argwhere", "torch.argwhere", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].lt(0.0).argwhere().to(DType::F64))
    })
    .never(),
    OpInfo::composed("nonzero_as_tuple", "torch.nonzero", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            x[0].gt(0.0).nonzero_as_tuple().remove(0).to(DType::F64)
        })
    })
    .never(),
];
