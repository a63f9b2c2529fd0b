//! `.npy`: one array in numpy's form.
//!
//! A file is the magic `93 4e 55 4d 50 59`, a version, the length of the header, the header (a Python dict with dtype,
//! order and shape), and the raw elements. Source: `numpy.lib.format`; versions 1 to 3 are read, version 1 is written.
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_serialize::npy;
//!
//! let bytes = npy::to_bytes(&tensor([[1, 2], [3, 4]])).unwrap();
//! assert_eq!(npy::from_bytes(&bytes).unwrap().to_vec::<i64>(), [1, 2, 3, 4]);
//! ```

use crate::atomic;
use crate::cursor::Cursor;
use crate::elements::{self, ByteOrder};
use crate::fault::{Parsed, bail};
use crate::map;
use rushlight_array::{DType, Error, Result};
use rushlight_autograd::Tensor;
use std::path::Path;

/// How every file begins.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The elements begin at a multiple of this.
const ALIGNED: usize = 64;

/// The types of numpy, without their byte order.
const TYPES: [(&str, DType); 9] = [
    ("f4", DType::F32),
    ("f8", DType::F64),
    ("f2", DType::F16),
    ("i8", DType::I64),
    ("i4", DType::I32),
    ("i2", DType::I16),
    ("i1", DType::I8),
    ("u1", DType::U8),
    ("b1", DType::Bool),
];

/// Writes one tensor, as `numpy.save`.
///
/// # Errors
/// If the tensor is bfloat16, which numpy has not, or the file cannot be written.
pub fn save(path: impl AsRef<Path>, tensor: &Tensor) -> Result<()> {
    let path = path.as_ref();
    let header = header(tensor).map_err(|reason| Error::invalid(path.display().to_string(), reason))?;
    let array = tensor.array();
    atomic::replace(path, |out| {
        out.write_all(&header)?;
        elements::write_bytes(&array, out)
    })
}

/// The bytes of the file that [`save`] writes.
///
/// # Errors
/// If the tensor is bfloat16, which numpy has not.
pub fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let mut bytes = header(tensor).map_err(|reason| Error::invalid("npy", reason))?;
    elements::write_bytes(&tensor.array(), &mut bytes).expect("a Vec takes everything");
    Ok(bytes)
}

/// Whether numpy has the tensor's dtype, under this name; or the reason why not.
pub(crate) fn check(tensor: &Tensor) -> Result<&'static (&'static str, DType), String> {
    let of_numpy = TYPES.iter().find(|(_, dtype)| *dtype == tensor.dtype());
    of_numpy.ok_or_else(|| {
        "numpy has no bfloat16; save a copy with .to(DType::F32), or use safetensors".to_owned()
    })
}

fn header(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let (name, dtype) = check(tensor)?;
    let order = if dtype.size() == 1 { '|' } else { '<' };
    let sizes: String = tensor.shape().to_vec().iter().map(|size| format!("{size}, ")).collect();
    // As Python writes a tuple: (), (3,), (2, 3).
    let sizes = if tensor.dim() == 1 { sizes.trim_end() } else { sizes.trim_end_matches(", ") };
    let mut text = format!("{{'descr': '{order}{name}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let fixed = MAGIC.len() + 4;
    let len = (fixed + text.len() + 1).next_multiple_of(ALIGNED) - fixed;
    text.extend(std::iter::repeat_n(' ', len - text.len() - 1));
    text.push('\n');
    // At most 64 sizes of 20 digits.
    let len = u16::try_from(len).map_err(|_| format!("a header of {len} bytes is too long"))?;
    Ok([MAGIC, &[1, 0], &len.to_le_bytes(), text.as_bytes()].concat())
}

/// Reads one tensor, as `numpy.load`.
///
/// Elements in the other byte order, and arrays in Fortran's order, are turned.
///
/// # Errors
/// If the file cannot be read, is not a npy file, is longer or shorter than its header says, or has elements of a type
/// that rushlight has not.
pub fn load(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let bytes = map::open(path)?;
    parse(&bytes).map_err(|fault| fault.of(&path.display().to_string()))
}

/// As [`load`], from bytes that are in memory.
///
/// # Errors
/// As [`load`].
pub fn from_bytes(bytes: &[u8]) -> Result<Tensor> {
    parse(bytes).map_err(|fault| fault.of("npy"))
}

pub(crate) fn parse(bytes: &[u8]) -> Parsed<Tensor> {
    let header = Header::parse(bytes)?;
    let Some(needed) = elements::bytes_of(&header.shape, header.dtype) else {
        bail!(header.end, "shape {:?} has more dims or elements than can be counted", header.shape);
    };
    let data = &bytes[header.end..];
    if data.len() != needed {
        bail!(
            header.end,
            "shape {:?} of {} needs {needed} bytes, found {}",
            header.shape,
            header.dtype.name(),
            data.len()
        );
    }
    let mut sizes = header.shape;
    if header.fortran_order {
        sizes.reverse();
    }
    let array = elements::from_bytes(data, &sizes, header.dtype, header.order);
    let dims: Vec<usize> = (0..sizes.len()).rev().collect();
    let array = if header.fortran_order { array.permute(&dims).contiguous() } else { array };
    Ok(array.into())
}

struct Header {
    dtype: DType,
    order: ByteOrder,
    fortran_order: bool,
    shape: Vec<usize>,
    /// The byte at which the elements begin.
    end: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Parsed<Header> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.take(MAGIC.len(), "the magic")? != MAGIC {
            bail!(0, "not a npy file: it does not begin with \\x93NUMPY");
        }
        let (major, minor) = (cursor.u8("the version")?, cursor.u8("the version")?);
        let len = match (major, minor) {
            (1, 0) => usize::from(cursor.u16("the length of the header")?),
            (2 | 3, 0) => cursor.u32("the length of the header")? as usize,
            _ => bail!(MAGIC.len(), "version {major}.{minor}; versions 1.0, 2.0 and 3.0 are read"),
        };
        let start = cursor.at();
        let text = cursor.take(len, "the header")?.to_vec();
        let end = cursor.at();
        let text = match String::from_utf8(text) {
            Ok(text) => text,
            Err(error) => bail!(start + error.utf8_error().valid_up_to(), "the header is not UTF-8"),
        };
        let mut dict = Dict { text: &text, at: 0 };
        let members = dict.members().map_err(|fault| fault.within(start))?;
        let find = |name: &str| {
            let mut found = members.iter().filter(|(other, _)| *other == name).map(|(_, value)| value);
            match (found.next(), found.next()) {
                (Some(value), None) => Ok(value),
                (None, _) => bail!(start, "the header has no '{name}'"),
                (Some(_), Some(_)) => bail!(start, "the header has '{name}' twice"),
            }
        };
        let (Literal::Text(descr), Literal::Bool(fortran_order), Literal::Sizes(shape)) =
            (find("descr")?, find("fortran_order")?, find("shape")?)
        else {
            bail!(start, "'descr' must be a string, 'fortran_order' True or False, 'shape' a tuple of sizes");
        };
        if members.len() > 3 {
            bail!(start, "the header has more than 'descr', 'fortran_order' and 'shape'");
        }
        let Some((dtype, order)) = dtype(descr) else {
            let known = TYPES.map(|(name, _)| name).join(", ");
            bail!(start, "elements of numpy type '{descr}'; known are {known}");
        };
        Ok(Header { dtype, order, fortran_order: *fortran_order, shape: shape.clone(), end })
    }
}

/// The dtype of `<f4`, `|u1` and their kin; `None` for what rushlight has not.
fn dtype(descr: &str) -> Option<(DType, ByteOrder)> {
    let order = match descr.chars().next()? {
        '<' | '|' => ByteOrder::Little,
        '>' => ByteOrder::Big,
        '=' if cfg!(target_endian = "little") => ByteOrder::Little,
        '=' => ByteOrder::Big,
        _ => return None,
    };
    let (_, dtype) = TYPES.iter().find(|(name, _)| *name == &descr[1..])?;
    Some((*dtype, order))
}

/// The three kinds of Python literals that a header has.
enum Literal<'a> {
    Text(&'a str),
    Bool(bool),
    Sizes(Vec<usize>),
}

/// A reader of a Python dict of literals.
struct Dict<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Dict<'a> {
    fn members(&mut self) -> Parsed<Vec<(&'a str, Literal<'a>)>> {
        let mut members = Vec::new();
        self.expect('{')?;
        while !self.takes('}') {
            let name = self.string()?;
            self.expect(':')?;
            members.push((name, self.literal()?));
            if !self.takes(',') {
                self.expect('}')?;
                break;
            }
        }
        self.skip_space();
        if self.at < self.text.len() {
            bail!(self.at, "the header goes on after its end");
        }
        Ok(members)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn takes(&mut self, char: char) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(char);
        self.at += if found { char.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, char: char) -> Parsed<()> {
        if !self.takes(char) {
            bail!(self.at, "the header lacks a `{char}`");
        }
        Ok(())
    }

    fn string(&mut self) -> Parsed<&'a str> {
        self.skip_space();
        let Some(quote) = self.rest().chars().next().filter(|quote| matches!(quote, '\'' | '"')) else {
            bail!(self.at, "the header lacks a string");
        };
        let inner = &self.rest()[1..];
        let Some(len) = inner.find(quote) else { bail!(self.at, "a string in the header has no end") };
        self.at += len + 2;
        Ok(&inner[..len])
    }

    fn literal(&mut self) -> Parsed<Literal<'a>> {
        self.skip_space();
        for (word, value) in [("True", true), ("False", false)] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(Literal::Bool(value));
            }
        }
        if self.rest().starts_with('[') {
            bail!(self.at, "structured elements cannot be read; save each field as an array of its own");
        }
        if !self.takes('(') {
            return self.string().map(Literal::Text);
        }
        let mut sizes = Vec::new();
        while !self.takes(')') {
            sizes.push(self.size()?);
            if !self.takes(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok(Literal::Sizes(sizes))
    }

    fn size(&mut self) -> Parsed<usize> {
        self.skip_space();
        let len = self.rest().find(|char: char| !char.is_ascii_digit()).unwrap_or(self.rest().len());
        let Ok(size) = self.rest()[..len].parse() else { bail!(self.at, "the shape lacks a size") };
        self.at += len;
        // Python 2 wrote long integers as 3L.
        self.at += usize::from(self.rest().starts_with('L'));
        Ok(size)
    }
}
