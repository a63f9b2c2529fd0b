//! Activation functions and their gradients, one pass each.

use super::float::Float;
use super::unary::{by_element, by_pair};
use crate::array::Array;
use crate::backend::Activation;

/// x moved into low..=high; NaN stays NaN.
#[inline(always)]
fn between<T: Float>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// 3 and 6, the two numbers of `hardsigmoid` and `hardswish`.
#[inline(always)]
fn three_and_six<T: Float>() -> (T, T) {
    (T::from_f64(3.0), T::from_f64(6.0))
}

/// tanh(ln(1 + e^x)) = n / (n + 2) for n = e^x (e^x + 2), which rounds to 1 from 20 on.
#[inline(always)]
fn tanh_of_softplus<T: Float>(x: T) -> T {
    let (two, most) = (T::ONE + T::ONE, T::from_f64(20.0));
    let e = (if x > most { most } else { x }).exp();
    let n = e * (e + two);
    n / (n + two)
}

pub(super) fn apply<T: Float>(kind: Activation, x: &Array) -> Array {
    let zero = T::ZERO;
    match kind {
        Activation::LeakyRelu(slope) => {
            let slope = T::from_f64(slope);
            by_element!(x, 1, |v: T| if v > zero { v } else { slope * v })
        }
        Activation::Silu => by_element!(x, 7, |v: T| v * v.sigmoid()),
        Activation::Mish => by_element!(x, 7, |v: T| v * tanh_of_softplus(v)),
        Activation::Softplus { beta, threshold } => {
            let [beta, threshold] = [beta, threshold].map(T::from_f64);
            by_element!(x, 10, |v: T| if v * beta > threshold { v } else { (v * beta).exp().ln_1p() / beta })
        }
        Activation::Elu { alpha, scale, rate } => {
            let [below, scale, rate] = [alpha * scale, scale, rate].map(T::from_f64);
            by_element!(x, 7, |v: T| if v > zero { v * scale } else { (v * rate).exp_m1() * below })
        }
        Activation::LogSigmoid => by_element!(x, 10, |v: T| {
            let below = if v < zero { v } else { zero };
            below - (-v.abs()).exp().ln_1p()
        }),
        Activation::Hardsigmoid => {
            let (three, six) = three_and_six::<T>();
            by_element!(x, 2, |v: T| between(v + three, zero, six) / six)
        }
        Activation::Hardswish => {
            let (three, six) = three_and_six::<T>();
            by_element!(x, 2, |v: T| v * between(v + three, zero, six) / six)
        }
        Activation::Hardtanh { low, high } => {
            let [low, high] = [low, high].map(T::from_f64);
            by_element!(x, 1, |v: T| between(v, low, high))
        }
        Activation::Threshold { threshold, value } => {
            let [threshold, value] = [threshold, value].map(T::from_f64);
            by_element!(x, 1, |v: T| if v <= threshold { value } else { v })
        }
        Activation::Hardshrink(bound) => {
            let bound = T::from_f64(bound);
            by_element!(x, 1, |v: T| if v >= -bound && v <= bound { zero } else { v })
        }
        Activation::Softshrink(bound) => {
            let bound = T::from_f64(bound);
            // The product with 0 keeps NaN.
            by_element!(x, 1, |v: T| if v > bound {
                v - bound
            } else if v < -bound {
                v + bound
            } else {
                v * zero
            })
        }
    }
}

/// The integers among them.
pub(super) fn apply_i64(kind: Activation, x: &Array) -> Array {
    match kind {
        Activation::Hardtanh { low, high } => {
            let (low, high) = (low as i64, high as i64);
            by_element!(x, 1, |v: i64| v.max(low).min(high))
        }
        Activation::Threshold { threshold, value } => {
            let (threshold, value) = (threshold as i64, value as i64);
            by_element!(x, 1, |v: i64| if v <= threshold { value } else { v })
        }
        kind => panic!("{kind:?} is not defined on i64; arrays say so before they ask for it"),
    }
}

/// The gradient of an activation from that of its result, and its input. Where the slope is 0 it is 0, whatever comes
/// in; what comes in beside NaN passes where PyTorch lets it pass.
pub(super) fn grad<T: Float>(kind: Activation, grad: &Array, x: &Array) -> Array {
    let [zero, one] = [T::ZERO, T::ONE];
    match kind {
        Activation::LeakyRelu(slope) => {
            let slope = T::from_f64(slope);
            by_pair!(grad, x, 1, |g, v: T| if v > zero { g } else { g * slope })
        }
        Activation::Silu => by_pair!(grad, x, 8, |g, v: T| {
            let s = v.sigmoid();
            g * (s * (one + v * (one - s)))
        }),
        Activation::Mish => by_pair!(grad, x, 14, |g, v: T| {
            let t = tanh_of_softplus(v);
            g * (t + v * v.sigmoid() * (one - t * t))
        }),
        Activation::Softplus { beta, threshold } => {
            let [beta, threshold] = [beta, threshold].map(T::from_f64);
            by_pair!(grad, x, 7, |g, v: T| if v * beta > threshold { g } else { g * (v * beta).sigmoid() })
        }
        Activation::Elu { alpha, scale, rate } => {
            let [below, scale, rate] = [alpha * scale * rate, scale, rate].map(T::from_f64);
            by_pair!(grad, x, 5, |g, v: T| if v <= zero { g * ((v * rate).exp() * below) } else { g * scale })
        }
        Activation::LogSigmoid => by_pair!(grad, x, 7, |g, v: T| g * (-v).sigmoid()),
        Activation::Hardsigmoid => {
            let (three, six) = three_and_six::<T>();
            by_pair!(grad, x, 2, |g, v: T| if v > -three && v < three { g / six } else { zero })
        }
        Activation::Hardswish => {
            let (three, _) = three_and_six::<T>();
            let half = T::from_f64(0.5);
            by_pair!(grad, x, 2, |g, v: T| if v <= -three {
                zero
            } else if v < three {
                g * (v / three + half)
            } else {
                g
            })
        }
        Activation::Hardtanh { low, high } => {
            let [low, high] = [low, high].map(T::from_f64);
            by_pair!(grad, x, 1, |g, v: T| if v <= low || v >= high { zero } else { g })
        }
        Activation::Threshold { threshold, .. } => {
            let threshold = T::from_f64(threshold);
            by_pair!(grad, x, 1, |g, v: T| if v <= threshold { zero } else { g })
        }
        Activation::Hardshrink(bound) | Activation::Softshrink(bound) => {
            let bound = T::from_f64(bound);
            by_pair!(grad, x, 1, |g, v: T| if v >= -bound && v <= bound { zero } else { g })
        }
    }
}
