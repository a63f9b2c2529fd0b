//! The row of mutants: kernels with one mistake each, which the tests of the CUDA backend must find.

use std::fs;
use std::path::Path;

use crate::rows::Row;
use crate::run::Log;

/// One mistake: in this file of `kernels/`, the first of these texts becomes the second.
struct Mutant {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// The test that finds it, and the order in which threads take turns there.
    test: &'static str,
    order: &'static str,
}

const MUTANTS: &[Mutant] = &[];

/// Builds each mutant's emulated GPU and runs its test, which must fail.
pub(crate) fn mutants(row: &Row, log: &mut Log) -> Result<String, String> {
    let mut alive = Vec::new();
    for mutant in MUTANTS {
        if survives(mutant, row, log)? {
            alive.push(mutant.what);
        }
    }
    match alive[..] {
        [] => Ok(format!("{} of {} mutants found", MUTANTS.len(), MUTANTS.len())),
        _ => Err(format!("not found: {}", alive.join("; "))),
    }
}

fn survives(mutant: &Mutant, row: &Row, log: &mut Log) -> Result<bool, String> {
    log.announce(&format!("mutant: {}", mutant.what));
    let home = log.root().join("target/xtask/mutant");
    let kernels = home.join("kernels");
    let told = |error: std::io::Error| format!("{}: {error}", kernels.display());
    copy(&log.root().join("kernels"), &kernels).map_err(told)?;
    let path = kernels.join(mutant.file);
    let text = fs::read_to_string(&path).map_err(told)?;
    let changed = text.replacen(mutant.from, mutant.to, 1);
    if changed == text {
        return Err(format!("{}: kernels/{} has nothing to change", mutant.what, mutant.file));
    }
    fs::write(&path, changed).map_err(told)?;
    let build = row
        .step("cargo build --quiet --package rushlight-emulator")
        .env("RUSHLIGHT_EMULATOR_KERNELS", &kernels.display().to_string())
        .env("CARGO_TARGET_DIR", &home.join("target").display().to_string());
    log.run(&build)?.success()?;
    let driver = home.join("target/debug/librushlight_emulator.so");
    let step = row
        .step(&format!("cargo test --quiet --workspace --exclude rushlight-benches --test {}", mutant.test))
        .env("RUSHLIGHT_LIBCUDA", &driver.display().to_string())
        .env("RUSHLIGHT_EMULATED_ORDER", mutant.order)
        .env("PROPTEST_RNG_SEED", "1");
    let output = log.run(&step)?;
    // A test that did not run finds nothing.
    if !output.stdout.contains("test result:") && !output.stdout.contains("running") {
        return Err(format!("{}: {} did not run", mutant.what, mutant.test));
    }
    Ok(output.failure.is_none())
}

/// A folder with what is in it, anew.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let there = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy(&path, &there)? } else { fs::copy(&path, &there).map(drop)? }
    }
    Ok(())
}
