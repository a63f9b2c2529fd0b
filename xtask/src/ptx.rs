//! `cargo xtask ptx`: the kernels of GPUs, compiled to PTX by NVRTC, which this program opens when it runs.
//!
//! The PTX is committed, with a hash of what it was made of in its first line: building and using the library needs no
//! compiler of CUDA, and `tidy` sees with none at hand whether a source changed.

#[allow(unsafe_code, reason = "a C library that is opened at run time")]
mod nvrtc;

use nvrtc::Compiler;
use std::fs;
use std::path::{Path, PathBuf};

/// One file of kernels.
pub(crate) struct Source {
    pub(crate) name: String,
    /// The text with those of all files that it may include, in order.
    hash: u64,
    path: PathBuf,
}

impl Source {
    /// The oldest GPUs that it is made for. A file for newer ones than the oldest that rushlight knows says so in its name.
    fn architecture(&self) -> &'static str {
        if self.name.ends_with("_80") { "compute_80" } else { "compute_75" }
    }

    fn header(&self) -> String {
        format!("// {}.cu by `cargo xtask ptx`, from a source of hash {:016x}\n", self.name, self.hash)
    }

    /// Whether this PTX was made from the source as it is.
    pub(crate) fn made(&self, ptx: &str) -> bool {
        ptx.starts_with(&self.header())
    }
}

/// All files of kernels, by name.
pub(crate) fn sources(root: &Path) -> std::io::Result<Vec<Source>> {
    let folder = root.join("kernels");
    let mut common = Vec::new();
    for path in files(&folder.join("inc"))? {
        common.extend(fs::read(path)?);
    }
    let mut sources = Vec::new();
    for path in files(&folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".cu")) else {
            continue;
        };
        let mut text = common.clone();
        text.extend(fs::read(&path)?);
        sources.push(Source { name: name.to_owned(), hash: hash(&text), path });
    }
    Ok(sources)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// FNV-1a (G. Fowler, L. C. Noll, P. Vo): it finds changes, not enemies.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Compiles, or compares. Whether all went well.
pub(crate) fn run(root: &Path, check: bool) -> bool {
    match all(root, check) {
        Ok(findings) if findings.is_empty() => true,
        Ok(findings) => {
            findings.iter().for_each(|finding| eprintln!("{finding}"));
            false
        }
        Err(message) => {
            eprintln!("ptx: {message}");
            false
        }
    }
}

fn all(root: &Path, check: bool) -> Result<Vec<String>, String> {
    let told = |error: std::io::Error| format!("kernels: {error}");
    let compiler = Compiler::open()?;
    let folder = root.join("kernels/ptx");
    fs::create_dir_all(&folder).map_err(told)?;
    let sources = sources(root).map_err(told)?;
    let mut findings = Vec::new();
    for source in &sources {
        let path = folder.join(format!("{}.ptx", source.name));
        let old = fs::read_to_string(&path).unwrap_or_default();
        if !check && source.made(&old) {
            continue;
        }
        let text = fs::read_to_string(&source.path).map_err(told)?;
        let include = format!("--include-path={}", root.join("kernels/inc").display());
        let options = [
            &format!("-arch={}", source.architecture()),
            "-std=c++17",
            &include,
            "-DINFINITY=__int_as_float(0x7f800000)",
            "-DNAN=__int_as_float(0x7fffffff)",
        ];
        let made = compiler.compile(&text, &format!("{}.cu", source.name), &options);
        match made.map(|ptx| without_numbers_of_calls(&ptx)) {
            Ok(ptx) if check => {
                if old != source.header() + &ptx {
                    findings.push(format!("kernels/ptx/{}.ptx is not what its source makes", source.name));
                }
            }
            Ok(ptx) => {
                let new = path.with_extension("ptx.new");
                fs::write(&new, source.header() + &ptx).map_err(told)?;
                fs::rename(&new, &path).map_err(told)?;
                println!("kernels/ptx/{}.ptx: {} bytes", source.name, ptx.len());
            }
            Err(log) => findings.push(log),
        }
    }
    Ok(findings)
}

/// Without the comments that number calls: the compiler goes on counting from file to file.
fn without_numbers_of_calls(ptx: &str) -> String {
    ptx.lines()
        .map(|line| line.split("// callseq").next().unwrap_or_default().trim_end().to_owned() + "\n")
        .collect()
}

/// What `tidy` says of PTX that is older than its source, or has none: files and messages.
pub(crate) fn stale(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let sources = sources(root)?;
    let folder = root.join("kernels/ptx");
    let mut findings = Vec::new();
    for source in &sources {
        let made = fs::read_to_string(folder.join(format!("{}.ptx", source.name)))
            .is_ok_and(|ptx| source.made(&ptx));
        if !made {
            let message = "its PTX is missing or older; `cargo xtask ptx` makes it".to_owned();
            findings.push((format!("kernels/{}.cu", source.name), message));
        }
    }
    for path in files(&folder)? {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if !sources.iter().any(|source| source.name == name) {
            findings.push((format!("kernels/ptx/{name}.ptx"), "there is no source of this name".to_owned()));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_source_or_of_what_it_includes_is_seen() {
        let root = std::env::temp_dir().join(format!("rushlight-ptx-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join("kernels").join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        };
        let findings = || stale(&root).expect("the files are there");
        write("inc/a.h", "// a");
        write("one.cu", "// one");
        write("ptx/one.ptx", "");
        assert_eq!(findings().len(), 1);
        write("ptx/one.ptx", &(sources(&root).expect("the files are there")[0].header() + ".version 8.0"));
        assert_eq!(findings(), []);
        write("inc/a.h", "// b");
        assert_eq!(findings()[0].0, "kernels/one.cu");
        write("inc/a.h", "// a");
        write("ptx/two.ptx", "");
        assert_eq!(findings()[0].0, "kernels/ptx/two.ptx");
        fs::remove_dir_all(&root).expect("the folder can be removed");
    }
}
