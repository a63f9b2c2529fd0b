use super::Array;
use crate::backend::{ArgReduce, Scan};
use crate::dtype::DType;
use crate::fail;
use crate::layout::axis;

/// What stands at each place of an axis is made of all elements up to there.
impl Array {
    /// The sum, the product or the logarithm of the sum of the exponentials of all elements up to each place along a dim;
    /// with `reverse` from there on. Integers and bools give `i64`.
    ///
    /// ```
    /// use rushlight_array::{Array, backend::Scan};
    /// let x = Array::new([1, 2, 3]);
    /// assert_eq!(x.scan("cumsum", Scan::Sum, 0, false).to_vec::<i64>(), [1, 3, 6]);
    /// assert_eq!(x.scan("cumsum", Scan::Sum, 0, true).to_vec::<i64>(), [6, 5, 3]);
    /// ```
    ///
    /// # Panics
    /// If the dim is out of range, or of integers a logarithm is asked for.
    #[track_caller]
    pub fn scan(&self, name: &str, op: Scan, dim: isize, reverse: bool) -> Array {
        let a = axis(name, dim, self.shape());
        if op == Scan::LogSumExp && !self.dtype().is_float() {
            fail!(
                "{name}: the dtype is {}, not a float; cast with .to(DType::F32) first",
                self.dtype().name()
            );
        }
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::I64 };
        if self.numel() == 0 {
            return self.cast(dtype);
        }
        let x = self.in_dtype(dtype.compute());
        self.along(&x, |x| x.device().kernels().scan(op, x, a, reverse)).into_dtype(dtype)
    }

    /// The largest or smallest element up to each place along a dim, and the last place where it stands, as `i64`.
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn scan_extreme(&self, name: &str, op: ArgReduce, dim: isize) -> (Array, Array) {
        let a = axis(name, dim, self.shape());
        self.ordered(self.shape(), |x| x.device().kernels().scan_extreme(op, x, a))
    }

    /// `y[k] = b[k] + self[k] y[k - 1]` along a dim, or with `reverse` `b[k] + self[k] y[k + 1]`; float arrays of one shape
    /// and dtype.
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn recurrence(&self, b: &Array, dim: isize, reverse: bool) -> Array {
        let a = axis("recurrence", dim, self.shape());
        if self.rank() == 0 || self.numel() == 0 {
            return b.clone();
        }
        let (x, b) = (self.in_dtype(self.dtype().compute()), b.in_dtype(self.dtype().compute()));
        self.device().kernels().recurrence(&x, &b, a, reverse).into_dtype(self.dtype())
    }

    /// Runs `f` with a dim, also where there is none.
    pub(super) fn along(&self, x: &Array, f: impl FnOnce(&Array) -> Array) -> Array {
        if x.rank() == 0 { f(&x.reshape([1])).reshape(()) } else { f(x) }
    }
}
