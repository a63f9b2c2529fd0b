use super::{
    CENTRAL_HEADER, DEFLATED, END, END_64, END_64_LOCATOR, EXTRA_64, IN_16, IN_32, LOCAL_HEADER, STORED,
};
use crate::cursor::Cursor;
use crate::fault::{Fault, Parsed, bail};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use rushlight_array::order::sorted_places;
use std::collections::HashSet;

/// The bytes of the end record without its comment.
const END_LEN: usize = 22;
/// Deflate makes at most this many bytes of one (RFC 1951: 258 bytes of two bits, and the codes before them).
const MOST_DEFLATED: usize = 1032;

/// The table of contents of an archive.
///
/// Entries lie one after the other in the file and never share a byte, so that all of them together are not larger
/// than the file (stored) or 1032 times the file (deflated), whatever their headers say.
pub(crate) struct Archive {
    entries: Vec<Entry>,
}

/// A file in an archive.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Bytes of the archive.
    pub(crate) start: usize,
    end: usize,
    method: u16,
    /// The size of the contents.
    pub(crate) size: usize,
    crc: u32,
    header: usize,
}

impl Archive {
    pub(crate) fn parse(bytes: &[u8]) -> Parsed<Archive> {
        let directory = Directory::find(bytes)?;
        let mut cursor = Cursor::new(bytes, directory.start);
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        for _ in 0..directory.count {
            let at = cursor.at();
            let entry = Entry::parse(bytes, &mut cursor)?;
            if !names.insert(entry.name.clone()) {
                bail!(at, "the archive has `{}` twice", entry.name);
            }
            entries.push(entry);
        }
        if cursor.at() != directory.end {
            bail!(cursor.at(), "the directory ends here, but byte {} was expected", directory.end);
        }
        let order = sorted_places(entries.len(), &|i, j| entries[i].header.cmp(&entries[j].header));
        let mut free = 0;
        for entry in order.into_iter().map(|place| &entries[place]) {
            if entry.header < free || entry.end > directory.start {
                bail!(entry.header, "`{}` lies over another part of the archive", entry.name);
            }
            free = entry.end;
        }
        Ok(Archive { entries })
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// Where the central directory lies.
struct Directory {
    start: usize,
    end: usize,
    count: usize,
}

impl Directory {
    fn find(bytes: &[u8]) -> Parsed<Directory> {
        let Some(last) = bytes.len().checked_sub(END_LEN) else {
            bail!(0, "a zip archive has at least {END_LEN} bytes, found {}", bytes.len());
        };
        let first = last.saturating_sub(usize::from(u16::MAX));
        let is_end = |&at: &usize| {
            let mut cursor = Cursor::new(bytes, at);
            let is = cursor.u32("").is_ok_and(|word| word == END) && cursor.take(16, "").is_ok();
            is && cursor.u16("").is_ok_and(|comment| at + END_LEN + usize::from(comment) == bytes.len())
        };
        let Some(at) = (first..=last).rev().find(is_end) else {
            bail!(last, "the archive has no end record: it is cut short, or no zip archive");
        };
        let mut cursor = Cursor::new(bytes, at + 4);
        let what = "the end record";
        let (disk, directory_disk) = (cursor.u16(what)?, cursor.u16(what)?);
        let (here, count) = (cursor.u16(what)?, cursor.u16(what)?);
        let (size, start) = (cursor.u32(what)?, cursor.u32(what)?);
        if count == IN_16 || size == IN_32 || start == IN_32 {
            return Directory::find_64(bytes, at);
        }
        if disk != 0 || directory_disk != 0 || here != count {
            bail!(at, "the archive is spread over several files");
        }
        Directory::checked(at, start as usize, size as usize, usize::from(count))
    }

    fn find_64(bytes: &[u8], end: usize) -> Parsed<Directory> {
        let what = "the 64-bit end record";
        let mut locator = Cursor::new(bytes, end.saturating_sub(20));
        let at = locator.at();
        if locator.u32(what)? != END_64_LOCATOR || locator.u32(what)? != 0 {
            bail!(at, "{what} is not where it should be");
        }
        let start = locator.size(what)?;
        let mut cursor = Cursor::new(bytes, start);
        if start >= at || cursor.u32(what)? != END_64 {
            bail!(at, "{what} is not where it should be");
        }
        // Its own size and two versions, then the numbers of disks.
        cursor.take(12, what)?;
        if cursor.u64(what)? != 0 {
            bail!(start, "the archive is spread over several files");
        }
        let (here, count) = (cursor.size(what)?, cursor.size(what)?);
        let (size, directory) = (cursor.size(what)?, cursor.size(what)?);
        if here != count {
            bail!(start, "the archive is spread over several files");
        }
        Directory::checked(start, directory, size, count)
    }

    /// A directory that lies before `limit`; each of its entries takes bytes, so their number is checked by reading.
    fn checked(limit: usize, start: usize, size: usize, count: usize) -> Parsed<Directory> {
        match start.checked_add(size) {
            Some(end) if end <= limit => Ok(Directory { start, end, count }),
            _ => {
                bail!(limit, "a directory of {size} bytes at byte {start} does not lie before its end record")
            }
        }
    }
}

impl Entry {
    fn parse(bytes: &[u8], cursor: &mut Cursor<'_>) -> Parsed<Entry> {
        let (at, what) = (cursor.at(), "an entry of the directory");
        if cursor.u32(what)? != CENTRAL_HEADER {
            bail!(at, "{what} does not begin with PK 01 02");
        }
        cursor.take(4, what)?;
        let (flags, method) = (cursor.u16(what)?, cursor.u16(what)?);
        cursor.take(4, what)?;
        let crc = cursor.u32(what)?;
        let (packed, size) = (cursor.u32(what)?, cursor.u32(what)?);
        let (name, extra, comment) = (cursor.u16(what)?, cursor.u16(what)?, cursor.u16(what)?);
        cursor.take(8, what)?;
        let header = cursor.u32(what)?;
        let name = String::from_utf8_lossy(cursor.take(usize::from(name), what)?).into_owned();
        let extra_at = cursor.at();
        let extra = cursor.take(usize::from(extra), what)?;
        cursor.take(usize::from(comment), what)?;
        if flags & 1 != 0 {
            bail!(at, "`{name}` is encrypted");
        }
        let wide = wide([size, packed, header], extra).map_err(|fault| fault.within(extra_at))?;
        let [size, packed, header] = wide;
        let mut entry = Entry { name, start: 0, end: 0, method, size, crc, header };
        entry.start = entry.find_contents(bytes)?;
        match entry.start.checked_add(packed) {
            Some(end) if end <= bytes.len() => entry.end = end,
            _ => bail!(header, "`{}` has {packed} bytes, more than the archive", entry.name),
        }
        match method {
            STORED if packed != size => {
                bail!(at, "`{}` is stored, but has sizes {packed} and {size}", entry.name)
            }
            DEFLATED if size / MOST_DEFLATED > packed => {
                bail!(at, "`{}` cannot have {size} bytes from {packed} deflated ones", entry.name)
            }
            STORED | DEFLATED => Ok(entry),
            other => {
                bail!(at, "`{}` is packed by method {other}; stored (0) and deflate (8) are read", entry.name)
            }
        }
    }

    /// The byte behind the local header.
    fn find_contents(&self, bytes: &[u8]) -> Parsed<usize> {
        let mut cursor = Cursor::new(bytes, self.header);
        let what = "the header of an entry";
        if cursor.u32(what)? != LOCAL_HEADER {
            bail!(self.header, "`{}`: the entry does not begin with PK 03 04", self.name);
        }
        cursor.take(22, what)?;
        let (name, extra) = (cursor.u16(what)?, cursor.u16(what)?);
        if cursor.take(usize::from(name), what)? != self.name.as_bytes() {
            bail!(self.header, "`{}` has another name in front of its contents", self.name);
        }
        cursor.take(usize::from(extra), what)?;
        Ok(cursor.at())
    }

    /// The contents, unpacked if they are deflated, with their checksum compared.
    pub(crate) fn read(&self, bytes: &[u8]) -> Parsed<Vec<u8>> {
        let packed = &bytes[self.start..self.end];
        let contents = match self.method {
            STORED => packed.to_vec(),
            _ => self.inflate(packed)?,
        };
        self.check(&contents)?;
        Ok(contents)
    }

    /// A fault of the contents as one of the archive; that of deflated contents has no byte of its own there.
    pub(crate) fn locate(&self, fault: Fault) -> Fault {
        if self.method == STORED { fault.within(self.start) } else { fault.at(self.start) }
    }

    /// The contents of a stored entry, where they lie.
    pub(crate) fn stored<'a>(&self, bytes: &'a [u8]) -> Parsed<&'a [u8]> {
        if self.method != STORED {
            bail!(self.start, "`{}` is compressed; PyTorch stores it plainly", self.name);
        }
        let contents = &bytes[self.start..self.end];
        self.check(contents)?;
        Ok(contents)
    }

    /// Grows with what comes out; the size that the header claims is only the limit.
    fn inflate(&self, packed: &[u8]) -> Parsed<Vec<u8>> {
        match decompress_to_vec_with_limit(packed, self.size) {
            Ok(contents) if contents.len() == self.size => Ok(contents),
            Ok(contents) => {
                bail!(self.start, "`{}` has {} bytes instead of {}", self.name, contents.len(), self.size)
            }
            Err(error) if error.status == TINFLStatus::HasMoreOutput => {
                bail!(self.start, "`{}` has more than {} bytes", self.name, self.size)
            }
            Err(_) => bail!(self.start, "`{}` is not deflated data", self.name),
        }
    }

    fn check(&self, contents: &[u8]) -> Parsed<()> {
        let found = crc32fast::hash(contents);
        if found != self.crc {
            bail!(
                self.start,
                "`{}` has the CRC-32 {found:08x} instead of {:08x}: it is damaged, or was written without checksums",
                self.name,
                self.crc
            );
        }
        Ok(())
    }
}

/// Size, packed size and offset; those that stand for it are in the extra field, in this order.
fn wide(narrow: [u32; 3], extra: &[u8]) -> Parsed<[usize; 3]> {
    if !narrow.contains(&IN_32) {
        return Ok(narrow.map(|number| number as usize));
    }
    let mut cursor = Cursor::new(extra, 0);
    let what = "the 64-bit sizes of an entry";
    loop {
        let (kind, len) = (cursor.u16(what)?, cursor.u16(what)?);
        if kind == EXTRA_64 {
            break;
        }
        cursor.take(usize::from(len), what)?;
    }
    let mut wide = [0; 3];
    for (wide, narrow) in wide.iter_mut().zip(narrow) {
        *wide = if narrow == IN_32 { cursor.size(what)? } else { narrow as usize };
    }
    Ok(wide)
}
