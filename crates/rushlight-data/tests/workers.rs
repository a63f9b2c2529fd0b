//! Workers that fail, are slow, or are no longer wanted.

use rushlight_array::random::Generator;
use rushlight_array::{Error, Result};
use rushlight_autograd::tensor;
use rushlight_data::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{current, sleep};
use std::time::Duration;

const WORKERS: [usize; 4] = [0, 1, 2, 5];

fn loader<D: Dataset + 'static>(dataset: D, workers: usize) -> DataLoader<D> {
    DataLoader::new(dataset).num_workers(workers).generator(Generator::new(0))
}

/// Reads an epoch of pairs of samples: the batches before the failure, the sample that failed, and why.
fn read_to_failure<D: Dataset<Item = usize> + 'static>(dataset: D, workers: usize) -> (usize, usize, String) {
    let mut epoch = loader(dataset, workers).batch_size(2).iter();
    let mut good = 0;
    loop {
        match epoch.next().expect("there is a failure") {
            Ok(_) => good += 1,
            Err(Error::Sample { index, source }) => {
                assert!(epoch.next().is_none() && epoch.next().is_none(), "an error ends the epoch");
                assert_eq!(epoch.size_hint(), (0, Some(0)));
                return (good, index, source.to_string());
            }
            Err(other) => panic!("an unexpected error: {other}"),
        }
    }
}

#[test]
fn a_panic_in_a_sample_arrives_in_its_place_and_names_the_sample() {
    for workers in WORKERS {
        let dataset = from_fn(20, |i| if i == 7 { panic!("no sample {i}") } else { Ok(i) });
        assert_eq!(read_to_failure(dataset, workers), (3, 7, "panicked: no sample 7".to_string()));
    }
}

#[test]
fn a_panic_with_a_plain_text_keeps_it() {
    let dataset = from_fn(2, |i| if i == 1 { panic!("plain") } else { Ok(i) });
    assert_eq!(read_to_failure(dataset, 1).2, "panicked: plain");
}

#[test]
fn a_panic_without_a_text_is_named_too() {
    let dataset = from_fn(2, |i| if i == 1 { std::panic::panic_any(5) } else { Ok(i) });
    assert_eq!(read_to_failure(dataset, 1).2, "panicked: without a message");
}

#[test]
fn an_error_in_a_sample_arrives_in_its_place_and_names_the_sample() {
    for workers in WORKERS {
        let dataset = from_fn(20, |i| if i == 8 { Err(Error::invalid("a.png", "cut off")) } else { Ok(i) });
        assert_eq!(read_to_failure(dataset, workers), (4, 8, "a.png: cut off".to_string()));
    }
}

#[test]
fn the_error_of_a_sample_is_kept_as_the_source() {
    let dataset = from_fn(1, |_| Err::<usize, _>(Error::invalid("a.png", "cut off")));
    let error = loader(dataset, 1).iter().next().unwrap().unwrap_err();
    let source = std::error::Error::source(&error).expect("there is a source");
    let kept = matches!(source.downcast_ref(), Some(Error::Invalid { what, .. }) if what == "a.png");
    assert!(kept, "{source}");
    assert_eq!(error.to_string(), "sample 0: a.png: cut off");
}

#[test]
fn an_index_that_a_sampler_made_up_is_named() {
    for workers in [0, 1] {
        let rows = TensorDataset::of(tensor([1, 2, 3]));
        let loader = loader(rows, workers).sampler(SequentialSampler::new(4));
        let last = loader.iter().last().unwrap().unwrap_err();
        let said = "sample 3: panicked: TensorDataset: index 3 is out of range for 3 samples";
        assert_eq!(last.to_string(), said);
    }
}

#[test]
fn a_collate_function_that_panics_or_fails_is_reported() {
    for workers in [0, 2] {
        let loader = loader(from_fn(4, Ok), workers).batch_size(2);
        let loader = loader.collate(|samples: Vec<usize>| match samples[..] {
            [0, 1] => Ok(samples),
            _ => panic!("too many"),
        });
        let results: Vec<_> = loader.iter().collect();
        assert_eq!(results.len(), 2);
        assert_eq!(results[0].as_ref().unwrap(), &[0, 1]);
        let said = results[1].as_ref().unwrap_err().to_string();
        assert_eq!(said, "collate of samples [2, 3]: panicked: too many");

        let failing = loader.collate(|_| Err::<(), _>(Error::invalid("image", "too large")));
        assert_eq!(failing.iter().next().unwrap().unwrap_err().to_string(), "image: too large");
    }
}

/// Counts the samples that it was asked for and waits, at sample `gate`, until it is opened.
struct Gated {
    len: usize,
    gate: usize,
    asked: Arc<(Mutex<usize>, Condvar)>,
    opened: Mutex<Receiver<()>>,
    alive: Arc<()>,
}

impl Gated {
    fn new(len: usize, gate: usize) -> (Gated, Sender<()>) {
        let (sender, opened) = channel();
        let asked = Arc::new((Mutex::new(0), Condvar::new()));
        (Gated { len, gate, asked, opened: Mutex::new(opened), alive: Arc::new(()) }, sender)
    }
}

impl Dataset for Gated {
    type Item = usize;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Result<usize> {
        *self.asked.0.lock().unwrap() += 1;
        self.asked.1.notify_all();
        if index == self.gate {
            // An error means that the test let go of the gate, which opens it as well.
            let _ = self.opened.lock().unwrap().recv();
        }
        Ok(index)
    }
}

/// Waits until `n` samples were asked for, or gives up after ten seconds.
fn wait_for(asked: &(Mutex<usize>, Condvar), n: usize) {
    let ten_seconds = Duration::from_secs(10);
    let waited =
        asked.1.wait_timeout_while(asked.0.lock().unwrap(), ten_seconds, |count| *count < n).unwrap();
    assert!(!waited.1.timed_out(), "only {} of {n} samples after ten seconds", *waited.0);
}

/// Three workers, two batches each: six batches are made, and not one more until the first is taken.
///
/// A sample takes a millisecond: workers are not woken up for each single one of quick batches.
#[test]
fn workers_stay_within_the_prefetch_bound() {
    let (dataset, _open) = Gated::new(100, usize::MAX);
    let asked = Arc::clone(&dataset.asked);
    let slow = dataset.map(|i| {
        sleep(Duration::from_millis(1));
        Ok(i)
    });
    let mut epoch = loader(slow, 3).iter();
    wait_for(&asked, 6);
    sleep(Duration::from_millis(30));
    assert_eq!(*asked.0.lock().unwrap(), 6);
    epoch.next();
    wait_for(&asked, 7);
    sleep(Duration::from_millis(30));
    assert_eq!(*asked.0.lock().unwrap(), 7);
}

#[test]
fn an_iterator_dropped_early_leaves_no_thread_behind_while_the_queues_are_full() {
    for (read, prefetch) in [(0, 2), (1, 2), (5, 2), (0, 1), (5, 1)] {
        let (dataset, _open) = Gated::new(100, usize::MAX);
        let (asked, alive) = (Arc::clone(&dataset.asked), Arc::clone(&dataset.alive));
        let slow = dataset.map(|i| {
            sleep(Duration::from_millis(1));
            Ok(i)
        });
        let loader = loader(slow, 4).prefetch_factor(prefetch);
        let mut epoch = loader.iter();
        epoch.by_ref().take(read).for_each(drop);
        wait_for(&asked, 4 * prefetch + read);
        drop(epoch);
        drop(loader);
        // Each thread holds the data set; only this handle is left of those in it.
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

#[test]
fn an_iterator_dropped_early_waits_for_a_slow_sample_and_for_no_other() {
    let (dataset, open) = Gated::new(100, 10);
    let (asked, alive) = (Arc::clone(&dataset.asked), Arc::clone(&dataset.alive));
    let loader = loader(dataset, 1).batch_size(100);
    let epoch = loader.iter();
    // It is in the slow sample, number 10, and not only done with the one before.
    wait_for(&asked, 11);
    let opener = std::thread::spawn(move || {
        sleep(Duration::from_millis(50));
        open.send(()).unwrap();
    });
    drop(epoch);
    drop(loader);
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(*asked.0.lock().unwrap(), 11);
    opener.join().unwrap();
}

#[test]
fn a_slow_sample_does_not_change_the_order() {
    let dataset = from_fn(12, |i| {
        sleep(Duration::from_millis(if i % 4 == 0 { 20 } else { 0 }));
        Ok(i)
    });
    let epoch = loader(dataset, 4).iter();
    let read: Vec<i64> = epoch.flat_map(|batch| batch.unwrap().to_vec::<i64>()).collect();
    assert_eq!(read, (0..12).collect::<Vec<_>>());
}

#[test]
fn samples_that_take_their_time_are_made_on_the_workers_or_without_them_on_the_caller() {
    let names = |workers| -> Vec<String> {
        let dataset = from_fn(8, |_| {
            sleep(Duration::from_millis(2));
            Ok(current().name().unwrap_or_default().to_string())
        });
        loader(dataset, workers).iter().flat_map(|batch| batch.unwrap()).collect()
    };
    assert!(names(2).iter().all(|name| name == "loader-0" || name == "loader-1"));
    assert_eq!(names(0), vec![current().name().unwrap_or_default(); 8]);
}

/// Samples that take a millisecond each, most of it asleep: four workers are to be at least 3.5 times as fast as none.
///
/// Four could be exactly four times as fast. A machine that is busy with other things wakes them late now and then,
/// so the best of five counts.
#[test]
fn four_workers_read_slow_samples_three_and_a_half_times_as_fast() {
    let seconds = |workers| {
        let dataset = from_fn(400, |i| {
            sleep(Duration::from_millis(1));
            Ok(i)
        });
        let start = std::time::Instant::now();
        let loader = loader(dataset, workers).batch_size(5);
        assert_eq!(loader.iter().filter(Result::is_ok).count(), 80);
        start.elapsed().as_secs_f64()
    };
    let ratio = (0..5).map(|_| seconds(0) / seconds(4)).find(|&ratio| ratio >= 3.5);
    assert!(ratio.is_some(), "four workers were not 3.5 times as fast in any of five runs");
}
