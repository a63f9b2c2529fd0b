//! Rust's values as values of a checkpoint.

use super::{Key, Value};
use rushlight_array::Array;
use rushlight_autograd::Tensor;

macro_rules! from {
    ($($t:ty => |$v:ident| $value:expr),* $(,)?) => {
        $(impl From<$t> for Value {
            fn from($v: $t) -> Value {
                $value
            }
        })*
    };
}

from! {
    bool => |v| Value::Bool(v),
    i32 => |v| Value::Int(v.into()),
    i64 => |v| Value::Int(v.into()),
    u8 => |v| Value::Int(v.into()),
    u32 => |v| Value::Int(v.into()),
    u64 => |v| Value::Int(v.into()),
    usize => |v| Value::Int(v as i128),
    i128 => |v| Value::Int(v),
    f32 => |v| Value::Float(v.into()),
    f64 => |v| Value::Float(v),
    &str => |v| Value::Text(v.to_owned()),
    String => |v| Value::Text(v),
    Tensor => |v| Value::Tensor(v.detach()),
    &Tensor => |v| Value::Tensor(v.detach()),
    Array => |v| Value::Tensor(v.into()),
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::None, Into::into)
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Key {
        Key::Text(key.to_owned())
    }
}

impl From<String> for Key {
    fn from(key: String) -> Key {
        Key::Text(key)
    }
}

impl From<i32> for Key {
    fn from(key: i32) -> Key {
        Key::Int(key.into())
    }
}

impl From<usize> for Key {
    fn from(key: usize) -> Key {
        Key::Int(key as i128)
    }
}
