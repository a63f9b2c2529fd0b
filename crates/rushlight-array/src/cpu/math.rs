//! Elementary functions of f32 for the vector kernels.
//!
//! Each function is branch-free scalar code (fused multiply-adds, bit casts, compares and selects), so that a loop
//! over it inside of `vectorized` becomes vector code of any width, with the same bits at every width. What
//! would break that is left out on purpose: `as i32` saturates, `f32::max` treats NaN specially, and calls
//! and tables do not vectorise (but for `pieces`, which says so in intrinsics). Integers are got from floats by adding [`ROUND`].
//!
//! The polynomials were fitted for this file: least squares on Chebyshev points, reweighted until all the peaks of
//! the error were of one height (Lawson's method), then rounded to f32 from the lowest coefficient up, the rest
//! fitted again after each; quotients of two by the same, linearised and iterated. At each stands the interval, and
//! the greatest relative error of the function that the polynomial causes.
//!
//! "n ULP" in a doc is the greatest error over all 2^32 inputs against f64, in units of the last place of the true
//! result: 0.5 is what rounding alone costs. The tests `all_inputs_*` measure it. For `tan`, `sinc` and the functions of
//! the submodules it is a bound, a little above the greatest error of one input in a thousand.

use super::simd::vectorized;

pub(crate) mod bessel;
pub(crate) mod exponential;
pub(crate) mod inverse;
#[allow(unsafe_code, reason = "an instruction that looks up numbers in a table")]
pub(crate) mod pieces;
pub(crate) mod probability;
#[cfg(test)]
mod tests;

/// 1.5 * 2^23: adding it rounds a float of less than 2^22 to an integer, which then is in the low bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts. The first has 16 bits, so that its products with exponents are exact.
const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];

/// c[0] + c[1] x + c[2] x^2 + .., by Horner's rule: the least rounding, one long chain.
#[inline(always)]
fn polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut sum = c[N - 1];
    for i in 1..N {
        sum = sum.mul_add(x, c[N - 1 - i]);
    }
    sum
}

/// The same with the even and the odd powers apart: half the latency, where the last place of the sum does not matter.
#[inline(always)]
fn short_polynomial<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let square = x * x;
    let (mut last, mut other) = (c[N - 1], c[N - 2]);
    for i in 2..N {
        (last, other) = (other, last.mul_add(square, c[N - 1 - i]));
    }
    last.mul_add(x, other)
}

/// x = n ln 2 + r with |r| <= 0.3476, for |x| < 200: x - n LN_2[0] (exact), n, and n in the place of an exponent.
#[inline(always)]
fn split_exponent(x: f32) -> (f32, f32, u32) {
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    (n.mul_add(-LN_2[0], x), n, rounded.to_bits() << 23)
}

/// e^r - 1 for |r| <= 0.3476; 2^-31.1.
#[inline(always)]
fn exp_m1_core(r: f32) -> f32 {
    let q = short_polynomial(
        r,
        [0.5, 0.166_666_66, 0.041_666_493, 0.008_333_543, 0.001_393_238_5, 0.000_197_644_27],
    );
    (r * r).mul_add(q, r)
}

/// e^x = `(1 + t) power factor`, where the first product is a normal number and the factor 2 or 2^-63: 2^128 is no
/// float, and a subnormal result is rounded by the last product.
#[derive(Clone, Copy)]
struct Exp {
    t: f32,
    power: f32,
    factor: f32,
}

impl Exp {
    /// For -130 < x < 89.
    #[inline(always)]
    fn new(x: f32) -> Self {
        let (coarse, n, shift) = split_exponent(x);
        Self::assemble(x < -80.0, n.mul_add(-LN_2[1], coarse), shift)
    }

    /// e^(x + low) for a tiny `low`.
    #[inline(always)]
    fn of_sum(x: f32, low: f32) -> Self {
        let (coarse, n, shift) = split_exponent(x);
        Self::assemble(x < -80.0, coarse + n.mul_add(-LN_2[1], low), shift)
    }

    #[inline(always)]
    fn assemble(small: bool, r: f32, shift: u32) -> Self {
        let bias: u32 = if small { (126 + 64) << 23 } else { 126 << 23 };
        let factor = if small { 2.0 / (1u128 << 64) as f32 } else { 2.0 };
        Self { t: exp_m1_core(r), power: f32::from_bits(bias.wrapping_add(shift)), factor }
    }

    #[inline(always)]
    fn value(self) -> f32 {
        self.power.mul_add(self.t, self.power) * self.factor
    }

    /// The product with x, with one rounding less than by `value`.
    #[inline(always)]
    fn times(self, x: f32) -> f32 {
        x.mul_add(self.t, x) * self.power * self.factor
    }

    /// As `value`, where 2^-63 instead of values from e^-80 on is as good as zero.
    #[inline(always)]
    fn beside_one(self) -> f32 {
        let twice = 2.0 * self.power;
        twice.mul_add(self.t, twice)
    }
}

/// e^x for -80 <= x <= 80.
#[inline(always)]
fn moderate_exp(x: f32) -> f32 {
    let (coarse, n, shift) = split_exponent(x);
    let power = f32::from_bits(shift.wrapping_add(127 << 23));
    power.mul_add(exp_m1_core(n.mul_add(-LN_2[1], coarse)), power)
}

/// The smaller one; NaN stays NaN, which `f32::min` would not let be.
#[inline(always)]
fn at_most(x: f32, bound: f32) -> f32 {
    if x > bound { bound } else { x }
}

/// The greater one, or NaN.
#[inline(always)]
fn at_least(x: f32, bound: f32) -> f32 {
    if x < bound { bound } else { x }
}

/// e^x; 1.02 ULP.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // From 89 on the result is infinity. That from -104 down is zero, but not by way of a product which is rounded to
    // it: processors take a hundred cycles for that, and the masked part of a softmax is made of nothing else.
    let zero = x < -104.0;
    let y = Exp::new(at_most(if zero { 0.0 } else { x }, 89.0)).value();
    if zero { 0.0 } else { y }
}

/// e^x - 1; 1.54 ULP.
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    // At these bounds the result is -1 and infinity.
    let (coarse, n, shift) = split_exponent(at_least(at_most(x, 89.0), -20.0));
    let t = exp_m1_core(n.mul_add(-LN_2[1], coarse));
    // 2^(n - 1), since 2^128 is not a float.
    let half = f32::from_bits((126u32 << 23).wrapping_add(shift));
    let y = 2.0 * half.mul_add(t, half - 0.5);
    y.copysign(x)
}

/// u = 2^k (1 + f) with 1 + f in [sqrt 1/2, sqrt 2), for a positive normal u: k, f.
#[inline(always)]
fn split_mantissa(u: f32) -> (i32, f32) {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = u.to_bits().wrapping_sub(SQRT_HALF);
    let m = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF);
    (bits as i32 >> 23, m - 1.0)
}

/// k ln 2 + ln(1 + f) + low, for f in [sqrt 1/2 - 1, sqrt 2 - 1]; 2^-27.3.
#[inline(always)]
fn ln_core(k: f32, f: f32, low: f32) -> f32 {
    let q = short_polynomial(
        f,
        [
            0.333_333_3,
            -0.250_008_2,
            0.200_012_42,
            -0.166_234_09,
            0.142_015_81,
            -0.131_596_13,
            0.127_622,
            -0.076_363_996,
        ],
    );
    let square = f * f;
    let rest = square.mul_add(f.mul_add(q, -0.5), k.mul_add(LN_2[1], low));
    // The sum of the two large terms, and what its rounding lost (exact: k ln 2 is 0 or greater than f).
    let large = k * LN_2[0];
    let sum = large + f;
    sum + (rest + (f - (sum - large)))
}

/// The natural logarithm; 0.89 ULP.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let u = if subnormal { x * 8_388_608.0 } else { x };
    let (k, f) = split_mantissa(u);
    let k = k as f32 - if subnormal { 23.0 } else { 0.0 };
    let y = ln_core(k, f, -0.0);
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    let y = if x < 0.0 { f32::NAN } else { y };
    // Also of NaN.
    if x < f32::INFINITY { y } else { x }
}

/// ln(1 + x); 0.90 ULP.
#[inline(always)]
pub(crate) fn ln_1p(x: f32) -> f32 {
    let u = 1.0 + x;
    // 1 + x = u + lost exactly, if x is not huge.
    let x_part = u - 1.0;
    let lost = (1.0 - (u - x_part)) + (x - x_part);
    let (k, m) = split_mantissa(u);
    // lost 2^-k, which no longer counts for large k.
    let inverse = f32::from_bits(0x3f80_0000u32.wrapping_sub((k as u32) << 23));
    let lost = if x < 1.0e9 { lost * inverse } else { 0.0 };
    let f = m + lost;
    // What this sum lost in turn, over 1 + f.
    let lost = lost - (f - m);
    let y = ln_core(k as f32, f, lost.mul_add(-f, lost));
    let y = if x == -1.0 { f32::NEG_INFINITY } else { y };
    let y = if x < -1.0 { f32::NAN } else { y };
    let y = if x < f32::INFINITY { y } else { x };
    y.copysign(x)
}

/// The hyperbolic tangent; 1.34 ULP.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let square = a * a;
    // (tanh a - a) / a^3 for a <= 0.625; 2^-27.7.
    let q =
        short_polynomial(square, [-0.333_332_8, 0.133_314_06, -0.053_736_515, 0.020_628_167, -0.005_692_296]);
    let small = (a * square).mul_add(q, a);
    let large = 1.0 - 2.0 / (moderate_exp(at_most(2.0 * a, 20.0)) + 1.0);
    // NaN takes the first way.
    (if a > 0.625 { large } else { small }).copysign(x)
}

/// 1 / (1 + e^-x); 1.02 ULP.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    let Exp { t, power, factor } = Exp::new(-at_most(x.abs(), 110.0));
    let power = 2.0 * power;
    // e^-|x| and what its rounding lost. Below e^-80 it is scaled, but beside 1 still nothing.
    let e = power.mul_add(t, power);
    let e_low = power.mul_add(t, power - e);
    let (top, top_low, factor) = if x < 0.0 { (e, e_low, 0.5 * factor) } else { (1.0, 0.0, 1.0) };
    let inverse = 1.0 / (1.0 + e);
    let y = top * inverse;
    // top + top_low - y (1 + e + e_low): with it the quotient is off by little more than its own rounding.
    let missing = y.mul_add(-e, top - y) + y.mul_add(-e_low, top_low);
    missing.mul_add(inverse, y) * factor
}

/// The error function; 1.18 ULP.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let a = x.abs();
    // erf(a) / a - 1 for a <= 1; 2^-29.4.
    let q = polynomial(
        a * a,
        [
            0.128_379_17,
            -0.376_126_26,
            0.112_835_79,
            -0.026_853_347,
            0.005_187_162,
            -0.000_799_785_3,
            0.000_078_069_03,
        ],
    );
    let small = a.mul_add(q, a);
    // -ln(1 - erf(a)) for 1 <= a <= 4, from where on the result rounds to 1; 2^-29.8.
    let g = short_polynomial(
        at_most(a, 4.0),
        [
            0.000_341_523_1,
            1.127_089_1,
            0.638_144_97,
            0.103_106_61,
            -0.021_838,
            0.002_947_649,
            -0.000_186_379_58,
        ],
    );
    let large = 1.0 - moderate_exp(-g);
    (if a >= 1.0 { large } else { small }).copysign(x)
}

/// e^(-a^2 / 2) for 0 <= a <= 15. The square is kept in two parts: rounded to one it would cost a relative
/// error of a^2 / 4 ULP.
#[inline(always)]
fn gauss(a: f32) -> Exp {
    let square = a * a;
    let low = a.mul_add(a, -square);
    Exp::of_sum(-0.5 * square, -0.5 * low)
}

/// The formula of [`gelu_row`](pieces::gelu_row) for any x.
#[inline(always)]
fn gelu_far(x: f32) -> f32 {
    let a = at_most(x.abs(), 15.0);
    // Phi(-a) e^(a^2 / 2) for a <= 14.6; 2^-26.4.
    let p = short_polynomial(a, [0.5, 0.438_497_13, 0.183_385_13, 0.040_683_854, 0.004_123_841]);
    let q = short_polynomial(a, [1.0, 1.674_879_2, 1.203_125_7, 0.469_866_66, 0.101_985_68, 0.010_336_818]);
    // gelu(x) = relu(x) - a Phi(-a): the small tail is a product, not a difference.
    let tail = gauss(a).times(a * p / q);
    unless_infinite(x, ((if x < 0.0 { 0.0 } else { x }) - tail).copysign(x))
}

/// The slope of [`gelu_far`] for any x.
#[inline(always)]
fn gelu_slope_far(x: f32) -> f32 {
    let a = at_most(x.abs(), 15.0);
    // The slope at -a over e^(-a^2 / 2) (root - a), for a <= 14.6; 2^-25.2. The root is taken out, so that the slope
    // keeps its relative accuracy there. It is ROOT - 1.2e-8; far from it the product of that with p does not count.
    const ROOT: f32 = 0.751_791_54;
    const LOW_TIMES_P: f32 = -1.803_580_5e-8;
    let p = short_polynomial(a, [0.665_078, 0.753_315_6, 0.377_653_33, 0.095_542_684, 0.010_416_707]);
    let q = short_polynomial(a, [1.0, 1.398_285_2, 0.792_547_8, 0.219_867_51, 0.026_110_658]);
    let below = gauss(a).times((ROOT - a).mul_add(p, LOW_TIMES_P) / q);
    unless_infinite(x, if x < 0.0 { below } else { 1.0 - below })
}

/// y, or NaN where x is an infinity or NaN.
#[inline(always)]
fn unless_infinite(x: f32, y: f32) -> f32 {
    if x.abs() < f32::INFINITY { y } else { f32::NAN }
}

/// 2 sqrt(2 / pi), in two parts.
const GELU_LINEAR: [f32; 2] = [1.595_769_2, -4.534_068e-8];
/// 2 sqrt(2 / pi) 0.044715, in two parts.
const GELU_CUBIC: [f32; 2] = [0.071_354_814, 2.398_832_3e-9];

/// e^-(2 sqrt(2 / pi) (a + 0.044715 a^3)) for 0 <= a <= 11, and a^2. The exponent is computed in two parts, as
/// in [`gauss`].
#[inline(always)]
fn gelu_exponential(a: f32) -> (Exp, f32) {
    let square = a * a;
    let square_low = a.mul_add(a, -square);
    let cubic = GELU_CUBIC[0] * square;
    let cubic_low =
        GELU_CUBIC[0].mul_add(square_low, GELU_CUBIC[1] * square) + GELU_CUBIC[0].mul_add(square, -cubic);
    let sum = GELU_LINEAR[0] + cubic;
    let part = sum - cubic;
    let sum_low = (cubic - (sum - part)) + (GELU_LINEAR[0] - part) + (cubic_low + GELU_LINEAR[1]);
    let y = a * sum;
    let y_low = a.mul_add(sum_low, a.mul_add(sum, -y));
    (Exp::of_sum(-y, -y_low), square)
}

/// PyTorch's `approximate="tanh"`: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; 2.7 ULP. NaN at minus
/// infinity, as in PyTorch.
#[inline(always)]
pub(crate) fn gelu_tanh(x: f32) -> f32 {
    let a = at_most(x.abs(), 11.0);
    let (e, _) = gelu_exponential(a);
    // (1 - tanh z) / 2 = e^-2z / (1 + e^-2z); then as in `gelu`.
    let tail = e.times(a / (1.0 + e.beside_one()));
    let y = ((if x < 0.0 { 0.0 } else { x }) - tail).copysign(x);
    if x == f32::NEG_INFINITY { f32::NAN } else { y }
}

/// The derivative of [`gelu_tanh`]; 8.5 ULP, but where it is the difference of near numbers, within 1/2 of its zero at
/// -0.7525, 8.5 * 2^-26. NaN at the infinities.
#[inline(always)]
pub(crate) fn gelu_tanh_slope(x: f32) -> f32 {
    let a = at_most(x.abs(), 11.0);
    let (e, square) = gelu_exponential(a);
    let upper = 1.0 / (1.0 + e.beside_one());
    let inner = a * square.mul_add(3.0 * GELU_CUBIC[0], GELU_LINEAR[0]);
    let below = e.times(upper * (-inner).mul_add(upper, 1.0));
    unless_infinite(x, if x < 0.0 { below } else { 1.0 - below })
}

/// The quadrant and remainder of |x| < [`HUGE`] by pi/2: x = n pi/2 + r + low, by exact products with the three
/// parts of pi/2 (Cody and Waite). These are cut, not rounded: all positive, they keep r = -0 for x = -0.
#[inline(always)]
fn split_angle(x: f32) -> (f32, f32, u32) {
    const PI_2: [f32; 3] = [f32::from_bits(0x3fc9_0fda), 7.549_789_4e-8, 5.390_302_5e-15];
    let rounded = x.mul_add(std::f32::consts::FRAC_2_PI, ROUND);
    let n = rounded - ROUND;
    let coarse = n.mul_add(-PI_2[0], x);
    let fine = n * PI_2[1];
    let finest = n.mul_add(PI_2[2], n.mul_add(PI_2[1], -fine));
    let r = coarse - fine;
    let low = ((coarse - r) - fine) - finest;
    (r, low, rounded.to_bits())
}

/// The sine and cosine of the remainder of an x that is not huge, and its quadrant.
#[inline(always)]
fn sin_cos(x: f32) -> (f32, f32, u32) {
    let (r, low, quadrant) = split_angle(x);
    let square = r * r;
    // For |r| <= 0.806, which is pi/4 and what rounding n may add. (sin r - r) / r^3; 2^-27.6.
    let q = polynomial(square, [-0.166_666_52, 0.008_332_014, -0.000_194_956_59]);
    // The sum would make +0 of -0.
    let sin = (r + (r * square).mul_add(q, low)).copysign(r);
    // (cos r - 1 + r^2 / 2) / r^4; 2^-32.6.
    let q = polynomial(square, [-0.5, 0.041_666_64, -0.001_388_713, 0.000_024_412_086]);
    (sin, square.mul_add(q, 1.0), quadrant)
}

/// sin(x + turns pi/2) for an x that is not huge.
#[inline(always)]
fn moderate(x: f32, turns: u32) -> f32 {
    let (sin, cos, quadrant) = sin_cos(x);
    let quadrant = quadrant.wrapping_add(turns);
    let y = if quadrant & 1 == 0 { sin } else { cos };
    f32::from_bits(y.to_bits() ^ ((quadrant & 2) << 30))
}

/// tan(x) for an x that is not huge.
#[inline(always)]
fn moderate_tan(x: f32) -> f32 {
    let (sin, cos, quadrant) = sin_cos(x);
    let odd = quadrant & 1 == 1;
    (if odd { -cos } else { sin }) / (if odd { sin } else { cos })
}

/// From here on angles are reduced in f64, by the standard library: three parts of pi/2 no longer do.
const HUGE: f32 = 100_000.0;

#[inline(always)]
fn is_huge(x: f32) -> bool {
    // Also infinity and NaN.
    x.to_bits() & 0x7fff_ffff >= HUGE.to_bits()
}

/// The sine of one number; 1.21 ULP. Loops over many call [`sin_row`], which gives the same bits in vector code.
pub(crate) fn sin(x: f32) -> f32 {
    if is_huge(x) { f64::from(x).sin() as f32 } else { moderate(x, 0) }
}

/// The cosine of one number; 1.21 ULP. See [`sin`].
pub(crate) fn cos(x: f32) -> f32 {
    if is_huge(x) { f64::from(x).cos() as f32 } else { moderate(x, 1) }
}

/// The tangent of one number; 2.6 ULP. See [`sin`].
pub(crate) fn tan(x: f32) -> f32 {
    if is_huge(x) { f64::from(x).tan() as f32 } else { moderate_tan(x) }
}

/// sin(pi x) / (pi x); 3 ULP.
#[inline(always)]
pub(crate) fn sinc(x: f32) -> f32 {
    let n = x.round_ties_even();
    let half = 0.5 * n;
    let y = moderate(std::f32::consts::PI * (x - n), 0) / (std::f32::consts::PI * x);
    let y = if half == half.floor() { y } else { -y };
    if x == 0.0 { 1.0 } else { y }
}

/// The sine of each element.
pub(crate) fn sin_row(out: &mut [f32], x: &[f32]) {
    angle_row(
        out,
        x,
        #[inline(always)]
        |v| moderate(v, 0),
        sin,
    );
}

/// The cosine of each element.
pub(crate) fn cos_row(out: &mut [f32], x: &[f32]) {
    angle_row(
        out,
        x,
        #[inline(always)]
        |v| moderate(v, 1),
        cos,
    );
}

/// The tangent of each element.
pub(crate) fn tan_row(out: &mut [f32], x: &[f32]) {
    angle_row(out, x, moderate_tan, tan);
}

/// `moderate` of all elements in vector code, then `any` of the huge ones in blocks that have one.
#[inline(always)]
fn angle_row(out: &mut [f32], x: &[f32], moderate: impl Fn(f32) -> f32, any: fn(f32) -> f32) {
    const BLOCK: usize = 256;
    vectorized(
        #[inline(always)]
        || {
            for (out, x) in out.chunks_mut(BLOCK).zip(x.chunks(BLOCK)) {
                let mut huge = false;
                for (o, &v) in out.iter_mut().zip(x) {
                    *o = moderate(v);
                    huge |= is_huge(v);
                }
                if huge {
                    for (o, &v) in out.iter_mut().zip(x).filter(|(_, v)| is_huge(**v)) {
                        *o = any(v);
                    }
                }
            }
        },
    );
}
