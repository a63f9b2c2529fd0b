//! The steps of optimisers: one pass over a parameter, its gradient and its state, whatever the rule.

use super::float::Float;
use super::simd::vectorized_f32;
use super::threads::for_each_slices;
use crate::array::Array;
use crate::backend::{OptimizerStep, Rule, rule};
use crate::dtype::DType;
use crate::profile::{kernel, kernels};
use std::fmt::Debug;

/// Elements of a chunk of a parameter.
const CHUNK: usize = 1 << 12;

/// Elements whose gradients are made ready at a time: they wait in the first-level cache.
const BLOCK: usize = 1 << 10;

/// Runs the step in the parameter's own precision; half precision goes through f32, and its state stays there.
pub(crate) fn optimizer_step<R: Loop>(
    step: &OptimizerStep<R>,
    w: &mut Array,
    g: &Array,
    state: [Option<&mut Array>; 3],
) {
    let states = state.iter().flatten().count();
    let _span = kernel(step.rule.into().name(), || {
        let mut work = kernels::traffic(&[w, w, g]);
        work.bytes += kernels::traffic(&[w]).bytes * 2 * states as u64;
        work
    });
    let (dtype, compute) = (w.dtype(), w.dtype().compute());
    let g = g.cast(compute).contiguous();
    let mut wide = (dtype != compute).then(|| w.cast(compute));
    let values = wide.as_mut().unwrap_or(w);
    match compute {
        DType::F32 => step.rule.run(Pass::<f32>::new(step, values, &g, state)),
        _ => step.rule.run(Pass::<f64>::new(step, values, &g, state)),
    }
    if let Some(wide) = wide {
        *w = wide.cast(dtype);
    }
}

/// A rule as a loop. Everything that does not depend on the element is worked out before it.
pub(crate) trait Loop: Rule {
    fn run<T: Float>(self, pass: Pass<'_, T>);
}

/// A parameter, its gradient and its states, and what happens before the rule.
pub(crate) struct Pass<'a, T> {
    w: &'a mut [T],
    g: &'a [T],
    states: [Option<&'a mut [T]>; 3],
    before: Before<T>,
}

impl<'a, T: Float> Pass<'a, T> {
    fn new<R>(
        step: &OptimizerStep<R>,
        w: &'a mut Array,
        g: &'a Array,
        state: [Option<&'a mut Array>; 3],
    ) -> Self {
        let t = T::from_f64;
        Pass {
            w: w.make_mut(),
            g: g.as_slice().expect("it was made contiguous"),
            states: state.map(|array| array.map(Array::make_mut)),
            before: Before {
                turn: t(if step.maximize { -1.0 } else { 1.0 }),
                decays: step.weight_decay != 0.0,
                decay: t(step.weight_decay),
                shrink: t(step.shrink),
            },
        }
    }

    /// Which states there are.
    fn has(&self) -> [bool; 3] {
        self.states.each_ref().map(Option::is_some)
    }

    /// One loop over an element's gradient and its values `[w, states..]`. Chunks depend on the length alone.
    fn each<const N: usize>(self, cost: usize, rule: impl Fn(T, [T; N]) -> [T; N] + Copy + Sync) {
        let (g, before) = (self.g, self.before);
        let mut outs = std::iter::once(self.w).chain(self.states.into_iter().flatten());
        let outs: [&mut [T]; N] = std::array::from_fn(|_| outs.next().expect("the states were looked at"));
        for_each_slices(outs, [CHUNK; N], cost, &|chunk, mut outs| {
            let mut changed = Vec::new();
            for start in (0..outs[0].len()).step_by(BLOCK) {
                let len = BLOCK.min(outs[0].len() - start);
                let outs = outs.each_mut().map(|out| &mut out[start..][..len]);
                let g = before.apply(&g[chunk * CHUNK + start..][..len], outs[0], &mut changed);
                vectorized_f32::<T, _>(
                    #[inline(always)]
                    move || {
                        let outs = outs.map(|out| &mut out[..len]);
                        for (i, &g) in g[..len].iter().enumerate() {
                            let after = rule(g, std::array::from_fn(|k| outs[k][i]));
                            for k in 0..N {
                                outs[k][i] = after[k];
                            }
                        }
                    },
                );
            }
        });
    }
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
    /// The gradients with their sign and penalty, in `changed` where they differ from what they were; weights decay in their
    /// places. In a loop of its own, which seldom runs: each rule's would be compiled with it and without.
    #[inline(never)]
    fn apply<'a>(self, g: &'a [T], w: &mut [T], changed: &'a mut Vec<T>) -> &'a [T] {
        let is_same = !self.decays && self.turn == T::ONE;
        if !is_same {
            let penalty = |w: T| if self.decays { self.decay * w } else { -T::ZERO };
            changed.clear();
            changed.extend(g.iter().zip(&*w).map(|(&g, &w)| self.turn * g + penalty(w)));
        }
        if self.shrink != T::ONE {
            w.iter_mut().for_each(|w| *w = self.shrink * *w);
        }
        if is_same { g } else { changed }
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

/// The loop of a rule, inlined whole.
macro_rules! each {
    ($pass:ident, $cost:literal, |$g:ident, [$($value:ident),*]| $after:expr) => {
        $pass.each(
            $cost,
            #[inline(always)]
            move |$g, [$($value),*]| $after,
        )
    };
}

#[cold]
#[inline(never)]
fn refuse(rule: &dyn Debug, states: [bool; 3]) -> ! {
    panic!("optimizer_step: {rule:?} does not take the states {states:?}")
}

impl Loop for rule::Sgd {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let [lr, momentum, fresh] = [self.lr, self.momentum, self.fresh].map(T::from_f64);
        let (nesterov, first) = (self.nesterov, self.first);
        match pass.has() {
            [false, false, false] => each!(pass, 2, |g, [w]| [w - lr * g]),
            [true, false, false] => each!(pass, 4, |g, [w, v]| {
                let v = if first { g } else { momentum * v + fresh * g };
                [w - lr * if nesterov { g + momentum * v } else { v }, v]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::Adam {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let near = 1.0 - self.beta1 < 0.5;
        let [take_m, keep_v, take_v] = [1.0 - self.beta1, self.beta2, 1.0 - self.beta2].map(T::from_f64);
        // One division for each element is enough to be bound by: the root's is a product.
        let [eps, rate, scale] = [self.eps, self.rate, 1.0 / self.root].map(T::from_f64);
        match pass.has() {
            [true, true, false] => each!(pass, 12, |g, [w, m, v]| {
                let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                [w - rate * m / (v.sqrt() * scale + eps), m, v]
            }),
            [true, true, true] => each!(pass, 12, |g, [w, m, v, greatest]| {
                let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                let greatest = larger(greatest, v);
                [w - rate * m / (greatest.sqrt() * scale + eps), m, v, greatest]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::RmsProp {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let near = 1.0 - self.alpha < 0.5;
        let [lr, keep, take] = [self.lr, self.alpha, 1.0 - self.alpha].map(T::from_f64);
        let [eps, momentum] = [self.eps, self.momentum].map(T::from_f64);
        match pass.has() {
            [true, false, false] => each!(pass, 12, |g, [w, s]| {
                let s = square(s, g, keep, take);
                [w - lr * g / (s.sqrt() + eps), s]
            }),
            [true, true, false] => each!(pass, 12, |g, [w, s, buffer]| {
                let s = square(s, g, keep, take);
                let buffer = momentum * buffer + g / (s.sqrt() + eps);
                [w - lr * buffer, s, buffer]
            }),
            [true, false, true] => each!(pass, 12, |g, [w, s, mean]| {
                let (s, mean) = (square(s, g, keep, take), lerp(mean, g, take, near));
                [w - lr * g / ((s - mean * mean).sqrt() + eps), s, mean]
            }),
            [true, true, true] => each!(pass, 12, |g, [w, s, buffer, mean]| {
                let (s, mean) = (square(s, g, keep, take), lerp(mean, g, take, near));
                let buffer = momentum * buffer + g / ((s - mean * mean).sqrt() + eps);
                [w - lr * buffer, s, buffer, mean]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::Adagrad {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let [rate, eps] = [self.rate, self.eps].map(T::from_f64);
        match pass.has() {
            [true, false, false] => each!(pass, 12, |g, [w, s]| {
                let s = s + g * g;
                [w - rate * g / (s.sqrt() + eps), s]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::Adadelta {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let [lr, keep, take, eps] = [self.lr, self.rho, 1.0 - self.rho, self.eps].map(T::from_f64);
        match pass.has() {
            [true, true, false] => each!(pass, 16, |g, [w, s, u]| {
                let s = square(s, g, keep, take);
                let change = (u + eps).sqrt() / (s + eps).sqrt() * g;
                [w - lr * change, s, square(u, change, keep, take)]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::Adamax {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let near = 1.0 - self.beta1 < 0.5;
        let [take, keep, eps, rate] = [1.0 - self.beta1, self.beta2, self.eps, self.rate].map(T::from_f64);
        match pass.has() {
            [true, true, false] => each!(pass, 8, |g, [w, m, u]| {
                let (m, u) = (lerp(m, g, take, near), larger(keep * u, g.abs() + eps));
                [w - rate * m / u, m, u]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::NAdam {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let near = 1.0 - self.beta1 < 0.5;
        let [take_m, keep_v, take_v] = [1.0 - self.beta1, self.beta2, 1.0 - self.beta2].map(T::from_f64);
        let [eps, scale] = [self.eps, 1.0 / self.correction].map(T::from_f64);
        let [rate_grad, rate_mean] = [self.rate_grad, self.rate_mean].map(T::from_f64);
        match pass.has() {
            [true, true, false] => each!(pass, 16, |g, [w, m, v]| {
                let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                let root = (v * scale).sqrt() + eps;
                [w - rate_grad * g / root - rate_mean * m / root, m, v]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::RAdam {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let near = 1.0 - self.beta1 < 0.5;
        let [take_m, keep_v, take_v] = [1.0 - self.beta1, self.beta2, 1.0 - self.beta2].map(T::from_f64);
        let (root, rectification) = self.adaptive.unwrap_or((1.0, 1.0));
        let [root, rectification] = [root, rectification].map(T::from_f64);
        let [lr, eps, scale] = [self.lr, self.eps, 1.0 / self.correction].map(T::from_f64);
        let adapts = self.adaptive.is_some();
        match pass.has() {
            [true, true, false] => each!(pass, 12, |g, [w, m, v]| {
                let (m, v) = (lerp(m, g, take_m, near), square(v, g, keep_v, take_v));
                let change = m * scale * lr;
                let adapted = change * (root / (v.sqrt() + eps)) * rectification;
                [w - if adapts { adapted } else { change }, m, v]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::Asgd {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let whole = self.average == 1.0;
        let [rate, average] = [self.rate, self.average].map(T::from_f64);
        match pass.has() {
            [true, false, false] => each!(pass, 4, |g, [w, ax]| {
                let w = w - rate * g;
                [w, if whole { w } else { ax + (w - ax) * average }]
            }),
            states => refuse(&self, states),
        }
    }
}

impl Loop for rule::Rprop {
    fn run<T: Float>(self, pass: Pass<'_, T>) {
        let [minus, plus, min, max] = [self.minus, self.plus, self.min, self.max].map(T::from_f64);
        match pass.has() {
            [true, true, false] => each!(pass, 8, |g, [w, before, size]| {
                let kept = g * before;
                let factor = if kept > T::ZERO { plus } else { T::ONE };
                let (factor, g) = if kept < T::ZERO { (minus, T::ZERO) } else { (factor, g) };
                let size = size * factor;
                let size = if size < min { min } else { size };
                let size = if size > max { max } else { size };
                [w - sign(g) * size, g, size]
            }),
            states => refuse(&self, states),
        }
    }
}
