//! Operations over windows and channels, forward and backward, for the rules of autograd: checked for dtype here,
//! computed by the device's backend. Shapes are the callers' business.

use super::Array;
use crate::window::{Conv, Spans, Window};

impl Array {
    /// The convolution of this array with a weight, plus a bias for each channel.
    ///
    /// Shape: those of [`Conv::input_shape`], [`Conv::weight_shape`] and `[channels out]` -> [`Conv::output_shape`].
    /// Any other shape with as many elements will do for the arguments.
    pub fn conv(&self, conv: &Conv, weight: &Array, bias: Option<&Array>) -> Array {
        let compute = self.dtype().compute();
        let (x, weight, bias) =
            (self.cast(compute), weight.cast(compute), bias.map(|bias| bias.cast(compute)));
        self.device().backend().conv(conv, &x, &weight, bias.as_ref()).into_dtype(self.dtype())
    }

    /// [`Array::conv`] with negative results made zero, and of those the largest of each window if there is a `pool` over
    /// the planes; also their places in the planes, if `places`. The numbers are those of one after the other, in one pass.
    pub fn conv_relu(
        &self,
        conv: &Conv,
        weight: &Array,
        bias: Option<&Array>,
        pool: Option<&Spans>,
        places: bool,
    ) -> (Array, Option<Array>) {
        if self.dtype() == self.dtype().compute() {
            return self.device().backend().conv_relu(conv, self, weight, bias, pool, places);
        }
        // Sums are rounded before they are compared.
        let y = self.conv(conv, weight, bias).relu();
        let Some(spans) = pool else { return (y, None) };
        let [n, c, d, h, w] = conv.output_shape();
        let (values, index) = y.reshape([n * c, d, h, w]).max_pool(spans);
        (values, places.then_some(index))
    }

    /// The gradient of the input of [`Array::conv`] from that of its result (this array): a transposed convolution.
    pub fn conv_grad_input(&self, conv: &Conv, weight: &Array) -> Array {
        let compute = self.dtype().compute();
        let (grad, weight) = (self.cast(compute), weight.cast(compute));
        self.device().backend().conv_grad_input(conv, &grad, &weight).into_dtype(self.dtype())
    }

    /// The gradient of the weight of [`Array::conv`] from that of its result (this array).
    pub fn conv_grad_weight(&self, conv: &Conv, x: &Array) -> Array {
        let compute = self.dtype().compute();
        let (grad, x) = (self.cast(compute), x.cast(compute));
        self.device().backend().conv_grad_weight(conv, &grad, &x).into_dtype(self.dtype())
    }

    /// The windows of `[N, C, ...]` as columns, `[N, C * kernel, windows]`.
    pub fn unfold_windows(&self, window: &Window) -> Array {
        self.device().backend().unfold_windows(window, self)
    }

    /// The sums of the columns `[N, C * kernel, windows]` in the places that [`Array::unfold_windows`] takes them from.
    pub fn fold_windows(&self, window: &Window) -> Array {
        let columns = self.in_dtype(self.dtype().sum_type());
        self.device().backend().fold_windows(window, &columns).into_dtype(self.dtype())
    }

    /// The largest elements of the windows of `[planes, depth, height, width]`, and their places in the planes.
    pub fn max_pool(&self, spans: &Spans) -> (Array, Array) {
        let (values, index) =
            self.device().backend().max_pool(spans, &self.in_dtype(self.dtype().sum_type()));
        (values.into_dtype(self.dtype()), index)
    }

    /// The gradient of [`Array::max_pool`]'s planes from that of its result (this array).
    pub fn max_pool_grad(&self, spans: &Spans, index: &Array) -> Array {
        let grad = self.in_dtype(self.dtype().sum_type());
        self.device().backend().max_pool_grad(spans, &grad, index).into_dtype(self.dtype())
    }

    /// The means of the windows of `[planes, depth, height, width]`.
    pub fn avg_pool(&self, spans: &Spans) -> Array {
        let x = self.in_dtype(self.dtype().sum_type());
        self.device().backend().avg_pool(spans, &x).into_dtype(self.dtype())
    }

    /// The gradient of [`Array::avg_pool`]'s planes from that of its result (this array).
    pub fn avg_pool_grad(&self, spans: &Spans) -> Array {
        let grad = self.in_dtype(self.dtype().sum_type());
        self.device().backend().avg_pool_grad(spans, &grad).into_dtype(self.dtype())
    }

    /// Mean and variance of each channel of `[N, C, L]`, as `[C, 2]`; the variance is the mean of the squares of the
    /// distances. Of half precision in `f32`.
    pub fn channel_stats(&self) -> Array {
        let x = self.in_dtype(self.dtype().compute());
        self.device().backend().channel_stats(&x.long_rows().0)
    }

    /// For each channel of `[N, C, L]` the sum of the gradients (this array), and that of their products with the
    /// distances of `x` from the channel's mean: `[C, 2]`.
    pub fn channel_grad_sums(&self, x: &Array, mean: &Array) -> Array {
        let (grad, x) = (self.in_dtype(mean.dtype()), x.in_dtype(mean.dtype()));
        self.device().backend().channel_grad_sums(&grad.long_rows().0, &x.long_rows().0, mean)
    }

    /// `(x - m) a + b` with `m, a, b` of each channel of `[N, C, L]`, `[C, 3]`.
    pub fn channel_scale(&self, factors: &Array) -> Array {
        let x = self.in_dtype(factors.dtype());
        let (rows, turned) = x.long_rows();
        let y = self.device().backend().channel_scale(&rows, factors);
        y.short_rows(self.shape(), turned).into_dtype(self.dtype())
    }

    /// `g a + (x - m) b + c` with `m, a, b, c` of each channel of `[N, C, L]`, `[C, 4]`; `g` is this array.
    pub fn channel_mix(&self, x: &Array, factors: &Array) -> Array {
        let (grad, wide) = (self.in_dtype(factors.dtype()), x.in_dtype(factors.dtype()));
        let (rows, turned) = wide.long_rows();
        let out = self.device().backend().channel_mix(&grad.long_rows().0, &rows, factors);
        out.short_rows(self.shape(), turned).into_dtype(self.dtype())
    }

    /// `[N, C, L]`, or `[1, C, N * L]` if the rows would be too short for vector code, and whether that is so.
    fn long_rows(&self) -> (Array, bool) {
        let [n, c, len] = [self.shape()[0], self.shape()[1], self.shape()[2]];
        // Rows of one element are columns of a matrix, which have kernels of their own if there are many.
        let turned = len < SHORT && n > 1 && (len > 1 || c < SHORT);
        let rows = if turned { self.transpose(0, 1).reshape([1, c, n * len]) } else { self.clone() };
        (rows, turned)
    }

    /// The inverse of [`Array::long_rows`].
    fn short_rows(self, shape: &[usize], turned: bool) -> Array {
        if !turned {
            return self;
        }
        self.reshape([shape[1], shape[0], shape[2]]).transpose(0, 1).contiguous()
    }
}

/// Rows of a channel that are shorter are put one behind the other first.
const SHORT: usize = 16;
