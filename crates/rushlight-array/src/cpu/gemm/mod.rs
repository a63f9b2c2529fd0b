//! Matrix products.
//!
//! `lanes` are the registers, `kernel` the innermost loops, `block` the loops around them, `large` those around packed
//! operands, `product` the choice between them; this page has batches, threads and what the rest of the backend calls.
//!
//! An element of the result is one chain of `mul_add` over the inner index (for very few rows or columns:
//! a fixed number of chains; for a long row times a column: parts of a fixed size). Threads only decide who computes
//! which part, and no sum is ever split between them. So the bits follow from shapes and strides, not from the number of
//! threads.

mod block;
mod kernel;
mod lanes;
mod large;
mod product;

use super::float::Float;
use super::threads::{SendPointer, for_each_chunk, for_each_slice};
use crate::array::Array;
use crate::dtype::{DType, Element};
pub(super) use kernel::Product;
pub(super) use product::Matrix;
use product::{Epilogue, Part, Plan};

/// The product of arrays with at least two dims and equal leading sizes.
pub(crate) fn matmul(a: &Array, b: &Array) -> Array {
    match a.dtype() {
        DType::F32 => matmul_as::<f32>(a, b),
        DType::F64 => matmul_as::<f64>(a, b),
        DType::I64 => matmul_as::<i64>(a, b),
        dtype => panic!("matmul of {dtype}; arrays cast before they ask for it"),
    }
}

fn matmul_as<T: Product>(a: &Array, b: &Array) -> Array {
    let rank = a.rank();
    let mut shape = a.shape().clone();
    shape.dims_mut()[rank - 1] = b.shape()[rank - 1];
    Array::build(shape, |out: &mut [T]| {
        let (a, b) = (Operand::new(a), Operand::new(b));
        match out {
            [out] if a.first.columns > PART => *out = dot(&a.first, &b.first),
            out => multiply(&a, &b, out, &Epilogue::NONE),
        }
    })
}

/// Longer vectors are multiplied in parts of this many elements.
const PART: usize = 1 << 15;

/// The product of a row and a column: parts of a fixed size by all threads, added in order.
fn dot<T: Product>(row: &Matrix<'_, T>, column: &Matrix<'_, T>) -> T {
    let count = row.columns;
    let mut sums = vec![T::default(); count.div_ceil(PART)];
    for_each_slice(&mut sums, 1, PART, &|i, sum| {
        let len = PART.min(count - i * PART);
        let start = |at: usize, stride: isize| (at as isize + (i * PART) as isize * stride) as usize;
        let row = Matrix { at: start(row.at, row.column_stride), columns: len, ..*row };
        let column = Matrix { at: start(column.at, column.row_stride), rows: len, ..*column };
        let [row, column] = [row, column].map(|first| Operand { first, sizes: &[], strides: &[] });
        multiply(&row, &column, sum, &Epilogue::NONE);
    });
    sums.into_iter().fold(T::default(), T::add)
}

/// `x W^T + b`, with negative results made zero if `relu`: `[N, in] x [out, in] + [out] -> [N, out]`.
///
/// The bits are those of a product, an addition and a `relu` after each other.
pub(crate) fn linear(x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
    match x.dtype() {
        DType::F32 => linear_as::<f32>(x, weight, bias, relu),
        DType::F64 => linear_as::<f64>(x, weight, bias, relu),
        DType::I64 => linear_as::<i64>(x, weight, bias, relu),
        dtype => panic!("linear of {dtype}; arrays cast before they ask for it"),
    }
}

fn linear_as<T: Product>(x: &Array, weight: &Array, bias: Option<&Array>, relu: bool) -> Array {
    assert!(x.rank() == 2, "linear: the kernel takes rows [N, in], not {:?}", x.shape());
    let shape = [x.shape()[0], weight.shape()[0]];
    let bias = bias.map(Array::contiguous);
    Array::build(shape, |out: &mut [T]| {
        let bias = bias.as_ref().map(|bias| bias.as_slice::<T>().expect("it was made contiguous"));
        multiply(&Operand::new(x), &Operand::new(weight).t(), out, &Epilogue { bias, relu, adds: false });
    })
}

/// A matrix inside a slice, for those who compute with parts of matrices.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    pub(crate) data: &'a [T],
    /// The place of the first element.
    pub(crate) at: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: isize,
    pub(crate) column_stride: isize,
}

impl<'a, T: Copy> View<'a, T> {
    fn place(&self, i: usize, j: usize) -> usize {
        (self.at as isize + i as isize * self.row_stride + j as isize * self.column_stride) as usize
    }

    pub(crate) fn get(&self, i: usize, j: usize) -> T {
        self.data[self.place(i, j)]
    }

    /// The `[rows, columns]` part from `(i, j)` on.
    pub(crate) fn part(&self, i: usize, j: usize, rows: usize, columns: usize) -> Self {
        View { at: self.place(i, j), rows, columns, ..*self }
    }

    pub(crate) fn t(self) -> Self {
        View {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn operand(&self) -> Operand<'a, T> {
        let View { data, at, rows, columns, row_stride, column_stride } = *self;
        let first = Matrix { data, at, rows, columns, row_stride, column_stride };
        Operand { first, sizes: &[], strides: &[] }
    }
}

/// Floats whose parts of matrices can be multiplied.
pub(crate) trait Multiply: Float {
    /// `out = a b`, row by row.
    fn product(a: View<'_, Self>, b: View<'_, Self>, out: &mut [Self]);
}

/// Numbers with a product and a difference, wrapping for integers.
pub(crate) trait Ring: Element {
    fn times(self, y: Self) -> Self;
    fn minus(self, y: Self) -> Self;
}

macro_rules! multiply {
    ($($t:ty),*) => {$(
        impl Multiply for $t {
            fn product(a: View<'_, $t>, b: View<'_, $t>, out: &mut [$t]) {
                multiply(&a.operand(), &b.operand(), out, &Epilogue::NONE);
            }
        }
        impl Ring for $t {
            #[inline(always)]
            fn times(self, y: $t) -> $t {
                self * y
            }
            #[inline(always)]
            fn minus(self, y: $t) -> $t {
                self - y
            }
        }
    )*};
}
multiply!(f32, f64);

impl Ring for i64 {
    fn times(self, y: i64) -> i64 {
        self.wrapping_mul(y)
    }
    fn minus(self, y: i64) -> i64 {
        self.wrapping_sub(y)
    }
}

/// A matrix for every place of the leading dims.
struct Operand<'a, T> {
    /// The first of them.
    first: Matrix<'a, T>,
    sizes: &'a [usize],
    strides: &'a [isize],
}

impl<'a, T: Product> Operand<'a, T> {
    fn new(x: &'a Array) -> Self {
        let batch = x.rank() - 2;
        let (sizes, strides) = (&x.shape()[..], x.layout().strides());
        let first = Matrix {
            data: x.host(),
            at: x.layout().offset(),
            rows: sizes[batch],
            columns: sizes[batch + 1],
            row_stride: strides[batch],
            column_stride: strides[batch + 1],
        };
        Operand { first, sizes: &sizes[..batch], strides: &strides[..batch] }
    }

    fn t(self) -> Self {
        Operand { first: self.first.t(), ..self }
    }

    /// The number of matrices.
    fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The matrix with a row-major number.
    fn matrix(&self, mut number: usize) -> Matrix<'a, T> {
        let mut at = self.first.at as isize;
        for (&size, &stride) in self.sizes.iter().zip(self.strides).rev() {
            at = at.wrapping_add((number % size) as isize * stride);
            number /= size;
        }
        Matrix { at: at as usize, ..self.first }
    }
}

/// All products of a batch, on the threads of the pool if they are worth it.
fn multiply<T: Product>(a: &Operand<'_, T>, b: &Operand<'_, T>, out: &mut [T], epilogue: &Epilogue<'_, T>) {
    let (m, n, batch) = (a.first.rows, b.first.columns, a.count());
    assert!(out.len() == batch * m * n && b.count() == batch, "the operands of a matrix product do not fit");
    if out.is_empty() {
        return;
    }
    let plan = Plan::new(&a.first, &b.first);
    let base = SendPointer(out.as_mut_ptr());
    // SAFETY: `out` has `batch` results of m x n elements, one behind the other. No two calls below share a part
    // of them, and `out` stays borrowed until every call is done.
    let run = |a: &Matrix<'_, T>, b: &Matrix<'_, T>, product: usize, part: usize| unsafe {
        plan.run(a, b, base.at(product * m * n), part, epilogue);
    };
    let tasks = batch * plan.parts;
    if tasks == 1 {
        return run(&a.first, &b.first, 0, 0);
    }
    if plan.is_shared() {
        return (0..batch).for_each(|product| run(&a.matrix(product), &b.matrix(product), product, 0));
    }
    let group = plan.group(tasks);
    for_each_chunk(tasks.div_ceil(group), &|chunk| {
        for task in chunk * group..tasks.min((chunk + 1) * group) {
            let product = task / plan.parts;
            run(&a.matrix(product), &b.matrix(product), product, task % plan.parts);
        }
    });
}

/// `out = a b`, or `out += a b` if `adds`, on the calling thread: for kernels that cut their work themselves. The rows
/// of `out` begin `stride` elements apart.
///
/// Each element is one chain of `mul_add`, which goes on from the old value if `adds`.
pub(super) fn multiply_into<T: Product>(
    a: &Matrix<'_, T>,
    b: &Matrix<'_, T>,
    out: &mut [T],
    stride: usize,
    adds: bool,
) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    if m == 0 || n == 0 {
        return;
    }
    let fits = k == b.rows && n <= stride && (m - 1) * stride + n <= out.len();
    assert!(fits, "the operands of a matrix product do not fit");
    if k == 0 {
        if !adds {
            out.chunks_mut(stride).take(m).for_each(|row| row[..n].fill(T::default()));
        }
        return;
    }
    assert!(a.is_in_bounds() && b.is_in_bounds(), "a matrix product would leave its operands");
    let part = Part { i: 0, j: 0, m, n, out: out.as_mut_ptr(), stride };
    // SAFETY: both operands lie inside their storages and have equal inner sizes; the part lies inside of `out`, which
    // is ours alone (all asserted).
    unsafe { block::block(a, b, &part, &Epilogue { adds, ..Epilogue::NONE }) };
}

#[cfg(test)]
mod tests;
