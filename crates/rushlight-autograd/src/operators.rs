//! `+ - * /` and unary minus between tensors, references to them, and numbers.
//!
//! Numbers are `f64` or `i64` alone: with one float type the compiler knows what `x * 2.0 * y` means.

use crate::tensor::Tensor;
use rushlight_array::Scalar;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operator {
    ($trait:ident, $method:ident, $scalar:ident, $reversed:ident) => {
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::$method(self, other)
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::$method(self, &other)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::$method(&self, other)
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::$method(&self, &other)
            }
        }
        operator!(@scalar $trait, $method, $scalar, $reversed, f64, i64);
    };
    (@scalar $trait:ident, $method:ident, $scalar:ident, $reversed:ident, $($number:ty),*) => {$(
        impl $trait<$number> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $number) -> Tensor {
                self.$scalar(Scalar::from(other))
            }
        }
        impl $trait<$number> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $number) -> Tensor {
                self.$scalar(Scalar::from(other))
            }
        }
        impl $trait<&Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                other.$reversed(Scalar::from(self))
            }
        }
        impl $trait<Tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                other.$reversed(Scalar::from(self))
            }
        }
    )*};
}
operator!(Add, add, add_scalar, add_scalar);
operator!(Sub, sub, sub_scalar, rsub_scalar);
operator!(Mul, mul, mul_scalar, mul_scalar);
operator!(Div, div, div_scalar, rdiv_scalar);

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}
