//! `cargo xtask conformance [DIR] [OP ...]`: runs the cases of a folder or archive, all or those of some operations.

use rushlight_conformance::{golden, report::Report, run};
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    let carried = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("goldens.tar.gz");
    let path = args.next_if(|arg| PathBuf::from(arg).exists()).map_or(carried, PathBuf::from);
    let only: Vec<String> = args.collect();
    let goldens = match golden::read(&path) {
        Ok(goldens) => goldens,
        Err(why) => {
            eprintln!("conformance: {why}");
            return ExitCode::from(2);
        }
    };
    if let Some(unknown) = only.iter().find(|name| !goldens.iter().any(|golden| golden.op == **name)) {
        eprintln!("conformance: {}: there are no cases of `{unknown}`, and no such folder", path.display());
        return ExitCode::from(2);
    }
    run::hush();
    let mut report = Report::default();
    for golden in goldens.iter().filter(|golden| only.is_empty() || only.contains(&golden.op)) {
        report.add(golden, &run::run(golden));
    }
    println!("{}{}", report.text, report.summary());
    if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
