//! CIFAR-10 and CIFAR-100 in their binary form.
//!
//! A record is one label byte (CIFAR-100: two, the coarse and the fine one) and 3072 bytes of an image, channel by
//! channel, row by row. A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.

use super::mnist::as_images;
use super::root::{DataRoot, Known, Source};
use super::{Split, files};
use crate::dataset::Dataset;
use crate::image::Image;
use crate::images::{ImageDataset, InMemoryImages};
use rushlight_array::{Error, Result};
use rushlight_autograd::Tensor;
use std::ops::Deref;

const PIXELS: usize = 3 * 32 * 32;

/// The label bytes before an image, and how many classes the last of them counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One label, 0-9.
    Ten,
    /// The label of one of 20 groups, and the label that is used, 0-99.
    Hundred,
}

impl Form {
    /// For each label byte the number of classes.
    fn classes(self) -> &'static [u8] {
        match self {
            Form::Ten => &[10],
            Form::Hundred => &[20, 100],
        }
    }
}

/// The images of one file, of shape `[3, 32, 32]` one behind the other, and their (fine) labels.
///
/// ```
/// use rushlight_data::datasets::cifar::{Form, parse};
/// let mut record = vec![7; 3073];
/// assert_eq!(parse(&record, Form::Ten).unwrap(), (vec![7; 3072], vec![7]));
/// record[0] = 10;
/// assert_eq!(parse(&record, Form::Ten).unwrap_err(), "byte 0: expected a label below 10, found 10");
/// ```
///
/// # Errors
/// If the bytes are not whole records, or a label is not one; the reason names the offset.
pub fn parse(bytes: &[u8], form: Form) -> Result<(Vec<u8>, Vec<i64>), String> {
    let classes = form.classes();
    let size = classes.len() + PIXELS;
    let records = bytes.chunks_exact(size);
    if !records.remainder().is_empty() {
        return Err(format!(
            "byte {}: expected a record of {size} bytes, found {} bytes to the end",
            bytes.len() - records.remainder().len(),
            records.remainder().len()
        ));
    }
    let mut pixels = Vec::with_capacity(bytes.len() / size * PIXELS);
    let mut labels = Vec::with_capacity(bytes.len() / size);
    for (i, record) in records.enumerate() {
        let (own, image) = record.split_at(classes.len());
        for (j, (&label, &classes)) in own.iter().zip(classes).enumerate() {
            if label >= classes {
                return Err(format!(
                    "byte {}: expected a label below {classes}, found {label}",
                    i * size + j
                ));
            }
        }
        labels.extend(own.last().map(|&label| i64::from(label)));
        pixels.extend_from_slice(image);
    }
    Ok((pixels, labels))
}

struct Archive {
    source: Source,
    known: Known,
    form: Form,
    train: &'static [&'static str],
    test: &'static [&'static str],
}

const TEN: Archive = Archive {
    source: Source {
        set: "CIFAR10",
        folder: "cifar-10-batches-bin",
        torch_folder: "cifar10/cifar-10-batches-bin",
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
    },
    known: Known {
        name: "cifar-10-binary.tar.gz",
        size: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    },
    form: Form::Ten,
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
};

const HUNDRED: Archive = Archive {
    source: Source {
        set: "CIFAR100",
        folder: "cifar-100-binary",
        torch_folder: "cifar100/cifar-100-binary",
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
    },
    known: Known {
        name: "cifar-100-binary.tar.gz",
        size: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    },
    form: Form::Hundred,
    train: &["train.bin"],
    test: &["test.bin"],
};

/// What a file is called in messages, and its bytes.
type Named = (String, Vec<u8>);

impl Archive {
    /// The images of one part: from the files by themselves if they are there, or else from the archive.
    fn read(&self, root: &DataRoot, split: Split) -> Result<InMemoryImages> {
        let names = if split == Split::Train { self.train } else { self.test };
        let files = match self.loose(root, names) {
            Some(files) => files?,
            None => self.packed(root, names)?,
        };
        let (mut pixels, mut targets) = (Vec::new(), Vec::new());
        for (place, bytes) in files {
            let (own, labels) = parse(&bytes, self.form).map_err(|reason| Error::invalid(place, reason))?;
            pixels.extend(own);
            targets.extend(labels);
        }
        Ok(InMemoryImages::new([3, 32, 32], pixels, targets))
    }

    /// The files, each with its path, if the first of them is there.
    fn loose(&self, root: &DataRoot, names: &[&str]) -> Option<Result<Vec<Named>>> {
        root.find(&self.source, &names[..1], None).ok()?;
        let file = |name: &&str| {
            let path = root.find(&self.source, &[name], None)?;
            Ok((path.display().to_string(), files::read(&path)?))
        };
        Some(names.iter().map(file).collect())
    }

    /// The files, each with its name in the archive.
    #[cfg(feature = "download")]
    fn packed(&self, root: &DataRoot, names: &[&str]) -> Result<Vec<Named>> {
        use std::io::Read;
        let path = root.find(&self.source, &[self.known.name, names[0]], Some(&self.known))?;
        let failed = |source| Error::Io { path: path.clone(), source };
        let file = std::fs::File::open(&path).map_err(failed)?;
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::io::BufReader::new(file)));
        let mut found: Vec<Option<Vec<u8>>> = vec![None; names.len()];
        for entry in archive.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name =
                entry.path().map_err(failed)?.file_name().map(|name| name.to_string_lossy().into_owned());
            let Some(place) = names.iter().position(|wanted| name.as_deref() == Some(*wanted)) else {
                continue;
            };
            // Grown as it is read: the size in the archive is only its word.
            let mut bytes = Vec::new();
            entry.take(64 << 20).read_to_end(&mut bytes).map_err(failed)?;
            found[place] = Some(bytes);
        }
        let named = |(name, bytes): (&&str, Option<Vec<u8>>)| match bytes {
            Some(bytes) => Ok((format!("{}: {name}", path.display()), bytes)),
            None => {
                Err(Error::invalid(path.display().to_string(), format!("there is no file '{name}' in it")))
            }
        };
        names.iter().zip(found).map(named).collect()
    }

    #[cfg(not(feature = "download"))]
    fn packed(&self, root: &DataRoot, names: &[&str]) -> Result<Vec<Named>> {
        // The error says where the files were looked for; they are to be unpacked by hand.
        root.find(&self.source, &names[..1], Some(&self.known)).map(|_| Vec::new())
    }
}

macro_rules! sets {
    ($($(#[$doc:meta])* $name:ident $archive:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(InMemoryImages);

        impl $name {
            /// Reads one part: from a folder, or as a [`DataRoot`] says. The binary form is read
            /// (`*-binary.tar.gz`), not Python's.
            ///
            /// # Errors
            /// If a file is missing, cannot be fetched, or is not of the form.
            pub fn new(root: impl Into<DataRoot>, split: Split) -> Result<$name> {
                Ok($name($archive.read(&root.into(), split)?))
            }
        }
    )*};
}
sets! {
    /// Photographs of ten kinds of things, 32 x 32 in colour, 50000 and 10000: torchvision's `CIFAR10`.
    ///
    /// Samples are the bytes of an image, *shape* `(3, 32, 32)`, and its class.
    ///
    /// ```no_run
    /// use rushlight_data::ImageDataset;
    /// use rushlight_data::datasets::{CIFAR10, DataRoot, Split};
    /// use rushlight_data::transforms::{RandomCrop, RandomHorizontalFlip, ToTensor};
    /// let train = CIFAR10::new(DataRoot::default(), Split::Train)?;
    /// let train = train.transform((RandomCrop::new(32).padding(4), RandomHorizontalFlip::new(), ToTensor::new()));
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    CIFAR10 TEN;

    /// Photographs of a hundred kinds of things, in the form of CIFAR-10: torchvision's `CIFAR100`.
    CIFAR100 HUNDRED;
}

impl CIFAR10 {
    /// The names of the classes by their numbers.
    pub const CLASSES: [&str; 10] =
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
}

as_images!(CIFAR10, CIFAR100);
