//! `cargo xtask`: everything that is checked about this workspace, as one command.
//!
//! `rows` is the matrix as a table, `jobs` holds the rows that are more than one command, `run` starts
//! a command with a log and a time limit, `ptx` compiles the kernels of GPUs, `gpu_pack` gathers what is to run on one, `tidy` holds the checks that read files, `bench` measures, and
//! `conformance` runs PyTorch's own operator cases.

mod bench;
mod conformance;
mod gpu_pack;
mod jobs;
mod ptx;
mod rows;
mod run;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rows::Selection;

const HELP: &str = "\
cargo xtask test                   run every row of the matrix
cargo xtask test --quick           the inner loop: fmt, clippy, tidy, test
cargo xtask test --only ROW[,ROW]  these rows alone
cargo xtask tidy                   the checks that read files, alone
cargo xtask conformance [DIR] [OP..]  PyTorch's own cases: those of a folder, or those that are carried here
cargo xtask conformance FILE.json     PyTorch's optimizers, schedules and clipping: the trajectories of a file
cargo xtask ptx                    compile kernels/*.cu to kernels/ptx/*.ptx, those that changed
cargo xtask ptx --check            compile all of them and compare
cargo xtask gpu-pack               tests and timings of the CUDA backend in .gpu/, for a machine with a GPU: .gpu/run.sh
cargo xtask bench [NAME] [WORDS]   the benches whose name contains NAME; WORDS go to Criterion
cargo xtask bench --peers          how to measure beside other libraries
cargo xtask help                   this page

Each row writes its output to target/xtask/ROW.log. Exit status: 0 all passed, 1 a row failed, 2 wrong words.";

/// What the words after `cargo xtask` ask for.
#[derive(Debug, PartialEq)]
enum Request {
    Help,
    Tidy,
    Ptx { check: bool },
    GpuPack,
    Test(Selection),
    Bench(Vec<String>),
    Conformance(Vec<String>),
    Peers,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match request(&words) {
        Ok(Request::Help) => {
            println!("{HELP}\n\nRows: {}", rows::names());
            ExitCode::SUCCESS
        }
        Ok(Request::Ptx { check }) => status(ptx::run(&root(), check)),
        Ok(Request::GpuPack) => status(gpu_pack::run(&root())),
        Ok(Request::Tidy) => status(tidy::print(&root())),
        Ok(Request::Test(selection)) => status(rows::run(&root(), &selection)),
        Ok(Request::Bench(words)) => status(bench::run(&root(), &words)),
        Ok(Request::Conformance(words)) => status(conformance::run(&words)),
        Ok(Request::Peers) => {
            println!("{}", bench::PEERS);
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("xtask: {message}; `cargo xtask help` lists the commands");
            ExitCode::from(2)
        }
    }
}

fn request(words: &[&str]) -> Result<Request, String> {
    match words {
        [] | ["help" | "--help" | "-h", ..] => Ok(Request::Help),
        ["tidy"] => Ok(Request::Tidy),
        ["tidy", word, ..] => Err(format!("unknown word `{word}` after `tidy`, which takes none")),
        ["gpu-pack"] => Ok(Request::GpuPack),
        ["ptx"] => Ok(Request::Ptx { check: false }),
        ["ptx", "--check"] => Ok(Request::Ptx { check: true }),
        ["ptx", word, ..] => Err(format!("unknown word `{word}` after `ptx`; it would be `--check`")),
        ["test", flags @ ..] => Ok(Request::Test(selection(flags)?)),
        ["bench", "--peers"] => Ok(Request::Peers),
        ["bench", words @ ..] if words.contains(&"--peers") => {
            Err("`--peers` stands alone after `bench`".to_owned())
        }
        ["bench", words @ ..] => Ok(Request::Bench(words.iter().map(|&word| word.to_owned()).collect())),
        ["conformance", words @ ..] => {
            Ok(Request::Conformance(words.iter().map(|&word| word.to_owned()).collect()))
        }
        [word, ..] => Err(format!(
            "unknown command `{word}`; it would be `test`, `tidy`, `ptx`, `gpu-pack`, `conformance`, `bench` or `help`"
        )),
    }
}

fn selection(flags: &[&str]) -> Result<Selection, String> {
    match flags {
        [] => Ok(Selection::All),
        ["--quick"] => Ok(Selection::Quick),
        ["--only"] => Err(format!("`--only` needs rows, among {}", rows::names())),
        ["--only", list] => only(list),
        [flag] if flag.starts_with("--only=") => only(&flag["--only=".len()..]),
        _ if flags.contains(&"--quick") && flags.contains(&"--only") => {
            Err("`--quick` and `--only` exclude each other".to_owned())
        }
        [flag, ..] if *flag != "--quick" && *flag != "--only" => {
            Err(format!("unknown word `{flag}` after `test`; it would be `--quick` or `--only ROW[,ROW]`"))
        }
        _ => Err(format!("too many words after `test`: `{}`", flags.join(" "))),
    }
}

fn only(list: &str) -> Result<Selection, String> {
    let rows: Vec<String> = list.split(',').map(|row| row.trim().to_owned()).collect();
    match rows.iter().find(|row| !rows::exists(row)) {
        Some(unknown) => Err(format!("unknown row `{unknown}`; the rows are {}", rows::names())),
        None => Ok(Selection::Only(rows)),
    }
}

fn status(all_well: bool) -> ExitCode {
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the root of the workspace").to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_are_understood() {
        assert_eq!(request(&[]), Ok(Request::Help));
        assert_eq!(request(&["tidy"]), Ok(Request::Tidy));
        assert_eq!(request(&["test"]), Ok(Request::Test(Selection::All)));
        assert_eq!(request(&["test", "--quick"]), Ok(Request::Test(Selection::Quick)));
        assert_eq!(request(&["bench"]), Ok(Request::Bench(Vec::new())));
        let words = vec!["matmul".to_owned(), "--quick".to_owned()];
        assert_eq!(request(&["bench", "matmul", "--quick"]), Ok(Request::Bench(words)));
        assert_eq!(request(&["bench", "--peers"]), Ok(Request::Peers));
        assert_eq!(request(&["conformance", "add"]), Ok(Request::Conformance(vec!["add".to_owned()])));
        let two = Selection::Only(vec!["fmt".to_owned(), "doc-tests".to_owned()]);
        assert_eq!(request(&["test", "--only=fmt,doc-tests"]), Ok(Request::Test(two)));
    }

    #[test]
    fn wrong_words_are_named_in_the_error() {
        let error = |words: &[&str]| request(words).expect_err("these words are wrong");
        assert!(error(&["tset"]).contains("unknown command `tset`"));
        assert!(error(&["test", "--fast"]).contains("unknown word `--fast`"));
        assert!(error(&["test", "--only"]).contains("needs rows"));
        assert!(error(&["test", "--only", "fmt,tests"]).contains("unknown row `tests`"));
        assert!(error(&["test", "--quick", "--only", "fmt"]).contains("exclude each other"));
        assert!(error(&["bench", "matmul", "--peers"]).contains("stands alone"));
        assert!(error(&["tidy", "up"]).contains("unknown word `up`"));
    }
}
