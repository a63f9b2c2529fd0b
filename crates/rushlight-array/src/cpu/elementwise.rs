//! Elementwise kernels of one operand: one generic loop, and copies.

use super::runs::{for_each_tile, runs1};
use super::simd;
use crate::array::Array;
use crate::dtype::Element;

/// Elements per chunk: 8 to 64 KB of output, a part of a processor's own cache, and enough chunks to share out
/// where the work is worth a hand-off at all.
pub(super) const CHUNK: usize = 1 << 13;

/// [`simd::vectorized`] for kernels that read or write floats. Those of integers and bools are bound by memory, and to
/// compile them once for each instruction set would be a good part of the build.
#[inline(always)]
pub(super) fn vectorized<A: Element, O: Element, R>(kernel: impl FnOnce() -> R) -> R {
    if const { A::DTYPE.is_float() || O::DTYPE.is_float() } { simd::vectorized(kernel) } else { kernel() }
}

/// For which instruction sets a loop is compiled.
pub(super) trait Level: Copy + Sync {
    fn run<A: Element, O: Element, R>(kernel: impl FnOnce() -> R) -> R;
}

/// As [`vectorized`].
#[derive(Clone, Copy)]
pub(super) struct Usual;

/// As [`Usual`], but of f64 once: for what is rarely computed there, or consists of calls.
#[derive(Clone, Copy)]
pub(super) struct Rare;

/// As [`Rare`], and for f32 for the widest registers, too: what is bound by arithmetic and often computed.
#[derive(Clone, Copy)]
pub(super) struct Wide;

/// Twice for elements of less than 8 bytes: what picks or counts them.
#[derive(Clone, Copy)]
pub(super) struct Narrow;

impl Level for Narrow {
    #[inline(always)]
    fn run<A: Element, O: Element, R>(kernel: impl FnOnce() -> R) -> R {
        if const { size_of::<A>() < 8 } { simd::vectorized(kernel) } else { kernel() }
    }
}

impl Level for Usual {
    #[inline(always)]
    fn run<A: Element, O: Element, R>(kernel: impl FnOnce() -> R) -> R {
        vectorized::<A, O, R>(kernel)
    }
}

impl Level for Rare {
    #[inline(always)]
    fn run<A: Element, O: Element, R>(kernel: impl FnOnce() -> R) -> R {
        simd::vectorized_f32::<A, R>(kernel)
    }
}

impl Level for Wide {
    #[inline(always)]
    fn run<A: Element, O: Element, R>(kernel: impl FnOnce() -> R) -> R {
        simd::vectorized_wide::<A, R>(kernel)
    }
}

/// `f` of every element. `cost` is in scalar operations per element.
///
/// The closure becomes vector code if it, and all that it calls, is marked `#[inline(always)]`; [`map!`] does so.
#[inline(always)]
pub(crate) fn map<L: Level, A: Element, O: Element>(
    x: &Array,
    cost: usize,
    f: impl Fn(A) -> O + Sync + Copy,
) -> Array {
    runs1(x, cost, &|out: &mut [O], x: &[A]| {
        L::run::<A, O, _>(
            #[inline(always)]
            move || {
                // A copy on this side of the call: its numbers stay in registers, whatever is written meanwhile.
                let f = f;
                for (o, &v) in out.iter_mut().zip(x) {
                    *o = f(v);
                }
            },
        );
    })
}

/// [`map`] with a closure that is inlined into the loop, which vector code needs; `map!(x, cost, Wide |v: T| ..)` for
/// another level than the usual one.
macro_rules! map {
    ($x:expr, $cost:expr, |$v:tt: $t:ty| $body:expr) => {
        $crate::cpu::elementwise::map_elements!($x, $cost, Usual |$v: $t| $body)
    };
    ($x:expr, $cost:expr, $level:ident |$v:tt: $t:ty| $body:expr) => {
        $crate::cpu::elementwise::map_elements::<$crate::cpu::elementwise::$level, _, _>(
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
    let data = x.host::<T>();
    for_each_tile([x], 1, &|out: &mut [T], tile| {
        for (i, out) in out.chunks_exact_mut(tile.len).enumerate() {
            let at = tile.at[0] as isize + i as isize * tile.outer[0];
            match tile.inner {
                [1] => out.copy_from_slice(&data[at as usize..][..tile.len]),
                [0] => out.fill(data[at as usize]),
                [step] => {
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = data[(at + i as isize * step) as usize];
                    }
                }
            }
        }
    })
}
