//! What every metric can do.

use crate::metrics::ConfusionMatrix;
use rushlight_array::Result;
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// A number that is gathered over the batches of an epoch.
///
/// [`metrics`](crate::metrics) has the usual ones. A metric of your own is [`FnMetric`](crate::metrics::FnMetric) where
/// it is a mean over samples, and a type with this trait otherwise.
pub trait Metric: Send {
    /// The name under which the value is logged.
    fn name(&self) -> String;

    /// Takes in a batch: what the model gave, and what it should have given.
    fn update(&mut self, output: &Tensor, target: &Tensor);

    /// The value over everything since the last [`reset`](Metric::reset); NaN where it is not defined yet.
    fn value(&self) -> f64;

    /// Forgets everything that was taken in.
    fn reset(&mut self);

    /// The metric as a confusion matrix, if it is one: for pictures.
    fn confusion_matrix(&self) -> Option<&ConfusionMatrix> {
        None
    }

    /// Everything that was taken in, for a checkpoint.
    fn state(&self) -> Value;

    /// Goes on from a [`state`](Metric::state), with the bits that an uninterrupted run would have.
    ///
    /// # Errors
    /// If the state is not one of a metric like this; the metric is unchanged then.
    fn load_state(&mut self, state: &Value) -> Result<()>;
}
