//! What stands at each place is made of all elements up to there: `kernels/scan.cu`.
//!
//! Products are joined in another order than one after the other; where parts of a row leave the range of f64, the result
//! may be NaN where that would be 0 or infinite, as in PyTorch on a GPU.

use crate::backend::{Cuda, address};
use crate::launch::{Args, Grid, THREADS};
use crate::memory::Address;
use crate::reduce::{chunks, of_dtype};
use crate::rows::float;
use rushlight_array::backend::{ArgReduce, Scan};
use rushlight_array::{Array, DType};

/// From so many columns on each has a thread; fewer are turned into rows if they are long.
const COLUMNS: usize = 4096;
const LONG: usize = 64;
/// The least elements of a chunk of a row.
const CHUNK: usize = 8192;

/// Whether the axis is walked by columns, of which there are so many behind each other.
fn by_columns(x: &Array, axis: usize) -> Option<usize> {
    let inner: usize = x.shape()[axis + 1..].iter().product();
    let size = x.shape()[axis];
    (inner > 1 && (size < LONG || x.numel() / size.max(1) >= COLUMNS)).then_some(inner)
}

/// The axis at the end; it is its own inverse.
fn turned(x: &Array, axis: usize) -> Array {
    x.transpose(axis as isize, x.rank() as isize - 1)
}

impl Cuda {
    #[track_caller]
    pub(crate) fn scanned(&self, op: Scan, x: &Array, axis: usize, reverse: bool) -> Array {
        let variant = match op {
            Scan::Sum => of_dtype!("sum", x.dtype()),
            Scan::Prod => of_dtype!("prod", x.dtype()),
            Scan::LogSumExp => of_dtype!("logsum", x.dtype()),
        };
        // Parts are f64 or i64.
        self.scan_into(variant, x, axis, reverse, 8, false).0
    }

    #[track_caller]
    pub(crate) fn extremes_scanned(&self, op: ArgReduce, x: &Array, axis: usize) -> (Array, Array) {
        let variant = match op {
            ArgReduce::Max => of_dtype!("max", x.dtype()),
            ArgReduce::Min => of_dtype!("min", x.dtype()),
        };
        let (y, index) = self.scan_into(variant, x, axis, false, 16, true);
        (y, index.expect("it was asked for"))
    }

    /// The scan, and places if wanted; parts of rows take up so many bytes.
    #[track_caller]
    fn scan_into(
        &self,
        variant: &'static str,
        x: &Array,
        axis: usize,
        reverse: bool,
        part: usize,
        places: bool,
    ) -> (Array, Option<Array>) {
        let inner: usize = x.shape()[axis + 1..].iter().product();
        let columns = by_columns(x, axis);
        if inner > 1 && columns.is_none() {
            let last = x.rank() - 1;
            let (y, index) = self.scan_into(variant, &turned(x, axis), last, reverse, part, places);
            return (self.dense(&turned(&y, axis)), index.map(|index| self.dense(&turned(&index, axis))));
        }
        let x = self.dense(x);
        let (y, to) = self.empty(x.shape(), x.dtype());
        let index = places.then(|| self.empty(x.shape(), DType::I64));
        let places = index.as_ref().map_or(0, |index| index.1);
        if x.numel() > 0 {
            let reverse = i64::from(reverse);
            let size = x.shape()[axis];
            let rows = x.numel() / size;
            match columns {
                Some(inner) => {
                    let args = Args::new().pointer(address(&x)).pointer(to).pointer(places);
                    let args = args.count(rows).count(size).count(inner).put(reverse);
                    let grid = Grid::of([rows.div_ceil(THREADS as usize) as u32, 1, 1], THREADS);
                    self.gpu.launch(("scan", "scan_columns", variant), grid, args);
                }
                None => self.scan_rows(variant, address(&x), [to, places], [rows, size], reverse, part),
            }
        }
        (y, index.map(|index| index.0))
    }

    #[track_caller]
    fn scan_rows(
        &self,
        variant: &'static str,
        x: Address,
        [y, index]: [Address; 2],
        [rows, size]: [usize; 2],
        reverse: i64,
        part: usize,
    ) {
        let (chunks, chunk) = chunks(rows, size, CHUNK, 1024);
        let parts = (chunks > 1).then(|| self.empty(&[rows * chunks * part / 8], DType::I64).0);
        let carries = parts.as_ref().map_or(0, address);
        let grid = Grid::of([(rows * chunks) as u32, 1, 1], THREADS);
        let scan = |y: Address| {
            let args = Args::new().pointer(x).pointer(y).pointer(index).pointer(carries);
            let args = args.count(size).count(chunks).count(chunk).put(reverse);
            self.gpu.launch(("scan", "scan_rows", variant), grid, args);
        };
        if chunks > 1 {
            scan(0);
            let args = Args::new().pointer(carries).count(rows).count(chunks);
            let grid = Grid::of([rows.div_ceil(THREADS as usize) as u32, 1, 1], THREADS);
            self.gpu.launch(("scan", "scan_chunks", variant), grid, args);
        }
        scan(y);
    }

    #[track_caller]
    pub(crate) fn recurred(&self, a: &Array, b: &Array, axis: usize, reverse: bool) -> Array {
        let inner: usize = a.shape()[axis + 1..].iter().product();
        let columns = by_columns(a, axis);
        if inner > 1 && columns.is_none() {
            let y = self.recurred(&turned(a, axis), &turned(b, axis), a.rank() - 1, reverse);
            return self.dense(&turned(&y, axis));
        }
        let [a, b] = [a, b].map(|x| self.dense(x));
        let (y, to) = self.empty(a.shape(), a.dtype());
        if y.numel() == 0 {
            return y;
        }
        let size = a.shape()[axis];
        let rows = a.numel() / size;
        let args = Args::new().pointer(address(&a)).pointer(address(&b)).pointer(to).count(rows).count(size);
        let (name, args, threads) = match columns {
            Some(inner) => ("columns_recurrence", args.count(inner), rows),
            None => ("rows_recurrence", args, 32 * rows),
        };
        let grid = Grid::of([threads.div_ceil(THREADS as usize) as u32, 1, 1], THREADS);
        self.gpu.launch(("scan", name, float(a.dtype())), grid, args.put(i64::from(reverse)));
        y
    }
}
