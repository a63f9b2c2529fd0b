//! Elementwise kernels: one generic loop for one, two and three operands, and the table of functions.

use super::threads::for_each_slice;
use super::walk::Walk;
use crate::array::Array;
use crate::backend::{Binary, Compare, Unary};
use crate::dtype::{DType, Element};
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
/// where the work is worth a hand-off at all. Not tuned by a bench yet.
const CHUNK: usize = 1 << 13;

/// A kernel along one row of one operand: the output, the operand's storage, its place and step.
type MapRow<'a, A, O> = &'a (dyn Fn(&mut [O], &[A], usize, isize) + Sync);

/// `f` of every element. `cost` is in scalar operations per element.
pub(crate) fn map<A: Element, O: Element>(x: &Array, cost: usize, f: impl Fn(A) -> O + Sync) -> Array {
    map_rows(x, cost, &|out: &mut [O], x: &[A], at, step| {
        if step == 1 {
            for (o, &a) in out.iter_mut().zip(&x[at..]) {
                *o = f(a);
            }
        } else {
            for (i, o) in out.iter_mut().enumerate() {
                *o = f(x[(at as isize + i as isize * step) as usize]);
            }
        }
    })
}

/// What all maps share. Only the row kernels are compiled once for each function.
fn map_rows<A: Element, O: Element>(x: &Array, cost: usize, kernel: MapRow<'_, A, O>) -> Array {
    Array::build(x.shape(), |out: &mut [O]| {
        let (data, walk) = (x.host::<A>(), Walk::new([x.layout()]));
        let [step] = walk.inner();
        for_each_slice(out, CHUNK, cost, &|start, out| {
            walk.rows(start, start + out.len(), &mut |row| {
                kernel(&mut out[row.start - start..][..row.len], data, row.at[0], step);
            });
        });
    })
}

/// A kernel along one row of two operands: the output, their storages, places and steps.
type ZipRow<'a, A, B, O> = &'a (dyn Fn(&mut [O], &[A], &[B], [usize; 2], [isize; 2]) + Sync);

/// `f` of every pair of elements of two arrays of one shape.
pub(crate) fn zip<A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    f: impl Fn(A, B) -> O + Sync,
) -> Array {
    zip_rows(a, b, cost, &|out: &mut [O], x: &[A], y: &[B], [i, j], steps| match steps {
        // The usual steps get loops that compilers turn into vector code.
        [1, 1] => {
            for ((o, &a), &b) in out.iter_mut().zip(&x[i..]).zip(&y[j..]) {
                *o = f(a, b);
            }
        }
        [1, 0] => {
            let b = y[j];
            for (o, &a) in out.iter_mut().zip(&x[i..]) {
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
    })
}

/// What all zips share. Only the row kernels are compiled once for each function.
fn zip_rows<A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    kernel: ZipRow<'_, A, B, O>,
) -> Array {
    Array::build(a.shape(), |out: &mut [O]| {
        let (x, y) = (a.host::<A>(), b.host::<B>());
        let walk = Walk::new([a.layout(), b.layout()]);
        let steps = walk.inner();
        for_each_slice(out, CHUNK, cost, &|start, out| {
            walk.rows(start, start + out.len(), &mut |row| {
                kernel(&mut out[row.start - start..][..row.len], x, y, row.at, steps);
            });
        });
    })
}

/// `a` where the condition holds, else `b`.
pub(crate) fn select<T: Element>(condition: &Array, a: &Array, b: &Array) -> Array {
    Array::build(a.shape(), |out: &mut [T]| {
        let (c, x, y) = (condition.host::<bool>(), a.host::<T>(), b.host::<T>());
        let walk = Walk::new([condition.layout(), a.layout(), b.layout()]);
        let [p, q, r] = walk.inner();
        for_each_slice(out, CHUNK, 2, &|start, out| {
            walk.rows(start, start + out.len(), &mut |row| {
                let [mut i, mut j, mut k] = row.at.map(|at| at as isize);
                for o in &mut out[row.start - start..][..row.len] {
                    *o = if c[i as usize] { x[j as usize] } else { y[k as usize] };
                    (i, j, k) = (i + p, j + q, k + r);
                }
            });
        });
    })
}

/// A cast. Kernels exist among the four compute types, and between each narrow type and its own compute
/// type; other pairs take two steps. f64 to half precision is direct, so that it rounds once.
pub(crate) fn cast(x: &Array, dtype: DType) -> Array {
    let from = x.dtype();
    match (from == from.compute(), dtype == dtype.compute()) {
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
        map(x, 2, |a: A| O::from_f64(a.to_f64()))
    } else {
        map(x, 1, |a: A| O::from_i64(a.to_i64()))
    }
}

/// The operations on floats, written once for f32 and f64.
macro_rules! float_unary {
    ($name:ident, $t:ident) => {
        fn $name(op: Unary, x: &Array) -> Array {
            match op {
                Unary::Neg => map(x, 1, |v: $t| -v),
                Unary::Abs => map(x, 1, |v: $t| v.abs()),
                Unary::Sign => map(x, 1, |v: $t| $t::from(v > 0.0) - $t::from(v < 0.0)),
                Unary::Exp => map(x, 16, |v: $t| v.exp()),
                Unary::Log => map(x, 16, |v: $t| v.ln()),
                Unary::Sqrt => map(x, 4, |v: $t| v.sqrt()),
                Unary::Sin => map(x, 16, |v: $t| v.sin()),
                Unary::Cos => map(x, 16, |v: $t| v.cos()),
                Unary::Tanh => map(x, 16, |v: $t| v.tanh()),
                Unary::Sigmoid => map(x, 16, |v: $t| 1.0 / (1.0 + (-v).exp())),
                // Written so that NaN stays NaN.
                Unary::Relu => map(x, 1, |v: $t| if v < 0.0 { 0.0 } else { v }),
                Unary::LeakyRelu(slope) => {
                    let slope = slope as $t;
                    map(x, 1, move |v: $t| if v > 0.0 { v } else { slope * v })
                }
                Unary::Reciprocal => map(x, 2, |v: $t| 1.0 / v),
                Unary::Floor => map(x, 1, |v: $t| v.floor()),
                Unary::Not => map(x, 1, |v: $t| v == 0.0),
                Unary::Scale(factor) => {
                    let factor = factor as $t;
                    map(x, 1, move |v: $t| v * factor)
                }
                Unary::Offset(term) => {
                    let term = term as $t;
                    map(x, 1, move |v: $t| v + term)
                }
                Unary::Power(2.0) => map(x, 1, |v: $t| v * v),
                Unary::Power(0.5) => map(x, 4, |v: $t| v.sqrt()),
                Unary::Power(p) if p == p.trunc() && p.abs() <= 64.0 => {
                    let p = p as i32;
                    map(x, 8, move |v: $t| v.powi(p))
                }
                Unary::Power(p) => {
                    let p = p as $t;
                    map(x, 32, move |v: $t| v.powf(p))
                }
                Unary::Clamp(low, high) if low.is_nan() || high.is_nan() => map(x, 1, |_: $t| $t::NAN),
                Unary::Clamp(low, high) => {
                    let (low, high) = (low as $t, high as $t);
                    map(x, 1, move |v: $t| {
                        let v = if v < low { low } else { v };
                        if v > high { high } else { v }
                    })
                }
            }
        }
    };
}
float_unary!(unary_f32, f32);
float_unary!(unary_f64, f64);

fn unary_i64(op: Unary, x: &Array) -> Array {
    match op {
        Unary::Neg => map(x, 1, i64::wrapping_neg),
        Unary::Abs => map(x, 1, i64::wrapping_abs),
        Unary::Sign => map(x, 1, i64::signum),
        Unary::Relu => map(x, 1, |v: i64| v.max(0)),
        Unary::Floor => x.clone(),
        Unary::Not => map(x, 1, |v: i64| v == 0),
        Unary::Clamp(low, high) => {
            let (low, high) = (low as i64, high as i64);
            map(x, 1, move |v: i64| v.max(low).min(high))
        }
        op => panic!("{op:?} is not defined on i64; arrays cast to a float before they ask for it"),
    }
}

pub(crate) fn unary(op: Unary, x: &Array) -> Array {
    match x.dtype() {
        DType::F32 => unary_f32(op, x),
        DType::F64 => unary_f64(op, x),
        DType::I64 => unary_i64(op, x),
        _ => map(x, 1, |v: bool| match op {
            Unary::Not => !v,
            op => panic!("{op:?} is not defined on bool"),
        }),
    }
}

macro_rules! float_binary {
    ($name:ident, $t:ident) => {
        fn $name(op: Binary, a: &Array, b: &Array) -> Array {
            match op {
                Binary::Add => zip(a, b, 1, |x: $t, y: $t| x + y),
                Binary::Sub => zip(a, b, 1, |x: $t, y: $t| x - y),
                Binary::Mul => zip(a, b, 1, |x: $t, y: $t| x * y),
                Binary::Div => zip(a, b, 2, |x: $t, y: $t| x / y),
                Binary::Pow => zip(a, b, 32, |x: $t, y: $t| x.powf(y)),
                Binary::Maximum => zip(a, b, 1, |x: $t, y: $t| if x > y || x.is_nan() { x } else { y }),
                Binary::Minimum => zip(a, b, 1, |x: $t, y: $t| if x < y || x.is_nan() { x } else { y }),
                op => panic!("{op:?} is not defined on floats; arrays cast before they ask for it"),
            }
        }
    };
}
float_binary!(binary_f32, f32);
float_binary!(binary_f64, f64);

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
        Binary::Add => zip(a, b, 1, i64::wrapping_add),
        Binary::Sub => zip(a, b, 1, i64::wrapping_sub),
        Binary::Mul => zip(a, b, 1, i64::wrapping_mul),
        Binary::Div => zip(a, b, 8, |x: i64, y: i64| if y == 0 { 0 } else { x.wrapping_div(y) }),
        Binary::Pow => zip(a, b, 16, integer_power),
        Binary::Maximum => zip(a, b, 1, i64::max),
        Binary::Minimum => zip(a, b, 1, i64::min),
        Binary::And => zip(a, b, 1, |x: i64, y: i64| x & y),
        Binary::Or => zip(a, b, 1, |x: i64, y: i64| x | y),
        Binary::Xor => zip(a, b, 1, |x: i64, y: i64| x ^ y),
    }
}

fn binary_bool(op: Binary, a: &Array, b: &Array) -> Array {
    match op {
        Binary::Add | Binary::Or | Binary::Maximum => zip(a, b, 1, |x: bool, y: bool| x | y),
        Binary::Mul | Binary::And | Binary::Minimum => zip(a, b, 1, |x: bool, y: bool| x & y),
        Binary::Xor => zip(a, b, 1, |x: bool, y: bool| x ^ y),
        Binary::Pow => zip(a, b, 1, |x: bool, y: bool| x | !y),
        op => panic!("{op:?} is not defined on bools; arrays cast before they ask for it"),
    }
}

pub(crate) fn binary(op: Binary, a: &Array, b: &Array) -> Array {
    match a.dtype() {
        DType::F32 => binary_f32(op, a, b),
        DType::F64 => binary_f64(op, a, b),
        DType::I64 => binary_i64(op, a, b),
        _ => binary_bool(op, a, b),
    }
}

pub(crate) fn compare(op: Compare, a: &Array, b: &Array) -> Array {
    fn of<T: Element>(op: Compare, a: &Array, b: &Array) -> Array {
        match op {
            Compare::Eq => zip(a, b, 1, |x: T, y: T| x == y),
            Compare::Ne => zip(a, b, 1, |x: T, y: T| x != y),
            Compare::Lt => zip(a, b, 1, |x: T, y: T| x < y),
            Compare::Le => zip(a, b, 1, |x: T, y: T| x <= y),
            Compare::Gt => zip(a, b, 1, |x: T, y: T| x > y),
            Compare::Ge => zip(a, b, 1, |x: T, y: T| x >= y),
        }
    }
    match a.dtype() {
        DType::F32 => of::<f32>(op, a, b),
        DType::F64 => of::<f64>(op, a, b),
        DType::I64 => of::<i64>(op, a, b),
        _ => of::<bool>(op, a, b),
    }
}
