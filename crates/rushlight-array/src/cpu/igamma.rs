//! The regularized incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x).
//!
//! The cases are those of Cephes (Moshier, "Methods and Programs for Mathematical Functions", 1989) in SciPy's later form,
//! which PyTorch follows, too: a power series, a continued fraction, a series for small x, and near x = a, where those
//! are slow, Temme's uniform expansion ("The asymptotic expansion of the incomplete gamma functions", 1979). Formulas are
//! quoted from the NIST Digital Library of Mathematical Functions (DLMF). Against 50 digits the relative error is below
//! 1e-12 where neither function underflows.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// P(a, x), from 0 at x = 0 to 1. Series are cut where the rest is below the precision, relative to their sum.
pub(super) fn lower(a: f64, x: f64, precision: f64) -> f64 {
    match at_an_end(a, x) {
        Some(value) => value,
        None if is_near(a, x) => uniform(a, x, -1.0),
        None if x > 1.0 && x > a => 1.0 - upper(a, x, precision),
        None => power_series(a, x, precision),
    }
}

/// Q(a, x), from 1 at x = 0 to 0.
pub(super) fn upper(a: f64, x: f64, precision: f64) -> f64 {
    if let Some(value) = at_an_end(a, x) {
        return 1.0 - value;
    }
    // Below this place Q is nearer to 1 than to 0.
    let is_large = match x {
        x if x > 1.1 => x < a,
        x if x <= 0.5 => -0.4 / x.ln() < a,
        x => 1.1 * x < a,
    };
    match is_large {
        _ if is_near(a, x) => uniform(a, x, 1.0),
        true => 1.0 - power_series(a, x, precision),
        false if x > 1.1 => continued_fraction(a, x, precision),
        false => small_series(a, x, precision),
    }
}

/// dP/dx = x^(a-1) e^-x / Gamma(a).
pub(super) fn slope(a: f64, x: f64) -> f64 {
    if x > 0.0 && a > 0.0 && a.is_finite() && x.is_finite() {
        return factor(a, x) / x;
    }
    // At 0, as PyTorch computes it.
    ((a - 1.0) * x.ln() - x - libm::lgamma(a)).exp()
}

/// P where an argument is at the end of its range, and NaN outside of it.
fn at_an_end(a: f64, x: f64) -> Option<f64> {
    let outside = a.is_nan() || x.is_nan() || a < 0.0 || x < 0.0;
    match (a, x) {
        _ if outside || (a == 0.0 && x == 0.0) || (a.is_infinite() && x.is_infinite()) => Some(f64::NAN),
        (0.0, _) => Some(1.0),
        (_, 0.0) => Some(0.0),
        _ if a.is_infinite() => Some(0.0),
        _ if x.is_infinite() => Some(1.0),
        _ => None,
    }
}

/// Whether the uniform expansion serves: the others would take about sqrt(a) terms.
fn is_near(a: f64, x: f64) -> bool {
    a > 20.0 && (x - a).abs() < 0.3 * a
}

/// P by DLMF 8.7.1: x^a e^-x / Gamma(a + 1) (1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ..).
fn power_series(a: f64, x: f64, precision: f64) -> f64 {
    let (mut sum, mut term, mut n) = (1.0, 1.0, a);
    while term > precision * sum {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum * factor(a, x) / a
}

/// Q by DLMF 8.9.2, the continued fraction evaluated from the front (Lentz's method as modified by Thompson and Barnett).
fn continued_fraction(a: f64, x: f64, precision: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let mut b = x + 1.0 - a;
    let mut d = 1.0 / b;
    let (mut c, mut value) = (1.0 / TINY, d);
    for i in 1..2000 {
        let i = f64::from(i);
        let numerator = -i * (i - a);
        b += 2.0;
        let next = numerator.mul_add(d, b);
        d = 1.0 / if next.abs() < TINY { TINY } else { next };
        c = b + numerator / c;
        c = if c.abs() < TINY { TINY } else { c };
        value *= c * d;
        if (c * d - 1.0).abs() < precision {
            break;
        }
    }
    value * factor(a, x)
}

/// Q for small x by DLMF 8.7.3, arranged so that little cancels:
/// 1 - x^a / Gamma(a + 1) (1 + a (-x / (a + 1) + x^2 / (2! (a + 2)) - ..)).
fn small_series(a: f64, x: f64, precision: f64) -> f64 {
    let (mut sum, mut power, mut n) = (0.0f64, 1.0f64, 0.0);
    loop {
        n += 1.0;
        power *= -x / n;
        let term = power / (a + n);
        sum += term;
        if term.abs() <= precision * sum.abs() {
            break;
        }
    }
    let log = a * x.ln() - ln_gamma_beside_one(a);
    -log.exp_m1() - a * log.exp() * sum
}

/// ln Gamma(1 + a), accurate also for the smallest a: DLMF 5.7.3 without its rearrangement.
fn ln_gamma_beside_one(a: f64) -> f64 {
    /// Euler's constant, zeta(2) / 2, zeta(3) / 3, ..
    const C: [f64; 7] = [
        0.577_215_664_901_532_9,
        0.822_467_033_424_113_2,
        0.400_685_634_386_531_4,
        0.270_580_808_427_784_5,
        0.207_385_551_028_673_98,
        0.169_557_176_997_408_2,
        0.144_049_896_768_846_1,
    ];
    if a > 0.01 {
        return libm::lgamma(1.0 + a);
    }
    -a * C.iter().rev().fold(0.0, |sum, c| c - a * sum)
}

/// x^a e^-x / Gamma(a).
fn factor(a: f64, x: f64) -> f64 {
    if (a - x).abs() > 0.4 * a {
        return (a * x.ln() - x - libm::lgamma(a)).exp();
    }
    // (x / a)^a e^(a - x), whose logarithm is a difference of near numbers, over the rest of Stirling's formula.
    (a * log_1p_minus((x - a) / a)).exp() * (a / TAU).sqrt() / stirling_rest(a)
}

/// Gamma(a) / (sqrt(2 pi) a^(a - 1/2) e^-a).
fn stirling_rest(a: f64) -> f64 {
    if a < 10.0 {
        return (libm::lgamma(a) - (a - 0.5) * a.ln() + a - 0.5 * TAU.ln()).exp();
    }
    // DLMF 5.11.1: B_2k / (2k (2k - 1) a^(2k - 1)).
    let square = 1.0 / (a * a);
    let c = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    (c.iter().rev().fold(0.0, |sum, c| c + square * sum) / a).exp()
}

/// ln(1 + x) - x.
fn log_1p_minus(x: f64) -> f64 {
    if x.abs() > 0.5 {
        return x.ln_1p() - x;
    }
    let (mut sum, mut power, mut n) = (0.0, x, 1.0);
    loop {
        n += 1.0;
        power *= -x;
        let term = power / n;
        sum += term;
        if term.abs() <= f64::EPSILON * f64::abs(sum) {
            return sum;
        }
    }
}

/// Orders in 1 / a, and in eta.
const ORDERS: (usize, usize) = (10, 16);

/// The coefficients of DLMF 8.12.12, by their recurrences; those of the series of lambda - 1 in eta follow from
/// eta d eta = (1 - 1 / lambda) d lambda.
const TEMME: [[f64; ORDERS.1]; ORDERS.0] = {
    const MOST: usize = ORDERS.1 + 2 * ORDERS.0;
    let mut alpha = [0.0; MOST + 3];
    alpha[1] = 1.0;
    let mut n = 2;
    while n < MOST + 3 {
        let mut sum = 2.0 * alpha[n - 1] / (n + 1) as f64;
        let mut i = 2;
        while i < n {
            sum -= alpha[i] * alpha[n + 1 - i];
            i += 1;
        }
        alpha[n] = 0.5 * sum;
        n += 1;
    }
    let mut first = [0.0; MOST];
    first[0] = -1.0 / 3.0;
    let mut n = 1;
    while n < MOST {
        first[n] = (n + 2) as f64 * alpha[n + 2];
        n += 1;
    }
    let (mut table, mut row, mut k, mut stirling) = ([[0.0; ORDERS.1]; ORDERS.0], first, 0, 1.0);
    while k < ORDERS.0 {
        let mut n = 0;
        while n < ORDERS.1 {
            table[k][n] = row[n];
            n += 1;
        }
        k += 1;
        // The coefficients of Stirling's series, (2k + 1)!! alpha[2k + 1], with alternating signs.
        stirling *= -((2 * k + 1) as f64);
        let mut n = 0;
        while n + 2 * k < MOST {
            row[n] = stirling * alpha[2 * k + 1] * first[n] + (n + 2) as f64 * row[n + 2];
            n += 1;
        }
    }
    table
};

/// P for the sign -1 and Q for 1 by DLMF 8.12.3, 8.12.4 and 8.12.7.
fn uniform(a: f64, x: f64, sign: f64) -> f64 {
    let half_square = -log_1p_minus((x - a) / a);
    let eta = (2.0 * half_square).sqrt().copysign(x - a);
    let mut sum = 0.0;
    for row in TEMME.iter().rev() {
        sum = row.iter().rev().fold(0.0, |c, d| d + eta * c) + sum / a;
    }
    let bulk = 0.5 * libm::erfc(sign * eta * a.sqrt() * FRAC_1_SQRT_2);
    bulk + sign * (-a * half_square).exp() * sum / (a * TAU).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{LN_2, PI};

    /// (a, x, P, Q), the power series of DLMF 8.7.1 and 1 minus it, summed with 60 digits by
    /// Python's mpmath.
    const EXACT: &[[f64; 4]] = &[
        [0.5, 0.1, 0.345279153981423, 0.654720846018577],
        [0.5, 2.0, 0.9544997361036416, 0.04550026389635842],
        [1e-08, 1.0, 0.9999999978061607, 2.1938393664027067e-09],
        [1e-08, 0.25, 0.9999999895571736, 1.0442826350677118e-08],
        [0.005, 0.7, 0.9981240593548341, 0.0018759406451659196],
        [0.3, 1.05, 0.9215703360548394, 0.07842966394516059],
        [2.5, 0.4, 0.022966656243073723, 0.9770333437569263],
        [2.5, 1.2, 0.20852587940567532, 0.7914741205943246],
        [3.0, 9.0, 0.9937678048936227, 0.006232195106377317],
        [8.0, 7.5, 0.47536147351239455, 0.5246385264876054],
        [10.0, 30.0, 0.9999928782491372, 7.121750862815577e-06],
        [19.0, 20.0, 0.6185780505528452, 0.3814219494471548],
        [20.5, 18.0, 0.30787950864962305, 0.692120491350377],
        [25.0, 25.0, 0.5266015314436506, 0.47339846855634937],
        [30.0, 38.0, 0.9203601793899068, 0.07963982061009321],
        [60.0, 45.0, 0.01865113464857545, 0.9813488653514245],
        [150.0, 150.0, 0.5108582297493597, 0.4891417702506403],
        [150.0, 240.0, 0.9999999998206007, 1.793993206425848e-10],
        [1000.0, 930.0, 0.012008463910231248, 0.9879915360897688],
        [1000.0, 500.0, 3.2982727970671e-86, 1.0],
        [50.0, 80.0, 0.9998692160234086, 0.00013078397659141034],
        [0.02, 0.02, 0.9348097630412344, 0.06519023695876562],
        [20000.0, 20200.0, 0.9210076300110995, 0.0789923699889005],
    ];

    #[test]
    fn both_functions_agree_with_fifty_digits() {
        for &[a, x, p, q] in EXACT {
            for (name, found, exact) in
                [("P", lower(a, x, f64::EPSILON), p), ("Q", upper(a, x, f64::EPSILON), q)]
            {
                assert!(
                    (found - exact).abs() <= 1e-12 * exact,
                    "{name}({a}, {x}) is {found:e}, not {exact:e}"
                );
            }
        }
    }

    #[test]
    fn the_slope_is_that_of_differences() {
        for [a, x] in [[0.5, 0.3], [2.0, 3.0], [30.0, 28.0], [30.0, 60.0]] {
            let step = 1e-5 * x;
            let difference =
                (lower(a, x + step, f64::EPSILON) - lower(a, x - step, f64::EPSILON)) / (2.0 * step);
            assert!((slope(a, x) - difference).abs() < 1e-7 * difference.max(1e-3), "{a} {x}");
        }
        // e^-x.
        assert!((slope(1.0, LN_2) - 0.5).abs() < 1e-15);
        // chi-squared with two degrees of freedom at its median, and x^-1/2 e^-x / sqrt(pi).
        assert!((slope(0.5, 1.0) - (-1.0f64).exp() / PI.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn ends_are_those_of_pytorch() {
        let inf = f64::INFINITY;
        assert_eq!(
            [
                lower(0.0, 1.0, f64::EPSILON),
                lower(1.0, 0.0, f64::EPSILON),
                lower(inf, 1.0, f64::EPSILON),
                lower(1.0, inf, f64::EPSILON)
            ],
            [1.0, 0.0, 0.0, 1.0]
        );
        assert_eq!(
            [
                upper(0.0, 1.0, f64::EPSILON),
                upper(1.0, 0.0, f64::EPSILON),
                upper(inf, 1.0, f64::EPSILON),
                upper(1.0, inf, f64::EPSILON)
            ],
            [0.0, 1.0, 1.0, 0.0]
        );
        for [a, x] in [[-1.0, 1.0], [1.0, -1.0], [0.0, 0.0], [inf, inf], [f64::NAN, 1.0]] {
            assert!(lower(a, x, f64::EPSILON).is_nan() && upper(a, x, f64::EPSILON).is_nan(), "{a} {x}");
        }
    }
}
