//! Convolutions, pools, unfolding and resizing.

use super::{Arms, Out, ok};
use crate::args::{Args, Ints, Misfit, Py, Take};
use rushlight::Tensor;
use rushlight::nn::functional as F;

/// An argument that is one number or one for each axis.
fn sizes<const N: usize>(a: &mut Args, name: &str, default: usize) -> Result<[usize; N], Misfit> {
    a.take_or(name, Ints(vec![default as i64]))?.sizes()
}

/// As [`sizes`], where None or an empty list stands for the kernel's size.
fn stride<const N: usize>(a: &mut Args) -> Result<Option<[usize; N]>, Misfit> {
    match a.option::<Ints>("stride")? {
        Some(ints) if !ints.0.is_empty() => ints.sizes().map(Some),
        _ => Ok(None),
    }
}

fn padding<const N: usize>(a: &mut Args) -> Result<F::Padding<N>, Misfit> {
    match a.take_or("padding", Py::Int(0))? {
        Py::Str(name) if name == "same" => Ok(F::Padding::Same),
        Py::Str(name) if name == "valid" => Ok(F::Padding::Valid),
        other => {
            let ints = Ints::take(other.clone()).ok_or(format!("no padding: {other:?}"))?;
            ints.sizes().map(F::Padding::Zeros)
        }
    }
}

/// Input, weight and bias.
fn operands(a: &mut Args) -> Result<(Tensor, Tensor, Option<Tensor>), Misfit> {
    Ok((a.take("input")?, a.take("weight")?, a.option("bias")?))
}

fn conv<const N: usize>(
    a: &mut Args,
    call: fn(&Tensor, &Tensor, Option<&Tensor>, F::ConvOptions<N>) -> Tensor,
) -> Result<Out, Misfit> {
    let (x, weight, bias) = operands(a)?;
    let options = F::ConvOptions {
        stride: sizes(a, "stride", 1)?,
        padding: padding(a)?,
        dilation: sizes(a, "dilation", 1)?,
        groups: a.take_or("groups", 1)?,
    };
    ok(call(&x, &weight, bias.as_ref(), options))
}

fn transpose<const N: usize>(
    a: &mut Args,
    call: fn(&Tensor, &Tensor, Option<&Tensor>, F::ConvTransposeOptions<N>) -> Tensor,
) -> Result<Out, Misfit> {
    let (x, weight, bias) = operands(a)?;
    let options = F::ConvTransposeOptions {
        stride: sizes(a, "stride", 1)?,
        padding: sizes(a, "padding", 0)?,
        output_padding: sizes(a, "output_padding", 0)?,
        groups: a.take_or("groups", 1)?,
        dilation: sizes(a, "dilation", 1)?,
    };
    ok(call(&x, &weight, bias.as_ref(), options))
}

fn max_pool<const N: usize>(
    a: &mut Args,
    call: fn(&Tensor, [usize; N], F::MaxPoolOptions<N>) -> Tensor,
    with_indices: fn(&Tensor, [usize; N], F::MaxPoolOptions<N>) -> (Tensor, Tensor),
) -> Result<Out, Misfit> {
    let (x, kernel) = (a.take::<Tensor>("input")?, a.take::<Ints>("kernel_size")?.sizes()?);
    let options = F::MaxPoolOptions {
        stride: stride(a)?,
        padding: sizes(a, "padding", 0)?,
        dilation: sizes(a, "dilation", 1)?,
        ceil_mode: a.take_or("ceil_mode", false)?,
    };
    match a.take_or("return_indices", false)? {
        true => ok(with_indices(&x, kernel, options)),
        false => ok(call(&x, kernel, options)),
    }
}

fn avg_pool<const N: usize>(
    a: &mut Args,
    call: fn(&Tensor, [usize; N], F::AvgPoolOptions<N>) -> Tensor,
) -> Result<Out, Misfit> {
    let (x, kernel) = (a.take::<Tensor>("input")?, a.take::<Ints>("kernel_size")?.sizes()?);
    let options = F::AvgPoolOptions {
        stride: stride(a)?,
        padding: sizes(a, "padding", 0)?,
        ceil_mode: a.take_or("ceil_mode", false)?,
        count_include_pad: a.take_or("count_include_pad", true)?,
        divisor_override: a.option("divisor_override")?,
    };
    ok(call(&x, kernel, options))
}

/// An output size, in which None keeps that of the input.
fn output_size<const N: usize>(a: &mut Args) -> Result<[Option<usize>; N], Misfit> {
    let list = match a.take::<Py>("output_size")? {
        Py::List(list) | Py::Tuple(list) => list,
        one => vec![one; N],
    };
    // One in a list stands for all axes, too.
    let list = if list.len() == 1 { vec![list[0].clone(); N] } else { list };
    let sizes: Option<Vec<Option<usize>>> = list.iter().cloned().map(Take::take).collect();
    sizes.and_then(|sizes| sizes.try_into().ok()).ok_or(format!("no output size: {list:?}"))
}

fn adaptive_max<const N: usize>(
    a: &mut Args,
    call: fn(&Tensor, [Option<usize>; N]) -> Tensor,
    with_indices: fn(&Tensor, [Option<usize>; N]) -> (Tensor, Tensor),
) -> Result<Out, Misfit> {
    let (x, size) = (a.take::<Tensor>("input")?, output_size(a)?);
    match a.take_or("return_indices", false)? {
        true => ok(with_indices(&x, size)),
        false => ok(call(&x, size)),
    }
}

fn unfold_options(a: &mut Args) -> Result<F::UnfoldOptions, Misfit> {
    Ok(F::UnfoldOptions {
        dilation: sizes(a, "dilation", 1)?,
        padding: sizes(a, "padding", 0)?,
        stride: sizes(a, "stride", 1)?,
    })
}

/// Numbers for the axes, if there are any.
fn several<T: Take>(value: Option<Py>) -> Result<Option<Vec<T>>, Misfit> {
    let Some(value) = value else { return Ok(None) };
    let list = match value.clone() {
        Py::List(list) | Py::Tuple(list) => list,
        one => vec![one],
    };
    let numbers: Option<Vec<T>> = list.into_iter().map(T::take).collect();
    numbers.map(Some).ok_or(format!("no sizes or factors: {value:?}"))
}

fn interpolate(a: &mut Args) -> Result<Out, Misfit> {
    use F::InterpolateMode as Mode;
    let x = a.take::<Tensor>("input")?;
    let size = several::<usize>(a.option("size")?)?;
    let factor = several::<f64>(a.option("scale_factor")?)?;
    let mode = match a.take_or("mode", "nearest".to_string())?.as_str() {
        "nearest" => Mode::Nearest,
        "nearest-exact" => Mode::NearestExact,
        "linear" => Mode::Linear,
        "bilinear" => Mode::Bilinear,
        "bicubic" => Mode::Bicubic,
        "trilinear" => Mode::Trilinear,
        "area" => Mode::Area,
        other => return Err(format!("there is no mode {other}")),
    };
    let options = F::InterpolateOptions {
        mode,
        align_corners: a.option("align_corners")?,
        recompute_scale_factor: a.option("recompute_scale_factor")?,
        antialias: a.take_or("antialias", false)?,
    };
    let to = match (size, factor) {
        (Some(size), None) => F::Resize::Size(size),
        (None, Some(factor)) => F::Resize::Scale(factor),
        _ => return Err("one of size and scale_factor must be given".to_string()),
    };
    ok(F::interpolate_with(&x, to, options))
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("nn.functional.conv1d", |a| conv(a, F::conv1d_with)),
        ("nn.functional.conv2d", |a| conv(a, F::conv2d_with)),
        ("nn.functional.conv3d", |a| conv(a, F::conv3d_with)),
        ("nn.functional.conv_transpose1d", |a| transpose(a, F::conv_transpose1d_with)),
        ("nn.functional.conv_transpose2d", |a| transpose(a, F::conv_transpose2d_with)),
        ("nn.functional.conv_transpose3d", |a| transpose(a, F::conv_transpose3d_with)),
        ("nn.functional.max_pool1d", |a| max_pool(a, F::max_pool1d_with, F::max_pool1d_with_indices)),
        ("nn.functional.max_pool2d", |a| max_pool(a, F::max_pool2d_with, F::max_pool2d_with_indices)),
        ("nn.functional.max_pool3d", |a| max_pool(a, F::max_pool3d_with, F::max_pool3d_with_indices)),
        ("nn.functional.avg_pool1d", |a| avg_pool(a, F::avg_pool1d_with)),
        ("nn.functional.avg_pool2d", |a| avg_pool(a, F::avg_pool2d_with)),
        ("nn.functional.avg_pool3d", |a| avg_pool(a, F::avg_pool3d_with)),
        ("nn.functional.adaptive_avg_pool1d", |a| {
            ok(F::adaptive_avg_pool1d(&a.take("input")?, output_size::<1>(a)?))
        }),
        ("nn.functional.adaptive_avg_pool2d", |a| {
            ok(F::adaptive_avg_pool2d(&a.take("input")?, output_size::<2>(a)?))
        }),
        ("nn.functional.adaptive_avg_pool3d", |a| {
            ok(F::adaptive_avg_pool3d(&a.take("input")?, output_size::<3>(a)?))
        }),
        ("nn.functional.adaptive_max_pool1d", |a| {
            adaptive_max(a, F::adaptive_max_pool1d, F::adaptive_max_pool1d_with_indices)
        }),
        ("nn.functional.adaptive_max_pool2d", |a| {
            adaptive_max(a, F::adaptive_max_pool2d, F::adaptive_max_pool2d_with_indices)
        }),
        ("nn.functional.adaptive_max_pool3d", |a| {
            adaptive_max(a, F::adaptive_max_pool3d, F::adaptive_max_pool3d_with_indices)
        }),
        ("nn.functional.unfold", |a| {
            let (x, kernel) = (a.take::<Tensor>("input")?, a.take::<Ints>("kernel_size")?.sizes::<2>()?);
            ok(F::unfold_with(&x, kernel, unfold_options(a)?))
        }),
        ("nn.functional.fold", |a| {
            let (x, size) = (a.take::<Tensor>("input")?, a.take::<Ints>("output_size")?.sizes::<2>()?);
            let kernel = a.take::<Ints>("kernel_size")?.sizes::<2>()?;
            ok(F::fold_with(&x, size, kernel, unfold_options(a)?))
        }),
        ("nn.functional.interpolate", interpolate),
    ],
    in_place: &[],
};
