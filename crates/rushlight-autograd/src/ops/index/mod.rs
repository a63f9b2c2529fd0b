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

use crate::create::{Halves, check_fits};
use crate::ops::Operand;
use crate::tensor::Tensor;
use rushlight_array::{Array, Scalar, Shape, fail};

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
        Operand::Number(number) => number_of(op, x, number, Halves::Bounded),
    }
}

/// A number as a scalar of the dtype of `x`.
///
/// # Panics
/// If it is beyond the dtype's range.
#[track_caller]
fn number_of(op: &str, x: &Tensor, number: Scalar, halves: Halves) -> Tensor {
    check_fits(op, number, x.dtype(), halves);
    Array::full((), number, x.dtype(), &x.device()).into()
}
