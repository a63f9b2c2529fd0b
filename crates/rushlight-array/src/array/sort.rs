use super::Array;
use crate::backend::Rank;
use crate::dtype::DType;
use crate::fail;
use crate::layout::axis;
use crate::shape::Shape;

/// Sorting and selecting along a dim: values, and their places as `i64`. NaN counts as larger than all numbers, equal
/// elements keep their order.
impl Array {
    /// The elements in ascending or descending order.
    ///
    /// ```
    /// use rushlight_array::Array;
    /// let (values, places) = Array::new([3, 1, 2]).sort(0, true);
    /// assert_eq!(values.to_vec::<i64>(), [3, 2, 1]);
    /// assert_eq!(places.to_vec::<i64>(), [0, 2, 1]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Array, Array) {
        let a = axis("sort", dim, self.shape());
        self.ordered(self.shape(), |x| x.device().kernels().sort(x, a, descending))
    }

    /// The `k` largest or smallest elements, in order.
    ///
    /// # Panics
    /// If the dim is out of range or has fewer than `k` elements.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool) -> (Array, Array) {
        let a = axis("topk", dim, self.shape());
        let size = self.shape().get(a).copied().unwrap_or(1);
        if k > size {
            fail!("topk: k is {k}, but dim {dim} of shape {:?} has only {size} elements", self.shape());
        }
        let mut shape = self.shape().to_vec();
        if let Some(size) = shape.get_mut(a) {
            *size = k;
        }
        // A scalar is its own best one, also for k = 0.
        let k = if self.rank() == 0 { 1 } else { k };
        self.ordered(&shape.into(), |x| x.device().kernels().topk(x, a, k, largest))
    }

    /// One element in ascending order, or a median. The dim stays with size 1.
    ///
    /// # Panics
    /// If the dim is out of range or empty.
    #[track_caller]
    pub fn kth(&self, name: &str, rank: Rank, dim: isize) -> (Array, Array) {
        let (a, shape) = self.one_along(name, dim);
        if let (Rank::At(k), size) = (rank, self.shape().get(a).copied().unwrap_or(1))
            && k >= size
        {
            fail!(
                "{name}: there is no element {} among the {size} of dim {dim} of shape {:?}",
                k + 1,
                self.shape()
            );
        }
        self.ordered(&shape, |x| x.device().kernels().kth(rank, x, a))
    }

    /// The most frequent element, the smallest of several, and the last place where it stands. The dim stays with size 1.
    ///
    /// # Panics
    /// If the dim is out of range or empty.
    #[track_caller]
    pub fn mode(&self, dim: isize) -> (Array, Array) {
        let (a, shape) = self.one_along("mode", dim);
        self.ordered(&shape, |x| x.device().kernels().mode(x, a))
    }

    /// The axis that a dim names, and the shape with size 1 there.
    #[track_caller]
    fn one_along(&self, name: &str, dim: isize) -> (usize, Shape) {
        let a = axis(name, dim, self.shape());
        let mut shape = self.shape().clone();
        if let Some(size) = shape.dims_mut().get_mut(a) {
            if *size == 0 {
                fail!("{name}: axis {a} of shape {:?} is empty and has no element", self.shape());
            }
            *size = 1;
        }
        (a, shape)
    }

    /// Values in this array's dtype and places, of the shape; `f` computes them where there are any.
    pub(super) fn ordered(&self, shape: &Shape, f: impl FnOnce(&Array) -> (Array, Array)) -> (Array, Array) {
        if shape.contains(&0) {
            let empty = |dtype| Array::full(shape, 0, dtype, self.device());
            return (empty(self.dtype()), empty(DType::I64));
        }
        let x = self.in_dtype(self.dtype().compute());
        if x.rank() == 0 {
            let (values, index) = f(&x.reshape([1]));
            return (values.reshape(()).into_dtype(self.dtype()), index.reshape(()));
        }
        let (values, index) = f(&x);
        (values.into_dtype(self.dtype()), index)
    }
}
