use super::Array;
use crate::dtype::DType;
use crate::fail;

/// The most bins that are made: each takes eight bytes, and a single large number would ask for as many as it says.
const MOST_BINS: usize = 1 << 32;

/// Counting and searching by value.
impl Array {
    /// How often each number from 0 on occurs in a one-dimensional integer array, `i64`, at least `least` of them; or the
    /// sums of the weights there, in their own dtype if that is `f32`, else in `f64`.
    ///
    /// # Panics
    /// If the array is not one-dimensional integers from 0 on, or the weights have another shape.
    #[track_caller]
    pub fn bincount(&self, weights: Option<&Array>, least: usize) -> Array {
        if self.rank() != 1 || !self.dtype().is_int() {
            fail!(
                "bincount: the input is {} of shape {:?}; it must be integers with one dim",
                self.dtype().name(),
                self.shape()
            );
        }
        let index = self.cast(DType::I64);
        let range =
            if self.numel() == 0 { [0, -1] } else { [index.min().item::<i64>(), index.max().item::<i64>()] };
        if range[0] < 0 {
            fail!("bincount: {} is among the numbers; they must not be negative", range[0]);
        }
        let size = least.max(range[1].saturating_add(1) as usize);
        if size > MOST_BINS {
            fail!("bincount: {size} counters would be needed; at most {MOST_BINS} are made");
        }
        let weights = weights.map(|weights| {
            let dtype = if weights.dtype() == DType::F32 { DType::F32 } else { DType::F64 };
            (weights.shape() == self.shape()).then(|| weights.cast(dtype))
        });
        if let Some(None) = weights {
            fail!("bincount: the weights have another shape than the input, {:?}", self.shape());
        }
        self.device().kernels().bincount(&index, weights.flatten().as_ref(), size)
    }

    /// How many elements lie in each of so many equal parts of `low..=high`, in the dtype of the array.
    ///
    /// # Panics
    /// If the dtype is not a float, there is no bin, or the range is empty or not finite.
    #[track_caller]
    pub fn histc(&self, bins: usize, low: f64, high: f64) -> Array {
        if !self.dtype().is_float() {
            fail!(
                "histc: the dtype is {}, not a float; cast with .to(DType::F32) first",
                self.dtype().name()
            );
        }
        if bins == 0 || bins > MOST_BINS {
            fail!("histc: {bins} bins; use 1 to {MOST_BINS}");
        }
        if !(low.is_finite() && high.is_finite() && low < high) {
            fail!("histc: the range {low} to {high} is empty or not finite");
        }
        let x = self.in_dtype(self.dtype().compute());
        self.device().kernels().histc(&x, bins, low, high).cast(self.dtype())
    }

    /// For each of `values`, `[rows, m]`, the first place in its row of this array, `[rows, n]`, before which it can be put
    /// so that the row stays in order; with `right` the last such place. `i64`.
    pub fn search_sorted(&self, values: &Array, right: bool) -> Array {
        let dtype = self.dtype().promote(values.dtype()).compute();
        self.device().kernels().search_sorted(&self.cast(dtype), &values.cast(dtype), right)
    }
}
