//! W7: a shuffled epoch of MNIST through the loader, with ToTensor and Normalize on each image, batch 64, in images/s.

use crate::Args;
use rushlight::Result;
use rushlight::data::ImageDataset;
use rushlight::datasets::{MNIST, Split};
use rushlight::prelude::*;
use rushlight::transforms::{Normalize, ToTensor};
use std::hint::black_box;
use std::time::Instant;

pub(crate) fn run(args: &Args) -> Result<()> {
    let train = MNIST::new(&args.data, Split::Train)?;
    for workers in [0, 2] {
        let images = train.clone().transform((ToTensor::new(), Normalize::new([0.5], [0.5])));
        let loader = DataLoader::new(images).batch_size(64).shuffle(true).num_workers(workers);
        let mut best = 0.0_f64;
        for _ in 0..if args.quick { 1 } else { 5 } {
            let start = Instant::now();
            let mut seen = 0;
            for batch in &loader {
                let (images, labels) = batch?;
                black_box(images);
                seen += labels.len();
            }
            best = best.max(seen as f64 / start.elapsed().as_secs_f64());
        }
        args.print("W7", &format!("images_per_s_workers{workers}"), best);
    }
    Ok(())
}
