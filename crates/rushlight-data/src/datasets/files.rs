use rushlight_array::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file, unpacked if they are packed and the feature `gzip` is there.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = plain(path).map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
    if bytes.starts_with(&GZIP) {
        return unpacked(path, &bytes);
    }
    Ok(bytes)
}

/// The bytes of a regular file; of an endless one (a device) no more than its stated size.
fn plain(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(feature = "gzip")]
fn unpacked(path: &Path, packed: &[u8]) -> Result<Vec<u8>> {
    // Deflate makes no more than 1032 bytes out of one, so the file's size bounds the memory.
    let mut bytes = Vec::new();
    match flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let reason = format!("damaged gzip data, after {} bytes unpacked: {error}", bytes.len());
            Err(Error::invalid(path.display().to_string(), reason))
        }
    }
}

/// The parsers know the form and name it in their errors.
#[cfg(not(feature = "gzip"))]
fn unpacked(_: &Path, packed: &[u8]) -> Result<Vec<u8>> {
    Ok(packed.to_vec())
}
