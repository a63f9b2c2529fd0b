//! Elementwise kernels of two and three operands: the tables of functions.

use super::activation;
use super::elementwise::{CHUNK, Level, Narrow, vectorized};
use super::float::{self, Float};
use super::igamma as gamma;
use super::math::pieces::gelu_grad_row;
use super::pairs::{self, Pair};
use super::runs::{runs, runs3};
use super::simd;
use super::table::{Named, table};
use super::threads::for_each_slice;
use crate::array::Array;
use crate::backend::{Binary, Compare, Gelu, Ternary};
use crate::dtype::{DType, Element};
use crate::scalar::Scalar;

/// `f` of every pair of elements of two arrays of one shape. `cost` is in scalar operations per element.
///
/// The closure becomes vector code if it, and all that it calls, is marked `#[inline(always)]`; [`zip!`] does so.
#[inline(always)]
pub(super) fn zip_at<L: Level, A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    f: impl Fn(A, B) -> O + Sync + Copy,
) -> Array {
    runs(a, b, cost, &|out: &mut [O], x: &[A], y: &[B]| {
        L::run::<A, O, _>(
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

/// [`zip_at`] with a closure that is inlined into the loop, which vector code needs; `zip!(a, b, cost, Wide |v, w: T| ..)` for
/// another level than the usual one.
macro_rules! zip_elements {
    ($a:expr, $b:expr, $cost:expr, |$v:tt, $w:tt: $t:ty| $body:expr) => {
        $crate::cpu::binary::zip_elements!($a, $b, $cost, Usual |$v, $w: $t| $body)
    };
    ($a:expr, $b:expr, $cost:expr, $level:ident |$v:tt, $w:tt: $t:ty| $body:expr) => {
        $crate::cpu::binary::zip_at::<$crate::cpu::elementwise::$level, _, _, _>(
            $a,
            $b,
            $cost,
            #[inline(always)]
            move |$v: $t, $w: $t| $body,
        )
    };
}
pub(super) use zip_elements;
use zip_elements as zip;

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

pub(crate) type BinaryKernel = fn(Binary, &Array, &Array) -> Array;

/// A function and its kernel.
pub(crate) type NamedBinary = Named<Binary, BinaryKernel>;

// What an operation costs is its time in additions.
table! {
    Binary, BinaryKernel; Binary, []; (a: &Array, b: &Array)
    + [Binary::ActivationGrad(kind)] => activation::gradients::named(kind);

    add() = [Binary::Add] {
        float => zip!(a, b, 1, |x, y: T| x + y),
        i64 => zip!(a, b, 1, |x, y: i64| x.wrapping_add(y)),
        bool => either(a, b),
    }
    sub() = [Binary::Sub] {
        float => zip!(a, b, 1, |x, y: T| x - y),
        i64 => zip!(a, b, 1, |x, y: i64| x.wrapping_sub(y)),
    }
    mul() = [Binary::Mul] {
        float => zip!(a, b, 1, |x, y: T| x * y),
        i64 => zip!(a, b, 1, |x, y: i64| x.wrapping_mul(y)),
        bool => both(a, b),
    }
    div() = [Binary::Div] { float => zip!(a, b, 2, |x, y: T| x / y) }
    trunc_divide() = [Binary::TruncDivide] {
        float => zip!(a, b, 4, |x, y: T| (x / y).cut()),
        i64 => plain(a, b, 8, i64::wrapping_div),
    }
    floor_divide() = [Binary::FloorDivide] {
        float => runs(a, b, 16, &T::floor_divide),
        i64 => plain(a, b, 8, floor_quotient),
    }
    fmod() = [Binary::Fmod] {
        float => runs(a, b, 16, &T::fmod),
        i64 => plain(a, b, 8, i64::wrapping_rem),
    }
    remainder() = [Binary::Remainder] {
        float => runs(a, b, 16, &T::remainder),
        i64 => plain(a, b, 8, floor_remainder),
    }
    pow() = [Binary::Pow] {
        f32 => zip!(a, b, 32, Wide |x, y: f32| x.to_power(y)),
        f64 => plain(a, b, 32, f64::powf),
        i64 => plain(a, b, 16, integer_power),
        bool => zip!(a, b, 1, |x, y: bool| x | !y),
    }
    maximum() = [Binary::Maximum] {
        float => zip!(a, b, 1, |x, y: T| if x > y || x.is_nan() { x } else { y }),
        i64 => zip!(a, b, 1, |x, y: i64| x.max(y)),
        bool => either(a, b),
    }
    minimum() = [Binary::Minimum] {
        float => zip!(a, b, 1, |x, y: T| if x < y || x.is_nan() { x } else { y }),
        i64 => zip!(a, b, 1, |x, y: i64| x.min(y)),
        bool => both(a, b),
    }
    fmax() = [Binary::Fmax] { float => zip!(a, b, 1, Rare |x, y: T| if x >= y || y.is_nan() { x } else { y }) }
    fmin() = [Binary::Fmin] { float => zip!(a, b, 1, Rare |x, y: T| if x <= y || y.is_nan() { x } else { y }) }
    atan2() = [Binary::Atan2] {
        f32 => zip!(a, b, 16, |x, y: f32| Pair::atan2(x, y)),
        f64 => plain(a, b, 16, f64::atan2),
    }
    hypot() = [Binary::Hypot] {
        f32 => zip!(a, b, 8, |x, y: f32| Pair::hypot(x, y)),
        f64 => plain(a, b, 8, f64::hypot),
    }
    copysign() = [Binary::Copysign] { float => zip!(a, b, 1, Rare |x, y: T| x.with_sign_of(y)) }
    xlogy() = [Binary::Xlogy] {
        float => zip!(a, b, 6, Rare |x, y: T| {
            let product = if x == T::ZERO { T::ZERO } else { x * y.ln() };
            if y.is_nan() { y } else { product }
        }),
    }
    logaddexp() = [Binary::Logaddexp] { float => zip!(a, b, 12, Rare |x, y: T| pairs::logaddexp(x, y, T::ONE)) }
    logaddexp2() = [Binary::Logaddexp2] {
        float => {
            let rate = T::from_f64(std::f64::consts::LN_2);
            zip!(a, b, 12, Rare |x, y: T| pairs::logaddexp(x, y, rate))
        },
    }
    heaviside() = [Binary::Heaviside] {
        float => zip!(a, b, 1, Rare |x, y: T| {
            let step = if x > T::ZERO { T::ONE } else { T::ZERO };
            if x == T::ZERO { y } else { step }
        }),
        i64 => zip!(a, b, 1, |x, y: i64| if x == 0 { y } else { i64::from(x > 0) }),
        bool => either(a, b),
    }
    igamma() = [Binary::Igamma] {
        float => plain(a, b, 400, |a: T, x: T| {
            T::from_f64(gamma::lower(a.to_f64(), x.to_f64(), series_precision::<T>()))
        }),
    }
    igammac() = [Binary::Igammac] {
        float => plain(a, b, 400, |a: T, x: T| {
            T::from_f64(gamma::upper(a.to_f64(), x.to_f64(), series_precision::<T>()))
        }),
    }
    igamma_slope() = [Binary::IgammaSlope] {
        float => plain(a, b, 100, |a: T, x: T| T::from_f64(gamma::slope(a.to_f64(), x.to_f64()))),
    }
    gcd() = [Binary::Gcd] { i64 => plain(a, b, 100, greatest_divisor) }
    lcm() = [Binary::Lcm] { i64 => plain(a, b, 120, least_multiple) }
    shift_left() = [Binary::ShiftLeft] {
        i64 => shift(
            a,
            b,
            #[inline(always)]
            |x, y| if (0..64).contains(&y) { x << y } else { 0 },
        ),
    }
    shift_right() = [Binary::ShiftRight] {
        i64 => shift(
            a,
            b,
            #[inline(always)]
            |x, y| x >> if (0..64).contains(&y) { y } else { 63 },
        ),
    }
    and() = [Binary::And] {
        i64 => zip!(a, b, 1, |x, y: i64| x & y),
        bool => both(a, b),
    }
    or() = [Binary::Or] {
        i64 => zip!(a, b, 1, |x, y: i64| x | y),
        bool => either(a, b),
    }
    xor() = [Binary::Xor] {
        i64 => zip!(a, b, 1, |x, y: i64| x ^ y),
        bool => zip!(a, b, 1, |x, y: bool| x ^ y),
    }
    relu_grad() = [Binary::ReluGrad] { float => zip!(a, b, 1, |g, y: T| if y <= T::ZERO { T::ZERO } else { g }) }
    sigmoid_grad() = [Binary::SigmoidGrad] { float => zip!(a, b, 1, Rare |g, y: T| g * y * (T::ONE - y)) }
    tanh_grad() = [Binary::TanhGrad] { float => zip!(a, b, 1, Rare |g, y: T| g * (T::ONE - y * y)) }
    gelu_grad() = [Binary::GeluGrad(Gelu::Exact)] {
        f32 => runs(a, b, 5, &gelu_grad_row),
        f64 => plain(a, b, 64, |g: f64, x| g * float::gelu_slope(x)),
    }
    gelu_tanh_grad() = [Binary::GeluGrad(Gelu::Tanh)] {
        float => zip!(a, b, 10, Wide |g, x: T| g * x.gelu_tanh_slope()),
    }
}

/// Where either of two bools is true.
fn either(a: &Array, b: &Array) -> Array {
    zip!(a, b, 1, |x, y: bool| x | y)
}

/// Where both of two bools are true.
fn both(a: &Array, b: &Array) -> Array {
    zip!(a, b, 1, |x, y: bool| x & y)
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
fn greatest_divisor(x: i64, y: i64) -> i64 {
    let (mut a, mut b) = (x.unsigned_abs(), y.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a as i64
}

fn least_multiple(x: i64, y: i64) -> i64 {
    match greatest_divisor(x, y) {
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

/// Comparisons.
pub(crate) mod comparisons {
    use super::*;

    pub(crate) type CompareKernel = fn(Compare, &Array, &Array) -> Array;

    /// A comparison and its kernel.
    pub(crate) type NamedCompare = Named<Compare, CompareKernel>;

    table! {
        Compare, CompareKernel; Compare, []; (a: &Array, b: &Array)

        eq() = [Compare::Eq] { any => zip!(a, b, 1, Rare |x, y: T| x == y) }
        ne() = [Compare::Ne] { any => zip!(a, b, 1, Rare |x, y: T| x != y) }
        lt() = [Compare::Lt] { any => zip!(a, b, 1, Rare |x, y: T| x < y) }
        le() = [Compare::Le] { any => zip!(a, b, 1, Rare |x, y: T| x <= y) }
        gt() = [Compare::Gt] { all => (lt().on_cpu)(Compare::Lt, b, a) }
        ge() = [Compare::Ge] { all => (le().on_cpu)(Compare::Le, b, a) }
    }
}

/// Functions of three.
pub(crate) mod ternary {
    use super::*;

    pub(crate) type TernaryKernel = fn(Ternary, &Array, &Array, &Array) -> Array;

    /// A function and its kernel.
    pub(crate) type NamedTernary = Named<Ternary, TernaryKernel>;

    table! {
        Ternary, TernaryKernel; Ternary, []; (a: &Array, b: &Array, c: &Array)

        addcmul(value: Scalar) = [Ternary::Addcmul(value)] {
            float => {
                let value = T::from_f64(value.to_f64());
                zip3!([a, b, c], 2, |a, b, c: T| a + value * b * c)
            },
            i64 => {
                let value = value.to_i64();
                zip3!([a, b, c], 2, |a, b, c: i64| a.wrapping_add(value.wrapping_mul(b).wrapping_mul(c)))
            },
        }
        addcdiv(value: f64) = [Ternary::Addcdiv(value)] {
            float => {
                let value = T::from_f64(value);
                zip3!([a, b, c], 3, |a, b, c: T| a + value * b / c)
            },
        }
        lerp() = [Ternary::Lerp] {
            float => {
                let half = T::from_f64(0.5);
                zip3!([a, b, c], 3, |a, b, c: T| {
                    let step = b - a;
                    if c.abs() < half { a + c * step } else { b - step * (T::ONE - c) }
                })
            },
        }
        clamp() = [Ternary::Clamp] {
            float => zip3!([a, b, c], 2, |a, b, c: T| {
                let y = if a < b || b.is_nan() { b } else { a };
                if y > c || (c.is_nan() && !y.is_nan()) { c } else { y }
            }),
            i64 => zip3!([a, b, c], 2, |a, b, c: i64| a.max(b).min(c)),
        }
    }
}

/// `a` where the condition holds, else `b`.
pub(super) fn select<T: Element>(condition: &Array, a: &Array, b: &Array) -> Array {
    runs3([condition, a, b], 2, &|out: &mut [T], c: &[bool], x: &[T], y: &[T]| {
        Narrow::run::<T, T, _>(
            #[inline(always)]
            || {
                for (((o, &c), &x), &y) in out.iter_mut().zip(c).zip(x).zip(y) {
                    *o = if c { x } else { y };
                }
            },
        );
    })
}

pub(crate) type AssignKernel = fn(Binary, &mut Array, &Array);

/// A function whose result takes the place of the first operand, and its kernel.
pub(crate) type NamedAssign = Named<Binary, AssignKernel>;

/// `a = a + b` and its kin: in the place of `a`, if nobody else holds it and both lie without gaps.
macro_rules! assign {
    ($($name:ident = $op:ident, $plain:ident, $operator:tt;)+) => {
        $(
            pub(crate) fn $name() -> NamedAssign {
                fn of<T: Float>(a: &mut Array, b: &Array) -> bool {
                    let Some(b) = b.as_slice::<T>() else { return false };
                    let Some(out) = a.as_mut_slice::<T>() else { return false };
                    for_each_slice(out, CHUNK, 1, &|start, out| {
                        let b = &b[start..][..out.len()];
                        simd::vectorized(
                            #[inline(always)]
                            || out.iter_mut().zip(b).for_each(|(o, &b)| *o = *o $operator b),
                        );
                    });
                    true
                }
                fn on_cpu(op: Binary, a: &mut Array, b: &Array) {
                    let done = match a.dtype() {
                        DType::F32 => of::<f32>(a, b),
                        DType::F64 => of::<f64>(a, b),
                        _ => false,
                    };
                    if !done {
                        *a = ($plain().on_cpu)(op, a, b);
                    }
                }
                Named { op: Binary::$op, on_cpu }
            }
        )+

        /// The operation with its kernel.
        pub(crate) fn named_assign(op: Binary) -> NamedAssign {
            match op {
                $(Binary::$op => $name(),)+
                op => Named { op, on_cpu: |op, a, b| *a = (named(op).on_cpu)(op, a, b) },
            }
        }
    };
}
assign! {
    add_assign = Add, add, +;
    sub_assign = Sub, sub, -;
    mul_assign = Mul, mul, *;
    div_assign = Div, div, /;
}
