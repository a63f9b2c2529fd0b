//! Pools as layers.

use crate::conv::tuple;
use crate::fields;
use crate::module::{Module, Path};
use crate::print::python_bool;
use crate::walk::{Field, Walk};
use rushlight_autograd::Tensor;
use rushlight_autograd::ops::{self, AvgPoolOptions, MaxPoolOptions, OutputSize, PerAxis};

/// One number if all are equal, as one writes it; else a tuple.
fn sizes(values: &[usize]) -> String {
    if values.iter().all(|v| *v == values[0]) { values[0].to_string() } else { tuple(values) }
}

impl<const N: usize> Field for MaxPoolOptions<N> {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl<const N: usize> Field for AvgPoolOptions<N> {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl<const N: usize> Field for PerAxis<N> {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl<const N: usize> Field for OutputSize<N> {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

/// What stands between the brackets of an average pool; PyTorch shows tuples in one dimension.
fn average<const N: usize>(kernel: [usize; N], stride: [usize; N], padding: [usize; N]) -> String {
    let text = |values: [usize; N]| if N == 1 { tuple(&values) } else { sizes(&values) };
    format!("kernel_size={}, stride={}, padding={}", text(kernel), text(stride), text(padding))
}

/// The sizes of an adaptive pool.
fn adaptive<const N: usize>(size: OutputSize<N>) -> String {
    let texts = size.0.map(|size| size.map_or("None".to_owned(), |size| size.to_string()));
    let text = if texts.iter().all(|text| *text == texts[0]) { texts[0].clone() } else { tuple(&texts) };
    format!("output_size={text}")
}

macro_rules! pools {
    ($($n:literal: $Max:ident $Avg:ident $AdaptiveMax:ident $AdaptiveAvg:ident
        $max:ident $max_indices:ident $avg:ident $adaptive_max:ident $adaptive_max_indices:ident $adaptive_avg:ident, $form:literal;)*) => {$(
        #[doc = concat!("The largest element of each window; see [`", stringify!($max), "`](crate::functional::", stringify!($max), ").")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with")]
        /// `(size + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1` places along each axis.
        #[derive(Debug)]
        pub struct $Max {
            kernel_size: PerAxis<$n>,
            options: MaxPoolOptions<$n>,
            path: Path,
        }
        fields!($Max { path, kernel_size, options });

        impl $Max {
            /// Windows side by side.
            pub fn new(kernel_size: impl Into<PerAxis<$n>>) -> Self {
                $Max::with(kernel_size, MaxPoolOptions::default())
            }

            /// With another stride, padding or dilation.
            pub fn with(kernel_size: impl Into<PerAxis<$n>>, options: MaxPoolOptions<$n>) -> Self {
                $Max { kernel_size: kernel_size.into(), options, path: Path::default() }
            }

            /// As `forward`, with the place of each largest element in its plane: PyTorch's `return_indices`.
            ///
            /// # Panics
            /// If the shape does not fit.
            #[track_caller]
            pub fn forward_with_indices(&self, x: &Tensor) -> (Tensor, Tensor) {
                let _place = self.path.enter(None, stringify!($Max));
                ops::$max_indices(x, self.kernel_size, self.options)
            }
        }

        impl Module for $Max {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Max));
                let y = ops::$max(x, self.kernel_size, self.options);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                let (kernel, options) = (self.kernel_size.0, &self.options);
                format!(
                    "kernel_size={}, stride={}, padding={}, dilation={}, ceil_mode={}",
                    sizes(&kernel),
                    sizes(&options.stride.unwrap_or(kernel)),
                    sizes(&options.padding),
                    sizes(&options.dilation),
                    python_bool(options.ceil_mode)
                )
            }
        }

        #[doc = concat!("The mean of each window; see [`", stringify!($avg), "`](crate::functional::", stringify!($avg), ").")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with `(size + 2 padding - kernel_size) / stride + 1`")]
        /// places along each axis.
        #[derive(Debug)]
        pub struct $Avg {
            kernel_size: PerAxis<$n>,
            options: AvgPoolOptions<$n>,
            path: Path,
        }
        fields!($Avg { path, kernel_size, options });

        impl $Avg {
            /// Windows side by side.
            pub fn new(kernel_size: impl Into<PerAxis<$n>>) -> Self {
                $Avg::with(kernel_size, AvgPoolOptions::default())
            }

            /// With another stride, padding or divisor.
            pub fn with(kernel_size: impl Into<PerAxis<$n>>, options: AvgPoolOptions<$n>) -> Self {
                $Avg { kernel_size: kernel_size.into(), options, path: Path::default() }
            }
        }

        impl Module for $Avg {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Avg));
                let y = ops::$avg(x, self.kernel_size, self.options);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                let kernel = self.kernel_size.0;
                average(kernel, self.options.stride.unwrap_or(kernel), self.options.padding)
            }
        }

        pools!(@ adaptive $AdaptiveMax, $n, $adaptive_max, $form, "The largest element of each of so many windows");
        pools!(@ adaptive $AdaptiveAvg, $n, $adaptive_avg, $form, "The mean of each of so many windows");

        impl $AdaptiveMax {
            /// As `forward`, with the place of each largest element in its plane: PyTorch's `return_indices`.
            ///
            /// # Panics
            /// If the shape does not fit.
            #[track_caller]
            pub fn forward_with_indices(&self, x: &Tensor) -> (Tensor, Tensor) {
                let _place = self.path.enter(None, stringify!($AdaptiveMax));
                ops::$adaptive_max_indices(x, self.output_size)
            }
        }
    )*};
    (@ adaptive $Name:ident, $n:literal, $function:ident, $form:literal, $what:literal) => {
        #[doc = concat!($what, "; see [`", stringify!($function), "`](crate::functional::", stringify!($function), ").")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with the wanted sizes.")]
        #[derive(Debug)]
        pub struct $Name {
            output_size: OutputSize<$n>,
            path: Path,
        }
        fields!($Name { path, output_size });

        impl $Name {
            /// So many windows along each axis; `None` leaves an axis as it is.
            pub fn new(output_size: impl Into<OutputSize<$n>>) -> Self {
                $Name { output_size: output_size.into(), path: Path::default() }
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let y = ops::$function(x, self.output_size);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                adaptive(self.output_size)
            }
        }
    };
}
pools! {
    1: MaxPool1d AvgPool1d AdaptiveMaxPool1d AdaptiveAvgPool1d
        max_pool1d_with max_pool1d_with_indices avg_pool1d_with
        adaptive_max_pool1d adaptive_max_pool1d_with_indices adaptive_avg_pool1d, "L";
    2: MaxPool2d AvgPool2d AdaptiveMaxPool2d AdaptiveAvgPool2d
        max_pool2d_with max_pool2d_with_indices avg_pool2d_with
        adaptive_max_pool2d adaptive_max_pool2d_with_indices adaptive_avg_pool2d, "H, W";
    3: MaxPool3d AvgPool3d AdaptiveMaxPool3d AdaptiveAvgPool3d
        max_pool3d_with max_pool3d_with_indices avg_pool3d_with
        adaptive_max_pool3d adaptive_max_pool3d_with_indices adaptive_avg_pool3d, "D, H, W";
}

impl MaxPool2d {
    /// Kernel and options, if nobody wants to see what goes in.
    pub(crate) fn unwatched(&self) -> Option<(PerAxis<2>, MaxPoolOptions<2>)> {
        (!self.path.is_watched()).then_some((self.kernel_size, self.options))
    }
}
