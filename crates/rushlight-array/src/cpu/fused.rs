//! Fused kernels: what would otherwise be several passes over memory.

use super::threads::for_each_slice;
use crate::array::Array;
use crate::backend::{AdamStep, SgdStep};
use crate::dtype::{DType, Element};

/// Softmax, or its logarithm, along one axis.
pub(crate) fn softmax(x: &Array, axis: usize, log: bool) -> Array {
    if axis + 1 != x.rank() {
        // Rows are what the kernel reads: bring the axis to the end and back.
        let (a, last) = (axis as isize, x.rank() as isize - 1);
        return super::copy(&softmax(&x.transpose(a, last), x.rank() - 1, log).transpose(a, last));
    }
    match x.dtype() {
        DType::F32 => softmax_f32(x, log),
        _ => softmax_f64(x, log),
    }
}

macro_rules! softmax_rows {
    ($name:ident, $t:ident) => {
        fn $name(x: &Array, log: bool) -> Array {
            let x = if x.is_contiguous() { x.clone() } else { super::copy(x) };
            let data = x.as_slice::<$t>().expect("it was made contiguous");
            let size = x.shape()[x.rank() - 1];
            Array::build(x.shape(), |out: &mut [$t]| {
                let rows = (4096 / size).max(1);
                for_each_slice(out, rows * size, 20, &|start, out| {
                    for (out, x) in out.chunks_exact_mut(size).zip(data[start..].chunks_exact(size)) {
                        let max = x.iter().fold($t::NEG_INFINITY, |m, &v| if v > m { v } else { m });
                        for (o, &v) in out.iter_mut().zip(x) {
                            *o = (v - max).exp();
                        }
                        let sum = super::reduce::sum(out);
                        if log {
                            let log_sum = sum.ln();
                            for (o, &v) in out.iter_mut().zip(x) {
                                *o = v - max - log_sum;
                            }
                        } else {
                            out.iter_mut().for_each(|o| *o /= sum);
                        }
                    }
                });
            })
        }
    };
}
softmax_rows!(softmax_f32, f32);
softmax_rows!(softmax_f64, f64);

/// The float arithmetic that optimiser steps need, in either precision.
trait Float:
    Element
    + std::ops::Add<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Div<Output = Self>
{
    fn sqrt(self) -> Self;
}
impl Float for f32 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}
impl Float for f64 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}

/// Runs an optimiser step in the parameter's own precision; half precision goes through f32.
fn in_compute_type(w: &mut Array, g: &Array, step: impl FnOnce(&mut Array, &Array)) {
    let dtype = w.dtype();
    let g = g.cast(dtype.compute()).contiguous();
    if dtype == dtype.compute() {
        step(w, &g);
    } else {
        let mut wide = w.cast(dtype.compute());
        step(&mut wide, &g);
        *w = wide.cast(dtype);
    }
}

pub(crate) fn sgd_step(step: &SgdStep, w: &mut Array, g: &Array, velocity: Option<&mut Array>) {
    fn run<T: Float>(step: &SgdStep, w: &mut [T], g: &[T], velocity: Option<&mut [T]>) {
        let [lr, momentum, fresh, decay] =
            [step.lr, step.momentum, 1.0 - step.dampening, step.weight_decay].map(T::from_f64);
        let sign = T::from_f64(if step.maximize { -1.0 } else { 1.0 });
        let decayed = |w: T, g: T| if step.weight_decay == 0.0 { sign * g } else { sign * g + decay * w };
        let Some(velocity) = velocity else {
            w.iter_mut().zip(g).for_each(|(w, &g)| *w = *w - lr * decayed(*w, g));
            return;
        };
        for ((w, &g), v) in w.iter_mut().zip(g).zip(velocity) {
            let g = decayed(*w, g);
            *v = if step.first { g } else { momentum * *v + fresh * g };
            *w = *w - lr * if step.nesterov { g + momentum * *v } else { *v };
        }
    }
    fn of<T: Float>(step: &SgdStep, w: &mut Array, g: &Array, velocity: Option<&mut Array>) {
        let g = g.as_slice::<T>().expect("it was made contiguous");
        run(step, w.make_mut::<T>(), g, velocity.map(|v| v.make_mut::<T>()));
    }
    in_compute_type(w, g, |w, g| match w.dtype() {
        DType::F32 => of::<f32>(step, w, g, velocity),
        _ => of::<f64>(step, w, g, velocity),
    });
}

pub(crate) fn adam_step(step: &AdamStep, w: &mut Array, g: &Array, m: &mut Array, v: &mut Array) {
    fn of<T: Float>(step: &AdamStep, w: &mut Array, g: &Array, m: &mut Array, v: &mut Array) {
        let (rate, root) = step.corrections();
        let [rate, root, eps] = [rate, root, step.eps].map(T::from_f64);
        let [keep_m, take_m, keep_v, take_v, decay] =
            [step.beta1, 1.0 - step.beta1, step.beta2, 1.0 - step.beta2, step.weight_decay].map(T::from_f64);
        let g = g.as_slice::<T>().expect("it was made contiguous");
        let (w, m, v) = (w.make_mut::<T>(), m.make_mut::<T>(), v.make_mut::<T>());
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            let g = if step.weight_decay == 0.0 { g } else { g + decay * *w };
            *m = keep_m * *m + take_m * g;
            *v = keep_v * *v + take_v * g * g;
            *w = *w - rate * *m / (v.sqrt() / root + eps);
        }
    }
    in_compute_type(w, g, |w, g| match w.dtype() {
        DType::F32 => of::<f32>(step, w, g, m, v),
        _ => of::<f64>(step, w, g, m, v),
    });
}
