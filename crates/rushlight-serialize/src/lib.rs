//! Named tensors to and from files: safetensors, npy, npz, PyTorch's pth, and rushlight's own checkpoints.
//!
//! The central type is a list of named tensors, [`State`]: what a model's `state_dict()` gives and `load_state_dict`
//! takes. [`save`] and [`load`] move it to and from any of the five forms; each form has a module of its own with what
//! it can do besides. Forms that hold more than tensors (a pth file, a checkpoint) are trees of type [`Value`].
//!
//! ```no_run
//! use rushlight_autograd::tensor;
//!
//! let state = vec![("weight".to_owned(), tensor([1.0, 2.0]))];
//! rushlight_serialize::save("model.safetensors", &state).unwrap();
//! let back = rushlight_serialize::load("model.safetensors").unwrap();
//! assert_eq!(back[0].1.to_vec::<f32>(), [1.0, 2.0]);
//! ```
//!
//! **One decision explained.** Files come from strangers, so no parser here trusts a length: each is compared with the
//! bytes that are really there before anything is allocated for it, no byte of a file may stand for two tensors, and a
//! pickle is run by a machine that can call nothing. The parsers of safetensors and zip are written here rather than
//! taken from their crates, which would bring twenty-six others along; the tests compare with the former as a reference.
//!
//! Modules and training are not known here.

mod atomic;
pub mod checkpoint;
mod cursor;
mod elements;
mod fault;
mod format;
mod json;
mod map;
pub mod npy;
pub mod npz;
pub mod pth;
pub mod safetensors;
mod state;
#[cfg(test)]
mod testing;
mod value;
mod zip;

pub use atomic::replace_file;
pub use format::{Format, load, save};
pub use state::State;
pub use value::{DEEPEST, Key, Value};
