//! Functions of one tensor.

use super::{Arms, ok};
use crate::args::Args;
use rushlight::Tensor;
use rushlight::autograd::ops::NanToNumOptions;

/// A method without arguments.
macro_rules! method {
    ($method:ident) => {
        |a| ok(a.take::<Tensor>("input")?.$method())
    };
}

/// Its form in place.
macro_rules! in_place {
    ($method:ident) => {
        |x, _| {
            x.$method();
            Ok(())
        }
    };
}

/// The keyword of `round`.
fn decimals(a: &mut Args) -> Result<i32, String> {
    let decimals = a.keyword::<i64>("decimals")?.unwrap_or(0);
    i32::try_from(decimals).map_err(|_| format!("{decimals} decimals"))
}

fn nan_to_num(a: &mut Args) -> Result<NanToNumOptions, String> {
    Ok(NanToNumOptions {
        nan: a.option("nan")?.unwrap_or(0.0),
        posinf: a.option("posinf")?,
        neginf: a.option("neginf")?,
    })
}

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("abs", method!(abs)),
        ("acos", method!(acos)),
        ("acosh", method!(acosh)),
        ("asin", method!(asin)),
        ("asinh", method!(asinh)),
        ("atan", method!(atan)),
        ("atanh", method!(atanh)),
        ("angle", method!(angle)),
        ("ceil", method!(ceil)),
        ("cos", method!(cos)),
        ("cosh", method!(cosh)),
        ("deg2rad", method!(deg2rad)),
        ("digamma", method!(digamma)),
        ("erf", method!(erf)),
        ("erfc", method!(erfc)),
        ("erfinv", method!(erfinv)),
        ("exp", method!(exp)),
        ("exp2", method!(exp2)),
        ("expm1", method!(expm1)),
        ("floor", method!(floor)),
        ("frac", method!(frac)),
        ("frexp", method!(frexp)),
        ("i0", method!(i0)),
        ("isinf", method!(isinf)),
        ("isnan", method!(isnan)),
        ("isfinite", method!(isfinite)),
        ("isreal", method!(isreal)),
        ("isposinf", method!(isposinf)),
        ("isneginf", method!(isneginf)),
        ("lgamma", method!(lgamma)),
        ("log", method!(log)),
        ("log10", method!(log10)),
        ("log1p", method!(log1p)),
        ("log2", method!(log2)),
        ("neg", method!(neg)),
        ("positive", method!(positive)),
        ("rad2deg", method!(rad2deg)),
        ("reciprocal", method!(reciprocal)),
        ("rsqrt", method!(rsqrt)),
        ("sigmoid", method!(sigmoid)),
        ("sign", method!(sign)),
        ("signbit", method!(signbit)),
        ("sin", method!(sin)),
        ("sinc", method!(sinc)),
        ("sinh", method!(sinh)),
        ("sqrt", method!(sqrt)),
        ("square", method!(square)),
        ("tan", method!(tan)),
        ("tanh", method!(tanh)),
        ("trunc", method!(trunc)),
        ("special.i1", method!(i1)),
        ("polygamma", |a| {
            let n = a.take("n")?;
            ok(a.take::<Tensor>("input")?.polygamma(n))
        }),
        ("round", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(if a.has("decimals") { x.round_with(decimals(a)?) } else { x.round() })
        }),
        ("logit", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(match a.option("eps")? {
                Some(eps) => x.logit_with(eps),
                None => x.logit(),
            })
        }),
        ("nan_to_num", |a| {
            let x = a.take::<Tensor>("input")?;
            ok(if a.is_empty() { x.nan_to_num() } else { x.nan_to_num_with(nan_to_num(a)?) })
        }),
    ],
    in_place: &[
        ("abs", in_place!(abs_)),
        ("acos", in_place!(acos_)),
        ("acosh", in_place!(acosh_)),
        ("asin", in_place!(asin_)),
        ("asinh", in_place!(asinh_)),
        ("atan", in_place!(atan_)),
        ("atanh", in_place!(atanh_)),
        ("ceil", in_place!(ceil_)),
        ("cos", in_place!(cos_)),
        ("cosh", in_place!(cosh_)),
        ("deg2rad", in_place!(deg2rad_)),
        ("digamma", in_place!(digamma_)),
        ("erf", in_place!(erf_)),
        ("erfc", in_place!(erfc_)),
        ("erfinv", in_place!(erfinv_)),
        ("exp", in_place!(exp_)),
        ("exp2", in_place!(exp2_)),
        ("expm1", in_place!(expm1_)),
        ("floor", in_place!(floor_)),
        ("frac", in_place!(frac_)),
        ("i0", in_place!(i0_)),
        ("lgamma", in_place!(lgamma_)),
        ("log", in_place!(log_)),
        ("log10", in_place!(log10_)),
        ("log1p", in_place!(log1p_)),
        ("log2", in_place!(log2_)),
        ("neg", in_place!(neg_)),
        ("rad2deg", in_place!(rad2deg_)),
        ("reciprocal", in_place!(reciprocal_)),
        ("rsqrt", in_place!(rsqrt_)),
        ("sigmoid", in_place!(sigmoid_)),
        ("sign", in_place!(sign_)),
        ("sin", in_place!(sin_)),
        ("sinc", in_place!(sinc_)),
        ("sinh", in_place!(sinh_)),
        ("sqrt", in_place!(sqrt_)),
        ("square", in_place!(square_)),
        ("tan", in_place!(tan_)),
        ("tanh", in_place!(tanh_)),
        ("trunc", in_place!(trunc_)),
        ("round", |x, a| {
            x.round_with_(decimals(a)?);
            Ok(())
        }),
        ("logit", |x, a| {
            match a.option("eps")? {
                Some(eps) => x.logit_with_(eps),
                None => x.logit_(),
            };
            Ok(())
        }),
        ("nan_to_num", |x, a| {
            x.nan_to_num_with_(nan_to_num(a)?);
            Ok(())
        }),
    ],
};
