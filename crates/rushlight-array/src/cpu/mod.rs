//! The CPU backend. Files are named by kind, as everywhere in rushlight: elementwise, reduce, matmul
//! (`gemm`), index; `threads` is the pool, `memory` the blocks, `walk` the strided loop.

pub(crate) mod activation;
mod attention;
pub(crate) mod binary;
mod cast;
pub(crate) mod channels;
mod ctc;
mod elementwise;
mod float;
#[allow(
    unsafe_code,
    reason = "kernels in registers of vectors, and those of the gemm crates, take raw pointers"
)]
mod gemm;
mod histogram;
mod igamma;
mod index;
pub(crate) mod linalg;
mod loss;
mod mask;
mod math;
#[allow(unsafe_code, reason = "untyped, aligned blocks")]
pub(crate) mod memory;
mod norm;
pub(crate) mod optimize;
mod order;
mod pairs;
mod place;
pub(crate) mod reduce;
mod region;
mod rows;
mod runs;
mod scan;
mod select;
#[allow(unsafe_code, reason = "calls of functions for instructions that the machine was seen to have")]
pub(crate) mod simd;
mod softmax;
mod sort;
mod special;
mod table;
#[allow(unsafe_code, reason = "chunks of one buffer on several threads")]
pub(crate) mod threads;
#[allow(unsafe_code, reason = "vector shuffles")]
mod transpose;
pub(crate) mod unary;
mod walk;
pub(crate) mod window;

use crate::array::Array;
use crate::backend::{
    ArgReduce, Attention, Backend, Binary, Compare, Kernels, Norm, OptimizerStep, OutOfRange, PairLoss, Rank,
    Reduce, Rule, Scan, Scatter, StepRule, Term, Ternary, Unary,
};
use crate::dtype::{DType, Element};
use crate::layout::Layout;
use crate::profile::{kernel, kernels};
use crate::scalar::Scalar;
use crate::storage::Buffer;
pub(crate) use ctc::{gradient as ctc_gradient, losses as ctc_losses};
use memory::HostBuffer;

/// Runs an expression with a type alias standing for the Rust type of a dtype.
macro_rules! with_dtype {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::dtype::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::dtype::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::dtype::DType::F16 => {
                type $t = half::f16;
                $body
            }
            $crate::dtype::DType::BF16 => {
                type $t = half::bf16;
                $body
            }
            $crate::dtype::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::dtype::DType::I32 => {
                type $t = i32;
                $body
            }
            $crate::dtype::DType::I16 => {
                type $t = i16;
                $body
            }
            $crate::dtype::DType::I8 => {
                type $t = i8;
                $body
            }
            $crate::dtype::DType::U8 => {
                type $t = u8;
                $body
            }
            $crate::dtype::DType::Bool => {
                type $t = bool;
                $body
            }
        }
    };
}

/// As [`with_dtype`], with the type that carries the dtype: for kernels that only move elements.
macro_rules! with_carrier {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype.carrier() {
            $crate::dtype::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::dtype::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::dtype::DType::F16 => {
                type $t = half::f16;
                $body
            }
            _ => {
                type $t = u8;
                $body
            }
        }
    };
}

pub(crate) use unary::frexp;
pub(crate) use with_carrier;
pub(crate) use with_dtype;

/// The host as a backend.
#[derive(Clone, Copy, Debug)]
pub struct Cpu;

/// Kernels that only move elements would take those of another dtype of the same size for their own.
#[track_caller]
fn check_one_dtype(op: &str, a: &Array, b: &Array) {
    assert!(a.dtype() == b.dtype(), "{op}: arrays of {} and {}", a.dtype(), b.dtype());
}

/// The array in row-major order, in a block of its own.
#[inline(never)]
fn copy(x: &Array) -> Array {
    with_carrier!(x.dtype(), T => transpose::copy::<T>(x)).retype(x.dtype())
}

/// The array without gaps; itself if it has none.
#[inline(never)]
fn contiguous(x: &Array) -> Array {
    if x.is_contiguous() { x.clone() } else { copy(x) }
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn upload(&self, data: HostBuffer) -> Buffer {
        Buffer::Host(data)
    }

    fn download(&self, x: &Array) -> HostBuffer {
        let _span = kernel("download", || kernels::traffic(&[x, x]));
        let x = contiguous(x);
        let mut data = with_carrier!(x.dtype(), T => HostBuffer::from_slice(x.dense::<T>()));
        data.retype(x.dtype());
        data
    }

    fn copy(&self, x: &Array) -> Array {
        let _span = kernel("copy", || kernels::traffic(&[x, x]));
        copy(x)
    }

    fn cast(&self, x: &Array, dtype: DType) -> Array {
        let _span = kernel("cast", || kernels::cast(x, dtype));
        cast::cast(x, dtype)
    }

    fn fill(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array {
        let _span = kernel("fill", || kernels::filled(shape, dtype));
        with_dtype!(dtype, T => {
            let value = match value {
                Scalar::Float(v) => T::from_f64(v),
                other => T::from_i64(other.to_i64()),
            };
            // Minus zero is equal to zero, too, but not the same.
            if value == T::default() && !value.to_f64().is_sign_negative() {
                let shape = crate::shape::Shape::from(shape);
                return Array::from_host(HostBuffer::new(dtype, shape.numel()), shape);
            }
            Array::build(shape, |out: &mut [T]| {
                threads::for_each_slice(out, 1 << 15, 1, &|_, out| out.fill(value));
            })
        })
    }

    fn unary(&self, op: Unary, x: &Array) -> Array {
        Kernels::Cpu.unary(unary::named(op), x)
    }

    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array {
        Kernels::Cpu.binary(binary::named(op), a, b)
    }

    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array {
        Kernels::Cpu.compare(binary::comparisons::named(op), a, b)
    }

    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        let _span = kernel("where", || kernels::traffic(&[condition, a, b, a]));
        check_one_dtype("where", a, b);
        with_carrier!(a.dtype(), T => binary::select::<T>(condition, a, b)).retype(a.dtype())
    }

    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array {
        Kernels::Cpu.reduce(reduce::named(op), x, axes)
    }

    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array {
        Kernels::Cpu.arg_reduce(reduce::places::named(op), x, axis)
    }

    fn matmul(&self, a: &Array, b: &Array) -> Array {
        let _span = kernel("matmul", || kernels::product(a, b));
        gemm::matmul(a, b)
    }

    fn index_select(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        let _span = kernel("index_select", || kernels::picked(x, axis, index));
        index::index_select(x, axis, index)
    }

    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        let _span = kernel("gather", || kernels::gathered(x, index));
        index::gather(x, axis, index)
    }

    fn scatter(
        &self,
        op: Scatter,
        x: &Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        let _span = kernel(kernels::scatter(op), || kernels::traffic(&[x, x, index, source]));
        place::scatter(op, x, axis, index, source)
    }

    fn cat(&self, parts: &[&Array], axis: usize) -> Array {
        let _span = kernel("cat", || kernels::joined(parts));
        index::cat(parts, axis)
    }

    fn index_scatter(
        &self,
        op: Scatter,
        x: Array,
        axis: usize,
        index: &Array,
        source: &Array,
    ) -> Result<Array, OutOfRange> {
        let _span = kernel(kernels::scatter(op), || kernels::traffic(&[index, source, source, source]));
        place::index_scatter(op, x, axis, index, source)
    }

    fn ravel_index(&self, indices: &[&Array], sizes: &[usize]) -> Result<Array, (usize, OutOfRange)> {
        let _span = kernel("ravel_index", || kernels::traffic(indices));
        index::ravel_index(indices, sizes)
    }

    fn nonzero(&self, mask: &Array) -> Array {
        let _span = kernel("nonzero", || kernels::traffic(&[mask]));
        mask::nonzero(mask)
    }

    fn masked_select(&self, x: &Array, mask: &Array) -> Array {
        let _span = kernel("masked_select", || kernels::traffic(&[x, mask]));
        mask::masked_select(x, mask)
    }

    fn masked_scatter(&self, x: &Array, mask: &Array, source: &Array) -> Result<Array, usize> {
        let _span = kernel("masked_scatter", || kernels::traffic(&[x, x, mask, source]));
        mask::masked_scatter(x, mask, source)
    }

    fn place(&self, x: Array, region: &Layout, source: &Array) -> Array {
        let _span = kernel("place", || kernels::traffic(&[source, source]));
        check_one_dtype("place", &x, source);
        with_carrier!(x.dtype(), T => region::place::<T>(x, region, source))
    }

    fn binary_assign(&self, op: Binary, a: &mut Array, b: &Array) {
        Kernels::Cpu.binary_assign(binary::named_assign(op), a, b);
    }

    fn frexp(&self, x: &Array) -> (Array, Array) {
        let _span = kernel("frexp", || kernels::traffic(&[x, x, x]));
        unary::frexp(x)
    }

    fn ternary(&self, op: Ternary, a: &Array, b: &Array, c: &Array) -> Array {
        Kernels::Cpu.ternary(binary::ternary::named(op), a, b, c)
    }

    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let _span = kernel("linear", || kernels::product(x, &weight.t()));
        gemm::linear(x, weight, bias, relu)
    }

    fn reduce_term(&self, term: Term, x: &Array, centre: Option<&Array>, axes: &[usize]) -> Array {
        let _span = kernel("reduce_term", || kernels::traffic(&[x]));
        reduce::term(term, x, centre, axes)
    }

    fn count_nonzero(&self, x: &Array, axes: &[usize]) -> Array {
        let _span = kernel("count_nonzero", || kernels::traffic(&[x]));
        reduce::count_nonzero(x, axes)
    }

    fn scan(&self, op: Scan, x: &Array, axis: usize, reverse: bool) -> Array {
        let _span = kernel("scan", || kernels::traffic(&[x, x]));
        scan::scan(op, x, axis, reverse)
    }

    fn scan_extreme(&self, op: ArgReduce, x: &Array, axis: usize) -> (Array, Array) {
        let _span = kernel("scan_extreme", || kernels::traffic(&[x, x]));
        scan::extreme(op, x, axis)
    }

    fn recurrence(&self, a: &Array, b: &Array, axis: usize, reverse: bool) -> Array {
        let _span = kernel("recurrence", || kernels::traffic(&[a, b, b]));
        scan::recurrence(a, b, axis, reverse)
    }

    fn sort(&self, x: &Array, axis: usize, descending: bool) -> (Array, Array) {
        let _span = kernel("sort", || kernels::traffic(&[x, x]));
        sort::sort(x, axis, descending)
    }

    fn topk(&self, x: &Array, axis: usize, k: usize, largest: bool) -> (Array, Array) {
        let _span = kernel("topk", || kernels::traffic(&[x]));
        select::topk(x, axis, k, largest)
    }

    fn kth(&self, rank: Rank, x: &Array, axis: usize) -> (Array, Array) {
        let _span = kernel("kth", || kernels::traffic(&[x]));
        select::kth(rank, x, axis)
    }

    fn mode(&self, x: &Array, axis: usize) -> (Array, Array) {
        let _span = kernel("mode", || kernels::traffic(&[x]));
        sort::mode(x, axis)
    }

    fn search_sorted(&self, sorted: &Array, values: &Array, right: bool) -> Array {
        let _span = kernel("search_sorted", || kernels::traffic(&[sorted, values]));
        histogram::search_sorted(sorted, values, right)
    }

    fn bincount(&self, index: &Array, weights: Option<&Array>, size: usize) -> Array {
        let _span = kernel("bincount", || kernels::traffic(&[index]));
        histogram::bincount(index, weights, size)
    }

    fn histc(&self, x: &Array, bins: usize, low: f64, high: f64) -> Array {
        let _span = kernel("histc", || kernels::traffic(&[x]));
        histogram::histc(x, bins, low, high)
    }

    fn softmax(&self, x: &Array, axis: usize) -> Array {
        let _span = kernel("softmax", || kernels::traffic(&[x, x]));
        softmax::softmax(x, axis, false)
    }

    fn log_softmax(&self, x: &Array, axis: usize) -> Array {
        let _span = kernel("log_softmax", || kernels::traffic(&[x, x]));
        softmax::softmax(x, axis, true)
    }

    fn softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        let _span = kernel("softmax_grad", || kernels::traffic(&[grad, y, y]));
        softmax::softmax_grad(grad, y, axis, false)
    }

    fn log_softmax_grad(&self, grad: &Array, y: &Array, axis: usize) -> Array {
        let _span = kernel("log_softmax_grad", || kernels::traffic(&[grad, y, y]));
        softmax::softmax_grad(grad, y, axis, true)
    }

    fn cross_entropy(&self, x: &Array, target: &Array) -> (Array, Array) {
        let _span = kernel("cross_entropy", || kernels::traffic(&[x, target]));
        softmax::cross_entropy(x, target)
    }

    fn cross_entropy_grad(&self, x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array {
        let _span = kernel("cross_entropy_grad", || kernels::traffic(&[x, x, target]));
        softmax::cross_entropy_grad(x, stats, target, grad)
    }

    fn pair_loss(&self, kind: PairLoss, x: &Array, y: &Array) -> Array {
        let _span = kernel("pair_loss", || kernels::traffic(&[x, y, x]));
        loss::pair_loss(kind, x, y)
    }

    fn pair_loss_grad(&self, kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array {
        let _span = kernel("pair_loss_grad", || kernels::traffic(&[x, y, x]));
        loss::pair_loss_grad(kind, grad, x, y)
    }

    fn within(&self, x: &Array, low: f64, high: f64) -> bool {
        let _span = kernel("within", || kernels::traffic(&[x]));
        loss::within(x, low, high)
    }

    fn norm(
        &self,
        kind: Norm,
        x: &Array,
        weight: Option<&Array>,
        bias: Option<&Array>,
        eps: f64,
    ) -> (Array, Array) {
        let _span = kernel("norm", || kernels::traffic(&[x, x]));
        norm::norm(kind, x, weight, bias, eps)
    }

    fn attention(&self, what: &Attention, inputs: [&Array; 3], keep: bool) -> (Array, Option<Array>) {
        attention::attention(what, inputs, keep)
    }

    fn attention_grad(
        &self,
        what: &Attention,
        grad: &Array,
        inputs: [&Array; 3],
        weights: &Array,
    ) -> [Array; 3] {
        attention::attention_grad(what, grad, inputs, weights)
    }

    fn norm_grad(
        &self,
        kind: Norm,
        grad: &Array,
        x: &Array,
        stats: &Array,
        weight: Option<&Array>,
    ) -> (Array, Array, Array) {
        let _span = kernel("norm_grad", || kernels::traffic(&[grad, x, x]));
        norm::norm_grad(kind, grad, x, stats, weight)
    }

    fn optimizer_step(&self, step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
        StepRule::step_on_host(step, w, g, state);
    }
}
