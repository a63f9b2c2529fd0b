//! Truth values, and integers as rows of bits.

use super::comparison::comparisons;
use super::elementwise::number_first;
use super::inplace::in_place;
use crate::ops::Operand;
use crate::table::{Domain, OpInfo, Reject, Sample, floats, integers};
use crate::tensor::Tensor;
use rushlight_array::{DType, fail};

comparisons! {
    /// Whether both are not zero.
    logical_and logical_and_ "torch.logical_and";
    /// Whether either is not zero.
    logical_or logical_or_ "torch.logical_or";
    /// Whether exactly one is not zero.
    logical_xor logical_xor_ "torch.logical_xor";
}

/// Operations on integers, which have no gradient.
macro_rules! of_integers {
    ($($(#[$doc:meta])* $name:ident $in_place:ident $torch:literal;)*) => {
        impl Tensor {
            $(
                $(#[$doc])*
                ///
                /// Without a gradient. The operand is a tensor or a number; shapes broadcast, dtypes are promoted.
                ///
                /// # Panics
                /// If the shapes do not broadcast, the devices differ, or the dtype is not one of those.
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

        /// The rows of the operations on integers.
        const INTEGERS: &[OpInfo] = &[$(
            OpInfo::composed(stringify!($name), $torch, |draw| {
                let (a, b) = draw.broadcast_pair();
                let inputs = vec![draw.leaf(&a, Domain::Any), draw.leaf(&b, Domain::Any)];
                Sample::new(inputs, |x| {
                    let [a, b] = [&x[0], &x[1]].map(|x| (x * 4.0).to(DType::I64));
                    (a.$name(&b) + a.$name(3)).to(DType::F64)
                })
            })
            .rejects(|| {
                vec![
                    Reject::new(concat!(stringify!($name), ": not defined for float32"), || {
                        floats([3]).$name(&integers());
                    }),
                    Reject::new(concat!(stringify!($name), ": shapes [3] and [2] do not broadcast"), || {
                        integers().$name(&floats([2]).to(DType::I64));
                    }),
                ]
            })
            .never(),
        )*];
    };
}

of_integers! {
    /// Bits that are set in both, for integers and bools.
    bitwise_and bitwise_and_ "torch.bitwise_and";
    /// Bits that are set in either, for integers and bools.
    bitwise_or bitwise_or_ "torch.bitwise_or";
    /// Bits that are set in exactly one, for integers and bools.
    bitwise_xor bitwise_xor_ "torch.bitwise_xor";
    /// The bits of a moved up by b, for integers; 0 if b is negative or the width of the type or more.
    bitwise_left_shift bitwise_left_shift_ "torch.bitwise_left_shift";
    /// The bits of a moved down by b, for integers: the sign stays, and alone if b is negative or the width of the type or
    /// more.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([-8, 7]).bitwise_right_shift(1).to_vec::<i64>(), [-4, 3]);
    /// ```
    bitwise_right_shift bitwise_right_shift_ "torch.bitwise_right_shift";
    /// The greatest common divisor, for integers; not negative.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([12, -18, 0]).gcd(8).to_vec::<i64>(), [4, 2, 8]);
    /// assert_eq!(tensor([12, -18, 0]).lcm(8).to_vec::<i64>(), [24, 72, 0]);
    /// ```
    gcd gcd_ "torch.gcd";
    /// The least common multiple, for integers; not negative.
    lcm lcm_ "torch.lcm";
}

in_place! {
    logical_not_ = logical_not();
    bitwise_not_ = bitwise_not();
}

number_first! {
    bitwise_and(a, b) "assert_eq!(bitwise_and(6, &tensor([3, 4])).to_vec::<i64>(), [2, 4]);";
    bitwise_or(a, b) "assert_eq!(bitwise_or(6, &tensor([3, 4])).to_vec::<i64>(), [7, 6]);";
    bitwise_xor(a, b) "assert_eq!(bitwise_xor(6, &tensor([3, 4])).to_vec::<i64>(), [5, 2]);";
    bitwise_left_shift(a, b) "assert_eq!(bitwise_left_shift(2, &tensor([0, 3])).to_vec::<i64>(), [2, 16]);";
    bitwise_right_shift(a, b) "assert_eq!(bitwise_right_shift(9, &tensor([0, 3])).to_vec::<i64>(), [9, 1]);";
}

impl Tensor {
    /// Whether x is zero.
    #[track_caller]
    pub fn logical_not(&self) -> Tensor {
        self.value().logical_not().into()
    }

    /// Every bit turned: -x - 1 for signed integers, logical not for bools.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// assert_eq!(tensor([0, 5]).bitwise_not().to_vec::<i64>(), [-1, -6]);
    /// ```
    ///
    /// # Panics
    /// For floats.
    #[track_caller]
    pub fn bitwise_not(&self) -> Tensor {
        match self.dtype() {
            DType::Bool => self.logical_not(),
            dtype if dtype.is_int() => self.bitwise_xor(-1),
            dtype => fail!("bitwise_not: not defined for {}; cast with .to(DType::I64) first", dtype.name()),
        }
    }
}

pub(crate) const TABLES: [&[OpInfo]; 3] = [COMPARISONS, INTEGERS, TABLE];

const TABLE: &[OpInfo] = &[
    OpInfo::composed("logical_not", "torch.logical_not", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| x[0].floor().logical_not().to(DType::F64))
    })
    .never(),
    OpInfo::composed("bitwise_not", "torch.bitwise_not", |draw| {
        let shape = draw.shape(0, 3);
        Sample::new(vec![draw.leaf(&shape, Domain::Any)], |x| {
            (&x[0] * 4.0).to(DType::I64).bitwise_not().to(DType::F64)
        })
    })
    .rejects(|| {
        vec![Reject::new("bitwise_not: not defined for float32", || {
            floats([3]).bitwise_not();
        })]
    })
    .never(),
];
