//! Elements that a mask names: `kernels/mask.cu`. How many there are decides the shape of the result, so the host waits for
//! that number.
//!
//! The host computes where more than eight axes are left.

use crate::backend::{Cuda, address};
use crate::gpu::KernelName;
use crate::launch::{Args, Grid, MAX_RANK, View};
use rushlight_array::{Array, Backend, Cpu, DType};

/// Elements of a tile, and threads of the block that has it; as in the kernels.
const TILE: usize = 4096;
const THREADS: u32 = 256;

fn by_size(operation: &'static str, dtype: DType) -> KernelName {
    let variant = match dtype.size() {
        1 => "1",
        2 => "2",
        4 => "4",
        _ => "8",
    };
    ("mask", operation, variant)
}

/// A mask in row-major order, where the part of each tile begins, and how many elements are true.
struct Counted {
    mask: Array,
    starts: Array,
    grid: Grid,
    count: usize,
}

impl Counted {
    /// The arguments that kernels begin with.
    fn args(&self, args: Args) -> Args {
        args.pointer(address(&self.mask)).pointer(address(&self.starts))
    }
}

impl Cuda {
    #[track_caller]
    fn counted(&self, mask: &Array) -> Counted {
        let mask = self.dense(mask);
        let tiles = mask.numel().div_ceil(TILE);
        let grid = Grid::of([tiles as u32, 1, 1], THREADS);
        let (starts, at) = self.flags(tiles + 1);
        if tiles == 0 {
            return Counted { mask, starts, grid, count: 0 };
        }
        let args = Args::new().pointer(address(&mask)).pointer(at).count(mask.numel());
        self.gpu.launch(("mask", "mask_count", ""), grid, args);
        let one = Grid::of([1, 1, 1], (tiles as u32).next_multiple_of(32).min(1024));
        self.gpu.launch(("mask", "mask_starts", ""), one, Args::new().pointer(at).count(tiles));
        let count = self.numbers(&starts.narrow(0, tiles, 1))[0] as usize;
        Counted { mask, starts, grid, count }
    }

    #[track_caller]
    pub(crate) fn true_places(&self, mask: &Array) -> Array {
        let rank = mask.rank();
        if rank > MAX_RANK {
            return self.on_host([mask], |[mask]| Cpu.nonzero(mask));
        }
        let counted = self.counted(mask);
        let (y, to) = self.empty(&[counted.count, rank], DType::I64);
        if y.numel() == 0 {
            return y;
        }
        // All axes as they are: the places along each are wanted.
        let mut view = View { rank: rank as i64, shape: [1; MAX_RANK], strides: [[0; MAX_RANK]] };
        mask.shape().iter().zip(&mut view.shape).for_each(|(&size, own)| *own = size as i64);
        let args = counted.args(Args::new()).pointer(to).put(view).count(mask.numel());
        self.gpu.launch(("mask", "mask_places", ""), counted.grid, args);
        y
    }

    #[track_caller]
    pub(crate) fn where_true(&self, x: &Array, mask: &Array) -> Array {
        let counted = self.counted(mask);
        let (y, to) = self.empty(&[counted.count], x.dtype());
        if counted.count == 0 {
            return y;
        }
        let (x, view) = self.viewed(x);
        let args = counted.args(Args::new().pointer(address(&x))).pointer(to).put(view).count(x.numel());
        self.gpu.launch(by_size("mask_select", x.dtype()), counted.grid, args);
        y
    }

    #[track_caller]
    pub(crate) fn replaced(&self, x: &Array, mask: &Array, source: &Array) -> Result<Array, usize> {
        let counted = self.counted(mask);
        if counted.count > source.numel() {
            return Err(counted.count);
        }
        if counted.count == 0 {
            return Ok(self.dense(x));
        }
        let ((x, view), source) = (self.viewed(x), self.dense(source));
        let (y, to) = self.empty(x.shape(), x.dtype());
        let args = counted.args(Args::new().pointer(address(&x))).pointer(address(&source)).pointer(to);
        let args = args.put(view).count(x.numel());
        self.gpu.launch(by_size("mask_scatter", x.dtype()), counted.grid, args);
        Ok(y)
    }

    /// The array, or one in row-major order, with its view.
    #[track_caller]
    fn viewed(&self, x: &Array) -> (Array, View<1>) {
        match View::of(x.shape(), [x.layout().strides()]) {
            Some(view) => (x.clone(), view),
            None => {
                let x = self.dense(x);
                let view = View::of(&[x.numel()], [&[1]]).expect("one axis");
                (x, view)
            }
        }
    }
}
