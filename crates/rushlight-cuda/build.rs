//! Resolves `-lcuda` without a CUDA toolkit, and packs the PTX of the kernels.
//!
//! `cust` asks the linker for `libcuda`, whose functions this crate defines itself (see `src/driver`): an archive of
//! that name with nothing in it is all that is missing.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder"));
    write(&out.join("libcuda.a"), b"!<arch>\n");
    println!("cargo:rustc-link-search=native={}", out.display());
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names a folder"));
    pack(&home.join("../../kernels/ptx"), &out);
}

/// Packs each file of PTX, which is text that repeats itself: a sixth is left. `files.rs` lists them.
fn pack(folder: &Path, out: &Path) {
    println!("cargo:rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ptx"));
    paths.sort();
    let mut list = String::from("&[\n");
    for path in paths {
        println!("cargo:rerun-if-changed={}", path.display());
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in ASCII");
        let mut text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.push(0);
        let packed = out.join(format!("{stem}.z"));
        write(&packed, &miniz_oxide::deflate::compress_to_vec(&text, 8));
        writeln!(list, "Ptx {{ file: {stem:?}, size: {}, packed: include_bytes!({packed:?}) }},", text.len())
            .expect("a text takes all");
    }
    write(&out.join("files.rs"), (list + "]").as_bytes());
}

fn write(path: &Path, bytes: &[u8]) {
    if let Err(error) = fs::write(path, bytes) {
        panic!("{}: {error}", path.display());
    }
}
