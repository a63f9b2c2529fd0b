//! Losses of yes or no: binary cross entropy, of probabilities and of logits.

use super::pair::pair_loss;
use super::{REDUCTIONS, Reduction, check_device};
use crate::autocast::is_autocast_enabled;
use crate::engine::broadcasts;
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::backend::PairLoss;
use rushlight_array::{Array, fail};

/// Options of [`binary_cross_entropy_with_logits_with`]; the defaults are PyTorch's.
#[derive(Clone, Default, Debug)]
pub struct BceWithLogitsOptions {
    /// A factor for each loss; it broadcasts.
    pub weight: Option<Tensor>,
    /// What becomes of the single losses.
    pub reduction: Reduction,
    /// A factor for the loss of positive samples; it broadcasts.
    pub pos_weight: Option<Tensor>,
}

/// Binary cross entropy of logits, that of positive samples with a factor p: (1 - y) x + l log(1 + exp(-x)) with
/// l = 1 + (p - 1) y.
#[derive(Debug)]
struct BceWithLogits {
    pos_weight: Array,
}

impl BceWithLogits {
    fn factor(&self, y: &Tensor) -> Tensor {
        y * Tensor::constant(self.pos_weight.offset(-1.0)) + 1.0
    }
}

/// log(1 + exp(-x)) without overflow, and without losing exp(-x) beside 1.
fn softplus_of_minus(x: &Array) -> Array {
    x.neg().relu().add(&x.abs().neg().exp().log1p())
}

/// The same as a tensor with a slope, also of second order, that is right everywhere: `|x|` and `relu` have
/// none at 0.
pub(super) fn slope_of_positives(x: &Tensor) -> Tensor {
    let below = x.lt(0.0);
    let size = where_(&below, &-x, x);
    -size.sigmoid().log() + where_(&below, &-x, &zero(x))
}

impl Op for BceWithLogits {
    fn name(&self) -> &'static str {
        "binary_cross_entropy_with_logits"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (x, y) = (inputs[0], inputs[1]);
        let factor = self.factor(&Tensor::constant(y.clone()));
        y.neg().offset(1.0).mul(x).add(&softplus_of_minus(x).mul(&factor.array()))
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (x, y) = (saved.input(0), saved.input(1));
        give.to(0, || grad * (1.0 - &y - (-&x).sigmoid() * self.factor(&y)));
        give.to(1, || {
            let more = Tensor::constant(self.pos_weight.offset(-1.0));
            grad * (slope_of_positives(&x) * more - &x)
        });
    }
}

#[track_caller]
fn check_pair(op: &str, input: &Tensor, target: &Tensor) {
    if input.shape() != target.shape() {
        fail!(
            "{op}: input shape {:?} and target shape {:?} differ; they must be equal",
            input.shape(),
            target.shape()
        );
    }
    if !input.dtype().is_float() || !target.dtype().is_float() {
        fail!(
            "{op}: input and target are {} and {}; both must be floats, cast with .to(DType::F32)",
            input.dtype().name(),
            target.dtype().name()
        );
    }
    check_device(op, "the target", target, input);
}

/// The factors of an option, which must broadcast to the losses.
#[track_caller]
fn factors(op: &str, name: &str, factors: Option<&Tensor>, input: &Tensor) -> Option<Array> {
    let factors = factors?;
    if !broadcasts(&factors.shape(), &input.shape()) {
        fail!(
            "{op}: {name} shape {:?} does not broadcast to input shape {:?}",
            factors.shape(),
            input.shape()
        );
    }
    if is_grad_enabled() && factors.requires_grad() {
        fail!(
            "{op}: {name} of shape {:?} requires a gradient, but the loss has none for it; detach it",
            factors.shape()
        );
    }
    check_device(op, name, factors, input);
    Some(factors.array())
}

/// The losses with their factors, reduced.
#[track_caller]
fn weigh(losses: Tensor, weight: Option<Array>, reduction: Reduction) -> Tensor {
    match weight {
        Some(weight) => reduction.tensor(&(losses * Tensor::constant(weight))),
        None => reduction.tensor(&losses),
    }
}

/// Binary cross entropy of probabilities with targets between 0 and 1, averaged.
///
/// Shape: input and target of one shape -> a scalar.
///
/// ```
/// use rushlight_autograd::{ops::binary_cross_entropy, tensor};
/// let loss = binary_cross_entropy(&tensor([0.5, 0.5]), &tensor([1.0, 0.0]));
/// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If shapes or devices differ, either is no float, or a probability or target lies outside of 0-1 or is NaN; on a GPU
/// within [`autocast`](crate::autocast()), as in PyTorch.
#[track_caller]
pub fn binary_cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with(input, target, None, Reduction::Mean)
}

/// As [`binary_cross_entropy`], with a factor for each loss, which broadcasts, and a reduction. The mean is not divided
/// by the sum of the factors.
///
/// # Panics
/// As [`binary_cross_entropy`]; also if the weight does not broadcast to the input, or requires a gradient
/// while gradients are recorded: as in PyTorch the loss has none for it.
#[track_caller]
pub fn binary_cross_entropy_with(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Tensor {
    let device = input.device();
    if !device.is_cpu() && is_autocast_enabled(&device) {
        fail!(
            "binary_cross_entropy: unsafe within autocast, where a probability is soon 0 or 1; take \
             binary_cross_entropy_with_logits instead of the sigmoid, or no_autocast"
        );
    }
    check_pair("binary_cross_entropy", input, target);
    check_probability("input", input, "; apply sigmoid, or use binary_cross_entropy_with_logits");
    check_probability("target", target, "");
    let weight = factors("binary_cross_entropy", "weight", weight, input);
    if weight.is_none() {
        return pair_loss(PairLoss::Probability, input, target, reduction);
    }
    weigh(pair_loss(PairLoss::Probability, input, target, Reduction::None), weight, reduction)
}

/// What is neither inside nor outside of 0-1, NaN, is refused too.
#[track_caller]
fn check_probability(name: &str, x: &Tensor, advice: &str) {
    let a = x.value();
    if a.within(0.0, 1.0) {
        return;
    }
    let inside = a.ge(&a.scalar_operand(0.0)).logical_and(&a.le(&a.scalar_operand(1.0)));
    let worst = a.masked_select(&inside.logical_not()).get(0).item::<f64>();
    fail!("binary_cross_entropy: {name} {worst} is not between 0 and 1{advice}");
}

/// Binary cross entropy of logits (before the sigmoid) with targets between 0 and 1, averaged; without the
/// overflow of a separate sigmoid.
///
/// Shape: input and target of one shape -> a scalar.
///
/// # Panics
/// If shapes or devices differ or either is no float.
#[track_caller]
pub fn binary_cross_entropy_with_logits(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with_logits_with(input, target, &BceWithLogitsOptions::default())
}

/// As [`binary_cross_entropy_with_logits`], with options.
///
/// # Panics
/// As [`binary_cross_entropy_with_logits`]; also if a weight does not broadcast to the input, or requires a
/// gradient while gradients are recorded.
#[track_caller]
pub fn binary_cross_entropy_with_logits_with(
    input: &Tensor,
    target: &Tensor,
    options: &BceWithLogitsOptions,
) -> Tensor {
    let name = "binary_cross_entropy_with_logits";
    check_pair(name, input, target);
    let weight = factors(name, "weight", options.weight.as_ref(), input);
    match factors(name, "pos_weight", options.pos_weight.as_ref(), input) {
        Some(pos_weight) => {
            let losses = Tensor::apply(BceWithLogits { pos_weight }, &[input, target]);
            weigh(losses, weight, options.reduction)
        }
        None if weight.is_none() => pair_loss(PairLoss::Logit, input, target, options.reduction),
        None => weigh(pair_loss(PairLoss::Logit, input, target, Reduction::None), weight, options.reduction),
    }
}

pub(super) const BINARY_CROSS_ENTROPY: OpInfo =
    OpInfo::composed("binary_cross_entropy", "torch.nn.functional.binary_cross_entropy", |draw| {
        let shape = draw.full_shape(0, 2);
        let inputs = vec![draw.leaf(&shape, Domain::Unit), draw.leaf(&shape, Domain::Unit)];
        let weight = draw.coin().then(|| draw.constant(&shape, Domain::Positive));
        let reduction = REDUCTIONS[draw.below(3)];
        Sample::new(inputs, move |x| binary_cross_entropy_with(&x[0], &x[1], weight.as_ref(), reduction))
    })
    .rejects(|| {
        vec![
            Reject::new("binary_cross_entropy: input shape [2] and target shape [3] differ", || {
                binary_cross_entropy(&floats([2]), &floats([3]));
            }),
            Reject::new("binary_cross_entropy: input 2 is not between 0 and 1; apply sigmoid", || {
                binary_cross_entropy(&(floats([2]) + 2.0), &floats([2]));
            }),
            Reject::new("binary_cross_entropy: input NaN is not between 0 and 1; apply sigmoid", || {
                binary_cross_entropy(&(floats([2]) * f64::NAN), &floats([2]));
            }),
            Reject::new("binary_cross_entropy: weight of shape [2] requires a gradient", || {
                let weight = floats([2]).requires_grad_();
                binary_cross_entropy_with(&floats([2]), &floats([2]), Some(&weight), Reduction::Mean);
            }),
            Reject::new("binary_cross_entropy: target 2 is not between 0 and 1", || {
                binary_cross_entropy(&floats([2]), &(floats([2]) + 2.0));
            }),
        ]
    });

pub(super) const BCE_WITH_LOGITS: OpInfo = OpInfo::op(
    "BceWithLogits",
    "binary_cross_entropy_with_logits",
    "torch.nn.functional.binary_cross_entropy_with_logits",
    |draw| {
        let shape = draw.full_shape(0, 2);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, Domain::Unit)];
        let weight = draw.coin().then(|| draw.constant(&shape, Domain::Positive));
        let pos_weight = draw.coin().then(|| draw.constant(&shape, Domain::Positive));
        let options = BceWithLogitsOptions { weight, pos_weight, reduction: REDUCTIONS[draw.below(3)] };
        Sample::new(inputs, move |x| binary_cross_entropy_with_logits_with(&x[0], &x[1], &options))
    },
)
.rejects(|| {
    vec![
        Reject::new(
            "binary_cross_entropy_with_logits: input shape [2, 1] and target shape [2] differ",
            || {
                binary_cross_entropy_with_logits(&floats([2, 1]), &floats([2]));
            },
        ),
        Reject::new(
            "binary_cross_entropy_with_logits: pos_weight of shape [1] requires a gradient, \
                 but the loss has none for it; detach it",
            || {
                let pos_weight = Some(floats([1]).requires_grad_());
                let options = BceWithLogitsOptions { pos_weight, ..BceWithLogitsOptions::default() };
                binary_cross_entropy_with_logits_with(&floats([2]), &floats([2]), &options);
            },
        ),
    ]
});
