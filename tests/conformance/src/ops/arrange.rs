//! The same elements in other places, several times, or with a border.

use super::{Arms, ok};
use crate::args::{Args, Ints, Misfit, Other, Py, Take};
use rushlight::array::Scalar;
use rushlight::autograd::ops::{
    PadMode, channel_shuffle, constant_pad_nd, pad_with, pixel_shuffle, pixel_unshuffle,
};
use rushlight::{Tensor, arange};

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("flip", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.flip(Ints(a.ints("dims")?).dims()))
        }),
        ("fliplr", |a| ok(a.take::<Tensor>("input")?.fliplr())),
        ("flipud", |a| ok(a.take::<Tensor>("input")?.flipud())),
        ("roll", |a| {
            let x = a.take::<Tensor>("input")?;
            let shifts = a.take::<Ints>("shifts")?.dims();
            let dims = a.option::<Ints>("dims")?.map(|dims| dims.dims()).unwrap_or_default();
            ok(match (shifts.as_slice(), dims.as_slice()) {
                (&[shift], []) => x.roll(shift),
                _ => x.roll_dim(shifts, dims),
            })
        }),
        ("rot90", |a| {
            let x = a.take::<Tensor>("input")?;
            let k = a.take_or("k", 1)?;
            ok(x.rot90(k, a.take_or("dims", Ints(vec![0, 1]))?.dims()))
        }),
        ("repeat", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.repeat(counts(a, "repeats")?.as_slice()))
        }),
        ("tile", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(x.tile(counts(a, "dims")?.as_slice()))
        }),
        ("repeat_interleave", |a| {
            let x = a.take::<Tensor>("input")?;
            if a.positional() == 0 && !a.has("repeats") {
                // One tensor alone says how often each place is named.
                return ok(arange(0, x.numel() as i64, 1).repeat_interleave_dim(&x, 0));
            }
            let (repeats, dim) = (a.take::<Other>("repeats")?, a.option("dim")?);
            let y = match dim {
                Some(dim) => x.repeat_interleave_dim(&repeats, dim),
                None => x.repeat_interleave(&repeats),
            };
            match a.keyword::<usize>("output_size")? {
                Some(size) if size != y.size(dim.unwrap_or(0)) => Err("`output_size` is another".into()),
                _ => ok(y),
            }
        }),
        ("constant_pad_nd", |a| {
            let x = a.take::<Tensor>("input")?;
            let pads = Ints(a.take("pad")?).dims();
            ok(constant_pad_nd(&x, pads, a.take_or("value", Scalar::Int(0))?))
        }),
        ("nn.functional.pad", |a| {
            let x = a.take::<Tensor>("input")?;
            let pads = Ints(a.take("pad")?).dims();
            let mode = match a.take_or("mode", "constant".to_string())?.as_str() {
                "constant" => PadMode::Constant,
                "reflect" => PadMode::Reflect,
                "replicate" => PadMode::Replicate,
                "circular" => PadMode::Circular,
                other => return Err(format!("there is no mode {other}")),
            };
            ok(pad_with(&x, pads, mode, a.option::<Scalar>("value")?.unwrap_or(Scalar::Int(0))))
        }),
        ("nn.functional.pixel_shuffle", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(pixel_shuffle(&x, a.take("upscale_factor")?))
        }),
        ("nn.functional.pixel_unshuffle", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(pixel_unshuffle(&x, a.take("downscale_factor")?))
        }),
        ("nn.functional.channel_shuffle", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(channel_shuffle(&x, a.take("groups")?))
        }),
    ],
    in_place: &[],
};

/// How often, for each dim: in a list of its own or not.
fn counts(a: &mut Args, name: &str) -> Result<Vec<usize>, Misfit> {
    let counts: Option<Vec<usize>> = a.ints(name)?.into_iter().map(|n| usize::take(Py::Int(n))).collect();
    counts.ok_or(format!("`{name}` cannot be negative"))
}
