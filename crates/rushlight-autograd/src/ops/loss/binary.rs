//! Losses of numbers: yes or no, and squared errors.

use super::{Reduction, check_device};
use crate::engine::broadcasts;
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, broadcast_shapes, fail};

/// Options of [`binary_cross_entropy_with`].
#[derive(Clone, Default, Debug)]
pub struct BceOptions {
    /// A factor for each loss; it broadcasts.
    pub weight: Option<Tensor>,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

/// Options of [`binary_cross_entropy_with_logits_with`].
#[derive(Clone, Default, Debug)]
pub struct BceWithLogitsOptions {
    /// A factor for each loss; it broadcasts.
    pub weight: Option<Tensor>,
    /// A factor for the loss of positive samples; it broadcasts.
    pub pos_weight: Option<Tensor>,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

/// A weight that broadcasts, applied to losses or slopes.
fn weighted(x: Tensor, weight: Option<&Array>) -> Tensor {
    match weight {
        Some(weight) => x * Tensor::constant(weight.clone()),
        None => x,
    }
}

/// -(y log a + (1 - y) log (1 - a)), with logarithms cut off at -100 as in PyTorch.
#[derive(Debug)]
struct BinaryCrossEntropy {
    weight: Option<Array>,
    reduction: Reduction,
}

impl Op for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (a, y) = (inputs[0], inputs[1]);
        let log = |x: &Array| x.log().clamp(-100.0, f64::INFINITY);
        let rest = |x: &Array| x.neg().offset(1.0);
        let losses = rest(y).mul(&log(&rest(a))).add(&y.mul(&log(a))).neg();
        let losses = match &self.weight {
            Some(weight) => losses.mul(weight),
            None => losses,
        };
        self.reduction.array(&losses)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (a, y) = (saved.input(0), saved.input(1));
        let grad = weighted(self.reduction.spread(grad, a.numel()), self.weight.as_ref());
        // PyTorch keeps the denominator from vanishing with the same bound.
        give.to(0, || &grad * (&a - &y) / (&a * (1.0 - &a)).clamp(1e-12, f64::INFINITY));
        give.to(1, || &grad * ((1.0 - &a).log() - a.log()));
    }
}

/// Binary cross entropy of logits: (1 - y) x + l log(1 + exp(-x)) with l = 1 + (pos_weight - 1) y.
#[derive(Debug)]
struct BceWithLogits {
    weight: Option<Array>,
    pos_weight: Option<Array>,
    reduction: Reduction,
}

impl BceWithLogits {
    fn factor(&self, y: &Tensor) -> Option<Tensor> {
        self.pos_weight.as_ref().map(|p| y * Tensor::constant(p.offset(-1.0)) + 1.0)
    }
}

/// log(1 + exp(-x)) without overflow, and without losing exp(-x) beside 1.
fn softplus_of_minus(x: &Array) -> Array {
    let small = x.abs().neg().exp();
    // log(1 + e) as log(u) e / (u - 1): the error that rounding made in u cancels (W. Kahan).
    let sum = small.offset(1.0);
    let rest = sum.offset(-1.0);
    let log = rest.eq(&rest.scalar_operand(0.0)).where_(&small, &sum.log().mul(&small).div(&rest));
    x.neg().relu().add(&log)
}

/// The same as a tensor with a slope, also of second order, that is right everywhere: `|x|` and `relu` have
/// none at 0.
fn slope_of_positives(x: &Tensor) -> Tensor {
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
        let tail = softplus_of_minus(x);
        let tail = match self.factor(&Tensor::constant(y.clone())) {
            Some(factor) => tail.mul(&factor.array()),
            None => tail,
        };
        let losses = y.neg().offset(1.0).mul(x).add(&tail);
        let losses = match &self.weight {
            Some(weight) => losses.mul(weight),
            None => losses,
        };
        self.reduction.array(&losses)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let (x, y) = (saved.input(0), saved.input(1));
        let grad = weighted(self.reduction.spread(grad, x.numel()), self.weight.as_ref());
        give.to(0, || {
            let below = (-&x).sigmoid();
            let pull = match self.factor(&y) {
                Some(factor) => below * factor,
                None => below,
            };
            &grad * (1.0 - &y - pull)
        });
        give.to(1, || {
            let slope = match &self.pos_weight {
                Some(p) => slope_of_positives(&x) * Tensor::constant(p.offset(-1.0)) - &x,
                None => -&x,
            };
            &grad * slope
        });
    }
}

/// (x - y)^2.
#[derive(Debug)]
struct MseLoss(Reduction);

impl Op for MseLoss {
    fn name(&self) -> &'static str {
        "mse_loss"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        broadcast_shapes("mse_loss", inputs[0].shape(), inputs[1].shape());
        let [a, b] = [inputs[0].dtype(), inputs[1].dtype()];
        if !a.is_float() && !b.is_float() {
            fail!(
                "mse_loss: input and target are {} and {}; one must be a float, cast with .to(DType::F32)",
                a.name(),
                b.name()
            );
        }
        let error = inputs[0].sub(inputs[1]);
        self.0.array(&error.mul(&error))
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let error = saved.input(0) - saved.input(1);
        let slope = &error * 2.0 * self.0.spread(grad, error.numel());
        give.to(0, || slope.clone());
        give.to(1, || -&slope);
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
/// If shapes or devices differ, either is no float, or a probability lies outside of 0-1 or is NaN.
#[track_caller]
pub fn binary_cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with(input, target, &BceOptions::default())
}

/// As [`binary_cross_entropy`], with options.
///
/// # Panics
/// As [`binary_cross_entropy`]; also if the weight does not broadcast to the input, or requires a gradient
/// while gradients are recorded: as in PyTorch the loss has none for it.
#[track_caller]
pub fn binary_cross_entropy_with(input: &Tensor, target: &Tensor, options: &BceOptions) -> Tensor {
    check_pair("binary_cross_entropy", input, target);
    let a = input.array();
    // What is neither inside nor outside, NaN, is refused too.
    let inside = a.ge(&a.scalar_operand(0.0)).logical_and(&a.le(&a.scalar_operand(1.0)));
    let outside = inside.logical_not();
    if outside.any().item::<bool>() {
        let worst = a.masked_select(&outside).get(0).item::<f64>();
        fail!(
            "binary_cross_entropy: input {worst} is not between 0 and 1; \
             apply sigmoid, or use binary_cross_entropy_with_logits"
        );
    }
    let weight = factors("binary_cross_entropy", "weight", options.weight.as_ref(), input);
    Tensor::apply(BinaryCrossEntropy { weight, reduction: options.reduction }, &[input, target])
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
    check_pair("binary_cross_entropy_with_logits", input, target);
    let name = "binary_cross_entropy_with_logits";
    let op = BceWithLogits {
        weight: factors(name, "weight", options.weight.as_ref(), input),
        pos_weight: factors(name, "pos_weight", options.pos_weight.as_ref(), input),
        reduction: options.reduction,
    };
    Tensor::apply(op, &[input, target])
}

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
    mse_loss_with(input, target, Reduction::Mean)
}

/// The squared differences, reduced; shapes broadcast, with the trap that [`mse_loss`] tells of.
///
/// # Panics
/// As [`mse_loss`].
#[track_caller]
pub fn mse_loss_with(input: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    check_device("mse_loss", "the target", target, input);
    Tensor::apply(MseLoss(reduction), &[input, target])
}

const REDUCTIONS: [Reduction; 3] = [Reduction::Mean, Reduction::Sum, Reduction::None];

pub(crate) const BINARY_CROSS_ENTROPY: OpInfo = OpInfo::op(
    "BinaryCrossEntropy",
    "binary_cross_entropy",
    "torch.nn.functional.binary_cross_entropy",
    |draw| {
        let shape = draw.full_shape(0, 2);
        let inputs = vec![draw.leaf(&shape, Domain::Unit), draw.leaf(&shape, Domain::Unit)];
        let weight = draw.coin().then(|| draw.constant(&shape, Domain::Positive));
        let options = BceOptions { weight, reduction: REDUCTIONS[draw.below(3)] };
        Sample::new(inputs, move |x| binary_cross_entropy_with(&x[0], &x[1], &options))
    },
)
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
            let weight = Some(floats([2]).requires_grad_());
            let options = BceOptions { weight, ..BceOptions::default() };
            binary_cross_entropy_with(&floats([2]), &floats([2]), &options);
        }),
    ]
});

pub(crate) const BCE_WITH_LOGITS: OpInfo = OpInfo::op(
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

pub(crate) const MSE_LOSS: OpInfo =
    OpInfo::op("MseLoss", "mse_loss", "torch.nn.functional.mse_loss", |draw| {
        let (a, b) = loop {
            let (a, b) = draw.broadcast_pair();
            if a.numel() > 0 && b.numel() > 0 {
                break (a, b);
            }
        };
        let reduction = REDUCTIONS[draw.below(3)];
        let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
        Sample::new(inputs, move |x| mse_loss_with(&x[0], &x[1], reduction))
    })
    .rejects(|| {
        vec![Reject::new("mse_loss: shapes [2] and [3] do not broadcast", || {
            mse_loss(&floats([2]), &floats([3]));
        })]
    });
