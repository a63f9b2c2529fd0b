//! Logarithm, sine and cosine in f32 by the polynomials of Cephes (S. L. Moshier, 1989), which PyTorch's
//! vector code uses for normals. Unlike the C library's functions they give the same bits on every machine.
//!
//! `mad(a, b, c)` is a * b + c: rounded once (`f32::mul_add`) for PyTorch's bits, rounded twice where the
//! compiler shall vectorise without asking for a processor that fuses.

use std::f32::consts::{FRAC_PI_2, SQRT_2, TAU};

/// Two normal draws (the cosine and the sine one) from `u1` in (0, 1] and `u2` in [0, 1): Box and Muller, 1958.
#[inline(always)]
pub(super) fn normal_pair(u1: f32, u2: f32, mad: impl Fn(f32, f32, f32) -> f32 + Copy) -> (f32, f32) {
    let radius = (-2.0 * ln(u1, mad)).sqrt();
    let (sin, cos) = sin_cos(TAU * u2, mad);
    (radius * cos, radius * sin)
}

/// The natural logarithm of a normal number in (0, 1].
#[inline(always)]
fn ln(x: f32, mad: impl Fn(f32, f32, f32) -> f32 + Copy) -> f32 {
    const COEFFICIENTS: [f32; 8] = [
        -1.151_461e-1,
        1.167_699_84e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_4e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    // ln 2 in two parts: the upper one (355 / 512) has few bits, so its product with the exponent is exact.
    const LN_2_UPPER: f32 = 355.0 / 512.0;
    const LN_2_LOWER: f32 = -2.121_944_4e-4;

    let bits = x.to_bits();
    let mantissa = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    let exponent = ((bits >> 23) as i32 - 126) as f32;
    let small = mantissa < SQRT_2 / 2.0;
    let e = exponent - if small { 1.0 } else { 0.0 };
    let t = (mantissa - 1.0) + if small { mantissa } else { 0.0 };

    let square = t * t;
    let series = COEFFICIENTS.iter().fold(7.037_683_6e-2, |p, &c| mad(p, t, c)) * t;
    let tail = mad(series, square, e * LN_2_LOWER) - square * 0.5;
    mad(e, LN_2_UPPER, t + tail)
}

/// Sine and cosine of `x` in [0, 2 pi], reduced to an eighth of the circle.
#[inline(always)]
fn sin_cos(x: f32, mad: impl Fn(f32, f32, f32) -> f32 + Copy) -> (f32, f32) {
    // -pi/4 in three parts with few bits each, so that the reduction loses nothing.
    const MINUS_QUARTER_PI: [f32; 3] = [-0.785_156_25, -2.418_756_5e-4, -3.774_895e-8];

    // The even octant nearest to x, counted by comparisons: a cast to an integer saturates, lane by lane.
    let eighths = x * (2.0 / FRAC_PI_2);
    let octant = 2 * [1.0, 3.0, 5.0, 7.0].iter().map(|&border| i32::from(eighths >= border)).sum::<i32>();
    let x = MINUS_QUARTER_PI.iter().fold(x, |x, &part| mad(octant as f32, part, x));
    let z = x * x;

    let cos = mad(mad(2.443_315_7e-5, z, -1.388_731_6e-3), z, 4.166_664_6e-2) * z;
    let cos = mad(cos, z, -(z * 0.5)) + 1.0;
    let sin = mad(mad(-1.951_529_6e-4, z, 8.332_161e-3), z, -1.666_665_5e-1);
    let sin = mad(sin * z, x, x);

    let (sin, cos) = if octant & 2 == 0 { (sin, cos) } else { (cos, sin) };
    (if octant & 4 == 0 { sin } else { -sin }, if (octant - 2) & 4 == 0 { -cos } else { cos })
}
