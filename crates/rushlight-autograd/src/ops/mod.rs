//! The built-in operations, by kind. Each stands with its rule, its method on [`Tensor`](crate::Tensor) and
//! its row of the table.

mod addmm;
mod attention;
pub(crate) mod cast;
mod einsum;
mod elementwise;
mod functions;
mod index;
mod inplace;
mod layout;
pub mod linalg;
mod loss;
mod matmul;
mod multi_head;
mod norm;
mod operand;
mod product;
mod reduce;
mod softmax;
mod unary;

pub use attention::{AttentionOptions, scaled_dot_product_attention, scaled_dot_product_attention_with};
pub use einsum::einsum;
pub use functions::{cat, stack, where_};
pub use loss::*;
pub use matmul::{linear, linear_relu};
pub use multi_head::{MultiHeadAttentionOptions, multi_head_attention_forward};
pub use norm::{layer_norm, rms_norm};
pub use operand::Operand;
pub use product::{Contraction, bilinear, tensordot};

use crate::table::OpInfo;

/// The tables of all kinds.
pub(crate) static TABLES: [&[OpInfo]; 24] = [
    unary::TABLE,
    elementwise::TABLE,
    layout::TABLE,
    cast::TABLE,
    reduce::TABLE,
    softmax::TABLE,
    matmul::TABLE,
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
    norm::TABLE,
    index::TABLE,
    loss::TABLE,
];
