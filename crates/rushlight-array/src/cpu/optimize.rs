//! The steps of optimisers: one pass over a parameter, its gradient and its state, whatever the rule.

use super::float::Float;
use super::simd::vectorized;
use super::threads::for_each_slices;
use crate::array::Array;
use crate::backend::{OptimizerStep, StepRule};
use crate::dtype::DType;

/// Elements of a chunk of a parameter.
const CHUNK: usize = 1 << 12;

/// Runs the step in the parameter's own precision; half precision goes through f32, and its state stays there.
pub(crate) fn optimizer_step(step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
    let (dtype, compute) = (w.dtype(), w.dtype().compute());
    let g = g.cast(compute).contiguous();
    let mut wide = (dtype != compute).then(|| w.cast(compute));
    let values = wide.as_mut().unwrap_or(w);
    match compute {
        DType::F32 => of::<f32>(step, values, &g, state),
        _ => of::<f64>(step, values, &g, state),
    }
    if let Some(wide) = wide {
        *w = wide.cast(dtype);
    }
}

/// One loop over an element's values `[w, states..]` and gradient. Chunks depend on the length alone.
fn pass<T: Float, const N: usize>(
    outs: [&mut [T]; N],
    g: &[T],
    cost: usize,
    rule: impl Fn(T, [T; N]) -> [T; N] + Copy + Sync,
) {
    for_each_slices(outs, [CHUNK; N], cost, &|chunk, outs| {
        let len = outs[0].len();
        let g = &g[chunk * CHUNK..][..len];
        in_vectors::<T>(
            #[inline(always)]
            move || {
                let outs = outs.map(|out| &mut out[..len]);
                for (i, &g) in g.iter().enumerate() {
                    let after = rule(g, std::array::from_fn(|k| outs[k][i]));
                    for k in 0..N {
                        outs[k][i] = after[k];
                    }
                }
            },
        );
    });
}

/// [`vectorized`] for f32. In f64 the rules are bound by divisions, roots and memory, which wider vectors do not speed up.
#[inline(always)]
fn in_vectors<T: Float>(kernel: impl FnOnce()) {
    if const { matches!(T::DTYPE, DType::F32) } { vectorized(kernel) } else { kernel() }
}

/// What happens before each rule.
#[derive(Clone, Copy)]
struct Before<T> {
    turn: T,
    decays: bool,
    decay: T,
    shrink: T,
}

impl<T: Float> Before<T> {
    /// The gradient with its sign and penalty, and the weight after its decay.
    #[inline(always)]
    fn apply(self, g: T, w: T) -> (T, T) {
        let g = self.turn * g;
        (if self.decays { g + self.decay * w } else { g }, self.shrink * w)
    }
}

/// The mean of squares after `x`.
#[inline(always)]
fn square<T: Float>(mean: T, x: T, keep: T, take: T) -> T {
    keep * mean + take * x * x
}

/// `from + weight (to - from)`, from the nearer end, as PyTorch's `lerp`.
#[inline(always)]
fn lerp<T: Float>(from: T, to: T, weight: T, near: bool) -> T {
    if near { from + weight * (to - from) } else { to - (to - from) * (T::ONE - weight) }
}

/// The larger; NaN wins.
#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if a > b || a.is_nan() { a } else { b }
}

/// -1, 0 or 1; NaN stays 0, as in PyTorch.
#[inline(always)]
fn sign<T: Float>(x: T) -> T {
    let below = if x < T::ZERO { -T::ONE } else { T::ZERO };
    if x > T::ZERO { T::ONE } else { below }
}

/// The rule of a step as a loop. Everything that does not depend on the element is worked out before it.
fn of<T: Float>(step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
    let g = g.as_slice::<T>().expect("it was made contiguous");
    let w = w.make_mut::<T>();
    let state = state.map(|array| array.map(|array| array.make_mut::<T>()));
    let t = T::from_f64;
    let before = Before {
        turn: t(if step.maximize { -1.0 } else { 1.0 }),
        decays: step.weight_decay != 0.0,
        decay: t(step.weight_decay),
        shrink: t(step.shrink),
    };
    // A loop whose body has the prepared gradient and weight, and the states, under the names of the slices.
    macro_rules! each {
        ($cost:literal, |$g:ident, [$w:ident $(, $state:ident)*]| $after:expr) => {
            pass(
                [$w $(, $state)*],
                $g,
                $cost,
                #[inline(always)]
                move |g, [w $(, $state)*]| {
                    let ($g, $w) = before.apply(g, w);
                    $after
                },
            )
        };
    }
    match (step.rule, state) {
        (StepRule::Sgd { lr, .. }, [None, None, None]) => {
            let lr = t(lr);
            each!(2, |g, [w]| [w - lr * g]);
        }
        (StepRule::Sgd { lr, momentum, fresh, nesterov, first }, [Some(v), None, None]) => {
            let [lr, momentum, fresh] = [lr, momentum, fresh].map(t);
            each!(4, |g, [w, v]| {
                let v = if first { g } else { momentum * v + fresh * g };
                [w - lr * if nesterov { g + momentum * v } else { v }, v]
            });
        }
        (StepRule::Adam { beta1, beta2, eps, rate, root }, [Some(m), Some(v), greatest]) => {
            let near = 1.0 - beta1 < 0.5;
            let [take_m, keep_v, take_v] = [1.0 - beta1, beta2, 1.0 - beta2].map(t);
            // One division for each element is enough to be bound by: the root's is a product.
            let [eps, rate, scale] = [eps, rate, 1.0 / root].map(t);
            match greatest {
                None => each!(12, |g, [w, m, v]| {
                    let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                    [w - rate * m / (v.sqrt() * scale + eps), m, v]
                }),
                Some(greatest) => each!(12, |g, [w, m, v, greatest]| {
                    let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                    let greatest = larger(greatest, v);
                    [w - rate * m / (greatest.sqrt() * scale + eps), m, v, greatest]
                }),
            }
        }
        (StepRule::RmsProp { lr, alpha, eps, momentum }, [Some(s), buffer, mean]) => {
            let near = 1.0 - alpha < 0.5;
            let [lr, keep, take, eps, momentum] = [lr, alpha, 1.0 - alpha, eps, momentum].map(t);
            match (buffer, mean) {
                (None, None) => each!(12, |g, [w, s]| {
                    let s = square(s, g, keep, take);
                    [w - lr * g / (s.sqrt() + eps), s]
                }),
                (Some(buffer), None) => each!(12, |g, [w, s, buffer]| {
                    let s = square(s, g, keep, take);
                    let buffer = momentum * buffer + g / (s.sqrt() + eps);
                    [w - lr * buffer, s, buffer]
                }),
                (None, Some(mean)) => each!(12, |g, [w, s, mean]| {
                    let (s, mean) = (square(s, g, keep, take), lerp(mean, g, take, near));
                    [w - lr * g / ((s - mean * mean).sqrt() + eps), s, mean]
                }),
                (Some(buffer), Some(mean)) => each!(12, |g, [w, s, buffer, mean]| {
                    let (s, mean) = (square(s, g, keep, take), lerp(mean, g, take, near));
                    let buffer = momentum * buffer + g / ((s - mean * mean).sqrt() + eps);
                    [w - lr * buffer, s, buffer, mean]
                }),
            }
        }
        (StepRule::Adagrad { rate, eps }, [Some(s), None, None]) => {
            let [rate, eps] = [rate, eps].map(t);
            each!(12, |g, [w, s]| {
                let s = s + g * g;
                [w - rate * g / (s.sqrt() + eps), s]
            });
        }
        (StepRule::Adadelta { lr, rho, eps }, [Some(s), Some(u), None]) => {
            let [lr, keep, take, eps] = [lr, rho, 1.0 - rho, eps].map(t);
            each!(16, |g, [w, s, u]| {
                let s = square(s, g, keep, take);
                let change = (u + eps).sqrt() / (s + eps).sqrt() * g;
                [w - lr * change, s, square(u, change, keep, take)]
            });
        }
        (StepRule::Adamax { beta1, beta2, eps, rate }, [Some(m), Some(u), None]) => {
            let near = 1.0 - beta1 < 0.5;
            let [take, keep, eps, rate] = [1.0 - beta1, beta2, eps, rate].map(t);
            each!(8, |g, [w, m, u]| {
                let (m, u) = (lerp(m, g, take, near), larger(keep * u, g.abs() + eps));
                [w - rate * m / u, m, u]
            });
        }
        (
            StepRule::NAdam { beta1, beta2, eps, correction, rate_grad, rate_mean },
            [Some(m), Some(v), None],
        ) => {
            let near = 1.0 - beta1 < 0.5;
            let [take_m, keep_v, take_v] = [1.0 - beta1, beta2, 1.0 - beta2].map(t);
            let [eps, scale, rate_grad, rate_mean] = [eps, 1.0 / correction, rate_grad, rate_mean].map(t);
            each!(16, |g, [w, m, v]| {
                let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                let root = (v * scale).sqrt() + eps;
                [w - rate_grad * g / root - rate_mean * m / root, m, v]
            });
        }
        (StepRule::RAdam { lr, beta1, beta2, eps, correction, adaptive }, [Some(m), Some(v), None]) => {
            let near = 1.0 - beta1 < 0.5;
            let [take_m, keep_v, take_v] = [1.0 - beta1, beta2, 1.0 - beta2].map(t);
            let (root, rectification) = adaptive.unwrap_or((1.0, 1.0));
            let [lr, eps, scale, root, rectification] =
                [lr, eps, 1.0 / correction, root, rectification].map(t);
            let adapts = adaptive.is_some();
            each!(12, |g, [w, m, v]| {
                let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                let change = m * scale * lr;
                let adapted = change * (root / (v.sqrt() + eps)) * rectification;
                [w - if adapts { adapted } else { change }, m, v]
            });
        }
        (StepRule::Asgd { rate, average }, [Some(ax), None, None]) => {
            let (whole, rate, average) = (average == 1.0, t(rate), t(average));
            each!(4, |g, [w, ax]| {
                let w = w - rate * g;
                [w, if whole { w } else { ax + (w - ax) * average }]
            });
        }
        (StepRule::Rprop { minus, plus, min, max }, [Some(before), Some(size), None]) => {
            let [minus, plus, min, max] = [minus, plus, min, max].map(t);
            each!(8, |g, [w, before, size]| {
                let kept = g * before;
                let factor = if kept > T::ZERO { plus } else { T::ONE };
                let (factor, g) = if kept < T::ZERO { (minus, T::ZERO) } else { (factor, g) };
                let size = size * factor;
                let size = if size < min { min } else { size };
                let size = if size > max { max } else { size };
                [w - sign(g) * size, g, size]
            });
        }
        (rule, state) => panic!(
            "optimizer_step: {rule:?} does not take the states {:?}",
            state.map(|state| state.is_some())
        ),
    }
}
