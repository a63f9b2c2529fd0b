//! The share of the variance that predictions explain.

use super::named;
use super::sum::ExactSum;
use super::values::{pairs, sizes};
use crate::Metric;
use rushlight_array::{Error, Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// How the scores of several outputs become one number: scikit-learn's `multioutput`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum MultiOutput {
    /// The mean over outputs, each alike.
    #[default]
    UniformAverage,
    /// The mean over outputs, each weighted by the variance of its targets.
    VarianceWeighted,
}

/// The sums of one output.
#[derive(Clone, Default, Debug)]
struct Sums {
    squared_errors: ExactSum,
    targets: ExactSum,
    squared_targets: ExactSum,
}

impl Sums {
    fn add(&mut self, predicted: f64, actual: f64) {
        let error = predicted - actual;
        self.squared_errors.add_product(error, error);
        self.targets.add(actual);
        self.squared_targets.add_product(actual, actual);
    }

    /// The sum of `(y - mean)^2` as `sum(y^2) - sum(y)^2 / n`, in twice the digits of f64: the difference of these two
    /// large numbers may be small.
    fn variation(&self, count: u64) -> f64 {
        let n = count as f64;
        let (sum, sum_low) = self.targets.wide();
        let (squares, squares_low) = self.squared_targets.wide();
        let square = sum * sum;
        let square_low = sum.mul_add(sum, -square) + 2.0 * sum * sum_low;
        let quotient = square / n;
        let quotient_low = ((-quotient).mul_add(n, square) + square_low) / n;
        ((squares - quotient) + (squares_low - quotient_low)).max(0.0)
    }

    fn score(&self, count: u64) -> f64 {
        let (errors, variation) = (self.squared_errors.value(), self.variation(count));
        match (errors == 0.0, variation == 0.0) {
            (true, true) => 1.0,
            (false, true) if !errors.is_nan() => 0.0,
            _ => 1.0 - errors / variation,
        }
    }

    fn state(&self) -> Value {
        Value::map()
            .with("squared_errors", self.squared_errors.state())
            .with("targets", self.targets.state())
            .with("squared_targets", self.squared_targets.state())
    }

    fn from_state(state: &Value) -> Result<Sums> {
        let sum = |name: &str| ExactSum::from_state(state.get(name)?);
        Ok(Sums {
            squared_errors: sum("squared_errors")?,
            targets: sum("targets")?,
            squared_targets: sum("squared_targets")?,
        })
    }
}

/// The coefficient of determination, `1 - sum((y - p)^2) / sum((y - mean(y))^2)`: scikit-learn's `r2_score`.
///
/// 1 is perfect, 0 is what the constant mean would have. Of targets without variation the score is 1 if all
/// predictions are exact and 0 otherwise, as in scikit-learn. With fewer than two samples it is NaN.
///
/// Shape: output and target `(N)` or `(N, D)`, the latter as `D` scores and their mean.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_train::{Metric, metrics::R2Score};
/// let mut r2 = R2Score::new();
/// r2.update(&tensor([1.0, 2.0]), &tensor([1.0, 2.0]));
/// r2.update(&tensor([4.0]), &tensor([3.0]));
/// assert_eq!(r2.value(), 0.5);
/// ```
#[derive(Clone, Debug)]
pub struct R2Score {
    name: String,
    multi_output: MultiOutput,
    count: u64,
    outputs: Vec<Sums>,
}

impl R2Score {
    /// Of one or several outputs.
    #[allow(clippy::new_without_default, reason = "metrics are made by `new`")]
    pub fn new() -> R2Score {
        let multi_output = MultiOutput::UniformAverage;
        R2Score { name: "r2".to_owned(), multi_output, count: 0, outputs: Vec::new() }
    }

    /// How several outputs become one number.
    #[must_use]
    pub fn multi_output(mut self, multi_output: MultiOutput) -> R2Score {
        self.multi_output = multi_output;
        self
    }

    named!();

    /// The score of each output.
    pub fn per_output(&self) -> Vec<f64> {
        self.outputs
            .iter()
            .map(|sums| if self.count < 2 { f64::NAN } else { sums.score(self.count) })
            .collect()
    }
}

impl Metric for R2Score {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let shape = sizes(target);
        let outputs = match shape[..] {
            [_] => 1,
            [_, outputs] if outputs > 0 => outputs,
            _ => fail!("r2: target has shape {shape:?}; it must be (N) or (N, D)"),
        };
        if self.outputs.is_empty() {
            self.outputs = vec![Sums::default(); outputs];
        } else if self.outputs.len() != outputs {
            fail!("r2: target {shape:?} has {outputs} outputs; those before had {}", self.outputs.len());
        }
        for (i, (predicted, actual)) in pairs("r2", output, target).into_iter().enumerate() {
            self.outputs[i % outputs].add(predicted, actual);
        }
        self.count += shape[0] as u64;
    }

    fn value(&self) -> f64 {
        if self.count < 2 {
            return f64::NAN;
        }
        let scores = self.per_output();
        let mean = || scores.iter().sum::<f64>() / scores.len() as f64;
        let weights: Vec<f64> = self.outputs.iter().map(|sums| sums.variation(self.count)).collect();
        let all: f64 = weights.iter().sum();
        match self.multi_output {
            MultiOutput::VarianceWeighted if all != 0.0 => {
                scores.iter().zip(&weights).map(|(score, weight)| score * weight).sum::<f64>() / all
            }
            _ => mean(),
        }
    }

    fn reset(&mut self) {
        self.count = 0;
        self.outputs.clear();
    }

    fn state(&self) -> Value {
        let outputs: Vec<Value> = self.outputs.iter().map(Sums::state).collect();
        Value::map().with("count", self.count).with("outputs", Value::List(outputs))
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        let count = state.get("count")?.int()?;
        let outputs: Vec<Sums> =
            state.get("outputs")?.list()?.iter().map(Sums::from_state).collect::<Result<_>>()?;
        if outputs.is_empty() && count > 0 {
            return Err(Error::invalid("r2", format!("the state counts {count} samples of no output")));
        }
        (self.count, self.outputs) = (count, outputs);
        Ok(())
    }
}
