//! Picking elements by index, and joining arrays. Placing them is in `place`.

use super::contiguous;
use super::threads::{for_each_chunk, for_each_slice};
use super::walk::Walk;
use super::{check_one_dtype, with_carrier};
use crate::array::Array;
use crate::backend::OutOfRange;
use crate::dtype::Element;
use crate::layout::Layout;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Elements of the result that one chunk of work makes.
const CHUNK: usize = 1 << 14;

/// The index that is out of range, where a kernel met one.
pub(super) fn culprit(index: &[i64], size: usize) -> OutOfRange {
    let bad = |&&i: &&i64| i as u64 >= size as u64;
    OutOfRange { index: *index.iter().find(bad).expect("one is bad"), size }
}

/// Whether all are in range.
pub(super) fn in_range(index: &[i64], size: usize) -> bool {
    let fine = AtomicBool::new(true);
    for_each_chunk(index.len().div_ceil(CHUNK), &|chunk| {
        let part = &index[chunk * CHUNK..index.len().min((chunk + 1) * CHUNK)];
        // Without branches.
        if part.iter().fold(false, |any, &i| any | (i as u64 >= size as u64)) {
            fine.store(false, Relaxed);
        }
    });
    fine.into_inner()
}

pub(crate) fn index_select(x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let index = index.as_slice::<i64>().expect("it was made contiguous");
    let size = x.shape()[axis];
    let mut shape = x.shape().to_vec();
    shape[axis] = index.len();
    let x = contiguous(x);
    let inner: usize = x.shape()[axis + 1..].iter().product();
    // The kernels check what they use: a pass of its own would read a long index twice.
    let empty = shape.contains(&0);
    let fine = AtomicBool::new(!empty || in_range(index, size));
    let out = with_carrier!(x.dtype(), T => {
        let data = x.dense::<T>();
        Array::build(shape, |out: &mut [T]| if !empty {
            for_each_slice(out, CHUNK, 1, &|first, out| {
                let all = match inner {
                    1 => pick_elements(data, size, index, first, out),
                    _ => pick_rows(data, size * inner, inner, index, first, out),
                };
                if !all {
                    fine.store(false, Relaxed);
                }
            });
        })
    });
    if fine.into_inner() { Ok(out.retype(x.dtype())) } else { Err(culprit(index, size)) }
}

/// Fills `out`, which begins at element `first` of the result, with single elements; whether all were in range.
fn pick_elements<T: Element>(
    data: &[T],
    size: usize,
    index: &[i64],
    first: usize,
    mut out: &mut [T],
) -> bool {
    let (mut block, mut start) = (first / index.len(), first % index.len());
    let mut fine = true;
    while !out.is_empty() {
        let (part, rest) = out.split_at_mut(out.len().min(index.len() - start));
        let data = &data[block * size..][..size];
        for (o, &i) in part.iter_mut().zip(&index[start..]) {
            match data.get(i as usize) {
                Some(&value) => *o = value,
                None => fine = false,
            }
        }
        (out, block, start) = (rest, block + 1, 0);
    }
    fine
}

/// As [`pick_elements`], with rows of `inner` elements, of which the first and the last may be cut by the chunk.
fn pick_rows<T: Element>(
    data: &[T],
    block: usize,
    inner: usize,
    index: &[i64],
    first: usize,
    mut out: &mut [T],
) -> bool {
    let (row, mut column) = (first / inner, first % inner);
    let (mut start, mut j) = (row / index.len() * block, row % index.len());
    let size = block / inner;
    let mut fine = true;
    while !out.is_empty() {
        let (part, rest) = out.split_at_mut(out.len().min(inner - column));
        match index[j] as usize {
            i if i < size => part.copy_from_slice(&data[start + i * inner + column..][..part.len()]),
            _ => fine = false,
        }
        (out, column, j) = (rest, 0, j + 1);
        if j == index.len() {
            (start, j) = (start + block, 0);
        }
    }
    fine
}

/// Where the places of `layout` lie when `axis` is taken from an index instead: the layout with that
/// axis standing still, cut to the index's shape.
pub(super) fn still(layout: &Layout, axis: usize, shape: &[usize]) -> Layout {
    let mut cut = layout.clone();
    for (d, &size) in shape.iter().enumerate() {
        cut = if d == axis { cut.slice("index", d, 0, 1, 1) } else { cut.slice("index", d, 0, size, 1) };
    }
    cut.expand("index", shape)
}

pub(crate) fn gather(x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
    let index = contiguous(index);
    let places = index.as_slice::<i64>().expect("it was made contiguous");
    let (size, stride) = (x.shape()[axis], x.layout().strides()[axis]);
    if size == 0 && !places.is_empty() {
        return Err(culprit(places, size));
    }
    let fine = AtomicBool::new(true);
    let out = with_carrier!(x.dtype(), T => Array::build(index.shape(), |out: &mut [T]| {
        if out.is_empty() {
            return;
        }
        let (data, walk) = (x.host::<T>(), Walk::new([&still(x.layout(), axis, index.shape())]));
        let [step] = walk.inner();
        for_each_slice(out, CHUNK, 2, &|first, out| {
            let mut all = true;
            walk.rows(first, first + out.len(), &mut |row| {
                let mut at = row.at[0] as isize;
                let out = &mut out[row.start - first..][..row.len];
                for (o, &place) in out.iter_mut().zip(&places[row.start..]) {
                    if (place as u64) < size as u64 {
                        *o = data[(at + place as isize * stride) as usize];
                    } else {
                        all = false;
                    }
                    at += step;
                }
            });
            if !all {
                fine.store(false, Relaxed);
            }
        });
    }));
    if fine.into_inner() { Ok(out.retype(x.dtype())) } else { Err(culprit(places, size)) }
}

pub(crate) fn ravel_index(indices: &[&Array], sizes: &[usize]) -> Result<Array, (usize, OutOfRange)> {
    if let ([index], [size]) = (indices, sizes)
        && let Some(places) = index.as_slice::<i64>()
        && in_range(places, *size)
    {
        return Ok((*index).clone());
    }
    let fine = AtomicBool::new(true);
    let out = Array::build(indices[0].shape(), |out: &mut [i64]| {
        if out.is_empty() {
            return;
        }
        let walks: Vec<Walk<1>> = indices.iter().map(|index| Walk::new([index.layout()])).collect();
        for_each_slice(out, CHUNK / 4, 2 * sizes.len(), &|first, out| {
            out.fill(0);
            let mut all = true;
            for ((walk, index), &size) in walks.iter().zip(indices).zip(sizes) {
                let (data, size, [step]) = (index.host::<i64>(), size as i64, walk.inner());
                walk.rows(first, first + out.len(), &mut |row| {
                    let mut at = row.at[0] as isize;
                    for o in &mut out[row.start - first..][..row.len] {
                        let place = data[at as usize];
                        let place = if place < 0 { place.wrapping_add(size) } else { place };
                        all &= (0..size).contains(&place);
                        *o = o.wrapping_mul(size).wrapping_add(place);
                        at += step;
                    }
                });
            }
            if !all {
                fine.store(false, Relaxed);
            }
        });
    });
    if fine.into_inner() { Ok(out) } else { Err(unravelled(indices, sizes)) }
}

/// The index that is out of range, and the number of the array that holds it.
fn unravelled(indices: &[&Array], sizes: &[usize]) -> (usize, OutOfRange) {
    let found = indices.iter().zip(sizes).enumerate().find_map(|(k, (index, &size))| {
        let bad = |i: &i64| *i < -(size as i64) || *i >= size as i64;
        let index = index.to_vec::<i64>().into_iter().find(bad)?;
        Some((k, OutOfRange { index, size }))
    });
    found.expect("one is bad")
}

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
    let dtype = parts[0].dtype();
    parts.iter().for_each(|part| check_one_dtype("cat", &parts[0], part));
    let out = with_carrier!(dtype, T => Array::build(shape.as_slice(), |out: &mut [T]| {
        let pieces: Vec<Piece<T>> = parts.iter().map(|part| Piece::new(part, outer)).collect();
        let row = out.len() / outer;
        if row <= CHUNK && pieces.iter().all(Piece::is_thin) {
            return for_each_slice(out, CHUNK / row.max(1) * row, 2, &|start, out| {
                interleave(out, &pieces, start / row, row);
            });
        }
        for_each_slice(out, CHUNK, 2, &|start, out| join(out, &pieces, start / row, start % row));
    }));
    out.retype(dtype)
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
        match part.is_contiguous() {
            true => Piece { len, data: part.dense::<T>(), walk: None },
            false => Piece { len, data: part.host::<T>(), walk: Some(Walk::new([part.layout()])) },
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
