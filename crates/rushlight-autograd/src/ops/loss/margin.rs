//! Losses with a margin: what is right by more than it costs nothing.

use super::classes::checked;
use super::pair::pair_loss;
use super::{REDUCTIONS, Reduction, above_zero, check_device, check_together};
use crate::autocast::Choice;
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::backend::PairLoss;
use rushlight_array::{Array, DType, Device, Shape, fail};

/// x for pairs with the target 1, max(0, 1 - x) for those with -1, averaged; x is a distance.
///
/// Shape: input and target that broadcast -> a scalar.
///
/// ```
/// use rushlight_autograd::{ops::hinge_embedding_loss, tensor};
/// let loss = hinge_embedding_loss(&tensor([3.0, 0.25]), &tensor([1.0, -1.0]));
/// assert_eq!(loss.item(), 1.875); // (3 + 0.75) / 2
/// ```
///
/// # Panics
/// If the shapes do not broadcast or the devices differ.
#[track_caller]
pub fn hinge_embedding_loss(input: &Tensor, target: &Tensor) -> Tensor {
    hinge_embedding_loss_with(input, target, 1.0, Reduction::Mean)
}

/// As [`hinge_embedding_loss`] with max(0, margin - x) for the target -1, and a reduction.
///
/// # Panics
/// As [`hinge_embedding_loss`].
#[track_caller]
pub fn hinge_embedding_loss_with(
    input: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Tensor {
    let choice = Choice::of("hinge_embedding_loss", &[input, target]);
    let (input, target) = (&choice.cast(input), &choice.cast(target));
    check_together("hinge_embedding_loss", input, target);
    // An integer zero, beside which integers stay integers.
    let none = Tensor::constant(input.array().scalar_operand(0));
    // A target that is neither counts both.
    let far = where_(&target.ne(1), &above_zero(&(margin - input)).to(input.dtype()), &none);
    let near = where_(&target.ne(-1), input, &none);
    reduction.tensor(&(far + near))
}

/// max(0, -y (a - b)), averaged: `a` is to be larger than `b` where y is 1, smaller where y is -1.
///
/// Shape: three of as many dims, which broadcast -> a scalar.
///
/// # Panics
/// If the shapes do not broadcast, have different numbers of dims, or the devices differ.
#[track_caller]
pub fn margin_ranking_loss(input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
    margin_ranking_loss_with(input1, input2, target, 0.0, Reduction::Mean)
}

/// As [`margin_ranking_loss`] with max(0, margin - y (a - b)), and a reduction.
///
/// ```
/// use rushlight_autograd::ops::{Reduction, margin_ranking_loss_with};
/// use rushlight_autograd::tensor;
/// let (a, b, y) = (tensor([3.0, 1.0]), tensor([1.0, 2.0]), tensor([1.0, 1.0]));
/// let losses = margin_ranking_loss_with(&a, &b, &y, 0.5, Reduction::None);
/// assert_eq!(losses.to_vec::<f32>(), [0.0, 1.5]);
/// ```
///
/// # Panics
/// As [`margin_ranking_loss`].
#[track_caller]
pub fn margin_ranking_loss_with(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    margin: f64,
    reduction: Reduction,
) -> Tensor {
    if input1.dim() != input2.dim() || input1.dim() != target.dim() {
        fail!(
            "margin_ranking_loss: shapes {:?}, {:?} and {:?} differ in the number of dims; it must be the same",
            input1.shape(),
            input2.shape(),
            target.shape()
        );
    }
    let choice = Choice::of("margin_ranking_loss", &[input1, input2, target]);
    let (input1, input2, target) = (&choice.cast(input1), &choice.cast(input2), &choice.cast(target));
    check_together("margin_ranking_loss", input1, input2);
    check_together("margin_ranking_loss", input1, target);
    reduction.tensor(&above_zero(&(-target * (input1 - input2) + margin)))
}

/// log(1 + exp(-y x)) with targets y of 1 and -1, averaged.
///
/// Shape: an input, and a target that broadcasts to it -> a scalar.
///
/// # Panics
/// If the target does not broadcast to the input, the devices differ, or the input is no float.
#[track_caller]
pub fn soft_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    soft_margin_loss_with(input, target, Reduction::Mean)
}

/// As [`soft_margin_loss`], with a reduction. It does not overflow where PyTorch's does, below -88.
///
/// ```
/// use rushlight_autograd::ops::{Reduction, soft_margin_loss_with};
/// use rushlight_autograd::tensor;
/// let losses = soft_margin_loss_with(&tensor([0.0, -1000.0]), &tensor([1.0, 1.0]), Reduction::None);
/// assert_eq!(losses.to_vec::<f32>(), [2f32.ln(), 1000.0]);
/// ```
///
/// # Panics
/// As [`soft_margin_loss`].
#[track_caller]
pub fn soft_margin_loss_with(input: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    let choice = Choice::of("soft_margin_loss", &[input, target]);
    let (input, target) = (&choice.cast(input), &choice.cast(target));
    let (shape, dtype) = (input.shape(), input.dtype());
    check_float("soft_margin_loss", input);
    if !crate::engine::broadcasts(&target.shape(), &shape) {
        fail!(
            "soft_margin_loss: target shape {:?} does not broadcast to input shape {shape:?}",
            target.shape()
        );
    }
    check_device("soft_margin_loss", "the target", target, input);
    let sure = (input * target).to(dtype);
    // The loss of a logit whose target is yes.
    let yes = Array::full((), 1.0, dtype, &input.device()).expand(shape);
    pair_loss(PairLoss::Logit, &sure, &yes.into(), reduction)
}

#[track_caller]
fn check_float(op: &str, input: &Tensor) {
    if !input.dtype().is_float() {
        fail!("{op}: the input is {}, not a float; cast with .to(DType::F32) first", input.dtype().name());
    }
}

/// The input of a loss of classes as `[N, C]`: a vector is a batch of one.
#[track_caller]
fn rows(op: &str, input: &Tensor) -> Tensor {
    check_float(op, input);
    let rows = match input.dim() {
        0 => input.reshape([1, 1]),
        1 => input.unsqueeze(0),
        2 => input.clone(),
        _ => fail!("{op}: input shape {:?}; it must be [N, C] or [C]", input.shape()),
    };
    if rows.size(1) == 0 {
        fail!("{op}: input shape {:?} has no class", input.shape());
    }
    rows
}

/// Options of [`multi_margin_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct MultiMarginLossOptions {
    /// The power of what is left: 1 or 2.
    pub p: i64,
    /// By how much the right class is to be above each other one.
    pub margin: f64,
    /// A factor for the loss of each class, of shape `(C)`.
    pub weight: Option<Tensor>,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

impl Default for MultiMarginLossOptions {
    fn default() -> Self {
        MultiMarginLossOptions { p: 1, margin: 1.0, weight: None, reduction: Reduction::Mean }
    }
}

/// The sum over all classes c but the right one y of max(0, 1 - x\[y\] + x\[c\]), divided by the number of classes and
/// averaged: a multi-class hinge loss (Crammer & Singer, "On the algorithmic implementation of multiclass kernel-based
/// vector machines", 2001).
///
/// Shape: `(N, C)` or `(C)`, and class numbers `(N)` or `()` -> a scalar.
///
/// # Panics
/// If the shapes do not fit, the input is no float, the devices differ, or a class number is out of range.
#[track_caller]
pub fn multi_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    multi_margin_loss_with(input, target, &MultiMarginLossOptions::default())
}

/// As [`multi_margin_loss`], with options.
///
/// ```
/// use rushlight_autograd::ops::{MultiMarginLossOptions, multi_margin_loss_with};
/// use rushlight_autograd::tensor;
/// let options = MultiMarginLossOptions { p: 2, ..Default::default() };
/// let loss = multi_margin_loss_with(&tensor([[0.5, 1.0]]), &tensor([0]), &options);
/// assert_eq!(loss.item(), 1.125); // (1 - 0.5 + 1)^2 / 2
/// ```
///
/// # Panics
/// As [`multi_margin_loss`]; also if p is not 1 or 2, or the weight does not fit.
#[track_caller]
pub fn multi_margin_loss_with(input: &Tensor, target: &Tensor, options: &MultiMarginLossOptions) -> Tensor {
    let op = "multi_margin_loss";
    let MultiMarginLossOptions { p, margin, ref weight, reduction } = *options;
    if p != 1 && p != 2 {
        fail!("multi_margin_loss: p is {p}; it must be 1 or 2");
    }
    let x = rows(op, input);
    let (count, classes, wanted) = (x.size(0), x.size(1), target.shape());
    if target.dim() > 1 || target.numel() != count || (input.dim() == 2 && target.dim() == 0) {
        fail!("{op}: input shape {:?} needs {count} targets in one dim, not {wanted:?}", input.shape());
    }
    if !target.dtype().is_int() {
        fail!("{op}: targets are {}; class numbers must be integers, as int64", target.dtype().name());
    }
    check_device(op, "the target", target, input);
    let (target, _) = checked(op, &target.array(), classes, None);
    let column = Tensor::constant(target.unsqueeze(1));
    let above = (&x - x.gather(1, &column) + margin).relu();
    let above = if p == 2 { &above * &above } else { above };
    let all = Tensor::constant(Array::arange(0, classes as i64, 1).to_device(&x.device()));
    let others = where_(&all.unsqueeze(0).ne(&column), &above, &zero(&above));
    let mut losses = others.sum_dim(1, false) / classes as f64;
    if let Some(weight) = weight {
        if weight.shape() != [classes] {
            fail!(
                "{op}: weight shape {:?} does not fit {classes} classes; it must be [{classes}]",
                weight.shape()
            );
        }
        check_device(op, "the weight", weight, input);
        losses *= weight.index_select(0, &target.into());
    }
    reduction.tensor(&losses.reshape(&wanted))
}

/// The sum over all right classes y and all others c of max(0, 1 - x\[y\] + x\[c\]), divided by the number of classes and
/// averaged. Each row of targets is class numbers up to the first -1.
///
/// Shape: two of `(N, C)` or `(C)` -> a scalar.
///
/// ```
/// use rushlight_autograd::{ops::multilabel_margin_loss, tensor};
/// let (x, y) = (tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([[3, 0, -1, 1]]));
/// // (1 - 0.8 + 0.2) + (1 - 0.8 + 0.4) + (1 - 0.1 + 0.2) + (1 - 0.1 + 0.4) over 4
/// assert!((multilabel_margin_loss(&x, &y).item() - 0.85).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes do not fit, the input is no float, the devices differ, or a class number is out of range.
#[track_caller]
pub fn multilabel_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    multilabel_margin_loss_with(input, target, Reduction::Mean)
}

/// As [`multilabel_margin_loss`], with a reduction.
///
/// # Panics
/// As [`multilabel_margin_loss`].
#[track_caller]
pub fn multilabel_margin_loss_with(input: &Tensor, target: &Tensor, reduction: Reduction) -> Tensor {
    let op = "multilabel_margin_loss";
    let x = rows(op, input);
    let same = target.shape() == input.shape()
        || (input.dim() < 2 && target.dim() < 2 && target.numel() == input.numel());
    if !same {
        fail!("{op}: input shape {:?} and target shape {:?} differ", input.shape(), target.shape());
    }
    if !target.dtype().is_int() {
        fail!("{op}: targets are {}; class numbers must be integers, as int64", target.dtype().name());
    }
    check_device(op, "the target", target, input);
    let right = RightClasses::new(op, &target.array(), [x.size(0), x.size(1)]);
    let there = |mask: Array| Tensor::constant(mask.to_device(&x.device()));
    // [N, K, 1] beside [N, 1, C].
    let own = x.gather(1, &there(right.classes)).unsqueeze(2);
    let above = (x.unsqueeze(1) - own + 1.0).relu();
    let count = right.counts.unsqueeze(2).logical_and(&right.among.logical_not().unsqueeze(1));
    let losses = where_(&there(count), &above, &zero(&above)).sum_dim([1, 2], false) / x.size(1) as f64;
    let shape = if input.dim() == 2 { losses.shape() } else { Shape::default() };
    reduction.tensor(&losses.reshape(&shape))
}

/// The right classes of each row, on the host.
struct RightClasses {
    /// Their numbers `[N, K]`, filled up with 0.
    classes: Array,
    /// Which of these count.
    counts: Array,
    /// `[N, C]`: whether a class is among them.
    among: Array,
}

impl RightClasses {
    #[track_caller]
    fn new(op: &str, target: &Array, [rows, classes]: [usize; 2]) -> Self {
        let target = target.cast(DType::I64).to_device(&Device::cpu()).to_vec::<i64>();
        if let Some(place) = target.iter().position(|&t| t < -1 || t >= classes as i64) {
            fail!(
                "{op}: target {} (row {}) is out of range for {classes} classes; expected 0 to {}, or -1",
                target[place],
                place / classes,
                classes - 1
            );
        }
        let lens: Vec<usize> =
            target.chunks(classes).map(|row| row.iter().position(|&t| t < 0).unwrap_or(classes)).collect();
        // At least one column, which then counts nowhere.
        let most = lens.iter().copied().max().unwrap_or(0).max(1);
        let (mut numbers, mut counts) = (Vec::with_capacity(rows * most), Vec::with_capacity(rows * most));
        let mut among = vec![false; rows * classes];
        for (n, (row, &len)) in target.chunks(classes).zip(&lens).enumerate() {
            numbers.extend((0..most).map(|k| if k < len { row[k] } else { 0 }));
            counts.extend((0..most).map(|k| k < len));
            for &class in &row[..len] {
                among[n * classes + class as usize] = true;
            }
        }
        RightClasses {
            classes: Array::from_vec(numbers, [rows, most]),
            counts: Array::from_vec(counts, [rows, most]),
            among: Array::from_vec(among, [rows, classes]),
        }
    }
}

/// Binary cross entropy of logits, averaged over the classes in the last dim and over all samples.
///
/// Shape: two of `(..., C)` -> a scalar.
///
/// # Panics
/// If the input is a scalar or no float, the shapes do not broadcast, or the devices differ.
#[track_caller]
pub fn multilabel_soft_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    multilabel_soft_margin_loss_with(input, target, None, Reduction::Mean)
}

/// As [`multilabel_soft_margin_loss`], with a factor for each loss, which broadcasts, and a reduction of the samples'
/// losses.
///
/// ```
/// use rushlight_autograd::ops::{Reduction, multilabel_soft_margin_loss_with};
/// use rushlight_autograd::tensor;
/// let (x, y, w) = (tensor([[0.0, 0.0]]), tensor([[1.0, 0.0]]), tensor([3.0, 1.0]));
/// let losses = multilabel_soft_margin_loss_with(&x, &y, Some(&w), Reduction::None);
/// assert!((losses.item() - 2.0 * 2f64.ln()).abs() < 1e-6); // (3 log 2 + log 2) / 2
/// ```
///
/// # Panics
/// As [`multilabel_soft_margin_loss`]; also if the weight does not broadcast.
#[track_caller]
pub fn multilabel_soft_margin_loss_with(
    input: &Tensor,
    target: &Tensor,
    weight: Option<&Tensor>,
    reduction: Reduction,
) -> Tensor {
    check_float("multilabel_soft_margin_loss", input);
    if input.dim() == 0 {
        fail!("multilabel_soft_margin_loss: the input is a scalar; it must have a dim of classes");
    }
    check_together("multilabel_soft_margin_loss", input, target);
    let mut losses = pair_loss(PairLoss::Logit, input, target, Reduction::None);
    if let Some(weight) = weight {
        check_device("multilabel_soft_margin_loss", "the weight", weight, input);
        rushlight_array::broadcast_shapes("multilabel_soft_margin_loss", &losses.shape(), &weight.shape());
        losses *= weight;
    }
    let last = input.dim() as isize - 1;
    reduction.tensor(&(losses.sum_dim(last, false) / input.size(last) as f64))
}

pub(super) const HINGE_EMBEDDING_LOSS: OpInfo =
    OpInfo::composed("hinge_embedding_loss", "torch.nn.functional.hinge_embedding_loss", |draw| {
        let shape = draw.full_shape(0, 2);
        let signs = draw.mask(&shape).cast(DType::I64).scale(2.0).offset(-1.0);
        // Inputs are -2 to -0.2 and 0.2 to 2.
        let (margin, reduction) = ([0.0, 5.0, 0.1][draw.below(3)], REDUCTIONS[draw.below(3)]);
        let target = Tensor::constant(signs);
        Sample::new(vec![draw.leaf(&shape, Domain::NonZero)], move |x| {
            hinge_embedding_loss_with(&x[0], &target, margin, reduction)
        })
    })
    .rejects(|| {
        vec![Reject::new("hinge_embedding_loss: shapes [2] and [3] do not broadcast", || {
            hinge_embedding_loss(&floats([2]), &floats([3]));
        })]
    });

pub(super) const MARGIN_RANKING_LOSS: OpInfo =
    OpInfo::composed("margin_ranking_loss", "torch.nn.functional.margin_ranking_loss", |draw| {
        let shape = draw.full_shape(0, 2);
        let inputs = vec![draw.leaf(&shape, Domain::NonZero), draw.leaf(&shape, Domain::Unit)];
        let target = Tensor::constant(draw.mask(&shape).cast(DType::F64).scale(2.0).offset(-1.0));
        let (margin, reduction) = ([0.0, 5.0][draw.below(2)], REDUCTIONS[draw.below(3)]);
        Sample::new(inputs, move |x| {
            margin_ranking_loss_with(&x[0], &(&x[1] * 0.1), &target, margin, reduction)
        })
    })
    .rejects(|| {
        vec![Reject::new("margin_ranking_loss: shapes [2], [2] and [] differ in the number of dims", || {
            margin_ranking_loss(&floats([2]), &floats([2]), &floats([]));
        })]
    });

pub(super) const SOFT_MARGIN_LOSS: OpInfo =
    OpInfo::composed("soft_margin_loss", "torch.nn.functional.soft_margin_loss", |draw| {
        let shape = draw.full_shape(0, 2);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, Domain::Any)];
        let reduction = REDUCTIONS[draw.below(3)];
        Sample::new(inputs, move |x| soft_margin_loss_with(&x[0], &x[1], reduction))
    })
    .differs("finite for inputs below -88, and the target has a gradient, too")
    .rejects(|| {
        vec![Reject::new("soft_margin_loss: target shape [3] does not broadcast to input shape [1]", || {
            soft_margin_loss(&floats([1]), &floats([3]));
        })]
    });

pub(super) const MULTI_MARGIN_LOSS: OpInfo =
    OpInfo::composed("multi_margin_loss", "torch.nn.functional.multi_margin_loss", |draw| {
        let (rows, classes) = (draw.full_size(), draw.full_size());
        let input = draw.leaf(&[rows, classes], Domain::Distinct);
        let target = Tensor::constant(draw.index(&[rows], classes));
        let weight = draw.coin().then(|| draw.constant(&[classes], Domain::Positive));
        let (p, margin) = (1 + draw.below(2) as i64, [1.0, 0.0, -1.0][draw.below(3)]);
        let options = MultiMarginLossOptions { p, margin, weight, reduction: REDUCTIONS[draw.below(3)] };
        Sample::new(vec![input], move |x| multi_margin_loss_with(&x[0], &target, &options))
    })
    .differs("the weights have a gradient, and it can be differentiated twice")
    .rejects(|| {
        vec![
            Reject::new("multi_margin_loss: p is 3; it must be 1 or 2", || {
                let options = MultiMarginLossOptions { p: 3, ..Default::default() };
                multi_margin_loss_with(&floats([3, 4]), &integers(), &options);
            }),
            Reject::new("multi_margin_loss: target 3 (sample 2) is out of range for 3 classes", || {
                multi_margin_loss(&floats([3, 3]), &integers());
            }),
            Reject::new("multi_margin_loss: input shape [4, 4] needs 4 targets in one dim, not [3]", || {
                multi_margin_loss(&floats([4, 4]), &integers());
            }),
            Reject::new("multi_margin_loss: weight shape [2] does not fit 4 classes", || {
                let options = MultiMarginLossOptions { weight: Some(floats([2])), ..Default::default() };
                multi_margin_loss_with(&floats([3, 4]), &integers(), &options);
            }),
        ]
    });

pub(super) const MULTILABEL_MARGIN_LOSS: OpInfo =
    OpInfo::composed("multilabel_margin_loss", "torch.nn.functional.multilabel_margin_loss", |draw| {
        let (rows, classes) = (draw.full_size(), draw.full_size());
        let input = draw.leaf(&[rows, classes], Domain::Distinct);
        let numbers = draw.index(&[rows, classes], classes + 1).to_vec::<i64>();
        let target = draw.integers(numbers.iter().map(|t| t - 1).collect(), &[rows, classes]);
        let (target, reduction) = (Tensor::constant(target), REDUCTIONS[draw.below(3)]);
        Sample::new(vec![input], move |x| multilabel_margin_loss_with(&x[0], &target, reduction))
    })
    .differs("it can be differentiated twice")
    .rejects(|| {
        vec![
            Reject::new("multilabel_margin_loss: target 3 (row 0) is out of range for 3 classes", || {
                multilabel_margin_loss(&floats([3]), &integers());
            }),
            Reject::new("multilabel_margin_loss: input shape [5, 4] and target shape [3] differ", || {
                multilabel_margin_loss(&floats([5, 4]), &integers());
            }),
        ]
    });

pub(super) const MULTILABEL_SOFT_MARGIN_LOSS: OpInfo = OpInfo::composed(
    "multilabel_soft_margin_loss",
    "torch.nn.functional.multilabel_soft_margin_loss",
    |draw| {
        let shape = draw.full_shape(1, 3);
        let inputs = vec![
            draw.leaf(&shape, Domain::Any),
            draw.leaf(&shape, Domain::Unit),
            draw.leaf(&shape, Domain::Positive),
        ];
        let reduction = REDUCTIONS[draw.below(3)];
        if draw.coin() {
            return Sample::new(inputs[..2].to_vec(), move |x| {
                multilabel_soft_margin_loss_with(&x[0], &x[1], None, reduction)
            });
        }
        Sample::new(inputs, move |x| multilabel_soft_margin_loss_with(&x[0], &x[1], Some(&x[2]), reduction))
    },
)
.rejects(|| {
    vec![Reject::new("multilabel_soft_margin_loss: the input is a scalar", || {
        multilabel_soft_margin_loss(&floats([]), &floats([]));
    })]
});
