//! Losses. PyTorch's old `size_average` and `reduce` are taken where they are None.

use super::{Arms, ok};
use crate::args::{Args, Misfit, Other, Py, Take};
use rushlight::Tensor;
use rushlight::nn::functional::{self as f, KlDivReduction, Lengths, Reduction};

/// A `reduction`.
impl Take for Reduction {
    fn take(value: Py) -> Option<Self> {
        match KlDivReduction::take(value)? {
            KlDivReduction::Mean => Some(Reduction::Mean),
            KlDivReduction::Sum => Some(Reduction::Sum),
            KlDivReduction::None => Some(Reduction::None),
            KlDivReduction::BatchMean => None,
        }
    }
}

impl Take for KlDivReduction {
    fn take(value: Py) -> Option<Self> {
        let Py::Str(name) = value else { return None };
        match name.as_str() {
            "mean" => Some(KlDivReduction::Mean),
            "sum" => Some(KlDivReduction::Sum),
            "none" => Some(KlDivReduction::None),
            "batchmean" => Some(KlDivReduction::BatchMean),
            _ => None,
        }
    }
}

impl Take for Lengths {
    fn take(value: Py) -> Option<Self> {
        match value {
            Py::Tensor(x) => Some(Lengths::Tensor(x)),
            value => Vec::take(value).map(Lengths::List),
        }
    }
}

fn input(a: &mut Args) -> Result<Tensor, Misfit> {
    a.take("input")
}

fn target(a: &mut Args) -> Result<Tensor, Misfit> {
    a.take("target")
}

/// An argument of old, which must be None.
fn none(a: &mut Args, name: &str) -> Result<(), Misfit> {
    match a.take_or(name, Py::None)? {
        Py::None => Ok(()),
        other => Err(format!("`{name}` is {other:?}; only `reduction` is known")),
    }
}

/// `reduction` where it stands behind `size_average` and `reduce`.
fn reduction<T: Take + Default>(a: &mut Args) -> Result<T, Misfit> {
    none(a, "size_average")?;
    none(a, "reduce")?;
    a.take_or("reduction", T::default())
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("nn.functional.cross_entropy", |a| {
            let (x, y, weight) = (input(a)?, target(a)?, a.option("weight")?);
            none(a, "size_average")?;
            let ignore_index = a.take_or("ignore_index", -100)?;
            none(a, "reduce")?;
            let (reduction, label_smoothing) =
                (a.take_or("reduction", Reduction::Mean)?, a.take_or("label_smoothing", 0.0)?);
            let options = f::CrossEntropyOptions { weight, ignore_index, reduction, label_smoothing };
            ok(f::cross_entropy_with(&x, &y, &options))
        }),
        ("nn.functional.nll_loss", |a| {
            let (x, y, weight) = (input(a)?, target(a)?, a.option("weight")?);
            none(a, "size_average")?;
            let ignore_index = a.take_or("ignore_index", -100)?;
            none(a, "reduce")?;
            let reduction = a.take_or("reduction", Reduction::Mean)?;
            ok(f::nll_loss_with(&x, &y, &f::NllLossOptions { weight, ignore_index, reduction }))
        }),
        ("nn.functional.binary_cross_entropy", |a| {
            let (x, y, weight) = (input(a)?, target(a)?, a.option::<Tensor>("weight")?);
            ok(f::binary_cross_entropy_with(&x, &y, weight.as_ref(), reduction(a)?))
        }),
        ("nn.functional.binary_cross_entropy_with_logits", |a| {
            let (x, y, weight, reduction) = (input(a)?, target(a)?, a.option("weight")?, reduction(a)?);
            let options = f::BceWithLogitsOptions { weight, reduction, pos_weight: a.option("pos_weight")? };
            ok(f::binary_cross_entropy_with_logits_with(&x, &y, &options))
        }),
        ("nn.functional.mse_loss", |a| {
            let (x, y, reduction) = (input(a)?, target(a)?, reduction(a)?);
            ok(f::mse_loss_with(&x, &y, reduction, a.option::<Tensor>("weight")?.as_ref()))
        }),
        ("nn.functional.l1_loss", |a| {
            let (x, y, reduction) = (input(a)?, target(a)?, reduction(a)?);
            ok(f::l1_loss_with(&x, &y, reduction, a.option::<Tensor>("weight")?.as_ref()))
        }),
        ("nn.functional.smooth_l1_loss", |a| {
            let (x, y, reduction) = (input(a)?, target(a)?, reduction(a)?);
            ok(f::smooth_l1_loss_with(&x, &y, reduction, a.take_or("beta", 1.0)?))
        }),
        ("nn.functional.huber_loss", |a| {
            let (x, y) = (input(a)?, target(a)?);
            let (reduction, delta) = (a.take_or("reduction", Reduction::Mean)?, a.take_or("delta", 1.0)?);
            let options = f::HuberLossOptions { reduction, delta, weight: a.option("weight")? };
            ok(f::huber_loss_with(&x, &y, &options))
        }),
        ("nn.functional.kl_div", |a| {
            let (x, y, reduction) = (input(a)?, target(a)?, reduction::<KlDivReduction>(a)?);
            ok(f::kl_div_with(&x, &y, reduction, a.take_or("log_target", false)?))
        }),
        ("nn.functional.poisson_nll_loss", |a| {
            let (x, y) = (input(a)?, target(a)?);
            let (log_input, full) = (a.take_or("log_input", true)?, a.take_or("full", false)?);
            none(a, "size_average")?;
            let eps = a.take_or("eps", 1e-8)?;
            none(a, "reduce")?;
            let reduction = a.take_or("reduction", Reduction::Mean)?;
            let options = f::PoissonNllLossOptions { log_input, full, eps, reduction };
            ok(f::poisson_nll_loss_with(&x, &y, &options))
        }),
        ("nn.functional.gaussian_nll_loss", |a| {
            let (x, y, var) = (input(a)?, target(a)?, a.take::<Other>("var")?);
            let (full, eps) = (a.take_or("full", false)?, a.take_or("eps", 1e-6)?);
            let reduction = a.take_or("reduction", Reduction::Mean)?;
            let options = f::GaussianNllLossOptions { full, eps, reduction };
            ok(f::gaussian_nll_loss_with(&x, &y, &var, &options))
        }),
        ("nn.functional.hinge_embedding_loss", |a| {
            let (x, y, margin) = (input(a)?, target(a)?, a.take_or("margin", 1.0)?);
            ok(f::hinge_embedding_loss_with(&x, &y, margin, reduction(a)?))
        }),
        ("nn.functional.margin_ranking_loss", |a| {
            let (x1, x2) = (a.take::<Tensor>("input1")?, a.take::<Tensor>("input2")?);
            let (y, margin) = (target(a)?, a.take_or("margin", 0.0)?);
            ok(f::margin_ranking_loss_with(&x1, &x2, &y, margin, reduction(a)?))
        }),
        ("nn.functional.soft_margin_loss", |a| {
            let (x, y) = (input(a)?, target(a)?);
            ok(f::soft_margin_loss_with(&x, &y, reduction(a)?))
        }),
        ("nn.functional.multi_margin_loss", |a| {
            let (x, y) = (input(a)?, target(a)?);
            let (p, margin, weight) = (a.take_or("p", 1)?, a.take_or("margin", 1.0)?, a.option("weight")?);
            let options = f::MultiMarginLossOptions { p, margin, weight, reduction: reduction(a)? };
            ok(f::multi_margin_loss_with(&x, &y, &options))
        }),
        ("nn.functional.multilabel_margin_loss", |a| {
            let (x, y) = (input(a)?, target(a)?);
            ok(f::multilabel_margin_loss_with(&x, &y, reduction(a)?))
        }),
        ("nn.functional.multilabel_soft_margin_loss", |a| {
            let (x, y, weight) = (input(a)?, target(a)?, a.option::<Tensor>("weight")?);
            ok(f::multilabel_soft_margin_loss_with(&x, &y, weight.as_ref(), reduction(a)?))
        }),
        ("nn.functional.cosine_embedding_loss", |a| {
            let (x1, x2) = (a.take::<Tensor>("input1")?, a.take::<Tensor>("input2")?);
            let (y, margin) = (target(a)?, a.take_or("margin", 0.0)?);
            ok(f::cosine_embedding_loss_with(&x1, &x2, &y, margin, reduction(a)?))
        }),
        ("nn.functional.triplet_margin_loss", |a| {
            let anchor = a.take::<Tensor>("anchor")?;
            let (positive, negative) = (a.take::<Tensor>("positive")?, a.take::<Tensor>("negative")?);
            let (margin, p) = (a.take_or("margin", 1.0)?, a.take_or("p", 2.0)?);
            let (eps, swap) = (a.take_or("eps", 1e-6)?, a.take_or("swap", false)?);
            let options = f::TripletMarginLossOptions { margin, p, eps, swap, reduction: reduction(a)? };
            ok(f::triplet_margin_loss_with(&anchor, &positive, &negative, &options))
        }),
        ("nn.functional.ctc_loss", |a| {
            let (x, y) = (a.take::<Tensor>("log_probs")?, a.take::<Tensor>("targets")?);
            let steps = a.take::<Lengths>("input_lengths")?;
            let lengths = a.take::<Lengths>("target_lengths")?;
            let (blank, reduction) = (a.take_or("blank", 0)?, a.take_or("reduction", Reduction::Mean)?);
            let options =
                f::CtcLossOptions { blank, reduction, zero_infinity: a.take_or("zero_infinity", false)? };
            ok(f::ctc_loss_with(&x, &y, steps, lengths, &options))
        }),
    ],
    in_place: &[],
};
