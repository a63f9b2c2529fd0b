//! What epochs leave behind: alone in its process, so that every thread with a worker's name is this test's
//! own.

use rushlight_array::random::Generator;
use rushlight_data::{DataLoader, from_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn ten_thousand_epochs_dropped_early_and_as_many_read_to_their_end_leave_nothing_behind() {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let dataset = from_fn(4, move |i| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(i)
    });
    let loader = DataLoader::new(dataset).num_workers(2).generator(Generator::new(0));
    for epoch in 0..20_000 {
        let mut batches = loader.iter();
        if epoch % 2 == 0 {
            assert_eq!(batches.by_ref().filter(Result::is_ok).count(), 4);
        } else {
            // Dropped before the first batch, and behind the first, second and third one.
            batches.take(epoch / 2 % 4).for_each(drop);
        }
    }
    drop(loader);
    assert!(made.load(Ordering::Relaxed) >= 40_000);
    // Only this handle is left: the data set, and with it every epoch and every worker that held it, is gone.
    assert_eq!(Arc::strong_count(&made), 1);

    // The system takes a thread that has ended off its list a moment after it can be joined.
    let start = Instant::now();
    while worker_threads() > 0 && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(worker_threads(), 0);
}

/// The threads of this process with a worker's name; none where the system has no such list.
fn worker_threads() -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("loader-")).count()
}
