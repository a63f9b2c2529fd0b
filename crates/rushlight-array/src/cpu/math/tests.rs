//! Each function against f64: on a sample always, on all 2^32 inputs on request. Measure with
//! `cargo test --release -p rushlight-array --lib cpu::math -- --ignored --nocapture --test-threads=1`.

use super::super::simd::{SimdLevel, set_simd_level, simd_level, vectorized};
use super::pieces;
use std::sync::atomic::{AtomicU64, Ordering};

/// A function, its value in f64, and the error that its doc states. Within 1/2 of `root`, where the result is a
/// difference, it counts as if the true value were at least 1/8.
struct Case {
    row: fn(&mut [f32], &[f32]),
    exact: fn(f64) -> f64,
    ulp: f64,
    root: f64,
}

/// A case whose row function is a vectorised loop.
macro_rules! case {
    ($name:ident, $exact:expr, $ulp:expr) => {
        case!(super::$name, $exact, $ulp)
    };
    ($name:path, $exact:expr, $ulp:expr) => {{
        fn row(out: &mut [f32], x: &[f32]) {
            vectorized(
                #[inline(always)]
                || {
                    for (o, &v) in out.iter_mut().zip(x) {
                        *o = $name(v);
                    }
                },
            );
        }
        Case { row, exact: $exact, ulp: $ulp, root: f64::NAN }
    }};
}

const EXP: Case = case!(exp, f64::exp, 1.02);
const EXP_M1: Case = case!(exp_m1, f64::exp_m1, 1.54);
const LN: Case = case!(ln, f64::ln, 0.89);
const LN_1P: Case = case!(ln_1p, f64::ln_1p, 0.9);
const TANH: Case = case!(tanh, f64::tanh, 1.34);
const SIGMOID: Case = case!(sigmoid, exact_sigmoid, 1.02);
const ERF: Case = case!(erf, exact_erf, 1.18);
const GELU: Case = Case { row: pieces::gelu_row, exact: exact_gelu, ulp: 5.5, root: f64::NAN };
const GELU_SLOPE: Case = Case { row: gelu_slope_row, exact: exact_gelu_slope, ulp: 5.4, root: f64::NAN };
const GELU_TANH: Case = case!(gelu_tanh, exact_gelu_tanh, 2.7);
const GELU_TANH_SLOPE: Case =
    Case { root: -0.752_461_4, ..case!(gelu_tanh_slope, exact_gelu_tanh_slope, 8.5) };
const SIN: Case = Case { row: super::sin_row, exact: f64::sin, ulp: 1.21, root: f64::NAN };
const COS: Case = Case { row: super::cos_row, exact: f64::cos, ulp: 1.21, root: f64::NAN };

const ALL: [&Case; 30] = [
    &EXP,
    &EXP_M1,
    &LN,
    &LN_1P,
    &TANH,
    &SIGMOID,
    &ERF,
    &GELU,
    &GELU_SLOPE,
    &GELU_TANH,
    &GELU_TANH_SLOPE,
    &SIN,
    &COS,
    &functions::EXP2,
    &functions::LOG2,
    &functions::LOG10,
    &functions::SINH,
    &functions::COSH,
    &functions::TAN,
    &functions::SINC,
    &functions::ASIN,
    &functions::ACOS,
    &functions::ATAN,
    &functions::ASINH,
    &functions::ACOSH,
    &functions::ATANH,
    &functions::ERFC,
    &functions::ERFINV,
    &functions::I0,
    &functions::I1,
];

fn exact_sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// 1 - erf(a) for a >= 2, by the continued fraction (Abramowitz and Stegun 7.1.14), from the far end.
fn far_erfc(a: f64) -> f64 {
    let terms = (150.0 / (a * a)) as i32 + 12;
    let rest = (1..=terms).rev().fold(a, |rest, k| a + 0.5 * f64::from(k) / rest);
    (-a * a).exp() / (std::f64::consts::PI.sqrt() * rest)
}

/// By 2/sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (1 3 .. (2n+1)) (Abramowitz and Stegun 7.1.6) below 2.
fn exact_erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 1e-5 || x.is_nan() {
        return std::f64::consts::FRAC_2_SQRT_PI * x;
    }
    if a >= 2.0 {
        return (1.0 - if a > 27.0 { 0.0 } else { far_erfc(a) }).copysign(x);
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term.abs() > 1e-17 * a {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// The normal distribution function.
fn exact_phi(x: f64) -> f64 {
    let z = x * std::f64::consts::FRAC_1_SQRT_2;
    if z <= -2.0 { 0.5 * far_erfc(-z) } else { 0.5 * (1.0 + exact_erf(z)) }
}

fn exact_gelu(x: f64) -> f64 {
    if x.is_infinite() { f64::NAN } else { x * exact_phi(x) }
}

fn gelu_slope_row(out: &mut [f32], x: &[f32]) {
    pieces::gelu_grad_row(out, &vec![1.0; x.len()], x);
}

fn exact_gelu_slope(x: f64) -> f64 {
    if x.is_infinite() {
        return f64::NAN;
    }
    let x = x.clamp(-1e3, 1e3);
    exact_phi(x) + x * (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// 2 sqrt(2 / pi), the factor of PyTorch's formula inside of a sigmoid.
fn gelu_tanh_factor() -> f64 {
    2.0 * std::f64::consts::FRAC_2_PI.sqrt()
}

fn exact_gelu_tanh(x: f64) -> f64 {
    if x == f64::NEG_INFINITY {
        return f64::NAN;
    }
    let x = if x < -1e3 { -1e3 } else { x };
    x * exact_sigmoid(gelu_tanh_factor() * (x + 0.044715 * x * x * x))
}

fn exact_gelu_tanh_slope(x: f64) -> f64 {
    if x.is_infinite() {
        return f64::NAN;
    }
    let x = x.clamp(-1e3, 1e3);
    let z = gelu_tanh_factor() * (x + 0.044715 * x * x * x);
    let inner = gelu_tanh_factor() * (1.0 + 3.0 * 0.044715 * x * x);
    exact_sigmoid(z) * (1.0 + x * inner * exact_sigmoid(-z))
}

/// The distance in units of the last place of the true value; infinite if a NaN, an infinity or the sign of
/// a zero's image is wrong.
fn error(case: &Case, x: f32, got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if want.is_nan() || rounded.is_infinite() || x == 0.0 && want == 0.0 {
        let same = got.is_nan() && rounded.is_nan() || got.to_bits() == rounded.to_bits();
        return if same { 0.0 } else { f64::INFINITY };
    }
    if !got.is_finite() {
        return f64::INFINITY;
    }
    // The exponent of the true value, at least that of the subnormals.
    let exponent = ((want.to_bits() >> 52 & 0x7ff) as i64 - 1023).max(-126);
    let unit = f64::from_bits(((exponent - 23 + 1023) as u64) << 52);
    let unit = if (f64::from(x) - case.root).abs() < 0.5 { unit.max(2f64.powi(-26)) } else { unit };
    (f64::from(got) - want).abs() / unit
}

/// The greatest error over some bit patterns, and where it is.
fn worst(case: &Case, mut bits: impl Iterator<Item = u32>) -> (f64, f32) {
    let (mut x, mut out) = ([0.0; 4096], [0.0; 4096]);
    let mut worst = (0.0, 0.0);
    loop {
        let mut len = 0;
        for (x, bits) in x.iter_mut().zip(&mut bits) {
            *x = f32::from_bits(bits);
            len += 1;
        }
        if len == 0 {
            return worst;
        }
        (case.row)(&mut out[..len], &x[..len]);
        for (&x, &got) in x[..len].iter().zip(&out) {
            let want = (case.exact)(f64::from(x));
            // A unit is at least 2^-24 of the value: most results need no closer look.
            let new = (f64::from(got) - want).abs();
            if new <= worst.0 * want.abs() * 2f64.powi(-24) && got.is_finite() && x != 0.0 {
                continue;
            }
            let error = error(case, x, got, want);
            if error > worst.0 {
                worst = (error, x);
            }
        }
    }
}

fn assert_within(case: &Case, (error, x): (f64, f32)) {
    let mut out = [0.0];
    (case.row)(&mut out, &[x]);
    let want = (case.exact)(f64::from(x));
    println!("{error:.4} ULP at {x:e}: {:e}, true {want:e}", out[0]);
    assert!(error <= case.ulp, "{error} ULP at {x:e}: {:e} instead of {want:e}", out[0]);
}

/// Zeros, the ends of the subnormal and normal numbers, infinities, NaN, and their neighbours.
fn special_bits() -> impl Iterator<Item = u32> {
    let corners =
        [0u32, 0x007f_ffff, 0x3f80_0000, 0x42b1_7218, 0x47c3_5000, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000];
    corners
        .into_iter()
        .flat_map(|bits| (0..5).map(move |k| (bits + 2).wrapping_sub(k)))
        .flat_map(|bits| [bits, bits ^ 0x8000_0000])
}

fn assert_sample(case: &Case) {
    assert_within(case, worst(case, special_bits().chain((0..=u32::MAX).step_by(1009))));
}

/// All 2^32 inputs, shared out over the processors.
fn assert_all(case: &Case) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let found = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut found = (0.0, 0.0);
                    loop {
                        let block = next.fetch_add(1, Ordering::Relaxed);
                        if block >= 1 << 12 {
                            return found;
                        }
                        let start = (block as u32) << 20;
                        let new = worst(case, (0..1 << 20).map(|i| start | i));
                        found = if new.0 > found.0 { new } else { found };
                    }
                })
            })
            .collect();
        let found = workers.into_iter().map(|w| w.join().expect("a worker does not panic"));
        found.fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    });
    assert_within(case, found);
}

macro_rules! against_f64 {
    ($($case:ident, $sample:ident, $all:ident;)*) => {$(
        #[test]
        fn $sample() {
            assert_sample(&$case);
        }

        #[test]
        #[ignore = "all 2^32 inputs take a minute or more; `cargo xtask test --only long` runs it"]
        fn $all() {
            assert_all(&$case);
        }
    )*};
}
mod functions;

against_f64! {
    EXP, exp_is_near_f64, all_inputs_exp;
    EXP_M1, exp_m1_is_near_f64, all_inputs_exp_m1;
    LN, ln_is_near_f64, all_inputs_ln;
    LN_1P, ln_1p_is_near_f64, all_inputs_ln_1p;
    TANH, tanh_is_near_f64, all_inputs_tanh;
    SIGMOID, sigmoid_is_near_f64, all_inputs_sigmoid;
    ERF, erf_is_near_f64, all_inputs_erf;
    GELU, gelu_is_near_f64, all_inputs_gelu;
    GELU_SLOPE, gelu_slope_is_near_f64, all_inputs_gelu_slope;
    GELU_TANH, gelu_tanh_is_near_f64, all_inputs_gelu_tanh;
    GELU_TANH_SLOPE, gelu_tanh_slope_is_near_f64, all_inputs_gelu_tanh_slope;
    SIN, sin_is_near_f64, all_inputs_sin;
    COS, cos_is_near_f64, all_inputs_cos;
}

/// Numbers of all magnitudes and the special ones, the same in every run.
fn mixed_numbers(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = move || {
        // Numerical Recipes' linear congruential generator; the high bits are the good ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let special: Vec<_> = special_bits().map(f32::from_bits).collect();
    (0..count)
        .map(|i| match i % 4 {
            0 => special[(next() >> 8) as usize % special.len()],
            1 => f32::from_bits(next()),
            _ => ((next() >> 8) as f32 / (1 << 23) as f32 - 1.0) * 20.0,
        })
        .collect()
}

#[test]
fn all_levels_give_the_same_bits() {
    // NaN is NaN: its sign and payload are no promise.
    let bits = |out: &[f32]| -> Vec<u32> {
        out.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect()
    };
    let before = simd_level();
    let x = mixed_numbers(4096);
    for (which, case) in ALL.into_iter().enumerate() {
        set_simd_level(SimdLevel::Portable);
        let mut want = vec![0.0; x.len()];
        (case.row)(&mut want, &x);
        let want = bits(&want);
        for level in [SimdLevel::Portable, SimdLevel::Avx2, SimdLevel::Avx512] {
            set_simd_level(level);
            // Whole, and from all kinds of unaligned starts in all short lengths.
            let mut out = vec![0.0; x.len()];
            (case.row)(&mut out, &x);
            assert_eq!(bits(&out), want, "function {which} of the list at {level:?}");
            for len in 0..70 {
                let start = 37 * len % 1000;
                let mut out = vec![0.0; len + len % 5];
                (case.row)(&mut out[len % 5..], &x[start..start + len]);
                assert_eq!(bits(&out[len % 5..]), want[start..start + len], "function {which}, length {len}");
            }
        }
    }
    set_simd_level(before);
}

/// Where one piece of [`pieces`] ends and the next begins, where all end, and what is computed beside it by the formula.
#[test]
fn pieces_meet_and_gradients_are_factors() {
    let edges = (0..16).map(|k| k as f32 / 4.0 + 0.125).flat_map(|x| [x, x.next_up(), x.next_down()]);
    let edges: Vec<f32> = edges.flat_map(|x| [x, -x]).chain([f32::NAN, 20.0, -0.0]).collect();
    for case in [&GELU, &GELU_SLOPE] {
        assert_within(case, worst(case, edges.iter().map(|x| x.to_bits())));
    }
    let grads: Vec<f32> =
        (0..edges.len()).map(|i| [f32::NAN, f32::INFINITY, -0.0, 0.5, -3.25][i % 5]).collect();
    let before = simd_level();
    let mut slopes = vec![0.0; edges.len()];
    for level in [SimdLevel::Portable, SimdLevel::Avx2, SimdLevel::Avx512] {
        set_simd_level(level);
        let mut found = vec![0.0; edges.len()];
        pieces::gelu_grad_row(&mut found, &grads, &edges);
        gelu_slope_row(&mut slopes, &edges);
        for (i, (&found, &slope)) in found.iter().zip(&slopes).enumerate() {
            let expected = grads[i] * slope;
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(same, "{} x {slope:e} at {:e}: {found:e}", grads[i], edges[i]);
        }
    }
    set_simd_level(before);
}

#[test]
fn sin_and_cos_of_one_number_are_those_of_a_row() {
    for x in mixed_numbers(1000) {
        let mut out = [0.0];
        for (row, one) in [
            (super::sin_row as fn(&mut [f32], &[f32]), super::sin as fn(f32) -> f32),
            (super::cos_row, super::cos),
        ] {
            row(&mut out, &[x]);
            assert!(out[0].to_bits() == one(x).to_bits() || out[0].is_nan() && one(x).is_nan(), "at {x:e}");
        }
    }
}

#[test]
fn error_function_of_the_test_matches_a_table() {
    // Python's math.erf and math.erfc.
    for (x, erf) in [
        (0.001, 0.0011283787909692365),
        (0.1, 0.1124629160182849),
        (0.5, 0.5204998778130465),
        (1.0, 0.8427007929497149),
        (1.5, 0.9661051464753108),
        (1.9375, 0.9938568063952132),
    ] {
        assert!((exact_erf(x) / erf - 1.0).abs() < 1e-14, "erf({x}): {} and {erf}", exact_erf(x));
    }
    for (x, erfc) in [
        (2.0, 0.004677734981047265),
        (2.5, 0.0004069520174449589),
        (4.0, 1.541725790028002e-08),
        (7.5, 2.776649386030569e-26),
        (10.0, 2.088487583762545e-45),
    ] {
        assert!((far_erfc(x) / erfc - 1.0).abs() < 1e-13, "erfc({x}): {} and {erfc}", far_erfc(x));
    }
}

#[test]
fn special_values_are_those_of_the_limit() {
    let inf = f32::INFINITY;
    assert_eq!([super::exp(-inf), super::exp(inf), super::exp_m1(-inf)], [0.0, inf, -1.0]);
    assert_eq!([super::ln(inf), super::ln(0.0), super::ln(-0.0)], [inf, -inf, -inf]);
    assert_eq!([super::ln_1p(-1.0), super::ln_1p(inf)], [-inf, inf]);
    assert!(super::ln(-1.0).is_nan() && super::ln_1p(-1.5).is_nan() && super::sin(inf).is_nan());
    assert_eq!(
        [super::tanh(-inf), super::tanh(inf), super::erf(-inf), super::erf(inf)],
        [-1.0, 1.0, -1.0, 1.0]
    );
    assert_eq!([super::sigmoid(-inf), super::sigmoid(inf)], [0.0, 1.0]);
    // As in PyTorch, the product of an infinity and 0, and what its f32 kernel makes of infinity.
    let one = |row: fn(&mut [f32], &[f32]), x: f32| {
        let mut out = [f32::MAX];
        row(&mut out, &[x]);
        out[0]
    };
    assert!(one(GELU.row, -inf).is_nan() && one(GELU.row, inf).is_nan() && super::gelu_tanh(-inf).is_nan());
    assert_eq!(super::gelu_tanh(inf), inf);
    for slope in [GELU_SLOPE, GELU_TANH_SLOPE] {
        assert!(one(slope.row, -inf).is_nan() && one(slope.row, inf).is_nan());
        assert_eq!(one(slope.row, 0.0), 0.5);
    }
    for odd in [EXP_M1, LN_1P, TANH, ERF, GELU, GELU_TANH, SIN] {
        assert_eq!(one(odd.row, -0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(one(odd.row, 0.0).to_bits(), 0.0f32.to_bits());
    }
}
