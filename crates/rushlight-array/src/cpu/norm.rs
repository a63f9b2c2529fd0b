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
                        let rows = out.chunks_exact_mut(size).zip(x.chunks_exact(size));
                        for ((out, x), stats) in rows.zip(stats.chunks_exact_mut(2)) {
                            let mean = match kind {
                                Norm::Layer => {
                                    // The product rounds; the mean of the differences is what it missed by. So
                                    // rows of equal numbers give zeros.
                                    let near = rows::sum(x) * share;
                                    let missed = rows::sum_of_products(
                                        x,
                                        x,
                                        #[inline(always)]
                                        |v, _| (v - near, T::ONE),
                                    );
                                    near + missed * share
                                }
                                Norm::Rms => T::ZERO,
                            };
                            // Another pass over a row in cache: no cancellation.
                            let square = rows::sum_of_products(
                                x,
                                x,
                                #[inline(always)]
                                |v, w| (v - mean, w - mean),
                            );
                            let rate = T::ONE / (square * share + eps).sqrt();
                            (stats[0], stats[1]) = (mean, rate);
                            for (o, &v) in out.iter_mut().zip(x) {
                                *o = (v - mean) * rate;
                            }
                            if let Some(weight) = weight {
                                for (o, &w) in out.iter_mut().zip(weight) {
                                    *o = *o * w;
                                }
                            }
                            if let Some(bias) = bias {
                                for (o, &b) in out.iter_mut().zip(bias) {
                                    *o = *o + b;
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
                let first = chunk * group;
                let (x, g) = (&data[first * size..][..out.len()], &grads[first * size..][..out.len()]);
                vectorized_fused::<T, _>(
                    #[inline(always)]
                    || {
                        parts.fill(T::ZERO);
                        let (dw, db) = parts.split_at_mut(size);
                        let rows = x.chunks_exact(size).zip(g.chunks_exact(size));
                        for (i, (out, (x, g))) in out.chunks_exact_mut(size).zip(rows).enumerate() {
                            let stats = &stats[2 * (first + i)..][..2];
                            let (mean, rate) = (stats[0], stats[1]);
                            for ((dw, &x), &g) in dw.iter_mut().zip(x).zip(g) {
                                *dw = ((x - mean) * rate).mul_add(g, *dw);
                            }
                            for (db, &g) in db.iter_mut().zip(g) {
                                *db = *db + g;
                            }
                            // The part along the normalised row, which normalising takes out.
                            for (o, &g) in out.iter_mut().zip(g) {
                                *o = g;
                            }
                            if let Some(weight) = weight {
                                for (o, &w) in out.iter_mut().zip(weight) {
                                    *o = *o * w;
                                }
                            }
                            let along = rows::sum_of_products(
                                out,
                                x,
                                #[inline(always)]
                                |g, x| (g, x - mean),
                            ) * rate
                                * rate
                                * share;
                            let level = match kind {
                                Norm::Layer => rows::sum(out) * share,
                                Norm::Rms => T::ZERO,
                            };
                            for (o, &x) in out.iter_mut().zip(x) {
                                *o = rate * (*o - level - (x - mean) * along);
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
