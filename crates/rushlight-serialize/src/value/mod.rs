//! What a checkpoint holds: a tree of named values.

mod from;
mod random;
mod text;

use crate::state::State;
use rushlight_array::{Error, Result};
use rushlight_autograd::Tensor;
use std::fmt;

/// The deepest nesting of lists and maps that is read or written.
pub const DEEPEST: usize = 64;

/// A value of a checkpoint: what a Python program would keep in a dict and give to `torch.save`.
///
/// Maps keep their order. What is read can be taken apart by [`Value::get`] and the methods named after the kinds,
/// whose errors say what was expected and what is there.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_serialize::Value;
///
/// let mut run = Value::map();
/// run.set("epoch", 3);
/// run.set("optimizer", Value::map().with("lr", 0.1).with("betas", [0.9, 0.999]));
/// run.set("model", Value::state(&[("w".to_owned(), tensor([1.0, 2.0]))]));
///
/// assert_eq!(run.get("epoch").unwrap().int::<i64>().unwrap(), 3);
/// assert_eq!(run.get("optimizer").unwrap().get("lr").unwrap().float().unwrap(), 0.1);
/// assert_eq!(run.get("model").unwrap().tensors()[0].0, "w");
/// let error = run.get("epoch").unwrap().text().unwrap_err();
/// assert_eq!(error.to_string(), "value: expected a text, found the integer 3");
/// ```
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing: Python's `None`.
    #[default]
    None,
    /// A truth value.
    Bool(bool),
    /// An integer; wide enough for every `i64` and every `u64`.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A tensor.
    Tensor(Tensor),
    /// A list; Python's tuples are read as lists.
    List(Vec<Value>),
    /// Values by name or number, in their order; a key comes once.
    Map(Vec<(Key, Value)>),
}

/// The key of a [`Value::Map`]: a name, or a number as PyTorch's optimisers use for their parameters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A number.
    Int(i128),
    /// A name.
    Text(String),
}

impl Value {
    /// An empty map.
    pub fn map() -> Value {
        Value::Map(Vec::new())
    }

    /// A map of named tensors: a model's `state_dict()`.
    pub fn state(state: &[(String, Tensor)]) -> Value {
        let pairs = state.iter().map(|(name, tensor)| (Key::from(name.as_str()), Value::from(tensor)));
        Value::Map(pairs.collect())
    }

    /// Sets the value of a key, in its old place if it has one.
    ///
    /// # Panics
    /// If this is not a map.
    #[track_caller]
    pub fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        self.put(key.into(), value.into());
    }

    #[track_caller]
    fn put(&mut self, key: Key, value: Value) {
        let Value::Map(pairs) = self else {
            rushlight_array::fail!("set: {self:?} has no keys; start from Value::map()")
        };
        match pairs.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = value,
            None => pairs.push((key, value)),
        }
    }

    /// The map with one more value.
    ///
    /// # Panics
    /// If this is not a map.
    #[track_caller]
    #[must_use]
    pub fn with(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Value {
        self.put(key.into(), value.into());
        self
    }

    /// The value of a key.
    ///
    /// # Errors
    /// If this is not a map, or has no such key; the error lists the keys.
    pub fn get(&self, key: impl Into<Key>) -> Result<&Value> {
        self.of_key(&key.into())
    }

    fn of_key(&self, key: &Key) -> Result<&Value> {
        let pairs = self.pairs()?;
        let found = pairs.iter().find(|(other, _)| other == key).map(|(_, value)| value);
        found.ok_or_else(|| {
            let keys: Vec<String> = pairs.iter().take(20).map(|(key, _)| key.to_string()).collect();
            let more = if pairs.len() > 20 { ", ..." } else { "" };
            Error::invalid("value", format!("there is no key `{key}`; there are [{}{more}]", keys.join(", ")))
        })
    }

    /// The pairs of a map.
    ///
    /// # Errors
    /// If this is not a map.
    pub fn pairs(&self) -> Result<&[(Key, Value)]> {
        match self {
            Value::Map(pairs) => Ok(pairs),
            other => Err(other.is_not("a map")),
        }
    }

    /// The values of a list.
    ///
    /// # Errors
    /// If this is not a list.
    pub fn list(&self) -> Result<&[Value]> {
        match self {
            Value::List(values) => Ok(values),
            other => Err(other.is_not("a list")),
        }
    }

    /// The truth value.
    ///
    /// # Errors
    /// If this is not a truth value.
    pub fn bool(&self) -> Result<bool> {
        match self {
            Value::Bool(value) => Ok(*value),
            other => Err(other.is_not("a truth value")),
        }
    }

    /// The integer, in the type that you ask for.
    ///
    /// # Errors
    /// If this is not an integer, or the type does not hold it.
    pub fn int<T: TryFrom<i128>>(&self) -> Result<T> {
        match self {
            Value::Int(value) => T::try_from(*value)
                .map_err(|_| self.is_not(&format!("an integer of type {}", std::any::type_name::<T>()))),
            other => Err(other.is_not("an integer")),
        }
    }

    /// The number; an integer is one as well.
    ///
    /// # Errors
    /// If this is not a number.
    pub fn float(&self) -> Result<f64> {
        match self {
            Value::Float(value) => Ok(*value),
            Value::Int(value) => Ok(*value as f64),
            other => Err(other.is_not("a number")),
        }
    }

    /// The text.
    ///
    /// # Errors
    /// If this is not a text.
    pub fn text(&self) -> Result<&str> {
        match self {
            Value::Text(text) => Ok(text),
            other => Err(other.is_not("a text")),
        }
    }

    /// The bytes.
    ///
    /// # Errors
    /// If these are not bytes.
    pub fn bytes(&self) -> Result<&[u8]> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(other.is_not("bytes")),
        }
    }

    /// The tensor.
    ///
    /// # Errors
    /// If this is not a tensor.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Value::Tensor(tensor) => Ok(tensor),
            other => Err(other.is_not("a tensor")),
        }
    }

    /// Every tensor below this value, by its path with dots: `weight` of `{"model": {"weight": ...}}` is `model.weight`.
    ///
    /// Of a map of tensors these are its keys: what `load_state_dict` takes.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_serialize::Value;
    /// let run = Value::map().with("model", Value::map().with("0.weight", tensor([1.0]))).with("epoch", 3);
    /// assert_eq!(run.tensors()[0].0, "model.0.weight");
    /// assert_eq!(run.get("model").unwrap().tensors()[0].0, "0.weight");
    /// ```
    pub fn tensors(&self) -> State {
        let mut state = State::new();
        self.collect("", &mut state);
        state
    }

    fn collect(&self, path: &str, state: &mut State) {
        let below = |key: &dyn fmt::Display| match path {
            "" => key.to_string(),
            path => format!("{path}.{key}"),
        };
        match self {
            Value::Tensor(tensor) => state.push((path.to_owned(), tensor.clone())),
            Value::List(values) => {
                values.iter().enumerate().for_each(|(index, value)| value.collect(&below(&index), state));
            }
            Value::Map(pairs) => pairs.iter().for_each(|(key, value)| value.collect(&below(key), state)),
            _ => {}
        }
    }

    fn is_not(&self, expected: &str) -> Error {
        Error::invalid("value", format!("expected {expected}, found {}", self.named()))
    }

    /// The kind, with the value where it is short.
    fn named(&self) -> String {
        match self {
            Value::None => "nothing".to_owned(),
            Value::Bool(value) => format!("the truth value {value}"),
            Value::Int(value) => format!("the integer {value}"),
            Value::Float(value) => format!("the number {value}"),
            Value::Text(text) if text.len() <= 40 => format!("the text {text:?}"),
            Value::Text(text) => format!("a text of {} bytes", text.len()),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::Tensor(tensor) => format!("a tensor of shape {:?}", tensor.shape()),
            Value::List(values) => format!("a list of {} values", values.len()),
            Value::Map(pairs) => format!("a map of {} keys", pairs.len()),
        }
    }
}

/// As Python prints it, with tensors by dtype and shape.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Bool(value) => f.write_str(if *value { "True" } else { "False" }),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Value::Tensor(tensor) => write!(f, "tensor({:?}, {})", tensor.shape(), tensor.dtype()),
            Value::List(values) => f.debug_list().entries(values).finish(),
            Value::Map(pairs) => {
                f.debug_map().entries(pairs.iter().map(|(key, value)| (key, value))).finish()
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(key) => write!(f, "{key}"),
            Key::Text(key) => write!(f, "{key:?}"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(key) => write!(f, "{key}"),
            Key::Text(key) => f.write_str(key),
        }
    }
}
