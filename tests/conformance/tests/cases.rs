//! All cases that the repository carries. As a test, so that `cargo test` builds it with the features of the whole
//! workspace, as it has built everything else; without a harness, so that its report is its output.

use std::process::ExitCode;

fn main() -> ExitCode {
    rushlight_conformance::cli::main()
}
