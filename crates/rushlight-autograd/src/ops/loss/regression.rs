//! Losses of numbers: how far predictions lie from targets. Shapes broadcast, as in PyTorch.
//!
//! A trap, of which PyTorch warns and nothing does here: predictions `(N, 1)` beside targets `(N)` broadcast to
//! `N x N` differences, and the loss learns the mean of the targets. Bring both to one shape first, with
//! `input.squeeze_dim(-1)` or `target.unsqueeze(-1)`.

use super::pair::pair_loss;
use super::{REDUCTIONS, Reduction, check_device};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::PairLoss;
use rushlight_array::{Shape, fail};

/// The mean of the squared differences.
///
/// Shape: input and target that broadcast -> a scalar.
///
/// A trap: predictions `(N, 1)` beside targets `(N)` broadcast to `N x N` differences, and the loss learns
/// the mean of the targets. PyTorch warns of it; here nothing does. Bring both to one shape first, with
/// `input.squeeze_dim(-1)` or `target.unsqueeze(-1)`:
///
/// ```
/// use rushlight_autograd::{ops::mse_loss, tensor};
/// let (x, y) = (tensor([[1.0], [3.0]]), tensor([1.0, 3.0]));
/// assert_eq!(mse_loss(&x, &y).item(), 2.0); // (0 + 4 + 4 + 0) / 4
/// assert_eq!(mse_loss(&x.squeeze_dim(-1), &y).item(), 0.0);
/// ```
///
/// # Panics
/// If the shapes do not broadcast, the devices differ, or neither is a float.
#[track_caller]
pub fn mse_loss(input: &Tensor, target: &Tensor) -> Tensor {
    mse_loss_with(input, target, Reduction::Mean, None)
}

/// The squared differences, each times its weight, reduced; the mean is divided by the sum of the weights. Shapes
/// broadcast, with the trap that [`mse_loss`] tells of.
///
/// # Panics
/// As [`mse_loss`]; also if the weight has not the input's shape.
#[track_caller]
pub fn mse_loss_with(
    input: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    weight: Option<&Tensor>,
) -> Tensor {
    weighted_mean("mse_loss", PairLoss::Square, input, target, reduction, weight)
}

/// The mean of the absolute differences. The slope at 0 is 0.
///
/// Shape: input and target that broadcast -> a scalar; mind the trap of [`mse_loss`].
///
/// ```
/// use rushlight_autograd::{ops::l1_loss, tensor};
/// assert_eq!(l1_loss(&tensor([1.0, 5.0]), &tensor([2.0, 2.0])).item(), 2.0); // (1 + 3) / 2
/// ```
///
/// # Panics
/// If the shapes do not broadcast, the devices differ, or neither is a float.
#[track_caller]
pub fn l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    l1_loss_with(input, target, Reduction::Mean, None)
}

/// The absolute differences, each times its weight, reduced; the mean is divided by the sum of the weights. Without a
/// mean integers stay integers.
///
/// # Panics
/// As [`l1_loss`]; also if the weight has not the input's shape.
#[track_caller]
pub fn l1_loss_with(
    input: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    weight: Option<&Tensor>,
) -> Tensor {
    if weight.is_none() && !input.dtype().is_float() && !target.dtype().is_float() {
        check_device("l1_loss", "the target", target, input);
        return reduction.tensor(&(input - target).abs());
    }
    weighted_mean("l1_loss", PairLoss::Absolute, input, target, reduction, weight)
}

#[track_caller]
fn weighted_mean(
    op: &str,
    kind: PairLoss,
    input: &Tensor,
    target: &Tensor,
    reduction: Reduction,
    weight: Option<&Tensor>,
) -> Tensor {
    let Some(weight) = weight else { return pair_loss(kind, input, target, reduction) };
    check_weight(op, input, weight);
    let losses = pair_loss(kind, input, target, Reduction::None) * weight;
    match reduction {
        Reduction::Mean => losses.sum() / weight.sum(),
        other => other.tensor(&losses),
    }
}

#[track_caller]
fn check_weight(op: &str, input: &Tensor, weight: &Tensor) {
    if weight.shape() != input.shape() {
        fail!(
            "{op}: weight shape {:?} and input shape {:?} differ; they must be equal",
            weight.shape(),
            input.shape()
        );
    }
    check_device(op, "the weight", weight, input);
}

/// Half of the squared difference below 1, the absolute difference less a half above; averaged.
///
/// Shape: input and target that broadcast -> a scalar; mind the trap of [`mse_loss`].
///
/// ```
/// use rushlight_autograd::{ops::smooth_l1_loss, tensor};
/// let loss = smooth_l1_loss(&tensor([0.5, 3.0]), &tensor([0.0, 0.0]));
/// assert_eq!(loss.item(), 1.3125); // (0.125 + 2.5) / 2
/// ```
///
/// # Panics
/// If the shapes do not broadcast, the devices differ, or neither is a float.
#[track_caller]
pub fn smooth_l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    smooth_l1_loss_with(input, target, Reduction::Mean, 1.0)
}

/// As [`smooth_l1_loss`] with another distance at which the parabola ends: `d^2 / (2 beta)` and `d - beta / 2`. With 0
/// it is [`l1_loss`].
///
/// # Panics
/// As [`smooth_l1_loss`]; also if `beta` is negative or NaN.
#[track_caller]
pub fn smooth_l1_loss_with(input: &Tensor, target: &Tensor, reduction: Reduction, beta: f64) -> Tensor {
    if beta == 0.0 {
        return l1_loss_with(input, target, reduction, None);
    }
    if beta.is_nan() || beta < 0.0 {
        fail!("smooth_l1_loss: beta is {beta}; a distance cannot be negative");
    }
    pair_loss(PairLoss::SmoothL1(beta), input, target, reduction)
}

/// Options of [`huber_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct HuberLossOptions {
    /// What becomes of the single losses.
    pub reduction: Reduction,
    /// The distance at which the parabola becomes a line; above 0.
    pub delta: f64,
    /// A factor for each loss, of the input's shape. The mean is not divided by its sum, unlike that of [`mse_loss`].
    pub weight: Option<Tensor>,
}

impl Default for HuberLossOptions {
    fn default() -> Self {
        HuberLossOptions { reduction: Reduction::Mean, delta: 1.0, weight: None }
    }
}

/// Half of the squared difference below 1, beyond it the line with that slope (P. Huber, "Robust estimation of a
/// location parameter", 1964); averaged.
///
/// Shape: input and target that broadcast -> a scalar of the input's dtype; mind the trap of [`mse_loss`].
///
/// # Panics
/// If the shapes do not broadcast, the devices differ, or the input is no float.
#[track_caller]
pub fn huber_loss(input: &Tensor, target: &Tensor) -> Tensor {
    huber_loss_with(input, target, &HuberLossOptions::default())
}

/// As [`huber_loss`], with options.
///
/// ```
/// use rushlight_autograd::ops::{HuberLossOptions, Reduction, huber_loss_with};
/// use rushlight_autograd::tensor;
/// let options = HuberLossOptions { delta: 2.0, reduction: Reduction::None, ..Default::default() };
/// let losses = huber_loss_with(&tensor([1.0, 5.0]), &tensor([0.0, 0.0]), &options);
/// assert_eq!(losses.to_vec::<f32>(), [0.5, 8.0]); // 1 / 2, and 2 (5 - 1)
/// ```
///
/// # Panics
/// As [`huber_loss`]; also if `delta` is not above 0, or the weight has not the input's shape.
#[track_caller]
pub fn huber_loss_with(input: &Tensor, target: &Tensor, options: &HuberLossOptions) -> Tensor {
    let delta = options.delta;
    if delta.is_nan() || delta <= 0.0 {
        fail!("huber_loss: delta is {delta}; it must be above 0");
    }
    if !input.dtype().is_float() {
        fail!(
            "huber_loss: the input is {}, not a float; cast with .to(DType::F32) first",
            input.dtype().name()
        );
    }
    let (kind, target) = (PairLoss::Huber(delta), target.to(input.dtype()));
    let Some(weight) = &options.weight else { return pair_loss(kind, input, &target, options.reduction) };
    check_weight("huber_loss", input, weight);
    options.reduction.tensor(&(pair_loss(kind, input, &target, Reduction::None) * weight))
}

/// Two leaves that broadcast, a call on tensors whose differences keep clear of 0, 1 and -1, and perhaps weights.
fn differing(
    draw: &mut Draw<'_>,
    call: impl Fn(&Tensor, &Tensor, Option<&Tensor>) -> Tensor + 'static,
) -> Sample {
    let (a, b) = full_broadcast_pair(draw);
    let inputs = vec![draw.leaf(&a, Domain::NonZero), draw.leaf(&b, Domain::Unit)];
    let (lift, swap) = (if draw.coin() { 1.0 } else { 0.0 }, draw.coin());
    let weight = draw.coin().then(|| draw.constant(if swap { &b } else { &a }, Domain::Positive));
    Sample::new(inputs, move |x| {
        // -0.9 to -0.1 and 0.1 to 0.9, or 1 more: on both sides of 1, and near 0 only where a parabola is smooth.
        let (far, near) = (&x[0] * 0.45 + lift, &x[1] * 0.01);
        if swap { call(&near, &far, weight.as_ref()) } else { call(&far, &near, weight.as_ref()) }
    })
}

fn full_broadcast_pair(draw: &mut Draw<'_>) -> (Shape, Shape) {
    loop {
        let (a, b) = draw.broadcast_pair();
        if a.numel() > 0 && b.numel() > 0 {
            return (a, b);
        }
    }
}

pub(super) const MSE_LOSS: OpInfo = OpInfo::op("Pair", "mse_loss", "torch.nn.functional.mse_loss", |draw| {
    let (a, b) = full_broadcast_pair(draw);
    let reduction = REDUCTIONS[draw.below(3)];
    let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
    if draw.coin() {
        let weight = draw.constant(&a, Domain::Positive);
        return Sample::new(inputs, move |x| mse_loss_with(&x[0], &x[1], reduction, Some(&weight)));
    }
    Sample::new(inputs, move |x| mse_loss_with(&x[0], &x[1], reduction, None))
})
.rejects(|| {
    vec![
        Reject::new("mse_loss: shapes [2] and [3] do not broadcast", || {
            mse_loss(&floats([2]), &floats([3]));
        }),
        Reject::new("mse_loss: input and target are int64 and int64; one must be a float", || {
            mse_loss(&integers(), &integers());
        }),
        Reject::new("mse_loss: weight shape [2] and input shape [3] differ; they must be equal", || {
            mse_loss_with(&floats([3]), &floats([3]), Reduction::Sum, Some(&floats([2])));
        }),
    ]
});

pub(super) const L1_LOSS: OpInfo = OpInfo::composed("l1_loss", "torch.nn.functional.l1_loss", |draw| {
    let reduction = REDUCTIONS[draw.below(3)];
    differing(draw, move |x, y, weight| l1_loss_with(x, y, reduction, weight))
})
.rejects(|| {
    vec![Reject::new("l1_loss: shapes [2] and [3] do not broadcast", || {
        l1_loss(&floats([2]), &floats([3]));
    })]
});

pub(super) const SMOOTH_L1_LOSS: OpInfo =
    OpInfo::composed("smooth_l1_loss", "torch.nn.functional.smooth_l1_loss", |draw| {
        let (reduction, beta) = (REDUCTIONS[draw.below(3)], [1.0, 0.0, 5.0][draw.below(3)]);
        differing(draw, move |x, y, _| smooth_l1_loss_with(x, y, reduction, beta))
    })
    .rejects(|| {
        vec![Reject::new("smooth_l1_loss: beta is -1; a distance cannot be negative", || {
            smooth_l1_loss_with(&floats([2]), &floats([2]), Reduction::Mean, -1.0);
        })]
    });

pub(super) const HUBER_LOSS: OpInfo =
    OpInfo::composed("huber_loss", "torch.nn.functional.huber_loss", |draw| {
        let (reduction, delta) = (REDUCTIONS[draw.below(3)], [1.0, 0.05, 5.0][draw.below(3)]);
        differing(draw, move |x, y, weight| {
            huber_loss_with(x, y, &HuberLossOptions { reduction, delta, weight: weight.cloned() })
        })
    })
    .rejects(|| {
        vec![
            Reject::new("huber_loss: delta is 0; it must be above 0", || {
                let options = HuberLossOptions { delta: 0.0, ..Default::default() };
                huber_loss_with(&floats([2]), &floats([2]), &options);
            }),
            Reject::new("huber_loss: the input is int64, not a float", || {
                huber_loss(&integers(), &floats([3]));
            }),
        ]
    });
