//! The text files of the workspace, read once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::toml::Toml;

/// Folders that are read with everything below them; of the root itself, only its files.
const FOLDERS: &[&str] = &["crates", "examples", "tests", "xtask", ".cargo"];
const ENDINGS: &[&str] = &["rs", "toml", "md"];

/// Files by path from the root, with `/` on every system.
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> io::Result<Tree> {
        let mut tree = Tree { files: BTreeMap::new() };
        tree.read_folder(root, "", false)?;
        for folder in FOLDERS.iter().filter(|folder| root.join(folder).is_dir()) {
            tree.read_folder(&root.join(folder), &format!("{folder}/"), true)?;
        }
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str, deep: bool) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && deep && name != "target" {
                self.read_folder(&path, &format!("{prefix}{name}/"), deep)?;
            } else if path.is_file() && ENDINGS.iter().any(|ending| has_ending(&name, ending)) {
                let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                self.files.insert(format!("{prefix}{name}"), text);
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Tree { files: files.iter().map(owned).collect() }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// All files, as path and text.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files below `folder`, which ends with `/`.
    pub(crate) fn rust(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter(move |(path, _)| path.starts_with(folder) && has_ending(path, "rs"))
    }

    /// The Rust files of the library, its examples and its tests: all but xtask, which names what it forbids.
    pub(crate) fn library(&self) -> impl Iterator<Item = (&str, &str)> {
        ["crates/", "examples/", "tests/"].into_iter().flat_map(|folder| self.rust(folder))
    }

    /// The manifests of the member crates.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&str, Toml)> {
        let is_member = |path: &str| {
            let parts: Vec<&str> = path.split('/').collect();
            matches!(parts[..], ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"])
        };
        self.all().filter(move |(path, _)| is_member(path)).map(|(path, text)| (path, Toml::parse(text)))
    }
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last == ending)
}
