//! Softmax and cross entropy: `kernels/softmax.cu`.

use crate::backend::{Cuda, address};
use crate::launch::{Args, Grid, THREADS};
use crate::rows::{float, rows};
use rushlight_array::Array;

/// The names of the kernels.
#[derive(Clone, Copy)]
struct Names {
    /// Of those for rows.
    rows: &'static str,
    /// Of those for columns.
    columns: &'static str,
}

const SOFTMAX: [Names; 2] = [
    Names { rows: "softmax", columns: "softmax_columns" },
    Names { rows: "log_softmax", columns: "log_softmax_columns" },
];
const GRADIENT: [Names; 2] = [
    Names { rows: "softmax_grad", columns: "softmax_grad_columns" },
    Names { rows: "log_softmax_grad", columns: "log_softmax_grad_columns" },
];

impl Cuda {
    /// The softmax along an axis, or its logarithm.
    #[track_caller]
    pub(crate) fn softmax_along(&self, x: &Array, axis: usize, log: bool) -> Array {
        self.along(SOFTMAX[usize::from(log)], &[x], axis)
    }

    /// The gradient of that, from that of its result and the result.
    #[track_caller]
    pub(crate) fn softmax_grad_along(&self, grad: &Array, y: &Array, axis: usize, log: bool) -> Array {
        self.along(GRADIENT[usize::from(log)], &[grad, y], axis)
    }

    #[track_caller]
    fn along(&self, names: Names, xs: &[&Array], axis: usize) -> Array {
        let like = xs[0];
        let (y, to) = self.empty(like.shape(), like.dtype());
        if y.numel() == 0 {
            return y;
        }
        let xs: Vec<Array> = xs.iter().map(|x| self.dense(x)).collect();
        let size = like.shape()[axis];
        let inner: usize = like.shape()[axis + 1..].iter().product();
        let columns = like.numel() / size;
        let args = xs.iter().fold(Args::new(), |args, x| args.pointer(address(x))).pointer(to);
        let args = args.count(columns).count(size);
        if inner == 1 {
            let (variant, grid) = rows(columns, size, like.dtype());
            self.gpu.launch(("softmax", names.rows, variant), grid, args);
            return y;
        }
        let width = columns.next_power_of_two().min(32);
        let grid = Grid::of([columns.div_ceil(width) as u32, 1, 1], THREADS);
        self.gpu.launch(
            ("softmax", names.columns, float(like.dtype())),
            grid,
            args.count(inner).count(width),
        );
        y
    }

    #[track_caller]
    pub(crate) fn cross_entropies(&self, x: &Array, target: &Array) -> (Array, Array) {
        let (x, target) = (self.dense(x), self.dense(target));
        let [count, size] = [x.shape()[0], x.shape()[1]];
        let (losses, to) = self.empty(&[count], x.dtype());
        let (stats, numbers) = self.empty(&[count, 2], x.dtype());
        if count > 0 {
            let (variant, grid) = rows(count, size, x.dtype());
            let args =
                Args::new().pointer(address(&x)).pointer(address(&target)).pointer(to).pointer(numbers);
            self.gpu.launch(("softmax", "cross_entropy", variant), grid, args.count(count).count(size));
        }
        (losses, stats)
    }

    #[track_caller]
    pub(crate) fn cross_entropies_grad(
        &self,
        x: &Array,
        stats: &Array,
        target: &Array,
        grad: &Array,
    ) -> Array {
        /// Elements of a row that a thread has.
        const EACH: usize = 8;
        let [x, stats, target] = [x, stats, target].map(|x| self.dense(x));
        let (dx, to) = self.empty(x.shape(), x.dtype());
        if dx.numel() == 0 {
            return dx;
        }
        let [count, size] = [x.shape()[0], x.shape()[1]];
        let width = size.div_ceil(EACH).next_power_of_two().min(THREADS as usize);
        let tiles = size.div_ceil(width * EACH);
        let blocks = count.div_ceil(THREADS as usize / width) * tiles;
        let args = Args::new().pointer(address(&x)).pointer(address(&stats)).pointer(address(&target));
        let args = args.pointer(address(grad)).put(grad.layout().strides()[0] as i64).pointer(to);
        let args = args.count(count).count(size).count(width).count(tiles);
        let name = ("softmax", "cross_entropy_grad", float(x.dtype()));
        self.gpu.launch(name, Grid::of([blocks as u32, 1, 1], THREADS), args);
        dx
    }
}
