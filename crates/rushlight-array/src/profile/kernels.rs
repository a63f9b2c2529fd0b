//! Names and work of a backend's kernels, for their spans.

use super::Work;
use crate::array::Array;
use crate::backend::{ArgReduce, Binary, Compare, Reduce, Scatter, Ternary, Unary};
use crate::dtype::DType;

pub(crate) fn unary(op: Unary) -> &'static str {
    match op {
        Unary::Neg => "neg",
        Unary::Abs => "abs",
        Unary::Sign => "sign",
        Unary::Exp => "exp",
        Unary::Expm1 => "expm1",
        Unary::Log => "log",
        Unary::Log1p => "log1p",
        Unary::Sqrt => "sqrt",
        Unary::Sin => "sin",
        Unary::Cos => "cos",
        Unary::Tanh => "tanh",
        Unary::Sigmoid => "sigmoid",
        Unary::Erf => "erf",
        Unary::Gelu(_) => "gelu",
        Unary::Relu => "relu",
        Unary::Activation(kind) => kind.name(),
        Unary::Reciprocal => "reciprocal",
        Unary::Rsqrt => "rsqrt",
        Unary::Floor => "floor",
        Unary::Ceil => "ceil",
        Unary::Trunc => "trunc",
        Unary::Frac => "frac",
        Unary::Round(_) => "round",
        Unary::Exp2 => "exp2",
        Unary::Log2 => "log2",
        Unary::Log10 => "log10",
        Unary::Tan => "tan",
        Unary::Asin => "asin",
        Unary::Acos => "acos",
        Unary::Atan => "atan",
        Unary::Sinh => "sinh",
        Unary::Cosh => "cosh",
        Unary::Asinh => "asinh",
        Unary::Acosh => "acosh",
        Unary::Atanh => "atanh",
        Unary::Sinc => "sinc",
        Unary::Erfc => "erfc",
        Unary::Erfinv => "erfinv",
        Unary::Lgamma => "lgamma",
        Unary::Digamma => "digamma",
        Unary::Polygamma(_) => "polygamma",
        Unary::I0 => "i0",
        Unary::I1 => "i1",
        Unary::Logit(_) => "logit",
        Unary::Angle => "angle",
        Unary::NanToNum(_) => "nan_to_num",
        Unary::Signbit => "signbit",
        Unary::Not => "logical_not",
        Unary::Scale(_) => "scale",
        Unary::Offset(_) => "offset",
        Unary::Power(_) => "power",
        Unary::Clamp(..) => "clamp",
    }
}

pub(crate) fn binary(op: Binary) -> &'static str {
    match op {
        Binary::Add => "add",
        Binary::Sub => "sub",
        Binary::Mul => "mul",
        Binary::Div => "div",
        Binary::TruncDivide => "trunc_divide",
        Binary::FloorDivide => "floor_divide",
        Binary::Fmod => "fmod",
        Binary::Remainder => "remainder",
        Binary::Pow => "pow",
        Binary::Maximum => "maximum",
        Binary::Minimum => "minimum",
        Binary::Fmax => "fmax",
        Binary::Fmin => "fmin",
        Binary::Atan2 => "atan2",
        Binary::Hypot => "hypot",
        Binary::Copysign => "copysign",
        Binary::Xlogy => "xlogy",
        Binary::Logaddexp => "logaddexp",
        Binary::Logaddexp2 => "logaddexp2",
        Binary::Heaviside => "heaviside",
        Binary::Igamma => "igamma",
        Binary::Igammac => "igammac",
        Binary::IgammaSlope => "igamma_slope",
        Binary::Gcd => "gcd",
        Binary::Lcm => "lcm",
        Binary::ShiftLeft => "shift_left",
        Binary::ShiftRight => "shift_right",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::Xor => "xor",
        Binary::ReluGrad => "relu_grad",
        Binary::SigmoidGrad => "sigmoid_grad",
        Binary::TanhGrad => "tanh_grad",
        Binary::GeluGrad(_) => "gelu_grad",
        Binary::ActivationGrad(_) => "activation_grad",
    }
}

pub(crate) fn ternary(op: Ternary) -> &'static str {
    match op {
        Ternary::Addcmul(_) => "addcmul",
        Ternary::Addcdiv(_) => "addcdiv",
        Ternary::Lerp => "lerp",
        Ternary::Clamp => "clamp",
    }
}

pub(crate) fn compare(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "eq",
        Compare::Ne => "ne",
        Compare::Lt => "lt",
        Compare::Le => "le",
        Compare::Gt => "gt",
        Compare::Ge => "ge",
    }
}

pub(crate) fn reduce(op: Reduce) -> &'static str {
    match op {
        Reduce::Sum => "sum",
        Reduce::Prod => "prod",
        Reduce::Max => "amax",
        Reduce::Min => "amin",
    }
}

pub(crate) fn arg_reduce(op: ArgReduce) -> &'static str {
    match op {
        ArgReduce::Max => "argmax",
        ArgReduce::Min => "argmin",
    }
}

pub(crate) fn scatter(op: Scatter) -> &'static str {
    match op {
        Scatter::Set => "scatter",
        Scatter::Add => "scatter_add",
        Scatter::Mul => "scatter_mul",
        Scatter::Max => "scatter_max",
        Scatter::Min => "scatter_min",
    }
}

/// The traffic of arrays that are read or written once each; one that stands for a result of its size, or that
/// is read and written, is given twice.
pub(crate) fn traffic(arrays: &[&Array]) -> Work {
    Work { bytes: arrays.iter().map(|x| bytes(x.numel(), x.dtype())).sum(), flops: 0 }
}

/// The traffic of a join of arrays.
pub(crate) fn joined(parts: &[&Array]) -> Work {
    Work { bytes: 2 * traffic(parts).bytes, flops: 0 }
}

/// The traffic of a cast.
pub(crate) fn cast(x: &Array, dtype: DType) -> Work {
    Work { bytes: bytes(x.numel(), x.dtype()) + bytes(x.numel(), dtype), flops: 0 }
}

/// The traffic of filling an array.
pub(crate) fn filled(shape: &[usize], dtype: DType) -> Work {
    Work { bytes: bytes(shape.iter().product(), dtype), flops: 0 }
}

/// The traffic of copying the places that an index names along an axis.
pub(crate) fn picked(x: &Array, axis: usize, index: &Array) -> Work {
    let slice = x.numel() / x.shape()[axis].max(1);
    Work { bytes: traffic(&[index]).bytes + 2 * bytes(slice * index.numel(), x.dtype()), flops: 0 }
}

/// The traffic of copying an element for each index.
pub(crate) fn gathered(x: &Array, index: &Array) -> Work {
    Work { bytes: traffic(&[index]).bytes + 2 * bytes(index.numel(), x.dtype()), flops: 0 }
}

/// The work of a product `(..., m, k) x (..., k, n)`.
pub(crate) fn product(a: &Array, b: &Array) -> Work {
    let (k, n) = (a.shape()[a.rank() - 1], b.shape()[b.rank() - 1]);
    let out = a.numel().checked_div(k).unwrap_or(0) * n;
    Work { bytes: traffic(&[a, b]).bytes + bytes(out, a.dtype()), flops: 2 * (out * k) as u64 }
}

fn bytes(numel: usize, dtype: DType) -> u64 {
    (numel * dtype.size()) as u64
}
