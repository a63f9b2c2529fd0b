//! In-place forms: PyTorch's names with `_` at their end.
//!
//! A value never changes: the tensor gets a new one (copy on write), so that other handles, views, and what a graph
//! saved keep the old. A *leaf* is a cell: its values are set, for all of its handles.

use crate::mode::is_grad_enabled;
use crate::tensor::Tensor;
use rushlight_array::{DType, fail};

impl Tensor {
    /// Puts what `compute` makes of this tensor in its place, cast to its dtype.
    ///
    /// # Panics
    /// As `compute`; if this is a leaf that requires a gradient and recording is on; if the result has another shape or
    /// is of a kind that the dtype cannot hold (a float for integers, an integer for bools).
    #[track_caller]
    pub(crate) fn replace(&mut self, name: &str, result: Tensor) -> &mut Tensor {
        if result.shape() != self.shape() {
            fail!(
                "{name}: the result has shape {:?}, the tensor {:?}; an operation in place must keep the shape",
                result.shape(),
                self.shape()
            );
        }
        let (from, to) = (result.dtype(), self.dtype());
        if kind(from) > kind(to) {
            fail!(
                "{name}: the result is {}, which cannot be kept in a tensor of {}; cast it with .to(DType::{from:?}) first",
                from.name(),
                to.name()
            );
        }
        let result = if from == to { result } else { result.to(to) };
        if self.fixed().is_some() {
            *self = result;
        } else if result.requires_grad() {
            fail!("{name}: a leaf would have to remember a gradient's history; use the form without `_`");
        } else {
            self.set(result);
        }
        self
    }

    /// As [`Tensor::replace`], for what changes the shape: `squeeze_`.
    ///
    /// # Panics
    /// If this is a leaf, whose shape is fixed, and the result has another one.
    #[track_caller]
    pub(crate) fn replace_view(&mut self, name: &str, result: Tensor) -> &mut Tensor {
        if self.fixed().is_none() {
            return self.replace(name, result);
        }
        *self = result;
        self
    }

    /// Before an operation in place.
    ///
    /// # Panics
    /// If this is a leaf that requires a gradient and recording is on.
    #[track_caller]
    pub(crate) fn check_replaceable(&self, name: &str) {
        if self.fixed().is_none() && is_grad_enabled() && self.requires_grad() {
            fail!("{name}: a leaf that requires grad is being changed in place; do it inside of no_grad");
        }
    }
}

/// Bools, integers, floats: what holds a kind holds those before it.
fn kind(dtype: DType) -> u8 {
    match dtype {
        DType::Bool => 0,
        dtype if dtype.is_int() => 1,
        _ => 2,
    }
}

/// In-place forms of methods of [`Tensor`]: `in_place! { abs_ = abs(); powf_ = powf(exponent: f64); }`. An argument of
/// an operand names its lifetime: `add_<'a> = add(other: impl Into<Operand<'a>>);`.
///
/// Those that may change the shape are listed behind `views`.
macro_rules! in_place {
    (views $($forms:tt)*) => { $crate::ops::inplace::in_place! { @ replace_view $($forms)* } };
    (@ $put:ident $($name:ident $(<$life:lifetime>)? = $of:ident($($arg:ident: $($ty:ty)?),*);)*) => {
        impl Tensor {
            $(
                #[doc = concat!("In-place form of [`Tensor::", stringify!($of), "`]; see [`Tensor::add_`] for what that means.")]
                ///
                /// # Panics
                /// As the form that makes a new tensor; if this is a leaf that requires a gradient and recording is on; if
                /// the result has another shape, or a dtype that cannot be kept here.
                #[track_caller]
                pub fn $name $(<$life>)? (&mut self, $($arg: $($ty)?),*) -> &mut Tensor {
                    self.check_replaceable(stringify!($name));
                    let result = self.$of($($arg),*);
                    self.$put(stringify!($name), result)
                }
            )*
        }
    };
    ($($forms:tt)*) => { $crate::ops::inplace::in_place! { @ replace $($forms)* } };
}
pub(crate) use in_place;
