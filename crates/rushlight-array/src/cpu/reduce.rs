//! Reductions: sums in a fixed tree, so that they are accurate and do not depend on the thread count.

use super::threads::for_each_slice;
use super::walk::Walk;
use crate::array::Array;
use crate::backend::{ArgReduce, Reduce};
use crate::dtype::{DType, Element};
use crate::layout::Layout;

/// Below this length a sum is a plain loop over eight lanes; above, it is cut in halves (pairwise
/// summation: Higham, "The accuracy of floating point summation", 1993). In a run
/// without gaps each lane so adds 32 numbers at most. The bits of all sums hang on it.
const LEAF: usize = 256;

/// The sum of a contiguous row of floats, in the same tree as any other.
pub(super) fn sum<T: Element>(row: &[T]) -> T
where
    SumFold: Fold<T>,
{
    run::<T, SumFold>(row)
}

/// How two partial results become one.
pub(super) trait Fold<T>: Copy + Sync {
    const START: T;
    fn fold(a: T, b: T) -> T;
}

macro_rules! folds {
    ($t:ty, sum $zero:expr, $add:expr, prod $one:expr, $mul:expr, max $low:expr, $max:expr, min $high:expr, $min:expr) => {
        folds!(@ $t, SumFold, $zero, $add);
        folds!(@ $t, ProdFold, $one, $mul);
        folds!(@ $t, MaxFold, $low, $max);
        folds!(@ $t, MinFold, $high, $min);
    };
    (@ $t:ty, $name:ident, $start:expr, $fold:expr) => {
        impl Fold<$t> for $name {
            const START: $t = $start;
            #[inline(always)]
            fn fold(a: $t, b: $t) -> $t {
                let fold: fn($t, $t) -> $t = $fold;
                fold(a, b)
            }
        }
    };
}
#[derive(Clone, Copy)]
pub(super) struct SumFold;
#[derive(Clone, Copy)]
struct ProdFold;
#[derive(Clone, Copy)]
struct MaxFold;
#[derive(Clone, Copy)]
struct MinFold;
folds!(f32, sum 0.0, |a, b| a + b, prod 1.0, |a, b| a * b,
    max f32::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b },
    min f32::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b });
folds!(f64, sum 0.0, |a, b| a + b, prod 1.0, |a, b| a * b,
    max f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b },
    min f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b });
folds!(i64, sum 0, i64::wrapping_add, prod 1, i64::wrapping_mul, max i64::MIN, |a, b| a.max(b), min i64::MAX, |a, b| a.min(b));
folds!(bool, sum false, |a, b| a | b, prod true, |a, b| a & b, max false, |a, b| a | b, min true, |a, b| a & b);

/// The fold of a contiguous run.
fn run<T: Element, F: Fold<T>>(x: &[T]) -> T {
    if x.len() > LEAF {
        // Halves of a whole number of leaves: the same tree for the same length, always.
        let half = (x.len() / 2).next_multiple_of(LEAF);
        let (a, b) = x.split_at(half);
        return F::fold(run::<T, F>(a), run::<T, F>(b));
    }
    let mut lanes = [F::START; 8];
    let chunks = x.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = F::fold(*lane, v);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let total = F::fold(F::fold(F::fold(a, b), F::fold(c, d)), F::fold(F::fold(e, f), F::fold(g, h)));
    rest.iter().fold(total, |t, &v| F::fold(t, v))
}

/// The fold of everything that one walk visits, row by row.
fn strided<T: Element, F: Fold<T>>(data: &[T], walk: &Walk<1>, offset: usize, start: usize, end: usize) -> T {
    if end - start > LEAF {
        let half = start + ((end - start) / 2).next_multiple_of(LEAF);
        let a = strided::<T, F>(data, walk, offset, start, half);
        return F::fold(a, strided::<T, F>(data, walk, offset, half, end));
    }
    let [step] = walk.inner();
    let mut total = F::START;
    walk.rows(start, end, &mut |row| {
        let mut at = (offset + row.at[0]) as isize;
        for _ in 0..row.len {
            total = F::fold(total, data[at as usize]);
            at += step;
        }
    });
    total
}

/// Folds rows of `out.len()` neighbours into `out`: the outer walk gives the rows' places.
fn columns<T: Element, F: Fold<T>>(
    data: &[T],
    walk: &Walk<1>,
    at: usize,
    rows: (usize, usize),
    out: &mut [T],
) {
    let (start, end) = rows;
    if end - start > LEAF {
        let half = start + ((end - start) / 2).next_multiple_of(LEAF);
        columns::<T, F>(data, walk, at, (start, half), out);
        let mut second = vec![F::START; out.len()];
        columns::<T, F>(data, walk, at, (half, end), &mut second);
        for (o, s) in out.iter_mut().zip(second) {
            *o = F::fold(*o, s);
        }
        return;
    }
    out.fill(F::START);
    let [step] = walk.inner();
    walk.rows(start, end, &mut |row| {
        for i in 0..row.len {
            let place = (row.at[0] as isize + i as isize * step) as usize + at;
            for (o, &v) in out.iter_mut().zip(&data[place..]) {
                *o = F::fold(*o, v);
            }
        }
    });
}

/// Splits a layout in the reduced and the kept dimensions; both have the offset.
fn split(layout: &Layout, axes: &[usize]) -> (Layout, Layout) {
    let (mut kept, mut reduced) = (layout.clone(), layout.clone());
    for a in (0..layout.shape().len()).rev() {
        if axes.contains(&a) {
            kept = kept.slice("reduce", a, 0, 1.min(kept.shape()[a]), 1);
        } else {
            reduced = reduced.slice("reduce", a, 0, 1.min(reduced.shape()[a]), 1);
        }
    }
    (reduced, kept)
}

fn reduce_by<T: Element, F: Fold<T>>(x: &Array, axes: &[usize]) -> Array {
    let mut shape = x.shape().to_vec();
    axes.iter().for_each(|&a| shape[a] = 1);
    if x.numel() == 0 {
        return Array::build(shape, |out: &mut [T]| out.fill(F::START));
    }
    let data = x.host::<T>();
    let (reduced, kept) = split(x.layout(), axes);
    let (count, base) = (reduced.numel(), reduced.offset());
    let (inner, outer) = (Walk::new([&reduced]), Walk::new([&kept]));
    let along_columns = outer.inner() == [1] && inner.inner() != [1] && kept.numel() > 1;
    Array::build(shape, |out: &mut [T]| {
        if out.len() == 1 {
            out[0] = whole::<T, F>(data, &inner, count, base);
            return;
        }
        // Each result is folded by one thread, in its own fixed tree.
        let size = if along_columns { 512 } else { (LEAF * 16 / count).max(1) };
        for_each_slice(out, size, count, &|start, out| {
            outer.rows(start, start + out.len(), &mut |row| {
                let out = &mut out[row.start - start..][..row.len];
                if along_columns {
                    columns::<T, F>(data, &inner, row.at[0] - base, (0, count), out);
                    return;
                }
                let [step] = outer.inner();
                for (i, o) in out.iter_mut().enumerate() {
                    let at = (row.at[0] as isize + i as isize * step) as usize;
                    *o = if inner.inner() == [1] && inner.is_one_row() {
                        run::<T, F>(&data[at..at + count])
                    } else {
                        strided::<T, F>(data, &inner, at - base, 0, count)
                    };
                }
            });
        });
    })
}

/// One result from everything: chunks of a fixed size by all threads, then a tree over the chunks.
fn whole<T: Element, F: Fold<T>>(data: &[T], walk: &Walk<1>, count: usize, base: usize) -> T {
    const CHUNK: usize = 1 << 15;
    let mut parts = vec![F::START; count.div_ceil(CHUNK)];
    for_each_slice(&mut parts, 1, CHUNK.min(count), &|i, part| {
        let (start, end) = (i * CHUNK, count.min((i + 1) * CHUNK));
        part[0] = match walk.inner() {
            [1] if walk.is_one_row() => run::<T, F>(&data[base + start..base + end]),
            _ => strided::<T, F>(data, walk, 0, start, end),
        };
    });
    run::<T, F>(&parts)
}

pub(crate) fn reduce(op: Reduce, x: &Array, axes: &[usize]) -> Array {
    fn by<T: Element>(op: Reduce, x: &Array, axes: &[usize]) -> Array
    where
        SumFold: Fold<T>,
        ProdFold: Fold<T>,
        MaxFold: Fold<T>,
        MinFold: Fold<T>,
    {
        match op {
            Reduce::Sum => reduce_by::<T, SumFold>(x, axes),
            Reduce::Prod => reduce_by::<T, ProdFold>(x, axes),
            Reduce::Max => reduce_by::<T, MaxFold>(x, axes),
            Reduce::Min => reduce_by::<T, MinFold>(x, axes),
        }
    }
    match x.dtype() {
        DType::F32 => by::<f32>(op, x, axes),
        DType::F64 => by::<f64>(op, x, axes),
        DType::I64 => by::<i64>(op, x, axes),
        _ => by::<bool>(op, x, axes),
    }
}

pub(crate) fn arg_reduce(op: ArgReduce, x: &Array, axis: usize) -> Array {
    // NaN compares with nothing, itself included: it takes the place and keeps it.
    #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
    fn by<T: Element>(op: ArgReduce, x: &Array, axis: usize) -> Array {
        let better = |new: T, old: T| {
            let wins = match op {
                ArgReduce::Max => new > old,
                ArgReduce::Min => new < old,
            };
            wins || (new != new && old == old)
        };
        let mut shape = x.shape().to_vec();
        let (size, stride) = (shape[axis], x.layout().strides()[axis]);
        shape[axis] = 1;
        let (_, kept) = split(x.layout(), &[axis]);
        let (data, outer) = (x.host::<T>(), Walk::new([&kept]));
        let [step] = outer.inner();
        Array::build(shape, |out: &mut [i64]| {
            for_each_slice(out, (4096 / size).max(1), size, &|start, out| {
                outer.rows(start, start + out.len(), &mut |row| {
                    for (i, o) in out[row.start - start..][..row.len].iter_mut().enumerate() {
                        let first = row.at[0] as isize + i as isize * step;
                        let at = |j: usize| data[(first + j as isize * stride) as usize];
                        let best =
                            (1..size).fold(0, |best, j| if better(at(j), at(best)) { j } else { best });
                        *o = best as i64;
                    }
                });
            });
        })
    }
    match x.dtype() {
        DType::F32 => by::<f32>(op, x, axis),
        DType::F64 => by::<f64>(op, x, axis),
        DType::I64 => by::<i64>(op, x, axis),
        _ => by::<bool>(op, x, axis),
    }
}
