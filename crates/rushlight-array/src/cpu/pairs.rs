//! Functions of two floats.
//!
//! Those of f32 are computed in f64, by short series, and rounded once: within half a unit of the last place and a little
//! more, also where f32 alone would overflow or cancel. They are free of branches, as those of [`math`](super::math), so
//! that loops over them become vector code. Those of f64 are the standard library's.

use super::float::Float;
use super::simd::vectorized;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, LOG2_E, PI};

/// f32 or f64 with functions of two.
pub(super) trait Pair: Float {
    /// The whole part: cut towards zero.
    fn cut(self) -> Self;
    /// The magnitude of this with the sign of another.
    fn with_sign_of(self, other: Self) -> Self;
    fn to_power(self, exponent: Self) -> Self;
    fn atan2(self, x: Self) -> Self;
    fn hypot(self, y: Self) -> Self;
    /// What the quotient cut towards zero leaves, of each pair.
    fn fmod(out: &mut [Self], x: &[Self], y: &[Self]);
    /// What the quotient rounded down leaves.
    fn remainder(out: &mut [Self], x: &[Self], y: &[Self]);
    /// The quotient rounded down.
    fn floor_divide(out: &mut [Self], x: &[Self], y: &[Self]);
}

/// log(e^x + e^y) for the rate 1, and with the base of 2 for ln 2.
#[inline(always)]
pub(super) fn logaddexp<T: Float>(x: T, y: T, rate: T) -> T {
    let most = if x > y { x } else { y };
    let more = (-(x - y).abs() * rate).exp().ln_1p() / rate;
    // Equal infinities have no difference.
    if x == y { x + T::from_f64(LN_2) / rate } else { most + more }
}

/// Python's remainder from that of C: the sign of y. The sum is rounded, as PyTorch's.
#[inline(always)]
fn floor_rest<T: Float>(rest: T, y: T) -> T {
    if rest != T::ZERO && (rest < T::ZERO) != (y < T::ZERO) { rest + y } else { rest }
}

/// The quotient rounded down, from the remainder of C: as CPython's `float_divmod`, so that it fits the remainder also
/// where x / y rounds up to a whole number.
#[inline(always)]
fn floor_quotient<T: Pair>(rest: T, x: T, y: T) -> T {
    let (one, half) = (T::ONE, T::from_f64(0.5));
    let quotient = (x - rest) / y;
    let below = rest != T::ZERO && (rest < T::ZERO) != (y < T::ZERO);
    let quotient = if below { quotient - one } else { quotient };
    let whole = quotient.floor();
    let whole = if quotient - whole > half { whole + one } else { whole };
    let whole = if quotient == T::ZERO { T::ZERO.with_sign_of(x / y) } else { whole };
    if y == T::ZERO { x / y } else { whole }
}

impl Pair for f32 {
    #[inline(always)]
    fn cut(self) -> f32 {
        self.trunc()
    }
    #[inline(always)]
    fn with_sign_of(self, other: f32) -> f32 {
        self.copysign(other)
    }
    #[inline(always)]
    fn to_power(self, exponent: f32) -> f32 {
        power(self, exponent)
    }
    #[inline(always)]
    fn atan2(self, x: f32) -> f32 {
        angle(self, x)
    }
    #[inline(always)]
    fn hypot(self, y: f32) -> f32 {
        length(self, y)
    }
    fn fmod(out: &mut [f32], x: &[f32], y: &[f32]) {
        with_rest(
            out,
            x,
            y,
            #[inline(always)]
            |rest, _, _| rest,
        );
    }
    fn remainder(out: &mut [f32], x: &[f32], y: &[f32]) {
        with_rest(
            out,
            x,
            y,
            #[inline(always)]
            |rest, _, y| floor_rest(rest, y),
        );
    }
    fn floor_divide(out: &mut [f32], x: &[f32], y: &[f32]) {
        with_rest(out, x, y, floor_quotient::<f32>);
    }
}

/// `f` of every pair, by calls.
fn each(out: &mut [f64], x: &[f64], y: &[f64], f: impl Fn(f64, f64) -> f64) {
    for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
        *o = f(x, y);
    }
}

impl Pair for f64 {
    #[inline(always)]
    fn cut(self) -> f64 {
        self.trunc()
    }
    #[inline(always)]
    fn with_sign_of(self, other: f64) -> f64 {
        self.copysign(other)
    }
    fn to_power(self, exponent: f64) -> f64 {
        self.powf(exponent)
    }
    fn atan2(self, x: f64) -> f64 {
        f64::atan2(self, x)
    }
    fn hypot(self, y: f64) -> f64 {
        f64::hypot(self, y)
    }
    fn fmod(out: &mut [f64], x: &[f64], y: &[f64]) {
        each(out, x, y, |x, y| x % y);
    }
    fn remainder(out: &mut [f64], x: &[f64], y: &[f64]) {
        each(out, x, y, |x, y| floor_rest(x % y, y));
    }
    fn floor_divide(out: &mut [f64], x: &[f64], y: &[f64]) {
        each(out, x, y, |x, y| floor_quotient(x % y, x, y));
    }
}

/// c[0] + c[1] x + c[2] x^2 + .., by Horner's rule.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut sum = c[N - 1];
    for i in 1..N {
        sum = sum.mul_add(x, c[N - 1 - i]);
    }
    sum
}

/// 1.5 * 2^52: adding it rounds an f64 of less than 2^51 to an integer, which then is in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// log2((1 + s) / (1 - s)) / s = 2 / ln 2 (1 + s^2 / 3 + s^4 / 5 + ..) in powers of s^2, which is at most 0.0295 here: what
/// is left out is below 2^-44 of it.
const LOG2: [f64; 8] = {
    let (mut c, mut n) = ([0.0; 8], 0);
    while n < 8 {
        c[n] = 2.0 * LOG2_E / (2 * n + 1) as f64;
        n += 1;
    }
    c
};

/// 2^r = 1 + r ln 2 + (r ln 2)^2 / 2! + .., for |r| <= 1/2: what is left out is below 2^-42.
const EXP2: [f64; 11] = {
    let (mut c, mut n) = ([1.0; 11], 1);
    while n < 11 {
        c[n] = c[n - 1] * LN_2 / n as f64;
        n += 1;
    }
    c
};

/// log2 of a float that is not negative.
#[inline(always)]
fn log2(x: f32) -> f64 {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let subnormal = x < f32::MIN_POSITIVE;
    let u = if subnormal { x * 8_388_608.0 } else { x };
    // u = 2^k (1 + f), with 1 + f from sqrt 1/2 to sqrt 2; f is exact.
    let bits = u.to_bits().wrapping_sub(SQRT_HALF);
    let f = f64::from(f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF) - 1.0);
    let k = (bits as i32 >> 23) as f32 - if subnormal { 23.0 } else { 0.0 };
    let s = f / (2.0 + f);
    let y = s.mul_add(polynomial(s * s, LOG2), f64::from(k));
    let y = if x == 0.0 { f64::NEG_INFINITY } else { y };
    // Also of NaN.
    if x < f32::INFINITY { y } else { f64::from(x) }
}

/// x^y as C defines it; 0.51 ULP.
#[inline(always)]
fn power(x: f32, y: f32) -> f32 {
    let log = log2(x.abs());
    let product = f64::from(y) * log;
    // 1 to any power, also to an infinite one.
    let product = if log == 0.0 && !y.is_nan() { 0.0 } else { product };
    // At these bounds the result is zero and infinity.
    let product = if product > 200.0 { 200.0 } else { product };
    let product = if product < -200.0 { -200.0 } else { product };
    let rounded = product + ROUND;
    let scale = f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52));
    let size = (polynomial(product - (rounded - ROUND), EXP2) * scale) as f32;
    let whole = y.trunc() == y;
    let half = 0.5 * y;
    let odd = whole && half.trunc() != half;
    let size = if x < 0.0 && x > f32::NEG_INFINITY && !whole { f32::NAN } else { size };
    let size = if odd { size.copysign(x) } else { size };
    if y == 0.0 || x == 1.0 { 1.0 } else { size }
}

/// atan(r) / r = 1 - r^2 / 3 + r^4 / 5 - .. in powers of r^2, for |r| <= tan(pi / 8): what is left out is below 2^-35.
const ATAN: [f64; 12] = {
    let (mut c, mut n) = ([0.0; 12], 0);
    while n < 12 {
        c[n] = (if n % 2 == 0 { 1.0 } else { -1.0 }) / (2 * n + 1) as f64;
        n += 1;
    }
    c
};

/// The angle of the point (x, y); 0.51 ULP.
#[inline(always)]
fn angle(y: f32, x: f32) -> f32 {
    const TAN_PI_8: f64 = 0.414_213_562_373_095_05;
    let (a, b) = (x.abs(), y.abs());
    let steep = b > a;
    let (small, large) = if steep { (a, b) } else { (b, a) };
    // Two infinities, or two zeros.
    let small = if small == f32::INFINITY { 1.0 } else { small };
    let large = if large == f32::INFINITY && small == 1.0 && a == b { 1.0 } else { large };
    let large = if large == 0.0 { 1.0 } else { large };
    let (small, large) = (f64::from(small), f64::from(large));
    // tan(t - pi/4) = (tan t - 1) / (tan t + 1).
    let turned = small > TAN_PI_8 * large;
    let (top, bottom, offset) =
        if turned { (small - large, small + large, FRAC_PI_4) } else { (small, large, 0.0) };
    let r = top / bottom;
    let y1 = r.mul_add(polynomial(r * r, ATAN), offset);
    let y2 = if steep { FRAC_PI_2 - y1 } else { y1 };
    let y3 = if x.is_sign_negative() { PI - y2 } else { y2 };
    let result = (y3 as f32).copysign(y);
    if x.is_nan() || y.is_nan() { f32::NAN } else { result }
}

/// sqrt(x^2 + y^2); 0.5 ULP.
#[inline(always)]
fn length(x: f32, y: f32) -> f32 {
    let (a, b) = (f64::from(x), f64::from(y));
    let result = (a * a + b * b).sqrt() as f32;
    let infinite = x.abs() == f32::INFINITY || y.abs() == f32::INFINITY;
    if infinite { f32::INFINITY } else { result }
}

/// From quotients of this size on their whole part is not sure in f64.
const HUGE: f64 = (1u64 << 50) as f64;

/// |x| / |y| in f64.
#[inline(always)]
fn quotient(x: f32, y: f32) -> f64 {
    f64::from(x.abs()) / f64::from(y.abs())
}

/// C's fmod, exactly, for quotients that are not [`HUGE`].
#[inline(always)]
fn moderate_rest(x: f32, y: f32) -> f32 {
    let (a, b) = (f64::from(x.abs()), f64::from(y.abs()));
    let rest = b.mul_add(-quotient(x, y).floor(), a);
    // The quotient may have been rounded up to a whole number.
    let rest = if rest < 0.0 { rest + b } else { rest };
    let rest = if b == f64::INFINITY { a } else { rest };
    (rest as f32).copysign(x)
}

/// `finish` of the remainder and the two, of each pair: in vector code, and then one by one where the quotient is huge,
/// in blocks that have such a pair.
#[inline(always)]
fn with_rest(out: &mut [f32], x: &[f32], y: &[f32], finish: impl Fn(f32, f32, f32) -> f32 + Copy) {
    const BLOCK: usize = 256;
    // Also of infinities and NaN.
    #[inline(always)]
    fn is_huge(x: f32, y: f32) -> bool {
        let quotient = quotient(x, y);
        quotient >= HUGE || quotient.is_nan()
    }
    vectorized(
        #[inline(always)]
        || {
            for ((out, x), y) in out.chunks_mut(BLOCK).zip(x.chunks(BLOCK)).zip(y.chunks(BLOCK)) {
                let mut huge = false;
                for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                    *o = finish(moderate_rest(x, y), x, y);
                    huge |= is_huge(x, y);
                }
                if huge {
                    for ((o, &x), &y) in out.iter_mut().zip(x).zip(y).filter(|((_, x), y)| is_huge(**x, **y))
                    {
                        *o = finish(x % y, x, y);
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeros, ones, infinities, NaN, whole numbers odd and even, and numbers of every magnitude, with both signs.
    fn values() -> Vec<f32> {
        let special =
            [0.0, 1.0, 2.0, 3.0, 0.5, 1.5, 16_777_216.0, f32::INFINITY, f32::MIN_POSITIVE, f32::MAX, 1e-45];
        let spread = (0..120).map(|i| f32::from_bits(0x0040_1234u32 + i * 0x0110_9137));
        let all: Vec<f32> = special.into_iter().chain(spread).collect();
        all.iter().flat_map(|&x| [x, -x]).chain([f32::NAN]).collect()
    }

    /// The difference in units of the last place of the exact value; 0 for equal infinities, signed zeros and NaN.
    fn ulps(found: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        if found.is_nan() && exact.is_nan() {
            return 0.0;
        }
        if found == rounded {
            return if found.is_sign_negative() == rounded.is_sign_negative() { 0.0 } else { f64::INFINITY };
        }
        let next = f32::from_bits(rounded.abs().to_bits() + 1);
        let unit = f64::from(next) - f64::from(rounded.abs());
        (f64::from(found) - exact).abs() / unit
    }

    fn check(name: &str, found: fn(f32, f32) -> f32, exact: fn(f64, f64) -> f64, most: f64) {
        for x in values() {
            for y in values() {
                let error = ulps(found(x, y), exact(f64::from(x), f64::from(y)));
                assert!(error <= most, "{name}({x:e}, {y:e}) = {:e}: {error} ULP", found(x, y));
            }
        }
    }

    #[test]
    fn powers_angles_and_lengths_are_rounded_once() {
        check("pow", power, f64::powf, 0.51);
        check("atan2", angle, f64::atan2, 0.51);
        check("hypot", length, f64::hypot, 0.501);
    }

    #[test]
    fn remainders_are_exact_and_quotients_fit_them() {
        let (x, y): (Vec<f32>, Vec<f32>) =
            values().iter().flat_map(|&x| values().into_iter().map(move |y| (x, y))).unzip();
        let run = |f: fn(&mut [f32], &[f32], &[f32])| {
            let mut out = vec![0.0; x.len()];
            f(&mut out, &x, &y);
            out
        };
        let (rest, floor_rests, quotients) = (run(f32::fmod), run(f32::remainder), run(f32::floor_divide));
        for i in 0..x.len() {
            let (x, y) = (x[i], y[i]);
            let name = format!("{x:e} {y:e}");
            assert_eq!(ulps(rest[i], f64::from(x % y)), 0.0, "{name}: {:e} is not {:e}", rest[i], x % y);
            assert_eq!(ulps(floor_rests[i], f64::from(floor_rest(x % y, y))), 0.0, "{name}");
            assert_eq!(ulps(quotients[i], f64::from(floor_quotient(x % y, x, y))), 0.0, "{name}");
        }
        // Python: 5.0 % -3.0 is -1.0, 5.0 // -3.0 is -2.0, and 1 // 0.1 is 9 though 1 / 0.1 rounds to 10.
        assert_eq!((floor_rest(2.0, -3.0), floor_quotient(2.0, 5.0, -3.0)), (-1.0, -2.0));
        assert_eq!(floor_quotient(1.0 % 0.1, 1.0, 0.1), 9.0);
    }

    #[test]
    fn sums_of_exponentials_do_not_overflow() {
        let ln_2 = LN_2 as f32;
        assert_eq!(logaddexp(1000.0f32, 1000.0, 1.0), 1000.0 + ln_2);
        assert_eq!(logaddexp(-1000.0f32, 5.0, 1.0), 5.0);
        assert_eq!(logaddexp(3.0f64, 3.0, LN_2), 4.0);
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        assert_eq!(
            [logaddexp(inf, inf, 1.0), logaddexp(-inf, -inf, 1.0), logaddexp(inf, -inf, 1.0)],
            [inf, -inf, inf]
        );
        assert!(logaddexp(nan, 1.0, 1.0).is_nan() && logaddexp(1.0, nan, 1.0).is_nan());
    }
}
