use super::{Draws, Size, Transform};
use crate::image::{Image, Pixel, Rewrite};
use rushlight_array::fail;
use std::cell::RefCell;

/// How the pixels of a resized or turned image come from those of the old one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InterpolationMode {
    /// The nearest one.
    Nearest,
    /// Two by two, by their distance.
    Bilinear,
    /// Four by four, by a cubic curve of their distance.
    Bicubic,
}

/// Makes the image larger or smaller: torchvision's `Resize`, on its tensor images.
///
/// A number is the size of the shorter side, and the longer one keeps the proportion; `[height, width]` is both.
/// Bytes are rounded to the nearest, halves to even.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, Resize, Transform};
/// let mut image = Image::from_f32([1, 2, 4], &[0.0, 2.0, 4.0, 6.0, 0.0, 2.0, 4.0, 6.0]);
/// Resize::new(1).antialias(false).apply(&mut image, &mut Draws::from_default());
/// assert_eq!((image.dims(), image.as_f32()), ([1, 1, 2], Some(&[1.0, 5.0][..])));
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Resize {
    to: Target,
    max_size: Option<usize>,
    interpolation: InterpolationMode,
    antialias: bool,
}

/// What a [`Resize`] aims at: the shorter side, or height and width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The shorter side.
    Shorter(usize),
    /// Height and width.
    Both(Size),
}

impl From<usize> for Target {
    fn from(shorter: usize) -> Target {
        Target::Shorter(shorter)
    }
}

impl From<[usize; 2]> for Target {
    fn from(size: [usize; 2]) -> Target {
        Target::Both(Size(size))
    }
}

impl Resize {
    /// To this size, bilinear, with antialias.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn new(size: impl Into<Target>) -> Resize {
        let to = size.into();
        if matches!(to, Target::Shorter(0) | Target::Both(Size([0, _] | [_, 0]))) {
            fail!("Resize: the size is {to:?}; an image has at least one pixel");
        }
        Resize { to, max_size: None, interpolation: InterpolationMode::Bilinear, antialias: true }
    }

    /// The most that the longer side may become where only the shorter one is given.
    ///
    /// # Panics
    /// Unless it is larger than the shorter side, or if both sides are given.
    #[must_use]
    #[track_caller]
    pub fn max_size(self, max_size: usize) -> Self {
        match self.to {
            Target::Shorter(size) if max_size > size => Resize { max_size: Some(max_size), ..self },
            to => fail!(
                "Resize: max_size is {max_size}, but the size {to:?}; it must be above the shorter side"
            ),
        }
    }

    /// How new pixels come from old ones.
    #[must_use]
    pub fn interpolation(self, interpolation: InterpolationMode) -> Self {
        Resize { interpolation, ..self }
    }

    /// Whether to average over the pixels that one pixel of a smaller image stands for; the default is true.
    /// The nearest pixel is never averaged.
    #[must_use]
    pub fn antialias(self, antialias: bool) -> Self {
        Resize { antialias, ..self }
    }

    fn size(&self, height: usize, width: usize) -> [usize; 2] {
        let shorter = match self.to {
            Target::Both(Size(size)) => return size,
            Target::Shorter(shorter) => shorter,
        };
        let (short, long) = (height.min(width), height.max(width));
        let scaled = |size: usize, by: usize, of: usize| (size as f64 * by as f64 / of as f64) as usize;
        let (mut new_short, mut new_long) = (shorter, scaled(shorter, long, short));
        if let Some(most) = self.max_size.filter(|&most| new_long > most) {
            (new_short, new_long) = (scaled(most, new_short, new_long), most);
        }
        if width <= height { [new_long, new_short] } else { [new_short, new_long] }
    }
}

impl Transform for Resize {
    fn apply(&self, image: &mut Image, _: &mut Draws) {
        let [_, height, width] = image.dims();
        if height * width == 0 {
            fail!("Resize: an image of {height} x {width} pixels; there must be at least one");
        }
        resize(image, self.size(height, width), self.interpolation, self.antialias);
    }
}

pub(super) fn resize(image: &mut Image, size: [usize; 2], mode: InterpolationMode, antialias: bool) {
    let [channels, height, width] = image.dims();
    if size == [height, width] {
        return;
    }
    let [rows, columns] =
        [(height, size[0]), (width, size[1])].map(|(from, to)| Taps::new(from, to, mode, antialias));
    image.rewrite([channels, size[0], size[1]], &Scaled { from: [height, width], rows, columns });
}

/// For each new place of an axis: the first old place, and the weights of it and those after it.
struct Taps {
    starts: Vec<usize>,
    /// As many for each place; those not needed are 0.
    weights: Vec<f32>,
    most: usize,
}

impl Taps {
    fn new(from: usize, to: usize, mode: InterpolationMode, antialias: bool) -> Taps {
        let scale = from as f32 / to as f32;
        let of: Vec<(usize, Vec<f32>)> = match mode {
            InterpolationMode::Nearest => {
                (0..to).map(|i| (((i as f32 * scale) as usize).min(from - 1), vec![1.0])).collect()
            }
            _ if antialias => (0..to).map(|i| averaged(i, from, scale, mode)).collect(),
            _ => (0..to).map(|i| between(i, from, scale, mode)).collect(),
        };
        let most = of.iter().map(|(_, weights)| weights.len()).max().unwrap_or(0);
        let mut weights = vec![0.0; most * to];
        for (place, (_, own)) in weights.chunks_exact_mut(most.max(1)).zip(&of) {
            place[..own.len()].copy_from_slice(own);
        }
        Taps { starts: of.into_iter().map(|(start, _)| start).collect(), weights, most }
    }

    /// Start and weights of new place `i`; those weights that would reach beyond `len` are 0 and left out.
    fn at(&self, i: usize, len: usize) -> (usize, &[f32]) {
        let start = self.starts[i];
        let count = self.most.min(len - start);
        (start, &self.weights[i * self.most..][..count])
    }
}

/// The curve of the weight over the distance, and where it ends.
fn curve(mode: InterpolationMode, antialias: bool) -> (f32, impl Fn(f32) -> f32) {
    // The curves of PyTorch: R. Keys, *Cubic convolution interpolation*, 1981, with a = -0.75, or with -0.5
    // where it averages.
    let a = if antialias { -0.5_f32 } else { -0.75 };
    let cubic = mode == InterpolationMode::Bicubic;
    let weight = move |x: f32| {
        let x = x.abs();
        if !cubic {
            return (1.0 - x).max(0.0);
        }
        if x < 1.0 {
            ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            (((x - 5.0) * x + 8.0) * x - 4.0) * a
        } else {
            0.0
        }
    };
    (if cubic { 2.0 } else { 1.0 }, weight)
}

/// The weights of the old pixels that lie under new pixel `i`, with a curve as wide as a new pixel.
fn averaged(i: usize, from: usize, scale: f32, mode: InterpolationMode) -> (usize, Vec<f32>) {
    let (reach, weight) = curve(mode, true);
    let (support, shrink) = if scale >= 1.0 { (reach * scale, 1.0 / scale) } else { (reach, 1.0) };
    let center = scale * (i as f32 + 0.5);
    let start = (center - support + 0.5).max(0.0) as usize;
    let end = ((center + support + 0.5) as usize).clamp(start + 1, from.max(start + 1));
    // In PyTorch's order of additions: bytes that are half-way between two are rounded alike.
    let offset = start as f32 - center;
    let weights: Vec<f32> = (0..end - start).map(|j| weight((j as f32 + offset + 0.5) * shrink)).collect();
    let sum: f32 = weights.iter().sum();
    (start, weights.into_iter().map(|w| if sum == 0.0 { w } else { w / sum }).collect())
}

/// The weights of the two or four old pixels around the centre of new pixel `i`.
fn between(i: usize, from: usize, scale: f32, mode: InterpolationMode) -> (usize, Vec<f32>) {
    let (reach, weight) = curve(mode, false);
    let mut center = scale * (i as f32 + 0.5) - 0.5;
    if mode == InterpolationMode::Bilinear {
        center = center.max(0.0);
    }
    let share = center - center.floor();
    let (last, reach) = (from as isize - 1, reach as isize);
    let first = center.floor() as isize - (reach - 1);
    let start = first.clamp(0, last);
    let mut weights = vec![0.0; ((first + 2 * reach - 1).clamp(0, last) - start + 1) as usize];
    for j in first..first + 2 * reach {
        let own = match (mode, j - first) {
            // Not by the curve, whose rounding is another.
            (InterpolationMode::Bilinear, 0) => 1.0 - share,
            (InterpolationMode::Bilinear, _) => share,
            (_, j) => weight((j - (reach - 1)) as f32 - share),
        };
        // Beyond the edge stands the last pixel.
        weights[(j.clamp(0, last) - start) as usize] += own;
    }
    (start as usize, weights)
}

struct Scaled {
    from: [usize; 2],
    rows: Taps,
    columns: Taps,
}

thread_local! {
    /// The image between the two passes: as high as the old one, as wide as the new one.
    static BETWEEN: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Rewrite for Scaled {
    fn run<P: Pixel>(&self, from: &[P], to: &mut [P]) {
        let [height, width] = self.from;
        let (new_height, new_width) = (self.rows.starts.len(), self.columns.starts.len());
        BETWEEN.with_borrow_mut(|between| {
            between.resize(height * new_width, 0.0);
            for (plane, out) in
                from.chunks_exact(height * width).zip(to.chunks_exact_mut(new_height * new_width))
            {
                for (row, narrow) in plane.chunks_exact(width).zip(between.chunks_exact_mut(new_width)) {
                    for (x, value) in narrow.iter_mut().enumerate() {
                        let (start, weights) = self.columns.at(x, width);
                        *value = weights.iter().zip(&row[start..]).map(|(w, p)| w * p.to_f32()).sum();
                    }
                }
                for (y, row) in out.chunks_exact_mut(new_width).enumerate() {
                    let (start, weights) = self.rows.at(y, height);
                    for (x, value) in row.iter_mut().enumerate() {
                        let column = between[start * new_width + x..].iter().step_by(new_width);
                        let sum: f32 = weights.iter().zip(column).map(|(w, p)| w * p).sum();
                        *value = P::rounded(sum);
                    }
                }
            }
        });
    }
}
