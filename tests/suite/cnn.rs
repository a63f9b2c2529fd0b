//! The convolutional network of text 003, record by record of `../golden/seeds.json`.

use crate::alone;
use crate::texts::{check, check_text, record};
use rushlight::nn;
use rushlight::prelude::*;

/// The lecture's network.
#[allow(clippy::upper_case_acronyms, reason = "the text's name, which is printed")]
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
            conv1: sequential![nn::Conv2d::new(1, 10, 5), ReLU, nn::MaxPool2d::new(2)],
            conv2: sequential![nn::Conv2d::new(10, 20, 5), ReLU, nn::MaxPool2d::new(2)],
            fc: Linear::new(320, 10),
            act: ReLU,
        }
    }
}

impl Module for CNN {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.fc.forward(&self.conv2.forward(&self.conv1.forward(x)).flatten(1, -1))
    }
}

#[test]
fn the_lectures_cnn_prints_as_there() {
    let _turn = alone();
    check_text(CNN::new(), &record("cnn.print")["value"]);
}

#[test]
fn the_lectures_cnn_starts_and_learns_as_pytorchs() {
    let _turn = alone();
    let r = record("cnn.train");
    manual_seed(TorchSeed(1234));
    let model = CNN::new();
    assert_eq!(model.num_parameters(), r["value"]["params"]);
    let same = |r: &serde_json::Value, kind: &str, name: &str, tensor: &Tensor| {
        check(r, tensor, &serde_json::json!({ "tensor": format!("cnn.{kind}.{name}") }));
    };
    let exact = serde_json::json!({ "id": "cnn.init", "tol": {} });
    for (name, tensor) in model.named_parameters() {
        same(&exact, "init", &name, &tensor.detach());
    }
    let pixels: Vec<f32> = (0..64 * 784).map(|i| ((37 * i + 11) % 256) as f32 / 256.0).collect();
    let images = Tensor::from_vec(pixels, [64, 1, 28, 28]);
    let labels = Tensor::from_vec((0..64).map(|i| 3 * i % 10).collect::<Vec<i64>>(), 64);
    let mut optimizer = SGD::new(model.parameters(), 0.01);
    let mut losses = Vec::new();
    for step in 0..5 {
        let logits = model.forward(&images);
        if step == 0 {
            check(&r, &logits.select(0, 0), &r["value"]["logits_row0"]);
            assert!(model.fc.bias.as_ref().unwrap().grad().is_none());
        }
        let loss = F::cross_entropy(&logits, &labels);
        optimizer.zero_grad();
        loss.backward();
        if step == 0 {
            for (name, tensor) in model.named_parameters() {
                same(&r, "grad0", &name, &tensor.grad().unwrap());
            }
        }
        optimizer.step();
        losses.push(loss.item());
    }
    check(&r, &Tensor::from_vec(losses, 5), &r["value"]["losses"]);
    for (name, tensor) in model.named_parameters() {
        same(&r, "final", &name, &tensor.detach());
    }
}
