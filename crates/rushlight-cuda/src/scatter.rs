//! Placing elements by index, in the order of the index: `kernels/scatter.cu`.
//!
//! Sums of f32 and f64 over more than [`CHUNK`] sorted indices are those of chunks, joined in order: they differ from the
//! CPU's, which adds one after the other, in the last bits. They depend on the indices alone.
//!
//! The host computes where more than eight axes are left that do not join.

use crate::backend::{Cuda, address, host};
use crate::index::culprit;
use crate::launch::{Args, Grid, View};
use crate::memory::Address;
use rushlight_array::backend::{OutOfRange, Scatter};
use rushlight_array::{Array, Backend, Cpu, DType, Layout};

/// Sorted indices that one thread walks through; as in the kernels.
const CHUNK: usize = 32;

/// Lines of this length are walked by a thread each, whatever their number: sorting takes longer.
const SHORT: usize = 32;

/// Lines of this length, too, if there are as many as keep a GPU busy.
const LONG: usize = 1024;
const MANY: usize = 1 << 14;

/// Keys are 32 bits, of which the largest is kept for what is none.
const MOST: usize = u32::MAX as usize;

/// The kernels of an operation, and what they are called for a dtype.
struct Names {
    line: &'static str,
    fold: &'static str,
    link: &'static str,
    variant: &'static str,
}

impl Names {
    fn of(op: Scatter, dtype: DType) -> Names {
        let op = match (op, dtype) {
            (Scatter::Add, DType::Bool) => Scatter::Max,
            (Scatter::Mul, DType::Bool) => Scatter::Min,
            _ => op,
        };
        let [line, fold, link] = match op {
            Scatter::Set => ["scatter_line_set", "scatter_fold_set", "scatter_link_set"],
            Scatter::Add => ["scatter_line_add", "scatter_fold_add", "scatter_link_add"],
            Scatter::Mul => ["scatter_line_mul", "scatter_fold_mul", "scatter_link_mul"],
            Scatter::Max => ["scatter_line_max", "scatter_fold_max", "scatter_link_max"],
            Scatter::Min => ["scatter_line_min", "scatter_fold_min", "scatter_link_min"],
        };
        let variant = match (op, dtype, dtype.size()) {
            (Scatter::Set, _, 1) => "1",
            (Scatter::Set, _, 2) => "2",
            (Scatter::Set, _, 4) => "4",
            (Scatter::Set, ..) => "8",
            (_, DType::F32, _) => "f32",
            (_, DType::F64, _) => "f64",
            (_, DType::I64, _) => "i64",
            _ => "bool",
        };
        Names { line, fold, link, variant }
    }
}

/// Where rows go: blocks of the result, rows in each, elements in a row; then the rows of the source in each block, and 0
/// if one value stands for all of it, else 1.
struct Rows {
    blocks: usize,
    size: usize,
    inner: usize,
    count: usize,
    step: usize,
}

impl Cuda {
    #[track_caller]
    pub(crate) fn scattered(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        if index.numel() == 0 {
            return Ok(self.copied(x));
        }
        let size = x.shape()[axis];
        if size == 0 {
            return Err(culprit(index, 0));
        }
        let layout = Layout::contiguous(x.shape());
        let mut without = layout.strides().to_vec();
        let stride = std::mem::take(&mut without[axis]);
        let length = index.shape()[axis];
        let lines = index.numel() / length;
        let names = Names::of(op, x.dtype());
        let walked = length <= SHORT || (length <= LONG && lines >= MANY);
        if walked || index.numel() >= MOST || x.numel() >= MOST {
            let mut shape = index.shape().to_vec();
            shape[axis] = 1;
            let steps = [index, source].map(|x| x.layout().strides());
            let Some(view) = View::of(&shape, [&without, steps[0], steps[1]]) else {
                let [x, index, source] = [x, index, source].map(host);
                return Ok(Cpu.scatter(op, &x, axis, &index, &source)?.to_device(&self.device()));
            };
            let look = self.look(index, size);
            let out = self.copied(x);
            let args = Args::new().pointer(address(&out)).pointer(address(index)).pointer(address(source));
            let args = args.put(view).put(stride as i64).put(steps[0][axis] as i64);
            let args = args.put(steps[1][axis] as i64).count(length).count(size).count(lines);
            self.gpu.launch(("scatter", names.line, names.variant), Grid::over(self.gpu, lines), args);
            self.seen(look)?;
            return Ok(out);
        }
        let Some(view) = View::of(index.shape(), [&without, index.layout().strides()]) else {
            let [x, index, source] = [x, index, source].map(host);
            return Ok(Cpu.scatter(op, &x, axis, &index, &source)?.to_device(&self.device()));
        };
        let look = self.look(index, size);
        let out = self.copied(x);
        let rows = Rows { blocks: 1, size: x.numel(), inner: 1, count: index.numel(), step: 1 };
        self.fold(&names, address(&out), index, (view, stride as i64, size), source, &rows);
        self.seen(look)?;
        Ok(out)
    }

    #[track_caller]
    pub(crate) fn index_scattered(
        &self,
        op: Scatter,
        x: Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        let size = x.shape()[axis];
        let look = self.look(index, size);
        if x.numel() == 0 || index.numel() == 0 {
            self.seen(look)?;
            return Ok(x);
        }
        let same =
            source.shape().iter().zip(source.layout().strides()).all(|(&n, &step)| n == 1 || step == 0);
        let rows = Rows {
            blocks: x.shape()[..axis].iter().product(),
            size,
            inner: x.shape()[axis + 1..].iter().product(),
            count: index.numel(),
            step: usize::from(!same),
        };
        let names = Names::of(op, x.dtype());
        let (out, to) = self.owned(x);
        if rows.count <= SHORT || rows.count >= MOST || size >= MOST {
            self.walk(&names, to, index, source, &rows);
        } else {
            let view = View::of(&[rows.count], [&[0], index.layout().strides()]).expect("one axis");
            self.fold(&names, to, index, (view, 1, size), source, &rows);
        }
        self.seen(look)?;
        Ok(out)
    }

    /// A thread for each column of each block, which goes through all rows of the source.
    #[track_caller]
    fn walk(&self, names: &Names, to: Address, index: &Array, source: &Array, rows: &Rows) {
        let &Rows { blocks, size, inner, count, step } = rows;
        let source = if step == 0 { source.clone() } else { self.dense(source) };
        let [own, theirs] =
            [[size * inner, 1], [count * inner * step, step]].map(|steps| steps.map(|s| s as isize));
        let view = View::of(&[blocks, inner], [&own, &[0, 0], &theirs]).expect("two axes");
        let lines = blocks * inner;
        let args = Args::new().pointer(to).pointer(address(index)).pointer(address(&source)).put(view);
        let args = args.count(inner).put(index.layout().strides()[0] as i64).count(inner * step);
        let args = args.count(count).count(size).count(lines);
        self.gpu.launch(("scatter", names.line, names.variant), Grid::over(self.gpu, lines), args);
    }

    /// By sorting. The view has the strides of the result without the axis and of the index; then the stride of the axis and
    /// its size.
    #[track_caller]
    fn fold(
        &self,
        names: &Names,
        to: Address,
        index: &Array,
        (view, stride, size): (View<2>, i64, usize),
        source: &Array,
        rows: &Rows,
    ) {
        let count = rows.count;
        let keys = self.gpu.block(4 * count);
        let args = Args::new().pointer(address(index)).pointer(keys.address).put(view).put(stride);
        let args = args.count(size).put(rows.size as u32).count(count);
        self.gpu.launch(("scatter", "scatter_keys", "u32"), Grid::over(self.gpu, count), args);
        let (keys, places) = self.sort_pairs(keys, count, rows.size as u64);

        let source = if rows.step == 0 { source.clone() } else { self.dense(source) };
        let chunks = count.div_ceil(CHUNK);
        let threads = rows.blocks * chunks * rows.inner;
        let partial = self.gpu.block(threads * source.dtype().size());
        let grid = Grid::over(self.gpu, threads);
        let args = Args::new().pointer(to).pointer(keys.address).pointer(places.address);
        let args = args.pointer(address(&source)).pointer(partial.address).count(rows.size).count(rows.inner);
        let args = args.count(count).count(chunks).count(rows.step).count(threads);
        self.gpu.launch(("scatter", names.fold, names.variant), grid, args);
        if chunks > 1 {
            let args = Args::new().pointer(to).pointer(keys.address).pointer(partial.address);
            let args = args.count(rows.size).count(rows.inner).count(count).count(chunks).count(threads);
            self.gpu.launch(("scatter", names.link, names.variant), grid, args);
        }
    }
}
