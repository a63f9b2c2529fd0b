//! Elementwise kernels of one operand: one generic loop, and copies.

use super::simd;
use super::threads::for_each_slice;
use super::walk::{Tile, Walk};
use crate::array::Array;
use crate::dtype::Element;
use crate::shape::Shape;

/// Elements per chunk: 8 to 64 KB of output, a part of a processor's own cache, and enough chunks to share out
/// where the work is worth a hand-off at all.
pub(super) const CHUNK: usize = 1 << 13;

/// A kernel for the rows of a tile: the output, which lies without gaps, and the operands' storages.
type Kernel<'a, A, B, O, const N: usize> = &'a (dyn Fn(&mut [O], &[A], &[B], Tile<N>) + Sync);

/// [`simd::vectorized`] for kernels that read or write floats. Those of integers and bools are bound by memory, and to
/// compile them once for each instruction set would be a good part of the build.
#[inline(always)]
pub(super) fn vectorized<A: Element, O: Element>(kernel: impl FnOnce()) {
    if const { A::DTYPE.is_float() || O::DTYPE.is_float() } { simd::vectorized(kernel) } else { kernel() }
}

/// `f` of every element. `cost` is in scalar operations per element.
///
/// The closure becomes vector code if it, and all that it calls, is marked `#[inline(always)]`; [`map!`] does so.
#[inline(always)]
pub(crate) fn map<A: Element, O: Element>(x: &Array, cost: usize, f: impl Fn(A) -> O + Sync + Copy) -> Array {
    for_each_tile(x.shape(), [x], x.host::<A>(), &[] as &[bool], cost, &|out: &mut [O], x: &[A], _, tile| {
        vectorized::<A, O>(
            #[inline(always)]
            move || {
                // A copy on this side of the call: its numbers stay in registers, whatever is written meanwhile.
                let f = f;
                for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
                    let at = tile.at[0] as isize + i as isize * tile.outer[0];
                    match tile.inner {
                        [1] => {
                            for (o, &a) in out.iter_mut().zip(&x[at as usize..][..tile.len]) {
                                *o = f(a);
                            }
                        }
                        [0] => out.fill(f(x[at as usize])),
                        [step] => {
                            for (i, o) in out.iter_mut().enumerate() {
                                *o = f(x[(at + i as isize * step) as usize]);
                            }
                        }
                    }
                }
            },
        );
    })
}

/// What all elementwise operations share: a new block, chunks for the threads, tiles of evenly spaced rows. Only the
/// kernels are compiled once for each function.
fn for_each_tile<A: Element, B: Element, O: Element, const N: usize>(
    shape: &Shape,
    operands: [&Array; N],
    x: &[A],
    y: &[B],
    cost: usize,
    kernel: Kernel<'_, A, B, O, N>,
) -> Array {
    Array::build(shape, |out: &mut [O]| {
        if operands.iter().all(|operand| operand.is_contiguous()) {
            let (at, ones) = (operands.map(|operand| operand.layout().offset()), [1; N]);
            for_each_slice(out, CHUNK, cost, &|start, out| {
                let tile =
                    Tile { rows: 1, len: out.len(), at: at.map(|at| at + start), outer: ones, inner: ones };
                kernel(out, x, y, tile);
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
                kernel(&mut out[done..done + count], x, y, tile);
                done += count;
            });
        });
    })
}

/// [`map`] with a closure that is inlined into the loop, which vector code needs.
macro_rules! map {
    ($x:expr, $cost:expr, |$v:tt: $t:ty| $body:expr) => {
        map(
            $x,
            $cost,
            #[inline(always)]
            move |$v: $t| $body,
        )
    };
}
// The function and the macro: other files take both under one name.
pub(super) use map as map_elements;

/// The array in row-major order, in a block of its own.
pub(crate) fn copy<T: Element>(x: &Array) -> Array {
    map!(x, 1, |v: T| v)
}
