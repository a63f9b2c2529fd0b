//! Reductions, scans and norms.

use super::{Arms, Out, ok};
use crate::args::{Args, Ints, Misfit, Other, Py, Take};
use rushlight::autograd::ops::linalg::NormOrder;
use rushlight::autograd::ops::{
    DiffOptions, NormOptions, Operand, cumulative_trapezoid, std_mean, std_mean_with, trapezoid, var_mean,
    var_mean_with, vector_norm, vector_norm_with,
};
use rushlight::{DType, Tensor};

/// `input, dim, keepdim`; a dim that is None means all.
struct Over {
    x: Tensor,
    dims: Option<Vec<isize>>,
    keepdim: bool,
}

fn over(a: &mut Args) -> Result<Over, Misfit> {
    let x = a.take("input")?;
    let dims = a.option::<Ints>("dim")?.map(|dims| dims.dims());
    Ok(Over { x, dims, keepdim: a.take_or("keepdim", false)? })
}

/// Sums and their kin: everything, or along dims; cast to a dtype first.
fn sum(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    along: fn(&Tensor, &[isize], bool) -> Tensor,
    all_with: fn(&Tensor, DType) -> Tensor,
    along_with: fn(&Tensor, &[isize], bool, DType) -> Tensor,
) -> Result<Out, Misfit> {
    let Over { x, dims, keepdim } = over(a)?;
    let dims = if keepdim { Some(dims.unwrap_or_default()) } else { dims };
    ok(match (dims, a.keyword("dtype")?) {
        (None, None) => all(&x),
        (None, Some(dtype)) => all_with(&x, dtype),
        (Some(dims), None) => along(&x, &dims, keepdim),
        (Some(dims), Some(dtype)) => along_with(&x, &dims, keepdim, dtype),
    })
}

/// The dims and the correction of variances; PyTorch's overloads say `unbiased`, also in the place of the dim.
fn spread(a: &mut Args) -> Result<(Tensor, Vec<isize>, Option<f64>, bool), Misfit> {
    let x = a.take("input")?;
    let mut unbiased = None;
    let mut dims = None;
    match a.peek() {
        Some(Py::Bool(_)) => unbiased = Some(a.take::<bool>("unbiased")?),
        _ => dims = a.option::<Ints>("dim")?,
    }
    if let Some(Py::Bool(_)) = a.peek() {
        unbiased = Some(a.take::<bool>("unbiased")?);
    }
    unbiased = a.keyword("unbiased")?.or(unbiased);
    let correction =
        a.keyword::<f64>("correction")?.or(unbiased.map(|unbiased| f64::from(u8::from(unbiased))));
    let keepdim = a.take_or("keepdim", false)?;
    Ok((x, dims.map(|dims| dims.dims()).unwrap_or_default(), correction, keepdim))
}

/// The largest or smallest: of everything, along a dim with places, or of two tensors.
fn extreme(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    along: fn(&Tensor, isize, bool) -> (Tensor, Tensor),
    of_two: fn(&Tensor, &Tensor) -> Tensor,
) -> Result<Out, Misfit> {
    let x: Tensor = a.take("input")?;
    if a.is_empty() {
        return ok(all(&x));
    }
    if a.has("other") || matches!(a.peek(), Some(Py::Tensor(_))) {
        return ok(of_two(&x, &a.take::<Tensor>("other")?));
    }
    let (dim, keepdim) = (a.take("dim")?, a.take_or("keepdim", false)?);
    ok(along(&x, dim, keepdim))
}

/// All or one dim, with places there.
fn middle(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    along: fn(&Tensor, isize, bool) -> (Tensor, Tensor),
) -> Result<Out, Misfit> {
    let x: Tensor = a.take("input")?;
    if a.is_empty() {
        return ok(all(&x));
    }
    let (dim, keepdim) = (a.take("dim")?, a.take_or("keepdim", false)?);
    ok(along(&x, dim, keepdim))
}

/// Places: without a dim those in the flattened tensor, whose dims may stay.
fn place(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    along: fn(&Tensor, isize, bool) -> Tensor,
) -> Result<Out, Misfit> {
    let x: Tensor = a.take("input")?;
    let (dim, keepdim) = (a.option::<isize>("dim")?, a.take_or("keepdim", false)?);
    ok(match dim {
        Some(dim) => along(&x, dim, keepdim),
        None if keepdim => all(&x).reshape(vec![1isize; x.dim()].as_slice()),
        None => all(&x),
    })
}

fn truth(
    a: &mut Args,
    all: fn(&Tensor) -> Tensor,
    along: fn(&Tensor, &[isize], bool) -> Tensor,
) -> Result<Out, Misfit> {
    let Over { x, dims, keepdim } = over(a)?;
    ok(match dims {
        Some(dims) => along(&x, &dims, keepdim),
        None if keepdim => along(&x, &(0..x.dim() as isize).collect::<Vec<_>>(), true),
        None => all(&x),
    })
}

/// The order of a norm: a number, or PyTorch's word.
impl Take for NormOrder {
    fn take(value: Py) -> Option<Self> {
        match value {
            Py::Str(word) if word == "fro" => Some(NormOrder::Fro),
            Py::Str(word) if word == "nuc" => Some(NormOrder::Nuc),
            Py::Str(word) if word == "inf" => Some(NormOrder::P(f64::INFINITY)),
            Py::None => Some(NormOrder::P(2.0)),
            value => f64::take(value).map(NormOrder::P),
        }
    }
}

fn norm(
    a: &mut Args,
    order: &str,
    call: fn(&Tensor, &NormOptions) -> Tensor,
    plain: fn(&Tensor) -> Tensor,
) -> Result<Out, Misfit> {
    let x: Tensor = a.take("input")?;
    if a.is_empty() {
        return ok(plain(&x));
    }
    let p = a.take_or(order, NormOrder::P(2.0))?;
    let dim = a.option::<Ints>("dim")?.map(|dims| dims.dims().as_slice().into());
    let keepdim = a.take_or("keepdim", false)?;
    let _ = a.option::<Py>("out")?;
    let dtype = a.option("dtype")?;
    ok(call(&x, &NormOptions { p, dim, keepdim, dtype }))
}

fn running(
    a: &mut Args,
    call: fn(&Tensor, isize) -> Tensor,
    with: fn(&Tensor, isize, DType) -> Tensor,
) -> Result<Out, Misfit> {
    let (x, dim): (Tensor, isize) = (a.take("input")?, a.take("dim")?);
    ok(match a.option("dtype")? {
        None => call(&x, dim),
        Some(dtype) => with(&x, dim, dtype),
    })
}

/// `y, x` or `y, dx`, and `dim`.
fn integral(a: &mut Args, call: fn(&Tensor, Operand<'_>, isize) -> Tensor) -> Result<Out, Misfit> {
    let y: Tensor = a.take("y")?;
    let x = match a.keyword::<Other>("dx")? {
        Some(dx) => dx,
        None => a.take_or("x", Other::Number(1.0.into()))?,
    };
    ok(call(&y, (&x).into(), a.take_or("dim", -1)?))
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("sum", |a| {
            sum(
                a,
                Tensor::sum,
                |x, d, k| x.sum_dim(d, k),
                Tensor::sum_with,
                |x, d, k, t| x.sum_dim_with(d, k, t),
            )
        }),
        ("mean", |a| {
            let with = |x: &Tensor, d: &[isize], k: bool, t: DType| x.mean_dim_with(d, k, t);
            sum(a, Tensor::mean, |x, d, k| x.mean_dim(d, k), Tensor::mean_with, with)
        }),
        ("nansum", |a| {
            let with = |x: &Tensor, d: &[isize], k: bool, t: DType| x.nansum_dim_with(d, k, t);
            sum(a, Tensor::nansum, |x, d, k| x.nansum_dim(d, k), Tensor::nansum_with, with)
        }),
        ("nanmean", |a| {
            let with = |x: &Tensor, d: &[isize], k: bool, t: DType| x.nanmean_dim_with(d, k, t);
            sum(a, Tensor::nanmean, |x, d, k| x.nanmean_dim(d, k), Tensor::nanmean_with, with)
        }),
        ("prod", |a| {
            let x: Tensor = a.take("input")?;
            let (dim, keepdim) = (a.option::<isize>("dim")?, a.take_or("keepdim", false)?);
            ok(match (dim, a.keyword("dtype")?) {
                (None, None) => x.prod(),
                (None, Some(dtype)) => x.prod_with(dtype),
                (Some(dim), None) => x.prod_dim(dim, keepdim),
                (Some(dim), Some(dtype)) => x.prod_dim_with(dim, keepdim, dtype),
            })
        }),
        ("std", |a| {
            ok(match spread(a)? {
                (x, dims, None, false) if dims.is_empty() => x.std(),
                (x, dims, None, keepdim) => x.std_dim(dims.as_slice(), keepdim),
                (x, dims, Some(correction), keepdim) => x.std_with(dims.as_slice(), correction, keepdim),
            })
        }),
        ("var", |a| {
            ok(match spread(a)? {
                (x, dims, None, false) if dims.is_empty() => x.var(),
                (x, dims, None, keepdim) => x.var_dim(dims.as_slice(), keepdim),
                (x, dims, Some(correction), keepdim) => x.var_with(dims.as_slice(), correction, keepdim),
            })
        }),
        ("std_mean", |a| {
            ok(match spread(a)? {
                (x, dims, None, false) if dims.is_empty() => std_mean(&x),
                (x, dims, correction, keepdim) => {
                    std_mean_with(&x, dims.as_slice(), correction.unwrap_or(1.0), keepdim)
                }
            })
        }),
        ("var_mean", |a| {
            ok(match spread(a)? {
                (x, dims, None, false) if dims.is_empty() => var_mean(&x),
                (x, dims, correction, keepdim) => {
                    var_mean_with(&x, dims.as_slice(), correction.unwrap_or(1.0), keepdim)
                }
            })
        }),
        ("max", |a| extreme(a, Tensor::max, Tensor::max_dim, |x, y| x.maximum(y))),
        ("min", |a| extreme(a, Tensor::min, Tensor::min_dim, |x, y| x.minimum(y))),
        ("amax", |a| {
            let Over { x, dims, keepdim } = over(a)?;
            ok(x.amax(dims.unwrap_or_default().as_slice(), keepdim))
        }),
        ("amin", |a| {
            let Over { x, dims, keepdim } = over(a)?;
            ok(x.amin(dims.unwrap_or_default().as_slice(), keepdim))
        }),
        ("aminmax", |a| {
            let x: Tensor = a.take("input")?;
            let (dim, keepdim) = (a.keyword::<isize>("dim")?, a.keyword("keepdim")?.unwrap_or(false));
            let every: Vec<isize> = (0..x.dim() as isize).collect();
            ok(match dim {
                Some(dim) => x.aminmax_dim(dim, keepdim),
                None if keepdim => (x.amin(every.as_slice(), true), x.amax(every.as_slice(), true)),
                None => x.aminmax(),
            })
        }),
        ("argmax", |a| place(a, Tensor::argmax, Tensor::argmax_dim)),
        ("argmin", |a| place(a, Tensor::argmin, Tensor::argmin_dim)),
        ("all", |a| truth(a, Tensor::all, |x, dims, keepdim| x.all_dim(dims, keepdim))),
        ("any", |a| truth(a, Tensor::any, |x, dims, keepdim| x.any_dim(dims, keepdim))),
        ("count_nonzero", |a| {
            let x: Tensor = a.take("input")?;
            ok(match a.option::<Ints>("dim")? {
                Some(dims) => x.count_nonzero_dim(dims.dims().as_slice()),
                None => x.count_nonzero(),
            })
        }),
        ("median", |a| middle(a, Tensor::median, Tensor::median_dim)),
        ("nanmedian", |a| middle(a, Tensor::nanmedian, Tensor::nanmedian_dim)),
        ("logsumexp", |a| {
            let (x, dims) = (a.take::<Tensor>("input")?, a.take::<Ints>("dim")?.dims());
            ok(x.logsumexp(dims.as_slice(), a.take_or("keepdim", false)?))
        }),
        ("norm", |a| norm(a, "p", Tensor::norm_with, Tensor::norm)),
        ("linalg.vector_norm", |a| norm(a, "ord", vector_norm_with, vector_norm)),
        ("cumsum", |a| running(a, Tensor::cumsum, Tensor::cumsum_with)),
        ("cumprod", |a| running(a, Tensor::cumprod, Tensor::cumprod_with)),
        ("logcumsumexp", |a| ok(a.take::<Tensor>("input")?.logcumsumexp(a.take("dim")?))),
        ("cummax", |a| ok(a.take::<Tensor>("input")?.cummax(a.take("dim")?))),
        ("cummin", |a| ok(a.take::<Tensor>("input")?.cummin(a.take("dim")?))),
        ("diff", |a| {
            let (x, n, dim) = (a.take::<Tensor>("input")?, a.take_or("n", 1)?, a.take_or("dim", -1)?);
            let (prepend, append) = (a.option("prepend")?, a.option("append")?);
            ok(match (n, &prepend, &append) {
                (1, None, None) => x.diff(dim),
                _ => x.diff_with(dim, &DiffOptions { n, prepend, append }),
            })
        }),
        ("trapezoid", |a| integral(a, |y, x, dim| trapezoid(y, x, dim))),
        ("cumulative_trapezoid", |a| integral(a, |y, x, dim| cumulative_trapezoid(y, x, dim))),
    ],
    in_place: &[
        ("cumsum", |x, a| {
            let dim = a.take("dim")?;
            // PyTorch's dtype here can only be that of the tensor.
            let _ = a.option::<DType>("dtype")?;
            x.cumsum_(dim);
            Ok(())
        }),
        ("cumprod", |x, a| {
            let dim = a.take("dim")?;
            let _ = a.option::<DType>("dtype")?;
            x.cumprod_(dim);
            Ok(())
        }),
    ],
};
