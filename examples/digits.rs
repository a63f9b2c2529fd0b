//! Real data: an MLP that reads handwritten digits, 8 by 8 pixels each, with a progress bar.
//!
//! `cargo run --release --example digits`, or with `-- --trainer` behind it the same by the trainer

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::Result;
use rushlight::data::{Digits, random_split};
use rushlight::nn::Dropout;
use rushlight::prelude::*;
use rushlight::train::metrics::ConfusionMatrix;
use rushlight::train::report::sha256_of_tensors;
use rushlight::train::{Mode, RunFolder, Trainer, weights_sha256};
use std::process::ExitCode;
use std::time::Instant;

const HELP: &str =
    "Trains an MLP on the 1797 handwritten digits that rushlight carries (8x8 pixels; E. Alpaydin
and C. Kaynak, UCI, CC BY 4.0), with a fifth of them held out, and tests it on that fifth.

Usage: cargo run --release --example digits [-- OPTIONS]

  --epochs N        passes through the training data (default 60)
  --workers N       worker threads of the loader (default 0); the numbers stay the same
  --seed N          seed of weights, split and shuffles (default 1)
  --trainer         by the trainer instead of the loop by hand; the weights are the same
  --dir DIR         with --trainer: checkpoints, logs, pictures and a report in this folder
  --quick           4 epochs";

struct Options {
    epochs: usize,
    workers: usize,
    seed: u64,
    trainer: bool,
    dir: Option<String>,
}

/// Nothing where help is asked for.
fn options() -> std::result::Result<Option<Options>, String> {
    let mut options = Options { epochs: 60, workers: 0, seed: 1, trainer: false, dir: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("{arg} needs a number, not '{text}'"));
        match arg.as_str() {
            "--help" => return Ok(None),
            "--epochs" => options.epochs = number(value()?)? as usize,
            "--workers" => options.workers = number(value()?)? as usize,
            "--seed" => options.seed = number(value()?)?,
            "--trainer" => options.trainer = true,
            "--dir" => options.dir = Some(value()?),
            "--quick" => options.epochs = 4,
            other => return Err(format!("unknown option {other}\n\n{HELP}")),
        }
    }
    Ok(Some(options))
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

/// The loop by hand, with a bar and the accuracy from time to time.
fn by_hand(
    epochs: usize,
    model: &Sequential,
    mut optimizer: Adam,
    train_loader: &DataLoader<impl Dataset<Item = (Tensor, i64)> + 'static>,
    test_loader: &DataLoader<impl Dataset<Item = (Tensor, i64)> + 'static>,
) -> Result<()> {
    let bar = ProgressBar::new((epochs * train_loader.len()) as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} batches, {msg}, {eta} left") {
        bar.set_style(style);
    }
    for epoch in 1..=epochs {
        model.train();
        let (mut sum, mut count) = (0.0, 0);
        for batch in train_loader {
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
            let test = 100.0 * accuracy(model, test_loader.iter())?;
            bar.suspend(|| println!("epoch {epoch:>3}  loss {loss:.4}  test accuracy {test:.2} %"));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The same by the trainer.
fn by_trainer(
    options: &Options,
    model: &Sequential,
    optimizer: Adam,
    train_loader: &DataLoader<impl Dataset<Item = (Tensor, i64)> + 'static>,
    test_loader: &DataLoader<impl Dataset<Item = (Tensor, i64)> + 'static>,
    samples: &(Tensor, Tensor),
) -> Result<()> {
    let mut trainer = Trainer::new(model, optimizer, F::cross_entropy)
        .max_epochs(options.epochs)
        .metric(ConfusionMatrix::new(10).named("accuracy"))
        .callback(rushlight::train::ProgressBar::new())
        .ctrl_c();
    if let Some(dir) = &options.dir {
        let digits = Digits::new();
        let data = [("images", digits.images()), ("labels", digits.labels())];
        let data = sha256_of_tensors(&data.map(|(name, tensor)| (name.to_owned(), tensor.clone())))?;
        let folder = RunFolder::new(dir)
            .resume(true)
            .checkpoint(|checkpoint| checkpoint.keep_best(1, "val_accuracy", Mode::Max))
            .plots(|plots| plots.samples(&samples.0, &samples.1, [8, 8]))
            .report(|report| report.setting("batch size", 32).data("digits", data));
        trainer = trainer.run_folder(folder);
    }
    println!("{}\n", trainer.summary(&ones([32, 64])));
    trainer.fit(train_loader, Some(test_loader))?;
    if let Some(last) = trainer.progress().history.last().and_then(|logs| logs.get("val_accuracy")) {
        println!("test accuracy {:.2} %", 100.0 * last);
    }
    Ok(())
}

fn run(options: &Options) -> Result<()> {
    let &Options { epochs, workers, seed, .. } = options;
    let generator = manual_seed(seed);
    let digits = Digits::new();
    let test_len = digits.len() / 5;
    let train_len = digits.len() - test_len;
    let [train_set, test_set] = random_split(digits, [train_len, test_len], &generator);

    let shown = (0..25).map(|i| test_set.get(i)).collect::<Result<Vec<_>>>()?;
    let (images, labels): (Vec<Tensor>, Vec<i64>) = shown.into_iter().unzip();
    let samples = (stack(&images.iter().collect::<Vec<_>>(), 0), tensor(labels));

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
    let optimizer = Adam::new(model.parameters(), 1e-3);
    let start = Instant::now();
    if options.trainer {
        by_trainer(options, &model, optimizer, &train_loader, &test_loader, &samples)?;
    } else {
        println!("{model}\n{} parameters\n", model.num_parameters());
        by_hand(epochs, &model, optimizer, &train_loader, &test_loader)?;
    }
    println!("\n{epochs} epochs took {:.1} s", start.elapsed().as_secs_f64());
    println!("final weights sha256 {}", weights_sha256(&model)?);
    Ok(())
}

fn main() -> ExitCode {
    match options() {
        Ok(None) => {
            println!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(Some(options)) => match run(&options) {
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
