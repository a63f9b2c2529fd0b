//! A real data set is learnt.

use crate::alone;
use rushlight::data::{Digits, random_split};
use rushlight::nn::Dropout;
use rushlight::prelude::*;

#[test]
fn an_mlp_reads_at_least_97_percent_of_held_out_digits() {
    let _turn = alone();
    let generator = manual_seed(1);
    let [train, test] = random_split(Digits::new(), [1438, 359], &generator);
    let train = DataLoader::new(train).batch_size(32).shuffle(true);
    let test = DataLoader::new(test).batch_size(359);
    let model = sequential![
        Linear::new(64, 128),
        ReLU,
        Dropout::new(0.2),
        Linear::new(128, 64),
        ReLU,
        Linear::new(64, 10)
    ];
    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    for _ in 0..60 {
        for batch in &train {
            let (images, labels) = batch.unwrap();
            let loss = F::cross_entropy(&model.forward(&images), &labels);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
        }
    }
    model.eval();
    let (images, labels) = test.iter().next().unwrap().unwrap();
    let right = no_grad(|| model.forward(&images)).argmax_dim(1, false).eq(&labels).sum().item();
    assert!(right / 359.0 >= 0.97, "{right} of 359");
}
