//! Reductions: sums in a fixed tree, so that they are accurate and do not depend on the thread count.

use super::Cpu;
use super::elementwise;
use super::float::Float;
use super::rows;
use super::simd::vectorized;
use super::threads::for_each_slice;
use super::walk::Walk;
use crate::array::Array;
use crate::backend::{ArgReduce, Backend, Reduce, Term};
use crate::dtype::{DType, Element};
use crate::layout::Layout;

/// Strided runs below this length are one chain; above they are cut in halves of whole such runs, as in [`rows`].
const LEAF: usize = 256;

/// How two partial results become one.
trait Fold<T>: Copy + Sync {
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
struct SumFold;
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

/// The fold of a contiguous run. Not inlined, as the functions below: each stands in several others.
#[inline(never)]
fn run<T: Element, F: Fold<T>>(x: &[T]) -> T {
    elementwise::vectorized::<T, T, _>(
        #[inline(always)]
        || {
            rows::tree(
                x,
                F::START,
                #[inline(always)]
                |a, b| F::fold(a, b),
            )
        },
    )
}

/// The fold of everything that one walk visits, row by row.
#[inline(never)]
fn strided<T: Element, F: Fold<T>>(data: &[T], walk: &Walk<1>, offset: usize, start: usize, end: usize) -> T {
    if end - start > LEAF {
        let half = start + ((end - start) / 2).next_multiple_of(LEAF);
        let a = strided::<T, F>(data, walk, offset, start, half);
        return F::fold(a, strided::<T, F>(data, walk, offset, half, end));
    }
    let [step] = walk.inner();
    let mut total = F::START;
    walk.rows(start, end, &mut |row| {
        let mut at = offset.wrapping_add(row.at[0]) as isize;
        for _ in 0..row.len {
            total = F::fold(total, data[at as usize]);
            at += step;
        }
    });
    total
}

/// Columns that are folded at a time, their totals in the nearest cache and each row's part read as a stream.
const WIDE: usize = 512;

/// Folds the columns of `rows x out.len()` elements, rows `stride` apart, into `out`.
#[inline(never)]
fn columns<T: Element, F: Fold<T>>(data: &[T], rows: usize, stride: usize, out: &mut [T]) {
    elementwise::vectorized::<T, T, _>(
        #[inline(always)]
        || {
            let (mut done, len) = (0, out.len());
            if len >= 32 {
                for out in out.chunks_mut(WIDE) {
                    block::<T, F, WIDE>(&data[done..], rows, stride, out);
                    done += out.len();
                }
            }
            // As many columns at a time as stay in registers.
            macro_rules! blocks {
                ($($width:literal)*) => {$(
                    while len - done >= $width {
                        block::<T, F, $width>(&data[done..], rows, stride, &mut out[done..done + $width]);
                        done += $width;
                    }
                )*};
            }
            blocks!(16 4 1);
        },
    );
}

/// The folds of `N` neighbouring columns, or of fewer if they are [`WIDE`]: a chain for each column and leaf of rows, the
/// leaves in a binary tree.
#[inline(always)]
fn block<T: Element, F: Fold<T>, const N: usize>(data: &[T], rows: usize, stride: usize, out: &mut [T]) {
    let width = if N == WIDE { out.len() } else { N };
    let mut open: Vec<T> = Vec::new();
    for (count, start) in (0..rows).step_by(LEAF).enumerate() {
        let mut totals = [F::START; N];
        for row in start..rows.min(start + LEAF) {
            for (total, &v) in totals[..width].iter_mut().zip(&data[row * stride..][..width]) {
                *total = F::fold(*total, v);
            }
        }
        if rows > LEAF {
            join::<T, F>(&mut open, &mut totals[..width], count);
        } else {
            out.copy_from_slice(&totals[..width]);
        }
    }
    if rows > LEAF {
        finish::<T, F>(&open, out);
    }
}

/// Takes in a leaf, as in a binary counter: each entry holds the fold of a power of two of leaves.
#[inline(never)]
fn join<T: Element, F: Fold<T>>(open: &mut Vec<T>, totals: &mut [T], count: usize) {
    for _ in 0..count.trailing_ones() {
        let before = open.len() - totals.len();
        totals.iter_mut().zip(&open[before..]).for_each(|(total, &before)| *total = F::fold(before, *total));
        open.truncate(before);
    }
    open.extend_from_slice(totals);
}

/// The fold of all entries, from the last.
#[inline(never)]
fn finish<T: Element, F: Fold<T>>(open: &[T], out: &mut [T]) {
    let mut entries = open.rchunks_exact(out.len());
    out.copy_from_slice(entries.next().expect("there is at least one leaf"));
    for before in entries {
        out.iter_mut().zip(before).for_each(|(total, &before)| *total = F::fold(before, *total));
    }
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

/// How the axes of a contiguous array lie when all reduced ones are neighbours: the sizes before, of and behind them.
fn blocks(x: &Array, axes: &[usize]) -> Option<[usize; 3]> {
    let (&first, &last) = (axes.first()?, axes.last()?);
    let neighbours = last + 1 - first == axes.len();
    let size = |sizes: &[usize]| sizes.iter().product::<usize>();
    let shape = x.shape();
    (neighbours && x.is_contiguous())
        .then(|| [size(&shape[..first]), size(&shape[first..=last]), size(&shape[last + 1..])])
}

/// Where the last neighbours among the axes begin, if there are axes before them: runs and columns are folded by
/// vectors, what lies scattered is not.
fn last_neighbours(axes: &[usize]) -> Option<usize> {
    (1..axes.len()).rev().find(|&i| axes[i - 1] + 1 != axes[i])
}

fn reduce_by<T: Element, F: Fold<T>>(x: &Array, axes: &[usize]) -> Array {
    let mut shape = x.shape().clone();
    axes.iter().for_each(|&a| shape.dims_mut()[a] = 1);
    if x.numel() == 0 {
        return Array::build(shape, |out: &mut [T]| out.fill(F::START));
    }
    if let Some(at) = last_neighbours(axes).filter(|_| x.is_contiguous()) {
        return reduce_by::<T, F>(&reduce_by::<T, F>(x, &axes[at..]), &axes[..at]);
    }
    Array::build(shape, |out: &mut [T]| match blocks(x, axes) {
        Some([1, count, 1]) if count <= PART => {
            out[0] = run::<T, F>(x.as_slice::<T>().expect("it is contiguous"));
        }
        Some([1, count, 1]) => {
            let walk = Walk::new([x.layout()]);
            out[0] = whole::<T, F>(x.host(), &walk, count, x.layout().offset());
        }
        Some([_, count, 1]) => {
            let data = x.as_slice::<T>().expect("it is contiguous");
            for_each_slice(out, (4096 / count).max(1), count, &|start, out| {
                for (o, row) in out.iter_mut().zip(data[start * count..].chunks_exact(count)) {
                    *o = run::<T, F>(row);
                }
            });
        }
        Some([outer, count, inner]) => {
            let data = x.as_slice::<T>().expect("it is contiguous");
            // Columns of one block, or whole blocks.
            let size = if outer == 1 { 512 } else { inner };
            for_each_slice(out, size, count, &|start, out| {
                let (block, column) = (start / inner, start % inner);
                columns::<T, F>(&data[block * count * inner + column..], count, inner, out);
            });
        }
        None => scattered::<T, F>(x, axes, out),
    })
}

/// Any layout: each result folds what a walk over the reduced axes finds.
fn scattered<T: Element, F: Fold<T>>(x: &Array, axes: &[usize], out: &mut [T]) {
    let data = x.host::<T>();
    let (reduced, kept) = split(x.layout(), axes);
    let (count, base) = (reduced.numel(), reduced.offset());
    let (inner, outer) = (Walk::new([&reduced]), Walk::new([&kept]));
    if out.len() == 1 {
        out[0] = whole::<T, F>(data, &inner, count, base);
        return;
    }
    // Each result is folded by one thread, in its own fixed tree.
    for_each_slice(out, (4096 / count).max(1), count, &|start, out| {
        outer.rows(start, start + out.len(), &mut |row| {
            let [step] = outer.inner();
            for (i, o) in out[row.start - start..][..row.len].iter_mut().enumerate() {
                let at = (row.at[0] as isize + i as isize * step) as usize;
                *o = if inner.inner() == [1] && inner.is_one_row() {
                    run::<T, F>(&data[at..at + count])
                } else {
                    strided::<T, F>(data, &inner, at.wrapping_sub(base), 0, count)
                };
            }
        });
    });
}

/// The elements of such a chunk.
const PART: usize = 1 << 15;

/// One result from everything: chunks of a fixed size by all threads, then a tree over the chunks.
#[inline(never)]
fn whole<T: Element, F: Fold<T>>(data: &[T], walk: &Walk<1>, count: usize, base: usize) -> T {
    let mut parts = vec![F::START; count.div_ceil(PART)];
    for_each_slice(&mut parts, 1, PART.min(count), &|i, part| {
        let (start, end) = (i * PART, count.min((i + 1) * PART));
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

/// One result for each row of `count` elements from what `f` makes of a part of it: long rows in chunks of a fixed size,
/// whose results meet in a tree.
fn by_rows<T: Element, U: Element>(
    x: &Array,
    axes: &[usize],
    count: usize,
    f: &(dyn Fn(usize, &[T]) -> U + Sync),
    join: fn(&[U]) -> U,
) -> Array {
    let mut shape = x.shape().clone();
    axes.iter().for_each(|&a| shape.dims_mut()[a] = 1);
    let data = x.as_slice::<T>().expect("it is contiguous");
    Array::build(shape, |out: &mut [U]| {
        if out.len() == 1 {
            let mut parts = vec![U::default(); count.div_ceil(PART)];
            for_each_slice(&mut parts, 1, PART.min(count), &|i, part| {
                part[0] = f(0, &data[i * PART..count.min((i + 1) * PART)]);
            });
            out[0] = join(&parts);
            return;
        }
        for_each_slice(out, (4096 / count).max(1), count, &|start, out| {
            for (i, (o, row)) in out.iter_mut().zip(data[start * count..].chunks_exact(count)).enumerate() {
                *o = match count <= PART {
                    true => f(start + i, row),
                    false => join(&row.chunks(PART).map(|part| f(start + i, part)).collect::<Vec<U>>()),
                };
            }
        });
    })
}

/// The sums of absolute values or squares of what differs from a centre.
pub(crate) fn term(term: Term, x: &Array, centre: Option<&Array>, axes: &[usize]) -> Array {
    fn by<T: Float>(term: Term, x: &Array, centre: Option<&Array>, axes: &[usize], count: usize) -> Array
    where
        SumFold: Fold<T>,
    {
        let centre = centre.map(super::contiguous);
        let centre = centre.as_ref().map(|centre| centre.as_slice::<T>().expect("it was made contiguous"));
        let part = |row: usize, x: &[T]| {
            let centre = centre.map_or(T::ZERO, |centre| centre[row]);
            vectorized(
                #[inline(always)]
                || match term {
                    Term::Abs => rows::sum_of_products(
                        x,
                        x,
                        #[inline(always)]
                        |v, _| ((v - centre).abs(), T::ONE),
                    ),
                    Term::Square => rows::sum_of_products(
                        x,
                        x,
                        #[inline(always)]
                        |v, w| (v - centre, w - centre),
                    ),
                },
            )
        };
        by_rows(x, axes, count, &part, run::<T, SumFold>)
    }
    match (blocks(x, axes), x.dtype()) {
        (Some([_, count, 1]), DType::F32) if count > 0 => by::<f32>(term, x, centre, axes, count),
        (Some([_, count, 1]), _) if count > 0 => by::<f64>(term, x, centre, axes, count),
        _ => {
            let x = centre.map_or_else(|| x.clone(), |centre| x.sub(centre));
            let terms = if term == Term::Abs { x.abs() } else { x.mul(&x) };
            Cpu.reduce(Reduce::Sum, &terms, axes)
        }
    }
}

/// The numbers of elements that are not zero.
pub(crate) fn count_nonzero(x: &Array, axes: &[usize]) -> Array {
    /// No count of a part overflows.
    fn part<T: Element>(_: usize, x: &[T]) -> i64 {
        let zero = T::default();
        let count = vectorized(
            #[inline(always)]
            || {
                x.iter()
                    .map(
                        #[inline(always)]
                        |&v| u32::from(v != zero),
                    )
                    .sum::<u32>()
            },
        );
        i64::from(count)
    }
    fn by<T: Element>(x: &Array, axes: &[usize], count: usize) -> Array {
        by_rows::<T, i64>(x, axes, count, &part::<T>, |parts| parts.iter().sum())
    }
    if x.dtype() != x.dtype().compute() {
        return count_nonzero(&Cpu.cast(x, DType::Bool), axes);
    }
    match (blocks(x, axes), x.dtype()) {
        (Some([_, count, 1]), DType::F32) if count > 0 => by::<f32>(x, axes, count),
        (Some([_, count, 1]), DType::F64) if count > 0 => by::<f64>(x, axes, count),
        (Some([_, count, 1]), DType::I64) if count > 0 => by::<i64>(x, axes, count),
        (Some([_, count, 1]), DType::Bool) if count > 0 => by::<bool>(x, axes, count),
        _ => Cpu.reduce(Reduce::Sum, &Cpu.cast(&Cpu.cast(x, DType::Bool), DType::I64), axes),
    }
}

/// The place of the first extreme value of a run, or of the first NaN.
#[allow(clippy::eq_op, reason = "only NaN differs from itself")]
fn first_of<T: Element, F: Fold<T>>(x: &[T]) -> usize {
    let best = if x.len() <= PART {
        run::<T, F>(x)
    } else {
        let mut parts = vec![F::START; x.len().div_ceil(PART)];
        for_each_slice(&mut parts, 1, PART, &|i, part| {
            part[0] = run::<T, F>(&x[i * PART..x.len().min((i + 1) * PART)]);
        });
        let best = run::<T, F>(&parts);
        let first = parts.iter().position(|&v| v == best || v != v).expect("it is one of them");
        return first * PART + first_of::<T, F>(&x[first * PART..x.len().min((first + 1) * PART)]);
    };
    x.iter().position(|&v| v == best || v != v).expect("it is one of them")
}

/// Rows from this length on are read twice in vector code, first for the value and then for its place.
const LONG: usize = 64;

pub(crate) fn arg_reduce(op: ArgReduce, x: &Array, axis: usize) -> Array {
    // NaN compares with nothing, itself included: it takes the place and keeps it.
    #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
    fn by<T: Element>(op: ArgReduce, x: &Array, axis: usize) -> Array
    where
        MaxFold: Fold<T>,
        MinFold: Fold<T>,
    {
        let first_of = match op {
            ArgReduce::Max => first_of::<T, MaxFold>,
            ArgReduce::Min => first_of::<T, MinFold>,
        };
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
                        if stride == 1 && size >= LONG {
                            *o = first_of(&data[first as usize..][..size]) as i64;
                            continue;
                        }
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
