//! Losses of vectors: which are to be near each other, and which far apart.

use super::{REDUCTIONS, Reduction, above_zero, check_device, check_together};
use crate::autocast::Choice;
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, fail};

/// 1 - cos for pairs of vectors with the target 1, max(0, cos) for those with -1, averaged; cos is the cosine of the
/// angle between the two.
///
/// Shape: two of `(N, D)` and a target `(N)`, or two of `(D)` and a target `()` -> a scalar.
///
/// ```
/// use rushlight_autograd::{ops::cosine_embedding_loss, tensor};
/// let (a, b) = (tensor([[1.0, 0.0], [1.0, 0.0]]), tensor([[0.0, 1.0], [3.0, 0.0]]));
/// assert_eq!(cosine_embedding_loss(&a, &b, &tensor([1, -1])).item(), 1.0); // (1 - 0 + 1) / 2
/// ```
///
/// # Panics
/// If the shapes do not fit or the devices differ.
#[track_caller]
pub fn cosine_embedding_loss(input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
    cosine_embedding_loss_with(input1, input2, target, 0.0, Reduction::Mean)
}

/// As [`cosine_embedding_loss`] with max(0, cos - margin) for the target -1, and a reduction.
///
/// # Panics
/// As [`cosine_embedding_loss`].
#[track_caller]
pub fn cosine_embedding_loss_with(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Tensor {
    let rank = target.dim();
    if rank > 1 || input1.dim() != rank + 1 || input2.dim() != rank + 1 {
        fail!(
            "cosine_embedding_loss: inputs of shape {:?} and {:?} with targets of shape {:?}; \
             they must be [N, D], [N, D] and [N], or [D], [D] and []",
            input1.shape(),
            input2.shape(),
            target.shape()
        );
    }
    check_device("cosine_embedding_loss", "the target", target, input1);
    check_together("cosine_embedding_loss", input1, input2);
    let choice = Choice::of("cosine_embedding_loss", &[input1, input2]);
    let (input1, input2) = (&choice.cast(input1), &choice.cast(input2));
    let sum = |a: &Tensor, b: &Tensor| (a * b).sum_dim(rank as isize, false);
    // PyTorch's constant, which keeps the root from 0.
    let square = |x: &Tensor| sum(x, x) + 1e-12;
    let cosine = sum(input1, input2) / (square(input1) * square(input2)).sqrt();
    let none = zero(&cosine);
    let near = where_(&target.eq(1), &(1.0 - &cosine), &none);
    let far = where_(&target.eq(-1), &above_zero(&(cosine - margin)), &none);
    reduction.tensor(&(near + far))
}

/// Options of [`triplet_margin_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TripletMarginLossOptions {
    /// By how much the negative is to be farther away than the positive; above 0.
    pub margin: f64,
    /// The degree of the norm; it may be infinite.
    pub p: f64,
    /// Added to each difference.
    pub eps: f64,
    /// Whether the distance of the negative is that from the anchor or the positive, whichever is less.
    pub swap: bool,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

impl Default for TripletMarginLossOptions {
    fn default() -> Self {
        TripletMarginLossOptions { margin: 1.0, p: 2.0, eps: 1e-6, swap: false, reduction: Reduction::Mean }
    }
}

/// max(0, d(anchor, positive) - d(anchor, negative) + 1), averaged, where d is the euclidean distance (Balntas et al.,
/// "Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016).
///
/// Shape: three of `(N, D)` or `(D)` -> a scalar.
///
/// # Panics
/// If the shapes do not fit, or the devices differ.
#[track_caller]
pub fn triplet_margin_loss(anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
    triplet_margin_loss_with(anchor, positive, negative, &TripletMarginLossOptions::default())
}

/// As [`triplet_margin_loss`], with options.
///
/// ```
/// use rushlight_autograd::ops::{TripletMarginLossOptions, triplet_margin_loss_with};
/// use rushlight_autograd::tensor;
/// let (a, p, n) = (tensor([[0.0, 0.0]]), tensor([[3.0, 4.0]]), tensor([[1.0, 1.0]]));
/// let options = TripletMarginLossOptions { p: 1.0, eps: 0.0, ..Default::default() };
/// assert_eq!(triplet_margin_loss_with(&a, &p, &n, &options).item(), 6.0); // 7 - 2 + 1
/// ```
///
/// # Panics
/// As [`triplet_margin_loss`]; also if the margin is not above 0.
#[track_caller]
pub fn triplet_margin_loss_with(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: &TripletMarginLossOptions,
) -> Tensor {
    let TripletMarginLossOptions { margin, p, eps, swap, reduction } = *options;
    check_triplet("triplet_margin_loss", margin, [anchor, positive, negative]);
    let choice = Choice::of("triplet_margin_loss", &[anchor, positive, negative]);
    let (anchor, positive, negative) = (&choice.cast(anchor), &choice.cast(positive), &choice.cast(negative));
    let near = distance(anchor, positive, p, eps);
    let mut far = distance(anchor, negative, p, eps);
    if swap {
        far = far.minimum(&distance(positive, negative, p, eps));
    }
    reduction.tensor(&above_zero(&(near - far + margin)))
}

/// Options of [`triplet_margin_with_distance_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TripletMarginWithDistanceLossOptions {
    /// By how much the negative is to be farther away than the positive; above 0.
    pub margin: f64,
    /// Whether the distance of the negative is that from the anchor or the positive, whichever is less.
    pub swap: bool,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

impl Default for TripletMarginWithDistanceLossOptions {
    fn default() -> Self {
        TripletMarginWithDistanceLossOptions { margin: 1.0, swap: false, reduction: Reduction::Mean }
    }
}

/// [`triplet_margin_loss`] with a distance of your choice: max(0, d(anchor, positive) - d(anchor, negative) + 1), averaged.
/// PyTorch's default for it is [`pairwise_distance`](crate::ops::pairwise_distance).
///
/// ```
/// use rushlight_autograd::{Tensor, ops::triplet_margin_with_distance_loss, tensor};
/// let city_block = |a: &Tensor, b: &Tensor| (a - b).abs().sum_dim(-1, false);
/// let (a, p, n) = (tensor([[0.0, 0.0]]), tensor([[3.0, 4.0]]), tensor([[1.0, 1.0]]));
/// assert_eq!(triplet_margin_with_distance_loss(&a, &p, &n, city_block).item(), 6.0); // 7 - 2 + 1
/// ```
///
/// # Panics
/// If the shapes do not fit, or the devices differ.
#[track_caller]
pub fn triplet_margin_with_distance_loss(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    distance_function: impl Fn(&Tensor, &Tensor) -> Tensor,
) -> Tensor {
    let options = TripletMarginWithDistanceLossOptions::default();
    triplet_margin_with_distance_loss_with(anchor, positive, negative, distance_function, options)
}

/// As [`triplet_margin_with_distance_loss`], with options.
///
/// # Panics
/// As [`triplet_margin_with_distance_loss`]; also if the margin is not above 0.
#[track_caller]
pub fn triplet_margin_with_distance_loss_with(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    distance_function: impl Fn(&Tensor, &Tensor) -> Tensor,
    options: TripletMarginWithDistanceLossOptions,
) -> Tensor {
    let TripletMarginWithDistanceLossOptions { margin, swap, reduction } = options;
    check_triplet("triplet_margin_with_distance_loss", margin, [anchor, positive, negative]);
    let near = distance_function(anchor, positive);
    let mut far = distance_function(anchor, negative);
    if swap {
        far = far.minimum(&distance_function(positive, negative));
    }
    reduction.tensor(&above_zero(&(near - far + margin)))
}

#[track_caller]
fn check_triplet(name: &str, margin: f64, [anchor, positive, negative]: [&Tensor; 3]) {
    if margin.is_nan() || margin <= 0.0 {
        fail!("{name}: margin is {margin}; it must be above 0");
    }
    if anchor.dim() != positive.dim() || anchor.dim() != negative.dim() {
        fail!(
            "{name}: shapes {:?}, {:?} and {:?} differ in the number of dims; it must be the same",
            anchor.shape(),
            positive.shape(),
            negative.shape()
        );
    }
    check_together(name, anchor, positive);
    check_together(name, anchor, negative);
}

/// The norm of the differences along the last dim. Its slope at 0 is 0, as in PyTorch.
#[track_caller]
fn distance(a: &Tensor, b: &Tensor, p: f64, eps: f64) -> Tensor {
    let difference = a - b + eps;
    let size = difference.abs();
    if p == 1.0 {
        return size.sum_dim(-1, false);
    }
    if p == f64::INFINITY {
        return size.amax(-1, false);
    }
    if p == f64::NEG_INFINITY {
        return size.amin(-1, false);
    }
    if p == 0.0 {
        return size.ne(0.0).to(size.dtype()).sum_dim(-1, false);
    }
    let number = |x: f64| Tensor::constant(Array::full((), x, size.dtype(), &size.device()));
    if p == 2.0 {
        let square = (&difference * &difference).sum_dim(-1, false);
        return where_not_zero(&square, |square| square.sqrt());
    }
    let powers = match p > 0.0 {
        true => where_not_zero(&size, |size| size.pow(&number(p))),
        false => size.pow(&number(p)),
    };
    where_not_zero(&powers.sum_dim(-1, false), |sum| sum.pow(&number(1.0 / p)))
}

/// `f` where x is not 0, and 0 with the slope 0 where it is.
fn where_not_zero(x: &Tensor, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    let none = x.detach().eq(0.0);
    f(&x.masked_fill(&none, 1.0)).masked_fill(&none, 0.0)
}

pub(super) const COSINE_EMBEDDING_LOSS: OpInfo =
    OpInfo::composed("cosine_embedding_loss", "torch.nn.functional.cosine_embedding_loss", |draw| {
        let (rows, size) = (draw.full_size(), draw.full_size() + 1);
        let vector = draw.below(4) == 3;
        let shape = if vector { vec![size] } else { vec![rows, size] };
        // The cosine of positive vectors is above 0.
        let inputs = vec![draw.leaf(&shape, Domain::Positive), draw.leaf(&shape, Domain::Positive)];
        let count = if vector { 1 } else { rows };
        let signs: Vec<i64> = (0..count).map(|_| if draw.coin() { 1 } else { -1 }).collect();
        let target = Tensor::constant(draw.integers(signs, if vector { &[] } else { &shape[..1] }));
        let (margin, reduction) = ([0.0, -0.5, 1.5][draw.below(3)], REDUCTIONS[draw.below(3)]);
        Sample::new(inputs, move |x| cosine_embedding_loss_with(&x[0], &x[1], &target, margin, reduction))
    })
    .rejects(|| {
        vec![Reject::new(
            "cosine_embedding_loss: inputs of shape [2, 3] and [2, 3] with targets of shape []",
            || {
                cosine_embedding_loss(&floats([2, 3]), &floats([2, 3]), &floats([]));
            },
        )]
    });

pub(super) const TRIPLET_MARGIN_LOSS: OpInfo =
    OpInfo::composed("triplet_margin_loss", "torch.nn.functional.triplet_margin_loss", |draw| {
        let shape = draw.full_shape(1, 2);
        let options = TripletMarginLossOptions {
            margin: 12.0,
            p: [2.0, 1.0, f64::INFINITY, 3.0, 1.5][draw.below(5)],
            eps: if draw.coin() { 1e-6 } else { 0.0 },
            swap: draw.coin(),
            reduction: REDUCTIONS[draw.below(3)],
        };
        let inputs: Vec<Tensor> = (0..3).map(|_| draw.leaf(&shape, Domain::Distinct)).collect();
        Sample::new(inputs, move |x| {
            // Apart in one way that no two elements share, so that no two distances are equal.
            let (positive, negative) = (&x[1] * 0.03 + 2.5, &x[2] * 0.01 - 2.5);
            triplet_margin_loss_with(&(&x[0] * 0.7), &positive, &negative, &options)
        })
    })
    .rejects(|| {
        vec![
            Reject::new("triplet_margin_loss: margin is 0; it must be above 0", || {
                let options = TripletMarginLossOptions { margin: 0.0, ..Default::default() };
                triplet_margin_loss_with(&floats([2]), &floats([2]), &floats([2]), &options);
            }),
            Reject::new(
                "triplet_margin_loss: shapes [3, 4], [3] and [3, 4] differ in the number of dims",
                || {
                    triplet_margin_loss(&floats([3, 4]), &floats([3]), &floats([3, 4]));
                },
            ),
        ]
    });

pub(super) const TRIPLET_MARGIN_WITH_DISTANCE_LOSS: OpInfo = OpInfo::composed(
    "triplet_margin_with_distance_loss",
    "torch.nn.functional.triplet_margin_with_distance_loss",
    |draw| {
        let shape = draw.full_shape(1, 2);
        let options = TripletMarginWithDistanceLossOptions {
            margin: 40.0,
            swap: draw.coin(),
            reduction: REDUCTIONS[draw.below(3)],
        };
        let inputs: Vec<Tensor> = (0..3).map(|_| draw.leaf(&shape, Domain::Distinct)).collect();
        Sample::new(inputs, move |x| {
            let squares = |a: &Tensor, b: &Tensor| (a - b).square().sum_dim(-1, false);
            let (positive, negative) = (&x[1] * 0.03 + 2.5, &x[2] * 0.01 - 2.5);
            triplet_margin_with_distance_loss_with(&(&x[0] * 0.7), &positive, &negative, squares, options)
        })
    },
)
.rejects(|| {
    vec![Reject::new("triplet_margin_with_distance_loss: margin is 0; it must be above 0", || {
        let options = TripletMarginWithDistanceLossOptions { margin: 0.0, ..Default::default() };
        let x = floats([2]);
        triplet_margin_with_distance_loss_with(&x, &x, &x, |a, b| a - b, options);
    })]
});
