//! Random draws: `kernels/random.cu`. Normals of f64 may differ from the CPU's in the last places, all else has its bits.

use crate::backend::Cuda;
use crate::launch::{Args, Grid};
use crate::memory::Address;
use rushlight_array::DType;
use rushlight_array::random::{Draws, Stretch};

/// Words that a block makes at once; as in the kernels.
const WORDS: usize = 4080;
const THREADS: u32 = 256;

impl Cuda {
    /// Fills memory of this dtype.
    #[track_caller]
    pub(crate) fn draw(&self, draws: Draws, from: Stretch, dtype: DType, count: usize, to: Address) {
        if count == 0 {
            return;
        }
        let narrow = dtype == DType::F32;
        let args = Args::new().pointer(to).put(from.seed).put(from.stream).put(from.position);
        let pair = |args: Args, a: f64, b: f64| {
            if narrow { args.put(a as f32).put(b as f32) } else { args.put(a).put(b) }
        };
        let ((operation, variant), args) = match draws {
            Draws::Uniform { low, high } => {
                (("random_uniform", if narrow { "f32" } else { "f64" }), pair(args, low, high))
            }
            Draws::Normal { mean, std } => {
                (("random_normal", if narrow { "f32" } else { "f64" }), pair(args, mean, std))
            }
            Draws::Bernoulli { p } => (("random_bernoulli", "bool"), args.put(p)),
            Draws::Integers { low, high } => {
                (("random_integers", "i64"), args.put(low).put(high.wrapping_sub(low) as u64))
            }
        };
        let blocks = (draws.words(dtype, count) as usize).div_ceil(WORDS);
        let most = (self.gpu.multiprocessors * 16) as usize;
        let grid = Grid::of([blocks.min(most) as u32, 1, 1], THREADS);
        self.gpu.launch(("random", operation, variant), grid, args.count(count));
    }
}
