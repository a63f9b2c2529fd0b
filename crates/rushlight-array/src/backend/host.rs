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

/// See [`Backend::class_numbers`](super::Backend::class_numbers).
pub(super) fn class_numbers(x: &Array, classes: usize, ignored: Option<i64>) -> [bool; 2] {
    let x = x.contiguous();
    let values = x.as_slice::<i64>().expect("it was made contiguous");
    values.iter().fold([false; 2], |[bad, any], &value| {
        let is_ignored = Some(value) == ignored;
        [bad | (!is_ignored && value as u64 >= classes as u64), any | is_ignored]
    })
}
