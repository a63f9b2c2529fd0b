//! The same training run gives the same bits with any number of threads and workers.

use crate::alone;
use rushlight::data::{Digits, Subset};
use rushlight::nn::Dropout;
use rushlight::prelude::*;
use rushlight::set_num_threads;

/// The bits of all weights after a training run that uses dropout, shuffles, momentum, and layers large enough
/// to be split over threads.
fn train(torch: bool, threads: usize, workers: usize) -> Vec<u32> {
    set_num_threads(threads);
    if torch {
        manual_seed(TorchSeed(5));
    } else {
        manual_seed(5);
    }
    let model = sequential![
        Linear::new(64, 700),
        ReLU,
        Dropout::new(0.3),
        Linear::new(700, 300),
        ReLU,
        Linear::new(300, 10),
    ];
    let mut optimizer = SGD::new(model.parameters(), 0.05).momentum(0.9).weight_decay(1e-4);
    let data = Subset::new(Digits::new(), (0..600).collect());
    let loader = DataLoader::new(data).batch_size(150).shuffle(true).num_workers(workers);
    for _ in 0..2 {
        for batch in &loader {
            let (images, labels) = batch.unwrap();
            let loss = F::cross_entropy(&model.forward(&images), &labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
        }
    }
    let weights = model.parameters().into_iter().flat_map(|p| p.to_vec::<f32>());
    weights.map(f32::to_bits).collect()
}

#[test]
fn weights_are_bit_identical_for_every_number_of_threads_and_workers() {
    let _turn = alone();
    for torch in [false, true] {
        let reference = train(torch, 1, 0);
        assert!(reference.iter().all(|bits| f32::from_bits(*bits).is_finite()));
        for threads in [1, 2, 8] {
            for workers in [0, 1, 4] {
                assert!(
                    train(torch, threads, workers) == reference,
                    "{threads} threads and {workers} workers give other weights"
                );
            }
        }
    }
    set_num_threads(2);
}

#[test]
fn another_seed_gives_other_weights() {
    let _turn = alone();
    manual_seed(1);
    let one = Linear::new(4, 4).weight.to_vec::<f32>();
    manual_seed(2);
    assert_ne!(one, Linear::new(4, 4).weight.to_vec::<f32>());
    manual_seed(1);
    assert_eq!(one, Linear::new(4, 4).weight.to_vec::<f32>());
}
