//! Windows as columns (im2col), and columns added up in the places that they came from (col2im).
//!
//! The columns of an image are a matrix: a row for each channel and place of the window, a column for each window.

use super::{for_each_unit, slice, with_number};
use crate::array::Array;
use crate::cpu::contiguous;
use crate::cpu::gemm::Product;
use crate::cpu::simd::vectorized_f32;
use crate::cpu::threads::for_each_slice;
use crate::cpu::with_carrier;
use crate::dtype::Element;
use crate::window::Window;
use std::ops::Range;

/// Neighbouring columns of one row, which lie in one line of the image or in its padding.
struct Run {
    /// Where they begin among the columns.
    at: usize,
    len: usize,
    /// Where the first lies in the image; the next ones follow by the window's stride.
    from: Option<usize>,
}

/// The windows of one output line that are among the wanted columns.
pub(super) struct Segment {
    /// Depth and height of the first place, with the padding.
    pub(super) origin: [usize; 2],
    /// Width of the first place, with the padding.
    pub(super) first: usize,
    /// The column of the first window.
    pub(super) at: usize,
    pub(super) len: usize,
}

pub(super) fn segments(window: &Window, columns: &Range<usize>) -> Vec<Segment> {
    let [_, height, width] = window.output;
    let mut all = Vec::with_capacity(columns.len() / width.max(1) + 2);
    let mut next = columns.start;
    while next < columns.end {
        let (line, w) = (next / width, next % width);
        let len = (width - w).min(columns.end - next);
        all.push(Segment {
            origin: [line / height * window.stride[0], line % height * window.stride[1]],
            first: w * window.stride[2],
            at: next - columns.start,
            len,
        });
        next += len;
    }
    all
}

/// Calls `visit` for every run of the columns, row by row.
#[inline(always)]
fn runs(window: &Window, channels: usize, columns: &Range<usize>, mut visit: impl FnMut(Run)) {
    let segments = segments(window, columns);
    let [depth, height, width] = window.input;
    let (stride, padding) = (window.stride[2], window.padding[2]);
    // Divisions would take longer than the copy of a short run.
    let steps = |places: usize| if stride == 1 { places } else { places.div_ceil(stride) };
    let inside = |place: usize, axis: usize| {
        let place = place.wrapping_sub(window.padding[axis]);
        (place < window.input[axis]).then_some(place)
    };
    let mut row = 0;
    for channel in 0..channels {
        for kd in 0..window.kernel[0] {
            for kh in 0..window.kernel[1] {
                for kw in 0..window.kernel[2] {
                    for s in &segments {
                        let at = row + s.at;
                        let d = inside(s.origin[0] + kd * window.dilation[0], 0);
                        let h = inside(s.origin[1] + kh * window.dilation[1], 1);
                        let (Some(d), Some(h)) = (d, h) else {
                            visit(Run { at, len: s.len, from: None });
                            continue;
                        };
                        let line = ((channel * depth + d) * height + h) * width;
                        let first = s.first + kw * window.dilation[2];
                        // The windows from `low` to `high` have this place inside of the line.
                        let low = steps(padding.saturating_sub(first)).min(s.len);
                        let high = steps((width + padding).saturating_sub(first)).clamp(low, s.len);
                        if low > 0 {
                            visit(Run { at, len: low, from: None });
                        }
                        if high > low {
                            let from = line + first + low * stride - padding;
                            visit(Run { at: at + low, len: high - low, from: Some(from) });
                        }
                        if high < s.len {
                            visit(Run { at: at + high, len: s.len - high, from: None });
                        }
                    }
                    row += columns.len();
                }
            }
        }
    }
}

/// Writes the given columns of an image `[channels, depth, height, width]` into a matrix.
pub(super) fn fill<T: Element>(
    window: &Window,
    image: &[T],
    channels: usize,
    columns: Range<usize>,
    out: &mut [T],
) {
    let stride = window.stride[2];
    vectorized_f32::<T, _>(
        #[inline(always)]
        || {
            runs(
                window,
                channels,
                &columns,
                #[inline(always)]
                |run| {
                    let out = &mut out[run.at..][..run.len];
                    match run.from {
                        None => out.fill(T::default()),
                        Some(from) if stride == 1 => copy(&image[from..][..run.len], out),
                        Some(from) => {
                            for (out, &x) in out.iter_mut().zip(image[from..].iter().step_by(stride)) {
                                *out = x;
                            }
                        }
                    }
                },
            );
        },
    );
}

/// A copy of a short run: a call of the system's would take longer than the work.
#[inline(always)]
fn copy<T: Element>(mut from: &[T], mut to: &mut [T]) {
    if from.len() > 128 {
        return to.copy_from_slice(from);
    }
    macro_rules! parts {
        ($repeat:tt $len:literal) => {
            $repeat let Some((x, from_rest)) = from.split_first_chunk::<$len>() {
                let (out, rest) = to.split_first_chunk_mut::<$len>().expect("they are of one length");
                *out = *x;
                (from, to) = (from_rest, rest);
            }
        };
    }
    parts!(while 16);
    parts!(if 8);
    parts!(if 4);
    parts!(if 2);
    if let (Some(&x), Some(out)) = (from.first(), to.first_mut()) {
        *out = x;
    }
}

/// Adds the given columns to the places of an image that [`fill`] takes them from.
pub(super) fn add<T: Product>(
    window: &Window,
    columns: &[T],
    channels: usize,
    range: Range<usize>,
    image: &mut [T],
) {
    let stride = window.stride[2];
    vectorized_f32::<T, _>(
        #[inline(always)]
        || {
            runs(
                window,
                channels,
                &range,
                #[inline(always)]
                |run| {
                    let Some(from) = run.from else { return };
                    let columns = &columns[run.at..][..run.len];
                    if stride == 1 {
                        for (x, &c) in image[from..][..run.len].iter_mut().zip(columns) {
                            *x = T::add(*x, c);
                        }
                    } else {
                        for (x, &c) in image[from..].iter_mut().step_by(stride).zip(columns) {
                            *x = T::add(*x, c);
                        }
                    }
                },
            );
        },
    );
}

/// The windows of `[N, C, ...]` as columns, `[N, C * kernel, windows]`.
pub(crate) fn unfold(window: &Window, x: &Array) -> Array {
    let x = contiguous(x);
    with_carrier!(x.dtype(), T => unfold_as::<T>(window, &x)).retype(x.dtype())
}

fn unfold_as<T: Element>(window: &Window, x: &Array) -> Array {
    let (batch, channels) = (x.shape()[0], x.shape()[1]);
    let (data, plane) = (x.dense::<T>(), window.input_len());
    let (kernel, count) = (window.kernel_len(), window.output_len());
    Array::build([batch, channels * kernel, count], |out: &mut [T]| {
        for_each_slice(out, kernel * count, 2, &|start, out| {
            let channel = start / (kernel * count);
            fill(window, &data[channel * plane..][..plane], 1, 0..count, out);
        });
    })
}

/// The sums of columns `[N, C * kernel, windows]` in the places of `[N, C, ...]` that [`unfold`] takes them from.
pub(crate) fn fold(window: &Window, columns: &Array) -> Array {
    let columns = contiguous(columns);
    with_number!(columns, fold_as(window, &columns))
}

fn fold_as<T: Product>(window: &Window, columns: &Array) -> Array {
    let (kernel, count) = (window.kernel_len(), window.output_len());
    let (batch, channels) = (columns.shape()[0], columns.shape()[1] / kernel);
    let ([d, h, w], data) = (window.input, slice::<T>(columns));
    Array::build([batch, channels, d, h, w], |out: &mut [T]| {
        for_each_unit(out, window.input_len(), kernel, &|channel, image| {
            image.fill(T::default());
            add(window, &data[channel * kernel * count..][..kernel * count], 1, 0..count, image);
        });
    })
}
