//! Reading small numbers off a slice; the end of the slice is a fault and not a panic.

use crate::fault::{Parsed, bail};

/// A place in a slice. All numbers are little-endian.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at byte `at` of a slice, which may lie behind its end.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Cursor<'a> {
        Cursor { bytes, at }
    }

    /// The place of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next `len` bytes, of `what`.
    pub(crate) fn take(&mut self, len: usize, what: &str) -> Parsed<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else {
            // The place may lie behind the end; the byte that is named does not.
            let at = self.at.min(self.bytes.len());
            bail!(at, "{what} needs {len} bytes, but only {} are left", rest.len());
        };
        self.at += len;
        Ok(taken)
    }

    /// The bytes up to the next line feed, which is taken as well.
    pub(crate) fn line(&mut self, what: &str) -> Parsed<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(len) = rest.iter().position(|&byte| byte == b'\n') else {
            bail!(self.at.min(self.bytes.len()), "{what} has no end of line");
        };
        self.at += len + 1;
        Ok(&rest[..len])
    }

    fn array<const N: usize>(&mut self, what: &str) -> Parsed<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self, what: &str) -> Parsed<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    pub(crate) fn u16(&mut self, what: &str) -> Parsed<u16> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &str) -> Parsed<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &str) -> Parsed<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A u64 that counts bytes or elements.
    pub(crate) fn size(&mut self, what: &str) -> Parsed<usize> {
        let at = self.at;
        let Ok(size) = usize::try_from(self.u64(what)?) else {
            bail!(at, "{what} is more than this machine can address");
        };
        Ok(size)
    }
}
