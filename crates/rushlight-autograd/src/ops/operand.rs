//! What stands beside a tensor in an operation of two: another tensor or a number.

use crate::tensor::Tensor;
use rushlight_array::{Array, Scalar};
use std::borrow::Cow;

/// A tensor or a number, as the second operand of `x.pow(2.0)` and `x.pow(&y)`. A number does not widen the tensor's
/// dtype beyond its kind: an `f32` tensor and `0.5` stay `f32`.
///
/// Nobody writes it out: tensors and numbers turn into it by themselves.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// A tensor; shapes broadcast.
    Tensor(&'a Tensor),
    /// A number.
    Number(Scalar),
}

impl Operand<'_> {
    /// The operand as an array beside `like`.
    pub(crate) fn array(self, like: &Array) -> Array {
        match self {
            Operand::Tensor(tensor) => tensor.array(),
            Operand::Number(number) => like.scalar_operand(number),
        }
    }

    /// The operand as a tensor beside `like`.
    pub(crate) fn tensor(&self, like: &Tensor) -> Cow<'_, Tensor> {
        match self {
            Operand::Tensor(tensor) => Cow::Borrowed(tensor),
            Operand::Number(number) => Cow::Owned(like.value().scalar_operand(*number).into()),
        }
    }
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Operand::Tensor(tensor)
    }
}

impl<T: Into<Scalar>> From<T> for Operand<'_> {
    fn from(number: T) -> Self {
        Operand::Number(number.into())
    }
}
