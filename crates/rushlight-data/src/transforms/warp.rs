//! A turned, moved, sheared image: where each new pixel comes from, by an affine map.

use super::InterpolationMode;
use crate::image::{Image, Pixel, Rewrite};
use rushlight_array::fail;

/// `[a, b, c, d, e, f]`: the new pixel at `(x, y)` shows the old one at `(a x + b y + c, d x + e y + f)`, both
/// counted from the centre of their image.
pub(super) type Matrix = [f64; 6];

/// What is done to an image: angles in degrees, counter-clockwise on the screen being negative, as torchvision's
/// `affine` has it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Motion {
    pub(super) angle: f64,
    pub(super) translate: [f64; 2],
    pub(super) scale: f64,
    pub(super) shear: [f64; 2],
    /// From the centre of the image.
    pub(super) center: [f64; 2],
}

impl Motion {
    /// The map back: with R the rotation, S the scale and H the two shears, the image moves by
    /// `T C R S H C^-1`, whose inverse it is; det(R H) is 1.
    pub(super) fn inverse(&self) -> Matrix {
        let [turn, shear_x, shear_y] = [self.angle, self.shear[0], self.shear[1]].map(f64::to_radians);
        let (cos, sin) = ((turn - shear_y).cos() / shear_y.cos(), (turn - shear_y).sin() / shear_y.cos());
        // The forward matrix [[p, q], [r, s]].
        let (p, q) = (cos, -cos * shear_x.tan() - turn.sin());
        let (r, s) = (sin, -sin * shear_x.tan() + turn.cos());
        let [a, b, d, e] = [s, -q, -r, p].map(|x| x / self.scale);
        let [x, y] = [0, 1].map(|axis| -self.center[axis] - self.translate[axis]);
        [a, b, a * x + b * y + self.center[0], d, e, d * x + e * y + self.center[1]]
    }
}

/// Pixels beyond the old image, and how to read between its pixels.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reading {
    pub(super) interpolation: InterpolationMode,
    /// One value, or one for each channel.
    pub(super) fill: Vec<f32>,
}

impl Reading {
    pub(super) fn new() -> Reading {
        Reading { interpolation: InterpolationMode::Nearest, fill: vec![0.0] }
    }

    #[track_caller]
    pub(super) fn interpolation(self, what: &str, interpolation: InterpolationMode) -> Reading {
        if interpolation == InterpolationMode::Bicubic {
            fail!(
                "{what}: Bicubic is not available here; take Nearest or Bilinear, as for torchvision's tensors"
            );
        }
        Reading { interpolation, ..self }
    }
}

/// Replaces the image by one of `size`, read through the map.
pub(super) fn warp(image: &mut Image, matrix: Matrix, size: [usize; 2], reading: &Reading) {
    let [channels, height, width] = image.dims();
    if reading.fill.len() != 1 && reading.fill.len() != channels {
        fail!(
            "affine: {} fill values for {channels} channels; give one, or one for each",
            reading.fill.len()
        );
    }
    image.rewrite([channels, size[0], size[1]], &Warp { from: [height, width], to: size, matrix, reading });
}

struct Warp<'a> {
    from: [usize; 2],
    to: [usize; 2],
    matrix: Matrix,
    reading: &'a Reading,
}

impl Warp<'_> {
    /// The place in the old image, in pixels, of the new pixel at column `x` and row `y`.
    ///
    /// It goes by way of PyTorch's grid from -1 to 1, in f32, so that ties between two pixels fall alike.
    fn place(&self, x: usize, y: usize) -> (f32, f32) {
        let ([height, width], [rows, columns]) = (self.from, self.to);
        let centered = |i: usize, n: usize| (-(n as f32) * 0.5 + 0.5) + i as f32;
        let (x, y) = (centered(x, columns), centered(y, rows));
        let m = self.matrix.map(|value| value as f32);
        let axis = |a: f32, b: f32, c: f32, n: usize| {
            let half = 0.5 * n as f32;
            let grid = x * (a / half) + y * (b / half) + c / half;
            (grid + 1.0) * half - 0.5
        };
        (axis(m[0], m[1], m[2], width), axis(m[3], m[4], m[5], height))
    }
}

/// The number of `i` as a place of an axis of `n`, if it is one.
fn within(i: f32, n: usize) -> Option<usize> {
    (i >= 0.0 && i < n as f32).then_some(i as usize)
}

impl Rewrite for Warp<'_> {
    fn run<P: Pixel>(&self, from: &[P], to: &mut [P]) {
        let ([height, width], [rows, columns]) = (self.from, self.to);
        let (old, new) = (height * width, rows * columns);
        let channels = to.len().checked_div(new).unwrap_or(0);
        let fill = |channel: usize| self.reading.fill[channel.min(self.reading.fill.len() - 1)];
        for y in 0..rows {
            for x in 0..columns {
                let (u, v) = self.place(x, y);
                let out = y * columns + x;
                if self.reading.interpolation == InterpolationMode::Nearest {
                    let place = within(v.round_ties_even(), height).zip(within(u.round_ties_even(), width));
                    for channel in 0..channels {
                        to[channel * new + out] = match place {
                            Some((row, column)) => from[channel * old + row * width + column],
                            None => P::truncated(fill(channel)),
                        };
                    }
                    continue;
                }
                let (left, top) = (u.floor(), v.floor());
                let (right_share, lower_share) = (u - left, v - top);
                let corners = [(top, left), (top, left + 1.0), (top + 1.0, left), (top + 1.0, left + 1.0)];
                let shares = [
                    (1.0 - lower_share) * (1.0 - right_share),
                    (1.0 - lower_share) * right_share,
                    lower_share * (1.0 - right_share),
                    lower_share * right_share,
                ];
                let places = corners.map(|(row, column)| {
                    within(row, height).zip(within(column, width)).map(|(row, column)| row * width + column)
                });
                // The share of the new pixel that lies within the old image; PyTorch blends with the fill by it.
                let covered: f32 = places
                    .iter()
                    .zip(shares)
                    .filter(|(place, _)| place.is_some())
                    .map(|(_, share)| share)
                    .sum();
                for channel in 0..channels {
                    let value: f32 = (places.iter().zip(shares))
                        .filter_map(|(place, share)| place.map(|i| from[channel * old + i].to_f32() * share))
                        .sum();
                    to[channel * new + out] = P::rounded(value * covered + (1.0 - covered) * fill(channel));
                }
            }
        }
    }
}
