//! `+ - * / %`, unary minus and the operators on bits between tensors, references to them, and numbers.
//!
//! Numbers are `f64` or `i64` alone: with one float type the compiler knows what `x * 2.0 * y` means. `%` is Python's, as
//! in PyTorch: its result has the sign of the second operand.

use crate::anomaly;
use crate::mode::is_grad_enabled;
use crate::ops::Operand;
use crate::tensor::Tensor;
use rushlight_array::profile::{Work, span};
use rushlight_array::{Array, Scalar};
use std::ops::{
    Add, AddAssign, BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Div, DivAssign, Mul,
    MulAssign, Neg, Not, Rem, RemAssign, Shl, ShlAssign, Shr, ShrAssign, Sub, SubAssign,
};

/// `a += b` and its kin: the forms with `_`, as operators.
macro_rules! assign_operator {
    ($trait:ident, $method:ident, $in_place:ident: $($number:ty),*) => {
        assign_operator!(@ $trait, $method, $in_place, &Tensor, |other| other);
        assign_operator!(@ $trait, $method, $in_place, Tensor, |other| &other);
        $(assign_operator!(@ $trait, $method, $in_place, $number, |other| other);)*
    };
    (@ $trait:ident, $method:ident, $in_place:ident, $other:ty, |$value:ident| $operand:expr) => {
        impl $trait<$other> for Tensor {
            /// The form with `_` as an operator.
            ///
            /// # Panics
            /// As that form: if this is a leaf that requires a gradient and recording is on (do it inside of
            /// [`no_grad`](crate::no_grad)), or if the result has another shape or a dtype that cannot be kept here.
            #[track_caller]
            fn $method(&mut self, $value: $other) {
                self.$in_place($operand);
            }
        }
    };
}
assign_operator!(AddAssign, add_assign, add_: f64, i64);
assign_operator!(SubAssign, sub_assign, sub_: f64, i64);
assign_operator!(MulAssign, mul_assign, mul_: f64, i64);
assign_operator!(DivAssign, div_assign, div_: f64, i64);
assign_operator!(RemAssign, rem_assign, remainder_: f64, i64);
assign_operator!(BitAndAssign, bitand_assign, bitwise_and_: i64, bool);
assign_operator!(BitOrAssign, bitor_assign, bitwise_or_: i64, bool);
assign_operator!(BitXorAssign, bitxor_assign, bitwise_xor_: i64, bool);
assign_operator!(ShlAssign, shl_assign, bitwise_left_shift_: i64);
assign_operator!(ShrAssign, shr_assign, bitwise_right_shift_: i64);

/// A change in place that overwrites the elements if nobody else holds them. The new value, or `None` if it is there
/// already.
macro_rules! change_in_place {
    ($name:ident, $into:ident, $operator:tt, $scalar:ident) => {
        #[track_caller]
        pub(crate) fn $name(tensor: &mut Tensor, other: Operand<'_>) -> Option<Tensor> {
            match other {
                Operand::Number(number) => Some(tensor.$scalar(number)),
                Operand::Tensor(other) if !fits(tensor, other) => Some(&*tensor $operator other),
                Operand::Tensor(other) if tensor.fixed().is_some() => {
                    let own = std::mem::replace(tensor, other.clone());
                    *tensor = own $operator other;
                    None
                }
                Operand::Tensor(other) if !tensor.is(other) && !other.requires_grad() => {
                    let other = other.array();
                    tensor.update(|array| {
                        let own = std::mem::replace(array, other.clone());
                        *array = own.$into(&other);
                    });
                    None
                }
                Operand::Tensor(other) => Some(&*tensor $operator other),
            }
        }
    };
}
change_in_place!(add_in_place, into_add, +, add_scalar);
change_in_place!(sub_in_place, into_sub, -, sub_scalar);
change_in_place!(mul_in_place, into_mul, *, mul_scalar);
change_in_place!(div_in_place, into_div, /, div_scalar);

/// Whether the operator gives the first tensor's dtype and shape.
#[track_caller]
fn fits(tensor: &Tensor, other: &Tensor) -> bool {
    tensor.dtype().is_float()
        && tensor.dtype() == other.dtype()
        && tensor.shape() == other.shape()
        && tensor.device() == other.device()
}

/// The values of a tensor that the operator consumes, if no rule and nobody else will want them, and those of the other
/// operand: the result may take their place.
fn reusable(tensor: Tensor, other: &Tensor) -> Result<(Array, &Array), Tensor> {
    match other.fixed() {
        // What is watched goes through the recorder.
        Some(array) if !(anomaly::is_anomaly_enabled() || is_grad_enabled() && other.requires_grad()) => {
            tensor.into_unshared().map(|own| (own, array))
        }
        _ => Err(tensor),
    }
}

macro_rules! operator {
    ($trait:ident, $operator:tt, $method:ident, $into:ident, $scalar:ident, $reversed:ident) => {
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
                        array.$into(other).into()
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
operator!(Add, +, add, into_add, add_scalar, add_scalar);
operator!(Sub, -, sub, into_sub, sub_scalar, rsub_scalar);
operator!(Mul, *, mul, into_mul, mul_scalar, mul_scalar);
operator!(Div, /, div, into_div, div_scalar, rdiv_scalar);

/// An operator without the reuse of memory: between tensors, and with a number on either side.
macro_rules! plain_operator {
    ($trait:ident, $method:ident, $of:ident, $($number:ty),*) => {
        plain_operator!(@pair $trait, $method, $of, &Tensor, &Tensor);
        plain_operator!(@pair $trait, $method, $of, &Tensor, Tensor);
        plain_operator!(@pair $trait, $method, $of, Tensor, &Tensor);
        plain_operator!(@pair $trait, $method, $of, Tensor, Tensor);
        $(
            plain_operator!(@number $trait, $method, $of, &Tensor, $number);
            plain_operator!(@number $trait, $method, $of, Tensor, $number);
        )*
    };
    (@pair $trait:ident, $method:ident, $of:ident, $left:ty, $right:ty) => {
        impl $trait<$right> for $left {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $right) -> Tensor {
                let other: &Tensor = &other;
                self.$of(other)
            }
        }
    };
    (@number $trait:ident, $method:ident, $of:ident, $tensor:ty, $number:ty) => {
        impl $trait<$number> for $tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $number) -> Tensor {
                self.$of(other)
            }
        }
        impl $trait<$tensor> for $number {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: $tensor) -> Tensor {
                let other: &Tensor = &other;
                crate::ops::$of(self, other)
            }
        }
    };
}
plain_operator!(Rem, rem, remainder, f64, i64);
plain_operator!(BitAnd, bitand, bitwise_and, i64, bool);
plain_operator!(BitOr, bitor, bitwise_or, i64, bool);
plain_operator!(BitXor, bitxor, bitwise_xor, i64, bool);
plain_operator!(Shl, shl, bitwise_left_shift, i64);
plain_operator!(Shr, shr, bitwise_right_shift, i64);

impl Not for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        self.bitwise_not()
    }
}

impl Not for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        self.bitwise_not()
    }
}

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
