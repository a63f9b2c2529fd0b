//! Sorting along an axis: `kernels/sort.cu`.
//!
//! The first few and one in order are those of whole sorted rows. [`mode`](rushlight_array::Backend::mode) is left to the
//! host, as are rows of 2^32 elements.

use crate::backend::{Cuda, address};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid};
use crate::memory::{Address, Block};
use rushlight_array::backend::Rank;
use rushlight_array::{Array, Backend, Cpu, DType};

/// Rows up to this length are sorted in shared memory, of which they take 12 bytes an element at most.
const SHORT: usize = 2048;

/// Elements that a block sorts there at least, in as many rows as that takes.
const LEAST: usize = 512;

/// Threads of a block, and elements of each with keys of 4 and of 8 bytes; as in the kernels.
const THREADS: usize = 256;
const WARPS: usize = THREADS / 32;
const ITEMS: [usize; 2] = [16, 8];
const DIGIT: u32 = 8;

/// The kernel for elements of a compute type, and the bytes of its keys.
fn by_type(operation: &'static str, dtype: DType) -> (KernelName, usize) {
    let (variant, bytes) = match dtype {
        DType::F32 => ("f32", 4),
        DType::F64 => ("f64", 8),
        DType::I64 => ("i64", 8),
        _ => ("bool", 4),
    };
    (("sort", operation, variant), bytes)
}

impl Cuda {
    /// The first `count` elements in order along an axis, and their places.
    #[track_caller]
    pub(crate) fn sorted(&self, x: &Array, axis: usize, count: usize, descending: bool) -> (Array, Array) {
        let last = x.rank() - 1;
        if axis != last {
            let turn = |x: &Array| x.transpose(axis as isize, last as isize);
            let (values, index) = self.sorted(&turn(x), last, count, descending);
            return (self.copied(&turn(&values)), self.copied(&turn(&index)));
        }
        let x = self.dense(x);
        let mut shape = x.shape().to_vec();
        let size = std::mem::replace(&mut shape[axis], count);
        if size > u32::MAX as usize {
            let host = x.to_device(&rushlight_array::Device::cpu());
            let (values, index) = Cpu.topk(&host, axis, count, descending);
            return (values.to_device(&self.device()), index.to_device(&self.device()));
        }
        let (values, values_at) = self.empty(&shape, x.dtype());
        let (index, index_at) = self.empty(&shape, DType::I64);
        if values.numel() == 0 {
            return (values, index);
        }
        let rows = x.numel() / size;
        let out = [values_at, index_at];
        if size <= SHORT {
            self.sort_short(&x, out, [rows, size, count], descending);
        } else {
            self.sort_long(&x, out, [rows, size, count], descending);
        }
        (values, index)
    }

    #[track_caller]
    fn sort_short(
        &self,
        x: &Array,
        [values, index]: [Address; 2],
        [rows, size, count]: [usize; 3],
        flip: bool,
    ) {
        let (name, bytes) = by_type("sort_short", x.dtype());
        let width = size.next_power_of_two();
        let each = (LEAST / width).max(1);
        let args = Args::new().pointer(address(x)).pointer(values).pointer(index).count(rows);
        let args = [size, count, width, each, usize::from(flip)]
            .into_iter()
            .fold(args, |args, n| args.put(n as i32));
        let grid = Grid::of([rows.div_ceil(each) as u32, 1, 1], if width * each > LEAST { 512 } else { 256 });
        self.gpu.launch(name, grid.with_shared(width * each * (bytes + 4)), args);
    }

    #[track_caller]
    fn sort_long(
        &self,
        x: &Array,
        [values, index]: [Address; 2],
        [rows, size, count]: [usize; 3],
        flip: bool,
    ) {
        let (name, bytes) = by_type("sort_keys", x.dtype());
        let keys = self.gpu.block(x.numel() * bytes);
        let args =
            Args::new().pointer(address(x)).pointer(keys.address).put(i32::from(flip)).count(x.numel());
        self.gpu.launch(name, Grid::over(self.gpu, x.numel()), args);
        // A flipped bool has ones above.
        let bits = if x.dtype() == DType::Bool { 1 } else { 8 * bytes as u32 };
        let (_, places) = self.radix(keys, bytes, [rows, size], bits);
        let variant = match x.dtype().size() {
            1 => "1",
            4 => "4",
            _ => "8",
        };
        let args = Args::new().pointer(address(x)).pointer(places.address).pointer(values).pointer(index);
        let args = args.count(size).count(count).count(rows * count);
        self.gpu.launch(("sort", "sort_take", variant), Grid::over(self.gpu, rows * count), args);
    }

    /// Sorts keys of 32 bits that are at most `most`; also the places where each stood. Equal ones keep their order.
    #[track_caller]
    pub(crate) fn sort_pairs(&self, keys: Block, count: usize, most: u64) -> (Block, Block) {
        if count > SHORT {
            return self.radix(keys, 4, [1, count], (u64::BITS - most.leading_zeros()).max(1));
        }
        let [sorted, places] = [(); 2].map(|()| self.gpu.block(4 * count));
        let width = count.next_power_of_two();
        let args = Args::new().pointer(keys.address).pointer(sorted.address).pointer(places.address);
        let args = args.put(count as i32).put(width as i32);
        let grid = Grid::of([1, 1, 1], 512).with_shared(8 * width);
        self.gpu.launch(("sort", "sort_pairs", ""), grid, args);
        (sorted, places)
    }

    /// Sorts each row by the lowest bits of its keys, and gives the places where each key stood.
    #[track_caller]
    fn radix(&self, keys: Block, bytes: usize, [rows, size]: [usize; 2], bits: u32) -> (Block, Block) {
        let (items, variant) = if bytes == 4 { (ITEMS[0], "32") } else { (ITEMS[1], "64") };
        let tiles = size.div_ceil(THREADS * items);
        let digits = 1 << DIGIT;
        let [counts, totals] = [rows * digits * tiles, rows * digits].map(|count| self.gpu.block(4 * count));
        let mut keys = [keys, self.gpu.block(rows * size * bytes)];
        let mut places = [(); 2].map(|()| self.gpu.block(rows * size * 4));
        let all = Grid::of([(rows * tiles) as u32, 1, 1], THREADS as u32);
        for pass in 0..bits.div_ceil(DIGIT) {
            let shift = (pass * DIGIT) as i32;
            let args = Args::new().pointer(keys[0].address).pointer(counts.address);
            self.gpu.launch(("sort", "radix_count", variant), all, args.count(size).count(tiles).put(shift));
            let args = Args::new().pointer(counts.address).pointer(totals.address).count(tiles);
            let grid = Grid::of([(rows * digits / WARPS) as u32, 1, 1], THREADS as u32);
            self.gpu.launch(("sort", "radix_starts", ""), grid, args);
            let stood = if pass == 0 { 0 } else { places[0].address };
            let args = Args::new().pointer(keys[0].address).pointer(stood).pointer(keys[1].address);
            let args = args.pointer(places[1].address).pointer(counts.address).pointer(totals.address);
            self.gpu.launch(("sort", "radix_deal", variant), all, args.count(size).count(tiles).put(shift));
            keys.swap(0, 1);
            places.swap(0, 1);
        }
        let ([keys, _], [places, _]) = (keys, places);
        (keys, places)
    }

    /// One element along an axis, which stays with size 1, and its place.
    #[track_caller]
    pub(crate) fn ranked(&self, rank: Rank, x: &Array, axis: usize) -> (Array, Array) {
        let size = x.shape()[axis];
        let floats = matches!(x.dtype(), DType::F32 | DType::F64);
        let (skip, at) = match rank {
            Rank::At(k) => (None, k),
            Rank::Median => (Some(0), (size - 1) / 2),
            Rank::NanMedian => (Some(1), (size - 1) / 2),
        };
        let Some(skip) = skip.filter(|_| floats) else {
            let (values, index) = self.sorted(x, axis, at + 1, false);
            let one = |x: &Array| self.copied(&x.narrow(axis as isize, at, 1));
            return (one(&values), one(&index));
        };
        let last = x.rank() - 1;
        let turn = |x: &Array| x.transpose(axis as isize, last as isize);
        let (sorted, places) = self.sorted(&turn(x), last, size, false);
        let mut shape = sorted.shape().to_vec();
        shape[last] = 1;
        let (values, values_at) = self.empty(&shape, x.dtype());
        let (index, index_at) = self.empty(&shape, DType::I64);
        let rows = values.numel();
        let args = Args::new().pointer(address(&sorted)).pointer(address(&places)).pointer(values_at);
        let args = args.pointer(index_at).count(size).put(skip).count(rows);
        let (name, _) = by_type("median", x.dtype());
        self.gpu.launch(name, Grid::over(self.gpu, rows), args);
        (self.dense(&turn(&values)), self.dense(&turn(&index)))
    }
}
