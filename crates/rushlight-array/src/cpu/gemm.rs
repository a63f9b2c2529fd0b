//! Matrix products: a loop of our own for tiny ones, the `gemm` kernels for the rest.
//!
//! The result is cut into tiles whose size follows from the shapes alone; threads only decide who computes
//! which tile, and no sum is ever split. So the bits do not depend on the number of threads.

use super::threads::{SendPointer, for_each_chunk};
use super::walk::Walk;
use crate::array::Array;
use crate::dtype::{DType, Element};
use crate::layout::Layout;

/// Products with fewer multiply-adds than this are done by the loop below: a call of the packed kernel
/// costs more than they do. Where the two meet depends on the shape: in a rough timing of f32 between 2^9
/// (squares) and more than 2^11 (four rows and fewer), but at once for a single column. To be tuned with
/// a bench of such shapes.
const TINY: usize = 1 << 11;

/// The least number of multiply-adds that are worth handing to another thread: the kernels do tens of them in a
/// nanosecond, so a tile takes some ten microseconds, longer than its hand-off. Not tuned by a bench yet.
const TILE: usize = 1 << 19;

/// Types with a product: `x y + z` without overflow checks.
trait Number: Element {
    fn mul_add(x: Self, y: Self, z: Self) -> Self;
}
impl Number for f32 {
    fn mul_add(x: f32, y: f32, z: f32) -> f32 {
        x * y + z
    }
}
impl Number for f64 {
    fn mul_add(x: f64, y: f64, z: f64) -> f64 {
        x * y + z
    }
}
impl Number for i64 {
    fn mul_add(x: i64, y: i64, z: i64) -> i64 {
        x.wrapping_mul(y).wrapping_add(z)
    }
}

/// A matrix inside a storage: its first element, rows, columns and the strides between them.
#[derive(Clone, Copy)]
struct Matrix<'a, T> {
    data: &'a [T],
    at: usize,
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
}

impl<T: Copy> Matrix<'_, T> {
    /// Where an element lies in the storage.
    fn index(&self, i: usize, j: usize) -> usize {
        (self.at as isize + i as isize * self.row_stride + j as isize * self.column_stride) as usize
    }

    /// Whether every element lies inside the storage; the unsafe kernels rely on it. In 128 bits, where
    /// no layout, however wrong, makes it overflow.
    fn is_in_bounds(&self) -> bool {
        let reach = |n: usize, stride: isize| (n as i128 - 1) * stride as i128;
        let (r, c) = (reach(self.rows, self.row_stride), reach(self.columns, self.column_stride));
        let low = self.at as i128 + r.min(0) + c.min(0);
        let high = self.at as i128 + r.max(0) + c.max(0);
        low >= 0 && high < self.data.len() as i128
    }

    fn pointer(&self, i: usize, j: usize) -> *const T {
        let offset = self.at as isize + i as isize * self.row_stride + j as isize * self.column_stride;
        self.data.as_ptr().wrapping_offset(offset)
    }
}

/// The kernel that computes `out = a b` for the tile `[m, n]` at row and column `(i, j)` of the result.
///
/// What can be checked of the operands and the tile is asserted: [`Backend`](crate::Backend) is public, so
/// the shapes may come from anywhere.
///
/// # Safety
/// `out` points to the first of `a.rows` rows of `b.columns` elements, `stride` apart, all in one block. The
/// tile of it is the caller's alone until the call returns; it need not be initialised.
type Kernel<T> = unsafe fn(&Matrix<'_, T>, &Matrix<'_, T>, (usize, usize), (usize, usize), *mut T, usize);

macro_rules! kernel {
    ($name:ident, $t:ty, $module:path) => {
        unsafe fn $name(
            a: &Matrix<'_, $t>,
            b: &Matrix<'_, $t>,
            (i, j): (usize, usize),
            (m, n): (usize, usize),
            out: *mut $t,
            stride: usize,
        ) {
            use $module as kernels;
            assert!(a.is_in_bounds() && b.is_in_bounds(), "a matrix product would leave its operands");
            let inside = i < a.rows && m <= a.rows - i && j < b.columns && n <= b.columns - j;
            assert!(a.columns == b.rows && inside, "the operands of a matrix product do not fit");
            // SAFETY: both operands lie inside their storages, their inner sizes are equal and the tile lies
            // inside the result (asserted), which the caller lends us; nothing is read from it.
            unsafe {
                kernels::get_gemm_fn()(
                    m,
                    n,
                    a.columns,
                    out.wrapping_add(i * stride + j),
                    1,
                    stride as isize,
                    false,
                    a.pointer(i, 0),
                    a.column_stride,
                    a.row_stride,
                    b.pointer(0, j),
                    b.column_stride,
                    b.row_stride,
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
kernel!(kernel_f32, f32, gemm_f32::gemm::f32);
kernel!(kernel_f64, f64, gemm_f64::gemm::f64);

/// `out = a b` by plain loops, the inner one along whatever lies contiguous in `b`.
fn simple<T: Number>(a: &Matrix<'_, T>, b: &Matrix<'_, T>, out: &mut [T]) {
    let (k, n) = (a.columns, b.columns);
    for (i, out) in out.chunks_exact_mut(n).enumerate() {
        if b.row_stride == 1 && a.column_stride == 1 {
            let row = &a.data[a.index(i, 0)..][..k];
            for (j, o) in out.iter_mut().enumerate() {
                *o = dot(row, &b.data[b.index(0, j)..][..k]);
            }
            continue;
        }
        out.fill(T::default());
        for l in 0..k {
            let x = a.data[a.index(i, l)];
            if b.column_stride == 1 {
                for (o, &y) in out.iter_mut().zip(&b.data[b.index(l, 0)..][..n]) {
                    *o = T::mul_add(x, y, *o);
                }
            } else {
                for (j, o) in out.iter_mut().enumerate() {
                    *o = T::mul_add(x, b.data[b.index(l, j)], *o);
                }
            }
        }
    }
}

/// The scalar product of two runs, in eight lanes.
fn dot<T: Number>(x: &[T], y: &[T]) -> T {
    let mut lanes = [T::default(); 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let (x_rest, y_rest) = (xs.remainder(), ys.remainder());
    for (x, y) in xs.zip(ys) {
        for (lane, (&x, &y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane = T::mul_add(x, y, *lane);
        }
    }
    let one = T::from_i64(1);
    let total = lanes.iter().fold(T::default(), |total, &lane| T::mul_add(one, lane, total));
    x_rest.iter().zip(y_rest).fold(total, |total, (&x, &y)| T::mul_add(x, y, total))
}

/// Cuts `[m, n]` into tiles of at least [`TILE`] multiply-adds: whole rows if there are more rows than
/// columns, else whole columns.
///
/// At most 16 tiles, since each packs the shared operand anew; in multiples of 48 and 64, whole vectors of every
/// width, so that ragged edges are at the end alone. Both follow from the shapes only; neither is tuned yet.
fn tiles(m: usize, k: usize, n: usize) -> (usize, usize) {
    let count = (m * k * n / TILE).clamp(1, 16);
    if m >= n {
        (m.div_ceil(count).next_multiple_of(48), n)
    } else {
        (m, n.div_ceil(count).next_multiple_of(64))
    }
}

fn product<T: Number>(a: &Matrix<'_, T>, b: &Matrix<'_, T>, out: &mut [T], kernel: Option<Kernel<T>>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert!(k == b.rows && out.len() == m * n, "the operands of a matrix product do not fit");
    let Some(kernel) = kernel.filter(|_| m * k * n >= TINY) else {
        return simple(a, b, out);
    };
    let (rows, columns) = tiles(m, k, n);
    let across = n.div_ceil(columns);
    let base = SendPointer(out.as_mut_ptr());
    for_each_chunk(m.div_ceil(rows) * across, &|tile| {
        let (i, j) = (tile / across * rows, tile % across * columns);
        // SAFETY: `out` is the whole result, with rows of n elements; no two chunks share a tile, and `out`
        // stays borrowed until every chunk is done.
        unsafe { kernel(a, b, (i, j), (rows.min(m - i), columns.min(n - j)), base.at(0), n) };
    });
}

fn batched<T: Number>(a: &Array, b: &Array, kernel: Option<Kernel<T>>) -> Array {
    let rank = a.rank();
    let (m, k, n) = (a.shape()[rank - 2], a.shape()[rank - 1], b.shape()[rank - 1]);
    let mut shape = a.shape().to_vec();
    shape[rank - 1] = n;
    Array::build(shape, |out: &mut [T]| {
        if out.is_empty() || k == 0 {
            return out.fill(T::default());
        }
        let first = |x: &Array| -> Layout {
            let layout = x.layout().slice("matmul", rank - 2, 0, 1, 1);
            layout.slice("matmul", rank - 1, 0, 1, 1)
        };
        let (left, right) = (first(a), first(b));
        let walk = Walk::new([&left, &right]);
        let steps = walk.inner();
        let matrix = |x: &Array, at: usize| {
            let strides = &x.layout().strides()[rank - 2..];
            let (rows, columns) = (x.shape()[rank - 2], x.shape()[rank - 1]);
            (at, rows, columns, strides[0], strides[1])
        };
        let (x, y) = (a.host::<T>(), b.host::<T>());
        walk.rows(0, left.numel(), &mut |row| {
            for i in 0..row.len {
                let place = |k: usize| (row.at[k] as isize + i as isize * steps[k]) as usize;
                let view = |data, (at, rows, columns, row_stride, column_stride)| Matrix {
                    data,
                    at,
                    rows,
                    columns,
                    row_stride,
                    column_stride,
                };
                let (p, q) = (view(x, matrix(a, place(0))), view(y, matrix(b, place(1))));
                product(&p, &q, &mut out[(row.start + i) * m * n..][..m * n], kernel);
            }
        });
    })
}

pub(crate) fn matmul(a: &Array, b: &Array) -> Array {
    match a.dtype() {
        DType::F32 => batched::<f32>(a, b, Some(kernel_f32)),
        DType::F64 => batched::<f64>(a, b, Some(kernel_f64)),
        DType::I64 => batched::<i64>(a, b, None),
        dtype => panic!("matmul of {dtype}; arrays cast before they ask for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_right_where_64_bits_would_wrap() {
        let data = [0f32; 4];
        let matrix = |at, rows, row_stride| {
            Matrix { data: &data, at, rows, columns: 2, row_stride, column_stride: 1 }.is_in_bounds()
        };
        assert!(matrix(0, 2, 2) && matrix(2, 2, -2));
        assert!(!matrix(1, 2, 2) && !matrix(1, 2, -2) && !matrix(usize::MAX, 1, 0));
        // 4 steps of 2^62 wrap around to 0.
        assert!(!matrix(0, 5, 1 << 62));
    }
}
