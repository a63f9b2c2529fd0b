use super::charts::Steps;
use crate::callback::{Callback, Context};
use crate::progress::Outcome;
use crate::report::RunCard;
use rushlight_array::{Error, Result};
use rushlight_serialize::{Value, replace_file, safetensors};
use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// While a run goes on, the card is written anew after an epoch if the last time was so long ago.
pub(super) const AGAIN: Duration = Duration::from_secs(5);

/// Writes a [`RunCard`] into a folder: `card.json`, `report.html` to be looked at, and at the run's end
/// `weights.safetensors`, whose SHA-256 is the card's.
///
/// The card is there from the start, and says while the run goes on how far it has come. It has the seed, what computed, the
/// command line, and the settings of the trainer; add what only the program knows, above all the hashes of the data. With
/// [`replay`](crate::replay) the run is done once more and compared.
///
/// Give it to the trainer after callbacks that change weights at the end, as
/// [`EarlyStopping`](super::EarlyStopping) does; a [`RunFolder`](crate::RunFolder) comes last by itself.
#[derive(Clone, Debug)]
pub struct Report {
    folder: PathBuf,
    settings: Vec<(String, String)>,
    data: Vec<(String, String)>,
    steps: Steps,
    written: Option<Instant>,
}

impl Report {
    /// A card in a folder, whose name is the run's.
    pub fn new(folder: impl Into<PathBuf>) -> Report {
        Report {
            folder: folder.into(),
            settings: Vec::new(),
            data: Vec::new(),
            steps: Steps::default(),
            written: None,
        }
    }

    /// A setting that the trainer does not know, `"batch size"` for one.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Display) -> Report {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// The hash of data that the run is made of: see [`sha256_of_file`](crate::report::sha256_of_file) and
    /// [`sha256_of_tensors`](crate::report::sha256_of_tensors).
    #[must_use]
    pub fn data(mut self, name: impl Into<String>, sha256: impl Into<String>) -> Report {
        self.data.push((name.into(), sha256.into()));
        self
    }

    fn card(&self, cx: &Context<'_>, outcome: String) -> RunCard {
        let name = self.folder.file_name().unwrap_or(self.folder.as_os_str());
        let mut card = RunCard::new(name.to_string_lossy());
        if let Some(parameter) = cx.model.parameters().first() {
            card.dtype = parameter.dtype().name().to_owned();
            card.device = parameter.device().to_string();
        }
        card.workers = cx.workers;
        card.outcome = outcome;
        card.data = self.data.clone();
        card.settings = cx.settings.iter().chain(&self.settings).cloned().collect();
        let place = [("epochs", cx.progress.epoch), ("steps", cx.progress.step)];
        card.results = place.iter().map(|(name, count)| ((*name).to_owned(), *count as f64)).collect();
        if let Some(last) = cx.progress.history.last() {
            card.results.extend(last.iter().map(|(name, value)| (name.to_owned(), value)));
        }
        card.curves = self.steps.curves(&cx.progress.history);
        card
    }

    fn write(&mut self, card: &RunCard) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|source| Error::Io { path: self.folder.clone(), source })?;
        card.save(self.folder.join("card.json"))?;
        card.save_html(self.folder.join("report.html"))?;
        self.written = Some(Instant::now());
        Ok(())
    }
}

impl Callback for Report {
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let card = self.card(cx, "running".to_owned());
        self.write(&card)
    }

    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.steps.log(cx);
        let ago = self.written.is_none_or(|written| written.elapsed() >= AGAIN);
        if cx.moment != crate::Moment::Epoch || !ago {
            return Ok(());
        }
        let card = self.card(cx, "running".to_owned());
        self.write(&card)
    }

    fn on_exception(&mut self, cx: &mut Context<'_>, message: &str) {
        let card = self.card(cx, format!("failed: {message}"));
        if let Err(error) = self.write(&card) {
            cx.say(&format!("warning: the run card could not be written: {error}"));
        }
    }

    fn on_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let outcome = match cx.outcome {
            Some(Outcome::Stopped(reason)) => format!("stopped: {reason}"),
            Some(Outcome::Interrupted) => "interrupted".to_owned(),
            _ => "finished".to_owned(),
        };
        let mut card = self.card(cx, outcome);
        if cx.outcome != Some(&Outcome::Interrupted) {
            let bytes = safetensors::to_bytes(&cx.model.state_dict(), &[])?;
            replace_file(self.folder.join("weights.safetensors"), &bytes)?;
            card.weights_sha256 = Some(crate::report::sha256_of_bytes(&bytes));
        }
        self.write(&card)
    }

    fn state(&self) -> Value {
        self.steps.to_value()
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.steps = Steps::from_value(state)?;
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}
