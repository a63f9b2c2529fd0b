//! Whole programs on the CPU and on the GPU: the same losses, and no block of memory left behind.

mod common;

#[path = "../benches/gpu/gpt.rs"]
#[allow(dead_code, reason = "the size of batches is that of the timings")]
mod gpt;

use common::{cuda, device};
use gpt::Gpt;
use rushlight::amp::{GradScaler, autocast};
use rushlight::cuda::graph_step;
use rushlight::data::{DataLoader, TensorDataset};
use rushlight::nn::functional as F;
use rushlight::nn::{BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential};
use rushlight::optim::{Adam, AdamW, Optimizer, SGD};
use rushlight::{DType, Device, Tensor, TorchSeed, manual_seed, no_grad, rand, randint, sequential, tensor};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seeds are the program's: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Losses of steps on batches, moved to the device.
fn train<O: Optimizer>(
    device: &Device,
    model: &impl Module,
    optimizer: &mut O,
    batches: &[(Tensor, Tensor)],
    steps: usize,
) -> Vec<f64> {
    model.to(device);
    let mut losses = Vec::new();
    for (x, y) in batches.iter().cycle().take(steps) {
        let logits = model.forward(&x.to(device));
        let classes = *logits.shape().last().unwrap() as isize;
        let loss = F::cross_entropy(&logits.reshape([-1, classes]), &y.to(device).reshape([-1]));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        losses.push(loss.item());
    }
    losses
}

/// The same program on both devices.
fn compare(what: &str, program: impl Fn(&Device) -> Vec<f64>) {
    let (here, there) = (program(&Device::cpu()), program(&cuda()));
    for (step, (a, b)) in here.iter().zip(&there).enumerate() {
        assert!(
            (a - b).abs() <= 1e-4 * a.abs().max(1.0),
            "{what}, step {step}: {a} on the CPU, {b} on the GPU"
        );
    }
    assert!(here.last() < here.first(), "{what} learns nothing: {here:?}");
}

#[test]
fn the_toy_classifier_has_the_losses_of_the_cpu() {
    let _alone = alone();
    let x = [[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]];
    let batch = |rows: &[usize]| {
        let points: Vec<[f64; 2]> = rows.iter().map(|&i| x[i]).collect();
        let labels: Vec<i64> = rows.iter().map(|&i| i64::from(i > 2)).collect();
        (tensor(points), tensor(labels))
    };
    // The five points of the texts, each once.
    let batches = [batch(&[0, 4]), batch(&[1, 3]), batch(&[2])];
    compare("toy classifier", |device| {
        manual_seed(TorchSeed(123));
        let model = sequential![Linear::new(2, 30), ReLU, Linear::new(30, 20), ReLU, Linear::new(20, 2)];
        let mut optimizer = SGD::new(model.parameters(), 0.5);
        train(device, &model, &mut optimizer, &batches, 9)
    });
}

fn cnn() -> Sequential {
    sequential![
        Conv2d::new(1, 4, 5),
        BatchNorm2d::new(4),
        ReLU,
        MaxPool2d::new(2),
        Conv2d::new(4, 8, 5),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.1),
        Linear::new(8 * 4 * 4, 10),
    ]
}

#[test]
fn a_cnn_has_the_losses_of_the_cpu() {
    let _alone = alone();
    manual_seed(5);
    let batches: Vec<_> = (0..3).map(|_| (rand([4, 1, 28, 28]), randint(0, 10, [4]))).collect();
    compare("CNN", |device| {
        manual_seed(6);
        let model = cnn();
        let mut optimizer = Adam::new(model.parameters(), 1e-3);
        train(device, &model, &mut optimizer, &batches, 9)
    });
}

#[test]
fn a_gpt_has_the_losses_of_the_cpu() {
    let _alone = alone();
    manual_seed(5);
    let piece = randint(0, gpt::VOCABULARY as i64, [1, 17]);
    let batches = [(piece.narrow(1, 0, 16), piece.narrow(1, 1, 16))];
    compare("GPT", |device| {
        manual_seed(7);
        let model = Gpt::new();
        let mut optimizer = AdamW::new(model.parameters(), 1e-3);
        train(device, &model, &mut optimizer, &batches, 3)
    });
}

/// bf16 has 8 bits: losses are near, and go down.
#[test]
fn mixed_precision_learns() {
    let _alone = alone();
    for (dtype, scaled) in [(DType::BF16, false), (DType::F16, true)] {
        let device = cuda();
        manual_seed(8);
        let model = sequential![Linear::new(8, 32), ReLU, Linear::new(32, 4)];
        model.to(&device);
        let mut optimizer = Adam::new(model.parameters(), 1e-2);
        let mut scaler = GradScaler::new().enabled(scaled);
        let (x, y) = (rand([16, 8]).to(&device), randint(0, 4, [16]).to(&device));
        let mut losses = Vec::new();
        for _ in 0..12 {
            let loss = autocast(&device, dtype, || {
                let logits = model.forward(&x);
                assert_eq!(logits.dtype(), dtype);
                F::cross_entropy(&logits, &y)
            });
            assert_eq!(loss.dtype(), DType::F32);
            optimizer.zero_grad();
            scaler.scale(&loss).backward();
            scaler.step(&mut optimizer);
            scaler.update();
            losses.push(loss.item());
        }
        assert!(losses[11] < 0.95 * losses[0], "{dtype}: {losses:?}");
    }
}

/// Workers send batches by way of pinned memory while steps are recorded and run.
#[test]
fn a_loader_sends_batches_ahead() {
    let _alone = alone();
    let (device, width) = (device(1), 2048);
    // The row of sample i holds i.
    let rows: Vec<f32> = (0..96 * width).map(|at| (at / width) as f32).collect();
    let samples = Tensor::from_vec(rows, [96, width]);
    let labels = Tensor::from_vec((0..96).collect::<Vec<i64>>(), [96]);
    for workers in [0, 2] {
        let to = device.clone();
        let loader = DataLoader::new(TensorDataset::new(samples.clone(), labels.clone())).batch_size(16);
        let loader =
            loader.shuffle(true).num_workers(workers).pin_memory(move |(x, y)| Ok((x.to(&to), y.to(&to))));
        let mut weights = rushlight::zeros([]).to(&device);
        let mut step = graph_step(&device, |(x, y): (Tensor, Tensor)| {
            // 0, unless a row is not that of its label.
            let wrong = (x.mean_dim(1, false) - y.to(DType::F32)).abs().sum();
            weights = &weights + (x.sum() / width as f64) * 2.0 + &wrong;
            wrong
        })
        .unwrap();
        let mut wrong = Vec::new();
        for _ in 0..3 {
            for batch in loader.iter() {
                let (x, y) = batch.unwrap();
                assert_eq!((x.device(), y.device()), (device.clone(), device.clone()));
                wrong.push(step.run((x, y)));
            }
        }
        drop(step);
        assert!(wrong.iter().all(|wrong| wrong.item() == 0.0), "{workers} workers: {wrong:?}");
        assert_eq!(weights.item(), 3.0 * 2.0 * (95.0 * 96.0 / 2.0), "{workers} workers");
    }
    let pinned = rushlight::cuda::memory_stats(1).unwrap().pinned;
    assert!(pinned >= 16 * width * 4, "{pinned}");
}

/// All blocks come back, those of optimisers and graphs too.
#[test]
fn a_training_leaves_no_block_behind() {
    let _alone = alone();
    let device = device(1);
    {
        manual_seed(9);
        let model = cnn();
        model.to(&device);
        let mut optimizer = Adam::new(model.parameters(), 1e-3);
        let (x, y) = (rand([2, 1, 28, 28]).to(&device), randint(0, 10, [2]).to(&device));
        let mut step = graph_step(&device, |()| {
            optimizer.zero_grad();
            let loss = F::cross_entropy(&model.forward(&x), &y);
            loss.backward();
            optimizer.step();
            loss.detach()
        })
        .unwrap();
        for _ in 0..3 {
            assert!(step.run(()).item().is_finite());
        }
        let stats = step.stats();
        assert!(stats.graphs <= 2, "the step is one graph: {stats:?}");
        assert_eq!(no_grad(|| model.forward(&x)).to_vec::<f32>().len(), 20);
        assert!(rushlight::cuda::memory_stats(1).unwrap().blocks > 0);
    }
    let stats = rushlight::cuda::memory_stats(1).unwrap();
    assert_eq!((stats.blocks, stats.allocated), (0, 0), "{stats:?}");
}

/// In a step that goes on as the one before, nothing is asked of the driver.
#[test]
fn in_steady_state_no_memory_is_asked_for() {
    let _alone = alone();
    let device = cuda();
    manual_seed(10);
    let model = sequential![Linear::new(16, 32), ReLU, Linear::new(32, 4)];
    model.to(&device);
    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    let batches = [(rand([8, 16]), randint(0, 4, [8]))];
    train(&device, &model, &mut optimizer, &batches, 3);
    let before = rushlight::cuda::memory_stats(0).unwrap().requests;
    train(&device, &model, &mut optimizer, &batches, 5);
    assert_eq!(rushlight::cuda::memory_stats(0).unwrap().requests, before);
}
