//! Whole runs: what they log, where they stop, and that they go on bit for bit.

mod callbacks;
mod exact;
mod faults;
mod fit;
mod run_folder;

use rushlight_array::Result;
use rushlight_autograd::{Tensor, randint};
use rushlight_data::{Dataset, Digits};
use rushlight_nn::{
    BatchNorm2d, Conv2d, Dropout, Flatten, LSTM, Linear, MaxPool2d, Module, ReLU, RnnOptions, Sequential,
    fields, sequential,
};
use rushlight_serialize::Value;
use rushlight_train::{Callback, Context, Metric};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Runs share the default generator and the number of threads: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The share of right answers.
#[derive(Default)]
struct Right(f64, f64);

impl Metric for Right {
    fn name(&self) -> String {
        "right".into()
    }
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        self.0 += output.argmax_dim(1, false).eq(target).sum().item();
        self.1 += target.len() as f64;
    }
    fn value(&self) -> f64 {
        self.0 / self.1
    }
    fn reset(&mut self) {
        *self = Right::default();
    }
    fn state(&self) -> Value {
        Value::from([self.0, self.1])
    }
    fn load_state(&mut self, state: &Value) -> Result<()> {
        *self = Right(state.list()?[0].float()?, state.list()?[1].float()?);
        Ok(())
    }
}

/// Interrupts the run after a step.
struct At(usize);

impl Callback for At {
    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if cx.progress.step == self.0 {
            cx.interrupt();
        }
        Ok(())
    }
}

/// An empty folder for a test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("rushlight-train-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The first `len` digits as `(1, 8, 8)`, moved by up to a pixel if `augment`.
fn digits(len: usize, augment: bool) -> impl Dataset<Item = (Tensor, i64)> + 'static {
    struct First(Digits, usize);
    impl Dataset for First {
        type Item = (Tensor, i64);
        fn len(&self) -> usize {
            self.1
        }
        fn get(&self, index: usize) -> Result<(Tensor, i64)> {
            self.0.get(index)
        }
    }
    let image = move |(image, label): (Tensor, i64)| {
        let image = image.reshape([1, 8, 8]);
        if !augment {
            return Ok((image, label));
        }
        let by = randint(0, 3, [2]).to_vec::<i64>();
        let wide = rushlight_autograd::ops::constant_pad_nd(&image, [1, 1, 1, 1], 0.0);
        Ok((wide.narrow(1, by[0] as isize, 8).narrow(2, by[1] as isize, 8), label))
    };
    First(Digits::new(), len).map(image)
}

fn mlp() -> Sequential {
    sequential![Flatten::default(), Linear::new(64, 16), ReLU, Dropout::new(0.2), Linear::new(16, 10)]
}

fn cnn() -> Sequential {
    sequential![
        Conv2d::new(1, 4, 3),
        BatchNorm2d::new(4),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Dropout::new(0.25),
        Linear::new(36, 10),
    ]
}

/// Reads the rows of an image one after the other.
struct Reader {
    lstm: LSTM,
    head: Linear,
}
fields!(Reader { lstm, head });

impl Reader {
    fn new() -> Reader {
        Reader {
            lstm: LSTM::with(8, 12, RnnOptions { batch_first: true, ..Default::default() }),
            head: Linear::new(12, 10),
        }
    }
}

impl Module for Reader {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (rows, _) = self.lstm.forward(&x.reshape([-1, 8, 8]), None);
        self.head.forward(&rows.select(1, -1))
    }
}
