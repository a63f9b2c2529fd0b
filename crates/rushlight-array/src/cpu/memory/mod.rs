//! Blocks of host memory: aligned for vectors, typed only when looked at, and recycled.
//!
//! The first touch of fresh memory costs ten times the arithmetic on it, so blocks are kept when they are freed:
//! `sizes` are the size classes, `block` is the system's side, `arena` its huge pages for several blocks, `recycle` what each
//! thread keeps for itself, `pool` what all share, `stats` the figures.

mod arena;
mod block;
mod pool;
mod recycle;
mod sizes;
mod stats;

use crate::dtype::{DType, Element};
use crate::fail;
use block::Block;
use sizes::{Class, LINE};
use std::ptr::NonNull;

pub use stats::{MemoryStats, memory_stats};

/// An owned, 64-byte aligned block of `len` elements of one dtype.
///
/// The bytes are valid elements of that dtype from the start, so a kernel may be handed the block as
/// `&mut [T]` and overwrite it. Blocks of 2 MB or more are aligned to 2 MB. From 64 KB on they lie in huge
/// pages where the system can.
///
/// When it is dropped its memory is kept for the next block of about the same size; see [`memory_stats`],
/// [`set_memory_limit`] and [`empty_cache`].
///
/// ```
/// use rushlight_array::{DType, HostBuffer};
/// let mut block = HostBuffer::new(DType::F32, 3);
/// assert_eq!(block.as_slice::<f32>(), [0.0, 0.0, 0.0]);
/// block.as_mut_slice::<f32>()[1] = 2.0;
/// assert_eq!(block.as_slice::<f32>(), [0.0, 2.0, 0.0]);
/// ```
pub struct HostBuffer {
    /// `None` if there is no byte.
    block: Option<Block>,
    len: usize,
    dtype: DType,
}

impl HostBuffer {
    /// A block of zeros.
    ///
    /// # Panics
    /// If it would be larger than `isize::MAX` bytes. Where the system refuses a smaller one, the process ends, as with
    /// any other allocation in Rust.
    #[track_caller]
    pub fn new(dtype: DType, len: usize) -> Self {
        let (bytes, mut obtained) = Self::obtain(dtype, len);
        if let Some(Obtained { block, fresh: false }) = &mut obtained {
            block.fill(bytes, 0);
        }
        HostBuffer { block: obtained.map(|obtained| obtained.block), len, dtype }
    }

    /// A block whose elements are arbitrary: for one that is overwritten as a whole before it is read.
    ///
    /// It saves the time to fill a recycled block with zeros. The elements are valid, but those of an
    /// earlier block may be seen (in a block of `bool` all are `false`). Where debug assertions are on they
    /// are NaN, -1 or `true` instead, so that a kernel that reads before it writes is found out.
    ///
    /// ```
    /// use rushlight_array::{DType, HostBuffer};
    /// let mut block = HostBuffer::scratch(DType::I64, 3);
    /// block.as_mut_slice().copy_from_slice(&[1i64, 2, 3]);
    /// assert_eq!(block.as_slice::<i64>(), [1, 2, 3]);
    /// ```
    ///
    /// # Panics
    /// If it would be larger than `isize::MAX` bytes. Where the system refuses a smaller one, the process ends, as with
    /// any other allocation in Rust.
    #[track_caller]
    pub fn scratch(dtype: DType, len: usize) -> Self {
        let (bytes, mut obtained) = Self::obtain(dtype, len);
        if let Some(Obtained { block, fresh }) = &mut obtained {
            let boolean = dtype == DType::Bool;
            if cfg!(debug_assertions) {
                block.fill(bytes, if boolean { 1 } else { 0xff });
            } else if boolean && !*fresh {
                // Bytes other than 0 and 1 are no truth values, and to read them is undefined.
                block.fill(bytes, 0);
            }
        }
        HostBuffer { block: obtained.map(|obtained| obtained.block), len, dtype }
    }

    /// A copy of a slice.
    #[track_caller]
    pub fn from_slice<T: Element>(data: &[T]) -> Self {
        let mut buffer = HostBuffer::scratch(T::DTYPE, data.len());
        buffer.as_mut_slice().copy_from_slice(data);
        buffer
    }

    /// A block whose bytes `write` fills in, every one: for elements that come from another device's memory.
    ///
    /// ```
    /// use rushlight_array::{DType, HostBuffer};
    /// let block = HostBuffer::from_bytes(DType::I16, 2, |bytes| bytes.copy_from_slice(&[1, 0, 2, 0]));
    /// assert_eq!(block.as_slice::<i16>(), [i16::from_le(1), i16::from_le(2)]);
    /// ```
    ///
    /// # Panics
    /// As [`HostBuffer::scratch`], and if a byte of a `bool` is neither 0 nor 1.
    #[track_caller]
    pub fn from_bytes(dtype: DType, len: usize, write: impl FnOnce(&mut [u8])) -> Self {
        // As bytes until they are known to be truth values.
        let held = if dtype == DType::Bool { DType::U8 } else { dtype };
        let mut buffer = HostBuffer::scratch(held, len);
        // SAFETY: the block has these bytes, all written before, and `buffer` is nobody else's.
        write(unsafe { std::slice::from_raw_parts_mut(buffer.pointer().as_ptr(), len * dtype.size()) });
        if dtype != held {
            buffer.retype(dtype);
        }
        buffer
    }

    /// The bytes of the elements, in the machine's order.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the block holds `len` initialised elements of the dtype, none of which has padding.
        unsafe { std::slice::from_raw_parts(self.pointer().as_ptr(), self.len * self.dtype.size()) }
    }

    /// The number of bytes, and the block for them if there is any.
    ///
    /// In parts and always inlined: a `HostBuffer` that is moved right after it was written waits for the
    /// writes, which took half of the time of a small block.
    #[track_caller]
    #[inline(always)]
    fn obtain(dtype: DType, len: usize) -> (usize, Option<Obtained>) {
        let Some(bytes) = len.checked_mul(dtype.size()).filter(|&bytes| bytes <= MOST) else {
            fail!("host buffer: {len} elements of {} are more than can be addressed", dtype.name())
        };
        if bytes == 0 {
            return (0, None);
        }
        let class = Class::of(bytes);
        let obtained = match recycle::take(class) {
            Some(block) => Obtained { block, fresh: false },
            None => Obtained { block: fresh(class, bytes), fresh: true },
        };
        (bytes, Some(obtained))
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
        unsafe { std::slice::from_raw_parts(self.pointer().cast::<T>().as_ptr(), self.len) }
    }

    /// As [`HostBuffer::as_slice`], or as [`DType::carrier`] of the dtype.
    ///
    /// # Panics
    /// If `T` is neither.
    pub(crate) fn carried<T: Element>(&self) -> &[T] {
        if const { T::DTYPE as u8 == T::DTYPE.carrier() as u8 } && self.dtype.carrier() == T::DTYPE {
            // SAFETY: the block holds `len` initialised elements of this size, aligned to 64 bytes, and T is a number
            // of which every pattern of bits is one.
            return unsafe { std::slice::from_raw_parts(self.pointer().cast::<T>().as_ptr(), self.len) };
        }
        self.as_slice()
    }

    /// Gives the elements another dtype of their size.
    ///
    /// # Panics
    /// If it has another size, or is `Bool` and the bytes are not all truth values, which to read would be undefined.
    pub(crate) fn retype(&mut self, dtype: DType) {
        assert!(self.dtype.size() == dtype.size(), "a block of {} was made one of {dtype}", self.dtype);
        if dtype == DType::Bool {
            let largest = self.carried::<u8>().iter().fold(0, |largest, &byte| byte.max(largest));
            assert!(largest <= 1, "a byte of {largest} was made a truth value");
        }
        self.dtype = dtype;
    }

    /// The elements, to be written.
    ///
    /// # Panics
    /// If `T` is not the dtype of the block.
    #[track_caller]
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        self.check::<T>();
        // SAFETY: as in `as_slice`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.pointer().cast::<T>().as_ptr(), self.len) }
    }

    /// The first byte; where there is none, dangling but aligned, since nothing is read through it.
    fn pointer(&self) -> NonNull<u8> {
        self.block.as_ref().map_or(NonNull::<Line>::dangling().cast(), Block::pointer)
    }

    #[track_caller]
    fn check<T: Element>(&self) {
        assert!(T::DTYPE == self.dtype, "a block of {} was read as {}", self.dtype, T::DTYPE);
    }
}

/// A block for a new buffer.
struct Obtained {
    block: Block,
    /// Whether it is all zero because it came from the system. If not, its bytes may not be valid elements yet.
    fresh: bool,
}

/// The most bytes that one block may have, as everywhere in Rust.
const MOST: usize = isize::MAX as usize - (LINE - 1);

#[repr(align(64))]
struct Line;

#[cold]
fn fresh(class: Class, bytes: usize) -> Block {
    match recycle::fresh(class) {
        Some(block) => block,
        // Not the abort of Rust's collections: a shape that was typed wrong must not end a notebook or a server.
        None => fail!("memory: the system refused a block of {bytes} bytes; make the tensors smaller"),
    }
}

impl Drop for HostBuffer {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            recycle::put(block);
        }
    }
}

impl std::fmt::Debug for HostBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostBuffer({} x {})", self.len, self.dtype.name())
    }
}

/// Gives the memory that is kept for later arrays back to the system: PyTorch's `torch.cuda.empty_cache`.
///
/// What this thread and the shared pool keep goes at once; what other threads keep for themselves (8 MB each
/// at most) when they next make or drop an array, or when they end.
///
/// ```
/// use rushlight_array::{DType, HostBuffer, empty_cache, memory_stats};
/// drop(HostBuffer::new(DType::F32, 10_000_000));
/// empty_cache();
/// assert_eq!(memory_stats().cached, 0);
/// ```
pub fn empty_cache() {
    recycle::empty();
}

/// Sets the most bytes that may be kept for later arrays; 0 switches the recycling off.
///
/// Until then it is the environment's `RUSHLIGHT_CACHE_LIMIT`, in bytes, or else a quarter of the machine's (or
/// the container's) memory. A lower limit than before first empties the cache, as [`empty_cache`] does.
///
/// ```
/// use rushlight_array::{DType, HostBuffer, memory_stats, set_memory_limit};
/// set_memory_limit(0);
/// drop(HostBuffer::new(DType::F32, 1000));
/// assert_eq!(memory_stats().cached, 0);
/// ```
pub fn set_memory_limit(bytes: usize) {
    let lower = pool::lock().set_limit(bytes);
    if lower {
        recycle::empty();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_aligned_and_zero() {
        for len in [0, 1, 7, 1000, 600_000] {
            let buffer = HostBuffer::new(DType::F32, len);
            assert_eq!(buffer.as_slice::<f32>(), vec![0.0; len]);
            let align = if len < 600_000 { LINE } else { 2 << 20 };
            assert_eq!(buffer.as_slice::<f32>().as_ptr() as usize % align, 0);
        }
    }

    #[test]
    #[should_panic(expected = "a block of torch.float32 was read as torch.int64")]
    fn a_block_cannot_be_read_as_another_type() {
        HostBuffer::new(DType::F32, 3).as_slice::<i64>();
    }

    #[test]
    #[should_panic(expected = "a byte of 7 was made a truth value")]
    fn bytes_that_are_no_truth_values_do_not_become_bools() {
        HostBuffer::from_slice(&[0u8, 1, 7]).retype(DType::Bool);
    }

    #[test]
    fn a_carrier_shows_the_bits_and_no_other_type_is_one() {
        assert_eq!(HostBuffer::from_slice(&[true, false]).carried::<u8>(), [1, 0]);
        assert_eq!(HostBuffer::from_slice(&[1.0f64]).carried::<i64>(), [1.0f64.to_bits() as i64]);
        let panicked = std::panic::catch_unwind(|| {
            HostBuffer::from_slice(&[1u8]).carried::<bool>();
        });
        assert!(panicked.is_err());
    }

    #[test]
    fn a_recycled_block_is_zero_again() {
        for len in [1, 100, 30_000, 1_000_000] {
            drop(HostBuffer::from_slice(&vec![f32::NAN; len]));
            let buffer = HostBuffer::new(DType::F32, len);
            assert!(buffer.as_slice::<f32>().iter().all(|v| v.to_bits() == 0), "{len}");
        }
    }

    /// Looks at the bytes: an invalid truth value must not even be read as `bool`.
    #[test]
    fn scratch_truth_values_are_valid_after_a_block_of_floats() {
        for len in [1, 100, 30_000, 1_000_000] {
            drop(HostBuffer::from_slice(&vec![f32::MIN; len]));
            let mut buffer = HostBuffer::scratch(DType::Bool, 4 * len);
            buffer.dtype = DType::U8;
            assert!(buffer.as_slice::<u8>().iter().all(|&byte| byte <= 1), "{len}");
        }
    }

    #[cfg(debug_assertions)]
    #[test]
    fn scratch_shows_kernels_that_read_before_they_write() {
        assert!(HostBuffer::scratch(DType::F32, 100).as_slice::<f32>().iter().all(|v| v.is_nan()));
        assert!(HostBuffer::scratch(DType::F16, 5).as_slice::<half::f16>().iter().all(|v| v.is_nan()));
        assert_eq!(HostBuffer::scratch(DType::I64, 2).as_slice::<i64>(), [-1, -1]);
        assert_eq!(HostBuffer::scratch(DType::Bool, 2).as_slice::<bool>(), [true, true]);
    }

    #[test]
    #[should_panic(
        expected = "host buffer: 9223372036854775807 elements of uint8 are more than can be addressed"
    )]
    fn a_block_beyond_the_address_space_is_refused() {
        HostBuffer::scratch(DType::U8, isize::MAX as usize);
    }
}
