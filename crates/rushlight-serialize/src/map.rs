//! The bytes of a file: read where it is small, mapped into memory where it is large.

use memmap2::Mmap;
use rushlight_array::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::Path;

/// Files from this size on are mapped: below it, one read costs less than the faults of the pages.
const MAPPED_FROM: u64 = 1 << 18;

/// The bytes of a file.
pub(crate) enum Bytes {
    Read(Vec<u8>),
    Mapped(Mmap),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Read(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }
}

/// The bytes of a regular file. A large one is read from the disk only where it is looked at.
pub(crate) fn open(path: &Path) -> Result<Bytes> {
    let error = |source| Error::Io { path: path.to_path_buf(), source };
    // Before it is opened: to open a pipe is to wait for its writer.
    if !std::fs::metadata(path).map_err(error)?.is_file() {
        return Err(Error::invalid(path.display().to_string(), "not a regular file"));
    }
    let file = File::open(path).map_err(error)?;
    let about = file.metadata().map_err(error)?;
    if about.len() < MAPPED_FROM {
        let mut bytes = Vec::new();
        file.take(about.len()).read_to_end(&mut bytes).map_err(error)?;
        return Ok(Bytes::Read(bytes));
    }
    map(&file).map(Bytes::Mapped).map_err(error)
}

#[allow(unsafe_code, reason = "the bytes of a mapped file are another process's to change")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is only read, and nothing is borrowed from it for longer than a call. All that rushlight
    // writes is a new file that takes the old one's name, so that no file of ours changes under a map. The
    // documentation of `load` asks the same of other programs; every parser here reads a length once, checks it
    // and uses what it checked, so that bytes that change meanwhile give wrong numbers, not wrong addresses.
    unsafe { Mmap::map(file) }
}
