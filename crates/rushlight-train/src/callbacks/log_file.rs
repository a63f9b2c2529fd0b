//! A text file of which a checkpoint knows the length.

use crate::folder::set_aside;
use rushlight_array::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Lines of a run, none lost and none doubled: where a run goes on, what was written after its checkpoint is cut off.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    /// The bytes of the lines so far.
    pub(crate) length: u64,
}

impl LogFile {
    pub(crate) fn new(path: PathBuf) -> LogFile {
        LogFile { path, file: None, length: 0 }
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

    /// Adds a line, in one piece.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        let error = self.error();
        let Some(file) = &mut self.file else {
            return Err(Error::invalid(self.path.display().to_string(), "the log is not open"));
        };
        let line = format!("{line}\n");
        if let Err(source) = file.write_all(line.as_bytes()) {
            // What the disk took of it is no line.
            let _ = file.set_len(self.length).and_then(|()| file.seek(SeekFrom::End(0)));
            return Err(error(source));
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// What was written is on the disk, before a checkpoint says that it is there.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let error = self.error();
        self.file.as_ref().map_or(Ok(()), |file| file.sync_data()).map_err(error)
    }
}
