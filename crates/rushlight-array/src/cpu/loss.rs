//! Losses of pairs of numbers, and their slopes: one pass each.

use super::binary::zip_at;
use super::contiguous;
use super::elementwise::Rare;
use super::float::Float;
use super::runs::Kernel3;
use super::simd::vectorized_wide;
use super::softmax::{slice, with_float};
use super::threads::{for_each_chunk, for_each_slice};
use crate::array::Array;
use crate::backend::PairLoss;
use crate::dtype::DType;
use std::sync::atomic::{AtomicBool, Ordering};

/// Elements of a chunk.
const CHUNK: usize = 1 << 13;

/// The losses of all pairs.
pub(crate) fn pair_loss(kind: PairLoss, x: &Array, y: &Array) -> Array {
    with_float!(x, losses(kind, x, y))
}

/// [`zip_at`] with a closure that is inlined into the loop, which vector code needs.
macro_rules! each {
    ($a:expr, $b:expr, $cost:expr, |$v:ident, $w:ident| $body:expr) => {
        zip_at::<Rare, _, _, _>(
            $a,
            $b,
            $cost,
            #[inline(always)]
            move |$v: T, $w: T| $body,
        )
    };
}

fn losses<T: Float>(kind: PairLoss, x: &Array, y: &Array) -> Array {
    let [half, zero, one] = [0.5, 0.0, 1.0].map(T::from_f64);
    match kind {
        PairLoss::Square => each!(x, y, 1, |a, b| (a - b) * (a - b)),
        PairLoss::Absolute => each!(x, y, 1, |a, b| (a - b).abs()),
        PairLoss::Huber(delta) => {
            let delta = T::from_f64(delta);
            each!(x, y, 2, |a, b| {
                let size = (a - b).abs();
                let (near, far) = (half * size * size, delta * (size - half * delta));
                if size <= delta { near } else { far }
            })
        }
        PairLoss::SmoothL1(beta) => {
            let beta = T::from_f64(beta);
            each!(x, y, 2, |a, b| {
                let size = (a - b).abs();
                let (near, far) = (half * size * size / beta, size - half * beta);
                if size < beta { near } else { far }
            })
        }
        PairLoss::Probability => {
            // PyTorch cuts the logarithms off there.
            let least = T::from_f64(-100.0);
            each!(x, y, 10, |a, b| {
                let (yes, no) = (a.ln(), (-a).ln_1p());
                let yes = if yes < least { least } else { yes };
                let no = if no < least { least } else { no };
                (b - one) * no - b * yes
            })
        }
        PairLoss::Logit => each!(x, y, 10, |a, b| {
            let below = if a < zero { -a } else { zero };
            (one - b) * a + (below + (-a.abs()).exp().ln_1p())
        }),
    }
}

/// The slopes of the losses with respect to the first of each pair, times the gradients of the losses.
pub(crate) fn pair_loss_grad(kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
    with_float!(x, slopes(kind, grad, x, y))
}

/// As [`each!`], for slopes.
macro_rules! slope {
    ($grad:expr, $a:expr, $b:expr, $cost:expr, |$v:ident, $w:ident| $body:expr) => {
        scaled(
            $grad,
            $a,
            $b,
            $cost,
            #[inline(always)]
            move |$v: T, $w: T| $body,
        )
    };
}

fn slopes<T: Float>(kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
    let [zero, one, two] = [0.0, 1.0, 2.0].map(T::from_f64);
    match kind {
        PairLoss::Square => slope!(grad, x, y, 1, |a, b| two * (a - b)),
        PairLoss::Absolute => slope!(grad, x, y, 1, |a, b| {
            let error = a - b;
            // 0 at 0, and beside NaN, as in PyTorch.
            let above = if error > zero { one } else { zero };
            if error < zero { -one } else { above }
        }),
        PairLoss::Huber(delta) => {
            let delta = T::from_f64(delta);
            slope!(grad, x, y, 1, |a, b| bounded(a - b, delta))
        }
        PairLoss::SmoothL1(beta) => {
            let beta = T::from_f64(beta);
            slope!(grad, x, y, 2, |a, b| bounded((a - b) / beta, one))
        }
        PairLoss::Probability => {
            let least = T::from_f64(PairLoss::LEAST);
            slope!(grad, x, y, 3, |a, b| {
                let spread = (one - a) * a;
                (a - b) / if spread < least { least } else { spread }
            })
        }
        PairLoss::Logit => slope!(grad, x, y, 8, |a, b| {
            // The sigmoid on its small side: its distance from 1 would lose what is left.
            let small = (-a.abs()).sigmoid();
            if a < zero { small - b } else { (one - b) - small }
        }),
    }
}

/// `x` moved into `-bound..=bound`; NaN stays NaN.
#[inline(always)]
fn bounded<T: Float>(x: T, bound: T) -> T {
    let x = if x > bound { bound } else { x };
    if x < -bound { -bound } else { x }
}

/// The slope of each pair times the gradient, of which there is one for each pair or one for all.
#[inline(always)]
fn scaled<T: Float>(
    grad: &Array,
    x: &Array,
    y: &Array,
    cost: usize,
    f: impl Fn(T, T) -> T + Sync + Copy,
) -> Array {
    scaled_by(grad, x, y, cost, &|out: &mut [T], xs: &[T], ys: &[T], grads: &[T]| {
        vectorized_wide::<T, _>(
            #[inline(always)]
            move || {
                let f = f;
                match *grads {
                    [grad] => {
                        for ((o, &x), &y) in out.iter_mut().zip(xs).zip(ys) {
                            *o = grad * f(x, y);
                        }
                    }
                    _ => {
                        for (((o, &x), &y), &grad) in out.iter_mut().zip(xs).zip(ys).zip(grads) {
                            *o = grad * f(x, y);
                        }
                    }
                }
            },
        );
    })
}

/// What stands around the loop, which gets a gradient for each pair or a single one: compiled once for each type.
fn scaled_by<T: Float>(
    grad: &Array,
    x: &Array,
    y: &Array,
    cost: usize,
    kernel: &dyn Kernel3<T, T, T, T>,
) -> Array {
    if x.numel() == 0 {
        return x.clone();
    }
    let one = grad.layout().strides().iter().all(|&step| step == 0);
    let common = [grad.host::<T>()[grad.layout().offset()]];
    let [x, y] = [x, y].map(contiguous);
    let grad = if one { None } else { Some(contiguous(grad)) };
    let (xs, ys, grads) = (slice::<T>(&x), slice::<T>(&y), grad.as_ref().map(slice::<T>));
    Array::build(x.shape(), |out: &mut [T]| {
        for_each_slice(out, CHUNK, cost + 1, &|start, out| {
            let n = out.len();
            let grads = grads.map_or(&common[..], |grads| &grads[start..][..n]);
            kernel.run(out, &xs[start..][..n], &ys[start..][..n], grads);
        });
    })
}

/// Whether all elements lie in `low..=high`; NaN does not.
pub(crate) fn within(x: &Array, low: f64, high: f64) -> bool {
    with_float!(x, all_within(x, low, high))
}

fn all_within<T: Float>(x: &Array, low: f64, high: f64) -> bool {
    let (x, low, high) = (contiguous(x), T::from_f64(low), T::from_f64(high));
    let (data, all) = (slice::<T>(&x), AtomicBool::new(true));
    let look = |chunk: &[T]| {
        let mut inside = true;
        vectorized_wide::<T, _>(
            #[inline(always)]
            || inside = chunk.iter().fold(true, |inside, &v| inside & (v >= low) & (v <= high)),
        );
        if !inside {
            all.store(false, Ordering::Relaxed);
        }
    };
    // A comparison is little work: eight chunks at once.
    let size = 8 * CHUNK;
    match data.len() {
        n if n <= size => look(data),
        n => for_each_chunk(n.div_ceil(size), &|i| look(&data[i * size..n.min((i + 1) * size)])),
    }
    all.into_inner()
}
