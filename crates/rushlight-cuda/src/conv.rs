//! Convolutions and their gradients: `kernels/conv.cu`, `kernels/depthwise.cu`.
//!
//! A convolution is a product of matrices; which tiles it is cut into, and into how many parts the sum of a weight's gradient,
//! is decided here, by the shapes alone: every GPU gives the same bits. The host computes what has a sample or a weight of 2^31
//! elements or more.
//!
//! Products with the zeros of the padding are left out of the gradient of the input on the CPU, but not here: an infinite
//! weight makes it NaN near the edges.

use crate::backend::{Cuda, address};
use crate::columns::{divider, is_small, number_type, slides};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid};
use crate::pool::has_pairs;
use rushlight_array::window::{Conv, Spans};
use rushlight_array::{Array, Backend, Cpu, DType};

/// The multiprocessors that tiles are chosen for; not those of the GPU at hand, lest results depend on it.
const MULTIPROCESSORS: usize = 132;

/// Groups of one input channel with more output channels than this are computed by tiles.
const FEW: usize = 4;

/// The terms of a part of a weight's gradient, at least and at most.
const TERMS: [usize; 2] = [128, 8192];

/// The most elements of all parts together.
const PARTIAL: usize = 1 << 26;

/// How a result is cut up, as the names of the kernels say.
#[derive(Clone, Copy)]
struct Tile {
    rows: usize,
    columns: usize,
    threads: usize,
    /// The products in a second on a full GPU, in percent of the best.
    speed: usize,
    forward: &'static str,
    pooled: &'static str,
    grad_input: &'static str,
}

macro_rules! tiles {
    ($($rows:literal x $columns:literal $threads:literal $speed:literal,)*) => {
        &[$(Tile {
            rows: $rows,
            columns: $columns,
            threads: $threads,
            speed: $speed,
            forward: concat!("forward_", $rows, "x", $columns),
            pooled: concat!("forward_pooled_", $rows, "x", $columns),
            grad_input: concat!("grad_input_", $rows, "x", $columns),
        }),*]
    };
}

/// Of f32; the first also of the other types.
const TILES: &[Tile] = tiles! {
    32 x 32 128 40,
    16 x 64 128 40,
    32 x 128 128 70,
    64 x 128 128 100,
};

impl Tile {
    /// The tiles of so many rows and columns.
    fn count(&self, [rows, columns]: [usize; 2]) -> usize {
        rows.div_ceil(self.rows) * columns.div_ceil(self.columns)
    }

    /// How long it takes, in no unit: so many tiles one after the other, and no faster than the threads of one tile can
    /// be where tiles are few.
    fn cost(&self, size: [usize; 2], times: usize) -> usize {
        let rounds = (self.count(size) * times).div_ceil(MULTIPROCESSORS).max(256 / self.threads);
        self.rows * self.columns * 100 / self.speed * rounds
    }

    fn best(dtype: DType, size: [usize; 2], times: usize) -> &'static Tile {
        let choice = if dtype == DType::F32 { TILES } else { &TILES[..1] };
        choice.iter().min_by_key(|tile| tile.cost(size, times)).expect("there are some")
    }
}

/// `Sizes` of the kernels.
fn sizes(conv: &Conv) -> [i32; 22] {
    let mut sizes = [0; 22];
    sizes[..18].copy_from_slice(&slides(&conv.window));
    let channels = [conv.batch, conv.groups, conv.inputs, conv.outputs];
    for (i, &number) in channels.iter().enumerate() {
        sizes[18 + i] = number as i32;
    }
    sizes
}

/// Whether the kernels can count the elements.
fn fits(conv: &Conv) -> bool {
    let window = &conv.window;
    let below = |factors: [usize; 3]| {
        factors.iter().try_fold(1usize, |all, &size| all.checked_mul(size)).is_some_and(|all| all < 1 << 31)
    };
    is_small(window)
        && conv.batch < 1 << 31
        && below([conv.groups, conv.inputs, window.input_len()])
        && below([conv.groups, conv.outputs, window.output_len()])
        && below([conv.outputs, conv.inputs, window.kernel_len()])
        && below([conv.groups, conv.outputs, 1])
}

/// Whether each group is computed by itself, an element by a thread.
fn is_depthwise(conv: &Conv) -> bool {
    conv.groups > 1 && conv.inputs == 1 && conv.outputs <= FEW
}

fn name(operation: &'static str, dtype: DType) -> KernelName {
    let file = if operation.starts_with("depthwise") { "depthwise" } else { "conv" };
    (file, operation, number_type(dtype))
}

/// Blocks for so many tiles; the kernels go on with further tiles if these are too many.
fn blocks(tiles: usize, threads: usize) -> Grid {
    Grid::of([tiles.min(i32::MAX as usize) as u32, 1, 1], threads as u32)
}

/// `Dividers` of the kernels.
fn dividers(conv: &Conv) -> [u32; 9] {
    let [depth, height, width] = conv.window.output;
    let all = [depth * height * width, height * width, width].map(divider);
    std::array::from_fn(|i| all[i / 3][i % 3])
}

/// Where a convolution's result goes behind its sums.
#[derive(Clone, Copy, Default)]
struct Ending {
    relu: bool,
    /// The largest of two by two.
    pool: bool,
    /// Where the places of the largest are written; 0 for nowhere.
    places: u64,
}

impl Cuda {
    #[track_caller]
    pub(crate) fn convolved(&self, conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
        if !fits(conv) {
            return self.on_host([x, weight], |[x, weight]| {
                Cpu.conv(conv, x, weight, bias.map(crate::backend::host).as_ref())
            });
        }
        let (y, to) = self.empty(&conv.output_shape(), x.dtype());
        self.convolve(conv, [x, weight], bias, to, Ending::default());
        y
    }

    #[track_caller]
    pub(crate) fn convolved_relu(
        &self,
        conv: &Conv,
        x: &Array,
        weight: &Array,
        bias: Option<&Array>,
        pool: Option<&Spans>,
        places: bool,
    ) -> (Array, Option<Array>) {
        if !fits(conv) {
            let [x, weight] = [x, weight].map(crate::backend::host);
            let bias = bias.map(crate::backend::host);
            let (y, index) = Cpu.conv_relu(conv, &x, &weight, bias.as_ref(), pool, places);
            return (y.to_device(&self.device()), index.map(|index| index.to_device(&self.device())));
        }
        let [n, c, depth, height, width] = conv.output_shape();
        if let Some(spans) = pool
            .filter(|spans| !is_depthwise(conv) && (spans.input == conv.window.output && has_pairs(spans)))
        {
            let [depth, height, width] = spans.output();
            let shape = [n * c, depth, height, width];
            let (y, to) = self.empty(&shape, x.dtype());
            let index = places.then(|| self.empty(&shape, DType::I64));
            let at = index.as_ref().map_or(0, |(_, at)| *at);
            self.convolve(conv, [x, weight], bias, to, Ending { relu: true, pool: true, places: at });
            return (y, index.map(|(index, _)| index));
        }
        let (y, to) = self.empty(&conv.output_shape(), x.dtype());
        self.convolve(conv, [x, weight], bias, to, Ending { relu: true, ..Ending::default() });
        let Some(spans) = pool else { return (y, None) };
        let (values, index) = self.max_pool(spans, &y.reshape([n * c, depth, height, width]));
        (values, places.then_some(index))
    }

    /// The convolution, written to an address.
    #[track_caller]
    fn convolve(&self, conv: &Conv, [x, weight]: [&Array; 2], bias: Option<&Array>, to: u64, ending: Ending) {
        let [n, c, ..] = conv.output_shape();
        let places = conv.window.output_len();
        let columns = if ending.pool {
            let [_, height, width] = conv.window.output;
            n * (height / 2) * (width / 2) * 4
        } else {
            n * places
        };
        if columns * c == 0 {
            return;
        }
        let dtype = x.dtype();
        let (x, weight, bias) = (self.dense(x), self.dense(weight), bias.map(|bias| self.dense(bias)));
        let args = Args::new().pointer(address(&x)).pointer(address(&weight));
        let args = args.pointer(bias.as_ref().map_or(0, address)).pointer(to);
        if is_depthwise(conv) {
            let args = args.put(sizes(conv)).put(i32::from(ending.relu)).count(c * columns);
            return self.gpu.launch(name("depthwise", dtype), Grid::over(self.gpu, c * columns), args);
        }
        let tile = Tile::best(dtype, [conv.outputs, columns], conv.groups);
        let tiles = tile.count([conv.outputs, columns]) * conv.groups;
        let args = args.pointer(ending.places).put(sizes(conv)).put(i32::from(ending.relu));
        let args = args.count(columns.div_ceil(tile.columns)).count(tiles);
        let operation = if ending.pool { tile.pooled } else { tile.forward };
        self.gpu.launch(name(operation, dtype), blocks(tiles, tile.threads), args);
    }

    #[track_caller]
    pub(crate) fn convolved_grad_input(&self, conv: &Conv, grad: &Array, weight: &Array) -> Array {
        if !fits(conv) {
            return self.on_host([grad, weight], |[grad, weight]| Cpu.conv_grad_input(conv, grad, weight));
        }
        let dtype = grad.dtype();
        let (out, to) = self.empty(&conv.input_shape(), dtype);
        if out.numel() == 0 {
            return out;
        }
        let (grad, weight) = (self.dense(grad), self.dense(weight));
        let args = Args::new().pointer(address(&grad)).pointer(address(&weight));
        if is_depthwise(conv) {
            let args = args.pointer(to).put(sizes(conv)).count(out.numel());
            self.gpu.launch(name("depthwise_input", dtype), Grid::over(self.gpu, out.numel()), args);
            return out;
        }
        // The places of the input that are a stride apart see the same taps: each such set is a product of its own.
        let window = &conv.window;
        let apart = |a: usize| window.stride[a].min(window.input[a]);
        let sets: usize = (0..3).map(apart).product();
        let largest: usize = (0..3).map(|a| window.input[a].div_ceil(window.stride[a])).product();
        let size = [conv.inputs, conv.batch * largest];
        let tile = Tile::best(dtype, size, conv.groups * sets);
        let tiles = tile.count(size) * conv.groups * sets;
        let args = args.pointer(0).pointer(to).pointer(0).put(sizes(conv)).put(0i32);
        let args = args.count(size[1].div_ceil(tile.columns)).count(tiles);
        self.gpu.launch(name(tile.grad_input, dtype), blocks(tiles, tile.threads), args);
        out
    }

    #[track_caller]
    pub(crate) fn convolved_grad_weight(&self, conv: &Conv, grad: &Array, x: &Array) -> Array {
        if !fits(conv) {
            return self.on_host([grad, x], |[grad, x]| Cpu.conv_grad_weight(conv, grad, x));
        }
        let (dtype, shape) = (grad.dtype(), conv.weight_shape());
        let weights: usize = shape.iter().product();
        let terms = conv.batch * conv.window.output_len();
        if terms == 0 || weights == 0 {
            return self.filled(&shape, dtype, 0.into());
        }
        let (rows, columns) = (conv.outputs, conv.inputs * conv.window.kernel_len());
        let (operation, threads, tiles) = if is_depthwise(conv) {
            ("depthwise_weight", 128, conv.groups * conv.outputs)
        } else {
            let (operation, high, threads) = match (dtype, rows) {
                (DType::F32, ..=16) => ("weight_16x64", 16, 64),
                (DType::F32, 33..) => ("weight_64x64", 64, 128),
                _ => ("weight_32x64", 32, 128),
            };
            (operation, threads, rows.div_ceil(high) * columns.div_ceil(64) * conv.groups)
        };
        // Enough threads for the whole GPU.
        let wanted = (MULTIPROCESSORS * 512 / threads).div_ceil(tiles).min(PARTIAL / weights).max(1);
        let length =
            terms.div_ceil(wanted).clamp(TERMS[0], TERMS[1].max(terms.div_ceil((PARTIAL / weights).max(1))));
        let length = length.next_multiple_of(16).min(1 << 29);
        let parts = terms.div_ceil(length);
        let (grad, x) = (self.dense(grad), self.dense(x));
        let (out, to) = self.empty(&shape, dtype);
        let partial = (parts > 1).then(|| self.gpu.block(parts * weights * dtype.size()));
        let sums = partial.as_ref().map_or(to, |block| block.address);
        let args = Args::new().pointer(address(&grad)).pointer(address(&x)).pointer(sums).put(sizes(conv));
        let args = args.put(dividers(conv)).count(length).count(tiles * parts);
        self.gpu.launch(name(operation, dtype), blocks(tiles * parts, threads), args);
        if parts > 1 {
            let args = Args::new().pointer(sums).pointer(to).count(parts).count(weights);
            self.gpu.launch(name("add_parts", dtype), blocks(weights.div_ceil(32), 256), args);
        }
        out
    }
}
