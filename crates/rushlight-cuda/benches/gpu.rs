//! Timings on a GPU as lines of JSON, to stand beside those of `gpu/torch.py`, which does the same with PyTorch: pointwise
//! work, reductions, matrix products, and the training steps of W1 (a toy network), W2 (an MLP), W3 (a CNN) and W8 (a small
//! GPT), kernel by kernel and as graphs. The data are random numbers: they do not change the times.
//!
//! `cargo bench -p rushlight-cuda --bench gpu -- [NAME ..]`

#[path = "gpu/gpt.rs"]
mod gpt;

use rushlight::amp::autocast;
use rushlight::cuda;
use rushlight::nn::{Conv2d, Flatten, MaxPool2d};
use rushlight::prelude::*;
use std::time::Instant;

/// Who prints a line: kernels one by one, or graphs.
const EAGER: &str = "rushlight";
const GRAPH: &str = "rushlight.graph";

pub(crate) struct Bench {
    device: Device,
    only: Vec<String>,
    quick: bool,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }

    fn print(peer: &str, workload: &str, metric: &str, value: f64) {
        println!(
            "{{\"peer\":\"{peer}\",\"workload\":\"{workload}\",\"metric\":\"{metric}\",\"value\":{value}}}"
        );
    }

    fn synchronize(&self) {
        cuda::synchronize(0).expect("the device is there");
    }

    /// Seconds of a call: the median of seven runs of at least a tenth of a second, the host's clock around work that has
    /// ended.
    fn seconds(&self, mut call: impl FnMut()) -> f64 {
        let mut run = |calls: usize| {
            self.synchronize();
            let start = Instant::now();
            (0..calls).for_each(|_| call());
            self.synchronize();
            start.elapsed().as_secs_f64()
        };
        run(2);
        let least = if self.quick { 1e-3 } else { 0.1 };
        let mut calls = 1;
        while run(calls) < least {
            calls *= 2;
        }
        let mut times: Vec<f64> = (0..7).map(|_| run(calls) / calls as f64).collect();
        times.sort_by(f64::total_cmp);
        times[3]
    }

    /// A random tensor on the device.
    fn randn(&self, shape: &[usize]) -> Tensor {
        rushlight::autograd::no_grad(|| rushlight::randn(shape).to(&self.device))
    }
}

fn pointwise(bench: &Bench) {
    let n = if bench.quick { 1 << 12 } else { 1 << 26 };
    let (a, b) = (bench.randn(&[n]), bench.randn(&[n]));
    let bytes = 4.0 * n as f64;
    let rate = |name: &str, arrays: f64, call: &dyn Fn() -> Tensor| {
        let seconds = bench.seconds(|| drop(call()));
        Bench::print(EAGER, "pointwise", &format!("{name}_GB_per_s"), arrays * bytes / seconds / 1e9);
    };
    rate("copy", 2.0, &|| Tensor::from(a.array().copy()));
    rate("add", 3.0, &|| &a + &b);
    rate("relu", 2.0, &|| a.relu());
    rate("gelu", 2.0, &|| a.gelu());
    rate("exp", 2.0, &|| a.exp());
    let side = if bench.quick { 64 } else { 8192 };
    let x = bench.randn(&[side, side]);
    let bytes = 4.0 * (side * side) as f64;
    let rate = |name: &str, arrays: f64, call: &dyn Fn() -> Tensor| {
        let seconds = bench.seconds(|| drop(call()));
        Bench::print(EAGER, "reduce", &format!("{name}_GB_per_s"), arrays * bytes / seconds / 1e9);
    };
    rate("sum_all", 1.0, &|| x.sum());
    rate("sum_rows", 1.0, &|| x.sum_dim(1, false));
    rate("sum_columns", 1.0, &|| x.sum_dim(0, false));
    rate("softmax", 2.0, &|| x.softmax(1));
    rate("layer_norm", 2.0, &|| F::layer_norm(&x, &[side], None, None));
    rate("transpose", 2.0, &|| x.t().contiguous());
}

fn products(bench: &Bench) {
    for n in if bench.quick { [64, 128] } else { [1024, 4096] } {
        let (a, b) = (bench.randn(&[n, n]), bench.randn(&[n, n]));
        let rate = |name: &str, a: &Tensor, b: &Tensor| {
            let seconds = bench.seconds(|| drop(a.matmul(b)));
            let metric = format!("{name}_{n}_TFLOP_per_s");
            Bench::print(EAGER, "gemm", &metric, 2.0 * (n as f64).powi(3) / seconds / 1e12);
        };
        rate("f32", &a, &b);
        cuda::set_float32_matmul_precision(cuda::Precision::High);
        rate("tf32", &a, &b);
        cuda::set_float32_matmul_precision(cuda::Precision::Highest);
        rate("bf16", &a.to(DType::BF16), &b.to(DType::BF16));
    }
}

fn mlp(sizes: [usize; 4]) -> Sequential {
    let [a, b, c, d] = sizes;
    sequential![Linear::new(a, b), ReLU, Linear::new(b, c), ReLU, Linear::new(c, d)]
}

fn cnn() -> Sequential {
    sequential![
        Conv2d::new(1, 10, 5),
        ReLU,
        MaxPool2d::new(2),
        Conv2d::new(10, 20, 5),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(320, 10),
    ]
}

/// Steps of training a classifier, one by one and as a graph.
fn classifier<O: Optimizer>(
    bench: &Bench,
    name: &str,
    batch: &[usize],
    classes: i64,
    make: impl Fn() -> Sequential,
    optimizer: impl Fn(&Sequential) -> O,
) {
    let x = bench.randn(batch);
    let y = randint(0, classes, [batch[0]]).to(&bench.device);
    for peer in [EAGER, GRAPH] {
        let model = make();
        model.to(&bench.device);
        let mut optimizer = optimizer(&model);
        let mut step = |()| {
            let loss = F::cross_entropy(&model.forward(&x), &y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
        };
        let seconds = if peer == GRAPH {
            let mut step = cuda::graph_step(&bench.device, step).expect("a GPU");
            bench.seconds(|| step.run(()))
        } else {
            bench.seconds(|| step(()))
        };
        Bench::print(peer, name, "train_samples_per_s", batch[0] as f64 / seconds);
    }
}

fn inference(bench: &Bench) {
    let (model, x) = (cnn(), bench.randn(&[1000, 1, 28, 28]));
    model.to(&bench.device);
    let seconds = bench.seconds(|| no_grad(|| drop(model.forward(&x))));
    Bench::print(EAGER, "W3", "infer_samples_per_s_b1000", 1000.0 / seconds);
}

fn language(bench: &Bench) {
    for (precision, narrow) in [("f32", false), ("bf16", true)] {
        for peer in [EAGER, GRAPH] {
            let model = gpt::Gpt::new();
            model.to(&bench.device);
            let mut optimizer = rushlight::optim::AdamW::new(model.parameters(), 3e-4);
            let piece = randint(0, gpt::VOCABULARY as i64, [gpt::BATCH, gpt::TIME + 1]).to(&bench.device);
            let (x, y) = (piece.narrow(1, 0, gpt::TIME), piece.narrow(1, 1, gpt::TIME));
            let mut step = |()| {
                let loss = || {
                    let logits = model.forward(&x).reshape([-1, gpt::VOCABULARY as isize]);
                    F::cross_entropy(&logits, &y.reshape([-1]))
                };
                let loss = if narrow { autocast(&bench.device, DType::BF16, loss) } else { loss() };
                optimizer.zero_grad();
                loss.backward();
                optimizer.step();
            };
            let seconds = if peer == GRAPH {
                let mut step = cuda::graph_step(&bench.device, step).expect("a GPU");
                bench.seconds(|| step.run(()))
            } else {
                bench.seconds(|| step(()))
            };
            let tokens = (gpt::BATCH * gpt::TIME) as f64;
            Bench::print(peer, "W8", &format!("{precision}_tokens_per_s"), tokens / seconds);
        }
    }
}

fn main() {
    // Cargo hands `--bench` on.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let quick = words.iter().any(|word| word == "--quick");
    let only = words.into_iter().filter(|word| word != "--quick").collect();
    let device = match device("cuda:0") {
        Ok(device) => device,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    let name = cuda::device_name(0).expect("the device is there");
    eprintln!("{name}; cuBLAS: {}", cuda::cublas().unwrap_or_else(|| "none".to_owned()));
    manual_seed(7);
    let bench = Bench { device, only, quick };
    let b = |size| if quick { 4 } else { size };
    if bench.wants("pointwise") {
        pointwise(&bench);
    }
    if bench.wants("gemm") {
        products(&bench);
    }
    if bench.wants("W1") {
        classifier(
            &bench,
            "W1",
            &[2, 2],
            2,
            || mlp([2, 30, 20, 2]),
            |model| SGD::new(model.parameters(), 0.5),
        );
    }
    if bench.wants("W2") {
        let adam = |model: &Sequential| Adam::new(model.parameters(), 3e-4);
        classifier(&bench, "W2", &[b(64), 784], 10, || mlp([784, 128, 64, 10]), adam);
    }
    if bench.wants("W3") {
        let sgd = |model: &Sequential| SGD::new(model.parameters(), 0.001);
        classifier(&bench, "W3", &[b(64), 1, 28, 28], 10, cnn, sgd);
        inference(&bench);
    }
    if bench.wants("W8") {
        language(&bench);
    }
}
