//! Numbers by name.

use rushlight_array::Result;
use rushlight_serialize::{Key, Value};

/// The numbers of a step or of an epoch, by name, in the order in which they came.
///
/// ```
/// use rushlight_train::Logs;
/// let mut logs = Logs::default();
/// logs.set("loss", 2.0);
/// logs.set("loss", 1.5);
/// assert_eq!(logs.get("loss"), Some(1.5));
/// assert_eq!(logs.iter().count(), 1);
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Logs(Vec<(String, f64)>);

impl Logs {
    /// The number of a name, if there is one.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Sets the number of a name, in its old place if it has one.
    pub fn set(&mut self, name: &str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// The names with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The names, for messages.
    pub(crate) fn names(&self) -> String {
        self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn to_value(&self) -> Value {
        Value::Map(self.iter().map(|(name, value)| (Key::from(name), Value::from(value))).collect())
    }

    pub(crate) fn from_value(value: &Value) -> Result<Logs> {
        let pairs = value.pairs()?.iter();
        Ok(Logs(pairs.map(|(name, value)| Ok((name.to_string(), value.float()?))).collect::<Result<_>>()?))
    }
}

/// Means over samples, by name: what an epoch's logs are made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Means(Vec<(String, f64, f64)>);

impl Means {
    pub(crate) fn add(&mut self, name: &str, value: f64, samples: usize) {
        let samples = samples as f64;
        match self.0.iter_mut().find(|(known, ..)| known == name) {
            Some((_, sum, count)) => {
                *sum += value * samples;
                *count += samples;
            }
            None => self.0.push((name.to_owned(), value * samples, samples)),
        }
    }

    /// The means so far, each name with `prefix` before it.
    pub(crate) fn write(&self, prefix: &str, logs: &mut Logs) {
        for (name, sum, count) in &self.0 {
            logs.set(&format!("{prefix}{name}"), sum / count);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn to_value(&self) -> Value {
        let parts = self.0.iter().map(|(name, sum, count)| {
            Value::List(vec![name.as_str().into(), Value::from(*sum), Value::from(*count)])
        });
        Value::List(parts.collect())
    }

    pub(crate) fn from_value(value: &Value) -> Result<Means> {
        let part = |value: &Value| match value.list()? {
            [name, sum, count] => Ok((name.text()?.to_owned(), sum.float()?, count.float()?)),
            other => {
                let reason = format!("a mean is a name and two numbers, not {} values", other.len());
                Err(rushlight_array::Error::invalid("checkpoint", reason))
            }
        };
        Ok(Means(value.list()?.iter().map(part).collect::<Result<_>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_weighs_samples_and_survives_a_checkpoint() {
        let mut means = Means::default();
        means.add("loss", 1.0, 3);
        let mut back = Means::from_value(&means.to_value()).unwrap();
        back.add("loss", 5.0, 1);
        let mut logs = Logs::default();
        back.write("val_", &mut logs);
        // (3 * 1 + 1 * 5) / 4.
        assert_eq!(logs.get("val_loss"), Some(2.0));
        assert!(Means::from_value(&Value::List(vec![Value::List(vec!["loss".into()])])).is_err());
    }
}
