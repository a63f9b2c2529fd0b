//! Pools over evenly spaced windows: the largest element, or the mean.

use super::{PerAxis, Slide, spatial};
use crate::mode::is_grad_enabled;
use crate::op::{Gradients, Op, Saved};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::window::{Spans, Window};
use rushlight_array::{Array, DType, Shape, fail};
use std::sync::Arc;

/// Options of the pools that take the largest element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxPoolOptions<const N: usize> {
    /// From window to window; `None` is the kernel's size.
    pub stride: Option<[usize; N]>,
    /// Places before and behind each axis that never are the largest; at most half of the kernel.
    pub padding: [usize; N],
    /// From place to place inside of a window.
    pub dilation: [usize; N],
    /// Whether a last window that is only partly filled counts.
    pub ceil_mode: bool,
}

/// Options of [`max_pool1d_with`].
pub type MaxPool1dOptions = MaxPoolOptions<1>;
/// Options of [`max_pool2d_with`].
pub type MaxPool2dOptions = MaxPoolOptions<2>;
/// Options of [`max_pool3d_with`].
pub type MaxPool3dOptions = MaxPoolOptions<3>;

impl<const N: usize> Default for MaxPoolOptions<N> {
    fn default() -> Self {
        MaxPoolOptions { stride: None, padding: [0; N], dilation: [1; N], ceil_mode: false }
    }
}

/// Options of the pools that take the mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AvgPoolOptions<const N: usize> {
    /// From window to window; `None` is the kernel's size.
    pub stride: Option<[usize; N]>,
    /// Zeros before and behind each axis; at most half of the kernel.
    pub padding: [usize; N],
    /// Whether a last window that is only partly filled counts.
    pub ceil_mode: bool,
    /// Whether the zeros of the padding are counted.
    pub count_include_pad: bool,
    /// What the sums are divided by, instead of the number of places.
    pub divisor_override: Option<i64>,
}

/// Options of [`avg_pool1d_with`].
pub type AvgPool1dOptions = AvgPoolOptions<1>;
/// Options of [`avg_pool2d_with`].
pub type AvgPool2dOptions = AvgPoolOptions<2>;
/// Options of [`avg_pool3d_with`].
pub type AvgPool3dOptions = AvgPoolOptions<3>;

impl<const N: usize> Default for AvgPoolOptions<N> {
    fn default() -> Self {
        AvgPoolOptions {
            stride: None,
            padding: [0; N],
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }
}

/// An array as so many planes of a size.
fn planes(x: &Array, count: usize, [d, h, w]: [usize; 3]) -> Array {
    x.reshape([count, d, h, w])
}

/// The number of planes of an array whose last `rank` dims are those that windows slide along.
pub(super) fn count_planes(shape: &[usize], rank: usize) -> usize {
    shape[..shape.len() - rank].iter().product()
}

/// The largest element of each window.
#[derive(Debug)]
pub(super) struct MaxPool {
    pub(super) spans: Arc<Spans>,
    pub(super) planes: usize,
    pub(super) output: Shape,
    /// The places of the largest, if they are known already.
    pub(super) found: Option<(Array, Array)>,
    pub(super) index: Option<Array>,
    pub(super) grad_fn: &'static str,
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let found = self.found.take();
        let (values, index) =
            found.unwrap_or_else(|| planes(inputs[0], self.planes, self.spans.input).max_pool(&self.spans));
        self.index = Some(index);
        values.reshape(&self.output)
    }
    fn by_product(&mut self) -> Option<Array> {
        self.index.take()
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let index = saved.by_product_array();
        give.to(0, || spread(&self.spans, index, grad, saved.shape(0)));
    }
    fn grad_fn(&self) -> String {
        self.grad_fn.to_string()
    }
}

/// The gradient of planes from that of their largest elements, which have these places.
pub(super) fn spread(spans: &Spans, index: &Array, grad: &Tensor, shape: &Shape) -> Tensor {
    if !is_grad_enabled() {
        return grad.value().reshape(index.shape()).max_pool_grad(spans, index).reshape(shape).into();
    }
    // In operations that have rules of their own, for second derivatives.
    let (count, len) = (index.shape()[0], spans.input.iter().product::<usize>());
    let zeros = Array::full([count, len], 0.0, grad.dtype(), &grad.device());
    let flat = [count, index.shape()[1..].iter().product()];
    let index = Tensor::from(index.reshape(flat));
    Tensor::from(zeros).scatter_add(1, &index, &grad.reshape(flat)).reshape(shape)
}

/// The mean of each window, or its transpose as a linear map.
#[derive(Clone, Debug)]
pub(super) struct AvgPool {
    pub(super) spans: Arc<Spans>,
    pub(super) planes: usize,
    pub(super) transposed: bool,
    /// The shape of the result.
    pub(super) shape: Shape,
    pub(super) grad_fn: &'static str,
}

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        if self.transposed { "avg_pool_backward" } else { "avg_pool" }
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        let y = match self.transposed {
            false => planes(inputs[0], self.planes, self.spans.input).avg_pool(&self.spans),
            true => planes(inputs[0], self.planes, self.spans.output()).avg_pool_grad(&self.spans),
        };
        y.reshape(&self.shape)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || {
            let op = AvgPool { transposed: !self.transposed, shape: saved.shape(0).clone(), ..self.clone() };
            Tensor::apply(op, &[grad])
        });
    }
    fn grad_fn(&self) -> String {
        self.grad_fn.to_string()
    }
}

/// The means over given windows of so many planes, which the elements are cut into.
#[track_caller]
pub(in crate::ops) fn avg_pool_over(
    x: &Tensor,
    spans: Spans,
    planes: usize,
    shape: Shape,
    grad_fn: &'static str,
) -> Tensor {
    Tensor::apply(AvgPool { spans: Arc::new(spans), planes, transposed: false, shape, grad_fn }, &[x])
}

/// The arguments of a pool, its windows and the shape of its result.
#[track_caller]
fn slide<const N: usize>(name: &str, shape: &Shape, slide: &Slide<N>, ceil: bool) -> (Window, Shape) {
    check_shape::<N>(name, shape);
    let input: [usize; N] = spatial(shape);
    let padding = slide.padding.map(|[before, _]| before);
    if (0..N).any(|i| padding[i] > slide.kernel[i] / 2) {
        fail!("{name}: padding {padding:?} is more than half of the kernel {:?}", slide.kernel);
    }
    let mut output = [0; N];
    for i in 0..N {
        output[i] = slide.places(name, i, input[i], ceil);
    }
    let mut result = shape.to_vec();
    result.truncate(shape.len() - N);
    result.extend(output);
    (slide.window(name, input, output), Shape::from(result))
}

/// The shape of a pool's input.
#[track_caller]
pub(super) fn check_input<const N: usize>(name: &str, x: &Tensor) -> Shape {
    let shape = x.shape();
    check_shape::<N>(name, &shape);
    if x.dtype() == DType::Bool {
        fail!("{name}: the input is bool; cast with .to(DType::F32) first");
    }
    shape
}

#[track_caller]
fn check_shape<const N: usize>(name: &str, shape: &Shape) {
    let form = ["L", "H, W", "D, H, W"][N - 1];
    if shape.len() != N + 1 && shape.len() != N + 2 {
        fail!("{name}: the input has shape {shape:?}; it must be [N, C, {form}] or [C, {form}]");
    }
    if shape[shape.len() - N..].contains(&0) {
        fail!("{name}: the input has shape {shape:?}; only the first sizes may be 0, those of [{form}] not");
    }
}

#[track_caller]
pub(super) fn max_windows<const N: usize>(
    name: &str,
    shape: &Shape,
    kernel: PerAxis<N>,
    options: &MaxPoolOptions<N>,
) -> MaxPool {
    let stride = options.stride.unwrap_or(kernel.0);
    let padding = options.padding.map(|size| [size; 2]);
    let slid = Slide { kernel: kernel.0, stride, padding, dilation: options.dilation };
    let (window, output) = slide(name, shape, &slid, options.ceil_mode);
    let spans = Spans::regular(&window, false);
    if spans.axes.iter().flatten().any(|span| span.start >= span.end) {
        fail!(
            "{name}: a window lies in the padding alone (kernel {:?}, padding {:?}, dilation {:?}) and has no largest \
             element",
            kernel.0,
            options.padding,
            options.dilation
        );
    }
    let spans = Arc::new(spans);
    MaxPool {
        spans,
        planes: count_planes(shape, N),
        output,
        found: None,
        index: None,
        grad_fn: max_grad_fn::<N>(),
    }
}

/// What PyTorch prints; its pool in one dimension is that in two and takes a dim away.
pub(super) fn max_grad_fn<const N: usize>() -> &'static str {
    ["SqueezeBackward1", "MaxPool2DWithIndicesBackward0", "MaxPool3DWithIndicesBackward0"][N - 1]
}

/// The result and the places of the largest elements.
#[track_caller]
pub(super) fn with_indices(x: &Tensor, op: MaxPool) -> (Tensor, Tensor) {
    let found = planes(&x.value(), op.planes, op.spans.input).max_pool(&op.spans);
    let index = Tensor::from(found.1.reshape(&op.output));
    (Tensor::apply(MaxPool { found: Some(found), ..op }, &[x]), index)
}

#[track_caller]
fn avg_windows<const N: usize>(
    name: &str,
    x: &Tensor,
    kernel: PerAxis<N>,
    options: &AvgPoolOptions<N>,
) -> Tensor {
    if options.divisor_override == Some(0) {
        fail!("{name}: divisor_override is 0; sums cannot be divided by it");
    }
    let stride = options.stride.unwrap_or(kernel.0);
    let padding = options.padding.map(|size| [size; 2]);
    let slid = Slide { kernel: kernel.0, stride, padding, dilation: [1; N] };
    let (window, output) = slide(name, &check_input::<N>(name, x), &slid, options.ceil_mode);
    let mut spans = Spans::regular(&window, options.count_include_pad);
    spans.divisor = options.divisor_override;
    let grad_fn = ["SqueezeBackward1", "AvgPool2DBackward0", "AvgPool3DBackward0"][N - 1];
    avg_pool_over(x, spans, count_planes(&x.shape(), N), output, grad_fn)
}

macro_rules! pools {
    ($($n:literal: $max:ident $max_with:ident $max_indices:ident $avg:ident $avg_with:ident, $form:literal $(, $example:literal)?;)*) => {$(
        #[doc = concat!("The largest element of each window, NaN before all others: PyTorch's `functional.", stringify!($max), "`.")]
        ///
        /// The windows lie side by side. The gradient goes to the first of the largest.
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with `size / kernel` places along each axis.")]
        /// Integers are allowed, also where PyTorch has only floats.
        ///
        $(#[doc = $example])?
        /// # Panics
        /// If the shape does not fit or a window is larger than the input.
        #[track_caller]
        pub fn $max(x: &Tensor, kernel_size: impl Into<PerAxis<$n>>) -> Tensor {
            $max_with(x, kernel_size, MaxPoolOptions::default())
        }

        #[doc = concat!("As [`", stringify!($max), "`], with options.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with")]
        /// `(size + 2 padding - dilation (kernel - 1) - 1) / stride + 1` places along each axis, rounded down, or up with
        /// `ceil_mode`.
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($max), "`]; if kernel, stride or dilation is 0, or the padding more than half of the kernel.")]
        #[track_caller]
        pub fn $max_with(
            x: &Tensor,
            kernel_size: impl Into<PerAxis<$n>>,
            options: MaxPoolOptions<$n>,
        ) -> Tensor {
            let shape = check_input::<$n>(stringify!($max), x);
            Tensor::apply(max_windows(stringify!($max), &shape, kernel_size.into(), &options), &[x])
        }

        #[doc = concat!("As [`", stringify!($max_with), "`], and the place of each largest element in its plane as `i64`: PyTorch's `return_indices`.")]
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($max_with), "`].")]
        #[track_caller]
        pub fn $max_indices(
            x: &Tensor,
            kernel_size: impl Into<PerAxis<$n>>,
            options: MaxPoolOptions<$n>,
        ) -> (Tensor, Tensor) {
            let shape = check_input::<$n>(stringify!($max), x);
            with_indices(x, max_windows(stringify!($max), &shape, kernel_size.into(), &options))
        }

        #[doc = concat!("The mean of each window: PyTorch's `functional.", stringify!($avg), "`.")]
        ///
        /// The windows lie side by side. Of integers the mean is cut towards zero.
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with `size / kernel` places along each axis.")]
        ///
        /// # Panics
        /// If the shape does not fit or a window is larger than the input.
        #[track_caller]
        pub fn $avg(x: &Tensor, kernel_size: impl Into<PerAxis<$n>>) -> Tensor {
            $avg_with(x, kernel_size, AvgPoolOptions::default())
        }

        #[doc = concat!("As [`", stringify!($avg), "`], with options.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with")]
        /// `(size + 2 padding - kernel) / stride + 1` places along each axis, rounded down, or up with `ceil_mode`.
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($avg), "`]; if kernel, stride or `divisor_override` is 0, or the padding more than half of the")]
        /// kernel.
        #[track_caller]
        pub fn $avg_with(
            x: &Tensor,
            kernel_size: impl Into<PerAxis<$n>>,
            options: AvgPoolOptions<$n>,
        ) -> Tensor {
            avg_windows(stringify!($avg), x, kernel_size.into(), &options)
        }
    )*};
}
pools! {
    1: max_pool1d max_pool1d_with max_pool1d_with_indices avg_pool1d avg_pool1d_with, "L";
    2: max_pool2d max_pool2d_with max_pool2d_with_indices avg_pool2d avg_pool2d_with, "H, W", "
```
use rushlight_autograd::{ops::max_pool2d, tensor};
let x = tensor([[[1.0, 2.0, 5.0, 4.0], [3.0, 0.0, 7.0, 6.0]]]);
assert_eq!(max_pool2d(&x, 2).to_vec::<f32>(), [3.0, 7.0]);
```
";
    3: max_pool3d max_pool3d_with max_pool3d_with_indices avg_pool3d avg_pool3d_with, "D, H, W";
}

/// Input, kernel, stride and padding of a sample. Every element is in a window: a sample must depend on its inputs.
fn draw<const N: usize>(draw: &mut Draw<'_>, dilated: bool) -> (Tensor, [usize; N], MaxPoolOptions<N>) {
    let kernel: [usize; N] = std::array::from_fn(|_| 1 + draw.below(3));
    let stride: [usize; N] = std::array::from_fn(|_| 1 + draw.below(3));
    let dilation: [usize; N] = std::array::from_fn(|_| 1 + if dilated { draw.below(2) } else { 0 });
    let padding: [usize; N] = std::array::from_fn(|i| draw.below(kernel[i] / 2 + 1));
    let mut shape: Vec<usize> = if draw.coin() { vec![draw.size()] } else { vec![] };
    shape.push(1 + draw.below(2));
    for i in 0..N {
        let least = (kernel[i] - 1) * dilation[i] + 1;
        shape.push(least + if i + 1 == N { draw.full_size() } else { draw.below(2) });
    }
    let options =
        MaxPoolOptions { stride: draw.coin().then_some(stride), padding, dilation, ceil_mode: draw.coin() };
    (draw.leaf(&shape, Domain::Distinct), kernel, options)
}

macro_rules! rows {
    ($($max_row:ident, $avg_row:ident: $max:ident $max_with:ident $avg:ident $avg_with:ident;)*) => {$(
        pub(super) const $max_row: OpInfo = OpInfo::composed(
            stringify!($max),
            concat!("torch.nn.functional.", stringify!($max)),
            |source| {
                let (x, kernel, options) = draw(source, true);
                Sample::new(vec![x], move |x| $max_with(&x[0], kernel, options))
            },
        );
        pub(super) const $avg_row: OpInfo = OpInfo::composed(
            stringify!($avg),
            concat!("torch.nn.functional.", stringify!($avg)),
            |source| {
                let (x, kernel, max) = draw(source, false);
                let options = AvgPoolOptions {
                    stride: max.stride,
                    padding: max.padding,
                    ceil_mode: max.ceil_mode,
                    count_include_pad: source.coin(),
                    divisor_override: source.coin().then_some(3),
                };
                Sample::new(vec![x], move |x| $avg_with(&x[0], kernel, options))
            },
        );
    )*};
}
rows! {
    MAX_POOL1D, AVG_POOL1D: max_pool1d max_pool1d_with avg_pool1d avg_pool1d_with;
    MAX_POOL2D, AVG_POOL2D: max_pool2d max_pool2d_with avg_pool2d avg_pool2d_with;
    MAX_POOL3D, AVG_POOL3D: max_pool3d max_pool3d_with avg_pool3d avg_pool3d_with;
}

pub(super) const MAX_POOL: OpInfo =
    OpInfo::op("MaxPool", MAX_POOL2D.name, MAX_POOL2D.torch, MAX_POOL2D.sample).rejects(|| {
        vec![
            Reject::new("max_pool2d: padding [2, 2] is more than half of the kernel [2, 2]", || {
                let options = MaxPoolOptions { padding: [2, 2], ..Default::default() };
                max_pool2d_with(&floats([1, 4, 4]), 2, options);
            }),
            Reject::new("max_pool2d: the input has shape [4]; it must be [N, C, H, W] or [C, H, W]", || {
                max_pool2d(&floats([4]), 2);
            }),
            Reject::new("max_pool2d: the kernel is [0, 2]; every number of it must be at least 1", || {
                max_pool2d(&floats([1, 4, 4]), [0, 2]);
            }),
            Reject::new(
                "max_pool2d: a window of 5 (kernel [5, 5], dilation [1, 1]) is larger than the input",
                || {
                    max_pool2d(&floats([1, 4, 4]), 5);
                },
            ),
            Reject::new("max_pool2d: the input has shape [1, 0, 4]; only the first sizes may be 0", || {
                max_pool2d(&floats([1, 0, 4]), 1);
            }),
        ]
    });

pub(super) const AVG_POOL: OpInfo =
    OpInfo::op("AvgPool", AVG_POOL2D.name, AVG_POOL2D.torch, AVG_POOL2D.sample).rejects(|| {
        vec![Reject::new("avg_pool2d: divisor_override is 0", || {
            let options = AvgPoolOptions { divisor_override: Some(0), ..Default::default() };
            avg_pool2d_with(&floats([1, 4, 4]), 2, options);
        })]
    });
