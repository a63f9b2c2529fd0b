//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

pub(crate) mod cast;
mod distance;
mod elementwise;
mod functions;
mod index;
mod inplace;
mod layout;
mod loss;
mod matmul;
mod norm;
mod operand;
mod reduce;
mod scan;
mod softmax;
mod sort;
mod statistics;
mod unary;
mod unique;

pub use distance::{
    CdistMode, PairwiseDistanceOptions, cdist, cdist_with, cosine_similarity, cosine_similarity_with,
    normalize, normalize_with, pairwise_distance, pairwise_distance_with,
};
pub use functions::{cat, stack, where_};
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use norm::{layer_norm, rms_norm};
pub use operand::Operand;
pub use reduce::{
    NormOptions, std_mean, std_mean_with, var_mean, var_mean_with, vector_norm, vector_norm_with,
};
pub use scan::{DiffOptions, cumulative_trapezoid, trapezoid};
pub use sort::{
    SearchsortedOptions, Side, bucketize, bucketize_with, isin, isin_with, searchsorted, searchsorted_with,
};
pub use statistics::{CovOptions, HistcOptions, Interpolation, QuantileOptions};
pub use unique::{Unique, UniqueConsecutiveOptions, UniqueOptions};

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: &[&[OpInfo]] = &[
    unary::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    cast::TABLE,
    reduce::SUM,
    reduce::PRODUCT,
    reduce::EXTREME,
    reduce::LOGIC,
    reduce::VARIANCE,
    reduce::NORM,
    reduce::LOGSUMEXP,
    scan::TABLE,
    sort::TABLE,
    unique::TABLE,
    statistics::TABLE,
    distance::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    norm::TABLE,
    index::TABLE,
    loss::TABLE,
];
