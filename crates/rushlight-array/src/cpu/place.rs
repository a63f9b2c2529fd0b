//! Placing elements by index. An element that is named more than once takes its values in row-major order of the
//! index, whatever the number of threads: the result is cut among them, never what goes into one place.

use super::contiguous;
use super::index::{culprit, in_range, still};
use super::threads::{PARALLEL_THRESHOLD, for_each_slice};
use super::walk::Walk;
use super::{check_one_dtype, with_carrier};
use crate::array::Array;
use crate::backend::{OutOfRange, Scatter};
use crate::dtype::{DType, Element};
use std::ops::{Add, Mul};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Elements of the source that one chunk of work places.
const CHUNK: usize = 1 << 14;

/// Parts of a result that is one block, for several threads. Each part reads the whole index.
const PARTS: usize = 4;

/// Slices of so many elements outweigh reading the index [`PARTS`] times.
const LONG: usize = 8;

/// Elements of a result that no cache holds: there, reading the index twice costs less than the places in it.
const LARGE: usize = 1 << 20;

/// Calls a kernel with the function that joins the old value of a place and a new one.
macro_rules! with_scatter {
    ($op:expr, $dtype:expr, $kernel:ident($($arg:expr),*)) => {
        match ($op, $dtype) {
            (Scatter::Set, dtype) => with_carrier!(dtype, T => $kernel::<T>($($arg,)* |_, new| new)),
            (op, DType::F32) => with_scatter!(op, f32, $kernel($($arg),*), sum, product),
            (op, DType::F64) => with_scatter!(op, f64, $kernel($($arg),*), sum, product),
            (op, DType::I64) => {
                with_scatter!(op, i64, $kernel($($arg),*), i64::wrapping_add, i64::wrapping_mul)
            }
            (Scatter::Add | Scatter::Max, _) => $kernel::<bool>($($arg,)* |old, new| old | new),
            (Scatter::Mul | Scatter::Min, _) => $kernel::<bool>($($arg,)* |old, new| old & new),
        }
    };
    ($op:expr, $t:ty, $kernel:ident($($arg:expr),*), $add:expr, $mul:expr) => {
        match $op {
            Scatter::Set => unreachable!("it has an arm of its own"),
            Scatter::Add => $kernel::<$t>($($arg,)* $add),
            Scatter::Mul => $kernel::<$t>($($arg,)* $mul),
            Scatter::Max => $kernel::<$t>($($arg,)* larger),
            Scatter::Min => $kernel::<$t>($($arg,)* smaller),
        }
    };
}

fn sum<T: Add<Output = T>>(old: T, new: T) -> T {
    old + new
}

fn product<T: Mul<Output = T>>(old: T, new: T) -> T {
    old * new
}

/// The larger; NaN wins.
#[allow(clippy::eq_op, reason = "only NaN differs from itself")]
fn larger<T: Element>(old: T, new: T) -> T {
    if new > old || new != new { new } else { old }
}

/// The smaller; NaN wins.
#[allow(clippy::eq_op, reason = "only NaN differs from itself")]
fn smaller<T: Element>(old: T, new: T) -> T {
    if new < old || new != new { new } else { old }
}

pub(crate) fn scatter(
    op: Scatter,
    x: &Array,
    axis: usize,
    index: &Array,
    source: &Array,
) -> Result<Array, OutOfRange> {
    check_one_dtype("scatter", x, source);
    with_scatter!(op, x.dtype(), place_each(x, axis, index, source))
}

fn place_each<T: Element>(
    x: &Array,
    axis: usize,
    index: &Array,
    source: &Array,
    f: impl Fn(T, T) -> T + Sync + Copy,
) -> Result<Array, OutOfRange> {
    place_each_by(x, axis, index, source, &|line, out| place_line(line, out, f))
}

/// Elements of the source that lie evenly spaced, and the part of the index that belongs to them.
struct Line<'a, T> {
    places: &'a [i64],
    values: &'a [T],
    /// Where the first place 0 lies in the result, and the first value in the source.
    at: isize,
    from: isize,
    /// From element to element of both.
    steps: [isize; 2],
    /// From place to place in the result, and the number of places.
    stride: usize,
    size: usize,
}

/// Places a line in `out`; whether all was in range.
#[inline(never)]
fn place_line<T: Element>(line: &Line<'_, T>, out: &mut [T], f: impl Fn(T, T) -> T) -> bool {
    let (mut at, mut from, mut all) = (line.at, line.from, true);
    for &place in line.places {
        if (place as u64) < line.size as u64 {
            let o = &mut out[at as usize + place as usize * line.stride];
            *o = f(*o, line.values[from as usize]);
        } else {
            all = false;
        }
        (at, from) = (at + line.steps[0], from + line.steps[1]);
    }
    all
}

/// The loop over a line stands behind a pointer: what is around it is compiled once for each dtype.
fn place_each_by<T: Element>(
    x: &Array,
    axis: usize,
    index: &Array,
    source: &Array,
    place_line: &(dyn Fn(&Line<'_, T>, &mut [T]) -> bool + Sync),
) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let places = index.as_slice::<i64>().expect("it was made contiguous");
    let mut out = super::copy(x).retype(T::DTYPE);
    let size = x.shape()[axis];
    let fine = AtomicBool::new(size > 0 || places.is_empty());
    if out.numel() > 0 && !places.is_empty() {
        let layout = out.layout().clone();
        let (values, stride) = (source.host::<T>(), layout.strides()[axis] as usize);
        let walk = Walk::new([&still(&layout, axis, index.shape()), source.layout()]);
        let steps = walk.inner();
        // Blocks of the result that the axis does not leave, and the part of the index that belongs to each.
        let whole = index.shape()[..axis] == x.shape()[..axis];
        let blocks = if whole { x.shape()[..axis].iter().product() } else { 1 };
        let (block, each) = (out.numel() / blocks, places.len() / blocks);
        let together = (CHUNK / each.max(1)).max(1);
        let cost = places.len().div_ceil(out.numel());
        for_each_slice(out.make_mut::<T>(), block * together, cost, &|first, out| {
            let (start, end) = (first / block * each, (first + out.len()) / block * each);
            let mut all = true;
            walk.rows(start, end, &mut |row| {
                let places = &places[row.start..row.start + row.len];
                let (at, from) = ((row.at[0] - first) as isize, row.at[1] as isize);
                all &= place_line(&Line { places, values, at, from, steps, stride, size }, out);
            });
            if !all {
                fine.store(false, Relaxed);
            }
        });
    }
    if fine.into_inner() { Ok(out.retype(x.dtype())) } else { Err(culprit(places, size)) }
}

pub(crate) fn index_scatter(
    op: Scatter,
    x: Array,
    axis: usize,
    index: &Array,
    source: &Array,
) -> Result<Array, OutOfRange> {
    check_one_dtype("index_scatter", &x, source);
    with_scatter!(op, x.dtype(), place_rows(x, axis, index, source))
}

/// The rows that are placed: those of an array, or one that stands for all.
struct Rows<'a, T> {
    values: &'a [T],
    /// From row to row.
    step: usize,
    /// The number of rows in each block.
    count: usize,
}

impl<'a, T> Rows<'a, T> {
    fn row(&self, block: usize, j: usize, inner: usize) -> &'a [T] {
        &self.values[(block * self.count + j) * self.step..][..inner]
    }
}

fn place_rows<T: Element>(
    x: Array,
    axis: usize,
    index: &Array,
    source: &Array,
    f: impl Fn(T, T) -> T + Sync + Copy,
) -> Result<Array, OutOfRange> {
    let elements: Placer<'_, T> =
        &|rows, size, index, at, out| place_elements(rows, size.0, index, at, out, f);
    let slices: Placer<'_, T> = &|rows, size, index, at, out| place_slices(rows, size, index, at, out, f);
    place_rows_by(x, axis, index, source, [elements, slices])
}

/// Places rows in a part of the result; see [`place_elements`]. A pointer: what stands around the loops is compiled once
/// for each dtype.
type Placer<'a, T> =
    &'a (dyn Fn(&Rows<'_, T>, (usize, usize), &[i64], (usize, usize), &mut [T]) -> bool + Sync);

fn place_rows_by<T: Element>(
    x: Array,
    axis: usize,
    index: &Array,
    source: &Array,
    [place_elements, place_slices]: [Placer<'_, T>; 2],
) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let index = index.as_slice::<i64>().expect("it was made contiguous");
    let shape = x.shape().clone();
    let (size, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let blocks: usize = shape[..axis].iter().product();
    let dtype = x.dtype();
    if inner == 0 || blocks == 0 || size == 0 || index.is_empty() {
        let fine = in_range(index, size);
        return if fine { Ok(x) } else { Err(culprit(index, size)) };
    }
    let mut out = x.retype(T::DTYPE);
    // One value for all, as a fill has it, is not written out more than once.
    let layout = source.layout();
    let same = layout.shape().iter().zip(layout.strides()).all(|(&size, &stride)| size == 1 || stride == 0);
    let (dense, repeated);
    let rows = if same {
        repeated = vec![source.host::<T>()[layout.offset()]; inner];
        Rows { values: &repeated, step: 0, count: index.len() }
    } else {
        dense = contiguous(source);
        Rows { values: dense.dense::<T>(), step: inner, count: index.len() }
    };
    let fine = AtomicBool::new(true);
    let place = |block: usize, low: usize, out: &mut [T]| {
        let all = match inner {
            1 => place_elements(&rows, (size, inner), index, (block, low), out),
            _ => place_slices(&rows, (size, inner), index, (block, low), out),
        };
        if !all {
            fine.store(false, Relaxed);
        }
    };
    let (work, data) = (index.len() * inner, out.make_mut::<T>());
    if blocks >= PARTS || work * blocks < PARALLEL_THRESHOLD {
        let together = (CHUNK / work).max(1);
        let cost = (work / (size * inner)).max(1);
        for_each_slice(data, size * inner * together, cost, &|first, out| {
            for (i, out) in out.chunks_exact_mut(size * inner).enumerate() {
                place(first / (size * inner) + i, 0, out);
            }
        });
    } else {
        let parts = match inner {
            LONG.. => PARTS,
            _ if size * inner >= LARGE => 2,
            _ => 1,
        };
        let part = size.div_ceil(parts) * inner;
        for (block, out) in data.chunks_exact_mut(size * inner).enumerate() {
            let cost = PARALLEL_THRESHOLD.div_ceil(out.len());
            for_each_slice(out, part, cost, &|first, out| place(block, first / inner, out));
        }
    }
    if fine.into_inner() { Ok(out.retype(dtype)) } else { Err(culprit(index, size)) }
}

/// Places single elements in `out`, which begins at place `low` of a block; whether all were in range.
#[inline(never)]
fn place_elements<T: Element>(
    rows: &Rows<'_, T>,
    size: usize,
    index: &[i64],
    (block, low): (usize, usize),
    out: &mut [T],
    f: impl Fn(T, T) -> T,
) -> bool {
    let mut fine = true;
    // What belongs to another part goes here: random places make a branch cost more than a write.
    let mut elsewhere = T::default();
    let mut put = |i: i64, value: T| {
        fine &= (i as u64) < size as u64;
        let o = out.get_mut((i as usize).wrapping_sub(low)).unwrap_or(&mut elsewhere);
        *o = f(*o, value);
    };
    if rows.step == 0 {
        index.iter().for_each(|&i| put(i, rows.values[0]));
    } else {
        let values = &rows.values[block * rows.count..][..rows.count];
        index.iter().zip(values).for_each(|(&i, &value)| put(i, value));
    }
    fine
}

/// As [`place_elements`], with rows of several elements.
#[inline(never)]
fn place_slices<T: Element>(
    rows: &Rows<'_, T>,
    (size, inner): (usize, usize),
    index: &[i64],
    (block, low): (usize, usize),
    out: &mut [T],
    f: impl Fn(T, T) -> T,
) -> bool {
    let (mut fine, high) = (true, low + out.len() / inner);
    for (j, &i) in index.iter().enumerate() {
        let i = i as usize;
        if (low..high).contains(&i) {
            let out = &mut out[(i - low) * inner..][..inner];
            for (o, &value) in out.iter_mut().zip(rows.row(block, j, inner)) {
                *o = f(*o, value);
            }
        }
        fine &= i < size;
    }
    fine
}
