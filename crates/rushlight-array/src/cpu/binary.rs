//! Elementwise kernels of two and three operands: the tables of functions.

use super::activation;
use super::elementwise::{CHUNK, vectorized};
use super::float::Float;
use super::igamma;
use super::pairs::{self, Pair};
use super::runs::{runs, runs3};
use super::simd;
use super::threads::for_each_slice;
use crate::array::Array;
use crate::backend::{Binary, Compare, Gelu, Ternary};
use crate::dtype::{DType, Element};

/// `f` of every pair of elements of two arrays of one shape. `cost` is in scalar operations per element.
///
/// The closure becomes vector code if it, and all that it calls, is marked `#[inline(always)]`; [`zip!`] does so.
#[inline(always)]
pub(super) fn zip<A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    f: impl Fn(A, B) -> O + Sync + Copy,
) -> Array {
    runs(a, b, cost, &|out: &mut [O], x: &[A], y: &[B]| {
        vectorized::<A, O, _>(
            #[inline(always)]
            move || {
                // A copy on this side of the call: its numbers stay in registers, whatever is written meanwhile.
                let f = f;
                for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                    *o = f(x, y);
                }
            },
        );
    })
}

/// [`zip`] with a closure that is inlined into the loop, which vector code needs.
macro_rules! zip {
    ($a:expr, $b:expr, $cost:expr, |$v:tt, $w:tt: $t:ty| $body:expr) => {
        zip(
            $a,
            $b,
            $cost,
            #[inline(always)]
            move |$v: $t, $w: $t| $body,
        )
    };
}

/// As [`zip!`], for three operands of one dtype.
macro_rules! zip3 {
    ($operands:expr, $cost:expr, |$u:tt, $v:tt, $w:tt: $t:ty| $body:expr) => {
        runs3($operands, $cost, &|out: &mut [$t], x: &[$t], y: &[$t], z: &[$t]| {
            vectorized::<$t, $t, _>(
                #[inline(always)]
                move || {
                    for (((o, &$u), &$v), &$w) in out.iter_mut().zip(x).zip(y).zip(z) {
                        *o = $body;
                    }
                },
            );
        })
    };
}

/// As [`zip!`], for what cannot become vector code: tables, branches, calls.
fn plain<T: Element>(a: &Array, b: &Array, cost: usize, f: fn(T, T) -> T) -> Array {
    runs(a, b, cost, &|out: &mut [T], x: &[T], y: &[T]| {
        for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
            *o = f(x, y);
        }
    })
}

/// The operations on floats, written once for f32 and f64. What an operation costs is its time in additions.
fn float_binary<T: Pair>(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add => zip!(a, b, 1, |x, y: T| x + y),
        Binary::Sub => zip!(a, b, 1, |x, y: T| x - y),
        Binary::Mul => zip!(a, b, 1, |x, y: T| x * y),
        Binary::Div => zip!(a, b, 2, |x, y: T| x / y),
        Binary::TruncDivide => zip!(a, b, 4, |x, y: T| (x / y).cut()),
        Binary::FloorDivide => runs(a, b, 16, &T::floor_divide),
        Binary::Fmod => runs(a, b, 16, &T::fmod),
        Binary::Remainder => runs(a, b, 16, &T::remainder),
        Binary::Pow => zip!(a, b, 32, |x, y: T| x.to_power(y)),
        Binary::Maximum => zip!(a, b, 1, |x, y: T| if x > y || x.is_nan() { x } else { y }),
        Binary::Minimum => zip!(a, b, 1, |x, y: T| if x < y || x.is_nan() { x } else { y }),
        Binary::Fmax => zip!(a, b, 1, |x, y: T| if x >= y || y.is_nan() { x } else { y }),
        Binary::Fmin => zip!(a, b, 1, |x, y: T| if x <= y || y.is_nan() { x } else { y }),
        Binary::Atan2 => zip!(a, b, 16, |x, y: T| x.atan2(y)),
        Binary::Hypot => zip!(a, b, 8, |x, y: T| x.hypot(y)),
        Binary::Copysign => zip!(a, b, 1, |x, y: T| x.with_sign_of(y)),
        Binary::Xlogy => zip!(a, b, 6, |x, y: T| {
            let product = if x == T::ZERO { T::ZERO } else { x * y.ln() };
            if y.is_nan() { y } else { product }
        }),
        Binary::Logaddexp => zip!(a, b, 12, |x, y: T| pairs::logaddexp(x, y, T::ONE)),
        Binary::Logaddexp2 => {
            let rate = T::from_f64(std::f64::consts::LN_2);
            zip!(a, b, 12, |x, y: T| pairs::logaddexp(x, y, rate))
        }
        Binary::Heaviside => zip!(a, b, 1, |x, y: T| {
            let step = if x > T::ZERO { T::ONE } else { T::ZERO };
            if x == T::ZERO { y } else { step }
        }),
        Binary::Igamma => plain(a, b, 400, |a: T, x: T| {
            T::from_f64(igamma::lower(a.to_f64(), x.to_f64(), series_precision::<T>()))
        }),
        Binary::Igammac => plain(a, b, 400, |a: T, x: T| {
            T::from_f64(igamma::upper(a.to_f64(), x.to_f64(), series_precision::<T>()))
        }),
        Binary::IgammaSlope => {
            plain(a, b, 100, |a: T, x: T| T::from_f64(igamma::slope(a.to_f64(), x.to_f64())))
        }
        Binary::ReluGrad => zip!(a, b, 1, |g, y: T| if y <= T::ZERO { T::ZERO } else { g }),
        Binary::SigmoidGrad => zip!(a, b, 1, |g, y: T| g * y * (T::ONE - y)),
        Binary::TanhGrad => zip!(a, b, 1, |g, y: T| g * (T::ONE - y * y)),
        Binary::GeluGrad(Gelu::Exact) => zip!(a, b, 10, |g, x: T| g * x.gelu_slope()),
        Binary::ActivationGrad(kind) => activation::grad::<T>(kind, a, b),
        Binary::GeluGrad(Gelu::Tanh) => zip!(a, b, 10, |g, x: T| g * x.gelu_tanh_slope()),
        op => panic!("{op:?} is not defined on floats; arrays cast before they ask for it"),
    }
}

/// Where series in f64 may stop for a result of this type.
fn series_precision<T: Element>() -> f64 {
    if T::DTYPE == DType::F32 { 1e-10 } else { f64::EPSILON }
}

/// x^y by squaring, wrapping; a negative power is the reciprocal cut towards zero.
fn integer_power(x: i64, y: i64) -> i64 {
    match (x, u64::try_from(y)) {
        (1, _) => 1,
        (-1, _) => 1 - 2 * (y & 1),
        (_, Err(_)) => 0,
        (_, Ok(mut rest)) => {
            let (mut base, mut power) = (x, 1i64);
            while rest > 0 {
                if rest & 1 == 1 {
                    power = power.wrapping_mul(base);
                }
                base = base.wrapping_mul(base);
                rest >>= 1;
            }
            power
        }
    }
}

/// Euclid's greatest common divisor, not negative but for -2^63, whose magnitude has no place.
fn gcd(x: i64, y: i64) -> i64 {
    let (mut a, mut b) = (x.unsigned_abs(), y.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}

fn lcm(x: i64, y: i64) -> i64 {
    match gcd(x, y) {
        0 => 0,
        divisor => x.wrapping_div(divisor).wrapping_mul(y).wrapping_abs(),
    }
}

/// What is left of x / y rounded down.
fn floor_remainder(x: i64, y: i64) -> i64 {
    let rest = x.wrapping_rem(y);
    if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }
}

fn floor_quotient(x: i64, y: i64) -> i64 {
    let inexact = x.wrapping_rem(y) != 0 && (x < 0) != (y < 0);
    x.wrapping_div(y) - i64::from(inexact)
}

fn binary_i64(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add => zip!(a, b, 1, |x, y: i64| x.wrapping_add(y)),
        Binary::Sub => zip!(a, b, 1, |x, y: i64| x.wrapping_sub(y)),
        Binary::Mul => zip!(a, b, 1, |x, y: i64| x.wrapping_mul(y)),
        Binary::TruncDivide => plain(a, b, 8, i64::wrapping_div),
        Binary::FloorDivide => plain(a, b, 8, floor_quotient),
        Binary::Fmod => plain(a, b, 8, i64::wrapping_rem),
        Binary::Remainder => plain(a, b, 8, floor_remainder),
        Binary::Pow => plain(a, b, 16, integer_power),
        Binary::Maximum => zip!(a, b, 1, |x, y: i64| x.max(y)),
        Binary::Minimum => zip!(a, b, 1, |x, y: i64| x.min(y)),
        Binary::Heaviside => zip!(a, b, 1, |x, y: i64| if x == 0 { y } else { i64::from(x > 0) }),
        Binary::Gcd => plain(a, b, 100, gcd),
        Binary::Lcm => plain(a, b, 120, lcm),
        Binary::ShiftLeft => shift(
            a,
            b,
            #[inline(always)]
            |x, y| if (0..64).contains(&y) { x << y } else { 0 },
        ),
        Binary::ShiftRight => shift(
            a,
            b,
            #[inline(always)]
            |x, y| x >> if (0..64).contains(&y) { y } else { 63 },
        ),
        Binary::And => zip!(a, b, 1, |x, y: i64| x & y),
        Binary::Or => zip!(a, b, 1, |x, y: i64| x | y),
        Binary::Xor => zip!(a, b, 1, |x, y: i64| x ^ y),
        op => panic!("{op:?} is not defined on i64; arrays cast to a float before they ask for it"),
    }
}

/// As [`zip!`], compiled for each level: before AVX2, every element of a vector is shifted by the same number.
fn shift(a: &Array, b: &Array, f: impl Fn(i64, i64) -> i64 + Sync + Copy) -> Array {
    runs(a, b, 1, &|out: &mut [i64], x: &[i64], y: &[i64]| {
        simd::vectorized(
            #[inline(always)]
            || {
                for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                    *o = f(x, y);
                }
            },
        );
    })
}

fn binary_bool(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add | Binary::Or | Binary::Maximum | Binary::Heaviside => zip!(a, b, 1, |x, y: bool| x | y),
        Binary::Mul | Binary::And | Binary::Minimum => zip!(a, b, 1, |x, y: bool| x & y),
        Binary::Xor => zip!(a, b, 1, |x, y: bool| x ^ y),
        Binary::Pow => zip!(a, b, 1, |x, y: bool| x | !y),
        op => panic!("{op:?} is not defined on bools; arrays cast before they ask for it"),
    }
}

pub(super) fn binary(op: Binary, a: &Array, b: &Array) -> Array {
    match a.dtype() {
        DType::F32 => float_binary::<f32>(op, a, b),
        DType::F64 => float_binary::<f64>(op, a, b),
        DType::I64 => binary_i64(op, a, b),
        _ => binary_bool(op, a, b),
    }
}

fn float_ternary<T: Pair>(op: Ternary, operands: [&Array; 3]) -> Array {
    match op {
        Ternary::Addcmul(value) => {
            let value = T::from_f64(value.to_f64());
            zip3!(operands, 2, |a, b, c: T| a + value * b * c)
        }
        Ternary::Addcdiv(value) => {
            let value = T::from_f64(value);
            zip3!(operands, 3, |a, b, c: T| a + value * b / c)
        }
        Ternary::Lerp => {
            let half = T::from_f64(0.5);
            zip3!(operands, 3, |a, b, c: T| {
                let step = b - a;
                if c.abs() < half { a + c * step } else { b - step * (T::ONE - c) }
            })
        }
        Ternary::Clamp => zip3!(operands, 2, |a, b, c: T| {
            let y = if a < b || b.is_nan() { b } else { a };
            if y > c || (c.is_nan() && !y.is_nan()) { c } else { y }
        }),
    }
}

pub(super) fn ternary(op: Ternary, a: &Array, b: &Array, c: &Array) -> Array {
    let operands = [a, b, c];
    match (a.dtype(), op) {
        (DType::F32, op) => float_ternary::<f32>(op, operands),
        (DType::F64, op) => float_ternary::<f64>(op, operands),
        (DType::I64, Ternary::Addcmul(value)) => {
            let value = value.to_i64();
            zip3!(operands, 2, |a, b, c: i64| a.wrapping_add(value.wrapping_mul(b).wrapping_mul(c)))
        }
        (DType::I64, Ternary::Clamp) => zip3!(operands, 2, |a, b, c: i64| a.max(b).min(c)),
        (dtype, op) => panic!("{op:?} is not defined on {}", dtype.name()),
    }
}

pub(super) fn compare(op: Compare, a: &Array, b: &Array) -> Array {
    fn of<T: Element>(op: Compare, a: &Array, b: &Array) -> Array {
        match op {
            Compare::Eq => zip!(a, b, 1, |x, y: T| x == y),
            Compare::Ne => zip!(a, b, 1, |x, y: T| x != y),
            Compare::Lt => zip!(a, b, 1, |x, y: T| x < y),
            Compare::Le => zip!(a, b, 1, |x, y: T| x <= y),
            Compare::Gt => zip!(a, b, 1, |x, y: T| x > y),
            Compare::Ge => zip!(a, b, 1, |x, y: T| x >= y),
        }
    }
    match a.dtype() {
        DType::F32 => of::<f32>(op, a, b),
        DType::F64 => of::<f64>(op, a, b),
        DType::I64 => of::<i64>(op, a, b),
        _ => of::<bool>(op, a, b),
    }
}

/// `a` where the condition holds, else `b`.
pub(super) fn select<T: Element>(condition: &Array, a: &Array, b: &Array) -> Array {
    runs3([condition, a, b], 2, &|out: &mut [T], c: &[bool], x: &[T], y: &[T]| {
        vectorized::<T, T, _>(
            #[inline(always)]
            || {
                for (((o, &c), &x), &y) in out.iter_mut().zip(c).zip(x).zip(y) {
                    *o = if c { x } else { y };
                }
            },
        );
    })
}

/// `a = op(a, b)` in the place of `a`, if nobody else holds it and both lie without gaps; whether it was done.
pub(super) fn assign(op: Binary, a: &mut Array, b: &Array) -> bool {
    fn of<T: Float>(op: Binary, a: &mut Array, b: &Array) -> bool {
        let Some(b) = b.as_slice::<T>() else { return false };
        let Some(out) = a.as_mut_slice::<T>() else { return false };
        for_each_slice(out, CHUNK, 1, &|start, out| {
            let b = &b[start..][..out.len()];
            simd::vectorized(
                #[inline(always)]
                || match op {
                    Binary::Add => out.iter_mut().zip(b).for_each(|(o, &b)| *o = *o + b),
                    Binary::Sub => out.iter_mut().zip(b).for_each(|(o, &b)| *o = *o - b),
                    Binary::Mul => out.iter_mut().zip(b).for_each(|(o, &b)| *o = *o * b),
                    _ => out.iter_mut().zip(b).for_each(|(o, &b)| *o = *o / b),
                },
            );
        });
        true
    }
    let known = matches!(op, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div);
    match a.dtype() {
        DType::F32 if known => of::<f32>(op, a, b),
        DType::F64 if known => of::<f64>(op, a, b),
        _ => false,
    }
}
