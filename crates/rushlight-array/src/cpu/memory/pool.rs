//! The free blocks that all threads share, and the account of how many may lie idle.

use super::block::Block;
use super::sizes::Class;
use super::stats;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

/// The pool of the process. Blocks that leave it for the system are dropped only after the lock is:
/// to unmap takes as long as thousands of operations on the pool.
pub(super) fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Free blocks by size class.
///
/// The blocks here and all that threads were allowed to keep for themselves are never more than the limit.
pub(super) struct Pool {
    shelves: [Shelf; Class::COUNT],
    bytes: usize,
    lent: usize,
    /// Found out when it is first needed, unless it was set.
    limit: Option<usize>,
    /// Rises with every use of a shelf.
    clock: u64,
    /// What each thread keeps for itself, in bytes.
    threads: Vec<Arc<AtomicUsize>>,
}

/// The free blocks of one class, the last freed at the end, since its bytes are most likely near the processor.
struct Shelf {
    blocks: Vec<Block>,
    used: u64,
}

impl Pool {
    const fn new() -> Pool {
        let shelves = [const { Shelf { blocks: Vec::new(), used: 0 } }; Class::COUNT];
        Pool { shelves, bytes: 0, lent: 0, limit: None, clock: 0, threads: Vec::new() }
    }

    fn shelf(&mut self, class: Class) -> &mut Shelf {
        self.clock += 1;
        let shelf = &mut self.shelves[class.index()];
        shelf.used = self.clock;
        shelf
    }

    /// A free block of the class.
    pub(super) fn take(&mut self, class: Class) -> Option<Block> {
        let block = self.shelf(class).blocks.pop()?;
        self.bytes -= block.size();
        Some(block)
    }

    /// Keeps a block and gives those that must go for it: of the class that was not used for the longest
    /// time, since a program that has changed its sizes never asks for the old ones again.
    #[must_use = "the lock should be released before these are dropped"]
    pub(super) fn put(&mut self, block: Block) -> Vec<Block> {
        let size = block.size();
        if size > self.limit().saturating_sub(self.lent) {
            return vec![block];
        }
        let evicted = self.make_room(size);
        self.bytes += size;
        self.shelf(block.class()).blocks.push(block);
        evicted
    }

    fn make_room(&mut self, size: usize) -> Vec<Block> {
        let mut evicted = Vec::new();
        while self.room() < size {
            let filled = self.shelves.iter_mut().filter(|shelf| !shelf.blocks.is_empty());
            let Some(oldest) = filled.min_by_key(|shelf| shelf.used) else { break };
            let block = oldest.blocks.pop().expect("the shelf is not empty");
            self.bytes -= block.size();
            evicted.push(block);
        }
        evicted
    }

    fn room(&mut self) -> usize {
        self.limit().saturating_sub(self.lent).saturating_sub(self.bytes)
    }

    fn limit(&mut self) -> usize {
        *self.limit.get_or_insert_with(stats::initial_limit)
    }

    /// Sets the limit and says whether it is lower than before.
    pub(super) fn set_limit(&mut self, bytes: usize) -> bool {
        let before = self.limit();
        self.limit = Some(bytes);
        bytes < before
    }

    /// Allows a thread to keep up to so many bytes more, and says how many.
    pub(super) fn lend(&mut self, bytes: usize) -> usize {
        let granted = bytes.min(self.room());
        self.lent += granted;
        granted
    }

    /// Takes an allowance back.
    pub(super) fn settle(&mut self, bytes: usize) {
        self.lent -= bytes;
    }

    /// Gives all blocks away.
    #[must_use = "the lock should be released before these are dropped"]
    pub(super) fn clear(&mut self) -> Vec<Block> {
        self.bytes = 0;
        self.shelves.iter_mut().flat_map(|shelf| std::mem::take(&mut shelf.blocks)).collect()
    }

    /// The counter of a new thread.
    pub(super) fn enrol(&mut self) -> Arc<AtomicUsize> {
        let counter = Arc::new(AtomicUsize::new(0));
        self.threads.push(counter.clone());
        counter
    }

    /// Forgets a thread that ends.
    pub(super) fn dismiss(&mut self, counter: &Arc<AtomicUsize>) {
        self.threads.retain(|other| !Arc::ptr_eq(other, counter));
    }

    /// The bytes of all free blocks, here and with the threads.
    pub(super) fn cached_everywhere(&self) -> usize {
        self.bytes + self.threads.iter().map(|counter| counter.load(Ordering::Relaxed)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(limit: usize) -> Pool {
        Pool { limit: Some(limit), ..Pool::new() }
    }

    fn block(size: usize) -> Block {
        Block::from_system(Class::of(size)).unwrap()
    }

    fn sizes(blocks: &[Block]) -> Vec<usize> {
        blocks.iter().map(Block::size).collect()
    }

    #[test]
    fn the_last_block_put_is_the_first_taken() {
        let mut pool = pool(1 << 20);
        let (a, b) = (block(256), block(256));
        let second = b.pointer();
        assert!(pool.put(a).is_empty() && pool.put(b).is_empty());
        assert_eq!(pool.take(Class::of(200)).map(|block| block.pointer()), Some(second));
        assert!(pool.take(Class::of(300)).is_none(), "another class");
        assert_eq!(pool.bytes, 256);
    }

    #[test]
    fn a_full_pool_gives_up_the_class_that_was_not_used_for_longest() {
        let mut pool = pool(2048);
        for size in [512, 1024, 512] {
            assert!(pool.put(block(size)).is_empty());
        }
        assert_eq!(sizes(&pool.put(block(64))), [1024]);
        // Room is left now, so nothing has to go.
        assert!(pool.put(block(512)).is_empty());
        assert_eq!(sizes(&pool.put(block(2048))), [64, 512, 512, 512]);
        assert_eq!(pool.bytes, 2048);
    }

    #[test]
    fn a_block_beyond_the_limit_is_not_kept_and_nothing_goes_for_it() {
        let mut pool = pool(1024);
        assert!(pool.put(block(512)).is_empty());
        assert_eq!(sizes(&pool.put(block(1280))), [1280]);
        assert_eq!(pool.bytes, 512);
    }

    #[test]
    fn what_is_lent_counts_against_the_limit() {
        let mut pool = pool(1024);
        assert_eq!(pool.lend(600), 600);
        assert_eq!(sizes(&pool.put(block(448))), [448]);
        assert!(pool.put(block(320)).is_empty());
        assert_eq!(pool.lend(600), 1024 - 600 - 320);
        assert_eq!(pool.lend(600), 0);
        pool.settle(704);
        assert_eq!(pool.lend(5000), 704);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing() {
        let mut pool = pool(0);
        assert_eq!(pool.lend(64), 0);
        assert_eq!(sizes(&pool.put(block(64))), [64]);
        assert_eq!(pool.clear().len(), 0);
    }
}
