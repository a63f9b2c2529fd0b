//! The training of the example `resume` without the trainer: the loop by hand, with the same weights in the end.
//!
//! Both are there to be read side by side. What the trainer adds are checkpoints from which a run goes on, logs, pictures and
//! the report.
//!
//! `cargo run --release --example custom_loop`

#[path = "common/digits_cnn.rs"]
mod digits_cnn;

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::optim::lr_scheduler::LRScheduler;
use rushlight::prelude::*;
use rushlight::train::{seed_everything, weights_sha256};
use rushlight::{Result, set_num_threads};
use std::process::ExitCode;

const HELP: &str =
    "Trains a convolutional network on the handwritten digits that rushlight carries, for 3 epochs with dropout,
momentum and a schedule: what the example `resume` does with the trainer, by hand. The last line is the same.

Usage: cargo run --release --example custom_loop [-- OPTIONS]

  --seed N          seed of weights, split, shuffles and dropout (default 1)
  --threads N       threads to compute with
  --workers N       worker threads of the loader (default 0)
  --augment         move each image by up to a pixel, otherwise in each epoch
  --weights FILE    write the weights of the best epoch, as safetensors
  --quick           the same: it takes no time";

#[derive(Default)]
struct Options {
    seed: Option<u64>,
    threads: Option<usize>,
    workers: usize,
    augment: bool,
    weights: Option<String>,
}

impl Options {
    fn parse() -> std::result::Result<Options, String> {
        let mut options = Options::default();
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            if arg == "--quick" {
                continue;
            }
            if arg == "--augment" {
                options.augment = true;
                continue;
            }
            let value = args.next().ok_or(format!("{arg} needs a value\n\n{HELP}"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{arg} needs a number, not '{value}'"));
            match arg.as_str() {
                "--seed" => options.seed = Some(number()?),
                "--threads" => options.threads = Some(number()? as usize),
                "--workers" => options.workers = number()? as usize,
                "--weights" => options.weights = Some(value),
                other => return Err(format!("unknown option {other}\n\n{HELP}")),
            }
        }
        Ok(options)
    }
}

/// Mean loss and accuracy over a loader.
fn evaluate(
    model: &Sequential,
    batches: impl Iterator<Item = Result<(Tensor, Tensor)>>,
) -> Result<(f64, f64)> {
    model.eval();
    let (mut loss, mut right, mut count) = (0.0, 0.0, 0.0);
    for batch in batches {
        let (images, labels) = batch?;
        let logits = no_grad(|| model.forward(&images));
        loss += F::cross_entropy(&logits, &labels).item() * labels.len() as f64;
        right += logits.argmax_dim(1, false).eq(&labels).sum().item();
        count += labels.len() as f64;
    }
    Ok((loss / count, right / count))
}

fn run(options: &Options) -> Result<()> {
    let generator = seed_everything(options.seed.unwrap_or(1));
    if let Some(threads) = options.threads {
        set_num_threads(threads);
    }
    let [train_set, test_set] = digits_cnn::data(&generator, options.augment);
    let train_loader = DataLoader::new(train_set).batch_size(32).shuffle(true).num_workers(options.workers);
    let test_loader = DataLoader::new(test_set).batch_size(120).num_workers(options.workers);

    let model = digits_cnn::model();
    let (mut optimizer, mut schedule) = digits_cnn::optimizer(&model, train_loader.len());
    let mut best = f64::INFINITY;
    for epoch in 1..=digits_cnn::EPOCHS {
        let bar = ProgressBar::new(train_loader.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} batches, {msg}") {
            bar.set_style(style);
        }
        model.train();
        let (mut sum, mut count) = (0.0, 0);
        for batch in &train_loader {
            let (images, labels) = batch?;
            optimizer.zero_grad();
            let loss = F::cross_entropy(&model.forward(&images), &labels);
            loss.backward();
            optimizer.step();
            schedule.step();
            sum += loss.item() * labels.len() as f64;
            count += labels.len();
            bar.set_message(format!("epoch {epoch}, loss {:.4}", sum / count as f64));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let (test_loss, accuracy) = evaluate(&model, test_loader.iter())?;
        println!(
            "epoch {epoch}  loss {:.4}  test loss {test_loss:.4}  test accuracy {accuracy:.4}",
            sum / count as f64
        );
        if let Some(path) = options.weights.as_ref().filter(|_| test_loss < best) {
            rushlight::save(path, &model.state_dict())?;
        }
        best = best.min(test_loss);
    }
    println!("final weights sha256 {}", weights_sha256(&model)?);
    Ok(())
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
