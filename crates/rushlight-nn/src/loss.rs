//! Losses as modules: the functions of [`functional`](crate::functional) with their options fixed.

use crate::fields;
use crate::module::Module;
use crate::walk::{Field, Walk};
use rushlight_autograd::Tensor;
use rushlight_autograd::ops::{
    self, BceWithLogitsOptions, CrossEntropyOptions, CtcLossOptions, GaussianNllLossOptions,
    HuberLossOptions, KlDivReduction, Lengths, MultiMarginLossOptions, NllLossOptions, Operand,
    PairwiseDistanceOptions, PoissonNllLossOptions, Reduction, TripletMarginLossOptions,
};

/// Options of [`BCELoss`] and [`MultiLabelSoftMarginLoss`].
#[derive(Clone, Default, Debug)]
pub struct WeightOptions {
    /// A factor for each loss, or for each class; it broadcasts.
    pub weight: Option<Tensor>,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

/// Options of the losses with a margin.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct MarginOptions {
    /// How far apart is far enough.
    pub margin: f64,
    /// What becomes of the single losses.
    pub reduction: Reduction,
}

/// Options of [`SmoothL1Loss`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SmoothL1Options {
    /// What becomes of the single losses.
    pub reduction: Reduction,
    /// Where the square becomes a line.
    pub beta: f64,
}

impl Default for SmoothL1Options {
    fn default() -> Self {
        SmoothL1Options { reduction: Reduction::Mean, beta: 1.0 }
    }
}

/// Options of [`KLDivLoss`].
#[derive(Clone, Copy, Default, Debug)]
pub struct KlDivOptions {
    /// What becomes of the single losses.
    pub reduction: KlDivReduction,
    /// Whether the targets are logarithms, too.
    pub log_target: bool,
}

macro_rules! plain {
    ($($Options:ty),*) => {$(
        // Options are plain data; class weights are constants, not buffers that a file would hold.
        impl Field for $Options {
            fn accept(&self, _: &str, _: &mut Walk<'_>) {}
        }
    )*};
}
plain!(
    BceWithLogitsOptions,
    CrossEntropyOptions,
    CtcLossOptions,
    GaussianNllLossOptions,
    HuberLossOptions,
    KlDivOptions,
    MarginOptions,
    MultiMarginLossOptions,
    NllLossOptions,
    PairwiseDistanceOptions,
    PoissonNllLossOptions,
    Reduction,
    SmoothL1Options,
    TripletMarginLossOptions,
    WeightOptions
);

macro_rules! loss {
    ($($(#[$doc:meta])* $Name:ident, $Options:ty $(= $default:expr)?, ($($input:ident),*) => |$options:ident| $call:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $Name {
            options: $Options,
        }
        fields!($Name { options });

        impl $Name {
            /// With PyTorch's defaults.
            pub fn new() -> Self {
                $Name::default()
            }

            /// With options other than PyTorch's defaults.
            pub fn with(options: $Options) -> Self {
                $Name { options }
            }

            /// The loss.
            ///
            /// # Panics
            /// If shapes, dtypes or targets do not fit.
            #[track_caller]
            pub fn forward(&self, $($input: &Tensor),*) -> Tensor {
                let $options = &self.options;
                $call
            }
        }

        loss!(@ $Name, $Options $(= $default)?);

        impl Module for $Name {}
    )*};
    (@ $Name:ident, $Options:ty) => {
        impl Default for $Name {
            fn default() -> Self {
                $Name { options: <$Options>::default() }
            }
        }
    };
    (@ $Name:ident, $Options:ty = $default:expr) => {
        impl Default for $Name {
            fn default() -> Self {
                $Name { options: $default }
            }
        }
    };
}

const fn margin(margin: f64) -> MarginOptions {
    MarginOptions { margin, reduction: Reduction::Mean }
}

loss! {
    /// [`cross_entropy`](ops::cross_entropy) of logits with classes.
    CrossEntropyLoss, CrossEntropyOptions, (input, target) =>
        |options| ops::cross_entropy_with(input, target, options);
    /// [`nll_loss`](ops::nll_loss) of log-probabilities with classes.
    NLLLoss, NllLossOptions, (input, target) => |options| ops::nll_loss_with(input, target, options);
    /// [`binary_cross_entropy`](ops::binary_cross_entropy) of probabilities.
    BCELoss, WeightOptions, (input, target) =>
        |options| ops::binary_cross_entropy_with(input, target, options.weight.as_ref(), options.reduction);
    /// [`binary_cross_entropy_with_logits`](ops::binary_cross_entropy_with_logits) of logits.
    BCEWithLogitsLoss, BceWithLogitsOptions, (input, target) =>
        |options| ops::binary_cross_entropy_with_logits_with(input, target, options);
    /// [`mse_loss`](ops::mse_loss): the squared error.
    MSELoss, Reduction, (input, target) => |options| ops::mse_loss_with(input, target, *options, None);
    /// [`l1_loss`](ops::l1_loss): the absolute error.
    L1Loss, Reduction, (input, target) => |options| ops::l1_loss_with(input, target, *options, None);
    /// [`smooth_l1_loss`](ops::smooth_l1_loss): a square near 0, a line beyond.
    SmoothL1Loss, SmoothL1Options, (input, target) =>
        |options| ops::smooth_l1_loss_with(input, target, options.reduction, options.beta);
    /// [`huber_loss`](ops::huber_loss): a square near 0, a line beyond.
    HuberLoss, HuberLossOptions, (input, target) => |options| ops::huber_loss_with(input, target, options);
    /// [`kl_div`](ops::kl_div) of log-probabilities with probabilities.
    KLDivLoss, KlDivOptions, (input, target) =>
        |options| ops::kl_div_with(input, target, options.reduction, options.log_target);
    /// [`poisson_nll_loss`](ops::poisson_nll_loss) of rates with counts.
    PoissonNLLLoss, PoissonNllLossOptions, (input, target) => |options| ops::poisson_nll_loss_with(input, target, options);
    /// [`gaussian_nll_loss`](ops::gaussian_nll_loss) of means and variances with values.
    GaussianNLLLoss, GaussianNllLossOptions, (input, target, var) =>
        |options| ops::gaussian_nll_loss_with(input, target, Operand::from(var), options);
    /// [`hinge_embedding_loss`](ops::hinge_embedding_loss) of distances with 1 and -1.
    HingeEmbeddingLoss, MarginOptions = margin(1.0), (input, target) =>
        |options| ops::hinge_embedding_loss_with(input, target, options.margin, options.reduction);
    /// [`soft_margin_loss`](ops::soft_margin_loss) of scores with 1 and -1.
    SoftMarginLoss, Reduction, (input, target) => |options| ops::soft_margin_loss_with(input, target, *options);
    /// [`multi_margin_loss`](ops::multi_margin_loss) of scores with classes.
    MultiMarginLoss, MultiMarginLossOptions, (input, target) =>
        |options| ops::multi_margin_loss_with(input, target, options);
    /// [`multilabel_margin_loss`](ops::multilabel_margin_loss) of scores with several classes each.
    MultiLabelMarginLoss, Reduction, (input, target) =>
        |options| ops::multilabel_margin_loss_with(input, target, *options);
    /// [`multilabel_soft_margin_loss`](ops::multilabel_soft_margin_loss) of scores with several classes each.
    MultiLabelSoftMarginLoss, WeightOptions, (input, target) =>
        |options| ops::multilabel_soft_margin_loss_with(input, target, options.weight.as_ref(), options.reduction);
    /// [`margin_ranking_loss`](ops::margin_ranking_loss): which of two is to be the larger.
    MarginRankingLoss, MarginOptions = margin(0.0), (input1, input2, target) =>
        |options| ops::margin_ranking_loss_with(input1, input2, target, options.margin, options.reduction);
    /// [`cosine_embedding_loss`](ops::cosine_embedding_loss): which pairs are to point the same way.
    CosineEmbeddingLoss, MarginOptions = margin(0.0), (input1, input2, target) =>
        |options| ops::cosine_embedding_loss_with(input1, input2, target, options.margin, options.reduction);
    /// [`triplet_margin_loss`](ops::triplet_margin_loss): an anchor, what is to be near it, and what is not.
    TripletMarginLoss, TripletMarginLossOptions, (anchor, positive, negative) =>
        |options| ops::triplet_margin_loss_with(anchor, positive, negative, options);
    /// [`pairwise_distance`](ops::pairwise_distance) of rows.
    PairwiseDistance, PairwiseDistanceOptions, (x1, x2) => |options| ops::pairwise_distance_with(x1, x2, options);
}

/// [`ctc_loss`](ops::ctc_loss) of a sequence of log-probabilities with a shorter sequence of classes.
#[derive(Clone, Debug, Default)]
pub struct CTCLoss {
    options: CtcLossOptions,
}
fields!(CTCLoss { options });

impl CTCLoss {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        CTCLoss::default()
    }

    /// With options other than PyTorch's defaults.
    pub fn with(options: CtcLossOptions) -> Self {
        CTCLoss { options }
    }

    /// The loss.
    ///
    /// # Panics
    /// If shapes, dtypes, targets or lengths do not fit.
    #[track_caller]
    pub fn forward(
        &self,
        log_probs: &Tensor,
        targets: &Tensor,
        input_lengths: impl Into<Lengths>,
        target_lengths: impl Into<Lengths>,
    ) -> Tensor {
        ops::ctc_loss_with(log_probs, targets, input_lengths, target_lengths, &self.options)
    }
}

impl Module for CTCLoss {}

/// [`cosine_similarity`](ops::cosine_similarity) along a dim.
#[derive(Clone, Debug)]
pub struct CosineSimilarity {
    dim: isize,
    eps: f64,
}
fields!(CosineSimilarity { dim, eps });

impl CosineSimilarity {
    /// Along `dim`; lengths below `eps` count as `eps`. PyTorch's defaults are 1 and 1e-8.
    pub fn new(dim: isize, eps: f64) -> Self {
        CosineSimilarity { dim, eps }
    }

    /// The similarity of two tensors.
    ///
    /// # Panics
    /// If shapes or dtypes do not fit.
    #[track_caller]
    pub fn forward(&self, x1: &Tensor, x2: &Tensor) -> Tensor {
        ops::cosine_similarity_with(x1, x2, self.dim, self.eps)
    }
}

impl Default for CosineSimilarity {
    fn default() -> Self {
        CosineSimilarity::new(1, 1e-8)
    }
}

impl Module for CosineSimilarity {}
