//! `cargo xtask conformance [DIR] [OP ...]`: runs the cases of a folder or archive, all or those of some operations.
//! `cargo xtask conformance FILE.json`: runs trajectories of optimizers and schedules. Without words, both that are carried.

use crate::{golden, optim, report::Report, run};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The program: reads the arguments, prints the report, and says by its status whether a case failed.
pub fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    let carried = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("goldens.tar.gz");
    run::hush();
    if let Some(file) = args.next_if(|arg| optim::is_trajectories(arg.as_ref())) {
        return trajectories(file.as_ref());
    }
    let everything = args.peek().is_none();
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
    let mut report = Report::default();
    for golden in goldens.iter().filter(|golden| only.is_empty() || only.contains(&golden.op)) {
        report.add(golden, &run::run(golden));
    }
    let (mut summary, mut failed) = (report.summary(), report.failed);
    let mut text = report.text;
    if everything {
        match optim::run(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("optim.json.gz")) {
            Ok(optim) => {
                text.push_str(&optim.text);
                summary = format!("{summary}, {}", optim.summary());
                failed |= optim.failed;
            }
            Err(why) => {
                eprintln!("conformance: {why}");
                return ExitCode::from(2);
            }
        }
    }
    println!("{text}{summary}");
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a file of trajectories; its last line is `optim a/b`.
fn trajectories(file: &Path) -> ExitCode {
    match optim::run(file) {
        Ok(report) => {
            println!("{}{}", report.text, report.summary());
            if report.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(why) => {
            eprintln!("conformance: {why}");
            ExitCode::from(2)
        }
    }
}
