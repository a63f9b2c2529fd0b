//! Sorting, selecting, statistics and distances.

use super::{Arms, Out, ok};
use crate::args::{Args, Ints, Misfit, Other, Py};
use rushlight::Tensor;
use rushlight::autograd::ops::{
    CdistMode, CovOptions, HistcOptions, Interpolation, Operand, PairwiseDistanceOptions, QuantileOptions,
    SearchsortedOptions, Side, Unique, UniqueConsecutiveOptions, UniqueOptions, bucketize, bucketize_with,
    cdist, cdist_with, cosine_similarity, cosine_similarity_with, isin, isin_with, normalize, normalize_with,
    pairwise_distance, pairwise_distance_with, searchsorted, searchsorted_with,
};

/// `input, dim, descending`, and `stable`, by keyword or, in another overload, in front.
fn ordered(a: &mut Args) -> Result<(Tensor, isize, bool), Misfit> {
    let x = a.take("input")?;
    // The order of equal elements is always kept.
    let _ = a.keyword::<bool>("stable")?;
    if let Some(Py::Bool(_)) = a.peek() {
        let _ = a.take::<bool>("stable")?;
    }
    Ok((x, a.take_or("dim", -1)?, a.take_or("descending", false)?))
}

fn quantile(
    a: &mut Args,
    plain: fn(&Tensor, Operand<'_>) -> Tensor,
    with: fn(&Tensor, Operand<'_>, &QuantileOptions) -> Tensor,
) -> Result<Out, Misfit> {
    let (x, q): (Tensor, Other) = (a.take("input")?, a.take("q")?);
    if a.is_empty() {
        return ok(plain(&x, (&q).into()));
    }
    let (dim, keepdim) = (a.option("dim")?, a.take_or("keepdim", false)?);
    let interpolation = match a.keyword::<String>("interpolation")?.as_deref() {
        None | Some("linear") => Interpolation::Linear,
        Some("lower") => Interpolation::Lower,
        Some("higher") => Interpolation::Higher,
        Some("midpoint") => Interpolation::Midpoint,
        Some("nearest") => Interpolation::Nearest,
        Some(other) => return Err(format!("there is no interpolation {other}")),
    };
    ok(with(&x, (&q).into(), &QuantileOptions { dim, keepdim, interpolation }))
}

fn unique(found: Unique) -> Result<Out, Misfit> {
    let all = [Some(found.values), found.inverse, found.counts];
    ok(all.into_iter().flatten().collect::<Vec<Tensor>>())
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("sort", |a| {
            let (x, dim, descending) = ordered(a)?;
            ok(x.sort(dim, descending))
        }),
        ("argsort", |a| {
            let (x, dim, descending) = ordered(a)?;
            ok(x.argsort(dim, descending))
        }),
        ("msort", |a| ok(a.take::<Tensor>("input")?.msort())),
        ("topk", |a| {
            let (x, k, dim): (Tensor, _, _) = (a.take("input")?, a.take("k")?, a.take_or("dim", -1)?);
            if a.is_empty() {
                return ok(x.topk(k, dim));
            }
            ok(x.topk_with(k, dim, a.take_or("largest", true)?, a.take_or("sorted", true)?))
        }),
        ("kthvalue", |a| {
            let (x, k): (Tensor, _) = (a.take("input")?, a.take("k")?);
            ok(x.kthvalue(k, a.take_or("dim", -1)?, a.take_or("keepdim", false)?))
        }),
        ("mode", |a| {
            let x: Tensor = a.take("input")?;
            ok(x.mode(a.take_or("dim", -1)?, a.take_or("keepdim", false)?))
        }),
        ("unique", |a| {
            let x: Tensor = a.take("input")?;
            if a.is_empty() {
                return ok(x.unique());
            }
            unique(x.unique_with(&UniqueOptions {
                sorted: a.take_or("sorted", true)?,
                return_inverse: a.take_or("return_inverse", false)?,
                return_counts: a.take_or("return_counts", false)?,
                dim: a.option("dim")?,
            }))
        }),
        ("unique_consecutive", |a| {
            let x: Tensor = a.take("input")?;
            if a.is_empty() {
                return ok(x.unique_consecutive());
            }
            unique(x.unique_consecutive_with(&UniqueConsecutiveOptions {
                return_inverse: a.take_or("return_inverse", false)?,
                return_counts: a.take_or("return_counts", false)?,
                dim: a.option("dim")?,
            }))
        }),
        ("searchsorted", |a| {
            let sequence: Tensor = a.take("sorted_sequence")?;
            let values: Other = a.take(if a.has("self") { "self" } else { "input" })?;
            if a.is_empty() {
                return ok(searchsorted(&sequence, &values));
            }
            let side = match a.keyword::<String>("side")?.as_deref() {
                None => None,
                Some("left") => Some(Side::Left),
                Some("right") => Some(Side::Right),
                Some(other) => return Err(format!("there is no side {other}")),
            };
            let options = SearchsortedOptions {
                out_int32: a.keyword("out_int32")?.unwrap_or(false),
                right: a.keyword("right")?.unwrap_or(false),
                side,
                sorter: a.keyword("sorter")?,
            };
            ok(searchsorted_with(&sequence, &values, &options))
        }),
        ("bucketize", |a| {
            let (x, boundaries): (Other, Tensor) = (a.take("input")?, a.take("boundaries")?);
            if a.is_empty() {
                return ok(bucketize(&x, &boundaries));
            }
            let narrow = a.keyword("out_int32")?.unwrap_or(false);
            ok(bucketize_with(&x, &boundaries, narrow, a.keyword("right")?.unwrap_or(false)))
        }),
        ("isin", |a| {
            let x: Other = a.take(if a.has("element") { "element" } else { "elements" })?;
            let test: Other = a.take(if a.has("test_element") { "test_element" } else { "test_elements" })?;
            if a.is_empty() {
                return ok(isin(&x, &test));
            }
            let unique = a.keyword("assume_unique")?.unwrap_or(false);
            ok(isin_with(&x, &test, unique, a.keyword("invert")?.unwrap_or(false)))
        }),
        ("quantile", |a| quantile(a, |x, q| x.quantile(q), |x, q, options| x.quantile_with(q, options))),
        ("nanquantile", |a| {
            quantile(a, |x, q| x.nanquantile(q), |x, q, options| x.nanquantile_with(q, options))
        }),
        ("histc", |a| {
            let x: Tensor = a.take("input")?;
            if a.is_empty() {
                return ok(x.histc());
            }
            let bins = a.take_or("bins", 100)?;
            ok(x.histc_with(&HistcOptions { bins, min: a.take_or("min", 0.0)?, max: a.take_or("max", 0.0)? }))
        }),
        ("bincount", |a| {
            let (x, weights): (Tensor, Option<Tensor>) = (a.take("input")?, a.option("weights")?);
            if a.is_empty() {
                return ok(x.bincount(weights.as_ref()));
            }
            ok(x.bincount_with(weights.as_ref(), a.take_or("minlength", 0)?))
        }),
        ("cov", |a| {
            let x: Tensor = a.take("input")?;
            if a.is_empty() {
                return ok(x.cov());
            }
            ok(x.cov_with(&CovOptions {
                correction: a.keyword("correction")?.unwrap_or(1),
                fweights: a.keyword("fweights")?,
                aweights: a.keyword("aweights")?,
            }))
        }),
        ("corrcoef", |a| ok(a.take::<Tensor>("input")?.corrcoef())),
        ("dist", |a| {
            let (x, other): (Tensor, Tensor) = (a.take("input")?, a.take("other")?);
            if a.is_empty() {
                return ok(x.dist(&other));
            }
            ok(x.dist_with(&other, a.take_or("p", 2.0)?))
        }),
        ("renorm", |a| {
            let (x, p, dim): (Tensor, f64, isize) = (a.take("input")?, a.take("p")?, a.take("dim")?);
            ok(x.renorm(p, dim, a.take("maxnorm")?))
        }),
        ("cdist", |a| {
            let (x1, x2): (Tensor, Tensor) = (a.take("x1")?, a.take("x2")?);
            if a.is_empty() {
                return ok(cdist(&x1, &x2));
            }
            let p = a.take_or("p", 2.0)?;
            let mode = match a.option::<String>("compute_mode")?.as_deref() {
                None | Some("use_mm_for_euclid_dist_if_necessary") => CdistMode::MmIfNecessary,
                Some("use_mm_for_euclid_dist") => CdistMode::Mm,
                Some("donot_use_mm_for_euclid_dist") => CdistMode::NoMm,
                Some(other) => return Err(format!("there is no compute_mode {other}")),
            };
            ok(cdist_with(&x1, &x2, p, mode))
        }),
        ("nn.functional.pairwise_distance", |a| {
            let (x1, x2): (Tensor, Tensor) = (a.take("x1")?, a.take("x2")?);
            if a.is_empty() {
                return ok(pairwise_distance(&x1, &x2));
            }
            let options = PairwiseDistanceOptions {
                p: a.take_or("p", 2.0)?,
                eps: a.take_or("eps", 1e-6)?,
                keepdim: a.take_or("keepdim", false)?,
            };
            ok(pairwise_distance_with(&x1, &x2, &options))
        }),
        ("nn.functional.cosine_similarity", |a| {
            let (x1, x2): (Tensor, Tensor) = (a.take("x1")?, a.take("x2")?);
            let dim = a.take_or("dim", 1)?;
            if a.is_empty() {
                return ok(cosine_similarity(&x1, &x2, dim));
            }
            ok(cosine_similarity_with(&x1, &x2, dim, a.take_or("eps", 1e-8)?))
        }),
        ("nn.functional.normalize", |a| {
            let (x, p): (Tensor, Option<f64>) = (a.take("input")?, a.option("p")?);
            let dims = a.take_or("dim", Ints(vec![1]))?.dims();
            if p.is_none() && a.is_empty() {
                return ok(normalize(&x, dims.as_slice()));
            }
            ok(normalize_with(&x, dims.as_slice(), p.unwrap_or(2.0), a.take_or("eps", 1e-12)?))
        }),
    ],
    in_place: &[("renorm", |x, a| {
        let (p, dim): (f64, isize) = (a.take("p")?, a.take("dim")?);
        x.renorm_(p, dim, a.take("maxnorm")?);
        Ok(())
    })],
};
