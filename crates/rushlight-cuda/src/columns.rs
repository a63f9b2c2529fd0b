//! Windows as columns and back, and how kernels get to know windows: `kernels/columns.cu`, `kernels/inc/windows.h`.

use crate::backend::{Cuda, address};
use crate::launch::{Args, Grid, THREADS};
use rushlight_array::window::Window;
use rushlight_array::{Array, Backend, Cpu, DType};

/// No size, window or padding may be as large, since kernels add them up in 32 bits.
const LIMIT: usize = 1 << 28;

/// Whether the kernels can count the places of an image, a window, and all windows.
pub(crate) fn is_small(window: &Window) -> bool {
    let axis = |a: usize| {
        let behind = |count: usize, step: usize| (count.max(1) - 1).saturating_mul(step);
        let last = behind(window.output[a], window.stride[a])
            .saturating_add(behind(window.kernel[a], window.dilation[a]))
            .saturating_add(window.padding[a]);
        last.max(window.input[a]) < LIMIT && window.stride[a] > 0 && window.dilation[a] > 0
    };
    let all = |sizes: [usize; 3]| sizes.iter().fold(1usize, |all, &size| all.saturating_mul(size));
    let planes = [window.input, window.kernel, window.output].map(all);
    (0..3).all(axis) && planes.iter().all(|&len| len < 1 << 31)
}

/// `Slide` of the kernels, three of them.
pub(crate) fn slides(window: &Window) -> [i32; 18] {
    let of = [window.input, window.kernel, window.output, window.stride, window.padding, window.dilation];
    // A stride or dilation of this size or more is that of a single window or place.
    std::array::from_fn(|i| of[i % 6][i / 6].min(LIMIT) as i32)
}

/// `Divider` of the kernels: a division by a multiplication, for numbers below 2^31 (Granlund, Montgomery: Division by
/// invariant integers using multiplication, 1994).
pub(crate) fn divider(divisor: usize) -> [u32; 3] {
    if divisor <= 1 {
        return [1, 0, 0];
    }
    let bits = (divisor - 1).ilog2() + 1;
    [divisor as u32, (1u64 << (31 + bits)).div_ceil(divisor as u64) as u32, bits - 1]
}

/// Threads for rows of so many elements: how many go along a row, and the blocks.
pub(crate) fn along_rows(rows: usize, len: usize) -> (i32, Grid) {
    let lanes = len.next_power_of_two().clamp(1, THREADS as usize);
    let blocks = rows.div_ceil(THREADS as usize / lanes).min(i32::MAX as usize);
    (lanes as i32, Grid::of([blocks as u32, 1, 1], THREADS))
}

/// `Dividers` of the kernels, for places of a plane.
fn dividers([_, height, width]: [usize; 3]) -> [u32; 6] {
    let all = [divider(height * width), divider(width)];
    std::array::from_fn(|i| all[i / 3][i % 3])
}

impl Cuda {
    #[track_caller]
    pub(crate) fn unfolded(&self, window: &Window, x: &Array) -> Array {
        if !is_small(window) {
            return self.on_host([x], |[x]| Cpu.unfold_windows(window, x));
        }
        let (batch, channels) = (x.shape()[0], x.shape()[1]);
        let (rows, count) = (batch * channels * window.kernel_len(), window.output_len());
        let (y, to) = self.empty(&[batch, channels * window.kernel_len(), count], x.dtype());
        if y.numel() == 0 {
            return y;
        }
        let variant = match x.dtype().size() {
            1 => "1",
            2 => "2",
            4 => "4",
            _ => "8",
        };
        let x = self.dense(x);
        let (lanes, grid) = along_rows(rows, count);
        let args =
            Args::new().pointer(address(&x)).pointer(to).put(slides(window)).put(dividers(window.output));
        self.gpu.launch(("columns", "unfold", variant), grid, args.put(lanes).count(rows));
        y
    }

    #[track_caller]
    pub(crate) fn folded_windows(&self, window: &Window, columns: &Array) -> Array {
        if !is_small(window) {
            return self.on_host([columns], |[columns]| Cpu.fold_windows(window, columns));
        }
        let (batch, channels) = (columns.shape()[0], columns.shape()[1] / window.kernel_len());
        let ([depth, height, width], rows) = (window.input, batch * channels);
        let (y, to) = self.empty(&[batch, channels, depth, height, width], columns.dtype());
        if y.numel() == 0 {
            return y;
        }
        let columns = self.dense(columns);
        let (lanes, grid) = along_rows(rows, window.input_len());
        let args = Args::new()
            .pointer(address(&columns))
            .pointer(to)
            .put(slides(window))
            .put(dividers(window.input));
        let name = ("columns", "fold", number_type(columns.dtype()));
        self.gpu.launch(name, grid, args.put(lanes).count(rows));
        y
    }
}

/// The variant of kernels for numbers.
pub(crate) fn number_type(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "f32",
        DType::F64 => "f64",
        DType::I64 => "i64",
        dtype => panic!("windows over {dtype}; arrays cast before they ask for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_two_to_the_31_are_divided_exactly() {
        let most = (1u64 << 31) - 1;
        for divisor in (1..70).chain([127, 128, 129, 576, 676, 12543, 65535, 65537, (1 << 28) - 1, 1 << 28]) {
            let [kept, factor, shift] = divider(divisor).map(u64::from);
            let near = [0, 1, 2, 1000, most / 2, most - 1, most].into_iter();
            let multiples = [1, 2, 3, 77, most / divisor as u64].map(|k| k * divisor as u64);
            for number in near.chain(multiples).chain(multiples.map(|m| m - 1)).filter(|&n| n <= most) {
                let quotient = if kept == 1 { number } else { ((number * factor) >> 32) >> shift };
                assert_eq!(quotient, number / divisor as u64, "{number} / {divisor}");
            }
        }
    }
}
