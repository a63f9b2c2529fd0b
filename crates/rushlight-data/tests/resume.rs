//! Where a loader stands, and how it goes on from there.

use rushlight_array::random::{Generator, TorchSeed, manual_seed, with_default_generator};
use rushlight_array::{Error, Result};
use rushlight_autograd::rand;
use rushlight_data::*;

/// Samples with noise of their own, so that the seeds must be right as well as the order.
fn noisy(len: usize) -> impl Dataset<Item = (f64, i64)> {
    from_fn(len, |i| Ok((rand(()).item_as::<f64>(), i as i64)))
}

type Bits = Vec<(Vec<u64>, Vec<i64>)>;

fn bits<D: Dataset<Item = (f64, i64)> + 'static>(epoch: Batches<D, DefaultCollate>) -> Bits {
    epoch
        .map(|batch| {
            let (noise, index) = batch.unwrap();
            (noise.to_vec::<f64>().into_iter().map(f64::to_bits).collect(), index.to_vec())
        })
        .collect()
}

/// Stops after k batches, goes on in a fresh loader, and reads one epoch more: the same bits as in one go.
#[test]
fn an_epoch_goes_on_with_the_same_bits_for_any_number_of_workers() {
    for torch in [false, true] {
        let seed = || if torch { Generator::new(TorchSeed(7)) } else { Generator::new(7) };
        let loader = |workers| {
            DataLoader::new(noisy(23)).batch_size(3).shuffle(true).num_workers(workers).generator(seed())
        };
        let whole = {
            let loader = loader(0);
            [bits(loader.iter()), bits(loader.iter())].concat()
        };
        for (stop, before, after) in [(0, 0, 2), (1, 2, 0), (3, 0, 3), (7, 3, 1), (8, 1, 0)] {
            let first = loader(before);
            let mut epoch = first.iter();
            let read = epoch.by_ref().take(stop).filter(Result::is_ok).count();
            let state = first.state_dict();
            assert_eq!((read, state.batches), (stop, stop));
            drop(epoch);

            let second = loader(after);
            second.generator_is_moved();
            second.load_state_dict(&state).unwrap();
            assert_eq!(second.state_dict(), state, "what was loaded is what is said");
            let rest = [bits(second.iter()), bits(second.iter())].concat();
            assert!(rest == whole[stop..], "stop {stop}, workers {before} then {after}, torch {torch}");
        }
    }
}

/// A use of the loader that moves its generator away from where it was made.
trait Moved {
    fn generator_is_moved(&self);
}

impl<D: Dataset<Item = (f64, i64)> + 'static> Moved for DataLoader<D> {
    fn generator_is_moved(&self) {
        let _ = self.iter().next();
    }
}

#[test]
fn no_sample_that_was_read_is_made_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let counted = move || {
        let counter = Arc::clone(&counter);
        let dataset = from_fn(10, move |i| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok(i)
        });
        DataLoader::new(dataset).batch_size(2).shuffle(true).generator(Generator::new(1))
    };
    let first = counted();
    first.iter().take(3).for_each(drop);
    let second = counted();
    second.load_state_dict(&first.state_dict()).unwrap();
    made.store(0, Ordering::Relaxed);
    assert_eq!(second.iter().count(), 2);
    assert_eq!(made.load(Ordering::Relaxed), 4);
}

/// The default generator is the program's to restore, as it is with torch.
#[test]
fn an_epoch_from_the_default_generator_goes_on_too() {
    with_default_generator(
        || Generator::new(0),
        || {
            let loader = || DataLoader::new(noisy(12)).batch_size(2).shuffle(true);
            manual_seed(TorchSeed(5));
            let whole = bits(loader().iter());
            manual_seed(TorchSeed(5));
            let first = loader();
            first.iter().take(4).for_each(drop);
            let state = first.state_dict();
            assert_eq!(state.generator, None);
            manual_seed(99);
            let second = loader();
            second.load_state_dict(&state).unwrap();
            assert_eq!(bits(second.iter()), whole[4..]);
        },
    );
}

#[test]
fn an_epoch_that_ended_is_followed_by_the_next_one() {
    let loader = || DataLoader::new(noisy(5)).shuffle(true).generator(Generator::new(2));
    let first = loader();
    let _ = bits(first.iter());
    let state = first.state_dict();
    assert_eq!((state.batches, &state.epoch), (0, &None));
    let next = bits(first.iter());
    let second = loader();
    second.load_state_dict(&state).unwrap();
    assert_eq!(bits(second.iter()), next);
}

#[test]
fn samplers_draw_their_order_again() {
    let weights: Vec<f64> = (0..30).map(f64::from).collect();
    type Make = fn(Vec<f64>) -> Box<dyn Sampler>;
    let samplers: [Make; 4] = [
        |_| Box::new(RandomSampler::new(30).replacement(true).num_samples(41)),
        |weights| Box::new(WeightedRandomSampler::new(weights, 20)),
        |_| Box::new(SubsetRandomSampler::new((0..30).step_by(2).collect())),
        |_| Box::new(DistributedSampler::new(30, 4, 1)),
    ];
    for sampler in samplers {
        struct Boxed(Box<dyn Sampler>);
        impl Sampler for Boxed {
            fn len(&self) -> usize {
                self.0.len()
            }
            fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
                self.0.indices(generator)
            }
        }
        let loader = || {
            let sampler = Boxed(sampler(weights.clone()));
            DataLoader::new(noisy(30)).sampler(sampler).batch_size(4).generator(Generator::new(4))
        };
        let whole = bits(loader().iter());
        let first = loader();
        first.iter().take(1).for_each(drop);
        let second = loader();
        second.load_state_dict(&first.state_dict()).unwrap();
        assert_eq!(bits(second.iter()), whole[1..]);
    }
}

#[test]
fn a_state_of_another_loader_is_refused() {
    let loader = |len: usize, batch| {
        DataLoader::new(noisy(len)).batch_size(batch).shuffle(true).generator(Generator::new(2))
    };
    let first = loader(20, 2);
    first.iter().take(3).for_each(drop);
    let state = first.state_dict();
    let said = |result: Result<()>| match result {
        Err(Error::Invalid { what, reason }) => {
            assert_eq!(what, "DataLoader::load_state_dict");
            reason
        }
        other => panic!("{other:?}"),
    };
    assert!(
        said(loader(21, 2).load_state_dict(&state)).contains("21 samples in batches of 2, is not the one")
    );
    assert!(said(loader(20, 4).load_state_dict(&state)).contains("is not the one that was saved"));
    assert_eq!(said(loader(4, 2).load_state_dict(&state)), "3 batches were read, but the loader has 2");
    let without = DataLoader::new(noisy(20)).batch_size(2).shuffle(true);
    assert_eq!(said(without.load_state_dict(&state)), "the state has a generator, but the loader has none");
}

/// Numbers in a shuffled order of the stream's own.
struct Stream(usize);

impl IterableDataset for Stream {
    type Item = (f64, i64);

    fn iter(&self, generator: &Generator) -> Box<dyn Iterator<Item = Result<(f64, i64)>> + Send> {
        let order = generator.randperm(self.0);
        Box::new(order.into_iter().map(|i| Ok((i as f64, i))))
    }
}

fn stream_bits(loader: &IterableLoader<Stream>) -> Vec<Vec<i64>> {
    loader.iter().map(|batch| batch.unwrap().1.to_vec()).collect()
}

#[test]
fn a_stream_is_read_alike_by_any_number_of_workers_and_goes_on() {
    let loader = |workers| {
        IterableLoader::new(Stream(25)).batch_size(4).num_workers(workers).generator(Generator::new(1))
    };
    let alone = loader(0);
    let whole = [stream_bits(&alone), stream_bits(&alone)].concat();
    assert_eq!(whole.len(), 14);
    for workers in [1, 2, 5] {
        let loader = loader(workers);
        assert_eq!([stream_bits(&loader), stream_bits(&loader)].concat(), whole);
    }
    for (stop, before, after) in [(0, 0, 1), (2, 3, 0), (6, 0, 2)] {
        let first = loader(before);
        first.iter().take(stop).for_each(drop);
        let second = loader(after);
        second.load_state_dict(&first.state_dict()).unwrap();
        assert_eq!(
            [stream_bits(&second), stream_bits(&second)].concat(),
            whole[stop..],
            "{stop} {before} {after}"
        );
    }
    let full = loader(2).drop_last(true);
    assert_eq!(stream_bits(&full), whole[..6]);
}

#[test]
fn a_stream_that_fails_or_panics_ends_the_epoch_with_its_message() {
    struct Bad(bool);
    impl IterableDataset for Bad {
        type Item = i64;
        fn iter(&self, _: &Generator) -> Box<dyn Iterator<Item = Result<i64>> + Send> {
            let panics = self.0;
            Box::new((0..10).map(move |i| match i {
                5 if panics => panic!("no line {i}"),
                5 => Err(Error::invalid("log", "cut off")),
                _ => Ok(i),
            }))
        }
    }
    for workers in [0, 1, 3] {
        for (panics, expected) in [(true, "the stream: panicked: no line 5"), (false, "log: cut off")] {
            let loader = IterableLoader::new(Bad(panics)).batch_size(2).num_workers(workers);
            let all: Vec<_> = loader.iter().collect();
            assert_eq!(all.len(), 3);
            assert_eq!(all[1].as_ref().unwrap().to_vec::<i64>(), [2, 3]);
            let said = all[2].as_ref().unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn a_thousand_streams_dropped_early_leave_nothing_behind() {
    let dataset = std::sync::Arc::new(Stream(20));
    let loader = IterableLoader::new(std::sync::Arc::clone(&dataset)).num_workers(2);
    for i in 0..1000 {
        loader.iter().take(i % 4).for_each(drop);
    }
    drop(loader);
    assert_eq!(std::sync::Arc::strong_count(&dataset), 1);
}
