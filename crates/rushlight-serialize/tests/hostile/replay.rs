//! The inputs that the fuzz targets began with and what they found: `tests/fuzz/corpus`.

use super::seal::pth_of;
use super::{PARSERS, parser};
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus")
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_corpus_of_every_target_is_replayed() {
    for (target, parsers) in [
        ("npy", &["npy", "npz"][..]),
        ("safetensors", &["safetensors"]),
        ("pth", &["pth"]),
        ("checkpoint", &["checkpoint"]),
        ("json", &["json"]),
    ] {
        let files = files(&corpus().join(target));
        assert!(!files.is_empty(), "{target}");
        for bytes in files {
            for parser in parsers.iter().map(|name| parser(name)) {
                let _ = parser.check(&bytes);
                let mut sealed = bytes.clone();
                (parser.seal)(&mut sealed);
                let _ = parser.check(&sealed);
            }
            if target == "pth" {
                let _ = parser("pth").check(&pth_of(&bytes));
            }
        }
    }
    assert_eq!(PARSERS.len(), 6, "a new parser has a target, and its corpus is replayed here");
}
