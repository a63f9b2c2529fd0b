//! The order of an epoch and the draws it costs, against PyTorch 2.15 (`golden/order.json`).

use rushlight_array::random::{Generator, Seed, TorchSeed, default_generator, manual_seed};
use rushlight_autograd::{Tensor, tensor};
use rushlight_data::*;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Held by each test that touches the process-wide default generator.
static DEFAULT_GENERATOR: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    DEFAULT_GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/order.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn batches(value: &Value) -> Vec<Vec<i64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

/// A loader of the numbers `0..len`, so that a batch is its own indices.
fn indices(len: usize) -> DataLoader<impl Dataset<Item = usize> + 'static> {
    DataLoader::new(from_fn(len, Ok))
}

fn read<D: Dataset<Item = usize> + 'static>(loader: &DataLoader<D>) -> Vec<Vec<i64>> {
    loader.iter().map(|batch| batch.unwrap().to_vec()).collect()
}

/// What an epoch draws, whatever the loader's settings: PyTorch's section 9, written down once more.
fn by_hand(generator: &Generator, len: usize) -> Vec<i64> {
    let _base_seed = generator.random_i64();
    generator.fork(generator.random_i64() as u64).randperm(len)
}

#[test]
fn two_shuffled_epochs_have_pytorchs_order_and_cost_for_every_worker_count() {
    let _alone = alone();
    for vector in golden()["shuffled"].as_array().unwrap() {
        for workers in [0, 1, 4] {
            let generator = manual_seed(TorchSeed(vector["seed"].as_u64().unwrap()));
            let loader = indices(17).shuffle(true).batch_size(3).num_workers(workers);
            let epochs: Vec<Vec<i64>> = (0..2).map(|_| read(&loader).concat()).collect();
            assert_eq!(epochs, batches(&vector["epochs"]), "{workers} workers");

            let mut after = [0.0; 2];
            generator.uniform_f32(&mut after, 0.0, 1.0);
            let bits = after.map(|x| format!("{:08x}", x.to_bits()));
            assert_eq!(bits.to_vec(), strings(&vector["rand_bits"]));
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

/// The set-up of texts 001 and 004, for which seeds.json also has the printed batches.
#[test]
fn loader_b_gives_the_batches_of_text_001() {
    let _alone = alone();
    let x = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
    let y = tensor([0, 0, 0, 1, 1]);
    manual_seed(TorchSeed(123));
    let loader = DataLoader::new(TensorDataset::new(x.clone(), y)).batch_size(2).shuffle(true);
    let expected = batches(&golden()["loader.B"]);
    assert_eq!(loader.len(), expected.len());
    for (batch, rows) in loader.iter().zip(&expected) {
        let (features, labels) = batch.unwrap();
        assert_eq!(features.to_vec::<f32>(), x.index_select(0, &tensor(rows)).to_vec::<f32>());
        assert_eq!(labels.to_vec::<i64>(), rows.iter().map(|&row| i64::from(row > 2)).collect::<Vec<_>>());
    }
}

#[test]
fn loader_e_follows_on_the_draws_of_the_model_as_in_text_004() {
    let _alone = alone();
    let generator = manual_seed(TorchSeed(123));
    // NeuralNetwork(50, 3) has 2213 parameters, each one uniform draw, and X = torch.rand(1, 50).
    generator.uniform_f32(&mut [0.0; 2213 + 50], 0.0, 1.0);
    let loader = indices(5).batch_size(2).shuffle(true);
    let golden = &golden()["loader.E"];
    assert_eq!(read(&loader), batches(&golden["pass1"]));
    assert_eq!(read(&loader), batches(&golden["pass2"]));
    assert_eq!(read(&loader.drop_last(true)), batches(&golden["pass3_drop_last"]));
}

#[test]
fn an_epoch_draws_alike_with_either_kind_of_generator_and_any_settings() {
    let _alone = alone();
    for seed in [Seed::from(7), Seed::from(TorchSeed(7))] {
        for (workers, batch, drop_last) in
            [(0, 1, false), (0, 4, true), (3, 4, false), (2, 20, true), (1, 20, false)]
        {
            let generator = manual_seed(seed);
            let loader =
                indices(10).shuffle(true).num_workers(workers).batch_size(batch).drop_last(drop_last);
            let read = read(&loader).concat();

            let fresh = Generator::new(seed);
            let expected = by_hand(&fresh, 10);
            assert_eq!(read, expected[..(loader.len() * batch).min(10)]);
            assert_eq!(generator.state(), fresh.state());
        }
    }
}

#[test]
fn an_epoch_in_order_draws_the_base_seed_alone() {
    let _alone = alone();
    for workers in [0, 2] {
        let generator = manual_seed(1);
        read(&indices(5).num_workers(workers));
        let fresh = Generator::new(1);
        fresh.random_i64();
        assert_eq!(generator.state(), fresh.state());
    }
}

#[test]
fn the_base_seed_is_drawn_by_iter_and_the_order_by_the_first_next() {
    let _alone = alone();
    let generator = manual_seed(1);
    let mut epoch = indices(5).shuffle(true).iter();
    let fresh = Generator::new(1);
    fresh.random_i64();
    assert_eq!(generator.state(), fresh.state());
    epoch.next();
    fresh.random_i64();
    assert_eq!(generator.state(), fresh.state());
}

#[test]
fn a_generator_of_the_loaders_own_gives_base_seed_order_and_one_order_more_at_the_end() {
    for (workers, batch) in [(0, 1), (0, 4), (2, 4), (1, 5)] {
        for seed in [Seed::from(7), Seed::from(TorchSeed(7))] {
            let generator = Generator::new(seed);
            let loader = indices(10).shuffle(true).generator(generator.clone());
            let loader = loader.num_workers(workers).batch_size(batch);

            let fresh = Generator::new(seed);
            for _ in 0..2 {
                fresh.random_i64();
                let order = fresh.randperm(10);
                assert_eq!(read(&loader).concat(), order);
                fresh.randperm(10);
                assert_eq!(generator.state(), fresh.state());
            }
        }
    }
}

#[test]
fn an_epoch_left_early_throws_no_order_away() {
    for workers in [0, 2] {
        let generator = Generator::new(7);
        let loader = indices(10).shuffle(true).generator(generator.clone()).num_workers(workers);
        assert_eq!(loader.iter().take(3).count(), 3);
        let fresh = Generator::new(7);
        fresh.random_i64();
        fresh.randperm(10);
        assert_eq!(generator.state(), fresh.state());
    }
}

#[test]
fn the_end_of_an_epoch_is_drawn_once_however_often_next_is_called() {
    let generator = Generator::new(7);
    let mut epoch = indices(2).shuffle(true).generator(generator.clone()).iter();
    while epoch.next().is_some() {}
    let state = generator.state();
    assert!(epoch.next().is_none());
    assert_eq!(generator.state(), state);
}

#[test]
fn distributed_samplers_have_pytorchs_indices() {
    let torch = Generator::new(TorchSeed(99));
    for (name, expected) in golden()["ddp.sampler"].as_object().unwrap() {
        let setting = |key: &str| {
            let field = name.split(' ').find_map(|field| field.strip_prefix(key)?.strip_prefix('='));
            field.unwrap().to_string()
        };
        let number = |key: &str| setting(key).parse::<usize>().unwrap();
        let sampler = DistributedSampler::new(5, 2, number("rank"))
            .shuffle(setting("shuffle") == "True")
            .drop_last(setting("drop_last") == "True");
        sampler.set_epoch(number("epoch") as u64);
        let indices: Vec<i64> = sampler.indices(Some(&torch)).into_iter().map(|i| i as i64).collect();
        assert_eq!(indices, numbers(expected), "{name}");
        assert_eq!(sampler.len(), indices.len(), "{name}");
    }
    assert_eq!(torch.state(), Generator::new(TorchSeed(99)).state());
}

#[test]
fn more_ranks_than_samples_repeat_them_or_with_drop_last_get_none() {
    let share = |rank| DistributedSampler::new(2, 5, rank).shuffle(false);
    let all: Vec<_> = (0..5).map(|rank| share(rank).indices(None)).collect();
    assert_eq!(all, [[0], [1], [0], [1], [0]]);
    assert!(share(1).drop_last(true).indices(None).is_empty());
    assert!(DistributedSampler::new(0, 2, 1).indices(None).is_empty());
}

#[test]
fn a_loader_whose_sampler_is_shared_follows_set_epoch() {
    let sampler = Arc::new(DistributedSampler::new(5, 2, 0));
    let loader = indices(5).sampler(Arc::clone(&sampler)).generator(Generator::new(TorchSeed(0)));
    assert_eq!(read(&loader).concat(), [4, 1, 2]);
    sampler.set_epoch(1);
    assert_eq!(read(&loader).concat(), [0, 2, 1]);
}

#[test]
fn a_random_subset_is_the_generators_own_randperm() {
    let _alone = alone();
    let sampler = SubsetRandomSampler::new(vec![10, 11, 12, 13, 14]);
    // torch.manual_seed(123); torch.randperm(5) is 2 0 1 3 4.
    assert_eq!(sampler.indices(Some(&Generator::new(TorchSeed(123)))), [12, 10, 11, 13, 14]);
    manual_seed(TorchSeed(123));
    assert_eq!(sampler.indices(None), [12, 10, 11, 13, 14]);
    assert_eq!(default_generator().initial_seed(), Seed::Torch(123));
}

#[test]
fn random_split_is_one_randperm_cut_in_pieces() {
    let generator = Generator::new(TorchSeed(123));
    let [a, b, c] = random_split(from_fn(5, Ok), [2, 3, 0], &generator);
    assert_eq!((a.indices(), b.indices(), c.len()), (&[2, 0][..], &[1, 3, 4][..], 0));
    let fresh = Generator::new(TorchSeed(123));
    fresh.randperm(5);
    assert_eq!(generator.state(), fresh.state());
}

/// 10 samples by 0.33, 0.33, 0.34 are 3, 3, 3 rounded down; the one left goes to the first part.
#[test]
fn samples_left_over_by_fractions_go_to_the_first_parts() {
    let parts = random_split(from_fn(10, Ok), [0.33, 0.33, 0.34], &Generator::new(0));
    assert_eq!(parts.map(|part| part.len()), [4, 3, 3]);
}

#[test]
fn a_sample_seed_depends_on_base_seed_place_and_index() {
    let draw = |seed: SampleSeed| seed.generator().random_i64();
    let seed = SampleSeed::new(5, 1, 2);
    assert_eq!(draw(seed), draw(SampleSeed::new(5, 1, 2)));
    let others = [SampleSeed::new(6, 1, 2), SampleSeed::new(5, 0, 2), SampleSeed::new(5, 1, 3)];
    assert!(others.iter().all(|&other| draw(other) != draw(seed)));
    assert_ne!(draw(SampleSeed::new(TorchSeed(5), 1, 2)), draw(seed));
}

/// Its samples are their own random numbers.
struct Noise;

impl Dataset for Noise {
    type Item = i64;

    fn len(&self) -> usize {
        12
    }

    fn get(&self, _: usize) -> rushlight_array::Result<i64> {
        unreachable!("the loader asks for random samples")
    }

    fn get_random(&self, _: usize, seed: SampleSeed) -> rushlight_array::Result<i64> {
        Ok(seed.generator().random_i64())
    }
}

#[test]
fn augmentation_is_the_same_for_every_worker_count_and_batch_size_and_new_in_each_epoch() {
    let epochs = |shuffle, workers, batch| -> Vec<Vec<i64>> {
        let everything = Subset::new(Arc::new(Noise), (0..12).collect());
        let loader = DataLoader::new(everything).generator(Generator::new(3)).shuffle(shuffle);
        let loader = loader.num_workers(workers).batch_size(batch);
        let epoch = || loader.iter().flat_map(|batch| Tensor::to_vec::<i64>(&batch.unwrap())).collect();
        vec![epoch(), epoch()]
    };
    for shuffle in [false, true] {
        let expected = epochs(shuffle, 0, 1);
        assert_ne!(expected[0], expected[1]);
        for (workers, batch) in [(0, 5), (1, 1), (4, 3)] {
            assert_eq!(epochs(shuffle, workers, batch), expected);
        }
    }
}

/// A data set and a collate function that know nothing of seeds draw from the default generator, while this
/// thread draws from it too.
#[test]
fn draws_from_the_default_generator_in_samples_and_batches_are_the_same_for_every_worker_count() {
    let _alone = alone();
    let draw = || default_generator().random_i64();
    let run = |seed: Seed, workers| {
        let generator = manual_seed(seed);
        let loader = DataLoader::new(from_fn(9, move |_| Ok([draw(), draw()]))).batch_size(2).shuffle(true);
        let loader = loader.num_workers(workers).collate(move |samples| Ok((samples, draw())));
        let mut seen = Vec::new();
        for _ in 0..2 {
            for batch in &loader {
                seen.push((batch.unwrap(), generator.random_i64()));
            }
        }
        seen
    };
    for seed in [Seed::from(7), Seed::from(TorchSeed(7))] {
        let expected = run(seed, 0);
        let mut numbers: Vec<i64> = Vec::new();
        for ((samples, batch), between) in &expected {
            numbers.extend(samples.concat().iter().chain([batch, between]));
        }
        // Two epochs of nine samples with two draws each, and five batches with one draw in and one after it.
        assert_eq!(numbers.len(), 2 * (9 * 2 + 5 * 2));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 56, "all differ");
        for workers in [1, 4] {
            assert_eq!(run(seed, workers), expected, "{workers} workers");
        }
    }
}

#[test]
fn a_sample_that_seeds_the_default_generator_seeds_its_own_alone() {
    let _alone = alone();
    for workers in [0, 2] {
        let generator = manual_seed(1);
        let dataset = from_fn(3, |_| Ok(manual_seed(5).random_i64()));
        let seen =
            DataLoader::new(dataset).batch_size(3).num_workers(workers).iter().next().unwrap().unwrap();
        assert_eq!(seen.to_vec::<i64>(), vec![Generator::new(5).random_i64(); 3]);
        let fresh = Generator::new(1);
        fresh.random_i64();
        assert_eq!(generator.state(), fresh.state());
    }
}

#[test]
fn a_sample_visited_twice_in_an_epoch_gets_two_seeds() {
    let twice = DistributedSampler::new(1, 2, 0).shuffle(false);
    let loader = DataLoader::new(Noise).sampler(Twice(twice)).batch_size(2).generator(Generator::new(0));
    let numbers = loader.iter().next().unwrap().unwrap().to_vec::<i64>();
    assert_ne!(numbers[0], numbers[1]);
}

/// The indices of another sampler, two times over.
struct Twice<S>(S);

impl<S: Sampler> Sampler for Twice<S> {
    fn len(&self) -> usize {
        2 * self.0.len()
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        self.0.indices(generator).repeat(2)
    }
}
