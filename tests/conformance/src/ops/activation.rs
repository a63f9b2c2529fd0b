//! Activation functions, the softmax family, dropout.

use super::{Arms, Out, ok};
use crate::args::{Args, Misfit};
use rushlight::nn::functional as F;
use rushlight::{DType, Tensor};

/// A function without arguments but `inplace`.
macro_rules! plain {
    ($function:ident) => {
        |a| ok(F::$function(&a.take("input")?))
    };
    ($function:ident, $in_place:ident) => {
        |a| {
            let mut x = a.take::<Tensor>("input")?;
            if a.take_or("inplace", false)? {
                x.$in_place();
                return ok(x);
            }
            ok(F::$function(&x))
        }
    };
}

/// Its form in place.
macro_rules! in_place {
    ($method:ident) => {
        |x, a| {
            a.take_or("inplace", false)?;
            x.$method();
            Ok(())
        }
    };
}

/// A function of one number that has a default, with or without `inplace`.
macro_rules! of_number {
    ($plain:ident, $with:ident, $name:literal) => {
        |a| {
            let x = a.take::<Tensor>("input")?;
            ok(if a.is_empty() { F::$plain(&x) } else { F::$with(&x, a.take($name)?) })
        }
    };
    ($plain:ident, $with:ident, $name:literal, $default:literal, $in_place:ident) => {
        |a| {
            let mut x = a.take::<Tensor>("input")?;
            if a.is_empty() {
                return ok(F::$plain(&x));
            }
            let number = a.take_or($name, $default)?;
            if a.take_or("inplace", false)? {
                x.$in_place(number);
                return ok(x);
            }
            ok(F::$with(&x, number))
        }
    };
}

/// The form in place of a function of one number.
macro_rules! number_in_place {
    ($plain:ident, $with:ident, $name:literal, $default:literal) => {
        |x, a| {
            if a.is_empty() {
                x.$plain();
                return Ok(());
            }
            let number = a.take_or($name, $default)?;
            a.take_or("inplace", false)?;
            x.$with(number);
            Ok(())
        }
    };
}

/// `softmax(input, dim, dtype=None)` and its kin. Without a dim PyTorch chooses the first of 0, 1 or 3 dims, else the
/// second; here it is always written.
fn along(
    a: &mut Args,
    skipped: Option<&str>,
    plain: fn(&Tensor, isize) -> Tensor,
    with: fn(&Tensor, isize, DType) -> Tensor,
) -> Result<Out, Misfit> {
    let x = a.take::<Tensor>("input")?;
    let dim = a.option("dim")?.unwrap_or(isize::from(!matches!(x.dim(), 0 | 1 | 3)));
    if let Some(skipped) = skipped {
        a.take_or(skipped, 3i64)?;
    }
    ok(match a.option("dtype")? {
        Some(dtype) => with(&x, dim, dtype),
        None => plain(&x, dim),
    })
}

/// The arguments of dropout behind its input.
fn chance(a: &mut Args) -> Result<(f64, bool, bool), Misfit> {
    Ok((a.take_or("p", 0.5)?, a.take_or("training", true)?, a.take_or("inplace", false)?))
}

macro_rules! dropout {
    ($function:ident, $in_place:ident) => {
        |a| {
            let mut x = a.take::<Tensor>("input")?;
            let (p, training, in_place) = chance(a)?;
            if in_place {
                F::$in_place(&mut x, p, training);
                return ok(x);
            }
            ok(F::$function(&x, p, training))
        }
    };
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("nn.functional.relu", plain!(relu, relu_)),
        ("nn.functional.relu6", plain!(relu6, relu6_)),
        ("nn.functional.silu", plain!(silu, silu_)),
        ("nn.functional.mish", plain!(mish, mish_)),
        ("nn.functional.selu", plain!(selu, selu_)),
        ("nn.functional.hardsigmoid", plain!(hardsigmoid, hardsigmoid_)),
        ("nn.functional.hardswish", plain!(hardswish, hardswish_)),
        ("nn.functional.logsigmoid", plain!(logsigmoid)),
        ("nn.functional.softsign", plain!(softsign)),
        ("nn.functional.tanhshrink", plain!(tanhshrink)),
        (
            "nn.functional.leaky_relu",
            of_number!(leaky_relu, leaky_relu_with, "negative_slope", 0.01, leaky_relu_with_),
        ),
        ("nn.functional.elu", of_number!(elu, elu_with, "alpha", 1.0, elu_with_)),
        ("nn.functional.celu", of_number!(celu, celu_with, "alpha", 1.0, celu_with_)),
        ("nn.functional.hardshrink", of_number!(hardshrink, hardshrink_with, "lambd")),
        ("nn.functional.softshrink", of_number!(softshrink, softshrink_with, "lambd")),
        ("nn.functional.gelu", |a| {
            let x = a.take::<Tensor>("input")?;
            match a.keyword::<String>("approximate")?.as_deref() {
                None | Some("none") => ok(F::gelu(&x)),
                Some("tanh") => ok(F::gelu_tanh(&x)),
                Some(other) => Err(format!("there is no approximation `{other}`")),
            }
        }),
        ("nn.functional.softplus", |a| {
            let x = a.take::<Tensor>("input")?;
            if a.is_empty() {
                return ok(F::softplus(&x));
            }
            ok(F::softplus_with(&x, a.take_or("beta", 1.0)?, a.take_or("threshold", 20.0)?))
        }),
        ("nn.functional.glu", |a| ok(F::glu(&a.take("input")?, a.take_or("dim", -1)?))),
        ("nn.functional.prelu", |a| ok(F::prelu(&a.take("input")?, &a.take("weight")?))),
        ("nn.functional.hardtanh", |a| {
            let mut x = a.take::<Tensor>("input")?;
            if a.is_empty() {
                return ok(F::hardtanh(&x));
            }
            let (low, high) = (a.take_or("min_val", -1.0)?, a.take_or("max_val", 1.0)?);
            if a.take_or("inplace", false)? {
                x.hardtanh_with_(low, high);
                return ok(x);
            }
            ok(F::hardtanh_with(&x, low, high))
        }),
        ("nn.functional.threshold", |a| {
            let mut x = a.take::<Tensor>("input")?;
            let (threshold, value) = (a.take("threshold")?, a.take("value")?);
            if a.take_or("inplace", false)? {
                x.threshold_(threshold, value);
                return ok(x);
            }
            ok(F::threshold(&x, threshold, value))
        }),
        ("softmax", |a| along(a, None, F::softmax, F::softmax_with)),
        ("log_softmax", |a| along(a, None, F::log_softmax, F::log_softmax_with)),
        ("nn.functional.softmin", |a| along(a, Some("_stacklevel"), F::softmin, F::softmin_with)),
        ("nn.functional.dropout", dropout!(dropout, dropout_)),
        ("nn.functional.dropout2d", dropout!(dropout2d, dropout2d_)),
    ],
    in_place: &[
        ("nn.functional.relu", in_place!(relu_)),
        ("nn.functional.relu6", in_place!(relu6_)),
        ("nn.functional.silu", in_place!(silu_)),
        ("nn.functional.mish", in_place!(mish_)),
        ("nn.functional.selu", in_place!(selu_)),
        ("nn.functional.hardsigmoid", in_place!(hardsigmoid_)),
        ("nn.functional.hardswish", in_place!(hardswish_)),
        ("nn.functional.leaky_relu", number_in_place!(leaky_relu_, leaky_relu_with_, "negative_slope", 0.01)),
        ("nn.functional.elu", number_in_place!(elu_, elu_with_, "alpha", 1.0)),
        ("nn.functional.celu", number_in_place!(celu_, celu_with_, "alpha", 1.0)),
        ("nn.functional.hardtanh", |x, a| {
            let (low, high) = (a.take_or("min_val", -1.0)?, a.take_or("max_val", 1.0)?);
            a.take_or("inplace", false)?;
            x.hardtanh_with_(low, high);
            Ok(())
        }),
        ("nn.functional.threshold", |x, a| {
            let (threshold, value) = (a.take("threshold")?, a.take("value")?);
            a.take_or("inplace", false)?;
            x.threshold_(threshold, value);
            Ok(())
        }),
        ("nn.functional.dropout", |x, a| {
            let (p, training, _) = chance(a)?;
            F::dropout_(x, p, training);
            Ok(())
        }),
        ("nn.functional.dropout2d", |x, a| {
            let (p, training, _) = chance(a)?;
            F::dropout2d_(x, p, training);
            Ok(())
        }),
    ],
};
