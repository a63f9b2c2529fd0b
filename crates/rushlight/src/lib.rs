#![doc = include_str!("../../../README.md")]
//!
//! # The facade
//!
//! This crate re-exports the crates below it under PyTorch's names; it has no algorithm of its own. Most
//! programs start with `use rushlight::prelude::*;`.

pub use rushlight_array::profile::{Profile, profile};
pub use rushlight_array::random::{TorchSeed, manual_seed};
pub use rushlight_array::{
    DType, Device, Error, Index, MemoryStats, PrintOptions, Result, Shape, empty_cache, memory_stats,
    num_threads, print_options, set_memory_limit, set_num_threads, set_print_options,
};
pub use rushlight_autograd::ops::{cat, stack, where_};
pub use rushlight_autograd::{
    GradOptions, Tensor, To, arange, enable_grad, eye, full, grad, grad_with, gradcheck, gradgradcheck,
    is_grad_enabled, linspace, no_grad, ones, rand, randint, randn, randperm, tensor, tensor_as, zeros,
};

/// Arrays, devices, dtypes and random numbers.
pub use rushlight_array as array;
/// Tensors with gradients, operations and the table of operations.
pub use rushlight_autograd as autograd;
/// Data sets and loaders: `torch.utils.data`.
pub use rushlight_data as data;
/// Modules, layers and losses: `torch.nn`.
pub use rushlight_nn as nn;
/// Optimisers: `torch.optim`.
pub use rushlight_optim as optim;

// The macros refer to `rushlight_nn` by `$crate`, so they work from here as well.
pub use rushlight_nn::{fields, sequential};

/// The device of a name, as `torch.device`: `"cpu"`.
///
/// ```
/// assert!(rushlight::device("cpu").unwrap().is_cpu());
/// assert!(rushlight::device("tpu").is_err());
/// ```
///
/// # Errors
/// If there is no such device.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::cpu()),
        other => Err(Error::invalid("device", format!("there is no device '{other}'; this build has 'cpu'"))),
    }
}

/// What nearly every program uses: `use rushlight::prelude::*;`.
///
/// `Result` and `Error` are not in it, so that yours keep their names: write `rushlight::Result`.
pub mod prelude {
    pub use crate::data::{DataLoader, Dataset, TensorDataset};
    pub use crate::nn::functional as F;
    pub use crate::nn::{Linear, Module, ReLU, Sequential};
    pub use crate::optim::{Adam, Optimizer, SGD};
    pub use crate::{
        DType, Device, GradOptions, PrintOptions, Tensor, TorchSeed, arange, cat, device, fields, grad,
        grad_with, manual_seed, no_grad, ones, rand, randint, randn, sequential, set_print_options, stack,
        tensor, zeros,
    };
}
