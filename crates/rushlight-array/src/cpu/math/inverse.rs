//! Inverse functions of the circular and hyperbolic ones.

use super::{ln_1p, polynomial, short_polynomial};
use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, PI};

/// What is left of pi/2 beside its f32.
const FRAC_PI_2_LOW: f32 = -4.371_139e-8;

/// asin of a <= 1/2; 2^-29.
#[inline(always)]
fn asin_core(a: f32, square: f32) -> f32 {
    // (asin(a) - a) / a^3; 2^-24.
    let q = polynomial(
        square,
        [0.166_666_66, 0.075_002_42, 0.044_548_456, 0.031_707_7, 0.014_232_814, 0.038_550_355],
    );
    (a * square).mul_add(q, a)
}

/// asin(a) for a <= 1/2, else asin(sqrt((1 - a) / 2)), which is (pi/2 - asin(a)) / 2; and whether it is the latter.
#[inline(always)]
fn asin_part(a: f32) -> (f32, bool) {
    let far = a > 0.5;
    let square = if far { 0.5 * (1.0 - a) } else { a * a };
    (asin_core(if far { square.sqrt() } else { a }, square), far)
}

/// The angle in -pi/2..=pi/2 with this sine; 2.4 ULP.
#[inline(always)]
pub(crate) fn asin(x: f32) -> f32 {
    let (part, far) = asin_part(x.abs());
    (if far { FRAC_PI_2 - (2.0 * part - FRAC_PI_2_LOW) } else { part }).copysign(x)
}

/// The angle in 0..=pi with this cosine; 1.5 ULP.
#[inline(always)]
pub(crate) fn acos(x: f32) -> f32 {
    let (part, far) = asin_part(x.abs());
    let near = FRAC_PI_2 - (part.copysign(x) - FRAC_PI_2_LOW);
    let beyond = if x < 0.0 { PI - (2.0 * part - 2.0 * FRAC_PI_2_LOW) } else { 2.0 * part };
    if far { beyond } else { near }
}

/// The angle in -pi/2..=pi/2 with this tangent; 2 ULP.
#[inline(always)]
pub(crate) fn atan(x: f32) -> f32 {
    let a = x.abs();
    // tan(pi/8) and tan(3 pi/8): the rest is an angle of at most pi/8, from 0, pi/4 or pi/2.
    let (middle, far) = (a > 0.414_213_57, a > 2.414_213_7);
    let (top, bottom) = if far {
        (-1.0, a)
    } else if middle {
        (a - 1.0, a + 1.0)
    } else {
        (a, 1.0)
    };
    let (start, low) = if far {
        (FRAC_PI_2, FRAC_PI_2_LOW)
    } else if middle {
        (FRAC_PI_4, 0.5 * FRAC_PI_2_LOW)
    } else {
        (0.0, 0.0)
    };
    let t = top / bottom;
    let square = t * t;
    // (atan(t) - t) / t^3; 2^-24.
    let q =
        short_polynomial(square, [-0.333_333_3, 0.199_994_46, -0.142_607_27, 0.107_094_58, -0.063_406_12]);
    (start + ((t * square).mul_add(q, low) + t)).copysign(x)
}

/// The number with this hyperbolic sine; 1.8 ULP.
#[inline(always)]
pub(crate) fn asinh(x: f32) -> f32 {
    let a = x.abs();
    // From here on a + sqrt(a^2 + 1) is 2 a to all digits, and the square may overflow.
    let large = a > 10_000.0;
    let square = if large { 0.0 } else { a * a };
    let above_one = if large { a - 1.0 } else { a + square / (1.0 + (square + 1.0).sqrt()) };
    (ln_1p(above_one) + if large { LN_2 } else { 0.0 }).copysign(x)
}

/// The positive number with this hyperbolic cosine; 2.5 ULP.
#[inline(always)]
pub(crate) fn acosh(x: f32) -> f32 {
    let large = x > 10_000.0;
    let t = x - 1.0;
    let part = if large { 0.0 } else { t };
    let above_one = if large { t } else { part + part.mul_add(part, 2.0 * part).sqrt() };
    let y = ln_1p(above_one) + if large { LN_2 } else { 0.0 };
    if x < 1.0 { f32::NAN } else { y }
}

/// The number with this hyperbolic tangent; 2.2 ULP.
#[inline(always)]
pub(crate) fn atanh(x: f32) -> f32 {
    let a = x.abs();
    (0.5 * ln_1p(2.0 * a / (1.0 - a))).copysign(x)
}
