//! Typed storage, strided layouts, the [`Backend`] trait and the CPU backend of rushlight.
//!
//! The central type is [`Array`]: a [`Layout`] (shape, strides, offset) over a shared [`Storage`] on some
//! [`Device`]. Shape and dtype are values, so there is one array type; every view is a layout and needs
//! no kernel. An operation checks shapes, broadcasts and promotes dtypes once, for all devices, and then
//! asks the device's [`Backend`].
//!
//! **One decision explained.** Elements can have ten types, but kernels know four: `f32`, `f64`, `i64`
//! and `bool`. The narrow types are cast on the way in and out ([`DType::compute`]). So a stored type
//! costs one line, and a kernel is written for four types instead of ten.
//!
//! Gradients, modules and files are not known here.

mod array;
pub mod backend;
pub mod context;
mod cpu;
mod deterministic;
mod device;
mod dtype;
mod error;
mod layout;
mod literal;
pub mod order;
mod print;
pub mod profile;
pub mod random;
mod scalar;
mod shape;
mod short;
mod storage;
pub mod window;

pub use array::{Array, Index, Indices, Lu, Step, broadcast_shapes, index_steps};
pub use backend::Backend;
pub use cpu::Cpu;
pub use cpu::memory::{HostBuffer, MemoryStats, empty_cache, memory_stats, set_memory_limit};
pub use cpu::simd::{SimdLevel, set_simd_level, simd_level};
pub use cpu::threads::{num_threads, run_serially_on_this_thread, set_num_threads};
pub use deterministic::{
    alert_not_deterministic, are_deterministic_algorithms_enabled, use_deterministic_algorithms,
};
pub use device::Device;
pub use dtype::{DType, Element};
pub use error::{Error, Result};
pub use layout::{Layout, axis};
pub use literal::{Collector, Literal};
pub use print::{PrintOptions, print_options, set_print_options};
pub use scalar::Scalar;
pub use shape::{Dims, NewShape, Shape};
pub use storage::{Buffer, Storage};
