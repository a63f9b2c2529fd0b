//! In-place forms: PyTorch's names with `_` at their end.
//!
//! A value never changes: the tensor gets a new one (copy on write), so that other handles, views, and what a graph
//! saved keep the old. A *leaf* is a cell: its values are set, for all of its handles.

use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved};
use crate::operators::{add_in_place, div_in_place, mul_in_place, sub_in_place};
use crate::ops::Operand;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

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
        if from.kind() > to.kind() {
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

/// In-place arithmetic, which overwrites the elements where nobody else holds them.
macro_rules! arithmetic_in_place {
    ($($(#[$doc:meta])* $name:ident $change:ident;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// # Panics
                /// As the form that makes a new tensor; if this is a leaf that requires a gradient and recording is on; if
                /// the result has another shape, or a dtype that cannot be kept here.
                #[track_caller]
                pub fn $name<'a>(&mut self, other: impl Into<Operand<'a>>) -> &mut Tensor {
                    self.check_replaceable(stringify!($name));
                    let result = $change(self, other.into());
                    match result {
                        Some(result) => self.replace(stringify!($name), result),
                        None => self,
                    }
                }
            )*
        }
    };
}
arithmetic_in_place! {
    /// `a = a + b`.
    ///
    /// All forms with `_` give this tensor a new value and keep its dtype. Other handles, views, and what a graph saved
    /// keep the old value; the change itself is recorded. A *leaf* is a cell that all of its handles see: it is set, and
    /// if it requires a gradient only inside of [`no_grad`](crate::no_grad).
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let mut x = tensor([1.0, 2.0]);
    /// let before = x.clone();
    /// x.add_(1.0).mul_(&tensor([10.0, 100.0]));
    /// assert_eq!(x.to_vec::<f32>(), [20.0, 300.0]);
    /// assert_eq!(before.to_vec::<f32>(), [1.0, 2.0]);
    /// ```
    add_ add_in_place;
    /// `a = a - b`; see [`Tensor::add_`].
    sub_ sub_in_place;
    /// `a = a * b`; see [`Tensor::add_`].
    mul_ mul_in_place;
    /// `a = a / b`; see [`Tensor::add_`]. The quotient is a float, which no tensor of integers can keep.
    div_ div_in_place;
}

impl Tensor {
    /// This tensor's shape, dtype and device filled with one value: a number, or a tensor without dims, cast to the dtype.
    ///
    /// # Panics
    /// If the value is a tensor with dims or on another device, or a number that the dtype has no place for.
    #[track_caller]
    pub fn fill<'a>(&self, value: impl Into<Operand<'a>>) -> Tensor {
        let value = value.into();
        let value = match &value {
            Operand::Tensor(value) if value.dim() > 0 => {
                fail!(
                    "fill: the value has shape {:?}; it must be a number or a tensor without dims",
                    value.shape()
                )
            }
            Operand::Tensor(value) => Tensor::clone(value),
            Operand::Number(number) => {
                crate::create::check_fits("fill", *number, self.dtype(), crate::create::Halves::Overflow);
                Array::full((), *number, self.dtype(), &self.device()).into()
            }
        };
        Tensor::apply(Fill, &[self, &value])
    }

    /// Puts the values of `source` in the place of this tensor's, cast to its dtype, moved to its device and broadcast to
    /// its shape. The gradient goes to `source` alone.
    ///
    /// # Panics
    /// If the shape does not broadcast to this one; as [`Tensor::add_`].
    #[track_caller]
    pub fn copy_(&mut self, source: &Tensor) -> &mut Tensor {
        self.check_replaceable("copy_");
        let (shape, dtype, device) = (self.shape(), self.dtype(), self.device());
        if rushlight_array::broadcast_shapes("copy_", &shape, &source.shape()) != shape {
            fail!("copy_: shape {:?} does not broadcast to {shape:?}", source.shape());
        }
        let sizes: Vec<isize> = shape.iter().map(|&size| size as isize).collect();
        let source = source.to(dtype).to(device);
        let result = if source.shape() == shape { source } else { source.expand(sizes.as_slice()) };
        // A leaf's values of now, not the cell.
        let result =
            if result.leaf().is_some() && !result.requires_grad() { result.detach() } else { result };
        self.replace("copy_", result)
    }

    /// Fills this tensor with zeros; see [`Tensor::add_`].
    ///
    /// # Panics
    /// If this is a leaf that requires a gradient and recording is on.
    #[track_caller]
    pub fn zero_(&mut self) -> &mut Tensor {
        self.check_replaceable("zero_");
        let zeros = self.fill(0);
        self.replace("zero_", zeros)
    }
}

in_place! {
    fill_<'a> = fill(value: impl Into<Operand<'a>>);
}

/// One value everywhere.
#[derive(Debug)]
struct Fill;

impl Op for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let (like, value) = (inputs[0], inputs[1]);
        if like.device() != value.device() {
            fail!(
                "fill: the tensor is on {}, the value on {}; move one with .to(..)",
                like.device(),
                value.device()
            );
        }
        value.cast(like.dtype()).expand(like.shape()).contiguous()
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.zeros_like());
        // The engine sums.
        give.to(1, || grad.clone());
    }
}

pub(crate) const TABLE: &[OpInfo] = &[
    OpInfo::op("Fill", "fill", "torch.fill", |draw| {
        let shape = draw.shape(0, 3);
        let inputs = vec![draw.leaf(&shape, Domain::Any), draw.leaf(&[], Domain::Any)];
        Sample::new(inputs, |x| x[0].fill(&x[1]) * &x[0] + x[0].fill(2))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "fill: the value has shape [3]; it must be a number or a tensor without dims",
                || {
                    integers().fill(&integers());
                },
            ),
            Reject::new("fill: 300 has no place in uint8", || {
                integers().to(DType::U8).fill(300);
            }),
        ]
    }),
    OpInfo::composed("add_", "torch.Tensor.add_", |draw| {
        let (a, b) = draw.broadcast_pair();
        let full = rushlight_array::broadcast_shapes("add_", &a, &b);
        let inputs = vec![draw.leaf(&full, Domain::Any), draw.leaf(&b, Domain::Positive)];
        Sample::new(inputs, |x| {
            let mut y = &x[0] * 2.0;
            y.add_(&x[1]).mul_(&x[1]).sub_(&x[0]).div_(&x[1]).add_(1.5).sub_(2).mul_(0.5).div_(3);
            y
        })
    })
    .rejects(|| {
        vec![
            Reject::new("div_: the result is float32, which cannot be kept in a tensor of int64", || {
                integers().div_(2);
            }),
            Reject::new("add_: the result has shape [3, 3], the tensor [3]", || {
                integers().add_(&integers().reshape([3, 1]));
            }),
        ]
    }),
    OpInfo::composed("copy_", "torch.Tensor.copy_", |draw| {
        let (a, b) = draw.broadcast_pair();
        let full = rushlight_array::broadcast_shapes("copy_", &a, &b);
        let inputs = vec![draw.leaf(&full, Domain::Any), draw.leaf(&b, Domain::Any)];
        Sample::new(inputs, |x| {
            let (mut y, mut z) = (&x[0] * 2.0, &x[0] * 3.0);
            y.copy_(&x[1]);
            z.zero_();
            y * &x[0] + z
        })
    })
    .rejects(|| {
        vec![Reject::new("copy_: shape [3, 3] does not broadcast to [3]", || {
            integers().copy_(&floats([3, 3]));
        })]
    }),
];

/// In-place forms of methods of [`Tensor`]: `in_place! { abs_ = abs(); pow_<'a> = pow(exponent: impl Into<Operand<'a>>); }`.
///
/// Those that may change the shape are listed behind `views`.
macro_rules! in_place {
    (views $($forms:tt)*) => { $crate::ops::inplace::in_place! { @ replace_view $($forms)* } };
    (@ $put:ident $($name:ident $(<$($life:lifetime),+>)? = $of:ident($($arg:ident: $ty:ty),*);)*) => {
        impl Tensor {
            $(
                #[doc = concat!("In-place form of [`Tensor::", stringify!($of), "`]; see [`Tensor::add_`] for what that means.")]
                ///
                /// # Panics
                /// As the form that makes a new tensor; if this is a leaf that requires a gradient and recording is on; if
                /// the result has another shape, or a dtype that cannot be kept here.
                #[track_caller]
                pub fn $name $(<$($life),+>)? (&mut self, $($arg: $ty),*) -> &mut Tensor {
                    self.check_replaceable(stringify!($name));
                    // Only forms that make a new tensor choose their dtype: a sum in f32 would lose its last bits.
                    let _given = $crate::autocast::Guard::off();
                    let result = self.$of($($arg),*);
                    self.$put(stringify!($name), result)
                }
            )*
        }
    };
    ($($forms:tt)*) => { $crate::ops::inplace::in_place! { @ replace $($forms)* } };
}
pub(crate) use in_place;
