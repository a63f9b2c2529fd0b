//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

mod arithmetic;
pub(crate) mod cast;
mod comparison;
mod elementwise;
mod functions;
mod index;
mod inplace;
mod layout;
mod logical;
mod loss;
mod matmul;
mod norm;
mod operand;
mod power;
mod reduce;
mod softmax;
mod special_binary;
mod ternary;
mod unary;

pub use arithmetic::{RoundingMode, remainder, rsub, rsub_with};
pub use comparison::CloseOptions;
pub use functions::{cat, stack, where_};
pub use logical::{bitwise_and, bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor};
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use norm::{layer_norm, rms_norm};
pub use operand::Operand;
pub use power::{float_power, pow};
pub use special_binary::xlogy;

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: &[&[OpInfo]] = &[
    unary::TABLE,
    arithmetic::TABLE,
    power::TABLE,
    ternary::TABLE,
    comparison::TABLES[0],
    comparison::TABLES[1],
    logical::TABLES[0],
    logical::TABLES[1],
    logical::TABLES[2],
    special_binary::TABLE,
    elementwise::TABLE,
    inplace::TABLE,
    layout::TABLE,
    cast::TABLES[0],
    cast::TABLES[1],
    reduce::TABLE,
    softmax::TABLE,
    matmul::TABLE,
    norm::TABLE,
    index::TABLE,
    loss::TABLE,
    crate::create::TABLES[0],
    crate::create::TABLES[1],
];
