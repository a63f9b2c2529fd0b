//! Which kernel computes which elementwise function.

use rushlight_array::DType;
use rushlight_array::backend::{Activation, Binary, Compare, Gelu, PairLoss, Ternary, Unary};

/// A kernel for each compute type, and the numbers that it gets.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) file: &'static str,
    pub(crate) name: &'static str,
    pub(crate) numbers: [f64; 3],
}

impl Function {
    /// Whether it takes operands that lie anyhow; others only those that lie along one axis.
    pub(crate) fn takes_any(&self) -> bool {
        self.file == "elementwise"
    }

    /// How many elements it takes at once, at most.
    pub(crate) fn width(&self, dtype: DType) -> usize {
        if self.file == "special" { 1 } else { width(dtype) }
    }

    fn with(self, numbers: [f64; 3]) -> Function {
        Function { numbers, ..self }
    }
}

/// `WIDTH` of `rl_map.h`.
pub(crate) fn width(dtype: DType) -> usize {
    if dtype.size() == 1 { 8 } else { 16 / dtype.size() }
}

/// The end of a kernel's name.
pub(crate) fn variant(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::F64 => "f64",
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        DType::I64 => "i64",
        DType::I32 => "i32",
        DType::I16 => "i16",
        DType::I8 => "i8",
        DType::U8 => "u8",
        DType::Bool => "bool",
    }
}

const fn of(file: &'static str, name: &'static str) -> Function {
    Function { file, name, numbers: [0.0; 3] }
}

const fn hot(name: &'static str) -> Function {
    of("elementwise", name)
}

const fn special(name: &'static str) -> Function {
    of("special", name)
}

const fn activation(name: &'static str) -> Function {
    of("activation", name)
}

/// Numbers for kernels of this type: those of i64 take the bits of integers, cut as by `as`.
fn numbers(dtype: DType, numbers: [f64; 3]) -> [f64; 3] {
    if dtype == DType::I64 { numbers.map(|x| integer(x as i64)) } else { numbers }
}

fn integer(x: i64) -> f64 {
    f64::from_bits(x as u64)
}

/// What becomes of a function of one array.
pub(crate) enum Plan {
    /// A kernel.
    Kernel(Function),
    /// The array itself.
    Same,
    /// Only the host knows it.
    Host,
    /// NaN everywhere.
    Nan,
}

pub(crate) fn unary(op: Unary, dtype: DType) -> Plan {
    let whole = dtype == DType::I64;
    let function = match op {
        Unary::Neg => hot("neg"),
        Unary::Abs => hot("abs"),
        Unary::Exp => hot("exp"),
        Unary::Log => hot("log"),
        Unary::Sqrt | Unary::Power(0.5) => hot("sqrt"),
        Unary::Rsqrt => hot("rsqrt"),
        Unary::Reciprocal => hot("reciprocal"),
        Unary::Power(2.0) => hot("square"),
        Unary::Sigmoid => hot("sigmoid"),
        Unary::Tanh => hot("tanh"),
        Unary::Gelu(Gelu::Exact) => hot("gelu"),
        Unary::Gelu(Gelu::Tanh) => hot("gelu_tanh"),
        Unary::Relu => hot("relu"),
        Unary::Scale(factor) => hot("scale").with([factor, 0.0, 0.0]),
        Unary::Offset(term) => hot("offset").with([term, 0.0, 0.0]),
        Unary::Clamp(low, high) if !whole && (low.is_nan() || high.is_nan()) => return Plan::Nan,
        Unary::Clamp(low, high) => hot("clamp").with(numbers(dtype, [low, high, 0.0])),
        Unary::Activation(kind) => of_activation(kind, dtype),
        Unary::Floor | Unary::Ceil | Unary::Trunc | Unary::Round(0) if whole => return Plan::Same,
        Unary::Sign => special("sign"),
        Unary::Expm1 => special("expm1"),
        Unary::Log1p => special("log1p"),
        Unary::Sin => special("sin"),
        Unary::Cos => special("cos"),
        Unary::Tan => special("tan"),
        Unary::Erf => special("erf"),
        Unary::Floor => special("floor"),
        Unary::Ceil => special("ceil"),
        Unary::Trunc => special("trunc"),
        Unary::Frac => special("frac"),
        Unary::Round(0) => special("round"),
        Unary::Round(decimals) => {
            let name = if decimals > 0 { "round_digits" } else { "round_tens" };
            special(name).with([10f64.powi(decimals.saturating_abs()), 0.0, 0.0])
        }
        Unary::Exp2 => special("exp2"),
        Unary::Log2 => special("log2"),
        Unary::Log10 => special("log10"),
        Unary::Sinh => special("sinh"),
        Unary::Cosh => special("cosh"),
        Unary::Asin => special("asin"),
        Unary::Acos => special("acos"),
        Unary::Atan => special("atan"),
        Unary::Asinh => special("asinh"),
        Unary::Acosh => special("acosh"),
        Unary::Atanh => special("atanh"),
        Unary::Sinc => special("sinc"),
        Unary::Erfc => special("erfc"),
        Unary::Erfinv => special("erfinv"),
        Unary::Lgamma => special("lgamma"),
        Unary::Digamma => special("digamma"),
        Unary::Polygamma(_) => return Plan::Host,
        Unary::I0 => special("i0"),
        Unary::I1 => special("i1"),
        Unary::Logit(None) => special("logit"),
        Unary::Logit(Some(eps)) => special("logit_within").with([eps, 0.0, 0.0]),
        Unary::Angle => special("angle"),
        Unary::NanToNum(numbers) => special("nan_to_num").with(numbers),
        Unary::Signbit => special("signbit"),
        Unary::Not => special("not"),
        Unary::Power(3.0) => special("cube"),
        Unary::Power(p) if p == p.trunc() && p.abs() <= 64.0 => special("power_whole").with([p, 0.0, 0.0]),
        Unary::Power(p) => special("power").with([p, 0.0, 0.0]),
    };
    Plan::Kernel(function)
}

fn of_activation(kind: Activation, dtype: DType) -> Function {
    match kind {
        Activation::Silu => hot("silu"),
        Activation::Hardtanh { low, high } => hot("clamp").with(numbers(dtype, [low, high, 0.0])),
        Activation::LeakyRelu(slope) => activation("leaky_relu").with([slope, 0.0, 0.0]),
        Activation::Mish => activation("mish"),
        Activation::Softplus { beta, threshold } => activation("softplus").with([beta, threshold, 0.0]),
        Activation::Elu { alpha, scale, rate } => activation("elu").with([alpha * scale, scale, rate]),
        Activation::LogSigmoid => activation("log_sigmoid"),
        Activation::Hardsigmoid => activation("hardsigmoid"),
        Activation::Hardswish => activation("hardswish"),
        Activation::Threshold { threshold, value } => {
            activation("threshold").with(numbers(dtype, [threshold, value, 0.0]))
        }
        Activation::Hardshrink(bound) => activation("hardshrink").with([bound, 0.0, 0.0]),
        Activation::Softshrink(bound) => activation("softshrink").with([bound, 0.0, 0.0]),
    }
}

fn of_activation_grad(kind: Activation) -> Function {
    match kind {
        Activation::LeakyRelu(slope) => activation("leaky_relu_grad").with([slope, 0.0, 0.0]),
        Activation::Silu => activation("silu_grad"),
        Activation::Mish => activation("mish_grad"),
        Activation::Softplus { beta, threshold } => activation("softplus_grad").with([beta, threshold, 0.0]),
        Activation::Elu { alpha, scale, rate } => {
            activation("elu_grad").with([alpha * scale * rate, scale, rate])
        }
        Activation::LogSigmoid => activation("log_sigmoid_grad"),
        Activation::Hardsigmoid => activation("hardsigmoid_grad"),
        Activation::Hardswish => activation("hardswish_grad"),
        Activation::Hardtanh { low, high } => activation("hardtanh_grad").with([low, high, 0.0]),
        Activation::Threshold { threshold, .. } => activation("threshold_grad").with([threshold, 0.0, 0.0]),
        Activation::Hardshrink(bound) | Activation::Softshrink(bound) => {
            activation("shrink_grad").with([bound, 0.0, 0.0])
        }
    }
}

/// `None` if only the host knows it.
pub(crate) fn binary(op: Binary) -> Option<Function> {
    Some(match op {
        Binary::Add => hot("add"),
        Binary::Sub => hot("sub"),
        Binary::Mul => hot("mul"),
        Binary::Div => hot("div"),
        Binary::Maximum => hot("maximum"),
        Binary::Minimum => hot("minimum"),
        Binary::And => hot("and"),
        Binary::Or => hot("or"),
        Binary::Xor => hot("xor"),
        Binary::ReluGrad => hot("relu_grad"),
        Binary::SigmoidGrad => hot("sigmoid_grad"),
        Binary::TanhGrad => hot("tanh_grad"),
        Binary::GeluGrad(Gelu::Exact) => hot("gelu_grad"),
        Binary::GeluGrad(Gelu::Tanh) => hot("gelu_tanh_grad"),
        Binary::ActivationGrad(kind) => of_activation_grad(kind),
        Binary::TruncDivide => special("trunc_divide"),
        Binary::FloorDivide => special("floor_divide"),
        Binary::Fmod => special("fmod"),
        Binary::Remainder => special("remainder"),
        Binary::Pow => special("pow"),
        Binary::Fmax => special("fmax"),
        Binary::Fmin => special("fmin"),
        Binary::Atan2 => special("atan2"),
        Binary::Hypot => special("hypot"),
        Binary::Copysign => special("copysign"),
        Binary::Xlogy => special("xlogy"),
        Binary::Logaddexp => special("logaddexp").with([1.0, 0.0, 0.0]),
        Binary::Logaddexp2 => special("logaddexp").with([std::f64::consts::LN_2, 0.0, 0.0]),
        Binary::Heaviside => special("heaviside"),
        Binary::Gcd => special("gcd"),
        Binary::Lcm => special("lcm"),
        Binary::ShiftLeft => special("shift_left"),
        Binary::ShiftRight => special("shift_right"),
        Binary::Igamma | Binary::Igammac | Binary::IgammaSlope => return None,
    })
}

/// Of bools, what the operation is there.
pub(crate) fn of_bools(op: Binary) -> Binary {
    match op {
        Binary::Add | Binary::Maximum | Binary::Heaviside => Binary::Or,
        Binary::Mul | Binary::Minimum => Binary::And,
        op => op,
    }
}

/// The function, and whether the operands change places.
pub(crate) fn compare(op: Compare) -> (Function, bool) {
    match op {
        Compare::Eq => (hot("eq"), false),
        Compare::Ne => (hot("ne"), false),
        Compare::Lt => (hot("lt"), false),
        Compare::Le => (hot("le"), false),
        Compare::Gt => (hot("lt"), true),
        Compare::Ge => (hot("le"), true),
    }
}

pub(crate) fn ternary(op: Ternary, dtype: DType) -> Function {
    match op {
        Ternary::Addcmul(value) if dtype == DType::I64 => {
            special("addcmul").with([integer(value.to_i64()), 0.0, 0.0])
        }
        Ternary::Addcmul(value) => special("addcmul").with([value.to_f64(), 0.0, 0.0]),
        Ternary::Addcdiv(value) => special("addcdiv").with([value, 0.0, 0.0]),
        Ternary::Lerp => special("lerp"),
        Ternary::Clamp => special("clamp3"),
    }
}

/// The loss, and its slope times a gradient.
pub(crate) fn pair_loss(kind: PairLoss) -> [Function; 2] {
    let (loss, grad, number) = match kind {
        PairLoss::Square => ("square_loss", "square_loss_grad", 0.0),
        PairLoss::Absolute => ("absolute_loss", "absolute_loss_grad", 0.0),
        PairLoss::Huber(delta) => ("huber_loss", "huber_loss_grad", delta),
        PairLoss::SmoothL1(beta) => ("smooth_l1_loss", "smooth_l1_loss_grad", beta),
        PairLoss::Probability => ("probability_loss", "probability_loss_grad", PairLoss::LEAST),
        PairLoss::Logit => ("logit_loss", "logit_loss_grad", 0.0),
    };
    [loss, grad].map(|name| of("loss", name).with([number, 0.0, 0.0]))
}
