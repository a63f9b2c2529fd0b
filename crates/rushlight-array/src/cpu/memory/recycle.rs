//! Free blocks are kept: a small block by the thread that freed it, all others in the shared pool.

use super::block::Block;
use super::pool::{self, Pool};
use super::sizes::Class;
use std::array::from_fn;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads keep blocks up to this size. Work on a larger one takes hundreds of times as long as the pool's lock.
const LARGEST: usize = 1 << 20;
const CLASSES: usize = Class::of(LARGEST).index() + 1;
/// The most that one thread keeps: several times its share of the processor's cache.
const THREAD_BYTES: usize = 8 << 20;
/// The most that it keeps of one class, in bytes and in blocks: a thread that only frees, as the one that
/// takes batches from loader workers does, passes the blocks on before the workers run dry.
const CLASS_BYTES: usize = 1 << 20;
const CLASS_BLOCKS: usize = 256;
/// How many blocks of each class it keeps; a table spares the division.
static LONGEST: [usize; CLASSES] = {
    let mut longest = [CLASS_BLOCKS; CLASSES];
    let mut index = Class::of(CLASS_BYTES / CLASS_BLOCKS).index();
    while index < CLASSES {
        longest[index] = CLASS_BYTES / Class::SIZES[index];
        index += 1;
    }
    longest
};
/// By so many bytes a thread's allowance rises: few, since what it does not use is lost to the pool.
const ALLOWANCE_STEP: usize = 1 << 20;
/// About so many bytes it fetches from the pool at once, to take the lock less often.
const FETCH_BYTES: usize = 16 << 10;

/// Rises when all threads shall give up what they keep; each sees it the next time it takes or frees a block.
static EPOCH: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static CACHE: RefCell<ThreadCache> = const { RefCell::new(ThreadCache::new()) };
}

/// A block that was used before, with whatever it held then.
#[inline(always)]
pub(super) fn take(class: Class) -> Option<Block> {
    if class.index() < CLASSES
        && let Ok(block) = CACHE.try_with(|cache| Some(cache.try_borrow_mut().ok()?.take(class)))
        && let Some(block) = block
    {
        return block;
    }
    take_shared(class)
}

/// The way of large blocks, and of threads that are ending and have no cache any more.
#[cold]
fn take_shared(class: Class) -> Option<Block> {
    pool::lock().take(class)
}

/// A block of zeros from the system, or `None` if it has no more even after all free blocks went back.
#[cold]
pub(super) fn fresh(class: Class) -> Option<Block> {
    Block::from_system(class).or_else(|| {
        empty();
        Block::from_system(class)
    })
}

/// Keeps a block for the next request, or gives it back to the system if enough are kept.
#[inline(always)]
pub(super) fn put(block: Block) {
    let mut block = Some(block);
    if block.as_ref().is_some_and(|block| block.class().index() < CLASSES) {
        // Fails only where the thread is ending: then the block is still here.
        _ = CACHE.try_with(|cache| {
            if let (Ok(mut cache), Some(block)) = (cache.try_borrow_mut(), block.take()) {
                cache.put(block);
            }
        });
    }
    if let Some(block) = block {
        put_shared(block);
    }
}

#[cold]
fn put_shared(block: Block) {
    let evicted = pool::lock().put(block);
    drop(evicted);
}

/// Gives all free blocks back to the system: those of this thread and of the pool at once, those of other
/// threads when they next take or free one.
pub(super) fn empty() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    // A thread that is ending keeps nothing.
    _ = CACHE.try_with(|cache| cache.try_borrow_mut().map(|mut cache| cache.renew()));
    let blocks = pool::lock().clear();
    drop(blocks);
}

/// The blocks that one thread keeps. It reaches them without a lock or an atomic operation that others wait for.
struct ThreadCache {
    shelves: [Vec<Block>; CLASSES],
    /// The bytes on the shelves. Only this thread writes them; `memory_stats` reads. `None` until the first block.
    bytes: Option<Arc<AtomicUsize>>,
    /// How many bytes the pool allows.
    allowance: usize,
    epoch: usize,
}

impl ThreadCache {
    const fn new() -> ThreadCache {
        ThreadCache { shelves: [const { Vec::new() }; CLASSES], bytes: None, allowance: 0, epoch: 0 }
    }

    #[inline(always)]
    fn take(&mut self, class: Class) -> Option<Block> {
        if self.epoch != EPOCH.load(Ordering::Relaxed) {
            self.renew();
        }
        match self.shelves[class.index()].pop() {
            Some(block) => {
                self.count(self.held() - class.size());
                Some(block)
            }
            None => self.fetch(class),
        }
    }

    #[inline(always)]
    fn put(&mut self, block: Block) {
        if self.epoch != EPOCH.load(Ordering::Relaxed) {
            self.renew();
        }
        let (class, size) = (block.class(), block.size());
        let (shelf_len, held) = (self.shelves[class.index()].len(), self.held() + size);
        if shelf_len < LONGEST[class.index()] && held <= self.allowance {
            self.count(held);
            self.shelves[class.index()].push(block);
        } else {
            self.put_after_making_room(block);
        }
    }

    /// A block from the pool, and a few more for the next requests.
    #[cold]
    fn fetch(&mut self, class: Class) -> Option<Block> {
        let mut pool = pool::lock();
        let block = pool.take(class)?;
        let more = (FETCH_BYTES / class.size()).min((self.allowance - self.held()) / class.size());
        let fetched = (0..more).map_while(|_| pool.take(class));
        let shelf = &mut self.shelves[class.index()];
        let before = shelf.len();
        shelf.extend(fetched);
        let added = (shelf.len() - before) * class.size();
        self.count(self.held() + added);
        Some(block)
    }

    #[cold]
    fn put_after_making_room(&mut self, block: Block) {
        let mut pool = pool::lock();
        self.bytes.get_or_insert_with(|| pool.enrol());
        let (class, size) = (block.class(), block.size());
        let mut evicted = Vec::new();
        if self.shelves[class.index()].len() >= LONGEST[class.index()] {
            evicted = self.pass_on_half(class, &mut pool);
        }
        if self.held() + size > self.allowance {
            if self.allowance >= THREAD_BYTES {
                // All of it, so that what was not used for a long time makes place, too.
                evicted.extend(self.pass_on_all(&mut pool));
            }
            self.allowance += pool.lend(ALLOWANCE_STEP);
        }
        if self.held() + size <= self.allowance {
            self.count(self.held() + size);
            self.shelves[class.index()].push(block);
        } else {
            evicted.extend(pool.put(block));
        }
        drop(pool);
        drop(evicted);
    }

    /// Passes the older half of a shelf to the pool; gives what the pool has no room for.
    fn pass_on_half(&mut self, class: Class, pool: &mut Pool) -> Vec<Block> {
        let shelf = &mut self.shelves[class.index()];
        let half = shelf.len().div_ceil(2);
        let evicted = shelf.drain(..half).flat_map(|block| pool.put(block)).collect();
        self.count(self.held() - half * class.size());
        evicted
    }

    /// Passes everything to the pool; gives what it has no room for.
    fn pass_on_all(&mut self, pool: &mut Pool) -> Vec<Block> {
        pool.settle(std::mem::take(&mut self.allowance));
        self.count(0);
        self.shelves.iter_mut().flat_map(|shelf| shelf.drain(..)).flat_map(|block| pool.put(block)).collect()
    }

    /// Gives everything back to the system, as [`empty`] asks.
    #[cold]
    fn renew(&mut self) {
        self.epoch = EPOCH.load(Ordering::Relaxed);
        let blocks: [Vec<Block>; CLASSES] = from_fn(|index| std::mem::take(&mut self.shelves[index]));
        pool::lock().settle(std::mem::take(&mut self.allowance));
        self.count(0);
        drop(blocks);
    }

    fn held(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.load(Ordering::Relaxed))
    }

    fn count(&self, held: usize) {
        if let Some(bytes) = &self.bytes {
            bytes.store(held, Ordering::Relaxed);
        }
    }
}

impl Drop for ThreadCache {
    fn drop(&mut self) {
        let Some(bytes) = self.bytes.clone() else { return };
        let mut pool = pool::lock();
        let evicted = self.pass_on_all(&mut pool);
        pool.dismiss(&bytes);
        drop(pool);
        drop(evicted);
    }
}
