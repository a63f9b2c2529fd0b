//! Normalisation.

use super::{Arms, ok};
use crate::args::Ints;
use rushlight::Tensor;
use rushlight::nn::functional as F;

/// A normalized_shape.
fn sizes(ints: &Ints) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = ints.0.iter().map(|&size| usize::try_from(size).ok()).collect();
    sizes.ok_or_else(|| format!("sizes cannot be negative: {ints:?}"))
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("nn.functional.batch_norm", |a| {
            let x = a.take::<Tensor>("input")?;
            let (mean, variance) = (a.option::<Tensor>("running_mean")?, a.option::<Tensor>("running_var")?);
            let (weight, bias) = (a.option::<Tensor>("weight")?, a.option::<Tensor>("bias")?);
            let options = F::BatchNormOptions {
                training: a.take_or("training", false)?,
                momentum: a.take_or("momentum", 0.1)?,
                eps: a.take_or("eps", 1e-5)?,
            };
            let (mean, variance) = (mean.as_ref(), variance.as_ref());
            ok(F::batch_norm_with(&x, mean, variance, weight.as_ref(), bias.as_ref(), options))
        }),
        ("nn.functional.instance_norm", |a| {
            let x = a.take::<Tensor>("input")?;
            let (mean, variance) = (a.option::<Tensor>("running_mean")?, a.option::<Tensor>("running_var")?);
            let (weight, bias) = (a.option::<Tensor>("weight")?, a.option::<Tensor>("bias")?);
            let options = F::InstanceNormOptions {
                use_input_stats: a.take_or("use_input_stats", true)?,
                momentum: a.take_or("momentum", 0.1)?,
                eps: a.take_or("eps", 1e-5)?,
            };
            let (mean, variance) = (mean.as_ref(), variance.as_ref());
            ok(F::instance_norm_with(&x, mean, variance, weight.as_ref(), bias.as_ref(), options))
        }),
        ("nn.functional.group_norm", |a| {
            let (x, groups) = (a.take::<Tensor>("input")?, a.take::<usize>("num_groups")?);
            let (weight, bias) = (a.option::<Tensor>("weight")?, a.option::<Tensor>("bias")?);
            ok(F::group_norm_with(&x, groups, weight.as_ref(), bias.as_ref(), a.take_or("eps", 1e-5)?))
        }),
        ("nn.functional.layer_norm", |a| {
            let (x, shape) = (a.take::<Tensor>("input")?, sizes(&a.take("normalized_shape")?)?);
            let (weight, bias) = (a.option::<Tensor>("weight")?, a.option::<Tensor>("bias")?);
            ok(F::layer_norm_with(&x, &shape, weight.as_ref(), bias.as_ref(), a.take_or("eps", 1e-5)?))
        }),
        ("nn.functional.rms_norm", |a| {
            let (x, shape) = (a.take::<Tensor>("input")?, sizes(&a.take("normalized_shape")?)?);
            let weight = a.option::<Tensor>("weight")?;
            ok(match a.option::<f64>("eps")? {
                Some(eps) => F::rms_norm_with(&x, &shape, weight.as_ref(), eps),
                None => F::rms_norm(&x, &shape, weight.as_ref()),
            })
        }),
        ("nn.functional.local_response_norm", |a| {
            let (x, size) = (a.take::<Tensor>("input")?, a.take::<usize>("size")?);
            let options = F::LocalResponseNormOptions {
                alpha: a.take_or("alpha", 1e-4)?,
                beta: a.take_or("beta", 0.75)?,
                k: a.take_or("k", 1.0)?,
            };
            ok(F::local_response_norm_with(&x, size, options))
        }),
    ],
    in_place: &[],
};
