//! The way to the host and back, for work that a device leaves to it.

use crate::array::Array;
use crate::device::Device;

/// The array in host memory.
pub(super) fn host(x: &Array) -> Array {
    x.to_device(&Device::cpu())
}

/// Two results of the host, back where the argument is.
pub(super) fn back((values, index): (Array, Array), x: &Array) -> (Array, Array) {
    (values.to_device(x.device()), index.to_device(x.device()))
}
