//! Neural network modules: layers, containers, losses and initialisation.
//!
//! The central trait is [`Module`]. A model is a struct; one line, [`fields!`], lists its fields, and from it
//! come the parameters and their names, the training mode, the state dict and the printed form.
//!
//! **One decision explained.** Parameters are cells ([`Parameter`]) that handles share: an optimiser holds
//! handles on the same cells as the model, so that neither borrows the other, and a module can be used
//! through `&self` by several threads.
//!
//! Optimisers, data and files are not known here.
//!
//! ```
//! use rushlight_autograd::{Tensor, tensor};
//! use rushlight_nn::{Linear, Module, ReLU, Sequential, fields, sequential};
//!
//! struct Net {
//!     layers: Sequential,
//! }
//! fields!(Net { layers });
//!
//! impl Module for Net {
//!     fn forward(&self, x: &Tensor) -> Tensor {
//!         self.layers.forward(x)
//!     }
//! }
//!
//! let net = Net { layers: sequential![Linear::new(2, 3), ReLU, Linear::new(3, 1)] };
//! assert_eq!(net.forward(&tensor([[1.0, 2.0]])).shape(), [1, 1]);
//! assert_eq!(net.num_parameters(), 2 * 3 + 3 + 3 + 1);
//! assert_eq!(net.named_parameters()[0].0, "layers.0.weight");
//! ```

mod activation;
mod attention;
mod container;
mod conv;
mod dropout;
mod embedding;
pub mod functional;
mod hook;
pub mod init;
mod linear;
mod loss;
mod module;
mod norm;
mod pool;
mod print;
mod rnn;
mod shape;
mod state;
mod summary;
mod transformer;
mod walk;

pub use activation::*;
pub use attention::*;
pub use container::*;
pub use conv::*;
pub use dropout::*;
pub use embedding::*;
pub use hook::ForwardHookHandle;
pub use linear::*;
pub use loss::*;
pub use module::{Buffer, Fields, Mode, Module, Parameter, Path};
pub use norm::*;
pub use pool::*;
pub use print::{format_module, write_module};
pub use rnn::*;
pub use shape::*;
pub use summary::{Summary, SummaryRow, summary, summary_of};
pub use transformer::*;
pub use walk::{Field, Item, Walk};
