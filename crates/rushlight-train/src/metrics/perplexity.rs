//! How many tokens a language model hesitates between.

use super::mean::WeightedSum;
use super::named;
use super::values::{classes, floats, sizes};
use crate::Metric;
use rushlight_array::{Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// `exp` of the mean negative log-likelihood of the tokens: torchmetrics' `Perplexity`.
///
/// The log-likelihood of a token is worked out in f64 from its row of scores, and the sum is exact.
///
/// Shape: scores (logits) `(N, V)` with tokens `(N)`, or `(N, L, V)` with `(N, L)`: the scores come *last*, as language
/// models give them, not second, as `cross_entropy` takes them.
///
/// ```
/// use rushlight_autograd::{tensor, zeros};
/// use rushlight_train::{Metric, metrics::Perplexity};
/// // A model without any idea hesitates between all 8 tokens.
/// let mut perplexity = Perplexity::new();
/// perplexity.update(&zeros([2, 3, 8]), &tensor([[0, 1, 2], [3, 4, 5]]));
/// assert!((perplexity.value() - 8.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct Perplexity {
    name: String,
    ignore_index: Option<i64>,
    gathered: WeightedSum,
}

impl Perplexity {
    /// Over all tokens.
    #[allow(clippy::new_without_default, reason = "metrics are made by `new`")]
    pub fn new() -> Perplexity {
        Perplexity { name: "perplexity".to_owned(), ignore_index: None, gathered: WeightedSum::default() }
    }

    /// Tokens with this number are not counted: padding.
    #[must_use]
    pub fn ignore_index(mut self, token: i64) -> Perplexity {
        self.ignore_index = Some(token);
        self
    }

    named!();
}

impl Metric for Perplexity {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let (shape, truth) = (sizes(output), sizes(target));
        if shape.len() != truth.len() + 1 || shape[..truth.len()] != truth {
            fail!(
                "perplexity: output {shape:?} does not go with target {truth:?}; (N, L, V) goes with (N, L)"
            );
        }
        let tokens = shape[truth.len()];
        let scores = floats(output);
        for (i, token) in classes("perplexity", target).into_iter().enumerate() {
            if Some(token) == self.ignore_index {
                continue;
            }
            match usize::try_from(token) {
                Ok(token) if token < tokens => {
                    let row = &scores[i * tokens..][..tokens];
                    self.gathered.sum.add(log_sum_exp(row) - row[token]);
                    self.gathered.count += 1;
                }
                _ => fail!("perplexity: target holds the token {token}; there are {tokens}, from 0"),
            }
        }
    }

    fn value(&self) -> f64 {
        self.gathered.mean().exp()
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

/// `ln(sum(exp(row)))`, with the greatest taken out first.
fn log_sum_exp(row: &[f64]) -> f64 {
    let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if greatest.is_infinite() {
        return greatest;
    }
    greatest + row.iter().map(|score| (score - greatest).exp()).sum::<f64>().ln()
}
