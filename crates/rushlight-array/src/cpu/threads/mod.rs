//! One pool of helper threads for the whole process.
//!
//! Work comes as a number of chunks that the caller fixes from the size of the data alone; the
//! pool only decides who runs which. So results never depend on the number of threads. Each thread begins with a
//! run of neighbouring chunks of its own and then takes what others have left. Helpers spin for a moment before they
//! sleep: waking a sleeping thread costs more than most operations.

mod pool;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use pool::POOL;

/// Work below this many scalar operations stays on the calling thread. An addition costs 1, an exponential 4: below
/// 32 768 sums or 8192 exponentials, 2 to 4 us, a second thread gains less than the hand-off may cost.
pub(crate) const PARALLEL_THRESHOLD: usize = 1 << 15;

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
            // What another thread may have set meanwhile stays.
            let n = threads_of(std::env::var("RUSHLIGHT_NUM_THREADS").ok().as_deref());
            let _ = NUM_THREADS.compare_exchange(0, n, Ordering::Relaxed, Ordering::Relaxed);
            num_threads()
        }
        n => n,
    }
}

/// The number that a text names, or that of the processors if it names none.
fn threads_of(text: Option<&str>) -> usize {
    let wanted = text.and_then(|text| text.trim().parse().ok()).filter(|&n| n > 0);
    if let (Some(text), None) = (text, wanted) {
        eprintln!("rushlight: RUSHLIGHT_NUM_THREADS is '{text}', which is not a number from 1 on");
    }
    wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).min(MAX_THREADS)
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
/// A panic in any chunk is resumed on the calling thread after all chunks are done; where one thread does them all,
/// at once.
pub(crate) fn for_each_chunk(chunks: usize, work: &(dyn Fn(usize) + Sync)) {
    let helpers = num_threads().min(chunks).saturating_sub(1);
    if helpers == 0 || SERIAL.get() {
        (0..chunks).for_each(work);
    } else {
        POOL.run(helpers, chunks, work);
    }
}

/// Cuts `out` into chunks of `size` elements and calls `work(first index, chunk)` for each; `cost` is the
/// number of scalar operations per element and decides whether the pool is worth its hand-off.
///
/// The work becomes a trait object, called once a chunk, so that kernels are compiled once each and not twice.
#[inline]
pub(crate) fn for_each_slice<T: Send>(
    out: &mut [T],
    size: usize,
    cost: usize,
    work: &(impl Fn(usize, &mut [T]) + Sync + ?Sized),
) {
    let size = size.max(1);
    share([out], [size], cost, &|chunk: usize, [out]: [&mut [T]; 1]| work(chunk * size, out));
}

/// As [`for_each_slice`], for several outputs that are cut into the same number of chunks: `work` gets the chunk's
/// number and its part of each. The length of the first decides, with `cost`.
#[inline]
pub(crate) fn for_each_slices<T: Send, const N: usize>(
    outs: [&mut [T]; N],
    sizes: [usize; N],
    cost: usize,
    work: &(impl Fn(usize, [&mut [T]; N]) + Sync),
) {
    share(outs, sizes, cost, work);
}

/// What is done with a chunk: its number, and its part of each output. Not `dyn Fn`, whose vtable holds `call_mut` and
/// `call_once` beside `call`: the kernel would be compiled into each of them.
trait Work<T, const N: usize>: Sync {
    fn on(&self, chunk: usize, parts: [&mut [T]; N]);
}

impl<T, const N: usize, F: Fn(usize, [&mut [T]; N]) + Sync> Work<T, N> for F {
    fn on(&self, chunk: usize, parts: [&mut [T]; N]) {
        self(chunk, parts);
    }
}

fn share<T: Send, const N: usize>(
    outs: [&mut [T]; N],
    sizes: [usize; N],
    cost: usize,
    work: &dyn Work<T, N>,
) {
    let lens = outs.each_ref().map(|out| out.len());
    let chunks = lens[0].div_ceil(sizes[0].max(1));
    let fits = |k: usize| lens[k].div_ceil(sizes[k].max(1)) == chunks;
    assert!((0..N).all(fits), "outputs of {lens:?} elements have not the same number of chunks of {sizes:?}");
    let bases = outs.map(|out| SendPointer(out.as_mut_ptr()));
    let part = |i: usize| {
        std::array::from_fn(|k| {
            let start = i * sizes[k];
            // SAFETY: chunk i of output k covers start..start + count, inside the output and disjoint from all other
            // chunks; the outputs stay borrowed until every chunk is done.
            unsafe { std::slice::from_raw_parts_mut(bases[k].at(start), sizes[k].min(lens[k] - start)) }
        })
    };
    if chunks <= 1 || lens[0].saturating_mul(cost) < PARALLEL_THRESHOLD {
        (0..chunks).for_each(|i| work.on(i, part(i)));
    } else {
        for_each_chunk(chunks, &|i| work.on(i, part(i)));
    }
}

/// Work on a chunk: its number and its part of each of two outputs.
pub(crate) type PairWork<'a, A, B> = dyn Fn(usize, &mut [A], &mut [B]) + Sync + 'a;

/// As [`for_each_slice`], for two outputs of different types that are cut into the same number of chunks: `work` gets the
/// chunk's number and its part of each. The length of the first decides, with `cost`.
pub(crate) fn for_each_pair<A: Send, B: Send>(
    a: &mut [A],
    b: &mut [B],
    sizes: [usize; 2],
    cost: usize,
    work: &PairWork<'_, A, B>,
) {
    let (lens, sizes) = ([a.len(), b.len()], sizes.map(|size| size.max(1)));
    let chunks = lens[0].div_ceil(sizes[0]);
    assert!(
        lens[1].div_ceil(sizes[1]) == chunks,
        "outputs of {lens:?} elements have not the same number of chunks of {sizes:?}"
    );
    let (first, second) = (SendPointer(a.as_mut_ptr()), SendPointer(b.as_mut_ptr()));
    let run = |i: usize| {
        let starts = [i * sizes[0], i * sizes[1]];
        // SAFETY: chunk i covers starts[0]..starts[0] + count of this output, inside of it and disjoint from all other
        // chunks; the output stays borrowed until every chunk is done.
        let a =
            unsafe { std::slice::from_raw_parts_mut(first.at(starts[0]), sizes[0].min(lens[0] - starts[0])) };
        // SAFETY: as above.
        let b = unsafe {
            std::slice::from_raw_parts_mut(second.at(starts[1]), sizes[1].min(lens[1] - starts[1]))
        };
        work(i, a, b);
    };
    if chunks <= 1 || lens[0].saturating_mul(cost) < PARALLEL_THRESHOLD {
        (0..chunks).for_each(run);
    } else {
        for_each_chunk(chunks, &run);
    }
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

#[cfg(test)]
mod tests;
