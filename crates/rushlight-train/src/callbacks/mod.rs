//! What most runs have beside their loop.

mod charts;
mod checkpoint;
mod early_stopping;
mod gradient_report;
mod log_file;
mod loggers;
mod lr_monitor;
mod nan_guard;
#[cfg(feature = "plots")]
mod plots;
mod progress_bar;
mod report;
mod tensor_board;
mod timer;

pub use checkpoint::Checkpoint;
pub use early_stopping::EarlyStopping;
pub use gradient_report::GradientReport;
pub use loggers::{CsvLogger, JsonlLogger};
pub use lr_monitor::LrMonitor;
pub use nan_guard::NanGuard;
#[cfg(feature = "plots")]
pub use plots::Plots;
pub use progress_bar::ProgressBar;
pub use report::Report;
pub use tensor_board::TensorBoard;
pub use timer::Timer;

/// Whether a number of the logs shall fall or rise.
pub use rushlight_optim::lr_scheduler::Mode;

/// Whether `value` is better than `best` by more than `min_delta`. What is not a number is never better.
fn is_better(mode: Mode, value: f64, best: f64, min_delta: f64) -> bool {
    match mode {
        Mode::Min => value < best - min_delta,
        Mode::Max => value > best + min_delta,
    }
}

/// What anything is better than.
fn worst(mode: Mode) -> f64 {
    match mode {
        Mode::Min => f64::INFINITY,
        Mode::Max => f64::NEG_INFINITY,
    }
}
