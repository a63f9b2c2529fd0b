//! Normalisation of rows: layer norm and RMS norm, forward and backward in one pass each.

use super::contiguous;
use super::float::Float;
use super::rows;
use super::simd::vectorized_fused;
use super::softmax::{slice, with_float};
use super::threads::for_each_slices;
use crate::array::Array;
use crate::backend::Norm;
use crate::dtype::DType;

/// Elements of a block of rows: a part of the first-level cache.
const BLOCK: usize = 2048;

/// So many rows at most are taken a step further before the next step.
const ROWS: usize = 16;

/// The cost of an element in additions.
const COST: usize = 4;

/// The normalised rows of `[rows, size]`, and for each row its mean and the inverse of its deviation, `[rows, 2]`.
pub(crate) fn norm(
    kind: Norm,
    x: &Array,
    weight: Option<&Array>,
    bias: Option<&Array>,
    eps: f64,
) -> (Array, Array) {
    let (x, weight, bias) = (contiguous(x), weight.map(contiguous), bias.map(contiguous));
    with_float!(x, norm_rows(kind, &x, weight.as_ref(), bias.as_ref(), eps))
}

fn norm_rows<T: Float>(
    kind: Norm,
    x: &Array,
    weight: Option<&Array>,
    bias: Option<&Array>,
    eps: f64,
) -> (Array, Array) {
    let (data, [count, size]) = (slice::<T>(x), [x.shape()[0], x.shape()[1]]);
    let (weight, bias) = (weight.map(slice::<T>), bias.map(slice::<T>));
    let (share, eps) = (T::from_f64(1.0 / size as f64), T::from_f64(eps));
    let mut y = None;
    let stats = Array::build([count, 2], |stats: &mut [T]| {
        y = Some(Array::build(x.shape(), |out: &mut [T]| {
            let group = (BLOCK / size).max(1);
            for_each_slices([out, stats], [group * size, group * 2], COST, &|chunk, [out, stats]| {
                let x = &data[chunk * group * size..][..out.len()];
                vectorized_fused::<T, _>(
                    #[inline(always)]
                    || {
                        // Step by step over all rows: each waits for long chains of sums, which so overlap.
                        let rows = || x.chunks_exact(size);
                        if matches!(kind, Norm::Layer) {
                            // The product rounds; the mean of the differences is what it missed by. So rows of
                            // equal numbers give zeros.
                            for (x, stats) in rows().zip(stats.chunks_exact_mut(2)) {
                                stats[0] = rows::sum(x) * share;
                            }
                            for (x, stats) in rows().zip(stats.chunks_exact_mut(2)) {
                                let near = stats[0];
                                let missed = rows::sum_of_products(
                                    x,
                                    x,
                                    #[inline(always)]
                                    |v, _| (v - near, T::ONE),
                                );
                                stats[0] = near + missed * share;
                            }
                        } else {
                            stats.fill(T::ZERO);
                        }
                        // Another pass over a row in cache: no cancellation.
                        for (x, stats) in rows().zip(stats.chunks_exact_mut(2)) {
                            let mean = stats[0];
                            stats[1] = rows::sum_of_products(
                                x,
                                x,
                                #[inline(always)]
                                |v, w| (v - mean, w - mean),
                            );
                        }
                        for stats in stats.chunks_exact_mut(2) {
                            stats[1] = T::ONE / (stats[1] * share + eps).sqrt();
                        }
                        let rows = out.chunks_exact_mut(size).zip(rows());
                        for ((out, x), stats) in rows.zip(stats.chunks_exact(2)) {
                            let (mean, rate) = (stats[0], stats[1]);
                            match (weight, bias) {
                                (Some(weight), Some(bias)) => {
                                    for (((o, &v), &w), &b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                                        *o = (v - mean) * rate * w + b;
                                    }
                                }
                                (Some(weight), None) => {
                                    for ((o, &v), &w) in out.iter_mut().zip(x).zip(weight) {
                                        *o = (v - mean) * rate * w;
                                    }
                                }
                                (None, Some(bias)) => {
                                    for ((o, &v), &b) in out.iter_mut().zip(x).zip(bias) {
                                        *o = (v - mean) * rate + b;
                                    }
                                }
                                (None, None) => {
                                    for (o, &v) in out.iter_mut().zip(x) {
                                        *o = (v - mean) * rate;
                                    }
                                }
                            }
                        }
                    },
                );
            });
        }));
    });
    (y.expect("it was built beside the statistics"), stats)
}

/// The gradients of [`norm`]: of `x`, and of weight and bias, the sums over all rows.
pub(crate) fn norm_grad(
    kind: Norm,
    grad: &Array,
    x: &Array,
    stats: &Array,
    weight: Option<&Array>,
) -> (Array, Array, Array) {
    let ([grad, x], weight) = ([grad, x].map(contiguous), weight.map(contiguous));
    with_float!(x, norm_grad_rows(kind, &grad, &x, stats, weight.as_ref()))
}

fn norm_grad_rows<T: Float>(
    kind: Norm,
    grad: &Array,
    x: &Array,
    stats: &Array,
    weight: Option<&Array>,
) -> (Array, Array, Array) {
    let (data, grads, stats) = (slice::<T>(x), slice::<T>(grad), slice::<T>(stats));
    let ([count, size], weight) = ([x.shape()[0], x.shape()[1]], weight.map(slice::<T>));
    let share = T::from_f64(1.0 / size as f64);
    // Each group of rows has sums of its own, added afterwards in order: the threads do not matter. A group is
    // large enough that its sums are little beside it.
    let group = (8 * BLOCK / size).max(16).min(count.max(1));
    let groups = count.div_ceil(group);
    let mut dx = None;
    let parts = Array::build([groups, 2, size], |parts: &mut [T]| {
        dx = Some(Array::build(x.shape(), |out: &mut [T]| {
            for_each_slices([out, parts], [group * size, 2 * size], 2 * COST, &|chunk, [out, parts]| {
                let (first, len) = (chunk * group, out.len());
                let (x, g) = (&data[first * size..][..len], &grads[first * size..][..len]);
                let stats = &stats[2 * first..];
                vectorized_fused::<T, _>(
                    #[inline(always)]
                    || {
                        parts.fill(T::ZERO);
                        let (dw, db) = parts.split_at_mut(size);
                        // Step by step over some rows: each waits for long chains of sums, which so overlap.
                        let some = (BLOCK / size).clamp(1, ROWS);
                        let blocks =
                            x.chunks(some * size).zip(g.chunks(some * size)).zip(stats.chunks(2 * some));
                        for (out, ((x, g), stats)) in out.chunks_mut(some * size).zip(blocks) {
                            let rows = || x.chunks_exact(size).zip(stats.chunks_exact(2));
                            for ((out, g), (x, stats)) in
                                out.chunks_exact_mut(size).zip(g.chunks_exact(size)).zip(rows())
                            {
                                let (mean, rate) = (stats[0], stats[1]);
                                for ((dw, &x), &g) in dw.iter_mut().zip(x).zip(g) {
                                    *dw = ((x - mean) * rate).mul_add(g, *dw);
                                }
                                for (db, &g) in db.iter_mut().zip(g) {
                                    *db = *db + g;
                                }
                                match weight {
                                    Some(weight) => {
                                        for ((o, &g), &w) in out.iter_mut().zip(g).zip(weight) {
                                            *o = g * w;
                                        }
                                    }
                                    None => out.copy_from_slice(g),
                                }
                            }
                            // The part along the normalised row, which normalising takes out, and the mean.
                            let mut sums = [[T::ZERO; 2]; ROWS];
                            for ((out, (x, stats)), sums) in out.chunks_exact(size).zip(rows()).zip(&mut sums)
                            {
                                let mean = stats[0];
                                sums[0] = rows::sum_of_products(
                                    out,
                                    x,
                                    #[inline(always)]
                                    |g, x| (g, x - mean),
                                );
                                if matches!(kind, Norm::Layer) {
                                    sums[1] = rows::sum(out);
                                }
                            }
                            for ((out, (x, stats)), sums) in out.chunks_exact_mut(size).zip(rows()).zip(&sums)
                            {
                                let (mean, rate) = (stats[0], stats[1]);
                                let (along, level) = (sums[0] * rate * rate * share, sums[1] * share);
                                for (o, &x) in out.iter_mut().zip(x) {
                                    *o = rate * (*o - level - (x - mean) * along);
                                }
                            }
                        }
                    },
                );
            });
        }));
    });
    let sums = parts.sum_dim(0, false);
    (dx.expect("it was built beside the sums"), sums.select(0, 0), sums.select(0, 1))
}
