//! Precision, recall, and the mean of both.

use super::confusion::numbers;
use super::named;
use super::values::{Task, decisions};
use crate::Metric;
use rushlight_array::{Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// How the scores of several classes become one number: scikit-learn's `average`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Average {
    /// The mean over classes, each alike. Classes that are neither true nor decided for any sample do not count.
    #[default]
    Macro,
    /// Of the counts of all classes together. With one class for each sample this is the accuracy.
    Micro,
    /// The mean over classes, each as often as it is true.
    Weighted,
}

/// For each class: how often it was decided rightly, decided, and true.
#[derive(Clone, Debug)]
struct Counts {
    hits: Vec<u64>,
    decided: Vec<u64>,
    actual: Vec<u64>,
}

/// A score from hits, decisions and true samples.
type Score = fn(u64, u64, u64) -> f64;

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Counts {
    fn new(classes: usize) -> Counts {
        Counts { hits: vec![0; classes], decided: vec![0; classes], actual: vec![0; classes] }
    }

    fn add(&mut self, predicted: usize, actual: usize) {
        self.decided[predicted] += 1;
        self.actual[actual] += 1;
        self.hits[actual] += u64::from(predicted == actual);
    }

    fn of_class(&self, score: Score, class: usize) -> f64 {
        score(self.hits[class], self.decided[class], self.actual[class])
    }

    fn average(&self, score: Score, average: Average) -> f64 {
        let classes = 0..self.hits.len();
        match average {
            Average::Micro => {
                let [hits, decided, actual] =
                    [&self.hits, &self.decided, &self.actual].map(|counts| counts.iter().sum());
                score(hits, decided, actual)
            }
            Average::Macro => {
                let seen: Vec<usize> = classes.filter(|&c| self.decided[c] + self.actual[c] > 0).collect();
                seen.iter().map(|&class| self.of_class(score, class)).sum::<f64>() / seen.len() as f64
            }
            Average::Weighted => {
                let all: u64 = self.actual.iter().sum();
                classes.map(|class| self.of_class(score, class) * self.actual[class] as f64).sum::<f64>()
                    / all as f64
            }
        }
    }

    fn state(&self) -> Value {
        Value::map()
            .with("hits", self.hits.clone())
            .with("decided", self.decided.clone())
            .with("actual", self.actual.clone())
    }

    fn from_state(state: &Value, classes: usize) -> Result<Counts> {
        let read = |name: &str| numbers(state.get(name)?, classes, name);
        Ok(Counts { hits: read("hits")?, decided: read("decided")?, actual: read("actual")? })
    }
}

macro_rules! metric {
    ($(#[$doc:meta])* $type:ident, $name:literal, $score:expr) => {
        $(#[$doc])*
        ///
        /// Counted in integers. Where there is nothing to divide by, a class has the score 0; before the first sample
        /// the value is NaN.
        ///
        /// Shape: as for [`Accuracy`](super::Accuracy).
        #[derive(Clone, Debug)]
        pub struct $type {
            name: String,
            task: Task,
            ignore_index: Option<i64>,
            average: Average,
            counts: Counts,
        }

        impl $type {
            const SCORE: Score = $score;

            /// Of so many classes, by [`Average::Macro`].
            ///
            /// # Panics
            /// If there are none.
            #[track_caller]
            pub fn new(num_classes: usize) -> Self {
                if num_classes == 0 {
                    fail!("{}: num_classes is 0; it must be at least 1", stringify!($type));
                }
                let task = Task::Classes(num_classes);
                let counts = Counts::new(num_classes);
                Self { name: $name.to_owned(), task, ignore_index: None, average: Average::Macro, counts }
            }

            /// Of the class yes (1), with one score for each sample: yes where it is above 0, as for a logit. Outputs
            /// `(N, 2)` are scores of no and yes.
            pub fn binary() -> Self {
                Self { task: Task::Binary(0.0), ..Self::new(2) }
            }

            /// Another threshold for [`binary`](Self::binary): 0.5 where the outputs are probabilities.
            ///
            /// # Panics
            /// If there are several classes.
            #[must_use]
            #[track_caller]
            pub fn threshold(mut self, threshold: f64) -> Self {
                if matches!(self.task, Task::Classes(_)) {
                    fail!("{}: a threshold is for yes and no; start from binary()", stringify!($type));
                }
                self.task = Task::Binary(threshold);
                self
            }

            /// How classes become one number. The name says so, too, until you give another.
            ///
            /// # Panics
            /// If there are only yes and no.
            #[must_use]
            #[track_caller]
            pub fn average(mut self, average: Average) -> Self {
                if matches!(self.task, Task::Binary(_)) {
                    fail!("{}: yes and no have no average; start from new(2)", stringify!($type));
                }
                self.average = average;
                self.name = match average {
                    Average::Macro => $name.to_owned(),
                    Average::Micro => concat!($name, "_micro").to_owned(),
                    Average::Weighted => concat!($name, "_weighted").to_owned(),
                };
                self
            }

            /// Samples with this target are not counted.
            #[must_use]
            pub fn ignore_index(mut self, class: i64) -> Self {
                self.ignore_index = Some(class);
                self
            }

            named!();

            /// The score of each class.
            pub fn per_class(&self) -> Vec<f64> {
                (0..self.counts.hits.len()).map(|class| self.counts.of_class(Self::SCORE, class)).collect()
            }
        }

        impl Metric for $type {
            fn name(&self) -> String {
                self.name.clone()
            }

            #[track_caller]
            fn update(&mut self, output: &Tensor, target: &Tensor) {
                for (predicted, actual) in decisions($name, self.task, self.ignore_index, output, target) {
                    self.counts.add(predicted, actual);
                }
            }

            fn value(&self) -> f64 {
                match self.task {
                    _ if self.counts.actual.iter().all(|&count| count == 0) => f64::NAN,
                    Task::Binary(_) => self.counts.of_class(Self::SCORE, 1),
                    Task::Classes(_) => self.counts.average(Self::SCORE, self.average),
                }
            }

            fn reset(&mut self) {
                self.counts = Counts::new(self.counts.hits.len());
            }

            fn state(&self) -> Value {
                self.counts.state()
            }

            fn load_state(&mut self, state: &Value) -> Result<()> {
                self.counts = Counts::from_state(state, self.counts.hits.len())?;
                Ok(())
            }
        }
    };
}

metric! {
    /// Of the samples that were decided for a class, the share that is of it: scikit-learn's `precision_score`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_train::{Metric, metrics::Precision};
    /// let mut precision = Precision::binary();
    /// precision.update(&tensor([2.0, 0.5, -1.0]), &tensor([1, 0, 1]));
    /// assert_eq!(precision.value(), 0.5);
    /// ```
    Precision, "precision", |hits, decided, _| ratio(hits, decided)
}

metric! {
    /// Of the samples of a class, the share that was decided for it: scikit-learn's `recall_score`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_train::{Metric, metrics::Recall};
    /// let mut recall = Recall::new(3);
    /// recall.update(&tensor([0, 1, 1, 2]), &tensor([0, 0, 1, 2]));
    /// assert_eq!(recall.per_class(), [0.5, 1.0, 1.0]);
    /// assert_eq!(recall.value(), 2.5 / 3.0);
    /// ```
    Recall, "recall", |hits, _, actual| ratio(hits, actual)
}

metric! {
    /// The harmonic mean of precision and recall: scikit-learn's `f1_score`.
    ///
    /// Averages are over the scores of the classes, not of averaged precision and recall.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_train::{Metric, metrics::{Average, F1}};
    /// let mut f1 = F1::new(2).average(Average::Weighted);
    /// f1.update(&tensor([0, 1, 1, 1]), &tensor([0, 0, 1, 1]));
    /// // Class 0: 2 * 1 / (1 + 2); class 1: 2 * 2 / (3 + 2).
    /// assert_eq!(f1.per_class(), [2.0 / 3.0, 0.8]);
    /// assert_eq!(f1.name(), "f1_weighted");
    /// ```
    F1, "f1", |hits, decided, actual| ratio(2 * hits, decided + actual)
}
