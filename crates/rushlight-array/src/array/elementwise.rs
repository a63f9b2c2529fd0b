use super::Array;
use crate::backend::Unary;
use crate::dtype::DType;
use crate::fail;
use crate::scalar::Scalar;
use crate::shape::Shape;

/// The shape that two shapes broadcast to.
///
/// # Panics
/// If an axis has two sizes and neither is 1; the message names `op` and the axis.
#[track_caller]
pub fn broadcast_shapes(op: &str, a: &[usize], b: &[usize]) -> Shape {
    match Shape::broadcast(a, b) {
        Ok(shape) => shape,
        Err(axis) => {
            let rank = a.len().max(b.len());
            let size = |s: &[usize]| s[axis + s.len() - rank];
            fail!(
                "{op}: shapes {a:?} and {b:?} do not broadcast: axis {axis} is {} and {}, and neither is 1",
                size(a),
                size(b)
            )
        }
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Integers and bools give `f32`.
        pub fn $name(&self) -> Array {
            self.float_unary(Unary::$op)
        }
    )*};
}

/// Elementwise functions.
impl Array {
    unary! {
        /// e to the power of each element.
        exp => Exp;
        /// exp(x) - 1, accurate also near 0.
        expm1 => Expm1;
        /// The natural logarithm.
        log => Log;
        /// log(1 + x), accurate also near 0.
        log1p => Log1p;
        /// The square root.
        sqrt => Sqrt;
        /// The sine of radians.
        sin => Sin;
        /// The cosine of radians.
        cos => Cos;
        /// The hyperbolic tangent.
        tanh => Tanh;
        /// 1 / (1 + exp(-x)).
        sigmoid => Sigmoid;
        /// 1 / x.
        reciprocal => Reciprocal;
    }

    /// x * factor, for float arrays.
    pub fn scale(&self, factor: f64) -> Array {
        self.float_unary(Unary::Scale(factor))
    }

    /// x + term, for float arrays.
    pub fn offset(&self, term: f64) -> Array {
        self.float_unary(Unary::Offset(term))
    }

    /// x to a fixed power, for float arrays.
    pub fn powf(&self, exponent: f64) -> Array {
        match exponent {
            -1.0 => self.reciprocal(),
            2.0 | 3.0 | 0.5 => self.float_unary(Unary::Power(exponent)),
            _ => {
                let dtype = Scalar::Float(exponent).promote(self.dtype());
                let x = self.in_dtype(dtype.compute());
                x.pow(&x.scalar_operand(exponent)).into_dtype(dtype)
            }
        }
    }

    /// x where positive, else slope * x, for float arrays.
    pub fn leaky_relu(&self, slope: f64) -> Array {
        self.float_unary(Unary::LeakyRelu(slope))
    }

    /// -x.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn neg(&self) -> Array {
        self.number_unary("neg", Unary::Neg)
    }

    /// |x|.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn abs(&self) -> Array {
        self.number_unary("abs", Unary::Abs)
    }

    /// -1, 0 or 1; 0 for NaN, as in torch.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn sign(&self) -> Array {
        self.number_unary("sign", Unary::Sign)
    }

    /// max(x, 0).
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn relu(&self) -> Array {
        self.number_unary("relu", Unary::Relu)
    }

    /// The nearest integer below.
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn floor(&self) -> Array {
        self.number_unary("floor", Unary::Floor)
    }

    /// x moved into `low..=high`; use an infinity for an open end.
    ///
    /// A bound that is NaN makes every element NaN. Integers stay integers if both bounds are whole, else they
    /// become `f32`; in PyTorch a bound written as a float (`2.0`) makes them `f32`, too.
    ///
    /// ```
    /// use rushlight_array::Array;
    /// let x = Array::new([0, 1, 2, 3]);
    /// assert_eq!(x.clamp(1.0, 2.0).to_vec::<i64>(), [1, 1, 2, 2]);
    /// assert_eq!(x.clamp(0.5, 2.5).to_vec::<f32>(), [0.5, 1.0, 2.0, 2.5]);
    /// ```
    ///
    /// # Panics
    /// For bools.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Array {
        let whole = |bound: f64| bound == bound.trunc();
        if self.dtype().is_int() && !(whole(low) && whole(high)) {
            return self.cast(DType::F32).clamp(low, high);
        }
        self.number_unary("clamp", Unary::Clamp(low, high))
    }

    /// Whether x is zero: logical not.
    pub fn logical_not(&self) -> Array {
        self.device().backend().unary(Unary::Not, &self.cast(DType::Bool))
    }

    pub(super) fn float_unary(&self, op: Unary) -> Array {
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::F32 };
        self.device().backend().unary(op, &self.in_dtype(dtype.compute())).into_dtype(dtype)
    }

    #[track_caller]
    fn number_unary(&self, name: &str, op: Unary) -> Array {
        let dtype = self.dtype();
        if dtype == DType::Bool {
            fail!("{name}: not defined for bool; cast with .to(DType::I64) first, or use logical_not");
        }
        self.device().backend().unary(op, &self.in_dtype(dtype.compute())).into_dtype(dtype)
    }
}
