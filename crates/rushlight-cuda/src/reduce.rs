//! Reductions: `kernels/reduce.cu`.
//!
//! Arrays of more than eight axes that do not join, and empty ones, are left to the host.

use crate::backend::{Cuda, address};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid, THREADS, View};
use crate::memory::Address;
use rushlight_array::backend::{ArgReduce, Reduce, Term};
use rushlight_array::{Array, Backend, Cpu, DType};

/// A way to reduce that has kernels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fold {
    Sum,
    Prod,
    Max,
    Min,
    Abs,
    Square,
    Nonzero,
    ArgMax,
    ArgMin,
    /// Of parts of [`Fold::ArgMax`].
    JoinMax,
    JoinMin,
}

/// The kernels of an operation for a dtype.
macro_rules! of_dtype {
    ($operation:literal, $dtype:expr) => {
        match $dtype {
            DType::F32 => concat!($operation, "_f32"),
            DType::F64 => concat!($operation, "_f64"),
            DType::I64 => concat!($operation, "_i64"),
            _ => concat!($operation, "_bool"),
        }
    };
}
pub(crate) use of_dtype;

impl Fold {
    fn of(op: Reduce, dtype: DType) -> Fold {
        match (op, dtype) {
            // Of bools, the sum says whether any is true, the product whether all are.
            (Reduce::Sum, DType::Bool) | (Reduce::Max, _) => Fold::Max,
            (Reduce::Prod, DType::Bool) | (Reduce::Min, _) => Fold::Min,
            (Reduce::Sum, _) => Fold::Sum,
            (Reduce::Prod, _) => Fold::Prod,
        }
    }

    fn variant(self, dtype: DType) -> &'static str {
        match self {
            Fold::Sum => of_dtype!("sum", dtype),
            Fold::Prod => of_dtype!("prod", dtype),
            Fold::Max => of_dtype!("max", dtype),
            Fold::Min => of_dtype!("min", dtype),
            Fold::Abs => of_dtype!("abs", dtype),
            Fold::Square => of_dtype!("square", dtype),
            Fold::Nonzero => of_dtype!("nonzero", dtype),
            Fold::ArgMax => of_dtype!("argmax", dtype),
            Fold::ArgMin => of_dtype!("argmin", dtype),
            Fold::JoinMax => of_dtype!("joinmax", dtype),
            Fold::JoinMin => of_dtype!("joinmin", dtype),
        }
    }

    /// How the parts that this leaves behind are folded, and their dtype.
    fn next(self, dtype: DType) -> (Fold, DType) {
        match self {
            Fold::Abs | Fold::Square => (Fold::Sum, dtype),
            Fold::Nonzero => (Fold::Sum, DType::I64),
            Fold::ArgMax => (Fold::JoinMax, dtype),
            Fold::ArgMin => (Fold::JoinMin, dtype),
            same => (same, dtype),
        }
    }

    /// Whether parts are elements with their places, of 16 bytes.
    fn has_places(self) -> bool {
        matches!(self, Fold::ArgMax | Fold::ArgMin | Fold::JoinMax | Fold::JoinMin)
    }

    fn result(self, dtype: DType) -> DType {
        if self == Fold::Nonzero || self.has_places() { DType::I64 } else { dtype }
    }

    /// How many neighbouring columns a thread may fold.
    fn columns_at_once(self, dtype: DType) -> usize {
        match self {
            Fold::Sum | Fold::Max | Fold::Min | Fold::Abs | Fold::Square if dtype != DType::Bool => {
                16 / dtype.size()
            }
            _ => 1,
        }
    }
}

/// One axis to be folded, for all places of the others.
#[derive(Clone, Copy)]
struct Job {
    fold: Fold,
    dtype: DType,
    x: Address,
    y: Address,
    centre: Address,
    /// The places of rows, of results and of centres.
    kept: View<3>,
    results: usize,
    count: usize,
    step: i64,
}

/// Rows up to this length are folded by lanes of a warp.
const SHORT: usize = 2048;
/// Blocks that fill any GPU a few times over; a number of their own makes for bits that do not depend on it.
const BLOCKS: usize = 2048;
/// The least elements of a chunk of a row, and the least rows of a chunk of columns for each thread.
const CHUNK: usize = 4096;
const ROWS: usize = 8;

/// Into how many chunks a row or a block of columns is cut, and how long each is: about as many as fill a GPU together with
/// the `others`, none shorter than `least`, with lengths that are multiples of `unit`.
pub(crate) fn chunks(others: usize, count: usize, least: usize, unit: usize) -> (usize, usize) {
    let wanted = (BLOCKS / others).clamp(1, count.div_ceil(least).max(1));
    let chunk = count.div_ceil(wanted).next_multiple_of(unit);
    (count.div_ceil(chunk), chunk)
}

impl Job {
    fn name(&self, way: &'static str) -> KernelName {
        ("reduce", way, self.fold.variant(self.dtype))
    }

    /// Whether packs of so many elements may be read at all places of the view.
    fn aligned(&self, width: usize) -> bool {
        let outer = &self.kept.strides[0][..self.kept.rank as usize];
        self.x.is_multiple_of(16)
            && outer.iter().all(|stride| stride.unsigned_abs().is_multiple_of(width as u64))
    }

    /// The same of the parts of chunks, `[results, chunks]` or `[chunks, results]`.
    fn of_parts(&self, parts: Address, chunks: usize, step: usize) -> Job {
        let (fold, dtype) = self.fold.next(self.dtype);
        let mut kept = self.kept;
        let mut stride = if step == 1 { chunks as i64 } else { 1 };
        for axis in (0..kept.rank as usize).rev() {
            kept.strides[0][axis] = stride;
            stride *= kept.shape[axis];
        }
        Job { fold, dtype, x: parts, centre: 0, kept, count: chunks, step: step as i64, ..*self }
    }
}

impl Cuda {
    /// Folds the axes; `None` if they do not fit a view.
    #[track_caller]
    fn folded(&self, fold: Fold, x: &Array, centre: Option<&Array>, axes: &[usize]) -> Option<Array> {
        let strides = x.layout().strides();
        // The axes that are one, from the last; the others are left for another run.
        let mut count = 1;
        let mut step = 0;
        let mut first = Vec::new();
        let mut rest = Vec::new();
        for &axis in axes.iter().rev() {
            let size = x.shape()[axis];
            if size == 1 || (rest.is_empty() && (count == 1 || strides[axis] == step * count as isize)) {
                if size > 1 && count == 1 {
                    step = strides[axis];
                }
                count *= size;
                first.push(axis);
            } else {
                rest.insert(0, axis);
            }
        }
        let mut shape = x.shape().to_vec();
        first.iter().for_each(|&axis| shape[axis] = 1);
        let (y, to) = self.empty(&shape, fold.result(x.dtype()));
        let centre = centre.map(|centre| centre.expand(shape.as_slice()));
        let none = vec![0; shape.len()];
        let centres: &[isize] = centre.as_ref().map_or(&none, |centre| centre.layout().strides());
        // Neighbours in memory are neighbours in the view, in whatever order the axes are.
        let mut order: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] > 1).collect();
        order.sort_by_key(|&axis| std::cmp::Reverse(strides[axis].unsigned_abs()));
        let sizes: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        let pick = |from: &[isize]| order.iter().map(|&axis| from[axis]).collect::<Vec<_>>();
        let [from, results, centres] = [strides, y.layout().strides(), centres].map(pick);
        let job = Job {
            fold,
            dtype: x.dtype(),
            x: address(x),
            y: to,
            centre: centre.as_ref().map_or(0, address),
            kept: View::of(&sizes, [&from, &results, &centres])?,
            results: y.numel(),
            count,
            step: step as i64,
        };
        self.run(job);
        match rest.as_slice() {
            [] => Some(y),
            rest => self.folded(fold.next(x.dtype()).0, &y, None, rest),
        }
    }

    #[track_caller]
    fn run(&self, job: Job) {
        let rank = job.kept.rank as usize;
        let neighbours = rank > 0 && job.kept.strides[0][rank - 1].abs() < job.step.abs();
        if neighbours { self.run_columns(job) } else { self.run_rows(job) }
    }

    #[track_caller]
    fn run_rows(&self, job: Job) {
        let packed = i64::from(job.step == 1 && job.aligned(16 / job.dtype.size()));
        // As long as a block has work for all of its threads.
        let others = if job.results < BLOCKS / 4 { job.results } else { BLOCKS };
        let (width, (chunks, chunk)) = match job.count {
            0..=SHORT => (job.count.div_ceil(8).next_power_of_two().min(32), (1, job.count)),
            _ => (THREADS as usize, chunks(others, job.count, CHUNK, 1024)),
        };
        let parts = self.parts(&job, chunks);
        let (tasks, at_once) = (job.results * chunks, THREADS as usize / width);
        let args = Args::new().pointer(job.x).pointer(job.y).pointer(parts.as_ref().map_or(0, address));
        let args = args.pointer(job.centre).put(job.kept).count(tasks).count(job.count).put(job.step);
        let args = args.count(chunks).count(chunk).count(width).put(packed);
        let grid = Grid::of([tasks.div_ceil(at_once) as u32, 1, 1], THREADS);
        self.gpu.launch(job.name("rows"), grid, args);
        if let Some(parts) = parts {
            self.run(job.of_parts(address(&parts), chunks, 1));
        }
    }

    #[track_caller]
    fn run_columns(&self, job: Job) {
        let rank = job.kept.rank as usize;
        let mut at_once = job.fold.columns_at_once(job.dtype);
        // The last axis without gaps, and all else in steps of whole packs.
        let mut outer = job;
        outer.kept.strides[0][rank - 1] = 0;
        let fits = job.kept.strides[0][rank - 1] == 1
            && (job.kept.shape[rank - 1] as usize).is_multiple_of(at_once)
            && job.step.unsigned_abs().is_multiple_of(at_once as u64)
            && outer.aligned(at_once);
        if !fits {
            at_once = 1;
        }
        let width = job.results.div_ceil(at_once).next_power_of_two().min(32);
        let blocks = job.results.div_ceil(width * at_once);
        let (chunks, chunk) = chunks(blocks, job.count, THREADS as usize / width * ROWS, 1);
        let parts = self.parts(&job, chunks);
        let args = Args::new().pointer(job.x).pointer(job.y).pointer(parts.as_ref().map_or(0, address));
        let args = args.pointer(job.centre).put(job.kept).count(job.results).count(job.count).put(job.step);
        let args = args.count(chunk).count(width);
        let name = job.name(if at_once > 1 { "packed" } else { "columns" });
        self.gpu.launch(name, Grid::of([blocks as u32, chunks as u32, 1], THREADS), args);
        if let Some(parts) = parts {
            self.run(job.of_parts(address(&parts), chunks, job.results));
        }
    }

    /// Room for the parts of several chunks.
    #[track_caller]
    fn parts(&self, job: &Job, chunks: usize) -> Option<Array> {
        let count = job.results * chunks;
        let (count, dtype) = match job.fold.has_places() {
            true => (2 * count, DType::I64),
            false => (count, job.fold.next(job.dtype).1),
        };
        (chunks > 1).then(|| self.empty(&[count], dtype).0)
    }

    #[track_caller]
    fn folded_or<const N: usize>(
        &self,
        fold: Fold,
        x: &Array,
        centre: Option<&Array>,
        axes: &[usize],
        host: impl FnOnce([&Array; N]) -> Array,
        inputs: [&Array; N],
    ) -> Array {
        let there = (x.numel() > 0).then(|| self.folded(fold, x, centre, axes));
        // As a dense array it may have fewer axes.
        let dense = || self.folded(fold, &self.dense(x), centre, axes);
        match there {
            None => self.on_host(inputs, host),
            Some(result) => result.or_else(dense).unwrap_or_else(|| self.on_host(inputs, host)),
        }
    }

    #[track_caller]
    pub(crate) fn reduced(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array {
        self.folded_or(Fold::of(op, x.dtype()), x, None, axes, |[x]| Cpu.reduce(op, x, axes), [x])
    }

    #[track_caller]
    pub(crate) fn arg_reduced(&self, op: ArgReduce, x: &Array, axis: usize) -> Array {
        let fold = match op {
            ArgReduce::Max => Fold::ArgMax,
            ArgReduce::Min => Fold::ArgMin,
        };
        self.folded_or(fold, x, None, &[axis], |[x]| Cpu.arg_reduce(op, x, axis), [x])
    }

    #[track_caller]
    pub(crate) fn term_reduced(
        &self,
        term: Term,
        x: &Array,
        centre: Option<&Array>,
        axes: &[usize],
    ) -> Array {
        let fold = match term {
            Term::Abs => Fold::Abs,
            Term::Square => Fold::Square,
        };
        match centre {
            None => self.folded_or(fold, x, None, axes, |[x]| Cpu.reduce_term(term, x, None, axes), [x]),
            Some(centre) => {
                let host = |[x, centre]: [&Array; 2]| Cpu.reduce_term(term, x, Some(centre), axes);
                self.folded_or(fold, x, Some(centre), axes, host, [x, centre])
            }
        }
    }

    #[track_caller]
    pub(crate) fn nonzero_counted(&self, x: &Array, axes: &[usize]) -> Array {
        let x = if x.dtype() == x.dtype().compute() { x.clone() } else { self.cast(x, DType::Bool) };
        self.folded_or(Fold::Nonzero, &x, None, axes, |[x]| Cpu.count_nonzero(x, axes), [&x])
    }
}
