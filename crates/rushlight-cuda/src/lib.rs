//! Arrays on NVIDIA GPUs: a [`Backend`](rushlight_array::Backend) on the driver's interface (by way of `cust`) and on the kernels of
//! `kernels/`, compiled to PTX, which the driver compiles for the GPU at hand.
//!
//! The central function is [`device`]. Nothing else of rushlight knows CUDA: an array of such a device asks its backend as
//! any other does.
//!
//! **One decision explained.** A program with this crate runs with and without NVIDIA's driver. `cust` wants to be linked
//! with `libcuda`; this crate defines the functions of that library itself, and each of them looks for the driver when it is
//! first called. So no toolkit is needed to build, and [`device`] says why there is no GPU where there is none.
//!
//! The environment variable `RUSHLIGHT_LIBCUDA` names another library than the system's `libcuda.so.1`.
//! `RUSHLIGHT_CUBLAS_PATH` names a cuBLAS, and `RUSHLIGHT_CUBLAS=0` does without one; see [`cublas()`].
//! `CUDA_VISIBLE_DEVICES` chooses among GPUs, as everywhere.
//!
//! Arrays are sent by way of pinned memory, so the host goes on while the GPU fetches them. A loader's
//! workers send batches ahead of the training with `loader.pin_memory(move |(x, y)| Ok((x.to(&device), y.to(&device))))`.

mod attention;
mod backend;
mod cast;
mod channels;
mod columns;
mod conv;
#[allow(unsafe_code, reason = "functions of cuBLAS")]
mod cublas;
#[allow(unsafe_code, reason = "the driver's functions")]
mod driver;
mod elementwise;
mod functions;
mod gemm;
#[allow(unsafe_code, reason = "contexts, streams and modules of the driver")]
mod gpu;
#[allow(unsafe_code, reason = "graphs of the driver")]
mod graph;
mod histogram;
mod index;
mod kernels;
#[allow(unsafe_code, reason = "arguments of kernels are untyped")]
mod launch;
mod loss;
mod mask;
mod matmul;
#[allow(unsafe_code, reason = "blocks of the driver")]
mod memory;
mod norm;
mod optimize;
mod pool;
mod random;
mod reduce;
mod report;
mod rows;
mod scan;
mod scatter;
mod softmax;
mod sort;
#[allow(unsafe_code, reason = "blocks that the GPU reads while the host goes on")]
mod staging;
#[allow(unsafe_code, reason = "copies between host and GPU")]
mod transfer;

use backend::Cuda;
use rushlight_array::{Device, Error, Result};
use std::path::PathBuf;

pub use gemm::{Precision, float32_matmul_precision, set_float32_matmul_precision};
pub use graph::{GraphStats, GraphStep, graph_step};
pub use memory::MemoryStats;

/// Whether there is a GPU that can be used: PyTorch's `torch.cuda.is_available()`.
pub fn is_available() -> bool {
    device_count() > 0
}

/// How many GPUs the driver shows; 0 without a driver. `CUDA_VISIBLE_DEVICES` hides some or puts them in another order.
pub fn device_count() -> usize {
    gpu::count()
}

/// The device of the GPU with this number.
///
/// ```
/// match rushlight_cuda::device(0) {
///     Ok(device) => assert_eq!(device.to_string(), "cuda:0"),
///     Err(error) => println!("{error}"), // device: cuda:0: NVIDIA's driver could not be loaded: ..
/// }
/// ```
///
/// # Errors
/// If there is no driver, no such GPU, or one that is too old; the message says which.
pub fn device(ordinal: usize) -> Result<Device> {
    let gpu = find(ordinal)?;
    Ok(Cuda::new(gpu).device())
}

fn find(ordinal: usize) -> Result<&'static gpu::Gpu> {
    gpu::gpu(ordinal).map_err(|reason| Error::invalid("device", reason))
}

/// The name of the card: PyTorch's `get_device_name`.
///
/// # Errors
/// As [`device`].
pub fn device_name(ordinal: usize) -> Result<String> {
    Ok(find(ordinal)?.card.clone())
}

/// The compute capability, such as `(9, 0)`: PyTorch's `get_device_capability`.
///
/// # Errors
/// As [`device`].
pub fn device_capability(ordinal: usize) -> Result<(u32, u32)> {
    let capability = find(ordinal)?.capability;
    Ok((capability / 10, capability % 10))
}

/// What arrays take up on a GPU, and what is kept for later ones.
///
/// # Errors
/// As [`device`].
pub fn memory_stats(ordinal: usize) -> Result<MemoryStats> {
    let gpu = find(ordinal)?;
    Ok(MemoryStats { pinned: gpu.pinned_bytes(), ..gpu.memory.stats() })
}

/// Counts [`MemoryStats::max_allocated`] anew: PyTorch's `reset_peak_memory_stats`.
///
/// # Errors
/// As [`device`].
pub fn reset_peak_memory_stats(ordinal: usize) -> Result<()> {
    find(ordinal)?.reset_peak();
    Ok(())
}

/// Gives kept memory back to the driver, for other programs: PyTorch's `empty_cache`. Arrays stay.
pub fn empty_cache() {
    gpu::opened().for_each(gpu::Gpu::empty_cache);
}

/// Lets a GPU take at most so many bytes from the driver, arrays and kept memory together.
///
/// # Errors
/// As [`device`].
pub fn set_memory_limit(ordinal: usize, bytes: usize) -> Result<()> {
    find(ordinal)?.set_memory_limit(bytes);
    Ok(())
}

/// Waits until the GPU has done all that it was asked for: PyTorch's `synchronize`. Reading an element waits by itself;
/// this is for clocks.
///
/// # Errors
/// As [`device`].
///
/// # Panics
/// If something that it was asked for failed.
pub fn synchronize(ordinal: usize) -> Result<()> {
    find(ordinal)?.synchronize();
    Ok(())
}

/// Takes another library for NVIDIA's driver, as `RUSHLIGHT_LIBCUDA` does, for programs that bring an emulated one. Whether
/// it could: not after anything here was used.
pub fn use_driver(path: impl Into<PathBuf>) -> bool {
    driver::use_library(path.into().as_os_str())
}

/// The cuBLAS that computes large products, with its version: `/usr/local/cuda/lib64/libcublas.so.12 (version 120103)`.
/// `None` if there is none, or no GPU: then the kernels of this crate compute all products.
///
/// It is looked for once: the library that `RUSHLIGHT_CUBLAS_PATH` names, or else those of the system, of
/// `/usr/local/cuda/lib64` and of Python's `nvidia` packages. `RUSHLIGHT_CUBLAS=0` turns it off; the number of multiply-adds
/// in `RUSHLIGHT_CUBLAS_FROM`, 2^27 without it, says from where on it computes products.
pub fn cublas() -> Option<String> {
    cublas::description(gpu::gpu(0).ok()?)
}

/// Takes this library for cuBLAS, as `RUSHLIGHT_CUBLAS_PATH` does, and lets it compute products of at least so many
/// multiply-adds, as `RUSHLIGHT_CUBLAS_FROM` does: for programs that bring an emulated one. Whether it could: not after the
/// first large product.
pub fn use_cublas(path: impl Into<PathBuf>, from: usize) -> bool {
    cublas::use_library(&path.into(), from)
}
