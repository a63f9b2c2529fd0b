//! A run that may be killed at any moment and goes on where it was, bit for bit.
//!
//! `cargo run --release --example resume -- --dir runs/digits`

use rushlight::data::{Digits, random_split};
use rushlight::nn::{BatchNorm2d, Conv2d, Dropout, Flatten, MaxPool2d};
use rushlight::optim::lr_scheduler::OneCycleLR;
use rushlight::prelude::*;
use rushlight::train::{
    Callback, Checkpoint, Context, CsvLogger, Every, JsonlLogger, Outcome, ProgressBar, Trainer,
    seed_everything,
};
use rushlight::{Result, set_num_threads};
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str =
    "Trains a convolutional network on the handwritten digits that rushlight carries, for 3 epochs with dropout,
momentum and a schedule, and writes checkpoints and logs into a folder. If the folder holds a run that is not over, it
goes on: kill it, or press Ctrl-C, and start it again. The last line is the same for every number of threads, workers
and interruptions.

Usage: cargo run --release --example resume -- --dir DIR [OPTIONS]

  --dir DIR         the folder of the run
  --quick           a run in a folder among the temporary files, which is removed
  --seed N          seed of weights, split, shuffles and dropout (default 1)
  --threads N       threads to compute with
  --workers N       worker threads of the loader (default 0)
  --augment         move each image by up to a pixel, otherwise in each epoch
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

/// The image `(1, 8, 8)`, moved by up to a pixel. The draws are the sample's own: workers have no part in them.
fn moved(image: &Tensor) -> Tensor {
    let by = randint(0, 3, [2]).to_vec::<i64>();
    let wide = rushlight::constant_pad_nd(image, [1, 1, 1, 1], 0.0);
    wide.narrow(1, by[0] as isize, 8).narrow(2, by[1] as isize, 8)
}

fn run(dir: &str, options: &Options) -> Result<()> {
    let generator = seed_everything(options.seed.unwrap_or(1));
    if let Some(threads) = options.threads {
        set_num_threads(threads);
    }
    let augment = options.augment;
    let [train_set, test_set] = random_split(Digits::new(), [1437, 360], &generator);
    let train_set = train_set.map(move |(image, label)| {
        let image = image.reshape([1, 8, 8]);
        Ok((if augment { moved(&image) } else { image }, label))
    });
    let test_set = test_set.map(|(image, label)| Ok((image.reshape([1, 8, 8]), label)));
    let train_loader = DataLoader::new(train_set).batch_size(32).shuffle(true).num_workers(options.workers);
    let test_loader = DataLoader::new(test_set).batch_size(120).num_workers(options.workers);

    let model = sequential![
        Conv2d::new(1, 8, 3),
        BatchNorm2d::new(8),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.25),
        Linear::new(8 * 3 * 3, 10),
    ];
    let optimizer = SGD::new(model.parameters(), 0.1).momentum(0.9);
    let schedule = OneCycleLR::new(&optimizer, 0.2, 3 * train_loader.len());

    let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy)
        .max_epochs(3)
        .schedule(schedule, Every::Step)
        .callback(ProgressBar::new())
        .callback(CsvLogger::new(format!("{dir}/epochs.csv")))
        .callback(JsonlLogger::new(format!("{dir}/steps.jsonl")).every_steps(1))
        .callback(Checkpoint::new(dir).every_steps(options.every.unwrap_or(5)))
        .callback(ForTests { until: options.until, hang: options.hang })
        .resume(dir)
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
