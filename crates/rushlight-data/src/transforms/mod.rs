//! What is done to each image on its way to a batch: `torchvision.transforms`.
//!
//! A [`Transform`] changes an [`Image`](crate::Image) in place; [`Compose`] runs several, one after the other. Names,
//! defaults and numbers are torchvision's, for its tensor images (bytes or floats of shape `(C, H, W)`; its PIL
//! images are resized with other rounding).
//!
//! **Random transforms** draw from [`Draws`]: in a loader a stream of the epoch and the sample, which no worker has
//! a part in. The order of the draws is torchvision's too.
//!
//! **Speed.** After [`ToTensor`] a byte has 256 values, so all that depends on value and channel alone
//! ([`Normalize`]) becomes one table that is made once; the numbers go straight into the batch.
//!
//! ```
//! use rushlight_data::transforms::{Normalize, RandomCrop, RandomHorizontalFlip, ToTensor};
//! use rushlight_data::{DataLoader, ImageDataset, InMemoryImages};
//!
//! let images = InMemoryImages::new([3, 32, 32], vec![128; 2 * 3072], vec![0, 1]);
//! let train = images.transform((
//!     RandomCrop::new(32).padding(4),
//!     RandomHorizontalFlip::new(),
//!     ToTensor::new(),
//!     Normalize::new([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]),
//! ));
//! let (x, y) = DataLoader::new(train).batch_size(2).iter().next().unwrap()?;
//! assert_eq!((x.shape().to_vec(), y.to_vec::<i64>()), (vec![2, 3, 32, 32], vec![0, 1]));
//! # Ok::<(), rushlight_array::Error>(())
//! ```

mod affine;
mod color;
mod compose;
mod crop;
mod erase;
mod flip;
mod lambda;
mod pad;
mod resize;
mod tensor;
mod warp;

pub use crate::draws::Draws;
pub use affine::{Degrees, RandomAffine, RandomRotation, Shear};
pub use color::{ColorJitter, Grayscale, Jitter, RandomGrayscale};
pub use compose::{Compose, IntoTransforms, Pointwise, RandomApply, Transform};
pub use crop::{CenterCrop, RandomCrop, RandomResizedCrop};
pub use erase::{ErasingValue, RandomErasing};
pub use flip::{RandomHorizontalFlip, RandomVerticalFlip};
pub use lambda::Lambda;
pub use pad::{Pad, Padding, PaddingMode};
pub use resize::{InterpolationMode, Resize, Target};
pub use tensor::{Normalize, ToTensor};

pub(crate) use compose::Finish;

/// `(height, width)` from a number, which means a square, or from a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub(crate) [usize; 2]);

impl From<usize> for Size {
    fn from(side: usize) -> Size {
        Size([side, side])
    }
}

impl From<[usize; 2]> for Size {
    fn from(size: [usize; 2]) -> Size {
        Size(size)
    }
}

impl From<(usize, usize)> for Size {
    fn from((height, width): (usize, usize)) -> Size {
        Size([height, width])
    }
}

/// Whether `p` is a probability.
#[track_caller]
fn check_probability(what: &str, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        rushlight_array::fail!("{what}: p is {p}; a probability is between 0 and 1");
    }
    p
}

/// The nearest whole number, halves to even, as Python's `round`; not negative.
fn round(value: f64) -> usize {
    value.round_ties_even().max(0.0) as usize
}
