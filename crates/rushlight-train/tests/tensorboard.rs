//! TensorBoard's own reader reads the stored event file, where Python has it.

use std::process::Command;

/// The interpreter: `RUSHLIGHT_PYTHON`, or `python3`.
#[test]
fn tensorboard_reads_the_stored_file() {
    let python = std::env::var_os("RUSHLIGHT_PYTHON").unwrap_or_else(|| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tensorboard.py");
    match Command::new(python).arg(script).output() {
        Err(error) => println!("skipped: {error}"),
        Ok(output) if output.status.code() == Some(77) => {
            println!("{}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
    }
}
