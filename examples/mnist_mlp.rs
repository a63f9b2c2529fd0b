//! A text's network of three linear layers on MNIST, with Adam.
//!
//! With batches of 16, five epochs give a test accuracy of 0.971 to 0.976 (seeds 1 to 3); with the text's 64 it is 0.964,
//! and PyTorch's is 0.961 to 0.965 (seeds 0 to 2).
//!
//! `cargo run --release --example mnist_mlp -- --data FOLDER`

mod common;

use common::Options;
use rushlight::Result;
use rushlight::data::ImageDataset;
use rushlight::data::datasets::{MNIST, Split};
use rushlight::data::transforms::ToTensor;
use rushlight::prelude::*;

const HELP: &str = "Trains three linear layers on MNIST with Adam and tests them after each epoch.

Usage: cargo run --release --example mnist_mlp [-- OPTIONS]

  --lr X            learning rate (default 0.0003)
  --batch-size N    images of a batch (default 16)";

struct Net {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}
fields!(Net { fc1, fc2, fc3 });

impl Net {
    fn new() -> Self {
        Net { fc1: Linear::new(28 * 28, 128), fc2: Linear::new(128, 64), fc3: Linear::new(64, 10) }
    }
}

impl Module for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x.view([-1, 28 * 28]);
        let h1 = self.fc1.forward(&x).relu();
        let h2 = self.fc2.forward(&h1).relu();
        self.fc3.forward(&h2)
    }
}

fn run() -> Result<()> {
    let options = Options::parse(HELP, 1, 5, &["--lr", "--batch-size"]);
    manual_seed(options.seed);
    let train_data = MNIST::new(options.root(), Split::Train)?.transform(ToTensor::new());
    let test_data = MNIST::new(options.root(), Split::Test)?.transform(ToTensor::new());
    let train_loader = DataLoader::new(train_data).batch_size(options.own("--batch-size", 16)).shuffle(true);
    let test_loader = DataLoader::new(test_data).batch_size(1000);

    let model = Net::new();
    model.to(&options.device);
    println!("{model}");
    let mut optimizer = Adam::new(model.parameters(), options.own("--lr", 3e-4));
    let (epochs, most) = if options.quick { (1, 50) } else { (options.epochs, usize::MAX) };
    for epoch in 1..=epochs {
        model.train();
        let bar = common::progress_bar(train_loader.len().min(most));
        let (mut sum, mut count) = (0.0, 0);
        for batch in train_loader.iter().take(most) {
            let (images, labels) = batch?;
            let (images, labels) = (images.to(&options.device), labels.to(&options.device));
            let loss = F::cross_entropy(&model.forward(&images), &labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            sum += loss.item() * labels.len() as f64;
            count += labels.len();
            bar.inc(1);
            bar.set_message(format!("epoch {epoch}/{epochs}, loss {:.4}", sum / count as f64));
        }
        bar.finish_and_clear();
        let (loss, accuracy) = common::test(&model, test_loader.iter(), &options.device)?;
        println!(
            "epoch {epoch:>2}  train loss {:.4}  test loss {loss:.4}  test accuracy {accuracy:.4}",
            sum / count as f64
        );
    }
    Ok(())
}

fn main() {
    common::main(run);
}
