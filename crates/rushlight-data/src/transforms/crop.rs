use super::pad::{Beyond, Padding, PaddingMode, pad, window};
use super::resize::{InterpolationMode, resize};
use super::{Draws, Size, Transform, round};
use crate::image::Image;
use rushlight_array::fail;

/// Cuts out a part at a random place: torchvision's `RandomCrop`.
///
/// *Shape*: `(C, H, W)` -> `(C, size)`.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, RandomCrop, Transform};
/// let mut image = Image::from_u8([1, 32, 32], &[7; 1024]);
/// RandomCrop::new(32).padding(4).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.dims(), [1, 32, 32]);
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RandomCrop {
    size: Size,
    padding: Padding,
    pad_if_needed: bool,
    beyond: Beyond,
}

impl RandomCrop {
    /// A part of this size: a number for a square, or `[height, width]`.
    pub fn new(size: impl Into<Size>) -> RandomCrop {
        let (padding, beyond) = (Padding::default(), Beyond::default());
        RandomCrop { size: size.into(), padding, pad_if_needed: false, beyond }
    }

    /// Pixels around the image before the cut, as for [`Pad`](super::Pad); the default is none.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        RandomCrop { padding: padding.into(), ..self }
    }

    /// Whether an image that is too small is padded on both sides; the default is false.
    #[must_use]
    pub fn pad_if_needed(self, pad_if_needed: bool) -> Self {
        RandomCrop { pad_if_needed, ..self }
    }

    /// The value of the pixels around the image; the default is 0.
    #[must_use]
    pub fn fill(self, fill: f64) -> Self {
        RandomCrop { beyond: Beyond { fill: fill as f32, ..self.beyond }, ..self }
    }

    /// Where the pixels around the image come from.
    #[must_use]
    pub fn padding_mode(self, mode: PaddingMode) -> Self {
        RandomCrop { beyond: Beyond { mode, ..self.beyond }, ..self }
    }
}

impl Transform for RandomCrop {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        let Size([rows, columns]) = self.size;
        let Padding([left, top, right, bottom]) = self.padding;
        let [_, height, width] = image.dims();
        let padded = [height + top + bottom, width + left + right];
        let lacks = [rows.saturating_sub(padded[0]), columns.saturating_sub(padded[1])];
        if lacks != [0, 0] {
            if !self.pad_if_needed {
                fail!(
                    "RandomCrop: an image of {} x {} pixels is smaller than the crop of {rows} x {columns}; \
                     use padding or pad_if_needed(true)",
                    padded[0],
                    padded[1]
                );
            }
            // One after the other: a mirrored edge of a mirrored edge is not the same as one wider mirror.
            pad(image, self.padding, self.beyond);
            pad(image, Padding([lacks[1], 0, lacks[1], 0]), self.beyond);
            pad(image, Padding([0, lacks[0], 0, lacks[0]]), self.beyond);
            let [_, height, width] = image.dims();
            let (y, x) = place([height, width], self.size, draws);
            return window(image, y as isize, x as isize, [rows, columns], self.beyond);
        }
        // The padded image is never made: the window reaches beyond the image's edge.
        let (y, x) = place(padded, self.size, draws);
        window(image, y as isize - top as isize, x as isize - left as isize, [rows, columns], self.beyond);
    }
}

/// The upper left corner; nothing is drawn where there is no choice.
fn place(image: [usize; 2], Size(size): Size, draws: &mut Draws) -> (usize, usize) {
    if image == size {
        return (0, 0);
    }
    let y = draws.below(image[0] - size[0] + 1);
    (y, draws.below(image[1] - size[1] + 1))
}

/// Cuts out the middle; an image that is too small gets zeros around it: torchvision's `CenterCrop`.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{CenterCrop, Draws, Transform};
/// let mut image = Image::from_u8([1, 1, 4], &[1, 2, 3, 4]);
/// CenterCrop::new([1, 2]).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[2, 3][..]));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CenterCrop {
    size: Size,
}

impl CenterCrop {
    /// A part of this size: a number for a square, or `[height, width]`.
    pub fn new(size: impl Into<Size>) -> CenterCrop {
        CenterCrop { size: size.into() }
    }
}

impl Transform for CenterCrop {
    fn apply(&self, image: &mut Image, _: &mut Draws) {
        let [_, height, width] = image.dims();
        let Size(size) = self.size;
        // Too small by n: n / 2 zeros before it. Too large by n: it starts at n / 2, halves rounded to even.
        let start = |image: usize, part: usize| {
            if part > image {
                -(((part - image) / 2) as isize)
            } else {
                round((image - part) as f64 / 2.0) as isize
            }
        };
        window(image, start(height, size[0]), start(width, size[1]), size, Beyond::default());
    }
}

/// Cuts out a part of random area and proportions and resizes it: torchvision's `RandomResizedCrop`.
///
/// *Shape*: `(C, H, W)` -> `(C, size)`.
///
/// Source: C. Szegedy et al., *Going deeper with convolutions*, 2015.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RandomResizedCrop {
    size: Size,
    scale: [f64; 2],
    ratio: [f64; 2],
    interpolation: InterpolationMode,
    antialias: bool,
}

impl RandomResizedCrop {
    /// To this size: 8 % to all of the area, between 3 : 4 and 4 : 3, bilinear with antialias.
    pub fn new(size: impl Into<Size>) -> RandomResizedCrop {
        RandomResizedCrop {
            size: size.into(),
            scale: [0.08, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
            interpolation: InterpolationMode::Bilinear,
            antialias: true,
        }
    }

    /// The least and greatest share of the area.
    ///
    /// # Panics
    /// Unless `0 <= scale[0] <= scale[1]`.
    #[must_use]
    #[track_caller]
    pub fn scale(self, scale: [f64; 2]) -> Self {
        check_range("RandomResizedCrop", "scale", scale);
        RandomResizedCrop { scale, ..self }
    }

    /// The least and greatest width divided by height.
    ///
    /// # Panics
    /// Unless `0 < ratio[0] <= ratio[1]`.
    #[must_use]
    #[track_caller]
    pub fn ratio(self, ratio: [f64; 2]) -> Self {
        check_range("RandomResizedCrop", "ratio", ratio);
        RandomResizedCrop { ratio, ..self }
    }

    /// How to resize.
    #[must_use]
    pub fn interpolation(self, interpolation: InterpolationMode) -> Self {
        RandomResizedCrop { interpolation, ..self }
    }

    /// Whether to average over the pixels that one pixel of a smaller image stands for; the default is true.
    #[must_use]
    pub fn antialias(self, antialias: bool) -> Self {
        RandomResizedCrop { antialias, ..self }
    }

    /// Row, column, height, width.
    fn part(&self, [height, width]: [usize; 2], draws: &mut Draws) -> [usize; 4] {
        let logs = log_range(self.ratio);
        for _ in 0..10 {
            let area = (height * width) as f64 * f64::from(draws.uniform(self.scale[0], self.scale[1]));
            let ratio = f64::from(draws.uniform(logs[0], logs[1]).exp());
            let (w, h) = (round((area * ratio).sqrt()), round((area / ratio).sqrt()));
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let y = draws.below(height - h + 1);
                return [y, draws.below(width - w + 1), h, w];
            }
        }
        let ratio = width as f64 / height as f64;
        let (h, w) = if ratio < self.ratio[0] {
            (round(width as f64 / self.ratio[0]), width)
        } else if ratio > self.ratio[1] {
            (height, round(height as f64 * self.ratio[1]))
        } else {
            (height, width)
        };
        [height.saturating_sub(h) / 2, width.saturating_sub(w) / 2, h, w]
    }
}

impl Transform for RandomResizedCrop {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        let [_, height, width] = image.dims();
        let [y, x, h, w] = self.part([height, width], draws);
        window(image, y as isize, x as isize, [h, w], Beyond::default());
        resize(image, self.size.0, self.interpolation, self.antialias);
    }
}

/// The logarithms in f32, as PyTorch takes them.
pub(super) fn log_range(range: [f64; 2]) -> [f64; 2] {
    range.map(|ratio| f64::from((ratio as f32).ln()))
}

#[track_caller]
pub(super) fn check_range(what: &str, name: &str, range: [f64; 2]) {
    let least = if name == "ratio" { f64::MIN_POSITIVE } else { 0.0 };
    if !(least <= range[0] && range[0] <= range[1] && range[1].is_finite()) {
        fail!("{what}: {name} is {range:?}; it must be [least, greatest], neither negative");
    }
}
