//! Free functions that PyTorch has as `torch.*` and that have no natural first tensor.

use super::elementwise::Where;
use crate::tensor::Tensor;

/// `a` where the bool condition holds, else `b`; the three broadcast. The condition has no gradient.
///
/// ```
/// use rushlight_autograd::{ops::where_, tensor};
/// let x = tensor([-1.0, 2.0]);
/// assert_eq!(where_(&x.gt(0.0), &x, &(&x * 0.0)).to_vec::<f32>(), [-0.0, 2.0]);
/// ```
///
/// # Panics
/// If the condition is not bool, the shapes do not broadcast, or the devices differ.
#[track_caller]
pub fn where_(condition: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    Tensor::apply(Where { condition: condition.array(), name: "where" }, &[a, b])
}
