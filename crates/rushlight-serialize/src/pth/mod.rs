//! PyTorch's own files, `.pt` and `.pth`: what `torch.save` writes and `torch.load(..., weights_only=True)` reads.
//!
//! A file is a zip archive with one pickle and a file for each storage. A pickle is a program that can call anything
//! in Python; here it is run by a machine that knows dicts, lists, numbers, texts and tensors and nothing else. What
//! names another class is refused, with that name. Files of PyTorch before 1.6 and TorchScript are refused as well:
//! there, and for whole models instead of a `state_dict`, save the tensors as safetensors.
//!
//! Source: PyTorch's `torch/serialization.py` and `torch/_weights_only_unpickler.py`, Python's `pickletools`.
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_serialize::{Value, pth};
//!
//! let checkpoint = Value::map()
//!     .with("model", Value::map().with("weight", tensor([[1.0, 2.0]])))
//!     .with("epoch", 3);
//! let bytes = pth::to_bytes(&checkpoint).unwrap();
//! let back = pth::from_bytes(&bytes).unwrap();
//! assert_eq!(back.get("epoch").unwrap().int::<i64>().unwrap(), 3);
//! assert_eq!(back.get("model").unwrap().tensors()[0].1.to_vec::<f32>(), [1.0, 2.0]);
//! ```

mod classes;
mod machine;
mod opcode;
mod tensors;
mod tree;
mod write;

use crate::atomic;
use crate::fault::{Parsed, bail};
use crate::map;
use crate::value::Value;
use crate::zip::{Archive, MAGIC};
use rushlight_array::{Error, Result};
use std::path::Path;
use tensors::Storages;

/// The longest pickle: its texts are addressed by 32 bits.
const LONGEST_PICKLE: usize = 1 << 30;
/// How files of PyTorch before 1.6 begin: protocol 2, then a ten-byte integer.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// Writes a value as a file that `torch.load(path, weights_only=True)` reads.
///
/// A tensor that comes twice (tied weights) is one tensor in PyTorch, too. The bytes are the same in every run.
///
/// # Errors
/// If a map has a key twice, the value is nested deeper than [`DEEPEST`](crate::DEEPEST), or the file cannot be
/// written.
pub fn save(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    let path = path.as_ref();
    let plan = write::Plan::of(value).map_err(|reason| Error::invalid(path.display().to_string(), reason))?;
    atomic::replace(path, |out| plan.write(out))
}

/// The bytes of the file that [`save`] writes.
///
/// # Errors
/// If a map has a key twice, or the value is nested deeper than [`DEEPEST`](crate::DEEPEST).
pub fn to_bytes(value: &Value) -> Result<Vec<u8>> {
    let plan = write::Plan::of(value).map_err(|reason| Error::invalid("pth", reason))?;
    let mut bytes = Vec::new();
    plan.write(&mut bytes).expect("a Vec takes everything");
    Ok(bytes)
}

/// Reads what `torch.save` wrote: a `state_dict`, or a checkpoint with one inside.
///
/// Tensors that share a storage in the file share one here; they are constants, whether or not they were parameters.
///
/// # Errors
/// If the file cannot be read, is damaged, or holds more than dicts, lists, numbers, texts and tensors of the dtypes
/// that rushlight has.
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
    parse(bytes).map_err(|fault| fault.of("pth"))
}

fn parse(bytes: &[u8]) -> Parsed<Value> {
    if bytes.starts_with(LEGACY) {
        bail!(0, "a file of PyTorch before 1.6; load it with PyTorch and save it as safetensors");
    }
    if !bytes.starts_with(MAGIC) {
        bail!(0, "not a file of torch.save: it does not begin with PK 03 04");
    }
    let archive = Archive::parse(bytes)?;
    let pickles = archive.entries().iter().filter(|entry| entry.name.ends_with("/data.pkl"));
    // PyTorch keeps everything in one folder, named after the file.
    let Some(pickle) = pickles.min_by_key(|entry| entry.name.len()) else {
        bail!(0, "the archive has no `data.pkl`: it is not a file of torch.save");
    };
    let folder = pickle.name.trim_end_matches("data.pkl");
    if let Some(script) = archive.find(&format!("{folder}constants.pkl")) {
        bail!(
            script.start,
            "a TorchScript file; save the model's state_dict, as safetensors or with torch.save"
        );
    }
    if pickle.size > LONGEST_PICKLE {
        bail!(pickle.start, "`{}` has {} bytes; at most {LONGEST_PICKLE} are read", pickle.name, pickle.size);
    }
    // A copy: the bytes of a mapped file may change, those of a `str` must not.
    let text = pickle.stored(bytes)?.to_vec();
    let within = |fault: crate::fault::Fault| fault.within(pickle.start);
    let (objects, root) = machine::run(&text).map_err(within)?;
    let mut storages = Storages::new(bytes, &archive, folder)?;
    tree::build(&text, &objects, root, &mut |spec| storages.tensor(spec, &text)).map_err(within)
}
