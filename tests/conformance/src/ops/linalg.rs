//! Linear algebra.

use super::{Arms, Call, Out, ok};
use crate::args::{Args, Ints, Misfit, Py};
use rushlight::autograd::ops::linalg::{self, NormOptions, NormOrder, QrMode};
use rushlight::{DType, Tensor};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("linalg.cholesky", |a| {
            let x = a.take::<Tensor>("A")?;
            ok(linalg::cholesky_with(&x, a.keyword("upper")?.unwrap_or(false)))
        }),
        ("cholesky", |a| ok(a.take::<Tensor>("input")?.cholesky_with(a.take_or("upper", false)?))),
        ("cholesky_inverse", |a| {
            ok(a.take::<Tensor>("input")?.cholesky_inverse_with(a.take_or("upper", false)?))
        }),
        ("cholesky_solve", |a| {
            let b = a.take::<Tensor>("B")?;
            let factor = a.take::<Tensor>(if a.has("input2") { "input2" } else { "L" })?;
            ok(b.cholesky_solve_with(&factor, a.take_or("upper", false)?))
        }),
        ("linalg.det", |a| ok(linalg::det(&a.take("A")?))),
        ("det", |a| ok(a.take::<Tensor>("input")?.det())),
        ("linalg.slogdet", |a| ok(linalg::slogdet(&a.take("A")?))),
        ("slogdet", |a| ok(a.take::<Tensor>("input")?.slogdet())),
        ("logdet", |a| ok(a.take::<Tensor>("input")?.logdet())),
        ("linalg.inv", |a| ok(linalg::inv(&a.take("A")?))),
        ("inverse", |a| ok(a.take::<Tensor>("input")?.inverse())),
        ("linalg.inv_ex", |a| {
            let x = a.take::<Tensor>("A")?;
            if a.keyword("check_errors")?.unwrap_or(false) {
                linalg::inv(&x);
            }
            ok(linalg::inv_ex(&x))
        }),
        ("linalg.solve", |a| {
            let (x, b) = (a.take::<Tensor>("A")?, a.take::<Tensor>("B")?);
            ok(linalg::solve_with(&x, &b, a.keyword("left")?.unwrap_or(true)))
        }),
        ("linalg.solve_triangular", |a| {
            let (x, b) = (a.take::<Tensor>("A")?, a.take::<Tensor>("B")?);
            let upper = a.keyword("upper")?.ok_or("the argument `upper` is missing")?;
            let (left, unit) =
                (a.keyword("left")?.unwrap_or(true), a.keyword("unitriangular")?.unwrap_or(false));
            ok(linalg::solve_triangular_with(&x, &b, upper, left, unit))
        }),
        ("linalg.matrix_power", MATRIX_POWER),
        ("matrix_power", MATRIX_POWER),
        ("linalg.multi_dot", |a| {
            let tensors = a.take::<Vec<Tensor>>("tensors")?;
            ok(linalg::multi_dot(&tensors.iter().collect::<Vec<_>>()))
        }),
        ("linalg.cross", |a| {
            let (x, other) = (a.take::<Tensor>("input")?, a.take::<Tensor>("other")?);
            ok(linalg::cross(&x, &other, a.keyword("dim")?.unwrap_or(-1)))
        }),
        ("linalg.norm", norm),
        ("linalg.matrix_norm", |a| {
            let (x, ord) = (a.take::<Tensor>("A")?, order(a.take_or("ord", Py::Str("fro".to_string()))?)?);
            let dims = a.take_or("dim", Ints(vec![-2, -1]))?.dims();
            let keepdim = a.take_or("keepdim", false)?;
            let x = a.keyword::<DType>("dtype")?.map_or(x.clone(), |dtype| x.to(dtype));
            let dims = <[isize; 2]>::try_from(dims).map_err(|dims| format!("two dims, not {dims:?}"))?;
            ok(linalg::matrix_norm_with(&x, ord.unwrap_or(NormOrder::Fro), dims, keepdim))
        }),
        ("linalg.qr", |a| {
            let x = a.take::<Tensor>("A")?;
            let mode = match a.take_or("mode", "reduced".to_string())?.as_str() {
                "reduced" => QrMode::Reduced,
                "complete" => QrMode::Complete,
                "r" => QrMode::R,
                other => return Err(format!("there is no mode {other}")),
            };
            ok(linalg::qr_with(&x, mode))
        }),
        ("linalg.svdvals", |a| ok(linalg::svdvals(&a.take("A")?))),
        ("linalg.eigvalsh", |a| {
            let x = a.take::<Tensor>("A")?;
            ok(linalg::eigvalsh_with(&x, a.take_or("UPLO", "L".to_string())?.eq_ignore_ascii_case("u")))
        }),
    ],
    in_place: &[],
};

const MATRIX_POWER: Call = |a| {
    let x = a.take::<Tensor>(if a.has("A") { "A" } else { "input" })?;
    ok(linalg::matrix_power(&x, a.take("n")?))
};

fn norm(a: &mut Args) -> Result<Out, Misfit> {
    let x = a.take::<Tensor>("A")?;
    let ord = order(a.take_or("ord", Py::None)?)?;
    let dim = a.option::<Ints>("dim")?.map(|dims| dims.dims());
    let keepdim = a.take_or("keepdim", false)?;
    let dtype = a.keyword("dtype")?;
    ok(linalg::norm_with(&x, &NormOptions { ord, dim, keepdim, dtype }))
}

fn order(ord: Py) -> Result<Option<NormOrder>, Misfit> {
    Ok(Some(match ord {
        Py::None => return Ok(None),
        Py::Int(p) => NormOrder::P(p as f64),
        Py::Float(p) => NormOrder::P(p),
        Py::Bool(p) => NormOrder::P(f64::from(u8::from(p))),
        Py::Str(text) => match text.as_str() {
            "fro" => NormOrder::Fro,
            "nuc" => NormOrder::Nuc,
            other => return Err(format!("there is no norm {other}")),
        },
        other => return Err(format!("there is no norm {other:?}")),
    }))
}
