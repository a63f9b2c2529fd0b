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

use crate::ops::Operand;
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, Shape, fail};

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
