//! Pools: the largest element or the mean of each window.

use super::{slice, with_number};
use crate::array::Array;
use crate::cpu::contiguous;
use crate::cpu::gemm::Product;
use crate::cpu::simd::vectorized_f32;
use crate::cpu::threads::{for_each_pair, for_each_slice, for_each_slices};
use crate::dtype::DType;
use crate::profile::{kernel, kernels};
use crate::window::{Span, Spans};

/// The cost of an element of a window in additions: comparisons branch.
const COST: usize = 2;

/// Elements of the input that make a task.
const TASK: usize = 1 << 14;

impl Spans {
    fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    pub(super) fn output_len(&self) -> usize {
        self.output().iter().product()
    }

    /// How many planes are one task.
    fn group(&self) -> usize {
        (TASK / (self.input_len() + self.output_len()).max(1)).max(1)
    }

    /// The cost of an element of the result.
    fn cost(&self) -> usize {
        COST * (self.input_len() / self.output_len().max(1)).max(4)
    }

    pub(super) fn result_shape(&self, planes: usize) -> [usize; 4] {
        let [d, h, w] = self.output();
        [planes, d, h, w]
    }

    fn input_shape(&self, planes: usize) -> [usize; 4] {
        let [d, h, w] = self.input;
        [planes, d, h, w]
    }

    /// Calls `visit(number, spans)` for every window of a plane, in order.
    #[inline(always)]
    fn windows(&self, mut visit: impl FnMut(usize, [&Span; 3])) {
        let mut number = 0;
        for d in &self.axes[0] {
            for h in &self.axes[1] {
                for w in &self.axes[2] {
                    visit(number, [d, h, w]);
                    number += 1;
                }
            }
        }
    }

    /// Calls `visit(place)` for every place of a window, in order.
    #[inline(always)]
    fn places(&self, [d, h, w]: [&Span; 3], mut visit: impl FnMut(usize)) {
        let [_, height, width] = self.input;
        for z in (d.start..d.end).step_by(self.step[0]) {
            for y in (h.start..h.end).step_by(self.step[1]) {
                let line = (z * height + y) * width;
                for x in (w.start..w.end).step_by(self.step[2]) {
                    visit(line + x);
                }
            }
        }
    }

    /// The widths of a line and of its result, if the windows are the pairs of columns of all pairs of lines: what most
    /// networks ask for.
    fn pairs(&self) -> Option<[usize; 2]> {
        let apart =
            |axis: &[Span]| axis.iter().enumerate().all(|(i, s)| (s.start, s.end) == (2 * i, 2 * i + 2));
        let [_, height, width] = self.output();
        let flat = self.input[0] == 1 && self.axes[0].len() == 1 && self.axes[0][0].end == 1;
        let whole = flat && self.step[1..] == [1, 1] && apart(&self.axes[1]) && apart(&self.axes[2]);
        let fits = height > 0 && width > 0 && self.input[2] < i32::MAX as usize;
        (whole && fits).then_some([self.input[2], width])
    }

    fn divisor(&self, [d, h, w]: [&Span; 3]) -> i64 {
        self.divisor.unwrap_or((d.count * h.count * w.count) as i64)
    }
}

/// Numbers that have a largest and a mean.
pub(super) trait Pooled: Product {
    /// Below all others.
    const LEAST: Self;
    /// The quotient; of integers cut towards zero.
    fn over(self, divisor: i64) -> Self;
}

impl Pooled for f32 {
    const LEAST: f32 = f32::NEG_INFINITY;
    fn over(self, divisor: i64) -> f32 {
        self / divisor as f32
    }
}

impl Pooled for f64 {
    const LEAST: f64 = f64::NEG_INFINITY;
    fn over(self, divisor: i64) -> f64 {
        self / divisor as f64
    }
}

impl Pooled for i64 {
    const LEAST: i64 = i64::MIN;
    fn over(self, divisor: i64) -> i64 {
        self.wrapping_div(divisor)
    }
}

/// The largest element of each window of the planes `[planes, depth, height, width]`, and its place in the plane as
/// i64. The first of equals is taken; NaN wins.
pub(crate) fn max(spans: &Spans, x: &Array) -> (Array, Array) {
    let _span = kernel("max_pool", || kernels::traffic(&[x]));
    let x = contiguous(x);
    with_number!(x, max_as(spans, &x))
}

fn max_as<T: Pooled>(spans: &Spans, x: &Array) -> (Array, Array) {
    let (planes, len, size) = (x.shape()[0], spans.input_len(), spans.output_len());
    let (data, shape) = (slice::<T>(x), spans.result_shape(planes));
    let (chunk, largest) = (size * spans.group(), Largest::new(spans));
    let mut values = None;
    let index = Array::build(shape, |index: &mut [i64]| {
        values = Some(Array::build(shape, |values: &mut [T]| {
            for_each_pair(values, index, [chunk, chunk], spans.cost(), &|number, values, index| {
                let x = &data[number * spans.group() * len..][..values.len() / size * len];
                largest.planes(x, values, Some(index));
            });
        }));
    });
    (values.expect("it was built beside the places"), index)
}

/// How the largest elements of windows are found.
pub(super) struct Largest<'a> {
    spans: &'a Spans,
    taps: Vec<Tap>,
    pairs: Option<[usize; 2]>,
}

impl<'a> Largest<'a> {
    pub(super) fn new(spans: &'a Spans) -> Self {
        Largest { spans, taps: taps(&spans.axes[2], spans.step[2]), pairs: spans.pairs() }
    }

    /// The largest elements of some planes, and their places if they are wanted.
    pub(super) fn planes<T: Pooled>(&self, x: &[T], values: &mut [T], index: Option<&mut [i64]>) {
        match (index, self.pairs) {
            (Some(index), _) => self.find::<T, true>(x, values, index),
            (None, Some(_)) if const { matches!(T::DTYPE, DType::F32) } => {
                self.find::<T, false>(x, values, &mut []);
            }
            (None, _) => self.find::<T, true>(x, values, &mut vec![0; values.len()]),
        }
    }

    /// The places are found if `PLACES`, else only windows side by side.
    #[inline(never)]
    fn find<T: Pooled, const PLACES: bool>(&self, x: &[T], values: &mut [T], mut index: &mut [i64]) {
        let (len, size) = (self.spans.input_len(), self.spans.output_len());
        // In f64 and i64, which networks seldom pool, the general way does: it gives the same.
        let pairs = if const { matches!(T::DTYPE, DType::F32) } { self.pairs } else { None };
        vectorized_f32::<T, _>(
            #[inline(always)]
            || {
                for (x, values) in x.chunks_exact(len).zip(values.chunks_exact_mut(size)) {
                    let some;
                    (some, index) = std::mem::take(&mut index).split_at_mut(if PLACES { size } else { 0 });
                    match pairs {
                        Some(lines) => max_of_pairs::<T, PLACES>(lines, x, values, some),
                        None => max_plane(self.spans, &self.taps, x, values, some),
                    }
                }
            },
        );
    }
}

/// Windows along the width that have a place with one number, in a row: their first, their count, the place in the first,
/// and from window to window. A line of the result is computed tap by tap, so that neighbours are one vector.
struct Tap {
    first: usize,
    count: usize,
    place: usize,
    stride: usize,
}

/// The taps of the windows along an axis, by their numbers in the windows.
fn taps(axis: &[Span], step: usize) -> Vec<Tap> {
    let most =
        axis.iter().map(|span| (span.end.saturating_sub(span.start)).div_ceil(step)).max().unwrap_or(0);
    let mut all: Vec<Tap> = Vec::new();
    for k in 0..most {
        let mut run: Option<Tap> = None;
        for (i, span) in axis.iter().enumerate() {
            let place = span.start + k * step;
            if place >= span.end {
                all.extend(run.take());
                continue;
            }
            match &mut run {
                Some(tap) if tap.count == 1 && place > tap.place => {
                    (tap.stride, tap.count) = (place - tap.place, 2);
                }
                Some(tap) if tap.count > 1 && place == tap.place + tap.count * tap.stride => tap.count += 1,
                _ => all.extend(run.replace(Tap { first: i, count: 1, place, stride: 1 })),
            }
        }
        all.extend(run);
    }
    all
}

/// Windows of two by two, side by side, without a loop over their places: the four of them stay in registers.
#[inline(always)]
fn max_of_pairs<T: Pooled, const PLACES: bool>(
    [width, columns]: [usize; 2],
    x: &[T],
    values: &mut [T],
    index: &mut [i64],
) {
    let mut places = index.chunks_exact_mut(columns);
    for (number, values) in values.chunks_exact_mut(columns).enumerate() {
        let index = places.next().unwrap_or_default();
        let first = 2 * number * width;
        let (upper, lower) = (&x[first..][..2 * columns], &x[first + width..][..2 * columns]);
        let mut pairs = Pairs {
            upper: upper.as_chunks().0,
            lower: lower.as_chunks().0,
            width: width as i32,
            place: first as i64,
            values,
            index,
        };
        pairs.take::<8, PLACES>();
        pairs.take::<4, PLACES>();
        pairs.take::<1, PLACES>();
    }
}

/// What is left of two lines and of the line of results.
struct Pairs<'a, 'b, T> {
    upper: &'a [[T; 2]],
    lower: &'a [[T; 2]],
    width: i32,
    /// Of the first upper element.
    place: i64,
    values: &'b mut [T],
    index: &'b mut [i64],
}

impl<T: Pooled> Pairs<'_, '_, T> {
    /// Takes windows off the front, `L` at a time, as long as there are so many. Their numbers are those of 32 bits
    /// until the end, which are as wide as most elements.
    #[inline(always)]
    fn take<const L: usize, const PLACES: bool>(&mut self) {
        let (upper, lower) = (self.upper.as_chunks::<L>(), self.lower.as_chunks::<L>());
        let (values, values_rest) = std::mem::take(&mut self.values).as_chunks_mut::<L>();
        let (index, index_rest) = std::mem::take(&mut self.index).as_chunks_mut::<L>();
        let mut index = index.iter_mut();
        for ((upper, lower), value) in upper.0.iter().zip(lower.0).zip(values) {
            let (mut best, mut at) = ([T::default(); L], [0; L]);
            for i in 0..L {
                best[i] = upper[i][0];
            }
            for i in 0..L {
                take_larger(&mut best[i], &mut at[i], upper[i][1], 1);
            }
            for i in 0..L {
                take_larger(&mut best[i], &mut at[i], lower[i][0], self.width);
            }
            for i in 0..L {
                take_larger(&mut best[i], &mut at[i], lower[i][1], self.width + 1);
            }
            *value = best;
            if PLACES {
                let index = index.next().expect("there is a place for each value");
                for i in 0..L {
                    index[i] = self.place + 2 * i as i64 + i64::from(at[i]);
                }
                self.place += 2 * L as i64;
            }
        }
        (self.upper, self.lower) = (upper.1, lower.1);
        (self.values, self.index) = (values_rest, index_rest);
    }
}

#[inline(always)]
fn max_plane<T: Pooled>(spans: &Spans, taps: &[Tap], x: &[T], values: &mut [T], index: &mut [i64]) {
    let ([_, height, width], columns) = (spans.input, &spans.axes[2]);
    let lines = values.chunks_exact_mut(columns.len()).zip(index.chunks_exact_mut(columns.len()));
    let windows = spans.axes[0].iter().flat_map(|d| spans.axes[1].iter().map(move |h| (d, h)));
    for ((values, index), (d, h)) in lines.zip(windows) {
        let first = (d.start * height + h.start) * width;
        values.fill(T::LEAST);
        for (index, span) in index.iter_mut().zip(columns) {
            *index = (first + span.start) as i64;
        }
        for z in (d.start..d.end).step_by(spans.step[0]) {
            for y in (h.start..h.end).step_by(spans.step[1]) {
                let line = (z * height + y) * width;
                for tap in taps {
                    let values = &mut values[tap.first..][..tap.count];
                    let index = &mut index[tap.first..][..tap.count];
                    let at = line + tap.place;
                    match tap.stride {
                        1 => larger::<T, 1>(&x[at..], at, values, index),
                        2 => larger::<T, 2>(&x[at..], at, values, index),
                        stride => {
                            for (i, (value, index)) in values.iter_mut().zip(index).enumerate() {
                                take_larger(value, index, x[at + i * stride], (at + i * stride) as i64);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One tap of a line of windows that are `S` places apart.
#[inline(always)]
fn larger<T: Pooled, const S: usize>(x: &[T], at: usize, values: &mut [T], index: &mut [i64]) {
    let x = &x[..(values.len() - 1) * S + 1];
    for (i, (value, index)) in values.iter_mut().zip(index).enumerate() {
        take_larger(value, index, x[i * S], (at + i * S) as i64);
    }
}

#[inline(always)]
#[allow(clippy::eq_op, reason = "NaN is not equal to itself")]
fn take_larger<T: Pooled, I: Copy>(best: &mut T, index: &mut I, value: T, place: I) {
    let wins = value > *best || value != value;
    *best = if wins { value } else { *best };
    *index = if wins { place } else { *index };
}

/// The gradient of the planes from that of their largest elements, whose places are given.
pub(crate) fn max_grad(spans: &Spans, grad: &Array, index: &Array) -> Array {
    let _span = kernel("max_pool_grad", || kernels::traffic(&[grad, index]));
    let (grad, index) = (contiguous(grad), contiguous(index));
    with_number!(grad, max_grad_as(spans, &grad, &index))
}

fn max_grad_as<T: Pooled>(spans: &Spans, grad: &Array, index: &Array) -> Array {
    let (planes, len, size) = (grad.shape()[0], spans.input_len(), spans.output_len());
    let (grad, index) = (slice::<T>(grad), slice::<i64>(index));
    Array::build(spans.input_shape(planes), |out: &mut [T]| {
        for_each_slice(out, len * spans.group(), 2, &|start, out| {
            out.fill(T::default());
            for (i, out) in out.chunks_exact_mut(len).enumerate() {
                let places = (start / len + i) * size..(start / len + i + 1) * size;
                for (&g, &place) in grad[places.clone()].iter().zip(&index[places]) {
                    out[place as usize] = T::add(out[place as usize], g);
                }
            }
        });
    })
}

/// The mean of each window of the planes `[planes, depth, height, width]`.
pub(crate) fn avg(spans: &Spans, x: &Array) -> Array {
    let _span = kernel("avg_pool", || kernels::traffic(&[x]));
    let x = contiguous(x);
    with_number!(x, avg_as(spans, &x))
}

fn avg_as<T: Pooled>(spans: &Spans, x: &Array) -> Array {
    let (planes, len, size) = (x.shape()[0], spans.input_len(), spans.output_len());
    let data = slice::<T>(x);
    Array::build(spans.result_shape(planes), |out: &mut [T]| {
        for_each_slice(out, size * spans.group(), spans.cost(), &|start, out| {
            for (i, out) in out.chunks_exact_mut(size).enumerate() {
                let x = &data[(start / size + i) * len..][..len];
                spans.windows(|i, window| {
                    let mut sum = T::default();
                    spans.places(window, |place| sum = T::add(sum, x[place]));
                    out[i] = sum.over(spans.divisor(window));
                });
            }
        });
    })
}

/// The gradient of the planes from that of their means.
pub(crate) fn avg_grad(spans: &Spans, grad: &Array) -> Array {
    let _span = kernel("avg_pool_grad", || kernels::traffic(&[grad]));
    let grad = contiguous(grad);
    with_number!(grad, avg_grad_as(spans, &grad))
}

fn avg_grad_as<T: Pooled>(spans: &Spans, grad: &Array) -> Array {
    let (planes, len, size) = (grad.shape()[0], spans.input_len(), spans.output_len());
    let data = slice::<T>(grad);
    Array::build(spans.input_shape(planes), |out: &mut [T]| {
        for_each_slices([out], [len * spans.group()], 2 * COST, &|chunk, [out]| {
            out.fill(T::default());
            for (i, out) in out.chunks_exact_mut(len).enumerate() {
                let grad = &data[(chunk * spans.group() + i) * size..][..size];
                spans.windows(|i, window| {
                    let share = grad[i].over(spans.divisor(window));
                    spans.places(window, |place| out[place] = T::add(out[place], share));
                });
            }
        });
    })
}
