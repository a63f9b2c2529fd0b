//! The pool of helper threads, seen from outside.

use rushlight_array::{Array, DType, num_threads, set_num_threads};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The number of threads, and the helpers' time, belong to the process: one test at a time.
static THREADS: Mutex<()> = Mutex::new(());

fn with_threads(n: usize, test: impl FnOnce()) {
    let _guard = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = num_threads();
    set_num_threads(n);
    test();
    set_num_threads(before);
}

/// Long enough for every helper to be needed.
fn work() {
    let x = Array::ones([1 << 20], DType::F32);
    for _ in 0..4 {
        assert_eq!(x.add(&x).sum().item::<f32>(), (1 << 21) as f32);
    }
}

#[test]
fn a_number_of_threads_far_above_the_processors_is_well() {
    with_threads(64, work);
    with_threads(1, work);
}

/// Clock ticks (10 ms) of processor time that the helpers have used, by fields 14 and 15 of their `stat` files.
#[cfg(target_os = "linux")]
fn ticks_of_helpers() -> (usize, u64) {
    let (mut helpers, mut ticks) = (0, 0);
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
        let Some((name, fields)) = stat.split_once(") ") else { continue };
        if name.contains("(rushlight-") {
            helpers += 1;
            ticks += fields.split(' ').skip(11).take(2).map(|t| t.parse::<u64>().unwrap()).sum::<u64>();
        }
    }
    (helpers, ticks)
}

#[test]
#[cfg(target_os = "linux")]
fn helpers_of_an_idle_program_use_no_processor() {
    with_threads(4, || {
        work();
        // A helper may look for work for a fraction of a millisecond; what was before is booked by the next tick.
        std::thread::sleep(Duration::from_millis(30));
        let (helpers, before) = ticks_of_helpers();
        assert!(helpers >= 3, "{helpers} helpers");
        std::thread::sleep(Duration::from_millis(200));
        // One helper that looks all the time would use 20.
        let used = ticks_of_helpers().1 - before;
        assert!(used <= 1, "{used} ticks of 10 ms in a pause of 200 ms");
    });
}
