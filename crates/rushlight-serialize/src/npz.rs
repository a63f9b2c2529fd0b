//! `.npz`: named arrays in numpy's form, a zip archive of [`npy`] files.

use crate::atomic;
use crate::fault::{Fault, Parsed, bail};
use crate::map;
use crate::npy;
use crate::state::{State, check_names};
use crate::zip::{Archive, Writer};
use rushlight_array::{Error, Result};
use rushlight_autograd::Tensor;
use std::io::Write;
use std::path::Path;

/// Each array is a file of this ending in the archive.
const ENDING: &str = ".npy";

/// Writes named tensors, as `numpy.savez`.
///
/// # Errors
/// If a name comes twice, a tensor is bfloat16, which numpy has not, or the file cannot be written.
pub fn save(path: impl AsRef<Path>, state: &[(String, Tensor)]) -> Result<()> {
    write(path.as_ref(), state, false)
}

/// Writes named tensors compressed, as `numpy.savez_compressed`.
///
/// # Errors
/// As [`save`].
pub fn save_compressed(path: impl AsRef<Path>, state: &[(String, Tensor)]) -> Result<()> {
    write(path.as_ref(), state, true)
}

/// The bytes of the file that [`save`] or, with `compressed`, [`save_compressed`] writes.
///
/// # Errors
/// If a name comes twice, or a tensor is bfloat16.
pub fn to_bytes(state: &[(String, Tensor)], compressed: bool) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    check(state).map_err(|reason| Error::invalid("npz", reason))?;
    write_to(&mut bytes, state, compressed).expect("a Vec takes everything");
    Ok(bytes)
}

fn write(path: &Path, state: &[(String, Tensor)], compressed: bool) -> Result<()> {
    check(state).map_err(|reason| Error::invalid(path.display().to_string(), reason))?;
    atomic::replace(path, |out| write_to(out, state, compressed))
}

fn check(state: &[(String, Tensor)]) -> Result<(), String> {
    check_names(state.iter().map(|(name, _)| name.as_str()))?;
    for (name, tensor) in state {
        npy::check(tensor).map_err(|reason| format!("tensor `{name}`: {reason}"))?;
    }
    Ok(())
}

fn write_to(out: &mut dyn Write, state: &[(String, Tensor)], compressed: bool) -> std::io::Result<()> {
    let mut writer = Writer::new(out);
    for (name, tensor) in state {
        let (name, bytes) =
            (format!("{name}{ENDING}"), npy::to_bytes(tensor).expect("the dtypes are checked"));
        if compressed {
            writer.deflated(&name, &bytes)?;
        } else {
            writer.stored(&name, &bytes, 64)?;
        }
    }
    writer.finish()
}

/// Reads named tensors, as `numpy.load`, in the order of the archive. Names are without `.npy`.
///
/// # Errors
/// If the file cannot be read, is not an archive of npy files, is damaged, or has elements of a type that rushlight has
/// not.
pub fn load(path: impl AsRef<Path>) -> Result<State> {
    let path = path.as_ref();
    let bytes = map::open(path)?;
    parse(&bytes).map_err(|fault| fault.of(&path.display().to_string()))
}

/// As [`load`], from bytes that are in memory.
///
/// # Errors
/// As [`load`].
pub fn from_bytes(bytes: &[u8]) -> Result<State> {
    parse(bytes).map_err(|fault| fault.of("npz"))
}

fn parse(bytes: &[u8]) -> Parsed<State> {
    let archive = Archive::parse(bytes)?;
    let mut state = State::new();
    for entry in archive.entries() {
        let Some(name) = entry.name.strip_suffix(ENDING) else {
            bail!(entry.start, "`{}` in the archive is not a npy file", entry.name);
        };
        let contents = entry.read(bytes)?;
        let about = |fault: Fault| entry.locate(fault).about(&format!("array `{name}`"));
        state.push((name.to_owned(), npy::parse(&contents).map_err(about)?));
    }
    Ok(state)
}
