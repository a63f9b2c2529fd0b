use super::header::{Entry, Header};
use super::nodes::Flat;
use super::{ALIGNED, HASHED, MAGIC, PREFIX, VERSION};
use crate::atomic;
use crate::elements;
use crate::value::Value;
use rushlight_array::{Array, DType, Error, Result};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::path::Path;

/// Writes a checkpoint, as a whole or not at all: whoever reads `path`, also after the program was killed in the middle
/// or the disk was full, finds the old checkpoint or the new one.
///
/// The bytes are the same for the same values, whatever the machine or the number of threads.
///
/// # Errors
/// If a map has a key twice, the value is nested deeper than [`DEEPEST`](crate::DEEPEST), the values beside the tensors
/// have more than 16 MiB, or the file cannot be written.
pub fn save(path: impl AsRef<Path>, value: &Value) -> Result<()> {
    let path = path.as_ref();
    let plan = Plan::of(value).map_err(|reason| Error::invalid(path.display().to_string(), reason))?;
    atomic::replace(path, |out| plan.write(out))
}

/// The bytes of the file that [`save`] writes.
///
/// # Errors
/// As [`save`], but for the file.
pub fn to_bytes(value: &Value) -> Result<Vec<u8>> {
    let plan = Plan::of(value).map_err(|reason| Error::invalid("checkpoint", reason))?;
    let mut bytes = Vec::new();
    plan.write(&mut bytes).expect("a Vec takes everything");
    Ok(bytes)
}

/// Everything before the payload, and the tensors with their places in it.
pub(super) struct Plan {
    head: Vec<u8>,
    /// From the start of the payload.
    tensors: Vec<(u64, Array)>,
    payload: u64,
}

impl Plan {
    pub(super) fn of(value: &Value) -> Result<Plan, String> {
        let flat = Flat::of(value)?;
        let mut end = 0;
        let mut entries = Vec::with_capacity(flat.tensors.len());
        for (name, array) in &flat.tensors {
            let start = u64::next_multiple_of(end, ALIGNED as u64);
            let len = (array.numel() * array.dtype().size()) as u64;
            end = start + len;
            let dtype = DType::ALL.iter().position(|dtype| *dtype == array.dtype());
            entries.push(Entry {
                name,
                dtype: dtype.expect("ALL has every dtype") as u8,
                sizes: array.shape().to_vec().into_iter().map(|size| size as u64).collect(),
                start,
                len,
                crc: crc(array),
            });
        }
        let starts: Vec<u64> = entries.iter().map(|entry| entry.start).collect();
        let header = Header { nodes: flat.nodes, tensors: entries }.encode()?;
        // The zeros that align the first tensor belong to the payload.
        let padding = (PREFIX + header.len()).next_multiple_of(ALIGNED) - PREFIX - header.len();
        let payload = padding as u64 + end;
        let arrays = flat.tensors.into_iter().map(|(_, array)| array);
        let tensors = starts.into_iter().map(|start| start + padding as u64).zip(arrays).collect();
        Ok(Plan { head: head(&header, payload), tensors, payload })
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.head)?;
        let mut payload = Hashed { out, hash: Sha256::new(), len: 0 };
        for (start, array) in &self.tensors {
            payload.fill(*start)?;
            elements::write_bytes(array, &mut payload)?;
        }
        payload.fill(self.payload)?;
        let hash = payload.hash.finalize();
        out.write_all(&hash)
    }
}

fn head(header: &[u8], payload: u64) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend([0; 4]);
    head.extend((header.len() as u64).to_le_bytes());
    head.extend(payload.to_le_bytes());
    debug_assert_eq!(head.len(), HASHED);
    let hash = Sha256::new().chain_update(&head).chain_update(header).finalize();
    head.extend(hash);
    head.extend(header);
    head
}

fn crc(array: &Array) -> u32 {
    struct Crc(crc32fast::Hasher);
    impl Write for Crc {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut crc = Crc(crc32fast::Hasher::new());
    elements::write_bytes(array, &mut crc).expect("a checksum takes everything");
    crc.0.finalize()
}

/// Passes bytes on, hashed and counted.
struct Hashed<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
    len: u64,
}

impl Hashed<'_> {
    /// Writes zeros up to this length.
    fn fill(&mut self, len: u64) -> io::Result<()> {
        let zeros = [0; ALIGNED];
        self.write_all(&zeros[..(len - self.len) as usize])
    }
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;
    use rushlight_autograd::tensor;

    /// A disk with room for so many bytes.
    struct Disk<'a> {
        out: &'a mut dyn Write,
        left: usize,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.left);
            if len == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.left -= len;
            self.out.write(&bytes[..len])
        }

        fn flush(&mut self) -> io::Result<()> {
            self.out.flush()
        }
    }

    #[test]
    fn a_disk_that_is_full_after_any_byte_leaves_the_old_checkpoint() {
        let path = folder("disk").join("a.ckpt");
        let old = to_bytes(&Value::from(1)).unwrap();
        std::fs::write(&path, &old).unwrap();
        let plan = Plan::of(&Value::map().with("w", tensor([1.0, 2.0]))).unwrap();
        let len = {
            let mut bytes = Vec::new();
            plan.write(&mut bytes).unwrap();
            bytes.len()
        };
        for left in 0..len {
            let full = atomic::replace(&path, |out| plan.write(&mut Disk { out, left }));
            assert!(full.is_err(), "{left}");
            assert_eq!(std::fs::read(&path).unwrap(), old);
        }
        atomic::replace(&path, |out| plan.write(&mut Disk { out, left: len })).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), len);
    }
}
