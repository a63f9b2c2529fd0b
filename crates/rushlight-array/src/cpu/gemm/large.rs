//! Large products: the kernels of the `gemm` crates, on one thread for each part.

use super::kernel::Product;
use super::product::{Epilogue, Matrix, Part};
use crate::cpu::simd::vectorized;

/// Computes `out = a b` for a part.
///
/// # Safety
/// The operands lie inside their storages and fit each other and the part, which is the caller's alone.
pub(super) type Kernel<T> = unsafe fn(&Matrix<'_, T>, &Matrix<'_, T>, &Part<T>);

macro_rules! kernel {
    ($name:ident, $t:ty, $module:path) => {
        pub(super) unsafe fn $name(a: &Matrix<'_, $t>, b: &Matrix<'_, $t>, part: &Part<$t>) {
            use $module as kernels;
            // As the transposed product: these kernels work along the columns of a result.
            // SAFETY: the caller's; nothing of the result is read.
            unsafe {
                kernels::get_gemm_fn()(
                    part.n,
                    part.m,
                    a.columns,
                    part.pointer(0, 0),
                    part.stride as isize,
                    1,
                    false,
                    b.pointer(0, part.j),
                    b.row_stride,
                    b.column_stride,
                    a.pointer(part.i, 0),
                    a.row_stride,
                    a.column_stride,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    gemm_common::Parallelism::None,
                );
            }
        }
    };
}
kernel!(f32, f32, gemm_f32::gemm::f32);
kernel!(f64, f64, gemm_f64::gemm::f64);

/// A part by a kernel of the crates, with the epilogue as another pass over the rows.
///
/// # Safety
/// As [`Kernel`]; the bias has an element for every column of the result.
pub(super) unsafe fn block<T: Product>(
    kernel: Kernel<T>,
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    part: &Part<T>,
    epilogue: &Epilogue<'_, T>,
) {
    // SAFETY: the caller's promise.
    unsafe { kernel(a, b, part) };
    if epilogue.bias.is_none() && !epilogue.relu {
        return;
    }
    for i in 0..part.m {
        // SAFETY: a row of the part, which the kernel has filled.
        let row = unsafe { std::slice::from_raw_parts_mut(part.pointer(i, 0), part.n) };
        vectorized(
            #[inline(always)]
            || {
                if let Some(bias) = epilogue.bias {
                    for (x, &y) in row.iter_mut().zip(&bias[part.j..]) {
                        *x = T::add(*x, y);
                    }
                }
                if epilogue.relu {
                    for x in row {
                        *x = x.relu();
                    }
                }
            },
        );
    }
}
