//! Counting by value, and searching in what is sorted.

use super::contiguous;
use super::float::Float;
use super::softmax::{slice, with_float};
use super::threads::for_each_slice;
use crate::array::Array;
use crate::dtype::{DType, Element};
use std::ops::Add;

/// For each value the first place in its row of sorted ones before which it can be put; with `right` the last.
pub(crate) fn search_sorted(sorted: &Array, values: &Array, right: bool) -> Array {
    fn by<T: Element>(sorted: &Array, values: &Array, right: bool) -> Array {
        let [sorted, values] = [sorted, values].map(contiguous);
        let (size, count) = (sorted.shape()[1], values.shape()[1]);
        let data = sorted.as_slice::<T>().expect("it was made contiguous");
        let wanted = values.as_slice::<T>().expect("it was made contiguous");
        // What is not comparable is passed, so that NaN goes to the end, as in PyTorch.
        let stops = |at: T, v: T| if right { at > v } else { at >= v };
        // PyTorch's own steps: where a NaN stands among the sorted, the way there matters.
        let search = |row: &[T], v: T| {
            let (mut start, mut end) = (0, row.len());
            while start < end {
                let middle = start + (end - start) / 2;
                if stops(row[middle], v) { end = middle } else { start = middle + 1 }
            }
            start
        };
        Array::build(values.shape(), |out: &mut [i64]| {
            let cost = 4 * (size.max(1).ilog2() as usize + 1);
            for_each_slice(out, 1024, cost, &|start, out| {
                for (i, o) in out.iter_mut().enumerate() {
                    let (row, v) = ((start + i) / count, wanted[start + i]);
                    *o = search(&data[row * size..][..size], v) as i64;
                }
            });
        })
    }
    match values.dtype() {
        DType::F32 => by::<f32>(sorted, values, right),
        DType::F64 => by::<f64>(sorted, values, right),
        DType::I64 => by::<i64>(sorted, values, right),
        _ => by::<bool>(sorted, values, right),
    }
}

/// How often each number below `size` occurs, or the sum of the weights where it does.
pub(crate) fn bincount(index: &Array, weights: Option<&Array>, size: usize) -> Array {
    fn by<T: Element + Add<Output = T>>(index: &[i64], size: usize, weight: impl Fn(usize) -> T) -> Array {
        Array::build(size, |out: &mut [T]| {
            out.fill(T::default());
            // One thread, in order: sums of floats are the same every time.
            for (i, &bin) in index.iter().enumerate() {
                out[bin as usize] = out[bin as usize] + weight(i);
            }
        })
    }
    let index = contiguous(index);
    let index = index.as_slice::<i64>().expect("it was made contiguous");
    let Some(weights) = weights else { return by(index, size, |_| 1i64) };
    let weights = contiguous(weights);
    match weights.dtype() {
        DType::F32 => {
            let weights = slice::<f32>(&weights);
            by(index, size, |i| weights[i])
        }
        _ => {
            let weights = slice::<f64>(&weights);
            by(index, size, |i| weights[i])
        }
    }
}

/// The elements in each of so many equal parts of a range; the upper bound belongs to the last.
pub(crate) fn histc(x: &Array, bins: usize, low: f64, high: f64) -> Array {
    /// The elements that are counted together.
    const PART: usize = 1 << 17;
    fn by<T: Float>(x: &Array, bins: usize, low: f64, high: f64) -> Array {
        let x = contiguous(x);
        let (data, low, high) = (slice::<T>(&x), T::from_f64(low), T::from_f64(high));
        let (span, scale) = (high - low, T::from_f64(bins as f64));
        // Each part has counters of its own, unless there are so many that adding them up would cost more.
        let part = PART.max(4 * bins);
        let mut counts = vec![0i64; bins * data.len().div_ceil(part).max(1)];
        for_each_slice(&mut counts, bins, 2 * data.len().div_ceil(bins), &|start, counts| {
            let first = start / bins * part;
            for &v in &data[first..data.len().min(first + part)] {
                if v >= low && v <= high {
                    let bin = ((v - low) * scale / span).to_i64() as usize;
                    counts[bin.min(bins - 1)] += 1;
                }
            }
        });
        Array::build(bins, |out: &mut [i64]| {
            out.fill(0);
            for counts in counts.chunks_exact(bins) {
                out.iter_mut().zip(counts).for_each(|(o, c)| *o += c);
            }
        })
    }
    with_float!(x, by(x, bins, low, high))
}
