//! What a training step costs once it has run some times. A test file of its own: no other test may allocate meanwhile.

use rushlight::nn::Dropout;
use rushlight::optim::Optimizer;
use rushlight::prelude::*;
use rushlight::{empty_cache, memory_stats, set_num_threads};

fn step(model: &impl Module, optimizer: &mut impl Optimizer, x: &Tensor, y: &Tensor) -> f64 {
    let loss = F::cross_entropy(&model.forward(x), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss.item()
}

/// The memory of the first steps serves all later ones, on one thread and on several.
#[test]
fn a_training_step_asks_the_system_for_no_memory() {
    manual_seed(1);
    let model = sequential![
        Linear::new(784, 128),
        ReLU,
        Dropout::new(0.1),
        Linear::new(128, 2000),
        ReLU,
        Linear::new(2000, 10)
    ];
    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    let data = (randn([4096, 784]), randint(0, 10, [4096]));
    for threads in [1, 2, 4] {
        set_num_threads(threads);
        let mut train = |count: usize| {
            for i in 0..count {
                // The gather is a part of the step, as it is in a loader.
                let rows = randint(0, 4096, [512]);
                let (x, y) = (data.0.index_select(0, &rows), data.1.index_select(0, &rows));
                assert!(step(&model, &mut optimizer, &x, &y).is_finite(), "step {i}");
            }
        };
        train(10);
        let before = memory_stats();
        train(20);
        let after = memory_stats();
        assert_eq!(after.requests, before.requests, "{threads} threads: {before:?}, then {after:?}");
        assert_eq!(after.live, before.live, "{threads} threads: a step leaves blocks behind");
    }
    drop((model, optimizer, data));
    empty_cache();
    let end = memory_stats();
    assert!(end.cached < 16 << 20 && end.live < 1 << 20, "{end:?}");
}
