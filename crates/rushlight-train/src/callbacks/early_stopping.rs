use super::{Mode, is_better, worst};
use crate::callback::{Callback, Context};
use crate::progress::Outcome;
use rushlight_array::Result;
use rushlight_autograd::Tensor;
use rushlight_serialize::Value;

/// Ends the run when a number of the epochs' logs gets no better: Keras's and Lightning's `EarlyStopping`.
///
/// With [`restore_best`](EarlyStopping::restore_best) the model has the weights of the best epoch at the end of the run,
/// however it ends but by an interruption. They are part of the checkpoints then.
///
/// ```
/// use rushlight_train::{EarlyStopping, Mode};
/// let stopping = EarlyStopping::new("val_accuracy").mode(Mode::Max).patience(5).min_delta(0.001).restore_best(true);
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    monitor: String,
    mode: Mode,
    patience: usize,
    min_delta: f64,
    restore: bool,
    best: f64,
    best_epoch: usize,
    waited: usize,
    weights: Vec<(String, Tensor)>,
}

impl EarlyStopping {
    /// Watches a number, `val_loss` for one, that is to fall, with a patience of 3 epochs.
    pub fn new(monitor: impl Into<String>) -> EarlyStopping {
        EarlyStopping {
            monitor: monitor.into(),
            mode: Mode::Min,
            patience: 3,
            min_delta: 0.0,
            restore: false,
            best: worst(Mode::Min),
            best_epoch: 0,
            waited: 0,
            weights: Vec::new(),
        }
    }

    /// Whether the number is to fall, the default, or to rise.
    #[must_use]
    pub fn mode(self, mode: Mode) -> EarlyStopping {
        EarlyStopping { mode, best: worst(mode), ..self }
    }

    /// The number of epochs without a better number after which the run ends; with 0, as with 1, the first one ends it.
    #[must_use]
    pub fn patience(self, patience: usize) -> EarlyStopping {
        EarlyStopping { patience, ..self }
    }

    /// By how much a number must be better to count; the default is 0, by anything.
    #[must_use]
    pub fn min_delta(self, min_delta: f64) -> EarlyStopping {
        EarlyStopping { min_delta: min_delta.abs(), ..self }
    }

    /// Whether the weights of the best epoch are put back at the end; the default is false.
    #[must_use]
    pub fn restore_best(self, restore: bool) -> EarlyStopping {
        EarlyStopping { restore, ..self }
    }
}

impl Callback for EarlyStopping {
    fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let value = cx.number("EarlyStopping", &self.monitor)?;
        if is_better(self.mode, value, self.best, self.min_delta) {
            (self.best, self.best_epoch, self.waited) = (value, cx.progress.epoch, 0);
            if self.restore {
                self.weights = cx.model.state_dict();
            }
            return Ok(());
        }
        self.waited += 1;
        if self.waited >= self.patience {
            let EarlyStopping { monitor, best, best_epoch, .. } = self;
            cx.stop(format!("{monitor} has not been better than {best} of epoch {best_epoch}"));
        }
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let over = cx.outcome.is_some_and(|outcome| *outcome != Outcome::Interrupted);
        match over && !self.weights.is_empty() {
            true => cx.model.load_state_dict(&self.weights),
            false => Ok(()),
        }
    }

    fn state(&self) -> Value {
        Value::map()
            .with("best", self.best)
            .with("best_epoch", self.best_epoch)
            .with("waited", self.waited)
            .with("weights", Value::state(&self.weights))
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.best = state.get("best")?.float()?;
        self.best_epoch = state.get("best_epoch")?.int()?;
        self.waited = state.get("waited")?.int()?;
        self.weights = state.get("weights")?.tensors();
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}
