//! A file is replaced as a whole or not at all.

use rushlight_array::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A part file of this age that nobody has locked was left behind by a program that was killed.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// Writes a file as a whole: whoever reads `path`, at any time and after any crash, finds the old bytes or the new ones.
///
/// ```
/// let path = std::env::temp_dir().join(format!("rushlight-replace-{}", std::process::id()));
/// rushlight_serialize::replace_file(&path, b"one")?;
/// rushlight_serialize::replace_file(&path, b"two")?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"two");
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), rushlight_array::Error>(())
/// ```
///
/// # Errors
/// If it cannot be written; then the file is as it was.
pub fn replace_file(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    replace(path.as_ref(), |out| out.write_all(bytes))
}

/// Writes a file so that whoever reads `path`, at any time and after any crash, finds the old bytes or the new ones.
///
/// What `write` writes goes into a part file beside `path`. It is flushed to the disk, takes the name `path`, and
/// then the folder is flushed. If anything fails the part file is removed and `path` is as it was.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let error = |source| Error::Io { path: path.to_path_buf(), source };
    // Through a link to the file itself; a rename would replace the link.
    let target = match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            return Err(Error::invalid(path.display().to_string(), "exists and is not a regular file"));
        }
        Ok(_) => fs::canonicalize(path).map_err(error)?,
        Err(_) => path.to_path_buf(),
    };
    let Some(name) = target.file_name().and_then(|name| name.to_str()) else {
        return Err(Error::invalid(path.display().to_string(), "the name of a file in UTF-8 is needed"));
    };
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    remove_abandoned(folder, name);
    let part = Part::create(folder, name).map_err(error)?;
    part.fill(write).and_then(|()| part.rename(&target)).map_err(error)?;
    sync_folder(folder).map_err(error)
}

/// A part file, removed unless it was renamed.
struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    fn create(folder: &Path, name: &str) -> io::Result<Part> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (path, file) = loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}{}-{count}", prefix(name), std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                // Of a killed program that had this process's number: in a container they are the same each time.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        // Held as long as the process lives, however it ends. Where a file system knows no locks, the age decides.
        let _ = file.lock();
        Ok(Part { path, file })
    }

    fn fill(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, &self.file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        self.file.sync_all()
    }

    fn rename(&self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the rename there is no file of this name.
        let _ = fs::remove_file(&self.path);
    }
}

fn prefix(name: &str) -> String {
    format!(".{name}.part-")
}

/// Removes what killed programs left behind, so that a run that is killed again and again does not fill the disk.
fn remove_abandoned(folder: &Path, name: &str) {
    let prefix = prefix(name);
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_part = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
        let old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if is_part && old().is_some_and(|age| age > ABANDONED_AFTER) && is_free(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_free(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// Makes the rename itself last. Windows does so by itself and cannot open a folder as a file.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_failure_at_any_byte_leaves_the_old_file_and_no_other() {
        let folder = folder("atomic-failure");
        let path = folder.join("a.bin");
        replace(&path, |out| out.write_all(b"old")).unwrap();
        for left in [0, 1, 70_000] {
            let full = replace(&path, |out| {
                out.write_all(&vec![7; left])?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            });
            assert!(full.unwrap_err().to_string().starts_with(&path.display().to_string()));
            assert_eq!(fs::read(&path).unwrap(), b"old");
            assert_eq!(names(&folder), ["a.bin"]);
        }
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn what_a_killed_program_left_is_removed_and_what_is_being_written_is_not() {
        let folder = folder("atomic-abandoned");
        let path = folder.join("a.bin");
        let old = std::time::SystemTime::now() - 2 * ABANDONED_AFTER;
        let make = |name: &str| {
            let file = File::create(folder.join(name)).unwrap();
            file.set_modified(old).unwrap();
            file
        };
        make(".a.bin.part-1-0");
        make(".b.bin.part-1-0");
        let held = make(".a.bin.part-2-0");
        held.lock().unwrap();
        File::create(folder.join(".a.bin.part-3-0")).unwrap();
        replace(&path, |out| out.write_all(b"new")).unwrap();
        assert_eq!(names(&folder), [".a.bin.part-2-0", ".a.bin.part-3-0", ".b.bin.part-1-0", "a.bin"]);
    }

    #[test]
    fn part_files_of_another_process_with_this_number_do_not_stop_a_save() {
        let folder = folder("atomic-number");
        for count in 0..1000 {
            File::create(folder.join(format!(".a.bin.part-{}-{count}", std::process::id()))).unwrap();
        }
        replace(&folder.join("a.bin"), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(folder.join("a.bin")).unwrap(), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_is_refused() {
        let folder = folder("atomic-link");
        fs::write(folder.join("real"), b"old").unwrap();
        std::os::unix::fs::symlink("real", folder.join("link")).unwrap();
        replace(&folder.join("link"), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(folder.join("real")).unwrap(), b"new");
        let refused = replace(Path::new("/dev/null"), |out| out.write_all(b"new")).unwrap_err();
        assert_eq!(refused.to_string(), "/dev/null: exists and is not a regular file");
    }
}
