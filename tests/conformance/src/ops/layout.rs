//! Shapes and views.

use super::{Arms, Out, ok};
use crate::args::{Args, Ints, Misfit, Py, Take};
use rushlight::Tensor;
use rushlight::autograd::ops::{
    SliceScatterOptions, Start, atleast_1d, atleast_2d, atleast_3d, broadcast_tensors,
};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("reshape", |a| ok(input(a)?.reshape(signed(a, "shape")?))),
        ("view", |a| ok(input(a)?.view(signed(a, "size")?))),
        ("view_as", |a| ok(input(a)?.view_as(&a.take::<Tensor>("other")?))),
        ("reshape_as", |a| ok(input(a)?.reshape_as(&a.take::<Tensor>("other")?))),
        ("flatten", |a| {
            let x = input(a)?;
            ok(x.flatten(a.take_or("start_dim", 0)?, a.take_or("end_dim", -1)?))
        }),
        ("unflatten", |a| {
            let x = input(a)?;
            ok(x.unflatten(a.take("dim")?, signed(a, "sizes")?))
        }),
        ("ravel", |a| ok(input(a)?.ravel())),
        ("squeeze", |a| {
            let x = input(a)?;
            ok(if a.is_empty() { x.squeeze() } else { x.squeeze_dim(a.take::<Ints>("dim")?.dims()) })
        }),
        ("unsqueeze", |a| ok(input(a)?.unsqueeze(a.take("dim")?))),
        ("permute", |a| ok(input(a)?.permute(signed(a, "dims")?))),
        ("transpose", |a| {
            let x = input(a)?;
            ok(x.transpose(a.take("dim0")?, a.take("dim1")?))
        }),
        ("t", |a| ok(input(a)?.t())),
        ("T", |a| ok(input(a)?.T())),
        ("mT", |a| ok(input(a)?.mT())),
        ("H", |a| ok(input(a)?.H())),
        ("mH", |a| ok(input(a)?.mH())),
        ("movedim", |a| {
            let x = input(a)?;
            ok(x.movedim(a.take::<Ints>("source")?.dims(), a.take::<Ints>("destination")?.dims()))
        }),
        ("expand", |a| {
            let x = input(a)?;
            a.keyword::<Py>("implicit")?;
            ok(x.expand(signed(a, "size")?))
        }),
        ("expand_as", |a| ok(input(a)?.expand_as(&a.take::<Tensor>("other")?))),
        ("broadcast_to", |a| ok(input(a)?.broadcast_to(signed(a, "size")?))),
        ("broadcast_tensors", |a| {
            let list = tensors(a)?;
            ok(broadcast_tensors(&list.iter().collect::<Vec<_>>()))
        }),
        ("contiguous", |a| {
            let x = input(a)?;
            a.option::<Py>("memory_format")?;
            ok(x.contiguous())
        }),
        ("clone", |a| {
            let x = input(a)?;
            a.option::<Py>("memory_format")?;
            ok(x.copy())
        }),
        ("narrow", |a| {
            let (x, dim) = (input(a)?, a.take("dim")?);
            let start = match a.take::<Py>("start")? {
                Py::Tensor(start) => Start::from(&start),
                start => Start::from(isize::take(start).ok_or("`start` is no number")?),
            };
            ok(x.narrow(dim, start, a.take("length")?))
        }),
        ("select", |a| {
            let x = input(a)?;
            ok(x.select(a.take("dim")?, a.take("index")?))
        }),
        ("select_scatter", |a| {
            let (x, source) = (input(a)?, a.take::<Tensor>("src")?);
            ok(x.select_scatter(&source, a.take("dim")?, a.take("index")?))
        }),
        ("slice_scatter", |a| {
            let (x, source) = (input(a)?, a.take::<Tensor>("src")?);
            let dim = a.take_or("dim", 0)?;
            let (start, end) = (a.option("start")?, a.option("end")?);
            let options = SliceScatterOptions { start, end, step: a.take_or("step", 1)? };
            ok(x.slice_scatter_with(&source, dim, &options))
        }),
        ("unfold", |a| {
            let x = input(a)?;
            ok(x.unfold(a.take("dimension")?, a.take("size")?, a.take("step")?))
        }),
        ("as_strided", |a| {
            let x = input(a)?;
            let (size, stride) = (sizes(a, "size")?, sizes(a, "stride")?);
            ok(match a.option("storage_offset")? {
                Some(offset) => x.as_strided_with(size.as_slice(), &stride, offset),
                None => x.as_strided(size.as_slice(), &stride),
            })
        }),
        ("as_strided_scatter", |a| {
            let (x, source) = (input(a)?, a.take::<Tensor>("src")?);
            let (size, stride) = (sizes(a, "size")?, sizes(a, "stride")?);
            ok(match a.option("storage_offset")? {
                Some(offset) => x.as_strided_scatter_with(&source, size.as_slice(), &stride, offset),
                None => x.as_strided_scatter(&source, size.as_slice(), &stride),
            })
        }),
        ("atleast_1d", |a| each(a, atleast_1d)),
        ("atleast_2d", |a| each(a, atleast_2d)),
        ("atleast_3d", |a| each(a, atleast_3d)),
    ],
    in_place: &[
        ("squeeze", |x, a| {
            if a.is_empty() {
                x.squeeze_();
            } else {
                x.squeeze_dim_(a.take::<Ints>("dim")?.dims());
            }
            Ok(())
        }),
        ("unsqueeze", |x, a| {
            x.unsqueeze_(a.take("dim")?);
            Ok(())
        }),
        ("transpose", |x, a| {
            x.transpose_(a.take("dim0")?, a.take("dim1")?);
            Ok(())
        }),
        ("t", |x, _| {
            x.t_();
            Ok(())
        }),
        ("as_strided", |x, a| {
            let (size, stride) = (sizes(a, "size")?, sizes(a, "stride")?);
            match a.option("storage_offset")? {
                Some(offset) => x.as_strided_with_(size.as_slice(), &stride, offset),
                None => x.as_strided_(size.as_slice(), &stride),
            };
            Ok(())
        }),
    ],
};

fn input(a: &mut Args) -> Result<Tensor, Misfit> {
    a.take("input")
}

/// A list of sizes or dims, which may be negative: in a list of its own or not.
fn signed(a: &mut Args, name: &str) -> Result<Vec<isize>, Misfit> {
    Ok(Ints(a.ints(name)?).dims())
}

/// A list of numbers that cannot be negative.
fn sizes(a: &mut Args, name: &str) -> Result<Vec<usize>, Misfit> {
    a.take(name)
}

/// Tensors: each an argument, or all in one list.
pub(super) fn tensors(a: &mut Args) -> Result<Vec<Tensor>, Misfit> {
    if let Some(Py::List(_) | Py::Tuple(_)) = a.peek() {
        return a.take("tensors");
    }
    let mut list = Vec::new();
    while a.positional() > 0 {
        list.push(a.take("tensors")?);
    }
    if a.has("tensors") { a.take("tensors") } else { Ok(list) }
}

/// A function of one tensor, or of each in a list.
fn each(a: &mut Args, f: fn(&Tensor) -> Tensor) -> Result<Out, Misfit> {
    let list = tensors(a)?;
    ok(list.iter().map(f).collect::<Vec<Tensor>>())
}
