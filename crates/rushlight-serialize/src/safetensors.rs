//! safetensors: the form in which weights are exchanged.
//!
//! A file is the length of its header (u64), the header (JSON: dtype, shape and bytes of each tensor), and the raw
//! elements, little-endian, without gaps. Source: the format's description in the repository of the `safetensors`
//! library, of which every file here is a file and the reverse; the tests hold both against each other.
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_serialize::safetensors;
//!
//! let bytes = safetensors::to_bytes(&[("w".to_owned(), tensor([1.0, 2.0]))], &[]).unwrap();
//! let state = safetensors::from_bytes(&bytes).unwrap();
//! assert_eq!(state[0].0, "w");
//! assert_eq!(state[0].1.to_vec::<f32>(), [1.0, 2.0]);
//! ```

use crate::atomic;
use crate::elements::{self, ByteOrder};
use crate::fault::{Parsed, bail};
use crate::json::{self, Json};
use crate::map::{self, Bytes};
use crate::state::{State, check_names};
use rushlight_array::order::sort_by;
use rushlight_array::{Array, DType, Error, Result};
use rushlight_autograd::Tensor;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The longest header that the format allows.
const LONGEST_HEADER: usize = 100_000_000;
/// The name under which the header keeps texts.
const METADATA: &str = "__metadata__";

/// The names of the dtypes, in the order in which the tensors of a file are written: the widest first.
const DTYPES: [(DType, &str); 10] = [
    (DType::I64, "I64"),
    (DType::F64, "F64"),
    (DType::F32, "F32"),
    (DType::I32, "I32"),
    (DType::BF16, "BF16"),
    (DType::F16, "F16"),
    (DType::I16, "I16"),
    (DType::I8, "I8"),
    (DType::U8, "U8"),
    (DType::Bool, "BOOL"),
];

/// Writes named tensors, as `safetensors.torch.save_file`.
///
/// The file is replaced as a whole: see [`save`](crate::save).
///
/// # Errors
/// If a name comes twice or is `__metadata__`, or the file cannot be written.
pub fn save_file(path: impl AsRef<Path>, state: &[(String, Tensor)]) -> Result<()> {
    save_file_with(path, state, &[])
}

/// As [`save_file`], with texts beside the tensors, such as `("format", "pt")`.
///
/// # Errors
/// As [`save_file`]; if a text's name comes twice.
pub fn save_file_with(
    path: impl AsRef<Path>,
    state: &[(String, Tensor)],
    metadata: &[(String, String)],
) -> Result<()> {
    let path = path.as_ref();
    let plan =
        Plan::of(state, metadata).map_err(|reason| Error::invalid(path.display().to_string(), reason))?;
    atomic::replace(path, |out| plan.write(out))
}

/// The bytes of the file that [`save_file_with`] writes.
///
/// # Errors
/// If a name comes twice or is `__metadata__`.
pub fn to_bytes(state: &[(String, Tensor)], metadata: &[(String, String)]) -> Result<Vec<u8>> {
    let plan = Plan::of(state, metadata).map_err(|reason| Error::invalid("safetensors", reason))?;
    let mut bytes = Vec::new();
    plan.write(&mut bytes).expect("a Vec takes everything");
    Ok(bytes)
}

/// The header, and the tensors in the order in which they follow it.
struct Plan {
    header: String,
    arrays: Vec<Array>,
}

impl Plan {
    fn of(state: &[(String, Tensor)], metadata: &[(String, String)]) -> Result<Plan, String> {
        check_names(state.iter().map(|(name, _)| name.as_str()))?;
        check_names(metadata.iter().map(|(name, _)| name.as_str()))?;
        if state.iter().any(|(name, _)| name == METADATA) {
            return Err(format!("a tensor cannot be named `{METADATA}`: the header keeps its texts there"));
        }
        let mut sorted: Vec<(&str, Array)> =
            state.iter().map(|(name, x)| (name.as_str(), x.array())).collect();
        sort_by(&mut sorted, |(name, x), (other, y)| {
            rank(x.dtype()).cmp(&rank(y.dtype())).then_with(|| name.cmp(other))
        });
        let mut header = String::from("{");
        if !metadata.is_empty() {
            write_metadata(metadata, &mut header);
        }
        let mut end = 0;
        for (name, array) in &sorted {
            let start = end;
            end += array.numel() * array.dtype().size();
            separate(&mut header);
            json::write_string(name, &mut header);
            let (dtype, shape) =
                (DTYPES[rank(array.dtype())].1, format!("{:?}", array.shape()).replace(' ', ""));
            write!(header, ":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{start},{end}]}}")
                .expect("a String takes everything");
        }
        header.push('}');
        // The elements begin at a multiple of 8, and each tensor at a multiple of its element.
        header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
        if header.len() > LONGEST_HEADER {
            return Err(format!(
                "the header has {} bytes; at most {LONGEST_HEADER} are allowed",
                header.len()
            ));
        }
        Ok(Plan { header, arrays: sorted.into_iter().map(|(_, array)| array).collect() })
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&(self.header.len() as u64).to_le_bytes())?;
        out.write_all(self.header.as_bytes())?;
        self.arrays.iter().try_for_each(|array| elements::write_bytes(array, out))
    }
}

fn rank(dtype: DType) -> usize {
    DTYPES.iter().position(|(known, _)| *known == dtype).expect("the table has every dtype")
}

fn separate(header: &mut String) {
    if header.len() > 1 {
        header.push(',');
    }
}

fn write_metadata(metadata: &[(String, String)], header: &mut String) {
    json::write_string(METADATA, header);
    header.push_str(":{");
    for (index, (name, text)) in metadata.iter().enumerate() {
        header.push_str(if index > 0 { "," } else { "" });
        json::write_string(name, header);
        header.push(':');
        json::write_string(text, header);
    }
    header.push('}');
}

/// Reads all tensors of a file, in the order in which they lie in it, as `safetensors.torch.load_file`.
///
/// # Errors
/// If the file cannot be read, is not a safetensors file, or has a tensor of a dtype that rushlight has not;
/// [`File`] reads the others of such a file.
pub fn load_file(path: impl AsRef<Path>) -> Result<State> {
    let file = File::open(path)?;
    file.names().map(|name| Ok((name.to_owned(), file.get(name)?))).collect()
}

/// As [`load_file`], from bytes that are in memory.
///
/// # Errors
/// As [`load_file`].
pub fn from_bytes(bytes: &[u8]) -> Result<State> {
    parse(bytes).map_err(|fault| fault.of("safetensors"))
}

fn parse(bytes: &[u8]) -> Parsed<State> {
    let header = Header::parse(bytes)?;
    header.entries.iter().map(|entry| Ok((entry.name.clone(), entry.read(bytes)?))).collect()
}

/// An open file, of which single tensors can be read: `safetensors.safe_open`.
///
/// A large file is mapped into memory: what is not asked for is not read from the disk. The tensors are copies, and
/// outlive the file.
///
/// ```no_run
/// use rushlight_serialize::safetensors::File;
///
/// let file = File::open("model.safetensors").unwrap();
/// let bias = file.get("head.bias").unwrap();
/// println!("{bias} of {} tensors", file.names().count());
/// ```
pub struct File {
    path: PathBuf,
    bytes: Bytes,
    header: Header,
}

impl File {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// If the file cannot be read, or its header is not as the format says.
    pub fn open(path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref().to_path_buf();
        let bytes = map::open(&path)?;
        let header = Header::parse(&bytes).map_err(|fault| fault.of(&path.display().to_string()))?;
        Ok(File { path, bytes, header })
    }

    /// The names, in the order in which the tensors lie in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.header.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The texts beside the tensors.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.header.metadata
    }

    /// The shape of a tensor, without reading it; `None` if there is no such name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.header.entries.iter().find(|entry| entry.name == name).map(|entry| entry.shape.as_slice())
    }

    /// Reads one tensor.
    ///
    /// # Errors
    /// If there is no tensor of this name, or its dtype is one that rushlight has not.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let file = self.path.display().to_string();
        match self.header.entries.iter().find(|entry| entry.name == name) {
            Some(entry) => entry.read(&self.bytes).map_err(|fault| fault.of(&file)),
            None => Err(Error::invalid(file, format!("there is no tensor `{name}`"))),
        }
    }
}

/// What the header says, checked against the length of the file.
struct Header {
    metadata: Vec<(String, String)>,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    /// Bytes of the file.
    start: usize,
    end: usize,
}

impl Header {
    fn parse(bytes: &[u8]) -> Parsed<Header> {
        let mut cursor = crate::cursor::Cursor::new(bytes, 0);
        let len = cursor.size("the length of the header")?;
        if len > LONGEST_HEADER {
            bail!(0, "a header of {len} bytes; at most {LONGEST_HEADER} are allowed");
        }
        // A copy: the bytes of a mapped file may change, those of a `str` must not.
        let text = cursor.take(len, "the header")?.to_vec();
        let data = cursor.at();
        let text = match String::from_utf8(text) {
            Ok(text) if text.starts_with('{') => text,
            Ok(_) => bail!(8, "the header does not begin with `{{`"),
            Err(error) => bail!(8 + error.utf8_error().valid_up_to(), "the header is not UTF-8"),
        };
        let json = json::parse(&text).map_err(|fault| fault.within(8))?;
        let Json::Object(members) = json else { bail!(8, "the header is not a JSON object") };
        let mut header = Header { metadata: Vec::new(), entries: Vec::new() };
        let mut names = HashSet::new();
        for (name, json) in members {
            if !names.insert(name.clone()) {
                bail!(8, "the header has `{name}` twice");
            }
            if name == METADATA {
                header.metadata = metadata(json)?;
            } else {
                let entry = Entry::parse(&name, &json, data);
                header.entries.push(entry.map_err(|fault| fault.about(&format!("tensor `{name}`")))?);
            }
        }
        header.check_ranges(data, bytes.len())?;
        Ok(header)
    }

    /// The tensors fill the rest of the file one after the other, without gaps: no byte stands for two.
    fn check_ranges(&mut self, data: usize, len: usize) -> Parsed<()> {
        sort_by(&mut self.entries, |a, b| (a.start, a.end).cmp(&(b.start, b.end)));
        let mut end = data;
        for entry in &self.entries {
            if entry.start != end {
                bail!(
                    end,
                    "tensor `{}` begins at byte {}; it would have to begin where the one before it ends",
                    entry.name,
                    entry.start
                );
            }
            end = entry.end;
        }
        if end != len {
            bail!(end.min(len), "the tensors end at byte {end}, but the file has {len} bytes");
        }
        Ok(())
    }
}

fn metadata(json: Json<'_>) -> Parsed<Vec<(String, String)>> {
    let Json::Object(members) = json else { bail!(8, "`{METADATA}` is not a JSON object") };
    let mut names = HashSet::new();
    let mut texts = Vec::new();
    for (name, json) in members {
        let Json::String(text) = json else { bail!(8, "`{METADATA}`: `{name}` is not a string") };
        if !names.insert(name.clone()) {
            bail!(8, "`{METADATA}` has `{name}` twice");
        }
        texts.push((name, text));
    }
    Ok(texts)
}

impl Entry {
    fn parse(name: &str, json: &Json<'_>, data: usize) -> Parsed<Entry> {
        let Json::Object(members) = json else { bail!(8, "not a JSON object") };
        let [Json::String(dtype), Json::Array(shape), Json::Array(offsets)] =
            [member(members, "dtype")?, member(members, "shape")?, member(members, "data_offsets")?]
        else {
            bail!(8, "`dtype` must be a string, `shape` and `data_offsets` lists");
        };
        let shape: Vec<usize> = shape.iter().map(size).collect::<Parsed<_>>()?;
        let [start, end] = offsets.as_slice() else {
            bail!(8, "`data_offsets` has {} numbers instead of 2", offsets.len())
        };
        let (start, end) = (size(start)?, size(end)?);
        let (Some(start), Some(end)) = (start.checked_add(data), end.checked_add(data)) else {
            bail!(8, "`data_offsets` [{start}, {end}] cannot be counted");
        };
        if start > end {
            bail!(8, "`data_offsets` end before they begin");
        }
        let entry = Entry { name: name.to_owned(), dtype: dtype.clone(), shape, start, end };
        if let Some(dtype) = entry.dtype() {
            let Some(bytes) = elements::bytes_of(&entry.shape, dtype) else {
                bail!(8, "shape {:?} has more dims or elements than can be counted", entry.shape);
            };
            if bytes != end - start {
                bail!(8, "shape {:?} of {} has {bytes} bytes, not {}", entry.shape, entry.dtype, end - start);
            }
        }
        Ok(entry)
    }

    fn dtype(&self) -> Option<DType> {
        DTYPES.iter().find(|(_, name)| *name == self.dtype).map(|(dtype, _)| *dtype)
    }

    fn read(&self, bytes: &[u8]) -> Parsed<Tensor> {
        let Some(dtype) = self.dtype() else {
            let known = DTYPES.map(|(_, name)| name).join(", ");
            bail!(self.start, "tensor `{}` has dtype {}; known are {known}", self.name, self.dtype);
        };
        Ok(elements::from_bytes(&bytes[self.start..self.end], &self.shape, dtype, ByteOrder::Little).into())
    }
}

/// The one member of this name.
fn member<'a, 'b>(members: &'b [(String, Json<'a>)], name: &str) -> Parsed<&'b Json<'a>> {
    let mut found = members.iter().filter(|(other, _)| other == name).map(|(_, json)| json);
    match (found.next(), found.next()) {
        (Some(json), None) => Ok(json),
        (None, _) => bail!(8, "`{name}` is missing"),
        (Some(_), Some(_)) => bail!(8, "`{name}` comes twice"),
    }
}

fn size(json: &Json<'_>) -> Parsed<usize> {
    match json {
        Json::Number(text) => match text.parse() {
            Ok(size) => Ok(size),
            Err(_) => bail!(8, "{text} is not a size"),
        },
        _ => bail!(8, "a size is not a number"),
    }
}
