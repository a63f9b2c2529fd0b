//! Training with rushlight: a small loop, callbacks for all else, and runs that go on bit for bit where they were stopped.
//!
//! The central type is [`Trainer`]. It goes through a loader, epoch after epoch, and tells [`Callback`]s what happens:
//! they write logs and checkpoints, show a bar, stop early.
//!
//! ```no_run
//! use rushlight_data::{DataLoader, Digits};
//! use rushlight_nn::{Linear, Module, functional as F};
//! use rushlight_optim::SGD;
//! use rushlight_train::{Checkpoint, CsvLogger, Trainer};
//!
//! let model = Linear::new(64, 10);
//! let loader = DataLoader::new(Digits::new()).batch_size(32).shuffle(true);
//! let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy)
//!     .max_epochs(10)
//!     .callback(CsvLogger::new("runs/first/log.csv"))
//!     .callback(Checkpoint::new("runs/first").every_steps(100))
//!     .resume("runs/first");
//! trainer.fit(&loader, None)?;
//! # Ok::<(), rushlight_array::Error>(())
//! ```
//!
//! **One decision explained: a checkpoint is a whole run.** It is written after all callbacks have seen an event, and holds
//! model, optimisers, schedules, generators, the loader's place within its epoch, the sums of metrics, and the state of each
//! callback, which for a log file is its length. So a run that goes on from it repeats nothing and leaves nothing out: its
//! weights and log files are those of a run that was never interrupted, bit for bit, on any number of threads and workers.
//!
//! **Another.** A metric counts in integers, or sums exactly and rounds once at the end ([`metrics::ExactSum`]). So the
//! value over a data set is a property of its samples: whether they come in batches of 7 or of 512, with a short last one,
//! or with a restart in between changes no bit of it.
//!
//! A [`RunFolder`] puts checkpoints, logs, pictures and a run card into one folder. The card, as JSON and as a page to look at,
//! says what it takes to train again, and [`replay`] does it and compares the weights.
//!
//! What is promised: with one seed, one program and one processor the bits are the same across threads, workers, kills and
//! resumes. Across processors with other vector units only large matrix products may differ; across devices sums are in
//! another order. Times are not in the logs, because they are never the same.

mod callback;
mod callbacks;
mod convert;
mod evaluate;
mod fit;
mod folder;
mod interrupt;
mod loader;
mod logs;
mod lr_find;
mod metric;
pub mod metrics;
mod output;
#[cfg(feature = "plots")]
pub mod plots;
mod png;
mod progress;
mod replay;
pub mod report;
mod run_folder;
mod seed;
mod snapshot;
mod summary;
pub mod tensorboard;
mod trainer;

pub use callback::{Callback, Context, Moment};
#[cfg(feature = "plots")]
pub use callbacks::Plots;
pub use callbacks::{
    Checkpoint, CsvLogger, EarlyStopping, GradientReport, JsonlLogger, LrMonitor, Mode, NanGuard,
    ProgressBar, Report, TensorBoard, Timer,
};
pub use interrupt::Stopper;
pub use loader::{Input, Loader};
pub use logs::Logs;
pub use lr_find::{LrCurve, LrFindOptions};
pub use metric::Metric;
pub use output::{Criterion, Output};
pub use progress::{Outcome, Progress};
pub use replay::{Replay, replay};
pub use run_folder::RunFolder;
pub use seed::seed_everything;
pub use snapshot::weights_sha256;
pub use trainer::{Every, Trainer};
