//! Compiles the kernels for the processor: each `.cu` file as C++ behind `kernels/host/shim.h`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, thread};

fn main() {
    println!("cargo:rerun-if-env-changed=RUSHLIGHT_EMULATOR_KERNELS");
    let home = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names a folder"));
    // Other kernels are those with mistakes, which tests must find.
    let kernels =
        env::var_os("RUSHLIGHT_EMULATOR_KERNELS").map_or_else(|| home.join("../../kernels"), PathBuf::from);
    let kernels = kernels.canonicalize().expect("there are kernels");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder"));
    for folder in ["", "inc", "host"] {
        println!("cargo:rerun-if-changed={}", kernels.join(folder).display());
    }
    println!("cargo:rerun-if-env-changed=RUSHLIGHT_EMULATOR_ASAN");
    let mut names: Vec<String> = fs::read_dir(&kernels)
        .expect("the kernels can be read")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".cu")?.to_owned()))
        .collect();
    names.sort();
    let common: String = ["inc", "host"].map(|folder| texts(&kernels.join(folder))).concat();
    let mut files = vec![("fibers".to_owned(), common.clone(), kernels.join("host/fibers.cpp"))];
    for name in names {
        // Files may use the same names for different things, as they do on a GPU, where each is a program of its own.
        let text = format!(
            "#define RL_FILE \"{name}\"\n#include \"shim.h\"\n#include \"rushlight.h\"\nnamespace file_{name} \
             {{\n#include \"{name}.cu\"\n}}\n"
        );
        let path = out.join(format!("{name}.cpp"));
        fs::write(&path, text).expect("the output folder can be written");
        let source = fs::read_to_string(kernels.join(format!("{name}.cu"))).expect("kernels are text");
        files.push((name, common.clone() + &source, path));
    }
    // As many compilers at once as the machine has processors.
    let (files, next) = (&files, &AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((name, text, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    compile(&kernels, &out, name, text, path);
                }
            });
        }
    });
    if sanitized() {
        println!("cargo:rustc-link-arg=-fsanitize=address");
    }
}

fn sanitized() -> bool {
    env::var_os("RUSHLIGHT_EMULATOR_ASAN").is_some()
}

/// All files of a folder, one behind the other.
fn texts(folder: &Path) -> String {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder can be read")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).expect("sources are text")).collect()
}

/// Makes an archive of one file, if it is not there already, made of the same text.
fn compile(kernels: &Path, out: &Path, name: &str, text: &str, path: &Path) {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(1).debug(false).warnings(false).file(path);
    // For quoted names alone: `inc` has a <stdint.h> for a compiler that has none.
    for folder in ["inc", "host", ""] {
        build.flag("-iquote").flag(kernels.join(folder).to_str().expect("a path in Unicode"));
    }
    build.flag("-fno-strict-aliasing").flag_if_supported("-ffp-contract=off");
    if sanitized() {
        build.flag("-fsanitize=address").flag("-g1");
    }
    let library = format!("rl_{name}");
    let (archive, made) = (out.join(format!("lib{library}.a")), out.join(format!("{name}.made")));
    let text = format!("sanitized: {}\n{text}", sanitized());
    if !archive.exists() || fs::read_to_string(&made).ok().as_deref() != Some(&text) {
        // The archive alone; what it is linked as is said below, whether it was made now or before.
        build.cargo_metadata(false).compile(&library);
        fs::write(&made, &text).expect("the output folder can be written");
    }
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static:+whole-archive={library}");
    println!("cargo:rustc-link-lib=dylib=stdc++");
}
