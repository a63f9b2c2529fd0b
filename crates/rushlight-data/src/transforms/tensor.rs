use super::{Draws, Pointwise, Transform};
use crate::image::Image;
use rushlight_array::fail;

/// Bytes 0-255 become floating-point numbers 0-1: torchvision's `ToTensor`. Floats stay as they are.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, ToTensor, Transform};
/// let mut image = Image::from_u8([1, 1, 3], &[0, 51, 255]);
/// ToTensor::new().apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_f32(), Some(&[0.0, 0.2, 1.0][..]));
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct ToTensor {}

impl ToTensor {
    /// The transform.
    pub fn new() -> ToTensor {
        ToTensor {}
    }

    /// A division, as in torchvision, and not a product with 1/255, which rounds otherwise.
    pub(super) fn value(byte: u8) -> f32 {
        f32::from(byte) / 255.0
    }
}

impl Transform for ToTensor {
    fn apply(&self, image: &mut Image, _: &mut Draws) {
        image.convert_to_f32(|from, to| {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = ToTensor::value(from);
            }
        });
    }
}

/// `(x - mean) / std` for each channel of a floating-point image: torchvision's `Normalize`.
///
/// *Shape*: `(C, H, W)` -> the same. One mean or one std goes with any number of channels.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, Normalize, Transform};
/// let mut image = Image::from_f32([2, 1, 1], &[0.5, 0.5]);
/// Normalize::new([0.5, 0.0], [0.5, 0.25]).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_f32(), Some(&[0.0, 2.0][..]));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Normalize {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalize {
    /// The mean and standard deviation of each channel.
    ///
    /// # Panics
    /// If one of the lists is empty, the lengths differ and none is 1, or a std is 0 in f32.
    #[track_caller]
    pub fn new(mean: impl AsRef<[f64]>, std: impl AsRef<[f64]>) -> Normalize {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
        let (mean, std) = (narrow(mean.as_ref()), narrow(std.as_ref()));
        let lengths = (mean.len(), std.len());
        if lengths.0 == 0 || lengths.1 == 0 || (lengths.0 != lengths.1 && lengths.0 != 1 && lengths.1 != 1) {
            fail!(
                "Normalize: {} means and {} stds; there must be one of each for every channel",
                lengths.0,
                lengths.1
            );
        }
        if std.contains(&0.0) {
            fail!("Normalize: std {std:?} has a 0, by which nothing can be divided");
        }
        Normalize { mean, std }
    }
}

impl Pointwise for Normalize {
    fn channels(&self) -> usize {
        self.mean.len().max(self.std.len())
    }

    fn map(&self, channel: usize, x: f32) -> f32 {
        let of = |values: &[f32]| values[if values.len() == 1 { 0 } else { channel }];
        (x - of(&self.mean)) / of(&self.std)
    }
}

impl Transform for Normalize {
    fn apply(&self, image: &mut Image, _: &mut Draws) {
        let [channels, height, width] = image.dims();
        let own = self.channels();
        if own != 1 && own != channels {
            fail!(
                "Normalize: an image of {channels} channels, but {own} means and stds; their number must be 1 or that of the channels"
            );
        }
        let Some(pixels) = image.as_f32_mut() else {
            fail!("Normalize: an image of bytes; it takes floating-point ones, so put ToTensor before it");
        };
        for (channel, plane) in pixels.chunks_exact_mut((height * width).max(1)).enumerate() {
            plane.iter_mut().for_each(|x| *x = self.map(if own == 1 { 0 } else { channel }, *x));
        }
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        Some(self)
    }
}
