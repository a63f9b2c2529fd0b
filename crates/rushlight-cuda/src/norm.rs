//! Layer norm and RMS norm: `kernels/norm.cu`.

use crate::backend::{Cuda, address};
use crate::launch::{Args, Grid, THREADS};
use crate::reduce::chunks;
use crate::rows::{float, rows};
use rushlight_array::backend::{Norm, Reduce};
use rushlight_array::{Array, Backend, DType, Scalar};

/// Rows at least of a chunk of the gradients of weight and bias: 16 for each of eight threads.
const ROWS: usize = 128;

impl Cuda {
    #[track_caller]
    pub(crate) fn normed(
        &self,
        kind: Norm,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        eps: f64,
    ) -> (Array, Array) {
        let (x, weight, bias) = (self.dense(x), weight.map(|w| self.dense(w)), bias.map(|b| self.dense(b)));
        let [count, size] = [x.shape()[0], x.shape()[1]];
        let (y, to) = self.empty(x.shape(), x.dtype());
        let (stats, numbers) = self.empty(&[count, 2], x.dtype());
        if y.numel() > 0 {
            let (variant, grid) = rows(count, size, x.dtype());
            let args = Args::new().pointer(address(&x)).pointer(weight.as_ref().map_or(0, address));
            let args = args.pointer(bias.as_ref().map_or(0, address)).pointer(to).pointer(numbers);
            let args = args.count(count).count(size).put(eps).put(i64::from(kind == Norm::Layer));
            self.gpu.launch(("norm", "norm", variant), grid, args);
        }
        (y, stats)
    }

    #[track_caller]
    pub(crate) fn normed_grad(
        &self,
        kind: Norm,
        grad: &Array,
        x: &Array,
        stats: &Array,
        weight: Option<&Array>,
    ) -> (Array, Array, Array) {
        let [grad, x, stats] = [grad, x, stats].map(|x| self.dense(x));
        let weight = weight.map(|weight| self.dense(weight));
        let [count, size] = [x.shape()[0], x.shape()[1]];
        let (dx, to) = self.empty(x.shape(), x.dtype());
        if dx.numel() == 0 {
            let zeros = self.fill(&[size], x.dtype(), Scalar::Float(0.0));
            return (dx, zeros.clone(), zeros);
        }
        let inputs = || Args::new().pointer(address(&grad)).pointer(address(&x)).pointer(address(&stats));
        let (variant, grid) = rows(count, size, x.dtype());
        let args = inputs().pointer(weight.as_ref().map_or(0, address)).pointer(to);
        let args = args.count(count).count(size).put(i64::from(kind == Norm::Layer));
        self.gpu.launch(("norm", "norm_grad", variant), grid, args);
        let sums = self.column_sums(inputs(), count, size, x.dtype());
        (dx, sums.select(0, 0), sums.select(0, 1))
    }

    /// The gradients of weight and bias, `[2, size]`: of chunks of rows, then their sums.
    #[track_caller]
    fn column_sums(&self, inputs: Args, count: usize, size: usize, dtype: DType) -> Array {
        let blocks = size.div_ceil(32);
        let (chunks, chunk) = chunks(blocks, count, ROWS, 8);
        let (parts, to) = self.empty(&[chunks, 2, size], dtype);
        let args = inputs.pointer(to).count(count).count(size).count(chunk);
        let grid = Grid::of([blocks as u32, chunks as u32, 1], THREADS);
        self.gpu.launch(("norm", "norm_grad_columns", float(dtype)), grid, args);
        let sums = if chunks == 1 { parts } else { self.reduced(Reduce::Sum, &parts, &[0]) };
        sums.reshape([2, size])
    }
}
