//! How often the right class was chosen.

use super::named;
use super::values::{Task, classes, decisions, floats, sizes};
use crate::Metric;
use rushlight_array::{Error, Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// Right answers among all.
#[derive(Clone, Copy, Default, Debug)]
struct Share {
    right: u64,
    total: u64,
}

impl Share {
    fn value(self) -> f64 {
        if self.total == 0 { f64::NAN } else { self.right as f64 / self.total as f64 }
    }

    fn state(self) -> Value {
        Value::map().with("right", self.right).with("total", self.total)
    }

    fn from_state(state: &Value) -> Result<Share> {
        let share = Share { right: state.get("right")?.int()?, total: state.get("total")?.int()? };
        if share.right > share.total {
            return Err(Error::invalid("accuracy", format!("{} right of {}", share.right, share.total)));
        }
        Ok(share)
    }
}

/// The share of samples whose class is the target: scikit-learn's `accuracy_score`.
///
/// The class is the one with the greatest score. Counted in integers.
///
/// Shape: scores `(N, C, ...)`, or classes as integers `(N, ...)`, with target `(N, ...)`. For two classes see
/// [`Accuracy::binary`].
#[derive(Clone, Debug)]
pub struct Accuracy {
    name: String,
    task: Task,
    ignore_index: Option<i64>,
    share: Share,
}

impl Accuracy {
    /// Of any number of classes.
    #[allow(clippy::new_without_default, reason = "metrics are made by `new` or `binary`")]
    pub fn new() -> Accuracy {
        Accuracy {
            name: "accuracy".to_owned(),
            task: Task::Classes(0),
            ignore_index: None,
            share: Share::default(),
        }
    }

    /// Of yes and no, with one score for each sample: yes where it is above 0, as for a logit.
    pub fn binary() -> Accuracy {
        Accuracy { task: Task::Binary(0.0), ..Accuracy::new() }
    }

    /// Another threshold for [`binary`](Accuracy::binary): 0.5 where the outputs are probabilities.
    #[must_use]
    pub fn threshold(mut self, threshold: f64) -> Accuracy {
        self.task = Task::Binary(threshold);
        self
    }

    /// Samples with this target are not counted: padding, for example.
    #[must_use]
    pub fn ignore_index(mut self, class: i64) -> Accuracy {
        self.ignore_index = Some(class);
        self
    }

    named!();
}

impl Metric for Accuracy {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let decided = decisions("accuracy", self.task, self.ignore_index, output, target);
        self.share.total += decided.len() as u64;
        self.share.right += decided.iter().filter(|(predicted, actual)| predicted == actual).count() as u64;
    }

    fn value(&self) -> f64 {
        self.share.value()
    }

    fn reset(&mut self) {
        self.share = Share::default();
    }

    fn state(&self) -> Value {
        self.share.state()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.share = Share::from_state(state)?;
        Ok(())
    }
}

/// The share of samples whose target is among the `k` classes of the greatest scores: scikit-learn's
/// `top_k_accuracy_score`.
///
/// Of equal scores the lower class stands first, as for `argmax`; NaN is greater than every number, as PyTorch sorts it.
///
/// Shape: scores `(N, C, ...)` with target `(N, ...)`.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_train::{Metric, metrics::TopKAccuracy};
/// let mut top2 = TopKAccuracy::new(2);
/// top2.update(&tensor([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]), &tensor([2, 2]));
/// assert_eq!(top2.value(), 0.5);
/// ```
#[derive(Clone, Debug)]
pub struct TopKAccuracy {
    name: String,
    k: usize,
    ignore_index: Option<i64>,
    share: Share,
}

impl TopKAccuracy {
    /// Among the best `k`.
    ///
    /// # Panics
    /// If `k` is 0.
    #[track_caller]
    pub fn new(k: usize) -> TopKAccuracy {
        if k == 0 {
            fail!("TopKAccuracy: k is 0; it must be at least 1");
        }
        TopKAccuracy { name: format!("top{k}_accuracy"), k, ignore_index: None, share: Share::default() }
    }

    /// Samples with this target are not counted.
    #[must_use]
    pub fn ignore_index(mut self, class: i64) -> TopKAccuracy {
        self.ignore_index = Some(class);
        self
    }

    named!();
}

impl Metric for TopKAccuracy {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        let (shape, truth) = (sizes(output), sizes(target));
        if shape.len() != truth.len() + 1
            || shape.first() != truth.first()
            || shape.get(2..) != truth.get(1..)
        {
            fail!(
                "top-k accuracy: output {shape:?} does not go with target {truth:?}; (N, C, ...) goes with (N, ...)"
            );
        }
        let scores = floats(output);
        let (count, inner) = (shape[1], shape[2..].iter().product::<usize>());
        for (i, class) in classes("top-k accuracy", target).into_iter().enumerate() {
            if Some(class) == self.ignore_index {
                continue;
            }
            if usize::try_from(class).is_ok_and(|class| class < count) {
                let first = i / inner * count * inner + i % inner;
                let rank = rank(&scores[first..], inner, count, class as usize);
                self.share.right += u64::from(rank < self.k);
                self.share.total += 1;
            } else {
                fail!("top-k accuracy: target holds the class {class}; there are {count}, from 0");
            }
        }
    }

    fn value(&self) -> f64 {
        self.share.value()
    }

    fn reset(&mut self) {
        self.share = Share::default();
    }

    fn state(&self) -> Value {
        self.share.state()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.share = Share::from_state(state)?;
        Ok(())
    }
}

/// How many classes stand before `class`; the scores lie `step` apart.
fn rank(scores: &[f64], step: usize, count: usize, class: usize) -> usize {
    let own = scores[class * step];
    (0..count)
        .filter(|&other| {
            let score = scores[other * step];
            let equal = score == own || (score.is_nan() && own.is_nan());
            let greater = score > own || (score.is_nan() && !own.is_nan());
            greater || (equal && other < class)
        })
        .count()
}
