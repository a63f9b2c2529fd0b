//! A text file of which a checkpoint knows the length.

use crate::folder::set_aside;
use rushlight_array::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Lines that come faster than this are written together: a call of the system for each would be a part of a short step.
const TOGETHER: Duration = Duration::from_millis(20);

/// Lines of a run, none lost and none doubled: where a run goes on, what was written after its checkpoint is cut off.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    /// The bytes of the lines so far.
    pub(crate) length: u64,
    /// Lines that are not in the file yet.
    waiting: Vec<u8>,
    written: Option<Instant>,
}

impl LogFile {
    pub(crate) fn new(path: PathBuf) -> LogFile {
        LogFile { path, file: None, length: 0, waiting: Vec::new(), written: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self) -> impl Fn(std::io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Io { path: path.clone(), source }
    }

    /// Opens the file behind the lines that count. `say` is told if some of them are missing, or if another file was there.
    pub(crate) fn open(&mut self, say: &mut dyn FnMut(&str)) -> Result<()> {
        let error = self.error();
        if self.file.is_some() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(&error)?;
        }
        if self.length == 0 && fs::metadata(&self.path).is_ok_and(|about| about.len() > 0) {
            let aside = set_aside(&self.path)?;
            say(&format!("the log of another run is now {}", aside.display()));
        }
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(false).open(&self.path).map_err(&error)?;
        let found = file.metadata().map_err(&error)?.len();
        if found < self.length {
            let path = self.path.display();
            say(&format!(
                "warning: {path} has {found} bytes, but the checkpoint says {}: lines are missing",
                self.length
            ));
            self.length = found;
        }
        file.set_len(self.length).map_err(&error)?;
        file.seek(SeekFrom::End(0)).map_err(&error)?;
        self.file = Some(file);
        Ok(())
    }

    /// Adds a line, without its end. It is in the file at the latest with the next line that comes after [`TOGETHER`].
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        if self.file.is_none() {
            return Err(Error::invalid(self.path.display().to_string(), "the log is not open"));
        }
        self.waiting.extend_from_slice(line.as_bytes());
        self.waiting.push(b'\n');
        self.length += line.len() as u64 + 1;
        if self.written.is_some_and(|written| written.elapsed() < TOGETHER) {
            return Ok(());
        }
        self.write()
    }

    /// Writes what waits, in one piece.
    pub(crate) fn write(&mut self) -> Result<()> {
        let error = self.error();
        let Some(file) = self.file.as_mut().filter(|_| !self.waiting.is_empty()) else { return Ok(()) };
        let waiting = std::mem::take(&mut self.waiting);
        if let Err(source) = file.write_all(&waiting) {
            // What the disk took of it are no lines.
            self.length -= waiting.len() as u64;
            let _ = file.set_len(self.length).and_then(|()| file.seek(SeekFrom::End(0)));
            return Err(error(source));
        }
        // Its memory serves the next ones.
        self.waiting = waiting;
        self.waiting.clear();
        self.written = Some(Instant::now());
        Ok(())
    }

    /// What was written is on the disk, before a checkpoint says that it is there.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.write()?;
        let error = self.error();
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data()).map_err(error)
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        let _ = self.write();
    }
}
