//! `cargo xtask gpu-pack`: the tests and timings of the CUDA backend as programs for a machine that has a GPU but neither
//! Rust nor the sources. `.gpu/run.sh` unpacks `.gpu/pack.tar.xz` beside itself and runs them there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROFILE: &str = "gpu-test";
/// Files that go along as they are.
const SCRIPTS: [&str; 2] = ["torch.py", "table.py"];

const RUN: &str = r#"#!/bin/sh
# Every test of the CUDA backend on this machine's GPU, then the timings, beside PyTorch's where python3 has it.
# RESULTS (a folder) gets the logs. Words: tests, sanitize, times; without any, tests and times.
cd "$(dirname "$0")" || exit 2
results=${RESULTS:-$PWD/results}
mkdir -p "$results" unpacked
tar -xJf pack.tar.xz -C unpacked || python3 -m tarfile -e pack.tar.xz unpacked || exit 2
cd unpacked || exit 2
export RUSHLIGHT_REQUIRE_GPU=1
words=${*:-tests times}
failed=0
for word in $words; do
    case $word in
    tests)
        for program in tests/*; do
            name=$(basename "$program")
            start=$(date +%s)
            if RUSHLIGHT_CUBLAS_FROM=2097152 "$program" >"$results/$name.log" 2>&1; then verdict=passed; else verdict=FAILED; failed=1; fi
            echo "$name: $verdict in $(($(date +%s) - start)) s: $(grep '^test result' "$results/$name.log" | tail -n 1)"
            [ $verdict = passed ] || grep -E 'panicked|FAILED|error' -A 4 "$results/$name.log" | head -n 40
        done
        ;;
    sanitize)
        for tool in memcheck racecheck; do
            for program in tests/*; do
                name=$(basename "$program")
                timeout 120 compute-sanitizer --tool $tool --error-exitcode 9 --target-processes all "$program" \
                    --test-threads 1 >"$results/$name.$tool.log" 2>&1
                echo "$tool $name: exit $? $(grep 'ERROR SUMMARY\|RACECHECK SUMMARY' "$results/$name.$tool.log" | tail -n 1)"
            done
        done
        ;;
    times)
        ./gpu >"$results/rushlight.json" || failed=1
        python3 torch.py >"$results/torch.json"
        ./gpu >>"$results/rushlight.json" || failed=1
        python3 table.py "$results/rushlight.json" "$results/torch.json" | tee "$results/table.md"
        ;;
    *) echo "unknown word $word" && exit 2 ;;
    esac
done
exit $failed
"#;

pub(crate) fn run(root: &Path) -> bool {
    match pack(root) {
        Ok(names) => {
            println!(".gpu/pack.tar.xz: {}; run .gpu/run.sh on the machine with the GPU", names.join(", "));
            true
        }
        Err(message) => {
            eprintln!("gpu-pack: {message}");
            false
        }
    }
}

fn pack(root: &Path) -> Result<Vec<String>, String> {
    let told = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| format!("{path}: {error}")
    };
    let (home, folder) = (root.join(".gpu"), root.join("target/gpu-pack"));
    for folder in [&home, &folder] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(told(folder))?;
        }
        fs::create_dir_all(folder).map_err(told(folder))?;
    }
    let tests = folder.join("tests");
    fs::create_dir_all(&tests).map_err(told(&tests))?;
    let mut names = Vec::new();
    for (path, name) in programs(root, &["test", "--no-run", "--tests"])? {
        fs::copy(&path, tests.join(&name)).map_err(told(&path))?;
        names.push(name);
    }
    for (path, name) in programs(root, &["build", "--bench", "gpu"])? {
        fs::copy(&path, folder.join(&name)).map_err(told(&path))?;
        names.push(name);
    }
    for script in SCRIPTS {
        let path = root.join("crates/rushlight-cuda/benches/gpu").join(script);
        fs::copy(&path, folder.join(script)).map_err(told(&path))?;
    }
    let script = home.join("run.sh");
    fs::write(&script, RUN).map_err(told(&script))?;
    archive(&folder, &home.join("pack.tar.xz"))?;
    Ok(names)
}

/// The folder's files as one archive. Programs share most of their bytes, which xz finds again within 64 MiB; `tar` and `xz`
/// are the system's.
fn archive(folder: &Path, to: &Path) -> Result<(), String> {
    let mut tar = Command::new("tar");
    tar.arg("-cJf").arg(to).arg("-C").arg(folder).arg(".").env("XZ_OPT", "-6 --lzma2=dict=64MiB");
    match tar.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("tar -cJf {}: {status}", to.display())),
        Err(error) => Err(format!("tar: {error}")),
    }
}

/// What cargo builds of the crate with these words: paths, and names without hashes.
fn programs(root: &Path, words: &[&str]) -> Result<Vec<(PathBuf, String)>, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(words).args(["--profile", PROFILE, "-p", "rushlight-cuda", "--message-format", "json"]);
    let output =
        cargo.current_dir(root).stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", words.join(" "), output.status));
    }
    let programs: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().filter_map(program).collect();
    if programs.is_empty() {
        Err(format!("cargo {} built no program", words.join(" ")))
    } else {
        Ok(programs)
    }
}

/// The program of a line of cargo's messages, if it tells of one.
fn program(line: &str) -> Option<(PathBuf, String)> {
    let path = line.split_once("\"executable\":\"")?.1.split_once('"')?.0;
    let name = Path::new(path).file_name()?.to_str()?;
    let plain = name.rsplit_once('-').map_or(name, |(name, _)| name);
    Some((PathBuf::from(path), plain.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let line = r#"{"reason":"compiler-artifact","executable":"/x/deps/cuda_ops-0123abcd","fresh":true}"#;
        assert_eq!(program(line), Some((PathBuf::from("/x/deps/cuda_ops-0123abcd"), "cuda_ops".to_owned())));
        assert_eq!(program(r#"{"reason":"compiler-artifact","executable":null}"#), None);
    }
}
