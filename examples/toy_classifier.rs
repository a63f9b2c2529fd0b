//! A typical training loop: five points, two classes, and the very numbers that the PyTorch texts print.
//!
//! `cargo run --release --example toy_classifier`

use rushlight::Result;
use rushlight::prelude::*;
use std::process::ExitCode;

const HELP: &str = "Trains the toy classifier of the PyTorch texts and prints what they print.

Usage: cargo run --release --example toy_classifier [-- OPTIONS]

  --keep-last       keep the last, smaller batch, as text 001 does (others drop it)
  --workers N       load the data with N worker threads (default 0); the numbers stay the same
  --chacha          draw from rushlight's own generator instead of PyTorch's";

struct ToyDataset {
    features: Tensor,
    labels: Tensor,
}

impl Dataset for ToyDataset {
    type Item = (Tensor, Tensor);

    // To access one record.
    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        Ok((self.features.get(index), self.labels.get(index)))
    }

    fn len(&self) -> usize {
        self.labels.size(0)
    }
}

struct NeuralNetwork {
    layers: Sequential,
}
fields!(NeuralNetwork { layers });

impl NeuralNetwork {
    fn new(num_inputs: usize, num_outputs: usize) -> Self {
        let layers = sequential![
            // 1st hidden layer
            Linear::new(num_inputs, 30),
            ReLU,
            // 2nd hidden layer
            Linear::new(30, 20),
            ReLU,
            // output layer
            Linear::new(20, num_outputs),
        ];
        NeuralNetwork { layers }
    }
}

impl Module for NeuralNetwork {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.layers.forward(x)
    }
}

/// The share of samples whose largest logit is that of their class.
fn compute_accuracy(model: &NeuralNetwork, loader: &DataLoader<ToyDataset>) -> Result<f64> {
    model.eval();
    let (mut correct, mut total_examples) = (0.0, 0);
    for batch in loader {
        let (features, labels) = batch?;
        let logits = no_grad(|| model.forward(&features));
        let compare = labels.eq(&logits.argmax_dim(1, false));
        correct += compare.sum().item();
        total_examples += compare.len();
    }
    Ok(correct / total_examples as f64)
}

fn run(keep_last: bool, workers: usize, chacha: bool) -> Result<()> {
    let x_train = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
    let y_train = tensor([0, 0, 0, 1, 1]);
    let x_test = tensor([[-0.8, 2.8], [2.6, -1.6]]);
    let y_test = tensor([0, 1]);

    let train_loader = DataLoader::new(ToyDataset { features: x_train.clone(), labels: y_train.clone() })
        .batch_size(2)
        .shuffle(true)
        .drop_last(!keep_last)
        .num_workers(workers);
    let test_loader =
        DataLoader::new(ToyDataset { features: x_test, labels: y_test }).batch_size(2).num_workers(workers);

    if chacha {
        manual_seed(123);
    } else {
        manual_seed(TorchSeed(123));
    }
    let model = NeuralNetwork::new(2, 2);
    println!("{model}");
    println!("Total number of trainable model parameters: {}\n", model.num_parameters());

    let mut optimizer = SGD::new(model.parameters(), 0.5);
    let num_epochs = 3;
    for epoch in 0..num_epochs {
        model.train();
        for (batch_idx, batch) in train_loader.iter().enumerate() {
            let (features, labels) = batch?;
            let logits = model.forward(&features);
            let loss = F::cross_entropy(&logits, &labels);

            optimizer.zero_grad();
            loss.backward();
            optimizer.step();

            println!(
                "Epoch: {:03}/{num_epochs:03} | Batch {batch_idx:03}/{:03} | Train Loss: {loss:.2}",
                epoch + 1,
                train_loader.len(),
            );
        }
    }

    model.eval();
    let outputs = no_grad(|| model.forward(&x_train));
    println!("\n{outputs}");

    set_print_options(PrintOptions { sci_mode: Some(false), ..PrintOptions::default() });
    let probas = outputs.softmax(1);
    println!("{probas}");
    let predictions = probas.argmax_dim(1, false);
    println!("{predictions}");
    println!("{}", predictions.eq(&y_train));
    println!("{}\n", predictions.eq(&y_train).sum());

    println!("Train accuracy: {:?}", compute_accuracy(&model, &train_loader)?);
    println!("Test accuracy: {:?}", compute_accuracy(&model, &test_loader)?);
    Ok(())
}

/// `(keep_last, workers, chacha)`, or nothing if help is asked for.
fn options() -> std::result::Result<Option<(bool, usize, bool)>, String> {
    let (mut keep_last, mut workers, mut chacha) = (false, 0, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" => return Ok(None),
            "--keep-last" => keep_last = true,
            "--chacha" => chacha = true,
            "--workers" => {
                let text = args.next().ok_or("--workers needs a number")?;
                workers = text.parse().map_err(|_| format!("--workers needs a number, not '{text}'"))?;
            }
            other => return Err(format!("unknown option {other}\n\n{HELP}")),
        }
    }
    Ok(Some((keep_last, workers, chacha)))
}

fn main() -> ExitCode {
    let result = match options() {
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(Some((keep_last, workers, chacha))) => run(keep_last, workers, chacha),
        Err(message) => {
            eprintln!("{message}");
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
