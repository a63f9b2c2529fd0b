use super::{Draws, Transform, check_probability};
use crate::image::{Image, InPlace, Pixel};

/// Mirrors the image left to right with probability `p`: torchvision's `RandomHorizontalFlip`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RandomHorizontalFlip {
    p: f64,
}

/// Turns the image upside down with probability `p`: torchvision's `RandomVerticalFlip`.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, RandomVerticalFlip, Transform};
/// let mut image = Image::from_u8([1, 2, 2], &[1, 2, 3, 4]);
/// RandomVerticalFlip::new().p(1.0).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[3, 4, 1, 2][..]));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RandomVerticalFlip {
    p: f64,
}

macro_rules! with_probability {
    ($($name:ident),*) => {$(
        impl $name {
            /// With probability 0.5.
            pub fn new() -> Self {
                $name { p: 0.5 }
            }

            /// The probability.
            ///
            /// # Panics
            /// Unless it is between 0 and 1.
            #[must_use]
            #[track_caller]
            pub fn p(self, p: f64) -> Self {
                $name { p: check_probability(stringify!($name), p) }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new()
            }
        }
    )*};
}
with_probability!(RandomHorizontalFlip, RandomVerticalFlip);

impl Transform for RandomHorizontalFlip {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        if draws.chance(self.p) {
            let [_, _, width] = image.dims();
            image.in_place(&Mirror { width });
        }
    }
}

struct Mirror {
    width: usize,
}

impl InPlace for Mirror {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        pixels.chunks_exact_mut(self.width.max(1)).for_each(<[P]>::reverse);
    }
}

impl Transform for RandomVerticalFlip {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        if draws.chance(self.p) {
            let [_, height, width] = image.dims();
            image.in_place(&UpsideDown { height, width });
        }
    }
}

struct UpsideDown {
    height: usize,
    width: usize,
}

impl InPlace for UpsideDown {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        let (height, width) = (self.height, self.width);
        for plane in pixels.chunks_exact_mut((height * width).max(1)) {
            for row in 0..height / 2 {
                let (upper, lower) = plane.split_at_mut((height - 1 - row) * width);
                upper[row * width..(row + 1) * width].swap_with_slice(&mut lower[..width]);
            }
        }
    }
}
