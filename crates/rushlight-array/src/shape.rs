use crate::dtype::DType;
use crate::fail;
use crate::short::Short;
use std::fmt;
use std::ops::Deref;

/// The sizes of an array's dimensions, inline up to five of them.
///
/// It is a slice of `usize` in use (`shape[0]`, `shape.len()`, `shape.iter()`); `Display` prints it
/// as PyTorch does, `Debug` as a plain list.
///
/// ```
/// use rushlight_array::Shape;
/// let shape = Shape::from([2, 3]);
/// assert_eq!(shape.numel(), 6);
/// assert_eq!(format!("{shape} {shape:?}"), "torch.Size([2, 3]) [2, 3]");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Short<usize>);

impl Shape {
    /// The number of elements: the product of the sizes, 1 for a scalar.
    ///
    /// # Panics
    /// If it does not fit a `usize`. Kernels rely on it: a product that wrapped would give them a
    /// block that is too small.
    #[track_caller]
    pub fn numel(&self) -> usize {
        let mut numel = 1usize;
        for &size in &self.0 {
            let Some(product) = numel.checked_mul(size) else {
                fail!(
                    "shape: {self:?} holds more elements than can be counted; sizes must multiply to a usize"
                )
            };
            numel = product;
        }
        numel
    }

    /// Checks that a block of this many elements of a dtype can be asked for, before anything is, and counts them.
    #[track_caller]
    pub(crate) fn check_bytes(&self, op: &str, dtype: DType) -> usize {
        let (numel, size) = (self.numel(), dtype.size());
        if numel > isize::MAX as usize / size {
            fail!(
                "{op}: shape {self:?} of {} needs {numel} x {size} bytes; a block may have at most {}",
                dtype.name(),
                isize::MAX
            );
        }
        numel
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, size: usize) {
        self.0.push(size);
    }

    pub(crate) fn insert(&mut self, axis: usize, size: usize) {
        self.0.insert(axis, size);
    }

    pub(crate) fn remove(&mut self, axis: usize) {
        self.0.remove(axis);
    }

    pub(crate) fn dims_mut(&mut self) -> &mut [usize] {
        &mut self.0
    }

    /// The shape that two shapes broadcast to, or the first axis (of the result) that forbids it.
    pub(crate) fn broadcast(a: &[usize], b: &[usize]) -> Result<Shape, usize> {
        let rank = a.len().max(b.len());
        let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
        (0..rank)
            .map(|i| match (at(a, i), at(b, i)) {
                (x, y) if x == y => Ok(x),
                (1, y) => Ok(y),
                (x, 1) => Ok(x),
                _ => Err(i),
            })
            .collect()
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "torch.Size({:?})", self.0)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        Shape(sizes.into_iter().collect())
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Self {
        Shape(Short::from_slice(&sizes))
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Shape(Short::from_slice(sizes))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Self {
        Shape(Short::from_slice(&sizes))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Self {
        shape.clone()
    }
}

impl From<usize> for Shape {
    fn from(size: usize) -> Self {
        Shape::from([size])
    }
}

impl From<()> for Shape {
    fn from((): ()) -> Self {
        Shape::default()
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        *self.0 == *other
    }
}

/// A shape in which one size may be -1, "whatever is left": the argument of `reshape` and `view`.
#[derive(Clone, Debug)]
pub struct NewShape(pub(crate) Short<isize>);

/// A list of dimensions, counted from the back when negative: the argument of reductions over several.
#[derive(Clone, Debug)]
pub struct Dims(pub(crate) Short<isize>);

impl Dims {
    /// Whether no dim is named, which means all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The dims as they were given.
    pub fn iter(&self) -> impl Iterator<Item = isize> + '_ {
        self.0.iter().copied()
    }
}

macro_rules! signed_list {
    ($list:ident: $($int:ty),*) => {$(
        impl<const N: usize> From<[$int; N]> for $list {
            fn from(sizes: [$int; N]) -> Self {
                $list(sizes.iter().map(|&s| s as isize).collect())
            }
        }
        impl<const N: usize> From<&[$int; N]> for $list {
            fn from(sizes: &[$int; N]) -> Self {
                $list::from(sizes.as_slice())
            }
        }
        impl From<&Vec<$int>> for $list {
            fn from(sizes: &Vec<$int>) -> Self {
                $list::from(sizes.as_slice())
            }
        }
        impl From<Vec<$int>> for $list {
            fn from(sizes: Vec<$int>) -> Self {
                $list::from(sizes.as_slice())
            }
        }
        impl From<&[$int]> for $list {
            fn from(sizes: &[$int]) -> Self {
                $list(sizes.iter().map(|&s| s as isize).collect())
            }
        }
        impl From<$int> for $list {
            fn from(size: $int) -> Self {
                $list(Short::from_slice(&[size as isize]))
            }
        }
    )*};
}
signed_list!(NewShape: i32, isize, usize);
signed_list!(Dims: i32, isize, usize);

impl From<&Shape> for NewShape {
    fn from(shape: &Shape) -> Self {
        NewShape(shape.iter().map(|&s| s as isize).collect())
    }
}

impl From<Shape> for NewShape {
    fn from(shape: Shape) -> Self {
        NewShape::from(&shape)
    }
}

impl From<()> for NewShape {
    fn from((): ()) -> Self {
        NewShape(Short::new())
    }
}
