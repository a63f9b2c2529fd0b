use super::{
    CENTRAL_HEADER, DEFLATED, END, END_64, END_64_LOCATOR, EXTRA_64, IN_16, IN_32, LOCAL_HEADER, STORED,
};
use miniz_oxide::deflate::compress_to_vec;
use std::io::{self, Write};

/// The level of zlib's default, and of numpy's `savez_compressed`.
const LEVEL: u8 = 6;
/// 1980-01-01, the first day that the form can say: files of equal contents have equal bytes.
const DATE: u16 = 0x21;
/// Names are UTF-8.
const UTF_8: u16 = 1 << 11;
/// The version of the form that knows 64-bit sizes.
const VERSION: u16 = 45;
/// An extra field that pads; PyTorch's own writer uses this id.
const PADDING: [u8; 2] = *b"FB";

/// Writes an archive from its first byte to its last.
pub(crate) struct Writer<'a> {
    out: &'a mut dyn Write,
    at: u64,
    entries: Vec<Written>,
    /// From this size on, numbers go into the 64-bit records: 2^32 - 1, or less in a test.
    limit: u64,
}

struct Written {
    name: String,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    header: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Writer<'a> {
        Writer { out, at: 0, entries: Vec::new(), limit: u64::from(IN_32) }
    }

    /// Every size in 64 bits, as in an archive beyond 4 GiB.
    #[cfg(test)]
    pub(crate) fn wide(out: &'a mut dyn Write) -> Writer<'a> {
        Writer { limit: 0, ..Writer::new(out) }
    }

    /// Writes an entry as it is, its contents at a multiple of `aligned`.
    pub(crate) fn stored(&mut self, name: &str, contents: &[u8], aligned: u64) -> io::Result<()> {
        self.entry(name, STORED, contents, contents, aligned)
    }

    /// Writes a compressed entry.
    pub(crate) fn deflated(&mut self, name: &str, contents: &[u8]) -> io::Result<()> {
        self.entry(name, DEFLATED, &compress_to_vec(contents, LEVEL), contents, 1)
    }

    fn entry(
        &mut self,
        name: &str,
        method: u16,
        packed: &[u8],
        contents: &[u8],
        aligned: u64,
    ) -> io::Result<()> {
        let entry = Written {
            name: name.to_owned(),
            method,
            crc: crc32fast::hash(contents),
            packed: packed.len() as u64,
            size: contents.len() as u64,
            header: self.at,
        };
        let mut extra = self.wide_numbers(&entry, false);
        let before = self.at + 30 + (name.len() + extra.len()) as u64;
        if !before.is_multiple_of(aligned) {
            // A padding field has at least the four bytes of its own header.
            let padding = (before + 4).next_multiple_of(aligned) - before - 4;
            extra.extend(PADDING);
            extra.extend((padding as u16).to_le_bytes());
            extra.extend(std::iter::repeat_n(0, padding as usize));
        }
        let mut header = LOCAL_HEADER.to_le_bytes().to_vec();
        header.extend(VERSION.to_le_bytes());
        self.common(&entry, &mut header, extra.len())?;
        header.extend(entry.name.as_bytes());
        header.extend(extra);
        self.write(&header)?;
        self.write(packed)?;
        self.entries.push(entry);
        Ok(())
    }

    /// The fields that the local and the central header share, from the flags to the length of the extra field.
    fn common(&self, entry: &Written, header: &mut Vec<u8>, extra: usize) -> io::Result<()> {
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a name of more than 65535 bytes");
        let name = u16::try_from(entry.name.len()).map_err(|_| too_long())?;
        for number in [UTF_8, entry.method, 0, DATE] {
            header.extend(number.to_le_bytes());
        }
        let wide = self.has_wide_sizes(entry);
        let sizes = [entry.packed, entry.size].map(|size| if wide { IN_32 } else { size as u32 });
        for number in [entry.crc, sizes[0], sizes[1]] {
            header.extend(number.to_le_bytes());
        }
        header.extend(name.to_le_bytes());
        header.extend((extra as u16).to_le_bytes());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn is_wide(&self, number: u64) -> bool {
        number >= self.limit
    }

    /// Both sizes stand in 64 bits or none does, as the form asks of local headers.
    fn has_wide_sizes(&self, entry: &Written) -> bool {
        self.is_wide(entry.size) || self.is_wide(entry.packed)
    }

    /// The extra field for the sizes, and in the directory the offset, that 32 bits do not hold.
    fn wide_numbers(&self, entry: &Written, in_directory: bool) -> Vec<u8> {
        let mut wide = Vec::new();
        if self.has_wide_sizes(entry) {
            wide.extend([entry.size, entry.packed].iter().flat_map(|number| number.to_le_bytes()));
        }
        if in_directory && self.is_wide(entry.header) {
            wide.extend(entry.header.to_le_bytes());
        }
        if wide.is_empty() {
            return wide;
        }
        [&EXTRA_64.to_le_bytes()[..], &(wide.len() as u16).to_le_bytes(), &wide].concat()
    }

    /// Writes the table of contents, which ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let start = self.at;
        for entry in std::mem::take(&mut self.entries) {
            let extra = self.wide_numbers(&entry, true);
            let mut header = CENTRAL_HEADER.to_le_bytes().to_vec();
            header.extend([VERSION; 2].iter().flat_map(|version| version.to_le_bytes()));
            self.common(&entry, &mut header, extra.len())?;
            // No comment, the first disk, no attributes.
            header.extend([0; 10]);
            let offset = if self.is_wide(entry.header) { IN_32 } else { entry.header as u32 };
            header.extend(offset.to_le_bytes());
            header.extend(entry.name.as_bytes());
            header.extend(extra);
            self.write(&header)?;
            self.entries.push(entry);
        }
        let (size, count) = (self.at - start, self.entries.len() as u64);
        let wide = self.is_wide(size) || self.is_wide(start) || count >= u64::from(IN_16);
        if wide {
            let end = self.at;
            let mut record = END_64.to_le_bytes().to_vec();
            record.extend(44_u64.to_le_bytes());
            record.extend([VERSION; 2].iter().flat_map(|version| version.to_le_bytes()));
            record.extend([0; 8]);
            record.extend([count, count, size, start].iter().flat_map(|number| number.to_le_bytes()));
            record.extend(END_64_LOCATOR.to_le_bytes());
            record.extend([0; 4]);
            record.extend(end.to_le_bytes());
            record.extend(1_u32.to_le_bytes());
            self.write(&record)?;
        }
        let short = if wide { IN_16 } else { count as u16 };
        let mut record = END.to_le_bytes().to_vec();
        record.extend([0; 4]);
        record.extend([short; 2].iter().flat_map(|count| count.to_le_bytes()));
        let narrow = |number: u64| if wide { IN_32 } else { number as u32 };
        record.extend([narrow(size), narrow(start)].iter().flat_map(|number| number.to_le_bytes()));
        record.extend([0; 2]);
        self.write(&record)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Archive;
    use super::*;

    fn archive(wide: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = if wide { Writer::wide(&mut bytes) } else { Writer::new(&mut bytes) };
        writer.stored("a/one", b"1", 64).unwrap();
        writer.deflated("two", &[2; 10_000]).unwrap();
        writer.stored("drei-\u{fc}", b"", 64).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn an_archive_is_read_back_in_both_widths() {
        for wide in [false, true] {
            let bytes = archive(wide);
            let archive = Archive::parse(&bytes).unwrap();
            let names: Vec<&str> = archive.entries().iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, ["a/one", "two", "drei-\u{fc}"]);
            assert_eq!(archive.find("a/one").unwrap().start % 64, 0);
            assert_eq!(archive.find("a/one").unwrap().stored(&bytes).unwrap(), b"1");
            assert_eq!(archive.find("two").unwrap().read(&bytes).unwrap(), [2; 10_000]);
            assert_eq!(archive.find("drei-\u{fc}").unwrap().start % 64, 0);
            assert!(bytes.len() < 1000, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn what_cannot_be_an_archive_is_refused() {
        let good = archive(false);
        let reason = |bytes: &[u8]| Archive::parse(bytes).err().unwrap().of("f").to_string();
        assert_eq!(reason(b"PK"), "f: byte 0: a zip archive has at least 22 bytes, found 2");
        assert!(reason(&good[..good.len() - 1]).contains("cut short"), "{}", reason(&good[..good.len() - 1]));
        // Two entries of the directory that point at the same bytes would make much of little.
        let central: Vec<usize> =
            (0..good.len()).filter(|&at| good[at..].starts_with(b"PK\x01\x02")).collect();
        let mut shared = good.clone();
        let first: Vec<u8> = good[central[0] + 42..central[0] + 46].to_vec();
        shared[central[1] + 42..central[1] + 46].copy_from_slice(&first);
        assert!(reason(&shared).contains("another name"), "{}", reason(&shared));
        let flipped = {
            let mut bytes = good.clone();
            let at = Archive::parse(&good).unwrap().find("a/one").unwrap().start;
            bytes[at] ^= 1;
            bytes
        };
        let archive = Archive::parse(&flipped).unwrap();
        let fault = archive.find("a/one").unwrap().stored(&flipped).unwrap_err();
        assert!(fault.of("f").to_string().contains("CRC-32"));
    }
}
