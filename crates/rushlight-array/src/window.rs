//! Windows that slide over depth, height and width: the geometry of convolutions, pools and unfolding.
//!
//! There are always three axes; with one or two the first ones have a single place.

/// Evenly spaced windows of one size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// The sizes of what the windows slide over, without padding.
    pub input: [usize; 3],
    /// The number of places that a window takes along each axis.
    pub kernel: [usize; 3],
    /// The number of windows along each axis. What a window reads outside of the input is zero.
    pub output: [usize; 3],
    /// From window to window.
    pub stride: [usize; 3],
    /// How far the first window begins before the input.
    pub padding: [usize; 3],
    /// From place to place inside of a window.
    pub dilation: [usize; 3],
}

impl Window {
    /// The number of elements of a channel.
    pub fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// The number of elements of a window.
    pub fn kernel_len(&self) -> usize {
        self.kernel.iter().product()
    }

    /// The number of windows.
    pub fn output_len(&self) -> usize {
        self.output.iter().product()
    }

    /// Whether no window reaches outside of the input.
    pub fn stays_inside(&self) -> bool {
        let inside = |a: usize| {
            let last = self.output[a].saturating_sub(1) * self.stride[a];
            last + self.kernel[a].saturating_sub(1) * self.dilation[a] < self.input[a]
        };
        self.padding == [0; 3] && (0..3).all(inside)
    }

    /// Whether each element is a window of its own.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == [1; 3] && self.stride == [1; 3] && self.padding == [0; 3] && self.output == self.input
    }
}

/// A convolution: windows, and the numbers of samples and channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv {
    /// Where the windows lie.
    pub window: Window,
    /// The number of samples.
    pub batch: usize,
    /// Channels are cut into so many groups, which have nothing to do with each other.
    pub groups: usize,
    /// The number of input channels of a group.
    pub inputs: usize,
    /// The number of output channels of a group.
    pub outputs: usize,
}

impl Conv {
    /// `[N, channels, depth, height, width]` of the input.
    pub fn input_shape(&self) -> [usize; 5] {
        let [d, h, w] = self.window.input;
        [self.batch, self.groups * self.inputs, d, h, w]
    }

    /// `[channels out, channels in of a group, depth, height, width]` of the weight.
    pub fn weight_shape(&self) -> [usize; 5] {
        let [d, h, w] = self.window.kernel;
        [self.groups * self.outputs, self.inputs, d, h, w]
    }

    /// `[N, channels, depth, height, width]` of the result.
    pub fn output_shape(&self) -> [usize; 5] {
        let [d, h, w] = self.window.output;
        [self.batch, self.groups * self.outputs, d, h, w]
    }
}

/// The part of an axis that a window of a pool covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Its first place.
    pub start: usize,
    /// Behind its last place.
    pub end: usize,
    /// The number of places that count for a mean, which may include padding.
    pub count: usize,
}

/// The windows of a pool along each axis, which need not have one size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spans {
    /// The sizes of what is pooled.
    pub input: [usize; 3],
    /// The windows along each axis.
    pub axes: [Vec<Span>; 3],
    /// From place to place inside of a window.
    pub step: [usize; 3],
    /// What a mean divides by, if it is not the number of places.
    pub divisor: Option<i64>,
}

impl Spans {
    /// Evenly spaced windows; the places of the padding count for a mean if wanted, those beyond it never.
    pub fn regular(window: &Window, count_padding: bool) -> Spans {
        let axis = |a: usize| {
            let (size, padding, step) = (window.input[a], window.padding[a], window.dilation[a]);
            let span = |i: usize| {
                // Counted from the padding's first place.
                let first = i * window.stride[a];
                let behind = first + (window.kernel[a] - 1) * step + 1;
                let skipped = padding.saturating_sub(first).div_ceil(step) * step;
                let start = first + skipped - padding;
                let end = behind.saturating_sub(padding).min(size);
                let padded = behind.min(size + 2 * padding) - first;
                let count = if count_padding { padded } else { end.saturating_sub(start) };
                Span { start, end, count }
            };
            (0..window.output[a]).map(span).collect()
        };
        Spans { input: window.input, axes: [axis(0), axis(1), axis(2)], step: window.dilation, divisor: None }
    }

    /// Windows that cut each axis into a number of parts, as equal as possible; neighbours may share a place.
    pub fn adaptive(input: [usize; 3], output: [usize; 3]) -> Spans {
        let axis = |a: usize| {
            let (size, parts) = (input[a] as u128, output[a] as u128);
            let span = |i: u128| {
                let (start, end) = ((i * size / parts) as usize, ((i + 1) * size).div_ceil(parts) as usize);
                Span { start, end, count: end - start }
            };
            (0..parts).map(span).collect()
        };
        Spans { input, axes: [axis(0), axis(1), axis(2)], step: [1; 3], divisor: None }
    }

    /// The number of windows along each axis.
    pub fn output(&self) -> [usize; 3] {
        self.axes.each_ref().map(Vec::len)
    }
}
