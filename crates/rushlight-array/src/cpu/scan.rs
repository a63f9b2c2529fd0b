//! What stands at each place is made of all elements up to there: sums, products, extremes, recurrences.
//!
//! An axis is one chain and one thread's; other axes are shared among threads, so their number changes no bit.

use super::contiguous;
use super::softmax::{slice, with_float};
use super::threads::{for_each_pair, for_each_slice};
use crate::array::Array;
use crate::backend::{ArgReduce, Scan};
use crate::dtype::{DType, Element};

/// Neighbouring chains that run side by side.
const LANES: usize = 64;

/// The cost of a step in additions: a chain waits for each result.
const COST: usize = 4;

/// Calls `step(lane, place, row)` for every place of `inner` neighbouring chains of `size` rows, from the end with
/// `reverse`; `lane` is below [`LANES`], and each set of lanes begins at the first row again.
#[inline(always)]
fn chains(size: usize, inner: usize, reverse: bool, mut step: impl FnMut(usize, usize, usize)) {
    for column in (0..inner).step_by(LANES) {
        let lanes = LANES.min(inner - column);
        for j in 0..size {
            let row = if reverse { size - 1 - j } else { j };
            for lane in 0..lanes {
                step(lane, row * inner + column + lane, row);
            }
        }
    }
}

/// The sizes of and behind an axis.
fn sizes(x: &Array, axis: usize) -> (usize, usize) {
    (x.shape()[axis], x.shape()[axis + 1..].iter().product())
}

/// Whole blocks of chains, at least so many elements of them, for a chunk of the work.
fn chunk(block: usize) -> usize {
    4096usize.div_ceil(block.max(1)) * block
}

fn scan_by<T: Element, A: Copy + Sync>(
    x: &Array,
    axis: usize,
    reverse: bool,
    start: A,
    step: impl Fn(A, T) -> A + Sync,
    give: impl Fn(A) -> T + Sync,
) -> Array {
    let x = contiguous(x);
    let (data, (size, inner)) = (x.as_slice::<T>().expect("it was made contiguous"), sizes(&x, axis));
    let block = size * inner;
    Array::build(x.shape(), |out: &mut [T]| {
        for_each_slice(out, chunk(block), COST, &|first, out| {
            for (out, x) in out.chunks_exact_mut(block).zip(data[first..].chunks_exact(block)) {
                if inner == 1 {
                    let mut total = start;
                    let mut at = |o: &mut T, &v: &T| {
                        total = step(total, v);
                        *o = give(total);
                    };
                    match reverse {
                        false => out.iter_mut().zip(x).for_each(|(o, v)| at(o, v)),
                        true => out.iter_mut().zip(x).rev().for_each(|(o, v)| at(o, v)),
                    }
                    continue;
                }
                for column in (0..inner).step_by(LANES) {
                    let (lanes, mut totals) = (LANES.min(inner - column), [start; LANES]);
                    for j in 0..size {
                        let at = if reverse { size - 1 - j } else { j } * inner + column;
                        let places = out[at..at + lanes].iter_mut().zip(&x[at..at + lanes]);
                        for (total, (o, &v)) in totals.iter_mut().zip(places) {
                            *total = step(*total, v);
                            *o = give(*total);
                        }
                    }
                }
            }
        });
    })
}

/// log(exp(a) + exp(b)) without overflow; infinities of one sign are not subtracted from each other.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low.is_nan() || high.is_nan() {
        return f64::NAN;
    }
    if low == high && low.is_infinite() { low } else { high + (low - high).exp().ln_1p() }
}

/// Floats are added up in f64, as PyTorch does on the CPU.
pub(crate) fn scan(op: Scan, x: &Array, axis: usize, reverse: bool) -> Array {
    macro_rules! float {
        ($t:ty) => {
            match op {
                Scan::Sum => scan_by(x, axis, reverse, 0.0, |a, v: $t| a + f64::from(v), |a| a as $t),
                Scan::Prod => scan_by(x, axis, reverse, 1.0, |a, v: $t| a * f64::from(v), |a| a as $t),
                Scan::LogSumExp => {
                    let step = |a, v: $t| log_add(a, f64::from(v));
                    scan_by(x, axis, reverse, f64::NEG_INFINITY, step, |a| a as $t)
                }
            }
        };
    }
    match (x.dtype(), op) {
        (DType::F32, _) => float!(f32),
        (DType::F64, _) => float!(f64),
        (_, Scan::Prod) => scan_by(x, axis, reverse, 1, i64::wrapping_mul, |a| a),
        (_, _) => scan_by(x, axis, reverse, 0, i64::wrapping_add, |a| a),
    }
}

/// The extremes up to each place, and where they stand last.
pub(crate) fn extreme(op: ArgReduce, x: &Array, axis: usize) -> (Array, Array) {
    // NaN compares with nothing, itself included: it takes the place, and only another NaN takes it over.
    #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
    fn by<T: Element>(op: ArgReduce, x: &Array, axis: usize) -> (Array, Array) {
        let x = contiguous(x);
        let (data, (size, inner)) = (x.as_slice::<T>().expect("it was made contiguous"), sizes(&x, axis));
        let wins = |new: T, old: T| {
            let better = match op {
                ArgReduce::Max => new >= old,
                ArgReduce::Min => new <= old,
            };
            new != new || (better && old == old)
        };
        let (block, mut index) = (size * inner, None);
        let values = Array::build(x.shape(), |values: &mut [T]| {
            index = Some(Array::build(x.shape(), |index: &mut [i64]| {
                let part = chunk(block);
                for_each_pair(values, index, [part, part], COST, &|i, values, index| {
                    let data = &data[i * part..][..values.len()];
                    let blocks = values.chunks_exact_mut(block).zip(index.chunks_exact_mut(block));
                    for ((values, index), x) in blocks.zip(data.chunks_exact(block)) {
                        let mut state = [(x[0], 0); LANES];
                        chains(size, inner, false, |lane, at, row| {
                            if row == 0 || wins(x[at], state[lane].0) {
                                state[lane] = (x[at], row as i64);
                            }
                            (values[at], index[at]) = state[lane];
                        });
                    }
                });
            }));
        });
        (values, index.expect("it was built beside the values"))
    }
    match x.dtype() {
        DType::F32 => by::<f32>(op, x, axis),
        DType::F64 => by::<f64>(op, x, axis),
        DType::I64 => by::<i64>(op, x, axis),
        _ => by::<bool>(op, x, axis),
    }
}

/// `y[k] = b[k] + a[k] y[k - 1]`, or from the end; in f64.
pub(crate) fn recurrence(a: &Array, b: &Array, axis: usize, reverse: bool) -> Array {
    fn by<T: super::float::Float>(a: &Array, b: &Array, axis: usize, reverse: bool) -> Array {
        let [a, b] = [a, b].map(contiguous);
        let (factors, terms, (size, inner)) = (slice::<T>(&a), slice::<T>(&b), sizes(&a, axis));
        let block = size * inner;
        Array::build(a.shape(), |out: &mut [T]| {
            for_each_slice(out, chunk(block), COST, &|first, out| {
                for (i, out) in out.chunks_exact_mut(block).enumerate() {
                    let start = first + i * block;
                    let (a, b) = (&factors[start..][..block], &terms[start..][..block]);
                    let mut now = [0.0; LANES];
                    chains(size, inner, reverse, |lane, at, row| {
                        let first = row == if reverse { size - 1 } else { 0 };
                        // The factor of the first is not read: it may be infinite.
                        let before = if first { 0.0 } else { a[at].to_f64() * now[lane] };
                        now[lane] = b[at].to_f64() + before;
                        out[at] = T::from_f64(now[lane]);
                    });
                }
            });
        })
    }
    with_float!(a, by(a, b, axis, reverse))
}
