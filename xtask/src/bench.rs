//! `cargo xtask bench`: the benches of the crates, and how to measure beside other libraries.

use std::path::Path;
use std::process::Command;

const PACKAGE: &str = "rushlight-benches";

pub(crate) const PEERS: &str = r#"Beside other libraries

`examples/workloads.rs` does whole workloads through the public interface and prints one JSON line for each
figure, in the form that a program of any other library can print as well:

    {"peer":"rushlight-t1","workload":"W5","metric":"gflops_sq512","value":147.2}

`peer` is the library and its number of threads, `workload` and `metric` name the figure, and `value` is a
rate, of which more is better, or a loss or accuracy, which says whether both did the same work.

1. Build once, and run the file that was built; `cargo run` would take processor time for itself.

       cargo build --release --example workloads
       target/release/examples/workloads --only W5,W6 --threads 1 --peer rushlight

   The other program does the same work: equal shapes, dtypes, batch sizes and numbers of steps, what is
   allocated inside of the timing and what is not, and how repetitions are chosen: each figure of W5 and W6 is
   the best of five runs that are each long enough for the clock. Set the number of threads of both, before
   their pools start (OMP_NUM_THREADS, RAYON_NUM_THREADS, ...).

2. Interleave. A machine's speed drifts by a third within the hour, with its temperature and its neighbours.
   So do not run one program five times and then the other: run a, b, a, b, ... and append all lines to one
   file. Let nothing else run meanwhile; repeat a run that something disturbed.

       for i in 1 2 3 4 5; do
           target/release/examples/workloads --only W5 --threads 1 >> lines.jsonl
           ./the-other-program                                     >> lines.jsonl
       done

3. Compare ratios. Of each metric take the median of each peer's values, and divide. Quote the ratio with the
   range of the values; an absolute figure belongs to one machine at one hour. A ratio of two medians whose
   ranges overlap is no difference. To compare two versions of rushlight, build both and give each a name:
   `--peer before`, `--peer after`."#;

/// Runs the benches; `words` go to Criterion: a part of a bench's name, and its options.
pub(crate) fn run(root: &Path, words: &[String]) -> bool {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    match Command::new(program).args(arguments(words)).current_dir(root).status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("bench: cannot run cargo: {error}");
            false
        }
    }
}

fn arguments(words: &[String]) -> Vec<String> {
    let command = ["bench", "-p", PACKAGE, "--benches", "--"].map(str::to_owned);
    command.into_iter().chain(words.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_to_the_benches_alone() {
        let words = ["matmul".to_owned(), "--save-baseline=before".to_owned()];
        assert_eq!(
            arguments(&words).join(" "),
            "bench -p rushlight-benches --benches -- matmul --save-baseline=before"
        );
    }
}
