//! What the trainer costs: an MLP on MNIST (W2 of `workloads`) by hand and by the trainer with bar and logs, in turn.
//!
//! `cargo run --release --example trainer_overhead -- --data FOLDER`

use rushlight::data::idx;
use rushlight::prelude::*;
use rushlight::train::{
    CsvLogger, JsonlLogger, LrMonitor, ProgressBar, TensorBoard, Trainer, weights_sha256,
};
use rushlight::{Result, set_num_threads};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str = "Trains 784-128-64-10 with Adam in batches of 64, an epoch by hand and an epoch by the trainer in turn, and
prints the seconds that they kept the processors busy (on Linux; elsewhere those that passed) and their ratio, so that
other programs have little part in it. The trainer shows its bar, logs each step as JSON and for TensorBoard, and each epoch
as CSV. Both come to the same weights.

Usage: cargo run --release --example trainer_overhead [-- OPTIONS]

  --data DIR        folder with MNIST's uncompressed idx files (default: random pictures of that size)
  --rounds N        epochs of each (default 10)
  --threads N       threads of large operations (default 2)
  --quick           2 rounds of 640 pictures";

struct Options {
    data: Option<PathBuf>,
    rounds: usize,
    threads: usize,
    quick: bool,
}

fn options() -> std::result::Result<Option<Options>, String> {
    let mut options = Options { data: None, rounds: 10, threads: 2, quick: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{arg} needs a number, not '{text}'"));
        match arg.as_str() {
            "--help" => return Ok(None),
            "--data" => options.data = Some(PathBuf::from(value()?)),
            "--rounds" => options.rounds = number(value()?)?,
            "--threads" => options.threads = number(value()?)?,
            "--quick" => (options.quick, options.rounds) = (true, 2),
            other => return Err(format!("unknown option {other}\n\n{HELP}")),
        }
    }
    Ok(Some(options))
}

/// Seconds on processors, of all threads of this program, where the kernel tells them; else seconds that passed.
fn busy(start: Instant) -> f64 {
    let nanoseconds = |thread: std::io::Result<std::fs::DirEntry>| -> Option<f64> {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let sum: f64 = threads.filter_map(nanoseconds).sum();
    if sum > 0.0 { sum / 1e9 } else { start.elapsed().as_secs_f64() }
}

/// Pictures `(N, 784)` and their classes.
fn data(options: &Options) -> Result<(Tensor, Tensor)> {
    match &options.data {
        Some(folder) => {
            let x = idx::read(folder.join("train-images-idx3-ubyte"))?;
            let y = idx::read(folder.join("train-labels-idx1-ubyte"))?.to(DType::I64);
            Ok(((x.reshape([-1, 784]).to(DType::F32) / 255.0 - 0.5) / 0.5, y))
        }
        None => {
            let count = if options.quick { 640 } else { 60_000 };
            Ok((randn([count, 784]), randint(0, 10, [count])))
        }
    }
}

fn model() -> (Sequential, Adam) {
    manual_seed(7);
    let model = sequential![Linear::new(784, 128), ReLU, Linear::new(128, 64), ReLU, Linear::new(64, 10)];
    let optimizer = Adam::new(model.parameters(), 3e-4);
    (model, optimizer)
}

fn run(options: &Options, folder: &Path) -> Result<()> {
    manual_seed(1);
    set_num_threads(options.threads);
    let (x, y) = data(options)?;
    let loader = || {
        let generator = rushlight::array::random::Generator::new(42);
        let data = TensorDataset::new(x.clone(), y.clone());
        DataLoader::new(data).batch_size(64).shuffle(true).generator(generator)
    };
    let (by_hand, mut optimizer) = model();
    let (by_trainer, other) = model();
    let (hand_loader, trainer_loader) = (loader(), loader());
    let mut trainer = Trainer::new(&by_trainer, other, F::cross_entropy)
        .callback(ProgressBar::new())
        .callback(LrMonitor::new())
        .callback(CsvLogger::new(folder.join("epochs.csv")))
        .callback(JsonlLogger::new(folder.join("steps.jsonl")).every_steps(1))
        .callback(TensorBoard::new(folder).every_steps(1));

    let mut epoch_by_hand = || -> Result<f64> {
        let (mut sum, mut count) = (0.0, 0);
        for batch in &hand_loader {
            let (x, y) = batch?;
            optimizer.zero_grad();
            let loss = F::cross_entropy(&by_hand.forward(&x), &y);
            loss.backward();
            optimizer.step();
            sum += loss.item() * y.len() as f64;
            count += y.len();
        }
        Ok(sum / count as f64)
    };
    let start = Instant::now();
    let (mut hand, mut train, mut ratios) = (0.0, 0.0, Vec::new());
    // The first round warms both up. They take turns at being the first.
    for round in 0..=options.rounds {
        let (mut first, mut second, mut loss) = (0.0, 0.0, 0.0);
        for turn in 0..2 {
            let before = busy(start);
            if (round + turn).is_multiple_of(2) {
                loss = epoch_by_hand()?;
                first = busy(start) - before;
            } else {
                trainer.set_max_epochs(round + 1);
                trainer.fit(&trainer_loader, None)?;
                second = busy(start) - before;
            }
        }
        let ratio = second / first;
        println!(
            "round {round:>2}  by hand {first:.3} s  trainer {second:.3} s  ratio {ratio:.4}  loss {loss:.4}"
        );
        if round > 0 {
            (hand, train) = (hand + first, train + second);
            ratios.push(ratio);
        }
    }
    drop(trainer);
    ratios.sort_by(f64::total_cmp);
    println!("trainer / by hand: {:.4} of all, {:.4} the median", train / hand, ratios[ratios.len() / 2]);
    let same = weights_sha256(&by_hand)? == weights_sha256(&by_trainer)?;
    println!("the weights are {}", if same { "equal" } else { "not equal" });
    Ok(())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    let folder = std::env::temp_dir().join(format!("rushlight-overhead-{}", std::process::id()));
    let result = run(&options, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
