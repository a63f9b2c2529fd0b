//! `cargo xtask conformance`: starts the runner, which needs the library and therefore is a package of its own.

use std::process::Command;

/// Runs the cases; relative paths mean what they mean to the caller.
pub(crate) fn run(words: &[String]) -> bool {
    let status = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "--release",
            "-p",
            "rushlight-conformance",
            "--bin",
            "rushlight-conformance",
            "--",
        ])
        .args(words)
        .status();
    match status {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("conformance: cargo cannot be started: {error}");
            false
        }
    }
}
