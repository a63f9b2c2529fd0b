//! Elements to and from bytes.

use half::{bf16, f16};
use rushlight_array::{Array, DType, Element};
use std::io::{self, Write};

/// Calls `$body` with `$T` the Rust type of a dtype.
macro_rules! with_type {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => with_type!(@ f32, $T => $body),
            DType::F64 => with_type!(@ f64, $T => $body),
            DType::F16 => with_type!(@ half::f16, $T => $body),
            DType::BF16 => with_type!(@ half::bf16, $T => $body),
            DType::I64 => with_type!(@ i64, $T => $body),
            DType::I32 => with_type!(@ i32, $T => $body),
            DType::I16 => with_type!(@ i16, $T => $body),
            DType::I8 => with_type!(@ i8, $T => $body),
            DType::U8 => with_type!(@ u8, $T => $body),
            DType::Bool => with_type!(@ bool, $T => $body),
        }
    };
    (@ $type:ty, $T:ident => $body:expr) => {{
        type $T = $type;
        $body
    }};
}

/// The order of the bytes of one element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// An element as bytes, of which it has `SIZE`.
trait Raw: Element {
    fn put(self, out: &mut [u8]);
    fn get(bytes: &[u8], order: ByteOrder) -> Self;
}

macro_rules! raw {
    ($($t:ty),*) => { $(impl Raw for $t {
        #[inline(always)]
        fn put(self, out: &mut [u8]) {
            out.copy_from_slice(&self.to_le_bytes());
        }
        #[inline(always)]
        fn get(bytes: &[u8], order: ByteOrder) -> Self {
            let mut array = [0; size_of::<$t>()];
            array.copy_from_slice(bytes);
            match order {
                ByteOrder::Little => <$t>::from_le_bytes(array),
                ByteOrder::Big => <$t>::from_be_bytes(array),
            }
        }
    })* };
}
raw!(f32, f64, f16, bf16, i64, i32, i16, i8, u8);

impl Raw for bool {
    #[inline(always)]
    fn put(self, out: &mut [u8]) {
        out[0] = u8::from(self);
    }
    /// Any byte but 0 is true, as PyTorch reads it.
    #[inline(always)]
    fn get(bytes: &[u8], _: ByteOrder) -> Self {
        bytes[0] != 0
    }
}

/// The most dims of an array in a file: numpy's limit, and PyTorch's for most of its operations.
pub(crate) const MOST_DIMS: usize = 64;

/// The bytes of an array, if they and its strides can be counted. Sizes of 0 count as ones, because strides skip them.
pub(crate) fn bytes_of(sizes: &[usize], dtype: DType) -> Option<usize> {
    if sizes.len() > MOST_DIMS {
        return None;
    }
    let extent = sizes.iter().try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size.max(1)))?;
    let countable = isize::try_from(extent).is_ok();
    countable.then(|| if sizes.contains(&0) { 0 } else { extent })
}

/// The array of these bytes.
///
/// `bytes` has the length that [`bytes_of`] says.
pub(crate) fn from_bytes(bytes: &[u8], sizes: &[usize], dtype: DType, order: ByteOrder) -> Array {
    with_type!(dtype, T => Array::build(sizes.to_vec(), |out: &mut [T]| {
        for (element, bytes) in out.iter_mut().zip(bytes.chunks_exact(size_of::<T>())) {
            *element = T::get(bytes, order);
        }
    }))
}

/// Hands the elements in row-major order to `out`, little-endian, a few kilobytes at a time.
pub(crate) fn write_bytes(array: &Array, out: &mut dyn Write) -> io::Result<()> {
    with_type!(array.dtype(), T => write_as::<T>(array, out))
}

fn write_as<T: Raw>(array: &Array, out: &mut dyn Write) -> io::Result<()> {
    let copied;
    let elements = match array.as_slice::<T>() {
        Some(slice) => slice,
        None => {
            copied = array.to_vec::<T>();
            &copied
        }
    };
    let size = size_of::<T>();
    let mut buffer = [0; 1 << 14];
    for chunk in elements.chunks(buffer.len() / size) {
        let len = size_of_val(chunk);
        for (element, bytes) in chunk.iter().zip(buffer.chunks_exact_mut(size)) {
            element.put(bytes);
        }
        out.write_all(&buffer[..len])?;
    }
    Ok(())
}

/// The bytes of all elements.
pub(crate) fn to_bytes(array: &Array) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(array.numel() * array.dtype().size());
    write_bytes(array, &mut bytes).expect("a Vec takes everything");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_returns_with_its_bits() {
        for dtype in DType::ALL {
            let count = 600;
            let bytes: Vec<u8> = (0..count * dtype.size()).map(|i| (i * 37 % 251) as u8).collect();
            let bytes: Vec<u8> =
                if dtype == DType::Bool { bytes.iter().map(|b| b & 1).collect() } else { bytes };
            let array = from_bytes(&bytes, &[2, count / 2], dtype, ByteOrder::Little);
            assert_eq!(to_bytes(&array), bytes, "{dtype}");
            let turned: Vec<u8> = bytes.chunks(dtype.size()).flat_map(|b| b.iter().rev().copied()).collect();
            assert_eq!(to_bytes(&from_bytes(&turned, &[count], dtype, ByteOrder::Big)), bytes, "{dtype}");
        }
    }

    #[test]
    fn strided_arrays_are_written_in_row_major_order() {
        let array = Array::new([[1_u8, 2, 3], [4, 5, 6]].map(|row| row.map(i64::from))).cast(DType::U8);
        assert_eq!(to_bytes(&array.t()), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn sizes_that_cannot_be_counted_are_refused() {
        assert_eq!(bytes_of(&[2, 3], DType::F32), Some(24));
        assert_eq!(bytes_of(&[], DType::F64), Some(8));
        assert_eq!(bytes_of(&[usize::MAX, 0], DType::U8), None);
        assert_eq!(bytes_of(&[1 << 31, 1 << 31], DType::F32), None);
        assert_eq!(bytes_of(&[1; 65], DType::F32), None);
    }
}
