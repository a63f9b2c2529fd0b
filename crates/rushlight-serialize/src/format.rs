//! One function to save and one to load, whatever the form.

use crate::map;
use crate::state::State;
use crate::value::Value;
use crate::{checkpoint, npy, npz, pth, safetensors};
use rushlight_array::{Error, Result};
use rushlight_autograd::Tensor;
use std::path::Path;

/// The form of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Format {
    /// `.safetensors`: weights for exchange.
    Safetensors,
    /// `.npy`: one array for numpy.
    Npy,
    /// `.npz`: named arrays for numpy.
    Npz,
    /// `.pth` and `.pt`: PyTorch's own.
    Pth,
    /// `.ckpt`: rushlight's own, for runs that go on.
    Checkpoint,
}

const ENDINGS: [(&str, Format); 6] = [
    ("safetensors", Format::Safetensors),
    ("npy", Format::Npy),
    ("npz", Format::Npz),
    ("pth", Format::Pth),
    ("pt", Format::Pth),
    ("ckpt", Format::Checkpoint),
];

impl Format {
    /// The form by the ending of a file's name, in any case; `None` for other endings.
    ///
    /// ```
    /// use rushlight_serialize::Format;
    /// assert_eq!(Format::of_name("runs/7/model.PT"), Some(Format::Pth));
    /// assert_eq!(Format::of_name("model.bin"), None);
    /// ```
    pub fn of_name(path: impl AsRef<Path>) -> Option<Format> {
        let ending = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
        ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, format)| *format)
    }

    /// The form by how a file begins; `None` if it begins like none of the five.
    ///
    /// npz and pth are both zip archives, and told apart by the name of the first file in them.
    pub fn of_bytes(start: &[u8]) -> Option<Format> {
        if start.starts_with(&checkpoint::MAGIC) {
            Some(Format::Checkpoint)
        } else if start.starts_with(npy::MAGIC) {
            Some(Format::Npy)
        } else if start.starts_with(crate::zip::MAGIC) {
            let name = start
                .get(26..28)
                .and_then(|len| start.get(30..)?.get(..usize::from(u16::from_le_bytes([len[0], len[1]]))));
            Some(if name.is_some_and(|name| name.ends_with(b".npy")) { Format::Npz } else { Format::Pth })
        } else if start.starts_with(b"PK\x05\x06") {
            // An archive without entries: only npz has such.
            Some(Format::Npz)
        } else if start.starts_with(b"\x80\x02") {
            // A pickle alone; its own reader says that it is too old.
            Some(Format::Pth)
        } else if start.get(8) == Some(&b'{') {
            Some(Format::Safetensors)
        } else {
            None
        }
    }
}

/// Writes named tensors in the form that the name's ending says: `.safetensors`, `.pth` or `.pt`, `.npz`, `.npy` (a single
/// tensor) or `.ckpt`. As `torch.save(model.state_dict(), path)`.
///
/// The file is replaced as a whole: it is written under another name beside `path`, flushed to the disk and renamed. So
/// whoever reads it, also after a crash, finds the old file or the new one. Should the program be killed meanwhile, a
/// hidden file `.NAME.part-...` may stay behind; the next save of the same name removes it.
///
/// # Errors
/// If the ending is none of these, a name comes twice, the form has no such dtype (npy and npz: bfloat16), or the file
/// cannot be written. That a tensor does not fit the form is an error, too, and no panic: it would come at the end of
/// a training.
pub fn save(path: impl AsRef<Path>, state: &[(String, Tensor)]) -> Result<()> {
    let path = path.as_ref();
    match Format::of_name(path) {
        Some(Format::Safetensors) => safetensors::save_file(path, state),
        Some(Format::Npz) => npz::save(path, state),
        Some(Format::Pth) => pth::save(path, &Value::state(state)),
        Some(Format::Checkpoint) => checkpoint::save(path, &Value::state(state)),
        Some(Format::Npy) => match state {
            [(_, tensor)] => npy::save(path, tensor),
            _ => {
                let reason = format!("npy holds one tensor, not {}; use .npz", state.len());
                Err(Error::invalid(path.display().to_string(), reason))
            }
        },
        None => {
            let known = ENDINGS.map(|(ending, _)| format!(".{ending}")).join(", ");
            Err(Error::invalid(
                path.display().to_string(),
                format!("the ending says no form; known are {known}"),
            ))
        }
    }
}

/// Reads named tensors from a file of any of the forms; its content decides which it is, not its name.
///
/// Of a pth file or a checkpoint that holds more than a `state_dict`, the tensors have paths with dots for names:
/// `model.0.weight`. [`pth::load`] and [`checkpoint::load`] give the whole, of which
/// `value.get("model")?.tensors()` is the `state_dict`. The one tensor of a npy file has an empty name.
///
/// Large files are mapped into memory while they are read; no other program may change or shorten them meanwhile. (To
/// replace them by a rename, as [`save`] does, is harmless.)
///
/// # Errors
/// If the file cannot be read, is of none of the forms, or is damaged. The error names the file, the byte and the
/// reason.
pub fn load(path: impl AsRef<Path>) -> Result<State> {
    let path = path.as_ref();
    match Format::of_bytes(&map::open(path)?) {
        Some(Format::Safetensors) => safetensors::load_file(path),
        Some(Format::Npy) => Ok(vec![(String::new(), npy::load(path)?)]),
        Some(Format::Npz) => npz::load(path),
        Some(Format::Pth) => Ok(pth::load(path)?.tensors()),
        Some(Format::Checkpoint) => Ok(checkpoint::load(path)?.tensors()),
        None => {
            let reason = "byte 0: neither safetensors, npy, npz, pth nor a checkpoint of rushlight";
            Err(Error::invalid(path.display().to_string(), reason))
        }
    }
}
