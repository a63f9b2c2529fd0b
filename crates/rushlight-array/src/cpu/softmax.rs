//! Softmax, its logarithm and cross entropy: one kernel each, forward and backward.
//!
//! Rows are often short (ten classes), and then loops over a row are not worth vector code. So rows come in
//! blocks: what differs from row to row is done row by row, and the exponentials over the whole block.

use super::contiguous;
use super::float::Float;
use super::rows;
use super::simd::vectorized_wide;
use super::threads::for_each_slice;
use crate::array::Array;
use crate::dtype::DType;

/// Elements of a block: a part of the first-level cache.
const BLOCK: usize = 2048;

/// Rows of a block, of which a number each is kept meanwhile.
const ROWS: usize = 128;

/// Rows from this length on are vector code of their own.
const LONG: usize = 64;

/// The cost of an element in additions, most of it the exponential.
const COST: usize = 8;

/// The elements of an array that lies without gaps.
pub(super) fn slice<T: Float>(x: &Array) -> &[T] {
    x.as_slice().expect("it was made contiguous")
}

/// Runs a kernel over blocks of rows along the last axis: it gets the block's place, and its part of the output.
fn by_rows<T: Float>(like: &Array, kernel: &(dyn Fn(usize, &mut [T]) + Sync)) -> Array {
    let size = like.shape()[like.rank() - 1];
    Array::build(like.shape(), |out: &mut [T]| {
        for_each_slice(out, (BLOCK / size).clamp(1, ROWS) * size, COST, kernel);
    })
}

/// Runs `f` with the axis at the end, where rows lie.
fn at_the_end(xs: &[&Array], axis: usize, f: impl Fn(&[Array]) -> Array) -> Array {
    let (a, last) = (axis as isize, xs[0].rank() as isize - 1);
    if a == last {
        return f(&xs.iter().map(|x| contiguous(x)).collect::<Vec<_>>());
    }
    let turned: Vec<Array> = xs.iter().map(|x| super::copy(&x.transpose(a, last))).collect();
    super::copy(&f(&turned).transpose(a, last))
}

/// Calls a generic function with the float type of an array.
macro_rules! with_float {
    ($x:expr, $f:ident($($argument:expr),*)) => {
        match $x.dtype() {
            DType::F32 => $f::<f32>($($argument),*),
            _ => $f::<f64>($($argument),*),
        }
    };
}
pub(super) use with_float;

/// Softmax, or its logarithm, along one axis.
pub(crate) fn softmax(x: &Array, axis: usize, log: bool) -> Array {
    if axis + 1 == x.rank() && x.is_contiguous() {
        return with_float!(x, softmax_rows(x, log));
    }
    at_the_end(&[x], axis, |x| with_float!(x[0], softmax_rows(&x[0], log)))
}

/// Which of the two numbers that a row has in `stats` are worked out here; the others are given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Find {
    Neither,
    /// The largest element, the first number.
    Max,
    /// The sum of the exponentials, the second.
    Sum,
    Both,
}

/// Writes the exponentials of rows: `exp(x - a - b)` with the two numbers `a, b` of each row, of which `b` is 0 where they
/// are summed. The last row may be shorter. With no `out` only the largest elements are found.
///
/// Not a part of each kernel below: it is most of their code. They call it once a block.
#[inline(never)]
fn exp_rows<T: Float>(out: &mut [T], x: &[T], size: usize, stats: &mut [T], find: Find) {
    vectorized_wide::<T, _>(
        #[inline(always)]
        || {
            if matches!(find, Find::Max | Find::Both) {
                for (stats, x) in stats.chunks_exact_mut(2).zip(x.chunks(size)) {
                    stats[0] = rows::max(x);
                }
            }
            let long = size >= LONG;
            for ((out, x), stats) in out.chunks_mut(size).zip(x.chunks(size)).zip(stats.chunks_exact(2)) {
                if long {
                    for (o, &v) in out.iter_mut().zip(x) {
                        *o = (v - stats[0] - stats[1]).exp();
                    }
                } else {
                    for (o, &v) in out.iter_mut().zip(x) {
                        *o = v - stats[0] - stats[1];
                    }
                }
            }
            if !long {
                for o in out.iter_mut() {
                    *o = o.exp();
                }
            }
            if matches!(find, Find::Sum | Find::Both) {
                for (stats, out) in stats.chunks_exact_mut(2).zip(out.chunks(size)) {
                    stats[1] = rows::sum(out);
                }
            }
        },
    );
}

fn softmax_rows<T: Float>(x: &Array, log: bool) -> Array {
    let (data, size) = (slice::<T>(x), x.shape()[x.rank() - 1]);
    by_rows(x, &|start, out: &mut [T]| {
        let x = &data[start..][..out.len()];
        let mut stats = [T::ZERO; 2 * ROWS];
        exp_rows(out, x, size, &mut stats, Find::Both);
        vectorized_wide::<T, _>(
            #[inline(always)]
            || {
                let rows = out.chunks_exact_mut(size).zip(x.chunks_exact(size));
                for ((out, x), stats) in rows.zip(stats.chunks_exact(2)) {
                    if log {
                        let log_sum = stats[1].ln();
                        for (o, &v) in out.iter_mut().zip(x) {
                            *o = v - stats[0] - log_sum;
                        }
                    } else {
                        let share = T::ONE / stats[1];
                        for o in out.iter_mut() {
                            *o = *o * share;
                        }
                    }
                }
            },
        );
    })
}

/// The gradient of the softmax, or of its logarithm, from that of its result and the result.
pub(crate) fn softmax_grad(grad: &Array, y: &Array, axis: usize, log: bool) -> Array {
    at_the_end(&[grad, y], axis, |x| with_float!(y, softmax_grad_rows(&x[0], &x[1], log)))
}

fn softmax_grad_rows<T: Float>(grad: &Array, y: &Array, log: bool) -> Array {
    let (grad, data, size) = (slice::<T>(grad), slice::<T>(y), y.shape()[y.rank() - 1]);
    by_rows(y, &|start, out: &mut [T]| {
        let (g, y) = (&grad[start..][..out.len()], &data[start..][..out.len()]);
        if log {
            let len = out.len();
            exp_rows(out, y, len, &mut [T::ZERO; 2], Find::Neither);
        }
        vectorized_wide::<T, _>(
            #[inline(always)]
            || {
                if !log {
                    for (o, (&g, &y)) in out.iter_mut().zip(g.iter().zip(y)) {
                        *o = g * y;
                    }
                }
                let rows = out.chunks_exact_mut(size).zip(g.chunks_exact(size).zip(y.chunks_exact(size)));
                for (out, (g, y)) in rows {
                    let sum = rows::sum(if log { g } else { &*out });
                    if log {
                        for (o, &g) in out.iter_mut().zip(g) {
                            *o = g - *o * sum;
                        }
                    } else {
                        for (o, (&g, &y)) in out.iter_mut().zip(g.iter().zip(y)) {
                            *o = y * (g - sum);
                        }
                    }
                }
            },
        );
    })
}

/// The losses `-log_softmax(x)[target]` of rows, `[N]`, and for each row its largest logit and the logarithm of the
/// sum of the exponentials beside it, `[N, 2]`. They stay apart: added up, large logits would swallow small losses.
pub(crate) fn cross_entropy(x: &Array, target: &Array) -> (Array, Array) {
    let (x, target) = (contiguous(x), contiguous(target));
    let stats = with_float!(x, log_sums(&x));
    (with_float!(x, losses(&x, &stats, &target)), stats)
}

/// The largest element of each row, and the logarithm of the sum of the exponentials of the distances to it.
fn log_sums<T: Float>(x: &Array) -> Array {
    /// The sums of so many exponentials are added one after the other in a long row. The bits hang on it.
    const PIECE: usize = 256;
    /// The exponentials wait here for their sum.
    const SCRATCH: usize = 2 * PIECE;
    let (data, size) = (slice::<T>(x), x.shape()[1].max(1));
    let group = if size > PIECE { 1 } else { SCRATCH / size };
    let chunk = (BLOCK / size).max(1).next_multiple_of(group);
    Array::build([x.shape()[0], 2], |out: &mut [T]| {
        for_each_slice(out, 2 * chunk, COST * size / 2, &|start, out| {
            let x = &data[start / 2 * size..][..out.len() / 2 * size];
            let mut scratch = [T::ZERO; SCRATCH];
            out.fill(T::ZERO);
            for (out, x) in out.chunks_mut(2 * group).zip(x.chunks(group * size)) {
                if size <= PIECE {
                    exp_rows(&mut scratch[..x.len()], x, size, out, Find::Both);
                    continue;
                }
                exp_rows(&mut [], x, size, out, Find::Max);
                for x in x.chunks(SCRATCH) {
                    let mut stats = [out[0], T::ZERO, out[0], T::ZERO];
                    exp_rows(&mut scratch[..x.len()], x, PIECE, &mut stats, Find::Sum);
                    out[1] = out[1] + stats[1] + stats[3];
                }
            }
            vectorized_wide::<T, _>(
                #[inline(always)]
                || {
                    for out in out.chunks_exact_mut(2) {
                        out[1] = out[1].ln();
                    }
                },
            );
        });
    })
}

fn losses<T: Float>(x: &Array, stats: &Array, target: &Array) -> Array {
    let (x, size, stats, target) = (slice::<T>(x), x.shape()[1], slice::<T>(stats), slice_i64(target));
    Array::build(target.len(), |out: &mut [T]| {
        for_each_slice(out, BLOCK, 2, &|start, out| {
            for (i, o) in out.iter_mut().enumerate() {
                let row = start + i;
                *o = stats[2 * row + 1] - (x[row * size + target[row] as usize] - stats[2 * row]);
            }
        });
    })
}

fn slice_i64(x: &Array) -> &[i64] {
    x.as_slice().expect("it was made contiguous")
}

/// The gradient of [`cross_entropy`]'s losses: `(softmax(x) - one_hot(target)) * grad`, row by row.
pub(crate) fn cross_entropy_grad(x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array {
    let [x, target] = [x, target].map(contiguous);
    with_float!(x, cross_entropy_grad_rows(&x, stats, &target, grad))
}

fn cross_entropy_grad_rows<T: Float>(x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array {
    let (data, size, stats, target) = (slice::<T>(x), x.shape()[1], slice::<T>(stats), slice_i64(target));
    // The gradient of a mean is one number, expanded to the rows.
    let (grads, first, step) = (grad.host::<T>(), grad.layout().offset(), grad.layout().strides()[0]);
    by_rows(x, &|start, out: &mut [T]| {
        let row = start / size;
        let count = out.len() / size;
        let mut own = [T::ZERO; 2 * ROWS];
        own[..2 * count].copy_from_slice(&stats[2 * row..][..2 * count]);
        exp_rows(out, &data[start..][..count * size], size, &mut own, Find::Neither);
        vectorized_wide::<T, _>(
            #[inline(always)]
            || {
                for (i, out) in out.chunks_exact_mut(size).enumerate() {
                    let place = target[row + i] as usize;
                    out[place] = out[place] - T::ONE;
                    let grad = grads[(first as isize + (row + i) as isize * step) as usize];
                    for o in out.iter_mut() {
                        *o = *o * grad;
                    }
                }
            },
        );
    })
}
