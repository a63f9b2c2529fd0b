//! The curves of a run, for pictures and for the run card.

use crate::callback::{Context, Moment};
use crate::logs::Logs;
use crate::report::Curve;
use rushlight_array::{Array, DType, Error, Result};
use rushlight_serialize::Value;

/// More points than this are of no use in a picture.
const MOST: usize = 1000;

/// A curve over the steps of a run of any length: when it is full every second point goes, and from then on every second
/// one of those that come. Which points stay depends on their number alone, so that a resumed run has the same.
#[derive(Clone, PartialEq, Debug)]
struct Trace {
    /// One of so many points stays.
    every: usize,
    seen: usize,
    points: Vec<(f64, f64)>,
}

impl Default for Trace {
    fn default() -> Self {
        Trace { every: 1, seen: 0, points: Vec::new() }
    }
}

impl Trace {
    fn push(&mut self, x: f64, y: f64) {
        if self.seen.is_multiple_of(self.every) {
            if self.points.len() == MOST {
                self.points = self.points.iter().copied().step_by(2).collect();
                self.every *= 2;
            }
            self.points.push((x, y));
        }
        self.seen += 1;
    }

    /// The points are a tensor `(2, N)`: a list would make each checkpoint longer, and slower to write.
    fn to_value(&self) -> Value {
        let (x, y): (Vec<f64>, Vec<f64>) = self.points.iter().copied().unzip();
        let points = Array::from_vec([x, y].concat(), [2, self.points.len()]);
        Value::map().with("every", self.every).with("seen", self.seen).with("points", points)
    }

    fn from_value(value: &Value) -> Result<Trace> {
        let Value::Tensor(points) = value.get("points")? else {
            return Err(Error::invalid("checkpoint", "the points of a curve are no tensor"));
        };
        if points.dtype() != DType::F64 || points.shape().len() != 2 || points.shape()[0] != 2 {
            let reason = format!("the points of a curve are {:?} {:?}", points.dtype(), points.shape());
            return Err(Error::invalid("checkpoint", reason));
        }
        let points = points.to_vec::<f64>();
        let (x, y) = points.split_at(points.len() / 2);
        Ok(Trace {
            every: value.get("every")?.int::<usize>()?.max(1),
            seen: value.get("seen")?.int()?,
            points: x.iter().copied().zip(y.iter().copied()).collect(),
        })
    }
}

/// Loss and learning rate by step.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Steps {
    loss: Trace,
    lr: Trace,
}

impl Steps {
    /// Takes in what `on_log` tells.
    pub(super) fn log(&mut self, cx: &Context<'_>) {
        if cx.moment == Moment::Step {
            let step = cx.progress.step as f64;
            self.loss.push(step, cx.logs.get("loss").unwrap_or(f64::NAN));
            self.lr.push(step, cx.lr());
        }
    }

    pub(super) fn to_value(&self) -> Value {
        Value::map().with("loss", self.loss.to_value()).with("lr", self.lr.to_value())
    }

    pub(super) fn from_value(value: &Value) -> Result<Steps> {
        let trace = |name: &str| Trace::from_value(value.get(name)?);
        Ok(Steps { loss: trace("loss")?, lr: trace("lr")? })
    }

    /// The curves of the run so far: those of its epochs, training and validation of a number in one chart, and those of
    /// its steps.
    pub(super) fn curves(&self, history: &[Logs]) -> Vec<Curve> {
        let mut curves = epochs(history);
        let mut by_step = |chart: &str, name: &str, trace: &Trace| {
            if trace.points.len() > 1 {
                curves.push(Curve::new(chart, name, "step", trace.points.clone()));
            }
        };
        by_step("loss by step", "loss", &self.loss);
        by_step("learning rate", "lr", &self.lr);
        curves
    }
}

fn epochs(history: &[Logs]) -> Vec<Curve> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in history.iter().flat_map(Logs::iter) {
        // Rates are drawn by step.
        if !names.contains(&name) && name != "lr" {
            names.push(name);
        }
    }
    let mut curves: Vec<Curve> = Vec::new();
    for name in &names {
        let (chart, line) = match name.strip_prefix("val_") {
            Some(chart) => (chart, "validation"),
            None if names.iter().any(|other| other.strip_prefix("val_") == Some(name)) => (*name, "train"),
            None => (name.split_once('.').map_or(*name, |(chart, _)| chart), *name),
        };
        let points = (1..).zip(history).filter_map(|(epoch, logs)| Some((f64::from(epoch), logs.get(name)?)));
        // Beside the other curve of its chart.
        let place = curves.iter().rposition(|curve| curve.chart == chart).map_or(curves.len(), |at| at + 1);
        curves.insert(place, Curve::new(chart, line, "epoch", points.collect()));
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_any_length_is_short_and_even() {
        let mut trace = Trace::default();
        for step in 0..50_000 {
            trace.push(f64::from(step), f64::from(-step));
            assert!(trace.points.len() <= MOST);
        }
        // 1000 points last to 1000 every 1, 2000 every 2, ..., 64,000 every 64.
        assert_eq!((trace.every, trace.points.len()), (64, 50_000 / 64 + 1));
        assert!(trace.points.iter().zip(0..).all(|(&(x, y), i)| x == f64::from(64 * i) && y == -x));
        assert_eq!(Trace::from_value(&trace.to_value()).unwrap(), trace);
        assert_eq!(Trace::from_value(&Trace::default().to_value()).unwrap(), Trace::default());
        let other =
            Value::map().with("every", 1).with("seen", 1).with("points", Array::from_vec(vec![1.0_f32], [1]));
        assert!(Trace::from_value(&other).is_err());
    }

    #[test]
    fn training_and_validation_share_a_chart() {
        let mut logs = Logs::default();
        for name in
            ["loss", "accuracy", "penalty", "lr", "val_loss", "val_accuracy", "val_only", "lr.0", "lr.1"]
        {
            logs.set(name, 0.5);
        }
        let found = epochs(&[logs.clone(), logs]);
        let found: Vec<_> =
            found.iter().map(|c| (c.chart.as_str(), c.name.as_str(), c.points.len())).collect();
        let expected = [
            ("loss", "train", 2),
            ("loss", "validation", 2),
            ("accuracy", "train", 2),
            ("accuracy", "validation", 2),
            ("penalty", "penalty", 2),
            ("only", "validation", 2),
            ("lr", "lr.0", 2),
            ("lr", "lr.1", 2),
        ];
        assert_eq!(found, expected);
    }
}
