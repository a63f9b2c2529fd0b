#![doc = include_str!("../../../README.md")]
//!
//! # The facade
//!
//! This crate re-exports the crates below it under PyTorch's names; it has no algorithm of its own. Most
//! programs start with `use rushlight::prelude::*;`.

pub mod for_pytorch_users;

#[doc = include_str!("../OPS.md")]
pub mod reference {}

pub use rushlight_array::profile::{Profile, profile};
pub use rushlight_array::random::{TorchSeed, manual_seed};
pub use rushlight_array::{
    DType, Device, Error, Index, MemoryStats, PrintOptions, Result, Shape,
    are_deterministic_algorithms_enabled, empty_cache, memory_stats, num_threads, print_options,
    set_memory_limit, set_num_threads, set_print_options, use_deterministic_algorithms,
};
pub use rushlight_autograd::ops::{
    CdistMode, CloseOptions, Contraction, CovOptions, DiagEmbedOptions, DiagonalOptions, DiffOptions,
    HistcOptions, Indexing, Interpolation, NormOptions, QuantileOptions, RoundingMode, SearchsortedOptions,
    Side, SliceScatterOptions, Unique, UniqueConsecutiveOptions, UniqueOptions, atleast_1d, atleast_2d,
    atleast_3d, bitwise_and, bitwise_left_shift, bitwise_or, bitwise_right_shift, bitwise_xor, block_diag,
    broadcast_tensors, bucketize, bucketize_with, cartesian_prod, cat, cdist, cdist_with, channel_shuffle,
    column_stack, combinations, combinations_with, constant_pad_nd, cumulative_trapezoid, dstack, einsum,
    float_power, hstack, isin, isin_with, linalg, meshgrid, meshgrid_with, pixel_shuffle, pixel_unshuffle,
    pow, remainder, rsub, rsub_with, searchsorted, searchsorted_with, stack, std_mean, std_mean_with,
    tensordot, trapezoid, tril_indices, tril_indices_with, triu_indices, triu_indices_with, var_mean,
    var_mean_with, vstack, where_, xlogy,
};
pub use rushlight_autograd::{
    GradOptions, Tensor, TensorOptions, To, arange, arange_with, detect_anomaly, empty, empty_with,
    enable_grad, eye, eye_with, full, full_with, grad, grad_with, gradcheck, gradgradcheck,
    is_anomaly_enabled, is_grad_enabled, linspace, linspace_with, logspace, logspace_with, no_grad, ones,
    ones_with, rand, randint, randn, randperm, tensor, tensor_as, zeros, zeros_with,
};

/// Arrays, devices, dtypes and random numbers.
pub use rushlight_array as array;
/// Tensors with gradients, operations and the table of operations.
pub use rushlight_autograd as autograd;
/// Data sets and loaders: `torch.utils.data`.
pub use rushlight_data as data;
/// Data sets that others made: `torchvision.datasets` and `torchaudio.datasets`.
pub use rushlight_data::datasets;
/// What is done to each image: `torchvision.transforms`.
pub use rushlight_data::transforms;
/// Modules, layers and losses: `torch.nn`.
pub mod nn {
    pub use rushlight_nn::*;

    /// Bounds for gradients: `torch.nn.utils`.
    pub mod utils {
        pub use rushlight_optim::{
            clip_grad_norm_, clip_grad_norm_with_, clip_grad_value_, clip_grads_with_norm_, get_total_norm,
            get_total_norm_with,
        };
    }
}
/// Optimisers: `torch.optim`.
pub use rushlight_optim as optim;
/// Files: safetensors, npy, npz, PyTorch's pth, and checkpoints.
pub use rushlight_serialize as serialize;
/// The trainer: a loop with callbacks, checkpoints and exact resume.
pub use rushlight_train as train;

pub use rushlight_serialize::{load, save};

// The macros refer to `rushlight_nn` by `$crate`, so they work from here as well.
pub use rushlight_nn::{fields, sequential};

/// Mixed precision: `torch.amp`.
pub mod amp {
    pub use rushlight_autograd::{autocast, is_autocast_enabled, no_autocast};
    pub use rushlight_optim::{GradScaler, GradScalerState};
}

/// NVIDIA GPUs: `torch.cuda`. With the feature `cuda`.
#[cfg(feature = "cuda")]
pub use rushlight_cuda as cuda;

/// The device of a name, as `torch.device`: `"cpu"`, and with the feature `cuda` `"cuda"` or `"cuda:1"`.
///
/// ```
/// assert!(rushlight::device("cpu").unwrap().is_cpu());
/// assert!(rushlight::device("tpu").is_err());
/// match rushlight::device("cuda:0") {
///     Ok(gpu) => println!("computing on {gpu}"),
///     Err(error) => println!("{error}"), // why there is none
/// }
/// ```
///
/// # Errors
/// If there is no such device; the message says why.
pub fn device(name: &str) -> Result<Device> {
    let ordinal = match name {
        "cpu" => return Ok(Device::cpu()),
        "cuda" => Some(0),
        other => other.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
    };
    match ordinal {
        Some(ordinal) => gpu(name, ordinal),
        None => Err(Error::invalid(
            "device",
            format!("there is no device '{name}'; it would be 'cpu', 'cuda' or 'cuda:0', 'cuda:1', ..."),
        )),
    }
}

#[cfg(feature = "cuda")]
fn gpu(_: &str, ordinal: usize) -> Result<Device> {
    rushlight_cuda::device(ordinal)
}

#[cfg(not(feature = "cuda"))]
fn gpu(name: &str, _: usize) -> Result<Device> {
    let message =
        format!("there is no device '{name}' in this build; the feature `cuda` of rushlight brings it");
    Err(Error::invalid("device", message))
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
