//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

mod activation;
mod addmm;
mod arithmetic;
mod arrange;
mod attention;
pub(crate) mod cast;
mod comparison;
mod diagonal;
mod distance;
mod dropout;
mod einsum;
mod elementwise;
mod embedding;
mod functions;
mod grid;
mod index;
mod inplace;
mod join;
mod layout;
pub(crate) use layout::region::Region;
pub mod linalg;
mod logical;
mod loss;
mod matmul;
mod multi_head;
mod norm;
mod operand;
mod pad;
mod power;
mod product;
mod random;
mod reduce;
mod scan;
mod shuffle;
mod softmax;
mod sort;
mod special_binary;
mod statistics;
mod ternary;
mod triangle;
mod unary;
mod unique;
mod window;

pub use activation::{GumbelSoftmaxOptions, gumbel_softmax, gumbel_softmax_with, rrelu};
pub use arithmetic::{RoundingMode, remainder, rsub, rsub_with};
pub use attention::{AttentionOptions, scaled_dot_product_attention, scaled_dot_product_attention_with};
pub use comparison::CloseOptions;
pub use diagonal::{DiagEmbedOptions, DiagonalOptions};
pub use distance::{
    CdistMode, PairwiseDistanceOptions, cdist, cdist_with, cosine_similarity, cosine_similarity_with,
    normalize, normalize_with, pairwise_distance, pairwise_distance_with, pdist,
};
pub use dropout::{
    alpha_dropout, dropout, dropout_, dropout1d, dropout2d, dropout2d_, dropout3d, feature_alpha_dropout,
};
pub use einsum::einsum;
pub use embedding::{
    EmbeddingBagMode, EmbeddingBagOptions, EmbeddingOptions, embedding, embedding_bag, embedding_bag_with,
    embedding_with, one_hot, one_hot_with,
};
pub use functions::where_;
pub use grid::{
    Indexing, cartesian_prod, combinations, combinations_with, meshgrid, meshgrid_with, tril_indices,
    tril_indices_with, triu_indices, triu_indices_with,
};
pub use index::ScatterReduce;
pub use join::{block_diag, cat, column_stack, dstack, hstack, stack, vstack};
pub use layout::expand::broadcast_tensors;
pub use layout::reshape::{atleast_1d, atleast_2d, atleast_3d};
pub use layout::slice::{SliceScatterOptions, Start};
pub use layout::split::Sections;
pub use logical::{bitwise_and, bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor};
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use multi_head::{MultiHeadAttentionOptions, multi_head_attention_forward};
pub use norm::*;
pub use operand::Operand;
pub use pad::{PadMode, Pads, constant_pad_nd, pad, pad_with};
pub use power::{float_power, pow};
pub use product::{Contraction, bilinear, tensordot};
pub use reduce::{
    NormOptions, std_mean, std_mean_with, var_mean, var_mean_with, vector_norm, vector_norm_with,
};
pub use scan::{DiffOptions, cumulative_trapezoid, trapezoid};
pub use shuffle::{channel_shuffle, pixel_shuffle, pixel_unshuffle};
pub use sort::{
    SearchsortedOptions, Side, bucketize, bucketize_with, isin, isin_with, searchsorted, searchsorted_with,
};
pub use special_binary::xlogy;
pub use statistics::{CovOptions, HistcOptions, Interpolation, QuantileOptions};
pub use unary::NanToNumOptions;
pub use unique::{Unique, UniqueConsecutiveOptions, UniqueOptions};
pub use window::*;

#[cfg(feature = "op-table")]
use crate::table::OpInfo;

/// The tables of all kinds.
#[cfg(feature = "op-table")]
pub(crate) static TABLES: &[&[OpInfo]] = &[
    elementwise::TABLE,
    unary::TABLE,
    activation::TABLES[0],
    activation::TABLES[1],
    unary::exponential::TABLE,
    unary::trigonometry::TABLE,
    unary::rounding::TABLE,
    unary::special::TABLE,
    unary::classify::TABLE,
    dropout::TABLE,
    random::TABLE,
    layout::reshape::TABLE,
    layout::permute::TABLE,
    layout::expand::TABLE,
    layout::slice::TABLE,
    layout::split::TABLE,
    layout::strided::TABLE,
    layout::copy::TABLE,
    join::TABLE,
    arrange::TABLE,
    diagonal::TABLE,
    triangle::TABLE,
    grid::TABLE,
    pad::TABLE,
    shuffle::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    norm::TABLE,
    index::get::TABLE,
    index::select::TABLE,
    index::gather::TABLE,
    index::put::TABLE,
    index::reduce::TABLE,
    index::masked::TABLE,
    index::nonzero::TABLE,
    embedding::TABLE,
    loss::TABLE,
    arithmetic::TABLE,
    power::TABLE,
    ternary::TABLE,
    comparison::TABLES[0],
    comparison::TABLES[1],
    logical::TABLES[0],
    logical::TABLES[1],
    logical::TABLES[2],
    special_binary::TABLE,
    inplace::TABLE,
    cast::TABLES[0],
    cast::TABLES[1],
    crate::create::TABLES[0],
    crate::create::TABLES[1],
    reduce::TABLES[0],
    reduce::TABLES[1],
    reduce::TABLES[2],
    reduce::TABLES[3],
    reduce::TABLES[4],
    reduce::TABLES[5],
    reduce::TABLES[6],
    scan::TABLE,
    sort::TABLE,
    unique::TABLE,
    statistics::TABLE,
    distance::TABLE,
    addmm::TABLE,
    product::TABLE,
    einsum::TABLE,
    attention::TABLE,
    multi_head::TABLE,
    linalg::TABLES[0],
    linalg::TABLES[1],
    linalg::TABLES[2],
    linalg::TABLES[3],
    linalg::TABLES[4],
    linalg::TABLES[5],
    linalg::TABLES[6],
    linalg::TABLES[7],
    linalg::TABLES[8],
    window::TABLE,
];
