//! Connectionist temporal classification: labels without their places in time.

use super::{REDUCTIONS, Reduction, check_device};
use crate::engine::{GradOptions, grad_with};
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::elementwise::zero;
use crate::ops::where_;
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::backend::Ctc;
use rushlight_array::{Array, DType, Device, fail};

/// How many steps, or labels, each sample of a batch has: `[6, 4]`, a vector, or a tensor of integers. One number is
/// that of the only sample.
#[derive(Clone, Debug)]
pub enum Lengths {
    /// Numbers.
    List(Vec<i64>),
    /// A tensor of integers.
    Tensor(Tensor),
}

impl From<&Tensor> for Lengths {
    fn from(lengths: &Tensor) -> Self {
        Lengths::Tensor(lengths.clone())
    }
}

impl<T: Into<i64> + Copy> From<&[T]> for Lengths {
    fn from(lengths: &[T]) -> Self {
        Lengths::List(lengths.iter().map(|&length| length.into()).collect())
    }
}

impl<T: Into<i64> + Copy, const N: usize> From<[T; N]> for Lengths {
    fn from(lengths: [T; N]) -> Self {
        lengths.as_slice().into()
    }
}

impl<T: Into<i64> + Copy> From<Vec<T>> for Lengths {
    fn from(lengths: Vec<T>) -> Self {
        lengths.as_slice().into()
    }
}

impl Lengths {
    /// One for each of `count` samples.
    #[track_caller]
    fn checked(self, name: &str, count: usize, most: usize) -> Vec<usize> {
        let lengths = match self {
            Lengths::List(lengths) => lengths,
            Lengths::Tensor(lengths) if !lengths.dtype().is_int() => {
                fail!("ctc_loss: {name} are {}; lengths must be integers, as int64", lengths.dtype().name())
            }
            Lengths::Tensor(lengths) => lengths.array().cast(DType::I64).to_device(&Device::cpu()).to_vec(),
        };
        if lengths.len() != count {
            fail!("ctc_loss: {} {name} for {count} samples; there must be one for each", lengths.len());
        }
        if let Some(&length) = lengths.iter().find(|&&length| length < 0 || length as u64 > most as u64) {
            fail!("ctc_loss: {name} has {length}; expected 0 to {most}");
        }
        lengths.iter().map(|&length| length as usize).collect()
    }
}

/// Options of [`ctc_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CtcLossOptions {
    /// The class that stands for no label.
    pub blank: usize,
    /// What becomes of the single losses; the mean is that of losses divided by their number of labels.
    pub reduction: Reduction,
    /// Whether samples with too few steps for their labels, whose loss is infinite, count 0 and have no gradient.
    pub zero_infinity: bool,
}

/// The losses of the samples of a batch.
#[derive(Debug)]
struct CtcLoss(Ctc);

impl Op for CtcLoss {
    fn name(&self) -> &'static str {
        "ctc_loss"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].ctc_loss(&self.0)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            if is_grad_enabled() {
                return Tensor::apply(CtcLossBackward(self.0.clone()), &[&saved.input(0), grad]);
            }
            saved.input_array(0).ctc_loss_grad(&self.0, &grad.value()).into()
        });
    }
}

/// The gradient, which has none itself.
#[derive(Debug)]
struct CtcLossBackward(Ctc);

impl Op for CtcLossBackward {
    fn name(&self) -> &'static str {
        "ctc_loss_backward"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].ctc_loss_grad(&self.0, inputs[1])
    }
}

/// Minus the logarithm of the probability that log-probabilities of classes at each time step spell a sequence of
/// labels, over all ways to repeat labels and to put blanks between them; divided by the number of labels, averaged
/// (Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural
/// networks", 2006).
///
/// Shape: log-probabilities `(T, N, C)` or `(T, C)`, labels `(N, S)` or all behind one another, and for each sample its
/// number of steps and of labels -> a scalar.
///
/// The gradient takes for granted that the input comes from a `log_softmax`, as PyTorch's does. Computed on the host.
///
/// ```
/// use rushlight_autograd::{ops::ctc_loss, tensor};
/// // One step, two classes as likely as each other: the label 1 has the probability 1/2.
/// let x = tensor([[[0.0, 0.0]]]).log_softmax(2);
/// let loss = ctc_loss(&x, &tensor([[1]]), [1], [1]);
/// assert!((loss.item() - 2f64.ln()).abs() < 1e-6);
/// ```
///
/// # Panics
/// If the shapes or lengths do not fit, the input is empty or no float, or a label is out of range.
#[track_caller]
pub fn ctc_loss(
    log_probs: &Tensor,
    targets: &Tensor,
    input_lengths: impl Into<Lengths>,
    target_lengths: impl Into<Lengths>,
) -> Tensor {
    ctc_loss_with(log_probs, targets, input_lengths, target_lengths, &CtcLossOptions::default())
}

/// As [`ctc_loss`], with options.
///
/// # Panics
/// As [`ctc_loss`]; also if the blank is no class.
#[track_caller]
pub fn ctc_loss_with(
    log_probs: &Tensor,
    targets: &Tensor,
    input_lengths: impl Into<Lengths>,
    target_lengths: impl Into<Lengths>,
    options: &CtcLossOptions,
) -> Tensor {
    let CtcLossOptions { blank, reduction, zero_infinity } = *options;
    let batch = match log_probs.dim() {
        2 => log_probs.unsqueeze(1),
        3 => log_probs.clone(),
        _ => fail!("ctc_loss: log_probs shape {:?}; it must be [T, N, C] or [T, C]", log_probs.shape()),
    };
    if !batch.dtype().is_float() || batch.numel() == 0 {
        fail!(
            "ctc_loss: log_probs are {} of shape {:?}; they must be floats, and at least one",
            batch.dtype().name(),
            log_probs.shape()
        );
    }
    let (steps, samples, classes) = (batch.size(0), batch.size(1), batch.size(2));
    if blank >= classes {
        fail!("ctc_loss: blank is {blank}; expected a class, 0 to {}", classes - 1);
    }
    check_device("ctc_loss", "targets", targets, log_probs);
    let steps = input_lengths.into().checked("input_lengths", samples, steps);
    let lengths = target_lengths.into().checked("target_lengths", samples, targets.numel());
    let labels = labels(targets, &lengths, classes);
    let losses = Tensor::apply(CtcLoss(Ctc { labels, steps, blank, zero_infinity }), &[&batch]);
    let losses = match zero_infinity {
        true => where_(&losses.detach().eq(f64::INFINITY), &zero(&losses), &losses),
        false => losses,
    };
    let losses = if log_probs.dim() == 2 { losses.squeeze_dim(0) } else { losses };
    if reduction != Reduction::Mean {
        return reduction.tensor(&losses);
    }
    let counts: Vec<f64> = lengths.iter().map(|&length| length.max(1) as f64).collect();
    let counts = Array::from_vec(counts, losses.shape()).cast(losses.dtype()).to_device(&losses.device());
    (losses / Tensor::constant(counts)).mean()
}

/// The labels of each sample, out of rows or out of one row for all.
#[track_caller]
fn labels(targets: &Tensor, lengths: &[usize], classes: usize) -> Vec<Vec<usize>> {
    let (shape, total) = (targets.shape(), lengths.iter().sum::<usize>());
    let most = lengths.iter().copied().max().unwrap_or(0);
    match shape[..] {
        [count] if count == total => {}
        [rows, size] if rows == lengths.len() && size >= most => {}
        _ => fail!(
            "ctc_loss: targets of shape {shape:?} for lengths {lengths:?}; \
             they must be [{}, S] with S at least {most}, or [{total}]",
            lengths.len()
        ),
    }
    let all = targets.array().cast(DType::I64).to_device(&Device::cpu()).to_vec::<i64>();
    let mut next = 0;
    let mut labels = Vec::with_capacity(lengths.len());
    for (n, &length) in lengths.iter().enumerate() {
        let start = if shape.len() == 2 { n * shape[1] } else { next };
        next += length;
        let row = &all[start..start + length];
        if let Some(label) = row.iter().find(|&&label| label < 0 || label >= classes as i64) {
            fail!(
                "ctc_loss: target {label} (sample {n}) is out of range for {classes} classes; expected 0 to {}",
                classes - 1
            );
        }
        labels.push(row.iter().map(|&label| label as usize).collect());
    }
    labels
}

pub(super) const CTC_LOSS: OpInfo =
    OpInfo::op("CtcLoss", "ctc_loss", "torch.nn.functional.ctc_loss", |draw| {
        let (samples, classes) = (draw.full_size(), draw.full_size() + 1);
        let blank = draw.below(classes);
        let lengths: Vec<i64> = (0..samples).map(|_| draw.below(3) as i64).collect();
        // Enough steps for each label, and for a blank between equal ones.
        let steps: Vec<i64> = (0..samples).map(|_| 4 + draw.below(3) as i64).collect();
        let numbers = draw.index(&[samples, 3], classes - 1).to_vec::<i64>();
        let labels = numbers.iter().map(|&label| label + i64::from(label >= blank as i64)).collect();
        let targets = Tensor::constant(draw.integers(labels, &[samples, 3]));
        let options =
            CtcLossOptions { blank, reduction: REDUCTIONS[draw.below(3)], zero_infinity: draw.coin() };
        let input = draw.leaf(&[6, samples, classes], Domain::Any);
        Sample::new(vec![input], move |x| {
            ctc_loss_with(&x[0].log_softmax(2), &targets, steps.clone(), lengths.clone(), &options)
        })
    })
    .once()
    .rejects(|| {
        vec![
            Reject::new(
                "ctc_loss: target 5 (sample 0) is out of range for 3 classes; expected 0 to 2",
                || {
                    ctc_loss(&floats([2, 1, 3]), &(floats([1, 1]) + 5.0), [2], [1]);
                },
            ),
            Reject::new("ctc_loss: 2 input_lengths for 1 samples; there must be one for each", || {
                ctc_loss(&floats([2, 1, 3]), &floats([1, 1]), [2, 2], [1]);
            }),
            Reject::new("ctc_loss: input_lengths has 3; expected 0 to 2", || {
                ctc_loss(&floats([2, 1, 3]), &floats([1, 1]), [3], [1]);
            }),
            Reject::new("ctc_loss: targets of shape [2] for lengths [1]", || {
                ctc_loss(&floats([2, 1, 3]), &floats([2]), [2], [1]);
            }),
            Reject::new("ctc_loss: blank is 3; expected a class, 0 to 2", || {
                let options = CtcLossOptions { blank: 3, ..Default::default() };
                ctc_loss_with(&floats([2, 1, 3]), &floats([1, 1]), [2], [1], &options);
            }),
        ]
    });

pub(super) const CTC_LOSS_BACKWARD: OpInfo =
    OpInfo::op("CtcLossBackward", "ctc_loss", "torch.nn.functional.ctc_loss", |draw| {
        let Sample { inputs, call } = (CTC_LOSS.sample)(draw);
        Sample::new(inputs, move |x| {
            let options = GradOptions { create_graph: true, ..GradOptions::default() };
            grad_with(&[&call(x).sum()], &[&x[0]], &options).remove(0).detach()
        })
    })
    .never();
