//! The CPU backend. Files are named by kind, as everywhere in rushlight: elementwise, reduce, matmul
//! (`gemm`), index; `threads` is the pool, `memory` the blocks, `walk` the strided loop.

pub(crate) mod channels;
mod elementwise;
mod float;
#[allow(
    unsafe_code,
    reason = "kernels in registers of vectors, and those of the gemm crates, take raw pointers"
)]
mod gemm;
mod index;
mod math;
#[allow(unsafe_code, reason = "untyped, aligned blocks")]
pub(crate) mod memory;
mod norm;
mod optimize;
mod reduce;
mod rows;
#[allow(unsafe_code, reason = "calls of functions for instructions that the machine was seen to have")]
pub(crate) mod simd;
mod softmax;
#[allow(unsafe_code, reason = "chunks of one buffer on several threads")]
pub(crate) mod threads;
#[allow(unsafe_code, reason = "vector shuffles")]
mod transpose;
mod walk;
pub(crate) mod window;

use crate::array::Array;
use crate::backend::{
    AdamStep, ArgReduce, Backend, Binary, Compare, Norm, OutOfRange, Reduce, Scatter, SgdStep, Unary,
};
use crate::dtype::{DType, Element};
use crate::profile::{kernel, kernels};
use crate::scalar::Scalar;
use crate::storage::Buffer;
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

pub(crate) use with_dtype;

/// The host as a backend.
#[derive(Clone, Copy, Debug)]
pub struct Cpu;

/// The array in row-major order, in a block of its own.
fn copy(x: &Array) -> Array {
    with_dtype!(x.dtype(), T => transpose::copy::<T>(x))
}

/// The array without gaps; itself if it has none.
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
        with_dtype!(x.dtype(), T => HostBuffer::from_slice(x.as_slice::<T>().expect("it was made contiguous")))
    }

    fn copy(&self, x: &Array) -> Array {
        let _span = kernel("copy", || kernels::traffic(&[x, x]));
        copy(x)
    }

    fn cast(&self, x: &Array, dtype: DType) -> Array {
        let _span = kernel("cast", || kernels::cast(x, dtype));
        elementwise::cast(x, dtype)
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
            Array::build(shape, |out: &mut [T]| out.fill(value))
        })
    }

    fn unary(&self, op: Unary, x: &Array) -> Array {
        let _span = kernel(kernels::unary(op), || kernels::traffic(&[x, x]));
        elementwise::unary(op, x)
    }

    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array {
        let _span = kernel(kernels::binary(op), || kernels::traffic(&[a, b, a]));
        elementwise::binary(op, a, b)
    }

    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array {
        let _span = kernel(kernels::compare(op), || kernels::traffic(&[a, b]));
        elementwise::compare(op, a, b)
    }

    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        let _span = kernel("where", || kernels::traffic(&[condition, a, b, a]));
        with_dtype!(a.dtype(), T => elementwise::select::<T>(condition, a, b))
    }

    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array {
        let _span = kernel(kernels::reduce(op), || kernels::traffic(&[x]));
        reduce::reduce(op, x, axes)
    }

    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array {
        let _span = kernel(kernels::arg_reduce(op), || kernels::traffic(&[x]));
        reduce::arg_reduce(op, x, axis)
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
        index::scatter(op, x, axis, index, source)
    }

    fn cat(&self, parts: &[&Array], axis: usize) -> Array {
        let _span = kernel("cat", || kernels::joined(parts));
        index::cat(parts, axis)
    }

    fn binary_assign(&self, op: Binary, a: &mut Array, b: &Array) {
        let _span = kernel(kernels::binary(op), || kernels::traffic(&[b, b, b]));
        if !elementwise::assign(op, a, b) {
            *a = elementwise::binary(op, a, b);
        }
    }

    fn linear(&self, x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
        let _span = kernel("linear", || kernels::product(x, &weight.t()));
        gemm::linear(x, weight, bias, relu)
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

    fn sgd_step(&self, step: &SgdStep, w: &mut Array, g: &Array, velocity: Option<&mut Array>) {
        let _span = kernel("sgd_step", || kernels::traffic(&[w, w, g]));
        optimize::sgd_step(step, w, g, velocity);
    }

    fn adam_step(&self, step: &AdamStep, w: &mut Array, g: &Array, m: &mut Array, v: &mut Array) {
        let _span = kernel("adam_step", || kernels::traffic(&[w, w, g, m, m, v, v]));
        optimize::adam_step(step, w, g, m, v);
    }
}
