//! What the larger examples share: their options, and a pass through a loader.

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::data::datasets::DataRoot;
use rushlight::prelude::*;
use rushlight::{Device, Result, set_num_threads};
use std::path::PathBuf;
use std::process::exit;

/// Options that all of them have, and what else was given.
pub(crate) struct Options {
    pub(crate) data: Option<PathBuf>,
    pub(crate) device: Device,
    pub(crate) seed: u64,
    pub(crate) epochs: usize,
    pub(crate) quick: bool,
    others: Vec<(String, String)>,
}

/// The options' lines in a help text.
pub(crate) const COMMON: &str =
    "  --data DIR        the folder with the files (else RUSHLIGHT_DATA, the cache, the network)
  --device NAME     where to compute (default cpu)
  --seed N          seed of all random numbers
  --epochs N        how long to train: passes through the data, or what is said above
  --threads N       threads to compute with; they change no number
  --quick           a short run";

impl Options {
    /// Reads the command line, with the example's own names. `--help` and mistakes end the program.
    pub(crate) fn parse(help: &str, seed: u64, epochs: usize, own: &[&str]) -> Options {
        let mut options =
            Options { data: None, device: Device::cpu(), seed, epochs, quick: false, others: Vec::new() };
        if let Err(message) = options.read(help, own) {
            eprintln!("{message}");
            exit(2);
        }
        options
    }

    fn read(&mut self, help: &str, own: &[&str]) -> std::result::Result<(), String> {
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--help" => {
                    println!("{help}\n{COMMON}");
                    exit(0);
                }
                "--quick" => {
                    self.quick = true;
                    continue;
                }
                _ => {}
            }
            let known = ["--data", "--device", "--seed", "--epochs", "--threads"].contains(&arg.as_str());
            if !known && !own.contains(&arg.as_str()) {
                return Err(format!("unknown option {arg}\n\n{help}\n{COMMON}"));
            }
            let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{arg} needs a number, not '{value}'"));
            match arg.as_str() {
                "--data" => self.data = Some(PathBuf::from(value)),
                "--device" => self.device = rushlight::device(&value).map_err(|error| error.to_string())?,
                "--seed" => self.seed = number()?,
                "--epochs" => self.epochs = number()? as usize,
                "--threads" => set_num_threads(number()? as usize),
                _ => self.others.push((arg, value)),
            }
        }
        Ok(())
    }

    /// One of the example's own options.
    pub(crate) fn own<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        match self.others.iter().rev().find(|(known, _)| known == name) {
            None => default,
            Some((_, value)) => value.parse().unwrap_or_else(|_| {
                eprintln!("{name} cannot be '{value}'");
                exit(2);
            }),
        }
    }

    /// Where the data sets are.
    #[allow(dead_code, reason = "not every example has files to read")]
    pub(crate) fn root(&self) -> DataRoot {
        DataRoot::from_option(self.data.clone())
    }
}

/// A bar for so many batches.
#[allow(dead_code, reason = "not every example shows one")]
pub(crate) fn progress_bar(batches: usize) -> ProgressBar {
    let bar = ProgressBar::new(batches as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} batches, {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// The mean loss and the share of right answers.
#[allow(dead_code, reason = "not every example classifies")]
pub(crate) fn test(
    model: &impl Module,
    batches: impl Iterator<Item = Result<(Tensor, Tensor)>>,
    device: &Device,
) -> Result<(f64, f64)> {
    model.eval();
    let (mut loss, mut correct, mut total) = (0.0, 0.0, 0.0);
    for batch in batches {
        let (images, labels) = batch?;
        let (images, labels) = (images.to(device), labels.to(device));
        let logits = no_grad(|| model.forward(&images));
        loss += F::cross_entropy(&logits, &labels).item() * labels.len() as f64;
        correct += logits.argmax_dim(1, false).eq(&labels).sum().item();
        total += labels.len() as f64;
    }
    Ok((loss / total, correct / total))
}

/// Runs an example and turns an error into its message and exit status 1.
pub(crate) fn main(run: impl FnOnce() -> Result<()>) {
    if let Err(error) = run() {
        eprintln!("{error}");
        exit(1);
    }
}
