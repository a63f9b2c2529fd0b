//! Comparisons, the larger and the smaller, and moving into a range.

use super::arithmetic::one;
use super::elementwise::{binary_methods, binary_op, share};
use super::inplace::in_place;
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::{Operand, where_};
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Scalar, fail};

binary_op!(
    Maximum,
    maximum = maximum,
    "MaximumBackward0",
    INPUTS,
    (Any, Any),
    |saved, grad| share(grad, &saved.input(0), &saved.input(1)),
    share(grad, &saved.input(1), &saved.input(0))
);
binary_op!(
    Minimum,
    minimum = minimum,
    "MinimumBackward0",
    INPUTS,
    (Any, Any),
    |saved, grad| share(grad, &saved.input(1), &saved.input(0)),
    share(grad, &saved.input(0), &saved.input(1))
);
binary_op!(
    ClampMin,
    clamp_min = maximum,
    "ClampMinBackward1",
    INPUTS,
    (Any, Any),
    |saved, grad| share(grad, &saved.input(0), &saved.input(1)),
    share(grad, &saved.input(1), &saved.input(0))
);
binary_op!(
    ClampMax,
    clamp_max = minimum,
    "ClampMaxBackward1",
    INPUTS,
    (Any, Any),
    |saved, grad| share(grad, &saved.input(1), &saved.input(0)),
    share(grad, &saved.input(0), &saved.input(1))
);
binary_op!(
    Fmax,
    fmax = fmax,
    "FmaxBackward0",
    INPUTS,
    (Any, Any),
    |saved, grad| {
        let (a, b) = (saved.input(0), saved.input(1));
        where_(&a.eq(&b), &(grad * 0.5), &where_(&a.gt(&b).logical_or(&b.ne(&b)), grad, 0.0))
    },
    {
        let (a, b) = (saved.input(0), saved.input(1));
        where_(&a.eq(&b), &(grad * 0.5), &where_(&a.gt(&b).logical_or(&b.ne(&b)), 0.0, grad))
    }
);
binary_op!(
    Fmin,
    fmin = fmin,
    "FminBackward0",
    INPUTS,
    (Any, Any),
    |saved, grad| {
        let (a, b) = (saved.input(0), saved.input(1));
        where_(&a.eq(&b), &(grad * 0.5), &where_(&a.lt(&b).logical_or(&b.ne(&b)), grad, 0.0))
    },
    {
        let (a, b) = (saved.input(0), saved.input(1));
        where_(&a.eq(&b), &(grad * 0.5), &where_(&a.lt(&b).logical_or(&b.ne(&b)), 0.0, grad))
    }
);

binary_methods! {
    /// The larger of a and b; NaN wins. Equal ones share the gradient.
    maximum => Maximum;
    /// The smaller of a and b; NaN wins. Equal ones share the gradient.
    minimum => Minimum;
    /// The larger of a and b; a number wins over NaN. Equal ones share the gradient.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([1.0, f64::NAN]);
    /// assert_eq!(x.fmax(0.5).to_vec::<f32>(), [1.0, 0.5]);
    /// ```
    fmax => Fmax;
    /// The smaller of a and b; a number wins over NaN. Equal ones share the gradient.
    fmin => Fmin;
}

/// x moved into a range of numbers.
#[derive(Debug)]
struct Clamp {
    low: Option<Scalar>,
    high: Option<Scalar>,
    name: &'static str,
    grad_fn: &'static str,
}

impl Op for Clamp {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let x = inputs[0];
        let beyond = |bound: &Scalar| matches!(bound, Scalar::Int(bound) if bound.unsigned_abs() > 1 << 53);
        if x.dtype() == DType::I64 && [self.low, self.high].iter().flatten().any(beyond) {
            // The kernel's f64 would round these integers.
            let raised = self.low.map_or_else(|| x.clone(), |low| x.maximum(&x.scalar_operand(low)));
            return self.high.map_or(raised.clone(), |high| raised.minimum(&x.scalar_operand(high)));
        }
        let (low, high) = self.bounds();
        x.clamp(low, high)
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // As in PyTorch, the bounds themselves pass nothing.
        give.to(0, || {
            let x = saved.input(0);
            // An open end is not a bound at infinity.
            let inside = match self.bounds() {
                (low, f64::INFINITY) => x.gt(low),
                (f64::NEG_INFINITY, high) => x.lt(high),
                (low, high) => x.gt(low).logical_and(&x.lt(high)),
            };
            where_(&inside, grad, 0.0)
        });
    }
    fn grad_fn(&self) -> String {
        self.grad_fn.to_string()
    }
}

impl Clamp {
    /// An open end is an infinity.
    fn bounds(&self) -> (f64, f64) {
        let number = |bound: Option<Scalar>, open: f64| bound.map_or(open, Scalar::to_f64);
        (number(self.low, f64::NEG_INFINITY), number(self.high, f64::INFINITY))
    }
}

/// x moved into a range of tensors.
#[derive(Debug)]
struct ClampBetween;

impl Op for ClampBetween {
    fn name(&self) -> &'static str {
        "clamp"
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].clamp_between(inputs[1], inputs[2])
    }
    fn saves(&self) -> Saves {
        Saves::INPUTS
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        // PyTorch's choices: at a bound the gradient is shared with it, unless both bounds are one; where the range is
        // empty, all goes to the upper bound.
        let [x, low, high] = [0, 1, 2].map(|i| saved.input(i));
        let half = grad * 0.5;
        let (below, above) = (x.lt(&low), x.gt(&high));
        let (open, empty) = (low.lt(&high), low.gt(&high));
        let [at_low, at_high] = [&low, &high].map(|bound| x.eq(bound).logical_and(&open));
        give.to(0, || {
            let tie = at_low.logical_or(&at_high);
            where_(&below.logical_or(&above), 0.0, &where_(&tie, &half, grad))
        });
        give.to(1, || {
            let all = below.logical_and(&low.le(&high));
            where_(&all, grad, &where_(&at_low, &half, 0.0))
        });
        give.to(2, || {
            let all = empty.logical_or(&above.logical_and(&low.le(&high)));
            where_(&all, grad, &where_(&at_high, &half, 0.0))
        });
    }
    fn grad_fn(&self) -> String {
        "ClampBackward0".to_string()
    }
}

impl Tensor {
    /// x moved into `low..=high`, which are tensors or numbers; `high` where it is below `low`. For a bound on one side
    /// use [`Tensor::clamp_min`] or [`Tensor::clamp_max`]; an infinity stands for an open end, too.
    ///
    /// The gradient is 0 outside of the range and at bounds that are numbers; tensors share it with x where they are
    /// equal.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let x = tensor([0, 1, 2, 3]);
    /// assert_eq!(x.clamp(1, 2).to_vec::<i64>(), [1, 1, 2, 2]);
    /// assert_eq!(x.clamp(0.5, &tensor([9, 9, 9, 1])).to_vec::<f32>(), [0.5, 1.0, 2.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If all are bools, the shapes do not broadcast, the devices differ, or a number is out of an integer type's range.
    #[doc(alias = "clip")]
    #[track_caller]
    pub fn clamp<'a, 'b>(&self, low: impl Into<Operand<'a>>, high: impl Into<Operand<'b>>) -> Tensor {
        match (low.into(), high.into()) {
            (Operand::Number(low), Operand::Number(high)) => {
                self.clamp_to_numbers(Some(low), Some(high), "clamp", "ClampBackward1")
            }
            (low, high) => Tensor::apply(ClampBetween, &[self, &low.tensor(self), &high.tensor(self)]),
        }
    }

    /// x, or the bound where that is larger. The bound is a tensor, which shares the gradient where both are equal, or a
    /// number, at which the gradient is 0.
    ///
    /// # Panics
    /// As [`Tensor::clamp`].
    #[track_caller]
    pub fn clamp_min<'a>(&self, low: impl Into<Operand<'a>>) -> Tensor {
        match low.into() {
            Operand::Number(low) => self.clamp_to_numbers(Some(low), None, "clamp_min", "ClampMinBackward0"),
            Operand::Tensor(low) => Tensor::apply(ClampMin, &[self, low]),
        }
    }

    /// x, or the bound where that is smaller. The bound is a tensor, which shares the gradient where both are equal, or a
    /// number, at which the gradient is 0.
    ///
    /// # Panics
    /// As [`Tensor::clamp`].
    #[track_caller]
    pub fn clamp_max<'a>(&self, high: impl Into<Operand<'a>>) -> Tensor {
        match high.into() {
            Operand::Number(high) => {
                self.clamp_to_numbers(None, Some(high), "clamp_max", "ClampMaxBackward0")
            }
            Operand::Tensor(high) => Tensor::apply(ClampMax, &[self, high]),
        }
    }

    #[track_caller]
    fn clamp_to_numbers(
        &self,
        low: Option<Scalar>,
        high: Option<Scalar>,
        name: &'static str,
        grad_fn: &'static str,
    ) -> Tensor {
        let mut dtype = self.dtype();
        for bound in [low, high].into_iter().flatten() {
            dtype = bound.promote(dtype);
        }
        let op = Clamp { low, high, name, grad_fn };
        let (low, high) = op.bounds();
        if let Some((least, most)) = dtype.int_range() {
            // Cut to the type they would be other numbers.
            if low > most as f64 || high < least as f64 {
                fail!(
                    "{name}: the range {low}..={high} has no {} in it, which holds {least}..={most}",
                    dtype.name()
                );
            }
        }
        if dtype == self.dtype() { Tensor::apply(op, &[self]) } else { Tensor::apply(op, &[&self.to(dtype)]) }
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $in_place:ident $torch:literal;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// A bool tensor, without a gradient. The operand is a tensor or a number; shapes broadcast.
                ///
                /// # Panics
                /// If the shapes do not broadcast or the devices differ.
                #[track_caller]
                pub fn $name<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
                    let a = self.value();
                    let b = other.into().array(&a);
                    a.$name(&b).into()
                }
            )*
        }

        in_place! {
            $($in_place<'a> = $name(other: impl Into<Operand<'a>>);)*
        }

        /// The rows of the comparisons.
        const COMPARISONS: &[OpInfo] = &[$(
            OpInfo::composed(stringify!($name), $torch, |draw| {
                let (a, b) = draw.broadcast_pair();
                let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
                Sample::new(inputs, |x| x[0].$name(&x[1]).logical_xor(&x[0].$name(0.5)).to(DType::F64))
            })
            .rejects(|| {
                vec![Reject::new(concat!(stringify!($name), ": shapes [3] and [2] do not broadcast"), || {
                    floats([3]).$name(&floats([2]));
                })]
            })
            .never(),
        )*];
    };
}
pub(super) use comparisons;

comparisons! {
    /// a == b.
    eq eq_ "torch.eq";
    /// a != b.
    #[doc(alias = "not_equal")]
    ne ne_ "torch.ne";
    /// a < b.
    #[doc(alias = "less")]
    lt lt_ "torch.lt";
    /// a <= b.
    #[doc(alias = "less_equal")]
    le le_ "torch.le";
    /// a > b.
    #[doc(alias = "greater")]
    gt gt_ "torch.gt";
    /// a >= b.
    #[doc(alias = "greater_equal")]
    ge ge_ "torch.ge";
}

in_place! {
    clamp_<'a, 'b> = clamp(low: impl Into<Operand<'a>>, high: impl Into<Operand<'b>>);
    clamp_min_<'a> = clamp_min(low: impl Into<Operand<'a>>);
    clamp_max_<'a> = clamp_max(high: impl Into<Operand<'a>>);
}

/// How near is near: what [`Tensor::isclose_with`] takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CloseOptions {
    /// The part of `|other|` that is allowed; 1e-5.
    pub rtol: f64,
    /// What is allowed beside it; 1e-8.
    pub atol: f64,
    /// Whether NaN is near to NaN; false.
    pub equal_nan: bool,
}

impl Default for CloseOptions {
    fn default() -> Self {
        CloseOptions { rtol: 1e-5, atol: 1e-8, equal_nan: false }
    }
}

impl Tensor {
    /// Whether each element is within `1e-8 + 1e-5 * |other|` of the other's; equal infinities are, NaN never is.
    ///
    /// # Panics
    /// If the shapes do not broadcast, or the dtypes or devices differ.
    #[track_caller]
    pub fn isclose(&self, other: &Tensor) -> Tensor {
        self.isclose_with(other, &CloseOptions::default())
    }

    /// Whether each element is within `atol + rtol * |other|` of the other's.
    ///
    /// ```
    /// use rushlight_autograd::{ops::CloseOptions, tensor};
    /// let (a, b) = (tensor([1.0, f64::NAN]), tensor([1.01, f64::NAN]));
    /// let options = CloseOptions { rtol: 0.02, equal_nan: true, ..Default::default() };
    /// assert_eq!(a.isclose_with(&b, &options).to_vec::<bool>(), [true, true]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast, the dtypes or devices differ, or a tolerance is negative.
    #[track_caller]
    pub fn isclose_with(&self, other: &Tensor, options: &CloseOptions) -> Tensor {
        let (a, b) = (self.value(), other.value());
        let close = a.isclose(&b, options.rtol, options.atol);
        if options.equal_nan {
            close.logical_or(&a.ne(&a).logical_and(&b.ne(&b))).into()
        } else {
            close.into()
        }
    }

    /// Whether every element is within `atol + rtol * |other|` of the other's. PyTorch's tolerances are optional
    /// (`rtol=1e-5, atol=1e-8`); here they are always written.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the dtypes or devices differ, or a tolerance is negative.
    #[track_caller]
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        self.value().allclose(&other.value(), rtol, atol)
    }

    /// Whether [`Tensor::isclose_with`] holds for all elements.
    ///
    /// # Panics
    /// As [`Tensor::isclose_with`].
    #[track_caller]
    pub fn allclose_with(&self, other: &Tensor, options: &CloseOptions) -> bool {
        self.isclose_with(other, options).array().all().item()
    }

    /// Whether shape and all elements are equal.
    ///
    /// # Panics
    /// If the devices differ.
    #[track_caller]
    pub fn equal(&self, other: &Tensor) -> bool {
        self.shape() == other.shape() && self.value().equal(&other.value())
    }
}

pub(crate) const TABLES: [&[OpInfo]; 2] = [COMPARISONS, TABLE];

const TABLE: &[OpInfo] = &[
    Maximum::INFO,
    Minimum::INFO,
    ClampMin::INFO,
    ClampMax::INFO,
    Fmax::INFO,
    Fmin::INFO,
    OpInfo::op("Clamp", "clamp", "torch.clamp", |draw| match draw.below(3) {
        0 => one(draw, Domain::NonZero, |x| x[0].clamp(-1.05, 0.05)),
        1 => one(draw, Domain::NonZero, |x| x[0].clamp_min(0.05)),
        _ => one(draw, Domain::NonZero, |x| x[0].clamp_max(0.05)),
    })
    .rejects(|| {
        vec![
            Reject::new("clamp: not defined for bool", || {
                integers().gt(1).clamp(false, true);
            }),
            Reject::new("clamp_max: the range -inf..=-1 has no uint8 in it, which holds 0..=255", || {
                integers().to(DType::U8).clamp_max(-1);
            }),
        ]
    }),
    OpInfo::op("ClampBetween", "clamp", "torch.clamp", |draw| {
        let (a, b) = draw.broadcast_pair();
        let inputs =
            vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Unit), draw.leaf(&a, Domain::Positive)];
        // Bounds may lie either way round.
        match draw.coin() {
            true => Sample::new(inputs, |x| x[0].clamp(&(&x[1] - 1.0), &x[2])),
            false => Sample::new(inputs, |x| x[0].clamp(&x[2], &x[1]).clamp(-0.3, &x[2])),
        }
    })
    .rejects(|| {
        vec![Reject::new("clamp: shapes [3] and [2] do not broadcast", || {
            floats([3]).clamp(&floats([2]), 1.0);
        })]
    }),
    OpInfo::composed("isclose", "torch.isclose", |draw| {
        one(draw, Domain::Any, |x| x[0].isclose(&x[0].detach()).to(DType::F64))
    })
    .rejects(|| {
        vec![
            Reject::new(
                "isclose: the dtypes differ: int64 and float32; cast one with .to(DType::I64)",
                || {
                    integers().isclose(&floats([3]));
                },
            ),
            Reject::new("isclose: rtol is -1; a tolerance is 0 or more", || {
                floats([3]).isclose_with(&floats([3]), &CloseOptions { rtol: -1.0, ..Default::default() });
            }),
        ]
    })
    .never(),
];
