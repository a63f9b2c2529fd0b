//! A run that may be killed at any moment and goes on where it was, bit for bit.
//!
//! `cargo run --release --example resume -- --dir runs/digits`

#[path = "common/digits_cnn.rs"]
mod digits_cnn;

use rushlight::prelude::*;
use rushlight::train::metrics::ConfusionMatrix;
use rushlight::train::report::RunCard;
use rushlight::train::{
    Callback, Context, Every, Outcome, ProgressBar, RunFolder, Trainer, replay, seed_everything,
};
use rushlight::{Result, set_num_threads};
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str =
    "Trains a convolutional network on the handwritten digits that rushlight carries, for 3 epochs with dropout,
momentum and a schedule, and writes checkpoints, logs, pictures and a report into a folder. If the folder holds a run
that is not over, it goes on: kill it, or press Ctrl-C, and start it again. The last line is the same for every number of
threads, workers and interruptions.

Usage: cargo run --release --example resume -- --dir DIR [OPTIONS]

  --dir DIR         the folder of the run
  --quick           a run in a folder among the temporary files, which is removed
  --seed N          seed of weights, split, shuffles and dropout (default 1)
  --threads N       threads to compute with
  --workers N       worker threads of the loader (default 0)
  --augment         move each image by up to a pixel, otherwise in each epoch
  --replay          train again as the run card in the folder says, and compare the weights
  --every N         steps between checkpoints (default 5)
  --until N         stop as Ctrl-C does after N steps, for tests
  --hang N          stand still in step N, for tests";

#[derive(Default)]
struct Options {
    dir: Option<String>,
    seed: Option<u64>,
    threads: Option<usize>,
    workers: usize,
    augment: bool,
    quick: bool,
    replay: bool,
    every: Option<usize>,
    until: Option<usize>,
    hang: Option<usize>,
}

impl Options {
    fn parse() -> std::result::Result<Options, String> {
        let mut options = Options::default();
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--augment" => {
                    options.augment = true;
                    continue;
                }
                "--quick" => {
                    options.quick = true;
                    continue;
                }
                "--replay" => {
                    options.replay = true;
                    continue;
                }
                _ => {}
            }
            let value = args.next().ok_or(format!("{arg} needs a value\n\n{HELP}"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{arg} needs a number, not '{value}'"));
            match arg.as_str() {
                "--dir" => options.dir = Some(value),
                "--seed" => options.seed = Some(number()?),
                "--threads" => options.threads = Some(number()? as usize),
                "--workers" => options.workers = number()? as usize,
                "--every" => options.every = Some(number()? as usize),
                "--until" => options.until = Some(number()? as usize),
                "--hang" => options.hang = Some(number()? as usize),
                other => return Err(format!("unknown option {other}\n\n{HELP}")),
            }
        }
        Ok(options)
    }
}

fn run(dir: &str, options: &Options) -> Result<()> {
    let generator = seed_everything(options.seed.unwrap_or(1));
    if let Some(threads) = options.threads {
        set_num_threads(threads);
    }
    let data_hash = digits_cnn::data_sha256()?;
    let [train_set, test_set] = digits_cnn::data(&generator, options.augment);
    let (images, labels): (Vec<Tensor>, Vec<i64>) =
        (0..25).map(|i| test_set.get(i)).collect::<Result<Vec<_>>>()?.into_iter().unzip();
    let images = stack(&images.iter().collect::<Vec<_>>(), 0);
    let train_loader = DataLoader::new(train_set).batch_size(32).shuffle(true).num_workers(options.workers);
    let test_loader = DataLoader::new(test_set).batch_size(120).num_workers(options.workers);

    let model = digits_cnn::model();
    let (optimizer, schedule) = digits_cnn::optimizer(&model, train_loader.len());
    let folder = RunFolder::new(dir)
        .resume(true)
        .checkpoint(|checkpoint| checkpoint.every_steps(options.every.unwrap_or(5)))
        .plots(|plots| plots.samples(&images, &tensor(labels), [8, 8]))
        .report(|report| {
            report.setting("batch size", 32).setting("augment", options.augment).data("digits", data_hash)
        });
    let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy)
        .max_epochs(digits_cnn::EPOCHS)
        .schedule(schedule, Every::Step)
        .metric(ConfusionMatrix::new(10).named("accuracy"))
        .callback(ProgressBar::new())
        .callback(ForTests { until: options.until, hang: options.hang })
        .run_folder(folder)
        .ctrl_c();
    if trainer.fit(&train_loader, Some(&test_loader))? == Outcome::Interrupted {
        return Ok(());
    }
    println!("final weights sha256 {}", rushlight::train::weights_sha256(&model)?);
    Ok(())
}

/// What the tests of this program ask for.
struct ForTests {
    until: Option<usize>,
    hang: Option<usize>,
}

impl Callback for ForTests {
    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let step = Some(cx.progress.step);
        if step == self.until {
            cx.interrupt();
        }
        if step == self.hang {
            std::thread::sleep(Duration::from_secs(600));
        }
        Ok(())
    }
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
    let quick = std::env::temp_dir().join(format!("rushlight-resume-{}", std::process::id()));
    let result = match &options.dir {
        Some(dir) if options.replay => {
            RunCard::load(format!("{dir}/card.json")).and_then(|card| replay(&card)).map(|replay| {
                println!("{replay}");
            })
        }
        Some(dir) => run(dir, &options),
        None if options.quick => {
            let result = run(&quick.display().to_string(), &options);
            let _ = std::fs::remove_dir_all(&quick);
            result
        }
        None => {
            eprintln!("--dir is missing\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
