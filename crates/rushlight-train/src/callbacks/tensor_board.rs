use crate::callback::{Callback, Context, Moment};
use crate::tensorboard::SummaryWriter;
use rushlight_array::{Error, Result, fail};
use rushlight_serialize::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes the numbers of each epoch, and of steps if you ask for them, into an event file that TensorBoard reads:
/// `tensorboard --logdir DIR`.
///
/// A number `loss` is the curve `loss/epoch`, its validation `val_loss` is `loss/validation`, and that of steps `loss/step`;
/// so they stand beside each other. All curves go by the step of the optimiser. Where a run goes on from a checkpoint, what
/// was written after it is cut off first; the times of events are the only thing that differs from an uninterrupted run.
///
/// TensorBoard shows all event files of a folder as one run. So files of rushlight that another run left there are renamed:
/// `tfevents` in their names becomes `old`.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    every_steps: Option<usize>,
    histograms: bool,
    writer: Option<SummaryWriter>,
    /// That of the file when it was last flushed; nothing as long as there is none.
    state: Value,
}

impl TensorBoard {
    /// An event file in a folder, with a point for each epoch.
    pub fn new(log_dir: impl Into<PathBuf>) -> TensorBoard {
        TensorBoard {
            folder: log_dir.into(),
            every_steps: None,
            histograms: false,
            writer: None,
            state: Value::None,
        }
    }

    /// Also a point for every `steps` steps of the optimiser.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn every_steps(self, steps: usize) -> TensorBoard {
        if steps == 0 {
            fail!("TensorBoard: every_steps is 0; at least 1 step lies between two points");
        }
        TensorBoard { every_steps: Some(steps), ..self }
    }

    /// Whether the distributions of all parameters are written after each epoch, too; the default is false.
    #[must_use]
    pub fn histograms(self, histograms: bool) -> TensorBoard {
        TensorBoard { histograms, ..self }
    }

    fn open(&mut self, cx: &mut Context<'_>) -> Result<SummaryWriter> {
        let name = match &self.state {
            Value::None => None,
            state => Some(state.get("file")?.text()?.to_owned()),
        };
        set_aside(&self.folder, name.as_deref(), &mut |message| cx.say(message))?;
        if name.is_some() {
            match SummaryWriter::resume(&self.folder, &self.state) {
                Ok(writer) => return Ok(writer),
                Err(error) => {
                    cx.say(&format!("warning: the event file cannot go on, a new one begins: {error}"));
                }
            }
        }
        SummaryWriter::new(&self.folder)
    }
}

/// Renames event files of other runs; of this library alone, and not `own`.
fn set_aside(folder: &Path, own: Option<&str>, say: &mut dyn FnMut(&str)) -> Result<()> {
    let error = |source| Error::Io { path: folder.to_path_buf(), source };
    let entries = match fs::read_dir(folder) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(error)?,
    };
    for entry in entries {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.starts_with("events.out.tfevents.") && name.contains(".rushlight.");
        if ours && Some(name.as_str()) != own {
            let aside = folder.join(name.replacen("tfevents", "old", 1));
            fs::rename(entry.path(), &aside).map_err(error)?;
            say(&format!("the event file of another run is now {}", aside.display()));
        }
    }
    Ok(())
}

/// The curve of a number of the logs.
fn tag(name: &str, moment: Moment) -> String {
    match (moment, name.strip_prefix("val_")) {
        (Moment::Step, _) => format!("{name}/step"),
        (_, Some(name)) => format!("{name}/validation"),
        (_, None) => format!("{name}/epoch"),
    }
}

impl Callback for TensorBoard {
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if self.writer.is_none() {
            self.writer = Some(self.open(cx)?);
        }
        Ok(())
    }

    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let due = match cx.moment {
            Moment::Step => self.every_steps.is_some_and(|steps| cx.progress.step.is_multiple_of(steps)),
            _ => true,
        };
        let Some(writer) = self.writer.as_mut().filter(|_| due) else { return Ok(()) };
        let step = cx.progress.step as u64;
        let numbers: Vec<(String, f64)> =
            cx.logs.iter().map(|(name, value)| (tag(name, cx.moment), value)).collect();
        writer.add_numbers(numbers.iter().map(|(tag, value)| (tag.as_str(), *value)), step)?;
        if cx.moment == Moment::Epoch {
            if self.histograms {
                for (name, parameter) in cx.model.named_parameters() {
                    writer.add_histogram(&name, &parameter, step)?;
                }
            }
            // For those who look while it runs.
            writer.flush()?;
        }
        Ok(())
    }

    fn on_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.writer.as_mut().map_or(Ok(()), SummaryWriter::flush)
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(writer) = &mut self.writer {
            self.state = writer.state()?;
        }
        Ok(())
    }

    fn state(&self) -> Value {
        self.state.clone()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.state = state.clone();
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}
