//! Standard workloads with timings as JSON lines, to stand beside the same programs written for other
//! libraries: W1 (a toy network: overhead), W2 (an MLP on MNIST), W3 (a CNN on MNIST), W4 (the spiral, full
//! batch), W5 (matrix products), W6 (pointwise operations, reductions, a transpose), W7 (the data loader), W8 (a
//! small GPT).
//!
//! `cargo run --release --example workloads -- --only W1,W4 --threads 1`

#[path = "workloads/gemm.rs"]
mod gemm;
#[path = "workloads/gpt.rs"]
mod gpt;
#[path = "workloads/loader.rs"]
mod loader;
#[path = "workloads/pointwise.rs"]
mod pointwise;

use rushlight::array::{Array, random::Generator};
use rushlight::data::idx;
use rushlight::nn::{Conv2d, Flatten, MaxPool2d};
use rushlight::optim::Optimizer;
use rushlight::prelude::*;
use rushlight::{Result, set_num_threads};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "Standard workloads; prints one JSON line for each figure.

Usage: cargo run --release --example workloads [-- OPTIONS]

  --only W1[,W5]     only these of W1 to W8 (default: all; W2, W3 and W7 need --data)
  --threads N        threads of large operations (default 2)
  --data DIR         folder with MNIST's four uncompressed idx files (default: mnist)
  --peer NAME        the name in the lines (default rushlight)
  --startup W1       one training step and the process's figures since BENCH_T0 (ns since the epoch)
  --quick            a hundredth of the work, to see that it runs";

const WORKLOADS: [&str; 8] = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8"];

struct Args {
    only: Vec<String>,
    threads: usize,
    data: PathBuf,
    peer: String,
    startup: Option<String>,
    quick: bool,
}

impl Args {
    fn parse() -> std::result::Result<Option<Args>, String> {
        let mut found = Args {
            only: Vec::new(),
            threads: 2,
            data: PathBuf::from("mnist"),
            peer: "rushlight".to_string(),
            startup: None,
            quick: false,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                "--help" => return Ok(None),
                "--only" => found.only = value()?.split(',').map(str::to_string).collect(),
                "--threads" => {
                    let text = value()?;
                    found.threads =
                        text.parse().map_err(|_| format!("--threads needs a number, not '{text}'"))?;
                }
                "--data" => found.data = PathBuf::from(value()?),
                "--peer" => found.peer = value()?,
                "--startup" => found.startup = Some(value()?),
                "--quick" => found.quick = true,
                other => return Err(format!("unknown option {other}\n\n{HELP}")),
            }
        }
        Ok(Some(found))
    }

    fn wants(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|w| w == workload)
    }

    /// How often to repeat what takes `n` repetitions in full.
    fn times(&self, n: usize) -> usize {
        if self.quick { n.div_ceil(100) } else { n }
    }

    fn print(&self, workload: &str, metric: &str, value: f64) {
        println!(
            "{{\"peer\":\"{}-t{}\",\"workload\":\"{workload}\",\"metric\":\"{metric}\",\"value\":{value}}}",
            self.peer, self.threads
        );
    }
}

/// The seconds that a call takes, by the best of five runs of at least a quarter of `at_least` seconds each.
fn seconds_per_call(args: &Args, at_least: f64, mut call: impl FnMut()) -> f64 {
    let run_time = if args.quick { 0.01 } else { 1.0 } * at_least / 4.0;
    let mut run = |calls: usize| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64()
    };
    run(1);
    let mut calls = 1;
    let mut seconds = run(calls);
    while seconds <= run_time {
        calls *= 2;
        seconds = run(calls);
    }
    let best = seconds / calls as f64;
    let calls = ((calls as f64 * run_time / seconds) as usize).max(1);
    (0..4).fold(best, |best, _| best.min(run(calls) / calls as f64))
}

fn mlp(sizes: [usize; 4]) -> Sequential {
    let [a, b, c, d] = sizes;
    sequential![Linear::new(a, b), ReLU, Linear::new(b, c), ReLU, Linear::new(c, d)]
}

fn toy_batches() -> Vec<(Tensor, Tensor)> {
    let x = [[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]];
    let y = [0, 0, 0, 1, 1];
    let batch = |rows: [usize; 2]| (tensor(rows.map(|i| x[i])), tensor(rows.map(|i| y[i])));
    [[0, 3], [4, 1], [2, 3], [1, 4]].map(batch).to_vec()
}

/// W1: 2-30-20-2, batch 2, SGD 0.5; the arithmetic is nothing, so this counts overhead.
fn toy(args: &Args) {
    let model = mlp([2, 30, 20, 2]);
    let mut optimizer = SGD::new(model.parameters(), 0.5);
    let batches = toy_batches();
    let steps = args.times(20_000);
    let mut start = Instant::now();
    let mut last = 0.0;
    for i in 0..steps + 500 {
        if i == 500 {
            start = Instant::now();
        }
        let (x, y) = &batches[i % 4];
        let loss = F::cross_entropy(&model.forward(x), y);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        last = loss.item();
    }
    args.print("W1", "train_steps_per_s", steps as f64 / start.elapsed().as_secs_f64());
    args.print("W1", "final_loss", last);

    let x = tensor([[-1.2, 3.1]]);
    no_grad(|| {
        (0..500).for_each(|_| drop(model.forward(&x)));
        let start = Instant::now();
        (0..2 * steps).for_each(|_| drop(black_box(model.forward(&x))));
        args.print("W1", "infer_calls_per_s", 2.0 * steps as f64 / start.elapsed().as_secs_f64());
    });
}

/// Images as rows of floats from 0 to 1, and labels.
fn mnist(folder: &Path, images: &str, labels: &str) -> Result<(Tensor, Tensor)> {
    let x = idx::read(folder.join(images))?;
    let y = idx::read(folder.join(labels))?.to(DType::I64);
    Ok((x.reshape([-1, 784]).to(DType::F32) / 255.0, y))
}

/// Images and labels to learn from, and those to be tested with; `form` makes the images what the model takes.
type Data = [(Tensor, Tensor); 2];

fn both(folder: &Path, form: impl Fn(Tensor) -> Tensor) -> Result<Data> {
    let train = mnist(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")?;
    let test = mnist(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?;
    Ok([train, test].map(|(x, y)| (form(x), y)))
}

/// One epoch in batches of 64; the gather by index is part of it. Then the test.
fn epoch(args: &Args, workload: &str, model: &Sequential, optimizer: &mut impl Optimizer, data: &Data) {
    let [(x, y), (x_test, y_test)] = data;
    let count = args.times(x.len());
    let start = Instant::now();
    let order = Array::randperm(x.len(), &Generator::new(42)).narrow(0, 0, count);
    for indices in order.split(64, 0) {
        let indices = Tensor::from(indices);
        let (x, y) = (x.index_select(0, &indices), y.index_select(0, &indices));
        let loss = F::cross_entropy(&model.forward(&x), &y);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
    }
    args.print(workload, "train_samples_per_s", count as f64 / start.elapsed().as_secs_f64());
    let correct = no_grad(|| {
        let parts = x_test.split(1000, 0).into_iter().zip(y_test.split(1000, 0));
        parts.map(|(x, y)| model.forward(&x).argmax_dim(1, false).eq(&y).sum().item()).sum::<f64>()
    });
    args.print(workload, "test_accuracy", correct / x_test.len() as f64);
}

/// W2: 784-128-64-10 on MNIST, Adam 3e-4.
fn mnist_mlp(args: &Args) -> Result<()> {
    let data = both(&args.data, |x| (x - 0.5) / 0.5)?;
    let model = mlp([784, 128, 64, 10]);
    let mut optimizer = Adam::new(model.parameters(), 3e-4);
    epoch(args, "W2", &model, &mut optimizer, &data);
    Ok(())
}

/// W3: the lecture's two convolutions on MNIST, SGD 0.001, and inference in batches of 1000.
fn mnist_cnn(args: &Args) -> Result<()> {
    let data = both(&args.data, |x| x.reshape([-1, 1, 28, 28]))?;
    let model = sequential![
        Conv2d::new(1, 10, 5),
        ReLU,
        MaxPool2d::new(2),
        Conv2d::new(10, 20, 5),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(320, 10),
    ];
    let mut optimizer = SGD::new(model.parameters(), 0.001);
    epoch(args, "W3", &model, &mut optimizer, &data);
    let batches = data[1].0.split(1000, 0);
    no_grad(|| {
        drop(model.forward(&batches[0]));
        let start = Instant::now();
        for _ in 0..3 {
            batches.iter().for_each(|x| drop(black_box(model.forward(x))));
        }
        args.print("W3", "infer_samples_per_s_b1000", 30_000.0 / start.elapsed().as_secs_f64());
    });
    Ok(())
}

/// Three arms of a hundred points each.
fn spiral(generator: &Generator) -> (Tensor, Tensor) {
    let noise = Array::normal([300], 0.0, 0.2, DType::F32, generator).to_vec::<f32>();
    let point = |i: usize| {
        let (arm, r) = ((i / 100) as f32, (i % 100) as f32 / 99.0);
        let t = arm * 4.0 + 4.0 * r + noise[i];
        [r * t.sin(), r * t.cos()]
    };
    let labels: Vec<usize> = (0..300).map(|i| i / 100).collect();
    (tensor((0..300).map(point).collect::<Vec<_>>()), tensor(labels))
}

/// W4: the spiral through 2-100-3, full batch, step 1, with the L2 penalty as a part of the loss.
fn full_batch(args: &Args) {
    let generator = Generator::new(99);
    let (x, y) = spiral(&generator);
    let draw =
        |shape: [usize; 2]| Tensor::new_leaf(Array::normal(shape, 0.0, 0.01, DType::F32, &generator), true);
    let (w, w2) = (draw([2, 100]), draw([100, 3]));
    let (b, b2) = (zeros(100).requires_grad_(), zeros(3).requires_grad_());
    let mut optimizer = SGD::new([&w, &w2, &b, &b2], 1.0);
    let iterations = args.times(10_000);
    let start = Instant::now();
    let mut last = 0.0;
    for i in 0..iterations {
        let hidden = (x.matmul(&w) + &b).relu();
        let scores = hidden.matmul(&w2) + &b2;
        let penalty = w.square().sum() * 0.5e-3 + w2.square().sum() * 0.5e-3;
        let loss = F::cross_entropy(&scores, &y) + penalty;
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        if i + 1 == iterations {
            last = loss.item();
        }
    }
    args.print("W4", "iters_per_s", iterations as f64 / start.elapsed().as_secs_f64());
    args.print("W4", "final_loss", last);
}

/// The time since the process was started and its largest memory, after one step of W1.
fn startup(args: &Args, workload: &str) -> std::result::Result<(), String> {
    if workload != "W1" {
        return Err(format!("--startup {workload} is not known; there is W1"));
    }
    let model = mlp([2, 30, 20, 2]);
    let mut optimizer = SGD::new(model.parameters(), 0.001);
    let (x, y) = &toy_batches()[0];
    F::cross_entropy(&model.forward(x), y).backward();
    optimizer.step();
    if let Some(started) = std::env::var("BENCH_T0").ok().and_then(|t| t.parse::<f64>().ok()) {
        let now = std::time::UNIX_EPOCH.elapsed().map_err(|e| e.to_string())?.as_nanos() as f64;
        args.print("W9", "start_to_first_step_ms_W1", (now - started) / 1e6);
    }
    let status = std::fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    if let Some(kilobytes) = peak {
        args.print("W9", "peak_rss_MB_W1", kilobytes / 1024.0);
    }
    Ok(())
}

fn run(args: &Args) -> std::result::Result<(), String> {
    if let Some(workload) = &args.startup {
        return startup(args, workload);
    }
    if let Some(unknown) = args.only.iter().find(|w| !WORKLOADS.contains(&w.as_str())) {
        return Err(format!("there is no workload {unknown} yet; there are {}", WORKLOADS.join(", ")));
    }
    manual_seed(7);
    if args.wants("W1") {
        toy(args);
    }
    if args.wants("W2") {
        mnist_mlp(args).map_err(|e| format!("W2: {e}\n(--data names the folder with MNIST's idx files)"))?;
    }
    if args.wants("W3") {
        mnist_cnn(args).map_err(|e| format!("W3: {e}\n(--data names the folder with MNIST's idx files)"))?;
    }
    if args.wants("W4") {
        full_batch(args);
    }
    if args.wants("W5") {
        gemm::run(args);
    }
    if args.wants("W6") {
        pointwise::run(args);
    }
    if args.wants("W7") {
        loader::run(args).map_err(|e| format!("W7: {e}"))?;
    }
    if args.wants("W8") {
        gpt::run(args);
    }
    Ok(())
}

fn main() -> ExitCode {
    let args = match Args::parse() {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    set_num_threads(args.threads.max(1));
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
