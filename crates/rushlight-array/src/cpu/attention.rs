//! Scaled dot-product attention as one kernel, forward and backward: the scores of a few queries at a time, which stay
//! in a cache, and of those only what a causal mask lets through.

use super::gemm::{Matrix, Product, multiply_into};
use super::memory::HostBuffer;
use super::simd::{prefetch, vectorized_fused, vectorized_wide};
use super::softmax::with_float;
use super::threads::for_each_slices;
use super::walk::Tile;
use super::{contiguous, float::Float, transpose};
use crate::array::Array;
use crate::backend::Attention;
use crate::dtype::DType;
use crate::profile::{Work, kernel};
use std::ops::Range;

/// So many queries at a time.
const ROWS: usize = 32;

/// The most bytes of a head that is asked for ahead: a part of the second-level cache.
const FAR: usize = 256 << 10;

/// With a causal mask and up to so many keys, half as many: less is computed that the mask hides.
const SHORT: usize = 256;

/// With so many samples each is a task, which computes its heads one after the other: then the places of a sample lie in
/// the order of the network's other layers, (L, heads, E), and nothing is to be copied.
const SAMPLES: usize = 8;

/// The sizes of queries, keys and values, and how heads are handed to the threads.
#[derive(Clone, Copy)]
struct Sizes {
    /// Tasks, and heads of a task.
    tasks: usize,
    heads: usize,
    queries: usize,
    keys: usize,
    features: usize,
    values: usize,
}

impl Sizes {
    fn new(q: &Array, k: &Array, v: &Array) -> Self {
        let rank = q.rank();
        let count: usize = q.shape()[..rank - 2].iter().product();
        let heads = if rank == 4 && q.shape()[0] >= SAMPLES { q.shape()[1] } else { 1 };
        Sizes {
            tasks: count / heads.max(1),
            heads,
            queries: q.shape()[rank - 2],
            keys: k.shape()[rank - 2],
            features: q.shape()[rank - 1],
            values: v.shape()[rank - 1],
        }
    }

    /// How many products of queries, keys and features or values; a causal mask leaves out about half.
    fn work(&self, products: usize) -> Work {
        let heads = self.tasks * self.heads;
        let elements = heads * (self.queries + self.keys) * (self.features + self.values);
        let flops = 2 * heads * self.queries * self.keys * self.features.max(self.values) * products;
        Work { bytes: 4 * elements as u64, flops: flops as u64 }
    }

    /// An array `(.., rows, columns)` as its tasks lie: filled by `(tasks, rows, heads, columns)`.
    fn array(&self, like: &Array, rows: usize, columns: usize, filled: &Array) -> Array {
        let mut shape = like.shape().to_vec();
        let rank = shape.len();
        (shape[rank - 2], shape[rank - 1]) = (rows, columns);
        if self.heads == 1 {
            return filled.reshape(shape.as_slice());
        }
        filled.reshape([shape[0], rows, shape[1], columns]).transpose(1, 2)
    }

    /// Whether the three are parts of one array `(tasks, rows, 3, heads, columns)`, as a layer gives them that computes all at
    /// once. Then their gradients are, too, and whoever joins them has nothing to copy.
    fn are_one(&self, [q, k, v]: [&Array; 3]) -> bool {
        let width = self.heads * self.features;
        let [at, next, last] = [q, k, v].map(|x| x.layout().offset());
        let strides = [q, k, v].map(|x| x.layout().strides());
        q.rank() == 4
            && self.heads == q.shape()[1]
            && q.shape() == k.shape()
            && q.shape() == v.shape()
            && q.shares_storage(k)
            && q.shares_storage(v)
            && strides[0][1..] == [self.features as isize, 3 * width as isize, 1]
            && strides.iter().all(|other| *other == strides[0])
            && [next, last] == [at + width, at + 2 * width]
    }

    /// The shape in which [`Sizes::array`] gets it.
    fn shape(&self, rows: usize, columns: usize) -> [usize; 4] {
        [self.tasks, rows, self.heads, columns]
    }

    /// What is asked for while a head is computed: parts of the next, if a cache holds both.
    fn ahead<T>(&self, number: usize) -> Ahead {
        let (l, s) = (self.queries, self.keys);
        let elements = l * s + (l + s) * (self.features + self.values);
        let asks = number + 1 < self.tasks * self.heads && elements * size_of::<T>() <= FAR;
        Ahead { sizes: *self, number, asks }
    }

    /// How many queries are computed at a time.
    fn rows(&self, causal: bool) -> usize {
        if causal && self.keys <= SHORT { ROWS / 2 } else { ROWS }
    }

    /// The keys that the queries from `first` on, `rows` of them, may see.
    fn seen(&self, causal: bool, first: usize, rows: usize) -> usize {
        if causal { (first + rows).min(self.keys) } else { self.keys }
    }
}

/// The head behind one that is computed. A few rows are asked for before each step: the processor waits while it has more
/// requests than it can keep, which takes away what they gain.
struct Ahead {
    sizes: Sizes,
    number: usize,
    asks: bool,
}

impl Ahead {
    /// Rows of the next head that will be read.
    fn read<T: Product>(&self, from: &Heads<'_, T>, rows: Range<usize>) {
        if !self.asks || from.first.column_stride != 1 {
            return;
        }
        let head = from.get(self.number + 1);
        for row in rows.start..rows.end.min(head.rows) {
            let at = head.at as isize + row as isize * head.row_stride;
            prefetch(head.data.as_ptr().wrapping_add(at as usize), head.columns);
        }
    }

    /// Rows of the next head that will be written, from this head's; `count` rows, `apart` elements from one to the next, are a
    /// task's.
    fn write<T>(&self, head: &[T], rows: Range<usize>, columns: usize, apart: usize, count: usize) {
        if !self.asks {
            return;
        }
        let heads = self.sizes.heads;
        let is_last = (self.number + 1).is_multiple_of(heads);
        let step = if is_last { count * apart - (heads - 1) * columns } else { columns };
        for row in rows.start..rows.end.min(count) {
            prefetch(head.as_ptr().wrapping_add(step + row * apart), columns);
        }
    }

    /// The first `n` elements of rows of the next head's softmax, from this head's.
    fn weights<T>(&self, head: *const T, rows: Range<usize>, n: usize) {
        if self.asks {
            let Sizes { queries, keys, .. } = self.sizes;
            rows.for_each(|row| prefetch(head.wrapping_add((queries + row) * keys), n));
        }
    }
}

/// The heads of an array with strides.
struct Heads<'a, T> {
    data: &'a [T],
    /// The sizes and strides of the leading dims.
    leading: Vec<(usize, isize)>,
    first: Matrix<'a, T>,
}

impl<'a, T: Product> Heads<'a, T> {
    fn new(x: &'a Array) -> Self {
        let rank = x.rank();
        let (sizes, strides, data) = (x.shape(), x.layout().strides(), x.host::<T>());
        let first = Matrix {
            data,
            at: x.layout().offset(),
            rows: sizes[rank - 2],
            columns: sizes[rank - 1],
            row_stride: strides[rank - 2],
            column_stride: strides[rank - 1],
        };
        let leading = (0..rank - 2).map(|a| (sizes[a], strides[a])).collect();
        Heads { data, leading, first }
    }

    fn get(&self, mut number: usize) -> Matrix<'a, T> {
        let mut at = self.first.at as isize;
        for &(size, stride) in self.leading.iter().rev() {
            at += (number % size) as isize * stride;
            number /= size;
        }
        Matrix { at: at as usize, ..self.first }
    }

    /// The transpose of a head, row by row.
    fn transposed(&self, number: usize, out: &mut [T]) {
        let Matrix { at, rows, columns, row_stride, column_stride, .. } = self.get(number);
        let tile = Tile { rows: columns, len: rows, at: [at], outer: [column_stride], inner: [row_stride] };
        transpose::turn(out, self.data, tile);
    }
}

/// Some rows of a matrix.
fn rows_of<'a, T>(x: &Matrix<'a, T>, first: usize, rows: usize) -> Matrix<'a, T> {
    Matrix { at: (x.at as isize + first as isize * x.row_stride) as usize, rows, ..*x }
}

/// Room for `N` matrices behind each other.
struct Room<const N: usize> {
    buffer: HostBuffer,
    sizes: [usize; N],
}

impl<const N: usize> Room<N> {
    fn new<T: Product>(sizes: [usize; N]) -> Self {
        Room { buffer: HostBuffer::scratch(T::DTYPE, sizes.iter().sum()), sizes }
    }

    fn parts<T: Product>(&mut self) -> [&mut [T]; N] {
        let mut rest = self.buffer.as_mut_slice::<T>();
        self.sizes.map(|size| {
            let (part, behind) = std::mem::take(&mut rest).split_at_mut(size);
            rest = behind;
            part
        })
    }
}

/// `softmax(q k^T scale) v`, and the softmax if a backward pass will ask for it. Of that, nothing is written behind the last
/// key that some query of a group of [`Sizes::rows`] sees.
pub(crate) fn attention(what: &Attention, [q, k, v]: [&Array; 3], keep: bool) -> (Array, Option<Array>) {
    let sizes = Sizes::new(q, k, v);
    let _span = kernel("attention", || sizes.work(2));
    with_float!(q, forward(what, &sizes, [q, k, v], keep))
}

fn forward<T: Product + Float>(
    what: &Attention,
    sizes: &Sizes,
    [q, k, v]: [&Array; 3],
    keep: bool,
) -> (Array, Option<Array>) {
    let (queries, keys, values) = (Heads::<T>::new(q), Heads::<T>::new(k), Heads::<T>::new(v));
    let Sizes { heads, .. } = *sizes;
    let (l, s, e, ev) = (sizes.queries, sizes.keys, sizes.features, sizes.values);
    let (factor, most) = (T::from_f64(what.scale), sizes.rows(what.causal));
    let head = |number: usize, out: &mut [T], mut weights: Option<&mut [T]>| {
        let mut room = Room::new::<T>([e * s, if keep { 0 } else { most * s }]);
        let [turned, scratch] = room.parts::<T>();
        keys.transposed(number, turned);
        let (query, turned, value) = (queries.get(number), Matrix::dense(turned, e, s), values.get(number));
        let ahead = sizes.ahead::<T>(number);
        for first in (0..l).step_by(most) {
            let rows = most.min(l - first);
            let n = sizes.seen(what.causal, first, rows);
            let some = first..first + rows;
            ahead.read(&queries, some.clone());
            ahead.read(&keys, some.clone());
            let kept = weights.as_ref().map(|weights| weights.as_ptr());
            let weights = match &mut weights {
                Some(weights) => &mut weights[first * s..][..rows * s],
                None => &mut scratch[..rows * s],
            };
            let part = rows_of(&query, first, rows);
            multiply_into(&part, &Matrix { columns: n, ..turned }, weights, s, false);
            ahead.read(&values, some.clone());
            ahead.write(out, some.clone(), ev, heads * ev, l);
            softmax(weights, factor, s, n, what.causal.then_some(first));
            if let Some(kept) = kept {
                ahead.weights(kept, some, n);
            }
            let weights = Matrix { columns: n, ..Matrix::dense(weights, rows, s) };
            let out = &mut out[first * heads * ev..];
            multiply_into(&weights, &Matrix { rows: n, ..value }, out, heads * ev, false);
        }
    };
    let mut kept = None;
    let cost = s * e.max(1);
    let filled = Array::build(sizes.shape(l, ev), |out: &mut [T]| {
        if keep {
            kept = Some(Array::build([sizes.tasks, heads, l, s], |weights: &mut [T]| {
                for_each_slices(
                    [out, weights],
                    [l * heads * ev, heads * l * s],
                    cost,
                    &|task, [out, weights]| {
                        for h in 0..heads {
                            head(
                                task * heads + h,
                                &mut out[h * ev..],
                                Some(&mut weights[h * l * s..][..l * s]),
                            );
                        }
                    },
                );
            }));
        } else {
            for_each_slices([out], [l * heads * ev], cost, &|task, [out]| {
                (0..heads).for_each(|h| head(task * heads + h, &mut out[h * ev..], None));
            });
        }
    });
    let y = sizes.array(q, l, ev, &filled);
    if y.rank() != 4 {
        return (y, kept);
    }
    // (N, L, heads, E) in memory, as in PyTorch and however many samples there are: what lies behind it may rely on it.
    (contiguous(&y.transpose(1, 2)).transpose(1, 2), kept)
}

/// The softmax of the first `n` elements, times a factor, of rows of `width`; with a causal mask row `i` sees `first + i + 1` of
/// them, and the others become zero.
fn softmax<T: Float>(x: &mut [T], factor: T, width: usize, n: usize, first: Option<usize>) {
    vectorized_wide::<T, _>(
        #[inline(always)]
        || {
            let rows = x.len() / width;
            let seen = |i: usize| first.map_or(n, |first| (first + i + 1).min(n));
            // Whole vectors: what is not seen is minus infinity first, so that it becomes zero.
            let whole = |i: usize| seen(i).next_multiple_of(LANES).min(width);
            let (mut largest, mut sums) = ([T::ZERO; ROWS], [T::ZERO; ROWS]);
            // Step by step over all rows. Each waits for the largest and for the sum of its lanes, which so overlap; and what was
            // written in pieces is at its place when it is read as a vector.
            for (i, row) in x.chunks_exact_mut(width).enumerate() {
                let (row, rest) = row.split_at_mut(whole(i));
                scale(row, factor);
                row[seen(i)..].fill(T::NEG_INFINITY);
                rest[..n.saturating_sub(whole(i))].fill(T::ZERO);
            }
            for (i, (row, largest)) in x.chunks_exact(width).zip(&mut largest).enumerate() {
                *largest = fold(&row[..whole(i)], T::NEG_INFINITY, larger);
            }
            for (i, (row, &max)) in x.chunks_exact_mut(width).zip(&largest).enumerate() {
                let (chunks, short) = row[..whole(i)].as_chunks_mut::<LANES>();
                for chunk in chunks {
                    for x in chunk {
                        *x = (*x - max).exp();
                    }
                }
                for x in short {
                    *x = (*x - max).exp();
                }
            }
            for (i, (row, sum)) in x.chunks_exact(width).zip(&mut sums).enumerate() {
                *sum = fold(&row[..whole(i)], T::ZERO, plus);
            }
            for sum in &mut sums[..rows] {
                *sum = T::ONE / *sum;
            }
            for (i, (row, &share)) in x.chunks_exact_mut(width).zip(&sums).enumerate() {
                scale(&mut row[..whole(i)], share);
            }
        },
    );
}

/// So many chains add up a row: a vector of f32. Rows are short here.
const LANES: usize = 16;

/// Whole vectors, and what is left.
#[inline(always)]
fn scale<T: Float>(x: &mut [T], factor: T) {
    let (chunks, short) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for x in chunk {
            *x = *x * factor;
        }
    }
    for x in short {
        *x = *x * factor;
    }
}

/// The lanes in halves, then what is left.
#[inline(always)]
fn fold<T: Float>(x: &[T], start: T, fold: impl Fn(T, T) -> T) -> T {
    let (chunks, short) = x.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = fold(*lane, x);
        }
    }
    short.iter().fold(across(lanes, &fold), |total, &x| fold(total, x))
}

#[inline(always)]
fn plus<T: Float>(a: T, b: T) -> T {
    a + b
}

/// A NaN may be passed over: its exponential makes the sum of the row one.
#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// The lanes in halves.
#[inline(always)]
fn across<T: Float>(mut lanes: [T; LANES], fold: impl Fn(T, T) -> T) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = fold(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// The gradients of query, key and value from that of [`attention`]'s result; `weights` are the softmax.
pub(crate) fn attention_grad(
    what: &Attention,
    grad: &Array,
    [q, k, v]: [&Array; 3],
    weights: &Array,
) -> [Array; 3] {
    let sizes = Sizes::new(q, k, v);
    let _span = kernel("attention_grad", || sizes.work(4));
    let weights = contiguous(weights);
    with_float!(q, backward(what, &sizes, grad, [q, k, v], &weights))
}

fn backward<T: Product + Float>(
    what: &Attention,
    sizes: &Sizes,
    grad: &Array,
    [q, k, v]: [&Array; 3],
    weights: &Array,
) -> [Array; 3] {
    let (queries, keys, values) = (Heads::<T>::new(q), Heads::<T>::new(k), Heads::<T>::new(v));
    let grads = Heads::<T>::new(grad);
    let weights: &[T] = weights.as_slice().expect("it was made contiguous");
    let Sizes { heads, .. } = *sizes;
    let (l, s, e, ev) = (sizes.queries, sizes.keys, sizes.features, sizes.values);
    let (factor, most) = (T::from_f64(what.scale), sizes.rows(what.causal));
    let head = |number: usize, out: &mut Places<'_, '_, T>| {
        let mut room = Room::new::<T>([ev * s, most * s]);
        let [turned, scores] = room.parts::<T>();
        values.transposed(number, turned);
        let turned = Matrix::dense(turned, ev, s);
        let (query, key, grad) = (queries.get(number), keys.get(number), grads.get(number));
        let ahead = sizes.ahead::<T>(number);
        let kept = &weights[number * l * s..];
        for first in (0..l).step_by(most) {
            let rows = most.min(l - first);
            let n = sizes.seen(what.causal, first, rows);
            let some = first..first + rows;
            ahead.weights(kept.as_ptr(), some.clone(), n);
            // Keys that are seen for the first time have nothing to be added to.
            let before = if first == 0 { 0 } else { sizes.seen(what.causal, first - most, most) };
            let query = rows_of(&query, first, rows);
            let grad = rows_of(&grad, first, rows);
            let weights = &kept[first * s..][..rows * s];
            let scores = &mut scores[..rows * n];
            multiply_into(&grad, &Matrix { columns: n, ..turned }, scores, n, false);
            ahead.read(&queries, some.clone());
            softmax_grad(scores, weights, factor, s);
            ahead.read(&keys, some.clone());
            let scores = Matrix::dense(scores, rows, n);
            let (dq, apart) = out.get(0);
            multiply_into(&scores, &Matrix { rows: n, ..key }, &mut dq[first * apart..], apart, false);
            ahead.write(dq, some.clone(), e, apart, l);
            let weights = Matrix::dense(weights, rows, s);
            let both = [(1, scores, query, e, &values), (2, weights, grad, ev, &grads)];
            for (which, x, y, width, next) in both {
                let (out, apart) = out.get(which);
                ahead.read(next, some.clone());
                ahead.write(out, some.clone(), width, apart, s);
                for (from, to, adds) in [(0, before, true), (before, n, false)] {
                    let x = Matrix { at: x.at + from, columns: to - from, ..x }.t();
                    if to > from {
                        multiply_into(&x, &y, &mut out[from * apart..], apart, adds);
                    }
                }
            }
        }
        // With more keys than queries a causal mask hides the last.
        for (which, width) in [(1, e), (2, ev)] {
            let (out, apart) = out.get(which);
            for row in sizes.seen(what.causal, 0, l)..s {
                out[row * apart..][..width].fill(T::ZERO);
            }
        }
    };
    let widths = [e, e, ev].map(|width| heads * width);
    if sizes.are_one([q, k, v]) {
        let row = widths[0] * 3;
        let all = Array::build([sizes.tasks, l, 3, heads, e], |all: &mut [T]| {
            for_each_slices([all], [l * row], s, &|task, [all]| {
                for h in 0..heads {
                    let starts = [0, 1, 2].map(|which| which * widths[0] + h * e);
                    head(task * heads + h, &mut Places { blocks: &mut [all], starts, apart: [row; 3] });
                }
            });
        });
        return [0, 1, 2].map(|which| all.select(2, which).transpose(1, 2));
    }
    let mut others = None;
    let dq = Array::build(sizes.shape(l, e), |dq: &mut [T]| {
        let mut last = None;
        let dk = Array::build(sizes.shape(s, e), |dk: &mut [T]| {
            last = Some(Array::build(sizes.shape(s, ev), |dv: &mut [T]| {
                let lens = [l * widths[0], s * widths[1], s * widths[2]];
                for_each_slices([dq, dk, dv], lens, 3 * s, &|task, mut blocks| {
                    for h in 0..heads {
                        let starts = [h * e, h * e, h * ev];
                        let blocks = &mut blocks;
                        head(task * heads + h, &mut Places { blocks, starts, apart: widths });
                    }
                });
            }));
        });
        others = last.map(|dv| (dk, dv));
    });
    let (dk, dv) = others.expect("they were built inside");
    [sizes.array(q, l, e, &dq), sizes.array(k, s, e, &dk), sizes.array(v, s, ev, &dv)]
}

/// Where a head's gradients of query, key and value are written: in three blocks, or in one.
struct Places<'a, 'b, T> {
    blocks: &'a mut [&'b mut [T]],
    starts: [usize; 3],
    /// From one row to the next.
    apart: [usize; 3],
}

impl<T> Places<'_, '_, T> {
    fn get(&mut self, which: usize) -> (&mut [T], usize) {
        let block = if self.blocks.len() == 1 { 0 } else { which };
        (&mut self.blocks[block][self.starts[which]..], self.apart[which])
    }
}

/// What the softmax of products times a factor makes of the gradient of its result: `p (g - sum(p g))` times the factor, row
/// by row of `g`; the rows of `p` begin `width` apart.
fn softmax_grad<T: Float>(g: &mut [T], p: &[T], factor: T, width: usize) {
    let rows = p.len() / width;
    let n = g.len() / rows;
    vectorized_fused::<T, _>(
        #[inline(always)]
        || {
            for (g, p) in g.chunks_exact_mut(n).zip(p.chunks_exact(width)) {
                let ((gs, g_rest), (ps, p_rest)) = (g.as_chunks::<LANES>(), p[..n].as_chunks::<LANES>());
                let mut lanes = [T::ZERO; LANES];
                for (g, p) in gs.iter().zip(ps) {
                    for i in 0..LANES {
                        lanes[i] = g[i].mul_add(p[i], lanes[i]);
                    }
                }
                let sum = across(lanes, plus);
                let sum = g_rest.iter().zip(p_rest).fold(sum, |sum, (&g, &p)| g.mul_add(p, sum));
                for (g, &p) in g.iter_mut().zip(p) {
                    *g = p * (*g - sum) * factor;
                }
            }
        },
    );
}
