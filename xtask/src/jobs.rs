//! What a row does beyond starting its command.

mod cuda;
mod examples;
mod mutants;
mod outside;

use std::collections::BTreeSet;

use crate::rows::{CUDA, Row};
use crate::run::{Log, Output};

pub(crate) use cuda::{no_gpu, no_sanitizer_of_cpp, on_a_gpu, orders, sanitized};
pub(crate) use examples::examples;
pub(crate) use mutants::mutants;
pub(crate) use outside::outside;

/// The facade's budget of crates in its normal dependency tree, its own included.
const MOST_CRATES: usize = 60;

/// The row's own command must exit with 0.
pub(crate) fn command(row: &Row, log: &mut Log) -> Result<String, String> {
    log.run(&row.own_step())?.success().map(|_| String::new())
}

/// The checks of `cargo xtask tidy`.
pub(crate) fn tidy(_: &Row, log: &mut Log) -> Result<String, String> {
    log.announce("cargo xtask tidy (in process)");
    let findings = crate::tidy::findings(log.root())?;
    findings.iter().for_each(|finding| log.write(&format!("{finding}\n")));
    match findings.len() {
        0 => Ok(format!("{} checks", crate::tidy::CHECKS.len())),
        1 => Err("1 finding".to_owned()),
        count => Err(format!("{count} findings")),
    }
}

/// `cargo test`: passes if at least one test ran and none failed.
pub(crate) fn tests(row: &Row, log: &mut Log) -> Result<String, String> {
    judge(&log.run(&row.own_step())?)
}

fn judge(output: &Output) -> Result<String, String> {
    let Counts { passed, failed, ignored } = Counts::of(&output.stdout);
    let ran = passed + failed;
    match &output.failure {
        Some(_) if failed > 0 => Err(format!("{failed} of {ran} tests failed")),
        Some(status) => Err(format!("{status}, but no test failed: a build error or a crash")),
        None if ran == 0 => Err("no test ran".to_owned()),
        None if ignored > 0 => Ok(format!("{passed} tests, {ignored} ignored")),
        None if passed == 1 => Ok("1 test".to_owned()),
        None => Ok(format!("{passed} tests")),
    }
}

/// The other programs than those of [`CUDA`].
const OTHERS: &str =
    "cargo test --workspace --exclude rushlight-benches --lib --bins --test [!c]* --test c[!u]*";

/// As [`tests`], those of the CUDA backend beside the others: most of either have work for one processor. With the last line
/// of the conformance runner, which is one of them.
pub(crate) fn tests_and_cases(row: &Row, log: &mut Log) -> Result<String, String> {
    // Built before, so that neither waits for the other's lock.
    log.run(&row.own_step().arg("--no-run"))?.success()?;
    let mut cuda = Log::create(log.root(), "test-cuda")?;
    let (others, cuda_tests) = std::thread::scope(|scope| {
        let cuda_tests = scope.spawn(|| cuda.run(&row.step_like_own(CUDA).arg("--no-fail-fast")));
        let others = log.run(&row.step_like_own(OTHERS).arg("--no-fail-fast"));
        (others, cuda_tests.join().expect("a thread that does not panic"))
    });
    let (others, cuda_tests) = (others?, cuda_tests?);
    log.write(&cuda_tests.stdout);
    let cases = others.stdout.lines().rfind(|line| line.starts_with("P0 ") && line.contains(", P1 "));
    let cases = cases.map(str::to_owned);
    judge(&cuda_tests).map_err(|why| format!("CUDA (test-cuda.log): {why}"))?;
    let both = Output { stdout: others.stdout + &cuda_tests.stdout, failure: others.failure };
    match (judge(&both)?, cases) {
        (counts, Some(cases)) => Ok(format!("{counts}; {cases}")),
        (counts, None) => Err(format!("{counts}, but no line of PyTorch's cases")),
    }
}

/// The sums of the harness's `test result:` lines.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Counts {
    fn of(stdout: &str) -> Counts {
        let mut counts = Counts::default();
        for line in stdout.lines().filter(|line| line.starts_with("test result:")) {
            let count = |what: &str| -> usize {
                let before = line.split(what).next().unwrap_or_default();
                before.split_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or(0)
            };
            counts.passed += count(" passed;");
            counts.failed += count(" failed;");
            counts.ignored += count(" ignored;");
        }
        counts
    }
}

/// The facade's dependency tree stays within its budget.
pub(crate) fn deps(row: &Row, log: &mut Log) -> Result<String, String> {
    within_budget(crates(&log.run(&row.own_step())?.success()?))
}

fn within_budget(count: usize) -> Result<String, String> {
    match count {
        0 => Err("cargo tree printed no crate".to_owned()),
        1..=MOST_CRATES => Ok(format!("{count} crates, at most {MOST_CRATES}")),
        _ => Err(format!("{count} crates, more than {MOST_CRATES}")),
    }
}

/// Distinct name and version pairs in the output of `cargo tree --prefix none`.
fn crates(tree: &str) -> usize {
    // A line is `name vX.Y.Z`, then perhaps `(proc-macro)`, a path, or the `(*)` of a repetition.
    let name = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    tree.lines().filter(|line| !line.trim().is_empty()).map(name).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_sum_over_test_binaries() {
        let stdout = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                      noise 5 passed;\n\
                      test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(Counts::of(stdout), Counts { passed: 15, failed: 2, ignored: 1 });
        assert_eq!(Counts::of("error: could not compile"), Counts::default());
    }

    #[test]
    fn no_program_of_tests_is_left_out() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders = ["crates", "tests"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
        let packages = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
        let programs = packages
            .chain([root.clone()])
            .filter_map(|package| std::fs::read_dir(package.join("tests")).ok());
        let names = programs.flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.collect();
        assert!(
            names.iter().any(|name| name.starts_with("cuda_")) && names.iter().any(|name| name == "bits.rs")
        );
        // What neither pattern takes.
        let lost: Vec<_> = names
            .iter()
            .filter(|name| *name == "c.rs" || name.starts_with("cu") && !name.starts_with("cuda_"))
            .collect();
        assert!(lost.is_empty(), "{lost:?}: name them otherwise, or change the command");
    }

    #[test]
    fn a_crate_counts_once_for_each_version() {
        let tree =
            "rushlight v0.1.0 (/x)\nhalf v2.7.1\nhalf v2.7.1 (*)\nhalf v1.0.0\nserde v1.0.0 (proc-macro)\n\n";
        assert_eq!(crates(tree), 4);
    }

    #[test]
    fn one_crate_above_the_budget_fails() {
        assert_eq!(within_budget(60), Ok("60 crates, at most 60".to_owned()));
        assert_eq!(within_budget(61), Err("61 crates, more than 60".to_owned()));
        assert!(within_budget(0).is_err());
    }
}
