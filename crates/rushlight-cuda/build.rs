//! Resolves `-lcuda` without a CUDA toolkit.
//!
//! `cust` asks the linker for `libcuda`, whose functions this crate defines itself (see `src/driver`): an archive of
//! that name with nothing in it is all that is missing.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder"));
    let archive = folder.join("libcuda.a");
    if let Err(error) = fs::write(&archive, "!<arch>\n") {
        panic!("{}: {error}", archive.display());
    }
    println!("cargo:rustc-link-search=native={}", folder.display());
}
