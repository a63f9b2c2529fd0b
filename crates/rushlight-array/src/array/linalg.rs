//! Linear algebra for the rules of autograd: computed by the device's backend. Shapes and dtypes (f32 or f64, but for
//! [`Array::cross`] and [`Array::diagonal_view`]) are the callers' business.

use super::Array;
use crate::cpu::reduce;
use crate::device::Device;
use crate::layout::Layout;
use crate::shape::Shape;

/// LU factors of matrices with what belongs to them: `P A = L U`.
#[derive(Clone, Debug)]
pub struct Lu {
    /// `L`, whose diagonal is ones, below the diagonal, `U` on and above it.
    pub factors: Array,
    /// The row that each row was exchanged with, from 1, one after the other; `i32`.
    pub pivots: Array,
    /// The first pivot of each matrix that is zero, from 1, or 0; `i32`.
    pub info: Array,
}

impl Lu {
    /// Factors and exchanges that were computed before.
    pub fn from_parts(factors: Array, pivots: Array) -> Lu {
        let info = Array::full(&pivots.shape()[..pivots.rank() - 1], 0, crate::DType::I32, pivots.device());
        Lu { factors, pivots, info }
    }

    /// The row of `A` that stands at each of the `rows` rows of `P A`, for each matrix.
    fn order(&self, rows: usize) -> Vec<Vec<i64>> {
        let swaps = self.pivots.to_device(&Device::cpu()).to_vec::<i32>();
        let each = self.pivots.shape()[self.pivots.rank() - 1];
        let count = self.pivots.shape()[..self.pivots.rank() - 1].iter().product::<usize>();
        (0..count)
            .map(|i| {
                let mut order: Vec<i64> = (0..rows as i64).collect();
                for (row, &swap) in swaps[i * each..(i + 1) * each].iter().enumerate() {
                    order.swap(row, swap as usize - 1);
                }
                order
            })
            .collect()
    }

    /// `P`, `[..., rows, rows]`, in the dtype of the factors.
    pub fn permutation(&self, rows: usize) -> Array {
        let from = self.column(rows);
        from.eq(&Array::arange(0, rows as i64, 1)).cast(self.factors.dtype()).to_device(self.factors.device())
    }

    /// The orders of all matrices, `[..., rows, 1]`, on the CPU.
    fn column(&self, rows: usize) -> Array {
        let batch = &self.pivots.shape()[..self.pivots.rank() - 1];
        let shape: Shape = batch.iter().copied().chain([rows, 1]).collect();
        Array::from_vec(self.order(rows).concat(), shape)
    }

    /// The determinants of the permutations: 1 or -1 for each matrix.
    fn parity(&self) -> Array {
        let swaps = self.pivots.to_device(&Device::cpu()).to_vec::<i32>();
        let (shape, each) = (self.pivots.shape(), self.pivots.shape()[self.pivots.rank() - 1]);
        let count = shape[..shape.len() - 1].iter().product::<usize>();
        let sign = |i: usize| {
            let moved = |&(row, swap): &(usize, &i32)| *swap as usize != row + 1;
            let odd = swaps[i * each..(i + 1) * each].iter().enumerate().filter(moved).count() % 2 == 1;
            if odd { -1.0 } else { 1.0 }
        };
        let signs = Array::from_vec((0..count).map(sign).collect::<Vec<f64>>(), &shape[..shape.len() - 1]);
        signs.cast(self.factors.dtype()).to_device(self.factors.device())
    }

    /// The determinants.
    pub fn det(&self) -> Array {
        let diagonal = self.factors.diagonal_view();
        product(&diagonal).mul(&self.parity())
    }

    /// The signs of the determinants and the logarithms of their absolute values.
    pub fn slogdet(&self) -> (Array, Array) {
        let diagonal = self.factors.diagonal_view();
        let sign = product(&diagonal.sign()).mul(&self.parity());
        (sign, diagonal.abs().log().sum_dim(-1, false))
    }

    /// `A^-1 B` for square matrices and `[..., n, k]` with equal leading sizes.
    pub fn solve(&self, b: &Array) -> Array {
        let rows = b.shape()[b.rank() - 2];
        let index = self.column(rows).to_device(b.device()).expand(b.shape());
        self.solve_permuted(&b.gather(-2, &index))
    }

    /// The inverses of square matrices.
    pub fn inverse(&self) -> Array {
        let n = self.factors.shape()[self.factors.rank() - 1];
        self.solve_permuted(&self.permutation(n))
    }

    fn solve_permuted(&self, b: &Array) -> Array {
        let y = self.factors.solve_triangular(b, false, true);
        self.factors.solve_triangular(&y, true, false)
    }
}

/// The product along the last dim.
fn product(x: &Array) -> Array {
    let last = x.rank() - 1;
    x.device().kernels().reduce(reduce::prod(), x, &[last]).squeeze_dim(-1)
}

/// Linear algebra of the matrices in the last two dims.
impl Array {
    /// Cholesky's factors; see [`Backend::cholesky`](crate::Backend::cholesky).
    pub fn cholesky(&self) -> (Array, Array) {
        self.device().kernels().cholesky(self)
    }

    /// The inverses of `L L^T`; see [`Backend::cholesky_inverse`](crate::Backend::cholesky_inverse).
    pub fn cholesky_inverse(&self) -> Array {
        self.device().kernels().cholesky_inverse(self)
    }

    /// LU factors; see [`Backend::lu`](crate::Backend::lu).
    pub fn lu(&self) -> Lu {
        let (factors, pivots, info) = self.device().kernels().lu(self);
        Lu { factors, pivots, info }
    }

    /// Triangular systems; see [`Backend::solve_triangular`](crate::Backend::solve_triangular).
    pub fn solve_triangular(&self, b: &Array, upper: bool, unit: bool) -> Array {
        self.device().kernels().solve_triangular(self, b, upper, unit)
    }

    /// QR factors; see [`Backend::qr`](crate::Backend::qr).
    pub fn qr(&self, complete: bool) -> (Array, Array) {
        self.device().kernels().qr(self, complete)
    }

    /// Singular values and vectors; see [`Backend::svd`](crate::Backend::svd).
    pub fn svd(&self, full: bool) -> Option<(Array, Array, Array)> {
        self.device().kernels().svd(self, full)
    }

    /// Eigenvalues and eigenvectors of symmetric matrices; see [`Backend::eigh`](crate::Backend::eigh).
    pub fn eigh(&self) -> Option<(Array, Array)> {
        self.device().kernels().eigh(self)
    }

    /// The cross products of the three elements along `axis` of two arrays of one shape and dtype.
    pub fn cross(&self, other: &Array, axis: usize) -> Array {
        let compute = self.dtype().compute();
        let (a, b) = (self.in_dtype(compute), other.in_dtype(compute));
        self.device().kernels().cross(&a, &b, axis).into_dtype(self.dtype())
    }

    /// The diagonals of the last two dims, as a view with one dim less.
    pub fn diagonal_view(&self) -> Array {
        let (shape, strides, batch) = (self.shape(), self.layout().strides(), self.rank() - 2);
        let sizes: Shape =
            shape[..batch].iter().copied().chain([shape[batch].min(shape[batch + 1])]).collect();
        let steps: Vec<isize> =
            strides[..batch].iter().copied().chain([strides[batch] + strides[batch + 1]]).collect();
        self.with_layout(Layout::strided(sizes, &steps, self.layout().offset()))
    }
}
