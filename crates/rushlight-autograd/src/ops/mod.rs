//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

mod activation;
pub(crate) mod cast;
mod dropout;
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
mod softmax;
mod unary;

pub use dropout::{dropout, dropout_, dropout2d, dropout2d_};
pub use functions::{cat, stack, where_};
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use norm::{layer_norm, rms_norm};
pub use operand::Operand;
pub use unary::NanToNumOptions;

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: [&[OpInfo]; 17] = [
    unary::TABLES[0],
    unary::TABLES[1],
    unary::TABLES[2],
    unary::TABLES[3],
    unary::TABLES[4],
    unary::TABLES[5],
    activation::TABLE,
    dropout::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    cast::TABLE,
    reduce::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    norm::TABLE,
    index::TABLE,
    loss::TABLE,
];
