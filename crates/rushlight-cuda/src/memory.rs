//! Memory of a GPU: blocks that are kept when they are freed, as all work of a GPU is done in one order.
//!
//! A block whose array is dropped on the host may still be read by work that was asked for before. What is asked for
//! later comes later, so the block can be handed out again at once.

use crate::driver::{self, Failure, check};
use crate::gpu::Gpu;
use crate::graph;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// An address in a GPU's memory; 0 for none.
pub(crate) type Address = u64;

/// Sizes of blocks are multiples of this: what the driver aligns them to, and two cache lines.
const UNIT: usize = 512;
/// Above this size, multiples of 2 MiB, which is how the driver gets its pages.
const LARGE: usize = 1 << 20;
const LARGE_UNIT: usize = 2 << 20;

/// What a GPU's memory holds, in bytes. See [`memory_stats`](crate::memory_stats).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryStats {
    /// In arrays: PyTorch's `memory_allocated`.
    pub allocated: usize,
    /// The most that was in arrays at once: `max_memory_allocated`.
    pub max_allocated: usize,
    /// Taken from the driver, in arrays or kept for later ones: `memory_reserved`.
    pub reserved: usize,
    /// The number of blocks in arrays.
    pub blocks: usize,
    /// How often the driver was asked for memory.
    pub requests: usize,
    /// Of the host's memory: blocks through which arrays are sent to the GPU, which fetches them while the host goes on.
    pub pinned: usize,
}

#[derive(Default)]
struct State {
    free: Free,
    stats: MemoryStats,
}

pub(crate) struct Memory {
    state: Mutex<State>,
    limit: AtomicUsize,
}

/// A block of a GPU's memory, given back when it is dropped.
pub(crate) struct Block {
    pub(crate) gpu: &'static Gpu,
    pub(crate) address: Address,
    /// What it takes up, at least what was asked for.
    size: usize,
}

fn rounded(bytes: usize) -> usize {
    if bytes <= LARGE { bytes.next_multiple_of(UNIT) } else { bytes.next_multiple_of(LARGE_UNIT) }
}

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory { state: Mutex::default(), limit: AtomicUsize::new(usize::MAX) }
    }

    pub(crate) fn stats(&self) -> MemoryStats {
        self.lock().stats
    }

    /// Takes blocks back that a step had to itself.
    pub(crate) fn free(&self, others: &mut Free) {
        let mut state = self.lock();
        for (size, mut list) in std::mem::take(&mut others.0) {
            state.free.0.entry(size).or_default().append(&mut list);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks that can be handed out, by size.
#[derive(Default)]
pub(crate) struct Free(BTreeMap<usize, Vec<Address>>);

impl Free {
    pub(crate) fn put(&mut self, address: Address, size: usize) {
        self.0.entry(size).or_default().push(address);
    }

    /// A block for so many bytes that is not much larger, and its size.
    pub(crate) fn take(&mut self, size: usize) -> Option<(Address, usize)> {
        let most = if size <= LARGE { size + size / 4 } else { size + size / 8 };
        let (&found, list) = self.0.range_mut(size..=most).next()?;
        let address = list.pop();
        if list.is_empty() {
            self.0.remove(&found);
        }
        Some((address?, found))
    }

    /// Takes a block of any size.
    fn any(&mut self) -> Option<(usize, Address)> {
        let mut last = self.0.last_entry()?;
        let (size, address) = (*last.key(), last.get_mut().pop());
        if last.get().is_empty() {
            last.remove();
        }
        Some((size, address?))
    }

    /// Takes this block, if it is here. Whether it was.
    pub(crate) fn take_exactly(&mut self, address: Address, size: usize) -> bool {
        let Some(list) = self.0.get_mut(&size) else { return false };
        // The last ones freed are mostly the first ones wanted.
        let Some(place) = list.iter().rposition(|&other| other == address) else { return false };
        list.remove(place);
        if list.is_empty() {
            self.0.remove(&size);
        }
        true
    }
}

impl Gpu {
    /// A block for so many bytes, which holds anything. None is needed for 0.
    #[track_caller]
    pub(crate) fn block(&'static self, bytes: usize) -> Block {
        if bytes == 0 {
            return Block { gpu: self, address: 0, size: 0 };
        }
        let size = rounded(bytes);
        let taken = graph::take(self, size, &mut self.memory.lock().free);
        let (address, kept) = taken.unwrap_or_else(|| (self.fresh(bytes, size), size));
        graph::note_block(self, size, (address, kept));
        let size = kept;
        let mut state = self.memory.lock();
        let stats = &mut state.stats;
        stats.allocated += size;
        stats.blocks += 1;
        stats.max_allocated = stats.max_allocated.max(stats.allocated);
        Block { gpu: self, address, size }
    }

    /// Memory that is kept until the program ends, and is no array's.
    #[track_caller]
    pub(crate) fn permanent(&self, bytes: usize) -> Address {
        self.fresh(bytes, rounded(bytes))
    }

    /// A block of the driver's, after kept ones were given back if need be.
    #[track_caller]
    fn fresh(&self, bytes: usize, size: usize) -> Address {
        self.enter();
        let limit = self.memory.limit.load(Ordering::Relaxed);
        let within = || self.memory.stats().reserved.saturating_add(size) <= limit;
        let mut answer = if within() { self.ask(size) } else { Err(Failure::OUT_OF_MEMORY) };
        if answer == Err(Failure::OUT_OF_MEMORY) {
            self.empty_cache();
            if within() {
                answer = self.ask(size);
            }
        }
        match answer {
            Ok(address) => {
                let mut state = self.memory.lock();
                state.stats.reserved += size;
                state.stats.requests += 1;
                address
            }
            Err(Failure::OUT_OF_MEMORY) => {
                let (name, asked, stats) = (&self.name, Bytes(bytes), self.memory.stats());
                let arrays = Bytes(stats.allocated);
                if !within() {
                    let (reserved, limit) = (Bytes(stats.reserved), Bytes(limit));
                    rushlight_array::fail!(
                        "{name}: out of memory: {asked} asked for, {reserved} taken of the limit of {limit} that \
                         set_memory_limit gave ({arrays} in arrays of this program)"
                    )
                }
                let (unused, all) = self.driver_memory();
                rushlight_array::fail!(
                    "{name}: out of memory: {asked} asked for, {} free of {} ({arrays} in arrays of this program)",
                    Bytes(unused),
                    Bytes(all),
                )
            }
            Err(failure) => {
                rushlight_array::fail!(
                    "{}: {} of memory could not be had: {failure}",
                    self.name,
                    Bytes(bytes)
                )
            }
        }
    }

    fn ask(&self, size: usize) -> Result<Address, Failure> {
        let mut address = 0;
        // SAFETY: the context is current, and the driver writes the address of a new block.
        check(unsafe { driver::cuMemAlloc_v2(&raw mut address, size) }).map(|()| address)
    }

    /// Free and all bytes, as the driver counts them.
    pub(crate) fn driver_memory(&self) -> (usize, usize) {
        self.enter();
        let (mut unused, mut all) = (0, 0);
        // SAFETY: the driver writes two numbers.
        let answer = check(unsafe { driver::cuMemGetInfo_v2(&raw mut unused, &raw mut all) });
        if answer.is_err() { (0, 0) } else { (unused, all) }
    }

    /// Gives the kept blocks back to the driver, those that a step on this thread freed, too.
    #[track_caller]
    pub(crate) fn empty_cache(&self) {
        graph::release(self);
        let mut free = std::mem::take(&mut self.memory.lock().free);
        if free.0.is_empty() {
            return;
        }
        let answer = self.try_wait().and_then(|()| {
            while let Some((size, address)) = free.any() {
                // SAFETY: the block is the driver's, nobody holds it, and the work that used it has ended.
                let answer = check(unsafe { driver::cuMemFree_v2(address) });
                if answer.is_err() {
                    free.put(address, size);
                    return answer;
                }
                self.memory.lock().stats.reserved -= size;
            }
            Ok(())
        });
        // What is left, if the driver refused.
        self.memory.free(&mut free);
        self.expect("memory could not be given back", answer);
    }

    /// Refuses to take more than this from the driver.
    pub(crate) fn set_memory_limit(&self, bytes: usize) {
        self.memory.limit.store(bytes, Ordering::Relaxed);
    }

    /// The most in arrays is counted anew from now.
    pub(crate) fn reset_peak(&self) {
        let mut state = self.memory.lock();
        state.stats.max_allocated = state.stats.allocated;
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.size == 0 {
            return;
        }
        let kept = graph::free(self.gpu, self.address, self.size);
        let mut state = self.gpu.memory.lock();
        state.stats.allocated -= self.size;
        state.stats.blocks -= 1;
        if !kept {
            state.free.put(self.address, self.size);
        }
    }
}

/// Bytes for people: `1.50 GiB`.
pub(crate) struct Bytes(pub(crate) usize);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..0x400 => write!(f, "{} bytes", self.0),
            0x400..0x10_0000 => write!(f, "{:.2} KiB", bytes / 1024.0),
            0x10_0000..0x4000_0000 => write!(f, "{:.2} MiB", bytes / 1024.0 / 1024.0),
            _ => write!(f, "{:.2} GiB", bytes / 1024.0 / 1024.0 / 1024.0),
        }
    }
}
