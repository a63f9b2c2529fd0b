//! Convolutions by matrix products: the windows of a few output lines become the columns of a matrix that stays in
//! the second-level cache, never those of a whole batch.

use super::inside::{Frame, add, fill, fill_rows, has_rows};
use super::pool::{Largest, Pooled};
use super::{divisor, for_each_unit, slice, with_number};
use crate::array::Array;
use crate::cpu::contiguous;
use crate::cpu::gemm::{Matrix, Product, multiply_into};
use crate::cpu::memory::HostBuffer;
use crate::cpu::simd::vectorized_f32;
use crate::cpu::threads::for_each_pair;
use crate::profile::{Work, kernel};
use crate::window::{Conv, Spans};
use std::ops::Range;

/// The most elements of a block of columns, a quarter of a second-level cache of f32; but at least [`LEAST`] columns.
const BLOCK: usize = 1 << 17;

/// Fewer columns than this would leave the product's registers empty: a panel of the matrix product.
const LEAST: usize = 48;

/// So many tasks at least, where samples and groups are fewer: channels are shared out then.
const TASKS: usize = 8;

/// The most partial sums of a weight's gradient, each over some of the samples.
const PARTS: usize = 16;

/// The most elements of all of them.
const PARTIAL: usize = 1 << 22;

/// With fewer output channels than this the weight's gradient is computed the other way round: they would be the
/// columns of the product, and leave its registers empty.
const FEW: usize = 32;

impl Conv {
    /// The rows of the matrix of columns.
    fn inner(&self) -> usize {
        self.inputs * self.window.kernel_len()
    }

    /// The windows in blocks whose columns fit into a cache.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let (count, most) = (self.window.output_len(), (BLOCK / self.inner().max(1)).max(LEAST));
        let size = count.div_ceil(count.div_ceil(most).max(1)).next_multiple_of(LEAST).clamp(1, count.max(1));
        (0..count).step_by(size).map(move |start| start..(start + size).min(count))
    }

    /// Room for a block of columns of some channels.
    fn scratch<T: Product>(&self, channels: usize) -> HostBuffer {
        let columns = self.blocks().next().map_or(0, |block| block.len());
        let wanted = if self.window.is_pointwise() { 0 } else { columns };
        HostBuffer::scratch(T::DTYPE, channels * self.window.kernel_len() * wanted)
    }

    fn work(&self) -> Work {
        let products = self.batch * self.groups * self.outputs * self.inner() * self.window.output_len();
        let sizes = [self.input_shape(), self.weight_shape(), self.output_shape()];
        let elements: usize = sizes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        Work { bytes: 4 * elements as u64, flops: 2 * products as u64 }
    }
}

/// The convolution of `x` with `weight`, plus a bias for each channel.
pub(crate) fn conv(conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    let _span = kernel("conv", || conv.work());
    let (x, weight, bias) = (contiguous(x), contiguous(weight), bias.map(contiguous));
    with_number!(x, forward(conv, &x, &weight, bias.as_ref()))
}

fn forward<T: Product>(conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    let forward = Forward::<T>::new(conv, x, weight, bias, false);
    Array::build(conv.output_shape(), |out: &mut [T]| {
        for_each_unit(out, forward.len(), forward.cost(), &|unit, out| forward.unit(unit, out));
    })
}

/// The convolution as in [`conv`] with negative results made zero, and of those perhaps the largest of each window;
/// their places in the planes, too, if they are wanted.
///
/// The numbers are those of three passes; what lies between stays in a cache, sample by sample.
pub(crate) fn conv_relu(
    conv: &Conv,
    x: &Array,
    weight: &Array,
    bias: Option<&Array>,
    pool: Option<&Spans>,
    places: bool,
) -> (Array, Option<Array>) {
    let _span = kernel("conv_relu", || conv.work());
    let (x, weight, bias) = (contiguous(x), contiguous(weight), bias.map(contiguous));
    with_number!(x, conv_relu_as(conv, &x, &weight, bias.as_ref(), pool, places))
}

fn conv_relu_as<T: Pooled>(
    conv: &Conv,
    x: &Array,
    weight: &Array,
    bias: Option<&Array>,
    pool: Option<&Spans>,
    places: bool,
) -> (Array, Option<Array>) {
    let forward = Forward::<T>::new(conv, x, weight, bias, true);
    let Some(spans) = pool else {
        let relu = Array::build(conv.output_shape(), |out: &mut [T]| {
            for_each_unit(out, forward.len(), forward.cost(), &|unit, out| forward.unit(unit, out));
        });
        return (relu, None);
    };
    let largest = Largest::new(spans);
    let shape = spans.result_shape(conv.batch * conv.groups * conv.outputs);
    let size = forward.rows * spans.output_len();
    let cost = (forward.cost() * forward.len()).div_ceil(size.max(1));
    let unit = |unit: usize, values: &mut [T], index: Option<&mut [i64]>| {
        let mut buffer = HostBuffer::scratch(T::DTYPE, forward.len());
        let planes = buffer.as_mut_slice::<T>();
        forward.unit(unit, planes);
        largest.planes(planes, values, index);
    };
    if !places {
        let values = Array::build(shape, |values: &mut [T]| {
            for_each_unit(values, size, cost, &|number, values| unit(number, values, None));
        });
        return (values, None);
    }
    let mut values = None;
    let index = Array::build(shape, |index: &mut [i64]| {
        values = Some(Array::build(shape, |values: &mut [T]| {
            for_each_pair(values, index, [size; 2], cost, &|number, values, index| {
                unit(number, values, Some(index));
            });
        }));
    });
    (values.expect("it was built beside the places"), Some(index))
}

/// A convolution in units: some output channels of a group, for one sample.
struct Forward<'a, T> {
    conv: &'a Conv,
    x: &'a [T],
    weight: &'a [T],
    bias: Option<&'a [T]>,
    relu: bool,
    /// How many units a group has.
    parts: usize,
    /// The output channels of a unit.
    rows: usize,
}

impl<'a, T: Product> Forward<'a, T> {
    fn new(conv: &'a Conv, x: &'a Array, weight: &'a Array, bias: Option<&'a Array>, relu: bool) -> Self {
        let parts = divisor(conv.outputs, TASKS / (conv.batch * conv.groups).max(1));
        let (x, weight, bias) = (slice::<T>(x), slice::<T>(weight), bias.map(slice::<T>));
        Forward { conv, x, weight, bias, relu, parts, rows: conv.outputs / parts }
    }

    /// The elements of a unit's result.
    fn len(&self) -> usize {
        self.rows * self.conv.window.output_len()
    }

    /// The cost of one of them.
    fn cost(&self) -> usize {
        self.conv.inner().max(1)
    }

    fn unit(&self, unit: usize, out: &mut [T]) {
        let Forward { conv, x, weight, rows, .. } = *self;
        let (window, inner, count) = (&conv.window, conv.inner(), conv.window.output_len());
        let size = conv.inputs * window.input_len();
        let (image, part) = (unit / self.parts, unit % self.parts);
        let channel = image % conv.groups * conv.outputs + part * rows;
        let image = &x[image * size..][..size];
        let weight = Matrix::dense(&weight[channel * inner..], rows, inner);
        if window.is_pointwise() {
            multiply_into(&weight, &Matrix::dense(image, inner, count), out, count, false);
        } else {
            let mut buffer = conv.scratch::<T>(conv.inputs);
            let mut frame = Frame::new::<T>(window, conv.inputs);
            let (window, image) = (frame.window, frame.image(image));
            for block in conv.blocks() {
                let (start, n) = (block.start, block.len());
                let columns = &mut buffer.as_mut_slice()[..inner * n];
                fill(&window, image, conv.inputs, block, columns);
                let columns = Matrix::dense(columns, inner, n);
                multiply_into(&weight, &columns, &mut out[start..], count, false);
            }
        }
        let bias = self.bias.map(|bias| &bias[channel..][..rows]);
        match (bias, self.relu) {
            (Some(bias), false) => rows_with(
                out,
                count,
                bias,
                #[inline(always)]
                |x, bias| T::add(x, bias),
            ),
            (Some(bias), true) => rows_with(
                out,
                count,
                bias,
                #[inline(always)]
                |x, bias| T::add(x, bias).relu(),
            ),
            (None, true) => rows_with(
                out,
                rows * count,
                &[T::default()],
                #[inline(always)]
                |x, _| x.relu(),
            ),
            (None, false) => {}
        }
    }
}

/// Changes each row of `count` elements by a function of its number in `bias`.
#[inline(always)]
fn rows_with<T: Product>(out: &mut [T], count: usize, bias: &[T], f: impl Fn(T, T) -> T) {
    vectorized_f32::<T, _>(
        #[inline(always)]
        || {
            for (row, &bias) in out.chunks_exact_mut(count.max(1)).zip(bias) {
                for x in row {
                    *x = f(*x, bias);
                }
            }
        },
    );
}

/// The gradient of [`conv`] with respect to its input, from that of its result: a transposed convolution.
pub(crate) fn grad_input(conv: &Conv, grad: &Array, weight: &Array) -> Array {
    let _span = kernel("conv_grad_input", || conv.work());
    let (grad, weight) = (contiguous(grad), contiguous(weight));
    with_number!(grad, grad_input_as(conv, &grad, &weight))
}

fn grad_input_as<T: Product>(conv: &Conv, grad: &Array, weight: &Array) -> Array {
    let (grad, weight) = (slice::<T>(grad), slice::<T>(weight));
    let (window, inner, count) = (&conv.window, conv.inner(), conv.window.output_len());
    let parts = divisor(conv.inputs, TASKS / (conv.batch * conv.groups).max(1));
    let (channels, plane) = (conv.inputs / parts, window.input_len());
    let rows = channels * window.kernel_len();
    let cost = (conv.outputs * window.kernel_len()).max(1);
    Array::build(conv.input_shape(), |out: &mut [T]| {
        for_each_unit(out, channels * plane, cost, &|unit, out| {
            let (image, part) = (unit / parts, unit % parts);
            let weight = Matrix {
                data: weight,
                at: image % conv.groups * conv.outputs * inner + part * rows,
                rows,
                columns: conv.outputs,
                row_stride: 1,
                column_stride: inner as isize,
            };
            let grad = Matrix {
                data: grad,
                at: image * conv.outputs * count,
                rows: conv.outputs,
                columns: count,
                row_stride: count as isize,
                column_stride: 1,
            };
            if window.is_pointwise() {
                return multiply_into(&weight, &grad, out, plane, false);
            }
            let mut buffer = conv.scratch::<T>(channels);
            Frame::new::<T>(window, channels).sum(out, |window, image| {
                for block in conv.blocks() {
                    let n = block.len();
                    let columns = &mut buffer.as_mut_slice()[..rows * n];
                    let grad = Matrix { at: grad.at + block.start, columns: n, ..grad };
                    multiply_into(&weight, &grad, columns, n, false);
                    add(window, columns, channels, block, image);
                }
            });
        });
    })
}

/// The gradient of [`conv`] with respect to its weight, from that of its result.
///
/// Parts of the samples have sums of their own, which are added in order: the threads do not matter.
pub(crate) fn grad_weight(conv: &Conv, grad: &Array, x: &Array) -> Array {
    let _span = kernel("conv_grad_weight", || conv.work());
    let (grad, x) = (contiguous(grad), contiguous(x));
    with_number!(grad, grad_weight_as(conv, &grad, &x))
}

fn grad_weight_as<T: Product>(conv: &Conv, grad: &Array, x: &Array) -> Array {
    let (grad, x, inner) = (slice::<T>(grad), slice::<T>(x), conv.inner());
    let weights = (conv.groups * conv.outputs * inner).max(1);
    let parts = (PARTIAL / weights).clamp(1, PARTS).min(conv.batch.max(1));
    let samples = conv.batch.div_ceil(parts).max(1);
    let parts = conv.batch.div_ceil(samples).max(1);
    let few = conv.outputs < FEW;
    let shares = if few { 1 } else { divisor(conv.inputs, TASKS / (parts * conv.groups)) };
    let channels = conv.inputs / shares;
    let sums = |out: &mut [T]| {
        let cost = samples * conv.window.output_len();
        let size = conv.outputs * channels * conv.window.kernel_len();
        for_each_unit(out, size, cost.max(1), &|unit, out| {
            let (share, group) = (unit % shares, unit / shares % conv.groups);
            let part = unit / shares / conv.groups;
            let samples = part * samples..((part + 1) * samples).min(conv.batch);
            sum_samples(conv, grad, x, samples, group, share * channels..(share + 1) * channels, out);
        });
    };
    let [rows, columns] = if few { [conv.outputs, inner] } else { [inner, conv.outputs] };
    let sums = Array::build([parts, conv.groups, rows, columns], sums).sum_dim(0, false);
    let sums = if few { sums } else { sums.transpose(1, 2) };
    sums.reshape(conv.weight_shape().as_slice())
}

/// The gradient of a group's weight for some input channels, over some samples: `[outputs, channels * kernel]` with few
/// outputs, else transposed.
fn sum_samples<T: Product>(
    conv: &Conv,
    grad: &[T],
    x: &[T],
    samples: Range<usize>,
    group: usize,
    channels: Range<usize>,
    out: &mut [T],
) {
    let (count, plane) = (conv.window.output_len(), conv.window.input_len());
    let (few, rows) = (conv.outputs < FEW, channels.len() * conv.window.kernel_len());
    let mut buffer = conv.scratch::<T>(channels.len());
    let mut frame = Frame::new::<T>(&conv.window, channels.len());
    let window = frame.window;
    let transposed = few && !window.is_pointwise() && has_rows(&window);
    let mut adds = false;
    for sample in samples {
        let image = sample * conv.groups + group;
        let planes = &x[(image * conv.inputs + channels.start) * plane..][..channels.len() * plane];
        let planes = frame.image(planes);
        for block in conv.blocks() {
            let (start, n) = (block.start, block.len());
            let dense = |data, row_stride| Matrix { data, row_stride, ..Matrix::dense(data, rows, n) };
            // The columns, or what is theirs transposed twice: the product reads rows of its right operand in place.
            let columns = if window.is_pointwise() {
                dense(&planes[start..], count as isize)
            } else {
                let columns = &mut buffer.as_mut_slice()[..rows * n];
                if transposed {
                    fill_rows(&window, planes, channels.len(), block, columns);
                    Matrix::dense(columns, n, rows).t()
                } else {
                    fill(&window, planes, channels.len(), block, columns);
                    dense(columns, n as isize)
                }
            };
            let grad = Matrix {
                data: grad,
                at: image * conv.outputs * count + start,
                rows: conv.outputs,
                columns: n,
                row_stride: count as isize,
                column_stride: 1,
            };
            if few {
                multiply_into(&grad, &columns.t(), out, rows, adds);
            } else {
                multiply_into(&columns, &grad.t(), out, conv.outputs, adds);
            }
            adds = true;
        }
    }
    if !adds {
        out.fill(T::default());
    }
}
