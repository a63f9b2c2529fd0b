//! Options of the loader, and what an epoch contains.

use proptest::prelude::*;
use rushlight_array::random::Generator;
use rushlight_data::*;
use std::panic::{Location, catch_unwind};
use std::sync::Mutex;

/// A loader of the numbers `0..len` with a generator of its own.
fn indices(len: usize) -> DataLoader<impl Dataset<Item = usize> + 'static> {
    DataLoader::new(from_fn(len, Ok)).generator(Generator::new(0))
}

fn read<D: Dataset<Item = usize> + 'static>(loader: &DataLoader<D>) -> Vec<Vec<i64>> {
    loader.iter().map(|batch| batch.unwrap().to_vec()).collect()
}

#[test]
fn a_loader_reads_single_samples_in_order_unless_told_otherwise() {
    assert_eq!(read(&indices(3)), [[0], [1], [2]]);
}

#[test]
fn the_last_batch_is_smaller_or_dropped() {
    let loader = indices(5).batch_size(2);
    assert_eq!((loader.len(), read(&loader)), (3, vec![vec![0, 1], vec![2, 3], vec![4]]));
    let loader = loader.drop_last(true);
    assert_eq!((loader.len(), read(&loader)), (2, vec![vec![0, 1], vec![2, 3]]));
}

#[test]
fn a_batch_size_above_the_length_gives_one_batch_or_with_drop_last_none() {
    for size in [6, usize::MAX] {
        for workers in [0, 2] {
            let loader = indices(5).batch_size(size).num_workers(workers);
            assert_eq!((loader.len(), read(&loader).len()), (1, 1));
            let loader = loader.drop_last(true);
            assert_eq!((loader.len(), read(&loader).len(), loader.is_empty()), (0, 0, true));
        }
    }
}

#[test]
fn an_empty_data_set_has_no_batch() {
    for workers in [0, 2] {
        for shuffle in [false, true] {
            let loader = indices(0).batch_size(3).num_workers(workers).shuffle(shuffle);
            assert_eq!((loader.len(), loader.iter().count()), (0, 0));
        }
    }
}

#[test]
fn batches_are_the_same_for_every_worker_count_and_prefetch() {
    let read = |workers, prefetch| -> Vec<Vec<i64>> {
        let loader = indices(23).batch_size(4).shuffle(true).generator(Generator::new(5));
        read(&loader.num_workers(workers).prefetch_factor(prefetch))
    };
    let expected = read(0, 2);
    for (workers, prefetch) in [(1, 1), (1, 2), (4, 1), (4, 2), (4, 9), (30, 1)] {
        assert_eq!(read(workers, prefetch), expected, "{workers} workers, prefetch {prefetch}");
    }
}

#[test]
fn a_for_loop_over_a_reference_reads_an_epoch() {
    let loader = indices(3).batch_size(2);
    let mut sizes = Vec::new();
    for batch in &loader {
        sizes.push(batch.unwrap().len());
    }
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn an_iterator_outlives_its_loader() {
    let epoch = { indices(3).num_workers(1).iter() };
    assert_eq!(epoch.count(), 3);
}

#[test]
fn two_epochs_can_be_read_side_by_side() {
    let loader = indices(6).num_workers(2);
    for (a, b) in loader.iter().zip(loader.iter()) {
        assert_eq!(a.unwrap().to_vec::<i64>(), b.unwrap().to_vec::<i64>());
    }
}

#[test]
fn the_size_hint_counts_the_batches_that_are_left() {
    let mut epoch = indices(3).iter();
    assert_eq!(epoch.size_hint(), (1, Some(3)));
    epoch.by_ref().take(3).for_each(drop);
    assert_eq!(epoch.size_hint(), (0, Some(0)));
}

#[test]
fn a_sampler_may_visit_some_samples_only() {
    let loader = indices(5).sampler(SubsetRandomSampler::new(vec![3])).num_workers(1);
    assert_eq!((loader.len(), read(&loader)), (1, vec![vec![3]]));
    let loader = indices(5).shuffle(false).sampler(SequentialSampler::new(2)).shuffle(false);
    assert_eq!(read(&loader), [[0], [1]]);
}

/// Says that it has one index, and gives two.
struct Liar;

impl Sampler for Liar {
    fn len(&self) -> usize {
        1
    }

    fn indices(&self, _: Option<&Generator>) -> Vec<usize> {
        vec![0, 1]
    }
}

/// A wrong call, and what its message must say.
type Wrong = (fn(), &'static str);

const WRONG: [Wrong; 11] = [
    (
        || drop(indices(5).shuffle(true).sampler(RandomSampler::new(5))),
        "DataLoader: shuffle(true) and a sampler of 5 indices contradict each other; give one of the two",
    ),
    (
        || drop(indices(5).sampler(RandomSampler::new(4)).shuffle(true)),
        "DataLoader: shuffle(true) and a sampler of 4 indices contradict each other; give one of the two",
    ),
    (|| drop(indices(5).batch_size(0)), "DataLoader: batch_size is 0; a batch needs at least 1 sample"),
    (
        || drop(indices(5).prefetch_factor(0)),
        "DataLoader: prefetch_factor is 0; a worker makes at least 1 batch ahead",
    ),
    (
        || drop(indices(5).sampler(Liar).num_workers(1).iter()),
        "DataLoader: the sampler gave 2 indices, but its len() is 1; the two must be equal",
    ),
    (
        || assert!(DistributedSampler::new(5, 2, 2).is_empty()),
        "DistributedSampler: rank 2 of 2 replicas; the rank must be below the number",
    ),
    (
        || drop(Subset::new(from_fn(3, Ok), vec![0, 3])),
        "Subset: index 3 is out of range for a data set of 3 samples",
    ),
    (
        || drop(random_split(from_fn(5, Ok), [2, 2], &Generator::new(0))),
        "random_split: lengths [2, 2] do not sum to the 5 samples of the data set",
    ),
    (
        || drop(random_split(from_fn(5, Ok), [0.5, 0.75], &Generator::new(0))),
        "random_split: fractions [0.5, 0.75] must each be between 0 and 1 and sum to 1, not 1.25",
    ),
    (
        || drop(random_split(from_fn(5, Ok), [usize::MAX, 6], &Generator::new(0))),
        "random_split: lengths [18446744073709551615, 6] do not sum to the 5 samples of the data set",
    ),
    (
        || drop(random_split(from_fn(5, Ok), [1.5, -0.5], &Generator::new(0))),
        "random_split: fractions [1.5, -0.5] must each be between 0 and 1 and sum to 1, not 1",
    ),
];

#[test]
fn wrong_calls_panic_at_the_callers_line_with_both_values() {
    static PLACE: Mutex<String> = Mutex::new(String::new());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        *PLACE.lock().unwrap() = info.location().map(Location::file).unwrap_or_default().to_string();
    }));
    let said: Vec<_> = WRONG
        .iter()
        .map(|(call, _)| {
            let panic = catch_unwind(call).expect_err("the call is wrong");
            (panic.downcast_ref::<String>().unwrap().clone(), PLACE.lock().unwrap().clone())
        })
        .collect();
    std::panic::set_hook(before);
    for ((message, file), (_, expected)) in said.iter().zip(WRONG) {
        assert_eq!(message, expected);
        assert!(file.ends_with("tests/loader.rs"), "{message}: reported at {file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_sample_appears_exactly_once_in_the_drawn_order(
        len in 0_usize..40,
        batch in 1_usize..12,
        workers in 0_usize..4,
        prefetch in 1_usize..4,
        drop_last: bool,
        seed: u64,
    ) {
        let generator = Generator::new(seed);
        generator.random_i64();
        let order = generator.randperm(len);
        let kept = if drop_last { len - len % batch } else { len };

        let loader = indices(len).batch_size(batch).drop_last(drop_last).shuffle(true);
        let loader = loader.generator(Generator::new(seed)).num_workers(workers).prefetch_factor(prefetch);
        let batches = read(&loader);
        prop_assert_eq!(batches.len(), loader.len());
        prop_assert!(batches.iter().rev().skip(1).all(|b| b.len() == batch));
        prop_assert_eq!(&batches.concat(), &order[..kept]);
    }
}
