//! The trace file: Chrome's trace event format, as `chrome://tracing` and Perfetto read it.
//!
//! See "Trace Event Format" by the Chromium project: complete events (`ph` X) with times in microseconds, and
//! metadata events (`ph` M) that name the rows.

use super::Profile;
use super::record::{Event, Thread};
use crate::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Writes beside the place and moves it there, so that nobody ever sees half of a file.
pub(super) fn write(profile: &Profile, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Io { path: path.to_path_buf(), source };
    let unfinished = beside(path).map_err(failed)?;
    let written = File::create(&unfinished)
        .and_then(|file| write_events(profile, BufWriter::new(file)))
        .and_then(|()| std::fs::rename(&unfinished, path));
    written.map_err(|source| {
        // It may not exist; what counts is the first error.
        let _ = std::fs::remove_file(&unfinished);
        failed(source)
    })
}

/// A path in the same folder that nobody else uses.
fn beside(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    let mut unfinished = name.to_owned();
    unfinished.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    Ok(path.with_file_name(unfinished))
}

fn write_events(profile: &Profile, mut out: impl Write) -> io::Result<()> {
    let pid = std::process::id();
    write!(out, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"calls_left_out\":{}}},", profile.left_out())?;
    write!(out, "\"traceEvents\":[\n{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{pid},")?;
    write!(out, "\"args\":{{\"name\":\"rushlight\"}}}}")?;
    for thread in &profile.threads {
        let (tid, name) = (thread.number, quoted(&thread.name));
        write!(out, ",\n{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{pid},\"tid\":{tid},")?;
        write!(out, "\"args\":{{\"name\":{name}}}}}")?;
        for event in &thread.events {
            write_event(profile, thread, event, pid, &mut out)?;
        }
    }
    writeln!(out, "\n]}}")?;
    out.flush()
}

fn write_event(
    profile: &Profile,
    thread: &Thread,
    event: &Event,
    pid: u32,
    out: &mut impl Write,
) -> io::Result<()> {
    let name = quoted(&event.name.to_string());
    let (ts, dur) = (microseconds(event.start - profile.start), microseconds(event.duration));
    write!(out, ",\n{{\"ph\":\"X\",\"name\":{name},\"pid\":{pid},\"tid\":{},", thread.number)?;
    write!(out, "\"ts\":{ts},\"dur\":{dur},")?;
    write!(out, "\"args\":{{\"bytes\":{},\"flops\":{}}}}}", event.work.bytes, event.work.flops)
}

/// Exact: a float would lose the nanoseconds of a long run.
fn microseconds(nanoseconds: u64) -> String {
    format!("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000)
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_json() {
        for text in ["plain", "a \"b\" \\ c", "tab\t, newline\n, µ"] {
            let read: serde_json::Value = serde_json::from_str(&quoted(text)).expect("it is JSON");
            assert_eq!(read, text);
        }
    }

    #[test]
    fn microseconds_keep_every_nanosecond() {
        assert_eq!([0, 7, 1_002_003].map(microseconds), ["0.000", "0.007", "1002.003"]);
    }
}
