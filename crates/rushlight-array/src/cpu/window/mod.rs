//! Kernels over windows: convolutions, pools, unfolding.

pub(crate) mod columns;
pub(crate) mod conv;
mod inside;
pub(crate) mod pool;

use super::gemm::Product;
use super::threads::for_each_slice;
use crate::array::Array;

/// Runs a generic function for the number type of an array: f32, f64 or i64.
macro_rules! with_number {
    ($x:expr, $f:ident($($argument:expr),*)) => {
        match $x.dtype() {
            $crate::dtype::DType::F32 => $f::<f32>($($argument),*),
            $crate::dtype::DType::F64 => $f::<f64>($($argument),*),
            $crate::dtype::DType::I64 => $f::<i64>($($argument),*),
            dtype => panic!("windows over {dtype}; arrays cast before they ask for it"),
        }
    };
}
use with_number;

/// The elements of a contiguous array.
fn slice<T: crate::dtype::Element>(x: &Array) -> &[T] {
    x.as_slice().expect("it was made contiguous")
}

/// The least number of multiply-adds that are worth handing to another thread.
const TASK: usize = 1 << 16;

/// Calls `work(number, unit)` for every unit of `size` elements; `cost` is that of an element. Threads get several
/// units at once if those are small.
fn for_each_unit<T: Product>(
    out: &mut [T],
    size: usize,
    cost: usize,
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    if out.is_empty() {
        return;
    }
    let group = (TASK / (size * cost).max(1)).max(1);
    for_each_slice(out, size * group, cost, &|start, chunk| {
        for (i, unit) in chunk.chunks_mut(size).enumerate() {
            work(start / size + i, unit);
        }
    });
}

/// The largest divisor of `total` that is at most `most`.
fn divisor(total: usize, most: usize) -> usize {
    (1..=most.clamp(1, total.max(1))).rev().find(|&part| total.is_multiple_of(part)).unwrap_or(1)
}
