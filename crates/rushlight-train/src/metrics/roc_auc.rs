//! How well scores put samples in order.

use super::named;
use super::values::{classes, floats, one_each, sizes, yes_or_no};
use crate::Metric;
use rushlight_array::order::sort_by;
use rushlight_array::{Error, Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// What the outputs of several classes are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Scores {
    /// Logits: a softmax makes probabilities of them.
    #[default]
    Logits,
    /// Probabilities, taken as they are.
    Probabilities,
}

/// How the areas of several classes become one number.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum RocAverage {
    /// The mean over classes, each alike.
    #[default]
    Macro,
    /// The mean over classes, each as often as it is true.
    Weighted,
}

/// The area under the ROC curve, exact over all samples: scikit-learn's `roc_auc_score`.
///
/// It is the probability that a random sample of the class has a greater score than a random other one, where equal
/// scores count half. Pairs are counted in integers after sorting, so order and batches do not matter; there are no
/// thresholds and no approximation. Every score is kept: 8 bytes for each sample and class.
///
/// With several classes each is held against all others (`multi_class="ovr"`) by its probability. The value is NaN as
/// long as a class that counts has no sample, or no other one, and where a score is NaN.
///
/// Shape: scores `(N)` or `(N, 1)`, or `(N, 2)` as logits of no and yes, with target `(N)` for
/// [`binary`](RocAuc::binary); scores `(N, C)` with target `(N)` for [`new`](RocAuc::new).
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_train::{Metric, metrics::RocAuc};
/// let mut auc = RocAuc::binary();
/// auc.update(&tensor([0.1, 0.4]), &tensor([0, 0]));
/// auc.update(&tensor([0.35, 0.8]), &tensor([1, 1]));
/// // Of four pairs, (0.4, 0.35) alone is the wrong way round.
/// assert_eq!(auc.value(), 0.75);
/// ```
#[derive(Clone, Debug)]
pub struct RocAuc {
    name: String,
    /// Score columns: one for yes and no.
    columns: usize,
    kind: Scores,
    average: RocAverage,
    scores: Vec<f64>,
    labels: Vec<u32>,
}

impl RocAuc {
    /// Of several classes, each against all others.
    ///
    /// # Panics
    /// If there are fewer than two.
    #[track_caller]
    pub fn new(num_classes: usize) -> RocAuc {
        if num_classes < 2 {
            fail!("RocAuc: num_classes is {num_classes}; it must be at least 2");
        }
        RocAuc { columns: num_classes, ..RocAuc::binary() }
    }

    /// Of yes and no, with one score for each sample: a logit, a probability, or any number that is greater for yes.
    pub fn binary() -> RocAuc {
        RocAuc {
            name: "roc_auc".to_owned(),
            columns: 1,
            kind: Scores::Logits,
            average: RocAverage::Macro,
            scores: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// What the outputs of several classes are. For [`binary`](RocAuc::binary) it makes no difference.
    #[must_use]
    pub fn scores(mut self, kind: Scores) -> RocAuc {
        self.kind = kind;
        self
    }

    /// How classes become one number.
    #[must_use]
    pub fn average(mut self, average: RocAverage) -> RocAuc {
        self.average = average;
        self
    }

    named!();

    /// The area of each class against all others; of yes alone for [`binary`](RocAuc::binary).
    pub fn per_class(&self) -> Vec<f64> {
        let area = |column: usize| {
            let class = if self.columns == 1 { 1 } else { column as u32 };
            let scores = self.scores.iter().skip(column).step_by(self.columns);
            area(scores.copied().zip(self.labels.iter().map(|&label| label == class)).collect())
        };
        (0..self.columns).map(area).collect()
    }
}

impl Metric for RocAuc {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let (shape, truth) = (sizes(output), sizes(target));
        let (found, count) = if self.columns == 1 {
            let labels = yes_or_no("roc_auc", target, None);
            if shape.len() == 2 && shape[1] == 2 && truth == shape[..1] {
                // The odds of yes rise with the difference of its logits, or of its probabilities.
                self.scores.extend(floats(output).chunks(2).map(|pair| pair[1] - pair[0]));
            } else {
                one_each("roc_auc", &shape, &truth);
                self.scores.extend(floats(output));
            }
            (labels, 2)
        } else {
            if truth.len() != 1 || shape != [truth[0], self.columns] {
                fail!(
                    "roc_auc: output {shape:?} does not go with target {truth:?}; of {0} classes, (N, {0}) goes with (N)",
                    self.columns
                );
            }
            let mut scores = floats(output);
            if self.kind == Scores::Logits {
                scores.chunks_mut(self.columns).for_each(softmax);
            }
            self.scores.extend(scores);
            (classes("roc_auc", target), self.columns)
        };
        for label in found {
            match u32::try_from(label) {
                Ok(label) if (label as usize) < count => self.labels.push(label),
                _ => fail!("roc_auc: target holds the class {label}; there are {count}, from 0"),
            }
        }
    }

    fn value(&self) -> f64 {
        let areas = self.per_class();
        match self.average {
            _ if self.columns == 1 => areas[0],
            RocAverage::Macro => areas.iter().sum::<f64>() / areas.len() as f64,
            RocAverage::Weighted => {
                let mut counts = vec![0u64; self.columns];
                self.labels.iter().for_each(|&label| counts[label as usize] += 1);
                let weighted = areas.iter().zip(&counts).filter(|(_, count)| **count > 0);
                weighted.map(|(area, &count)| area * count as f64).sum::<f64>() / self.labels.len() as f64
            }
        }
    }

    fn reset(&mut self) {
        self.scores.clear();
        self.labels.clear();
    }

    fn state(&self) -> Value {
        let labels = self.labels.iter().map(|&label| i64::from(label)).collect();
        Value::map()
            .with("scores", Tensor::from_vec(self.scores.clone(), self.scores.len()))
            .with("labels", Tensor::from_vec::<i64>(labels, self.labels.len()))
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        let wrong = |reason: String| Err(Error::invalid("roc_auc", reason));
        let (scores, labels) = (state.get("scores")?.tensor()?, state.get("labels")?.tensor()?);
        if labels.dtype().is_float() || !scores.dtype().is_float() {
            return wrong(format!("labels of {} and scores of {}", labels.dtype(), scores.dtype()));
        }
        let (scores, labels) = (floats(scores), classes("roc_auc", labels));
        if labels.len().checked_mul(self.columns) != Some(scores.len()) {
            return wrong(format!(
                "{} scores of {} samples in {} columns",
                scores.len(),
                labels.len(),
                self.columns
            ));
        }
        let count = self.columns.max(2);
        let label = |&label: &i64| u32::try_from(label).ok().filter(|&label| (label as usize) < count);
        let Some(labels) = labels.iter().map(label).collect() else {
            return wrong(format!("a label is not one of {count} classes"));
        };
        (self.scores, self.labels) = (scores, labels);
        Ok(())
    }
}

fn softmax(row: &mut [f64]) {
    let greatest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|score| *score = (*score - greatest).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|score| *score /= sum);
}

/// The share of pairs (yes, no) in which yes has the greater score; half for equal ones (the statistic of H. B. Mann
/// and D. R. Whitney, 1947).
fn area(mut samples: Vec<(f64, bool)>) -> f64 {
    if samples.iter().any(|(score, _)| score.is_nan()) {
        return f64::NAN;
    }
    // Both zeros are one score.
    sort_by(&mut samples, |a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)));
    let (mut twice, mut below, mut yes) = (0u128, 0u128, 0u128);
    for group in samples.chunk_by(|a, b| a.0 == b.0) {
        let positive = group.iter().filter(|(_, yes)| *yes).count() as u128;
        let negative = group.len() as u128 - positive;
        twice += positive * (2 * below + negative);
        below += negative;
        yes += positive;
    }
    if yes == 0 || below == 0 { f64::NAN } else { twice as f64 / (2 * yes * below) as f64 }
}
