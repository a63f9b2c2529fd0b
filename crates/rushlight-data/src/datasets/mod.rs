//! Data sets under torchvision's and torchaudio's names, and where their files come from ([`DataRoot`]).
//!
//! | set | files |
//! | --- | --- |
//! | [`MNIST`], [`FashionMNIST`], [`KMNIST`], [`EMNIST`] | idx |
//! | [`CIFAR10`], [`CIFAR100`] | the binary form |
//! | `ImageFolder` (feature `image`) | PNG and JPEG in one folder for each class |
//! | `CsvTable` (feature `csv`) | a table with a header |
//! | `VoxCeleb1Identification`, `VoxCeleb1Verification`, `CMUARCTIC` (feature `audio`) | WAV in torchaudio's folders |
//!
//! With the feature `gzip` compressed files are read as they are, and with `download` they are fetched where a
//! mirror has them.

#[cfg(feature = "audio")]
mod audio;
pub mod cifar;
#[cfg(feature = "csv")]
mod csv_table;
#[cfg(feature = "download")]
mod download;
pub(crate) mod files;
#[cfg(feature = "image")]
mod folder;
mod mnist;
mod root;
#[cfg(feature = "audio")]
pub mod wav;

#[cfg(feature = "audio")]
pub use audio::{CMUARCTIC, Subset, VoxCeleb1Identification, VoxCeleb1Verification};
pub use cifar::{CIFAR10, CIFAR100};
#[cfg(feature = "csv")]
pub use csv_table::{CsvOptions, CsvTable};
#[cfg(feature = "image")]
pub use folder::ImageFolder;
pub use mnist::{EMNIST, EmnistSplit, FashionMNIST, KMNIST, MNIST};
pub use root::DataRoot;

/// Which part of a data set: torchvision's argument `train`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Split {
    /// To learn from.
    Train,
    /// To be tested with.
    Test,
}
