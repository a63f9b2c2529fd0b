//! Shapes and views: nothing here computes, and little of it copies.

pub(crate) mod copy;
pub(crate) mod expand;
pub(crate) mod permute;
pub(crate) mod region;
pub(crate) mod reshape;
pub(crate) mod slice;
pub(crate) mod split;
pub(crate) mod strided;

use rushlight_array::{axis, fail};

/// The axis that `dim` names, of a tensor that must have one.
#[track_caller]
pub(crate) fn real_axis(op: &str, dim: isize, shape: &[usize]) -> usize {
    if shape.is_empty() {
        fail!("{op}: a scalar has no dim {dim}; reshape it to [1] first");
    }
    axis(op, dim, shape)
}
