//! The examples row: every example builds, runs in its quick form, and knows `--help`.

use std::path::Path;

use crate::rows::Row;
use crate::run::{Log, Step};

/// Words for the runs of an example, one entry a run.
///
/// One that is not named here runs once, with `--quick`.
const RUNS: &[(&str, &[&str])] = &[
    ("tensors", &[""]),
    ("autograd", &[""]),
    ("toy_classifier", &["", "--keep-last"]),
    ("digits", &["--quick", "--quick --trainer"]),
    // Their data are not in the repository.
    ("mnist_mlp", &[]),
    ("mnist_cnn", &[]),
    ("workloads", &["--quick --only W1,W4,W5,W6,W8"]),
];

/// Builds all examples, then runs each.
pub(crate) fn examples(row: &Row, log: &mut Log) -> Result<String, String> {
    let names = names(&log.root().join("examples"))?;
    if let Some((missing, _)) = RUNS.iter().find(|(name, _)| !names.iter().any(|known| known == name)) {
        return Err(format!("examples/{missing}.rs does not exist, but xtask has its runs"));
    }
    log.run(&row.own_step())?.success()?;
    let programs = log.directory().with_file_name("debug").join("examples");
    let runs: Vec<String> = names.iter().flat_map(|name| runs(name)).collect();
    let mut failures = Vec::new();
    for run in &runs {
        // Told at once, because the log and the screen go on with the next run.
        if let Err(reason) = run_one(&command(row, &programs, run), log) {
            log.write(&format!("xtask: {run}: {reason}\n"));
            println!("    {run}: {reason}");
            failures.push(format!("{run}: {reason}"));
        }
    }
    match &failures[..] {
        [] => Ok(format!("{} examples, {} runs", names.len(), runs.len())),
        [one] => Err(one.clone()),
        [first, ..] => Err(format!("{} of {} runs failed, first {first}", failures.len(), runs.len())),
    }
}

/// The examples in `folder`, in alphabetical order.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.strip_suffix(".rs")?.to_owned())).collect();
    names.sort();
    Ok(names)
}

/// All runs of one example: `name words`.
fn runs(name: &str) -> Vec<String> {
    let words = RUNS.iter().find(|(known, _)| *known == name).map_or(&["--quick"][..], |(_, words)| words);
    words.iter().chain(&["--help"]).map(|words| format!("{name} {words}").trim().to_owned()).collect()
}

/// The program itself: `cargo run` takes one package, whose features are not those of all that were built together, and
/// would compile every crate once more.
fn command(row: &Row, programs: &Path, run: &str) -> Step {
    let mut words = run.split_whitespace();
    let program = programs.join(words.next().unwrap_or_default());
    words.fold(row.step("").arg(&program.display().to_string()), |step, word| step.arg(word))
}

fn run_one(step: &Step, log: &mut Log) -> Result<(), String> {
    let printed = log.run(step)?.success()?;
    if printed.trim().is_empty() { Err("printed nothing".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_runs_as_the_table_says_and_once_with_help() {
        assert_eq!(
            runs("toy_classifier"),
            ["toy_classifier", "toy_classifier --keep-last", "toy_classifier --help"]
        );
        assert_eq!(runs("new_one"), ["new_one --quick", "new_one --help"]);
    }
}
