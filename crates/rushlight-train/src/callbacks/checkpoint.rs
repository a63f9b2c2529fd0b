use super::{Mode, is_better};
use crate::callback::{Callback, Context, Moment};
use crate::folder::{self, Named};
use crate::progress::Outcome;
use rushlight_array::order::sort_by;
use rushlight_array::{Error, Result, fail};
use rushlight_serialize::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Writes checkpoints into a folder: after every epoch, or as you say, and at the end or at Ctrl-C.
///
/// A file takes its name, `step-0000000120.ckpt`, only when it is whole and on the disk. The last two are kept, so that
/// there is one before a damaged one, and besides them the best by a number of the epochs' logs, if you ask for it. If one
/// cannot be written, as on a full disk, that is said, those before it stay, and the run goes on.
///
/// A folder belongs to one run. What another run left there (checkpoints of a later step than the one that this run goes
/// on from, or all of them where it begins) is renamed to `NAME.old`.
///
/// ```
/// use rushlight_train::{Checkpoint, Mode};
/// let checkpoint = Checkpoint::new("runs/digits").every_steps(500).keep_best(3, "val_accuracy", Mode::Max);
/// assert!(checkpoint.best().is_none());
/// ```
///
/// A clone is a handle on the same files: keep one to ask for [`best`](Checkpoint::best) after the run.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    every_steps: Option<usize>,
    every_epochs: Option<usize>,
    keep_last: usize,
    best: Option<(usize, String, Mode)>,
    kept: Arc<Mutex<Kept>>,
}

/// The files that are there, from the first to the last.
#[derive(Clone, Debug, Default)]
struct Kept {
    files: Vec<(Named, Option<f64>)>,
    /// As it was before the checkpoint that is being written.
    before: Option<Vec<(Named, Option<f64>)>>,
}

impl Checkpoint {
    /// Checkpoints in a folder, which is made if it is not there, after every epoch.
    pub fn new(folder: impl Into<PathBuf>) -> Checkpoint {
        Checkpoint {
            folder: folder.into(),
            every_steps: None,
            every_epochs: None,
            keep_last: 2,
            best: None,
            kept: Arc::default(),
        }
    }

    /// Also after every `steps` steps of the optimiser.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn every_steps(self, steps: usize) -> Checkpoint {
        if steps == 0 {
            fail!("Checkpoint: every_steps is 0; at least 1 step lies between two checkpoints");
        }
        Checkpoint { every_steps: Some(steps), ..self }
    }

    /// After every `epochs` epochs; the default is 1.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn every_epochs(self, epochs: usize) -> Checkpoint {
        if epochs == 0 {
            fail!("Checkpoint: every_epochs is 0; at least 1 epoch lies between two checkpoints");
        }
        Checkpoint { every_epochs: Some(epochs), ..self }
    }

    /// How many of the last ones are kept; the default is 2.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn keep_last(self, keep_last: usize) -> Checkpoint {
        if keep_last == 0 {
            fail!("Checkpoint: keep_last is 0; the newest one is always kept");
        }
        Checkpoint { keep_last, ..self }
    }

    /// How many of the best ones are kept, by a number of the epochs' logs. They are among those of the epochs: a step has
    /// no such number.
    #[must_use]
    pub fn keep_best(self, k: usize, monitor: impl Into<String>, mode: Mode) -> Checkpoint {
        Checkpoint { best: Some((k, monitor.into(), mode)), ..self }
    }

    /// The file of the best epoch, if one is kept.
    pub fn best(&self) -> Option<PathBuf> {
        let (_, _, mode) = self.best.as_ref()?;
        let kept = self.lock();
        let best = ranked(&kept.files, *mode).first().map(|at| kept.files[*at].0.file());
        best.map(|file| self.folder.join(file))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self, cx: &Context<'_>) -> bool {
        match cx.moment {
            Moment::Step => self.every_steps.is_some_and(|steps| cx.progress.step.is_multiple_of(steps)),
            Moment::Epoch => cx.progress.epoch.is_multiple_of(self.every_epochs.unwrap_or(1)),
            Moment::Start => false,
            Moment::End => true,
        }
    }

    /// Those that stay when there is one more.
    fn retained(&self, mut files: Vec<(Named, Option<f64>)>) -> Vec<(Named, Option<f64>)> {
        let mut stays = vec![false; files.len()];
        let last = files.len().saturating_sub(self.keep_last);
        stays[last..].fill(true);
        if let Some((k, _, mode)) = &self.best {
            ranked(&files, *mode).into_iter().take(*k).for_each(|at| stays[at] = true);
        }
        let mut stays = stays.into_iter();
        files.retain(|_| stays.next() == Some(true));
        files
    }

    fn remove(&self, named: &Named) -> Result<()> {
        let path = self.folder.join(named.file());
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::Io { path, source }),
            _ => Ok(()),
        }
    }
}

/// The places of files with a score, the best first; of equal ones the older.
fn ranked(files: &[(Named, Option<f64>)], mode: Mode) -> Vec<usize> {
    let mut places: Vec<(usize, f64)> =
        files.iter().enumerate().filter_map(|(at, (_, score))| Some((at, (*score)?))).collect();
    sort_by(&mut places, |(_, a), (_, b)| match () {
        () if is_better(mode, *a, *b, 0.0) => std::cmp::Ordering::Less,
        () if is_better(mode, *b, *a, 0.0) => std::cmp::Ordering::Greater,
        () => std::cmp::Ordering::Equal,
    });
    places.into_iter().map(|(at, _)| at).collect()
}

impl Callback for Checkpoint {
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let error = |source| Error::Io { path: self.folder.clone(), source };
        fs::create_dir_all(&self.folder).map_err(error)?;
        let found = folder::list(&self.folder)?;
        let mut kept = self.lock();
        kept.files.retain(|(named, _)| found.contains(named));
        for named in found {
            let before = named.step.cmp(&cx.progress.step);
            let own = kept.files.iter().any(|(other, _)| *other == named) && before.is_le();
            // The very one that the run goes on from may be kept under another list, or none.
            if own || (cx.resumed && before.is_eq()) {
                continue;
            }
            if cx.resumed && before.is_lt() {
                // No longer kept; the process was killed before it had removed it.
                self.remove(&named)?;
                continue;
            }
            kept.files.retain(|(other, _)| *other != named);
            let aside = folder::set_aside(&self.folder.join(named.file()))?;
            cx.say(&format!("a checkpoint of another run, or of a later step, is now {}", aside.display()));
        }
        Ok(())
    }

    fn wants_checkpoint(&mut self, cx: &mut Context<'_>) -> Option<PathBuf> {
        if !self.is_due(cx) {
            return None;
        }
        let last = cx.outcome.is_some_and(|outcome| *outcome != Outcome::Interrupted);
        let named = Named { step: cx.progress.step, last };
        let score = match (&self.best, cx.moment) {
            (Some((_, monitor, _)), Moment::Epoch) => {
                let score = cx.logs.get(monitor);
                if score.is_none() {
                    let known = cx.logs.names();
                    cx.say(&format!(
                        "warning: Checkpoint: there is no number `{monitor}` to go by; there are [{known}]"
                    ));
                }
                score.filter(|score| !score.is_nan())
            }
            _ => None,
        };
        let path = self.folder.join(named.file());
        let mut kept = self.lock();
        let mut files = kept.files.clone();
        // That of the step is replaced by that of the epoch which it ends.
        let before = files.iter().position(|(other, _)| *other == named).map(|at| files.remove(at));
        files.push((named, score.or(before.and_then(|(_, score)| score))));
        let files = self.retained(files);
        kept.before = Some(std::mem::replace(&mut kept.files, files));
        Some(path)
    }

    fn checkpoint_written(&mut self, cx: &mut Context<'_>, path: &Path, result: Result<()>) -> Result<()> {
        let mut kept = self.lock();
        let before = kept.before.take().unwrap_or_default();
        if let Err(error) = result {
            kept.files = before;
            let newest = kept.files.last().map(|(named, _)| self.folder.join(named.file()));
            let newest = newest.map_or("there is none before it".to_owned(), |path| {
                format!("the one before it stays: {}", path.display())
            });
            cx.say(&format!("warning: a checkpoint could not be written, {newest}: {error}"));
            return Ok(());
        }
        for (named, _) in &before {
            if !kept.files.iter().any(|(other, _)| other == named) {
                self.remove(named)?;
            }
        }
        if cx.outcome == Some(&Outcome::Interrupted) {
            cx.say(&format!(
                "stopped after step {}; to go on, run the program again with .resume({:?}), which reads {}",
                cx.progress.step,
                self.folder,
                path.display()
            ));
        }
        Ok(())
    }

    fn state(&self) -> Value {
        let kept = self.lock();
        Value::List(
            kept.files
                .iter()
                .map(|(named, score)| Value::map().with("file", named.file()).with("score", *score))
                .collect(),
        )
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        let file = |value: &Value| {
            let name = value.get("file")?.text()?;
            let named = Named::of(name)
                .ok_or_else(|| Error::invalid("Checkpoint", format!("{name:?} is not the name of one")))?;
            let score = match value.get("score")? {
                Value::None => None,
                score => Some(score.float()?),
            };
            Ok((named, score))
        };
        let files = state.list()?.iter().map(file).collect::<Result<_>>()?;
        *self.lock() = Kept { files, before: None };
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(scores: &[Option<f64>]) -> Vec<(Named, Option<f64>)> {
        scores.iter().enumerate().map(|(step, score)| (Named { step, last: false }, *score)).collect()
    }

    fn steps(files: &[(Named, Option<f64>)]) -> Vec<usize> {
        files.iter().map(|(named, _)| named.step).collect()
    }

    #[test]
    fn the_last_and_the_best_stay() {
        let scores = [Some(0.9), Some(0.1), None, Some(0.5), None, None];
        let max = Checkpoint::new("x").keep_best(2, "accuracy", Mode::Max);
        assert_eq!(steps(&max.retained(files(&scores))), [0, 3, 4, 5]);
        let min = Checkpoint::new("x").keep_best(1, "loss", Mode::Min).keep_last(1);
        assert_eq!(steps(&min.retained(files(&scores))), [1, 5]);
        assert_eq!(steps(&Checkpoint::new("x").keep_last(9).retained(files(&scores))), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn of_equal_ones_the_older_is_the_best() {
        assert_eq!(ranked(&files(&[Some(1.0), None, Some(2.0), Some(2.0)]), Mode::Max), [2, 3, 0]);
    }
}
