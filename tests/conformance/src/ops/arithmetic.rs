//! Arithmetic, comparisons and logic of two operands, casts, and creation.

use super::{Arms, Out, ok};
use crate::args::{Args, Ints, Misfit, Other, Py};
use rushlight::array::Scalar;
use rushlight::autograd::ops;
use rushlight::autograd::ops::{CloseOptions, RoundingMode, where_};
use rushlight::{DType, Device, Shape, Tensor, TensorOptions};

/// A tensor, and a tensor or a number.
macro_rules! other {
    ($name:ident) => {
        |a| ok(a.take::<Tensor>("input")?.$name(&a.take::<Other>("other")?))
    };
}

/// Two tensors: PyTorch takes no number here.
macro_rules! tensors {
    ($name:ident) => {
        |a| ok(a.take::<Tensor>("input")?.$name(&a.take::<Tensor>("other")?))
    };
}

/// A tensor or a number in both places.
macro_rules! either {
    ($name:ident) => {
        |a| ok(ops::$name(&a.take::<Other>("input")?, &a.take::<Other>("other")?))
    };
}

/// A cast by its name.
macro_rules! cast {
    ($name:ident) => {
        |a| {
            let x = a.take::<Tensor>("input")?;
            a.option::<Py>("memory_format")?;
            ok(x.$name())
        }
    };
}

macro_rules! other_in_place {
    ($name:ident) => {
        |x, a| done(x.$name(&a.take::<Other>("other")?))
    };
}

macro_rules! tensor_in_place {
    ($name:ident) => {
        |x, a| done(x.$name(&a.take::<Tensor>("other")?))
    };
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("add", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Other>("other")?);
            ok(match a.keyword::<Scalar>("alpha")? {
                Some(alpha) => x.add_with(&y, alpha),
                None => x.add(&y),
            })
        }),
        ("sub", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Other>("other")?);
            ok(match a.keyword::<Scalar>("alpha")? {
                Some(alpha) => x.sub_with(&y, alpha),
                None => x.sub(&y),
            })
        }),
        ("rsub", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Other>("other")?);
            ok(match a.keyword::<Scalar>("alpha")? {
                Some(alpha) => ops::rsub_with(&x, &y, alpha),
                None => ops::rsub(&x, &y),
            })
        }),
        ("mul", other!(mul)),
        ("div", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Other>("other")?);
            ok(match rounding_mode(a)? {
                Some(mode) => x.div_with(&y, mode),
                None => x.div(&y),
            })
        }),
        ("true_divide", other!(true_divide)),
        ("__radd__", other!(add)),
        ("__rmul__", other!(mul)),
        ("__rsub__", |a| ok(ops::rsub(&a.take::<Tensor>("input")?, &a.take::<Other>("other")?))),
        ("__rdiv__", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Other>("other")?);
            ok(match y {
                Other::Tensor(y) => y / x,
                Other::Number(Scalar::Float(y)) => y / x,
                Other::Number(y) => y.to_i64() / x,
            })
        }),
        ("__rpow__", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(ops::pow(&a.take::<Other>("other")?, &x))
        }),
        ("pow", |a| ok(ops::pow(&a.take::<Other>("input")?, &a.take::<Other>("exponent")?))),
        ("float_power", |a| ok(ops::float_power(&a.take::<Other>("input")?, &a.take::<Other>("exponent")?))),
        ("remainder", either!(remainder)),
        ("fmod", other!(fmod)),
        ("floor_divide", other!(floor_divide)),
        ("lerp", |a| {
            let (x, end) = (a.take::<Tensor>("input")?, a.take::<Tensor>("end")?);
            ok(x.lerp(&end, &a.take::<Other>("weight")?))
        }),
        ("addcmul", |a| {
            let (x, [y, z]) = (a.take::<Tensor>("input")?, two(a)?);
            ok(match a.keyword::<Scalar>("value")? {
                Some(value) => x.addcmul_with(&y, &z, value),
                None => x.addcmul(&y, &z),
            })
        }),
        ("addcdiv", |a| {
            let (x, [y, z]) = (a.take::<Tensor>("input")?, two(a)?);
            ok(match a.keyword::<Scalar>("value")? {
                Some(value) => x.addcdiv_with(&y, &z, value),
                None => x.addcdiv(&y, &z),
            })
        }),
        ("fmax", tensors!(fmax)),
        ("fmin", tensors!(fmin)),
        ("maximum", tensors!(maximum)),
        ("minimum", tensors!(minimum)),
        ("clamp", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(match bounds(a)? {
                (Some(low), Some(high)) => x.clamp(&low, &high),
                (Some(low), None) => x.clamp_min(&low),
                (None, Some(high)) => x.clamp_max(&high),
                (None, None) => return Err("clamp has no bound".to_string()),
            })
        }),
        ("clamp_min", |a| ok(a.take::<Tensor>("input")?.clamp_min(&a.take::<Other>("min")?))),
        ("clamp_max", |a| ok(a.take::<Tensor>("input")?.clamp_max(&a.take::<Other>("max")?))),
        ("eq", other!(eq)),
        ("ne", other!(ne)),
        ("lt", other!(lt)),
        ("le", other!(le)),
        ("gt", other!(gt)),
        ("ge", other!(ge)),
        ("isclose", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Tensor>("other")?);
            ok(x.isclose_with(&y, &close_options(a)?))
        }),
        ("allclose", |a| {
            let (x, y) = (a.take::<Tensor>("input")?, a.take::<Tensor>("other")?);
            ok(x.allclose_with(&y, &close_options(a)?))
        }),
        ("equal", |a| ok(a.take::<Tensor>("input")?.equal(&a.take::<Tensor>("other")?))),
        // Python's own test harness gives the condition second.
        ("where", |a| {
            let first = a.take::<Other>("condition")?;
            let second = a.take::<Other>("input")?;
            let third = a.take::<Other>("other")?;
            ok(match (&first, &second) {
                (Other::Tensor(condition), Other::Tensor(x))
                    if condition.dtype() == DType::Bool && x.dtype() != DType::Bool =>
                {
                    where_(condition, x, &third)
                }
                (Other::Tensor(condition), Other::Number(_)) => where_(condition, &second, &third),
                (_, Other::Tensor(condition)) => where_(condition, &first, &third),
                _ => return Err("where has no condition".to_string()),
            })
        }),
        ("logical_and", tensors!(logical_and)),
        ("logical_or", tensors!(logical_or)),
        ("logical_xor", tensors!(logical_xor)),
        ("logical_not", |a| ok(a.take::<Tensor>("input")?.logical_not())),
        ("bitwise_and", either!(bitwise_and)),
        ("bitwise_or", either!(bitwise_or)),
        ("bitwise_xor", either!(bitwise_xor)),
        ("bitwise_not", |a| ok(a.take::<Tensor>("input")?.bitwise_not())),
        ("bitwise_left_shift", either!(bitwise_left_shift)),
        ("bitwise_right_shift", either!(bitwise_right_shift)),
        ("gcd", tensors!(gcd)),
        ("lcm", tensors!(lcm)),
        ("atan2", tensors!(atan2)),
        ("hypot", tensors!(hypot)),
        ("copysign", other!(copysign)),
        ("igamma", tensors!(igamma)),
        ("igammac", tensors!(igammac)),
        ("xlogy", either!(xlogy)),
        ("logaddexp", tensors!(logaddexp)),
        ("logaddexp2", tensors!(logaddexp2)),
        ("heaviside", |a| ok(a.take::<Tensor>("input")?.heaviside(&a.take::<Tensor>("values")?))),
        ("ldexp", tensors!(ldexp)),
        ("float", cast!(float)),
        ("double", cast!(double)),
        ("half", cast!(half)),
        ("bfloat16", cast!(bfloat16)),
        ("long", cast!(long)),
        ("int", cast!(int)),
        ("short", cast!(short)),
        ("char", cast!(char)),
        ("byte", cast!(byte)),
        ("bool", cast!(bool)),
        ("to", to),
        ("item", |a| {
            let x = a.take::<Tensor>("input")?;
            Ok(Out(vec![match x.dtype() {
                DType::Bool => Py::Bool(x.item_as()),
                dtype if dtype.is_int() => Py::Int(x.item_as()),
                _ => Py::Float(x.item()),
            }]))
        }),
        ("zeros", |a| sized(a, |shape, options| rushlight::zeros_with(shape, options))),
        ("ones", |a| sized(a, |shape, options| rushlight::ones_with(shape, options))),
        ("empty", |a| sized(a, |shape, options| rushlight::empty_with(shape, options))),
        ("full", |a| {
            let (shape, value) = (size(a, "size")?, number(a, "fill_value")?);
            ok(rushlight::full_with(shape, value, options(a)?))
        }),
        ("eye", |a| {
            let n = a.take::<usize>("n")?;
            let m = a.option::<usize>("m")?.unwrap_or(n);
            ok(rushlight::eye_with(n, m, options(a)?))
        }),
        ("arange", |a| {
            let (start, end, step) = match a.positional() {
                0 if !a.has("start") => (Scalar::Int(0), number(a, "end")?, None),
                1 if !a.has("end") => (Scalar::Int(0), number(a, "end")?, None),
                _ => (number(a, "start")?, number(a, "end")?, a.option::<Other>("step")?),
            };
            let step = step.map_or(Scalar::Int(1), |step| scalar(&step));
            ok(rushlight::arange_with(start, end, step, options(a)?))
        }),
        ("linspace", |a| {
            let (start, end) = (number(a, "start")?.to_f64(), number(a, "end")?.to_f64());
            let steps = a.take::<usize>("steps")?;
            ok(rushlight::linspace_with(start, end, steps, options(a)?))
        }),
        ("logspace", |a| {
            let (start, end) = (number(a, "start")?.to_f64(), number(a, "end")?.to_f64());
            let (steps, base) = (a.take::<usize>("steps")?, a.take_or("base", 10.0)?);
            ok(rushlight::logspace_with(start, end, steps, base, options(a)?))
        }),
        ("zeros_like", |a| ok(a.take::<Tensor>("input")?.zeros_like_with(options(a)?))),
        ("ones_like", |a| ok(a.take::<Tensor>("input")?.ones_like_with(options(a)?))),
        ("empty_like", |a| ok(a.take::<Tensor>("input")?.empty_like_with(options(a)?))),
        ("rand_like", |a| ok(a.take::<Tensor>("input")?.rand_like_with(options(a)?))),
        ("randn_like", |a| ok(a.take::<Tensor>("input")?.randn_like_with(options(a)?))),
        ("full_like", |a| {
            let (x, value) = (a.take::<Tensor>("input")?, number(a, "fill_value")?);
            ok(x.full_like_with(value, options(a)?))
        }),
        ("new_zeros", |a| new(a, |x, shape, options| x.new_zeros_with(shape, options))),
        ("new_ones", |a| new(a, |x, shape, options| x.new_ones_with(shape, options))),
        ("new_empty", |a| new(a, |x, shape, options| x.new_empty_with(shape, options))),
        ("new_full", |a| {
            let (x, shape) = (a.take::<Tensor>("input")?, size(a, "size")?);
            let value = number(a, "fill_value")?;
            ok(x.new_full_with(shape, value, options(a)?))
        }),
        ("fill", |a| ok(a.take::<Tensor>("input")?.fill(&a.take::<Other>("value")?))),
    ],
    in_place: &[
        ("add", |x, a| {
            let y = a.take::<Other>("other")?;
            done(match a.keyword::<Scalar>("alpha")? {
                Some(alpha) => x.add_with_(&y, alpha),
                None => x.add_(&y),
            })
        }),
        ("sub", |x, a| {
            let y = a.take::<Other>("other")?;
            done(match a.keyword::<Scalar>("alpha")? {
                Some(alpha) => x.sub_with_(&y, alpha),
                None => x.sub_(&y),
            })
        }),
        ("mul", other_in_place!(mul_)),
        ("div", |x, a| {
            let y = a.take::<Other>("other")?;
            done(match rounding_mode(a)? {
                Some(mode) => x.div_with_(&y, mode),
                None => x.div_(&y),
            })
        }),
        ("true_divide", other_in_place!(true_divide_)),
        ("pow", |x, a| done(x.pow_(&a.take::<Other>("exponent")?))),
        ("float_power", |x, a| done(x.float_power_(&a.take::<Other>("exponent")?))),
        ("remainder", other_in_place!(remainder_)),
        ("fmod", other_in_place!(fmod_)),
        ("floor_divide", other_in_place!(floor_divide_)),
        ("lerp", |x, a| {
            let end = a.take::<Tensor>("end")?;
            done(x.lerp_(&end, &a.take::<Other>("weight")?))
        }),
        ("addcmul", |x, a| {
            let [y, z] = two(a)?;
            done(match a.keyword::<Scalar>("value")? {
                Some(value) => x.addcmul_with_(&y, &z, value),
                None => x.addcmul_(&y, &z),
            })
        }),
        ("addcdiv", |x, a| {
            let [y, z] = two(a)?;
            done(match a.keyword::<Scalar>("value")? {
                Some(value) => x.addcdiv_with_(&y, &z, value),
                None => x.addcdiv_(&y, &z),
            })
        }),
        ("clamp", |x, a| {
            done(match bounds(a)? {
                (Some(low), Some(high)) => x.clamp_(&low, &high),
                (Some(low), None) => x.clamp_min_(&low),
                (None, Some(high)) => x.clamp_max_(&high),
                (None, None) => return Err("clamp has no bound".to_string()),
            })
        }),
        ("clamp_min", |x, a| done(x.clamp_min_(&a.take::<Other>("min")?))),
        ("clamp_max", |x, a| done(x.clamp_max_(&a.take::<Other>("max")?))),
        ("eq", other_in_place!(eq_)),
        ("ne", other_in_place!(ne_)),
        ("lt", other_in_place!(lt_)),
        ("le", other_in_place!(le_)),
        ("gt", other_in_place!(gt_)),
        ("ge", other_in_place!(ge_)),
        ("logical_and", tensor_in_place!(logical_and_)),
        ("logical_or", tensor_in_place!(logical_or_)),
        ("logical_xor", tensor_in_place!(logical_xor_)),
        ("logical_not", |x, _| done(x.logical_not_())),
        ("bitwise_and", other_in_place!(bitwise_and_)),
        ("bitwise_or", other_in_place!(bitwise_or_)),
        ("bitwise_xor", other_in_place!(bitwise_xor_)),
        ("bitwise_not", |x, _| done(x.bitwise_not_())),
        ("bitwise_left_shift", other_in_place!(bitwise_left_shift_)),
        ("bitwise_right_shift", other_in_place!(bitwise_right_shift_)),
        ("gcd", tensor_in_place!(gcd_)),
        ("lcm", tensor_in_place!(lcm_)),
        ("atan2", tensor_in_place!(atan2_)),
        ("hypot", tensor_in_place!(hypot_)),
        ("copysign", other_in_place!(copysign_)),
        ("igamma", tensor_in_place!(igamma_)),
        ("igammac", tensor_in_place!(igammac_)),
        ("xlogy", other_in_place!(xlogy_)),
        ("heaviside", |x, a| done(x.heaviside_(&a.take::<Tensor>("values")?))),
        ("ldexp", tensor_in_place!(ldexp_)),
        ("fill", |x, a| done(x.fill_(&a.take::<Other>("value")?))),
    ],
};

/// The end of a change in place.
fn done(_: &mut Tensor) -> Result<(), Misfit> {
    Ok(())
}

/// The two tensors of `addcmul` and `addcdiv`.
fn two(a: &mut Args) -> Result<[Tensor; 2], Misfit> {
    Ok([a.take("tensor1")?, a.take("tensor2")?])
}

fn bounds(a: &mut Args) -> Result<(Option<Other>, Option<Other>), Misfit> {
    Ok((a.option("min")?, a.option("max")?))
}

fn rounding_mode(a: &mut Args) -> Result<Option<RoundingMode>, Misfit> {
    match a.keyword::<String>("rounding_mode")?.as_deref() {
        None => Ok(None),
        Some("trunc") => Ok(Some(RoundingMode::Trunc)),
        Some("floor") => Ok(Some(RoundingMode::Floor)),
        Some(other) => Err(format!("there is no rounding mode {other}")),
    }
}

fn close_options(a: &mut Args) -> Result<CloseOptions, Misfit> {
    let default = CloseOptions::default();
    Ok(CloseOptions {
        rtol: a.take_or("rtol", default.rtol)?,
        atol: a.take_or("atol", default.atol)?,
        equal_nan: a.take_or("equal_nan", default.equal_nan)?,
    })
}

/// A number, which PyTorch also takes as a tensor without dims.
fn number(a: &mut Args, name: &str) -> Result<Scalar, Misfit> {
    let value = a.take::<Other>(name)?;
    match &value {
        Other::Tensor(x) if x.dim() > 0 => Err(format!("`{name}` is a tensor with dims")),
        value => Ok(scalar(value)),
    }
}

fn scalar(value: &Other) -> Scalar {
    match value {
        Other::Number(value) => *value,
        Other::Tensor(x) if x.dtype().is_float() => Scalar::Float(x.item()),
        Other::Tensor(x) if x.dtype() == DType::Bool => Scalar::Bool(x.item_as()),
        Other::Tensor(x) => Scalar::Int(x.item_as()),
    }
}

/// Sizes: a tuple, or several integers.
fn size(a: &mut Args, name: &str) -> Result<Shape, Misfit> {
    let sizes = match a.peek() {
        Some(Py::Int(_)) if name == "sizes" => Ints(a.ints("size")?),
        _ => a.take::<Ints>("size")?,
    };
    sizes
        .0
        .iter()
        .map(|&size| usize::try_from(size).map_err(|_| format!("the size {size} is negative")))
        .collect()
}

/// The dtype, and what makes no difference here.
fn options(a: &mut Args) -> Result<TensorOptions, Misfit> {
    let dtype = a.keyword::<DType>("dtype")?;
    match a.keyword::<String>("device")?.as_deref() {
        None | Some("cpu") => {}
        Some(other) => return Err(format!("there is no device {other} here")),
    }
    for name in ["layout", "memory_format", "pin_memory", "requires_grad"] {
        a.keyword::<Py>(name)?;
    }
    Ok(TensorOptions { dtype, device: None })
}

fn sized(a: &mut Args, make: fn(Shape, TensorOptions) -> Tensor) -> Result<Out, Misfit> {
    let shape = size(a, "sizes")?;
    ok(make(shape, options(a)?))
}

fn new(a: &mut Args, make: fn(&Tensor, Shape, TensorOptions) -> Tensor) -> Result<Out, Misfit> {
    let (x, shape) = (a.take::<Tensor>("input")?, size(a, "sizes")?);
    ok(make(&x, shape, options(a)?))
}

/// `x.to(dtype)`, `x.to(device, dtype)`, `x.to(other)`; behind them `non_blocking`, `copy` and `memory_format`, which make
/// no difference where values never change.
fn to(a: &mut Args) -> Result<Out, Misfit> {
    let mut x = a.take::<Tensor>("input")?;
    let device = |name: &str| match name {
        "cpu" => Ok(Device::cpu()),
        other => Err(format!("there is no device {other} here")),
    };
    match a.peek() {
        Some(Py::Tensor(_)) => x = x.to(&a.take::<Tensor>("other")?),
        Some(Py::DType(_)) => x = x.to(a.take::<DType>("dtype")?),
        Some(Py::Str(_) | Py::None) => {
            if let Some(name) = a.option::<String>("device")? {
                x = x.to(device(&name)?);
            }
            if let Some(dtype) = a.option::<DType>("dtype")? {
                x = x.to(dtype);
            }
        }
        _ => {
            if let Some(other) = a.keyword::<Tensor>("other")? {
                x = x.to(&other);
            }
            if let Some(name) = a.keyword::<String>("device")? {
                x = x.to(device(&name)?);
            }
            if let Some(dtype) = a.keyword::<DType>("dtype")? {
                x = x.to(dtype);
            }
        }
    }
    a.take_or("non_blocking", false)?;
    a.take_or("copy", false)?;
    a.keyword::<Py>("memory_format")?;
    ok(x)
}
