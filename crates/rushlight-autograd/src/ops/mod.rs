//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

pub(crate) mod cast;
mod elementwise;
mod embedding;
mod functions;
mod index;
mod inplace;
mod layout;
mod loss;
mod matmul;
mod norm;
mod operand;
mod reduce;
mod softmax;
mod unary;

pub use embedding::{
    EmbeddingBagMode, EmbeddingBagOptions, EmbeddingOptions, embedding, embedding_bag, embedding_bag_with,
    embedding_with, one_hot, one_hot_with,
};
pub use functions::{cat, stack, where_};
pub use index::ScatterReduce;
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use norm::{layer_norm, rms_norm};
pub use operand::Operand;

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: [&[OpInfo]; 18] = [
    unary::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    cast::TABLE,
    reduce::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    norm::TABLE,
    index::TABLE,
    index::get::TABLE,
    index::select::TABLE,
    index::gather::TABLE,
    index::put::TABLE,
    index::reduce::TABLE,
    index::masked::TABLE,
    index::nonzero::TABLE,
    embedding::TABLE,
    loss::TABLE,
];
