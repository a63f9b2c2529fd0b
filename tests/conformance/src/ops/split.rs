//! Tensors cut into pieces.

use super::{Arms, ok};
use crate::args::{Args, Misfit, Py, Take};
use rushlight::Tensor;
use rushlight::autograd::ops::Sections;

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("split", |a| {
            let x = a.take::<Tensor>("tensor")?;
            ok(x.split(sections(a, &["split_size_or_sections", "split_size"])?, a.take_or("dim", 0)?))
        }),
        ("split_with_sizes", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.split_with_sizes(a.take::<Vec<isize>>("split_sizes")?, a.take_or("dim", 0)?))
        }),
        ("chunk", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.chunk(a.take("chunks")?, a.take_or("dim", 0)?))
        }),
        ("tensor_split", |a| {
            let x = a.take::<Tensor>("input")?;
            let sections =
                sections(a, &["indices_or_sections", "sections", "indices", "tensor_indices_or_sections"])?;
            ok(x.tensor_split(sections, a.take_or("dim", 0)?))
        }),
        ("hsplit", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.hsplit(sections(a, &["indices_or_sections", "sections", "indices"])?))
        }),
        ("vsplit", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.vsplit(sections(a, &["indices_or_sections", "sections", "indices"])?))
        }),
        ("dsplit", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.dsplit(sections(a, &["indices_or_sections", "sections", "indices"])?))
        }),
        ("unbind", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.unbind(a.take_or("dim", 0)?))
        }),
    ],
    in_place: &[],
};

/// One number, several, or a tensor of them, under one of its names.
fn sections(a: &mut Args, names: &[&str]) -> Result<Sections, Misfit> {
    let name = names.iter().find(|name| a.has(name)).unwrap_or(&names[0]);
    match a.take::<Py>(name)? {
        Py::Tensor(x) => Ok(Sections::from(&x)),
        list @ (Py::List(_) | Py::Tuple(_)) => {
            Vec::<isize>::take(list).map(Sections::from).ok_or("a list of other things than integers".into())
        }
        number => isize::take(number).map(Sections::from).ok_or("neither a number nor a list".into()),
    }
}
