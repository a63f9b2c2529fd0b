use rushlight_array::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where data sets find their files.
///
/// - A folder that was given (`--data DIR`, or the variable `RUSHLIGHT_DATA`): the files are read from there, and the
///   network is never used. They may lie in the folder itself, in one with the set's name (`mnist`), or where
///   torchvision puts them (`MNIST/raw`).
/// - Or else the cache folder (on Linux `~/.cache/rushlight`), and with the feature `download` the set's mirrors,
///   from which a file comes once into the cache: checked by size and SHA-256, whole or not at all.
///
/// ```
/// use rushlight_data::datasets::{DataRoot, MNIST, Split};
/// let missing = MNIST::new("no/such/folder", Split::Train).unwrap_err().to_string();
/// assert!(missing.starts_with("MNIST: no file 'train-images-idx3-ubyte' or "), "{missing}");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataRoot {
    given: Option<PathBuf>,
    cache: Option<PathBuf>,
    /// In place of the set's own.
    mirrors: Option<Vec<String>>,
    patience: Duration,
}

/// A file of a data set as the world knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// In bytes, as it is fetched.
    pub(crate) size: u64,
    /// In hexadecimal.
    #[cfg_attr(
        not(feature = "download"),
        allow(dead_code, reason = "only what was fetched is checked by it")
    )]
    pub(crate) sha256: &'static str,
}

/// A data set's places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// Its name in messages.
    pub(crate) set: &'static str,
    /// Its folder in the cache, and one of those looked for in a given folder.
    pub(crate) folder: &'static str,
    /// torchvision's folder.
    pub(crate) torch_folder: &'static str,
    /// Addresses to which a file's name is appended.
    pub(crate) mirrors: &'static [&'static str],
}

impl DataRoot {
    /// The files are in this folder, and nowhere else.
    pub fn new(folder: impl Into<PathBuf>) -> DataRoot {
        DataRoot { given: Some(folder.into()), ..DataRoot::cached() }
    }

    /// The folder of an option `--data`; without one that of the variable `RUSHLIGHT_DATA`; without that the cache
    /// and the mirrors.
    pub fn from_option(folder: Option<PathBuf>) -> DataRoot {
        let variable =
            || std::env::var_os("RUSHLIGHT_DATA").filter(|value| !value.is_empty()).map(PathBuf::from);
        match folder.or_else(variable) {
            Some(folder) => DataRoot::new(folder),
            None => DataRoot::cached(),
        }
    }

    /// The cache folder and the mirrors, whatever the environment says.
    pub fn cached() -> DataRoot {
        DataRoot { given: None, cache: default_cache(), mirrors: None, patience: Duration::from_secs(30) }
    }

    /// Another cache folder.
    #[must_use]
    pub fn cache_dir(self, folder: impl Into<PathBuf>) -> Self {
        DataRoot { cache: Some(folder.into()), ..self }
    }

    /// Addresses to fetch from in place of the set's own, tried in order; a file's name is appended to each.
    #[must_use]
    pub fn mirrors<S: Into<String>>(self, mirrors: impl IntoIterator<Item = S>) -> Self {
        DataRoot { mirrors: Some(mirrors.into_iter().map(Into::into).collect()), ..self }
    }

    /// How long a server may say nothing before the next one is tried; the default is 30 seconds.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        DataRoot { patience, ..self }
    }

    /// The path of a file of which one of `names` is enough, and which `known`, if anybody has it, can be fetched.
    pub(crate) fn find(&self, source: &Source, names: &[&str], known: Option<&Known>) -> Result<PathBuf> {
        match &self.given {
            Some(folder) => given(folder, source, names),
            None => self.cached_file(source, names, known),
        }
    }

    fn cached_file(&self, source: &Source, names: &[&str], known: Option<&Known>) -> Result<PathBuf> {
        let Some(cache) = &self.cache else {
            let reason = "there is no cache folder, since the system names no home folder; give --data DIR";
            return Err(Error::invalid(source.set, reason));
        };
        let folder = cache.join(source.folder);
        let whole = |path: &Path| match known {
            Some(known) if path.ends_with(known.name) => {
                std::fs::metadata(path).is_ok_and(|m| m.len() == known.size)
            }
            _ => path.is_file(),
        };
        if let Some(path) = names.iter().map(|name| folder.join(name)).find(|path| whole(path)) {
            return Ok(path);
        }
        match known {
            Some(known) => self.fetch(source, known, &folder),
            None => Err(Error::invalid(
                source.set,
                format!(
                    "no file '{}' in the cache folder {}, and no mirror has it by itself; get it from {}, and put \
                     it there or name its folder by --data DIR",
                    names[0],
                    folder.display(),
                    source.mirrors.join(" or ")
                ),
            )),
        }
    }

    #[cfg(feature = "download")]
    fn fetch(&self, source: &Source, known: &Known, folder: &Path) -> Result<PathBuf> {
        let own = || source.mirrors.iter().map(ToString::to_string).collect();
        let mirrors = self.mirrors.clone().unwrap_or_else(own);
        super::download::fetch(source.set, known, &mirrors, folder, self.patience)
    }

    #[cfg(not(feature = "download"))]
    fn fetch(&self, source: &Source, known: &Known, folder: &Path) -> Result<PathBuf> {
        let reason = format!(
            "no file '{}' in the cache folder {}; put it there, or name its folder by --data DIR or RUSHLIGHT_DATA, or \
             build with the feature `download` to have it fetched",
            known.name,
            folder.display()
        );
        Err(Error::invalid(source.set, reason))
    }
}

impl Default for DataRoot {
    /// `RUSHLIGHT_DATA`, or else the cache and the mirrors.
    fn default() -> Self {
        DataRoot::from_option(None)
    }
}

macro_rules! from_path {
    ($($path:ty),*) => {$(
        impl From<$path> for DataRoot {
            fn from(folder: $path) -> DataRoot {
                DataRoot::new(folder)
            }
        }
    )*};
}
from_path!(&str, String, &Path, PathBuf, &PathBuf);

impl From<&DataRoot> for DataRoot {
    fn from(root: &DataRoot) -> DataRoot {
        root.clone()
    }
}

/// A file in a folder that was given.
fn given(folder: &Path, source: &Source, names: &[&str]) -> Result<PathBuf> {
    let folders = [folder.to_path_buf(), folder.join(source.folder), folder.join(source.torch_folder)];
    let paths = || folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    if let Some(path) = paths().find(|path| path.is_file()) {
        return Ok(path);
    }
    let reason = format!(
        "no file '{}' in the folder {}, nor in its folders {} and {}; a folder that was given is the only place \
         looked at, so put the files there, or leave out --data and RUSHLIGHT_DATA",
        names.join("' or '"),
        folder.display(),
        source.folder,
        source.torch_folder
    );
    Err(Error::invalid(source.set, reason))
}

/// The system's folder for what can be had again.
#[cfg(feature = "download")]
fn default_cache() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("rushlight"))
}

/// The same for Unix, which is all that can be said without a dependency; files get there by hand.
#[cfg(not(feature = "download"))]
fn default_cache() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("XDG_CACHE_HOME")
        .or_else(|| of("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("rushlight"))
}
