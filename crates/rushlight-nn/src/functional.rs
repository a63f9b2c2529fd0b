//! Layers and losses as functions: PyTorch's `torch.nn.functional`.

mod activation;

pub use rushlight_autograd::ops::{
    AttentionOptions, BceWithLogitsOptions, CrossEntropyOptions, CtcLossOptions, EmbeddingBagMode,
    EmbeddingBagOptions, EmbeddingOptions, GaussianNllLossOptions, HuberLossOptions, KlDivReduction, Lengths,
    MultiHeadAttentionOptions, MultiMarginLossOptions, NllLossOptions, PadMode, PairwiseDistanceOptions,
    PoissonNllLossOptions, Reduction, TripletMarginLossOptions, bilinear, binary_cross_entropy,
    binary_cross_entropy_with, binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_with,
    channel_shuffle, cosine_embedding_loss, cosine_embedding_loss_with, cosine_similarity,
    cosine_similarity_with, cross_entropy, cross_entropy_with, ctc_loss, ctc_loss_with, dropout, dropout_,
    dropout2d, dropout2d_, embedding, embedding_bag, embedding_bag_with, embedding_with, gaussian_nll_loss,
    gaussian_nll_loss_with, hinge_embedding_loss, hinge_embedding_loss_with, huber_loss, huber_loss_with,
    kl_div, kl_div_with, l1_loss, l1_loss_with, layer_norm, linear, margin_ranking_loss,
    margin_ranking_loss_with, mse_loss, mse_loss_with, multi_head_attention_forward, multi_margin_loss,
    multi_margin_loss_with, multilabel_margin_loss, multilabel_margin_loss_with, multilabel_soft_margin_loss,
    multilabel_soft_margin_loss_with, nll_loss, nll_loss_with, normalize, normalize_with, one_hot,
    one_hot_with, pad, pad_with, pairwise_distance, pairwise_distance_with, pixel_shuffle, pixel_unshuffle,
    poisson_nll_loss, poisson_nll_loss_with, rms_norm, scaled_dot_product_attention,
    scaled_dot_product_attention_with, smooth_l1_loss, smooth_l1_loss_with, soft_margin_loss,
    soft_margin_loss_with, triplet_margin_loss, triplet_margin_loss_with,
};

pub use activation::*;
