//! Activation functions that draw random numbers.

use crate::ops::random::exponential;
use crate::ops::unary::one;
use crate::table::{Domain, OpInfo, Reject, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::random::{Generator, default_generator, with_default_generator};
use rushlight_array::{Array, fail};

/// Options of [`gumbel_softmax_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GumbelSoftmaxOptions {
    /// The temperature: the nearer to 0, the nearer the result to a single 1 among zeros.
    pub tau: f64,
    /// Whether the result is that single 1; the gradient stays that of the soft one.
    pub hard: bool,
    /// Along which dim probabilities add up to 1.
    pub dim: isize,
}

impl Default for GumbelSoftmaxOptions {
    fn default() -> Self {
        GumbelSoftmaxOptions { tau: 1.0, hard: false, dim: -1 }
    }
}

/// A draw from the classes along the last dim, relaxed so that it has a gradient: the softmax of the logits and Gumbel noise
/// (Jang, Gu & Poole, "Categorical reparameterization with Gumbel-softmax", 2017).
///
/// The noise comes from the default generator.
///
/// # Panics
/// If the dtype is not a float.
#[track_caller]
pub fn gumbel_softmax(logits: &Tensor) -> Tensor {
    gumbel_softmax_with(logits, GumbelSoftmaxOptions::default())
}

/// As [`gumbel_softmax`], with options.
///
/// ```
/// use rushlight_autograd::ops::{GumbelSoftmaxOptions, gumbel_softmax_with};
/// use rushlight_autograd::tensor;
/// let drawn = gumbel_softmax_with(&tensor([0.0, 50.0]), GumbelSoftmaxOptions { hard: true, ..Default::default() });
/// assert_eq!(drawn.to_vec::<f32>(), [0.0, 1.0]);
/// ```
///
/// # Panics
/// If the dtype is not a float or the dim is out of range.
#[track_caller]
pub fn gumbel_softmax_with(logits: &Tensor, options: GumbelSoftmaxOptions) -> Tensor {
    let GumbelSoftmaxOptions { tau, hard, dim } = options;
    if !logits.dtype().is_float() {
        let dtype = logits.dtype().name();
        fail!("gumbel_softmax: the dtype is {dtype}, not a float; cast with .to(DType::F32) first");
    }
    let drawn = exponential(logits, 1.0);
    let noise = Tensor::constant(drawn.cast(logits.dtype()).to_device(&logits.device())).log();
    let soft = ((logits - noise) / tau).softmax(dim);
    if !hard {
        return soft;
    }
    let index = soft.detach().argmax_dim(dim, true);
    let single = soft.detach().zeros_like().scatter(dim, &index, 1.0);
    // First the difference, which is no part of the graph: PyTorch's order.
    single - soft.detach() + soft
}

/// x where positive, else x times a slope between `lower` and `upper`: one drawn for each element from the default generator
/// if `training`, else the mean of both (Xu et al., "Empirical evaluation of rectified activations in convolutional
/// network", 2015). PyTorch's defaults are 1/8, 1/3 and no training.
///
/// ```
/// use rushlight_autograd::{ops::rrelu, tensor};
/// assert_eq!(rrelu(&tensor([-4.0, 4.0]), 0.25, 0.75, false).to_vec::<f32>(), [-2.0, 4.0]);
/// ```
///
/// # Panics
/// If `lower` is above `upper`, one of them is not finite, or the dtype is not a float.
#[track_caller]
pub fn rrelu(x: &Tensor, lower: f64, upper: f64, training: bool) -> Tensor {
    if !(lower.is_finite() && upper.is_finite() && lower <= upper) {
        fail!("rrelu: the slopes are from {lower} to {upper}; the lower one must not be above the upper one");
    }
    if !x.dtype().is_float() {
        fail!("rrelu: the dtype is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    if !training {
        return x.leaky_relu_with((lower + upper) / 2.0);
    }
    // As in PyTorch, only those that are not positive draw.
    let values = x.detach();
    let mask = values.le(0.0);
    let mut slopes = vec![0.0; mask.sum().item_as::<i64>() as usize];
    default_generator().uniform_f64(&mut slopes, lower, upper);
    let count = slopes.len();
    let slopes = Array::from_vec(slopes, [count]).cast(x.dtype()).to_device(&x.device());
    x * values.ones_like().masked_scatter(&mask, &Tensor::constant(slopes))
}

/// The same draws in each call, for samples.
fn seeded(call: impl FnOnce() -> Tensor) -> Tensor {
    with_default_generator(|| Generator::new(7), call)
}

pub(in crate::ops) const TABLE: &[OpInfo] = &[
    OpInfo::composed("gumbel_softmax", "torch.nn.functional.gumbel_softmax", |draw| {
        let tau = if draw.coin() { 1.0 } else { 0.7 };
        one(draw, Domain::Any, move |x| {
            let options = GumbelSoftmaxOptions { tau, ..GumbelSoftmaxOptions::default() };
            seeded(|| gumbel_softmax_with(&x[0], options))
        })
    })
    .rejects(|| {
        vec![Reject::new("gumbel_softmax: the dtype is int64, not a float", || {
            gumbel_softmax(&integers());
        })]
    }),
    OpInfo::composed("rrelu", "torch.nn.functional.rrelu", |draw| {
        let training = draw.coin();
        one(draw, Domain::NonZero, move |x| seeded(|| rrelu(&x[0], 0.125, 0.5, training)))
    })
    .rejects(|| {
        vec![Reject::new("rrelu: the slopes are from 0.5 to 0.25", || {
            rrelu(&floats([2]), 0.5, 0.25, true);
        })]
    }),
];
