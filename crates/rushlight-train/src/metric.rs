use rushlight_array::Result;
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// A measure that is summed up over batches of any sizes and read at the end of an epoch.
///
/// It keeps sums and counts, not averages of batches, so that a smaller last batch does not weigh too much. Its state
/// is part of every checkpoint: a run that goes on in the middle of an epoch has the same value at its end.
pub trait Metric: Send {
    /// The name in logs: `accuracy`. The one of validation gets `val_` before it.
    fn name(&self) -> String;

    /// Takes a batch in: what the model gave and what was wanted, in the shapes that the metric says.
    fn update(&mut self, output: &Tensor, target: &Tensor);

    /// The value of all batches since the last [`reset`](Metric::reset).
    fn value(&self) -> f64;

    /// Forgets all batches.
    fn reset(&mut self);

    /// The sums, for a checkpoint.
    fn state(&self) -> Value;

    /// Goes on from a state.
    ///
    /// # Errors
    /// If it is not one of such a metric.
    fn load_state(&mut self, state: &Value) -> Result<()>;
}
