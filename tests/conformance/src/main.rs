//! `cargo xtask conformance [DIR] [OP ...]`: runs the cases of a folder or archive, all or those of some operations.
//! `cargo xtask conformance FILE.json`: runs trajectories of optimizers and schedules. Without words, both that are carried.

use std::process::ExitCode;

fn main() -> ExitCode {
    rushlight_conformance::cli::main()
}
