//! Picking and placing by index: `get` is what stands in Python's brackets, `select` picks along a dim, `gather` place
//! by place, `put` replaces or adds, `reduce` joins in other ways, `masked` goes by masks. Index tensors hold integers
//! and have no gradient.

pub(super) mod gather;
pub(super) mod get;
pub(super) mod masked;
pub(super) mod nonzero;
pub(super) mod put;
pub(super) mod reduce;
pub(super) mod select;

pub use reduce::ScatterReduce;

use crate::op::{Gradients, Op, Saved};
use crate::ops::Operand;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, Shape, axis, fail};

/// Zeros of a shape, of the dtype and on the device of a gradient.
fn zeros(grad: &Tensor, shape: &Shape) -> Tensor {
    Tensor::constant(Array::full(shape, 0.0, grad.dtype(), &grad.device()))
}

/// A number or a scalar tensor as a scalar tensor of the dtype of `x`, as what is filled in.
///
/// # Panics
/// If the tensor has dims, or the number is beyond the dtype's range.
#[track_caller]
fn filler(op: &str, x: &Tensor, value: Operand<'_>) -> Tensor {
    match value {
        Operand::Tensor(value) if value.dim() != 0 => fail!(
            "{op}: the value has shape {:?}; only a number or a scalar tensor can be filled in",
            value.shape()
        ),
        Operand::Tensor(value) => value.to(x.dtype()),
        Operand::Number(number) => number_of(op, x, number),
    }
}

/// A number as a scalar of the dtype of `x`.
///
/// # Panics
/// If it is beyond the dtype's range.
#[track_caller]
fn number_of(op: &str, x: &Tensor, number: Scalar) -> Tensor {
    let dtype = x.dtype();
    let (low, high) = match dtype {
        DType::I64 => (-9.3e18, 9.3e18),
        DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        DType::I16 => (f64::from(i16::MIN), f64::from(i16::MAX)),
        DType::I8 => (f64::from(i8::MIN), f64::from(i8::MAX)),
        // A negative number wraps around, as in PyTorch.
        DType::U8 => (-255.0, 255.0),
        DType::F32 | DType::BF16 => (f64::from(f32::MIN), f64::from(f32::MAX)),
        DType::F16 => (-65_504.0, 65_504.0),
        DType::F64 | DType::Bool => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let value = number.to_f64();
    let not_finite = !value.is_finite() && !dtype.is_int();
    let inside = not_finite || (low..=high).contains(&value.trunc());
    if !inside {
        fail!(
            "{op}: {value} is beyond the range of {}; cast the tensor to a wider dtype first",
            dtype.name()
        );
    }
    Array::full((), number, dtype, &x.device()).into()
}

/// Tensors joined along a dim.
#[derive(Debug)]
struct Cat {
    dim: isize,
    name: &'static str,
}

impl Op for Cat {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        Array::cat(inputs, self.dim)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let mut start = 0;
        for i in 0..saved.len() {
            let len = saved.shape(i)[axis("cat", self.dim, saved.shape(i))];
            give.to(i, || grad.narrow(self.dim, start, len));
            start += len;
        }
    }
}

/// Joining.
impl Tensor {
    /// Joins tensors along an existing dim; dtypes are promoted.
    ///
    /// # Panics
    /// If there is none, or shapes differ outside of the dim.
    #[track_caller]
    pub fn cat(tensors: &[&Tensor], dim: isize) -> Tensor {
        Tensor::apply(Cat { dim, name: "cat" }, tensors)
    }

    /// Joins tensors of one shape along a new dim.
    ///
    /// # Panics
    /// If there is none, shapes differ, or the dim is out of range.
    #[track_caller]
    pub fn stack(tensors: &[&Tensor], dim: isize) -> Tensor {
        let Some(first) = tensors.first() else { fail!("stack: an empty list of tensors") };
        let rank = first.dim() as isize + 1;
        if !(-rank..rank).contains(&dim) {
            fail!(
                "stack: dim {dim} is out of range for tensors of shape {:?}; expected {} to {}",
                first.shape(),
                -rank,
                rank - 1
            );
        }
        let mut rows = Vec::with_capacity(tensors.len());
        for (i, tensor) in tensors.iter().enumerate() {
            if tensor.shape() != first.shape() {
                fail!(
                    "stack: shapes {:?} and {:?} (tensor {i}) differ; all must be equal",
                    first.shape(),
                    tensor.shape()
                );
            }
            rows.push(tensor.unsqueeze(dim));
        }
        let dim = if dim < 0 { dim + rank } else { dim };
        Tensor::apply(Cat { dim, name: "stack" }, &rows.iter().collect::<Vec<_>>())
    }
}

pub(crate) static TABLE: &[OpInfo] = &[OpInfo::op("Cat", "cat", "torch.cat", |draw| {
    let shape = draw.shape(1, 3);
    let (dim, stacked) = (draw.dim(&shape), draw.coin());
    let a = axis("cat", dim, &shape);
    let mut inputs = Vec::new();
    for _ in 0..1 + draw.below(3) {
        let mut part = shape.to_vec();
        if !stacked {
            part[a] = draw.size();
        }
        inputs.push(draw.leaf(&part, Domain::Any));
    }
    Sample::new(inputs, move |x| {
        let parts: Vec<&Tensor> = x.iter().collect();
        if stacked { Tensor::stack(&parts, dim).exp() } else { Tensor::cat(&parts, dim).exp() }
    })
})
.rejects(|| {
    vec![
        Reject::new("cat: shapes [2, 3] and [2, 4] (tensor 1) differ outside of dim 0", || {
            Tensor::cat(&[&floats([2, 3]), &floats([2, 4])], 0);
        }),
        Reject::new("cat: an empty list of tensors", || {
            Tensor::cat(&[], 0);
        }),
        Reject::new("stack: shapes [2] and [3] (tensor 1) differ; all must be equal", || {
            Tensor::stack(&[&floats([2]), &floats([3])], 0);
        }),
    ]
})];
