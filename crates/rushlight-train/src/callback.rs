//! What a callback is told, and what it may do.

use crate::interrupt::Stopper;
use crate::logs::Logs;
use crate::metric::Metric;
use crate::progress::{Outcome, Progress};
use rushlight_array::{Error, Result};
use rushlight_nn::Module;
use rushlight_optim::Optimizer;
use rushlight_serialize::Value;
use std::path::{Path, PathBuf};

/// Something that happens beside the training loop: logs, checkpoints, early stopping, or your own.
///
/// All methods have bodies that do nothing. The events of a run:
///
/// | event | when |
/// | --- | --- |
/// | `on_start` | once in each process, after a checkpoint was loaded |
/// | `on_epoch_start` | once for each epoch of the run; not again where an epoch goes on after a resume |
/// | `on_backward` | the gradients of a batch are there, before clipping and the step |
/// | `on_batch_end` | after each batch; `cx.logs` has its numbers, and more may be put in |
/// | `on_epoch_end` | after validation; `cx.logs` has the numbers of the epoch, and more may be put in |
/// | `on_log` | after all callbacks have seen `on_batch_end` (of a batch with a step) or `on_epoch_end` |
/// | `wants_checkpoint` | after `on_log`, and at the end or at Ctrl-C |
/// | `on_exception` | an error or a panic ends the run |
/// | `on_end` | the run has come to its end, or was interrupted |
///
/// An error of a callback ends the run.
///
/// ```
/// use rushlight_array::Result;
/// use rushlight_train::{Callback, Context};
///
/// /// Ends the run when the loss is small.
/// struct GoodEnough(f64);
///
/// impl Callback for GoodEnough {
///     fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
///         if cx.logs.get("loss").is_some_and(|loss| loss < self.0) {
///             cx.stop("the loss is small enough");
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Callback {
    /// The name under which its state stands in a checkpoint; the type's name unless you say otherwise. Two callbacks
    /// of one name are told apart by their order.
    fn name(&self) -> String {
        let path = std::any::type_name::<Self>();
        path.split('<').next().and_then(|path| path.rsplit("::").next()).unwrap_or(path).to_owned()
    }

    /// The run begins or goes on: `cx.resumed` says which.
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// An epoch begins.
    fn on_epoch_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The gradients of a batch are there.
    fn on_backward(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// A batch is over.
    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// An epoch is over, its validation included.
    fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The numbers of a step or of an epoch (`cx.moment` says which) are complete.
    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// The run ends by an error or a panic, of which this is the message.
    fn on_exception(&mut self, cx: &mut Context<'_>, message: &str) {
        let _ = (cx, message);
    }

    /// The run has come to its end, or was interrupted: `cx.outcome` says which.
    fn on_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Where a checkpoint shall be written now, if one shall. The state that goes into it is asked for afterwards.
    fn wants_checkpoint(&mut self, cx: &mut Context<'_>) -> Option<PathBuf> {
        let _ = cx;
        None
    }

    /// The checkpoint that was wanted has been written, or not.
    ///
    /// # Errors
    /// If the run shall end for it.
    fn checkpoint_written(&mut self, cx: &mut Context<'_>, path: &Path, result: Result<()>) -> Result<()> {
        let _ = (cx, path);
        result
    }

    /// What is buffered goes to the disk, before [`state`](Callback::state) says how much there is.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// The state for a checkpoint.
    fn state(&self) -> Value {
        Value::None
    }

    /// Goes on from a state.
    ///
    /// # Errors
    /// If it is not one of such a callback.
    fn load_state(&mut self, state: &Value) -> Result<()> {
        let _ = state;
        Ok(())
    }

    /// Whether it takes part in a [`fast_dev_run`](crate::Trainer::fast_dev_run), which shall leave no trace.
    fn in_dev_run(&self) -> bool {
        true
    }

    /// Whether [`Context::replay`] is used in `on_backward`, for which the trainer keeps the batch's generator.
    fn replays(&self) -> bool {
        false
    }
}

/// What an event is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// A batch, or a step.
    Step,
    /// A whole epoch.
    Epoch,
    /// The start of the run.
    Start,
    /// The end of the run, or an interruption.
    End,
}

/// What a callback sees of the run, and may change.
pub struct Context<'c> {
    /// The model.
    pub model: &'c dyn Module,
    /// The optimisers, in the order in which the trainer was given them.
    pub optimizers: &'c [Box<dyn Optimizer + 'c>],
    /// The trainer's metrics. At the end of an epoch they hold what validation gave, or training where there is none.
    pub metrics: &'c [Box<dyn Metric + 'c>],
    /// How far the run has come. In `on_backward` the batch does not count yet.
    pub progress: &'c mut Progress,
    /// The numbers of the batch or epoch; empty at the start.
    pub logs: &'c mut Logs,
    /// What the event is about.
    pub moment: Moment,
    /// Whether the optimiser took a step with this batch: not while gradients are accumulated.
    pub stepped: bool,
    /// The number of batches in an epoch, as far as they are used.
    pub batches: usize,
    /// The number of epochs in the run.
    pub max_epochs: usize,
    /// The worker threads of the loader.
    pub workers: usize,
    /// What the trainer was told, by name, for reports: epochs, optimisers with their options, and so on.
    pub settings: &'c [(String, String)],
    /// Whether the run goes on from a checkpoint.
    pub resumed: bool,
    /// How the run ended, at its end.
    pub outcome: Option<&'c Outcome>,
    pub(crate) stopper: &'c Stopper,
    pub(crate) say: &'c mut dyn FnMut(&str),
    pub(crate) again: Option<&'c mut dyn FnMut() -> Result<()>>,
}

impl Context<'_> {
    /// The learning rate of the first group of the first optimiser; 0 if there is no optimiser.
    pub fn lr(&self) -> f64 {
        self.optimizers.first().map_or(0.0, |optimizer| optimizer.lr())
    }

    /// Ends the run after this epoch, which ends here if it is going on; with the reason. The first reason counts.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.progress.stopped.get_or_insert_with(|| reason.into());
    }

    /// Ends the run after this step as Ctrl-C does: with a checkpoint, from which it can go on.
    pub fn interrupt(&mut self) {
        self.stopper.interrupt();
    }

    /// Tells the person who watches: on standard error, or where [`Trainer::messages`](crate::Trainer::messages) says.
    pub fn say(&mut self, message: &str) {
        (self.say)(message);
    }

    /// The number of a name, or an error that lists the names that there are.
    ///
    /// # Errors
    /// If there is no such number.
    pub fn number(&self, who: &str, name: &str) -> Result<f64> {
        self.logs.get(name).ok_or_else(|| {
            let known = self.logs.names();
            Error::invalid(who, format!("there is no number `{name}` to go by; there are [{known}]"))
        })
    }

    /// Does the forward and backward pass of the present batch once more, with the same random numbers; in `on_backward`
    /// of a callback that [`replays`](Callback::replays). Gradients are added to those that are there.
    ///
    /// # Errors
    /// If the step fails, or this is another event.
    pub fn replay(&mut self) -> Result<()> {
        match &mut self.again {
            Some(again) => again(),
            None => Err(Error::invalid("replay", "only on_backward of a callback that replays has a batch")),
        }
    }
}
