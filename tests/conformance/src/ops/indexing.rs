//! Picking and placing by index, masks, and embeddings.

use super::{Arms, Out, ok};
use crate::args::{Args, Misfit, Other, Py};
use rushlight::array::{Index, Indices, Scalar};
use rushlight::autograd::ops::{
    EmbeddingBagMode, EmbeddingBagOptions, EmbeddingOptions, ScatterReduce, embedding_bag_with,
    embedding_with, one_hot, one_hot_with,
};
use rushlight::{DType, Tensor};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("__getitem__", |a| {
            let x = a.take::<Tensor>("self")?;
            ok(x.get(indices(a.take("index")?)?))
        }),
        ("__setitem__", |a| {
            let x = a.take::<Tensor>("self")?;
            let at = indices(a.take("index")?)?;
            ok(x.set_at(at, &a.take::<Other>("value")?))
        }),
        ("index_select", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.index_select(a.take("dim")?, &a.take("index")?))
        }),
        ("gather", |a| {
            let x = a.take::<Tensor>("input")?;
            let (dim, index) = (a.take("dim")?, a.take("index")?);
            dense(a, "sparse_grad")?;
            ok(x.gather(dim, &index))
        }),
        ("take", |a| ok(a.take::<Tensor>("input")?.take(&a.take("index")?))),
        ("take_along_dim", |a| {
            let x = a.take::<Tensor>("input")?;
            let index = a.take("indices")?;
            ok(x.take_along_dim(&index, a.option("dim")?))
        }),
        ("masked_select", |a| ok(a.take::<Tensor>("input")?.masked_select(&a.take("mask")?))),
        ("nonzero", |a| {
            let x = a.take::<Tensor>("input")?;
            match a.keyword::<bool>("as_tuple")? {
                Some(true) => ok(x.nonzero_as_tuple()),
                _ => ok(x.nonzero()),
            }
        }),
        ("argwhere", |a| ok(a.take::<Tensor>("input")?.argwhere())),
        ("index_add", |a| out_of_place(a, index_add)),
        ("index_copy", |a| out_of_place(a, index_copy)),
        ("index_fill", |a| out_of_place(a, index_fill)),
        ("index_put", |a| out_of_place(a, index_put)),
        ("index_reduce", |a| out_of_place(a, index_reduce)),
        ("scatter", |a| out_of_place(a, scatter)),
        ("scatter_add", |a| out_of_place(a, scatter_add)),
        ("scatter_reduce", |a| out_of_place(a, scatter_reduce)),
        ("put", |a| out_of_place(a, put)),
        ("masked_fill", |a| out_of_place(a, masked_fill)),
        ("masked_scatter", |a| out_of_place(a, masked_scatter)),
        ("nn.functional.embedding", embedding),
        ("nn.functional.embedding_bag", embedding_bag),
        ("nn.functional.one_hot", |a| {
            let x = a.take::<Tensor>("tensor")?;
            match a.take_or("num_classes", -1i64)? {
                -1 => ok(one_hot(&x)),
                classes => ok(one_hot_with(&x, usize::try_from(classes).map_err(|e| e.to_string())?)),
            }
        }),
    ],
    in_place: &[
        ("index_add", |x, a| in_place(x, a, index_add)),
        ("index_copy", |x, a| in_place(x, a, index_copy)),
        ("index_fill", |x, a| in_place(x, a, index_fill)),
        ("index_put", |x, a| in_place(x, a, index_put)),
        ("index_reduce", |x, a| in_place(x, a, index_reduce)),
        ("scatter", |x, a| in_place(x, a, scatter)),
        ("scatter_add", |x, a| in_place(x, a, scatter_add)),
        ("scatter_reduce", |x, a| in_place(x, a, scatter_reduce)),
        ("put", |x, a| in_place(x, a, put)),
        ("masked_fill", |x, a| in_place(x, a, masked_fill)),
        ("masked_scatter", |x, a| in_place(x, a, masked_scatter)),
    ],
};

/// A tensor that a call reads, or changes in place.
enum Place<'a> {
    Read(Tensor),
    Change(&'a mut Tensor),
}

/// What a form that makes a new tensor gives; the form in place gives nothing.
type Given = Result<Option<Tensor>, Misfit>;

/// Calls the form of a method that a place asks for.
macro_rules! at {
    ($place:expr, $plain:ident, $in_place:ident, ($($arg:expr),*)) => {
        match $place {
            Place::Read(x) => Ok(Some(x.$plain($($arg),*))),
            Place::Change(x) => {
                x.$in_place($($arg),*);
                Ok(None)
            }
        }
    };
}

fn out_of_place(a: &mut Args, call: fn(Place<'_>, &mut Args) -> Given) -> Result<Out, Misfit> {
    let x = a.take("input")?;
    ok(call(Place::Read(x), a)?.expect("a new tensor"))
}

fn in_place(x: &mut Tensor, a: &mut Args, call: fn(Place<'_>, &mut Args) -> Given) -> Result<(), Misfit> {
    call(Place::Change(x), a).map(|_| ())
}

fn index_add(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index, source) = (a.take("dim")?, a.take::<Tensor>("index")?, a.take::<Tensor>("source")?);
    match a.keyword::<Scalar>("alpha")? {
        None => at!(x, index_add, index_add_, (dim, &index, &source)),
        Some(alpha) => at!(x, index_add_with, index_add_with_, (dim, &index, &source, alpha)),
    }
}

fn index_copy(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index, source) = (a.take("dim")?, a.take::<Tensor>("index")?, a.take::<Tensor>("source")?);
    at!(x, index_copy, index_copy_, (dim, &index, &source))
}

fn index_fill(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index, value) = (a.take("dim")?, a.take::<Tensor>("index")?, a.take::<Other>("value")?);
    at!(x, index_fill, index_fill_, (dim, &index, &value))
}

fn index_put(x: Place<'_>, a: &mut Args) -> Given {
    let list = match a.take("indices")? {
        Py::List(items) | Py::Tuple(items) => items,
        other => return Err(format!("`indices` is no list: {other:?}")),
    };
    let list = indices(Py::Tuple(list))?;
    let values = a.take::<Tensor>("values")?;
    match a.take_or("accumulate", false)? {
        false => at!(x, index_put, index_put_, (&list, &values)),
        accumulate => at!(x, index_put_with, index_put_with_, (&list, &values, accumulate)),
    }
}

fn index_reduce(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index, source) = (a.take("dim")?, a.take::<Tensor>("index")?, a.take::<Tensor>("source")?);
    let reduce = reduction(&a.take::<String>("reduce")?)?;
    if reduce == ScatterReduce::Sum {
        return Err("index_reduce knows no sum in PyTorch".to_string());
    }
    match a.keyword("include_self")? {
        None => at!(x, index_reduce, index_reduce_, (dim, &index, &source, reduce)),
        Some(own) => at!(x, index_reduce_with, index_reduce_with_, (dim, &index, &source, reduce, own)),
    }
}

fn scatter(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index) = (a.take("dim")?, a.take::<Tensor>("index")?);
    let source = a.take::<Other>(if a.has("value") { "value" } else { "src" })?;
    let reduce = match a.keyword::<String>("reduce")?.as_deref() {
        None => return at!(x, scatter, scatter_, (dim, &index, &source)),
        Some("add") => ScatterReduce::Sum,
        Some("multiply") => ScatterReduce::Prod,
        Some(other) => return Err(format!("scatter: there is no reduce='{other}'")),
    };
    at!(x, scatter_with, scatter_with_, (dim, &index, &source, reduce))
}

fn scatter_add(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index, source) = (a.take("dim")?, a.take::<Tensor>("index")?, a.take::<Tensor>("src")?);
    at!(x, scatter_add, scatter_add_, (dim, &index, &source))
}

fn scatter_reduce(x: Place<'_>, a: &mut Args) -> Given {
    let (dim, index, source) = (a.take("dim")?, a.take::<Tensor>("index")?, a.take::<Tensor>("src")?);
    let reduce = reduction(&a.take::<String>("reduce")?)?;
    match a.keyword("include_self")? {
        None => at!(x, scatter_reduce, scatter_reduce_, (dim, &index, &source, reduce)),
        Some(own) => at!(x, scatter_reduce_with, scatter_reduce_with_, (dim, &index, &source, reduce, own)),
    }
}

fn put(x: Place<'_>, a: &mut Args) -> Given {
    let (index, source) = (a.take::<Tensor>("index")?, a.take::<Tensor>("source")?);
    match a.take_or("accumulate", false)? {
        false => at!(x, put, put_, (&index, &source)),
        accumulate => at!(x, put_with, put_with_, (&index, &source, accumulate)),
    }
}

fn masked_fill(x: Place<'_>, a: &mut Args) -> Given {
    let (mask, value) = (a.take::<Tensor>("mask")?, a.take::<Other>("value")?);
    at!(x, masked_fill, masked_fill_, (&mask, &value))
}

fn masked_scatter(x: Place<'_>, a: &mut Args) -> Given {
    let (mask, source) = (a.take::<Tensor>("mask")?, a.take::<Tensor>("source")?);
    at!(x, masked_scatter, masked_scatter_, (&mask, &source))
}

fn reduction(name: &str) -> Result<ScatterReduce, Misfit> {
    Ok(match name {
        "sum" => ScatterReduce::Sum,
        "prod" => ScatterReduce::Prod,
        "mean" => ScatterReduce::Mean,
        "amax" => ScatterReduce::Amax,
        "amin" => ScatterReduce::Amin,
        other => return Err(format!("there is no reduce='{other}'")),
    })
}

/// Takes an argument that asks for sparse gradients. Here they are always dense, with the same values.
fn dense(a: &mut Args, name: &str) -> Result<(), Misfit> {
    a.keyword::<bool>(name).map(|_| ())
}

/// Numbers and weight, in either order: PyTorch's own samples call these functions with the weight first.
fn numbers_and_weight(a: &mut Args) -> Result<(Tensor, Tensor), Misfit> {
    let (first, second) = (a.take::<Tensor>("input")?, a.take::<Tensor>("weight")?);
    Ok(if first.dtype().is_float() && second.dtype().is_int() { (second, first) } else { (first, second) })
}

fn embedding(a: &mut Args) -> Result<Out, Misfit> {
    let (input, weight) = numbers_and_weight(a)?;
    let options = EmbeddingOptions {
        padding_idx: a.option("padding_idx")?,
        max_norm: a.option("max_norm")?,
        norm_type: a.take_or("norm_type", 2.0)?,
        scale_grad_by_freq: a.take_or("scale_grad_by_freq", false)?,
    };
    a.take_or("sparse", false)?;
    ok(embedding_with(&input, &weight, &options))
}

fn embedding_bag(a: &mut Args) -> Result<Out, Misfit> {
    let (input, weight) = numbers_and_weight(a)?;
    let offsets = a.option::<Tensor>("offsets")?;
    let (max_norm, norm_type) = (a.option("max_norm")?, a.take_or("norm_type", 2.0)?);
    let scale_grad_by_freq = a.take_or("scale_grad_by_freq", false)?;
    let mode = match a.take_or("mode", "mean".to_string())?.as_str() {
        "sum" => EmbeddingBagMode::Sum,
        "mean" => EmbeddingBagMode::Mean,
        "max" => EmbeddingBagMode::Max,
        other => return Err(format!("embedding_bag: there is no mode='{other}'")),
    };
    a.take_or("sparse", false)?;
    let options = EmbeddingBagOptions {
        max_norm,
        norm_type,
        scale_grad_by_freq,
        mode,
        per_sample_weights: a.option("per_sample_weights")?,
        include_last_offset: a.take_or("include_last_offset", false)?,
        padding_idx: a.option("padding_idx")?,
    };
    ok(embedding_bag_with(&input, &weight, offsets.as_ref(), &options))
}

/// What stands between brackets: a tuple is one index a dim.
fn indices(py: Py) -> Result<Indices, Misfit> {
    let list = match py {
        Py::Tuple(items) => items,
        one => vec![one],
    };
    Ok(list.into_iter().map(index).collect::<Result<Vec<Index>, Misfit>>()?.into())
}

fn index(py: Py) -> Result<Index, Misfit> {
    let place = |x: i64| isize::try_from(x).map_err(|e| e.to_string());
    Ok(match py {
        Py::Int(at) => Index::At(place(at)?),
        Py::Bool(flag) => Index::Bool(flag),
        Py::None => Index::NewAxis,
        Py::Ellipsis => Index::Ellipsis,
        Py::Slice([start, end, step]) => Index::Slice {
            start: place(start.unwrap_or(0))?,
            end: end.map(place).transpose()?,
            step: usize::try_from(step.unwrap_or(1)).map_err(|e| e.to_string())?,
        },
        Py::Tensor(x) => Index::from(&x),
        list @ (Py::List(_) | Py::Tuple(_)) => Index::from(&nested(&list)?),
        other => return Err(format!("no index: {other:?}")),
    })
}

/// A list of places or flags, which may hold lists.
fn nested(py: &Py) -> Result<Tensor, Misfit> {
    match py {
        Py::Int(x) => Ok(Tensor::from_vec(vec![*x], [])),
        Py::Bool(x) => Ok(Tensor::from_vec(vec![*x], [])),
        Py::Tensor(x) => Ok(x.detach()),
        Py::List(items) | Py::Tuple(items) if items.is_empty() => {
            Ok(Tensor::from_vec(Vec::<i64>::new(), [0]))
        }
        Py::List(items) | Py::Tuple(items) => {
            let rows = items.iter().map(nested).collect::<Result<Vec<_>, Misfit>>()?;
            if rows.iter().any(|row| row.dtype() == DType::F32 || row.shape() != rows[0].shape()) {
                return Err(format!("no index: {py:?}"));
            }
            Ok(Tensor::stack(&rows.iter().collect::<Vec<_>>(), 0))
        }
        other => Err(format!("no index: {other:?}")),
    }
}
