//! Metrics over uneven batches: counts and exact sums, the definitions of scikit-learn and torchmetrics.
//!
//! | metric | output | target | gathers |
//! | --- | --- | --- | --- |
//! | [`Mean`] | a loss | the batch | an exact sum of losses times batch sizes |
//! | [`FnMetric`] | anything | anything | an exact sum over samples |
//! | [`Accuracy`], [`Precision`], [`Recall`], [`F1`], [`ConfusionMatrix`] | scores `(N, C, ...)` or classes `(N, ...)` | classes `(N, ...)` | counts |
//! | [`TopKAccuracy`] | scores `(N, C, ...)` | classes `(N, ...)` | counts |
//! | [`RocAuc`] | scores `(N)`, `(N, 1)` or `(N, C)` | classes `(N)` | every score |
//! | [`MeanSquaredError`], [`MeanAbsoluteError`] | any shape | the same shape | an exact sum |
//! | [`R2Score`] | `(N)` or `(N, D)` | the same shape | exact sums |
//! | [`Perplexity`] | scores `(N, V)` or `(N, L, V)` | tokens `(N)` or `(N, L)` | an exact sum |
//!
//! **Bits.** For given outputs and targets the value of each of them is the same for every division into batches and
//! for every order of the samples, except for [`Mean`], whose losses were rounded by whoever computed them for a batch.
//! (Whether a *model* gives a sample the same output in batches of another size is another matter: large matrix
//! products need not.) A state holds the counts and sums without loss, so a metric that was saved and loaded in the
//! middle of an epoch ends with the bits of one that was not.
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_train::Metric;
//! use rushlight_train::metrics::Accuracy;
//!
//! let mut accuracy = Accuracy::new();
//! accuracy.update(&tensor([[0.1, 0.9], [0.8, 0.2]]), &tensor([1, 1]));
//! accuracy.update(&tensor([[0.3, 0.7]]), &tensor([1]));
//! assert_eq!(accuracy.value(), 2.0 / 3.0);
//! ```

mod accuracy;
mod confusion;
mod mean;
mod perplexity;
mod prf;
mod r2;
mod regression;
mod roc_auc;
mod sum;
mod values;

pub use accuracy::{Accuracy, TopKAccuracy};
pub use confusion::{ConfusionMatrix, Normalize};
pub use mean::{FnMetric, Mean};
pub use perplexity::Perplexity;
pub use prf::{Average, F1, Precision, Recall};
pub use r2::{MultiOutput, R2Score};
pub use regression::{MeanAbsoluteError, MeanSquaredError};
pub use roc_auc::{RocAuc, RocAverage, Scores};
pub use sum::ExactSum;

/// The builder method for another name.
macro_rules! named {
    () => {
        /// The same under another name in logs.
        #[must_use]
        pub fn named(mut self, name: impl Into<String>) -> Self {
            self.name = name.into();
            self
        }
    };
}
use named;
