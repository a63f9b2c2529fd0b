//! The idx form, in which MNIST and its kin are stored.
//!
//! A file is the magic `00 00 08 r` (`08`: unsigned bytes, r: the number of dims), r sizes as big-endian u32,
//! and then the elements, the last dim fastest. Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of
//! handwritten digits*.

use crate::datasets::files;
use rushlight_array::{Array, Error, Result};
use rushlight_autograd::Tensor;
use std::path::Path;

/// The type byte of unsigned bytes.
const U8: u8 = 0x08;

/// Reads an idx file of unsigned bytes; with the feature `gzip` also a compressed one.
///
/// *Shape*: as the file says, `(60000, 28, 28)` for the training images of MNIST; `u8`.
///
/// The memory taken is in proportion to the bytes in the file, whatever its header says.
///
/// # Errors
/// If the file cannot be read, is not an idx file of unsigned bytes, or is longer or shorter than its header
/// says.
pub fn read(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let bytes = files::read(path)?;
    parse(&bytes).map_err(|reason| Error::invalid(path.display().to_string(), reason))
}

/// As [`read`], from bytes that are in memory; the error is the reason, with the offset, without a name of a file.
///
/// ```
/// use rushlight_data::idx;
/// let labels = idx::parse(&[0, 0, 8, 1, 0, 0, 0, 2, 7, 4]).unwrap();
/// assert_eq!(labels.to_vec::<u8>(), [7, 4]);
/// let reason = idx::parse(&[0, 0, 8, 1, 0, 0, 0, 2, 7]).unwrap_err();
/// assert_eq!(reason, "byte 9: expected 10 bytes (8 of header, then sizes [2]), found 9");
/// ```
///
/// # Errors
/// If the bytes are not an idx file of unsigned bytes, or not as many as the header says.
pub fn parse(bytes: &[u8]) -> Result<Tensor, String> {
    let (sizes, elements) = parts(bytes)?;
    Ok(Array::build(sizes, |out: &mut [u8]| out.copy_from_slice(elements)).into())
}

/// The sizes and the elements.
pub(crate) fn parts(bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), String> {
    let rank = rank(bytes)?;
    let header = 4 + 4 * rank;
    let Some((head, elements)) = bytes.split_at_checked(header) else {
        return Err(format!(
            "byte {}: expected a header of {header} bytes for {rank} dims, found {} bytes",
            bytes.len(),
            bytes.len()
        ));
    };
    let sizes: Vec<usize> =
        head[4..].chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize).collect();
    // Zeros count as ones: strides, too, must be countable.
    let countable =
        sizes.iter().try_fold(1_isize, |n, &size| n.checked_mul(isize::try_from(size.max(1)).ok()?));
    if countable.is_none() {
        return Err(format!("byte 4: expected sizes that multiply to less than 2^63, found {sizes:?}"));
    }
    let count: usize = sizes.iter().product();
    if count != elements.len() {
        let expected = header as u128 + count as u128;
        let found = bytes.len();
        // Where the file ends, or where it should have.
        let place = expected.min(found as u128);
        return Err(format!(
            "byte {place}: expected {expected} bytes ({header} of header, then sizes {sizes:?}), found {found}"
        ));
    }
    Ok((sizes, elements))
}

/// The number of dims, after a look at the magic.
fn rank(bytes: &[u8]) -> Result<usize, String> {
    match *bytes {
        [0, 0, U8, rank, ..] => Ok(usize::from(rank)),
        [0, 0, kind, _, ..] => {
            Err(format!("byte 2: expected elements of type 0x08 (u8), found 0x{kind:02x}"))
        }
        [0x1f, 0x8b, ..] => {
            Err("byte 0: expected an uncompressed idx file, found gzip; run gunzip on it first, or \
                                 build with the feature `gzip`"
                .to_string())
        }
        [a, b, c, d, ..] => Err(format!(
            "byte 0: expected the magic 00 00 08 of an idx file, found {a:02x} {b:02x} {c:02x} {d:02x}"
        )),
        _ => Err(format!(
            "byte {}: expected at least 4 bytes of an idx file, found {}",
            bytes.len(),
            bytes.len()
        )),
    }
}
