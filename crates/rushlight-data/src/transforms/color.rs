use super::{Draws, Transform, check_probability};
use crate::image::{Image, InPlace, Pixel, Rewrite};
use rushlight_array::fail;

/// Makes the colours grey: torchvision's `Grayscale`.
///
/// *Shape*: `(3, H, W)` or `(1, H, W)` -> `(1, H, W)`, or three equal channels.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, Grayscale, Transform};
/// let mut image = Image::from_u8([3, 1, 1], &[100, 200, 50]);
/// Grayscale::new().apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[152][..])); // 29.89 + 117.4 + 5.7, cut
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grayscale {
    channels: usize,
}

impl Grayscale {
    /// One channel.
    pub fn new() -> Grayscale {
        Grayscale { channels: 1 }
    }

    /// One channel or three equal ones.
    ///
    /// # Panics
    /// If it is another number.
    #[must_use]
    #[track_caller]
    pub fn num_output_channels(self, channels: usize) -> Self {
        if channels != 1 && channels != 3 {
            fail!("Grayscale: {channels} output channels; there can be 1 or 3");
        }
        Grayscale { channels }
    }
}

impl Default for Grayscale {
    fn default() -> Self {
        Grayscale::new()
    }
}

impl Transform for Grayscale {
    fn apply(&self, image: &mut Image, _: &mut Draws) {
        let [_, height, width] = colours("Grayscale", image);
        image.rewrite([self.channels, height, width], &Grey { plane: height * width });
    }
}

/// Makes the colours grey with probability `p`, and keeps the number of channels: torchvision's `RandomGrayscale`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RandomGrayscale {
    p: f64,
}

impl RandomGrayscale {
    /// With probability 0.1.
    pub fn new() -> RandomGrayscale {
        RandomGrayscale { p: 0.1 }
    }

    /// The probability.
    ///
    /// # Panics
    /// Unless it is between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn p(self, p: f64) -> Self {
        RandomGrayscale { p: check_probability("RandomGrayscale", p) }
    }
}

impl Default for RandomGrayscale {
    fn default() -> Self {
        RandomGrayscale::new()
    }
}

impl Transform for RandomGrayscale {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        if draws.chance(self.p) {
            let shape = colours("RandomGrayscale", image);
            image.rewrite(shape, &Grey { plane: shape[1] * shape[2] });
        }
    }
}

/// Changes brightness, contrast, saturation and hue at random, in a random order: torchvision's `ColorJitter`.
///
/// *Shape*: `(3, H, W)` or `(1, H, W)` -> the same. Floats are colours from 0 to 1.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{ColorJitter, Draws, Transform};
/// let mut image = Image::from_u8([1, 1, 2], &[10, 200]);
/// ColorJitter::new().brightness([2.0, 2.0]).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[20, 255][..]));
/// ```
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct ColorJitter {
    brightness: Option<[f64; 2]>,
    contrast: Option<[f64; 2]>,
    saturation: Option<[f64; 2]>,
    hue: Option<[f64; 2]>,
}

/// How much a quantity may change: a number around what leaves it as it is, or `[least, greatest]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Jitter {
    /// By this much in both directions.
    Amount(f64),
    /// Between these two.
    Range([f64; 2]),
}

impl From<f64> for Jitter {
    fn from(amount: f64) -> Jitter {
        Jitter::Amount(amount)
    }
}

impl From<[f64; 2]> for Jitter {
    fn from(range: [f64; 2]) -> Jitter {
        Jitter::Range(range)
    }
}

impl Jitter {
    /// The range of factors, or of shifts of the hue; nothing if it changes nothing.
    #[track_caller]
    fn range(self, name: &str, neutral: f64, bounds: [f64; 2]) -> Option<[f64; 2]> {
        let range = match self {
            Jitter::Amount(amount) if amount >= 0.0 => {
                let low = neutral - amount;
                [if name == "hue" { low } else { low.max(0.0) }, neutral + amount]
            }
            Jitter::Amount(amount) => fail!("ColorJitter: {name} is {amount}; a number must not be negative"),
            Jitter::Range(range) => range,
        };
        if !(bounds[0] <= range[0] && range[0] <= range[1] && range[1] <= bounds[1]) {
            fail!("ColorJitter: {name} between {range:?}; it must rise and lie within {bounds:?}");
        }
        (range != [neutral, neutral]).then_some(range)
    }
}

impl ColorJitter {
    /// No change; say what is to change.
    pub fn new() -> ColorJitter {
        ColorJitter::default()
    }

    /// The factor of the brightness: a number b for \[max(0, 1 - b), 1 + b\], or `[least, greatest]`.
    ///
    /// # Panics
    /// If a number or a bound is negative, or the range falls.
    #[must_use]
    #[track_caller]
    pub fn brightness(self, brightness: impl Into<Jitter>) -> Self {
        ColorJitter { brightness: brightness.into().range("brightness", 1.0, [0.0, f64::MAX]), ..self }
    }

    /// The factor of the contrast, as for the brightness.
    ///
    /// # Panics
    /// If a number or a bound is negative, or the range falls.
    #[must_use]
    #[track_caller]
    pub fn contrast(self, contrast: impl Into<Jitter>) -> Self {
        ColorJitter { contrast: contrast.into().range("contrast", 1.0, [0.0, f64::MAX]), ..self }
    }

    /// The factor of the saturation, as for the brightness.
    ///
    /// # Panics
    /// If a number or a bound is negative, or the range falls.
    #[must_use]
    #[track_caller]
    pub fn saturation(self, saturation: impl Into<Jitter>) -> Self {
        ColorJitter { saturation: saturation.into().range("saturation", 1.0, [0.0, f64::MAX]), ..self }
    }

    /// The shift of the hue, as a share of the colour circle: a number h for `[-h, h]`, or `[least, greatest]`.
    ///
    /// # Panics
    /// If it reaches beyond -0.5 or 0.5, or the range falls.
    #[must_use]
    #[track_caller]
    pub fn hue(self, hue: impl Into<Jitter>) -> Self {
        ColorJitter { hue: hue.into().range("hue", 0.0, [-0.5, 0.5]), ..self }
    }
}

impl Transform for ColorJitter {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        let [channels, height, width] = colours("ColorJitter", image);
        let order = draws.generator().randperm(4);
        let mut draw = |range: Option<[f64; 2]>| range.map(|[low, high]| f64::from(draws.uniform(low, high)));
        let ranges = [self.brightness, self.contrast, self.saturation, self.hue];
        let amounts = ranges.map(&mut draw);
        let plane = height * width;
        for change in order {
            let Some(amount) = amounts[change as usize] else { continue };
            match change {
                0 => image.in_place(&Brightness { factor: amount }),
                1 => image.in_place(&Contrast { factor: amount, plane }),
                // Grey has neither saturation nor hue.
                _ if channels == 1 => {}
                2 => image.in_place(&Saturation { factor: amount, plane }),
                _ => image.in_place(&Hue { shift: amount as f32, plane }),
            }
        }
    }
}

/// The shape of an image of one or three channels.
fn colours(what: &str, image: &Image) -> [usize; 3] {
    let shape = image.dims();
    if shape[0] != 1 && shape[0] != 3 {
        fail!("{what}: an image of {} channels; colours need 3, and grey 1", shape[0]);
    }
    shape
}

/// The weights of ITU-R BT.601 with torchvision's digits.
fn grey<P: Pixel>([r, g, b]: [P; 3]) -> P {
    P::truncated(0.2989 * r.to_f32() + 0.587 * g.to_f32() + 0.114 * b.to_f32())
}

/// `factor` of `a` and the rest of `b`, cut to the colours that there are.
fn blend<P: Pixel>(a: P, b: f32, factor: f64) -> P {
    P::truncated((factor as f32 * a.to_f32() + (1.0 - factor) as f32 * b).clamp(0.0, P::WHITE))
}

struct Grey {
    plane: usize,
}

impl Rewrite for Grey {
    fn run<P: Pixel>(&self, from: &[P], to: &mut [P]) {
        let plane = self.plane;
        for out in to.chunks_exact_mut(plane.max(1)) {
            if from.len() == plane {
                out.copy_from_slice(from);
                continue;
            }
            for (i, value) in out.iter_mut().enumerate() {
                *value = grey([from[i], from[plane + i], from[2 * plane + i]]);
            }
        }
    }
}

struct Brightness {
    factor: f64,
}

impl InPlace for Brightness {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        pixels.iter_mut().for_each(|pixel| *pixel = blend(*pixel, 0.0, self.factor));
    }
}

struct Contrast {
    factor: f64,
    plane: usize,
}

impl InPlace for Contrast {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        let (n, p) = (self.plane, &*pixels);
        let value = |i: usize| if p.len() == n { p[i] } else { grey([p[i], p[n + i], p[2 * n + i]]) };
        let sum: f64 = (0..n).map(|i| f64::from(value(i).to_f32())).sum();
        let mean = (sum / n.max(1) as f64) as f32;
        pixels.iter_mut().for_each(|pixel| *pixel = blend(*pixel, mean, self.factor));
    }
}

/// Changes each pixel of three channels on its own.
fn each_colour<P: Pixel>(pixels: &mut [P], plane: usize, change: impl Fn([P; 3]) -> [P; 3]) {
    let (red, rest) = pixels.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = change([*r, *g, *b]);
    }
}

struct Saturation {
    factor: f64,
    plane: usize,
}

impl InPlace for Saturation {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        each_colour(pixels, self.plane, |colour| {
            let grey = grey(colour).to_f32();
            colour.map(|channel| blend(channel, grey, self.factor))
        });
    }
}

struct Hue {
    shift: f32,
    plane: usize,
}

impl InPlace for Hue {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        // Bytes go back by 255.999, so that each of them has an equal share of 0 to 1.
        let back = if P::WHITE == 1.0 { 1.0 } else { P::WHITE + 1.0 - 1e-3 };
        each_colour(pixels, self.plane, |colour| {
            let [h, s, v] = hsv(colour.map(|channel| channel.to_f32() / P::WHITE));
            rgb([(h + self.shift).rem_euclid(1.0), s, v]).map(|x| P::truncated(x * back))
        });
    }
}

/// Hue as a share of the circle, saturation and value: A. R. Smith, *Color gamut transform pairs*, 1978.
fn hsv([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most == least {
        return [0.0, 0.0, most];
    }
    let range = most - least;
    let [rc, gc, bc] = [r, g, b].map(|channel| (most - channel) / range);
    let sixths = if most == r {
        bc - gc
    } else if most == g {
        2.0 + rc - bc
    } else {
        4.0 + gc - rc
    };
    [(sixths / 6.0 + 1.0) % 1.0, range / most, most]
}

fn rgb([h, s, v]: [f32; 3]) -> [f32; 3] {
    let sector = (h * 6.0).floor();
    let f = h * 6.0 - sector;
    let [p, q, t] = [1.0 - s, 1.0 - s * f, 1.0 - s * (1.0 - f)].map(|share| (v * share).clamp(0.0, 1.0));
    match sector as i32 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
