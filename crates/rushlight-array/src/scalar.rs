use crate::dtype::DType;

/// A single number with a kind but no width, as in `x + 2` or `x * 0.5`.
///
/// In promotion a scalar only raises the kind: an `i64` array plus a float scalar is `f32`, an `f16`
/// array plus a float scalar stays `f16`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scalar {
    /// A floating-point number.
    Float(f64),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
}

impl Scalar {
    /// The value as f64.
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Float(v) => v,
            Scalar::Int(v) => v as f64,
            Scalar::Bool(v) => f64::from(u8::from(v)),
        }
    }

    /// The value as i64; floats are cut towards zero.
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Float(v) => v as i64,
            Scalar::Int(v) => v,
            Scalar::Bool(v) => i64::from(v),
        }
    }

    /// The dtype of a tensor of this number alone: `f32`, `i64` or `bool`.
    pub fn dtype(self) -> DType {
        match self {
            Scalar::Float(_) => DType::F32,
            Scalar::Int(_) => DType::I64,
            Scalar::Bool(_) => DType::Bool,
        }
    }

    /// The dtype of an operation between an array of `dtype` and this scalar.
    pub fn promote(self, dtype: DType) -> DType {
        match self {
            Scalar::Float(_) if !dtype.is_float() => DType::F32,
            Scalar::Int(_) if dtype == DType::Bool => DType::I64,
            _ => dtype,
        }
    }
}

macro_rules! scalar_from {
    ($($t:ty => $kind:ident),*) => {$(
        impl From<$t> for Scalar {
            fn from(v: $t) -> Self {
                Scalar::$kind(v.into())
            }
        }
    )*};
}
scalar_from!(f64 => Float, f32 => Float, i64 => Int, i32 => Int, i16 => Int, i8 => Int, u8 => Int, u32 => Int, bool => Bool);

impl From<usize> for Scalar {
    fn from(v: usize) -> Self {
        Scalar::Int(i64::try_from(v).unwrap_or(i64::MAX))
    }
}
