//! Tensors over the storages of an archive.

use super::machine::TensorSpec;
use crate::elements::{self, ByteOrder};
use crate::fault::{Parsed, bail};
use crate::zip::Archive;
use rushlight_array::{Array, DType, Layout, Storage};
use rushlight_autograd::Tensor;
use std::collections::HashMap;
use std::sync::Arc;

/// The storages that were asked for; each is read once and shared by its tensors.
pub(super) struct Storages<'a> {
    bytes: &'a [u8],
    archive: HashMap<&'a str, &'a crate::zip::Entry>,
    order: ByteOrder,
    read: HashMap<&'a str, (DType, Arc<Storage>)>,
}

impl<'a> Storages<'a> {
    /// The storages in the folder of an archive.
    pub(super) fn new(bytes: &'a [u8], archive: &'a Archive, folder: &str) -> Parsed<Storages<'a>> {
        // Absent in files of PyTorch before 2.1, which were little-endian.
        let order = match archive.find(&format!("{folder}byteorder")) {
            None => ByteOrder::Little,
            Some(entry) => match entry.stored(bytes)? {
                b"little" => ByteOrder::Little,
                b"big" => ByteOrder::Big,
                _ => bail!(entry.start, "`{}` is neither `little` nor `big`", entry.name),
            },
        };
        let prefix = format!("{folder}data/");
        let entries = archive.entries().iter();
        let archive = entries.filter_map(|entry| Some((entry.name.strip_prefix(&prefix)?, entry))).collect();
        Ok(Storages { bytes, archive, order, read: HashMap::new() })
    }

    /// The tensor of a description. Faults are at bytes of the pickle.
    pub(super) fn tensor(&mut self, spec: &TensorSpec, pickle: &[u8]) -> Parsed<Tensor> {
        let storage = self.storage(spec, pickle)?;
        let dtype = storage.dtype();
        if elements::bytes_of(&spec.sizes, dtype).is_none() {
            bail!(spec.at, "shape {:?} has more elements than can be counted", spec.sizes);
        }
        if spec.sizes.len() != spec.strides.len() {
            bail!(spec.at, "shape {:?} has strides {:?}", spec.sizes, spec.strides);
        }
        let layout = if spec.sizes.contains(&0) {
            Layout::contiguous(spec.sizes.clone())
        } else {
            spec.strides_within(storage.len())?
        };
        Ok(Array::from_parts(storage, layout).into())
    }

    fn storage(&mut self, spec: &TensorSpec, pickle: &[u8]) -> Parsed<Arc<Storage>> {
        let key = spec.storage.key.of(pickle);
        let Some((name, entry)) = self.archive.get_key_value(key) else {
            bail!(spec.at, "the archive has no storage `{key}`");
        };
        let dtype = spec.storage.dtype;
        if let Some((known, storage)) = self.read.get(name) {
            if *known != dtype {
                bail!(spec.at, "storage `{key}` is used as {} and as {}", known.name(), dtype.name());
            }
            return Ok(Arc::clone(storage));
        }
        if (dtype.size() as u64).checked_mul(spec.storage.len) != Some(entry.size as u64) {
            bail!(
                spec.at,
                "storage `{key}` has {} bytes, which are not {} elements of {}",
                entry.size,
                spec.storage.len,
                dtype.name()
            );
        }
        // The fault of an entry is at a byte of the archive; seen from the pickle there is no such place.
        let contents = entry.stored(self.bytes).map_err(|fault| fault.at(spec.at))?;
        let len = contents.len() / dtype.size();
        let (storage, _) = elements::from_bytes(contents, &[len], dtype, self.order).into_parts();
        self.read.insert(name, (dtype, Arc::clone(&storage)));
        Ok(storage)
    }
}

impl TensorSpec {
    /// The layout of a tensor with elements, all of which lie in a storage of this length.
    fn strides_within(&self, len: usize) -> Parsed<Layout> {
        let last =
            self.sizes.iter().zip(&self.strides).try_fold(self.offset, |last, (size, stride)| {
                last.checked_add((size - 1).checked_mul(*stride)?)
            });
        if last.is_none_or(|last| last >= len) {
            bail!(
                self.at,
                "shape {:?} with strides {:?} from place {} reaches outside of a storage of {len} elements",
                self.sizes,
                self.strides,
                self.offset
            );
        }
        // A stride of a dim of size 1 leads nowhere and may be any number.
        let strides: Vec<isize> = self
            .sizes
            .iter()
            .zip(&self.strides)
            .map(|(&n, &s)| if n == 1 { 1 } else { s as isize })
            .collect();
        Ok(Layout::strided(self.sizes.clone(), &strides, self.offset))
    }
}
