//! Options by PyTorch's names: what a group of parameters, a schedule and a saved state are made of.

use rushlight_array::fail;

/// A plain value, as Python's in a state dict.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Python's `None`.
    Null,
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; its bits are kept.
    Float(f64),
    /// A text, as the names of modes.
    Text(String),
    /// Values in order, as `betas`.
    List(Vec<Value>),
    /// Values by name, as the state of a schedule inside of another.
    Options(Options),
}

impl Value {
    /// The number, also of a whole one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            Value::Int(x) => Some(*x as f64),
            _ => None,
        }
    }

    /// The whole number, also where it was written as a float.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(x) => Some(*x),
            Value::Float(x) if x.fract() == 0.0 && x.abs() < 1e15 => Some(*x as i64),
            _ => None,
        }
    }

    /// The switch.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(x) => Some(*x),
            _ => None,
        }
    }

    /// The text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(x) => Some(x),
            _ => None,
        }
    }

    /// The values in order.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(x) => Some(x),
            _ => None,
        }
    }

    /// The numbers in order.
    pub fn as_floats(&self) -> Option<Vec<f64>> {
        self.as_list()?.iter().map(Value::as_float).collect()
    }

    /// The values by name.
    pub fn as_options(&self) -> Option<&Options> {
        match self {
            Value::Options(x) => Some(x),
            _ => None,
        }
    }

    /// This value in the form of another that it shall replace: a whole number for a float, or the reverse.
    pub(crate) fn like(&self, other: &Value) -> Option<Value> {
        match (other, self) {
            (Value::Float(_), _) => self.as_float().map(Value::Float),
            (Value::Int(_), _) => self.as_int().map(Value::Int),
            (Value::List(old), Value::List(new)) if old.len() == new.len() => {
                let items: Option<Vec<Value>> = old.iter().zip(new).map(|(old, new)| new.like(old)).collect();
                items.map(Value::List)
            }
            (Value::Bool(_), Value::Bool(_)) => Some(self.clone()),
            // What may be absent may be given.
            (Value::Null, _) | (Value::Text(_), Value::Text(_) | Value::Null) => Some(self.clone()),
            _ => None,
        }
    }
}

/// Writes the conversions of plain types.
macro_rules! values {
    ($($type:ty, $x:ident => $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($x: $type) -> Value {
                $value
            }
        }
    )*};
}

values! {
    f64, x => Value::Float(x);
    bool, x => Value::Bool(x);
    i64, x => Value::Int(x);
    usize, x => Value::Int(i64::try_from(x).unwrap_or(i64::MAX));
    &str, x => Value::Text(x.to_string());
    Options, x => Value::Options(x);
    Vec<Value>, x => Value::List(x);
    Vec<f64>, x => Value::List(x.into_iter().map(Value::Float).collect());
    Vec<usize>, x => Value::List(x.into_iter().map(Into::into).collect());
    (f64, f64), x => vec![x.0, x.1].into();
    (f64, f64, f64), x => vec![x.0, x.1, x.2].into();
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(x: Option<T>) -> Value {
        x.map_or(Value::Null, Into::into)
    }
}

/// Values by name, in the order in which they were given.
///
/// ```
/// use rushlight_optim::Options;
/// let mut options = Options::new([("lr", 0.1.into()), ("nesterov", true.into())]);
/// options.set("lr", 0.2);
/// assert_eq!(options.get("lr").unwrap().as_float(), Some(0.2));
/// assert!(options.get("momentum").is_none());
/// ```
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Options(Vec<(String, Value)>);

impl Options {
    /// These values.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let mut options = Options::default();
        values.into_iter().for_each(|(name, value)| options.set(name, value));
        options
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets a value, a new one at the end.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, place)) => *place = value.into(),
            None => self.0.push((name.to_string(), value.into())),
        }
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The value of a name that is known to be there, in a form that is known.
    fn known<'a, T>(&'a self, name: &str, form: impl Fn(&'a Value) -> Option<T>) -> T {
        match self.get(name).and_then(form) {
            Some(value) => value,
            None => {
                fail!("options: `{name}` is {:?}, which is not of the form that it must have", self.get(name))
            }
        }
    }

    pub(crate) fn float(&self, name: &str) -> f64 {
        self.known(name, Value::as_float)
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        self.known(name, Value::as_int)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.known(name, Value::as_bool)
    }

    /// The two numbers of `betas` and the like.
    pub(crate) fn pair(&self, name: &str) -> (f64, f64) {
        self.known(name, |value| match value {
            Value::List(items) => match items.as_slice() {
                [a, b] => Some((a.as_float()?, b.as_float()?)),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f64> {
        self.known(name, Value::as_floats)
    }
}
