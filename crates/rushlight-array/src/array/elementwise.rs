use super::Array;
use crate::backend::{Activation, Binary, Compare, Gelu, Unary};
use crate::dtype::DType;
use crate::fail;
use crate::scalar::Scalar;
use crate::shape::Shape;
use std::borrow::Cow;

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

/// Elementwise functions.
impl Array {
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
        self.float_unary(Unary::Power(exponent))
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
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shapes broadcast, dtypes are promoted.
        ///
        /// # Panics
        /// If the shapes do not broadcast or the devices differ.
        #[track_caller]
        pub fn $name(&self, other: &Array) -> Array {
            self.binary(stringify!($name), Binary::$op, other, self.dtype().promote(other.dtype()))
        }
    )*};
}

macro_rules! compare {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shapes broadcast, dtypes are promoted.
        ///
        /// # Panics
        /// If the shapes do not broadcast or the devices differ.
        #[track_caller]
        pub fn $name(&self, other: &Array) -> Array {
            let dtype = self.dtype().promote(other.dtype()).compute();
            let (a, b) = self.operands(stringify!($name), other, dtype);
            self.device().backend().compare(Compare::$op, &a, &b)
        }
    )*};
}

/// Elementwise functions of two arrays.
#[allow(clippy::should_implement_trait, reason = "operators belong to Tensor; arrays use plain methods")]
impl Array {
    binary! {
        /// a + b; for bools, or.
        add => Add;
        /// a * b; for bools, and.
        mul => Mul;
        /// The larger of a and b; NaN wins.
        maximum => Maximum;
        /// The smaller of a and b; NaN wins.
        minimum => Minimum;
        /// a to the power of b.
        pow => Pow;
        /// The gradient of relu from that of its result (this array) and the result: 0 where the latter is at or
        /// below 0. Beside NaN the gradient passes, as in PyTorch.
        relu_grad => ReluGrad;
        /// The gradient of the sigmoid, g y (1 - y), from that of its result (this array) and the result.
        sigmoid_grad => SigmoidGrad;
        /// The gradient of tanh, g (1 - y^2), from that of its result (this array) and the result.
        tanh_grad => TanhGrad;
    }

    compare! {
        /// a == b.
        eq => Eq;
        /// a != b.
        ne => Ne;
        /// a < b.
        lt => Lt;
        /// a <= b.
        le => Le;
        /// a > b.
        gt => Gt;
        /// a >= b.
        ge => Ge;
    }

    /// The gradient of [`Array::gelu`] from that of its result (this array) and its input.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn gelu_grad(&self, x: &Array, form: Gelu) -> Array {
        self.binary("gelu_grad", Binary::GeluGrad(form), x, self.dtype().promote(x.dtype()))
    }

    /// The gradient of [`Array::activation`] from that of its result (this array) and its input.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn activation_grad(&self, x: &Array, kind: Activation) -> Array {
        self.binary("activation_grad", Binary::ActivationGrad(kind), x, self.dtype().promote(x.dtype()))
    }

    /// a - b.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or both are bools.
    #[track_caller]
    pub fn sub(&self, other: &Array) -> Array {
        let dtype = self.dtype().promote(other.dtype());
        if dtype == DType::Bool {
            fail!("sub: not defined for two bools; use logical_xor, or cast with .to(DType::I64)");
        }
        self.binary("sub", Binary::Sub, other, dtype)
    }

    /// a / b, always as floats: integers and bools give `f32`.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn div(&self, other: &Array) -> Array {
        let dtype = self.dtype().promote(other.dtype());
        let dtype = if dtype.is_float() { dtype } else { DType::F32 };
        self.binary("div", Binary::Div, other, dtype)
    }

    /// Whether both are not zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn logical_and(&self, other: &Array) -> Array {
        self.binary("logical_and", Binary::And, other, DType::Bool)
    }

    /// Whether either is not zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn logical_or(&self, other: &Array) -> Array {
        self.binary("logical_or", Binary::Or, other, DType::Bool)
    }

    /// Whether exactly one is not zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn logical_xor(&self, other: &Array) -> Array {
        self.binary("logical_xor", Binary::Xor, other, DType::Bool)
    }

    /// A scalar as an array that takes part in an operation with this one without widening its dtype.
    pub fn scalar_operand(&self, value: impl Into<Scalar>) -> Array {
        let value = value.into();
        Array::full((), value, value.promote(self.dtype()), self.device())
    }

    /// `a` where this array is true, else `b`; the three broadcast.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or this array is not bool.
    #[track_caller]
    pub fn where_(&self, a: &Array, b: &Array) -> Array {
        if self.dtype() != DType::Bool {
            fail!("where: the condition is {}, not bool; compare it, as in x.gt(0.0)", self.dtype().name());
        }
        let dtype = a.dtype().promote(b.dtype());
        let shape = broadcast_shapes("where", a.shape(), b.shape());
        let shape = broadcast_shapes("where", self.shape(), &shape);
        self.same_device("where", a);
        self.same_device("where", b);
        let [condition, a, b] =
            [self, &a.cast(dtype), &b.cast(dtype)].map(|x| x.broadcast_to("where", &shape));
        self.device().backend().select(&condition, &a, &b)
    }

    /// As [`Array::add`] and its kin for an array that nobody needs any more: its elements are overwritten if nobody
    /// else holds them and the result has their dtype and shape.
    ///
    /// # Panics
    /// As the method of that name.
    #[track_caller]
    pub fn into_binary(mut self, op: Binary, other: &Array) -> Array {
        let dtype = self.dtype();
        if dtype.is_float()
            && dtype == dtype.compute()
            && dtype == other.dtype()
            && self.shape() == other.shape()
        {
            self.same_device(crate::profile::kernels::binary(op), other);
            let device = self.device().clone();
            device.backend().binary_assign(op, &mut self, other);
            return self;
        }
        match op {
            Binary::Add => self.add(other),
            Binary::Sub => self.sub(other),
            Binary::Mul => self.mul(other),
            Binary::Div => self.div(other),
            op => self.binary(crate::profile::kernels::binary(op), op, other, dtype.promote(other.dtype())),
        }
    }

    #[track_caller]
    fn binary(&self, name: &str, op: Binary, other: &Array, dtype: DType) -> Array {
        let (a, b) = self.operands(name, other, dtype.compute());
        self.device().backend().binary(op, &a, &b).into_dtype(dtype)
    }

    /// Both operands in one dtype and shape.
    #[track_caller]
    pub(super) fn operands<'a>(
        &'a self,
        name: &str,
        other: &'a Array,
        dtype: DType,
    ) -> (Cow<'a, Array>, Cow<'a, Array>) {
        self.same_device(name, other);
        let (a, b) = (self.in_dtype(dtype), other.in_dtype(dtype));
        if a.shape() == b.shape() {
            return (a, b);
        }
        let shape = broadcast_shapes(name, a.shape(), b.shape());
        let widened = |x: Cow<'a, Array>| match *x.shape() == shape {
            true => x,
            false => Cow::Owned(x.broadcast_to(name, &shape)),
        };
        (widened(a), widened(b))
    }

    /// Whether all elements are within `atol + rtol * |other|`; NaN is close to nothing.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn allclose(&self, other: &Array, rtol: f64, atol: f64) -> bool {
        let (a, b) = self.operands("allclose", other, DType::F64);
        let (a, b) = (a.to_vec::<f64>(), b.to_vec::<f64>());
        a.iter().zip(&b).all(|(a, b)| a == b || (a - b).abs() <= atol + rtol * b.abs())
    }
}
