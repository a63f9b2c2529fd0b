//! What a training run shows and leaves behind: metrics, event files for TensorBoard, pictures, and a report.
//!
//! The central trait is [`Metric`]: a number gathered over the batches of an epoch.
//!
//! **One decision explained.** A metric counts in integers, or sums exactly and rounds once at the end
//! ([`metrics::ExactSum`]). So the value over a data set is a property of its samples: whether they come in batches of
//! 7 or of 512, with a short last one, or with a restart in between changes no bit of it.

mod metric;
pub mod metrics;
#[cfg(feature = "plots")]
pub mod plots;
mod png;
pub mod report;
pub mod tensorboard;

pub use metric::Metric;
