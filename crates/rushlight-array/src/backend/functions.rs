//! What is asked of a backend: functions, reductions, and the parameters of fused operations.

use crate::scalar::Scalar;

/// An elementwise function of one array.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Unary {
    Neg,
    Abs,
    /// -1, 0 or 1; 0 for NaN, as in torch.
    Sign,
    Exp,
    /// exp(x) - 1, accurate near 0.
    Expm1,
    Log,
    /// log(1 + x), accurate near 0.
    Log1p,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// max(x, 0).
    Relu,
    /// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
    Erf,
    /// x times the probability that a normal number is below x.
    Gelu(Gelu),
    /// Another activation function.
    Activation(Activation),
    /// 1 / x.
    Reciprocal,
    /// 1 / sqrt(x).
    Rsqrt,
    /// The nearest integer below.
    Floor,
    /// The nearest integer above.
    Ceil,
    /// The nearest integer towards zero.
    Trunc,
    /// What [`Unary::Trunc`] cuts off.
    Frac,
    /// The nearest number with so many decimals, an even last one where two are equally near.
    Round(i32),
    /// 2 to the power of each element.
    Exp2,
    Log2,
    Log10,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Asinh,
    Acosh,
    Atanh,
    /// sin(pi x) / (pi x); 1 at 0.
    Sinc,
    /// 1 - erf(x), accurate also where that is small.
    Erfc,
    /// The inverse of the error function.
    Erfinv,
    /// The logarithm of the absolute value of the gamma function.
    Lgamma,
    /// The derivative of the logarithm of the gamma function.
    Digamma,
    /// The n-th derivative of [`Unary::Digamma`], for n from 1.
    Polygamma(u32),
    /// The modified Bessel function of the first kind of order 0.
    I0,
    /// The modified Bessel function of the first kind of order 1.
    I1,
    /// log(x / (1 - x)), with x moved into `eps..=1 - eps` first if there is an eps.
    Logit(Option<f64>),
    /// 0 for positive numbers and both zeros, pi for negative ones, NaN for NaN.
    Angle,
    /// Other numbers in the place of NaN, infinity and minus infinity.
    NanToNum([f64; 3]),
    /// Whether the sign bit is set, as a bool array.
    Signbit,
    /// Logical not of a bool array.
    Not,
    /// x * factor.
    Scale(f64),
    /// x + term.
    Offset(f64),
    /// x to a fixed power.
    Power(f64),
    /// x moved into low..=high; NaN stays NaN. For floats a bound may be NaN, and then all results are.
    Clamp(f64, f64),
}

/// An activation function with its parameters; [`Binary::ActivationGrad`] is its derivative.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Activation {
    /// x where positive, else slope * x.
    LeakyRelu(f64),
    /// x sigmoid(x).
    Silu,
    /// x tanh(log(1 + exp(x))).
    Mish,
    /// log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold.
    Softplus { beta: f64, threshold: f64 },
    /// scale x where positive, else scale alpha (exp(rate x) - 1).
    Elu { alpha: f64, scale: f64, rate: f64 },
    /// log(sigmoid(x)).
    LogSigmoid,
    /// x / 6 + 1 / 2 moved into 0..=1.
    Hardsigmoid,
    /// x times its [`Activation::Hardsigmoid`].
    Hardswish,
    /// x moved into low..=high. Its slope at the bounds is 0.
    Hardtanh { low: f64, high: f64 },
    /// x where it is above the threshold, else the value.
    Threshold { threshold: f64, value: f64 },
    /// x where its absolute value is above the bound, else 0.
    Hardshrink(f64),
    /// x moved towards 0 by the bound, at most to 0.
    Softshrink(f64),
}

impl Activation {
    /// PyTorch's name of the kind.
    pub const fn name(self) -> &'static str {
        match self {
            Activation::LeakyRelu(_) => "leaky_relu",
            Activation::Silu => "silu",
            Activation::Mish => "mish",
            Activation::Softplus { .. } => "softplus",
            Activation::Elu { .. } => "elu",
            Activation::LogSigmoid => "log_sigmoid",
            Activation::Hardsigmoid => "hardsigmoid",
            Activation::Hardswish => "hardswish",
            Activation::Hardtanh { .. } => "hardtanh",
            Activation::Threshold { .. } => "threshold",
            Activation::Hardshrink(_) => "hardshrink",
            Activation::Softshrink(_) => "softshrink",
        }
    }
}

/// How [`Unary::Gelu`] is computed: PyTorch's `approximate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Gelu {
    /// By erf: `approximate="none"`.
    #[default]
    Exact,
    /// By tanh: `approximate="tanh"`.
    Tanh,
}

/// An elementwise function of two arrays of one dtype and shape, with a result of that dtype.
///
/// Integers wrap. Those that divide are never called with an integer zero to divide by.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// True division, of floats.
    Div,
    /// The quotient cut towards zero.
    TruncDivide,
    /// The quotient rounded down, as Python's `//`.
    FloorDivide,
    /// What [`Binary::TruncDivide`] leaves: the sign is that of the first.
    Fmod,
    /// What [`Binary::FloorDivide`] leaves: the sign is that of the second.
    Remainder,
    /// For integers a negative power is the reciprocal cut towards zero, and that of 0 is 0.
    Pow,
    /// The larger; NaN wins.
    Maximum,
    /// The smaller; NaN wins.
    Minimum,
    /// The larger of two floats; a number wins over NaN.
    Fmax,
    /// The smaller of two floats; a number wins over NaN.
    Fmin,
    /// The angle of the point (second, first), of floats.
    Atan2,
    /// sqrt(a^2 + b^2) without overflow, of floats.
    Hypot,
    /// The magnitude of the first with the sign of the second, of floats.
    Copysign,
    /// a log(b), of floats; 0 where a is 0 and b is not NaN.
    Xlogy,
    /// log(e^a + e^b), of floats.
    Logaddexp,
    /// log2(2^a + 2^b), of floats.
    Logaddexp2,
    /// 0 below 0, 1 above it, the second at it.
    Heaviside,
    /// The regularized lower incomplete gamma function P(a, x), of floats.
    Igamma,
    /// The upper one, 1 - P(a, x), of floats.
    Igammac,
    /// The derivative of [`Binary::Igamma`] by its second argument.
    IgammaSlope,
    /// The greatest common divisor, of integers.
    Gcd,
    /// The least common multiple, of integers.
    Lcm,
    /// For integers; 0 for counts that are negative or as large as the width.
    ShiftLeft,
    /// For integers; the sign alone is left for counts that are negative or as large as the width.
    ShiftRight,
    /// For bools and integers, bit by bit.
    And,
    Or,
    Xor,
    /// For floats, the gradient of relu from that of its result and the result: the first where the second is not
    /// below or at 0, else 0.
    ReluGrad,
    /// The gradient of the sigmoid, g y (1 - y), from that of its result and the result.
    SigmoidGrad,
    /// The gradient of tanh, g (1 - y^2), from that of its result and the result.
    TanhGrad,
    /// The gradient of gelu from that of its result and its input.
    GeluGrad(Gelu),
    /// The gradient of an activation from that of its result and its input.
    ActivationGrad(Activation),
}

/// An elementwise function of three arrays of one dtype and shape, with a result of that dtype; see
/// [`Backend::ternary`](super::Backend::ternary).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Ternary {
    /// a + value b c, of numbers.
    Addcmul(Scalar),
    /// a + value b / c, of floats.
    Addcdiv(f64),
    /// a + c (b - a), of floats.
    Lerp,
    /// a moved into b..=c, of numbers: the smaller of c and the larger of a and b; NaN wins.
    Clamp,
}

/// An elementwise comparison of two arrays of one dtype and shape, with a bool result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// How the elements along some axes become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduce {
    /// The sum, pairwise for accuracy; 0 when empty.
    Sum,
    /// The product; 1 when empty.
    Prod,
    /// The largest; NaN wins. Never called on an empty axis.
    Max,
    /// The smallest; NaN wins. Never called on an empty axis.
    Min,
}

/// Which position along an axis is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgReduce {
    /// The first of the largest; a NaN counts as largest.
    Max,
    /// The first of the smallest; a NaN counts as smallest.
    Min,
}

/// What [`Backend::reduce_term`](super::Backend::reduce_term) sums.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Term {
    Abs,
    Square,
}

/// What stands at each place of [`Backend::scan`](super::Backend::scan): something of all elements up to there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scan {
    /// The sum.
    Sum,
    /// The product.
    Prod,
    /// The logarithm of the sum of the exponentials.
    LogSumExp,
}

/// Which element in ascending order is meant; NaN counts as largest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    /// The one with this many before it.
    At(usize),
    /// The lower one of the middle; the first NaN if there is any.
    Median,
    /// The lower one of the middle of those that are not NaN; the first NaN if there is nothing else.
    NanMedian,
}

/// What [`Backend::norm`](super::Backend::norm) takes out of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Norm {
    /// Mean and deviation: layer norm.
    Layer,
    /// The root of the mean square: RMS norm.
    Rms,
}

/// What [`Backend::attention`](super::Backend::attention) computes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Attention {
    /// The factor of the scores.
    pub scale: f64,
    /// Whether each query sees the keys up to its own place only.
    pub causal: bool,
}

/// A loss of a prediction `x` and a target `y`, each a number; see [`Backend::pair_loss`](super::Backend::pair_loss).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PairLoss {
    /// (x - y)^2.
    Square,
    /// |x - y|.
    Absolute,
    /// (x - y)^2 / 2 up to this distance, from there on the line with its slope.
    Huber(f64),
    /// [`PairLoss::Huber`] divided by its distance: the slope of the line is 1.
    SmoothL1(f64),
    /// -(y log x + (1 - y) log(1 - x)), the logarithms not below -100.
    Probability,
    /// [`PairLoss::Probability`] of the sigmoid of x: (1 - y) x + log(1 + exp(-x)).
    Logit,
}

impl PairLoss {
    /// The slope of [`PairLoss::Probability`] is (x - y) / (x (1 - x)); PyTorch keeps the denominator above this.
    pub const LEAST: f64 = 1e-12;
}

/// What connectionist temporal classification is to align; see [`Backend::ctc_loss`](super::Backend::ctc_loss).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ctc {
    /// The labels of each sample, class numbers in range.
    pub labels: Vec<Vec<usize>>,
    /// The number of time steps of each sample.
    pub steps: Vec<usize>,
    /// The class that stands for no label.
    pub blank: usize,
    /// Whether samples that no path can explain, whose loss is infinite, have the gradient 0; else it is NaN.
    pub zero_infinity: bool,
}

/// What `scatter` does with the value that is already there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scatter {
    /// Replaces it; with repeated indices the last one in row-major order stays.
    Set,
    /// Adds to it, in row-major order of the indices.
    Add,
    /// Multiplies it, in this order.
    Mul,
    /// Keeps the larger; NaN wins.
    Max,
    /// Keeps the smaller; NaN wins.
    Min,
}

/// An index that does not lie in its axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange {
    /// The offending index.
    pub index: i64,
    /// The size of the axis.
    pub size: usize,
}
