//! Special functions of f64, one number at a time: what neither the standard library nor libm has.

use std::f64::consts::{FRAC_2_SQRT_PI, PI};

/// The sum `c[0] + c[1] x + ..`.
fn polynomial(x: f64, c: &[f64]) -> f64 {
    c.iter().rev().fold(0.0, |sum, &c| sum * x + c)
}

/// The derivative of ln(gamma(x)); infinite at 0 against the sign of the zero, NaN at the other poles, as in PyTorch.
///
/// By reflection below 0, by the recurrence up to 10, from there by the asymptotic series (Abramowitz and Stegun 6.3.7,
/// 6.3.5 and 6.3.18).
pub(crate) fn digamma(x: f64) -> f64 {
    if x == 0.0 {
        return -f64::INFINITY.copysign(x);
    }
    if x < 0.0 {
        if x == x.trunc() {
            return f64::NAN;
        }
        // The fraction first: pi x would round away what is left of the angle.
        return digamma(1.0 - x) - PI / (PI * x.fract()).tan();
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    // B(2k) / 2k.
    let series =
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];
    sum + x.ln() - 0.5 / x - square * polynomial(square, &series)
}

/// The n-th derivative of [`digamma`], for n from 1.
///
/// `(-1)^(n + 1) n! zeta(n + 1, x)` (Abramowitz and Stegun 6.4.10). The first one, which PyTorch takes for the gradient of
/// digamma, is below 0 by reflection (6.4.7) from the `angle` pi x, rounded to the dtype at hand: so it is PyTorch's
/// to the last places, and not infinite but very large at the poles.
pub(crate) fn polygamma(n: u32, x: f64, angle: f64) -> f64 {
    if n == 1 && x < 0.0 {
        return (PI / angle.sin()).powi(2) - zeta(1, 1.0 - x);
    }
    let sign = if n % 2 == 1 { 1.0 } else { -1.0 };
    sign * libm::tgamma(f64::from(n) + 1.0) * zeta(n, x)
}

/// The sum of `1 / (x + k)^(n + 1)` over k from 0: Hurwitz's zeta function of n + 1 and x.
fn zeta(n: u32, x: f64) -> f64 {
    if x > 0.0 {
        return positive_zeta(f64::from(n) + 1.0, x);
    }
    let fraction = x - x.floor();
    if fraction == 0.0 {
        return f64::INFINITY;
    }
    // The terms below 0 are those of 1 - x backwards, cut at 1 - fraction; then come those of the fraction.
    let s = f64::from(n) + 1.0;
    let below = positive_zeta(s, 1.0 - fraction) - positive_zeta(s, 1.0 - x);
    positive_zeta(s, fraction) + if n % 2 == 1 { below } else { -below }
}

/// By Euler and Maclaurin's sum (Abramowitz and Stegun 23.1.30, 25.11.5 of the DLMF), with as many first terms as it
/// takes for its series to fall.
fn positive_zeta(s: f64, x: f64) -> f64 {
    if x == f64::INFINITY {
        return 0.0;
    }
    let (mut sum, mut x) = (0.0, x);
    while x < 10.0 + s {
        let term = x.powf(-s);
        sum += term;
        if term <= sum * 1e-18 {
            return sum;
        }
        x += 1.0;
    }
    let first = x.powf(-s);
    sum += first * (x / (s - 1.0) + 0.5);
    // B(2k) / (2k)!.
    let series = [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30_240.0,
        -1.0 / 1_209_600.0,
        1.0 / 47_900_160.0,
        -691.0 / 1_307_674_368_000.0,
        1.0 / 74_724_249_600.0,
        -3_617.0 / 10_670_622_842_880_000.0,
    ];
    let (mut product, mut order) = (first * s / x, s + 1.0);
    for factor in series {
        sum += product * factor;
        product *= order * (order + 1.0) / (x * x);
        order += 2.0;
    }
    sum
}

/// The number whose error function is x: Winitzki's guess ("A handy approximation for the error function and its
/// inverse", 2008; two digits), then twice Halley's step, each of which triples the digits.
pub(crate) fn erfinv(x: f64) -> f64 {
    let a = x.abs();
    if a >= 1.0 {
        return if a == 1.0 { x * f64::INFINITY } else { f64::NAN };
    }
    let log = (-a * a).ln_1p();
    let half = 2.0 / (PI * 0.147) + 0.5 * log;
    let mut y = ((half * half - log / 0.147).sqrt() - half).max(0.0).sqrt();
    for _ in 0..3 {
        // Near 1 by the complement, whose digits do not get lost.
        let missing = if a < 0.5 { libm::erf(y) - a } else { (1.0 - a) - libm::erfc(y) };
        let step = missing / (FRAC_2_SQRT_PI * (-y * y).exp());
        y -= step / (1.0 + y * step);
    }
    y.copysign(x)
}

/// The positive number with this hyperbolic cosine. (libm's has values below 1.)
pub(crate) fn acosh(x: f64) -> f64 {
    if x < 1.0 { f64::NAN } else { libm::acosh(x) }
}

/// sin(pi x) / (pi x); 1 at 0. The fraction of x is taken first, so that it is 0 at the integers.
pub(crate) fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let n = x.round_ties_even();
    let y = (PI * (x - n)).sin() / (PI * x);
    if n % 2.0 == 0.0 { y } else { -y }
}
