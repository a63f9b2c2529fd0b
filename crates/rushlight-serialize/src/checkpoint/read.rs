use super::header::{Entry, Header};
use super::nodes;
use super::{ALIGNED, HASH, HASHED, LONGEST_HEADER, MAGIC, PREFIX, VERSION};
use crate::cursor::Cursor;
use crate::elements::{self, ByteOrder};
use crate::fault::{Parsed, bail};
use crate::map::{self, Bytes};
use crate::value::Value;
use rushlight_array::{DType, Error, Result};
use rushlight_autograd::Tensor;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Reads a checkpoint, after comparing all of its hashes.
///
/// # Errors
/// If the file cannot be read, is not a checkpoint, is of a later version, or differs in any byte from what was written.
pub fn load(path: impl AsRef<Path>) -> Result<Value> {
    let path = path.as_ref();
    let bytes = map::open(path)?;
    parse(&bytes).map_err(|fault| fault.of(&path.display().to_string()))
}

/// As [`load`], from bytes that are in memory.
///
/// # Errors
/// As [`load`].
pub fn from_bytes(bytes: &[u8]) -> Result<Value> {
    parse(bytes).map_err(|fault| fault.of("checkpoint"))
}

fn parse(bytes: &[u8]) -> Parsed<Value> {
    let frame = Frame::parse(bytes)?;
    let payload = &bytes[frame.payload..bytes.len() - HASH];
    let hash = Sha256::digest(payload);
    if hash.as_slice() != &bytes[bytes.len() - HASH..] {
        bail!(frame.payload, "the tensors are damaged: their SHA-256 is not the one at the end of the file");
    }
    // The hash has seen the tensors; their own checksums are for reading one of them.
    build(&frame, &|tensor| tensor.read(bytes))
}

/// An open checkpoint, of which single tensors can be read.
///
/// A large file is mapped into memory: what is not asked for is not read from the disk.
///
/// ```no_run
/// use rushlight_serialize::checkpoint::File;
///
/// let file = File::open("run.ckpt").unwrap();
/// for name in file.names() {
///     println!("{name}"); // model/head.weight, ...
/// }
/// let weight = file.get("model/head.weight").unwrap();
/// ```
pub struct File {
    path: PathBuf,
    bytes: Bytes,
    tensors: Vec<Located>,
}

impl File {
    /// Opens a checkpoint and checks its header.
    ///
    /// # Errors
    /// If the file cannot be read, is cut short, or its header is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref().to_path_buf();
        let bytes = map::open(&path)?;
        let frame = Frame::parse(&bytes).map_err(|fault| fault.of(&path.display().to_string()))?;
        let tensors = frame.tensors;
        Ok(File { path, bytes, tensors })
    }

    /// The paths of the tensors, in the order of the file: keys with `/` between them, places in lists and other numbers
    /// behind a `#`, and `~` in front of these three signs within a key.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|tensor| tensor.name.as_str())
    }

    /// Reads one tensor and compares its checksum.
    ///
    /// # Errors
    /// If there is no tensor of this path, or it is damaged.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let file = self.path.display().to_string();
        let Some(tensor) = self.tensors.iter().find(|tensor| tensor.name == name) else {
            return Err(Error::invalid(file, format!("there is no tensor `{name}`")));
        };
        tensor.check(&self.bytes).map_err(|fault| fault.of(&file))?;
        Ok(tensor.read(&self.bytes))
    }
}

/// A checkpoint whose lengths, header hash and table are checked; its payload is not.
struct Frame {
    header: Vec<u8>,
    tensors: Vec<Located>,
    /// The byte at which the payload begins.
    payload: usize,
}

/// A tensor of the table with its place in the file.
struct Located {
    name: String,
    dtype: DType,
    sizes: Vec<usize>,
    start: usize,
    end: usize,
    crc: u32,
}

impl Frame {
    fn parse(bytes: &[u8]) -> Parsed<Frame> {
        let mut cursor = Cursor::new(bytes, 0);
        if cursor.take(MAGIC.len(), "the magic")? != MAGIC {
            bail!(0, "not a checkpoint of rushlight: it begins otherwise");
        }
        let version = cursor.u32("the version")?;
        if version != VERSION {
            bail!(8, "a checkpoint of version {version}; this program reads version {VERSION}");
        }
        if cursor.u32("the prefix")? != 0 {
            bail!(12, "bytes that should be zero are not");
        }
        let (header_len, payload_len) =
            (cursor.size("the header's length")?, cursor.size("the payload's length")?);
        let expected = header_len.checked_add(payload_len).and_then(|len| len.checked_add(PREFIX + HASH));
        if expected != Some(bytes.len()) {
            bail!(
                16,
                "a header of {header_len} and a payload of {payload_len} bytes do not make a file of {} bytes: it is \
                 cut short, or damaged",
                bytes.len()
            );
        }
        if header_len > LONGEST_HEADER {
            bail!(16, "a header of {header_len} bytes; at most {LONGEST_HEADER} are allowed");
        }
        let hash = cursor.take(HASH, "the header's hash")?;
        // A copy: the bytes of a mapped file may change after the hash has seen them.
        let header = cursor.take(header_len, "the header")?.to_vec();
        if Sha256::new().chain_update(&bytes[..HASHED]).chain_update(&header).finalize().as_slice() != hash {
            bail!(PREFIX, "the header is damaged: its SHA-256 is not the one before it");
        }
        let decoded = match Header::decode(&header) {
            Ok(decoded) => decoded,
            Err(reason) => bail!(PREFIX, "the header cannot be read: {reason}"),
        };
        let payload = PREFIX + header_len;
        let tensors = locate(&decoded.tensors, payload.next_multiple_of(ALIGNED), bytes.len() - HASH)?;
        Ok(Frame { header, tensors, payload })
    }
}

/// The places of the tensors: each begins at a multiple of 64 behind the end of the one before, and the last ends where
/// the payload does.
fn locate(entries: &[Entry<'_>], start: usize, end: usize) -> Parsed<Vec<Located>> {
    let mut names = HashSet::new();
    let mut located = Vec::new();
    let mut at = start;
    for entry in entries {
        if !names.insert(entry.name) {
            bail!(PREFIX, "the table has the tensor `{}` twice", entry.name);
        }
        let tensor =
            Located::of(entry, start).map_err(|fault| fault.about(&format!("tensor `{}`", entry.name)))?;
        if tensor.start != at.next_multiple_of(ALIGNED) || tensor.end > end {
            bail!(PREFIX, "tensor `{}` is not where the one before it ends", tensor.name);
        }
        at = tensor.end;
        located.push(tensor);
    }
    // Without tensors the payload is only the zeros that would align them.
    if at != end {
        bail!(PREFIX, "the tensors end at byte {at}, the payload at byte {end}");
    }
    Ok(located)
}

impl Located {
    /// The place of a tensor, if the table's numbers agree with each other.
    fn of(entry: &Entry<'_>, payload: usize) -> Parsed<Located> {
        let Some(dtype) = DType::ALL.get(usize::from(entry.dtype)).copied() else {
            bail!(PREFIX, "no dtype has the number {}", entry.dtype);
        };
        let sizes =
            entry.sizes.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<usize>>>();
        let bytes = sizes.as_deref().and_then(|sizes| elements::bytes_of(sizes, dtype));
        let (Some(sizes), Some(bytes)) = (sizes, bytes) else {
            bail!(PREFIX, "shape {:?} has more dims or elements than can be counted", entry.sizes);
        };
        if bytes as u64 != entry.len {
            bail!(PREFIX, "shape {sizes:?} of {} has {bytes} bytes, not {}", dtype.name(), entry.len);
        }
        let start = usize::try_from(entry.start).ok().and_then(|start| start.checked_add(payload));
        let end = start.and_then(|start| start.checked_add(bytes));
        let (Some(start), Some(end)) = (start, end) else {
            bail!(PREFIX, "byte {} of the payload cannot be addressed", entry.start);
        };
        Ok(Located { name: entry.name.to_owned(), dtype, sizes, start, end, crc: entry.crc })
    }

    fn check(&self, bytes: &[u8]) -> Parsed<()> {
        let found = crc32fast::hash(&bytes[self.start..self.end]);
        if found != self.crc {
            bail!(
                self.start,
                "tensor `{}` is damaged: its CRC-32 is {found:08x}, not {:08x}",
                self.name,
                self.crc
            );
        }
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Tensor {
        elements::from_bytes(&bytes[self.start..self.end], &self.sizes, self.dtype, ByteOrder::Little).into()
    }
}

/// The tree, whose tensors are those of the table in its order.
fn build(frame: &Frame, read: &dyn Fn(&Located) -> Tensor) -> Parsed<Value> {
    let mut next = 0;
    let mut tensor = |number: u32, path: &str| {
        let located = frame.tensors.get(number as usize).filter(|located| located.name == path);
        // Each comes once: a table of one tensor must not become many.
        let Some(located) = located.filter(|_| number as usize == next) else {
            return Err(format!("the tensor at `{path}` is not number {number} of the table"));
        };
        next += 1;
        Ok(read(located))
    };
    let built = Header::decode(&frame.header).and_then(|header| nodes::build(&header.nodes, &mut tensor));
    match built {
        Ok(value) if next == frame.tensors.len() => Ok(value),
        Ok(_) => bail!(PREFIX, "the table has tensors that no value names"),
        Err(reason) => bail!(PREFIX, "the header cannot be read: {reason}"),
    }
}
