//! Statistics of channels, and channels shifted and scaled by them: batch norm, forward and backward.
//!
//! Arrays are `[N, C, L]`. Sums of a channel are those of its parts, each over some samples, added in order: the threads
//! do not matter.

use super::contiguous;
use super::float::Float;
use super::rows;
use super::simd::vectorized;
use super::softmax::{slice, with_float};
use super::threads::{PairWork, for_each_slice};
use crate::array::Array;
use crate::dtype::DType;
use crate::profile::{kernel, kernels};

/// Elements of a part of a channel: so many that its sums are little beside it.
const PART: usize = 1 << 14;

/// Elements of a block of rows: a part of the first-level cache.
const BLOCK: usize = 4096;

/// The sizes of `[N, C, L]`, and how many samples are a part.
#[derive(Clone, Copy)]
struct Sizes {
    samples: usize,
    channels: usize,
    len: usize,
    part: usize,
}

impl Sizes {
    fn new(x: &Array) -> Sizes {
        let [samples, channels, len] = [x.shape()[0], x.shape()[1], x.shape()[2]];
        Sizes { samples, channels, len, part: (PART / len.max(1)).clamp(1, samples.max(1)) }
    }

    fn parts(&self) -> usize {
        self.samples.div_ceil(self.part)
    }

    /// Two sums for each channel, `[C, 2]`: what `sum(channel, row)` gives, over all rows.
    fn sums<T: Float>(&self, sum: &(dyn Fn(usize, usize) -> [T; 2] + Sync)) -> Vec<[f64; 2]> {
        let parts = self.parts();
        let mut partial = vec![[T::ZERO; 2]; self.channels * parts];
        for_each_slice(&mut partial, 1, 2 * self.part * self.len, &|task, out| {
            let (channel, part) = (task / parts, task % parts);
            for sample in part * self.part..((part + 1) * self.part).min(self.samples) {
                let [a, b] = sum(channel, (sample * self.channels + channel) * self.len);
                out[0] = [out[0][0] + a, out[0][1] + b];
            }
        });
        let total = |parts: &[[T; 2]]| {
            parts.iter().fold([0.0; 2], |sum, part| [sum[0] + part[0].to_f64(), sum[1] + part[1].to_f64()])
        };
        match parts {
            0 => vec![[0.0; 2]; self.channels],
            parts => partial.chunks_exact(parts).map(total).collect(),
        }
    }
}

/// As [`Sizes::sums`] for `[N, C, 1]`: `add(row, sums, others)` adds a whole row to the sums of its channels.
fn column_sums<T: Float>(sizes: Sizes, add: &PairWork<'_, T, T>) -> Vec<[f64; 2]> {
    let (count, rows) = (sizes.channels, (PART / sizes.channels.max(1)).max(1));
    let mut partial = vec![T::ZERO; sizes.samples.div_ceil(rows) * 2 * count];
    for_each_slice(&mut partial, 2 * count, rows, &|start, out| {
        let (first, (sums, others)) = (start / (2 * count) * rows, out.split_at_mut(count));
        for row in first..(first + rows).min(sizes.samples) {
            add(row * count, sums, others);
        }
    });
    let mut total = vec![[0.0; 2]; count];
    for part in partial.chunks_exact((2 * count).max(1)) {
        for (total, (a, b)) in total.iter_mut().zip(part[..count].iter().zip(&part[count..])) {
            *total = [total[0] + a.to_f64(), total[1] + b.to_f64()];
        }
    }
    total
}

/// Mean and variance of each channel, `[C, 2]`; the variance is the mean of the squares of the distances.
pub(crate) fn channel_stats(x: &Array) -> Array {
    let _span = kernel("channel_stats", || kernels::traffic(&[x]));
    let x = contiguous(x);
    with_float!(x, stats(&x))
}

fn stats<T: Float>(x: &Array) -> Array {
    let (data, sizes) = (slice::<T>(x), Sizes::new(x));
    let (len, share) = (sizes.len, 1.0 / (sizes.samples * sizes.len) as f64);
    let sums = match len {
        1 => column_sums::<T>(sizes, &|at, sums, _| {
            vectorized(
                #[inline(always)]
                || {
                    for (sum, &v) in sums.iter_mut().zip(&data[at..]) {
                        *sum = *sum + v;
                    }
                },
            );
        }),
        _ => sizes.sums::<T>(&|_, at| {
            let row = &data[at..][..len];
            let sum = vectorized(
                #[inline(always)]
                || rows::sum(row),
            );
            [sum, T::ZERO]
        }),
    };
    let near: Vec<T> = sums.iter().map(|sum| T::from_f64(sum[0] * share)).collect();
    // Another pass: no cancellation. The first mean is rounded; the mean of the distances is what it missed by.
    let sums = match len {
        1 => column_sums::<T>(sizes, &|at, distances, squares| {
            vectorized(
                #[inline(always)]
                || {
                    let sums = distances.iter_mut().zip(squares);
                    for ((distance, square), (&v, &mean)) in sums.zip(data[at..].iter().zip(&near)) {
                        let d = v - mean;
                        (*distance, *square) = (*distance + d, d.mul_add(d, *square));
                    }
                },
            );
        }),
        _ => sizes.sums::<T>(&|channel, at| {
            let (row, mean) = (&data[at..][..len], near[channel]);
            vectorized(
                #[inline(always)]
                || {
                    let distances = rows::sum_of_products(
                        row,
                        row,
                        #[inline(always)]
                        |v, _| (v - mean, T::ONE),
                    );
                    let squares = rows::sum_of_products(
                        row,
                        row,
                        #[inline(always)]
                        |v, w| (v - mean, w - mean),
                    );
                    [distances, squares]
                },
            )
        }),
    };
    Array::build([sizes.channels, 2], |out: &mut [T]| {
        for ((out, sums), near) in out.chunks_exact_mut(2).zip(&sums).zip(&near) {
            let missed = sums[0] * share;
            out[0] = T::from_f64(near.to_f64() + missed);
            out[1] = T::from_f64(sums[1] * share - missed * missed);
        }
    })
}

/// For each channel the sum of the gradients, and that of their products with the distances of `x` from the
/// channel's mean: `[C, 2]`.
pub(crate) fn channel_grad_sums(grad: &Array, x: &Array, mean: &Array) -> Array {
    let _span = kernel("channel_grad_sums", || kernels::traffic(&[grad, x]));
    let [grad, x, mean] = [grad, x, mean].map(contiguous);
    with_float!(x, grad_sums(&grad, &x, &mean))
}

fn grad_sums<T: Float>(grad: &Array, x: &Array, mean: &Array) -> Array {
    let (grad, data, mean, sizes) = (slice::<T>(grad), slice::<T>(x), slice::<T>(mean), Sizes::new(x));
    let sums = match sizes.len {
        1 => column_sums::<T>(sizes, &|at, sums, products| {
            vectorized(
                #[inline(always)]
                || {
                    let row = grad[at..].iter().zip(&data[at..]).zip(mean);
                    for ((sum, product), ((&g, &x), &mean)) in sums.iter_mut().zip(products).zip(row) {
                        (*sum, *product) = (*sum + g, g.mul_add(x - mean, *product));
                    }
                },
            );
        }),
        _ => sizes.sums::<T>(&|channel, at| {
            let (g, x, mean) = (&grad[at..][..sizes.len], &data[at..][..sizes.len], mean[channel]);
            vectorized(
                #[inline(always)]
                || {
                    let products = rows::sum_of_products(
                        g,
                        x,
                        #[inline(always)]
                        |g, x| (g, x - mean),
                    );
                    [rows::sum(g), products]
                },
            )
        }),
    };
    Array::build([sizes.channels, 2], |out: &mut [T]| {
        for (out, sums) in out.chunks_exact_mut(2).zip(&sums) {
            (out[0], out[1]) = (T::from_f64(sums[0]), T::from_f64(sums[1]));
        }
    })
}

/// `(x - m) a + b` with `m, a, b` of each channel, `[C, 3]`.
pub(crate) fn channel_scale(x: &Array, factors: &Array) -> Array {
    let _span = kernel("channel_scale", || kernels::traffic(&[x, x]));
    let [x, factors] = [x, factors].map(contiguous);
    with_float!(x, scale(&x, &factors))
}

fn scale<T: Float>(x: &Array, factors: &Array) -> Array {
    let (data, factors, len) = (slice::<T>(x), slice::<T>(factors), Sizes::new(x).len);
    if len == 1 {
        let [m, a, b] = std::array::from_fn(|i| column(factors, i, 3));
        return by_samples(
            x,
            #[inline(always)]
            |at, out: &mut [T]| {
                let row = data[at..].iter().zip(m.iter().zip(&a)).zip(&b);
                for (out, ((&x, (&m, &a)), &b)) in out.iter_mut().zip(row) {
                    *out = (x - m).mul_add(a, b);
                }
            },
        );
    }
    by_rows(
        x,
        #[inline(always)]
        |row, at, out: &mut [T]| {
            let [m, a, b] = std::array::from_fn(|i| factors[3 * row + i]);
            for (out, &x) in out.iter_mut().zip(&data[at..][..len]) {
                *out = (x - m).mul_add(a, b);
            }
        },
    )
}

/// `g a + (x - m) b + c` with `m, a, b, c` of each channel, `[C, 4]`.
pub(crate) fn channel_mix(grad: &Array, x: &Array, factors: &Array) -> Array {
    let _span = kernel("channel_mix", || kernels::traffic(&[grad, x, x]));
    let [grad, x, factors] = [grad, x, factors].map(contiguous);
    with_float!(x, mix(&grad, &x, &factors))
}

fn mix<T: Float>(grad: &Array, x: &Array, factors: &Array) -> Array {
    let (grad, data, factors) = (slice::<T>(grad), slice::<T>(x), slice::<T>(factors));
    let len = Sizes::new(x).len;
    if len == 1 {
        let [m, a, b, c] = std::array::from_fn(|i| column(factors, i, 4));
        return by_samples(
            x,
            #[inline(always)]
            |at, out: &mut [T]| {
                let row = grad[at..].iter().zip(&data[at..]);
                let row = row.zip(m.iter().zip(&a)).zip(b.iter().zip(&c));
                for (out, (((&g, &x), (&m, &a)), (&b, &c))) in out.iter_mut().zip(row) {
                    *out = g.mul_add(a, (x - m).mul_add(b, c));
                }
            },
        );
    }
    by_rows(
        x,
        #[inline(always)]
        |row, at, out: &mut [T]| {
            let [m, a, b, c] = std::array::from_fn(|i| factors[4 * row + i]);
            for (out, (&g, &x)) in out.iter_mut().zip(grad[at..][..len].iter().zip(&data[at..][..len])) {
                *out = g.mul_add(a, (x - m).mul_add(b, c));
            }
        },
    )
}

/// An array like `x` whose rows `write(channel, place, row)` fills in, in vector code.
fn by_rows<T: Float>(x: &Array, write: impl Fn(usize, usize, &mut [T]) + Sync) -> Array {
    let sizes = Sizes::new(x);
    let group = (BLOCK / sizes.len.max(1)).max(1);
    Array::build(x.shape(), |out: &mut [T]| {
        for_each_slice(out, group * sizes.len, 2, &|start, out| {
            vectorized(
                #[inline(always)]
                || {
                    for (i, out) in out.chunks_exact_mut(sizes.len).enumerate() {
                        let row = start / sizes.len + i;
                        write(row % sizes.channels, row * sizes.len, out);
                    }
                },
            );
        });
    })
}

/// One of the factors of all channels.
fn column<T: Float>(factors: &[T], number: usize, count: usize) -> Vec<T> {
    factors.iter().skip(number).step_by(count).copied().collect()
}

/// An array like `x`, `[N, C, 1]`, whose samples `write(place, sample)` fills in, in vector code.
fn by_samples<T: Float>(x: &Array, write: impl Fn(usize, &mut [T]) + Sync) -> Array {
    let count = Sizes::new(x).channels;
    let group = (BLOCK / count.max(1)).max(1);
    Array::build(x.shape(), |out: &mut [T]| {
        for_each_slice(out, group * count, 2, &|start, out| {
            vectorized(
                #[inline(always)]
                || {
                    for (i, out) in out.chunks_exact_mut(count).enumerate() {
                        write(start + i * count, out);
                    }
                },
            );
        });
    })
}
