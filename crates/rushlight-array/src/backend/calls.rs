//! How arrays call their device. The CPU is called by name: a vtable of it would hold every kernel, and a program that
//! trains a small network would carry those of convolutions and factorizations, too. For the same reason a function or a
//! reduction comes with the CPU's kernel for it, where others are looked up by its name.

use super::*;
use crate::cpu::binary::comparisons::NamedCompare;
use crate::cpu::binary::ternary::NamedTernary;
use crate::cpu::binary::{NamedAssign, NamedBinary};
use crate::cpu::reduce::NamedReduce;
use crate::cpu::reduce::places::NamedArg;
use crate::cpu::unary::NamedUnary;
use crate::profile::{kernel, kernels};

/// The backend of a device; see [`Device::kernels`](crate::Device::kernels).
#[derive(Clone, Copy)]
pub(crate) enum Kernels<'a> {
    Cpu,
    Other(&'a dyn Backend),
}

/// The methods of [`Backend`] that arrays call.
macro_rules! calls {
    ($(fn $name:ident($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        #[allow(clippy::too_many_arguments, reason = "those of the backend's method")]
        impl Kernels<'_> {
            $(
                #[inline]
                pub(crate) fn $name(self, $($operand: $type),*) $(-> $result)? {
                    match self {
                        Kernels::Cpu => Backend::$name(&Cpu, $($operand),*),
                        Kernels::Other(backend) => backend.$name($($operand),*),
                    }
                }
            )*
        }
    };
}

/// As [`calls!`], of an operation that comes with its kernel; then the arrays that it reads and writes.
macro_rules! named_calls {
    ($(fn $name:ident($call:ident: $Named:ty, $($operand:ident: $type:ty),*) $(-> $result:ty)?, $traffic:expr, $span:expr;)*) => {
        impl Kernels<'_> {
            $(
                pub(crate) fn $name(self, $call: $Named, $($operand: $type),*) $(-> $result)? {
                    match self {
                        Kernels::Cpu => {
                            let _span = kernel($span, || kernels::traffic(&$traffic));
                            ($call.on_cpu)($call.op, $($operand),*)
                        }
                        Kernels::Other(backend) => backend.$name($call.op, $($operand),*),
                    }
                }
            )*
        }
    };
}
named_calls! {
    fn unary(call: NamedUnary, x: &Array) -> Array, [x, x], kernels::unary(call.op);
    fn binary(call: NamedBinary, a: &Array, b: &Array) -> Array, [a, b, a], kernels::binary(call.op);
    fn compare(call: NamedCompare, a: &Array, b: &Array) -> Array, [a, b], kernels::compare(call.op);
    fn ternary(call: NamedTernary, a: &Array, b: &Array, c: &Array) -> Array, [a, b, c, a], kernels::ternary(call.op);
    fn reduce(call: NamedReduce, x: &Array, axes: &[usize]) -> Array, [x], kernels::reduce(call.op);
    fn arg_reduce(call: NamedArg, x: &Array, axis: usize) -> Array, [x], kernels::arg_reduce(call.op);
    fn binary_assign(call: NamedAssign, a: &mut Array, b: &Array), [b, b, b], kernels::binary(call.op);
}

calls! {
    fn upload(data: HostBuffer) -> Buffer;
    fn download(x: &Array) -> HostBuffer;
    fn copy(x: &Array) -> Array;
    fn cast(x: &Array, dtype: DType) -> Array;
    fn fill(shape: &[usize], dtype: DType, value: Scalar) -> Array;
    fn select(condition: &Array, a: &Array, b: &Array) -> Array;
    fn matmul(a: &Array, b: &Array) -> Array;
    fn index_select(x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange>;
    fn gather(x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange>;
    fn scatter(op: Scatter, x: &Array, axis: usize, index: &Array, source: &Array) -> Result<Array, OutOfRange>;
    fn cat(parts: &[&Array], axis: usize) -> Array;
    fn index_scatter(op: Scatter, x: Array, axis: usize, index: &Array, source: &Array) -> Result<Array, OutOfRange>;
    fn ravel_index(indices: &[&Array], sizes: &[usize]) -> Result<Array, (usize, OutOfRange)>;
    fn nonzero(mask: &Array) -> Array;
    fn masked_select(x: &Array, mask: &Array) -> Array;
    fn masked_scatter(x: &Array, mask: &Array, source: &Array) -> Result<Array, usize>;
    fn place(x: Array, region: &Layout, source: &Array) -> Array;
    fn frexp(x: &Array) -> (Array, Array);
    fn linear(x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array;
    fn matmul_narrow(a: &Array, b: &Array) -> Array;
    fn linear_narrow(x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array;
    fn reduce_term(term: Term, x: &Array, centre: Option<&Array>, axes: &[usize]) -> Array;
    fn count_nonzero(x: &Array, axes: &[usize]) -> Array;
    fn scan(op: Scan, x: &Array, axis: usize, reverse: bool) -> Array;
    fn scan_extreme(op: ArgReduce, x: &Array, axis: usize) -> (Array, Array);
    fn recurrence(a: &Array, b: &Array, axis: usize, reverse: bool) -> Array;
    fn sort(x: &Array, axis: usize, descending: bool) -> (Array, Array);
    fn topk(x: &Array, axis: usize, k: usize, largest: bool) -> (Array, Array);
    fn kth(rank: Rank, x: &Array, axis: usize) -> (Array, Array);
    fn mode(x: &Array, axis: usize) -> (Array, Array);
    fn search_sorted(sorted: &Array, values: &Array, right: bool) -> Array;
    fn bincount(index: &Array, weights: Option<&Array>, size: usize) -> Array;
    fn histc(x: &Array, bins: usize, low: f64, high: f64) -> Array;
    fn softmax(x: &Array, axis: usize) -> Array;
    fn log_softmax(x: &Array, axis: usize) -> Array;
    fn softmax_grad(grad: &Array, y: &Array, axis: usize) -> Array;
    fn log_softmax_grad(grad: &Array, y: &Array, axis: usize) -> Array;
    fn cross_entropy(x: &Array, target: &Array) -> (Array, Array);
    fn cross_entropy_grad(x: &Array, stats: &Array, target: &Array, grad: &Array) -> Array;
    fn pair_loss(kind: PairLoss, x: &Array, y: &Array) -> Array;
    fn pair_loss_grad(kind: PairLoss, grad: &Array, x: &Array, y: &Array) -> Array;
    fn within(x: &Array, low: f64, high: f64) -> bool;
    fn class_numbers(x: &Array, classes: usize, ignored: Option<i64>) -> Option<[bool; 2]>;
    fn ctc_loss(x: &Array, task: &Ctc) -> Array;
    fn ctc_loss_grad(x: &Array, task: &Ctc, grad: &Array) -> Array;
    fn norm(kind: Norm, x: &Array, weight: Option<&Array>, bias: Option<&Array>, eps: f64) -> (Array, Array);
    fn attention(what: &Attention, operands: [&Array; 3], keep: bool) -> (Array, Option<Array>);
    fn attention_grad(what: &Attention, grad: &Array, operands: [&Array; 3], weights: &Array) -> [Array; 3];
    fn norm_grad(kind: Norm, grad: &Array, x: &Array, stats: &Array, weight: Option<&Array>) -> (Array, Array, Array);
    fn cholesky(x: &Array) -> (Array, Array);
    fn cholesky_inverse(factor: &Array) -> Array;
    fn lu(x: &Array) -> (Array, Array, Array);
    fn solve_triangular(a: &Array, b: &Array, upper: bool, unit: bool) -> Array;
    fn qr(x: &Array, complete: bool) -> (Array, Array);
    fn svd(x: &Array, full: bool) -> Option<(Array, Array, Array)>;
    fn eigh(x: &Array) -> Option<(Array, Array)>;
    fn cross(a: &Array, b: &Array, axis: usize) -> Array;
    fn conv(conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>) -> Array;
    fn conv_relu(conv: &Conv, x: &Array, weight: &Array, bias: Option<&Array>, pool: Option<&Spans>, places: bool) -> (Array, Option<Array>);
    fn conv_grad_input(conv: &Conv, grad: &Array, weight: &Array) -> Array;
    fn conv_grad_weight(conv: &Conv, grad: &Array, x: &Array) -> Array;
    fn unfold_windows(window: &Window, x: &Array) -> Array;
    fn fold_windows(window: &Window, columns: &Array) -> Array;
    fn max_pool(spans: &Spans, x: &Array) -> (Array, Array);
    fn max_pool_grad(spans: &Spans, grad: &Array, index: &Array) -> Array;
    fn avg_pool(spans: &Spans, x: &Array) -> Array;
    fn avg_pool_grad(spans: &Spans, grad: &Array) -> Array;
    fn channel_stats(x: &Array) -> Array;
    fn channel_grad_sums(grad: &Array, x: &Array, mean: &Array) -> Array;
    fn channel_scale(x: &Array, factors: &Array) -> Array;
    fn channel_mix(grad: &Array, x: &Array, factors: &Array) -> Array;
}

impl Kernels<'_> {
    /// The dtype in which matrices are handed to this device: the CPU multiplies compute types alone.
    #[inline]
    pub(crate) fn product_dtype(self, dtype: DType) -> DType {
        match (self, dtype) {
            (Kernels::Other(_), DType::F16 | DType::BF16) => dtype,
            _ => dtype.compute(),
        }
    }

    /// Not by way of the CPU's backend, which holds all rules.
    #[inline]
    pub(crate) fn optimizer_step<R: Rule>(
        self,
        step: &OptimizerStep<R>,
        w: &mut Array,
        g: &Array,
        state: [Option<&mut Array>; 3],
    ) {
        match self {
            Kernels::Cpu => R::step_on_host(step, w, g, state),
            Kernels::Other(backend) => backend.optimizer_step(&step.with(step.rule.into()), w, g, state),
        }
    }
}
