use super::log_file::LogFile;
use crate::callback::{Callback, Context, Moment};
use rushlight_array::{Result, fail};
use rushlight_serialize::Value;
use std::fmt::Write;
use std::path::PathBuf;

/// Writes the numbers of each epoch, or of steps, as a table of comma-separated values.
///
/// The columns are `epoch`, `step` and the names that the first line has; a name that comes later is left out, and that is
/// said once. Numbers are written so that they come back bit for bit. Where a run goes on from a checkpoint, lines that
/// were written after it are cut off first.
///
/// A file that another run left under the name is renamed to `NAME.old`.
#[derive(Debug)]
pub struct CsvLogger {
    log: LogFile,
    every_steps: Option<usize>,
    columns: Vec<String>,
    warned: bool,
}

impl CsvLogger {
    /// A line for each epoch.
    pub fn new(path: impl Into<PathBuf>) -> CsvLogger {
        CsvLogger { log: LogFile::new(path.into()), every_steps: None, columns: Vec::new(), warned: false }
    }

    /// A line for every `steps` steps of the optimiser, and none for epochs.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn every_steps(self, steps: usize) -> CsvLogger {
        CsvLogger { every_steps: Some(at_least_one("CsvLogger", steps)), ..self }
    }
}

#[track_caller]
fn at_least_one(who: &str, steps: usize) -> usize {
    if steps == 0 {
        fail!("{who}: every_steps is 0; at least 1 step lies between two lines");
    }
    steps
}

/// A number so that it comes back bit for bit; what is none as Python and JSON5 spell it.
fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        value => value.to_string(),
    }
}

/// A field of a table, in quotes where it must be.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

impl Callback for CsvLogger {
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.log.open(&mut |message| cx.say(message))
    }

    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let due = match (cx.moment, self.every_steps) {
            (Moment::Step, Some(steps)) => cx.progress.step.is_multiple_of(steps),
            (Moment::Epoch, None) => true,
            _ => false,
        };
        if !due {
            return Ok(());
        }
        if self.columns.is_empty() {
            self.columns = cx.logs.iter().map(|(name, _)| name.to_owned()).collect();
            let names: Vec<String> = self.columns.iter().map(|name| field(name)).collect();
            self.log.line(&[vec!["epoch".into(), "step".into()], names].concat().join(","))?;
        }
        let unknown = cx.logs.iter().find(|(name, _)| !self.columns.iter().any(|column| column == name));
        if let Some((name, _)) = unknown.filter(|_| !self.warned) {
            self.warned = true;
            let path = self.log.path().display();
            let message = format!("warning: {path} has no column `{name}`, which came after its first line");
            cx.say(&message);
        }
        let numbers = self.columns.iter().map(|name| cx.logs.get(name).map(number).unwrap_or_default());
        let place = [cx.progress.epoch_number().to_string(), cx.progress.step.to_string()];
        self.log.line(&place.into_iter().chain(numbers).collect::<Vec<_>>().join(","))
    }

    fn on_exception(&mut self, _: &mut Context<'_>, _: &str) {
        let _ = self.log.write();
    }

    fn on_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.log.write()
    }

    fn flush(&mut self) -> Result<()> {
        self.log.flush()
    }

    fn state(&self) -> Value {
        Value::map()
            .with("length", self.log.length)
            .with("columns", self.columns.clone())
            .with("warned", self.warned)
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.log.length = state.get("length")?.int()?;
        let columns = state.get("columns")?.list()?.iter();
        self.columns = columns.map(|name| Ok(name.text()?.to_owned())).collect::<Result<_>>()?;
        self.warned = state.get("warned")?.bool()?;
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}

/// Writes the numbers of each epoch, and of steps if you ask for them, as one JSON object a line.
///
/// `{"event":"epoch","epoch":1,"step":45,"loss":0.25}`: numbers come back bit for bit, and what JSON has no number for is
/// `null`. Where a run goes on from a checkpoint, lines that were written after it are cut off first.
///
/// A file that another run left under the name is renamed to `NAME.old`.
#[derive(Debug)]
pub struct JsonlLogger {
    log: LogFile,
    every_steps: Option<usize>,
    /// The memory of the line before.
    line: String,
}

impl JsonlLogger {
    /// A line for each epoch.
    pub fn new(path: impl Into<PathBuf>) -> JsonlLogger {
        JsonlLogger { log: LogFile::new(path.into()), every_steps: None, line: String::new() }
    }

    /// Also a line for every `steps` steps of the optimiser.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn every_steps(self, steps: usize) -> JsonlLogger {
        JsonlLogger { every_steps: Some(at_least_one("JsonlLogger", steps)), ..self }
    }
}

/// Adds a text as JSON writes it.
fn quote(text: &str, line: &mut String) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            control if u32::from(control) < 0x20 => line.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => line.push(other),
        }
    }
    line.push('"');
}

impl Callback for JsonlLogger {
    fn on_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.log.open(&mut |message| cx.say(message))
    }

    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let event = match (cx.moment, self.every_steps) {
            (Moment::Epoch, _) => "epoch",
            (Moment::Step, Some(steps)) if cx.progress.step.is_multiple_of(steps) => "step",
            _ => return Ok(()),
        };
        let (epoch, step) = (cx.progress.epoch_number(), cx.progress.step);
        let line = &mut self.line;
        line.clear();
        // Into a text nothing can fail.
        let _ = write!(line, "{{\"event\":\"{event}\",\"epoch\":{epoch},\"step\":{step}");
        for (name, value) in cx.logs.iter() {
            line.push(',');
            quote(name, line);
            let _ = if value.is_finite() { write!(line, ":{value}") } else { write!(line, ":null") };
        }
        line.push('}');
        self.log.line(line)
    }

    fn on_exception(&mut self, _: &mut Context<'_>, _: &str) {
        let _ = self.log.write();
    }

    fn on_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.log.write()
    }

    fn flush(&mut self) -> Result<()> {
        self.log.flush()
    }

    fn state(&self) -> Value {
        Value::map().with("length", self.log.length)
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        self.log.length = state.get("length")?.int()?;
        Ok(())
    }

    fn in_dev_run(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_texts_are_quoted() {
        for value in [0.1, 1e-300, 12345678.9, -0.0, f64::MAX, 5e-324] {
            assert_eq!(number(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        let mut line = String::new();
        quote("a\"\\\n", &mut line);
        assert_eq!(line, "\"a\\\"\\\\\\u000a\"");
    }
}
