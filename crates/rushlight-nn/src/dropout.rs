use crate::module::{Mode, Module, Path};
use crate::print::python_float;
use crate::{fields, functional};
use rushlight_array::fail;
use rushlight_autograd::Tensor;

macro_rules! dropouts {
    ($($(#[$doc:meta])* $Name:ident, $function:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $Name {
            p: f64,
            training: Mode,
            path: Path,
        }
        fields!($Name { path, training, p });

        impl $Name {
            /// Drops with probability `p`, 0-1; PyTorch's default is 0.5.
            ///
            /// # Panics
            /// If `p` is not a probability.
            #[track_caller]
            pub fn new(p: f64) -> Self {
                if !(0.0..=1.0).contains(&p) {
                    fail!("{}: p is {p}; a probability must be between 0 and 1", stringify!($Name));
                }
                $Name { p, training: Mode::default(), path: Path::default() }
            }
        }

        impl Default for $Name {
            fn default() -> Self {
                $Name::new(0.5)
            }
        }

        impl Module for $Name {
            #[track_caller]
            fn forward(&self, x: &Tensor) -> Tensor {
                let _place = self.path.enter(None, stringify!($Name));
                let y = functional::$function(x, self.p, self.training.is_training());
                self.path.finish(self, x, y)
            }

            fn extra_repr(&self) -> String {
                format!("p={}, inplace=False", python_float(self.p))
            }
        }
    )*};
}
dropouts! {
    /// In training, sets each element to zero with probability `p` and multiplies the others by 1 / (1 - p); in
    /// evaluation, does nothing (Hinton et al., "Improving neural networks by preventing co-adaptation of
    /// feature detectors", 2012).
    ///
    /// Shape: any, unchanged.
    Dropout, dropout;
    /// As [`Dropout`], of whole channels (Tompson et al., "Efficient object localization using convolutional networks",
    /// 2015).
    ///
    /// Shape: `(N, C, L)` or `(C, L)`, unchanged.
    Dropout1d, dropout1d;
    /// As [`Dropout1d`], of images.
    ///
    /// Shape: `(N, C, H, W)` or `(C, H, W)`, unchanged.
    Dropout2d, dropout2d;
    /// As [`Dropout1d`], of volumes.
    ///
    /// Shape: `(N, C, D, H, W)` or `(C, D, H, W)`, unchanged.
    Dropout3d, dropout3d;
    /// A dropout that keeps mean and variance of what a SELU makes (Klambauer et al., "Self-normalizing neural networks",
    /// 2017).
    ///
    /// Shape: any, unchanged.
    AlphaDropout, alpha_dropout;
    /// As [`AlphaDropout`], of whole channels.
    ///
    /// Shape: `(N, C, *)`, unchanged.
    FeatureAlphaDropout, feature_alpha_dropout;
}
