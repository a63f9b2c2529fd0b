//! How far a run has come.

use crate::logs::Logs;
use rushlight_array::Result;
use rushlight_serialize::Value;

/// How far a run has come. All of it is part of a checkpoint.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Progress {
    /// The epochs that are over.
    pub epoch: usize,
    /// The batches of the present epoch that are over.
    pub batch: usize,
    /// The steps of the optimiser in the whole run.
    pub step: usize,
    /// The samples that were trained on in the whole run, each as often as it came.
    pub samples: usize,
    /// Whether an epoch has begun and is not over.
    pub in_epoch: bool,
    /// Why the run shall end before its last epoch, if it shall.
    pub stopped: Option<String>,
    /// Whether the run has come to its end.
    pub finished: bool,
    /// The logs of each epoch that is over.
    pub history: Vec<Logs>,
}

impl Progress {
    /// The number of the present epoch, or of the last one if none is going on: 1 for the first.
    pub fn epoch_number(&self) -> usize {
        self.epoch + usize::from(self.in_epoch)
    }

    pub(crate) fn to_value(&self) -> Value {
        Value::map()
            .with("epoch", self.epoch)
            .with("batch", self.batch)
            .with("step", self.step)
            .with("samples", self.samples)
            .with("in_epoch", self.in_epoch)
            .with("stopped", self.stopped.clone())
            .with("finished", self.finished)
            .with("history", Value::List(self.history.iter().map(Logs::to_value).collect()))
    }

    pub(crate) fn from_value(value: &Value) -> Result<Progress> {
        Ok(Progress {
            epoch: value.get("epoch")?.int()?,
            batch: value.get("batch")?.int()?,
            step: value.get("step")?.int()?,
            samples: value.get("samples")?.int()?,
            in_epoch: value.get("in_epoch")?.bool()?,
            stopped: match value.get("stopped")? {
                Value::None => None,
                reason => Some(reason.text()?.to_owned()),
            },
            finished: value.get("finished")?.bool()?,
            history: value.get("history")?.list()?.iter().map(Logs::from_value).collect::<Result<_>>()?,
        })
    }
}

/// How [`Trainer::fit`](crate::Trainer::fit) ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// All epochs are over.
    Finished,
    /// A callback, or a limit, ended the run; with its reason.
    Stopped(String),
    /// Ctrl-C, or [`Stopper::interrupt`](crate::Stopper::interrupt); the run can go on where it was.
    Interrupted,
}
