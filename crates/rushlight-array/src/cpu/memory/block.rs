//! Blocks as the system gives them: aligned, all zero, in huge pages if they are large.

use super::arena;
use super::sizes::{Class, LINE};
use super::stats;
use std::alloc::Layout;
use std::ptr::NonNull;

/// The size of a huge page, and the least size of blocks that are mapped by themselves. The first touch of 40 MB costs a
/// third in huge pages of what it costs in pages of 4 KB.
pub(super) const HUGE: usize = 2 << 20;

/// Where a block comes from.
enum Place {
    Heap,
    Arena,
    Mapping,
}

impl Place {
    fn of(size: usize) -> Place {
        match size {
            HUGE.. => Place::Mapping,
            // Sanitizers watch the ends of the heap's blocks only.
            arena::LEAST.. if large::IS_MAPPED && !cfg!(any(rushlight_portable, fuzzing)) => Place::Arena,
            _ => Place::Heap,
        }
    }
}

/// An owned piece of memory whose bytes were all written at least once (fresh ones are zero). Dropped, it
/// goes back to the system.
pub(super) struct Block {
    pointer: NonNull<u8>,
    class: Class,
}

// SAFETY: the memory is owned and reached through the borrow rules only.
unsafe impl Send for Block {}
// SAFETY: as above; a shared reference gives out no more than the address.
unsafe impl Sync for Block {}

impl Block {
    /// A block of zeros, or `None` if the system has no more memory.
    pub(super) fn from_system(class: Class) -> Option<Block> {
        let size = class.size();
        let layout = Layout::from_size_align(size, LINE).ok()?;
        let pointer = match Place::of(size) {
            // SAFETY: no class has the size zero.
            Place::Heap => unsafe { std::alloc::alloc_zeroed(layout) },
            Place::Arena => arena::obtain(size),
            Place::Mapping => large::obtain(layout),
        };
        let pointer = NonNull::new(pointer)?;
        stats::obtained(size);
        Some(Block { pointer, class })
    }

    /// Its first byte, aligned to 64 bytes, or to 2 MB if it holds so much.
    #[inline]
    pub(super) fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }

    /// Its size class.
    #[inline]
    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// The bytes that it holds.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.class.size()
    }

    /// Sets the first bytes.
    #[inline]
    pub(super) fn fill(&mut self, bytes: usize, value: u8) {
        assert!(bytes <= self.size());
        // SAFETY: the block holds so many bytes, and `&mut self` makes the access exclusive.
        unsafe { self.pointer.as_ptr().write_bytes(value, bytes) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let size = self.size();
        stats::returned(size);
        // SAFETY: `from_system` made a layout of these very numbers.
        let layout = unsafe { Layout::from_size_align_unchecked(size, LINE) };
        let pointer = self.pointer.as_ptr();
        // SAFETY: obtained in `from_system` from that place, with this very size and layout, and freed once.
        unsafe {
            match Place::of(size) {
                Place::Heap => std::alloc::dealloc(pointer, layout),
                Place::Arena => arena::give_back(pointer, size),
                Place::Mapping => large::give_back(pointer, layout),
            }
        }
    }
}

/// Large blocks are mapped by hand: `alloc_zeroed` writes the zeros of an aligned block itself, and so touches
/// every page before it can be advised to be huge. The kernel's fresh pages are zero for nothing.
///
/// The numbers below are those of these two architectures; others take the general way.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
pub(super) mod large {
    use super::HUGE;
    use std::alloc::Layout;
    use std::ffi::{c_int, c_void};
    use std::ptr::{null_mut, without_provenance_mut};

    /// Whether these are mappings, of which the system fills what is touched.
    pub(in crate::cpu::memory) const IS_MAPPED: bool = true;

    const PROT_READ_WRITE: c_int = 1 | 2;
    const MAP_PRIVATE_ANONYMOUS: c_int = 0x02 | 0x20;
    const MADV_DONTNEED: c_int = 4;
    const MADV_HUGEPAGE: c_int = 14;

    // The standard library links the C library, which has these.
    unsafe extern "C" {
        fn mmap(
            at: *mut c_void,
            len: usize,
            protect: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
        fn munmap(at: *mut c_void, len: usize) -> c_int;
        fn madvise(at: *mut c_void, len: usize, advice: c_int) -> c_int;
    }

    /// Zeros, aligned to a huge page; null if the system refuses.
    pub(in crate::cpu::memory) fn obtain(layout: Layout) -> *mut u8 {
        let size = layout.size();
        let Some(mapped) = size.checked_add(HUGE) else { return null_mut() };
        // SAFETY: a private mapping at an address of the system's choice touches nothing that exists.
        let base = unsafe { mmap(null_mut(), mapped, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) };
        if base == without_provenance_mut(usize::MAX) {
            return null_mut();
        }
        // One huge page more than needed was mapped, so an aligned start lies within; the rest goes back.
        // A failure to unmap or to advise leaves address space or speed behind, not correctness.
        let before = base.align_offset(HUGE);
        let start = base.wrapping_byte_add(before);
        // SAFETY: the three pieces are before, block and after, all inside the mapping and of whole pages.
        unsafe {
            if before != 0 {
                munmap(base, before);
            }
            if before != HUGE {
                munmap(start.wrapping_byte_add(size), HUGE - before);
            }
            madvise(start, size, MADV_HUGEPAGE);
        }
        start.cast()
    }

    /// # Safety
    /// The pointer is from [`obtain`] with this layout and is not used again.
    pub(in crate::cpu::memory) unsafe fn give_back(pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise; the block is a mapping of its own.
        unsafe { munmap(pointer.cast(), layout.size()) };
    }

    /// Gives the memory behind some addresses of a mapping back; what is there afterwards is arbitrary.
    ///
    /// # Safety
    /// They are whole pages that nobody uses.
    pub(in crate::cpu::memory) unsafe fn discard(pointer: *mut u8, size: usize) {
        // SAFETY: the caller's promise. If the system refuses, the memory stays.
        unsafe { madvise(pointer.cast(), size, MADV_DONTNEED) };
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
pub(super) mod large {
    use super::HUGE;
    use std::alloc::{Layout, alloc_zeroed, dealloc};

    pub(in crate::cpu::memory) const IS_MAPPED: bool = false;

    fn aligned(layout: Layout) -> Layout {
        layout.align_to(HUGE).expect("a class of this size was checked to be addressable")
    }

    /// Zeros, aligned to 2 MB; null if the system refuses.
    pub(in crate::cpu::memory) fn obtain(layout: Layout) -> *mut u8 {
        match layout.align_to(HUGE) {
            // SAFETY: large blocks are not of size zero.
            Ok(layout) => unsafe { alloc_zeroed(layout) },
            Err(_) => std::ptr::null_mut(),
        }
    }

    /// # Safety
    /// The pointer is from [`obtain`] with this layout and is not used again.
    pub(in crate::cpu::memory) unsafe fn give_back(pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { dealloc(pointer, aligned(layout)) }
    }

    /// # Safety
    /// None: it does nothing here.
    pub(in crate::cpu::memory) unsafe fn discard(_: *mut u8, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(block: &Block) -> &[u8] {
        // SAFETY: all bytes of a block are initialised.
        unsafe { std::slice::from_raw_parts(block.pointer().as_ptr(), block.size()) }
    }

    #[test]
    fn blocks_are_zero_and_aligned_and_large_ones_to_a_huge_page() {
        let arena = [arena::LEAST - 1, arena::LEAST, arena::LEAST + 1, 100 << 10, 7 * HUGE / 8];
        let others = [1, 64, 100, 5000, HUGE - 1, HUGE, HUGE + 1, 5 * HUGE];
        for size in others.into_iter().chain(arena).chain(arena) {
            let mut block = Block::from_system(Class::of(size)).unwrap();
            let align = if block.size() < HUGE { LINE } else { HUGE };
            assert_eq!(block.pointer().as_ptr() as usize % align, 0, "{size}");
            assert!(block.size() >= size && bytes(&block).iter().all(|&byte| byte == 0), "{size}");
            // The next one in its place has zeros again.
            block.fill(block.size(), 9);
        }
    }

    #[test]
    fn large_blocks_that_live_together_do_not_overlap() {
        let mut blocks: Vec<Block> =
            (0..20).map(|i| Block::from_system(Class::of((4 + i) * HUGE / 4)).unwrap()).collect();
        for (i, block) in blocks.iter_mut().enumerate() {
            block.fill(block.size(), i as u8 + 1);
        }
        while !blocks.is_empty() {
            // Every other block goes first, so that what remains would lose pages it shared.
            blocks.swap_remove(blocks.len() / 2);
            for block in &blocks {
                let first = bytes(block)[0];
                assert!(first != 0 && bytes(block).iter().all(|&byte| byte == first));
            }
        }
    }

    #[test]
    fn the_system_refuses_what_cannot_be() {
        assert!(Block::from_system(Class::of(isize::MAX as usize)).is_none());
        assert!(Block::from_system(Class::of(1 << 62)).is_none());
    }

    #[test]
    #[should_panic(expected = "bytes <= self.size()")]
    fn a_fill_beyond_the_end_is_refused() {
        Block::from_system(Class::of(64)).unwrap().fill(65, 0);
    }
}
