//! Tensors joined into one, and grids of coordinates.

use super::layout::tensors;
use super::{Arms, Out, ok};
use crate::args::{Args, Misfit};
use rushlight::autograd::ops::{
    Indexing, block_diag, cartesian_prod, cat, column_stack, combinations_with, dstack, hstack,
    meshgrid_with, stack, tril_indices_with, triu_indices_with, vstack,
};
use rushlight::{DType, Tensor};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("cat", |a| {
            let list = a.take::<Vec<Tensor>>("tensors")?;
            ok(cat(&refs(&list), a.take_or("dim", 0)?))
        }),
        ("stack", |a| {
            let list = a.take::<Vec<Tensor>>("tensors")?;
            ok(stack(&refs(&list), a.take_or("dim", 0)?))
        }),
        ("hstack", |a| joined(a, hstack)),
        ("vstack", |a| joined(a, vstack)),
        ("dstack", |a| joined(a, dstack)),
        ("column_stack", |a| joined(a, column_stack)),
        ("block_diag", |a| joined(a, block_diag)),
        ("cartesian_prod", |a| joined(a, cartesian_prod)),
        ("meshgrid", |a| {
            let list = tensors(a)?;
            let indexing = match a.keyword::<String>("indexing")?.as_deref() {
                None | Some("ij") => Indexing::Ij,
                Some("xy") => Indexing::Xy,
                Some(other) => return Err(format!("there is no indexing {other}")),
            };
            ok(meshgrid_with(&refs(&list), indexing))
        }),
        ("combinations", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(combinations_with(&x, a.take_or("r", 2)?, a.take_or("with_replacement", false)?))
        }),
        ("tril_indices", |a| indices(a, tril_indices_with)),
        ("triu_indices", |a| indices(a, triu_indices_with)),
    ],
    in_place: &[],
};

fn refs(list: &[Tensor]) -> Vec<&Tensor> {
    list.iter().collect()
}

fn joined(a: &mut Args, f: fn(&[&Tensor]) -> Tensor) -> Result<Out, Misfit> {
    let list = tensors(a)?;
    ok(f(&refs(&list)))
}

fn indices(a: &mut Args, f: fn(usize, usize, isize) -> Tensor) -> Result<Out, Misfit> {
    let indices = f(a.take("row")?, a.take("col")?, a.take_or("offset", 0)?);
    match a.keyword::<DType>("dtype")? {
        Some(dtype) if !dtype.is_int() => Err(format!("indices cannot be {dtype:?}")),
        Some(dtype) => ok(indices.to(dtype)),
        None => ok(indices),
    }
}
