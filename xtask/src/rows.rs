//! The matrix: one table of rows, run in order, each to its end whatever happened before it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::jobs;
use crate::run::{Log, Step};

/// One row of the matrix.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The command as typed; empty where the row composes its own.
    command: &'static str,
    env: &'static [(&'static str, &'static str)],
    /// Part of the inner loop, `--quick`.
    quick: bool,
    /// Run only when it is named: it takes many minutes.
    long: bool,
    /// The time limit of each command of the row.
    minutes: u64,
    /// Why this machine cannot run the row, if it cannot.
    lacks: fn() -> Option<&'static str>,
    job: Job,
}

/// Does a row's work: the reason column of a pass, or of a failure.
type Job = fn(&Row, &mut Log) -> Result<String, String>;

/// The tests of the CUDA backend. Of the same packages as the row `test`, so that nothing is built anew.
pub(crate) const CUDA: &str = "cargo test --workspace --exclude rushlight-benches --test cuda_*";

const ROWS: &[Row] = &[
    Row { quick: true, ..Row::new("fmt", "cargo fmt --all --check", jobs::command) },
    Row {
        quick: true,
        ..Row::new("clippy", "cargo clippy --workspace --all-targets -- -D warnings", jobs::command)
    },
    Row { quick: true, ..Row::new("tidy", "", jobs::tidy) },
    // `--tests` alone is every unit and integration test. `--lib --bins` would add nothing, and
    // `--examples` would compile each example once more; clippy and the examples row build them already. The job runs
    // what this command builds, in two parts.
    // The same random cases every time: a failure belongs to the change at hand. Another seed, or none, looks further.
    Row {
        quick: true,
        minutes: 30,
        env: &[("PROPTEST_RNG_SEED", "1")],
        ..Row::new(
            "test",
            "cargo test --workspace --exclude rushlight-benches --tests --no-fail-fast",
            jobs::tests_and_cases,
        )
    },
    Row {
        minutes: 20,
        ..Row::new(
            "doc-tests",
            "cargo test --workspace --exclude rushlight-benches --doc --no-fail-fast",
            jobs::tests,
        )
    },
    // In the profile of the tests, whose crates are built already; a release build of them all would take minutes.
    Row::new("examples", "cargo build --workspace --exclude rushlight-benches --examples", jobs::examples),
    Row {
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        ..Row::new("docs", "cargo doc --workspace --no-deps", jobs::command)
    },
    Row::new("outside", "", jobs::outside),
    // The unsafe code of the CPU backend: blocks, the pool, and what the kernels are handed. The sanitizer ships
    // with every toolchain, but its flag is not stable yet; the bootstrap variable lets the flag through.
    Row {
        env: &[
            ("RUSTC_BOOTSTRAP", "1"),
            ("RUSTFLAGS", "-Zsanitizer=address --cfg rushlight_portable"),
            ("CARGO_TARGET_DIR", "target/xtask/asan-target"),
            // A block that is recycled instead of freed would hide a use after its end.
            ("RUSHLIGHT_CACHE_LIMIT", "0"),
        ],
        lacks: no_sanitizer,
        ..Row::new(
            "asan",
            "cargo test -p rushlight-array --features ndarray --target x86_64-unknown-linux-gnu --lib -- --skip cpu::math",
            jobs::tests,
        )
    },
    // The CUDA backend on the emulated GPU, twice more, and on a real one. `cargo test` above ran it in the plain order.
    Row { minutes: 10, ..Row::new("cuda-order", CUDA, jobs::orders) },
    Row { minutes: 10, lacks: jobs::no_sanitizer_of_cpp, ..Row::new("cuda-asan", CUDA, jobs::sanitized) },
    Row { lacks: jobs::no_gpu, ..Row::new("gpu", CUDA, jobs::on_a_gpu) },
    // What the tests of the CUDA backend are worth: kernels with a mistake each, all of which they must find.
    Row { long: true, minutes: 30, ..Row::new("mutants", "", jobs::mutants) },
    // The ignored tests: every vector function at each of the 2^32 floats.
    Row {
        long: true,
        minutes: 60,
        ..Row::new("long", "cargo test --release -p rushlight-array --lib -- --ignored", jobs::tests)
    },
    Row { minutes: 5, ..Row::new("deps", "cargo tree -e normal -p rushlight --prefix none", jobs::deps) },
];

/// AddressSanitizer is run where its runtime comes with the toolchain: that of rustup has it, a distribution's
/// may not.
fn no_sanitizer() -> Option<&'static str> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")) {
        return Some("AddressSanitizer is run on x86_64 Linux only");
    }
    let sysroot = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8(sysroot.stdout).ok()?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib/x86_64-unknown-linux-gnu/lib");
    let runtime = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with("_rt.asan.a");
    let found =
        std::fs::read_dir(libraries).is_ok_and(|mut entries| entries.any(|e| e.is_ok_and(|e| runtime(&e))));
    if found { None } else { Some("this toolchain has no AddressSanitizer runtime") }
}

impl Row {
    const fn new(name: &'static str, command: &'static str, job: Job) -> Row {
        Row { name, command, env: &[], quick: false, long: false, minutes: 15, lacks: || None, job }
    }

    /// A command under the row's time limit.
    pub(crate) fn step(&self, words: &str) -> Step {
        Step::new(words, Duration::from_secs(60 * self.minutes))
    }

    /// The row's own command.
    pub(crate) fn own_step(&self) -> Step {
        self.step_like_own(self.command)
    }

    /// A command in the environment of the row's own.
    pub(crate) fn step_like_own(&self, words: &str) -> Step {
        self.env.iter().fold(self.step(words), |step, (key, value)| step.env(key, value))
    }
}

/// Which rows are asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Selection {
    All,
    Quick,
    Only(Vec<String>),
}

impl Selection {
    /// Why this row is skipped, if it is.
    fn skips(&self, row: &Row) -> Option<&'static str> {
        match self {
            Selection::Quick if !row.quick => Some("--quick"),
            Selection::All if row.long => Some("takes many minutes; --only with its name runs it"),
            Selection::Only(names) if !names.iter().any(|name| name == row.name) => Some("--only"),
            _ => (row.lacks)(),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        }
    }
}

struct Outcome {
    name: &'static str,
    verdict: Verdict,
    seconds: f64,
    reason: String,
}

pub(crate) fn exists(name: &str) -> bool {
    ROWS.iter().any(|row| row.name == name)
}

pub(crate) fn names() -> String {
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    names.join(", ")
}

/// Runs the rows asked for and prints the table; true if none failed.
pub(crate) fn run(root: &Path, selection: &Selection) -> bool {
    let outcomes: Vec<Outcome> = ROWS.iter().map(|row| run_row(row, root, selection)).collect();
    print!("\n{}", table(&outcomes));
    outcomes.iter().all(|outcome| outcome.verdict != Verdict::Failed)
}

fn run_row(row: &Row, root: &Path, selection: &Selection) -> Outcome {
    if let Some(reason) = selection.skips(row) {
        return Outcome {
            name: row.name,
            verdict: Verdict::Skipped,
            seconds: 0.0,
            reason: reason.to_owned(),
        };
    }
    let start = Instant::now();
    let result = Log::create(root, row.name).and_then(|mut log| {
        let result = (row.job)(row, &mut log);
        if result.is_err() {
            println!("{}", log.excerpt());
        }
        result
    });
    let seconds = start.elapsed().as_secs_f64();
    let (verdict, reason) = match result {
        Ok(reason) => (Verdict::Passed, reason),
        Err(reason) => (Verdict::Failed, reason),
    };
    println!("{}: {} in {seconds:.1} s{}", row.name, verdict.word(), after(": ", &reason));
    // A pipe buffers whole blocks; a reader of the CI log wants each row when it ends.
    let _ = std::io::stdout().flush();
    Outcome { name: row.name, verdict, seconds, reason }
}

fn after(mark: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{mark}{text}") }
}

/// The closing table, and the plain line that sums it up.
fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!("{:<10} | {:<7} | {:>7} | reason\n", "row", "result", "seconds");
    text.push_str("-----------|---------|---------|-------\n");
    for Outcome { name, verdict, seconds, reason } in outcomes {
        let line = format!("{name:<10} | {:<7} | {seconds:>7.1} | {reason}", verdict.word());
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let count = |verdict| outcomes.iter().filter(|outcome| outcome.verdict == verdict).count();
    let [passed, failed, skipped] = [Verdict::Passed, Verdict::Failed, Verdict::Skipped].map(count);
    format!("{text}\n{passed} passed, {failed} failed, {skipped} skipped\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_runs_the_inner_loop_and_says_why_it_skips_the_rest() {
        let runs: Vec<&str> =
            ROWS.iter().filter(|row| Selection::Quick.skips(row).is_none()).map(|row| row.name).collect();
        assert_eq!(runs, ["fmt", "clippy", "tidy", "test"]);
        let docs = ROWS.iter().find(|row| row.name == "docs").expect("docs is a row");
        assert_eq!(Selection::Quick.skips(docs), Some("--quick"));
        let long = ROWS.iter().find(|row| row.name == "long").expect("long is a row");
        assert!(Selection::All.skips(long).is_some());
        assert_eq!(Selection::Only(vec!["long".to_owned()]).skips(long), None);
        assert_eq!(Selection::Only(vec!["fmt".to_owned()]).skips(docs), Some("--only"));
        assert_eq!(Selection::Only(vec!["docs".to_owned()]).skips(docs), None);
    }

    #[test]
    fn table_ends_with_the_plain_count() {
        let outcome =
            |name, verdict, reason: &str| Outcome { name, verdict, seconds: 1.25, reason: reason.to_owned() };
        let text = table(&[
            outcome("fmt", Verdict::Passed, ""),
            outcome("test", Verdict::Failed, "2 of 9 tests failed"),
            outcome("docs", Verdict::Skipped, "--quick"),
        ]);
        assert!(text.contains("test       | failed  |     1.2 | 2 of 9 tests failed\n"), "{text}");
        assert!(text.ends_with("\n\n1 passed, 1 failed, 1 skipped\n"), "{text}");
    }
}
