//! A folder with all that is to be known of a run.

use crate::callback::Callback;
#[cfg(feature = "plots")]
use crate::callbacks::Plots;
use crate::callbacks::{Checkpoint, CsvLogger, JsonlLogger, LrMonitor, Report, TensorBoard};
use crate::replay;
use std::path::{Path, PathBuf};

/// A folder with all that is to be known of a run, `runs/NAME`, for [`Trainer::run_folder`](crate::Trainer::run_folder):
///
/// | file | what it is |
/// | --- | --- |
/// | `step-0000000120.ckpt` | checkpoints: [`Checkpoint`] |
/// | `epochs.csv` | the numbers of each epoch: [`CsvLogger`] |
/// | `steps.jsonl` | those of each step: [`JsonlLogger`] |
/// | `events.out.tfevents...` | the same for TensorBoard: [`TensorBoard`] |
/// | `pictures/` | curves, confusion matrix, samples: `Plots`, with the feature `plots` |
/// | `card.json`, `report.html` | the run card, to be replayed and to be looked at: [`Report`] |
/// | `weights.safetensors` | the final weights |
///
/// Each is the work of a callback, which can be changed, or given to the trainer alone.
///
/// ```no_run
/// use rushlight_train::{Mode, RunFolder};
/// # let seed = 1;
/// let folder = RunFolder::new("runs/digits")
///     .resume(true)
///     .checkpoint(|checkpoint| checkpoint.every_steps(500).keep_best(1, "val_accuracy", Mode::Max))
///     .report(|report| report.setting("batch size", 32));
/// ```
///
/// In a program that [`replay`](crate::replay()) has started the folder lies elsewhere: [`path`](RunFolder::path) says
/// where, and nothing is resumed.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    resume: bool,
    checkpoint: Checkpoint,
    csv: CsvLogger,
    jsonl: JsonlLogger,
    tensor_board: TensorBoard,
    #[cfg(feature = "plots")]
    plots: Plots,
    report: Report,
}

impl RunFolder {
    /// A folder, which is made if it is not there. Its own name is the run's.
    pub fn new(path: impl AsRef<Path>) -> RunFolder {
        let path = replay::place(path.as_ref());
        RunFolder {
            resume: false,
            checkpoint: Checkpoint::new(&path),
            csv: CsvLogger::new(path.join("epochs.csv")),
            jsonl: JsonlLogger::new(path.join("steps.jsonl")).every_steps(1),
            tensor_board: TensorBoard::new(&path).every_steps(1),
            #[cfg(feature = "plots")]
            plots: Plots::new(path.join("pictures")),
            report: Report::new(&path),
            path,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a run that the folder holds and that is not over goes on; the default is false, and what another run left is
    /// renamed.
    #[must_use]
    pub fn resume(self, resume: bool) -> RunFolder {
        RunFolder { resume, ..self }
    }

    /// Steps between two lines of `steps.jsonl` and two points for TensorBoard; the default is 1.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn log_every_steps(self, steps: usize) -> RunFolder {
        let (jsonl, tensor_board) = (self.jsonl.every_steps(steps), self.tensor_board.every_steps(steps));
        RunFolder { jsonl, tensor_board, ..self }
    }

    /// Changes the checkpoints.
    #[must_use]
    pub fn checkpoint(self, change: impl FnOnce(Checkpoint) -> Checkpoint) -> RunFolder {
        RunFolder { checkpoint: change(self.checkpoint), ..self }
    }

    /// Changes what TensorBoard shows.
    #[must_use]
    pub fn tensor_board(self, change: impl FnOnce(TensorBoard) -> TensorBoard) -> RunFolder {
        RunFolder { tensor_board: change(self.tensor_board), ..self }
    }

    /// Changes the pictures.
    #[cfg(feature = "plots")]
    #[must_use]
    pub fn plots(self, change: impl FnOnce(Plots) -> Plots) -> RunFolder {
        RunFolder { plots: change(self.plots), ..self }
    }

    /// Changes the run card.
    #[must_use]
    pub fn report(self, change: impl FnOnce(Report) -> Report) -> RunFolder {
        RunFolder { report: change(self.report), ..self }
    }

    /// Where to go on, and the callbacks in their order: the rate is logged before the logs are written, the checkpoint
    /// is written when all of them have seen the event anyway.
    pub(crate) fn parts(self) -> (Option<PathBuf>, Vec<Box<dyn Callback>>) {
        let callbacks: Vec<Box<dyn Callback>> = vec![
            Box::new(LrMonitor::new()),
            Box::new(self.csv),
            Box::new(self.jsonl),
            Box::new(self.tensor_board),
            #[cfg(feature = "plots")]
            Box::new(self.plots),
            Box::new(self.report),
            Box::new(self.checkpoint),
        ];
        (self.resume.then_some(self.path), callbacks)
    }
}
