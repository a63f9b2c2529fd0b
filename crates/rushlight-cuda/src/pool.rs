//! Pools and their gradients: `kernels/pool.cu`.
//!
//! The windows are told to the kernels as numbers where they are evenly spaced or cut an axis into parts, which is nearly
//! always; else as a table, which travels with the call. The host computes what has a plane of 2^31 elements or more.

use crate::backend::{Cuda, address};
use crate::columns::{along_rows, number_type};
use crate::launch::{Args, Grid};
use crate::memory::Block;
use rushlight_array::window::{Span, Spans};
use rushlight_array::{Array, Backend, Cpu, DType};

/// Windows of as many places get a warp each, the others a thread.
const WIDE: usize = 32;

/// The windows of an axis, which are equal where the function of [`Axis::span`] is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Axis {
    Regular { first: i64, stride: i64, extent: i64, limit: i64 },
    Adaptive,
}

/// Enough for kernels that know where the windows are.
const PAIRS: Axis = Axis::Regular { first: 0, stride: 2, extent: 2, limit: 0 };

impl Axis {
    /// The function that gives the windows of an axis, if there is one.
    fn find(input: usize, step: usize, spans: &[Span]) -> Option<Axis> {
        let [size, count] = [input, spans.len()].map(|n| n as i64);
        let place = |n: usize| n as i64;
        let first = spans.first()?;
        let mut choices = vec![Axis::Adaptive];
        // The first two windows that end inside of the input, or the last ones, show the stride.
        let strides = match spans {
            [_] => [1, 1],
            [a, b, ..] => {
                let [c, d] = [&spans[spans.len() - 2], &spans[spans.len() - 1]];
                [place(b.end) - place(a.end), place(d.start) - place(c.start)]
            }
            [] => return None,
        };
        let last = &spans[spans.len() - 1];
        for stride in strides.into_iter().filter(|&stride| stride > 0) {
            let starts = [place(last.start) - (count - 1) * stride, place(first.start)];
            for begin in starts {
                let ends = [place(first.end) - begin, place(last.end) - begin - (count - 1) * stride];
                let most = (first.count as i64).max(1);
                for extent in ends.into_iter().chain([most]).filter(|&extent| extent > 0) {
                    for limit in [0, size - begin, i64::from(i32::MAX)] {
                        choices.push(Axis::Regular { first: begin, stride, extent, limit });
                    }
                }
            }
        }
        let is = |axis: &Axis| {
            spans.iter().enumerate().all(|(i, span)| {
                let found = axis.span(i as i64, size, count, step as i64);
                let wanted = [span.start, span.end, span.count].map(place);
                found == wanted
            })
        };
        choices.into_iter().find(is)
    }

    /// Start, end and count of a window, as the kernels have them.
    fn span(&self, i: i64, input: i64, output: i64, step: i64) -> [i64; 3] {
        match *self {
            Axis::Adaptive => {
                let (start, end) = (i * input / output, input - (output - 1 - i) * input / output);
                [start, end, end - start]
            }
            Axis::Regular { first, stride, extent, limit } => {
                let raw = first + i * stride;
                let start = if raw < 0 { raw + (step - 1 - raw) / step * step } else { raw };
                let end = (raw + extent).min(input).max(0);
                let count = if limit == 0 { (end - start).max(0) } else { (raw + extent).min(limit) - raw };
                [start, end, count]
            }
        }
    }
}

/// The windows as arguments, with the block that holds what is a table.
struct Windows {
    numbers: [i32; 24],
    table: Option<Block>,
}

impl Windows {
    fn put(&self, args: Args) -> Args {
        args.put(self.numbers).pointer(self.table.as_ref().map_or(0, |block| block.address))
    }
}

/// Start, end and count of each window, and the first and the last window of each place.
fn tabulate(table: &mut Vec<i32>, input: usize, spans: &[Span]) -> [i32; 2] {
    let starts = table.len() as i32;
    let number = |n: usize| n.min(i32::MAX as usize) as i32;
    table.extend(spans.iter().flat_map(|span| [span.start, span.end, span.count].map(number)));
    let windows = table.len();
    table.resize(windows + 2 * input, 0);
    for (i, span) in spans.iter().enumerate() {
        for place in span.start..span.end.min(input) {
            let of = &mut table[windows + 2 * place..][..2];
            if of[1] == 0 {
                of[0] = i as i32;
            }
            of[1] = i as i32 + 1;
        }
    }
    [starts, windows as i32]
}

/// Whether the kernels can count the places.
fn fits(spans: &Spans) -> bool {
    let below = |sizes: [usize; 3]| {
        let len = sizes.iter().fold(1usize, |all, &size| all.saturating_mul(size));
        len < 1 << 31 && sizes.iter().all(|&size| size < 1 << 28)
    };
    let axis = |spans: &Vec<Span>| spans.iter().all(|s| s.start.max(s.end).max(s.count) < 1 << 28);
    below(spans.input) && below(spans.output()) && below(spans.step) && spans.axes.iter().all(axis)
}

/// Whether the windows are the pairs of columns of all pairs of lines: what most networks ask for.
pub(crate) fn has_pairs(spans: &Spans) -> bool {
    let pairs = |a: usize| {
        let axis = &spans.axes[a];
        // One that counts padding, too, is no pair.
        let is = |(i, span): (usize, &Span)| (span.start, span.end, span.count) == (2 * i, 2 * i + 2, 2);
        axis.len() == spans.input[a] / 2 && axis.iter().enumerate().all(is)
    };
    let flat = spans.input[0] == 1 && matches!(spans.axes[0][..], [Span { start: 0, end: 1, count: 1 }]);
    flat && spans.step[1..] == [1, 1] && pairs(1) && pairs(2)
}

/// The most places of a window.
fn places(spans: &Spans) -> usize {
    let most = |a: usize| {
        let size = |span: &Span| span.end.saturating_sub(span.start).div_ceil(spans.step[a]);
        spans.axes[a].iter().map(size).max().unwrap_or(0)
    };
    (0..3).map(most).product()
}

impl Cuda {
    #[track_caller]
    fn windows(&self, spans: &Spans) -> Windows {
        let pairs = has_pairs(spans);
        let (mut numbers, mut table) = ([0; 24], Vec::new());
        for a in 0..3 {
            let (input, step, axis) = (spans.input[a], spans.step[a], &spans.axes[a]);
            let found = if pairs { Some(PAIRS) } else { Axis::find(input, step, axis) };
            let rest = match found {
                Some(Axis::Regular { first, stride, extent, limit }) => [0, first, stride, extent, limit],
                Some(Axis::Adaptive) => [1, 0, 0, 0, 0],
                None => {
                    let [first, stride] = tabulate(&mut table, input, axis);
                    [2, first.into(), stride.into(), 0, 0]
                }
            };
            let [kind, first, stride, extent, limit] = rest.map(|n: i64| n as i32);
            let all = [kind, input as i32, axis.len() as i32, step as i32, first, stride, extent, limit];
            numbers[8 * a..][..8].copy_from_slice(&all);
        }
        let bytes: Vec<u8> = table.iter().flat_map(|n| n.to_ne_bytes()).collect();
        let table = (!bytes.is_empty()).then(|| {
            let block = self.gpu.block(bytes.len());
            self.gpu.write(block.address, &bytes);
            block
        });
        Windows { numbers, table }
    }

    #[track_caller]
    pub(crate) fn max_pooled(&self, spans: &Spans, x: &Array) -> (Array, Array) {
        if !fits(spans) {
            let (values, index) = Cpu.max_pool(spans, &crate::backend::host(x));
            return (values.to_device(&self.device()), index.to_device(&self.device()));
        }
        let ([depth, height, width], dtype) = (spans.output(), x.dtype());
        let shape = [x.shape()[0], depth, height, width];
        let (values, to) = self.empty(&shape, dtype);
        let (index, places_to) = self.empty(&shape, DType::I64);
        let count = values.numel();
        if count == 0 {
            return (values, index);
        }
        let (x, windows) = (self.dense(x), self.windows(spans));
        let args = Args::new().pointer(address(&x)).pointer(to).pointer(places_to);
        if has_pairs(spans) {
            let rows = count / width;
            let (lanes, grid) = along_rows(rows, width);
            let args = args.put(windows.numbers).put(lanes).count(rows);
            self.gpu.launch(("pool", "max_pool_pairs", number_type(dtype)), grid, args);
            return (values, index);
        }
        let (operation, threads) =
            if places(spans) < WIDE { ("max_pool", count) } else { ("max_pool_wide", count * 32) };
        let args = windows.put(args).count(count);
        self.gpu.launch(("pool", operation, number_type(dtype)), Grid::over(self.gpu, threads), args);
        (values, index)
    }

    #[track_caller]
    pub(crate) fn max_pooled_grad(&self, spans: &Spans, grad: &Array, index: &Array) -> Array {
        if !fits(spans) {
            return self.on_host([grad, index], |[grad, index]| Cpu.max_pool_grad(spans, grad, index));
        }
        let ([depth, height, width], dtype) = (spans.input, grad.dtype());
        let planes = grad.shape()[0];
        let (out, to) = self.empty(&[planes, depth, height, width], dtype);
        if out.numel() == 0 {
            return out;
        }
        let (grad, index, windows) = (self.dense(grad), self.dense(index), self.windows(spans));
        let args = Args::new().pointer(address(&grad)).pointer(address(&index)).pointer(to);
        if has_pairs(spans) {
            let rows = planes * height.div_ceil(2);
            let (lanes, grid) = along_rows(rows, width.div_ceil(2));
            let args = args.put(windows.numbers).put(lanes).count(rows);
            self.gpu.launch(("pool", "max_pool_grad_pairs", number_type(dtype)), grid, args);
            return out;
        }
        let args = windows.put(args).count(out.numel());
        self.gpu.launch(
            ("pool", "max_pool_grad", number_type(dtype)),
            Grid::over(self.gpu, out.numel()),
            args,
        );
        out
    }

    #[track_caller]
    pub(crate) fn avg_pooled(&self, spans: &Spans, x: &Array) -> Array {
        if !fits(spans) {
            return self.on_host([x], |[x]| Cpu.avg_pool(spans, x));
        }
        let wide = places(spans) >= WIDE;
        let operation = if wide { "avg_pool_wide" } else { "avg_pool" };
        self.averaged(operation, spans, x, spans.output(), if wide { 32 } else { 1 })
    }

    #[track_caller]
    pub(crate) fn avg_pooled_grad(&self, spans: &Spans, grad: &Array) -> Array {
        if !fits(spans) {
            return self.on_host([grad], |[grad]| Cpu.avg_pool_grad(spans, grad));
        }
        self.averaged("avg_pool_grad", spans, grad, spans.input, 1)
    }

    /// A result whose elements have so many threads each.
    #[track_caller]
    fn averaged(
        &self,
        operation: &'static str,
        spans: &Spans,
        x: &Array,
        size: [usize; 3],
        threads: usize,
    ) -> Array {
        let [depth, height, width] = size;
        let (y, to) = self.empty(&[x.shape()[0], depth, height, width], x.dtype());
        let count = y.numel();
        if count == 0 {
            return y;
        }
        let (x, windows) = (self.dense(x), self.windows(spans));
        let args = windows.put(Args::new().pointer(address(&x)).pointer(to));
        let args = args.put(i32::from(spans.divisor.is_some())).put(spans.divisor.unwrap_or(1)).count(count);
        let name = ("pool", operation, number_type(x.dtype()));
        self.gpu.launch(name, Grid::over(self.gpu, count * threads), args);
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushlight_array::window::Window;

    fn window([input, kernel, output]: [usize; 3], [stride, padding, dilation]: [usize; 3]) -> Window {
        let all = |size| [1, 1, size];
        Window {
            input: all(input),
            kernel: all(kernel),
            output: all(output),
            stride: all(stride),
            padding: [0, 0, padding],
            dilation: all(dilation),
        }
    }

    #[test]
    fn evenly_spaced_windows_need_no_table() {
        for input in 1..12usize {
            for (kernel, stride, padding, dilation) in [
                (1, 1, 0, 1),
                (2, 2, 0, 1),
                (3, 2, 1, 1),
                (3, 1, 1, 1),
                (2, 3, 1, 1),
                (3, 2, 1, 2),
                (5, 3, 2, 1),
            ] {
                let extent = (kernel - 1) * dilation + 1;
                let Some(room) = (input + 2 * padding).checked_sub(extent) else { continue };
                for output in [room / stride + 1, room.div_ceil(stride) + 1] {
                    for counts in [false, true] {
                        let window = window([input, kernel, output], [stride, padding, dilation]);
                        let spans = Spans::regular(&window, counts);
                        // As the pools have it, the last window begins inside of the input or the padding before it.
                        let last = (output - 1) * stride;
                        if last < input + padding
                            && spans.axes[2].iter().all(|s| s.start < s.end)
                            && output > 2
                        {
                            let found = Axis::find(input, dilation, &spans.axes[2]);
                            assert!(found.is_some(), "{window:?} {:?}", spans.axes[2]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn parts_of_an_axis_need_no_table() {
        for input in 1..20 {
            for output in 1..20 {
                let spans = Spans::adaptive([1, 1, input], [1, 1, output]);
                assert!(Axis::find(input, 1, &spans.axes[2]).is_some(), "{input} {output}");
            }
        }
    }

    #[test]
    fn a_table_names_the_windows_of_each_place() {
        let span = |start, end| Span { start, end, count: end - start };
        let spans = [span(0, 2), span(1, 4), span(5, 6)];
        assert_eq!(Axis::find(7, 1, &spans), None);
        let mut table = vec![7];
        assert_eq!(tabulate(&mut table, 7, &spans), [1, 10]);
        assert_eq!(table[1..10], [0, 2, 2, 1, 4, 3, 5, 6, 1]);
        assert_eq!(table[10..], [0, 1, 0, 2, 1, 2, 1, 2, 0, 0, 2, 3, 0, 0]);
    }
}
