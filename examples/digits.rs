//! Real data: an MLP that reads handwritten digits, 8 by 8 pixels each, with a progress bar.
//!
//! `cargo run --release --example digits`

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::Result;
use rushlight::data::{Digits, random_split};
use rushlight::nn::Dropout;
use rushlight::prelude::*;
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str =
    "Trains an MLP on the 1797 handwritten digits that rushlight carries (8x8 pixels; E. Alpaydin
and C. Kaynak, UCI, CC BY 4.0), with a fifth of them held out, and tests it on that fifth.

Usage: cargo run --release --example digits [-- OPTIONS]

  --epochs N        passes through the training data (default 60)
  --workers N       worker threads of the loader (default 0); the numbers stay the same
  --seed N          seed of weights, split and shuffles (default 1)
  --quick           4 epochs";

fn options() -> std::result::Result<Option<(usize, usize, u64)>, String> {
    let (mut epochs, mut workers, mut seed) = (60, 0, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().ok_or(format!("{arg} needs a number"))?;
            text.parse::<u64>().map_err(|_| format!("{arg} needs a number, not '{text}'"))
        };
        match arg.as_str() {
            "--help" => return Ok(None),
            "--epochs" => epochs = number()? as usize,
            "--workers" => workers = number()? as usize,
            "--seed" => seed = number()?,
            "--quick" => epochs = 4,
            other => return Err(format!("unknown option {other}\n\n{HELP}")),
        }
    }
    Ok(Some((epochs, workers, seed)))
}

/// The share of samples whose largest logit is that of their class.
fn accuracy(model: &Sequential, loader: impl Iterator<Item = Result<(Tensor, Tensor)>>) -> Result<f64> {
    model.eval();
    let (mut correct, mut total) = (0.0, 0);
    for batch in loader {
        let (images, labels) = batch?;
        let predictions = no_grad(|| model.forward(&images)).argmax_dim(1, false);
        correct += predictions.eq(&labels).sum().item();
        total += labels.len();
    }
    Ok(correct / total as f64)
}

fn run(epochs: usize, workers: usize, seed: u64) -> Result<()> {
    let generator = manual_seed(seed);
    let digits = Digits::new();
    let test_len = digits.len() / 5;
    let train_len = digits.len() - test_len;
    let [train_set, test_set] = random_split(digits, [train_len, test_len], &generator);

    let train_loader = DataLoader::new(train_set).batch_size(32).shuffle(true).num_workers(workers);
    let test_loader = DataLoader::new(test_set).batch_size(256).num_workers(workers);

    let model = sequential![
        Linear::new(64, 128),
        ReLU,
        Dropout::new(0.2),
        Linear::new(128, 64),
        ReLU,
        Linear::new(64, 10),
    ];
    println!("{model}\n{} parameters\n", model.num_parameters());

    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    let bar = ProgressBar::new((epochs * train_loader.len()) as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} batches, {msg}, {eta} left") {
        bar.set_style(style);
    }
    let start = Instant::now();
    for epoch in 1..=epochs {
        model.train();
        let (mut sum, mut count) = (0.0, 0);
        for batch in &train_loader {
            let (images, labels) = batch?;
            let loss = F::cross_entropy(&model.forward(&images), &labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            sum += loss.item() * labels.len() as f64;
            count += labels.len();
            bar.inc(1);
        }
        let loss = sum / count as f64;
        bar.set_message(format!("epoch {epoch}/{epochs}, loss {loss:.4}"));
        if epoch % 5 == 1 || epoch == epochs {
            let test = 100.0 * accuracy(&model, test_loader.iter())?;
            bar.suspend(|| println!("epoch {epoch:>3}  loss {loss:.4}  test accuracy {test:.2} %"));
        }
    }
    bar.finish_and_clear();
    println!("\n{epochs} epochs took {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> ExitCode {
    match options() {
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some((epochs, workers, seed))) => match run(epochs, workers, seed) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}
