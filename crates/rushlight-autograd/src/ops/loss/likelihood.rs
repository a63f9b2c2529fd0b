//! Losses that are minus the logarithm of a likelihood, or a divergence of distributions.

use super::{REDUCTIONS, Reduction, check_device, check_together};
use crate::autocast::Choice;
use crate::ops::elementwise::zero;
use crate::ops::{Operand, where_};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::fail;
use std::f64::consts::PI;

/// What becomes of the single terms of [`kl_div_with`]; a [`Reduction`] turns into it by itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum KlDivReduction {
    /// Their mean, over samples and outcomes. It is PyTorch's default and not the divergence; that is `BatchMean`.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Nothing: one term for each.
    None,
    /// Their sum divided by the size of the first dim: the mean divergence of the samples.
    BatchMean,
}

impl From<Reduction> for KlDivReduction {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::Mean => KlDivReduction::Mean,
            Reduction::Sum => KlDivReduction::Sum,
            Reduction::None => KlDivReduction::None,
        }
    }
}

/// The terms `y (log y - x)` of the divergence of distributions from log-probabilities `x` (Kullback & Leibler, 1951),
/// averaged over everything. For the divergence itself ask [`kl_div_with`] for [`KlDivReduction::BatchMean`].
///
/// Shape: log-probabilities and probabilities that broadcast -> a scalar.
///
/// # Panics
/// If the shapes do not broadcast, the devices differ, or either is no float.
#[track_caller]
pub fn kl_div(input: &Tensor, target: &Tensor) -> Tensor {
    kl_div_with(input, target, KlDivReduction::Mean, false)
}

/// As [`kl_div`], with a reduction, and whether the target is logarithms of probabilities, too.
///
/// ```
/// use rushlight_autograd::ops::{KlDivReduction, kl_div_with};
/// use rushlight_autograd::tensor;
/// let (x, y) = (tensor([[0.5, 0.5]]).log(), tensor([[1.0, 0.0]]));
/// let loss = kl_div_with(&x, &y, KlDivReduction::BatchMean, false);
/// assert!((loss.item() - 2f64.ln()).abs() < 1e-6); // 1 (log 1 - log 0.5)
/// ```
///
/// # Panics
/// As [`kl_div`].
#[track_caller]
pub fn kl_div_with(
    input: &Tensor,
    target: &Tensor,
    reduction: impl Into<KlDivReduction>,
    log_target: bool,
) -> Tensor {
    let [a, b] = [input.dtype(), target.dtype()];
    if !a.is_float() || !b.is_float() {
        fail!(
            "kl_div: input and target are {} and {}; both must be floats, cast with .to(DType::F32)",
            a.name(),
            b.name()
        );
    }
    check_together("kl_div", input, target);
    let terms = if log_target {
        target.exp() * (target - input)
    } else {
        // 0 log 0 is 0. The slope there is NaN, as in PyTorch.
        let own = where_(&target.eq(0.0), &zero(target), &(target * target.log()));
        own - target * input
    };
    match reduction.into() {
        KlDivReduction::Mean => terms.mean(),
        KlDivReduction::Sum => terms.sum(),
        KlDivReduction::None => terms,
        KlDivReduction::BatchMean if input.dim() == 0 => terms.sum(),
        KlDivReduction::BatchMean => terms.sum() / input.size(0) as f64,
    }
}

/// Options of [`poisson_nll_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PoissonNllLossOptions {
    /// Whether the input is the logarithm of the rate; else it is the rate.
    pub log_input: bool,
    /// Whether the loss has the term that hangs on the target alone, log(y!), by Stirling's formula.
    pub full: bool,
    /// Added to a rate before its logarithm.
    pub eps: f64,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

impl Default for PoissonNllLossOptions {
    fn default() -> Self {
        PoissonNllLossOptions { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

/// Minus the log-likelihood of counts that follow Poisson distributions, from the logarithms of their rates:
/// `exp(x) - y x`, averaged.
///
/// Shape: input and target that broadcast -> a scalar.
///
/// # Panics
/// If the shapes do not broadcast or the devices differ.
#[track_caller]
pub fn poisson_nll_loss(input: &Tensor, target: &Tensor) -> Tensor {
    poisson_nll_loss_with(input, target, &PoissonNllLossOptions::default())
}

/// As [`poisson_nll_loss`], with options.
///
/// ```
/// use rushlight_autograd::ops::{PoissonNllLossOptions, poisson_nll_loss_with};
/// use rushlight_autograd::tensor;
/// let options = PoissonNllLossOptions { log_input: false, eps: 0.0, ..Default::default() };
/// let loss = poisson_nll_loss_with(&tensor([1.0]), &tensor([3.0]), &options);
/// assert_eq!(loss.item(), 1.0); // 1 - 3 log 1
/// ```
///
/// # Panics
/// As [`poisson_nll_loss`].
#[track_caller]
pub fn poisson_nll_loss_with(input: &Tensor, target: &Tensor, options: &PoissonNllLossOptions) -> Tensor {
    check_together("poisson_nll_loss", input, target);
    let choice = Choice::of("poisson_nll_loss", &[input, target]);
    let (input, target) = (&choice.cast(input), &choice.cast(target));
    let mut losses = match options.log_input {
        true => input.exp() - target * input,
        false => input - target * (input + options.eps).log(),
    };
    if options.full {
        let stirling = target * target.log() - target + (target * (2.0 * PI)).log() * 0.5;
        losses += stirling.masked_fill(&target.le(1), 0.0);
    }
    options.reduction.tensor(&losses)
}

/// Options of [`gaussian_nll_loss_with`]; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GaussianNllLossOptions {
    /// Whether the loss has the constant term log(2 pi) / 2.
    pub full: bool,
    /// Smaller variances count as this.
    pub eps: f64,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

impl Default for GaussianNllLossOptions {
    fn default() -> Self {
        GaussianNllLossOptions { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

/// Minus the log-likelihood of targets that follow normal distributions with mean `input` and variance `var`:
/// `(log var + (x - y)^2 / var) / 2`, averaged (Nix & Weigend, "Estimating the mean and variance of the target
/// probability distribution", 1994).
///
/// Shape: input `(..., D)`, a target that broadcasts to it, and a variance that is a number, of the input's shape, without its
/// last dim, or 1 in one dim -> a scalar.
///
/// ```
/// use rushlight_autograd::{ops::gaussian_nll_loss, tensor};
/// assert_eq!(gaussian_nll_loss(&tensor([1.0]), &tensor([4.0]), 1.0).item(), 4.5); // (log 1 + 9) / 2
/// ```
///
/// # Panics
/// If the shapes do not fit, the devices differ, or a variance is negative or no float.
#[track_caller]
pub fn gaussian_nll_loss<'a>(input: &Tensor, target: &Tensor, var: impl Into<Operand<'a>>) -> Tensor {
    gaussian_nll_loss_with(input, target, var, &GaussianNllLossOptions::default())
}

/// As [`gaussian_nll_loss`], with options.
///
/// # Panics
/// As [`gaussian_nll_loss`].
#[track_caller]
pub fn gaussian_nll_loss_with<'a>(
    input: &Tensor,
    target: &Tensor,
    var: impl Into<Operand<'a>>,
    options: &GaussianNllLossOptions,
) -> Tensor {
    check_together("gaussian_nll_loss", input, target);
    let var = var.into();
    let var = match var {
        Operand::Tensor(var) => as_wide(var, input),
        Operand::Number(_) => var.tensor(&input.to(floating(input))).into_owned(),
    };
    if !var.dtype().is_float() {
        fail!("gaussian_nll_loss: var is {}, not a float; cast with .to(DType::F32)", var.dtype().name());
    }
    if var.detach().lt(0.0).any().item_as::<bool>() {
        fail!("gaussian_nll_loss: var has a negative element; a variance must be at least 0");
    }
    // What is too small becomes eps, and its slope stays, as in PyTorch.
    let least = &var - var.detach() + options.eps;
    let var = where_(&var.detach().lt(options.eps), &least, &var);
    let error = input - target;
    let mut losses = (var.log() + &error * &error / var) * 0.5;
    if options.full {
        losses += 0.5 * (2.0 * PI).ln();
    }
    options.reduction.tensor(&losses)
}

/// The dtype in which a tensor's float functions are.
fn floating(x: &Tensor) -> rushlight_array::DType {
    if x.dtype().is_float() { x.dtype() } else { rushlight_array::DType::F32 }
}

/// A variance with the dims of the input.
#[track_caller]
fn as_wide(var: &Tensor, input: &Tensor) -> Tensor {
    check_device("gaussian_nll_loss", "var", var, input);
    let (own, wanted) = (var.shape(), input.shape());
    if own == wanted {
        return var.clone();
    }
    if !wanted.is_empty() && wanted[..wanted.len() - 1] == own[..] {
        return var.unsqueeze(-1);
    }
    let others: usize = own.iter().zip(wanted.iter()).filter(|(a, b)| a != b).map(|(&a, _)| a).sum();
    if own.len() != wanted.len() || others != 1 {
        fail!(
            "gaussian_nll_loss: var shape {own:?} does not fit input shape {wanted:?}; \
             it must be equal, without the last dim, or 1 in one dim"
        );
    }
    var.clone()
}

pub(super) const KL_DIV: OpInfo = OpInfo::composed("kl_div", "torch.nn.functional.kl_div", |draw| {
    let shape = draw.full_shape(0, 2);
    let log_target = draw.coin();
    let domain = if log_target { Domain::Any } else { Domain::Unit };
    let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&shape, domain)];
    use KlDivReduction::{BatchMean, Mean, None, Sum};
    let reduction = [Mean, Sum, None, BatchMean][draw.below(4)];
    Sample::new(inputs, move |x| kl_div_with(&x[0], &x[1], reduction, log_target))
})
.rejects(|| {
    vec![Reject::new("kl_div: input and target are int64 and float32; both must be floats", || {
        kl_div(&integers(), &floats([3]));
    })]
});

pub(super) const POISSON_NLL_LOSS: OpInfo =
    OpInfo::composed("poisson_nll_loss", "torch.nn.functional.poisson_nll_loss", |draw| {
        let (a, b) = draw.broadcast_pair();
        // Targets from 1.3 on or up to 0.9: the term of the target alone begins above 1.
        let (few, log_input, full) = (draw.coin(), draw.coin(), draw.coin());
        let inputs = vec![draw.leaf(&a, Domain::Positive), draw.leaf(&b, Domain::Unit)];
        let reduction =
            if a.numel() == 0 || b.numel() == 0 { Reduction::None } else { REDUCTIONS[draw.below(3)] };
        let options = PoissonNllLossOptions { log_input, full, eps: 1e-3, reduction };
        Sample::new(inputs, move |x| {
            let target = if few { &x[1] * 1.0 } else { &x[1] + 1.2 };
            poisson_nll_loss_with(&x[0], &target, &options)
        })
    })
    .rejects(|| {
        vec![Reject::new("poisson_nll_loss: shapes [2] and [3] do not broadcast", || {
            poisson_nll_loss(&floats([2]), &floats([3]));
        })]
    });

pub(super) const GAUSSIAN_NLL_LOSS: OpInfo =
    OpInfo::composed("gaussian_nll_loss", "torch.nn.functional.gaussian_nll_loss", |draw| {
        let shape = draw.full_shape(1, 2);
        let mut of_var = shape.to_vec();
        match draw.below(3) {
            1 => drop(of_var.pop()),
            2 => of_var[0] = 1,
            _ => {}
        }
        let options = GaussianNllLossOptions {
            full: draw.coin(),
            reduction: REDUCTIONS[draw.below(3)],
            ..GaussianNllLossOptions::default()
        };
        let inputs = vec![
            draw.leaf(&shape, Domain::Any),
            draw.leaf(&shape, Domain::Any),
            draw.leaf(&of_var, Domain::Positive),
        ];
        if draw.coin() {
            return Sample::new(inputs[..2].to_vec(), move |x| {
                gaussian_nll_loss_with(&x[0], &x[1], 0.7, &options)
            });
        }
        Sample::new(inputs, move |x| gaussian_nll_loss_with(&x[0], &x[1], &x[2], &options))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "gaussian_nll_loss: var has a negative element; a variance must be at least 0",
                || {
                    gaussian_nll_loss(&floats([2]), &floats([2]), -1.0);
                },
            ),
            Reject::new("gaussian_nll_loss: var shape [3] does not fit input shape [2, 2]", || {
                gaussian_nll_loss(&floats([2, 2]), &floats([2, 2]), &floats([3]));
            }),
        ]
    });
