//! The run card: what a run was, as JSON and as a page.
//!
//! A card has what it takes to train again and to see whether the result is the same: the seed, what computed, the
//! hashes of the data, the command line, and the hash of the final weights; and the curves, to look at.

mod chart;
mod html;
mod json;

#[cfg(feature = "plots")]
pub(crate) use chart::{label, thinned, ticks};
use rushlight_array::{Error, Result, num_threads};
use rushlight_autograd::Tensor;
use rushlight_serialize::replace_file;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A line of one of the report's charts.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Curve {
    /// The chart that it is drawn in, whose title this is: `"loss"`.
    pub chart: String,
    /// The line's name in the legend: `"train"`.
    pub name: String,
    /// What is counted along the chart: `"epoch"`, `"step"`.
    pub x: String,
    /// The points, as `(x, y)` in the order of x. Values that are not finite are kept, and drawn as gaps.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// A line `name` of the chart `chart`.
    pub fn new(chart: &str, name: &str, x: &str, points: Vec<(f64, f64)>) -> Curve {
        Curve { chart: chart.to_owned(), name: name.to_owned(), x: x.to_owned(), points }
    }
}

/// What a run was: everything that its result depends on, and what came out.
///
/// Lists of pairs keep their order; the report shows them in it.
///
/// ```
/// use rushlight_train::report::{Curve, RunCard};
/// let mut card = RunCard::new("digits");
/// card.seed = Some(7);
/// card.settings.push(("lr".to_owned(), "0.1".to_owned()));
/// card.curves.push(Curve::new("loss", "train", "epoch", vec![(1.0, 0.9), (2.0, 0.4)]));
/// let back = RunCard::from_json("card.json", &card.to_json()).unwrap();
/// assert_eq!(back, card);
/// assert!(card.to_html().starts_with("<!DOCTYPE html>"));
/// ```
#[derive(Clone, PartialEq, Default, Debug)]
pub struct RunCard {
    /// The run's name.
    pub name: String,
    /// The seed of the default generator.
    pub seed: Option<u64>,
    /// Which generator: `"chacha8"`, `"torch"`.
    pub generator: String,
    /// The dtype of the parameters.
    pub dtype: String,
    /// The device of the parameters.
    pub device: String,
    /// Threads that computed.
    pub threads: usize,
    /// Worker threads of the loader.
    pub workers: usize,
    /// The command line.
    pub command: Vec<String>,
    /// The program's file: what [`replay`](crate::replay()) starts.
    pub program: String,
    /// The folder in which it was started.
    pub directory: String,
    /// How the run ended: `"finished"`, `"stopped: ..."` with the reason, `"interrupted"`, `"failed: ..."`; `"running"`
    /// as long as it has not.
    pub outcome: String,
    /// Versions by name: the library, the compiler, your own program.
    pub versions: Vec<(String, String)>,
    /// Hashes of the data by name: see [`sha256_of_file`] and [`sha256_of_tensors`].
    pub data: Vec<(String, String)>,
    /// Settings by name: learning rate, batch size, and so on.
    pub settings: Vec<(String, String)>,
    /// Final numbers by name.
    pub results: Vec<(String, f64)>,
    /// The curves, in the order in which their charts are shown.
    pub curves: Vec<Curve>,
    /// The hash of the final weights: see [`sha256_of_tensors`]. Nothing as long as the run has not ended.
    pub weights_sha256: Option<String>,
}

impl RunCard {
    /// A card with what the program knows by itself: the seed, threads, version and command line of this process.
    pub fn new(name: impl Into<String>) -> RunCard {
        use rushlight_array::random::{Seed, default_generator};
        let (seed, generator) = match default_generator().initial_seed() {
            Seed::ChaCha(seed) => (seed, "chacha8"),
            Seed::Torch(seed) => (seed, "torch"),
        };
        RunCard {
            name: name.into(),
            seed: Some(seed),
            generator: generator.to_owned(),
            dtype: "float32".to_owned(),
            device: "cpu".to_owned(),
            threads: num_threads(),
            versions: vec![
                ("rushlight".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                ("system".to_owned(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ],
            command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
            program: shown(std::env::current_exe()),
            directory: shown(std::env::current_dir()),
            ..RunCard::default()
        }
    }

    /// Writes the card as JSON; the file is replaced as a whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_file(path, self.to_json().as_bytes())
    }

    /// Reads a card.
    ///
    /// # Errors
    /// If the file cannot be read or is no card.
    pub fn load(path: impl AsRef<Path>) -> Result<RunCard> {
        let path = path.as_ref();
        let text = std::fs::read(path).map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
        let name = path.display().to_string();
        RunCard::from_json(&name, &text)
    }

    /// Writes the page; the file is replaced as a whole.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_html(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_file(path, self.to_html().as_bytes())
    }
}

fn shown(path: std::io::Result<std::path::PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// The SHA-256 of bytes, as 64 hexadecimal digits.
pub(crate) fn sha256_of_bytes(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

/// The SHA-256 of named tensors, as 64 hexadecimal digits: of the bytes that `safetensors::save_file` writes for them.
///
/// So `sha256sum` of the saved weights says the same. Names, shapes, dtypes and every bit of the values count; the order
/// of tensors does not where the form sorts them.
///
/// # Errors
/// If a name comes twice.
pub fn sha256_of_tensors(state: &[(String, Tensor)]) -> Result<String> {
    Ok(sha256_of_bytes(&rushlight_serialize::safetensors::to_bytes(state, &[])?))
}

/// The SHA-256 of a file, as 64 hexadecimal digits.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256_of_file(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let error = |source| Error::Io { path: path.to_path_buf(), source };
    let (mut file, mut hash, mut buffer) =
        (File::open(path).map_err(error)?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(error)? {
            0 => return Ok(hex(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().map(|byte| format!("{byte:02x}")).collect()
}
