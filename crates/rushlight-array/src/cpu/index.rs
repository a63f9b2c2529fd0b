//! Picking and placing elements by index, and joining arrays.

use super::contiguous;
use super::threads::for_each_slice;
use super::walk::Walk;
use super::with_dtype;
use crate::array::Array;
use crate::backend::{OutOfRange, Scatter};
use crate::dtype::{DType, Element};
use crate::layout::Layout;
use std::ops::Add;

fn check(index: &[i64], size: usize) -> Result<(), OutOfRange> {
    // One pass without branches decides; a second finds the culprit.
    let bad = |&i: &i64| i as u64 >= size as u64;
    match index.iter().fold(false, |any, i| any | bad(i)) {
        true => Err(OutOfRange { index: *index.iter().find(|i| bad(i)).expect("one is bad"), size }),
        false => Ok(()),
    }
}

pub(crate) fn index_select(x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let index = index.as_slice::<i64>().expect("it was made contiguous");
    check(index, x.shape()[axis])?;
    let x = contiguous(x);
    let inner: usize = x.shape()[axis + 1..].iter().product();
    let size = x.shape()[axis] * inner;
    let mut shape = x.shape().to_vec();
    shape[axis] = index.len();
    Ok(with_dtype!(x.dtype(), T => {
        let data = x.as_slice::<T>().expect("it was made contiguous");
        Array::build(shape, |out: &mut [T]| {
            if out.is_empty() {
                return;
            }
            // Rows come one by one from all over `data`: each is a plain copy.
            for (block, out) in out.chunks_exact_mut(index.len() * inner).enumerate() {
                for (row, &i) in out.chunks_exact_mut(inner).zip(index) {
                    row.copy_from_slice(&data[block * size + i as usize * inner..][..inner]);
                }
            }
        })
    }))
}

/// Where the places of `layout` lie when `axis` is taken from an index instead: the layout with that
/// axis standing still, cut to the index's shape.
fn still(layout: &Layout, axis: usize, shape: &[usize]) -> Layout {
    let mut cut = layout.clone();
    for (d, &size) in shape.iter().enumerate() {
        cut = if d == axis { cut.slice("index", d, 0, 1, 1) } else { cut.slice("index", d, 0, size, 1) };
    }
    cut.expand("index", shape)
}

pub(crate) fn gather(x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let places = index.as_slice::<i64>().expect("it was made contiguous");
    check(places, x.shape()[axis])?;
    let stride = x.layout().strides()[axis];
    Ok(with_dtype!(x.dtype(), T => Array::build(index.shape(), |out: &mut [T]| {
        if out.is_empty() {
            return;
        }
        let (data, walk) = (x.host::<T>(), Walk::new([&still(x.layout(), axis, index.shape())]));
        let [step] = walk.inner();
        walk.rows(0, out.len(), &mut |row| {
            let mut at = row.at[0] as isize;
            for i in row.start..row.start + row.len {
                out[i] = data[(at + places[i] as isize * stride) as usize];
                at += step;
            }
        });
    })))
}

fn place<T: Element>(
    x: &Array,
    axis: usize,
    index: &Array,
    source: &Array,
    f: impl Fn(T, T) -> T,
) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let places = index.as_slice::<i64>().expect("it was made contiguous");
    check(places, x.shape()[axis])?;
    let mut out = super::copy(x);
    if index.numel() > 0 {
        let layout = out.layout().clone();
        let (values, stride) = (source.host::<T>(), layout.strides()[axis]);
        let walk = Walk::new([&still(&layout, axis, index.shape()), source.layout()]);
        let [p, q] = walk.inner();
        let out = out.make_mut::<T>();
        // One thread, in row-major order: repeated places give the same sum every time.
        walk.rows(0, places.len(), &mut |row| {
            let [mut at, mut from] = row.at.map(|at| at as isize);
            for &place in &places[row.start..row.start + row.len] {
                let o = &mut out[(at + place as isize * stride) as usize];
                *o = f(*o, values[from as usize]);
                (at, from) = (at + p, from + q);
            }
        });
    }
    Ok(out)
}

pub(crate) fn scatter(
    op: Scatter,
    x: &Array,
    axis: usize,
    index: &Array,
    source: &Array,
) -> Result<Array, OutOfRange> {
    fn add<T: Element + Add<Output = T>>(
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        place::<T>(x, axis, index, source, |old, new| old + new)
    }
    match (op, x.dtype()) {
        (Scatter::Set, dtype) => with_dtype!(dtype, T => place::<T>(x, axis, index, source, |_, new| new)),
        (Scatter::Add, DType::F32) => add::<f32>(x, axis, index, source),
        (Scatter::Add, DType::F64) => add::<f64>(x, axis, index, source),
        (Scatter::Add, DType::I64) => place::<i64>(x, axis, index, source, i64::wrapping_add),
        (Scatter::Add, _) => place::<bool>(x, axis, index, source, |old, new| old | new),
    }
}

/// Elements of a joined array in a chunk.
const CHUNK: usize = 1 << 15;

/// A row of this many elements is too short to be worth a walk of its own.
const SHORT: usize = 32;

pub(crate) fn cat(parts: &[&Array], axis: usize) -> Array {
    let mut shape = parts[0].shape().to_vec();
    shape[axis] = parts.iter().map(|p| p.shape()[axis]).sum();
    let outer = shape[..axis].iter().product::<usize>().max(1);
    // Columns are turned into rows by a kernel of their own, faster than they could be joined.
    let in_rows = |part: &Array| part.numel() / outer >= SHORT && Walk::new([part.layout()]).inner() == [1];
    let parts: Vec<Array> =
        parts.iter().map(|part| if in_rows(part) { (*part).clone() } else { contiguous(part) }).collect();
    with_dtype!(parts[0].dtype(), T => Array::build(shape.as_slice(), |out: &mut [T]| {
        let pieces: Vec<Piece<T>> = parts.iter().map(|part| Piece::new(part, outer)).collect();
        let row = out.len() / outer;
        if row <= CHUNK && pieces.iter().all(Piece::is_thin) {
            return for_each_slice(out, CHUNK / row.max(1) * row, 2, &|start, out| {
                interleave(out, &pieces, start / row, row);
            });
        }
        for_each_slice(out, CHUNK, 2, &|start, out| join(out, &pieces, start / row, start % row));
    }))
}

/// One of the arrays that are joined.
struct Piece<'a, T> {
    /// How many elements it gives to each row of the result.
    len: usize,
    /// Its elements if they lie in row-major order, else its storage and the way through it, by rows without gaps.
    data: &'a [T],
    walk: Option<Walk<1>>,
}

impl<'a, T: Element> Piece<'a, T> {
    fn new(part: &'a Array, outer: usize) -> Self {
        let len = part.numel() / outer;
        match part.as_slice::<T>() {
            Some(data) => Piece { len, data, walk: None },
            None => Piece { len, data: part.host::<T>(), walk: Some(Walk::new([part.layout()])) },
        }
    }

    /// Whether it gives so few elements to a row that each is better written by itself.
    fn is_thin(&self) -> bool {
        self.len <= 8 && self.walk.is_none()
    }

    /// Copies elements from the one of this row-major number on.
    fn read(&self, first: usize, out: &mut [T]) {
        let Some(walk) = &self.walk else {
            return out.copy_from_slice(&self.data[first..first + out.len()]);
        };
        walk.rows(first, first + out.len(), &mut |row| {
            out[row.start - first..][..row.len].copy_from_slice(&self.data[row.at[0]..][..row.len]);
        });
    }
}

/// Fills a chunk of joined rows that begins at an element of a row.
fn join<T: Element>(out: &mut [T], pieces: &[Piece<'_, T>], mut row: usize, mut column: usize) {
    let mut k = 0;
    while column >= pieces[k].len {
        column -= pieces[k].len;
        k += 1;
    }
    let mut rest = out;
    while !rest.is_empty() {
        let piece = &pieces[k];
        let (part, behind) = rest.split_at_mut((piece.len - column).min(rest.len()));
        if !part.is_empty() {
            piece.read(row * piece.len + column, part);
        }
        (rest, column, k) = (behind, 0, k + 1);
        if k == pieces.len() {
            (k, row) = (0, row + 1);
        }
    }
}

/// Fills whole rows, column by column, from a row on.
fn interleave<T: Element>(out: &mut [T], pieces: &[Piece<'_, T>], first: usize, row: usize) {
    if let [a, b] = pieces
        && (a.len, b.len) == (1, 1)
    {
        // Two columns: real and imaginary parts, x and y.
        let pairs = a.data[first..].iter().zip(&b.data[first..]);
        out.chunks_exact_mut(2).zip(pairs).for_each(|(out, (&a, &b))| out.copy_from_slice(&[a, b]));
        return;
    }
    let rows = out.len() / row;
    let mut column = 0;
    for piece in pieces.iter().filter(|piece| piece.len > 0) {
        let data = &piece.data[first * piece.len..(first + rows) * piece.len];
        for j in 0..piece.len {
            let values = data[j..].iter().step_by(piece.len);
            out[column..].iter_mut().step_by(row).zip(values).for_each(|(o, &v)| *o = v);
            column += 1;
        }
    }
}
