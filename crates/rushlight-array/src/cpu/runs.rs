//! Elementwise loops over two and three arrays: every kernel is one loop over slices that lie side by side.
//!
//! Where an operand does not lie so, its elements are gathered, a few hundred at a time, into a buffer that stays in the
//! nearest cache. So one loop for each kernel is compiled instead of one for each way to lie, strided operands get
//! vector code, too, and only this file knows strides.

use super::elementwise::CHUNK;
use super::threads::for_each_slice;
use super::walk::{Tile, Walk};
use crate::array::Array;
use crate::dtype::Element;

/// Elements that are gathered at a time.
const RUN: usize = 512;

/// Rows from this length on are worth a call of the kernel of their own.
const LONG: usize = 64;

/// A kernel: the output and as many elements of each operand.
type Kernel2<'a, A, B, O> = &'a (dyn Fn(&mut [O], &[A], &[B]) + Sync);
type Kernel3<'a, A, B, C, O> = &'a (dyn Fn(&mut [O], &[A], &[B], &[C]) + Sync);

/// Calls the kernel for runs of two arrays of one shape. `cost` is in scalar operations per element.
pub(super) fn runs<A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    kernel: Kernel2<'_, A, B, O>,
) -> Array {
    let (x, y) = (a.host::<A>(), b.host::<B>());
    for_each_tile([a, b], cost, &|out: &mut [O], tile| {
        if is_dense(&tile) {
            for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                kernel(out, row(x, &tile, 0, i), row(y, &tile, 1, i));
            }
            return;
        }
        let (mut x, mut y) = (Feed::new(x, &tile, 0), Feed::new(y, &tile, 1));
        for_each_block(&tile, out, &mut |out, block| kernel(out, x.take(block), y.take(block)));
    })
}

/// As [`runs`], of three arrays.
pub(super) fn runs3<A: Element, B: Element, C: Element, O: Element>(
    operands: [&Array; 3],
    cost: usize,
    kernel: Kernel3<'_, A, B, C, O>,
) -> Array {
    let [a, b, c] = operands;
    let (x, y, z) = (a.host::<A>(), b.host::<B>(), c.host::<C>());
    for_each_tile(operands, cost, &|out: &mut [O], tile| {
        if is_dense(&tile) {
            for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                kernel(out, row(x, &tile, 0, i), row(y, &tile, 1, i), row(z, &tile, 2, i));
            }
            return;
        }
        let (mut x, mut y, mut z) = (Feed::new(x, &tile, 0), Feed::new(y, &tile, 1), Feed::new(z, &tile, 2));
        for_each_block(&tile, out, &mut |out, block| {
            kernel(out, x.take(block), y.take(block), z.take(block))
        });
    })
}

/// A new block, chunks for the threads, tiles of evenly spaced rows.
fn for_each_tile<O: Element, const N: usize>(
    operands: [&Array; N],
    cost: usize,
    work: &(dyn Fn(&mut [O], Tile<N>) + Sync),
) -> Array {
    Array::build(operands[0].shape(), |out: &mut [O]| {
        if operands.iter().all(|operand| operand.is_contiguous()) {
            let (at, ones) = (operands.map(|operand| operand.layout().offset()), [1; N]);
            for_each_slice(out, CHUNK, cost, &|start, out| {
                let at = at.map(|at| at + start);
                work(out, Tile { rows: 1, len: out.len(), at, outer: ones, inner: ones });
            });
            return;
        }
        let walk = Walk::new(operands.map(Array::layout));
        // Whole rows, so that none is cut in two.
        let row = walk.row_len();
        let chunk = if row < CHUNK { CHUNK / row * row } else { CHUNK };
        for_each_slice(out, chunk, cost, &|start, out| {
            let mut done = 0;
            walk.tiles(start, start + out.len(), &mut |tile| {
                let count = tile.rows * tile.len;
                work(&mut out[done..done + count], tile);
                done += count;
            });
        });
    })
}

/// Whether the kernel can read the operands where they lie.
fn is_dense<const N: usize>(tile: &Tile<N>) -> bool {
    tile.inner == [1; N] && (tile.rows == 1 || tile.len >= LONG)
}

/// A row of operand `k` that lies without gaps.
fn row<'a, T, const N: usize>(data: &'a [T], tile: &Tile<N>, k: usize, i: usize) -> &'a [T] {
    let start = (tile.at[k] as isize + i as isize * tile.outer[k]) as usize;
    &data[start..start + tile.len]
}

/// A part of a tile: whole rows, or a part of one.
#[derive(Clone, Copy)]
struct Block {
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

/// Cuts a tile and its output into blocks of at most [`RUN`] elements.
fn for_each_block<O, const N: usize>(
    tile: &Tile<N>,
    mut out: &mut [O],
    visit: &mut dyn FnMut(&mut [O], Block),
) {
    let (most_rows, most_columns) = ((RUN / tile.len).max(1), tile.len.min(RUN));
    for row in (0..tile.rows).step_by(most_rows) {
        let rows = most_rows.min(tile.rows - row);
        for column in (0..tile.len).step_by(most_columns) {
            let columns = most_columns.min(tile.len - column);
            let (now, later) = std::mem::take(&mut out).split_at_mut(rows * columns);
            visit(now, Block { row, column, rows, columns });
            out = later;
        }
    }
}

/// An operand of a tile, block by block.
struct Feed<'a, T> {
    data: &'a [T],
    at: isize,
    outer: isize,
    inner: isize,
    /// Whether all of the tile is one element, which then stands in the buffer.
    is_one: bool,
    buffer: [T; RUN],
}

impl<'a, T: Element> Feed<'a, T> {
    fn new<const N: usize>(data: &'a [T], tile: &Tile<N>, k: usize) -> Self {
        let (outer, inner) = (tile.outer[k], tile.inner[k]);
        let is_one = inner == 0 && (tile.rows == 1 || outer == 0);
        let value = if is_one { data[tile.at[k]] } else { T::default() };
        Feed { data, at: tile.at[k] as isize, outer, inner, is_one, buffer: [value; RUN] }
    }

    /// The elements of a block.
    fn take(&mut self, block: Block) -> &[T] {
        let count = block.rows * block.columns;
        if self.is_one {
            return &self.buffer[..count];
        }
        let start =
            |i: usize| self.at + (block.row + i) as isize * self.outer + block.column as isize * self.inner;
        if self.inner == 1 && block.rows == 1 {
            return &self.data[start(0) as usize..][..count];
        }
        if self.inner == 0 && block.rows == 1 && block.column > 0 {
            // One element for all of the row, whose first block is never shorter than the others.
            return &self.buffer[..count];
        }
        for (i, out) in self.buffer[..count].chunks_exact_mut(block.columns).enumerate() {
            let mut at = start(i);
            match self.inner {
                1 => out.copy_from_slice(&self.data[at as usize..][..block.columns]),
                0 => out.fill(self.data[at as usize]),
                step => {
                    for o in out {
                        *o = self.data[at as usize];
                        at += step;
                    }
                }
            }
        }
        &self.buffer[..count]
    }
}
