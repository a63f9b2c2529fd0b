//! Blocks of host memory: aligned for vectors, typed only when looked at.

use crate::dtype::{DType, Element};
use crate::fail;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Every block starts on a cache line, which is also a full AVX-512 vector.
const ALIGN: usize = 64;

/// An owned, 64-byte aligned block of `len` elements of one dtype.
///
/// The bytes are valid elements of that dtype from the start (all zero), so a kernel may be handed
/// the block as `&mut [T]` and overwrite it.
pub struct HostBuffer {
    pointer: NonNull<u8>,
    len: usize,
    dtype: DType,
}

// SAFETY: the block is owned and has no interior mutability; access follows the borrow rules.
unsafe impl Send for HostBuffer {}
// SAFETY: as above; a shared reference only reads.
unsafe impl Sync for HostBuffer {}

impl HostBuffer {
    /// A block of zeros.
    ///
    /// # Panics
    /// If it would be larger than `isize::MAX` bytes.
    #[track_caller]
    pub fn new(dtype: DType, len: usize) -> Self {
        let layout = Self::layout(dtype, len);
        let pointer = if layout.size() == 0 {
            // Dangling but aligned: nothing is ever read through it.
            NonNull::<Line>::dangling().cast()
        } else {
            // SAFETY: the size is not zero.
            NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
        };
        HostBuffer { pointer, len, dtype }
    }

    /// A copy of a slice.
    #[track_caller]
    pub fn from_slice<T: Element>(data: &[T]) -> Self {
        let mut buffer = HostBuffer::new(T::DTYPE, data.len());
        buffer.as_mut_slice().copy_from_slice(data);
        buffer
    }

    #[track_caller]
    fn layout(dtype: DType, len: usize) -> Layout {
        let bytes = len.checked_mul(dtype.size());
        match bytes.and_then(|bytes| Layout::from_size_align(bytes, ALIGN).ok()) {
            Some(layout) => layout,
            None => fail!("host buffer: {len} elements of {} are more than can be addressed", dtype.name()),
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The elements.
    ///
    /// # Panics
    /// If `T` is not the dtype of the block.
    #[track_caller]
    pub fn as_slice<T: Element>(&self) -> &[T] {
        self.check::<T>();
        // SAFETY: the block holds `len` initialised elements of T (checked), aligned to 64 bytes.
        unsafe { std::slice::from_raw_parts(self.pointer.cast::<T>().as_ptr(), self.len) }
    }

    /// The elements, to be written.
    ///
    /// # Panics
    /// If `T` is not the dtype of the block.
    #[track_caller]
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        self.check::<T>();
        // SAFETY: as in `as_slice`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.cast::<T>().as_ptr(), self.len) }
    }

    #[track_caller]
    fn check<T: Element>(&self) {
        assert!(T::DTYPE == self.dtype, "a block of {} was read as {}", self.dtype, T::DTYPE);
    }
}

#[repr(align(64))]
struct Line;

impl Drop for HostBuffer {
    fn drop(&mut self) {
        let layout = Self::layout(self.dtype, self.len);
        if layout.size() != 0 {
            // SAFETY: allocated in `new` with this very layout, and freed once.
            unsafe { dealloc(self.pointer.as_ptr(), layout) }
        }
    }
}

impl std::fmt::Debug for HostBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostBuffer({} x {})", self.len, self.dtype.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_aligned_and_zero() {
        for len in [0, 1, 7, 1000] {
            let buffer = HostBuffer::new(DType::F32, len);
            assert_eq!(buffer.as_slice::<f32>(), vec![0.0; len]);
            assert_eq!(buffer.as_slice::<f32>().as_ptr() as usize % ALIGN, 0);
        }
    }

    #[test]
    #[should_panic(expected = "a block of torch.float32 was read as torch.int64")]
    fn a_block_cannot_be_read_as_another_type() {
        HostBuffer::new(DType::F32, 3).as_slice::<i64>();
    }
}
