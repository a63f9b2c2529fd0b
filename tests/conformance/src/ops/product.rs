//! Products of vectors, matrices and tensors.

use super::{Arms, Call, InPlace, Out, ok};
use crate::args::{Args, Misfit, Py, Take};
use rushlight::Tensor;
use rushlight::array::Scalar;
use rushlight::autograd::ops::{Contraction, bilinear, einsum, linear, tensordot};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("matmul", |a| ok(a.take::<Tensor>("input")?.matmul(&a.take("other")?))),
        ("__rmatmul__", |a| {
            let (x, other) = (a.take::<Tensor>("input")?, a.take::<Tensor>("other")?);
            ok(other.matmul(&x))
        }),
        ("mm", |a| ok(a.take::<Tensor>("input")?.mm(&a.take("mat2")?))),
        ("bmm", |a| ok(a.take::<Tensor>("input")?.bmm(&a.take("mat2")?))),
        ("mv", |a| ok(a.take::<Tensor>("input")?.mv(&a.take("vec")?))),
        ("dot", |a| {
            let x = a.take::<Tensor>("input")?;
            let name = if a.has("tensor") { "tensor" } else { "other" };
            ok(x.dot(&a.take(name)?))
        }),
        ("vdot", |a| ok(a.take::<Tensor>("input")?.vdot(&a.take("other")?))),
        ("inner", |a| ok(a.take::<Tensor>("input")?.inner(&a.take("other")?))),
        ("outer", |a| ok(a.take::<Tensor>("input")?.outer(&a.take("vec2")?))),
        ("ger", |a| ok(a.take::<Tensor>("input")?.outer(&a.take("vec2")?))),
        ("kron", |a| ok(a.take::<Tensor>("input")?.kron(&a.take("other")?))),
        ("trace", |a| ok(a.take::<Tensor>("input")?.trace())),
        ("cross", |a| {
            let (x, other) = (a.take::<Tensor>("input")?, a.take::<Tensor>("other")?);
            ok(match a.option::<isize>("dim")? {
                Some(dim) => x.cross_dim(&other, dim),
                None => x.cross(&other),
            })
        }),
        ("tensordot", |a| {
            let (x, y) = (a.take::<Tensor>("a")?, a.take::<Tensor>("b")?);
            ok(tensordot(&x, &y, contraction(a.take_or("dims", Py::Int(2))?)?))
        }),
        ("einsum", einsum_call),
        ("addmm", ADDMM),
        ("addmv", ADDMV),
        ("addr", ADDR),
        ("addbmm", ADDBMM),
        ("baddbmm", BADDBMM),
        ("nn.functional.linear", |a| {
            let (x, weight) = (a.take::<Tensor>("input")?, a.take::<Tensor>("weight")?);
            ok(linear(&x, &weight, a.option::<Tensor>("bias")?.as_ref()))
        }),
        ("nn.functional.bilinear", |a| {
            let (x, y) = (a.take::<Tensor>("input1")?, a.take::<Tensor>("input2")?);
            let weight = a.take::<Tensor>("weight")?;
            ok(bilinear(&x, &y, &weight, a.option::<Tensor>("bias")?.as_ref()))
        }),
    ],
    in_place: &[
        ("addmm", IN_PLACE_ADDMM),
        ("addmv", IN_PLACE_ADDMV),
        ("addr", IN_PLACE_ADDR),
        ("addbmm", IN_PLACE_ADDBMM),
        ("baddbmm", IN_PLACE_BADDBMM),
    ],
};

/// The arms of `beta input + alpha (a b)`, and of its form in place.
macro_rules! add_product {
    ($call:ident, $in_place:ident, $with:ident, $with_in_place:ident, $first:literal, $second:literal) => {
        const $call: Call = |a| {
            let x = a.take::<Tensor>("input")?;
            let (first, second) = (a.take::<Tensor>($first)?, a.take::<Tensor>($second)?);
            let (beta, alpha) = factors(a)?;
            ok(x.$with(&first, &second, beta, alpha))
        };
        const $in_place: InPlace = |x, a| {
            let (first, second) = (a.take::<Tensor>($first)?, a.take::<Tensor>($second)?);
            let (beta, alpha) = factors(a)?;
            x.$with_in_place(&first, &second, beta, alpha);
            Ok(())
        };
    };
}
add_product!(ADDMM, IN_PLACE_ADDMM, addmm_with, addmm_with_, "mat1", "mat2");
add_product!(ADDMV, IN_PLACE_ADDMV, addmv_with, addmv_with_, "mat", "vec");
add_product!(ADDR, IN_PLACE_ADDR, addr_with, addr_with_, "vec1", "vec2");
add_product!(ADDBMM, IN_PLACE_ADDBMM, addbmm_with, addbmm_with_, "batch1", "batch2");
add_product!(BADDBMM, IN_PLACE_BADDBMM, baddbmm_with, baddbmm_with_, "batch1", "batch2");

fn factors(a: &mut Args) -> Result<(Scalar, Scalar), Misfit> {
    let one = Scalar::Int(1);
    Ok((a.keyword("beta")?.unwrap_or(one), a.keyword("alpha")?.unwrap_or(one)))
}

fn contraction(dims: Py) -> Result<Contraction, Misfit> {
    let list = |dims: Py| -> Result<Vec<isize>, Misfit> {
        match dims {
            Py::Int(dim) => Ok(vec![dim as isize]),
            dims => Vec::take(dims).ok_or_else(|| "dims are not integers".to_string()),
        }
    };
    match dims {
        Py::Int(count) => {
            usize::try_from(count).map(Contraction::Count).map_err(|_| format!("dims is {count}"))
        }
        Py::List(pair) | Py::Tuple(pair) => match <[Py; 2]>::try_from(pair) {
            Ok([left, right]) => Ok(Contraction::Dims(list(left)?, list(right)?)),
            Err(pair) => Err(format!("dims must be two lists, not {pair:?}")),
        },
        dims => Err(format!("dims are {dims:?}")),
    }
}

/// The equation and the operands in any order, or, without an equation, each operand followed by a list of numbers.
fn einsum_call(a: &mut Args) -> Result<Out, Misfit> {
    let (mut equation, mut operands, mut lists) = (None, Vec::new(), Vec::new());
    if a.has("equation") {
        equation = a.keyword::<String>("equation")?;
    }
    while a.positional() > 0 || a.has("operands") {
        match a.take::<Py>("operands")? {
            Py::Str(text) => equation = Some(text),
            Py::Tensor(x) => operands.push(x),
            Py::List(items) | Py::Tuple(items) => match Vec::<Tensor>::take(Py::List(items.clone())) {
                Some(tensors) if !tensors.is_empty() => operands.extend(tensors),
                _ => lists.push(labels(&items)?),
            },
            other => return Err(format!("einsum of {other:?}")),
        }
    }
    let equation = equation.unwrap_or_else(|| {
        let output = if lists.len() > operands.len() { lists.pop() } else { None };
        let inputs = lists.join(",");
        output.map_or(inputs.clone(), |output| format!("{inputs}->{output}"))
    });
    ok(einsum(&equation, &operands.iter().collect::<Vec<_>>()))
}

/// Numbers as letters: capitals first, as PyTorch has them.
fn labels(items: &[Py]) -> Result<String, Misfit> {
    let letter = |item: &Py| match item {
        Py::Int(n @ 0..26) => Ok(char::from(b'A' + *n as u8).to_string()),
        Py::Int(n @ 26..52) => Ok(char::from(b'a' + (*n - 26) as u8).to_string()),
        Py::Ellipsis => Ok("...".to_string()),
        other => Err(format!("{other:?} is no label")),
    };
    items.iter().map(letter).collect()
}
