//! Elementwise functions of two or three tensors, which broadcast, and of a tensor and a number.

use super::unary::{Offset, Rsub, Scale};
use crate::op::{Gradients, Op, Saved, Saves};
use crate::ops::{Operand, where_};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, Scalar};

/// Defines an operation of two tensors: its type, its rule and its method. The rule's gradients have the
/// broadcast shape; the engine sums them down.
macro_rules! binary_op {
    ($Op:ident, $name:ident, $grad_fn:literal, $saves:ident, ($a_domain:ident, $b_domain:ident), $(#[$doc:meta])*
     |$saved:ident, $grad:ident| $to_a:expr, $to_b:expr) => {
        #[derive(Debug)]
        struct $Op;

        impl Op for $Op {
            fn name(&self) -> &'static str {
                stringify!($name)
            }
            #[track_caller]
            fn forward(&mut self, inputs: &[&Array]) -> Array {
                inputs[0].$name(inputs[1])
            }
            fn saves(&self) -> Saves {
                Saves::$saves
            }
            fn backward(&self, $saved: &Saved<'_>, $grad: &Tensor, give: &mut Gradients<'_>) {
                give.to(0, || $to_a);
                give.to(1, || $to_b);
            }
            fn grad_fn(&self) -> String {
                $grad_fn.to_string()
            }
        }

        impl $Op {
            const INFO: OpInfo = OpInfo::op(stringify!($Op), stringify!($name), concat!("torch.", stringify!($name)), |draw| {
                    if draw.below(4) == 3 {
                        // One tensor in both places: its gradients meet, and everything is a tie.
                        let shape = draw.shape(0, 2);
                        return Sample::new(vec![draw.leaf(&shape, Domain::Positive)], |x| x[0].$name(&x[0]));
                    }
                    let (a, b) = draw.broadcast_pair();
                    let inputs = vec![draw.leaf(&a, Domain::$a_domain), draw.leaf(&b, Domain::$b_domain)];
                    Sample::new(inputs, |x| x[0].$name(&x[1]))
                }).rejects(|| {
                    vec![Reject::new(
                        concat!(stringify!($name), ": shapes [8, 3] and [8, 4] do not broadcast: axis 1 is 3 and 4"),
                        || {
                            floats([8, 3]).$name(&floats([8, 4]));
                        },
                    )]
                });
        }

        impl Tensor {
            $(#[$doc])*
            ///
            /// Shapes broadcast, dtypes are promoted.
            ///
            /// # Panics
            /// If the shapes do not broadcast or the devices differ.
            #[track_caller]
            pub fn $name(&self, other: &Tensor) -> Tensor {
                Tensor::apply($Op, &[self, other])
            }
        }
    };
}

binary_op!(Add, add, "AddBackward0", NOTHING, (Any, Any),
    /// a + b.
    |_saved, grad| grad.clone(), grad.clone());
binary_op!(Sub, sub, "SubBackward0", NOTHING, (Any, Any),
    /// a - b.
    |_saved, grad| grad.clone(), -grad);
binary_op!(Mul, mul, "MulBackward0", INPUTS, (Any, Any),
    /// a * b, element by element.
    |saved, grad| grad * saved.input(1), grad * saved.input(0));
binary_op!(Div, div, "DivBackward0", INPUTS, (Any, NonZero),
/// a / b, always as floats.
|saved, grad| grad / saved.input(1), {
    let b = saved.input(1);
    // Not a / (b * b), whose square may overflow.
    -(grad * (saved.input(0) / &b / &b))
});
binary_op!(Pow, pow, "PowBackward1", ALL, (Positive, Any),
/// a to the power of b.
|saved, grad| {
    let (a, b) = (saved.input(0), saved.input(1));
    // b = 0 has slope 0 everywhere, also where a^(b-1) is infinite.
    where_(&b.eq(0.0), &zero(grad), &(grad * &b * a.pow(&(&b - 1.0))))
}, {
    // 0^b is 0 for every positive b: its logarithm must not turn the slope into NaN.
    let (a, y) = (saved.input(0), saved.output());
    where_(&a.eq(0.0), &zero(grad), &(grad * &y * a.log()))
});
binary_op!(Maximum, maximum, "MaximumBackward0", INPUTS, (Any, Any),
    /// The larger of a and b; equal ones share the gradient.
    |saved, grad| share(grad, &saved.input(0), &saved.input(1)),
    share(grad, &saved.input(1), &saved.input(0)));
binary_op!(Minimum, minimum, "MinimumBackward0", INPUTS, (Any, Any),
    /// The smaller of a and b; equal ones share the gradient.
    |saved, grad| share(grad, &saved.input(1), &saved.input(0)),
    share(grad, &saved.input(0), &saved.input(1)));

/// Nothing where a < b, half of the gradient where they are equal, else (also beside NaN) all of it.
fn share(grad: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    where_(&a.lt(b), &zero(grad), &where_(&a.eq(b), &(grad * 0.5), grad))
}

/// A zero that broadcasts with a gradient. (A product with 0 would turn infinities into NaN.)
pub(crate) fn zero(grad: &Tensor) -> Tensor {
    Tensor::constant(grad.array().scalar_operand(0.0))
}

/// `a` where the condition (an array, not differentiated) holds, else `b`.
#[derive(Debug)]
pub(crate) struct Where {
    pub(crate) condition: Array,
    pub(crate) name: &'static str,
}

impl Op for Where {
    fn name(&self) -> &'static str {
        self.name
    }
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        self.condition.where_(inputs[0], inputs[1])
    }
    fn backward(&self, _: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let zero = zero(grad);
        let condition = Tensor::constant(self.condition.clone());
        give.to(0, || where_(&condition, grad, &zero));
        give.to(1, || where_(&condition, &zero, grad));
    }
}

/// Operations with a number, which does not widen the dtype.
impl Tensor {
    /// The number as a constant that takes part in an operation with this tensor.
    fn operand(&self, value: Scalar) -> Tensor {
        self.array().scalar_operand(value).into()
    }

    #[track_caller]
    pub(crate) fn add_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Offset { term: value.to_f64(), name: "add" }, &[self]),
            false => self.add(&self.operand(value)),
        }
    }

    #[track_caller]
    pub(crate) fn sub_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Offset { term: -value.to_f64(), name: "sub" }, &[self]),
            false => self.sub(&self.operand(value)),
        }
    }

    /// value - self.
    #[track_caller]
    pub(crate) fn rsub_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Rsub(value), &[self]),
            false => self.operand(value).sub(self),
        }
    }

    #[track_caller]
    pub(crate) fn mul_scalar(&self, value: Scalar) -> Tensor {
        match self.dtype().is_float() {
            true => Tensor::apply(Scale(value.to_f64()), &[self]),
            false => self.mul(&self.operand(value)),
        }
    }

    #[track_caller]
    pub(crate) fn div_scalar(&self, value: Scalar) -> Tensor {
        self.div(&self.operand(value))
    }

    /// value / self.
    #[track_caller]
    pub(crate) fn rdiv_scalar(&self, value: Scalar) -> Tensor {
        self.operand(value).div(self)
    }
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A bool tensor, without a gradient. The operand is a tensor or a number; shapes broadcast.
        ///
        /// # Panics
        /// If the shapes do not broadcast or the devices differ.
        #[track_caller]
        pub fn $name<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
            let a = self.array();
            let b = other.into().array(&a);
            a.$name(&b).into()
        }
    )*};
}

/// Comparisons and logic.
impl Tensor {
    comparisons! {
        /// a == b.
        eq;
        /// a != b.
        ne;
        /// a < b.
        lt;
        /// a <= b.
        le;
        /// a > b.
        gt;
        /// a >= b.
        ge;
        /// Whether both are not zero.
        logical_and;
        /// Whether either is not zero.
        logical_or;
        /// Whether exactly one is not zero.
        logical_xor;
    }

    /// Whether x is zero.
    pub fn logical_not(&self) -> Tensor {
        self.array().logical_not().into()
    }

    /// Whether every element is within `atol + rtol * |other|` of the other's.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn allclose(&self, other: &Tensor, rtol: f64, atol: f64) -> bool {
        self.array().allclose(&other.array(), rtol, atol)
    }

    /// Whether shape and all elements are equal.
    pub fn equal(&self, other: &Tensor) -> bool {
        self.shape() == other.shape() && self.array().eq(&other.array()).all().item::<bool>()
    }
}

pub(crate) static TABLE: &[OpInfo] = &[
    Add::INFO,
    Sub::INFO,
    Mul::INFO,
    Div::INFO,
    Pow::INFO,
    Maximum::INFO,
    Minimum::INFO,
    OpInfo::op("Where", "where_", "torch.where", |draw| {
        let (a, b) = draw.broadcast_pair();
        let full = rushlight_array::broadcast_shapes("where", &a, &b);
        let condition = Tensor::constant(draw.mask(&full));
        let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
        Sample::new(inputs, move |x| where_(&condition, &x[0], &x[1]))
    })
    .rejects(|| {
        vec![
            Reject::new("where: the condition is float32, not bool", || {
                where_(&floats([2]), &floats([2]), &floats([2]));
            }),
            Reject::new("where: shapes [3] and [2] do not broadcast", || {
                where_(&floats([3]).gt(0.0), &floats([2]), &floats([2]));
            }),
        ]
    }),
];
