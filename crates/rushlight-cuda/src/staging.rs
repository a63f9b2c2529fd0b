//! Pinned memory of the host, through which copies to a GPU go: the GPU fetches them while the host goes on.
//!
//! Memory that programs usually have can be moved by the system, so the driver copies it before it lets the GPU fetch it,
//! and the host waits. A pinned block stays in its place. Each is used again when the GPU has fetched what lay in it.

use crate::driver::{self, Failure, check};
use crate::gpu::{Gpu, Handle};
use crate::memory::Address;
use cust::sys::CUevent_st;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, PoisonError};

/// The smallest block.
const LEAST: usize = 4 << 10;
/// Larger ones take so long that the wait does not matter, and pinned memory is dear.
const MOST: usize = 64 << 20;
/// All pinned memory of a GPU.
const TOTAL: usize = 256 << 20;

#[derive(Default)]
pub(crate) struct Staging(Mutex<Vec<Pinned>>);

/// A block that the system does not move.
struct Pinned {
    place: Handle<c_void>,
    size: usize,
    /// Reached when the GPU has fetched what lies in the block.
    fetched: Handle<CUevent_st>,
}

impl Gpu {
    /// Copies to the GPU through a pinned block. Whether it could: there may be none left.
    pub(crate) fn write_through_pinned(&self, to: Address, bytes: &[u8]) -> Result<bool, Failure> {
        if bytes.len() > MOST {
            return Ok(false);
        }
        let Some(block) = self.pinned(bytes.len()) else { return Ok(false) };
        // SAFETY: the block is as large, this thread's alone, and the GPU fetches nothing from it now.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), block.place.0.cast::<u8>(), bytes.len()) };
        // SAFETY: both blocks hold as many bytes; the pinned one is written again after the event alone.
        let answer =
            check(unsafe { driver::cuMemcpyHtoDAsync_v2(to, block.place.0, bytes.len(), self.stream.0) });
        // SAFETY: an event and a stream of this GPU.
        let answer =
            answer.and_then(|()| check(unsafe { driver::cuEventRecord(block.fetched.0, self.stream.0) }));
        self.staging.0.lock().unwrap_or_else(PoisonError::into_inner).push(block);
        answer.map(|()| true)
    }

    /// The bytes of all pinned blocks that are not being written.
    pub(crate) fn pinned_bytes(&self) -> usize {
        let blocks = self.staging.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.iter().map(|block| block.size).sum()
    }

    /// A block for so many bytes that the GPU is done with, or a new one.
    fn pinned(&self, bytes: usize) -> Option<Pinned> {
        let bytes = bytes.max(LEAST);
        let mut blocks = self.staging.0.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: an event of this GPU.
        let done = |block: &Pinned| unsafe { driver::cuEventQuery(block.fetched.0) } == 0;
        // In the order of the copies, which the GPU makes one after the other: if the first that fits is not fetched, none is.
        let fits = |block: &Pinned| block.size >= bytes && block.size / 4 <= bytes;
        if let Some(place) = blocks.iter().position(fits).filter(|&place| done(&blocks[place])) {
            return Some(blocks.remove(place));
        }
        let size = bytes.next_power_of_two();
        let mut held: usize = blocks.iter().map(|block| block.size).sum();
        // Those of other sizes make room, if they are free.
        while held + size > TOTAL {
            let place = blocks.iter().position(done)?;
            let block = blocks.remove(place);
            held -= block.size;
            block.give_back();
        }
        drop(blocks);
        Pinned::new(size)
    }
}

impl Pinned {
    fn new(size: usize) -> Option<Pinned> {
        let (mut place, mut event) = (ptr::null_mut(), ptr::null_mut());
        // Written by the host and read by the GPU.
        // SAFETY: the driver writes the address of a new block.
        check(unsafe { driver::cuMemHostAlloc(&raw mut place, size, 0) }).ok()?;
        // SAFETY: the driver writes the handle of a new event, without a clock (the flag 2).
        if check(unsafe { driver::cuEventCreate(&raw mut event, 2) }).is_err() {
            // SAFETY: the block was just made.
            unsafe { driver::cuMemFreeHost(place) };
            return None;
        }
        Some(Pinned { place: Handle(place), size, fetched: Handle(event) })
    }

    fn give_back(self) {
        // SAFETY: the GPU has fetched what lay in the block, and nobody holds either. An error loses the block, no more.
        unsafe {
            driver::cuEventDestroy_v2(self.fetched.0);
            driver::cuMemFreeHost(self.place.0);
        }
    }
}
