//! Resizing: `interpolate`. Every mode but area works axis by axis: each new place is a weighted sum of a few old ones.

use super::adaptive::{adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

/// Along one axis: the tables of places and weights stay within a few gigabytes.
const MOST_PLACES: usize = 1 << 27;

/// How [`interpolate_with`] finds values between the given ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum InterpolateMode {
    /// The nearest element, with places rounded down as in old versions of OpenCV.
    #[default]
    Nearest,
    /// The nearest element, with places rounded to the nearest centre, as in Pillow.
    NearestExact,
    /// On lines between neighbours; one axis.
    Linear,
    /// On lines between neighbours; two axes.
    Bilinear,
    /// By cubic convolution (Keys, "Cubic convolution interpolation for digital image processing", 1981) with `a` =
    /// -0.75, or -0.5 with antialiasing; two axes.
    Bicubic,
    /// On lines between neighbours; three axes.
    Trilinear,
    /// Means over windows: adaptive average pooling.
    Area,
}

impl InterpolateMode {
    /// The number of axes, if the mode wants a fixed one.
    fn axes(self) -> Option<usize> {
        match self {
            InterpolateMode::Linear => Some(1),
            InterpolateMode::Bilinear | InterpolateMode::Bicubic => Some(2),
            InterpolateMode::Trilinear => Some(3),
            _ => None,
        }
    }
}

/// The wanted sizes, or the factors by which sizes grow; a single one stands for all axes.
///
/// Nobody writes it out: integers are sizes, floats are factors.
#[derive(Clone, PartialEq, Debug)]
pub enum Resize {
    /// New sizes.
    Size(Vec<usize>),
    /// Factors; the new sizes are rounded down.
    Scale(Vec<f64>),
}

impl From<usize> for Resize {
    fn from(size: usize) -> Self {
        Resize::Size(vec![size])
    }
}

impl<const N: usize> From<[usize; N]> for Resize {
    fn from(sizes: [usize; N]) -> Self {
        Resize::Size(sizes.to_vec())
    }
}

impl From<f64> for Resize {
    fn from(factor: f64) -> Self {
        Resize::Scale(vec![factor])
    }
}

impl<const N: usize> From<[f64; N]> for Resize {
    fn from(factors: [f64; N]) -> Self {
        Resize::Scale(factors.to_vec())
    }
}

/// Options of [`interpolate_with`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InterpolateOptions {
    /// How values in between are found.
    pub mode: InterpolateMode,
    /// Whether the outermost elements keep their places, instead of the outer edges of them. Only for the linear and
    /// cubic modes; `None` is false.
    pub align_corners: Option<bool>,
    /// Whether places follow from the sizes, instead of the given factors. `None` is false.
    pub recompute_scale_factor: Option<bool>,
    /// Whether the sums reach over as many old elements as one new element covers. Only for bilinear and bicubic.
    pub antialias: bool,
}

/// The sums that make one axis: for each tap the old places and their weights, one for each new place.
struct Axis {
    places: Vec<Vec<i64>>,
    weights: Vec<Vec<f64>>,
}

impl Axis {
    fn new(taps: usize) -> Axis {
        Axis { places: vec![vec![]; taps], weights: vec![vec![]; taps] }
    }

    /// Adds a new place: the sum over `taps` old ones from `first` on, those outside moved to the edge.
    fn push(&mut self, first: i64, size: usize, weight: impl Fn(usize) -> f64) {
        for tap in 0..self.places.len() {
            self.places[tap].push((first + tap as i64).clamp(0, size as i64 - 1));
            self.weights[tap].push(weight(tap));
        }
    }
}

/// How far apart new places lie, in old ones.
fn spacing(size: usize, output: usize, scale: Option<f64>, align: bool) -> f64 {
    match scale {
        _ if align => {
            if output > 1 {
                (size - 1) as f64 / (output - 1) as f64
            } else {
                0.0
            }
        }
        Some(scale) if scale > 0.0 => 1.0 / scale,
        _ => size as f64 / output as f64,
    }
}

/// Rounds to what PyTorch computes places in: single precision for all inputs but doubles.
fn rounded(x: f64, wide: bool) -> f64 {
    if wide { x } else { f64::from(x as f32) }
}

/// Nearest neighbours; places are computed in single precision whatever the dtype.
fn nearest(size: usize, output: usize, scale: Option<f64>, exact: bool) -> Axis {
    let step = spacing(size, output, scale, false) as f32;
    let mut axis = Axis::new(1);
    for i in 0..output {
        let place = if exact { (i as f32 + 0.5) * step } else { i as f32 * step };
        axis.push((place.floor() as i64).min(size as i64 - 1), size, |_| 1.0);
    }
    axis
}

/// The place of a new element among the old ones.
fn place(i: usize, step: f64, align: bool) -> f64 {
    if align { i as f64 * step } else { (i as f64 + 0.5) * step - 0.5 }
}

fn linear(size: usize, output: usize, scale: Option<f64>, align: bool, wide: bool) -> Axis {
    let step = rounded(spacing(size, output, scale, align), wide);
    let mut axis = Axis::new(2);
    for i in 0..output {
        let at = rounded(place(i, step, align), wide).max(0.0);
        let first = (at.floor() as i64).min(size as i64 - 1);
        let share = (at - first as f64).clamp(0.0, 1.0);
        axis.push(first, size, |tap| if tap == 0 { 1.0 - share } else { share });
    }
    axis
}

/// The cubic kernel at a distance.
fn cubic_weight(distance: f64, a: f64) -> f64 {
    let x = distance.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((x - 5.0) * x + 8.0) * x * a - 4.0 * a
    } else {
        0.0
    }
}

fn cubic(size: usize, output: usize, scale: Option<f64>, align: bool, wide: bool) -> Axis {
    let step = rounded(spacing(size, output, scale, align), wide);
    let mut axis = Axis::new(4);
    for i in 0..output {
        let at = rounded(place(i, step, align), wide);
        let first = at.floor();
        let share = at - first;
        axis.push(first as i64 - 1, size, |tap| cubic_weight(share - (tap as f64 - 1.0), -0.75));
    }
    axis
}

/// Weights of a kernel that is stretched over all old elements that a new one covers, and sum to 1.
fn antialiased(size: usize, output: usize, scale: Option<f64>, align: bool, cubic: bool) -> Axis {
    let step = spacing(size, output, scale, align);
    let stretch = step.max(1.0);
    let reach = if cubic { 2.0 } else { 1.0 } * stretch;
    let mut axis = Axis::new((reach.ceil() as usize * 2 + 1).min(size.max(1)));
    let taps = axis.places.len() as i64;
    for i in 0..output {
        let centre = step * (i as f64 + 0.5);
        let low = ((centre - reach + 0.5) as i64).max(0);
        let high = ((centre + reach + 0.5) as i64).min(size as i64);
        let weight = |place: i64| {
            let distance = (place as f64 - centre + 0.5) / stretch;
            match cubic {
                _ if place < low || place >= high => 0.0,
                true => cubic_weight(distance, -0.5),
                false => (1.0 - distance.abs()).max(0.0),
            }
        };
        let total: f64 = (low..high).map(weight).sum();
        let first = low.min(size as i64 - taps).max(0);
        axis.push(first, size, |tap| weight(first + tap as i64) / total);
    }
    axis
}

/// The sums along a dim, in operations with rules of their own.
fn resample(x: &Tensor, dim: usize, axis: Axis) -> Tensor {
    let mut shape = vec![1; x.shape().len()];
    shape[dim] = axis.places[0].len();
    let pick = |places: Vec<i64>| {
        let count = places.len();
        let index = Array::from_vec(places, count).to_device(&x.device());
        x.index_select(dim as isize, &index.into())
    };
    let mut sum: Option<Tensor> = None;
    let single = axis.places.len() == 1;
    for (places, weights) in axis.places.into_iter().zip(axis.weights) {
        let mut term = pick(places);
        if !single {
            let weights = Array::from_vec(weights, shape.as_slice()).cast(x.dtype()).to_device(&x.device());
            term *= Tensor::from(weights);
        }
        sum = Some(match sum {
            Some(sum) => sum + term,
            None => term,
        });
    }
    sum.expect("there is a tap at least")
}

/// The new sizes, and the factors that places are computed from.
#[track_caller]
fn sizes(sizes: &[usize], to: &Resize, recompute: bool) -> (Vec<usize>, Vec<Option<f64>>) {
    let given = match to {
        Resize::Size(list) => list.len(),
        Resize::Scale(list) => list.len(),
    };
    if given != 1 && given != sizes.len() {
        fail!("interpolate: {given} sizes or factors for {} axes; give one, or one for each", sizes.len());
    }
    let mut all = (Vec::new(), Vec::new());
    for (i, &size) in sizes.iter().enumerate() {
        let (output, scale) = match to {
            Resize::Size(list) => (list[i % given], None),
            Resize::Scale(list) => {
                let factor = list[i % given];
                let output = (size as f64 * factor).floor();
                // NaN is not in the range, too.
                if !(1.0..=(1u64 << 48) as f64).contains(&output) {
                    fail!("interpolate: factor {factor} makes size {size} to {output}, which is no size");
                }
                (output as usize, (!recompute).then_some(factor))
            }
        };
        if output == 0 || size == 0 {
            fail!("interpolate: input sizes {sizes:?} cannot become {to:?}; all sizes must be at least 1");
        }
        if output > MOST_PLACES {
            fail!(
                "interpolate: input sizes {sizes:?} cannot become {to:?}; a size may be at most {MOST_PLACES}"
            );
        }
        all.0.push(output);
        all.1.push(scale);
    }
    all
}

/// The elements of images at more or fewer places, by nearest neighbours: PyTorch's `functional.interpolate`.
///
/// Shape: `(N, C, *)` with one to three axes -> the same with the wanted sizes; `u8` is allowed.
///
/// ```
/// use rushlight_autograd::{ops::interpolate, tensor};
/// let x = tensor([[[1.0, 2.0]]]);
/// assert_eq!(interpolate(&x, 4).to_vec::<f32>(), [1.0, 1.0, 2.0, 2.0]);
/// assert_eq!(interpolate(&x, 0.5).to_vec::<f32>(), [1.0]);
/// ```
///
/// # Panics
/// If the shape does not fit, the dtype is neither a float nor `u8`, or a size is 0.
#[track_caller]
pub fn interpolate(x: &Tensor, to: impl Into<Resize>) -> Tensor {
    interpolate_with(x, to, InterpolateOptions::default())
}

/// As [`interpolate`], with options.
///
/// ```
/// use rushlight_autograd::ops::{InterpolateMode, InterpolateOptions, interpolate_with};
/// use rushlight_autograd::tensor;
/// let options =
///     InterpolateOptions { mode: InterpolateMode::Linear, align_corners: Some(true), ..Default::default() };
/// let y = interpolate_with(&tensor([[[1.0, 3.0]]]), 3, options);
/// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0, 3.0]);
/// ```
///
/// # Panics
/// As [`interpolate`]; if the mode wants another number of axes, or an option that it does not have.
#[track_caller]
pub fn interpolate_with(x: &Tensor, to: impl Into<Resize>, options: InterpolateOptions) -> Tensor {
    use InterpolateMode::{Area, Bicubic, Bilinear, Nearest, NearestExact};
    let (shape, mode, to) = (x.shape(), options.mode, to.into());
    if !(3..=5).contains(&shape.len()) {
        fail!("interpolate: the input has shape {shape:?}; it must be [N, C] and one to three sizes");
    }
    let axes = shape.len() - 2;
    if mode.axes().is_some_and(|wanted| wanted != axes) {
        fail!("interpolate: {mode:?} does not go with the {axes} axes of shape {shape:?}");
    }
    if shape[1] == 0 {
        fail!("interpolate: the input has shape {shape:?}; only N may be 0");
    }
    let picks = matches!(mode, Nearest | NearestExact);
    let fits = x.dtype().is_float() || (picks && x.dtype() == DType::U8);
    if !fits {
        fail!("interpolate: the input is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    if mode.axes().is_none() && options.align_corners.is_some() {
        fail!("interpolate: {mode:?} has no align_corners; it must be None");
    }
    if options.antialias && !matches!(mode, Bilinear | Bicubic) {
        fail!("interpolate: {mode:?} has no antialias; only Bilinear and Bicubic have");
    }
    if matches!(to, Resize::Size(_)) && options.recompute_scale_factor == Some(true) {
        fail!("interpolate: recompute_scale_factor goes with factors, not with sizes {to:?}");
    }
    let recompute = options.recompute_scale_factor == Some(true);
    let (outputs, scales) = sizes(&shape[2..], &to, recompute);
    if mode == Area {
        return match *outputs.as_slice() {
            [l] => adaptive_avg_pool1d(x, l),
            [h, w] => adaptive_avg_pool2d(x, [h, w]),
            _ => adaptive_avg_pool3d(x, [outputs[0], outputs[1], outputs[2]]),
        };
    }
    let (align, wide) = (options.align_corners == Some(true), x.dtype() == DType::F64);
    let mut y = x.clone();
    for (i, (&output, &scale)) in outputs.iter().zip(&scales).enumerate().rev() {
        let size = shape[2 + i];
        // What neither moves nor mixes elements is left out; so is, as in PyTorch, a linear step by a factor near 1.
        let by_factor = picks || (mode == Bicubic && !options.antialias);
        if size == output && (!by_factor || scale.is_none_or(|scale| scale == 1.0)) {
            continue;
        }
        let axis = match mode {
            Nearest | NearestExact => nearest(size, output, scale, mode == NearestExact),
            Bilinear | Bicubic if options.antialias => {
                antialiased(size, output, scale, align, mode == Bicubic)
            }
            Bicubic => cubic(size, output, scale, align, wide),
            _ => linear(size, output, scale, align, wide),
        };
        y = resample(&y, 2 + i, axis);
    }
    y
}

pub(super) const INTERPOLATE: OpInfo =
    OpInfo::composed("interpolate", "torch.nn.functional.interpolate", |draw| {
        use InterpolateMode::{Area, Bicubic, Bilinear, Linear, Nearest, NearestExact, Trilinear};
        let mode = [Nearest, NearestExact, Linear, Bilinear, Bicubic, Trilinear, Area][draw.below(7)];
        let axes = mode.axes().unwrap_or(1 + draw.below(3));
        let mut shape = vec![draw.size(), 1 + draw.below(2)];
        for i in 0..axes {
            shape.push(if i == 0 { draw.full_size() } else { 1 + draw.below(3) });
        }
        let to = match draw.below(3) {
            0 => Resize::Size((0..axes).map(|_| 1 + draw.below(4)).collect()),
            1 => Resize::Scale(vec![1.7]),
            _ => Resize::Scale((0..axes).map(|_| 1.0 + draw.below(3) as f64 / 2.0).collect()),
        };
        let options = InterpolateOptions {
            mode,
            align_corners: if mode.axes().is_some() && draw.coin() { Some(draw.coin()) } else { None },
            recompute_scale_factor: matches!(to, Resize::Scale(_)).then(|| draw.coin()),
            antialias: matches!(mode, Bilinear | Bicubic) && draw.coin(),
        };
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| {
            interpolate_with(&x[0], to.clone(), options)
        })
    })
    .rejects(|| {
        vec![
            Reject::new("interpolate: Linear does not go with the 2 axes of shape [1, 2, 5, 5]", || {
                let options = InterpolateOptions { mode: InterpolateMode::Linear, ..Default::default() };
                interpolate_with(&floats([1, 2, 5, 5]), 3, options);
            }),
            Reject::new("interpolate: factor -1 makes size 5 to -5, which is no size", || {
                interpolate(&floats([1, 2, 5]), -1.0);
            }),
            Reject::new("interpolate: factor NaN makes size 5 to NaN, which is no size", || {
                interpolate(&floats([1, 2, 5]), f64::NAN);
            }),
            Reject::new("interpolate: input sizes [5] cannot become Size([0])", || {
                interpolate(&floats([1, 2, 5]), 0);
            }),
            Reject::new("interpolate: 3 sizes or factors for 2 axes", || {
                interpolate(&floats([1, 2, 5, 5]), [1, 2, 3]);
            }),
        ]
    });
