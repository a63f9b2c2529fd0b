//! Values as JSON (RFC 8259), for people and for other programs.

use super::{Key, Value};
use crate::fault::{Parsed, bail};
use crate::json::{self, Json, write_string};
use rushlight_array::{Error, Result};

impl Value {
    /// This value as JSON, indented, with a line end: for a file that people read too.
    ///
    /// Numbers are written so that they are read back with all their bits. JSON has no word for what is not a finite
    /// number; such a float becomes the text `"NaN"`, `"Infinity"` or `"-Infinity"`.
    ///
    /// ```
    /// use rushlight_serialize::Value;
    /// let value = Value::map().with("epoch", 3).with("loss", vec![0.5, 0.25]);
    /// let text = value.to_json().unwrap();
    /// assert_eq!(text, "{\n  \"epoch\": 3,\n  \"loss\": [0.5, 0.25]\n}\n");
    /// let back = Value::from_json("run.json", &text).unwrap();
    /// assert_eq!(back.get("epoch").unwrap().int::<u64>().unwrap(), 3);
    /// ```
    ///
    /// # Errors
    /// If there are tensors, bytes, or keys that are numbers.
    pub fn to_json(&self) -> Result<String> {
        let mut out = String::new();
        write(self, 0, &mut out)?;
        out.push('\n');
        Ok(out)
    }

    /// The value of a JSON text, or of the bytes of a file that should be one; `file` is for the messages, which say at which
    /// byte the fault is.
    ///
    /// # Errors
    /// If the text is not UTF-8 or not JSON, nests deeper than 32 levels, has a name twice in an object, or a number out of the
    /// range of `f64`.
    pub fn from_json(file: &str, text: impl AsRef<[u8]>) -> Result<Value> {
        parse(text.as_ref()).map_err(|fault| fault.of(file))
    }
}

fn write(value: &Value, depth: usize, out: &mut String) -> Result<()> {
    let lacks = |what: &str| Err(Error::invalid("json", format!("there is no form for {what}")));
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(value) => out.push_str(&value.to_string()),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) if value.is_nan() => out.push_str("\"NaN\""),
        Value::Float(value) if value.is_infinite() => {
            out.push_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
        }
        Value::Float(value) => out.push_str(&format!("{value:?}")),
        Value::Text(text) => write_string(text, out),
        Value::Bytes(_) => return lacks("bytes"),
        Value::Tensor(_) => return lacks("a tensor"),
        Value::List(values) => {
            let flat = !values.iter().any(|value| matches!(value, Value::List(_) | Value::Map(_)));
            enclosed(values, '[', ']', flat, depth, out, write)?;
        }
        Value::Map(pairs) => {
            enclosed(pairs, '{', '}', pairs.is_empty(), depth, out, |(key, value), depth, out| match key {
                Key::Int(_) => lacks("a key that is a number"),
                Key::Text(key) => {
                    write_string(key, out);
                    out.push_str(": ");
                    write(value, depth, out)
                }
            })?;
        }
    }
    Ok(())
}

/// Items between brackets, on one line or on lines of their own.
fn enclosed<T>(
    items: &[T],
    open: char,
    close: char,
    flat: bool,
    depth: usize,
    out: &mut String,
    write: impl Fn(&T, usize, &mut String) -> Result<()>,
) -> Result<()> {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(if flat { ", " } else { "," });
        }
        if !flat {
            line(depth + 1, out);
        }
        write(item, depth + 1, out)?;
    }
    if !flat {
        line(depth, out);
    }
    out.push(close);
    Ok(())
}

fn parse(bytes: &[u8]) -> Parsed<Value> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bail!(error.valid_up_to(), "JSON: the text is not UTF-8"),
    };
    read(json::parse_distinct(text)?, text)
}

/// The value of a part of `text`.
fn read(json: Json<'_>, text: &str) -> Parsed<Value> {
    Ok(match json {
        Json::Null => Value::None,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(part) => number(part, text)?,
        Json::String(string) => Value::Text(string),
        Json::Array(values) => {
            Value::List(values.into_iter().map(|value| read(value, text)).collect::<Parsed<_>>()?)
        }
        Json::Object(members) => {
            let pair = |(name, value)| Ok((Key::Text(name), read(value, text)?));
            Value::Map(members.into_iter().map(pair).collect::<Parsed<_>>()?)
        }
    })
}

fn number(part: &str, text: &str) -> Parsed<Value> {
    if let Ok(whole) = part.parse::<i128>()
        && part != "-0"
    {
        return Ok(Value::Int(whole));
    }
    match part.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Value::Float(number)),
        // A part of the text: how far its beginning is from that of the whole is where it stands.
        _ => bail!(part.as_ptr().addr() - text.as_ptr().addr(), "JSON: a number is out of the range of f64"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushlight_autograd::tensor;

    #[test]
    fn what_was_written_is_read_with_all_bits() {
        let floats = [0.1, -0.0, 1.0, 1e300, 5e-324, f64::MAX, 1.0 / 3.0, 123456789.125];
        let value = Value::map()
            .with("floats", floats.to_vec())
            .with("ints", Value::List(vec![i64::MIN.into(), u64::MAX.into(), Value::None, true.into()]))
            .with(
                "\"\\\n\u{1}é😀",
                Value::map().with("empty", Value::map()).with("none", Value::List(vec![])),
            );
        let text = value.to_json().unwrap();
        let back = Value::from_json("f", &text).unwrap();
        assert_eq!(back.to_json().unwrap(), text);
        for (value, expected) in back.get("floats").unwrap().list().unwrap().iter().zip(floats) {
            assert!(matches!(value, Value::Float(_)));
            assert_eq!(value.float().unwrap().to_bits(), expected.to_bits());
        }
        assert_eq!(back.get("ints").unwrap().list().unwrap()[1].int::<u64>().unwrap(), u64::MAX);
    }

    #[test]
    fn what_json_lacks_is_a_text_or_an_error() {
        let text = Value::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).to_json().unwrap();
        assert_eq!(text, "[\"NaN\", \"Infinity\", \"-Infinity\"]\n");
        let error = Value::from(tensor([1.0])).to_json().unwrap_err();
        assert_eq!(error.to_string(), "json: there is no form for a tensor");
        assert!(Value::map().with(3, 4).to_json().is_err());
    }

    #[test]
    fn what_cannot_be_a_value_is_refused() {
        let reason = |text: &str| Value::from_json("f", text).unwrap_err().to_string();
        assert_eq!(
            reason("{\"a\": 1, \"a\": 2}"),
            "f: byte 9: JSON: the name \"a\" comes twice in an object"
        );
        assert_eq!(reason("[1e999]"), "f: byte 1: JSON: a number is out of the range of f64");
        let error = Value::from_json("f", b"[\"\xff\"]").unwrap_err().to_string();
        assert_eq!(error, "f: byte 2: JSON: the text is not UTF-8");
        assert_eq!(reason("{"), "f: byte 1: JSON: expected a name in quotes, found the end");
    }
}
