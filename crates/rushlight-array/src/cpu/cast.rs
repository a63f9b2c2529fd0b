//! Casts: among the four compute types, between each narrow type and its own compute type, and directly wherever
//! pictures, labels and half precision come by; other pairs take two steps.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::contiguous;
use super::elementwise::{CHUNK, vectorized};
use super::threads::for_each_slice;
use crate::array::Array;
use crate::dtype::{DType, Element, truncate};

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

/// The array in another dtype.
pub(crate) fn cast(x: &Array, dtype: DType) -> Array {
    let from = x.dtype();
    match (from == from.compute(), dtype == dtype.compute()) {
        // In one step, through i64, which holds every value.
        (false, true) if from == DType::U8 && dtype == DType::F32 => convert::<u8, f32>(x),
        (true, true) => with_compute_type!(from, A => with_compute_type!(dtype, O => convert::<A, O>(x))),
        (true, false) if from.is_float() && dtype.is_int() => match dtype {
            DType::I32 => to_narrow_integer::<i32>(x),
            DType::I16 => to_narrow_integer::<i16>(x),
            DType::I8 => to_narrow_integer::<i8>(x),
            _ => to_narrow_integer::<u8>(x),
        },
        // So that it rounds once.
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
        DType::F16 => half_precision::<f16>(x),
        DType::BF16 => half_precision::<bf16>(x),
        DType::I32 => convert::<i64, i32>(x),
        DType::I16 => convert::<i64, i16>(x),
        DType::I8 => convert::<i64, i8>(x),
        _ => convert::<i64, u8>(x),
    }
}

/// From a narrow type to its compute type.
fn widen(x: &Array) -> Array {
    match x.dtype() {
        DType::F16 => from_half_precision::<f16>(x),
        DType::BF16 => from_half_precision::<bf16>(x),
        DType::I32 => convert::<i32, i64>(x),
        DType::I16 => convert::<i16, i64>(x),
        DType::I8 => convert::<i8, i64>(x),
        _ => convert::<u8, i64>(x),
    }
}

/// A loop of casts over elements that lie without gaps. Others are copied first: a loop for each way to lie and each pair
/// of types would be a good part of a small program.
#[inline(always)]
fn each<A: Element, O: Element>(x: &Array, f: impl Fn(A) -> O + Copy + Sync) -> Array {
    let copied;
    let x = if x.is_contiguous() {
        x
    } else {
        copied = super::copy(x);
        &copied
    };
    let data = x.dense::<A>();
    Array::build(x.shape(), |out: &mut [O]| {
        for_each_slice(out, CHUNK, 2, &|start, out| {
            let x = &data[start..][..out.len()];
            vectorized::<A, O, _>(
                #[inline(always)]
                move || {
                    for (o, &v) in out.iter_mut().zip(x) {
                        *o = f(v);
                    }
                },
            );
        });
    })
}

/// [`each`] with a closure that is inlined into the loop, which vector code needs.
macro_rules! map {
    ($x:expr, |$v:ident: $t:ty| $body:expr) => {
        each(
            $x,
            #[inline(always)]
            move |$v: $t| $body,
        )
    };
}

/// One cast: between floats through f64, all others through i64, which holds every integer.
fn convert<A: Element, O: Element>(x: &Array) -> Array {
    if A::DTYPE.is_float() && !O::DTYPE.is_int() {
        map!(x, |a: A| O::from_f64(a.to_f64()))
    } else {
        map!(x, |a: A| O::from_i64(a.to_i64()))
    }
}

/// From a float to an integer narrower than i64, by way of i32.
fn to_narrow_integer<O: Element>(x: &Array) -> Array {
    if x.dtype() == DType::F32 {
        map!(x, |v: f32| O::from_i64(i64::from(truncate::f32_to_i32(v))))
    } else {
        map!(x, |v: f64| O::from_i64(i64::from(truncate::f64_to_i32(v))))
    }
}

/// From f32 to half precision, by the processor's own instructions where `half` finds them.
fn half_precision<H: Element>(x: &Array) -> Array
where
    [H]: HalfFloatSliceExt,
{
    let x = contiguous(x);
    let data = x.as_slice::<f32>().expect("it was made contiguous");
    Array::build(x.shape(), |out: &mut [H]| {
        for_each_slice(out, CHUNK, 2, &|start, out| out.convert_from_f32_slice(&data[start..][..out.len()]));
    })
}

/// As [`half_precision`], back.
fn from_half_precision<H: Element>(x: &Array) -> Array
where
    [H]: HalfFloatSliceExt,
{
    let x = contiguous(x);
    let data = x.as_slice::<H>().expect("it was made contiguous");
    Array::build(x.shape(), |out: &mut [f32]| {
        for_each_slice(out, CHUNK, 2, &|start, out| data[start..][..out.len()].convert_to_f32_slice(out));
    })
}
