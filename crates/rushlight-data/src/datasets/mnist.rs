use super::root::{DataRoot, Known, Source};
use super::{Split, files};
use crate::dataset::Dataset;
use crate::idx;
use crate::image::Image;
use crate::images::{ImageDataset, InMemoryImages};
use rushlight_array::{Error, Result};
use rushlight_autograd::Tensor;
use std::ops::Deref;
use std::path::Path;

/// The images and labels of one part, in files of the idx form.
fn read(
    root: &DataRoot,
    source: &Source,
    [images, labels]: [&str; 2],
    known: Option<[&Known; 2]>,
) -> Result<InMemoryImages> {
    let file = |name: &str, known: Option<&Known>| {
        let packed = format!("{name}.gz");
        let path = root.find(source, &[name, &packed], known)?;
        let bytes = files::read(&path)?;
        Ok::<_, Error>((path, bytes))
    };
    let (images_path, images) = file(images, known.map(|known| known[0]))?;
    let (labels_path, labels) = file(labels, known.map(|known| known[1]))?;
    let wrong = |path: &Path, reason: String| Error::invalid(path.display().to_string(), reason);
    let (sizes, pixels) = idx::parts(&images).map_err(|reason| wrong(&images_path, reason))?;
    let &[count, height, width] = &sizes[..] else {
        return Err(wrong(&images_path, format!("byte 3: expected 3 dims, found sizes {sizes:?}")));
    };
    let (sizes, targets) = idx::parts(&labels).map_err(|reason| wrong(&labels_path, reason))?;
    if sizes != [count] {
        return Err(wrong(&labels_path, format!("byte 4: expected {count} labels, found sizes {sizes:?}")));
    }
    let targets = targets.iter().map(|&label| i64::from(label)).collect();
    Ok(InMemoryImages::new([1, height, width], pixels.to_vec(), targets))
}

const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// A set of the four files that MNIST has: train images and labels, test images and labels.
struct Four {
    source: Source,
    known: [Known; 4],
}

impl Four {
    fn read(&self, root: impl Into<DataRoot>, split: Split) -> Result<InMemoryImages> {
        let [a, b, c, d] = &self.known;
        match split {
            Split::Train => read(&root.into(), &self.source, TRAIN, Some([a, b])),
            Split::Test => read(&root.into(), &self.source, TEST, Some([c, d])),
        }
    }
}

/// The names of the files as they are fetched.
const fn four(sums: [(u64, &'static str); 4]) -> [Known; 4] {
    let [(a, ha), (b, hb), (c, hc), (d, hd)] = sums;
    [
        Known { name: "train-images-idx3-ubyte.gz", size: a, sha256: ha },
        Known { name: "train-labels-idx1-ubyte.gz", size: b, sha256: hb },
        Known { name: "t10k-images-idx3-ubyte.gz", size: c, sha256: hc },
        Known { name: "t10k-labels-idx1-ubyte.gz", size: d, sha256: hd },
    ]
}

const MNIST_FILES: Four = Four {
    source: Source {
        set: "MNIST",
        folder: "mnist",
        torch_folder: "MNIST/raw",
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
    },
    known: four([
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ]),
};

const FASHION_FILES: Four = Four {
    source: Source {
        set: "FashionMNIST",
        folder: "fashion-mnist",
        torch_folder: "FashionMNIST/raw",
        mirrors: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    },
    known: four([
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ]),
};

const KMNIST_FILES: Four = Four {
    source: Source {
        set: "KMNIST",
        folder: "kmnist",
        torch_folder: "KMNIST/raw",
        mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
    },
    known: four([
        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ]),
};

macro_rules! sets {
    ($($(#[$doc:meta])* $name:ident $files:ident $classes:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(InMemoryImages);

        impl $name {
            /// The names of the classes by their numbers.
            pub const CLASSES: [&str; 10] = $classes;

            /// Reads one part: from a folder, or as a [`DataRoot`] says.
            ///
            /// # Errors
            /// If a file is missing, cannot be fetched, or is not of the idx form.
            pub fn new(root: impl Into<DataRoot>, split: Split) -> Result<$name> {
                Ok($name($files.read(root, split)?))
            }
        }
    )*};
}
sets! {
    /// Handwritten digits, 28 x 28, 60000 to learn from and 10000 to be tested with: torchvision's `MNIST`.
    ///
    /// Samples are the bytes of an image, *shape* `(1, 28, 28)`, 0 the background, and its digit.
    /// All images at once are [`data`](InMemoryImages::data), the digits [`targets`](InMemoryImages::targets).
    ///
    /// Source: Y. LeCun, C. Cortes, C. J. C. Burges, *The MNIST database of handwritten digits*.
    ///
    /// ```no_run
    /// use rushlight_data::datasets::{DataRoot, MNIST, Split};
    /// use rushlight_data::transforms::{Normalize, ToTensor};
    /// use rushlight_data::{DataLoader, ImageDataset};
    /// let train = MNIST::new(DataRoot::default(), Split::Train)?;
    /// let train = train.transform((ToTensor::new(), Normalize::new([0.1307], [0.3081])));
    /// for batch in &DataLoader::new(train).batch_size(64).shuffle(true) {
    ///     let (images, digits) = batch?;
    ///     assert_eq!(images.shape()[1..], [1, 28, 28]);
    /// }
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    MNIST MNIST_FILES [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four",
        "5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine",
    ];

    /// Pictures of clothes in the form of MNIST: torchvision's `FashionMNIST`.
    ///
    /// Source: H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST*, 2017.
    FashionMNIST FASHION_FILES [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ];

    /// Cursive Japanese characters in the form of MNIST: torchvision's `KMNIST`.
    ///
    /// Source: T. Clanuwat et al., *Deep Learning for Classical Japanese Literature*, 2018.
    KMNIST KMNIST_FILES ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"];
}

/// The six ways in which EMNIST is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmnistSplit {
    /// All 62 digits, capitals and small letters, as often as they were written.
    ByClass,
    /// 47 classes: letters that look alike in both cases are one.
    ByMerge,
    /// The same 47, equally often.
    Balanced,
    /// The 26 letters; labels from 1 on.
    Letters,
    /// The digits.
    Digits,
    /// The digits of MNIST.
    Mnist,
}

impl EmnistSplit {
    fn name(self) -> &'static str {
        match self {
            EmnistSplit::ByClass => "byclass",
            EmnistSplit::ByMerge => "bymerge",
            EmnistSplit::Balanced => "balanced",
            EmnistSplit::Letters => "letters",
            EmnistSplit::Digits => "digits",
            EmnistSplit::Mnist => "mnist",
        }
    }
}

const EMNIST_SOURCE: Source = Source {
    set: "EMNIST",
    folder: "emnist",
    torch_folder: "EMNIST/raw",
    mirrors: &["the archive https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"],
};

/// Handwritten letters and digits in the form of MNIST: torchvision's `EMNIST`. Rows and columns of the images
/// are exchanged, as in the files and in torchvision.
///
/// The files come in one archive for all splits, which is to be unpacked by hand.
///
/// Source: G. Cohen et al., *EMNIST: an extension of MNIST to handwritten letters*, 2017.
#[derive(Clone, Debug)]
pub struct EMNIST(InMemoryImages);

impl EMNIST {
    /// Reads one part of one of the six cuts.
    ///
    /// # Errors
    /// If a file is missing or is not of the idx form.
    pub fn new(root: impl Into<DataRoot>, cut: EmnistSplit, split: Split) -> Result<EMNIST> {
        let part = if split == Split::Train { "train" } else { "test" };
        let name = |kind: &str| format!("emnist-{}-{part}-{kind}-ubyte", cut.name());
        let (images, labels) = (name("images-idx3"), name("labels-idx1"));
        Ok(EMNIST(read(&root.into(), &EMNIST_SOURCE, [&images, &labels], None)?))
    }
}

macro_rules! as_images {
    ($($name:ty),*) => {$(
        impl Deref for $name {
            type Target = InMemoryImages;

            fn deref(&self) -> &InMemoryImages {
                &self.0
            }
        }

        impl Dataset for $name {
            type Item = (Tensor, i64);

            fn len(&self) -> usize {
                self.0.len()
            }

            #[track_caller]
            fn get(&self, index: usize) -> Result<(Tensor, i64)> {
                self.0.get(index)
            }
        }

        impl ImageDataset for $name {
            fn read(&self, index: usize, image: &mut Image) -> Result<i64> {
                self.0.read(index, image)
            }
        }
    )*};
}
pub(super) use as_images;
as_images!(MNIST, FashionMNIST, KMNIST, EMNIST);
