//! A model goes into files and comes back: safetensors, PyTorch's pth, and npz.
//!
//! `cargo run --release --example save_load`

mod common;

use common::Options;
use rushlight::nn::{BatchNorm2d, Conv2d, Flatten, MaxPool2d};
use rushlight::prelude::*;
use rushlight::{Error, Result, load, save};

const HELP: &str =
    "Saves a small network in three forms of file, loads each into a fresh network, and compares the outputs.

Usage: cargo run --release --example save_load [-- OPTIONS]

  --out DIR         where the files go (default: a folder among the temporary files)";

fn network() -> Sequential {
    sequential![
        Conv2d::new(1, 8, 3),
        BatchNorm2d::new(8),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(8 * 13 * 13, 10),
    ]
}

fn run() -> Result<()> {
    let options = Options::parse(HELP, 1, 1, &["--out"]);
    let folder = std::env::temp_dir().join(format!("rushlight-save-load-{}", std::process::id()));
    let folder = options.own("--out", folder.display().to_string());
    std::fs::create_dir_all(&folder).map_err(|error| Error::invalid(folder.clone(), error.to_string()))?;

    manual_seed(options.seed);
    let model = network();
    // A pass in training mode moves the running statistics, which belong to the state, too.
    model.forward(&rushlight::randn([16, 1, 28, 28]));
    model.eval();
    let images = rushlight::randn([4, 1, 28, 28]);
    let outputs = no_grad(|| model.forward(&images));
    println!("{model}\n\n{:<32} shape", "state dict");
    for (name, tensor) in model.state_dict() {
        println!("{name:<32} {:?}", &tensor.shape()[..]);
    }
    println!();
    for name in ["model.safetensors", "model.pth", "model.npz"] {
        let path = format!("{folder}/{name}");
        save(&path, &model.state_dict())?;
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        let fresh = network();
        fresh.load_state_dict(&load(&path)?)?;
        fresh.eval();
        let same = no_grad(|| fresh.forward(&images)).equal(&outputs);
        println!("{name:<20} {bytes:>6} bytes, same outputs: {same}");
        if !same {
            return Err(Error::invalid(path, "the loaded network gives other outputs"));
        }
    }
    println!("\nIn PyTorch: model.load_state_dict(torch.load('model.pth', weights_only=True))");
    if options.own("--out", String::new()).is_empty() {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Error::invalid(folder.clone(), error.to_string()))?;
    }
    Ok(())
}

fn main() {
    common::main(run);
}
