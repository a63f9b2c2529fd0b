//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

pub(crate) mod cast;
mod elementwise;
mod functions;
mod index;
mod layout;
mod loss;
mod matmul;
mod reduce;
mod softmax;
mod unary;

pub use elementwise::Operand;
pub use functions::{cat, stack, where_};
pub use loss::*;
pub use matmul::linear;

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: [&[OpInfo]; 9] = [
    unary::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    cast::TABLE,
    reduce::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    index::TABLE,
    loss::TABLE,
];
