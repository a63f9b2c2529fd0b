//! Means of a loss and of your own numbers.

use super::named;
use super::sum::ExactSum;
use super::values::{floats, sizes};
use crate::Metric;
use rushlight_array::{Result, fail};
use rushlight_autograd::{Tensor, no_grad};
use rushlight_serialize::Value;

type Rule = Box<dyn Fn(&Tensor, &Tensor) -> Tensor + Send>;

/// A sum and the weight of what is in it.
#[derive(Clone, Default, Debug)]
pub(super) struct WeightedSum {
    pub(super) sum: ExactSum,
    pub(super) count: u64,
}

impl WeightedSum {
    /// The mean; NaN of nothing.
    pub(super) fn mean(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.sum.value() / self.count as f64 }
    }

    pub(super) fn state(&self) -> Value {
        Value::map().with("sum", self.sum.state()).with("count", self.count)
    }

    pub(super) fn from_state(state: &Value) -> Result<WeightedSum> {
        Ok(WeightedSum { sum: ExactSum::from_state(state.get("sum")?)?, count: state.get("count")?.int()? })
    }
}

/// The mean of a loss over samples: each batch's loss counts as often as the batch has samples.
///
/// Losses times batch sizes are summed exactly. The loss of a batch was rounded to its dtype before, so that other
/// batch sizes give another last digit; a [`FnMetric`] over losses of single samples does not have that.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_train::{Metric, metrics::Mean};
/// let mut loss = Mean::new("loss");
/// loss.add(2.0, 3);
/// loss.add(6.0, 1);
/// assert_eq!(loss.value(), 3.0);
/// // As a metric: of a loss that it computes itself.
/// let mut distance = Mean::of("distance", |output, target| (output - target).abs().mean());
/// distance.update(&tensor([1.0, 2.0]), &tensor([1.0, 4.0]));
/// assert_eq!(distance.value(), 1.0);
/// ```
pub struct Mean {
    name: String,
    loss: Option<Rule>,
    gathered: WeightedSum,
}

impl Mean {
    /// Of losses that are given to [`add`](Mean::add), or to [`update`](Metric::update) as the output.
    pub fn new(name: impl Into<String>) -> Mean {
        Mean { name: name.into(), loss: None, gathered: WeightedSum::default() }
    }

    /// Of a loss that is computed, without a graph, from output and target: a mean over the batch.
    pub fn of(name: impl Into<String>, loss: impl Fn(&Tensor, &Tensor) -> Tensor + Send + 'static) -> Mean {
        Mean { loss: Some(Box::new(loss)), ..Mean::new(name) }
    }

    /// Takes in the loss of a batch of `samples`.
    pub fn add(&mut self, loss: f64, samples: usize) {
        if samples > 0 {
            self.gathered.sum.add_product(loss, samples as f64);
            self.gathered.count += samples as u64;
        }
    }

    named!();
}

impl Metric for Mean {
    fn name(&self) -> String {
        self.name.clone()
    }

    /// Takes in the loss of a batch, whose size is the first of the target's shape.
    ///
    /// # Panics
    /// If the loss has not one element.
    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let loss = match &self.loss {
            Some(loss) => no_grad(|| loss(&output.detach(), &target.detach())),
            None => output.detach(),
        };
        if loss.numel() != 1 {
            fail!(
                "{}: the loss has shape {:?}; the mean over a batch has one element",
                self.name,
                sizes(&loss)
            );
        }
        self.add(floats(&loss)[0], sizes(target).first().copied().unwrap_or(1));
    }

    fn value(&self) -> f64 {
        self.gathered.mean()
    }

    fn reset(&mut self) {
        self.gathered = WeightedSum::default();
    }

    fn state(&self) -> Value {
        self.gathered.state()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.gathered = WeightedSum::from_state(state)?;
        Ok(())
    }
}

/// A metric of your own: the mean of a function's values over all samples, exactly.
///
/// The function gives a tensor with a value for each sample (or for each of what you count: pixels, tokens), of any
/// shape. It is called without a graph.
///
/// ```
/// use rushlight_array::DType;
/// use rushlight_autograd::tensor;
/// use rushlight_train::{Metric, metrics::FnMetric};
/// // The share of predictions that are off by less than a half.
/// let mut near = FnMetric::new("near", |output, target| (output - target).abs().lt(0.5).to(DType::F32));
/// near.update(&tensor([1.0, 2.0, 3.0]), &tensor([1.1, 2.6, 3.4]));
/// near.update(&tensor([1.0]), &tensor([1.2]));
/// assert_eq!(near.value(), 0.75);
/// ```
pub struct FnMetric {
    name: String,
    rule: Rule,
    gathered: WeightedSum,
}

impl FnMetric {
    /// A metric from its name and its function of output and target.
    pub fn new(
        name: impl Into<String>,
        values: impl Fn(&Tensor, &Tensor) -> Tensor + Send + 'static,
    ) -> FnMetric {
        FnMetric { name: name.into(), rule: Box::new(values), gathered: WeightedSum::default() }
    }
}

impl Metric for FnMetric {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let values = no_grad(|| (self.rule)(&output.detach(), &target.detach()));
        for value in floats(&values) {
            self.gathered.sum.add(value);
            self.gathered.count += 1;
        }
    }

    fn value(&self) -> f64 {
        self.gathered.mean()
    }

    fn reset(&mut self) {
        self.gathered = WeightedSum::default();
    }

    fn state(&self) -> Value {
        self.gathered.state()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.gathered = WeightedSum::from_state(state)?;
        Ok(())
    }
}
