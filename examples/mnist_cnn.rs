//! A lecture's convolutional network on MNIST: two convolutions, plain SGD, losses and accuracies by epoch.
//!
//! After ten epochs the test accuracy is 0.9161, 0.9194 and 0.9154 with the seeds 1234 to 1236; the lecture prints 0.9115.
//! With `--optimizer adam --epochs 3` it is 0.9892, 0.9881 and 0.9897.
//!
//! `cargo run --release --example mnist_cnn -- --data FOLDER`, and with `--trainer RUNS` the same by the trainer, with all that
//! is to be known of the run in a folder

mod common;

use common::Options;
use rushlight::data::ImageDataset;
use rushlight::data::datasets::{MNIST, Split};
use rushlight::data::transforms::{Normalize, ToTensor};
use rushlight::nn::{Conv2d, CrossEntropyLoss, MaxPool2d};
use rushlight::optim::Optimizer;
use rushlight::prelude::*;
use rushlight::train::metrics::ConfusionMatrix;
use rushlight::train::report::sha256_of_tensors;
use rushlight::train::{Outcome, ProgressBar, RunFolder, Trainer};
use rushlight::{Error, Result};

const HELP: &str =
    "Trains two convolutional layers and a linear one on MNIST and tests them after each epoch.

Usage: cargo run --release --example mnist_cnn [-- OPTIONS]

  --optimizer NAME  sgd (default) or adam
  --lr X            learning rate (default 0.001)
  --batch-size N    images of a batch (default 64 as in the lecture; 16 with adam)
  --mean X, --std X the pixels' mean and deviation, to normalise by (default 0 and 1, as they are; with adam MNIST's own,
                    0.1307 and 0.3081)
  --workers N       worker threads of the loader (default 0); they change no number
  --trainer DIR     by the trainer instead of the loop by hand; the weights are the same. Checkpoints, logs, pictures and a
                    report go into the folder; a run that is not over goes on";

#[allow(clippy::upper_case_acronyms, reason = "the name as PyTorch's texts have it")]
struct CNN {
    conv1: Sequential,
    conv2: Sequential,
    fc: Linear,
    act: ReLU,
}
fields!(CNN { conv1, conv2, fc, act });

impl CNN {
    fn new() -> Self {
        CNN {
            conv1: sequential![Conv2d::new(1, 10, 5), ReLU, MaxPool2d::new(2)],
            conv2: sequential![Conv2d::new(10, 20, 5), ReLU, MaxPool2d::new(2)],
            fc: Linear::new(320, 10),
            act: ReLU,
        }
    }
}

impl Module for CNN {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.conv2.forward(&self.conv1.forward(x));
        self.fc.forward(&x.flatten(1, -1))
    }
}

fn run() -> Result<()> {
    let options = Options::parse(
        HELP,
        1234,
        10,
        &["--optimizer", "--lr", "--batch-size", "--mean", "--std", "--workers", "--trainer"],
    );
    let adam = match options.own("--optimizer", "sgd".to_owned()).as_str() {
        "adam" => true,
        "sgd" => false,
        other => return Err(Error::invalid("--optimizer", format!("'{other}' is neither sgd nor adam"))),
    };
    let (default_size, default_mean, default_std) = if adam { (16, 0.1307, 0.3081) } else { (64, 0.0, 1.0) };
    let (lr, batch_size, workers) =
        (options.own("--lr", 0.001), options.own("--batch-size", default_size), options.own("--workers", 0));
    manual_seed(options.seed);

    let (mean, std) = (options.own("--mean", default_mean), options.own("--std", default_std));
    let transform = || (ToTensor::new(), Normalize::new([mean], [std]));
    let train_data = MNIST::new(options.root(), Split::Train)?.transform(transform());
    let test_data = MNIST::new(options.root(), Split::Test)?.transform(transform());
    let hash = match options.own("--trainer", String::new()).is_empty() {
        true => String::new(),
        false => sha256_of_tensors(&[("images".to_owned(), train_data.dataset().data())])?,
    };
    let train_loader = DataLoader::new(train_data).batch_size(batch_size).shuffle(true).num_workers(workers);
    let test_loader = DataLoader::new(test_data).batch_size(1000).num_workers(workers);

    let model = CNN::new();
    model.to(&options.device);
    println!("{model}");
    let criterion = CrossEntropyLoss::new();
    let mut optimizer: Box<dyn Optimizer> = match adam {
        true => Box::new(Adam::new(model.parameters(), lr)),
        false => Box::new(SGD::new(model.parameters(), lr)),
    };

    let dir = options.own("--trainer", String::new());
    if !dir.is_empty() {
        let folder = RunFolder::new(dir)
            .resume(true)
            .log_every_steps(10)
            .checkpoint(|checkpoint| checkpoint.every_steps(1000))
            .plots(|plots| plots.classes((0..10).map(|digit| digit.to_string())))
            .report(|report| report.setting("batch size", batch_size).data("MNIST's images", &hash));
        let mut trainer = Trainer::new(&model, optimizer, criterion)
            .max_epochs(if options.quick { 1 } else { options.epochs })
            .limit_batches(if options.quick { 50 } else { usize::MAX }, usize::MAX)
            .metric(ConfusionMatrix::new(10).named("accuracy"))
            .callback(ProgressBar::new())
            .run_folder(folder)
            .ctrl_c();
        if trainer.fit(&train_loader, Some(&test_loader))? != Outcome::Interrupted {
            let accuracy = trainer.evaluate(&test_loader)?.get("accuracy").unwrap_or(f64::NAN);
            println!("Test accuracy: {accuracy:.4}");
        }
        return Ok(());
    }

    let (epochs, most) = if options.quick { (1, 50) } else { (options.epochs, usize::MAX) };
    let mut accuracy = 0.0;
    for epoch in 1..=epochs {
        model.train();
        let bar = common::progress_bar(train_loader.len().min(most));
        let (mut sum, mut count) = (0.0, 0);
        for batch in train_loader.iter().take(most) {
            let (images, labels) = batch?;
            let (images, labels) = (images.to(&options.device), labels.to(&options.device));
            optimizer.zero_grad();
            let loss = criterion.forward(&model.forward(&images), &labels);
            loss.backward();
            optimizer.step();
            sum += loss.item() * labels.len() as f64;
            count += labels.len();
            bar.inc(1);
            bar.set_message(format!("epoch {epoch}/{epochs}, loss {:.4}", sum / count as f64));
        }
        bar.finish_and_clear();
        let (loss, right) = common::test(&model, test_loader.iter(), &options.device)?;
        accuracy = right;
        println!(
            "epoch {epoch:>2}  train loss {:.4}  test loss {loss:.4}  test accuracy {right:.4}",
            sum / count as f64
        );
    }
    println!("Test accuracy: {accuracy:.4}");
    Ok(())
}

fn main() {
    common::main(run);
}
