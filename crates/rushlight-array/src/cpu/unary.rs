//! Elementwise functions of one array: the table of functions.

use super::elementwise::map_elements as map;
use super::float::{self, Float};
use super::math::{self, bessel, exponential, inverse, probability};
use super::runs::runs1;
use super::table::{Named, table};
use super::{activation, contiguous, special};
use crate::array::Array;
use crate::backend::{Gelu, Unary};
use crate::dtype::DType;

pub(crate) type UnaryKernel = fn(Unary, &Array) -> Array;

/// A function and its kernel.
pub(crate) type NamedUnary = Named<Unary, UnaryKernel>;

/// As [`map!`], for what gains by a copy without gaps where the array has some.
macro_rules! dense {
    ($x:expr, $cost:expr, $($rest:tt)+) => {
        map!(&contiguous($x), $cost, $($rest)+)
    };
}

/// A kernel for a row of f32.
type Row = fn(&mut [f32], &[f32]);

/// Such a kernel for the whole array.
fn by_rows(x: &Array, cost: usize, row: Row) -> Array {
    runs1(&contiguous(x), cost, &row)
}

/// What a function costs in additions that is computed one by one: some 20 ns.
const ONE_BY_ONE: usize = 64;

/// `f` of every element, in f64.
fn one_by_one<T: Float>(x: &Array, cost: usize, f: &(dyn Fn(f64) -> f64 + Sync)) -> Array {
    runs1(x, cost, &|out: &mut [T], x: &[T]| {
        for (o, &v) in out.iter_mut().zip(x) {
            *o = T::from_f64(f(v.to_f64()));
        }
    })
}

/// A function that is vector code in f32, and in f64 a call for each element.
macro_rules! call {
    ($x:expr, $f:expr) => {
        one_by_one::<f64>($x, ONE_BY_ONE, &$f)
    };
}

// What a function costs is its time in additions.
table! {
    Unary, UnaryKernel; Unary, []; (x: &Array)
    + [Unary::Activation(kind)] => activation::named(kind);

    neg() = [Unary::Neg] {
        float => map!(x, 1, |v: T| -v),
        i64 => map!(x, 1, |v: i64| v.wrapping_neg()),
    }
    abs() = [Unary::Abs] {
        float => map!(x, 1, |v: T| v.abs()),
        i64 => map!(x, 1, |v: i64| v.wrapping_abs()),
    }
    sign() = [Unary::Sign] {
        float => map!(x, 1, Rare |v: T| sign_of(v)),
        i64 => map!(x, 1, |v: i64| v.signum()),
    }
    exp() = [Unary::Exp] {
        f32 => map!(x, 4, Wide |v: f32| math::exp(v)),
        f64 => call!(x, f64::exp),
    }
    expm1() = [Unary::Expm1] {
        f32 => map!(x, 6, |v: f32| math::exp_m1(v)),
        f64 => call!(x, f64::exp_m1),
    }
    log() = [Unary::Log] {
        f32 => map!(x, 4, Wide |v: f32| math::ln(v)),
        f64 => call!(x, f64::ln),
    }
    log1p() = [Unary::Log1p] {
        f32 => map!(x, 6, |v: f32| math::ln_1p(v)),
        f64 => call!(x, f64::ln_1p),
    }
    sqrt() = [Unary::Sqrt] { float => map!(x, 4, Rare |v: T| v.sqrt()) }
    rsqrt() = [Unary::Rsqrt] { float => dense!(x, 6, Rare |v: T| T::ONE / v.sqrt()) }
    sin() = [Unary::Sin] {
        f32 => by_rows(x, 6, math::sin_row),
        f64 => call!(x, f64::sin),
    }
    cos() = [Unary::Cos] {
        f32 => by_rows(x, 6, math::cos_row),
        f64 => call!(x, f64::cos),
    }
    tan() = [Unary::Tan] {
        f32 => by_rows(x, 8, math::tan_row),
        f64 => call!(x, f64::tan),
    }
    tanh() = [Unary::Tanh] {
        f32 => map!(x, 6, Wide |v: f32| math::tanh(v)),
        f64 => call!(x, f64::tanh),
    }
    sigmoid() = [Unary::Sigmoid] {
        f32 => map!(x, 6, Wide |v: f32| math::sigmoid(v)),
        f64 => call!(x, <f64 as Float>::sigmoid),
    }
    erf() = [Unary::Erf] {
        f32 => map!(x, 8, Wide |v: f32| math::erf(v)),
        f64 => call!(x, libm::erf),
    }
    gelu() = [Unary::Gelu(Gelu::Exact)] {
        f32 => runs1(x, 4, &(math::pieces::gelu_row as Row)),
        f64 => call!(x, float::gelu),
    }
    gelu_tanh() = [Unary::Gelu(Gelu::Tanh)] {
        f32 => map!(x, 8, Wide |v: f32| math::gelu_tanh(v)),
        f64 => call!(x, <f64 as Float>::gelu_tanh),
    }
    relu() = [Unary::Relu] {
        // Written so that NaN stays NaN.
        float => map!(x, 1, |v: T| if v < T::ZERO { T::ZERO } else { v }),
        i64 => map!(x, 1, |v: i64| v.max(0)),
    }
    reciprocal() = [Unary::Reciprocal] { float => map!(x, 2, Rare |v: T| T::ONE / v) }
    floor() = [Unary::Floor] {
        float => map!(x, 1, |v: T| v.floor()),
        i64 => x.clone(),
    }
    // Minus zero for what lies between -1 and 0.
    ceil() = [Unary::Ceil] {
        float => dense!(x, 1, |v: T| -(-v).floor()),
        i64 => x.clone(),
    }
    trunc() = [Unary::Trunc] {
        float => dense!(x, 1, |v: T| whole_part(v)),
        i64 => x.clone(),
    }
    frac() = [Unary::Frac] { float => dense!(x, 1, |v: T| v - whole_part(v)) }
    round_to_whole() = [Unary::Round(0)] {
        float => dense!(x, 1, |v: T| v.round_ties_even()),
        i64 => x.clone(),
    }
    // As PyTorch does: by a power of ten that is rounded itself.
    round(decimals: i32) = [Unary::Round(decimals)] {
        float => {
            let ten = T::from_f64(10f64.powi(decimals.saturating_abs()));
            if decimals > 0 {
                dense!(x, 3, |v: T| (v * ten).round_ties_even() / ten)
            } else {
                dense!(x, 3, |v: T| (v / ten).round_ties_even() * ten)
            }
        },
    }
    exp2() = [Unary::Exp2] {
        f32 => dense!(x, 4, |v: f32| exponential::exp2(v)),
        f64 => call!(x, f64::exp2),
    }
    log2() = [Unary::Log2] {
        f32 => dense!(x, 5, |v: f32| exponential::log2(v)),
        f64 => call!(x, f64::log2),
    }
    log10() = [Unary::Log10] {
        f32 => dense!(x, 6, |v: f32| exponential::log10(v)),
        f64 => call!(x, f64::log10),
    }
    sinh() = [Unary::Sinh] {
        f32 => dense!(x, 8, |v: f32| exponential::sinh(v)),
        f64 => call!(x, f64::sinh),
    }
    cosh() = [Unary::Cosh] {
        f32 => dense!(x, 6, |v: f32| exponential::cosh(v)),
        f64 => call!(x, f64::cosh),
    }
    asin() = [Unary::Asin] {
        f32 => dense!(x, 8, |v: f32| inverse::asin(v)),
        f64 => call!(x, f64::asin),
    }
    acos() = [Unary::Acos] {
        f32 => dense!(x, 8, |v: f32| inverse::acos(v)),
        f64 => call!(x, f64::acos),
    }
    atan() = [Unary::Atan] {
        f32 => dense!(x, 6, |v: f32| inverse::atan(v)),
        f64 => call!(x, f64::atan),
    }
    asinh() = [Unary::Asinh] {
        f32 => dense!(x, 12, |v: f32| inverse::asinh(v)),
        f64 => call!(x, libm::asinh),
    }
    acosh() = [Unary::Acosh] {
        f32 => dense!(x, 12, |v: f32| inverse::acosh(v)),
        f64 => call!(x, special::acosh),
    }
    atanh() = [Unary::Atanh] {
        f32 => dense!(x, 10, |v: f32| inverse::atanh(v)),
        f64 => call!(x, libm::atanh),
    }
    sinc() = [Unary::Sinc] {
        f32 => dense!(x, 10, |v: f32| math::sinc(v)),
        f64 => call!(x, special::sinc),
    }
    erfc() = [Unary::Erfc] {
        f32 => dense!(x, 10, |v: f32| probability::erfc(v)),
        f64 => call!(x, libm::erfc),
    }
    erfinv() = [Unary::Erfinv] {
        f32 => dense!(x, 12, |v: f32| probability::erfinv(v)),
        f64 => call!(x, special::erfinv),
    }
    lgamma() = [Unary::Lgamma] { float => one_by_one::<T>(x, ONE_BY_ONE, &libm::lgamma) }
    digamma() = [Unary::Digamma] { float => one_by_one::<T>(x, ONE_BY_ONE, &special::digamma) }
    polygamma(n: u32) = [Unary::Polygamma(n)] {
        float => {
            let pi = T::from_f64(std::f64::consts::PI).to_f64();
            one_by_one::<T>(x, ONE_BY_ONE, &|v| special::polygamma(n, v, T::from_f64(pi * v).to_f64()))
        },
    }
    i0() = [Unary::I0] {
        f32 => dense!(x, 16, |v: f32| bessel::i0_f32(v)),
        f64 => call!(x, bessel::i0),
    }
    i1() = [Unary::I1] {
        f32 => dense!(x, 16, |v: f32| bessel::i1_f32(v)),
        f64 => call!(x, bessel::i1),
    }
    logit(eps: Option<f64>) = [Unary::Logit(eps)] {
        float => match eps {
            None => dense!(x, 6, Rare |v: T| (v / (T::ONE - v)).ln()),
            Some(eps) => {
                let low = T::from_f64(eps);
                let high = T::ONE - low;
                dense!(x, 6, Rare |v: T| {
                    let v = activation::between(v, low, high);
                    (v / (T::ONE - v)).ln()
                })
            }
        },
    }
    angle() = [Unary::Angle] {
        float => {
            let pi = T::from_f64(std::f64::consts::PI);
            dense!(x, 1, Rare |v: T| if v < T::ZERO {
                pi
            } else if v.is_nan() {
                v
            } else {
                T::ZERO
            })
        },
    }
    nan_to_num(numbers: [f64; 3]) = [Unary::NanToNum(numbers)] {
        float => {
            let [nan, above, below] = numbers.map(T::from_f64);
            let (most, least) = (-T::NEG_INFINITY, T::NEG_INFINITY);
            dense!(x, 1, Rare |v: T| if v.is_nan() {
                nan
            } else if v == most {
                above
            } else if v == least {
                below
            } else {
                v
            })
        },
    }
    signbit() = [Unary::Signbit] {
        float => map!(x, 1, Rare |v: T| v.to_f64().is_sign_negative()),
        i64 => map!(x, 1, |v: i64| v < 0),
    }
    not() = [Unary::Not] { any => map!(x, 1, Rare |v: T| v == T::default()) }
    scale(factor: f64) = [Unary::Scale(factor)] {
        float => {
            let factor = T::from_f64(factor);
            map!(x, 1, |v: T| v * factor)
        },
    }
    offset(term: f64) = [Unary::Offset(term)] {
        float => {
            let term = T::from_f64(term);
            map!(x, 1, |v: T| v + term)
        },
    }
    square() = [Unary::Power(2.0)] { float => map!(x, 1, |v: T| v * v) }
    cube() = [Unary::Power(3.0)] { float => map!(x, 1, |v: T| v * v * v) }
    root() = [Unary::Power(0.5)] { all => (sqrt().on_cpu)(Unary::Sqrt, x) }
    power(p: f64) = [Unary::Power(p)] {
        float => {
            if p == p.trunc() && p.abs() <= 64.0 {
                let p = p as i32;
                map!(x, 8, Rare |v: T| v.powi(p))
            } else {
                let p = T::from_f64(p);
                map!(x, 32, Rare |v: T| v.powf(p))
            }
        },
    }
    clamp(low: f64, high: f64) = [Unary::Clamp(low, high)] {
        float => {
            // A bound that is NaN makes all of them NaN.
            if low.is_nan() || high.is_nan() {
                let nan = T::from_f64(f64::NAN);
                return map!(x, 1, Rare |_: T| nan);
            }
            let [low, high] = [low, high].map(T::from_f64);
            map!(x, 1, |v: T| activation::between(v, low, high))
        },
        i64 => {
            let (low, high) = (low as i64, high as i64);
            map!(x, 1, |v: i64| v.max(low).min(high))
        },
    }
}

/// -1, 0 or 1; 0 for NaN.
#[inline(always)]
fn sign_of<T: Float>(v: T) -> T {
    if v > T::ZERO {
        T::ONE
    } else if v < T::ZERO {
        -T::ONE
    } else {
        T::ZERO
    }
}

/// Cut towards zero; minus zero for what lies between -1 and 0.
#[inline(always)]
fn whole_part<T: Float>(v: T) -> T {
    if v < T::ZERO { -(-v).floor() } else { v.floor() }
}

/// Mantissas and exponents; see [`crate::backend::Backend::frexp`].
pub(crate) fn frexp(x: &Array) -> (Array, Array) {
    fn of<T: Float>(x: &Array) -> (Array, Array) {
        let mantissa = runs1(x, 4, &|out: &mut [T], x: &[T]| {
            for (o, &v) in out.iter_mut().zip(x) {
                *o = T::from_f64(split(v.to_f64()).0);
            }
        });
        let exponent = runs1(x, 4, &|out: &mut [i32], x: &[T]| {
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
