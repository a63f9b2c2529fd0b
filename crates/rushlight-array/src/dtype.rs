use half::{bf16, f16};
use std::fmt;

/// The type of an array's elements.
///
/// Ten types can be stored, cast, indexed, saved and printed. Arithmetic happens in four of them
/// ([`DType::compute`]): `f16` and `bf16` go through `f32`, the small integers through `i64`.
///
/// `Display` prints PyTorch's name: `torch.float32`.
///
/// ```
/// use rushlight_array::DType;
/// assert_eq!(DType::F32.to_string(), "torch.float32");
/// assert_eq!(DType::BF16.compute(), DType::F32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DType {
    /// 32-bit float, the default for literals with a point.
    F32,
    /// 64-bit float.
    F64,
    /// IEEE half precision.
    F16,
    /// Brain float: the upper half of an f32.
    BF16,
    /// 64-bit signed integer, the default for integer literals and the type of every index.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 8-bit unsigned integer.
    U8,
    /// Truth values, one byte each.
    Bool,
}

impl DType {
    /// Every dtype, in the order of the enum.
    pub const ALL: [DType; 10] = [
        DType::F32,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I64,
        DType::I32,
        DType::I16,
        DType::I8,
        DType::U8,
        DType::Bool,
    ];

    /// The name without PyTorch's prefix: `float32`, `int64`, `bool`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "float32",
            DType::F64 => "float64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::I64 => "int64",
            DType::I32 => "int32",
            DType::I16 => "int16",
            DType::I8 => "int8",
            DType::U8 => "uint8",
            DType::Bool => "bool",
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::BF16 | DType::I16 => 2,
            DType::I8 | DType::U8 | DType::Bool => 1,
        }
    }

    /// Whether this is one of the four floating-point types; only these carry gradients.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    }

    /// Whether this is an integer type; `bool` is not.
    pub const fn is_int(self) -> bool {
        !self.is_float() && !matches!(self, DType::Bool)
    }

    /// The type in which arithmetic on this dtype is done: `f32`, `f64`, `i64` or `bool`.
    pub const fn compute(self) -> DType {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => DType::F32,
            DType::F64 => DType::F64,
            DType::Bool => DType::Bool,
            _ => DType::I64,
        }
    }

    /// 0 for bools, 1 for integers, 2 for floats: what holds a kind holds those before it.
    pub const fn kind(self) -> u8 {
        match self {
            DType::Bool => 0,
            dtype if dtype.is_int() => 1,
            _ => 2,
        }
    }

    /// The least and the greatest value of an integer type.
    pub const fn int_range(self) -> Option<(i64, i64)> {
        match self {
            DType::I64 => Some((i64::MIN, i64::MAX)),
            DType::I32 => Some((i32::MIN as i64, i32::MAX as i64)),
            DType::I16 => Some((i16::MIN as i64, i16::MAX as i64)),
            DType::I8 => Some((i8::MIN as i64, i8::MAX as i64)),
            DType::U8 => Some((0, u8::MAX as i64)),
            _ => None,
        }
    }

    /// A type of this size of which every pattern of bits is an element. What only moves elements is compiled for these
    /// four, and not for all ten; see [`HostBuffer::carried`](crate::HostBuffer::carried).
    pub(crate) const fn carrier(self) -> DType {
        match self.size() {
            8 => DType::I64,
            4 => DType::F32,
            2 => DType::F16,
            _ => DType::U8,
        }
    }

    /// As [`DType::compute`], but bools are counted as `i64`.
    pub(crate) const fn sum_type(self) -> DType {
        match self {
            DType::Bool => DType::I64,
            other => other.compute(),
        }
    }

    /// The dtype of an operation on two dtypes, by PyTorch's promotion rules: a float beats an
    /// integer, an integer beats a bool, the wider of a kind wins, and `u8` with a signed type
    /// gives the next signed type that holds both. Arrays without dims count less: see
    /// [`Array::result_dtype`](crate::Array::result_dtype).
    ///
    /// ```
    /// use rushlight_array::DType;
    /// assert_eq!(DType::I64.promote(DType::F16), DType::F16);
    /// assert_eq!(DType::U8.promote(DType::I8), DType::I16);
    /// assert_eq!(DType::F16.promote(DType::BF16), DType::F32);
    /// ```
    pub fn promote(self, other: DType) -> DType {
        use DType::{Bool, F32, I16, U8};
        if self == other {
            return self;
        }
        match self.kind().cmp(&other.kind()) {
            std::cmp::Ordering::Greater => return self,
            std::cmp::Ordering::Less => return other,
            std::cmp::Ordering::Equal => {}
        }
        match (self, other) {
            (Bool, Bool) => Bool,
            (a, b) if a.is_float() && a.size() == 2 && b.size() == 2 => F32,
            (U8, b) if b.size() == 1 => I16,
            (a, U8) if a.size() == 1 => I16,
            (a, b) if a.size() >= b.size() => a,
            (_, b) => b,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "torch.{}", self.name())
    }
}

/// A Rust type that can be an array's element.
///
/// The conversions follow PyTorch's casts: float to integer truncates, integers wrap, half precision is rounded from
/// `f32`, and anything other than zero is `true`. A float becomes a narrow integer by way of `i32`. What is too large
/// for `i32`, or for `i64`, becomes the nearest integer there and NaN becomes 0, where C leaves it undefined.
///
/// Sealed: blocks of memory are read as `T` on the word of `T::DTYPE`.
pub trait Element:
    sealed::Sealed + Copy + Send + Sync + PartialEq + PartialOrd + fmt::Debug + Default + 'static
{
    /// The dtype that stores this type.
    const DTYPE: DType;
    /// Cast from f64.
    fn from_f64(v: f64) -> Self;
    /// Cast to f64.
    fn to_f64(self) -> f64;
    /// Cast from i64.
    fn from_i64(v: i64) -> Self;
    /// Cast to i64.
    fn to_i64(self) -> i64;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! element {
    ($t:ty, $d:ident, |$v:ident| $from_f64:expr, $to_f64:expr, $from_i64:expr, $to_i64:expr) => {
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$d;
            #[inline(always)]
            fn from_f64($v: f64) -> Self {
                $from_f64
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                let $v = self;
                $to_f64
            }
            #[inline(always)]
            fn from_i64($v: i64) -> Self {
                $from_i64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                let $v = self;
                $to_i64
            }
        }
    };
}

#[allow(unsafe_code, reason = "numbers that are seen to fit become integers")]
pub(crate) mod truncate;

element!(f32, F32, |v| v as f32, f64::from(v), v as f32, truncate::f32_to_i64(v));
element!(f64, F64, |v| v, v, v as f64, truncate::f64_to_i64(v));
// Half precision goes through f32, as in torch; `half`'s own way from f64 rounds once or twice
// depending on the processor.
element!(f16, F16, |v| f16::from_f32(v as f32), v.to_f64(), f16::from_f32(v as f32), v.to_f32() as i64);
element!(bf16, BF16, |v| bf16::from_f32(v as f32), v.to_f64(), bf16::from_f32(v as f32), v.to_f32() as i64);
element!(i64, I64, |v| v as i64, v as f64, v, v);
element!(i32, I32, |v| truncate::f64_to_i32(v), f64::from(v), v as i32, i64::from(v));
element!(i16, I16, |v| truncate::f64_to_i32(v) as i16, f64::from(v), v as i16, i64::from(v));
element!(i8, I8, |v| truncate::f64_to_i32(v) as i8, f64::from(v), v as i8, i64::from(v));
element!(u8, U8, |v| truncate::f64_to_i32(v) as u8, f64::from(v), v as u8, i64::from(v));
element!(bool, Bool, |v| v != 0.0, f64::from(u8::from(v)), v != 0, i64::from(v));
