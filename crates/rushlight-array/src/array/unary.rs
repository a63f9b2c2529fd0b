use super::Array;
use crate::backend::{Activation, Gelu};
use crate::cpu::activation;
use crate::cpu::unary::{self, NamedUnary};
use crate::dtype::DType;
use crate::fail;

macro_rules! floats {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Integers and bools give `f32`.
        pub fn $name(&self) -> Array {
            self.float_unary(unary::$name())
        }
    )*};
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// For bools.
        #[track_caller]
        pub fn $name(&self) -> Array {
            self.number_unary(stringify!($name), unary::$name())
        }
    )*};
}

/// Functions of one array.
impl Array {
    floats! {
        /// e to the power of each element.
        exp;
        /// 2 to the power of each element.
        exp2;
        /// exp(x) - 1, accurate also near 0.
        expm1;
        /// The natural logarithm.
        log;
        /// The logarithm to the base 2.
        log2;
        /// The logarithm to the base 10.
        log10;
        /// log(1 + x), accurate also near 0.
        log1p;
        /// The square root.
        sqrt;
        /// 1 / sqrt(x).
        rsqrt;
        /// The sine of radians.
        sin;
        /// The cosine of radians.
        cos;
        /// The tangent of radians.
        tan;
        /// The angle in -pi/2..=pi/2 with this sine.
        asin;
        /// The angle in 0..=pi with this cosine.
        acos;
        /// The angle in -pi/2..=pi/2 with this tangent.
        atan;
        /// The hyperbolic sine.
        sinh;
        /// The hyperbolic cosine.
        cosh;
        /// The hyperbolic tangent.
        tanh;
        /// The number with this hyperbolic sine.
        asinh;
        /// The positive number with this hyperbolic cosine.
        acosh;
        /// The number with this hyperbolic tangent.
        atanh;
        /// sin(pi x) / (pi x); 1 at 0.
        sinc;
        /// 1 / (1 + exp(-x)).
        sigmoid;
        /// 1 / x.
        reciprocal;
        /// The error function.
        erf;
        /// 1 - erf(x), accurate also where that is small.
        erfc;
        /// The inverse of the error function.
        erfinv;
        /// The logarithm of the absolute value of the gamma function.
        lgamma;
        /// The derivative of the logarithm of the gamma function.
        digamma;
        /// The modified Bessel function of the first kind of order 0.
        i0;
        /// The modified Bessel function of the first kind of order 1.
        i1;
        /// 0 for positive numbers and zeros, pi for negative ones, NaN for NaN.
        angle;
    }

    numbers! {
        /// -x.
        neg;
        /// |x|.
        abs;
        /// max(x, 0).
        relu;
        /// The nearest integer below.
        floor;
        /// The nearest integer above.
        ceil;
        /// The nearest integer towards 0.
        trunc;
    }

    /// -1, 0 or 1; 0 for NaN, as in torch. Bools stay as they are.
    pub fn sign(&self) -> Array {
        if self.dtype() == DType::Bool { self.clone() } else { self.number_unary("sign", unary::sign()) }
    }

    /// What [`Array::trunc`] cuts off.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn frac(&self) -> Array {
        self.only_floats("frac");
        self.float_unary(unary::frac())
    }

    /// The nearest number with so many decimals (below 0: the nearest multiple of a power of ten); the one with an even
    /// last digit where two are equally near.
    ///
    /// # Panics
    /// For bools, and for integers unless `decimals` is 0.
    #[track_caller]
    pub fn round(&self, decimals: i32) -> Array {
        if decimals == 0 {
            return self.number_unary("round", unary::round_to_whole());
        }
        self.only_floats("round");
        self.number_unary("round", unary::round(decimals))
    }

    /// x * x; of bools as `i64`, as in torch.
    pub fn square(&self) -> Array {
        match self.dtype() {
            DType::Bool => self.cast(DType::I64),
            dtype if dtype.is_int() => self.mul(self),
            _ => self.powf(2.0),
        }
    }

    /// Degrees in radians. Integers and bools give `f32`.
    pub fn deg2rad(&self) -> Array {
        self.float_unary(unary::scale(std::f64::consts::PI / 180.0))
    }

    /// Radians in degrees. Integers and bools give `f32`.
    pub fn rad2deg(&self) -> Array {
        self.float_unary(unary::scale(180.0 / std::f64::consts::PI))
    }

    /// The n-th derivative of [`Array::digamma`], for n from 1. Integers and bools give `f32`.
    pub fn polygamma(&self, n: u32) -> Array {
        self.float_unary(unary::polygamma(n))
    }

    /// log(x / (1 - x)), with x moved into `eps..=1 - eps` first if there is an eps. Integers and bools give `f32`.
    pub fn logit(&self, eps: Option<f64>) -> Array {
        self.float_unary(unary::logit(eps))
    }

    /// Other numbers in the place of NaN, infinity and minus infinity; `None` for the largest and the smallest number
    /// of the dtype. Integers and bools stay as they are.
    pub fn nan_to_num(&self, nan: f64, posinf: Option<f64>, neginf: Option<f64>) -> Array {
        let dtype = self.dtype();
        if !dtype.is_float() {
            return self.clone();
        }
        let most = match dtype {
            DType::F64 => f64::MAX,
            DType::F16 => half::f16::MAX.to_f64(),
            DType::BF16 => half::bf16::MAX.to_f64(),
            _ => f64::from(f32::MAX),
        };
        let numbers = [nan, posinf.unwrap_or(most), neginf.unwrap_or(-most)];
        self.float_unary(unary::nan_to_num(numbers))
    }

    /// Whether the sign bit is set: of negative numbers, minus zero, and some NaNs.
    pub fn signbit(&self) -> Array {
        match self.dtype() {
            DType::Bool => Array::full(self.shape(), false, DType::Bool, self.device()),
            dtype => self.device().kernels().unary(unary::signbit(), &self.in_dtype(dtype.compute())),
        }
    }

    /// `x = mantissa * 2^exponent` with a mantissa of absolute value 1/2 to 1, and the exponents as `i32`. Zeros,
    /// infinities and NaN are their own mantissas, with the exponent 0.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn frexp(&self) -> (Array, Array) {
        self.only_floats("frexp");
        let dtype = self.dtype();
        let (mantissa, exponent) = self.device().kernels().frexp(&self.in_dtype(dtype.compute()));
        (mantissa.into_dtype(dtype), exponent)
    }

    /// x times the probability that a normal number is below x (Hendrycks & Gimpel, "Gaussian error linear
    /// units", 2016). NaN at minus infinity, and for `f32` at infinity, as in torch.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn gelu(&self, form: Gelu) -> Array {
        self.only_floats("gelu");
        self.float_unary(match form {
            Gelu::Exact => unary::gelu(),
            Gelu::Tanh => unary::gelu_tanh(),
        })
    }

    /// An activation function. Integers are taken, and stay integers, by hardtanh and threshold.
    ///
    /// # Panics
    /// For bools, and for integers by the others.
    #[track_caller]
    pub fn activation(&self, kind: Activation) -> Array {
        match kind {
            Activation::Hardtanh { .. } | Activation::Threshold { .. } => {}
            kind => self.only_floats(kind.name()),
        }
        self.number_unary(kind.name(), activation::named(kind))
    }

    pub(super) fn float_unary(&self, call: NamedUnary) -> Array {
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::F32 };
        self.device().kernels().unary(call, &self.in_dtype(dtype.compute())).into_dtype(dtype)
    }

    #[track_caller]
    pub(super) fn number_unary(&self, name: &str, call: NamedUnary) -> Array {
        let dtype = self.dtype();
        if dtype == DType::Bool {
            fail!("{name}: not defined for bool; cast with .to(DType::I64) first, or use logical_not");
        }
        self.device().kernels().unary(call, &self.in_dtype(dtype.compute())).into_dtype(dtype)
    }

    #[track_caller]
    fn only_floats(&self, name: &str) {
        if !self.dtype().is_float() {
            fail!(
                "{name}: the dtype is {}, not a float; cast with .to(DType::F32) first",
                self.dtype().name()
            );
        }
    }
}
