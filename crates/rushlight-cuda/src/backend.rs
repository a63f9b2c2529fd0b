//! The GPU as a backend: what is asked of it, handed on to the files by kind.

use crate::gpu::Gpu;
use crate::memory::{Address, Block};
use rushlight_array::backend::{
    ArgReduce, Binary, Compare, Norm, OutOfRange, Reduce, Scan, Scatter, Term, Unary,
};
use rushlight_array::{Array, Backend, Buffer, Cpu, DType, Device, HostBuffer, Layout, Scalar, Storage};
use std::fmt;
use std::sync::Arc;

/// The backend of one GPU.
#[derive(Clone)]
pub(crate) struct Cuda {
    pub(crate) gpu: &'static Gpu,
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cuda({}, {})", self.gpu.name, self.gpu.card)
    }
}

/// An array's elements on a GPU.
struct Elements(Block);

impl Cuda {
    pub(crate) fn new(gpu: &'static Gpu) -> Cuda {
        Cuda { gpu }
    }

    pub(crate) fn device(&self) -> Device {
        Device::new(Arc::new(self.clone()))
    }

    /// A row-major array whose elements are still to be written, and their address.
    #[track_caller]
    pub(crate) fn empty(&self, shape: &[usize], dtype: DType) -> (Array, Address) {
        let layout = Layout::contiguous(shape);
        let block = self.gpu.block(layout.numel() * dtype.size());
        let address = block.address;
        let buffer = Buffer::Device(Box::new(Elements(block)));
        let storage = Storage::new(buffer, dtype, layout.numel(), self.device());
        (Array::from_parts(Arc::new(storage), layout), address)
    }

    /// Lets the host compute: for rare functions.
    #[track_caller]
    pub(crate) fn on_host<const N: usize>(
        &self,
        inputs: [&Array; N],
        compute: impl FnOnce([&Array; N]) -> Array,
    ) -> Array {
        let host = inputs.map(|x| x.to_device(&Device::cpu()));
        compute(host.each_ref()).to_device(&self.device())
    }

    /// The array in row-major order without gaps; itself if it is so already.
    #[track_caller]
    pub(crate) fn dense(&self, x: &Array) -> Array {
        if x.is_contiguous() { x.clone() } else { self.copy(x) }
    }
}

/// Where the first element of an array lies.
#[track_caller]
pub(crate) fn address(x: &Array) -> Address {
    let Buffer::Device(buffer) = x.storage().buffer() else {
        unreachable!("an array of {} was handed to a GPU", x.device())
    };
    let Elements(block) = buffer.downcast_ref().expect("the elements of an array of this backend");
    block.address + (x.layout().offset() * x.dtype().size()) as Address
}

impl Backend for Cuda {
    fn name(&self) -> &str {
        &self.gpu.name
    }

    fn upload(&self, data: HostBuffer) -> Buffer {
        Buffer::Device(Box::new(Elements(self.gpu.upload(&data))))
    }

    fn download(&self, x: &Array) -> HostBuffer {
        let x = self.dense(x);
        self.gpu.read(address(&x), x.dtype(), x.numel())
    }

    fn copy(&self, x: &Array) -> Array {
        self.copied(x)
    }

    fn cast(&self, x: &Array, dtype: DType) -> Array {
        self.on_host([x], |[x]| Cpu.cast(x, dtype))
    }

    fn fill(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array {
        self.filled(shape, dtype, value)
    }

    // Elementwise: `elementwise.rs`.

    fn unary(&self, op: Unary, x: &Array) -> Array {
        self.on_host([x], |[x]| Cpu.unary(op, x))
    }

    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array {
        self.on_host([a, b], |[a, b]| Cpu.binary(op, a, b))
    }

    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array {
        self.on_host([a, b], |[a, b]| Cpu.compare(op, a, b))
    }

    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        self.on_host([condition, a, b], |[condition, a, b]| Cpu.select(condition, a, b))
    }

    // Reductions, softmax, norms, scans: `reduce.rs`, `softmax.rs`, `norm.rs`, `scan.rs`.

    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array {
        self.reduced(op, x, axes)
    }

    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array {
        self.arg_reduced(op, x, axis)
    }

    fn reduce_term(&self, term: Term, x: &Array, centre: Option<&Array>, axes: &[usize]) -> Array {
        self.term_reduced(term, x, centre, axes)
    }

    fn count_nonzero(&self, x: &Array, axes: &[usize]) -> Array {
        self.nonzero_counted(x, axes)
    }

    fn softmax(&self, x: &Array, axis: usize) -> Array {
        self.softmax_along(x, axis, false)
    }

    fn log_softmax(&self, x: &Array, axis: usize) -> Array {
        self.softmax_along(x, axis, true)
    }

    fn softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        self.softmax_grad_along(grad, y, axis, false)
    }

    fn log_softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        self.softmax_grad_along(grad, y, axis, true)
    }

    fn cross_entropy(&self, x: &Array, target: &Array) -> (Array, Array) {
        self.cross_entropies(x, target)
    }

    fn cross_entropy_grad(&self, x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array {
        self.cross_entropies_grad(x, stats, target, grad)
    }

    fn norm(
        &self,
        kind: Norm,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        eps: f64,
    ) -> (Array, Array) {
        self.normed(kind, x, weight, bias, eps)
    }

    fn norm_grad(
        &self,
        kind: Norm,
        grad: &Array,
        x: &Array,
        stats: &Array,
        weight: Option<&Array>,
    ) -> (Array, Array, Array) {
        self.normed_grad(kind, grad, x, stats, weight)
    }

    fn scan(&self, op: Scan, x: &Array, axis: usize, reverse: bool) -> Array {
        self.scanned(op, x, axis, reverse)
    }

    fn scan_extreme(&self, op: ArgReduce, x: &Array, axis: usize) -> (Array, Array) {
        self.extremes_scanned(op, x, axis)
    }

    fn recurrence(&self, a: &Array, b: &Array, axis: usize, reverse: bool) -> Array {
        self.recurred(a, b, axis, reverse)
    }

    // Products, attention: `matmul.rs`, `attention.rs`.

    fn matmul(&self, a: &Array, b: &Array) -> Array {
        self.on_host([a, b], |[a, b]| Cpu.matmul(a, b))
    }

    // Windows and channels: `conv.rs`, `pool.rs`, `channels.rs`.

    fn channel_stats(&self, x: &Array) -> Array {
        self.stats_of_channels(x)
    }

    fn channel_grad_sums(&self, grad: &Array, x: &Array, mean: &Array) -> Array {
        self.grad_sums_of_channels(grad, x, mean)
    }

    fn channel_scale(&self, x: &Array, factors: &Array) -> Array {
        self.channels_scaled(x, factors)
    }

    fn channel_mix(&self, grad: &Array, x: &Array, factors: &Array) -> Array {
        self.channels_mixed(grad, x, factors)
    }

    // Index, scatter, sort: `index.rs`, `scatter.rs`, `sort.rs`.

    fn index_select(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        let [x, index] = [x, index].map(host);
        Ok(Cpu.index_select(&x, axis, &index)?.to_device(&self.device()))
    }

    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        let [x, index] = [x, index].map(host);
        Ok(Cpu.gather(&x, axis, &index)?.to_device(&self.device()))
    }

    fn scatter(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        let [x, index, source] = [x, index, source].map(host);
        Ok(Cpu.scatter(op, &x, axis, &index, &source)?.to_device(&self.device()))
    }

    fn cat(&self, parts: &[&Array], axis: usize) -> Array {
        let parts: Vec<Array> = parts.iter().map(|part| host(part)).collect();
        Cpu.cat(&parts.iter().collect::<Vec<_>>(), axis).to_device(&self.device())
    }

    // Steps of optimisers: `optimize.rs`.
}

/// The array in the host's memory.
pub(crate) fn host(x: &Array) -> Array {
    x.to_device(&Device::cpu())
}
