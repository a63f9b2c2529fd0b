//! JSON (RFC 8259): the header of a safetensors file, and reports.

use crate::fault::{Parsed, bail};
use std::collections::HashSet;

/// The deepest nesting that is read; a safetensors header has three levels.
const DEEPEST: usize = 32;

/// A JSON value. Objects keep their order and their duplicates; numbers their text.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(String),
    Array(Vec<Json<'a>>),
    Object(Vec<(String, Json<'a>)>),
}

/// The one value that makes up `text`, with white space around it.
pub(crate) fn parse(text: &str) -> Parsed<Json<'_>> {
    Parser { text, at: 0, distinct: false }.whole()
}

/// The same, where an object that has a name twice is a fault.
pub(crate) fn parse_distinct(text: &str) -> Parsed<Json<'_>> {
    Parser { text, at: 0, distinct: true }.whole()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    distinct: bool,
}

impl<'a> Parser<'a> {
    fn whole(mut self) -> Parsed<Json<'a>> {
        let value = self.value(0)?;
        self.skip_space();
        if self.at < self.text.len() {
            bail!(self.at, "JSON goes on after its end");
        }
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte` if it comes next after white space.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Parsed<()> {
        if !self.takes(byte) {
            bail!(self.at, "JSON: expected `{}`, found {}", byte as char, self.found());
        }
        Ok(())
    }

    fn found(&self) -> String {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(char) => format!("{char:?}"),
            None => "the end".to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Json<'a>> {
        if depth > DEEPEST {
            bail!(self.at, "JSON is nested deeper than {DEEPEST} levels");
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Json<'a>> {
        self.at += 1;
        let (mut members, mut places) = (Vec::new(), Vec::new());
        if self.takes(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                bail!(self.at, "JSON: expected a name in quotes, found {}", self.found());
            }
            if self.distinct {
                places.push(self.at);
            }
            let name = self.string()?;
            self.expect(b':')?;
            members.push((name, self.value(depth + 1)?));
            if !self.takes(b',') {
                self.expect(b'}')?;
                distinct(&members, &places)?;
                return Ok(Json::Object(members));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Parsed<Json<'a>> {
        self.at += 1;
        let mut values = Vec::new();
        if self.takes(b']') {
            return Ok(Json::Array(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if !self.takes(b',') {
                self.expect(b']')?;
                return Ok(Json::Array(values));
            }
        }
    }

    fn word(&mut self) -> Parsed<Json<'a>> {
        let words = [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))];
        for (word, value) in words {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        bail!(self.at, "JSON: expected a value, found {}", self.found())
    }

    fn number(&mut self) -> Parsed<Json<'a>> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            bail!(start, "JSON: a number begins with 0");
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Parsed<&'a str> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            bail!(start, "JSON: expected a digit, found {}", self.found());
        }
        Ok(&self.text[start..self.at])
    }

    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        self.at += 1;
        let mut string = String::new();
        loop {
            let plain = self.text.as_bytes()[self.at..]
                .iter()
                .position(|&byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let Some(plain) = plain else { bail!(start, "JSON: a string has no end") };
            string.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain + 1;
            match self.text.as_bytes()[self.at - 1] {
                b'"' => return Ok(string),
                b'\\' => string.push(self.escaped()?),
                control => bail!(self.at - 1, "JSON: control character 0x{control:02x} in a string"),
            }
        }
    }

    /// The character behind a backslash.
    fn escaped(&mut self) -> Parsed<char> {
        let at = self.at;
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(plain @ (b'"' | b'\\' | b'/')) => plain as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex()?;
                let code = match first {
                    0xd800..=0xdbff if self.text[self.at..].starts_with("\\u") => {
                        self.at += 2;
                        let second = self.hex()?;
                        match second {
                            0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                            _ => first,
                        }
                    }
                    _ => first,
                };
                match char::from_u32(code) {
                    Some(char) => char,
                    None => bail!(at, "JSON: \\u{first:04x} is half of a pair"),
                }
            }
            _ => bail!(at, "JSON: no such escape in a string"),
        })
    }

    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|s| s.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => bail!(self.at, "JSON: \\u needs four hexadecimal digits"),
        }
    }
}

/// The names of an object at these places, if there are any, are no two the same.
fn distinct(members: &[(String, Json<'_>)], places: &[usize]) -> Parsed<()> {
    let mut seen = HashSet::new();
    for (&place, (name, _)) in places.iter().zip(members) {
        if !seen.insert(name.as_str()) {
            bail!(place, "JSON: the name {name:?} comes twice in an object");
        }
    }
    Ok(())
}

/// Appends a string in quotes.
pub(crate) fn write_string(string: &str, out: &mut String) {
    out.push('"');
    for char in string.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        parse(text).unwrap_err().of("f").to_string()
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let value = parse(" {\"a\":[1,-2.5e+3,true,null],\"b\\n\\u00e9\\ud83d\\ude00/\":{}} ").unwrap();
        let expected = Json::Object(vec![
            (
                "a".into(),
                Json::Array(vec![Json::Number("1"), Json::Number("-2.5e+3"), Json::Bool(true), Json::Null]),
            ),
            ("b\né😀/".into(), Json::Object(vec![])),
        ]);
        assert_eq!(value, expected);
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_goes_wrong() {
        assert_eq!(reason("{\"a\" 1}"), "f: byte 5: JSON: expected `:`, found '1'");
        assert_eq!(reason("[1,]"), "f: byte 3: JSON: expected a value, found ']'");
        assert_eq!(reason("[01]"), "f: byte 1: JSON: a number begins with 0");
        assert_eq!(reason("\"a"), "f: byte 0: JSON: a string has no end");
        assert_eq!(reason("\"\\ud800x\""), "f: byte 2: JSON: \\ud800 is half of a pair");
        assert_eq!(reason("1 2"), "f: byte 2: JSON goes on after its end");
        assert_eq!(reason(&"[".repeat(1 << 20)), "f: byte 33: JSON is nested deeper than 32 levels");
    }

    #[test]
    fn written_strings_are_read_back() {
        let string = "a\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}é😀";
        let mut text = String::new();
        write_string(string, &mut text);
        assert_eq!(parse(&text).unwrap(), Json::String(string.to_owned()));
    }
}
