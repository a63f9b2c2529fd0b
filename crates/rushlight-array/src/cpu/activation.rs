//! Activation functions and their gradients, one pass each.

use super::binary::{BinaryKernel, zip_elements as zip};
use super::contiguous;
use super::elementwise::map_elements as map;
use super::float::Float;
use super::table::table;
use super::unary::UnaryKernel;
use crate::array::Array;
use crate::backend::{Activation, Binary, Unary};

/// x moved into low..=high; NaN stays NaN.
#[inline(always)]
pub(super) fn between<T: Float>(x: T, low: T, high: T) -> T {
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

/// As [`map!`], after a copy without gaps where the array has some.
macro_rules! dense {
    ($x:expr, $cost:expr, $($rest:tt)+) => {
        map!(&contiguous($x), $cost, $($rest)+)
    };
}

table! {
    Unary, UnaryKernel; Activation, [Unary::Activation]; (x: &Array)

    leaky_relu(slope: f64) = [Activation::LeakyRelu(slope)] {
        float => {
            let slope = T::from_f64(slope);
            dense!(x, 1, Rare |v: T| if v > T::ZERO { v } else { slope * v })
        },
    }
    silu() = [Activation::Silu] { float => dense!(x, 7, Wide |v: T| v * v.sigmoid()) }
    mish() = [Activation::Mish] { float => dense!(x, 7, Rare |v: T| v * tanh_of_softplus(v)) }
    softplus(beta: f64, threshold: f64) = [Activation::Softplus { beta, threshold }] {
        float => {
            let [beta, threshold] = [beta, threshold].map(T::from_f64);
            dense!(x, 10, Rare |v: T| if v * beta > threshold { v } else { (v * beta).exp().ln_1p() / beta })
        },
    }
    elu(alpha: f64, scale: f64, rate: f64) = [Activation::Elu { alpha, scale, rate }] {
        float => {
            let [below, scale, rate] = [alpha * scale, scale, rate].map(T::from_f64);
            dense!(x, 7, Rare |v: T| if v > T::ZERO { v * scale } else { (v * rate).exp_m1() * below })
        },
    }
    log_sigmoid() = [Activation::LogSigmoid] {
        float => dense!(x, 10, Rare |v: T| {
            let below = if v < T::ZERO { v } else { T::ZERO };
            below - (-v.abs()).exp().ln_1p()
        }),
    }
    hardsigmoid() = [Activation::Hardsigmoid] {
        float => {
            let (three, six) = three_and_six::<T>();
            dense!(x, 2, Rare |v: T| between(v + three, T::ZERO, six) / six)
        },
    }
    hardswish() = [Activation::Hardswish] {
        float => {
            let (three, six) = three_and_six::<T>();
            dense!(x, 2, Rare |v: T| v * between(v + three, T::ZERO, six) / six)
        },
    }
    hardtanh(low: f64, high: f64) = [Activation::Hardtanh { low, high }] {
        float => {
            let [low, high] = [low, high].map(T::from_f64);
            dense!(x, 1, Rare |v: T| between(v, low, high))
        },
        i64 => {
            let (low, high) = (low as i64, high as i64);
            dense!(x, 1, |v: i64| v.max(low).min(high))
        },
    }
    threshold(limit: f64, value: f64) = [Activation::Threshold { threshold: limit, value }] {
        float => {
            let [limit, value] = [limit, value].map(T::from_f64);
            dense!(x, 1, Rare |v: T| if v <= limit { value } else { v })
        },
        i64 => {
            let (limit, value) = (limit as i64, value as i64);
            dense!(x, 1, |v: i64| if v <= limit { value } else { v })
        },
    }
    hardshrink(bound: f64) = [Activation::Hardshrink(bound)] {
        float => {
            let bound = T::from_f64(bound);
            dense!(x, 1, Rare |v: T| if v >= -bound && v <= bound { T::ZERO } else { v })
        },
    }
    softshrink(bound: f64) = [Activation::Softshrink(bound)] {
        float => {
            let bound = T::from_f64(bound);
            // The product with 0 keeps NaN.
            dense!(x, 1, Rare |v: T| if v > bound {
                v - bound
            } else if v < -bound {
                v + bound
            } else {
                v * T::ZERO
            })
        },
    }
}

/// The gradients of activations from those of their results, and their inputs. Where the slope is 0 they are 0, whatever
/// comes in; what comes in beside NaN passes where PyTorch lets it pass.
pub(crate) mod gradients {
    use super::*;

    /// As [`zip!`], after copies without gaps where the arrays have some.
    macro_rules! dense {
        ($a:expr, $b:expr, $cost:expr, $($rest:tt)+) => {
            zip!(&contiguous($a), &contiguous($b), $cost, $($rest)+)
        };
    }

    table! {
        Binary, BinaryKernel; Activation, [Binary::ActivationGrad]; (grad: &Array, x: &Array)

        leaky_relu(slope: f64) = [Activation::LeakyRelu(slope)] {
            float => {
                let slope = T::from_f64(slope);
                dense!(grad, x, 1, Rare |g, v: T| if v > T::ZERO { g } else { g * slope })
            },
        }
        silu() = [Activation::Silu] {
            float => dense!(grad, x, 8, Wide |g, v: T| {
                let s = v.sigmoid();
                g * (s * (T::ONE + v * (T::ONE - s)))
            }),
        }
        mish() = [Activation::Mish] {
            float => dense!(grad, x, 14, Rare |g, v: T| {
                let t = tanh_of_softplus(v);
                g * (t + v * v.sigmoid() * (T::ONE - t * t))
            }),
        }
        softplus(beta: f64, threshold: f64) = [Activation::Softplus { beta, threshold }] {
            float => {
                let [beta, threshold] = [beta, threshold].map(T::from_f64);
                dense!(grad, x, 7, Rare |g, v: T| if v * beta > threshold { g } else { g * (v * beta).sigmoid() })
            },
        }
        elu(alpha: f64, scale: f64, rate: f64) = [Activation::Elu { alpha, scale, rate }] {
            float => {
                let [below, scale, rate] = [alpha * scale * rate, scale, rate].map(T::from_f64);
                dense!(grad, x, 5, Rare |g, v: T| if v <= T::ZERO { g * ((v * rate).exp() * below) } else { g * scale })
            },
        }
        log_sigmoid() = [Activation::LogSigmoid] { float => dense!(grad, x, 7, Rare |g, v: T| g * (-v).sigmoid()) }
        hardsigmoid() = [Activation::Hardsigmoid] {
            float => {
                let (three, six) = three_and_six::<T>();
                dense!(grad, x, 2, Rare |g, v: T| if v > -three && v < three { g / six } else { T::ZERO })
            },
        }
        hardswish() = [Activation::Hardswish] {
            float => {
                let (three, _) = three_and_six::<T>();
                let half = T::from_f64(0.5);
                dense!(grad, x, 2, Rare |g, v: T| if v <= -three {
                    T::ZERO
                } else if v < three {
                    g * (v / three + half)
                } else {
                    g
                })
            },
        }
        hardtanh(low: f64, high: f64) = [Activation::Hardtanh { low, high }] {
            float => {
                let [low, high] = [low, high].map(T::from_f64);
                dense!(grad, x, 1, Rare |g, v: T| if v <= low || v >= high { T::ZERO } else { g })
            },
        }
        threshold(limit: f64, value: f64) = [Activation::Threshold { threshold: limit, value }] {
            float => {
                let _ = value;
                let limit = T::from_f64(limit);
                dense!(grad, x, 1, Rare |g, v: T| if v <= limit { T::ZERO } else { g })
            },
        }
        hardshrink(bound: f64) = [Activation::Hardshrink(bound)] { float => outside::<T>(grad, x, bound) }
        softshrink(bound: f64) = [Activation::Softshrink(bound)] { float => outside::<T>(grad, x, bound) }
    }

    /// The gradient outside of a bound.
    fn outside<T: Float>(grad: &Array, x: &Array, bound: f64) -> Array {
        let bound = T::from_f64(bound);
        dense!(grad, x, 1, Rare |g, v: T| if v >= -bound && v <= bound { T::ZERO } else { g })
    }
}
