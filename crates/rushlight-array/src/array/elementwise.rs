use super::Array;
use crate::cpu::unary;
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

/// Elementwise functions.
impl Array {
    /// x * factor, for float arrays.
    pub fn scale(&self, factor: f64) -> Array {
        self.float_unary(unary::scale(factor))
    }

    /// x + term, for float arrays.
    pub fn offset(&self, term: f64) -> Array {
        self.float_unary(unary::offset(term))
    }

    /// x to a fixed power, for float arrays.
    pub fn powf(&self, exponent: f64) -> Array {
        match exponent {
            -1.0 => self.reciprocal(),
            2.0 => self.float_unary(unary::square()),
            3.0 => self.float_unary(unary::cube()),
            0.5 => self.float_unary(unary::root()),
            _ => {
                let dtype = Scalar::Float(exponent).promote(self.dtype());
                let x = self.in_dtype(dtype.compute());
                x.pow(&x.scalar_operand(exponent)).into_dtype(dtype)
            }
        }
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
        self.number_unary("clamp", unary::clamp(low, high))
    }

    /// Whether x is zero: logical not.
    pub fn logical_not(&self) -> Array {
        self.device().kernels().unary(unary::not(), &self.cast(DType::Bool))
    }
}
