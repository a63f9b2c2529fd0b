//! Steps as graphs: the bits of the same steps without, whatever changes from step to step.

mod common;

use common::cuda;
use rushlight::nn::functional as F;
use rushlight::nn::{Dropout, Linear, Module, ReLU, Sequential};
use rushlight::optim::{Adam, Optimizer};
use rushlight::{DType, Device, Tensor, manual_seed, no_grad, rand, sequential, tensor};
use rushlight_cuda::{GraphStats, graph_step};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seeds are the program's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn network(device: &Device) -> (Sequential, Adam) {
    manual_seed(3);
    let model = sequential![Linear::new(6, 16), ReLU, Dropout::new(0.25), Linear::new(16, 3)];
    model.to(device);
    let optimizer = Adam::new(model.parameters(), 0.01);
    (model, optimizer)
}

fn batch(device: &Device, size: usize) -> (Tensor, Tensor) {
    let x = rand([size, 6]);
    let labels: Vec<i64> = (0..size as i64).map(|i| i % 3).collect();
    (x.to(device), Tensor::from_vec(labels, [size]).to(device))
}

/// Losses and weights after so many steps, whose batches have the sizes in turn; the rate falls from step to step.
fn train(sizes: &[usize], steps: usize, as_graph: bool, read: bool) -> (Vec<f64>, Vec<f32>, GraphStats) {
    let device = cuda();
    let (model, mut optimizer) = network(&device);
    let one = |optimizer: &mut Adam, (x, labels): (Tensor, Tensor), number: usize| {
        optimizer.set_lr(0.01 / (1.0 + number as f64));
        optimizer.zero_grad();
        let loss = F::cross_entropy(&model.forward(&x), &labels);
        if read && number.is_multiple_of(2) {
            assert!(loss.item() > 0.0);
        }
        loss.backward();
        optimizer.step();
        loss.detach()
    };
    let batches: Vec<_> = (0..steps).map(|i| batch(&device, sizes[i % sizes.len()])).collect();
    let mut losses = Vec::new();
    let stats = if as_graph {
        let mut step = graph_step(&device, |(batch, number)| one(&mut optimizer, batch, number)).unwrap();
        for (number, batch) in batches.into_iter().enumerate() {
            losses.push(step.run((batch, number)));
        }
        step.stats()
    } else {
        for (number, batch) in batches.into_iter().enumerate() {
            losses.push(one(&mut optimizer, batch, number));
        }
        GraphStats::default()
    };
    let weights = model.parameters().iter().flat_map(|w| w.to_vec::<f32>()).collect();
    (losses.iter().map(Tensor::item).collect(), weights, stats)
}

#[test]
fn a_graph_gives_the_bits_of_single_kernels() {
    let _alone = alone();
    let (losses, weights, _) = train(&[8], 12, false, false);
    let (again, same, stats) = train(&[8], 12, true, false);
    assert_eq!((losses, weights), (again, same));
    // The rates of Adam and the random numbers of dropout change with each step.
    assert!(stats.graphs <= 3 && stats.launches >= 12 && stats.updates > 0, "{stats:?}");
}

#[test]
fn batches_of_other_sizes_and_reads_on_the_way_are_allowed() {
    let _alone = alone();
    let (losses, weights, _) = train(&[8, 8, 8, 5], 12, false, true);
    let (again, same, _) = train(&[8, 8, 8, 5], 12, true, true);
    assert_eq!((losses, weights), (again, same));
}

#[test]
fn a_step_that_panics_leaves_what_it_had_done() {
    let _alone = alone();
    let device = cuda();
    let w = tensor([1.0, 2.0, 3.0]).to(&device).requires_grad_();
    let mut step = graph_step(&device, |fails: bool| {
        no_grad(|| w.update(|value| *value = value.scale(2.0)));
        assert!(!fails, "on purpose");
    })
    .unwrap();
    step.run(false);
    assert!(catch_unwind(AssertUnwindSafe(|| step.run(true))).is_err());
    step.run(false);
    assert_eq!(w.to_vec::<f32>(), [8.0, 16.0, 24.0]);
}

#[test]
fn on_the_cpu_the_step_is_called() {
    let _alone = alone();
    let mut step = graph_step(&Device::cpu(), |x: f64| x + 1.0).unwrap();
    assert_eq!(step.run(1.0), 2.0);
    assert_eq!(step.stats(), GraphStats::default());
}

#[test]
fn a_step_within_a_step_is_refused() {
    let _alone = alone();
    let device = cuda();
    let mut inner = graph_step(&device, |()| tensor([1.0]).to(cuda()).to(DType::F64)).unwrap();
    let mut outer = graph_step(&device, |()| inner.run(())).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| outer.run(()))).expect_err("a panic");
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "graph_step: a step within a step");
}

/// There the host does not wait for each look at the indices; it is told when it waits anyway.
#[test]
fn an_index_out_of_range_is_told_when_a_result_is_read() {
    let _alone = alone();
    let device = rushlight::device("cuda:1").unwrap_or_else(|_| cuda());
    let (table, logits) = (rand([4, 3]).to(&device), rand([2, 3]).to(&device));
    let mut step = graph_step(&device, |numbers: Tensor| {
        let loss = F::cross_entropy(&logits, &numbers);
        F::embedding(&numbers, &table).sum() + loss
    })
    .unwrap();
    let mut run = |numbers: [i64; 2]| {
        let numbers = tensor(numbers).to(&device);
        catch_unwind(AssertUnwindSafe(|| step.run(numbers).item()))
    };
    let good = run([0, 2]).unwrap();
    for bad in [[1, 3], [-1, 0]] {
        let panic = run(bad).expect_err("a panic");
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(
            text.contains("an index or a class number was out of range in a step of graph_step"),
            "{text}"
        );
    }
    // Ignored classes are none, and the step goes on as before.
    let eager = F::cross_entropy(&logits, &tensor([1i64, -100]).to(&device)).item();
    let mut ignoring = graph_step(&device, |numbers: Tensor| F::cross_entropy(&logits, &numbers)).unwrap();
    assert_eq!(ignoring.run(tensor([1i64, -100]).to(&device)).item(), eager);
    assert_eq!(run([0, 2]).unwrap(), good);
}
