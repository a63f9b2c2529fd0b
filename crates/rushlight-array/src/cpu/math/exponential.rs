//! Powers and logarithms of 2 and 10, hyperbolic functions.

use super::{Exp, LN_2, ROUND, at_least, at_most, ln_core, split_mantissa};
use std::f32::consts::{LN_2 as LN_2_ROUNDED, LOG2_E, LOG10_E};

/// 2^x; 1.1 ULP.
#[inline(always)]
pub(crate) fn exp2(x: f32) -> f32 {
    // At these bounds the result is zero and infinity.
    let x = at_least(at_most(x, 128.0), -151.0);
    let rounded = x + ROUND;
    let r = (x - (rounded - ROUND)) * LN_2_ROUNDED;
    Exp::assemble(x < -115.0, r, rounded.to_bits() << 23).value()
}

/// What is left of 1 / ln 2 beside its f32.
const LOG2_E_LOW: f32 = 1.925_963e-8;
/// What is left of 1 / ln 10 beside its f32.
const LOG10_E_LOW: f32 = -1.010_305_3e-8;
/// log10(2) in two parts; the first has 16 bits, so that its products with exponents are exact.
const LOG10_2: [f32; 2] = [0.301_025_4, 4.605_039e-6];

/// x = 2^k (1 + f): k and ln(1 + f), for a positive x.
#[inline(always)]
fn split_ln(x: f32) -> (f32, f32) {
    let subnormal = x < f32::MIN_POSITIVE;
    let u = if subnormal { x * 8_388_608.0 } else { x };
    let (k, f) = split_mantissa(u);
    (k as f32 - if subnormal { 23.0 } else { 0.0 }, ln_core(0.0, f, -0.0))
}

/// The logarithm `y` of x as far as it has one.
#[inline(always)]
fn at_ends(x: f32, y: f32) -> f32 {
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x < 0.0 { f32::NAN } else { y };
    // Also of NaN.
    if x < f32::INFINITY { y } else { x }
}

/// The logarithm to the base 2, exact for powers of 2; 1.6 ULP.
#[inline(always)]
pub(crate) fn log2(x: f32) -> f32 {
    let (k, ln) = split_ln(x);
    at_ends(x, ln.mul_add(LOG2_E, ln.mul_add(LOG2_E_LOW, k)))
}

/// The logarithm to the base 10; 1.6 ULP.
#[inline(always)]
pub(crate) fn log10(x: f32) -> f32 {
    let (k, ln) = split_ln(x);
    let low = ln.mul_add(LOG10_E_LOW, k * LOG10_2[1]);
    // The sum of the two large terms, and what its rounding lost: k log10(2) is 0 or greater.
    let (large, small) = (k * LOG10_2[0], ln * LOG10_E);
    let lost = ln.mul_add(LOG10_E, -small);
    let sum = large + small;
    at_ends(x, sum + (low + lost + (small - (sum - large))))
}

/// e^a / 2 for a >= 0, also where e^a is not a float.
#[inline(always)]
fn half_exp(a: f32) -> f32 {
    // From here on it is infinite.
    let a = at_most(a, 89.5);
    let x = a - LN_2[0];
    Exp::of_sum(x, ((a - x) - LN_2[0]) - LN_2[1]).value()
}

/// The hyperbolic sine; 1.8 ULP.
#[inline(always)]
pub(crate) fn sinh(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    // (sinh a - a) / a^3 for a <= 1, by Taylor's series; 2^-32.
    let q = super::polynomial(
        square,
        [1.0 / 6.0, 1.0 / 120.0, 1.0 / 5040.0, 1.0 / 362_880.0, 1.0 / 39_916_800.0],
    );
    let small = (a * square).mul_add(q, a);
    let half = half_exp(a);
    let large = half - 0.25 / half;
    // NaN takes the first way.
    (if a > 1.0 { large } else { small }).copysign(x)
}

/// The hyperbolic cosine; 1.5 ULP.
#[inline(always)]
pub(crate) fn cosh(x: f32) -> f32 {
    let half = half_exp(x.abs());
    half + 0.25 / half
}
