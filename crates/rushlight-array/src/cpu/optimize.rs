//! The steps of optimisers: one pass over a parameter and its state.

use super::float::Float;
use super::simd::vectorized;
use super::threads::for_each_slices;
use crate::array::Array;
use crate::backend::{AdamStep, SgdStep};
use crate::dtype::DType;

/// Elements of a chunk of a parameter.
const CHUNK: usize = 1 << 12;

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
        let (decays, first, nesterov) = (step.weight_decay != 0.0, step.first, step.nesterov);
        let Some(velocity) = velocity else {
            for_each_slices([w], [CHUNK], 2, &|chunk, [w]| {
                let g = &g[chunk * CHUNK..][..w.len()];
                vectorized(
                    #[inline(always)]
                    move || {
                        for (w, &g) in w.iter_mut().zip(g) {
                            let g = if decays { sign * g + decay * *w } else { sign * g };
                            *w = *w - lr * g;
                        }
                    },
                );
            });
            return;
        };
        for_each_slices([w, velocity], [CHUNK; 2], 4, &|chunk, [w, v]| {
            let g = &g[chunk * CHUNK..][..w.len()];
            vectorized(
                #[inline(always)]
                move || {
                    for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
                        let g = if decays { sign * g + decay * *w } else { sign * g };
                        *v = if first { g } else { momentum * *v + fresh * g };
                        *w = *w - lr * if nesterov { g + momentum * *v } else { *v };
                    }
                },
            );
        });
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
        let outs = [w.make_mut::<T>(), m.make_mut::<T>(), v.make_mut::<T>()];
        let (scale, decays) = (T::ONE / root, step.weight_decay != 0.0);
        for_each_slices(outs, [CHUNK; 3], 12, &|chunk, [w, m, v]| {
            let g = &g[chunk * CHUNK..][..w.len()];
            vectorized(
                #[inline(always)]
                move || {
                    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                        let g = if decays { g + decay * *w } else { g };
                        *m = keep_m * *m + take_m * g;
                        *v = keep_v * *v + take_v * g * g;
                        *w = *w - rate * *m / (v.sqrt() * scale + eps);
                    }
                },
            );
        });
    }
    in_compute_type(w, g, |w, g| match w.dtype() {
        DType::F32 => of::<f32>(step, w, g, m, v),
        _ => of::<f64>(step, w, g, m, v),
    });
}
