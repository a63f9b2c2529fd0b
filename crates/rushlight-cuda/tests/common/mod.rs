//! The device of the tests: an emulated one, or with `RUSHLIGHT_REQUIRE_GPU=1` a real one.

#![allow(dead_code, reason = "each test file takes what it needs")]

pub(crate) mod cases;
pub(crate) mod operands;

use proptest::prelude::ProptestConfig;
use rushlight_array::Device;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// Whether `RUSHLIGHT_FEWER_CASES` is 1, as where everything is slow.
fn fewer() -> bool {
    std::env::var_os("RUSHLIGHT_FEWER_CASES").is_some_and(|value| value == "1")
}

/// So many random cases, or a quarter of them.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let cases = if fewer() { cases.div_ceil(4) } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// All cases of a list, or every second.
pub(crate) fn some<T>(cases: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    cases.into_iter().step_by(if fewer() { 2 } else { 1 })
}

/// Whether the tests must run on a real GPU.
pub(crate) fn real() -> bool {
    std::env::var_os("RUSHLIGHT_REQUIRE_GPU").is_some_and(|value| value == "1")
}

/// The emulated driver, built if need be: `cargo test -p` builds no library that nothing links.
pub(crate) fn emulator() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let target = here.parent().unwrap().parent().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "rushlight-emulator", "--manifest-path"]);
    build.arg(root.join("Cargo.toml"));
    build.args(target.ends_with("release").then_some("--release"));
    assert!(build.status().unwrap().success(), "the emulated driver does not build");
    target.join("librushlight_emulator.so")
}

/// The library that is the driver here.
pub(crate) fn driver() -> PathBuf {
    std::env::var_os("RUSHLIGHT_LIBCUDA").map_or_else(emulator, PathBuf::from)
}

/// Sees to it that there is a device, once for the program.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !real() && std::env::var_os("RUSHLIGHT_LIBCUDA").is_none() {
            assert!(rushlight_cuda::use_driver(emulator()), "a driver was loaded before");
        }
    });
}

/// A device of this number.
pub(crate) fn device(ordinal: usize) -> Device {
    prepare();
    rushlight_cuda::device(ordinal).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn cuda() -> Device {
    device(0)
}
