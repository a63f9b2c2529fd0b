//! An order of all values, NaN included, as whole numbers beside their places: what sorting and selection compare.

use super::contiguous;
use super::threads::for_each_pair;
use crate::array::Array;
use crate::dtype::Element;

/// A value that can be sorted: its key and its place become one number, so that equal values keep their order.
pub(super) trait Ordered: Element {
    /// Key above, place below.
    type Entry: Entry;
    /// The entry of a value at a place; `flip` turns the order of the values around, not that of the places.
    fn entry(self, place: usize, flip: bool) -> Self::Entry;
    /// Whether it is not a number.
    #[inline(always)]
    #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
    fn is_nan(self) -> bool {
        self != self
    }
}

/// A number whose upper half is a key and whose lower half is a place.
pub(super) trait Entry: Copy + Ord + Send + Default {
    /// The bits of a key.
    const BITS: u32;
    /// The place.
    fn place(self) -> usize;
    /// Some bits of the key: those from `shift` on that the mask keeps.
    fn digit(self, shift: u32, mask: usize) -> usize;
    /// Whether both have the same key.
    fn same_key(self, other: Self) -> bool {
        self.digit(0, usize::MAX) == other.digit(0, usize::MAX)
    }
}

impl Entry for u64 {
    const BITS: u32 = 32;
    #[inline(always)]
    fn place(self) -> usize {
        self as u32 as usize
    }
    #[inline(always)]
    fn digit(self, shift: u32, mask: usize) -> usize {
        (self >> 32 >> shift) as usize & mask
    }
}

impl Entry for u128 {
    const BITS: u32 = 64;
    #[inline(always)]
    fn place(self) -> usize {
        self as u64 as usize
    }
    #[inline(always)]
    fn digit(self, shift: u32, mask: usize) -> usize {
        (self >> 64 >> shift) as usize & mask
    }
}

macro_rules! ordered {
    ($t:ty, $key:ty, $entry:ty, |$v:ident| $to_key:expr) => {
        impl Ordered for $t {
            type Entry = $entry;
            #[inline(always)]
            fn entry(self, place: usize, flip: bool) -> $entry {
                let $v = self;
                let key: $key = $to_key;
                let key = if flip { !key } else { key };
                <$entry>::from(key) << <$key>::BITS | place as $entry
            }
        }
    };
}
// The bits of floats are in order but for the sign: negative ones are turned around, positive ones put above them.
// Zeros of both signs are equal, and all NaN are the largest.
ordered!(f32, u32, u64, |v| {
    let bits = (v + 0.0).to_bits();
    let sign = (bits as i32 >> 31) as u32;
    if v.is_nan() { u32::MAX } else { bits ^ (sign | 1 << 31) }
});
ordered!(f64, u64, u128, |v| {
    let bits = (v + 0.0).to_bits();
    let sign = (bits as i64 >> 63) as u64;
    if v.is_nan() { u64::MAX } else { bits ^ (sign | 1 << 63) }
});
ordered!(i64, u64, u128, |v| v as u64 ^ 1 << 63);
ordered!(bool, u32, u64, |v| u32::from(v));

/// Calls a generic function with the type of a compute array.
macro_rules! with_ordered {
    ($x:expr, $f:ident($($argument:expr),*)) => {
        match $x.dtype() {
            $crate::dtype::DType::F32 => $f::<f32>($($argument),*),
            $crate::dtype::DType::F64 => $f::<f64>($($argument),*),
            $crate::dtype::DType::I64 => $f::<i64>($($argument),*),
            _ => $f::<bool>($($argument),*),
        }
    };
}
pub(super) use with_ordered;

/// The entries of a row.
pub(super) fn entries<T: Ordered>(row: &[T], flip: bool, out: &mut Vec<T::Entry>) {
    out.clear();
    out.extend(row.iter().enumerate().map(|(place, &v)| v.entry(place, flip)));
}

/// Takes a row to values and places, with two lists to work in.
type RowKernel<'a, T> = dyn Fn(&[T], &mut [T], &mut [i64], &mut [Vec<<T as Ordered>::Entry>; 2]) + Sync + 'a;

/// Runs a kernel over rows along an axis that takes a row to `count` values and places. It also gets memory that it may
/// use and need not clear.
pub(super) fn by_rows<T: Ordered>(
    x: &Array,
    axis: usize,
    count: usize,
    cost: usize,
    kernel: &RowKernel<'_, T>,
) -> (Array, Array) {
    let (a, last) = (axis as isize, x.rank() as isize - 1);
    if a != last {
        let (values, index) = by_rows(&super::copy(&x.transpose(a, last)), x.rank() - 1, count, cost, kernel);
        let turned = |y: &Array| super::copy(&y.transpose(a, last));
        return (turned(&values), turned(&index));
    }
    let x = contiguous(x);
    let (data, size) = (x.as_slice::<T>().expect("it was made contiguous"), x.shape()[axis]);
    let mut shape = x.shape().to_vec();
    shape[axis] = count;
    let mut index = None;
    let values = Array::build(shape.as_slice(), |values: &mut [T]| {
        index = Some(Array::build(shape.as_slice(), |index: &mut [i64]| {
            let rows = (4096 / size.max(1)).max(1);
            let part = rows * count;
            let cost = (cost * size).div_ceil(count.max(1));
            for_each_pair(values, index, [part, part], cost, &|i, values, index| {
                let mut scratch = [Vec::new(), Vec::new()];
                let outs = values.chunks_exact_mut(count).zip(index.chunks_exact_mut(count));
                for ((values, index), row) in outs.zip(data[i * rows * size..].chunks_exact(size)) {
                    kernel(row, values, index, &mut scratch);
                }
            });
        }));
    });
    (values, index.expect("it was built beside the values"))
}
