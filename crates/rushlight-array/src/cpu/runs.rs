//! Elementwise loops over one, two and three arrays: every kernel is one loop over slices that lie side by side.
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

/// A kernel: the output and as many elements of each operand. Not `dyn Fn`, whose vtable holds `call_mut` and `call_once`
/// beside `call`: the loop would be compiled into each of them.
macro_rules! kernel {
    ($Kernel:ident: $($operand:ident)*) => {
        pub(super) trait $Kernel<O, $($operand),*>: Sync {
            fn run(&self, out: &mut [O], $(_: &[$operand]),*);
        }

        impl<O, $($operand,)* F: Fn(&mut [O], $(&[$operand]),*) + Sync> $Kernel<O, $($operand),*> for F {
            #[allow(non_snake_case, reason = "named as their types")]
            fn run(&self, out: &mut [O], $($operand: &[$operand]),*) {
                self(out, $($operand),*);
            }
        }
    };
}
kernel!(Kernel1: A);
kernel!(Kernel2: A B);
kernel!(Kernel3: A B C);

/// Calls the kernel for runs of an array. `cost` is in scalar operations per element.
#[inline(never)]
pub(super) fn runs1<A: Element, O: Element>(x: &Array, cost: usize, kernel: &dyn Kernel1<O, A>) -> Array {
    let data = x.host::<A>();
    for_each_tile([x], cost, &|out: &mut [O], tile| {
        if tile.inner == [0] && tile.len >= LONG {
            // One element for all of the row.
            for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                let at = (tile.at[0] as isize + i as isize * tile.outer[0]) as usize;
                kernel.run(&mut out[..1], &data[at..=at]);
                out.fill(out[0]);
            }
            return;
        }
        pieces1(data, &tile, &mut |start, x| kernel.run(&mut out[start..start + x.len()], x));
    })
}

/// As [`runs1`], of two arrays of one shape.
#[inline(never)]
pub(super) fn runs<A: Element, B: Element, O: Element>(
    a: &Array,
    b: &Array,
    cost: usize,
    kernel: &dyn Kernel2<O, A, B>,
) -> Array {
    let (x, y) = (a.host::<A>(), b.host::<B>());
    for_each_tile([a, b], cost, &|out: &mut [O], tile| {
        pieces2(x, y, &tile, &mut |start, x, y| kernel.run(&mut out[start..start + x.len()], x, y));
    })
}

/// As [`runs`], of three arrays.
#[inline(never)]
pub(super) fn runs3<A: Element, B: Element, C: Element, O: Element>(
    operands: [&Array; 3],
    cost: usize,
    kernel: &dyn Kernel3<O, A, B, C>,
) -> Array {
    let [a, b, c] = operands;
    let (x, y, z) = (a.host::<A>(), b.host::<B>(), c.host::<C>());
    for_each_tile(operands, cost, &|out: &mut [O], tile| {
        pieces3(x, y, z, &tile, &mut |start, x, y, z| kernel.run(&mut out[start..start + x.len()], x, y, z));
    })
}

/// Calls `visit` for the runs of a tile, with the number of their first element: compiled once for a type, whatever the
/// kernels make of it.
#[inline(never)]
fn pieces1<A: Element>(x: &[A], tile: &Tile<1>, visit: &mut dyn FnMut(usize, &[A])) {
    if is_dense(tile) {
        (0..tile.rows).for_each(|i| visit(i * tile.len, row(x, tile, 0, i)));
        return;
    }
    let mut x = Feed::new(x, tile, 0);
    for_each_block(tile, &mut |block| visit(block.start, x.take(block)));
}

type Visit2<'a, A, B> = dyn FnMut(usize, &[A], &[B]) + 'a;
type Visit3<'a, A, B, C> = dyn FnMut(usize, &[A], &[B], &[C]) + 'a;

/// As [`pieces1`], of two operands.
#[inline(never)]
fn pieces2<A: Element, B: Element>(x: &[A], y: &[B], tile: &Tile<2>, visit: &mut Visit2<'_, A, B>) {
    if is_dense(tile) {
        (0..tile.rows).for_each(|i| visit(i * tile.len, row(x, tile, 0, i), row(y, tile, 1, i)));
        return;
    }
    let (mut x, mut y) = (Feed::new(x, tile, 0), Feed::new(y, tile, 1));
    for_each_block(tile, &mut |block| visit(block.start, x.take(block), y.take(block)));
}

/// As [`pieces1`], of three operands.
#[inline(never)]
fn pieces3<A: Element, B: Element, C: Element>(
    x: &[A],
    y: &[B],
    z: &[C],
    tile: &Tile<3>,
    visit: &mut Visit3<'_, A, B, C>,
) {
    if is_dense(tile) {
        (0..tile.rows)
            .for_each(|i| visit(i * tile.len, row(x, tile, 0, i), row(y, tile, 1, i), row(z, tile, 2, i)));
        return;
    }
    let (mut x, mut y, mut z) = (Feed::new(x, tile, 0), Feed::new(y, tile, 1), Feed::new(z, tile, 2));
    for_each_block(tile, &mut |block| visit(block.start, x.take(block), y.take(block), z.take(block)));
}

/// What is done with a tile, as a trait object for the same reason as kernels.
trait Work<O, const N: usize>: Sync {
    fn on(&self, out: &mut [O], tile: Tile<N>);
}

impl<O, const N: usize, F: Fn(&mut [O], Tile<N>) + Sync> Work<O, N> for F {
    fn on(&self, out: &mut [O], tile: Tile<N>) {
        self(out, tile);
    }
}

/// A new block, chunks for the threads, tiles of evenly spaced rows.
pub(super) fn for_each_tile<O: Element, const N: usize>(
    operands: [&Array; N],
    cost: usize,
    work: &(impl Fn(&mut [O], Tile<N>) + Sync),
) -> Array {
    in_tiles(operands, cost, work)
}

#[inline(never)]
fn in_tiles<O: Element, const N: usize>(operands: [&Array; N], cost: usize, work: &dyn Work<O, N>) -> Array {
    Array::build(operands[0].shape(), |out: &mut [O]| {
        if operands.iter().all(|operand| operand.is_contiguous()) {
            let (at, ones) = (operands.map(|operand| operand.layout().offset()), [1; N]);
            for_each_slice(out, CHUNK, cost, &|start, out| {
                let at = at.map(|at| at + start);
                work.on(out, Tile { rows: 1, len: out.len(), at, outer: ones, inner: ones });
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
                work.on(&mut out[done..done + count], tile);
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
    /// The number of its first element in the tile.
    start: usize,
}

/// Cuts a tile into blocks of at most [`RUN`] elements.
#[inline(always)]
fn for_each_block<const N: usize>(tile: &Tile<N>, visit: &mut impl FnMut(Block)) {
    let (most_rows, most_columns) = ((RUN / tile.len).max(1), tile.len.min(RUN));
    let mut start = 0;
    for row in (0..tile.rows).step_by(most_rows) {
        let rows = most_rows.min(tile.rows - row);
        for column in (0..tile.len).step_by(most_columns) {
            let columns = most_columns.min(tile.len - column);
            visit(Block { row, column, rows, columns, start });
            start += rows * columns;
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
    #[inline(never)]
    fn new<const N: usize>(data: &'a [T], tile: &Tile<N>, k: usize) -> Self {
        let (outer, inner) = (tile.outer[k], tile.inner[k]);
        let is_one = inner == 0 && (tile.rows == 1 || outer == 0);
        let value = if is_one { data[tile.at[k]] } else { T::default() };
        Feed { data, at: tile.at[k] as isize, outer, inner, is_one, buffer: [value; RUN] }
    }

    /// The elements of a block.
    #[inline(never)]
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
