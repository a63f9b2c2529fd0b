//! Elementwise kernels: one generic loop for one, two and three operands, casts, and the table of functions of two.

use super::activation;
use super::float::Float;
use super::simd;
use super::threads::for_each_slice;
use super::walk::{Tile, Walk};
use crate::array::Array;
use crate::backend::{Binary, Compare, Gelu};
use crate::dtype::{DType, Element};
use crate::shape::Shape;
use half::{bf16, f16};

/// As `with_dtype!`, for the four compute types.
macro_rules! with_compute_type {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $t = f32;
                $body
            }
            DType::F64 => {
                type $t = f64;
                $body
            }
            DType::I64 => {
                type $t = i64;
                $body
            }
            _ => {
                type $t = bool;
                $body
            }
        }
    };
}

/// Elements per chunk: 8 to 64 KB of output, a part of a processor's own cache, and enough chunks to share out
/// where the work is worth a hand-off at all.
pub(super) const CHUNK: usize = 1 << 13;

/// A kernel for the rows of a tile: the output, which lies without gaps, and the operands' storages.
type Kernel<'a, A, B, O, const N: usize> = &'a (dyn Fn(&mut [O], &[A], &[B], Tile<N>) + Sync);

/// [`simd::vectorized`] for kernels that read or write floats. Those of integers and bools are bound by memory, and to
/// compile them once for each instruction set would be a good part of the build.
#[inline(always)]
fn vectorized<A: Element, O: Element>(kernel: impl FnOnce()) {
    if const { A::DTYPE.is_float() || O::DTYPE.is_float() } { simd::vectorized(kernel) } else { kernel() }
}

/// `f` of every element. `cost` is in scalar operations per element.
///
/// The closure becomes vector code if it, and all that it calls, is marked `#[inline(always)]`; [`map!`] does so.
#[inline(always)]
pub(crate) fn map<A: Element, O: Element>(x: &Array, cost: usize, f: impl Fn(A) -> O + Sync + Copy) -> Array {
    for_each_tile(x.shape(), [x], x.host::<A>(), &[] as &[bool], cost, &|out: &mut [O], x: &[A], _, tile| {
        vectorized::<A, O>(
            #[inline(always)]
            move || {
                // A copy on this side of the call: its numbers stay in registers, whatever is written meanwhile.
                let f = f;
                for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                    let at = tile.at[0] as isize + i as isize * tile.outer[0];
                    match tile.inner {
                        [1] => {
                            for (o, &a) in out.iter_mut().zip(&x[at as usize..][..tile.len]) {
                                *o = f(a);
                            }
                        }
                        [0] => out.fill(f(x[at as usize])),
                        [step] => {
                            for (i, o) in out.iter_mut().enumerate() {
                                *o = f(x[(at + i as isize * step) as usize]);
                            }
                        }
                    }
                }
            },
        );
    })
}

/// `f` of every pair of elements of two arrays of one shape; see [`map`].
#[inline(always)]
pub(crate) fn zip<A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    f: impl Fn(A, B) -> O + Sync + Copy,
) -> Array {
    for_each_tile(a.shape(), [a, b], a.host(), b.host(), cost, &|out: &mut [O], x: &[A], y: &[B], tile| {
        vectorized::<A, O>(
            #[inline(always)]
            move || {
                // A copy on this side of the call: its numbers stay in registers, whatever is written meanwhile.
                let f = f;
                for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                    let at = |k: usize| (tile.at[k] as isize + i as isize * tile.outer[k]) as usize;
                    let (i, j) = (at(0), at(1));
                    match tile.inner {
                        // The usual steps get loops that compilers turn into vector code.
                        [1, 1] => {
                            let (x, y) = (&x[i..][..tile.len], &y[j..][..tile.len]);
                            for ((o, &a), &b) in out.iter_mut().zip(x).zip(y) {
                                *o = f(a, b);
                            }
                        }
                        [1, 0] => {
                            let b = y[j];
                            for (o, &a) in out.iter_mut().zip(&x[i..][..tile.len]) {
                                *o = f(a, b);
                            }
                        }
                        [p, q] => {
                            let (mut i, mut j) = (i as isize, j as isize);
                            for o in out {
                                *o = f(x[i as usize], y[j as usize]);
                                (i, j) = (i + p, j + q);
                            }
                        }
                    }
                }
            },
        );
    })
}

/// What all elementwise operations share: a new block, chunks for the threads, tiles of evenly spaced rows. Only the
/// kernels are compiled once for each function.
fn for_each_tile<A: Element, B: Element, O: Element, const N: usize>(
    shape: &Shape,
    operands: [&Array; N],
    x: &[A],
    y: &[B],
    cost: usize,
    kernel: Kernel<'_, A, B, O, N>,
) -> Array {
    Array::build(shape, |out: &mut [O]| {
        if operands.iter().all(|operand| operand.is_contiguous()) {
            let (at, ones) = (operands.map(|operand| operand.layout().offset()), [1; N]);
            for_each_slice(out, CHUNK, cost, &|start, out| {
                let tile =
                    Tile { rows: 1, len: out.len(), at: at.map(|at| at + start), outer: ones, inner: ones };
                kernel(out, x, y, tile);
            });
            return;
        }
        let walk = Walk::new(operands.map(Array::layout));
        // Whole rows, so that none is cut in two.
        let row = walk.row_len();
        let chunk = if row < CHUNK { CHUNK / row * row } else { CHUNK };
        for_each_slice(out, chunk, cost, &|start, out| {
            let mut done = 0;
            walk.tiles(start, start + out.len(), &mut |tile| {
                let count = tile.rows * tile.len;
                kernel(&mut out[done..done + count], x, y, tile);
                done += count;
            });
        });
    })
}

/// `a` where the condition holds, else `b`.
pub(crate) fn select<T: Element>(condition: &Array, a: &Array, b: &Array) -> Array {
    let (c, x, y) = (condition.host::<bool>(), a.host::<T>(), b.host::<T>());
    for_each_tile(a.shape(), [condition, a, b], x, y, 2, &|out: &mut [T], x: &[T], y: &[T], tile| {
        vectorized::<T, T>(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                    let at = |k: usize| tile.at[k] as isize + i as isize * tile.outer[k];
                    let ([mut i, mut j, mut k], [p, q, r]) = ([at(0), at(1), at(2)], tile.inner);
                    if [p, q, r] == [1, 1, 1] {
                        let (c, x) = (&c[i as usize..][..tile.len], &x[j as usize..][..tile.len]);
                        for (((o, &c), &x), &y) in out.iter_mut().zip(c).zip(x).zip(&y[k as usize..]) {
                            *o = if c { x } else { y };
                        }
                        continue;
                    }
                    for o in out {
                        *o = if c[i as usize] { x[j as usize] } else { y[k as usize] };
                        (i, j, k) = (i + p, j + q, k + r);
                    }
                }
            },
        );
    })
}

/// [`map`] with a closure that is inlined into the loop, which vector code needs.
macro_rules! map {
    ($x:expr, $cost:expr, |$v:tt: $t:ty| $body:expr) => {
        map(
            $x,
            $cost,
            #[inline(always)]
            move |$v: $t| $body,
        )
    };
}
// The function and the macro: other files take both under one name.
pub(super) use map as map_elements;

/// As [`map!`], for [`zip`].
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

/// The array in row-major order, in a block of its own.
pub(crate) fn copy<T: Element>(x: &Array) -> Array {
    map!(x, 1, |v: T| v)
}

/// A cast. Kernels exist among the four compute types, and between each narrow type and its own compute
/// type; other pairs take two steps. f64 to half precision is direct, so that it rounds once.
pub(crate) fn cast(x: &Array, dtype: DType) -> Array {
    let from = x.dtype();
    match (from == from.compute(), dtype == dtype.compute()) {
        // Pictures: in one step, through i64, which holds every value.
        (false, true) if from == DType::U8 && dtype == DType::F32 => convert::<u8, f32>(x),
        (true, true) => with_compute_type!(from, A => with_compute_type!(dtype, O => convert::<A, O>(x))),
        (true, false) if from == DType::F64 && dtype == DType::F16 => convert::<f64, f16>(x),
        (true, false) if from == DType::F64 && dtype == DType::BF16 => convert::<f64, bf16>(x),
        (true, false) if from != dtype.compute() => cast(&cast(x, dtype.compute()), dtype),
        (true, false) => narrow(x, dtype),
        (false, _) => widen(x).cast(dtype),
    }
}

/// From a compute type to a narrow one.
fn narrow(x: &Array, dtype: DType) -> Array {
    match dtype {
        DType::F16 => convert::<f32, f16>(x),
        DType::BF16 => convert::<f32, bf16>(x),
        DType::I32 => convert::<i64, i32>(x),
        DType::I16 => convert::<i64, i16>(x),
        DType::I8 => convert::<i64, i8>(x),
        _ => convert::<i64, u8>(x),
    }
}

/// From a narrow type to its compute type.
fn widen(x: &Array) -> Array {
    match x.dtype() {
        DType::F16 => convert::<f16, f32>(x),
        DType::BF16 => convert::<bf16, f32>(x),
        DType::I32 => convert::<i32, i64>(x),
        DType::I16 => convert::<i16, i64>(x),
        DType::I8 => convert::<i8, i64>(x),
        _ => convert::<u8, i64>(x),
    }
}

/// One cast: from floats through f64 and from integers through i64, which hold all their values.
fn convert<A: Element, O: Element>(x: &Array) -> Array {
    if A::DTYPE.is_float() {
        map!(x, 2, |a: A| O::from_f64(a.to_f64()))
    } else {
        map!(x, 1, |a: A| O::from_i64(a.to_i64()))
    }
}

fn float_binary<T: Float>(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add => zip!(a, b, 1, |x, y: T| x + y),
        Binary::Sub => zip!(a, b, 1, |x, y: T| x - y),
        Binary::Mul => zip!(a, b, 1, |x, y: T| x * y),
        Binary::Div => zip!(a, b, 2, |x, y: T| x / y),
        Binary::Pow => zip!(a, b, 32, |x, y: T| x.powf(y)),
        Binary::Maximum => zip!(a, b, 1, |x, y: T| if x > y || x.is_nan() { x } else { y }),
        Binary::Minimum => zip!(a, b, 1, |x, y: T| if x < y || x.is_nan() { x } else { y }),
        Binary::ReluGrad => zip!(a, b, 1, |g, y: T| if y <= T::ZERO { T::ZERO } else { g }),
        Binary::SigmoidGrad => zip!(a, b, 1, |g, y: T| g * y * (T::ONE - y)),
        Binary::TanhGrad => zip!(a, b, 1, |g, y: T| g * (T::ONE - y * y)),
        Binary::GeluGrad(Gelu::Exact) => zip!(a, b, 10, |g, x: T| g * x.gelu_slope()),
        Binary::GeluGrad(Gelu::Tanh) => zip!(a, b, 10, |g, x: T| g * x.gelu_tanh_slope()),
        Binary::ActivationGrad(kind) => activation::grad::<T>(kind, a, b),
        op => panic!("{op:?} is not defined on floats; arrays cast before they ask for it"),
    }
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

fn binary_i64(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add => zip!(a, b, 1, |x, y: i64| x.wrapping_add(y)),
        Binary::Sub => zip!(a, b, 1, |x, y: i64| x.wrapping_sub(y)),
        Binary::Mul => zip!(a, b, 1, |x, y: i64| x.wrapping_mul(y)),
        Binary::Div => zip!(a, b, 8, |x, y: i64| if y == 0 { 0 } else { x.wrapping_div(y) }),
        Binary::Pow => zip!(a, b, 16, |x, y: i64| integer_power(x, y)),
        Binary::Maximum => zip!(a, b, 1, |x, y: i64| x.max(y)),
        Binary::Minimum => zip!(a, b, 1, |x, y: i64| x.min(y)),
        Binary::And => zip!(a, b, 1, |x, y: i64| x & y),
        Binary::Or => zip!(a, b, 1, |x, y: i64| x | y),
        Binary::Xor => zip!(a, b, 1, |x, y: i64| x ^ y),
        op => panic!("{op:?} is not defined on i64; arrays cast to a float before they ask for it"),
    }
}

fn binary_bool(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add | Binary::Or | Binary::Maximum => zip!(a, b, 1, |x, y: bool| x | y),
        Binary::Mul | Binary::And | Binary::Minimum => zip!(a, b, 1, |x, y: bool| x & y),
        Binary::Xor => zip!(a, b, 1, |x, y: bool| x ^ y),
        Binary::Pow => zip!(a, b, 1, |x, y: bool| x | !y),
        op => panic!("{op:?} is not defined on bools; arrays cast before they ask for it"),
    }
}

pub(crate) fn binary(op: Binary, a: &Array, b: &Array) -> Array {
    match a.dtype() {
        DType::F32 => float_binary::<f32>(op, a, b),
        DType::F64 => float_binary::<f64>(op, a, b),
        DType::I64 => binary_i64(op, a, b),
        _ => binary_bool(op, a, b),
    }
}

pub(crate) fn compare(op: Compare, a: &Array, b: &Array) -> Array {
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

/// `a = op(a, b)` in the place of `a`, if nobody else holds it and both lie without gaps; whether it was done.
pub(crate) fn assign(op: Binary, a: &mut Array, b: &Array) -> bool {
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
