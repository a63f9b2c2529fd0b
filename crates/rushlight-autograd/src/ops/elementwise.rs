//! What the elementwise operations of two and three tensors share, and `where`.

use crate::op::{Gradients, Op, Saved};
use crate::ops::{Operand, where_};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::Array;

/// Defines an operation of two tensors: its type and its rule. The rule's gradients have the broadcast shape; the engine
/// sums them down.
macro_rules! binary_rule_op {
    ($Op:ident, $name:ident = $forward:ident, $grad_fn:literal, $saves:ident,
     |$saved:ident, $grad:ident| $to_a:expr, $to_b:expr) => {
        #[derive(Debug)]
        struct $Op;

        impl Op for $Op {
            fn name(&self) -> &'static str {
                stringify!($name)
            }
            #[track_caller]
            fn forward(&mut self, inputs: &[&Array]) -> Array {
                inputs[0].$forward(inputs[1])
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
    };
}
pub(crate) use binary_rule_op;

/// As [`binary_rule_op!`], with the test data.
macro_rules! binary_op {
    ($Op:ident, $name:ident = $forward:ident, $grad_fn:literal, $saves:ident, ($a_domain:ident, $b_domain:ident),
     |$saved:ident, $grad:ident| $to_a:expr, $to_b:expr) => {
        crate::ops::elementwise::binary_rule_op!(
            $Op,
            $name = $forward,
            $grad_fn,
            $saves,
            |$saved, $grad| $to_a,
            $to_b
        );

        impl $Op {
            const INFO: OpInfo = OpInfo::op(
                stringify!($Op),
                stringify!($name),
                concat!("torch.", stringify!($name)),
                |draw| {
                    match draw.below(5) {
                        3 => {
                            // One tensor in both places: its gradients meet, and everything is a tie.
                            let shape = draw.shape(0, 2);
                            Sample::new(vec![draw.leaf(&shape, Domain::Positive)], |x| x[0].$name(&x[0]))
                        }
                        4 => {
                            let shape = draw.shape(0, 2);
                            Sample::new(vec![draw.leaf(&shape, Domain::$a_domain)], |x| x[0].$name(1.37))
                        }
                        _ => {
                            let (a, b) = draw.broadcast_pair();
                            let inputs =
                                vec![draw.leaf(&a, Domain::$a_domain), draw.leaf(&b, Domain::$b_domain)];
                            Sample::new(inputs, |x| x[0].$name(&x[1]))
                        }
                    }
                },
            )
            .rejects(|| {
                vec![Reject::new(
                    concat!(
                        stringify!($forward),
                        ": shapes [8, 3] and [8, 4] do not broadcast: axis 1 is 3 and 4"
                    ),
                    || {
                        floats([8, 3]).$name(&floats([8, 4]));
                    },
                )]
            });
        }
    };
}
pub(crate) use binary_op;

/// Methods of [`Tensor`] that apply an operation of two tensors.
macro_rules! binary_methods {
    ($($(#[$doc:meta])* $name:ident => $op:expr;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// The operand is a tensor or a number. Shapes broadcast, dtypes are promoted.
                ///
                /// # Panics
                /// If the shapes do not broadcast, the devices differ, or the dtype is not one of those.
                #[track_caller]
                pub fn $name<'a>(&self, other: impl Into<Operand<'a>>) -> Tensor {
                    Tensor::apply($op, &[self, &other.into().tensor(self)])
                }
            )*
        }
    };
}
pub(crate) use binary_methods;

/// Free functions that take a number on the left, too: `pow(2.0, &x)`. The example is a call and its result.
macro_rules! number_first {
    ($($name:ident($a:ident, $b:ident) $example:literal;)*) => {
        $(
            #[doc = concat!("[`Tensor::", stringify!($name), "`] with a number in either place.")]
            ///
            /// ```
            #[doc = concat!("use rushlight_autograd::{ops::", stringify!($name), ", tensor};")]
            #[doc = $example]
            /// ```
            ///
            /// # Panics
            /// If both are numbers, the shapes do not broadcast, or as the method.
            #[track_caller]
            pub fn $name<'a, 'b>($a: impl Into<Operand<'a>>, $b: impl Into<Operand<'b>>) -> Tensor {
                let ($a, $b) = ($a.into(), $b.into());
                crate::ops::elementwise::left_operand(stringify!($name), &$a, &$b).$name($b)
            }
        )*
    };
}
pub(crate) use number_first;

/// The left operand as a tensor: a number takes its dtype beside the right one.
#[track_caller]
pub(crate) fn left_operand(name: &str, a: &Operand<'_>, b: &Operand<'_>) -> Tensor {
    match (a, b) {
        (Operand::Tensor(a), _) => Tensor::clone(a),
        (number, Operand::Tensor(b)) => number.tensor(b).into_owned(),
        _ => rushlight_array::fail!("{name}: both operands are numbers; one must be a tensor"),
    }
}

/// Nothing where a < b, half of the gradient where they are equal, else (also beside NaN) all of it.
pub(crate) fn share(grad: &Tensor, a: &Tensor, b: &Tensor) -> Tensor {
    where_(&a.lt(b), 0.0, &where_(&a.eq(b), &(grad * 0.5), grad))
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
        let condition = Tensor::constant(self.condition.clone());
        give.to(0, || where_(&condition, grad, 0.0));
        give.to(1, || where_(&condition, 0.0, grad));
    }
}

impl Tensor {
    /// This tensor where the condition holds, else `other`: PyTorch's `x.where(condition, other)`; see [`where_`].
    ///
    /// # Panics
    /// As [`where_`].
    #[track_caller]
    pub fn where_<'a>(&self, condition: &Tensor, other: impl Into<Operand<'a>>) -> Tensor {
        where_(condition, self, other)
    }
}

pub(crate) const TABLE: &[OpInfo] = &[OpInfo::op("Where", "where_", "torch.where", |draw| {
    let (a, b) = draw.broadcast_pair();
    let full = rushlight_array::broadcast_shapes("where", &a, &b);
    let condition = Tensor::constant(draw.mask(&full));
    let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
    match draw.coin() {
        true => Sample::new(inputs, move |x| where_(&condition, &x[0], &x[1])),
        false => Sample::new(inputs, move |x| where_(&condition, &x[0], 0.5) + x[1].where_(&condition, -0.5)),
    }
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
})];
