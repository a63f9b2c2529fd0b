//! The CPU backend. Files are named by kind, as everywhere in rushlight: elementwise, reduce, matmul
//! (`gemm`), index; `threads` is the pool, `memory` the blocks, `walk` the strided loop.

mod elementwise;
mod fused;
#[allow(unsafe_code, reason = "the gemm kernels take raw pointers")]
mod gemm;
mod index;
#[allow(unsafe_code, reason = "untyped, aligned blocks")]
pub(crate) mod memory;
mod reduce;
#[allow(unsafe_code, reason = "chunks of one buffer on several threads")]
pub(crate) mod threads;
mod walk;

use crate::array::Array;
use crate::backend::{
    AdamStep, ArgReduce, Backend, Binary, Compare, OutOfRange, Reduce, Scatter, SgdStep, Unary,
};
use crate::dtype::{DType, Element};
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
    with_dtype!(x.dtype(), T => elementwise::map(x, 1, |v: T| v))
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn upload(&self, data: HostBuffer) -> Buffer {
        Buffer::Host(data)
    }

    fn download(&self, x: &Array) -> HostBuffer {
        let x = if x.is_contiguous() { x.clone() } else { copy(x) };
        with_dtype!(x.dtype(), T => HostBuffer::from_slice(x.as_slice::<T>().expect("it was made contiguous")))
    }

    fn copy(&self, x: &Array) -> Array {
        copy(x)
    }

    fn cast(&self, x: &Array, dtype: DType) -> Array {
        elementwise::cast(x, dtype)
    }

    fn fill(&self, shape: &[usize], dtype: DType, value: Scalar) -> Array {
        with_dtype!(dtype, T => {
            let value = match value {
                Scalar::Float(v) => T::from_f64(v),
                other => T::from_i64(other.to_i64()),
            };
            Array::build(shape, |out: &mut [T]| {
                // New blocks are zero already, but not minus zero.
                if value != T::default() || value.to_f64().is_sign_negative() {
                    out.fill(value);
                }
            })
        })
    }

    fn unary(&self, op: Unary, x: &Array) -> Array {
        elementwise::unary(op, x)
    }

    fn binary(&self, op: Binary, a: &Array, b: &Array) -> Array {
        elementwise::binary(op, a, b)
    }

    fn compare(&self, op: Compare, a: &Array, b: &Array) -> Array {
        elementwise::compare(op, a, b)
    }

    fn select(&self, condition: &Array, a: &Array, b: &Array) -> Array {
        with_dtype!(a.dtype(), T => elementwise::select::<T>(condition, a, b))
    }

    fn reduce(&self, op: Reduce, x: &Array, axes: &[usize]) -> Array {
        reduce::reduce(op, x, axes)
    }

    fn arg_reduce(&self, op: ArgReduce, x: &Array, axis: usize) -> Array {
        reduce::arg_reduce(op, x, axis)
    }

    fn matmul(&self, a: &Array, b: &Array) -> Array {
        gemm::matmul(a, b)
    }

    fn index_select(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
        index::index_select(x, axis, index)
    }

    fn gather(&self, x: &Array, axis: usize, index: &Array) -> Result<Array, OutOfRange> {
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
        index::scatter(op, x, axis, index, source)
    }

    fn cat(&self, parts: &[&Array], axis: usize) -> Array {
        index::cat(parts, axis)
    }

    fn softmax(&self, x: &Array, axis: usize) -> Array {
        fused::softmax(x, axis, false)
    }

    fn log_softmax(&self, x: &Array, axis: usize) -> Array {
        fused::softmax(x, axis, true)
    }

    fn sgd_step(&self, step: &SgdStep, w: &mut Array, g: &Array, velocity: Option<&mut Array>) {
        fused::sgd_step(step, w, g, velocity);
    }

    fn adam_step(&self, step: &AdamStep, w: &mut Array, g: &Array, m: &mut Array, v: &mut Array) {
        fused::adam_step(step, w, g, m, v);
    }
}
