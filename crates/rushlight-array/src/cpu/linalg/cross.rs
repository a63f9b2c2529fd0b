//! Cross products.

use crate::array::Array;
use crate::cpu::gemm::Ring;
use crate::cpu::threads::for_each_slice;
use crate::dtype::DType;
use crate::profile::{kernel, kernels};

/// The cross products of the three elements along `axis`; both have one dtype and shape.
pub(crate) fn cross(a: &Array, b: &Array, axis: usize) -> Array {
    let _span = kernel("cross", || kernels::traffic(&[a, b, a]));
    let (a, b) = (super::super::contiguous(a), super::super::contiguous(b));
    match a.dtype() {
        DType::F32 => cross_as::<f32>(&a, &b, axis),
        DType::F64 => cross_as::<f64>(&a, &b, axis),
        DType::I64 => cross_as::<i64>(&a, &b, axis),
        dtype => panic!("cross of {dtype}; arrays cast before they ask for it"),
    }
}

fn cross_as<T: Ring>(a: &Array, b: &Array, axis: usize) -> Array {
    let (x, y) = (a.as_slice::<T>().expect("it is contiguous"), b.as_slice::<T>().expect("it is contiguous"));
    let inner: usize = a.shape()[axis + 1..].iter().product();
    let group = 3 * inner.max(1);
    Array::build(a.shape(), |out: &mut [T]| {
        let chunk = (1usize << 14).div_ceil(group) * group;
        for_each_slice(out, chunk, 2, &|start, out| {
            let (x, y) = (&x[start..][..out.len()], &y[start..][..out.len()]);
            if inner == 1 {
                for ((out, x), y) in out.chunks_exact_mut(3).zip(x.chunks_exact(3)).zip(y.chunks_exact(3)) {
                    out[0] = T::minus(T::times(x[1], y[2]), T::times(x[2], y[1]));
                    out[1] = T::minus(T::times(x[2], y[0]), T::times(x[0], y[2]));
                    out[2] = T::minus(T::times(x[0], y[1]), T::times(x[1], y[0]));
                }
                return;
            }
            for ((out, x), y) in out.chunks_mut(group).zip(x.chunks(group)).zip(y.chunks(group)) {
                for (i, out) in out.chunks_mut(inner).enumerate() {
                    let (j, k) = ((i + 1) % 3 * inner, (i + 2) % 3 * inner);
                    let first = x[j..][..inner].iter().zip(&y[k..][..inner]);
                    let second = x[k..][..inner].iter().zip(&y[j..][..inner]);
                    for ((out, (&p, &q)), (&r, &s)) in out.iter_mut().zip(first).zip(second) {
                        *out = T::minus(T::times(p, q), T::times(r, s));
                    }
                }
            }
        });
    })
}
