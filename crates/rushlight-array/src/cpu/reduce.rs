//! Reductions: sums in a fixed tree, so that they are accurate and do not depend on the thread count.

use super::Cpu;
use super::elementwise::{Level, Narrow, Rare, Usual};
use super::float::Float;
use super::rows;
use super::simd::vectorized;
use super::table::{Named, table};
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
    /// Whether partial results may meet in any tree: all but sums and products of floats give the same bits.
    const IN_ANY_TREE: bool;
    type Level: Level;
    fn fold(a: T, b: T) -> T;
}

macro_rules! folds {
    ($t:ty, sum $zero:expr, $add:expr, prod $one:expr, $mul:expr, max $low:expr, $max:expr, min $high:expr, $min:expr) => {
        folds!(@ $t, SumFold, Usual, false, $zero, $add);
        folds!(@ $t, ProdFold, Rare, false, $one, $mul);
        folds!(@ $t, MaxFold, Rare, true, $low, $max);
        folds!(@ $t, MinFold, Rare, true, $high, $min);
    };
    (@ $t:ty, $name:ident, $level:ty, $extreme:expr, $start:expr, $fold:expr) => {
        impl Fold<$t> for $name {
            const START: $t = $start;
            const IN_ANY_TREE: bool = $extreme || !<$t>::DTYPE.is_float();
            type Level = $level;
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
    F::Level::run::<T, T, _>(
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

/// Columns whose totals stay in registers.
const FEW: usize = 16;

/// Folds the columns of `rows x out.len()` elements, rows `stride` apart, into `out`.
#[inline(never)]
fn columns<T: Element, F: Fold<T>>(data: &[T], rows: usize, stride: usize, out: &mut [T]) {
    F::Level::run::<T, T, _>(
        #[inline(always)]
        || {
            if F::IN_ANY_TREE {
                return in_rows::<T, F>(data, rows, stride, out);
            }
            let (mut done, len) = (0, out.len());
            while done < len {
                let (data, out) = (&data[done..], &mut out[done..]);
                let width = WIDE.min(out.len());
                done += if len >= 2 * FEW {
                    block::<T, F, WIDE>(data, rows, stride, &mut out[..width])
                } else if width >= FEW {
                    block::<T, F, FEW>(data, rows, stride, &mut out[..FEW])
                } else {
                    block::<T, F, { FEW - 1 }>(data, rows, stride, &mut out[..width])
                };
            }
        },
    );
}

/// The folds of columns, row by row, with the totals in their places.
#[inline(always)]
fn in_rows<T: Element, F: Fold<T>>(data: &[T], rows: usize, stride: usize, out: &mut [T]) {
    for start in (0..out.len()).step_by(WIDE) {
        let width = WIDE.min(out.len() - start);
        let out = &mut out[start..start + width];
        out.fill(F::START);
        for row in 0..rows {
            let row = &data[row * stride + start..][..width];
            out.iter_mut().zip(row).for_each(
                #[inline(always)]
                |(total, &v)| *total = F::fold(*total, v),
            );
        }
    }
}

/// The folds of `N` neighbouring columns, or of fewer if `N` is not [`FEW`]: a chain for each column and leaf of rows, the
/// leaves in a binary tree. Returns their number.
#[inline(always)]
fn block<T: Element, F: Fold<T>, const N: usize>(
    data: &[T],
    rows: usize,
    stride: usize,
    out: &mut [T],
) -> usize {
    let width = if N == FEW { N } else { out.len() };
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
    width
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

/// The loops of a way to fold, for what is compiled once for each type.
#[derive(Clone, Copy)]
struct Loops<T> {
    start: T,
    run: fn(&[T]) -> T,
    columns: fn(&[T], usize, usize, &mut [T]),
    strided: fn(&[T], &Walk<1>, usize, usize, usize) -> T,
}

fn reduce_by<T: Element, F: Fold<T>>(x: &Array, axes: &[usize]) -> Array {
    let loops =
        Loops { start: F::START, run: run::<T, F>, columns: columns::<T, F>, strided: strided::<T, F> };
    reduce_with(x, axes, loops)
}

#[inline(never)]
fn reduce_with<T: Element>(x: &Array, axes: &[usize], loops: Loops<T>) -> Array {
    let mut shape = x.shape().clone();
    axes.iter().for_each(|&a| shape.dims_mut()[a] = 1);
    if x.numel() == 0 {
        return Array::build(shape, |out: &mut [T]| out.fill(loops.start));
    }
    if let Some(at) = last_neighbours(axes).filter(|_| x.is_contiguous()) {
        return reduce_with(&reduce_with(x, &axes[at..], loops), &axes[..at], loops);
    }
    Array::build(shape, |out: &mut [T]| match blocks(x, axes) {
        Some([1, count, 1]) if count <= PART => {
            out[0] = (loops.run)(x.as_slice::<T>().expect("it is contiguous"));
        }
        Some([1, count, 1]) => {
            let walk = Walk::new([x.layout()]);
            out[0] = whole(x.host(), &walk, count, x.layout().offset(), loops);
        }
        Some([_, count, 1]) => {
            let data = x.as_slice::<T>().expect("it is contiguous");
            for_each_slice(out, (4096 / count).max(1), count, &|start, out| {
                for (o, row) in out.iter_mut().zip(data[start * count..].chunks_exact(count)) {
                    *o = (loops.run)(row);
                }
            });
        }
        Some([outer, count, inner]) => {
            let data = x.as_slice::<T>().expect("it is contiguous");
            // Columns of one block, or whole blocks.
            let size = if outer == 1 { 512 } else { inner };
            for_each_slice(out, size, count, &|start, out| {
                let (block, column) = (start / inner, start % inner);
                (loops.columns)(&data[block * count * inner + column..], count, inner, out);
            });
        }
        None => scattered(x, axes, out, loops),
    })
}

/// Any layout: each result folds what a walk over the reduced axes finds.
fn scattered<T: Element>(x: &Array, axes: &[usize], out: &mut [T], loops: Loops<T>) {
    let data = x.host::<T>();
    let (reduced, kept) = split(x.layout(), axes);
    let (count, base) = (reduced.numel(), reduced.offset());
    let (inner, outer) = (Walk::new([&reduced]), Walk::new([&kept]));
    if out.len() == 1 {
        out[0] = whole(data, &inner, count, base, loops);
        return;
    }
    // Each result is folded by one thread, in its own fixed tree.
    for_each_slice(out, (4096 / count).max(1), count, &|start, out| {
        outer.rows(start, start + out.len(), &mut |row| {
            let [step] = outer.inner();
            for (i, o) in out[row.start - start..][..row.len].iter_mut().enumerate() {
                let at = (row.at[0] as isize + i as isize * step) as usize;
                *o = if inner.inner() == [1] && inner.is_one_row() {
                    (loops.run)(&data[at..at + count])
                } else {
                    (loops.strided)(data, &inner, at.wrapping_sub(base), 0, count)
                };
            }
        });
    });
}

/// The elements of such a chunk.
const PART: usize = 1 << 15;

/// One result from everything: chunks of a fixed size by all threads, then a tree over the chunks.
#[inline(never)]
fn whole<T: Element>(data: &[T], walk: &Walk<1>, count: usize, base: usize, loops: Loops<T>) -> T {
    let mut parts = vec![loops.start; count.div_ceil(PART)];
    for_each_slice(&mut parts, 1, PART.min(count), &|i, part| {
        let (start, end) = (i * PART, count.min((i + 1) * PART));
        part[0] = match walk.inner() {
            [1] if walk.is_one_row() => (loops.run)(&data[base + start..base + end]),
            _ => (loops.strided)(data, walk, 0, start, end),
        };
    });
    (loops.run)(&parts)
}

/// `f` of the dtype's type and a way to fold.
macro_rules! fold_by {
    ($x:expr, $f:ident::<$fold:ident>($($argument:expr),*)) => {
        match $x.dtype() {
            DType::F32 => $f::<f32, $fold>($($argument),*),
            DType::F64 => $f::<f64, $fold>($($argument),*),
            DType::I64 => $f::<i64, $fold>($($argument),*),
            _ => $f::<bool, $fold>($($argument),*),
        }
    };
}

pub(crate) type ReduceKernel = fn(Reduce, &Array, &[usize]) -> Array;

/// A reduction and its kernel.
pub(crate) type NamedReduce = Named<Reduce, ReduceKernel>;

table! {
    Reduce, ReduceKernel; Reduce, []; (x: &Array, axes: &[usize])

    sum() = [Reduce::Sum] { all => fold_by!(x, reduce_by::<SumFold>(x, axes)) }
    prod() = [Reduce::Prod] { all => fold_by!(x, reduce_by::<ProdFold>(x, axes)) }
    max() = [Reduce::Max] { all => fold_by!(x, reduce_by::<MaxFold>(x, axes)) }
    min() = [Reduce::Min] { all => fold_by!(x, reduce_by::<MinFold>(x, axes)) }
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
            (sum().on_cpu)(Reduce::Sum, &terms, axes)
        }
    }
}

/// The numbers of elements that are not zero.
pub(crate) fn count_nonzero(x: &Array, axes: &[usize]) -> Array {
    /// No count of a part overflows.
    fn part<T: Element>(_: usize, x: &[T]) -> i64 {
        let zero = T::default();
        let count = Narrow::run::<T, T, _>(
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
        _ => (sum().on_cpu)(Reduce::Sum, &Cpu.cast(&Cpu.cast(x, DType::Bool), DType::I64), axes),
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

/// The places of extreme values.
pub(crate) mod places {
    use super::*;

    pub(crate) type ArgKernel = fn(ArgReduce, &Array, usize) -> Array;

    /// Such a reduction and its kernel.
    pub(crate) type NamedArg = Named<ArgReduce, ArgKernel>;

    table! {
        ArgReduce, ArgKernel; ArgReduce, []; (x: &Array, axis: usize)

        max() = [ArgReduce::Max] { all => fold_by!(x, places_by::<MaxFold>(x, axis)) }
        min() = [ArgReduce::Min] { all => fold_by!(x, places_by::<MinFold>(x, axis)) }
    }
}

// NaN compares with nothing, itself included: it takes the place and keeps it.
#[inline(never)]
#[allow(clippy::eq_op, reason = "only NaN differs from itself")]
fn places_by<T: Element, F: Fold<T>>(x: &Array, axis: usize) -> Array {
    // What a fold keeps of two different numbers is the better one.
    let better = |new: T, old: T| (new != old && F::fold(old, new) == new) || (new != new && old == old);
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
                        *o = first_of::<T, F>(&data[first as usize..][..size]) as i64;
                        continue;
                    }
                    let best = (1..size).fold(0, |best, j| if better(at(j), at(best)) { j } else { best });
                    *o = best as i64;
                }
            });
        });
    })
}
