//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

pub(crate) mod cast;
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
mod window;

pub use functions::{cat, stack, where_};
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use norm::*;
pub use operand::Operand;
pub use window::*;

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: [&[OpInfo]; 11] = [
    unary::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    cast::TABLE,
    reduce::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    norm::TABLE,
    index::TABLE,
    loss::TABLE,
    window::TABLE,
];
