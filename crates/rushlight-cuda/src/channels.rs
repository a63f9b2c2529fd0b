//! Statistics of channels, and channels shifted and scaled by them: `kernels/channels.cu`.
//!
//! Statistics of empty arrays are the host's.

use crate::backend::{Cuda, address};
use crate::launch::{Args, Grid, THREADS};
use crate::memory::Address;
use crate::reduce::chunks;
use crate::rows::float;
use rushlight_array::{Array, Backend, Cpu};

/// Elements at least of a part of a channel: 16 for each thread of a block.
const PART: usize = 4096;

/// What blocks have found out about the parts of channels.
struct Parts {
    array: Array,
    /// The number of parts of a channel, and how far those of neighbours and they themselves are from each other.
    places: [usize; 3],
}

impl Parts {
    /// The arguments of the kernels that join them.
    fn join(&self, args: Args) -> Args {
        self.places.iter().fold(args, |args, &number| args.count(number))
    }
}

impl Cuda {
    /// Lets a kernel look at the parts of all channels of `x`, `[N, C, L]`; its arguments begin with `inputs`.
    #[track_caller]
    fn channel_parts(
        &self,
        [rows, columns]: [&'static str; 2],
        numbers: usize,
        x: &Array,
        inputs: Args,
    ) -> Parts {
        let [samples, channels, length] = [x.shape()[0], x.shape()[1], x.shape()[2]];
        let count = samples * length;
        let width = channels.next_power_of_two().min(32);
        let blocks = if length == 1 { channels.div_ceil(width) } else { channels };
        let least = if length == 1 { PART / width } else { PART };
        let (parts, part) = chunks(blocks, count, least, 1);
        let (array, to) = self.empty(&[parts * channels * numbers], x.dtype());
        let args = inputs.pointer(to).count(channels);
        if length == 1 {
            let grid = Grid::of([blocks as u32, parts as u32, 1], THREADS);
            let args = args.count(samples).count(part).count(width);
            self.gpu.launch(("channels", columns, float(x.dtype())), grid, args);
            return Parts { array, places: [parts, 1, channels] };
        }
        let grid = Grid::of([(channels * parts) as u32, 1, 1], THREADS);
        let args = args.count(length).count(count).count(parts).count(part);
        self.gpu.launch(("channels", rows, float(x.dtype())), grid, args);
        Parts { array, places: [parts, parts, 1] }
    }

    #[track_caller]
    pub(crate) fn stats_of_channels(&self, x: &Array) -> Array {
        if x.numel() == 0 {
            return self.on_host([x], |[x]| Cpu.channel_stats(x));
        }
        let x = self.dense(x);
        let [channels, length] = [x.shape()[1], x.shape()[2]];
        let parts =
            self.channel_parts(["rows_stats", "columns_stats"], 3, &x, Args::new().pointer(address(&x)));
        let (y, to) = self.empty(&[channels, 2], x.dtype());
        let args = Args::new().pointer(address(&parts.array)).pointer(address(&x)).pointer(to);
        let args = parts.join(args).count(length);
        let grid = Grid::of([channels as u32, 1, 1], THREADS);
        self.gpu.launch(("channels", "join_stats", float(x.dtype())), grid, args);
        y
    }

    #[track_caller]
    pub(crate) fn grad_sums_of_channels(&self, grad: &Array, x: &Array, mean: &Array) -> Array {
        if x.numel() == 0 {
            return self.on_host([grad, x, mean], |[grad, x, mean]| Cpu.channel_grad_sums(grad, x, mean));
        }
        let [grad, x, mean] = [grad, x, mean].map(|x| self.dense(x));
        let inputs = Args::new().pointer(address(&x)).pointer(address(&grad)).pointer(address(&mean));
        let parts = self.channel_parts(["rows_sums", "columns_sums"], 2, &x, inputs);
        let (y, to) = self.empty(&[x.shape()[1], 2], x.dtype());
        let args = parts.join(Args::new().pointer(address(&parts.array)).pointer(to));
        let grid = Grid::of([x.shape()[1] as u32, 1, 1], THREADS);
        self.gpu.launch(("channels", "join_sums", float(x.dtype())), grid, args);
        y
    }

    #[track_caller]
    pub(crate) fn channels_scaled(&self, x: &Array, factors: &Array) -> Array {
        let x = self.dense(x);
        let from = address(&x);
        self.by_elements(["single_scale", "packed_scale"], &x, factors, from, Args::new().pointer(from))
    }

    #[track_caller]
    pub(crate) fn channels_mixed(&self, grad: &Array, x: &Array, factors: &Array) -> Array {
        let [grad, x] = [grad, x].map(|x| self.dense(x));
        let from = [address(&grad), address(&x)];
        let args = Args::new().pointer(from[0]).pointer(from[1]);
        self.by_elements(["single_mix", "packed_mix"], &x, factors, from[0] | from[1], args)
    }

    /// Elements one at a time, or in packs where they lie so; `places` has the low bits of all addresses.
    #[track_caller]
    fn by_elements(
        &self,
        [single, packed]: [&'static str; 2],
        x: &Array,
        factors: &Array,
        places: Address,
        inputs: Args,
    ) -> Array {
        let (y, to) = self.empty(x.shape(), x.dtype());
        if y.numel() == 0 {
            return y;
        }
        let factors = self.dense(factors);
        let [channels, length] = [x.shape()[1], x.shape()[2]];
        let width = 16 / x.dtype().size();
        let fits = length.is_multiple_of(width) && places.is_multiple_of(16);
        let (name, items) = if fits { (packed, y.numel() / width) } else { (single, y.numel()) };
        let args =
            inputs.pointer(address(&factors)).pointer(to).count(y.numel()).count(channels).count(length);
        self.gpu.launch(("channels", name, float(x.dtype())), Grid::over(self.gpu, items), args);
        y
    }
}
