use crate::array::Array;
use crate::cpu::memory::HostBuffer;
use crate::dtype::DType;
use crate::fail;
use crate::shape::Shape;

/// What [`Array::new`] and `tensor` take: a number, a bool, or nested arrays, slices and `Vec`s of them.
///
/// As in PyTorch, integers become `i64`, floats `f32` and bools `bool`.
pub trait Literal {
    /// `I64`, `F32` or `Bool`.
    const DTYPE: DType;
    /// Pushes the values in row-major order; `depth` counts the brackets around this one.
    ///
    /// # Panics
    /// If rows have different lengths; the message says where.
    fn collect(&self, depth: usize, into: &mut Collector);
}

/// Gathers the values and the shape of a [`Literal`].
#[derive(Debug, Default)]
pub struct Collector {
    shape: Vec<Option<usize>>,
    values: Vec<f64>,
    integers: Vec<i64>,
}

impl Collector {
    #[track_caller]
    fn row(&mut self, depth: usize, len: usize) {
        if self.shape.len() <= depth {
            self.shape.resize(depth + 1, None);
        }
        let known = *self.shape[depth].get_or_insert(len);
        if known != len {
            fail!("tensor: rows of length {known} and {len} at dim {depth}; every row must be equally long");
        }
    }
}

impl Array {
    /// An array from nested literals.
    ///
    /// ```
    /// use rushlight_array::{Array, DType};
    /// let a = Array::new([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!((a.shape().to_vec(), a.dtype()), (vec![2, 3], DType::I64));
    /// assert_eq!(Array::new(1.5).to_vec::<f32>(), [1.5]);
    /// ```
    ///
    /// # Panics
    /// If rows have different lengths.
    #[track_caller]
    pub fn new<L: Literal>(literal: L) -> Array {
        Array::new_as(literal, L::DTYPE)
    }

    /// An array from nested literals, in a dtype of your choice; floats keep their f64 precision.
    ///
    /// # Panics
    /// If rows have different lengths.
    #[track_caller]
    pub fn new_as<L: Literal>(literal: L, dtype: DType) -> Array {
        let mut all = Collector::default();
        literal.collect(0, &mut all);
        let shape: Shape = all.shape.iter().map(|size| size.unwrap_or(0)).collect();
        let buffer = if L::DTYPE.is_float() {
            HostBuffer::from_slice(&all.values)
        } else {
            HostBuffer::from_slice(&all.integers)
        };
        Array::from_host(buffer, shape).cast(dtype)
    }
}

macro_rules! literal {
    ($dtype:ident, $list:ident, $as:ty: $($t:ty),*) => {$(
        impl Literal for $t {
            const DTYPE: DType = DType::$dtype;
            fn collect(&self, _: usize, into: &mut Collector) {
                into.$list.push(<$as>::from(*self));
            }
        }
    )*};
}
literal!(F32, values, f64: f32, f64);
literal!(I64, integers, i64: i64, i32, i16, i8, u8, u16, u32);
literal!(Bool, integers, i64: bool);

impl Literal for usize {
    const DTYPE: DType = DType::I64;
    fn collect(&self, _: usize, into: &mut Collector) {
        into.integers.push(i64::try_from(*self).expect("an index fits an i64"));
    }
}

impl<L: Literal> Literal for [L] {
    const DTYPE: DType = L::DTYPE;
    #[track_caller]
    fn collect(&self, depth: usize, into: &mut Collector) {
        into.row(depth, self.len());
        for item in self {
            item.collect(depth + 1, into);
        }
    }
}

impl<L: Literal, const N: usize> Literal for [L; N] {
    const DTYPE: DType = L::DTYPE;
    #[track_caller]
    fn collect(&self, depth: usize, into: &mut Collector) {
        self.as_slice().collect(depth, into);
    }
}

impl<L: Literal> Literal for Vec<L> {
    const DTYPE: DType = L::DTYPE;
    #[track_caller]
    fn collect(&self, depth: usize, into: &mut Collector) {
        self.as_slice().collect(depth, into);
    }
}

impl<L: Literal + ?Sized> Literal for &L {
    const DTYPE: DType = L::DTYPE;
    #[track_caller]
    fn collect(&self, depth: usize, into: &mut Collector) {
        (**self).collect(depth, into);
    }
}
