//! Elementwise functions of two and three arrays: broadcasting and promotion, once for all devices.

use super::Array;
use super::elementwise::broadcast_shapes;
use crate::backend::{Activation, Gelu};
use crate::cpu::activation;
use crate::cpu::binary::ternary::{self, NamedTernary};
use crate::cpu::binary::{self, NamedAssign, NamedBinary, comparisons};
use crate::dtype::DType;
use crate::fail;
use crate::scalar::Scalar;
use crate::shape::Shape;
use std::borrow::Cow;

/// What an operation does with the common dtype of its operands.
#[derive(Clone, Copy)]
enum Rule {
    /// It is that of the result.
    Any,
    /// Integers and bools become `f32`.
    Float,
    /// Bools are refused.
    Number,
    /// All but floats are refused.
    OnlyFloat,
    /// All but integers are refused.
    OnlyInt,
    /// Floats are refused.
    Bits,
}

impl Rule {
    /// The dtype of the result.
    #[track_caller]
    fn result(self, name: &str, dtype: DType) -> DType {
        match self {
            Rule::Float if !dtype.is_float() => return DType::F32,
            Rule::Number if dtype == DType::Bool => {
                fail!("{name}: not defined for bool; cast with .to(DType::I64), or use a logical operation")
            }
            Rule::OnlyFloat if !dtype.is_float() => {
                fail!("{name}: not defined for {}; cast with .to(DType::F32) first", dtype.name())
            }
            Rule::OnlyInt if !dtype.is_int() => {
                fail!("{name}: not defined for {}; cast with .to(DType::I64) first", dtype.name())
            }
            Rule::Bits if dtype.is_float() => {
                fail!("{name}: not defined for {}; cast with .to(DType::I64) first", dtype.name())
            }
            _ => {}
        }
        dtype
    }
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:ident, $rule:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shapes broadcast, dtypes are promoted.
        ///
        /// # Panics
        /// If the shapes do not broadcast, the devices differ, or the dtype is not one of those.
        #[track_caller]
        pub fn $name(&self, other: &Array) -> Array {
            self.by_rule(stringify!($name), binary::$op(), Rule::$rule, other)
        }
    )*};
}

macro_rules! divide {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shapes broadcast, dtypes are promoted.
        ///
        /// # Panics
        /// If the shapes do not broadcast, the devices differ, both are bools, or an integer is divided by zero.
        #[track_caller]
        pub fn $name(&self, other: &Array) -> Array {
            let dtype = Rule::Number.result(stringify!($name), Array::result_dtype(&[self, other]));
            self.check_divisor(stringify!($name), other);
            self.binary(stringify!($name), binary::$op(), other, dtype)
        }
    )*};
}

macro_rules! compare {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Shapes broadcast, dtypes are promoted.
        ///
        /// # Panics
        /// If the shapes do not broadcast or the devices differ.
        #[track_caller]
        pub fn $name(&self, other: &Array) -> Array {
            let (a, b) = self.operands(stringify!($name), other, Array::result_dtype(&[self, other]));
            self.device().kernels().compare(comparisons::$op(), &a, &b)
        }
    )*};
}

macro_rules! in_place {
    ($($name:ident => $plain:ident, $assign:ident;)*) => {$(
        #[doc = concat!("As [`Array::", stringify!($plain), "`] for an array that nobody needs any more: its elements are")]
        /// overwritten if nobody else holds them and the result has their dtype and shape.
        ///
        /// # Panics
        /// As the method of that name.
        #[track_caller]
        pub fn $name(mut self, other: &Array) -> Array {
            if self.in_place(stringify!($plain), binary::$assign(), other) { self } else { self.$plain(other) }
        }
    )*};
}

/// Elementwise functions of two arrays.
#[allow(clippy::should_implement_trait, reason = "operators belong to Tensor; arrays use plain methods")]
impl Array {
    /// The dtype of an operation on these arrays: PyTorch's `torch.result_type`.
    ///
    /// Arrays with dims decide by [`DType::promote`]. Those without, which stand for numbers, count only where they
    /// raise the kind, from bool over integer to float: `f32 [3]` and `f64 []` give `f32`, but `i64 [3]` and `f64 []`
    /// give `f64`. Without arrays the default, `f32`.
    ///
    /// ```
    /// use rushlight_array::{Array, DType};
    /// let (row, one) = (Array::ones(3, DType::F32), Array::ones((), DType::F64));
    /// assert_eq!(Array::result_dtype(&[&row, &one]), DType::F32);
    /// assert_eq!(Array::result_dtype(&[&row.cast(DType::I64), &one]), DType::F64);
    /// ```
    pub fn result_dtype(operands: &[&Array]) -> DType {
        let of = |numbers: bool| {
            let dtypes = operands.iter().filter(|x| (x.rank() == 0) == numbers).map(|x| x.dtype());
            dtypes.reduce(DType::promote)
        };
        match (of(false), of(true)) {
            (Some(arrays), Some(numbers)) if arrays.kind() >= numbers.kind() => arrays,
            (_, Some(numbers)) => numbers,
            (arrays, None) => arrays.unwrap_or(DType::F32),
        }
    }

    binary! {
        /// a + b; for bools, or.
        add => add, Any;
        /// a * b; for bools, and.
        mul => mul, Any;
        /// a / b, always as floats: integers and bools give `f32`.
        div => div, Float;
        /// a to the power of b; a negative power of an integer is cut towards zero.
        pow => pow, Any;
        /// The larger of a and b; NaN wins.
        maximum => maximum, Any;
        /// The smaller of a and b; NaN wins.
        minimum => minimum, Any;
        /// The angle of the point (b, a), from -pi to pi; integers and bools give `f32`.
        atan2 => atan2, Float;
        /// sqrt(a^2 + b^2) without overflow, for floats.
        hypot => hypot, OnlyFloat;
        /// The magnitude of a with the sign of b; integers and bools give `f32`.
        copysign => copysign, Float;
        /// a log(b), and 0 where a is 0 and b is not NaN; integers and bools give `f32`.
        xlogy => xlogy, Float;
        /// log(e^a + e^b), for floats.
        logaddexp => logaddexp, OnlyFloat;
        /// log2(2^a + 2^b), for floats.
        logaddexp2 => logaddexp2, OnlyFloat;
        /// 0 where a is below 0, 1 where it is above, b where it is 0.
        heaviside => heaviside, Any;
        /// The regularized lower incomplete gamma function P(a, b), for floats.
        igamma => igamma, OnlyFloat;
        /// The regularized upper incomplete gamma function Q(a, b) = 1 - P(a, b), for floats.
        igammac => igammac, OnlyFloat;
        /// The derivative of [`Array::igamma`] by b, for floats.
        igamma_slope => igamma_slope, OnlyFloat;
        /// The greatest common divisor, for integers.
        gcd => gcd, OnlyInt;
        /// The least common multiple, for integers.
        lcm => lcm, OnlyInt;
        /// Bits that are set in both, for integers and bools.
        bitwise_and => and, Bits;
        /// Bits that are set in either, for integers and bools.
        bitwise_or => or, Bits;
        /// Bits that are set in exactly one, for integers and bools.
        bitwise_xor => xor, Bits;
        /// a with its bits moved up by b, for integers; 0 if b is negative or the width of the type or more.
        bitwise_left_shift => shift_left, OnlyInt;
        /// a with its bits moved down by b, for integers; the sign stays, and alone if b is negative or the width of the
        /// type or more.
        bitwise_right_shift => shift_right, OnlyInt;
        /// The gradient of relu from that of its result (this array) and the result: 0 where the latter is at or
        /// below 0. Beside NaN the gradient passes, as in PyTorch.
        relu_grad => relu_grad, Any;
        /// The gradient of the sigmoid, g y (1 - y), from that of its result (this array) and the result.
        sigmoid_grad => sigmoid_grad, Any;
        /// The gradient of tanh, g (1 - y^2), from that of its result (this array) and the result.
        tanh_grad => tanh_grad, Any;
    }

    divide! {
        /// a / b cut towards zero.
        trunc_divide => trunc_divide;
        /// a / b rounded down, as Python's `//`.
        floor_divide => floor_divide;
        /// What [`Array::trunc_divide`] leaves; its sign is that of a.
        fmod => fmod;
        /// What [`Array::floor_divide`] leaves; its sign is that of b. Python's `%`.
        remainder => remainder;
    }

    in_place! {
        into_add => add, add_assign;
        into_sub => sub, sub_assign;
        into_mul => mul, mul_assign;
        into_div => div, div_assign;
    }

    compare! {
        /// a == b.
        eq => eq;
        /// a != b.
        ne => ne;
        /// a < b.
        lt => lt;
        /// a <= b.
        le => le;
        /// a > b.
        gt => gt;
        /// a >= b.
        ge => ge;
    }

    /// a - b.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or one is bool.
    #[track_caller]
    pub fn sub(&self, other: &Array) -> Array {
        match (self.dtype(), other.dtype()) {
            (DType::Bool, DType::Bool) => {
                fail!("sub: not defined for two bools; use logical_xor, or cast with .to(DType::I64)")
            }
            (DType::Bool, _) | (_, DType::Bool) => {
                fail!("sub: not defined for bool; invert it with logical_not, or cast with .to(DType::I64)")
            }
            _ => self.by_rule("sub", binary::sub(), Rule::Any, other),
        }
    }

    /// The larger of a and b; where one is NaN, the other.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn fmax(&self, other: &Array) -> Array {
        let dtype = Array::result_dtype(&[self, other]);
        self.binary("fmax", if dtype.is_float() { binary::fmax() } else { binary::maximum() }, other, dtype)
    }

    /// The smaller of a and b; where one is NaN, the other.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn fmin(&self, other: &Array) -> Array {
        let dtype = Array::result_dtype(&[self, other]);
        self.binary("fmin", if dtype.is_float() { binary::fmin() } else { binary::minimum() }, other, dtype)
    }

    /// The gradient of [`Array::activation`] from that of its result (this array) and its input.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn activation_grad(&self, x: &Array, kind: Activation) -> Array {
        self.binary("activation_grad", activation::gradients::named(kind), x, Array::result_dtype(&[self, x]))
    }

    /// The gradient of [`Array::gelu`] from that of its result (this array) and its input.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn gelu_grad(&self, x: &Array, form: Gelu) -> Array {
        let call = match form {
            Gelu::Exact => binary::gelu_grad(),
            Gelu::Tanh => binary::gelu_tanh_grad(),
        };
        self.binary("gelu_grad", call, x, Array::result_dtype(&[self, x]))
    }

    /// Whether both are not zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn logical_and(&self, other: &Array) -> Array {
        self.binary("logical_and", binary::and(), other, DType::Bool)
    }

    /// Whether either is not zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn logical_or(&self, other: &Array) -> Array {
        self.binary("logical_or", binary::or(), other, DType::Bool)
    }

    /// Whether exactly one is not zero.
    ///
    /// # Panics
    /// If the shapes do not broadcast or the devices differ.
    #[track_caller]
    pub fn logical_xor(&self, other: &Array) -> Array {
        self.binary("logical_xor", binary::xor(), other, DType::Bool)
    }

    /// A scalar as an array that takes part in an operation with this one without widening its dtype.
    pub fn scalar_operand(&self, value: impl Into<Scalar>) -> Array {
        let value = value.into();
        Array::full((), value, value.promote(self.dtype()), self.device())
    }

    /// Overwrites this array with the result, if that has its dtype and shape; whether it was done.
    #[track_caller]
    fn in_place(&mut self, name: &str, call: NamedAssign, other: &Array) -> bool {
        let dtype = self.dtype();
        let fits = dtype.is_float()
            && dtype == dtype.compute()
            && dtype == other.dtype()
            && self.shape() == other.shape();
        if fits {
            self.same_device(name, other);
            let device = self.device().clone();
            device.kernels().binary_assign(call, self, other);
        }
        fits
    }

    #[track_caller]
    fn by_rule(&self, name: &str, call: NamedBinary, rule: Rule, other: &Array) -> Array {
        self.binary(name, call, other, rule.result(name, Array::result_dtype(&[self, other])))
    }

    #[track_caller]
    fn binary(&self, name: &str, call: NamedBinary, other: &Array, dtype: DType) -> Array {
        let (a, b) = self.operands(name, other, dtype);
        self.device().kernels().binary(call, &a, &b).into_dtype(dtype)
    }

    /// As an operand of an operation in a dtype, rounded to that dtype: an `f32` without dims beside `f16` is one.
    fn to_compute(&self, dtype: DType) -> Cow<'_, Array> {
        match self.dtype() == dtype || dtype == dtype.compute() {
            true => self.in_dtype(dtype.compute()),
            false => Cow::Owned(self.cast(dtype).cast(dtype.compute())),
        }
    }

    /// Integers have nothing that a division by zero could give.
    #[track_caller]
    fn check_divisor(&self, name: &str, other: &Array) {
        let integers = !(self.dtype().is_float() || other.dtype().is_float());
        // As it is divided by: a number beyond the narrower dtype may wrap to zero there.
        let divisor = || other.cast(Array::result_dtype(&[self, other])).cast(DType::Bool);
        if integers && other.numel() > 0 && !divisor().all().item::<bool>() {
            fail!("{name}: an integer is divided by zero; cast to a float for infinities");
        }
    }

    /// Both operands in one shape, and in the compute type of a dtype.
    #[track_caller]
    pub(super) fn operands<'a>(
        &'a self,
        name: &str,
        other: &'a Array,
        dtype: DType,
    ) -> (Cow<'a, Array>, Cow<'a, Array>) {
        self.same_device(name, other);
        let (a, b) = (self.to_compute(dtype), other.to_compute(dtype));
        if a.shape() == b.shape() {
            return (a, b);
        }
        let shape = broadcast_shapes(name, a.shape(), b.shape());
        (widened(name, a, &shape), widened(name, b, &shape))
    }
}

/// Elementwise functions of three arrays.
impl Array {
    /// `a` where this array is true, else `b`; the three broadcast.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or this array is not bool.
    #[track_caller]
    pub fn where_(&self, a: &Array, b: &Array) -> Array {
        if self.dtype() != DType::Bool {
            fail!("where: the condition is {}, not bool; compare it, as in x.gt(0.0)", self.dtype().name());
        }
        let dtype = Array::result_dtype(&[a, b]);
        let shape = broadcast_shapes("where", a.shape(), b.shape());
        let shape = broadcast_shapes("where", self.shape(), &shape);
        self.same_device("where", a);
        self.same_device("where", b);
        let [condition, a, b] =
            [self, &a.cast(dtype), &b.cast(dtype)].map(|x| x.broadcast_to("where", &shape));
        self.device().kernels().select(&condition, &a, &b)
    }

    /// a + value b c, for numbers; beside integers the value is cut to one.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or all are bools.
    #[track_caller]
    pub fn addcmul(&self, b: &Array, c: &Array, value: impl Into<Scalar>) -> Array {
        let dtype = Rule::Number.result("addcmul", Array::result_dtype(&[self, b, c]));
        self.ternary("addcmul", ternary::addcmul(value.into()), b, c, dtype)
    }

    /// a + value b / c, for floats.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or neither b nor c is a float.
    #[track_caller]
    pub fn addcdiv(&self, b: &Array, c: &Array, value: f64) -> Array {
        if !(b.dtype().is_float() || c.dtype().is_float()) {
            fail!(
                "addcdiv: not defined for a quotient of {} and {}; cast one with .to(DType::F32), or divide by div_with",
                b.dtype().name(),
                c.dtype().name()
            );
        }
        self.ternary("addcdiv", ternary::addcdiv(value), b, c, Array::result_dtype(&[self, b, c]))
    }

    /// a + weight (end - a), for floats of one dtype; computed from the nearer end.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or the dtypes are not one float type; a weight without dims
    /// may have another.
    #[track_caller]
    pub fn lerp(&self, end: &Array, weight: &Array) -> Array {
        let dtype = Rule::OnlyFloat.result("lerp", self.dtype());
        for (name, x) in [("end", end), ("weight", weight)] {
            let counts_as_number = name == "weight" && x.rank() == 0 && x.dtype().is_float();
            if x.dtype() != dtype && !counts_as_number {
                fail!(
                    "lerp: the {name} is {} beside {}; cast one with .to(DType::{dtype:?})",
                    x.dtype().name(),
                    dtype.name()
                );
            }
        }
        self.ternary("lerp", ternary::lerp(), end, weight, dtype)
    }

    /// This array moved into `low..=high`; NaN wins, and `high` where `low` is above it.
    ///
    /// # Panics
    /// If the shapes do not broadcast, the devices differ, or all are bools.
    #[track_caller]
    pub fn clamp_between(&self, low: &Array, high: &Array) -> Array {
        let dtype = Rule::Number.result("clamp", Array::result_dtype(&[self, low, high]));
        self.ternary("clamp", ternary::clamp(), low, high, dtype)
    }

    #[track_caller]
    fn ternary(&self, name: &str, call: NamedTernary, b: &Array, c: &Array, dtype: DType) -> Array {
        self.same_device(name, b);
        self.same_device(name, c);
        let shape = broadcast_shapes(name, self.shape(), b.shape());
        let shape = broadcast_shapes(name, &shape, c.shape());
        let [a, b, c] = [self, b, c].map(|x| widened(name, x.to_compute(dtype), &shape));
        self.device().kernels().ternary(call, &a, &b, &c).into_dtype(dtype)
    }

    /// Whether each element is within `atol + rtol * |other|` of the other's; equal infinities are, and NaN is to
    /// nothing, not even to itself.
    ///
    /// ```
    /// use rushlight_array::Array;
    /// let (a, b) = (Array::new([100.0, 1.0]), Array::new([101.0, 2.0]));
    /// assert_eq!(a.isclose(&b, 0.02, 0.0).to_vec::<bool>(), [true, false]);
    /// ```
    ///
    /// # Panics
    /// If the dtypes or devices differ, the shapes do not broadcast, or a tolerance is negative.
    #[track_caller]
    pub fn isclose(&self, other: &Array, rtol: f64, atol: f64) -> Array {
        self.check_close("isclose", other, rtol, atol);
        let equal = self.eq(other);
        if rtol == 0.0 && atol == 0.0 {
            return equal;
        }
        // Integers as floats: their difference could wrap.
        let dtype = Rule::Float.result("isclose", self.dtype());
        let (a, b) = (self.in_dtype(dtype), other.in_dtype(dtype));
        let allowed = b.abs().scale(rtol).offset(atol);
        let actual = a.sub(&b).abs();
        let finite = actual.lt(&actual.scalar_operand(f64::INFINITY));
        equal.logical_or(&actual.le(&allowed).logical_and(&finite))
    }

    /// Whether all elements are equal to those of an array of the same shape. The first difference ends the search.
    ///
    /// # Panics
    /// If the shapes or devices differ.
    #[track_caller]
    pub fn equal(&self, other: &Array) -> bool {
        if self.shape() != other.shape() {
            fail!("equal: the shapes differ: {:?} and {:?}", self.shape(), other.shape());
        }
        // Ever longer parts: what differs does so early, as a rule, and what is equal is read in few of them.
        let (a, b) = (self.contiguous(), other.contiguous());
        let [a, b] = [a, b].map(|x| x.reshape(x.numel()));
        let (mut start, mut len) = (0, 1 << 10);
        while start < a.numel() {
            let end = a.numel().min(start + len);
            let part = |x: &Array| x.slice("equal", 0, start, end - start, 1);
            if !part(&a).eq(&part(&b)).all().item::<bool>() {
                return false;
            }
            (start, len) = (end, 4 * len);
        }
        true
    }

    /// Whether [`Array::isclose`] holds for all elements.
    ///
    /// # Panics
    /// If the dtypes or devices differ, the shapes do not broadcast, or a tolerance is negative.
    #[track_caller]
    pub fn allclose(&self, other: &Array, rtol: f64, atol: f64) -> bool {
        self.check_close("allclose", other, rtol, atol);
        broadcast_shapes("allclose", self.shape(), other.shape());
        self.isclose(other, rtol, atol).all().item()
    }

    #[track_caller]
    fn check_close(&self, name: &str, other: &Array, rtol: f64, atol: f64) {
        if self.dtype() != other.dtype() {
            fail!(
                "{name}: the dtypes differ: {} and {}; cast one with .to(DType::{:?})",
                self.dtype().name(),
                other.dtype().name(),
                self.dtype()
            );
        }
        for (tolerance, value) in [("rtol", rtol), ("atol", atol)] {
            if value < 0.0 {
                fail!("{name}: {tolerance} is {value}; a tolerance is 0 or more");
            }
        }
    }
}

/// An operand in the shape of the result.
#[track_caller]
fn widened<'a>(name: &str, x: Cow<'a, Array>, shape: &Shape) -> Cow<'a, Array> {
    if x.shape() == shape { x } else { Cow::Owned(x.broadcast_to(name, shape)) }
}
