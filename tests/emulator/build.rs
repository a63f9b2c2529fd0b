//! Compiles the kernels for the processor: each `.cu` file as C++ behind `kernels/host/shim.h`.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let kernels = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo names a folder")).join("../../kernels");
    let kernels = kernels.canonicalize().expect("the kernels lie in the root of the workspace");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder"));
    for folder in ["", "inc", "host"] {
        println!("cargo:rerun-if-changed={}", kernels.join(folder).display());
    }
    println!("cargo:rerun-if-env-changed=RUSHLIGHT_EMULATOR_ASAN");

    let mut build = cc::Build::new();
    build
        .cpp(true)
        .std("c++17")
        .opt_level(1)
        .warnings(false)
        // For quoted names alone: `inc` has a <stdint.h> for a compiler that has none.
        .flag("-iquote")
        .flag(kernels.join("inc").to_str().expect("a path in Unicode"))
        .flag("-iquote")
        .flag(kernels.join("host").to_str().expect("a path in Unicode"))
        .flag("-iquote")
        .flag(kernels.to_str().expect("a path in Unicode"))
        .flag("-fno-strict-aliasing")
        .flag_if_supported("-ffp-contract=off");
    if env::var_os("RUSHLIGHT_EMULATOR_ASAN").is_some() {
        build.flag("-fsanitize=address").flag("-g1");
        println!("cargo:rustc-link-arg=-fsanitize=address");
    }
    build.file(kernels.join("host/fibers.cpp"));

    let mut names: Vec<String> = fs::read_dir(&kernels)
        .expect("the kernels can be read")
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".cu")?.to_owned()))
        .collect();
    names.sort();
    for name in &names {
        // Files may use the same names for different things, as they do on a GPU, where each is a program of its own.
        let text = format!(
            "#include \"shim.h\"\n#include \"rushlight.h\"\nnamespace file_{name} {{\n#include \"{name}.cu\"\n}}\n"
        );
        let path = out.join(format!("{name}.cpp"));
        if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            fs::write(&path, text).expect("the output folder can be written");
        }
        build.file(path);
    }
    build.link_lib_modifier("+whole-archive").compile("rushlight_kernels");
}
