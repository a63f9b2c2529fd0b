//! `+ - * /` and unary minus between tensors, references to them, and numbers.
//!
//! Numbers are `f64` or `i64` alone: with one float type the compiler knows what `x * 2.0 * y` means.

use crate::mode::is_grad_enabled;
use crate::tensor::Tensor;
use rushlight_array::backend::Binary;
use rushlight_array::profile::{Work, span};
use rushlight_array::{Array, Scalar, fail};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// `a += b` and its kin: `f.set(f - g * lr)` for a leaf cell, a new value for every other tensor.
macro_rules! assign_operator {
    ($trait:ident, $method:ident, $operator:tt) => {
        assign_operator!(@ $trait, $method, $operator, f64, |tensor, other| &*tensor $operator other);
        assign_operator!(@ $trait, $method, $operator, i64, |tensor, other| &*tensor $operator other);
        assign_operator!(@ $trait, $method, $operator, Tensor, |tensor, other| {
            let own = taken(tensor, &other);
            own $operator other
        });
        assign_operator!(@ $trait, $method, $operator, &Tensor, |tensor, other| {
            let own = taken(tensor, &other);
            own $operator other
        });
    };
    (@ $trait:ident, $method:ident, $operator:tt, $other:ty, |$tensor:ident, $value:ident| $result:expr) => {
        impl $trait<$other> for Tensor {
            /// # Panics
            /// If this is a leaf that requires a gradient and recording is on: do it inside of
            /// [`no_grad`](crate::no_grad). Also as the operator itself.
            #[track_caller]
            fn $method(&mut self, $value: $other) {
                if self.fixed().is_some() {
                    let $tensor = self;
                    *$tensor = $result;
                    return;
                }
                if is_grad_enabled() && self.requires_grad() {
                    fail!(
                        "{}: a leaf that requires grad is being changed in place; do it inside of no_grad",
                        stringify!($method)
                    );
                }
                self.set(&*self $operator $value);
            }
        }
    };
}
assign_operator!(AddAssign, add_assign, +);
assign_operator!(SubAssign, sub_assign, -);
assign_operator!(MulAssign, mul_assign, *);
assign_operator!(DivAssign, div_assign, /);

/// The tensor out of its place, where the operator cannot refuse: a panic would leave the other one there.
fn taken(tensor: &mut Tensor, other: &Tensor) -> Tensor {
    let fits = tensor.dtype().is_float()
        && tensor.dtype() == other.dtype()
        && tensor.shape() == other.shape()
        && tensor.device() == other.device();
    if fits { std::mem::replace(tensor, other.clone()) } else { tensor.clone() }
}

/// The values of a tensor that the operator consumes, if no rule and nobody else will want them, and those of the other
/// operand: the result may take their place.
fn reusable(tensor: Tensor, other: &Tensor) -> Result<(Array, &Array), Tensor> {
    match other.fixed() {
        Some(array) if !(is_grad_enabled() && other.requires_grad()) => {
            tensor.into_unshared().map(|own| (own, array))
        }
        _ => Err(tensor),
    }
}

macro_rules! operator {
    ($trait:ident, $operator:tt, $method:ident, $scalar:ident, $reversed:ident) => {
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
                match reusable(self, other) {
                    Ok((array, other)) => {
                        let _span = span(stringify!($method), Work::default);
                        array.into_binary(Binary::$trait, other).into()
                    }
                    Err(tensor) => Tensor::$method(&tensor, other),
                }
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                self $operator &other
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
operator!(Add, +, add, add_scalar, add_scalar);
operator!(Sub, -, sub, sub_scalar, rsub_scalar);
operator!(Mul, *, mul, mul_scalar, mul_scalar);
operator!(Div, /, div, div_scalar, rdiv_scalar);

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
