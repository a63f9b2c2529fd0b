//! Elementwise functions of one array: the table of functions, and loops for those that gain by a copy without gaps
//! where the array has some.

use super::binary::zip;
use super::elementwise::{CHUNK, map_elements as map};
use super::float::Float;
use super::math::{self, bessel, exponential, inverse, probability};
use super::runs::Kernel1;
use super::simd::vectorized;
use super::threads::for_each_slice;
use super::{activation, special};
use crate::array::Array;
use crate::backend::{Gelu, Unary};
use crate::dtype::{DType, Element};

/// A kernel for the whole array, which gets the output and as much of the input.
fn by_rows<A: Element, O: Element>(x: &Array, cost: usize, kernel: &dyn Kernel1<O, A>) -> Array {
    let x = super::contiguous(x);
    let data = x.as_slice::<A>().expect("it was made contiguous");
    Array::build(x.shape(), |out: &mut [O]| {
        for_each_slice(out, CHUNK, cost, &|start, out| kernel.run(out, &data[start..][..out.len()]));
    })
}

/// `f` of every element, in vector code; see [`by_element!`].
#[inline(always)]
pub(super) fn each<T: Element>(x: &Array, cost: usize, f: impl Fn(T) -> T + Sync + Copy) -> Array {
    by_rows(x, cost, &|out: &mut [T], x: &[T]| {
        vectorized(
            #[inline(always)]
            move || {
                // A copy on this side of the call: its numbers stay in registers, whatever is written meanwhile.
                let f = f;
                for (o, &v) in out.iter_mut().zip(x) {
                    *o = f(v);
                }
            },
        );
    })
}

/// `f` of every pair of elements of two arrays of one shape, in vector code; see [`by_pair!`].
#[inline(always)]
pub(super) fn pairs<T: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    f: impl Fn(T, T) -> T + Sync + Copy,
) -> Array {
    let (a, b) = (super::contiguous(a), super::contiguous(b));
    zip(&a, &b, cost, f)
}

/// A closure of every element, inlined into the loop, which vector code needs.
macro_rules! by_element {
    ($x:expr, $cost:expr, |$v:ident: $t:ty| $body:expr) => {
        crate::cpu::unary::each(
            $x,
            $cost,
            #[inline(always)]
            move |$v: $t| $body,
        )
    };
}
pub(super) use by_element;

/// As [`by_element!`], of two arrays.
macro_rules! by_pair {
    ($a:expr, $b:expr, $cost:expr, |$v:ident, $w:ident: $t:ty| $body:expr) => {
        crate::cpu::unary::pairs(
            $a,
            $b,
            $cost,
            #[inline(always)]
            move |$v: $t, $w: $t| $body,
        )
    };
}
pub(super) use by_pair;

/// A kernel for a row of f32.
type Row = fn(&mut [f32], &[f32]);

/// The vector kernels of f32, and what an element costs in additions.
fn f32_row(op: Unary) -> Option<(usize, Row)> {
    /// A function of one number in a vector loop.
    macro_rules! row {
        ($f:path) => {{
            fn row(out: &mut [f32], x: &[f32]) {
                vectorized(
                    #[inline(always)]
                    || {
                        for (o, &v) in out.iter_mut().zip(x) {
                            *o = $f(v);
                        }
                    },
                );
            }
            row
        }};
    }
    Some(match op {
        Unary::Sin => (6, math::sin_row),
        Unary::Cos => (6, math::cos_row),
        Unary::Tan => (8, math::tan_row),
        Unary::Sinc => (10, row!(math::sinc)),
        Unary::Exp2 => (4, row!(exponential::exp2)),
        Unary::Log2 => (5, row!(exponential::log2)),
        Unary::Log10 => (6, row!(exponential::log10)),
        Unary::Sinh => (8, row!(exponential::sinh)),
        Unary::Cosh => (6, row!(exponential::cosh)),
        Unary::Asin => (8, row!(inverse::asin)),
        Unary::Acos => (8, row!(inverse::acos)),
        Unary::Atan => (6, row!(inverse::atan)),
        Unary::Asinh => (12, row!(inverse::asinh)),
        Unary::Acosh => (12, row!(inverse::acosh)),
        Unary::Atanh => (10, row!(inverse::atanh)),
        Unary::Erfc => (10, row!(probability::erfc)),
        Unary::Erfinv => (12, row!(probability::erfinv)),
        Unary::I0 => (16, row!(bessel::i0_f32)),
        Unary::I1 => (16, row!(bessel::i1_f32)),
        _ => return None,
    })
}

/// The functions that are computed one by one: of f64, and of f32 where no vector kernel is.
fn function(op: Unary) -> Option<fn(f64) -> f64> {
    Some(match op {
        Unary::Tan => f64::tan,
        Unary::Sinc => special::sinc,
        Unary::Exp2 => f64::exp2,
        Unary::Log2 => f64::log2,
        Unary::Log10 => f64::log10,
        Unary::Sinh => f64::sinh,
        Unary::Cosh => f64::cosh,
        Unary::Asin => f64::asin,
        Unary::Acos => f64::acos,
        Unary::Atan => f64::atan,
        Unary::Asinh => libm::asinh,
        Unary::Acosh => special::acosh,
        Unary::Atanh => libm::atanh,
        Unary::Erfc => libm::erfc,
        Unary::Erfinv => special::erfinv,
        Unary::I0 => bessel::i0,
        Unary::I1 => bessel::i1,
        Unary::Lgamma => libm::lgamma,
        Unary::Digamma => special::digamma,
        _ => return None,
    })
}

/// What such a function costs in additions: some 20 ns.
const ONE_BY_ONE: usize = 64;

/// `f` of every element, in f64.
fn one_by_one<T: Float>(x: &Array, f: impl Fn(f64) -> f64 + Sync) -> Array {
    by_rows(x, ONE_BY_ONE, &|out: &mut [T], x: &[T]| {
        for (o, &v) in out.iter_mut().zip(x) {
            *o = T::from_f64(f(v.to_f64()));
        }
    })
}

/// The functions of floats, written once for f32 and f64. What one costs is its time in additions.
fn float<T: Float>(op: Unary, x: &Array) -> Array {
    if let Some(f) = function(op) {
        return one_by_one::<T>(x, f);
    }
    let [zero, one] = [T::ZERO, T::ONE];
    match op {
        Unary::Neg => map!(x, 1, |v: T| -v),
        Unary::Abs => map!(x, 1, |v: T| v.abs()),
        Unary::Sign => map!(x, 1, |v: T| if v > zero {
            one
        } else if v < zero {
            -one
        } else {
            zero
        }),
        Unary::Exp => map!(x, 4, |v: T| v.exp()),
        Unary::Expm1 => map!(x, 6, |v: T| v.exp_m1()),
        Unary::Log => map!(x, 4, |v: T| v.ln()),
        Unary::Log1p => map!(x, 6, |v: T| v.ln_1p()),
        Unary::Sqrt => map!(x, 4, |v: T| v.sqrt()),
        Unary::Rsqrt => by_element!(x, 6, |v: T| one / v.sqrt()),
        Unary::Sin => map!(x, 6, |v: T| v.sin()),
        Unary::Cos => map!(x, 6, |v: T| v.cos()),
        Unary::Tanh => map!(x, 6, |v: T| v.tanh()),
        Unary::Sigmoid => map!(x, 6, |v: T| v.sigmoid()),
        Unary::Erf => map!(x, 8, |v: T| v.erf()),
        Unary::Gelu(Gelu::Exact) => map!(x, 8, |v: T| v.gelu()),
        Unary::Gelu(Gelu::Tanh) => map!(x, 8, |v: T| v.gelu_tanh()),
        // Written so that NaN stays NaN.
        Unary::Relu => map!(x, 1, |v: T| if v < zero { zero } else { v }),
        Unary::Activation(kind) => activation::apply::<T>(kind, x),
        Unary::Reciprocal => map!(x, 2, |v: T| one / v),
        Unary::Floor => map!(x, 1, |v: T| v.floor()),
        // Minus zero for what lies between -1 and 0.
        Unary::Ceil => by_element!(x, 1, |v: T| -(-v).floor()),
        Unary::Trunc => by_element!(x, 1, |v: T| if v < zero { -(-v).floor() } else { v.floor() }),
        Unary::Frac => by_element!(x, 1, |v: T| v - if v < zero { -(-v).floor() } else { v.floor() }),
        Unary::Round(decimals) => round::<T>(x, decimals),
        Unary::Polygamma(n) => {
            let pi = T::from_f64(std::f64::consts::PI).to_f64();
            one_by_one::<T>(x, |v| special::polygamma(n, v, T::from_f64(pi * v).to_f64()))
        }
        Unary::Logit(None) => by_element!(x, 6, |v: T| (v / (one - v)).ln()),
        Unary::Logit(Some(eps)) => {
            let low = T::from_f64(eps);
            let high = one - low;
            by_element!(x, 6, |v: T| {
                let v = if v < low {
                    low
                } else if v > high {
                    high
                } else {
                    v
                };
                (v / (one - v)).ln()
            })
        }
        Unary::Angle => {
            let pi = T::from_f64(std::f64::consts::PI);
            by_element!(x, 1, |v: T| if v < zero {
                pi
            } else if v.is_nan() {
                v
            } else {
                zero
            })
        }
        Unary::NanToNum(numbers) => {
            let [nan, above, below] = numbers.map(T::from_f64);
            let (most, least) = (-T::NEG_INFINITY, T::NEG_INFINITY);
            by_element!(x, 1, |v: T| if v.is_nan() {
                nan
            } else if v == most {
                above
            } else if v == least {
                below
            } else {
                v
            })
        }
        Unary::Signbit => map!(x, 1, |v: T| v.to_f64().is_sign_negative()),
        Unary::Not => map!(x, 1, |v: T| v == zero),
        Unary::Scale(factor) => {
            let factor = T::from_f64(factor);
            map!(x, 1, |v: T| v * factor)
        }
        Unary::Offset(term) => {
            let term = T::from_f64(term);
            map!(x, 1, |v: T| v + term)
        }
        Unary::Power(2.0) => map!(x, 1, |v: T| v * v),
        Unary::Power(3.0) => map!(x, 1, |v: T| v * v * v),
        Unary::Power(0.5) => map!(x, 4, |v: T| v.sqrt()),
        Unary::Power(p) if p == p.trunc() && p.abs() <= 64.0 => {
            let p = p as i32;
            map!(x, 8, |v: T| v.powi(p))
        }
        Unary::Power(p) => {
            let p = T::from_f64(p);
            map!(x, 32, |v: T| v.powf(p))
        }
        Unary::Clamp(low, high) if low.is_nan() || high.is_nan() => {
            let nan = T::from_f64(f64::NAN);
            map!(x, 1, |_: T| nan)
        }
        Unary::Clamp(low, high) => {
            let (low, high) = (T::from_f64(low), T::from_f64(high));
            map!(x, 1, |v: T| {
                let v = if v < low { low } else { v };
                if v > high { high } else { v }
            })
        }
        op => panic!("{op:?} has no kernel"),
    }
}

/// Rounds to so many decimals, as PyTorch does: by a power of ten that is rounded itself.
fn round<T: Float>(x: &Array, decimals: i32) -> Array {
    let ten = T::from_f64(10f64.powi(decimals.saturating_abs()));
    match decimals {
        0 => by_element!(x, 1, |v: T| v.round_ties_even()),
        1.. => by_element!(x, 3, |v: T| (v * ten).round_ties_even() / ten),
        _ => by_element!(x, 3, |v: T| (v / ten).round_ties_even() * ten),
    }
}

fn of_i64(op: Unary, x: &Array) -> Array {
    match op {
        Unary::Neg => map!(x, 1, |v: i64| v.wrapping_neg()),
        Unary::Abs => map!(x, 1, |v: i64| v.wrapping_abs()),
        Unary::Sign => map!(x, 1, |v: i64| v.signum()),
        Unary::Relu => map!(x, 1, |v: i64| v.max(0)),
        Unary::Activation(kind) => activation::apply_i64(kind, x),
        Unary::Signbit => map!(x, 1, |v: i64| v < 0),
        Unary::Not => map!(x, 1, |v: i64| v == 0),
        Unary::Clamp(low, high) => {
            let (low, high) = (low as i64, high as i64);
            map!(x, 1, |v: i64| v.max(low).min(high))
        }
        Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Round(0) => x.clone(),
        op => panic!("{op:?} is not defined on i64; arrays cast to a float before they ask for it"),
    }
}

pub(crate) fn unary(op: Unary, x: &Array) -> Array {
    match (x.dtype(), f32_row(op)) {
        (DType::F32, Some((cost, row))) => by_rows(x, cost, &row),
        (DType::F32, None) => float::<f32>(op, x),
        (DType::F64, _) => float::<f64>(op, x),
        (DType::I64, _) => of_i64(op, x),
        _ => map!(x, 1, |v: bool| match op {
            Unary::Not => !v,
            op => panic!("{op:?} is not defined on bool"),
        }),
    }
}

/// Mantissas and exponents; see [`crate::backend::Backend::frexp`].
pub(crate) fn frexp(x: &Array) -> (Array, Array) {
    fn of<T: Float>(x: &Array) -> (Array, Array) {
        let mantissa = by_rows(x, 4, &|out: &mut [T], x: &[T]| {
            for (o, &v) in out.iter_mut().zip(x) {
                *o = T::from_f64(split(v.to_f64()).0);
            }
        });
        let exponent = by_rows(x, 4, &|out: &mut [i32], x: &[T]| {
            for (o, &v) in out.iter_mut().zip(x) {
                *o = split(v.to_f64()).1;
            }
        });
        (mantissa, exponent)
    }
    /// By the bits; subnormal numbers are made normal first. Every f32 is a normal f64.
    fn split(v: f64) -> (f64, i32) {
        if v == 0.0 || !v.is_finite() {
            return (v, 0);
        }
        let (v, shift) = if v.abs() < f64::MIN_POSITIVE { (v * 2f64.powi(54), 54) } else { (v, 0) };
        let bits = v.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32 - 1022;
        (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), exponent - shift)
    }
    if x.dtype() == DType::F64 { of::<f64>(x) } else { of::<f32>(x) }
}
