//! Pools that give results of a wanted size: each axis is cut into that many windows, as equal as possible.

use super::pool::{AvgPool, MaxPool, check_input, count_planes, max_grad_fn, with_indices};
use super::{spatial, three};
use crate::table::{Domain, Draw, OpInfo, Reject, Sample, floats};
use crate::tensor::Tensor;
use rushlight_array::window::Spans;
use rushlight_array::{Shape, fail};
use std::sync::Arc;

/// Along one axis: the list of windows stays within a few gigabytes.
const MOST_WINDOWS: usize = 1 << 27;

/// The wanted size for each axis; `None` keeps that of the input, and one number stands for all axes.
///
/// Nobody writes it out: `5`, `[5, 7]` and `[Some(5), None]` turn into it by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputSize<const N: usize>(pub [Option<usize>; N]);

impl<const N: usize> From<usize> for OutputSize<N> {
    fn from(size: usize) -> Self {
        OutputSize([Some(size); N])
    }
}

impl<const N: usize> From<[usize; N]> for OutputSize<N> {
    fn from(sizes: [usize; N]) -> Self {
        OutputSize(sizes.map(Some))
    }
}

impl<const N: usize> From<[Option<usize>; N]> for OutputSize<N> {
    fn from(sizes: [Option<usize>; N]) -> Self {
        OutputSize(sizes)
    }
}

/// The windows, and the shape of the result.
#[track_caller]
fn windows<const N: usize>(name: &str, x: &Tensor, size: OutputSize<N>) -> (Spans, Shape) {
    let shape = check_input::<N>(name, x);
    if !x.dtype().is_float() {
        fail!("{name}: the input is {}, not a float; cast with .to(DType::F32) first", x.dtype().name());
    }
    let input: [usize; N] = spatial(&shape);
    let output: [usize; N] = std::array::from_fn(|i| size.0[i].unwrap_or(input[i]));
    let mut result = shape.to_vec();
    result.truncate(shape.len() - N);
    result.extend(output);
    let result = Shape::from(result);
    // A list of windows is made for each axis: a size that cannot be asked for must be found out before.
    if result.numel() > isize::MAX as usize / 8 || output.iter().any(|&size| size > MOST_WINDOWS) {
        fail!(
            "{name}: output size {output:?} gives shape {result:?}; an axis can have at most {MOST_WINDOWS} windows"
        );
    }
    (Spans::adaptive(three(input, 1), three(output, 1)), result)
}

#[track_caller]
fn max<const N: usize>(name: &str, x: &Tensor, size: OutputSize<N>) -> MaxPool {
    let (spans, output) = windows(name, x, size);
    let grad_fn = ["SqueezeBackward1", "AdaptiveMaxPool2DBackward0", "AdaptiveMaxPool3DBackward0"][N - 1];
    let grad_fn = if N == 1 { max_grad_fn::<1>() } else { grad_fn };
    let planes = count_planes(&x.shape(), N);
    MaxPool { spans: Arc::new(spans), planes, output, found: None, index: None, grad_fn }
}

#[track_caller]
fn avg<const N: usize>(name: &str, x: &Tensor, size: OutputSize<N>) -> Tensor {
    let (spans, shape) = windows(name, x, size);
    let grad_fn = ["SqueezeBackward1", "AdaptiveAvgPool2DBackward0", "AdaptiveAvgPool3DBackward0"][N - 1];
    let planes = count_planes(&x.shape(), N);
    Tensor::apply(AvgPool { spans: Arc::new(spans), planes, transposed: false, shape, grad_fn }, &[x])
}

macro_rules! pools {
    ($($n:literal: $max:ident $max_indices:ident $avg:ident, $form:literal;)*) => {$(
        #[doc = concat!("The largest element of each of so many windows: PyTorch's `functional.", stringify!($max), "`.")]
        ///
        /// Window `i` of `n` covers `size i / n`, rounded down, to `size (i + 1) / n`, rounded up. The gradient goes to
        /// the first of the largest.
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with the wanted sizes.")]
        ///
        /// # Panics
        /// If the shape does not fit or the dtype is not a float.
        #[track_caller]
        pub fn $max(x: &Tensor, output_size: impl Into<OutputSize<$n>>) -> Tensor {
            Tensor::apply(max(stringify!($max), x, output_size.into()), &[x])
        }

        #[doc = concat!("As [`", stringify!($max), "`], and the place of each largest element in its plane as `i64`: PyTorch's `return_indices`.")]
        ///
        /// # Panics
        #[doc = concat!("As [`", stringify!($max), "`].")]
        #[track_caller]
        pub fn $max_indices(x: &Tensor, output_size: impl Into<OutputSize<$n>>) -> (Tensor, Tensor) {
            with_indices(x, max(stringify!($max), x, output_size.into()))
        }

        #[doc = concat!("The mean of each of so many windows: PyTorch's `functional.", stringify!($avg), "`.")]
        ///
        #[doc = concat!("The windows are those of [`", stringify!($max), "`].")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with the wanted sizes.")]
        ///
        /// # Panics
        /// If the shape does not fit or the dtype is not a float.
        #[track_caller]
        pub fn $avg(x: &Tensor, output_size: impl Into<OutputSize<$n>>) -> Tensor {
            avg(stringify!($avg), x, output_size.into())
        }
    )*};
}
pools! {
    1: adaptive_max_pool1d adaptive_max_pool1d_with_indices adaptive_avg_pool1d, "L";
    2: adaptive_max_pool2d adaptive_max_pool2d_with_indices adaptive_avg_pool2d, "H, W";
    3: adaptive_max_pool3d adaptive_max_pool3d_with_indices adaptive_avg_pool3d, "D, H, W";
}

fn draw<const N: usize>(draw: &mut Draw<'_>) -> (Tensor, [Option<usize>; N]) {
    let mut shape: Vec<usize> = if draw.coin() { vec![draw.size()] } else { vec![] };
    shape.push(1 + draw.below(2));
    for i in 0..N {
        shape.push(if i + 1 == N { draw.full_size() } else { 1 + draw.below(3) });
    }
    let size = std::array::from_fn(|_| (!draw.coin()).then(|| 1 + draw.below(4)));
    (draw.leaf(&shape, Domain::Distinct), size)
}

macro_rules! rows {
    ($($max_row:ident, $avg_row:ident: $max:ident $avg:ident;)*) => {$(
        pub(super) const $max_row: OpInfo = OpInfo::composed(
            stringify!($max),
            concat!("torch.nn.functional.", stringify!($max)),
            |source| {
                let (x, size) = draw(source);
                Sample::new(vec![x], move |x| $max(&x[0], size))
            },
        );
        pub(super) const $avg_row: OpInfo = OpInfo::composed(
            stringify!($avg),
            concat!("torch.nn.functional.", stringify!($avg)),
            |source| {
                let (x, size) = draw(source);
                Sample::new(vec![x], move |x| $avg(&x[0], size))
            },
        );
    )*};
}
rows! {
    ADAPTIVE_MAX_POOL1D, ADAPTIVE_AVG_POOL1D: adaptive_max_pool1d adaptive_avg_pool1d;
    ADAPTIVE_MAX_POOL2D, ADAPTIVE_AVG_POOL2D_BARE: adaptive_max_pool2d adaptive_avg_pool2d;
    ADAPTIVE_MAX_POOL3D, ADAPTIVE_AVG_POOL3D: adaptive_max_pool3d adaptive_avg_pool3d;
}

pub(super) const ADAPTIVE_AVG_POOL2D: OpInfo = ADAPTIVE_AVG_POOL2D_BARE.rejects(|| {
    vec![
        Reject::new(
            "adaptive_avg_pool2d: the input has shape [2, 2]; it must be [N, C, H, W] or [C, H, W]",
            || {
                adaptive_avg_pool2d(&floats([2, 2]), 2);
            },
        ),
        Reject::new("an axis can have at most", || {
            adaptive_avg_pool2d(&floats([1, 2, 2]), [1, usize::MAX / 2]);
        }),
    ]
});
