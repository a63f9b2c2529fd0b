//! Losses of classification: one class of several.

use super::{REDUCTIONS, Reduction, check_device};
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Shape, fail};

/// Options of [`nll_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct NllLossOptions {
    /// A factor for the loss of each class, of shape `(C)`.
    pub weight: Option<Tensor>,
    /// Targets of this value do not count.
    pub ignore_index: i64,
    /// What becomes of the single losses; the mean is weighted.
    pub reduction: Reduction,
}

impl Default for NllLossOptions {
    fn default() -> Self {
        NllLossOptions { weight: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

/// Options of [`cross_entropy_with`]; the defaults are PyTorch's.
#[derive(Clone, Debug)]
pub struct CrossEntropyOptions {
    /// A factor for the loss of each class, of shape `(C)`.
    pub weight: Option<Tensor>,
    /// Targets of this value do not count.
    pub ignore_index: i64,
    /// What becomes of the single losses; the mean is weighted.
    pub reduction: Reduction,
    /// The share of the target that is spread evenly over all classes, 0-1.
    pub label_smoothing: f64,
}

impl Default for CrossEntropyOptions {
    fn default() -> Self {
        let NllLossOptions { weight, ignore_index, reduction } = NllLossOptions::default();
        CrossEntropyOptions { weight, ignore_index, reduction, label_smoothing: 0.0 }
    }
}

/// Cross entropy of rows `(N, C)` of logits with class numbers, as a single node.
#[derive(Debug)]
struct CrossEntropy {
    /// `(N)`, `i64`; ignored ones are 0 here.
    target: Array,
    /// Which targets count; `None` if all do.
    counts: Option<Array>,
    reduction: Reduction,
    /// What the kernel keeps of each row, on its way to the recorder.
    stats: Option<Array>,
}

impl CrossEntropy {
    /// The gradients of the single losses, `(N)`, from that of the result.
    fn of_losses(&self, grad: &Tensor) -> Tensor {
        let rows = [self.target.numel()];
        let grads = match self.reduction {
            // The mean of no rows is NaN, but its gradient 0, as in PyTorch.
            // Of a device the number is not asked for; where no row counts, no gradient is chosen below.
            Reduction::Mean if self.counts_elsewhere().is_some() => (grad
                * Tensor::constant(self.average(&Array::full(&[][..], 1.0, grad.dtype(), &grad.device()))))
            .expand(rows),
            Reduction::Mean if self.share().is_infinite() => grad.zeros_like().expand(rows),
            Reduction::Mean => (grad * self.share()).expand(rows),
            Reduction::Sum => grad.expand(rows),
            Reduction::None => grad.clone(),
        };
        match &self.counts {
            // Chosen, not multiplied: an infinite gradient of an ignored row must not turn into NaN.
            Some(counts) => where_(&counts.clone().into(), &grads, &grads.zeros_like()),
            None => grads,
        }
    }

    /// Which targets count, if a device knows.
    fn counts_elsewhere(&self) -> Option<&Array> {
        self.counts.as_ref().filter(|counts| !counts.device().is_cpu())
    }

    /// `x` over the number of targets that count. On a device the host does not wait for that number.
    fn average(&self, x: &Array) -> Array {
        match self.counts_elsewhere() {
            Some(counts) => x.mul(&counts.sum().cast(x.dtype()).reciprocal()),
            None => x.scale(self.share()),
        }
    }

    /// 1 / the number of targets that count, for the mean.
    fn share(&self) -> f64 {
        let count = match &self.counts {
            Some(counts) => counts.sum().item::<f64>(),
            None => self.target.numel() as f64,
        };
        1.0 / count
    }

    /// The slopes of the losses, recorded: softmax less 1 in the column of the target. Of plain functions that every
    /// program holds, as this is rarely asked for.
    fn slopes(&self, x: &Tensor, most: Array) -> Tensor {
        let wide = x.to(x.dtype().compute());
        let (rows, classes) = (wide.size(0), wide.size(1));
        let mut hot = vec![false; rows * classes];
        for (row, target) in self.target.to_vec::<i64>().into_iter().enumerate() {
            // Without classes no target counts, and there is no column.
            hot.get_mut(row * classes + target as usize).into_iter().for_each(|hot| *hot = true);
        }
        let hot = Array::from_vec(hot, [rows, classes]).cast(wide.dtype()).to_device(self.target.device());
        let exp = (wide - Tensor::constant(most)).exp();
        let sums = exp.sum_dim(1, true);
        (exp / sums - Tensor::constant(hot)).to(x.dtype())
    }
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (losses, stats) = inputs[0].cross_entropy(&self.target);
        self.stats = Some(stats);
        let losses = match &self.counts {
            Some(counts) => counts.where_(&losses, &losses.zeros_like()),
            None => losses,
        };
        match self.reduction {
            Reduction::Mean => self.average(&losses.sum()),
            other => other.array(&losses),
        }
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn by_product(&mut self) -> Option<Array> {
        self.stats.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let grad = self.of_losses(grad);
            if is_grad_enabled() {
                let most = saved.by_product_array().narrow(1, 0, 1);
                return self.slopes(&saved.input(0), most) * grad.unsqueeze(1);
            }
            let (x, stats) = (saved.input_array(0), saved.by_product_array());
            x.cross_entropy_grad(stats, &self.target, &grad.value()).into()
        });
    }
    fn grad_fn(&self) -> String {
        "NllLossBackward0".to_string()
    }
}

/// Cross entropy of logits with classes: log-softmax and [`nll_loss`] in one.
///
/// Shape: `(C)`, `(N, C)` or `(N, C, d1, ...)` with a target of class numbers `()`, `(N)` or `(N, d1, ...)`, or
/// of class probabilities of the input's shape -> a scalar.
///
/// ```
/// use rushlight_autograd::{ops::cross_entropy, tensor};
/// let loss = cross_entropy(&tensor([[0.0, 0.0]]), &tensor([1]));
/// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes do not fit, the logits are no floats, or a class number is out of range.
#[track_caller]
pub fn cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    let options = CrossEntropyOptions::default();
    // Not by way of the options: without them a program does not hold what weights and smoothing need.
    if target.dtype().is_float() {
        return soft_cross_entropy(input, target, &options);
    }
    Rows::new("cross_entropy", input, target, options.ignore_index).cross_entropy(options.reduction)
}

/// As [`cross_entropy`], with options.
///
/// # Panics
/// As [`cross_entropy`]; also if `label_smoothing` is not in 0-1 or the weight does not fit.
#[track_caller]
pub fn cross_entropy_with(input: &Tensor, target: &Tensor, options: &CrossEntropyOptions) -> Tensor {
    let smoothing = options.label_smoothing;
    if !(0.0..=1.0).contains(&smoothing) {
        fail!("cross_entropy: label_smoothing is {smoothing}; it must be between 0 and 1");
    }
    if target.dtype().is_float() {
        if options.ignore_index >= 0 {
            fail!(
                "cross_entropy: ignore_index is {}, but the targets are probabilities and no class numbers",
                options.ignore_index
            );
        }
        return soft_cross_entropy(input, target, options);
    }
    let rows = Rows::new("cross_entropy", input, target, options.ignore_index);
    if options.weight.is_none() && smoothing == 0.0 {
        return rows.cross_entropy(options.reduction);
    }
    let rows = rows.with_weight("cross_entropy", options.weight.as_ref());
    let log_probs = rows.rows().log_softmax(1);
    let hard = rows.losses(&log_probs);
    let losses = if smoothing == 0.0 {
        hard
    } else {
        let classes = log_probs.size(1) as f64;
        let weighted = match &options.weight {
            Some(weight) => &log_probs * weight,
            None => log_probs,
        };
        let even = rows.counted(-weighted.sum_dim(1, false) / classes);
        hard * (1.0 - smoothing) + even * smoothing
    };
    rows.reduce(&losses, options.reduction)
}

/// Cross entropy with class probabilities.
#[track_caller]
fn soft_cross_entropy(input: &Tensor, target: &Tensor, options: &CrossEntropyOptions) -> Tensor {
    if input.shape() != target.shape() || input.dim() == 0 {
        fail!(
            "cross_entropy: input shape {:?} and probabilities of shape {:?} differ; they must be equal",
            input.shape(),
            target.shape()
        );
    }
    check_float("cross_entropy", input);
    for (name, other) in [("the target", Some(target)), ("the weight", options.weight.as_ref())] {
        if let Some(other) = other {
            check_device("cross_entropy", name, other, input);
        }
    }
    let axis = if input.dim() == 1 { 0 } else { 1 };
    let classes = input.size(axis);
    let target = target * (1.0 - options.label_smoothing) + options.label_smoothing / classes as f64;
    let mut terms = target * input.log_softmax(axis);
    if let Some(weight) = &options.weight {
        let mut shape = vec![1; input.dim()];
        shape[axis as usize] = classes;
        terms *= weight.reshape(shape.as_slice());
    }
    let losses = -terms.sum_dim(axis, false);
    options.reduction.tensor(&losses)
}

/// The negative log-likelihood: minus the log-probability of the target class.
///
/// Shape: log-probabilities `(C)`, `(N, C)` or `(N, C, d1, ...)`, class numbers `()`, `(N)` or `(N, d1, ...)`
/// -> a scalar.
///
/// # Panics
/// If the shapes do not fit, the input is no float, or a class number is out of range.
#[track_caller]
pub fn nll_loss(input: &Tensor, target: &Tensor) -> Tensor {
    nll_loss_with(input, target, &NllLossOptions::default())
}

/// As [`nll_loss`], with options.
///
/// # Panics
/// As [`nll_loss`]; also if the weight does not fit.
#[track_caller]
pub fn nll_loss_with(input: &Tensor, target: &Tensor, options: &NllLossOptions) -> Tensor {
    let rows = Rows::new("nll_loss", input, target, options.ignore_index)
        .with_weight("nll_loss", options.weight.as_ref());
    // Where the classes lie, without turning them into rows: only one number of each is read.
    let (dims, count) = (input.shape(), rows.target.numel());
    let picked = if dims.len() < 2 {
        input.gather(0, &rows.target.clone().into())
    } else {
        let rest = count.checked_div(dims[0]).unwrap_or(0);
        let column = Tensor::constant(rows.target.reshape([dims[0], 1, rest]));
        input.reshape([dims[0], dims[1], rest]).gather(1, &column).reshape([count])
    };
    rows.reduce(&rows.weighted(-picked), options.reduction)
}

/// Inputs of any accepted shape as rows `(N, C)` with targets `(N)`.
struct Rows {
    /// As it was given.
    input: Tensor,
    target: Array,
    counts: Option<Array>,
    /// The factor of each row, if classes have weights.
    weight: Option<Tensor>,
    /// The shape of the single losses.
    shape: Shape,
}

impl Rows {
    #[track_caller]
    fn new(op: &str, input: &Tensor, target: &Tensor, ignore_index: i64) -> Rows {
        let (shape, wanted) = (input.shape(), target.shape());
        let expected: Shape = match shape.len() {
            0 => fail!("{op}: the input is a scalar; it must have a dim of classes"),
            1 => Shape::default(),
            _ => shape.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, &s)| s).collect(),
        };
        // PyTorch takes a target of one dim beside an input without a batch, too.
        let one = shape.len() == 1 && wanted == [1];
        if wanted != expected && !one {
            fail!("{op}: input shape {shape:?} needs targets of shape {expected:?}, not {wanted:?}");
        }
        check_float(op, input);
        if !target.dtype().is_int() {
            fail!("{op}: targets are {}; class numbers must be integers, as int64", target.dtype().name());
        }
        check_device(op, "the target", target, input);
        let classes = shape[if shape.len() == 1 { 0 } else { 1 }];
        let (target, counts) = checked(op, &target.array(), classes, Some(ignore_index));
        Rows { input: input.clone(), target, counts, weight: None, shape: expected }
    }

    /// With the factors of classes.
    #[track_caller]
    fn with_weight(mut self, op: &str, weight: Option<&Tensor>) -> Rows {
        let Some(weight) = weight else { return self };
        let shape = self.input.shape();
        let classes = shape[if shape.len() == 1 { 0 } else { 1 }];
        if weight.shape() != [classes] {
            fail!(
                "{op}: weight shape {:?} does not fit {classes} classes; it must be [{classes}]",
                weight.shape()
            );
        }
        check_device(op, "the weight", weight, &self.input);
        self.weight = Some(weight.index_select(0, &self.target.clone().into()));
        self
    }

    /// The loss without weights, as a single node.
    #[track_caller]
    fn cross_entropy(self, reduction: Reduction) -> Tensor {
        let x = self.rows();
        let op = CrossEntropy { target: self.target, counts: self.counts, reduction, stats: None };
        let loss = Tensor::apply(op, &[&x]);
        let has_rows_shape = reduction != Reduction::None || self.shape.len() == 1;
        if has_rows_shape { loss } else { loss.reshape(&self.shape) }
    }

    /// The input as rows.
    fn rows(&self) -> Tensor {
        let shape = self.input.shape();
        match shape.len() {
            1 => self.input.unsqueeze(0),
            2 => self.input.clone(),
            rank => {
                let dims: Vec<isize> = (0..rank as isize).filter(|&d| d != 1).chain([1]).collect();
                self.input.permute(&dims).reshape([self.target.numel(), shape[1]])
            }
        }
    }

    /// 1 for rows that count, 0 for ignored ones.
    fn mask(&self) -> Tensor {
        let dtype = self.input.dtype();
        match &self.counts {
            Some(counts) => counts.cast(dtype).into(),
            None => Array::full(self.target.shape(), 1.0, dtype, self.target.device()).into(),
        }
    }

    /// The weighted losses of the rows.
    fn losses(&self, log_probs: &Tensor) -> Tensor {
        let column = Tensor::constant(self.target.unsqueeze(1));
        self.weighted(-log_probs.gather(1, &column).squeeze_dim(1))
    }

    /// The losses of the rows with their weights, those of ignored ones 0.
    fn weighted(&self, losses: Tensor) -> Tensor {
        let losses = match &self.weight {
            Some(weight) => losses * weight,
            None => losses,
        };
        self.counted(losses)
    }

    /// The losses of the rows, those of ignored ones 0. They are chosen, not multiplied by 0: an infinite
    /// loss must not turn into NaN.
    fn counted(&self, losses: Tensor) -> Tensor {
        match &self.counts {
            Some(counts) => where_(&counts.clone().into(), &losses, &losses.zeros_like()),
            None => losses,
        }
    }

    fn reduce(&self, losses: &Tensor, reduction: Reduction) -> Tensor {
        match reduction {
            Reduction::Mean => {
                let total = match &self.weight {
                    Some(weight) => (weight * self.mask()).sum(),
                    None => self.mask().sum(),
                };
                losses.sum() / total
            }
            Reduction::Sum => losses.sum(),
            Reduction::None => losses.reshape(&self.shape),
        }
    }
}

#[track_caller]
fn check_float(op: &str, input: &Tensor) {
    if !input.dtype().is_float() {
        fail!("{op}: the input is {}, not a float; cast with .to(DType::F32) first", input.dtype().name());
    }
}

/// Targets as one dim, with ignored ones set to 0, and which of them count.
#[track_caller]
pub(super) fn checked(
    op: &str,
    target: &Array,
    classes: usize,
    ignore_index: Option<i64>,
) -> (Array, Option<Array>) {
    let target = target.cast(DType::I64).reshape([-1]);
    let any_ignored = match target.class_numbers(classes, ignore_index) {
        Some([true, _]) => out_of_range(op, &target, classes, ignore_index),
        Some([false, any_ignored]) => any_ignored,
        None => true,
    };
    match ignore_index.filter(|_| any_ignored) {
        None => (target, None),
        Some(ignored) => {
            let number = |value: i64| Array::full(&[][..], value, DType::I64, target.device());
            let counts = target.ne(&number(ignored));
            let safe = counts.where_(&target, &number(0));
            (safe, Some(counts))
        }
    }
}

#[cold]
#[track_caller]
fn out_of_range(op: &str, target: &Array, classes: usize, ignore_index: Option<i64>) -> ! {
    let values = target.to_vec::<i64>();
    let bad = |&t: &i64| Some(t) != ignore_index && (t < 0 || t >= classes as i64);
    let place = values.iter().position(bad).expect("one is bad");
    fail!(
        "{op}: target {} (sample {place}) is out of range for {classes} classes; expected 0 to {}",
        values[place],
        classes as i64 - 1
    );
}

pub(super) const CROSS_ENTROPY: OpInfo =
    OpInfo::op("CrossEntropy", "cross_entropy", "torch.nn.functional.cross_entropy", |draw| {
        let (rows, classes) = (draw.full_size(), draw.full_size());
        let input = draw.leaf(&[rows, classes], Domain::Any);
        let mut target = draw.index(&[rows], classes).to_vec::<i64>();
        let reduction = REDUCTIONS[draw.below(3)];
        let mut options = CrossEntropyOptions { reduction, ..CrossEntropyOptions::default() };
        match draw.below(5) {
            1 if rows > 1 => target[0] = options.ignore_index,
            2 => options.weight = Some(draw.constant(&[classes], Domain::Positive)),
            3 => options.label_smoothing = 0.2,
            4 => {
                let soft = draw.leaf(&[rows, classes], Domain::Unit);
                return Sample::new(vec![input, soft], move |x| cross_entropy_with(&x[0], &x[1], &options));
            }
            _ => {}
        }
        let target = Tensor::constant(draw.integers(target, &[rows]));
        Sample::new(vec![input], move |x| cross_entropy_with(&x[0], &target, &options))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "cross_entropy: target 3 (sample 2) is out of range for 3 classes; expected 0 to 2",
                || {
                    cross_entropy(&floats([3, 3]), &integers());
                },
            ),
            Reject::new("cross_entropy: input shape [4, 5] needs targets of shape [4], not [3]", || {
                cross_entropy(&floats([4, 5]), &integers());
            }),
            Reject::new("cross_entropy: input shape [2, 3] and probabilities of shape [3] differ", || {
                cross_entropy(&floats([2, 3]), &floats([3]));
            }),
            Reject::new("cross_entropy: label_smoothing is 2; it must be between 0 and 1", || {
                let options = CrossEntropyOptions { label_smoothing: 2.0, ..CrossEntropyOptions::default() };
                cross_entropy_with(&floats([3, 5]), &integers(), &options);
            }),
            Reject::new("cross_entropy: ignore_index is 1, but the targets are probabilities", || {
                let options = CrossEntropyOptions { ignore_index: 1, ..CrossEntropyOptions::default() };
                cross_entropy_with(&floats([2, 3]), &floats([2, 3]), &options);
            }),
        ]
    });

pub(super) const NLL_LOSS: OpInfo = OpInfo::composed("nll_loss", "torch.nn.functional.nll_loss", |draw| {
    let (rows, classes, last) = (draw.full_size(), draw.full_size(), draw.full_size());
    let (pixels, reduction) = (draw.coin(), REDUCTIONS[draw.below(3)]);
    let (shape, places) = match pixels {
        true => (vec![rows, classes, last], vec![rows, last]),
        false => (vec![rows, classes], vec![rows]),
    };
    let input = draw.leaf(&shape, Domain::Any);
    let mut target = draw.index(&places, classes).to_vec::<i64>();
    let options = NllLossOptions { reduction, ..NllLossOptions::default() };
    if target.len() > 1 && draw.coin() {
        target[0] = options.ignore_index;
    }
    let target = Tensor::constant(draw.integers(target, &places));
    if draw.coin() {
        // The weights have a gradient, which they have not in PyTorch.
        let weight = draw.leaf(&[classes], Domain::Positive);
        return Sample::new(vec![input, weight], move |x| {
            let weight = Some(x[1].clone());
            nll_loss_with(&x[0], &target, &NllLossOptions { weight, ..options.clone() })
        });
    }
    Sample::new(vec![input], move |x| nll_loss_with(&x[0], &target, &options))
})
.differs("the weights have a gradient, too")
.rejects(|| {
    vec![
        Reject::new("nll_loss: targets are bool; class numbers must be integers", || {
            nll_loss(&floats([3, 5]), &integers().gt(1));
        }),
        Reject::new("nll_loss: the input is a scalar; it must have a dim of classes", || {
            nll_loss(&floats([]), &integers());
        }),
    ]
});
