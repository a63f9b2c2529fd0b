//! Layers and losses as functions: PyTorch's `torch.nn.functional`.

mod activation;

pub use rushlight_autograd::ops::{
    AttentionOptions, AvgPool1dOptions, AvgPool2dOptions, AvgPool3dOptions, AvgPoolOptions, BatchNormOptions,
    BceWithLogitsOptions, Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvOptions, ConvTranspose1dOptions,
    ConvTranspose2dOptions, ConvTranspose3dOptions, ConvTransposeOptions, CrossEntropyOptions,
    CtcLossOptions, EmbeddingBagMode, EmbeddingBagOptions, EmbeddingOptions, GaussianNllLossOptions,
    GridPadding, GridSampleMode, GridSampleOptions, GumbelSoftmaxOptions, HuberLossOptions,
    InstanceNormOptions, InterpolateMode, InterpolateOptions, KlDivReduction, Lengths,
    LocalResponseNormOptions, LpPoolOptions, MaxPool1dOptions, MaxPool2dOptions, MaxPool3dOptions,
    MaxPoolOptions, MaxUnpoolOptions, MultiHeadAttentionOptions, MultiMarginLossOptions, NllLossOptions,
    OutputSize, PadMode, Padding, PairwiseDistanceOptions, PerAxis, PoissonNllLossOptions, Reduction, Resize,
    TripletMarginLossOptions, TripletMarginWithDistanceLossOptions, UnfoldOptions, adaptive_avg_pool1d,
    adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d, adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d, adaptive_max_pool2d_with_indices, adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices, affine_grid, affine_grid_with, alpha_dropout, avg_pool1d,
    avg_pool1d_with, avg_pool2d, avg_pool2d_with, avg_pool3d, avg_pool3d_with, batch_norm, batch_norm_with,
    bilinear, binary_cross_entropy, binary_cross_entropy_with, binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_with, channel_shuffle, conv_transpose1d, conv_transpose1d_with,
    conv_transpose2d, conv_transpose2d_with, conv_transpose3d, conv_transpose3d_with, conv1d, conv1d_with,
    conv2d, conv2d_with, conv3d, conv3d_with, cosine_embedding_loss, cosine_embedding_loss_with,
    cosine_similarity, cosine_similarity_with, cross_entropy, cross_entropy_with, ctc_loss, ctc_loss_with,
    dropout, dropout_, dropout1d, dropout2d, dropout2d_, dropout3d, embedding, embedding_bag,
    embedding_bag_with, embedding_with, feature_alpha_dropout, fold, fold_with, gaussian_nll_loss,
    gaussian_nll_loss_with, grid_sample, grid_sample_with, group_norm, group_norm_with, gumbel_softmax,
    gumbel_softmax_with, hinge_embedding_loss, hinge_embedding_loss_with, huber_loss, huber_loss_with,
    instance_norm, instance_norm_with, interpolate, interpolate_with, kl_div, kl_div_with, l1_loss,
    l1_loss_with, layer_norm, layer_norm_with, linear, local_response_norm, local_response_norm_with,
    lp_pool1d, lp_pool1d_with, lp_pool2d, lp_pool2d_with, lp_pool3d, lp_pool3d_with, margin_ranking_loss,
    margin_ranking_loss_with, max_pool1d, max_pool1d_with, max_pool1d_with_indices, max_pool2d,
    max_pool2d_with, max_pool2d_with_indices, max_pool3d, max_pool3d_with, max_pool3d_with_indices,
    max_unpool1d, max_unpool1d_with, max_unpool2d, max_unpool2d_with, max_unpool3d, max_unpool3d_with,
    mse_loss, mse_loss_with, multi_head_attention_forward, multi_margin_loss, multi_margin_loss_with,
    multilabel_margin_loss, multilabel_margin_loss_with, multilabel_soft_margin_loss,
    multilabel_soft_margin_loss_with, nll_loss, nll_loss_with, normalize, normalize_with, one_hot,
    one_hot_with, pad, pad_with, pairwise_distance, pairwise_distance_with, pdist, pixel_shuffle,
    pixel_unshuffle, poisson_nll_loss, poisson_nll_loss_with, rms_norm, rms_norm_with, rrelu,
    scaled_dot_product_attention, scaled_dot_product_attention_with, smooth_l1_loss, smooth_l1_loss_with,
    soft_margin_loss, soft_margin_loss_with, triplet_margin_loss, triplet_margin_loss_with,
    triplet_margin_with_distance_loss, triplet_margin_with_distance_loss_with, unfold, unfold_with,
};

// Windows and normalisation.

pub use activation::*;
