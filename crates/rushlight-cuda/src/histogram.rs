//! Counting by value, and searching in what is sorted: `kernels/histogram.cu`. Sums of weights are those of
//! [`scatter`](crate::scatter).

use crate::backend::{Cuda, address};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid};
use rushlight_array::backend::Scatter;
use rushlight_array::{Array, DType, Scalar};

/// As many counters as a block has of its own; as in the kernels.
const FEW: usize = 4096;

impl Cuda {
    #[track_caller]
    pub(crate) fn searched(&self, sorted: &Array, values: &Array, right: bool) -> Array {
        let [sorted, values] = [sorted, values].map(|x| self.dense(x));
        let (y, to) = self.empty(values.shape(), DType::I64);
        let variant = match values.dtype() {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            _ => "bool",
        };
        if y.numel() > 0 {
            let args = Args::new().pointer(address(&sorted)).pointer(address(&values)).pointer(to);
            let args = args.count(sorted.shape()[1]).count(values.shape()[1]);
            let args = args.put(i32::from(right)).count(y.numel());
            self.gpu.launch(("histogram", "search", variant), Grid::over(self.gpu, y.numel()), args);
        }
        y
    }

    #[track_caller]
    pub(crate) fn counted_by(&self, index: &Array, weights: Option<&Array>, size: usize) -> Array {
        if let Some(weights) = weights {
            let zeros = self.filled(&[size], weights.dtype(), Scalar::Int(0));
            let sums = self.index_scattered(Scatter::Add, zeros, 0, index, weights);
            return sums.expect("the numbers were checked");
        }
        let index = self.dense(index);
        let operation = if size <= FEW { "bincount_apart" } else { "bincount_in" };
        let args =
            |counts| Args::new().pointer(address(&index)).pointer(counts).count(size).count(index.numel());
        self.counts(size, index.numel(), ("histogram", operation, ""), args)
    }

    #[track_caller]
    pub(crate) fn parts_counted(&self, x: &Array, bins: usize, low: f64, high: f64) -> Array {
        let x = self.dense(x);
        let operation = if bins <= FEW { "histc_apart" } else { "histc_in" };
        let numbers = [low, high, bins as f64];
        let args = |counts| {
            let args = Args::new().pointer(address(&x)).pointer(counts).count(bins);
            let args = match x.dtype() {
                DType::F32 => numbers.into_iter().fold(args, |args, number| args.put(number as f32)),
                _ => numbers.into_iter().fold(args, |args, number| args.put(number)),
            };
            args.count(x.numel())
        };
        let variant = if x.dtype() == DType::F32 { "f32" } else { "f64" };
        self.counts(bins, x.numel(), ("histogram", operation, variant), args)
    }

    /// Counters, which begin at 0.
    #[track_caller]
    fn counts(&self, size: usize, items: usize, name: KernelName, args: impl FnOnce(u64) -> Args) -> Array {
        let (counts, at) = self.flags(size);
        if items > 0 && size > 0 {
            self.gpu.launch(name, Grid::over(self.gpu, items), args(at));
        }
        counts
    }
}
