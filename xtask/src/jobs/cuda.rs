//! The rows of the CUDA backend: its tests in other orders of threads, under AddressSanitizer, and on a real GPU.

use std::path::Path;
use std::process::Command;

use crate::rows::{CUDA, Row};
use crate::run::Log;

use super::judge;

/// The library that AddressSanitizer brings for C++.
const RUNTIME: &str = "libasan.so";

/// The tests, with the emulated threads of a block taking turns backwards, and shuffled: a barrier that is missing shows.
/// Both at once, as few of the tests have work for two processors.
pub(crate) fn orders(row: &Row, log: &mut Log) -> Result<String, String> {
    let step = |order: &str| {
        let step = row.own_step().env("RUSHLIGHT_EMULATED_ORDER", order).env("RUSHLIGHT_FEWER_CASES", "1");
        // Other random cases than those of the row before.
        step.env("PROPTEST_RNG_SEED", order)
    };
    // Built before, so that neither waits for the other's lock.
    log.run(&row.step(CUDA).arg("--no-run"))?.success()?;
    let mut other = Log::create(log.root(), "cuda-order-shuffled")?;
    let (backwards, shuffled) = std::thread::scope(|scope| {
        let shuffled = scope.spawn(|| other.run(&step("7")));
        (log.run(&step("1")), shuffled.join().expect("a thread that does not panic"))
    });
    let (backwards, shuffled) = (backwards?, shuffled?);
    if shuffled.failure.is_some() {
        log.write(&shuffled.stdout);
    }
    let said = [("backwards", backwards), ("shuffled", shuffled)].map(|(name, output)| {
        judge(&output).map(|said| format!("{name}: {said}")).map_err(|why| format!("{name}: {why}"))
    });
    let [backwards, shuffled] = said;
    Ok(format!("{}; {}", backwards?, shuffled?))
}

/// The tests, with kernels that AddressSanitizer watches: it finds who reads or writes beside a block.
pub(crate) fn sanitized(row: &Row, log: &mut Log) -> Result<String, String> {
    let target = log.root().join("target/xtask/emulator-asan");
    let build = row
        .step("cargo build --quiet --package rushlight-emulator")
        .env("RUSHLIGHT_EMULATOR_ASAN", "1")
        .env("CARGO_TARGET_DIR", &target.display().to_string());
    log.run(&build)?.success()?;
    let driver = target.join("debug/librushlight_emulator.so");
    let runtime = runtime().ok_or("the C++ compiler has no AddressSanitizer")?;
    let step = row
        .own_step()
        .env("RUSHLIGHT_LIBCUDA", &driver.display().to_string())
        // Only for the tests themselves, not for cargo and the compiler.
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", &format!("env LD_PRELOAD={runtime}"))
        .env("RUSHLIGHT_FEWER_CASES", "1")
        .env("PROPTEST_RNG_SEED", "2")
        .env("ASAN_OPTIONS", "detect_leaks=0");
    judge(&log.run(&step)?)
}

/// Where the compiler keeps the sanitizer's library.
fn runtime() -> Option<String> {
    let said = Command::new("c++").arg(format!("-print-file-name={RUNTIME}")).output().ok()?;
    let path = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    // The compiler answers with the bare name where it has none.
    Path::new(&path).is_absolute().then_some(path)
}

/// Why the row [`sanitized`] cannot run here, if it cannot.
pub(crate) fn no_sanitizer_of_cpp() -> Option<&'static str> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")) {
        return Some("AddressSanitizer is run on x86_64 Linux only");
    }
    if runtime().is_none() { Some("the C++ compiler has no AddressSanitizer") } else { None }
}

/// The tests on the GPU of this machine: a missing driver is a failure there.
pub(crate) fn on_a_gpu(row: &Row, log: &mut Log) -> Result<String, String> {
    judge(&log.run(&row.own_step().env("RUSHLIGHT_REQUIRE_GPU", "1"))?)
}

/// Why the row [`on_a_gpu`] cannot run here, if it cannot.
#[allow(unsafe_code, reason = "a C library that is opened at run time")]
pub(crate) fn no_gpu() -> Option<&'static str> {
    // SAFETY: NVIDIA's driver is made to be loaded by any program.
    match unsafe { libloading::Library::new("libcuda.so.1") } {
        Ok(_) => None,
        Err(_) => Some("no NVIDIA driver (libcuda.so.1) on this machine"),
    }
}
