//! One pool of helper threads for the whole process.
//!
//! Work comes as a number of chunks that the caller fixes from the size of the data alone; the
//! pool only decides who runs which. So results never depend on the number of threads. Helpers spin
//! for a moment before they sleep: waking a sleeping thread costs more than most operations.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Work below this many scalar operations stays on the calling thread. So many of the cheapest operations take
/// some microseconds, about as long as the hand-off to a helper. To be tuned with a bench on a quiet machine.
pub(crate) const PARALLEL_THRESHOLD: usize = 1 << 15;

/// How long a helper looks for new work before it sleeps: longer than a program is between two operations of a
/// small model, and little against the time slice of a processor. Not tuned by a bench yet.
const SPIN: Duration = Duration::from_micros(50);

/// More threads than any machine of today has processors; a number above it is surely a mistake, and each
/// thread would cost a stack.
const MAX_THREADS: usize = 1024;

static NUM_THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Set on helpers and on threads that asked to stay alone: they run their chunks themselves.
    static SERIAL: Cell<bool> = const { Cell::new(false) };
}

/// The number of threads that large operations use: `RUSHLIGHT_NUM_THREADS`, or else the number of
/// processors, until [`set_num_threads`] says otherwise. At most 1024.
pub fn num_threads() -> usize {
    match NUM_THREADS.load(Ordering::Relaxed) {
        0 => {
            let n = threads_of(std::env::var("RUSHLIGHT_NUM_THREADS").ok().as_deref());
            NUM_THREADS.store(n, Ordering::Relaxed);
            n
        }
        n => n,
    }
}

/// The number that a text names, or that of the processors if it names none.
fn threads_of(text: Option<&str>) -> usize {
    text.and_then(|text| text.trim().parse().ok())
        .filter(|&n| n > 0)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .min(MAX_THREADS)
}

/// Sets the number of threads that large operations use, the calling one included.
///
/// Results are the same bits for every number. A number above 1024 stands for 1024. The threads are started
/// when an operation first needs them and stay.
///
/// # Panics
/// If `n` is 0.
#[track_caller]
pub fn set_num_threads(n: usize) {
    assert!(n > 0, "set_num_threads: 0 threads cannot compute anything; use at least 1");
    NUM_THREADS.store(n.min(MAX_THREADS), Ordering::Relaxed);
}

/// Makes every operation on the current thread stay on it, as loader workers do: with many workers
/// each machine core is busy already.
pub fn run_serially_on_this_thread() {
    SERIAL.set(true);
}

/// Calls `work(i)` for every chunk number below `chunks`, on as many threads as the pool has.
///
/// A panic in any chunk is resumed on the calling thread after all chunks are done.
pub(crate) fn for_each_chunk(chunks: usize, work: &(dyn Fn(usize) + Sync)) {
    let helpers = num_threads().min(chunks).saturating_sub(1);
    if helpers == 0 || SERIAL.get() {
        (0..chunks).for_each(work);
    } else {
        Pool::get().run(helpers, chunks, work);
    }
}

/// Cuts `out` into chunks of `size` elements and calls `work(first index, chunk)` for each; `cost` is the
/// number of scalar operations per element and decides whether the pool is worth its hand-off.
///
/// The work is a trait object, called once a chunk, so that kernels are compiled once each and not twice.
pub(crate) fn for_each_slice<T: Send>(
    out: &mut [T],
    size: usize,
    cost: usize,
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    if out.len() <= size || out.len().saturating_mul(cost) < PARALLEL_THRESHOLD {
        for (i, chunk) in out.chunks_mut(size.max(1)).enumerate() {
            work(i * size, chunk);
        }
        return;
    }
    let (len, base) = (out.len(), SendPointer(out.as_mut_ptr()));
    for_each_chunk(len.div_ceil(size), &|i| {
        let start = i * size;
        let count = size.min(len - start);
        // SAFETY: chunk i covers start..start + count, inside `out` and disjoint from all others; `out`
        // stays borrowed until every chunk is done.
        let chunk = unsafe { std::slice::from_raw_parts_mut(base.at(start), count) };
        work(start, chunk);
    });
}

/// A pointer that chunks of one buffer may share.
#[derive(Clone, Copy)]
pub(crate) struct SendPointer<T>(pub(crate) *mut T);
// SAFETY: the users of this type write to disjoint parts.
unsafe impl<T: Send> Send for SendPointer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SendPointer<T> {}

impl<T> SendPointer<T> {
    pub(crate) fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// One call of [`for_each_chunk`] while it runs.
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    chunks: usize,
    next: AtomicUsize,
    done: AtomicUsize,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}
// SAFETY: `work` points to a Sync closure that outlives the job: `Pool::run` returns only when every
// chunk is done, and no chunk number is handed out twice.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    /// Runs chunks until none is left.
    fn help(&self) {
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= self.chunks {
                return;
            }
            // SAFETY: a chunk is still open, so the caller of `Pool::run` is still waiting and the closure alive.
            let work = unsafe { &*self.work };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(i))) {
                let mut first = lock(&self.panic);
                if first.is_none() {
                    *first = Some(panic);
                } else {
                    // Not dropped: the drop of a user's payload may panic, and a chunk that is never counted as
                    // done would keep the caller waiting for ever.
                    std::mem::forget(panic);
                }
            }
            self.done.fetch_add(1, Ordering::Release);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The helpers and the queue that they take jobs from.
struct Pool {
    jobs: Mutex<Vec<Arc<Job>>>,
    /// Rises with every job, so that spinning helpers need not take the lock.
    posted: AtomicUsize,
    wake: Condvar,
    helpers: Mutex<usize>,
}

impl Pool {
    fn get() -> &'static Pool {
        static POOL: OnceLock<Pool> = OnceLock::new();
        POOL.get_or_init(|| Pool {
            jobs: Mutex::new(Vec::new()),
            posted: AtomicUsize::new(0),
            wake: Condvar::new(),
            helpers: Mutex::new(0),
        })
    }

    fn run(&'static self, helpers: usize, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
        self.ensure_helpers(helpers);
        // SAFETY: only the lifetime is erased; this function waits for every chunk before it returns.
        let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        let job = Arc::new(Job {
            work,
            chunks,
            next: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panic: Mutex::new(None),
        });
        {
            let mut jobs = lock(&self.jobs);
            jobs.extend(std::iter::repeat_n(&job, helpers).cloned());
            self.posted.fetch_add(1, Ordering::Release);
        }
        if helpers == 1 {
            self.wake.notify_one();
        } else {
            self.wake.notify_all();
        }
        // Nested calls from within a chunk run inline: the pool is busy with this job already.
        let before = SERIAL.replace(true);
        job.help();
        SERIAL.set(before);
        let mut spins = 0u32;
        while job.done.load(Ordering::Acquire) < chunks {
            // With more threads than processors the last chunk may wait for this one's processor.
            spins += 1;
            if spins.is_multiple_of(1 << 12) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
        lock(&self.jobs).retain(|other| !Arc::ptr_eq(other, &job));
        if let Some(panic) = lock(&job.panic).take() {
            resume_unwind(panic);
        }
    }

    fn ensure_helpers(&'static self, wanted: usize) {
        let mut helpers = lock(&self.helpers);
        while *helpers < wanted {
            let name = format!("rushlight-{}", *helpers + 1);
            let spawned = std::thread::Builder::new().name(name).spawn(move || self.serve());
            if spawned.is_err() {
                // The system gives no more threads; those that exist, and the caller, do the work.
                return;
            }
            *helpers += 1;
        }
    }

    fn serve(&self) {
        SERIAL.set(true);
        loop {
            self.next_job().help();
        }
    }

    fn next_job(&self) -> Arc<Job> {
        let start = Instant::now();
        let mut seen = usize::MAX;
        while start.elapsed() < SPIN {
            let posted = self.posted.load(Ordering::Acquire);
            if posted != seen {
                seen = posted;
                if let Some(job) = lock(&self.jobs).pop() {
                    return job;
                }
            }
            std::hint::spin_loop();
        }
        let mut jobs = lock(&self.jobs);
        loop {
            if let Some(job) = jobs.pop() {
                return job;
            }
            jobs = self.wake.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_a_number_of_threads_or_is_passed_over() {
        let processors = threads_of(None);
        assert!(processors >= 1);
        assert_eq!([Some("3"), Some(" 12 ")].map(threads_of), [3, 12]);
        assert_eq!(threads_of(Some("1000000")), MAX_THREADS);
        assert_eq!([Some("0"), Some("-1"), Some("many"), Some("")].map(threads_of), [processors; 4]);
    }

    #[test]
    fn every_chunk_runs_exactly_once() {
        for chunks in [1, 2, 3, 17, 1000] {
            let mut counts = vec![0u8; chunks];
            let base = SendPointer(counts.as_mut_ptr());
            // SAFETY: each chunk writes its own place.
            Pool::get().run(3, chunks, &|i| unsafe { *base.at(i) += 1 });
            assert_eq!(counts, vec![1; chunks]);
        }
    }

    #[test]
    fn a_panic_in_a_chunk_reaches_the_caller_and_the_pool_goes_on() {
        let result = catch_unwind(|| Pool::get().run(2, 8, &|i| assert!(i != 5, "chunk five")));
        let message = result.unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"chunk five"));
        every_chunk_runs_exactly_once();
    }

    /// Waits for ever, or aborts, if a payload is dropped where a chunk should be counted as done.
    #[test]
    fn a_panic_whose_payload_panics_when_dropped_does_not_stop_the_pool() {
        struct Trap;
        impl Drop for Trap {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let result = catch_unwind(|| Pool::get().run(2, 64, &|_| std::panic::panic_any(Trap)));
        let first = result.unwrap_err();
        assert!(first.is::<Trap>());
        std::mem::forget(first);
        every_chunk_runs_exactly_once();
    }

    #[test]
    fn slices_cover_the_buffer_in_order() {
        let mut out = vec![0usize; 100_003];
        for_each_slice(&mut out, 1000, 10, &|start, chunk| {
            for (i, o) in chunk.iter_mut().enumerate() {
                *o = start + i;
            }
        });
        assert!(out.iter().enumerate().all(|(i, &o)| i == o));
    }

    #[test]
    fn nested_calls_run_inline() {
        let counts: Vec<AtomicUsize> = (0..60).map(|_| AtomicUsize::new(0)).collect();
        Pool::get().run(3, 6, &|i| {
            let outer = std::thread::current().id();
            for_each_chunk(10, &|j| {
                assert_eq!(std::thread::current().id(), outer);
                counts[i * 10 + j].fetch_add(1, Ordering::Relaxed);
            });
        });
        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn many_threads_may_use_the_pool_at_once() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| every_chunk_runs_exactly_once()));
            }
        });
    }
}
