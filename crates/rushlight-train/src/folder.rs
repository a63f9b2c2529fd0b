//! The checkpoints in a folder, by their names.

use rushlight_array::order::sort_by;
use rushlight_array::{Error, Result};
use rushlight_serialize::{Value, checkpoint};
use std::fs;
use std::path::{Path, PathBuf};

const BEGINS: &str = "step-";
const ENDS: &str = ".ckpt";
/// Before [`ENDS`] in the name of the checkpoint at a run's end.
const FINAL: &str = "-final";

/// A file with the name of a checkpoint. The order is that of the run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Named {
    pub(crate) step: usize,
    pub(crate) last: bool,
}

impl Named {
    pub(crate) fn file(&self) -> String {
        format!("{BEGINS}{:010}{}{ENDS}", self.step, if self.last { FINAL } else { "" })
    }

    pub(crate) fn of(file: &str) -> Option<Named> {
        let number = file.strip_prefix(BEGINS)?.strip_suffix(ENDS)?;
        let (number, last) = match number.strip_suffix(FINAL) {
            Some(number) => (number, true),
            None => (number, false),
        };
        Some(Named { step: number.parse().ok()?, last })
    }
}

/// The checkpoints of a folder from the first to the last; none if there is no folder.
pub(crate) fn list(folder: &Path) -> Result<Vec<Named>> {
    let error = |source| Error::Io { path: folder.to_path_buf(), source };
    let entries = match fs::read_dir(folder) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(error)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry.map_err(error)?.file_name().to_str().and_then(Named::of));
    }
    sort_by(&mut found, Named::cmp);
    Ok(found)
}

/// A checkpoint that is a file, or the newest one of a folder that can be read. Damaged ones are told of.
///
/// # Errors
/// If a file cannot be read, or a folder has checkpoints of which none can be: to begin anew might cost the run.
pub(crate) fn newest(path: &Path, say: &mut dyn FnMut(&str)) -> Result<Option<(PathBuf, Value)>> {
    if path.is_file() {
        return Ok(Some((path.to_path_buf(), checkpoint::load(path)?)));
    }
    let found = list(path)?;
    let mut damaged = None;
    for named in found.iter().rev() {
        let file = path.join(named.file());
        match checkpoint::load(&file) {
            Ok(state) => return Ok(Some((file, state))),
            Err(error) => {
                say(&format!("warning: a checkpoint cannot be read, the one before is taken: {error}"));
                damaged.get_or_insert(error);
            }
        }
    }
    match damaged {
        None => Ok(None),
        Some(error) => Err(Error::invalid(
            path.display().to_string(),
            format!("none of its {} checkpoints can be read; the newest: {error}", found.len()),
        )),
    }
}

/// Renames what another run left under a name, to `NAME.old`.
pub(crate) fn set_aside(path: &Path) -> Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".old");
    let aside = path.with_file_name(name);
    fs::rename(path, &aside).map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_sort_as_the_run_went() {
        let at = |step, last| Named { step, last };
        for named in [at(0, false), at(120, false), at(120, true), at(12_345_678_901, false)] {
            assert_eq!(Named::of(&named.file()), Some(named));
        }
        assert!(at(9, true) < at(10, false) && at(10, false) < at(10, true));
        assert_eq!(at(7, true).file(), "step-0000000007-final.ckpt");
        for other in ["step-7.ckpt.old", ".step-7.ckpt.part-1-0", "step-x.ckpt", "model.ckpt"] {
            assert_eq!(Named::of(other), None);
        }
    }
}
