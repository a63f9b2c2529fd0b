//! Losses as modules: the functions of [`functional`](crate::functional) with their options fixed.

use crate::fields;
use crate::module::Module;
use crate::walk::{Field, Walk};
use rushlight_autograd::Tensor;
use rushlight_autograd::ops::{self, BceWithLogitsOptions, CrossEntropyOptions, NllLossOptions, Reduction};

/// Options of [`BCELoss`].
#[derive(Clone, Default, Debug)]
pub struct BceOptions {
    /// A factor for each loss; it broadcasts.
    pub weight: Option<Tensor>,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

macro_rules! loss {
    ($(#[$doc:meta])* $Name:ident, $Options:ty, $function:ident, |$options:ident| $($pass:expr),*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $Name {
            options: $Options,
        }
        fields!($Name { options });

        impl $Name {
            /// With options other than PyTorch's defaults.
            pub fn with(options: $Options) -> Self {
                $Name { options }
            }

            /// The loss of predictions against targets.
            ///
            /// # Panics
            /// If shapes, dtypes or targets do not fit.
            #[track_caller]
            pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
                let $options = &self.options;
                ops::$function(input, target, $($pass),*)
            }
        }

        impl Module for $Name {}

        // Options are plain data; class weights are constants, not buffers that a file would hold.
        impl Field for $Options {
            fn accept(&self, _: &str, _: &mut Walk<'_>) {}
        }
    };
}

loss!(
    /// [`cross_entropy`](ops::cross_entropy) of logits with classes.
    CrossEntropyLoss, CrossEntropyOptions, cross_entropy_with, |options| options
);
loss!(
    /// [`nll_loss`](ops::nll_loss) of log-probabilities with classes.
    NLLLoss, NllLossOptions, nll_loss_with, |options| options
);
loss!(
    /// [`binary_cross_entropy`](ops::binary_cross_entropy) of probabilities.
    BCELoss, BceOptions, binary_cross_entropy_with, |options| options.weight.as_ref(), options.reduction
);
loss!(
    /// [`binary_cross_entropy_with_logits`](ops::binary_cross_entropy_with_logits) of logits.
    BCEWithLogitsLoss, BceWithLogitsOptions, binary_cross_entropy_with_logits_with, |options| options
);
loss!(
    /// [`mse_loss`](ops::mse_loss): the squared error.
    MSELoss, Reduction, mse_loss_with, |options| *options, None
);
