//! The GPU as a backend: what is asked of it, handed on to the files by kind.

use crate::gpu::Gpu;
use crate::memory::{Address, Block};
use crate::optimize;
use rushlight_array::backend::{
    ArgReduce, Attention, Binary, Compare, Norm, OptimizerStep, OutOfRange, PairLoss, Rank, Reduce, Scan,
    Scatter, Term, Ternary, Unary,
};
use rushlight_array::random::{Draws, Stretch};
use rushlight_array::window::{Conv, Spans, Window};
use rushlight_array::{Array, Backend, Buffer, DType, Device, HostBuffer, Layout, Scalar, Storage};
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

    /// The handle of this GPU: one for all arrays.
    pub(crate) fn device(&self) -> Device {
        self.gpu.device.get_or_init(|| Device::new(Arc::new(self.clone()))).clone()
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
        self.converted(x, dtype)
    }

    fn fill(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array {
        self.filled(shape, dtype, value)
    }

    // Elementwise: `elementwise.rs`, `cast.rs`, `loss.rs`.

    fn unary(&self, op: Unary, x: &Array) -> Array {
        self.unary_function(op, x)
    }

    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array {
        self.binary_function(op, a, b)
    }

    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array {
        self.comparison(op, a, b)
    }

    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        self.selected(condition, a, b)
    }

    fn binary_assign(&self, op: Binary, a: &mut Array, b: &Array) {
        self.assign(op, a, b);
    }

    fn ternary(&self, op: Ternary, a: &Array, b: &Array, c: &Array) -> Array {
        self.ternary_function(op, [a, b, c])
    }

    fn frexp(&self, x: &Array) -> (Array, Array) {
        self.split_floats(x)
    }

    fn pair_loss(&self, kind: PairLoss, x: &Array, y: &Array) -> Array {
        self.pair_losses(kind, x, y)
    }

    fn pair_loss_grad(&self, kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
        self.pair_slopes(kind, grad, x, y)
    }

    fn class_numbers(&self, x: &Array, classes: usize, ignored: Option<i64>) -> Option<[bool; 2]> {
        self.classes_seen(x, classes, ignored)
    }

    fn within(&self, x: &Array, low: f64, high: f64) -> bool {
        self.lies_within(x, low, high)
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
        self.products(a, b)
    }

    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        self.linear_layer(x, weight, bias, relu)
    }

    fn matmul_narrow(&self, a: &Array, b: &Array) -> Array {
        self.narrow_products(a, b)
    }

    fn linear_narrow(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        self.narrow_linear_layer(x, weight, bias, relu)
    }

    fn attention(&self, what: &Attention, operands: [&Array; 3], keep: bool) -> (Array, Option<Array>) {
        self.attend(what, operands, keep)
    }

    fn attention_grad(
        &self,
        what: &Attention,
        grad: &Array,
        operands: [&Array; 3],
        weights: &Array,
    ) -> [Array; 3] {
        self.attend_grad(what, grad, operands, weights)
    }

    // Windows and channels: `conv.rs`, `pool.rs`, `columns.rs`, `channels.rs`.

    fn conv(&self, conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
        self.convolved(conv, x, weight, bias)
    }

    fn conv_relu(
        &self,
        conv: &Conv,
        x: &Array,
        weight: &Array,
        bias: Option<&Array>,
        pool: Option<&Spans>,
        places: bool,
    ) -> (Array, Option<Array>) {
        self.convolved_relu(conv, x, weight, bias, pool, places)
    }

    fn conv_grad_input(&self, conv: &Conv, grad: &Array, weight: &Array) -> Array {
        self.convolved_grad_input(conv, grad, weight)
    }

    fn conv_grad_weight(&self, conv: &Conv, grad: &Array, x: &Array) -> Array {
        self.convolved_grad_weight(conv, grad, x)
    }

    fn unfold_windows(&self, window: &Window, x: &Array) -> Array {
        self.unfolded(window, x)
    }

    fn fold_windows(&self, window: &Window, columns: &Array) -> Array {
        self.folded_windows(window, columns)
    }

    fn max_pool(&self, spans: &Spans, x: &Array) -> (Array, Array) {
        self.max_pooled(spans, x)
    }

    fn max_pool_grad(&self, spans: &Spans, grad: &Array, index: &Array) -> Array {
        self.max_pooled_grad(spans, grad, index)
    }

    fn avg_pool(&self, spans: &Spans, x: &Array) -> Array {
        self.avg_pooled(spans, x)
    }

    fn avg_pool_grad(&self, spans: &Spans, grad: &Array) -> Array {
        self.avg_pooled_grad(spans, grad)
    }

    // Index, scatter, sort: `index.rs`, `scatter.rs`, `mask.rs`, `sort.rs`, `histogram.rs`.
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
        self.index_selected(x, axis, index)
    }

    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        self.gathered(x, axis, index)
    }

    fn scatter(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        self.scattered(op, x, axis, index, source)
    }

    fn index_scatter(
        &self,
        op: Scatter,
        x: Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        self.index_scattered(op, x, axis, index, source)
    }

    fn cat(&self, parts: &[&Array], axis: usize) -> Array {
        self.joined(parts, axis)
    }

    fn place(&self, x: Array, region: &Layout, source: &Array) -> Array {
        self.placed(x, region, source)
    }

    fn ravel_index(&self, indices: &[&Array], sizes: &[usize]) -> Result<Array, (usize, OutOfRange)> {
        self.ravelled(indices, sizes)
    }

    fn nonzero(&self, mask: &Array) -> Array {
        self.true_places(mask)
    }

    fn masked_select(&self, x: &Array, mask: &Array) -> Array {
        self.where_true(x, mask)
    }

    fn masked_scatter(&self, x: &Array, mask: &Array, source: &Array) -> Result<Array, usize> {
        self.replaced(x, mask, source)
    }

    fn sort(&self, x: &Array, axis: usize, descending: bool) -> (Array, Array) {
        self.sorted(x, axis, x.shape()[axis], descending)
    }

    fn topk(&self, x: &Array, axis: usize, k: usize, largest: bool) -> (Array, Array) {
        self.sorted(x, axis, k, largest)
    }

    fn kth(&self, rank: Rank, x: &Array, axis: usize) -> (Array, Array) {
        self.ranked(rank, x, axis)
    }

    fn search_sorted(&self, sorted: &Array, values: &Array, right: bool) -> Array {
        self.searched(sorted, values, right)
    }

    fn bincount(&self, index: &Array, weights: Option<&Array>, size: usize) -> Array {
        self.counted_by(index, weights, size)
    }

    fn histc(&self, x: &Array, bins: usize, low: f64, high: f64) -> Array {
        self.parts_counted(x, bins, low, high)
    }

    // Random draws: `random.rs`.

    fn random(&self, draws: Draws, from: Stretch, dtype: DType, count: usize) -> Buffer {
        let block = self.gpu.block(count * dtype.size());
        self.draw(draws, from, dtype, count, block.address);
        Buffer::Device(Box::new(Elements(block)))
    }

    // Steps of optimisers: `optimize.rs`.

    fn optimizer_step(&self, step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
        self.step(step, w, g, state);
    }

    fn together(&self, steps: &mut dyn FnMut()) {
        optimize::together(steps);
    }
}

/// The array in the host's memory.
pub(crate) fn host(x: &Array) -> Array {
    x.to_device(&Device::cpu())
}
