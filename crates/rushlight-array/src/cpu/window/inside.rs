//! Columns of windows that never leave the image, for convolutions: copies of short vectors whose length the compiler
//! knows. Windows that do leave it get there by a copy of the image with its padding around it.

use super::columns::{self, Segment, segments};
use crate::cpu::gemm::Product;
use crate::cpu::memory::HostBuffer;
use crate::cpu::simd::vectorized_f32;
use crate::window::Window;
use std::ops::Range;

/// The most elements of an image that is copied with its padding: larger ones leave the cache, and have long lines.
const FRAMED: usize = 1 << 17;

/// Room for an image with its padding, if windows reach into it.
pub(super) struct Frame<'a> {
    outer: &'a Window,
    /// The same windows over what [`Frame::image`] gives.
    pub(super) window: Window,
    channels: usize,
    room: Option<HostBuffer>,
}

impl<'a> Frame<'a> {
    pub(super) fn new<T: Product>(outer: &'a Window, channels: usize) -> Self {
        let mut frame = Frame { outer, window: *outer, channels, room: None };
        let inner = around(outer);
        // The padding may be wider than can be counted.
        let size = inner.input.iter().try_fold(channels, |all, &size| all.checked_mul(size));
        if let Some(size) = size.filter(|&size| size <= FRAMED && !outer.stays_inside()) {
            let mut room = HostBuffer::scratch(T::DTYPE, size);
            room.as_mut_slice::<T>().fill(T::default());
            (frame.window, frame.room) = (inner, Some(room));
        }
        frame
    }

    /// Calls `visit` with the places of each line, in the image and in the frame, and its length.
    #[inline(always)]
    fn lines(outer: &Window, inner: &Window, channels: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let ([depth, height, width], [d0, h0, w0]) = (outer.input, outer.padding);
        let mut from = 0;
        for channel in 0..channels {
            for d in 0..depth {
                for h in 0..height {
                    let line = (channel * inner.input[0] + d0 + d) * inner.input[1] + h0 + h;
                    visit(from, line * inner.input[2] + w0, width);
                    from += width;
                }
            }
        }
    }

    /// The image as [`Frame::window`] sees it.
    pub(super) fn image<'b, T: Product>(&'b mut self, image: &'b [T]) -> &'b [T] {
        let Frame { outer, window, channels, room: Some(room) } = self else { return image };
        let framed = room.as_mut_slice::<T>();
        Self::lines(outer, window, *channels, |from, to, len| {
            framed[to..][..len].copy_from_slice(&image[from..][..len]);
        });
        framed
    }

    /// Adds columns up in an image: `work` gets it as [`Frame::window`] sees it, full of zeros.
    pub(super) fn sum<T: Product>(&mut self, image: &mut [T], work: impl FnOnce(&Window, &mut [T])) {
        let Frame { outer, window, channels, room: Some(room) } = self else {
            image.fill(T::default());
            return work(&self.window, image);
        };
        let framed = room.as_mut_slice::<T>();
        framed.fill(T::default());
        work(window, framed);
        Self::lines(outer, window, *channels, |to, from, len| {
            image[to..][..len].copy_from_slice(&framed[from..][..len]);
        });
    }
}

/// The windows over the input with its padding, and with whatever else they reach.
fn around(window: &Window) -> Window {
    let size = |a: usize| {
        let last = window.output[a].saturating_sub(1) * window.stride[a];
        let reach = last + window.kernel[a].saturating_sub(1) * window.dilation[a] + 1;
        window.input[a].saturating_add(window.padding[a]).max(reach)
    };
    Window { input: [size(0), size(1), size(2)], padding: [0; 3], ..*window }
}

/// Calls `visit` with what each place of a window lies behind its first, channel by channel; along the width only with
/// the first `widths` places.
#[inline(always)]
fn for_each_place(window: &Window, channels: usize, widths: usize, mut visit: impl FnMut(usize)) {
    let ([depth, height, width], [dd, dh, dw]) = (window.input, window.dilation);
    for channel in 0..channels {
        for d in 0..window.kernel[0] {
            for h in 0..window.kernel[1] {
                let line = (channel * depth + d * dd) * height + h * dh;
                for w in 0..widths {
                    visit(line * width + w * dw);
                }
            }
        }
    }
}

/// Where the first windows of a segment lies in an image without padding.
fn first_place(window: &Window, s: &Segment) -> usize {
    (s.origin[0] * window.input[1] + s.origin[1]) * window.input[2] + s.first
}

/// Windows side by side: where their first places lie in the image, and their columns.
#[derive(Clone, Copy)]
struct Piece {
    from: usize,
    at: usize,
}

/// Windows cut into pieces whose lengths are known to the compiler: what is to be decided is decided once, not for
/// every place of the windows.
#[derive(Default)]
struct Pieces {
    of_16: Vec<Piece>,
    of_8: Vec<Piece>,
    of_4: Vec<Piece>,
    of_1: Vec<Piece>,
}

impl Pieces {
    fn new(window: &Window, columns: &Range<usize>) -> Self {
        let mut pieces = Pieces::default();
        for s in segments(window, columns) {
            let (mut from, mut at, end) = (first_place(window, &s), s.at, s.at + s.len);
            while at < end {
                let (list, len) = match end - at {
                    16.. => (&mut pieces.of_16, 16),
                    8.. => (&mut pieces.of_8, 8),
                    4.. => (&mut pieces.of_4, 4),
                    _ => (&mut pieces.of_1, 1),
                };
                list.push(Piece { from, at });
                (from, at) = (from + len, at + len);
            }
        }
        pieces
    }
}

/// Does what [`columns::fill`] does.
pub(super) fn fill<T: Product>(
    window: &Window,
    image: &[T],
    channels: usize,
    columns: Range<usize>,
    out: &mut [T],
) {
    if !window.stays_inside() || window.stride[2] != 1 {
        return columns::fill(window, image, channels, columns, out);
    }
    let pieces = Pieces::new(window, &columns);
    vectorized_f32::<T, _>(
        #[inline(always)]
        || {
            let mut rows = out.chunks_exact_mut(columns.len());
            for_each_place(
                window,
                channels,
                window.kernel[2],
                #[inline(always)]
                |place| {
                    let row = rows.next().expect("there is a row for each place");
                    let image = &image[place..];
                    copy::<T, 16>(&pieces.of_16, image, row);
                    copy::<T, 8>(&pieces.of_8, image, row);
                    copy::<T, 4>(&pieces.of_4, image, row);
                    copy::<T, 1>(&pieces.of_1, image, row);
                },
            );
        },
    );
}

#[inline(always)]
fn copy<T: Copy, const L: usize>(pieces: &[Piece], image: &[T], row: &mut [T]) {
    for &Piece { from, at } in pieces {
        let (from, to) = (image[from..].first_chunk::<L>(), row[at..].first_chunk_mut::<L>());
        *to.expect("pieces are inside of the rows") = *from.expect("windows stay inside of the image");
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
    if !window.stays_inside() || window.stride[2] != 1 {
        return columns::add(window, columns, channels, range, image);
    }
    let pieces = Pieces::new(window, &range);
    vectorized_f32::<T, _>(
        #[inline(always)]
        || {
            let mut rows = columns.chunks_exact(range.len());
            for_each_place(
                window,
                channels,
                window.kernel[2],
                #[inline(always)]
                |place| {
                    let row = rows.next().expect("there is a row for each place");
                    let image = &mut image[place..];
                    add_pieces::<T, 16>(&pieces.of_16, row, image);
                    add_pieces::<T, 8>(&pieces.of_8, row, image);
                    add_pieces::<T, 4>(&pieces.of_4, row, image);
                    add_pieces::<T, 1>(&pieces.of_1, row, image);
                },
            );
        },
    );
}

#[inline(always)]
fn add_pieces<T: Product, const L: usize>(pieces: &[Piece], row: &[T], image: &mut [T]) {
    for &Piece { from, at } in pieces {
        let to = image[from..].first_chunk_mut::<L>().expect("windows stay inside of the image");
        let from = row[at..].first_chunk::<L>().expect("pieces are inside of the rows");
        for i in 0..L {
            to[i] = T::add(to[i], from[i]);
        }
    }
}

/// Whether [`fill_rows`] takes the windows.
pub(super) fn has_rows(window: &Window) -> bool {
    window.stays_inside() && window.dilation[2] == 1 && matches!(window.kernel[2], 2..=7)
}

/// The transpose of what [`fill`] writes: a row for each window, along its channels and places.
pub(super) fn fill_rows<T: Product>(
    window: &Window,
    image: &[T],
    channels: usize,
    windows: Range<usize>,
    out: &mut [T],
) {
    let copy = match window.kernel[2] {
        2 => rows_by::<T, 2>,
        3 => rows_by::<T, 3>,
        4 => rows_by::<T, 4>,
        5 => rows_by::<T, 5>,
        6 => rows_by::<T, 6>,
        _ => rows_by::<T, 7>,
    };
    copy(window, image, channels, windows, out);
}

/// Windows that are `K` places wide.
fn rows_by<T: Product, const K: usize>(
    window: &Window,
    image: &[T],
    channels: usize,
    windows: Range<usize>,
    out: &mut [T],
) {
    let mut lines = Vec::with_capacity(channels * window.kernel[0] * window.kernel[1]);
    for_each_place(window, channels, 1, |place| lines.push(place));
    let segments = segments(window, &windows);
    vectorized_f32::<T, _>(
        #[inline(always)]
        || {
            let mut rows = out.chunks_exact_mut(lines.len() * K);
            for s in &segments {
                let first = first_place(window, s);
                for (w, row) in (0..s.len).zip(&mut rows) {
                    let image = &image[first + w * window.stride[2]..];
                    for (out, &line) in row.as_chunks_mut::<K>().0.iter_mut().zip(&lines) {
                        *out = *image[line..].first_chunk().expect("windows stay inside of the image");
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is done here is what `columns` does without knowing any sizes.
    #[test]
    fn columns_are_those_of_the_general_way() {
        let channels = 2;
        for (kernel, width) in [(1, 5), (2, 9), (3, 20), (4, 4), (5, 28), (7, 39)] {
            for (stride, padding, dilation) in [(1, 0, 1), (1, 2, 1), (2, 1, 1), (1, 1, 2), (3, 4, 3)] {
                let input = [2usize, 11, width];
                let kernel = [1, kernel.min(3), kernel];
                let out = |a: usize| {
                    (input[a] + 2 * padding)
                        .checked_sub(dilation * (kernel[a] - 1) + 1)
                        .map(|x| x / stride + 1)
                };
                let (Some(d), Some(h), Some(w)) = (out(0), out(1), out(2)) else { continue };
                let window = Window {
                    input,
                    kernel,
                    output: [d, h, w],
                    stride: [stride; 3],
                    padding: [padding; 3],
                    dilation: [dilation; 3],
                };
                let image: Vec<f32> = (1..=channels * window.input_len()).map(|x| x as f32).collect();
                for windows in [0..window.output_len(), 1..window.output_len().min(w + 2)] {
                    check(&window, &image, channels, windows);
                }
            }
        }
    }

    #[test]
    fn padding_that_cannot_be_counted_is_not_copied() {
        let window = Window {
            input: [1, 3, 3],
            kernel: [1, 2, 2],
            output: [1, 3, 3],
            stride: [1, 1 << 50, 1 << 50],
            padding: [0, 1 << 50, 1 << 50],
            dilation: [1, 1, 1],
        };
        assert_eq!(Frame::new::<f32>(&window, 2).window, window);
    }

    fn check(window: &Window, image: &[f32], channels: usize, windows: Range<usize>) {
        let rows = channels * window.kernel_len();
        let mut expected = vec![0.0; rows * windows.len()];
        columns::fill(window, image, channels, windows.clone(), &mut expected);
        let mut frame = Frame::new::<f32>(window, channels);
        assert!(frame.window.stays_inside());
        let inner = frame.window;
        let framed = frame.image(image).to_vec();
        let mut columns = vec![f32::NAN; expected.len()];
        fill(&inner, &framed, channels, windows.clone(), &mut columns);
        assert_eq!(columns, expected, "{window:?}");
        if has_rows(&inner) {
            let mut transposed = vec![f32::NAN; expected.len()];
            fill_rows(&inner, &framed, channels, windows.clone(), &mut transposed);
            for (i, &x) in transposed.iter().enumerate() {
                assert_eq!(x, expected[i % rows * windows.len() + i / rows], "{window:?}");
            }
        }
        let mut sums = vec![0.0; image.len()];
        columns::add(window, &expected, channels, windows.clone(), &mut sums);
        let mut added = vec![f32::NAN; image.len()];
        // Twice, since the frame is used again.
        for _ in 0..2 {
            frame.sum(&mut added, |window, image| add(window, &expected, channels, windows.clone(), image));
        }
        assert_eq!(added, sums, "{window:?}");
        assert_eq!(frame.image(image), framed, "{window:?}");
    }
}
