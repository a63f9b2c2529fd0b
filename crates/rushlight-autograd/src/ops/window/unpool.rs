//! Pools that are less common: elements put back to where they were the largest, and norms of windows.

use super::pool::{check_input, count_planes};
use super::{AvgPoolOptions, PerAxis, avg_pool1d_with, avg_pool2d_with, avg_pool3d_with, spatial};
use crate::table::{Domain, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, fail};

/// Options of the functions that undo a pool of the largest; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxUnpoolOptions<const N: usize> {
    /// That of the pool; `None` is the kernel's size.
    pub stride: Option<[usize; N]>,
    /// That of the pool.
    pub padding: [usize; N],
    /// The size that the pool's input had; without it `(size - 1) stride + kernel - 2 padding`. Less than a stride more
    /// or less are allowed, since pools of these have one size.
    pub output_size: Option<[usize; N]>,
}

impl<const N: usize> Default for MaxUnpoolOptions<N> {
    fn default() -> Self {
        MaxUnpoolOptions { stride: None, padding: [0; N], output_size: None }
    }
}

/// Options of the pools that take a norm; the defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LpPoolOptions<const N: usize> {
    /// From window to window; `None` is the kernel's size.
    pub stride: Option<[usize; N]>,
    /// Whether a last window that is only partly filled counts.
    pub ceil_mode: bool,
}

impl<const N: usize> Default for LpPoolOptions<N> {
    fn default() -> Self {
        LpPoolOptions { stride: None, ceil_mode: false }
    }
}

#[track_caller]
fn unpool<const N: usize>(
    name: &str,
    x: &Tensor,
    indices: &Tensor,
    PerAxis(kernel): PerAxis<N>,
    options: &MaxUnpoolOptions<N>,
) -> Tensor {
    let shape = check_input::<N>(name, x);
    if indices.shape() != shape || indices.dtype() != DType::I64 {
        fail!(
            "{name}: the indices are {} of shape {:?}; they must be int64 of the input's shape {shape:?}",
            indices.dtype().name(),
            indices.shape()
        );
    }
    let (input, stride) = (spatial::<N>(&shape), options.stride.unwrap_or(kernel));
    if kernel.contains(&0) || stride.contains(&0) {
        fail!("{name}: kernel {kernel:?} and stride {stride:?}; every number of them must be at least 1");
    }
    let usual: [i128; N] = std::array::from_fn(|i| {
        (input[i] as i128 - 1) * stride[i] as i128 + kernel[i] as i128 - 2 * options.padding[i] as i128
    });
    let output: [i128; N] = options.output_size.map_or(usual, |size| size.map(|size| size as i128));
    let fits = |i: usize| (output[i] - usual[i]).abs() < stride[i] as i128 && output[i] > 0;
    if !(0..N).all(|i| fits(i) && output[i] < 1 << 40) {
        fail!(
            "{name}: the output size is {output:?}; it must be above 0 and differ from {usual:?} by less than the stride \
             {stride:?}"
        );
    }
    let planes = count_planes(&shape, N);
    let size: usize = output.iter().fold(1usize, |all, &size| all.saturating_mul(size as usize));
    let (least, most) = match indices.numel() {
        0 => (0, 0),
        _ => (indices.min().item_as::<i64>(), indices.max().item_as::<i64>()),
    };
    if least < 0 || most as usize >= size {
        fail!("{name}: the indices are from {least} to {most}; the output has the places 0..{size}");
    }
    let flat = [planes, input.iter().product::<usize>()];
    let zeros = Tensor::constant(Array::full([planes, size], 0.0, x.dtype(), &x.device()));
    let y = zeros.scatter(1, &indices.reshape(flat), &x.reshape(flat));
    let mut result = shape[..shape.len() - N].to_vec();
    result.extend(output.iter().map(|&size| size as usize));
    y.reshape(result.as_slice())
}

/// The root of the sum of powers, from the mean of them over so many places.
#[track_caller]
fn norm_of_mean(mean: &Tensor, norm_type: f64, places: usize) -> Tensor {
    (mean.sign() * mean.abs().relu() * places as f64).pow(1.0 / norm_type)
}

macro_rules! pools {
    ($($n:literal: $unpool:ident $unpool_with:ident $unpool_row:ident $lp:ident $lp_with:ident $lp_row:ident
        $avg:ident, $form:literal;)*) => {$(
        #[doc = concat!("Each element at the place where the pool found it, among zeros: PyTorch's `functional.", stringify!($unpool), "`.")]
        ///
        /// The indices are those that the pool of the largest gave beside its values. If a place is named twice the last
        /// value stays.
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N`, twice -> the same with `(size - 1) kernel + kernel` places along each axis.")]
        ///
        /// # Panics
        /// If the shapes do not fit, the indices are not `i64`, or one is not in the result.
        #[track_caller]
        pub fn $unpool(x: &Tensor, indices: &Tensor, kernel_size: impl Into<PerAxis<$n>>) -> Tensor {
            $unpool_with(x, indices, kernel_size, &MaxUnpoolOptions::default())
        }

        #[doc = concat!("As [`", stringify!($unpool), "`], with options.")]
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($unpool), "`]; also if the output size is none that the pool makes this size of.")]
        #[track_caller]
        pub fn $unpool_with(
            x: &Tensor,
            indices: &Tensor,
            kernel_size: impl Into<PerAxis<$n>>,
            options: &MaxUnpoolOptions<$n>,
        ) -> Tensor {
            unpool(stringify!($unpool), x, indices, kernel_size.into(), options)
        }

        #[doc = concat!("The norm of each window, `(sum of x^p)^(1/p)`: PyTorch's `functional.", stringify!($lp), "`.")]
        ///
        /// The windows lie side by side. As in PyTorch a negative sum counts as 0, and the gradient of a window of zeros is
        /// NaN for a `norm_type` above 1.
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with `size / kernel` places along each axis.")]
        ///
        /// # Panics
        /// If the shape does not fit or a window is larger than the input.
        #[track_caller]
        pub fn $lp(x: &Tensor, norm_type: f64, kernel_size: impl Into<PerAxis<$n>>) -> Tensor {
            $lp_with(x, norm_type, kernel_size, LpPoolOptions::default())
        }

        #[doc = concat!("As [`", stringify!($lp), "`], with options.")]
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($lp), "`]; if kernel or stride is 0.")]
        #[track_caller]
        pub fn $lp_with(
            x: &Tensor,
            norm_type: f64,
            kernel_size: impl Into<PerAxis<$n>>,
            options: LpPoolOptions<$n>,
        ) -> Tensor {
            let kernel = kernel_size.into();
            let LpPoolOptions { stride, ceil_mode } = options;
            check_input::<$n>(stringify!($lp), x);
            let mean = $avg(&x.pow(norm_type), kernel, AvgPoolOptions { stride, ceil_mode, ..Default::default() });
            norm_of_mean(&mean, norm_type, kernel.0.iter().product())
        }

        pub(super) const $unpool_row: OpInfo =
            OpInfo::composed(stringify!($unpool), concat!("torch.nn.functional.", stringify!($unpool)), |draw| {
                let (planes, size) = (draw.full_size(), draw.full_size());
                let mut shape = vec![planes];
                shape.extend([size; $n]);
                let count = size.pow($n);
                // The first place of each window.
                let places = (0..planes * count).map(|i| {
                    let (mut rest, mut place, mut wide) = (i % count, 0, 1);
                    for _ in 0..$n {
                        place += rest % size * 2 * wide;
                        (rest, wide) = (rest / size, wide * size * 2);
                    }
                    place as i64
                });
                let indices = Tensor::constant(draw.integers(places.collect(), &shape));
                Sample::new(vec![draw.leaf(&shape, Domain::Any)], move |x| $unpool(&x[0], &indices, 2))
            })
            .rejects(|| {
                vec![Reject::new(concat!(stringify!($unpool), ": the indices are float32 of shape [2"), || {
                    let x = floats([2; $n + 1]);
                    $unpool(&x, &x, 2);
                })]
            });

        pub(super) const $lp_row: OpInfo =
            OpInfo::composed(stringify!($lp), concat!("torch.nn.functional.", stringify!($lp)), |draw| {
                let kernel = 1 + draw.below(2);
                let mut shape = vec![draw.full_size()];
                shape.extend([kernel + draw.below(2); $n]);
                let (p, ceil_mode) = ([2.0, 1.0, 3.0, 1.5][draw.below(4)], draw.coin());
                let options = LpPoolOptions { stride: Some([1; $n]), ceil_mode };
                Sample::new(vec![draw.leaf(&shape, Domain::Positive)], move |x| {
                    $lp_with(&x[0], p, kernel, options)
                })
            })
            .rejects(|| {
                vec![Reject::new(concat!(stringify!($lp), ": the input has shape [4]; it must be"), || {
                    $lp(&floats([4]), 2.0, 2);
                })]
            });
    )*};
}
pools! {
    1: max_unpool1d max_unpool1d_with MAX_UNPOOL1D lp_pool1d lp_pool1d_with LP_POOL1D avg_pool1d_with, "L";
    2: max_unpool2d max_unpool2d_with MAX_UNPOOL2D lp_pool2d lp_pool2d_with LP_POOL2D avg_pool2d_with, "H, W";
    3: max_unpool3d max_unpool3d_with MAX_UNPOOL3D lp_pool3d lp_pool3d_with LP_POOL3D avg_pool3d_with, "D, H, W";
}
