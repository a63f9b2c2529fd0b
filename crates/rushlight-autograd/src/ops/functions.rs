//! Free functions that PyTorch has as `torch.*` and that have no natural first tensor.

use super::elementwise::Where;
use super::operand::Operand;
use crate::tensor::Tensor;
use rushlight_array::{Array, DType};
use std::borrow::Cow;

/// `a` where the bool condition holds, else `b`; the three broadcast. The condition has no gradient.
///
/// `a` and `b` are tensors or numbers; two numbers give `f32`, `i64` or `bool`, as they are.
///
/// ```
/// use rushlight_autograd::{ops::where_, tensor};
/// let x = tensor([-1.0, 2.0]);
/// assert_eq!(where_(&x.gt(0.0), &x, 0.0).to_vec::<f32>(), [0.0, 2.0]);
/// assert_eq!(where_(&x.gt(0.0), 1, 0).to_vec::<i64>(), [0, 1]);
/// ```
///
/// # Panics
/// If the condition is not bool (or `u8`, as in PyTorch), the shapes do not broadcast, or the devices differ.
#[track_caller]
pub fn where_<'a, 'b>(condition: &Tensor, a: impl Into<Operand<'a>>, b: impl Into<Operand<'b>>) -> Tensor {
    let (a, b) = (a.into(), b.into());
    let mut condition = condition.array();
    if condition.dtype() == DType::U8 {
        condition = condition.cast(DType::Bool);
    }
    let (a, b) = match (a, b) {
        (Operand::Number(_), Operand::Tensor(like)) => (a.tensor(like), b.tensor(like)),
        (Operand::Tensor(like), _) => (a.tensor(like), b.tensor(like)),
        (Operand::Number(a), Operand::Number(b)) => {
            let [a, b] = [a, b].map(|x| Array::full((), x, x.dtype(), condition.device()).into());
            (Cow::Owned(a), Cow::Owned(b))
        }
    };
    Tensor::apply(Where { condition, name: "where" }, &[&a, &b])
}
