use super::warp::{Matrix, Motion, Reading, warp};
use super::{Draws, InterpolationMode, Transform};
use crate::image::Image;
use rushlight_array::fail;

/// A range of angles, in degrees: a number d means `[-d, d]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Degrees([f64; 2]);

impl From<f64> for Degrees {
    fn from(most: f64) -> Degrees {
        Degrees([-most, most])
    }
}

impl From<i32> for Degrees {
    fn from(most: i32) -> Degrees {
        Degrees::from(f64::from(most))
    }
}

impl From<[f64; 2]> for Degrees {
    fn from(range: [f64; 2]) -> Degrees {
        Degrees(range)
    }
}

impl Degrees {
    #[track_caller]
    fn checked(self, what: &str) -> [f64; 2] {
        let Degrees([low, high]) = self;
        if !(low <= high && (high - low).is_finite()) {
            fail!(
                "{what}: angles from {low} to {high}; a single number must not be negative, a range must rise"
            );
        }
        [low, high]
    }
}

/// Turns the image by a random angle, counter-clockwise: torchvision's `RandomRotation`.
///
/// *Shape*: `(C, H, W)` -> the same, or with [`expand`](RandomRotation::expand) as large as it takes.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, RandomRotation, Transform};
/// let mut image = Image::from_u8([1, 3, 3], &[0, 0, 1, 0, 0, 2, 0, 0, 3]);
/// RandomRotation::new([90.0, 90.0]).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[1, 2, 3, 0, 0, 0, 0, 0, 0][..]));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct RandomRotation {
    degrees: [f64; 2],
    expand: bool,
    center: Option<[f64; 2]>,
    reading: Reading,
}

impl RandomRotation {
    /// By an angle of this range: a number d for -d to d, or `[least, greatest]`.
    ///
    /// # Panics
    /// If the number is negative or the range falls.
    #[track_caller]
    pub fn new(degrees: impl Into<Degrees>) -> RandomRotation {
        let degrees = degrees.into().checked("RandomRotation");
        RandomRotation { degrees, expand: false, center: None, reading: Reading::new() }
    }

    /// How to read between pixels; the default is the nearest.
    ///
    /// # Panics
    /// If it is `Bicubic`.
    #[must_use]
    #[track_caller]
    pub fn interpolation(self, interpolation: InterpolationMode) -> Self {
        RandomRotation { reading: self.reading.interpolation("RandomRotation", interpolation), ..self }
    }

    /// Whether the result is as large as the whole turned image takes; the default is false. It is meant for a
    /// turn about the middle.
    #[must_use]
    pub fn expand(self, expand: bool) -> Self {
        RandomRotation { expand, ..self }
    }

    /// The point that stays where it is, `[x, y]` in pixels from the upper left; the default is the middle.
    #[must_use]
    pub fn center(self, center: [f64; 2]) -> Self {
        RandomRotation { center: Some(center), ..self }
    }

    /// The value beyond the image, one or one for each channel; the default is 0.
    ///
    /// # Panics
    /// If the list is empty.
    #[must_use]
    #[track_caller]
    pub fn fill(self, fill: impl AsRef<[f64]>) -> Self {
        let fill = fills("RandomRotation", fill.as_ref());
        RandomRotation { reading: Reading { fill, ..self.reading }, ..self }
    }
}

impl Transform for RandomRotation {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        let [_, height, width] = image.dims();
        let angle = f64::from(draws.uniform(self.degrees[0], self.degrees[1]));
        let center = from_middle(self.center, height, width);
        let motion = Motion { angle: -angle, translate: [0.0; 2], scale: 1.0, shear: [0.0; 2], center };
        let matrix = motion.inverse();
        let size = if self.expand { expanded(&matrix, height, width) } else { [height, width] };
        warp(image, matrix, size, &self.reading);
    }
}

/// A point in pixels from the upper left, counted from the middle.
fn from_middle(point: Option<[f64; 2]>, height: usize, width: usize) -> [f64; 2] {
    point.map_or([0.0; 2], |[x, y]| [x - width as f64 * 0.5, y - height as f64 * 0.5])
}

#[track_caller]
fn fills(what: &str, fill: &[f64]) -> Vec<f32> {
    if fill.is_empty() {
        fail!("{what}: no fill value; give one, or one for each channel");
    }
    fill.iter().map(|&value| value as f32).collect()
}

/// Height and width of the box around the four corners.
fn expanded(m: &Matrix, height: usize, width: usize) -> [usize; 2] {
    let (w, h) = (width as f64 * 0.5, height as f64 * 0.5);
    let extent = |a: f64, b: f64, c: f64, half: f64| {
        let corners = [(-w, -h), (-w, h), (w, h), (w, -h)].map(|(x, y)| a * x + b * y + c + half);
        // Cut to 1e-4, so that a corner that is off by rounding does not cost a pixel.
        let cut = |x: f64| (x / 1e-4).trunc() * 1e-4;
        let least = corners.into_iter().fold(f64::INFINITY, f64::min);
        let most = corners.into_iter().fold(f64::NEG_INFINITY, f64::max);
        (cut(most).ceil() - cut(least).floor()) as usize
    };
    [extent(m[3], m[4], m[5], h), extent(m[0], m[1], m[2], w)]
}

/// Turns, moves, scales and shears the image at random: torchvision's `RandomAffine`.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, RandomAffine, Transform};
/// let mut image = Image::from_u8([1, 1, 3], &[1, 2, 3]);
/// let still = RandomAffine::new(0).scale([1.0, 1.0]).shear(0);
/// still.apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[1, 2, 3][..]));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct RandomAffine {
    degrees: [f64; 2],
    translate: Option<[f64; 2]>,
    scale: Option<[f64; 2]>,
    shear: Option<([f64; 2], Option<[f64; 2]>)>,
    center: Option<[f64; 2]>,
    reading: Reading,
}

/// The angles of a shear, in degrees: a number d or a range for the x axis, or ranges for x and y.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shear(Degrees, Option<Degrees>);

impl<D: Into<Degrees>> From<D> for Shear {
    fn from(degrees: D) -> Shear {
        Shear(degrees.into(), None)
    }
}

impl From<[f64; 4]> for Shear {
    fn from([x0, x1, y0, y1]: [f64; 4]) -> Shear {
        Shear(Degrees([x0, x1]), Some(Degrees([y0, y1])))
    }
}

impl RandomAffine {
    /// Turned by an angle of this range: a number d for -d to d, or `[least, greatest]`. Clockwise is positive, as
    /// in torchvision, where [`RandomRotation`] has it the other way.
    ///
    /// # Panics
    /// If the number is negative or the range falls.
    #[track_caller]
    pub fn new(degrees: impl Into<Degrees>) -> RandomAffine {
        let degrees = degrees.into().checked("RandomAffine");
        RandomAffine {
            degrees,
            translate: None,
            scale: None,
            shear: None,
            center: None,
            reading: Reading::new(),
        }
    }

    /// The most that it moves, `[x, y]`, as shares of the width and of the height.
    ///
    /// # Panics
    /// Unless both are between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn translate(self, translate: [f64; 2]) -> Self {
        if !translate.iter().all(|share| (0.0..=1.0).contains(share)) {
            fail!("RandomAffine: translate is {translate:?}; both must be between 0 and 1");
        }
        RandomAffine { translate: Some(translate), ..self }
    }

    /// The least and the greatest factor of its size.
    ///
    /// # Panics
    /// Unless both are above 0 and rise.
    #[must_use]
    #[track_caller]
    pub fn scale(self, scale: [f64; 2]) -> Self {
        if !(0.0 < scale[0] && scale[0] <= scale[1] && scale[1].is_finite()) {
            fail!("RandomAffine: scale is {scale:?}; it must be [least, greatest], both above 0");
        }
        RandomAffine { scale: Some(scale), ..self }
    }

    /// The angles of the shear, in degrees: along x alone for a number d (-d to d) or a range, along x and y for
    /// `[x least, x greatest, y least, y greatest]`.
    ///
    /// # Panics
    /// If a number is negative or a range falls.
    #[must_use]
    #[track_caller]
    pub fn shear(self, shear: impl Into<Shear>) -> Self {
        let Shear(x, y) = shear.into();
        // No `map`: the caller's line does not pass through a closure.
        #[allow(clippy::manual_map, reason = "see above")]
        let y = match y {
            Some(range) => Some(range.checked("RandomAffine: shear")),
            None => None,
        };
        RandomAffine { shear: Some((x.checked("RandomAffine: shear"), y)), ..self }
    }

    /// How to read between pixels; the default is the nearest.
    ///
    /// # Panics
    /// If it is `Bicubic`.
    #[must_use]
    #[track_caller]
    pub fn interpolation(self, interpolation: InterpolationMode) -> Self {
        RandomAffine { reading: self.reading.interpolation("RandomAffine", interpolation), ..self }
    }

    /// The value beyond the image, one or one for each channel; the default is 0.
    ///
    /// # Panics
    /// If the list is empty.
    #[must_use]
    #[track_caller]
    pub fn fill(self, fill: impl AsRef<[f64]>) -> Self {
        let fill = fills("RandomAffine", fill.as_ref());
        RandomAffine { reading: Reading { fill, ..self.reading }, ..self }
    }

    /// The point that turn, scale and shear leave where it is, `[x, y]` in pixels from the upper left; the default
    /// is the middle.
    #[must_use]
    pub fn center(self, center: [f64; 2]) -> Self {
        RandomAffine { center: Some(center), ..self }
    }
}

impl Transform for RandomAffine {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        let [_, height, width] = image.dims();
        let mut draw = |[low, high]: [f64; 2]| f64::from(draws.uniform(low, high));
        let angle = draw(self.degrees);
        let translate = self.translate.map_or([0.0; 2], |[x, y]| {
            let (x, y) = (x * width as f64, y * height as f64);
            [draw([-x, x]).round_ties_even(), draw([-y, y]).round_ties_even()]
        });
        let scale = self.scale.map_or(1.0, &mut draw);
        let shear = self.shear.map_or([0.0; 2], |(x, y)| [draw(x), y.map_or(0.0, &mut draw)]);
        let center = from_middle(self.center, height, width);
        let motion = Motion { angle, translate, scale, shear, center };
        warp(image, motion.inverse(), [height, width], &self.reading);
    }
}
