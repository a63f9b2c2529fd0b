//! Which class was taken for which.

use super::named;
use super::values::{Task, decisions};
use crate::Metric;
use rushlight_array::{Error, Result, fail};
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// By what the counts of a [`ConfusionMatrix`] are divided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Normalize {
    /// By the sum of the row: how the samples of a true class were decided.
    True,
    /// By the sum of the column: what the samples of a decided class are.
    Pred,
    /// By the sum of all.
    All,
}

/// Counts of samples by true class (row) and decided class (column): scikit-learn's `confusion_matrix`.
///
/// As a metric its value is the share on the diagonal, which is the accuracy.
///
/// Shape: as for [`Accuracy`](super::Accuracy).
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_train::{Metric, metrics::ConfusionMatrix};
/// let mut matrix = ConfusionMatrix::new(2);
/// matrix.update(&tensor([0, 1, 1]), &tensor([0, 0, 1]));
/// assert_eq!(matrix.counts(), [[1, 1], [0, 1]]);
/// assert_eq!(matrix.value(), 2.0 / 3.0);
/// ```
#[derive(Clone, Debug)]
pub struct ConfusionMatrix {
    name: String,
    task: Task,
    ignore_index: Option<i64>,
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Of so many classes.
    ///
    /// # Panics
    /// If there are none.
    #[track_caller]
    pub fn new(num_classes: usize) -> ConfusionMatrix {
        if num_classes == 0 {
            fail!("ConfusionMatrix: num_classes is 0; it must be at least 1");
        }
        ConfusionMatrix {
            name: "confusion_matrix".to_owned(),
            task: Task::Classes(num_classes),
            ignore_index: None,
            classes: num_classes,
            counts: vec![0; num_classes * num_classes],
        }
    }

    /// Of no (0) and yes (1), with one score for each sample: yes where it is above 0, as for a logit.
    pub fn binary() -> ConfusionMatrix {
        ConfusionMatrix { task: Task::Binary(0.0), ..ConfusionMatrix::new(2) }
    }

    /// Another threshold for [`binary`](ConfusionMatrix::binary): 0.5 where the outputs are probabilities.
    ///
    /// # Panics
    /// If there are not two classes.
    #[must_use]
    #[track_caller]
    pub fn threshold(mut self, threshold: f64) -> ConfusionMatrix {
        if self.classes != 2 {
            fail!("ConfusionMatrix: a threshold decides between 2 classes, not {}", self.classes);
        }
        self.task = Task::Binary(threshold);
        self
    }

    /// Samples with this target are not counted.
    #[must_use]
    pub fn ignore_index(mut self, class: i64) -> ConfusionMatrix {
        self.ignore_index = Some(class);
        self
    }

    named!();

    /// The counts: a row for each true class, and in it a count for each decided class.
    pub fn counts(&self) -> Vec<Vec<u64>> {
        self.counts.chunks(self.classes).map(<[u64]>::to_vec).collect()
    }

    /// The shares of each row, of each column, or of all; 0 where there is nothing to divide.
    pub fn normalized(&self, by: Normalize) -> Vec<Vec<f64>> {
        let counts = self.counts();
        let all: u64 = self.counts.iter().sum();
        let rows: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
        let columns: Vec<u64> =
            (0..self.classes).map(|column| counts.iter().map(|row| row[column]).sum()).collect();
        let share = |row: usize, column: usize| {
            let whole = match by {
                Normalize::True => rows[row],
                Normalize::Pred => columns[column],
                Normalize::All => all,
            };
            if whole == 0 { 0.0 } else { counts[row][column] as f64 / whole as f64 }
        };
        (0..self.classes).map(|row| (0..self.classes).map(|column| share(row, column)).collect()).collect()
    }
}

impl Metric for ConfusionMatrix {
    fn name(&self) -> String {
        self.name.clone()
    }

    #[track_caller]
    fn update(&mut self, output: &Tensor, target: &Tensor) {
        for (predicted, actual) in decisions("confusion matrix", self.task, self.ignore_index, output, target)
        {
            self.counts[actual * self.classes + predicted] += 1;
        }
    }

    fn value(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.counts[class * (self.classes + 1)]).sum();
        match self.counts.iter().sum::<u64>() {
            0 => f64::NAN,
            all => right as f64 / all as f64,
        }
    }

    fn confusion_matrix(&self) -> Option<&ConfusionMatrix> {
        Some(self)
    }

    fn reset(&mut self) {
        self.counts.fill(0);
    }

    fn state(&self) -> Value {
        self.counts.clone().into()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.counts = numbers(state, self.counts.len(), "confusion matrix")?;
        Ok(())
    }
}

/// A list of so many counts.
pub(super) fn numbers(state: &Value, count: usize, what: &str) -> Result<Vec<u64>> {
    let list = state.list()?;
    if list.len() != count {
        let reason = format!("the state holds {} counts, the metric {count}", list.len());
        return Err(Error::invalid(what, reason));
    }
    list.iter().map(Value::int).collect()
}
