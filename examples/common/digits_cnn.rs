//! What the examples `resume` and `custom_loop` have in common: the data, the model, its optimiser and its schedule.

use rushlight::Result;
use rushlight::array::random::Generator;
use rushlight::data::{Digits, random_split};
use rushlight::nn::{BatchNorm2d, Conv2d, Dropout, Flatten, MaxPool2d};
use rushlight::optim::lr_scheduler::OneCycleLR;
use rushlight::prelude::*;
use rushlight::train::report::sha256_of_tensors;

pub(crate) const EPOCHS: usize = 3;

/// The hash of all digits, for a run card.
#[allow(dead_code, reason = "not every example writes a card")]
pub(crate) fn data_sha256() -> Result<String> {
    let digits = Digits::new();
    let named = [("images", digits.images()), ("labels", digits.labels())];
    sha256_of_tensors(&named.map(|(name, tensor)| (name.to_owned(), tensor.clone())))
}

/// The digits as images `(1, 8, 8)`, 1437 to learn from and 360 to be tested with.
pub(crate) fn data(generator: &Generator, augment: bool) -> [Box<dyn Dataset<Item = (Tensor, i64)>>; 2] {
    let [train, test] = random_split(Digits::new(), [1437, 360], generator);
    let image = move |augment: bool| {
        move |(image, label): (Tensor, i64)| -> Result<(Tensor, i64)> {
            let image = image.reshape([1, 8, 8]);
            Ok((if augment { moved(&image) } else { image }, label))
        }
    };
    [Box::new(train.map(image(augment))), Box::new(test.map(image(false)))]
}

/// The image moved by up to a pixel. The draws are the sample's own: workers have no part in them.
fn moved(image: &Tensor) -> Tensor {
    let by = randint(0, 3, [2]).to_vec::<i64>();
    let wide = rushlight::constant_pad_nd(image, [1, 1, 1, 1], 0.0);
    wide.narrow(1, by[0] as isize, 8).narrow(2, by[1] as isize, 8)
}

pub(crate) fn model() -> Sequential {
    sequential![
        Conv2d::new(1, 8, 3),
        BatchNorm2d::new(8),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.25),
        Linear::new(8 * 3 * 3, 10),
    ]
}

/// SGD with momentum, and a schedule of so many batches an epoch.
pub(crate) fn optimizer(model: &Sequential, batches: usize) -> (SGD, OneCycleLR) {
    let optimizer = SGD::new(model.parameters(), 0.1).momentum(0.9);
    let schedule = OneCycleLR::new(&optimizer, 0.2, EPOCHS * batches);
    (optimizer, schedule)
}
