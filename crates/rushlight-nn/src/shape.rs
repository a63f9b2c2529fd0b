//! Layers that only move elements.

use crate::conv::tuple;
use crate::fields;
use crate::module::{Module, Path};
use crate::print::python_float;
use crate::walk::{Field, Walk};
use rushlight_autograd::Tensor;
use rushlight_autograd::ops::{
    self, InterpolateMode, InterpolateOptions, PadMode, PerAxis, Resize, UnfoldOptions,
};

/// Merges dims into one: by default all but the first, the batch.
///
/// Shape: `(N, *) -> (N, product of *)`.
#[derive(Debug)]
pub struct Flatten {
    start_dim: isize,
    end_dim: isize,
    path: Path,
}
fields!(Flatten { path, start_dim, end_dim });

impl Flatten {
    /// Merges the dims `start_dim..=end_dim`; negative ones count from the back.
    pub fn new(start_dim: isize, end_dim: isize) -> Self {
        Flatten { start_dim, end_dim, path: Path::default() }
    }
}

impl Default for Flatten {
    fn default() -> Self {
        Flatten::new(1, -1)
    }
}

impl Module for Flatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Flatten");
        let y = x.flatten(self.start_dim, self.end_dim);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        format!("start_dim={}, end_dim={}", self.start_dim, self.end_dim)
    }
}

/// Splits a dim into several.
///
/// Shape: `(*, product of sizes, *) -> (*, sizes, *)`.
///
/// ```
/// use rushlight_autograd::zeros;
/// use rushlight_nn::{Module, Unflatten};
/// assert_eq!(Unflatten::new(1, [2, 3]).forward(&zeros([5, 6])).shape(), [5, 2, 3]);
/// ```
#[derive(Debug)]
pub struct Unflatten {
    dim: isize,
    sizes: Vec<isize>,
    path: Path,
}
fields!(Unflatten { path, dim, sizes });

impl Unflatten {
    /// Splits `dim`; one of the sizes may be -1.
    pub fn new(dim: isize, sizes: impl Into<Vec<isize>>) -> Self {
        Unflatten { dim, sizes: sizes.into(), path: Path::default() }
    }
}

impl Module for Unflatten {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Unflatten");
        let y = x.unflatten(self.dim, self.sizes.as_slice());
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        format!("dim={}, unflattened_size={}", self.dim, tuple(&self.sizes))
    }
}

macro_rules! shuffles {
    ($($(#[$doc:meta])* $Name:ident, $field:ident, $function:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Name {
            $field: usize,
            path: Path,
        }
        fields!($Name { path, $field });

        impl $Name {
            /// With this factor.
            pub fn new($field: usize) -> Self {
                $Name { $field, path: Path::default() }
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let y = ops::$function(x, self.$field);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                format!("{}={}", stringify!($field), self.$field)
            }
        }
    )*};
}
shuffles! {
    /// Channels become places (Shi et al., "Real-time single image and video super-resolution using an efficient
    /// sub-pixel convolutional neural network", 2016).
    ///
    /// Shape: `(*, C r^2, H, W) -> (*, C, H r, W r)`.
    PixelShuffle, upscale_factor, pixel_shuffle;
    /// The inverse of [`PixelShuffle`].
    ///
    /// Shape: `(*, C, H r, W r) -> (*, C r^2, H, W)`.
    PixelUnshuffle, downscale_factor, pixel_unshuffle;
    /// Mixes the channels of several groups (Zhang et al., "ShuffleNet", 2018).
    ///
    /// Shape: `(N, C, *)`, unchanged.
    ChannelShuffle, groups, channel_shuffle;
}

impl Field for Resize {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl Field for InterpolateOptions {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}
impl Field for UnfoldOptions {
    fn accept(&self, _: &str, _: &mut Walk<'_>) {}
}

/// Makes the spatial axes larger; see [`interpolate`](crate::functional::interpolate).
///
/// Shape: `(N, C, *) -> (N, C, *)` with the wanted sizes, or the sizes times the factors.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_nn::functional::Resize;
/// use rushlight_nn::{Module, Upsample};
/// let x = tensor([[[1.0, 2.0]]]);
/// let y = Upsample::new(Resize::Scale(vec![2.0])).forward(&x);
/// assert_eq!(y.to_vec::<f32>(), [1.0, 1.0, 2.0, 2.0]);
/// ```
#[derive(Debug)]
pub struct Upsample {
    to: Resize,
    options: InterpolateOptions,
    path: Path,
}
fields!(Upsample { path, to, options });

impl Upsample {
    /// To sizes or by factors, with the nearest element.
    pub fn new(to: impl Into<Resize>) -> Self {
        Upsample::with(to, InterpolateOptions::default())
    }

    /// In another mode.
    pub fn with(to: impl Into<Resize>, options: InterpolateOptions) -> Self {
        Upsample { to: to.into(), options, path: Path::default() }
    }
}

impl Module for Upsample {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Upsample");
        let y = ops::interpolate_with(x, self.to.clone(), self.options);
        self.path.finish(self, x, y)
    }

    fn extra_repr(&self) -> String {
        fn one_or_all(texts: &[String]) -> String {
            if let [one] = texts { one.clone() } else { tuple(texts) }
        }
        let to = match &self.to {
            Resize::Size(sizes) => {
                format!("size={}", one_or_all(&sizes.iter().map(usize::to_string).collect::<Vec<_>>()))
            }
            Resize::Scale(factors) => {
                let texts: Vec<String> = factors.iter().map(|&factor| python_float(factor)).collect();
                format!("scale_factor={}", one_or_all(&texts))
            }
        };
        let mode = match self.options.mode {
            InterpolateMode::Nearest => "nearest",
            InterpolateMode::NearestExact => "nearest-exact",
            InterpolateMode::Linear => "linear",
            InterpolateMode::Bilinear => "bilinear",
            InterpolateMode::Bicubic => "bicubic",
            InterpolateMode::Trilinear => "trilinear",
            InterpolateMode::Area => "area",
        };
        format!("{to}, mode='{mode}'")
    }
}

/// The patches of each image as columns; see [`unfold`](crate::functional::unfold).
///
/// Shape: `(N, C, H, W) -> (N, C * kernel, patches)`.
#[derive(Debug)]
pub struct Unfold {
    kernel_size: PerAxis<2>,
    options: UnfoldOptions,
    path: Path,
}
fields!(Unfold { path, kernel_size, options });

impl Unfold {
    /// Patches at every place.
    pub fn new(kernel_size: impl Into<PerAxis<2>>) -> Self {
        Unfold::with(kernel_size, UnfoldOptions::default())
    }

    /// With another stride, padding or dilation.
    pub fn with(kernel_size: impl Into<PerAxis<2>>, options: UnfoldOptions) -> Self {
        Unfold { kernel_size: kernel_size.into(), options, path: Path::default() }
    }
}

impl Module for Unfold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Unfold");
        let y = ops::unfold_with(x, self.kernel_size, self.options);
        self.path.finish(self, x, y)
    }
}

/// The sum of patches where they overlap; see [`fold`](crate::functional::fold).
///
/// Shape: `(N, C * kernel, patches) -> (N, C, output_size)`.
#[derive(Debug)]
pub struct Fold {
    output_size: PerAxis<2>,
    kernel_size: PerAxis<2>,
    options: UnfoldOptions,
    path: Path,
}
fields!(Fold { path, output_size, kernel_size, options });

impl Fold {
    /// Patches at every place.
    pub fn new(output_size: impl Into<PerAxis<2>>, kernel_size: impl Into<PerAxis<2>>) -> Self {
        Fold::with(output_size, kernel_size, UnfoldOptions::default())
    }

    /// With another stride, padding or dilation.
    pub fn with(
        output_size: impl Into<PerAxis<2>>,
        kernel_size: impl Into<PerAxis<2>>,
        options: UnfoldOptions,
    ) -> Self {
        let (output_size, kernel_size) = (output_size.into(), kernel_size.into());
        Fold { output_size, kernel_size, options, path: Path::default() }
    }
}

impl Module for Fold {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let _place = self.path.enter(None, "Fold");
        let y = ops::fold_with(x, self.output_size, self.kernel_size, self.options);
        self.path.finish(self, x, y)
    }
}

macro_rules! pads {
    ($($n:literal $Zero:ident $Constant:ident $Reflection:ident $Replication:ident $Circular:ident, $form:literal;)*) => {$(
        pads!(@ $Zero, $n, $form, PadMode::Constant, "zeros");
        pads!(@ $Reflection, $n, $form, PadMode::Reflect, "its elements in reverse");
        pads!(@ $Replication, $n, $form, PadMode::Replicate, "its outermost elements");
        pads!(@ $Circular, $n, $form, PadMode::Circular, "the elements of its other end");

        #[doc = concat!("Borders of one value around the last ", stringify!($n), " axes.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with larger axes.")]
        #[derive(Debug)]
        pub struct $Constant {
            padding: Vec<isize>,
            value: f64,
            path: Path,
        }
        fields!($Constant { path, padding, value });

        impl $Constant {
            /// Sizes before and behind, the last axis first; negative ones cut.
            pub fn new(padding: [isize; 2 * $n], value: f64) -> Self {
                $Constant { padding: padding.to_vec(), value, path: Path::default() }
            }
        }

        impl Module for $Constant {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Constant));
                let y = ops::pad_with(x, &self.padding, PadMode::Constant, self.value);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                format!("padding={}, value={}", tuple(&self.padding), python_float(self.value))
            }
        }
    )*};
    (@ $Name:ident, $n:literal, $form:literal, $mode:expr, $what:literal) => {
        #[doc = concat!("Borders of ", $what, " around the last ", stringify!($n), " axes.")]
        ///
        #[doc = concat!("Shape: `(N, C, ", $form, ")` or without `N` -> the same with larger axes.")]
        #[derive(Debug)]
        pub struct $Name {
            padding: Vec<isize>,
            path: Path,
        }
        fields!($Name { path, padding });

        impl $Name {
            /// Sizes before and behind, the last axis first; negative ones cut.
            pub fn new(padding: [isize; 2 * $n]) -> Self {
                $Name { padding: padding.to_vec(), path: Path::default() }
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let y = ops::pad_with(x, &self.padding, $mode, 0.0);
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                tuple(&self.padding)
            }
        }
    };
}
pads! {
    1 ZeroPad1d ConstantPad1d ReflectionPad1d ReplicationPad1d CircularPad1d, "L";
    2 ZeroPad2d ConstantPad2d ReflectionPad2d ReplicationPad2d CircularPad2d, "H, W";
    3 ZeroPad3d ConstantPad3d ReflectionPad3d ReplicationPad3d CircularPad3d, "D, H, W";
}
