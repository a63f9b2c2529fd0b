//! Normalisation of groups of channels, and of channels by their neighbours.

use super::rows;
use crate::autocast::Choice;
use crate::ops::window::avg_pool_over;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::backend::Norm;
use rushlight_array::fail;
use rushlight_array::window::{Span, Spans};

/// Groups of neighbouring channels of each sample with mean 0 and variance 1, times a weight and plus a bias for each
/// channel: PyTorch's `functional.group_norm` (Wu & He, "Group normalization", 2018).
///
/// Shape: `(N, C, *)`, weight and bias `(C)` -> as the input.
///
/// ```
/// use rushlight_autograd::{ops::group_norm, tensor};
/// let y = group_norm(&tensor([[1.0, 5.0, 2.0, 8.0]]), 2, None, None);
/// assert!(y.allclose(&tensor([[-1.0, 1.0, -1.0, 1.0]]), 1e-5, 0.0));
/// ```
///
/// # Panics
/// If the channels cannot be cut into so many groups, a group has a single element, or a shape, dtype or device does
/// not fit.
#[track_caller]
pub fn group_norm(x: &Tensor, num_groups: usize, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
    group_norm_with(x, num_groups, weight, bias, 1e-5)
}

/// As [`group_norm`], with the number that is added to the variance.
///
/// # Panics
/// As [`group_norm`].
#[track_caller]
pub fn group_norm_with(
    x: &Tensor,
    num_groups: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Tensor {
    let operands: Vec<&Tensor> = [Some(x), weight, bias].into_iter().flatten().collect();
    let choice = Choice::of("group_norm", &operands);
    let (x, weight, bias) = (&choice.cast(x), weight.map(|x| choice.cast(x)), bias.map(|x| choice.cast(x)));
    let shape = x.shape();
    if shape.len() < 2 || shape[2..].contains(&0) {
        fail!(
            "group_norm: the input has shape {shape:?}; it must be [N, C] and any more sizes, which are not 0"
        );
    }
    let channels = shape[1];
    if num_groups == 0 || !channels.is_multiple_of(num_groups) {
        fail!(
            "group_norm: the {channels} channels of shape {shape:?} cannot be cut into {num_groups} groups"
        );
    }
    let size = shape[2..].iter().product::<usize>() * (channels / num_groups);
    if shape[0] * size == 1 {
        fail!(
            "group_norm: input shape {shape:?} has one value for each of {num_groups} groups; it needs more than 1"
        );
    }
    for (what, other) in [("weight", &weight), ("bias", &bias)] {
        let Some(other) = other else { continue };
        if other.shape() != [channels] {
            fail!(
                "group_norm: {what} shape {:?} does not fit input {shape:?}; it must be [{channels}]",
                other.shape()
            );
        }
        if other.dtype() != x.dtype() && other.dtype() != x.dtype().compute() {
            fail!(
                "group_norm: the input is {}, the {what} {}; cast one with .to(..)",
                x.dtype().name(),
                other.dtype().name()
            );
        }
    }
    if !x.dtype().is_float() {
        fail!("group_norm: the input is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    let count = shape[0] * num_groups;
    // Narrow inputs beside wide weights are rounded once, at the end.
    let mixed = [&weight, &bias].into_iter().flatten().any(|other| other.dtype() != x.dtype());
    let wide = if mixed { x.to(x.dtype().compute()) } else { x.clone() };
    let mut y =
        rows::apply(Norm::Layer, &wide.reshape([count, size]), &[size], None, None, eps).reshape(&shape);
    let mut of_channel = vec![1; shape.len() - 1];
    of_channel[0] = channels;
    if let Some(weight) = weight {
        y *= weight.to(y.dtype()).reshape(of_channel.as_slice());
    }
    if let Some(bias) = bias {
        y += bias.to(y.dtype()).reshape(of_channel.as_slice());
    }
    y.to(x.dtype())
}

/// Options of [`local_response_norm_with`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LocalResponseNormOptions {
    /// Factor of the mean square.
    pub alpha: f64,
    /// Exponent of the divisor.
    pub beta: f64,
    /// Added to the mean square.
    pub k: f64,
}

impl Default for LocalResponseNormOptions {
    fn default() -> Self {
        LocalResponseNormOptions { alpha: 1e-4, beta: 0.75, k: 1.0 }
    }
}

/// Elements divided by a power of the mean square of `size` neighbouring channels: PyTorch's
/// `functional.local_response_norm` (Krizhevsky, Sutskever & Hinton, "ImageNet classification", 2012).
///
/// `x / (k + alpha mean)^beta`; where there are fewer neighbours the missing ones are zero.
///
/// Shape: `(N, C, *)` with at least one more size -> the same.
///
/// # Panics
/// If the shape does not fit or the size is 0.
#[track_caller]
pub fn local_response_norm(x: &Tensor, size: usize) -> Tensor {
    local_response_norm_with(x, size, LocalResponseNormOptions::default())
}

/// As [`local_response_norm`], with options.
///
/// # Panics
/// As [`local_response_norm`].
#[track_caller]
pub fn local_response_norm_with(x: &Tensor, size: usize, options: LocalResponseNormOptions) -> Tensor {
    let shape = x.shape();
    if shape.len() < 3 {
        fail!(
            "local_response_norm: the input has shape {shape:?}; it must be [N, C] and at least one more size"
        );
    }
    if size == 0 {
        fail!("local_response_norm: the size is 0; it must be at least 1");
    }
    if x.numel() == 0 {
        return x.clone();
    }
    let (channels, len) = (shape[1], shape[2..].iter().product());
    let span = |i: usize| {
        let (start, end) = (i.saturating_sub(size / 2), i.saturating_add((size - 1) / 2 + 1).min(channels));
        Span { start, end, count: size }
    };
    let whole = |i: usize| Span { start: i, end: i + 1, count: 1 };
    let spans = Spans {
        input: [1, channels, len],
        axes: [vec![whole(0)], (0..channels).map(span).collect(), (0..len).map(whole).collect()],
        step: [1; 3],
        divisor: None,
    };
    let squares = avg_pool_over(&(x * x), spans, shape[0], shape, "AvgPool3DBackward0");
    x / (squares * options.alpha + options.k).pow(options.beta)
}

pub(super) const GROUP_NORM: OpInfo =
    OpInfo::composed("group_norm", "torch.nn.functional.group_norm", |draw| {
        let (groups, channels) = (1 + draw.below(2), 1 + draw.below(2));
        let shape = [draw.full_size(), groups * channels, 1 + draw.full_size()];
        let mut inputs = vec![draw.leaf(&shape, Domain::Distinct)];
        let has = [draw.coin(), draw.coin()];
        for _ in 0..has.iter().filter(|&&has| has).count() {
            inputs.push(draw.leaf(&[shape[1]], Domain::Any));
        }
        Sample::new(inputs, move |x| {
            let weight = if has[0] { x.get(1) } else { None };
            let bias = if has[1] { x.last() } else { None };
            group_norm_with(&x[0], groups, weight, bias, 0.1)
        })
    })
    .rejects(|| {
        vec![
            Reject::new("group_norm: the 4 channels of shape [2, 4, 3] cannot be cut into 3 groups", || {
                group_norm(&floats([2, 4, 3]), 3, None, None);
            }),
            Reject::new("group_norm: input shape [1, 2] has one value for each of 2 groups", || {
                group_norm(&floats([1, 2]), 2, None, None);
            }),
            Reject::new("group_norm: the input has shape [1, 2, 0]", || {
                group_norm(&floats([1, 2, 0]), 1, None, None);
            }),
        ]
    });

pub(super) const LOCAL_RESPONSE_NORM: OpInfo =
    OpInfo::composed("local_response_norm", "torch.nn.functional.local_response_norm", |draw| {
        let shape = [draw.size(), 1 + draw.below(3), draw.full_size(), 2];
        let shape = if draw.coin() { &shape[..] } else { &shape[..3] };
        let (x, size) = (draw.leaf(shape, Domain::Any), 1 + draw.below(5));
        let options = LocalResponseNormOptions { alpha: 0.5, beta: 0.75, k: 1.25 };
        Sample::new(vec![x], move |x| local_response_norm_with(&x[0], size, options))
    })
    .rejects(|| {
        vec![
            Reject::new("local_response_norm: the input has shape [2, 3]", || {
                local_response_norm(&floats([2, 3]), 2);
            }),
            Reject::new("local_response_norm: the size is 0; it must be at least 1", || {
                local_response_norm(&floats([2, 3, 2]), 0);
            }),
        ]
    });
