//! The complement and the inverse of the error function.

use super::{Exp, at_most, ln, polynomial, short_polynomial};

/// e^(a^2) erfc(a) for 0 <= a <= 10.3: erfc(a) is twice the normal distribution's tail at -z, whose quotient is that of
/// `gelu_far`; 2^-26.4.
#[inline(always)]
fn scaled_erfc(a: f32) -> f32 {
    let z = std::f32::consts::SQRT_2 * a;
    let p = short_polynomial(z, [0.5, 0.438_497_13, 0.183_385_13, 0.040_683_854, 0.004_123_841]);
    let q = short_polynomial(z, [1.0, 1.674_879_2, 1.203_125_7, 0.469_866_66, 0.101_985_68, 0.010_336_818]);
    2.0 * p / q
}

/// 1 - erf(x), also where that is small; 5 ULP.
#[inline(always)]
pub(crate) fn erfc(x: f32) -> f32 {
    // From here on it rounds to 0.
    let a = at_most(x.abs(), 10.3);
    // (erf(a) - a) / a for a <= 1/2, by Taylor's series; 2^-29.
    let near = polynomial(
        a * a,
        [
            0.128_379_17,
            -0.376_126_4,
            0.112_837_92,
            -0.026_866_17,
            0.005_223_978,
            -0.000_854_832_7,
            0.000_120_553_33,
        ],
    );
    let near = 1.0 - x.mul_add(near, x);
    // e^(-a^2), with the square in two parts.
    let square = a * a;
    let tail = Exp::of_sum(-square, -a.mul_add(a, -square)).times(scaled_erfc(a));
    let far = if x < 0.0 { 2.0 - tail } else { tail };
    // NaN takes the second way.
    if a < 0.5 { near } else { far }
}

/// The number whose error function is x; 4 ULP.
///
/// `x` times a polynomial of `w = -ln(1 - x^2)`, and from w = 5 on one of its root (Giles, "Approximating the erfinv
/// function", 2012).
#[inline(always)]
pub(crate) fn erfinv(x: f32) -> f32 {
    let w = -ln((1.0 - x) * (1.0 + x));
    // Both 2^-23.3.
    let near = polynomial(
        w - 2.5,
        [
            1.501_409_4,
            0.246_640_71,
            -0.004_177_693_7,
            -0.001_253_694,
            0.000_218_596_69,
            -4.400_516_4e-6,
            -3.528_052_3e-6,
            3.440_379_7e-7,
            2.849_634_8e-8,
        ],
    );
    let far = polynomial(
        w.sqrt() - 3.0,
        [
            2.832_977,
            1.001_675_1,
            0.009_436_261,
            -0.007_631_704,
            0.005_758_906_7,
            -0.003_645_905_3,
            0.001_300_738_7,
            0.000_075_434_305,
            -0.000_161_808_62,
        ],
    );
    let y = x * if w < 5.0 { near } else { far };
    // Newton's step by the complement, which near 1 is exact: the slope there makes much of the last places.
    let a = at_most(y.abs(), 5.0);
    let square = a * a;
    let grown = Exp::of_sum(square, a.mul_add(a, -square)).times(1.0 - x.abs());
    let step = 0.886_226_95 * (scaled_erfc(a) - grown);
    let y = if x.abs() < 0.5 { y } else { (a + step).copysign(x) };
    if x.abs() == 1.0 { x * f32::INFINITY } else { y }
}
