//! What kernels over rows share: sums and largest values of a run of floats, in vector code if the caller is.

use super::float::Float;

/// Sums of so many neighbours are added in [`LANES`] chains; above, leaves of this length meet in a binary tree
/// (pairwise summation: Higham, "The accuracy of floating point summation", 1993). Each chain so adds 32
/// numbers at most. The bits of all sums hang on both.
pub(super) const LEAF: usize = 2048;

/// The chains of a leaf: four full vectors of f32 at the widest level, which hides the latency of an addition.
pub(super) const LANES: usize = 64;

/// Lanes on cache lines: a register that lies across two lines is read and written twice.
#[repr(align(64))]
struct Aligned<T>([T; LANES]);

/// Folds a run with one chain for each lane, then the lanes in halves.
#[inline(always)]
pub(super) fn lanes<T: Copy>(x: &[T], start: T, fold: impl Fn(T, T) -> T) -> T {
    let mut total = start;
    let mut rest = x;
    if x.len() >= LANES {
        let mut aligned = Aligned([start; LANES]);
        let lanes = &mut aligned.0;
        let chunks = x.chunks_exact(LANES);
        rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &v) in lanes.iter_mut().zip(chunk) {
                *lane = fold(*lane, v);
            }
        }
        let mut width = LANES / 2;
        while width > 0 {
            let (low, high) = lanes.split_at_mut(width);
            for (a, &b) in low.iter_mut().zip(&*high) {
                *a = fold(*a, b);
            }
            width /= 2;
        }
        total = lanes[0];
    }
    if rest.len() >= 8 {
        let mut lanes = [start; 8];
        let chunks = rest.chunks_exact(8);
        rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &v) in lanes.iter_mut().zip(chunk) {
                *lane = fold(*lane, v);
            }
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        total = fold(total, fold(fold(fold(a, b), fold(c, d)), fold(fold(e, f), fold(g, h))));
    }
    for &v in rest {
        total = fold(total, v);
    }
    total
}

/// Folds a run of any length: its leaves by [`lanes`], the leaves in a binary tree.
#[inline(always)]
pub(super) fn tree<T: Copy>(x: &[T], start: T, fold: impl Fn(T, T) -> T) -> T {
    // As in a binary counter: place i holds the fold of 2^i leaves. One leaf needs no counter.
    let mut partial = None;
    let mut count = 0usize;
    for leaf in x.chunks(LEAF) {
        let mut value = lanes(leaf, start, &fold);
        if x.len() <= LEAF {
            return value;
        }
        let partial = partial.get_or_insert([start; usize::BITS as usize]);
        let carries = count.trailing_ones() as usize;
        for &before in &partial[..carries] {
            value = fold(before, value);
        }
        partial[carries] = value;
        count += 1;
    }
    let mut total = start;
    for (i, &value) in partial.iter().flatten().enumerate() {
        if count >> i & 1 == 1 {
            total = fold(value, total);
        }
    }
    total
}

/// The sum of a run.
#[inline(always)]
pub(super) fn sum<T: Float>(x: &[T]) -> T {
    tree(
        x,
        T::ZERO,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The largest of a run; a NaN may be passed over.
#[inline(always)]
pub(super) fn max<T: Float>(x: &[T]) -> T {
    lanes(
        x,
        T::NEG_INFINITY,
        #[inline(always)]
        |a, b| if b > a { b } else { a },
    )
}

/// The sum of the products of the two numbers that `f` makes of each pair of elements of two runs.
#[inline(always)]
pub(super) fn sum_of_products<T: Float>(a: &[T], b: &[T], f: impl Fn(T, T) -> (T, T)) -> T {
    let mut total = T::ZERO;
    for (a, b) in a.chunks(LEAF).zip(b.chunks(LEAF)) {
        let mut aligned = Aligned([T::ZERO; LANES]);
        let lanes = &mut aligned.0;
        let (mut xs, mut ys) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
        for (x, y) in (&mut xs).zip(&mut ys) {
            for (lane, (&x, &y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
                let (x, y) = f(x, y);
                *lane = x.mul_add(y, *lane);
            }
        }
        for (lane, (&x, &y)) in lanes.iter_mut().zip(xs.remainder().iter().zip(ys.remainder())) {
            let (x, y) = f(x, y);
            *lane = x.mul_add(y, *lane);
        }
        total = total + sum(&*lanes);
    }
    total
}
