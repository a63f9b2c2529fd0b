//! Operations over windows: convolutions, pools, unfolding and resizing.
//!
//! What PyTorch takes as one number or one for each axis is a [`PerAxis`] where it is an argument of its own
//! (`max_pool2d(&x, 2)`, `max_pool2d(&x, [2, 3])`) and a plain array in the options (`stride: [2, 2]`).

mod adaptive;
mod conv;
mod conv_relu;
mod fold;
mod grid_sample;
mod interpolate;
mod pool;
mod unpool;

pub use adaptive::{
    OutputSize, adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices, adaptive_max_pool2d, adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d, adaptive_max_pool3d_with_indices,
};
pub use conv::{
    Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvOptions, ConvTranspose1dOptions, ConvTranspose2dOptions,
    ConvTranspose3dOptions, ConvTransposeOptions, Padding, conv_transpose1d, conv_transpose1d_with,
    conv_transpose2d, conv_transpose2d_with, conv_transpose3d, conv_transpose3d_with, conv1d, conv1d_with,
    conv2d, conv2d_with, conv3d, conv3d_with,
};
pub use conv_relu::conv2d_relu;
pub use fold::{UnfoldOptions, fold, fold_with, unfold, unfold_with};
pub use grid_sample::{
    GridPadding, GridSampleMode, GridSampleOptions, affine_grid, affine_grid_with, grid_sample,
    grid_sample_with,
};
pub use interpolate::{InterpolateMode, InterpolateOptions, Resize, interpolate, interpolate_with};
pub(super) use pool::avg_pool_over;
pub use pool::{
    AvgPool1dOptions, AvgPool2dOptions, AvgPool3dOptions, AvgPoolOptions, MaxPool1dOptions, MaxPool2dOptions,
    MaxPool3dOptions, MaxPoolOptions, avg_pool1d, avg_pool1d_with, avg_pool2d, avg_pool2d_with, avg_pool3d,
    avg_pool3d_with, max_pool1d, max_pool1d_with, max_pool1d_with_indices, max_pool2d, max_pool2d_with,
    max_pool2d_with_indices, max_pool3d, max_pool3d_with, max_pool3d_with_indices,
};
pub use unpool::{
    LpPoolOptions, MaxUnpoolOptions, lp_pool1d, lp_pool1d_with, lp_pool2d, lp_pool2d_with, lp_pool3d,
    lp_pool3d_with, max_unpool1d, max_unpool1d_with, max_unpool2d, max_unpool2d_with, max_unpool3d,
    max_unpool3d_with,
};

use crate::table::OpInfo;
use rushlight_array::fail;
use rushlight_array::window::Window;

pub(crate) const TABLE: &[OpInfo] = &[
    conv::CONV,
    conv_relu::ROW,
    conv::CONV1D,
    conv::CONV3D,
    conv::CONV_TRANSPOSE1D,
    conv::CONV_TRANSPOSE2D,
    conv::CONV_TRANSPOSE3D,
    pool::MAX_POOL,
    pool::MAX_POOL1D,
    pool::MAX_POOL3D,
    pool::AVG_POOL,
    pool::AVG_POOL1D,
    pool::AVG_POOL3D,
    adaptive::ADAPTIVE_AVG_POOL1D,
    adaptive::ADAPTIVE_AVG_POOL2D,
    adaptive::ADAPTIVE_AVG_POOL3D,
    adaptive::ADAPTIVE_MAX_POOL1D,
    adaptive::ADAPTIVE_MAX_POOL2D,
    adaptive::ADAPTIVE_MAX_POOL3D,
    fold::UNFOLD,
    fold::FOLD,
    interpolate::INTERPOLATE,
    grid_sample::GRID_SAMPLE,
    grid_sample::AFFINE_GRID,
    unpool::MAX_UNPOOL1D,
    unpool::MAX_UNPOOL2D,
    unpool::MAX_UNPOOL3D,
    unpool::LP_POOL1D,
    unpool::LP_POOL2D,
    unpool::LP_POOL3D,
];

/// A size, stride or padding for each axis that windows slide along; one number stands for all of them.
///
/// Nobody writes it out: numbers and arrays turn into it by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerAxis<const N: usize>(pub [usize; N]);

impl<const N: usize> From<usize> for PerAxis<N> {
    fn from(size: usize) -> Self {
        PerAxis([size; N])
    }
}

impl<const N: usize> From<[usize; N]> for PerAxis<N> {
    fn from(sizes: [usize; N]) -> Self {
        PerAxis(sizes)
    }
}

/// Three axes of one, two or three: the first ones get the filler.
fn three<T: Copy, const N: usize>(sizes: [T; N], filler: T) -> [T; 3] {
    let mut all = [filler; 3];
    all[3 - N..].copy_from_slice(&sizes);
    all
}

/// The last `N` sizes of a shape.
fn spatial<const N: usize>(shape: &[usize]) -> [usize; N] {
    std::array::from_fn(|i| shape[shape.len() - N + i])
}

/// The arguments of windows, by axis.
#[derive(Clone, Copy)]
struct Slide<const N: usize> {
    kernel: [usize; N],
    stride: [usize; N],
    /// Before and behind.
    padding: [[usize; 2]; N],
    dilation: [usize; N],
}

/// Sizes above this, with padding, could make a place overflow.
const MOST: u128 = (isize::MAX / 4) as u128;

impl<const N: usize> Slide<N> {
    /// The windows over an input.
    ///
    /// # Panics
    /// If a number is 0 that must not be, or a window is larger than the padded input.
    #[track_caller]
    fn over(&self, name: &str, input: [usize; N]) -> Window {
        let mut output = [0; N];
        for i in 0..N {
            output[i] = self.places(name, i, input[i], false);
        }
        self.window(name, input, output)
    }

    /// # Panics
    /// If all places of all windows of a channel cannot be counted.
    #[track_caller]
    fn window(&self, name: &str, input: [usize; N], output: [usize; N]) -> Window {
        let countable = |sizes: &[usize]| sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        let places = countable(&[self.kernel, output].concat()).filter(|&places| places as u128 <= MOST);
        if places.is_none() || countable(&input).is_none() {
            fail!(
                "{name}: {output:?} windows of {:?} over {input:?} are more than can be counted",
                self.kernel
            );
        }
        Window {
            input: three(input, 1),
            kernel: three(self.kernel, 1),
            output: three(output, 1),
            stride: three(self.stride, 1),
            padding: three(self.padding.map(|[before, _]| before), 0),
            dilation: three(self.dilation, 1),
        }
    }

    #[track_caller]
    fn check_positive(&self, name: &str) {
        for (what, values) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)]
        {
            if values.contains(&0) {
                fail!("{name}: the {what} is {values:?}; every number of it must be at least 1");
            }
        }
    }

    /// The number of windows along an axis of a size; with `ceil` also the last one that is only partly filled.
    #[track_caller]
    fn places(&self, name: &str, axis: usize, size: usize, ceil: bool) -> usize {
        self.check_positive(name);
        let [before, behind] = self.padding[axis];
        let (stride, padded) = (self.stride[axis] as u128, size as u128 + before as u128 + behind as u128);
        let extent = (self.kernel[axis] as u128 - 1) * self.dilation[axis] as u128 + 1;
        if padded.max(extent).max(stride) > MOST {
            fail!(
                "{name}: kernel {:?}, stride {:?}, dilation {:?} and padding {:?} reach further than can be counted",
                self.kernel,
                self.stride,
                self.dilation,
                self.padding
            );
        }
        if extent > padded {
            fail!(
                "{name}: a window of {extent} (kernel {:?}, dilation {:?}) is larger than the input of {padded} along \
                 axis {axis} (size {size}, padding {before} and {behind})",
                self.kernel,
                self.dilation
            );
        }
        let steps = (padded - extent) / stride;
        // A further window must begin inside of the input or the padding before it.
        let more = ceil
            && !(padded - extent).is_multiple_of(stride)
            && (steps + 1) * stride < size as u128 + before as u128;
        (steps + 1) as usize + usize::from(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_stands_for_all_axes() {
        assert_eq!(PerAxis::<2>::from(3), PerAxis([3, 3]));
        assert_eq!(Padding::<2>::from(1), Padding::Zeros([1, 1]));
        assert_eq!(OutputSize::<2>::from([Some(1), None]), OutputSize([Some(1), None]));
    }
}
