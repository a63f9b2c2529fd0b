use super::*;
use std::panic::{catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::AtomicU64;

/// Runs the chunks and counts how often each came.
fn counts(helpers: usize, chunks: usize) -> Vec<usize> {
    let counts: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
    POOL.run(helpers, chunks, &|i| {
        counts[i].fetch_add(1, Ordering::Relaxed);
    });
    counts.into_iter().map(AtomicUsize::into_inner).collect()
}

fn every_chunk_runs_once(helpers: usize) {
    for chunks in [1, 2, 3, 17, 1000] {
        assert_eq!(counts(helpers, chunks), vec![1; chunks]);
    }
}

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
    (1..=3).for_each(every_chunk_runs_once);
}

#[test]
fn more_threads_than_processors_and_runs_are_well() {
    every_chunk_runs_once(40);
    // More helpers than one word of sleepers has bits.
    every_chunk_runs_once(100);
}

#[test]
fn a_panic_in_a_chunk_reaches_the_caller_and_the_pool_goes_on() {
    let result = catch_unwind(|| POOL.run(2, 8, &|i| assert!(i != 5, "chunk five")));
    let message = result.unwrap_err();
    assert_eq!(message.downcast_ref::<&str>(), Some(&"chunk five"));
    every_chunk_runs_once(3);
}

/// Waits for ever, or aborts, if a payload is dropped where a helper should leave.
#[test]
fn a_panic_whose_payload_panics_when_dropped_does_not_stop_the_pool() {
    struct Trap;
    impl Drop for Trap {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let result = catch_unwind(|| POOL.run(2, 64, &|_| panic_any(Trap)));
    let first = result.unwrap_err();
    assert!(first.is::<Trap>());
    std::mem::forget(first);
    every_chunk_runs_once(3);
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
fn several_slices_are_cut_alike_for_every_cost() {
    for (len, cost) in [(0, 1), (1, 1), (10, 1), (99, usize::MAX), (100, 1 << 20), (101, 1 << 20)] {
        let (mut a, mut b) = (vec![0; len], vec![0; 2 * len]);
        for_each_slices([&mut a, &mut b], [10, 20], cost, &|chunk, [a, b]| {
            assert_eq!(b.len(), 2 * a.len());
            a.fill(chunk);
            b.fill(chunk);
        });
        assert_eq!(a, (0..len).map(|i| i / 10).collect::<Vec<_>>(), "{len} numbers of cost {cost}");
        assert_eq!(b, (0..2 * len).map(|i| i / 20).collect::<Vec<_>>());
    }
}

#[test]
fn nested_calls_run_inline() {
    let counts: Vec<AtomicUsize> = (0..60).map(|_| AtomicUsize::new(0)).collect();
    POOL.run(3, 6, &|i| {
        let outer = std::thread::current().id();
        for_each_chunk(10, &|j| {
            assert_eq!(std::thread::current().id(), outer);
            counts[i * 10 + j].fetch_add(1, Ordering::Relaxed);
        });
    });
    assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
}

/// More callers than slots, too.
#[test]
fn many_threads_may_use_the_pool_at_once() {
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| (0..50).for_each(|_| every_chunk_runs_once(3)));
        }
    });
}

/// 4 callers x 250 000 jobs; every 8th has nested calls, every 64th panics, and the number of helpers changes.
#[test]
fn a_million_jobs_from_four_callers_with_nested_calls_and_panics_lose_no_chunk() {
    const JOBS: u64 = 250_000;
    std::thread::scope(|scope| {
        for caller in 0..4 {
            scope.spawn(move || {
                for job in 0..JOBS {
                    let (sum, inner) = (AtomicU64::new(0), AtomicU64::new(0));
                    // 2 to 6 chunks on 1 to 4 helpers, and now and then on more than there are processors.
                    let chunks = 2 + (job + caller) % 5;
                    let helpers = if job % 50_000 == 0 { 20 } else { 1 + (job / 1000) as usize % 4 };
                    let result = catch_unwind(|| {
                        POOL.run(helpers, chunks as usize, &|i| {
                            sum.fetch_add(1 << (8 * i), Ordering::Relaxed);
                            if job % 8 == 0 {
                                for_each_chunk(3, &|j| {
                                    inner.fetch_add(j as u64 + 1, Ordering::Relaxed);
                                });
                            }
                            if job % 64 == 1 && i == 1 {
                                // Unlike a panic, this prints nothing.
                                resume_unwind(Box::new((caller, job)));
                            }
                        });
                    });
                    // One in each of the lowest bytes, as many as there are chunks.
                    assert_eq!(sum.into_inner(), 0x0101_0101_0101_0101 & ((1 << (8 * chunks)) - 1));
                    assert_eq!(inner.into_inner(), if job % 8 == 0 { 6 * chunks } else { 0 });
                    let payload = result.err().map(|payload| *payload.downcast::<(u64, u64)>().unwrap());
                    assert_eq!(payload, (job % 64 == 1).then_some((caller, job)));
                }
            });
        }
    });
}
