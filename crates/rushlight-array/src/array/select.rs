use super::Array;
use super::elementwise::broadcast_shapes;
use crate::backend::{OutOfRange, Scatter};
use crate::dtype::DType;
use crate::fail;
use crate::layout::axis;
use crate::shape::Shape;
use std::borrow::Cow;

/// Picking and placing elements by index arrays and masks. A scalar counts as an array of one dim with one element,
/// as in PyTorch.
impl Array {
    /// The places along `dim` that a one-dimensional integer array names.
    ///
    /// # Panics
    /// If an index is out of range or the index array is not one-dimensional integers.
    #[track_caller]
    pub fn index_select(&self, dim: isize, index: &Array) -> Array {
        self.index_select_by("index_select", dim, index)
    }

    /// As [`Array::index_select`]; messages begin with `op`.
    ///
    /// # Panics
    /// If an index is out of range or the index array is not one-dimensional integers.
    #[track_caller]
    pub fn index_select_by(&self, op: &str, dim: isize, index: &Array) -> Array {
        let a = axis(op, dim, self.shape());
        self.check_index(op, index);
        check_list(op, index);
        if self.rank() == 0 && index.numel() != 1 {
            fail!("{op}: {} indices for a scalar; it has one place", index.numel());
        }
        let out = self.line().pick(a, &index.line().cast(DType::I64));
        let out = self.in_range(op, dim, out);
        if self.rank() == 0 { out.reshape(()) } else { out }
    }

    #[track_caller]
    pub(super) fn pick(&self, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        self.device().kernels().index_select(self, axis, index)
    }

    /// `out[i][j] = x[i][index[i][j]]` for dim 1, and so on.
    ///
    /// # Panics
    /// If the index array has another rank, is larger in another dim, or holds a place out of range.
    #[track_caller]
    pub fn gather(&self, dim: isize, index: &Array) -> Array {
        let a = axis("gather", dim, self.shape());
        self.check_index("gather", index);
        if index.numel() == 0 {
            return Array::full(index.shape(), 0.0, self.dtype(), self.device());
        }
        self.check_same_but("gather", a, index);
        let out = self.device().kernels().gather(&self.line(), a, &index.line().cast(DType::I64));
        self.in_range("gather", dim, out).reshape(index.shape())
    }

    /// This array with `out[i][index[i][j]] = source[i][j]` for dim 1, and so on.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter(&self, dim: isize, index: &Array, source: &Array) -> Array {
        self.scatter_by("scatter", Scatter::Set, dim, index, source)
    }

    /// This array with `out[i][index[i][j]] += source[i][j]` for dim 1, and so on.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter_add(&self, dim: isize, index: &Array, source: &Array) -> Array {
        self.scatter_by("scatter_add", Scatter::Add, dim, index, source)
    }

    /// [`Array::scatter`] and its kin: what happens to the old element is up to `by`; messages begin with `op`.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn scatter_by(&self, op: &str, by: Scatter, dim: isize, index: &Array, source: &Array) -> Array {
        let a = axis(op, dim, self.shape());
        self.check_index(op, index);
        self.same_device(op, source);
        self.check_same_dtype(op, source);
        if index.numel() == 0 {
            return self.clone();
        }
        self.check_same_but(op, a, index);
        let (flat_index, flat) = (index.line(), source.line());
        if flat.rank() != flat_index.rank()
            || flat.shape().iter().zip(&**flat_index.shape()).any(|(s, i)| s < i)
        {
            fail!(
                "{op}: source shape {:?} is smaller than index shape {:?}; it must hold a value for every index",
                source.shape(),
                index.shape()
            );
        }
        let mut part = flat.into_owned();
        for (d, &size) in flat_index.shape().iter().enumerate() {
            part = part.narrow(d as isize, 0, size);
        }
        let dtype = self.scatter_dtype(by);
        let index = flat_index.cast(DType::I64);
        let backend = self.device().kernels();
        let out = backend.scatter(by, &self.line().cast(dtype), a, &index, &part.cast(dtype));
        self.in_range(op, dim, out).into_dtype(self.dtype()).reshape(self.shape())
    }

    /// This array with `source`'s places along `dim` added at the places that `index` names.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn index_add(&self, dim: isize, index: &Array, source: &Array) -> Array {
        self.index_scatter("index_add", Scatter::Add, dim, index, source)
    }

    /// This array with its slices along `dim` that `index` names replaced by those of `source`, or joined with them;
    /// messages begin with `op`.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit, or a place is out of range.
    #[track_caller]
    pub fn index_scatter(&self, op: &str, by: Scatter, dim: isize, index: &Array, source: &Array) -> Array {
        let a = axis(op, dim, self.shape());
        self.check_index(op, index);
        check_list(op, index);
        self.same_device(op, source);
        self.check_same_dtype(op, source);
        let line = self.line();
        let mut shape = line.shape().to_vec();
        shape[a] = index.numel();
        // Between a scalar and a list of one dim nothing is lost.
        let fits = **source.line().shape() == *shape && (source.rank() == self.rank() || shape.len() == 1);
        if !fits {
            fail!(
                "{op}: source shape {:?} for index shape {:?} along dim {dim} of shape {:?}; expected {shape:?}",
                source.shape(),
                index.shape(),
                self.shape()
            );
        }
        let dtype = self.scatter_dtype(by);
        let index = index.line().cast(DType::I64);
        let out = line.put(by, a, &index, &source.line().cast(dtype), dtype);
        self.in_range(op, dim, out).into_dtype(self.dtype()).reshape(self.shape())
    }

    pub(super) fn put(
        &self,
        by: Scatter,
        axis: usize,
        index: &Array,
        source: &Array,
        dtype: DType,
    ) -> Result<Array, OutOfRange> {
        self.device().kernels().index_scatter(by, self.cast(dtype), axis, index, source)
    }

    /// The dtype in which a scatter is done: replacing needs no arithmetic.
    pub(super) fn scatter_dtype(&self, by: Scatter) -> DType {
        if by == Scatter::Set { self.dtype() } else { self.dtype().compute() }
    }

    /// This array over counts that are not 0; for integers the next number below the quotient. Means of what was
    /// scattered, in place of which sums stand.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn div_counts(&self, counts: &Array) -> Array {
        let counts = counts.cast(self.dtype());
        if self.dtype().is_float() {
            return self.div(&counts);
        }
        self.cast(DType::I64).floor_divide(&counts.cast(DType::I64)).cast(self.dtype())
    }

    /// The elements where the mask is true, as one dim; mask and array broadcast.
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Array) -> Array {
        self.check_mask("masked_select", mask);
        let shape = broadcast_shapes("masked_select", self.shape(), mask.shape());
        let [x, mask] = [self, mask].map(|x| x.broadcast_to("masked_select", &shape));
        self.device().kernels().masked_select(&x, &mask)
    }

    /// This array with the elements where the mask is true replaced by the first ones of `source`, in row-major order;
    /// mask and array broadcast.
    ///
    /// # Panics
    /// If the mask is not bool or does not broadcast, the dtypes differ, or the source has too few elements.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Array, source: &Array) -> Array {
        self.check_mask("masked_scatter", mask);
        self.same_device("masked_scatter", source);
        self.check_same_dtype("masked_scatter", source);
        let shape = broadcast_shapes("masked_scatter", self.shape(), mask.shape());
        let [x, mask] = [self, mask].map(|x| x.broadcast_to("masked_scatter", &shape));
        match self.device().kernels().masked_scatter(&x, &mask, source) {
            Ok(out) => out,
            Err(count) => fail!(
                "masked_scatter: the mask has {count} true elements, the source {}; it must have as many or more",
                source.numel()
            ),
        }
    }

    /// The positions of the elements that are not zero: `[count, rank]`, `i64`, in row-major order.
    pub fn nonzero(&self) -> Array {
        self.device().kernels().nonzero(&self.cast(DType::Bool))
    }

    /// A scalar as one dim.
    pub(super) fn line(&self) -> Cow<'_, Array> {
        if self.rank() == 0 { Cow::Owned(self.reshape([1])) } else { Cow::Borrowed(self) }
    }

    #[track_caller]
    fn check_mask(&self, op: &str, mask: &Array) {
        self.same_device(op, mask);
        if mask.dtype() != DType::Bool {
            fail!("{op}: the mask is {}, not bool; compare it, as in x.gt(0.0)", mask.dtype().name());
        }
    }

    #[track_caller]
    fn check_index(&self, op: &str, index: &Array) {
        self.same_device(op, index);
        if !index.dtype().is_int() {
            fail!("{op}: indices are {}, not integers; cast with .to(DType::I64)", index.dtype().name());
        }
    }

    #[track_caller]
    fn check_same_dtype(&self, op: &str, source: &Array) {
        if source.dtype() != self.dtype() {
            fail!(
                "{op}: the source is {}, the array {}; cast the source with .to(DType::{:?})",
                source.dtype().name(),
                self.dtype().name(),
                self.dtype()
            );
        }
    }

    #[track_caller]
    fn check_same_but(&self, op: &str, axis: usize, index: &Array) {
        let (own, other) = (self.line(), index.line());
        let fits = other.rank() == own.rank()
            && (0..own.rank()).all(|d| d == axis || other.shape()[d] <= own.shape()[d]);
        if !fits {
            fail!(
                "{op}: index shape {:?} does not fit shape {:?}; it must have the same rank and be no larger outside of dim {axis}",
                index.shape(),
                self.shape()
            );
        }
    }

    #[track_caller]
    fn in_range(&self, op: &str, dim: isize, result: Result<Array, OutOfRange>) -> Array {
        match result {
            Ok(array) => array,
            Err(bad) => out_of_range(op, bad, dim, self.shape()),
        }
    }
}

#[track_caller]
fn out_of_range(op: &str, OutOfRange { index, size }: OutOfRange, dim: isize, shape: &Shape) -> ! {
    if size == 0 {
        fail!("{op}: index {index} is out of range for dim {dim} of shape {shape:?}, which is empty");
    }
    fail!("{op}: index {index} is out of range for dim {dim} of shape {shape:?}; expected 0 to {}", size - 1)
}

#[track_caller]
fn check_list(op: &str, index: &Array) {
    if index.rank() > 1 {
        fail!("{op}: the index has shape {:?}; it must have one dim", index.shape());
    }
}
