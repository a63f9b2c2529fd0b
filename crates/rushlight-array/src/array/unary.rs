use super::Array;
use crate::backend::{Activation, Gelu, Unary};
use crate::dtype::DType;
use crate::fail;

macro_rules! floats {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Integers and bools give `f32`.
        pub fn $name(&self) -> Array {
            self.float_unary(Unary::$op)
        }
    )*};
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// For bools.
        #[track_caller]
        pub fn $name(&self) -> Array {
            self.number_unary(stringify!($name), Unary::$op)
        }
    )*};
}

/// Functions of one array.
impl Array {
    floats! {
        /// e to the power of each element.
        exp => Exp;
        /// 2 to the power of each element.
        exp2 => Exp2;
        /// exp(x) - 1, accurate also near 0.
        expm1 => Expm1;
        /// The natural logarithm.
        log => Log;
        /// The logarithm to the base 2.
        log2 => Log2;
        /// The logarithm to the base 10.
        log10 => Log10;
        /// log(1 + x), accurate also near 0.
        log1p => Log1p;
        /// The square root.
        sqrt => Sqrt;
        /// 1 / sqrt(x).
        rsqrt => Rsqrt;
        /// The sine of radians.
        sin => Sin;
        /// The cosine of radians.
        cos => Cos;
        /// The tangent of radians.
        tan => Tan;
        /// The angle in -pi/2..=pi/2 with this sine.
        asin => Asin;
        /// The angle in 0..=pi with this cosine.
        acos => Acos;
        /// The angle in -pi/2..=pi/2 with this tangent.
        atan => Atan;
        /// The hyperbolic sine.
        sinh => Sinh;
        /// The hyperbolic cosine.
        cosh => Cosh;
        /// The hyperbolic tangent.
        tanh => Tanh;
        /// The number with this hyperbolic sine.
        asinh => Asinh;
        /// The positive number with this hyperbolic cosine.
        acosh => Acosh;
        /// The number with this hyperbolic tangent.
        atanh => Atanh;
        /// sin(pi x) / (pi x); 1 at 0.
        sinc => Sinc;
        /// 1 / (1 + exp(-x)).
        sigmoid => Sigmoid;
        /// 1 / x.
        reciprocal => Reciprocal;
        /// The error function.
        erf => Erf;
        /// 1 - erf(x), accurate also where that is small.
        erfc => Erfc;
        /// The inverse of the error function.
        erfinv => Erfinv;
        /// The logarithm of the absolute value of the gamma function.
        lgamma => Lgamma;
        /// The derivative of the logarithm of the gamma function.
        digamma => Digamma;
        /// The modified Bessel function of the first kind of order 0.
        i0 => I0;
        /// The modified Bessel function of the first kind of order 1.
        i1 => I1;
        /// 0 for positive numbers and zeros, pi for negative ones, NaN for NaN.
        angle => Angle;
    }

    numbers! {
        /// -x.
        neg => Neg;
        /// |x|.
        abs => Abs;
        /// max(x, 0).
        relu => Relu;
        /// The nearest integer below.
        floor => Floor;
        /// The nearest integer above.
        ceil => Ceil;
        /// The nearest integer towards 0.
        trunc => Trunc;
    }

    /// -1, 0 or 1; 0 for NaN, as in torch. Bools stay as they are.
    pub fn sign(&self) -> Array {
        if self.dtype() == DType::Bool { self.clone() } else { self.number_unary("sign", Unary::Sign) }
    }

    /// What [`Array::trunc`] cuts off.
    ///
    /// # Panics
    /// If the dtype is not a float.
    #[track_caller]
    pub fn frac(&self) -> Array {
        self.only_floats("frac");
        self.float_unary(Unary::Frac)
    }

    /// The nearest number with so many decimals (below 0: the nearest multiple of a power of ten); the one with an even
    /// last digit where two are equally near.
    ///
    /// # Panics
    /// For bools, and for integers unless `decimals` is 0.
    #[track_caller]
    pub fn round(&self, decimals: i32) -> Array {
        if decimals != 0 {
            self.only_floats("round");
        }
        self.number_unary("round", Unary::Round(decimals))
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
        self.float_unary(Unary::Scale(std::f64::consts::PI / 180.0))
    }

    /// Radians in degrees. Integers and bools give `f32`.
    pub fn rad2deg(&self) -> Array {
        self.float_unary(Unary::Scale(180.0 / std::f64::consts::PI))
    }

    /// The n-th derivative of [`Array::digamma`], for n from 1. Integers and bools give `f32`.
    pub fn polygamma(&self, n: u32) -> Array {
        self.float_unary(Unary::Polygamma(n))
    }

    /// log(x / (1 - x)), with x moved into `eps..=1 - eps` first if there is an eps. Integers and bools give `f32`.
    pub fn logit(&self, eps: Option<f64>) -> Array {
        self.float_unary(Unary::Logit(eps))
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
        self.float_unary(Unary::NanToNum(numbers))
    }

    /// Whether the sign bit is set: of negative numbers, minus zero, and some NaNs.
    pub fn signbit(&self) -> Array {
        match self.dtype() {
            DType::Bool => Array::full(self.shape(), false, DType::Bool, self.device()),
            dtype => self.device().kernels().unary(Unary::Signbit, &self.in_dtype(dtype.compute())),
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
        self.float_unary(Unary::Gelu(form))
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
        self.number_unary(kind.name(), Unary::Activation(kind))
    }

    pub(super) fn float_unary(&self, op: Unary) -> Array {
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::F32 };
        self.device().kernels().unary(op, &self.in_dtype(dtype.compute())).into_dtype(dtype)
    }

    #[track_caller]
    pub(super) fn number_unary(&self, name: &str, op: Unary) -> Array {
        let dtype = self.dtype();
        if dtype == DType::Bool {
            fail!("{name}: not defined for bool; cast with .to(DType::I64) first, or use logical_not");
        }
        self.device().kernels().unary(op, &self.in_dtype(dtype.compute())).into_dtype(dtype)
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
