//! ZIP archives, as far as npz and pth files need them: stored and deflated entries, also beyond 4 GiB.
//!
//! Source: PKWARE's APPNOTE, version 6.3, sections 4.3 to 4.5. The names of the records are those of that text.

mod read;
mod write;

pub(crate) use read::{Archive, Entry};
pub(crate) use write::Writer;

/// How every archive with an entry begins.
pub(crate) const MAGIC: &[u8] = b"PK\x03\x04";

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;

/// The extra field with sizes and offsets of 64 bits.
const EXTRA_64: u16 = 1;
/// Stands in a field of 16 or 32 bits whose value is in the record of 64 bits.
const IN_16: u16 = u16::MAX;
const IN_32: u32 = u32::MAX;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
