use super::{files, wav};
use crate::dataset::Dataset;
use rushlight_array::{Error, Result, fail};
use rushlight_autograd::Tensor;
use std::path::{Path, PathBuf};

/// The lines of a text file with their offsets; empty ones are left out.
fn lines(path: &Path) -> Result<Vec<(usize, String)>> {
    let bytes = files::read(path)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Error::invalid(path.display().to_string(), format!("byte {place}: expected UTF-8 text"))
    })?;
    let mut offset = 0;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if !line.trim().is_empty() {
            lines.push((offset, line.trim().to_string()));
        }
        offset += line.len() + 1;
    }
    Ok(lines)
}

fn wrong(path: &Path, offset: usize, expected: &str, found: &str) -> Error {
    let reason = format!("byte {offset}: expected {expected}, found '{found}'");
    Error::invalid(path.display().to_string(), reason)
}

/// The folder must be there; the sets are too large, or too restricted, to be fetched.
fn there(folder: PathBuf, set: &str, source: &str) -> Result<PathBuf> {
    if folder.is_dir() {
        return Ok(folder);
    }
    let reason =
        format!("there is no folder {}; get the files from {source} and unpack them there", folder.display());
    Err(Error::invalid(set, reason))
}

#[track_caller]
fn sample_of<'a, T>(samples: &'a [T], set: &str, index: usize) -> &'a T {
    match samples.get(index) {
        Some(sample) => sample,
        None => fail!("{set}: index {index} is out of range for {} samples", samples.len()),
    }
}

/// One speaker of the CMU ARCTIC recordings: torchaudio's `CMUARCTIC`.
///
/// A sample is `(waveform, frames in a second, transcript, number of the utterance)`; the waveform has *shape*
/// `(1, frames)`, `f32`, -1 to 1. Waveforms differ in length: a loader needs a collate function, or batches of one.
///
/// The files lie as torchaudio has them: `ARCTIC/cmu_us_aew_arctic/wav/arctic_a0001.wav`, and the transcripts in
/// `etc/txt.done.data`.
///
/// Source: J. Kominek, A. W. Black, *CMU ARCTIC databases for speech synthesis*, 2003.
///
/// ```no_run
/// use rushlight_data::{Dataset, datasets::CMUARCTIC};
/// let speaker = CMUARCTIC::new("data", "aew")?;
/// let (waveform, rate, transcript, id) = speaker.get(0)?;
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CMUARCTIC {
    folder: PathBuf,
    /// The name of the sound file, and the words.
    utterances: Vec<(String, String)>,
}

impl CMUARCTIC {
    /// The recordings of a speaker: `"aew"`, `"ahw"`, `"aup"`, `"awb"`, ...
    ///
    /// # Errors
    /// If the folder or its list of transcripts is not there, or a line of the list has not its form.
    pub fn new(root: impl AsRef<Path>, speaker: &str) -> Result<CMUARCTIC> {
        let name = format!("cmu_us_{speaker}_arctic");
        let source = format!("http://festvox.org/cmu_arctic/packed/{name}.tar.bz2");
        let folder = there(root.as_ref().join("ARCTIC").join(name), "CMUARCTIC", &source)?;
        let list = folder.join("etc").join("txt.done.data");
        let utterance = |(offset, line): (usize, String)| {
            // ( arctic_a0001 "Author of the danger trail, Philip Steels, etc." )
            let inner = line.strip_prefix('(').and_then(|line| line.strip_suffix(')')).map(str::trim);
            let parts = inner.and_then(|inner| inner.split_once(char::is_whitespace));
            let parts =
                parts.and_then(|(id, words)| Some((id, words.trim().strip_prefix('"')?.strip_suffix('"')?)));
            match parts {
                Some((id, words)) if is_plain(id) => Ok((id.to_string(), words.to_string())),
                _ => Err(wrong(&list, offset, "( utterance \"words\" )", &line)),
            }
        };
        let utterances = lines(&list)?.into_iter().map(utterance).collect::<Result<_>>()?;
        Ok(CMUARCTIC { folder, utterances })
    }
}

/// Whether it is a name and no way out of the folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != ".." && name != "."
}

impl Dataset for CMUARCTIC {
    type Item = (Tensor, u32, String, String);

    fn len(&self) -> usize {
        self.utterances.len()
    }

    fn get(&self, index: usize) -> Result<Self::Item> {
        let (id, words) = sample_of(&self.utterances, "CMUARCTIC", index);
        let (waveform, rate) = wav::load(self.folder.join("wav").join(format!("{id}.wav")))?;
        // `arctic_a0001` is utterance `a0001`.
        let number = id.split('_').nth(1).unwrap_or(id).to_string();
        Ok((waveform, rate, words.clone(), number))
    }
}

/// A part of VoxCeleb1 for identification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subset {
    /// To learn from.
    Train,
    /// To choose settings with.
    Dev,
    /// To be tested with.
    Test,
}

const VOX_SOURCE: &str = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/";

/// Recordings and who speaks in them: torchaudio's `VoxCeleb1Identification`.
///
/// A sample is `(waveform, speaker, frames in a second, file id)`; the waveform has *shape* `(channels, frames)`.
///
/// The files lie as torchaudio has them: `wav/id10001/1zcIwhmdeo4/00001.wav`, and beside `wav` the list
/// `iden_split.txt`.
///
/// Source: A. Nagrani, J. S. Chung, A. Zisserman, *VoxCeleb: a large-scale speaker identification dataset*, 2017.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoxCeleb1Identification {
    folder: PathBuf,
    files: Vec<VoxFile>,
}

/// Two recordings and whether one person speaks in both: torchaudio's `VoxCeleb1Verification`.
///
/// A sample is `(waveform, waveform, label, frames in a second, file id, file id)`; label 1 means one person.
///
/// The list is `veri_test.txt` beside the folder `wav`; see [`VoxCeleb1Identification`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoxCeleb1Verification {
    folder: PathBuf,
    pairs: Vec<(i64, VoxFile, VoxFile)>,
}

/// `id10001/1zcIwhmdeo4/00001.wav`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct VoxFile {
    path: String,
    /// `id10001-1zcIwhmdeo4-00001`
    id: String,
    /// 1
    speaker: i64,
}

impl VoxFile {
    fn new(path: &str) -> Option<VoxFile> {
        let parts: Vec<&str> = path.split('/').collect();
        let [speaker, video, file] = parts[..] else { return None };
        if !parts.iter().all(|part| is_plain(part)) {
            return None;
        }
        let number = speaker.strip_prefix("id1")?.parse().ok()?;
        let id = format!("{speaker}-{video}-{}", file.strip_suffix(".wav")?);
        Some(VoxFile { path: path.to_string(), id, speaker: number })
    }

    fn load(&self, folder: &Path) -> Result<(Tensor, u32)> {
        wav::load(folder.join(&self.path))
    }
}

/// The list beside the folder `wav`.
fn list(root: &Path, name: &str) -> Result<(PathBuf, Vec<(usize, String)>)> {
    let path = root.join(name);
    if !path.is_file() {
        let reason = format!("there is no list {}; get it from {VOX_SOURCE}meta/{name}", path.display());
        return Err(Error::invalid("VoxCeleb1", reason));
    }
    let lines = lines(&path)?;
    Ok((path, lines))
}

impl VoxCeleb1Identification {
    /// One part; files in order of their paths.
    ///
    /// # Errors
    /// If the folder or the list is not there, or a line of the list has not its form.
    pub fn new(root: impl AsRef<Path>, subset: Subset) -> Result<VoxCeleb1Identification> {
        let folder = there(root.as_ref().join("wav"), "VoxCeleb1", VOX_SOURCE)?;
        let (path, lines) = list(root.as_ref(), "iden_split.txt")?;
        let wanted = match subset {
            Subset::Train => 1,
            Subset::Dev => 2,
            Subset::Test => 3,
        };
        let mut files = Vec::new();
        for (offset, line) in lines {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let parsed = match parts[..] {
                [part, file] => part.parse::<i64>().ok().zip(VoxFile::new(file)),
                _ => None,
            };
            let expected = "a number and a path as id10001/video/00001.wav";
            let (part, file) = parsed.ok_or_else(|| wrong(&path, offset, expected, &line))?;
            if part == wanted {
                files.push(file);
            }
        }
        files.sort();
        Ok(VoxCeleb1Identification { folder, files })
    }
}

impl Dataset for VoxCeleb1Identification {
    type Item = (Tensor, i64, u32, String);

    fn len(&self) -> usize {
        self.files.len()
    }

    fn get(&self, index: usize) -> Result<Self::Item> {
        let file = sample_of(&self.files, "VoxCeleb1Identification", index);
        let (waveform, rate) = file.load(&self.folder)?;
        Ok((waveform, file.speaker, rate, file.id.clone()))
    }
}

impl VoxCeleb1Verification {
    /// The pairs of the list, in its order.
    ///
    /// # Errors
    /// If the folder or the list is not there, or a line of the list has not its form.
    pub fn new(root: impl AsRef<Path>) -> Result<VoxCeleb1Verification> {
        let folder = there(root.as_ref().join("wav"), "VoxCeleb1", VOX_SOURCE)?;
        let (path, lines) = list(root.as_ref(), "veri_test.txt")?;
        let pair = |(offset, line): (usize, String)| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            let parsed = match parts[..] {
                ["0" | "1", a, b] => VoxFile::new(a).zip(VoxFile::new(b)),
                _ => None,
            };
            let expected = "0 or 1 and two paths as id10001/video/00001.wav";
            let (a, b) = parsed.ok_or_else(|| wrong(&path, offset, expected, &line))?;
            Ok((i64::from(parts[0] == "1"), a, b))
        };
        let pairs = lines.into_iter().map(pair).collect::<Result<_>>()?;
        Ok(VoxCeleb1Verification { folder, pairs })
    }
}

impl Dataset for VoxCeleb1Verification {
    type Item = (Tensor, Tensor, i64, u32, String, String);

    fn len(&self) -> usize {
        self.pairs.len()
    }

    fn get(&self, index: usize) -> Result<Self::Item> {
        let (label, a, b) = sample_of(&self.pairs, "VoxCeleb1Verification", index);
        let (first, _) = a.load(&self.folder)?;
        // The rate of the second one, as in torchaudio; all files of the set have 16000.
        let (second, rate) = b.load(&self.folder)?;
        Ok((first, second, *label, rate, a.id.clone(), b.id.clone()))
    }
}
