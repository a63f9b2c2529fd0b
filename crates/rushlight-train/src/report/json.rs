//! A run card as JSON.

use super::{Curve, RunCard};
use rushlight_array::{Error, Result};
use rushlight_serialize::Value;

/// What says that a file is a card, and of which form.
const FORMAT: &str = "rushlight run card";
const VERSION: u64 = 1;

impl RunCard {
    /// The card as JSON. Numbers keep all their bits; what is not finite is a text, as [`Value::to_json`] says.
    pub fn to_json(&self) -> String {
        let pairs = |pairs: &[(String, String)]| {
            let pair = |(name, text): &(String, String)| Value::from([name.as_str(), text.as_str()]);
            Value::List(pairs.iter().map(pair).collect())
        };
        let results = self
            .results
            .iter()
            .map(|(name, number)| Value::List(vec![Value::from(name.as_str()), Value::from(*number)]));
        let curve = |curve: &Curve| {
            let (x, y): (Vec<f64>, Vec<f64>) = curve.points.iter().copied().unzip();
            Value::map()
                .with("chart", curve.chart.as_str())
                .with("name", curve.name.as_str())
                .with("x", curve.x.as_str())
                .with("xs", x)
                .with("ys", y)
        };
        let card = Value::map()
            .with("format", FORMAT)
            .with("version", VERSION)
            .with("name", self.name.as_str())
            .with("seed", self.seed)
            .with("generator", self.generator.as_str())
            .with("dtype", self.dtype.as_str())
            .with("device", self.device.as_str())
            .with("threads", self.threads)
            .with("workers", self.workers)
            .with("command", self.command.clone())
            .with("program", self.program.as_str())
            .with("directory", self.directory.as_str())
            .with("outcome", self.outcome.as_str())
            .with("versions", pairs(&self.versions))
            .with("data", pairs(&self.data))
            .with("settings", pairs(&self.settings))
            .with("results", Value::List(results.collect()))
            .with("curves", Value::List(self.curves.iter().map(curve).collect()))
            .with("weights_sha256", self.weights_sha256.clone());
        // Nothing in it lacks a form: neither tensors nor bytes nor numbered keys.
        card.to_json().unwrap_or_default()
    }

    /// The card of a JSON text; `file` is for the messages.
    ///
    /// # Errors
    /// If the text is not JSON, or no card of this form.
    pub fn from_json(file: &str, text: impl AsRef<[u8]>) -> Result<RunCard> {
        let value = Value::from_json(file, text)?;
        read(&value).map_err(|error| Error::invalid(file, error.to_string()))
    }
}

fn read(card: &Value) -> Result<RunCard> {
    let text = |name: &str| Ok(card.get(name)?.text()?.to_owned());
    let format = card.get("format")?.text()?;
    let version = card.get("version")?.int::<u64>()?;
    if (format, version) != (FORMAT, VERSION) {
        let reason =
            format!("it is {format:?} of version {version}; a {FORMAT} of version {VERSION} is needed");
        return Err(Error::invalid("run card", reason));
    }
    Ok(RunCard {
        name: text("name")?,
        seed: match card.get("seed")? {
            Value::None => None,
            seed => Some(seed.int()?),
        },
        generator: text("generator")?,
        dtype: text("dtype")?,
        device: text("device")?,
        threads: card.get("threads")?.int()?,
        workers: card.get("workers")?.int()?,
        command: card.get("command")?.list()?.iter().map(owned).collect::<Result<_>>()?,
        program: text("program")?,
        directory: text("directory")?,
        outcome: text("outcome")?,
        versions: pairs(card.get("versions")?, owned)?,
        data: pairs(card.get("data")?, owned)?,
        settings: pairs(card.get("settings")?, owned)?,
        results: pairs(card.get("results")?, number)?,
        curves: card.get("curves")?.list()?.iter().map(curve).collect::<Result<_>>()?,
        weights_sha256: match card.get("weights_sha256")? {
            Value::None => None,
            hash => Some(hash.text()?.to_owned()),
        },
    })
}

fn owned(value: &Value) -> Result<String> {
    Ok(value.text()?.to_owned())
}

/// A number, or the text that stands for one that is not finite.
fn number(value: &Value) -> Result<f64> {
    match value {
        Value::Text(text) if text == "NaN" => Ok(f64::NAN),
        Value::Text(text) if text == "Infinity" => Ok(f64::INFINITY),
        Value::Text(text) if text == "-Infinity" => Ok(f64::NEG_INFINITY),
        other => other.float(),
    }
}

fn pairs<T>(list: &Value, read: fn(&Value) -> Result<T>) -> Result<Vec<(String, T)>> {
    let pair = |pair: &Value| match pair.list()? {
        [name, value] => Ok((owned(name)?, read(value)?)),
        other => Err(Error::invalid("run card", format!("expected a pair, found {} values", other.len()))),
    };
    list.list()?.iter().map(pair).collect()
}

fn curve(value: &Value) -> Result<Curve> {
    let text = |name: &str| owned(value.get(name)?);
    let numbers = |name: &str| value.get(name)?.list()?.iter().map(number).collect::<Result<Vec<f64>>>();
    let (x, y) = (numbers("xs")?, numbers("ys")?);
    if x.len() != y.len() {
        let reason = format!("a curve has {} places and {} values", x.len(), y.len());
        return Err(Error::invalid("run card", reason));
    }
    let points = x.into_iter().zip(y).collect();
    Ok(Curve { chart: text("chart")?, name: text("name")?, x: text("x")?, points })
}
