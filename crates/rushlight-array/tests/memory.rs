//! Host memory is recycled: within bounds, across threads, and never to two owners at once.

use rushlight_array::{DType, HostBuffer, empty_cache, memory_stats, set_memory_limit};
use std::cell::RefCell;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

const MB: usize = 1 << 20;
/// Far above what these tests free.
const AMPLE: usize = 1 << 30;

/// The figures are those of the process, so one test at a time looks at them; it finds and leaves nothing cached.
struct Alone {
    _one: MutexGuard<'static, ()>,
}

fn alone(limit: usize) -> Alone {
    static ONE: Mutex<()> = Mutex::new(());
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    set_memory_limit(limit);
    empty_cache();
    Alone { _one: one }
}

impl Drop for Alone {
    fn drop(&mut self) {
        empty_cache();
    }
}

/// Runs the work on so many threads, and waits until they are gone with all they kept: `thread::scope` alone
/// does not wait for that.
fn on_threads(count: usize, work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..count).map(|thread| scope.spawn(move || work(thread))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

fn bytes(len: usize) -> HostBuffer {
    HostBuffer::scratch(DType::U8, len)
}

fn address(buffer: &HostBuffer) -> usize {
    buffer.as_slice::<u8>().as_ptr() as usize
}

#[test]
fn every_block_is_aligned_fresh_or_recycled() {
    let _alone = alone(AMPLE);
    for _ in 0..2 {
        for len in (1..300).chain([4000, 100_000, 2 * MB - 1, 2 * MB, 5 * MB + 1]) {
            assert_eq!(address(&bytes(len)) % if len >= 2 * MB { 2 * MB } else { 64 }, 0, "{len}");
        }
    }
}

#[test]
fn a_program_whose_sizes_repeat_asks_the_system_no_more() {
    let _alone = alone(AMPLE);
    let step = || {
        let mut live = Vec::new();
        for i in 0..2000 {
            // 4 bytes to about 3 MB, in an order that is the same in every step.
            live.push(HostBuffer::new(DType::F32, 1 + (i * 7919) % (1 << (i % 20))));
            if i % 3 == 0 {
                live.swap_remove((i * 31) % live.len());
            }
            if live.len() > 40 {
                live.drain(..30);
            }
        }
    };
    step();
    let before = memory_stats();
    (0..5).for_each(|_| step());
    let after = memory_stats();
    assert_eq!((after.requests, after.peak), (before.requests, before.peak));
    assert_eq!(after.live, before.live);
}

#[test]
fn the_figures_follow_a_block_from_its_making_to_its_end() {
    let _alone = alone(AMPLE);
    let before = memory_stats();
    assert_eq!(before.cached, 0);
    // 3 MB and 320 bytes are sizes of classes, so nothing is added.
    for (i, len) in [3 * MB, 320].into_iter().enumerate() {
        let block = bytes(len);
        let stats = memory_stats();
        assert_eq!((stats.live - before.live, stats.cached), (len, 0));
        assert_eq!(stats.requests - before.requests, i + 1);
        assert!(stats.peak >= stats.live);
        drop(block);
        let stats = memory_stats();
        assert_eq!((stats.live, stats.cached), (before.live, len));
        empty_cache();
        assert_eq!(memory_stats().cached, 0);
    }
    assert_eq!(memory_stats().live, before.live);
}

#[test]
fn a_block_freed_on_another_thread_is_found_again() {
    let _alone = alone(AMPLE);
    for len in [256, 100_000, 3 * MB] {
        let block = bytes(len);
        let at = address(&block);
        thread::spawn(move || drop(block)).join().unwrap();
        assert_eq!(address(&bytes(len)), at, "{len}");
    }
}

/// As with loader workers: one thread makes the blocks and another, which lives on, drops them.
#[test]
fn a_thread_that_only_frees_passes_the_blocks_on() {
    let _alone = alone(AMPLE);
    for len in [256, 100_000, 3 * MB] {
        let (send, receive) = channel::<HostBuffer>();
        let (done, freed) = channel();
        let consumer = thread::spawn(move || {
            receive.iter().for_each(|block| {
                drop(block);
                done.send(()).unwrap();
            })
        });
        let turn = || {
            send.send(bytes(len)).unwrap();
            freed.recv().unwrap();
        };
        // 256 blocks are the most that the consumer keeps to itself.
        (0..300).for_each(|_| turn());
        let before = memory_stats().requests;
        (0..2000).for_each(|_| turn());
        assert_eq!(memory_stats().requests, before, "{len}");
        drop(send);
        consumer.join().unwrap();
    }
}

#[test]
fn a_thread_leaves_its_blocks_to_the_others_when_it_ends() {
    let _alone = alone(AMPLE);
    thread::spawn(|| drop((0..50).map(|_| bytes(1024)).collect::<Vec<_>>())).join().unwrap();
    let before = memory_stats();
    assert_eq!(before.cached, 50 * 1024);
    let blocks: Vec<_> = (0..50).map(|_| bytes(1024)).collect();
    let after = memory_stats();
    assert_eq!((after.requests, after.cached), (before.requests, 0));
    drop(blocks);
}

#[test]
fn what_lies_cached_stays_within_the_limit() {
    let limit = 5 * MB;
    let _alone = alone(limit);
    on_threads(4, |thread| {
        for i in 0..3000usize {
            let size = |j: usize| 1 + (i * 7919 + j * 1000) % (1 << (8 + (i + thread) % 14));
            drop((0..6).map(|j| bytes(size(j))).collect::<Vec<_>>());
            let cached = memory_stats().cached;
            assert!(cached <= limit, "{cached}");
        }
    });
    let blocks: Vec<_> = (0..20).map(|_| bytes(MB)).collect();
    drop(blocks);
    assert!((4 * MB..=limit).contains(&memory_stats().cached), "{:?}", memory_stats());
    drop(bytes(6 * MB));
    assert!(memory_stats().cached > 0, "a block beyond the limit drives nothing out");
}

#[test]
fn a_lower_limit_empties_the_cache() {
    let _alone = alone(AMPLE);
    drop((bytes(3 * MB), bytes(1000)));
    assert!(memory_stats().cached > 3 * MB);
    set_memory_limit(MB);
    assert_eq!(memory_stats().cached, 0);
    drop((bytes(3 * MB), bytes(1000)));
    assert_eq!(memory_stats().cached, 1024);
}

#[test]
fn a_limit_of_zero_returns_every_block_at_once() {
    let _alone = alone(0);
    let before = memory_stats();
    for len in [1, 5000, 3 * MB] {
        let block = HostBuffer::new(DType::U8, len);
        assert!(block.as_slice::<u8>().iter().all(|&byte| byte == 0));
        drop(block);
    }
    let after = memory_stats();
    assert_eq!((after.cached, after.live, after.requests), (0, before.live, before.requests + 3));
}

#[test]
fn other_threads_give_their_blocks_back_when_they_go_on() {
    let _alone = alone(AMPLE);
    let (go, wait) = channel();
    let (tell, told) = channel();
    let other = thread::spawn(move || {
        drop(bytes(1024));
        tell.send(()).unwrap();
        wait.recv().unwrap();
        drop(bytes(64));
        tell.send(()).unwrap();
        wait.recv().unwrap();
    });
    told.recv().unwrap();
    empty_cache();
    assert_eq!(memory_stats().cached, 1024, "it has not run since");
    go.send(()).unwrap();
    told.recv().unwrap();
    assert_eq!(memory_stats().cached, 64);
    go.send(()).unwrap();
    other.join().unwrap();
}

/// Two owners of one block would find each other's mark.
#[test]
fn no_block_has_two_owners() {
    let _alone = alone(20 * MB);
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..8).map(|_| channel()).map(|(send, receive)| (send, Mutex::new(receive))).unzip();
    on_threads(8, |thread| {
        let receiver = receivers[thread].lock().unwrap();
        let mut random = thread as u64 + 1;
        let mut live: Vec<Marked> = Vec::new();
        for i in 0..4000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let len = 1 + (random >> 40) as usize % (1 << (4 + (random >> 33) % 14));
            live.push(Marked::new(len, (i % 32) as u8 * 8 + thread as u8, i % 2 == 0));
            live.extend(receiver.try_recv());
            if live.len() > 20 {
                let block = live.swap_remove((random >> 20) as usize % live.len());
                block.check();
                if i % 3 == 0 {
                    senders[(thread + 1) % 8].send(block).unwrap();
                }
            }
            if i % 500 == 499 {
                empty_cache();
            }
        }
        live.iter().for_each(Marked::check);
    });
}

/// A block all of whose bytes are the owner's mark.
struct Marked(u8, HostBuffer);

impl Marked {
    fn new(len: usize, mark: u8, scratch: bool) -> Self {
        let mut block = if scratch { bytes(len) } else { HostBuffer::new(DType::U8, len) };
        assert!(scratch || block.as_slice::<u8>().iter().all(|&byte| byte == 0));
        block.as_mut_slice::<u8>().fill(mark);
        Marked(mark, block)
    }

    fn check(&self) {
        assert!(self.1.as_slice::<u8>().iter().all(|&byte| byte == self.0));
    }
}

/// Drops one block and makes another when its thread ends.
struct AtTheEnd(Option<HostBuffer>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        drop(self.0.take());
        assert!(HostBuffer::new(DType::U8, 5000).as_slice::<u8>().iter().all(|&byte| byte == 0));
        drop((bytes(5000), bytes(3 * MB)));
    }
}

thread_local! {
    static BEFORE: RefCell<AtTheEnd> = const { RefCell::new(AtTheEnd(None)) };
    static AFTER: RefCell<AtTheEnd> = const { RefCell::new(AtTheEnd(None)) };
}

/// One of the two is destroyed before the thread's cache is and the other after, whatever the order is.
#[test]
fn blocks_may_come_and_go_while_a_thread_ends() {
    let _alone = alone(AMPLE);
    let before = memory_stats().live;
    for _ in 0..3 {
        thread::spawn(|| {
            BEFORE.with(|_| {});
            drop(bytes(5000));
            AFTER.with(|_| {});
            BEFORE.set(AtTheEnd(Some(bytes(5000))));
            AFTER.set(AtTheEnd(Some(bytes(70_000))));
            let block = bytes(5000);
            BEFORE.with_borrow_mut(|slot| slot.0 = Some(block));
        })
        .join()
        .unwrap();
    }
    let stats = memory_stats();
    assert_eq!(stats.live, before);
    assert!(stats.requests > 0 && stats.cached >= 5000);
    empty_cache();
    assert_eq!(memory_stats().cached, 0, "nothing is left with threads that ended");
}

#[test]
fn a_panic_gives_its_blocks_back() {
    let _alone = alone(AMPLE);
    let before = memory_stats().live;
    let end = thread::spawn(|| {
        let _blocks = [bytes(256), bytes(3 * MB)];
        std::panic::resume_unwind(Box::new("on purpose"));
    })
    .join();
    assert!(end.is_err());
    let stats = memory_stats();
    assert_eq!((stats.live, stats.cached), (before, 3 * MB + 256));
}

/// The limit is read once in a process, so the test runs itself in another one.
#[test]
fn the_variable_sets_the_limit() {
    const VARIABLE: (&str, &str) = ("RUSHLIGHT_CACHE_LIMIT", " 1000 ");
    if std::env::var(VARIABLE.0).is_ok_and(|value| value == VARIABLE.1) {
        drop([bytes(512), bytes(512)]);
        assert_eq!(memory_stats().cached, 512);
        return;
    }
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_variable_sets_the_limit"])
        .env(VARIABLE.0, VARIABLE.1)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}
