//! Diagonals and triangles.

use super::{Arms, ok};
use crate::args::{Args, Misfit};
use rushlight::Tensor;
use rushlight::autograd::ops::{DiagEmbedOptions, DiagonalOptions};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("diag", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.diag_with(a.take_or("diagonal", 0)?))
        }),
        ("diagflat", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.diagflat_with(a.take_or("offset", 0)?))
        }),
        ("diagonal", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.diagonal_with(&diagonal(a)?))
        }),
        ("diagonal_scatter", |a| {
            let (x, source) = (a.take::<Tensor>("input")?, a.take::<Tensor>("src")?);
            ok(x.diagonal_scatter_with(&source, &diagonal(a)?))
        }),
        ("diag_embed", |a| {
            let x = a.take::<Tensor>("input")?;
            let (offset, dim1) = (a.take_or("offset", 0)?, a.take_or("dim1", -2)?);
            ok(x.diag_embed_with(&DiagEmbedOptions { offset, dim1, dim2: a.take_or("dim2", -1)? }))
        }),
        ("tril", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.tril_with(a.take_or("diagonal", 0)?))
        }),
        ("triu", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.triu_with(a.take_or("diagonal", 0)?))
        }),
    ],
    in_place: &[
        ("tril", |x, a| {
            x.tril_with_(a.take_or("diagonal", 0)?);
            Ok(())
        }),
        ("triu", |x, a| {
            x.triu_with_(a.take_or("diagonal", 0)?);
            Ok(())
        }),
    ],
};

fn diagonal(a: &mut Args) -> Result<DiagonalOptions, Misfit> {
    let (offset, dim1) = (a.take_or("offset", 0)?, a.take_or("dim1", 0)?);
    Ok(DiagonalOptions { offset, dim1, dim2: a.take_or("dim2", 1)? })
}
