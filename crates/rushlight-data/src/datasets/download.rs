//! Files from mirrors into the cache: whole, checked, or not at all.

use super::root::Known;
use rushlight_array::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use ureq::Agent;

/// One download at a time in a process, so that two data sets do not fetch one file twice.
static ONE: Mutex<()> = Mutex::new(());

/// Fetches `known` into `folder` from the first of the mirrors that has it.
///
/// # Errors
/// If none has it, with the reason of each, or if the folder cannot be written.
pub(super) fn fetch(
    set: &str,
    known: &Known,
    mirrors: &[String],
    folder: &Path,
    patience: Duration,
) -> Result<PathBuf> {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = folder.join(known.name);
    // Another thread may have fetched it meanwhile.
    if std::fs::metadata(&path).is_ok_and(|file| file.len() == known.size) {
        return Ok(path);
    }
    std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_path_buf(), source })?;
    let agent: Agent = Agent::config_builder()
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .into();
    let mut causes = String::new();
    for mirror in mirrors {
        let url = format!("{mirror}{}", known.name);
        match fetch_from(&agent, &url, known, &path) {
            Ok(()) => return Ok(path),
            Err(cause) => causes += &format!("\n  {url}: {cause}"),
        }
    }
    let reason = format!(
        "the file '{}' ({} bytes) could not be fetched:{causes}\nPut it at {} by hand, or name a folder that has it by \
         --data DIR or RUSHLIGHT_DATA.",
        known.name,
        known.size,
        path.display()
    );
    Err(Error::invalid(set, reason))
}

/// A file that is not whole yet; it is removed unless it is kept.
struct Part {
    path: PathBuf,
    kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn fetch_from(agent: &Agent, url: &str, known: &Known, path: &Path) -> Result<(), String> {
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    let wrong_size = |found: u64| format!("expected {} bytes, found {found}", known.size);
    if let Some(found) = response.body().content_length().filter(|&length| length != known.size) {
        return Err(wrong_size(found));
    }
    let name = format!("{}.part-{}", known.name, std::process::id());
    let mut part = Part { path: path.with_file_name(name), kept: false };
    let writing = |error: std::io::Error| format!("{} cannot be written: {error}", path.display());
    let mut file = File::create(&part.path).map_err(writing)?;

    // One byte more than it should be, to notice a body that goes on; no endless one is taken.
    let mut body = response.body_mut().as_reader().take(known.size.saturating_add(1));
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) => return Err(format!("after {size} of {} bytes: {error}", known.size)),
        };
        hash.update(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(writing)?;
        size += read as u64;
    }
    if size > known.size {
        return Err(format!("expected {} bytes, found more", known.size));
    }
    if size < known.size {
        return Err(wrong_size(size));
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != known.sha256 {
        return Err(format!("expected SHA-256 {}, found {found}", known.sha256));
    }
    file.sync_all().map_err(writing)?;
    drop(file);
    std::fs::rename(&part.path, path).map_err(writing)?;
    part.kept = true;
    // The name, too, should outlive a loss of power; where a folder cannot be opened there is nothing to be done.
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
