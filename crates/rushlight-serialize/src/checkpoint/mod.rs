//! rushlight's own checkpoints: all that a run needs to go on exactly where it was.
//!
//! A [`Value`](crate::Value) tree, with tensors anywhere in it, becomes one file:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | the magic, `89 52 55 53 48 0d 0a 1a` (as PNG's: it shows files that were treated as text) |
//! | 4 | the version, 1 |
//! | 4 | zeros |
//! | 8 | the length of the header |
//! | 8 | the length of the payload |
//! | 32 | SHA-256 of the 32 bytes above and of the header |
//! | | the header: the tree without its elements, and a table of the tensors (bincode) |
//! | | the payload: zeros up to a multiple of 64, then each tensor, little-endian, at such a multiple |
//! | 32 | SHA-256 of the payload |
//!
//! Integers are little-endian. Every byte lies under a hash, so a file that is read is the file that was written.
//! Each tensor has a CRC-32 of its own in the table, by which [`File::get`] checks it without reading the others.
//! The header has at most 16 MiB; what is large belongs into tensors, of which there is no limit.
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_serialize::{Value, checkpoint};
//!
//! let run = Value::map()
//!     .with("model", Value::map().with("weight", tensor([1.0, 2.0])))
//!     .with("epoch", 3);
//! let bytes = checkpoint::to_bytes(&run).unwrap();
//! let back = checkpoint::from_bytes(&bytes).unwrap();
//! assert_eq!(back.get("epoch").unwrap().int::<u32>().unwrap(), 3);
//! assert_eq!(back.tensors()[0].1.to_vec::<f32>(), [1.0, 2.0]);
//! ```

mod header;
mod nodes;
mod read;
mod write;

pub use read::{File, from_bytes, load};
pub use write::{save, to_bytes};

/// How every checkpoint begins.
pub(crate) const MAGIC: [u8; 8] = *b"\x89RUSH\r\n\x1a";

const VERSION: u32 = 1;
/// The bytes before the header.
const PREFIX: usize = 64;
/// The length of a SHA-256.
const HASH: usize = 32;
/// The prefix without its hash.
const HASHED: usize = PREFIX - HASH;
/// Tensors begin at a multiple of this.
const ALIGNED: usize = 64;
/// The longest header.
const LONGEST_HEADER: usize = 16 << 20;
