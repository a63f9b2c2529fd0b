use super::Array;
use super::elementwise::broadcast_shapes;
use crate::dtype::DType;
use crate::fail;
use crate::short::Short;
use std::borrow::Cow;

impl Array {
    /// The matrix product, for any number of leading batch dims, which broadcast.
    ///
    /// - `(n) x (n)` gives a scalar, `(m, k) x (k)` and `(k) x (k, n)` a vector;
    /// - `(..., m, k) x (..., k, n)` gives `(..., m, n)`.
    ///
    /// Transposed operands are read in place. Sums run over the inner axis in an order that does not
    /// depend on the number of threads.
    ///
    /// # Panics
    /// If the inner sizes or the dtypes differ, an operand is a scalar or bool, or batch dims do not broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Array) -> Array {
        self.check_matmul(other);
        let dtype = self.dtype();
        let factors = self.device().kernels().product_dtype(dtype);
        let (a, b) = (self.in_dtype(factors), other.in_dtype(factors));
        let (row, column) = (a.rank() == 1, b.rank() == 1);
        let a = if row { Cow::Owned(a.unsqueeze(0)) } else { a };
        let b = if column { Cow::Owned(b.unsqueeze(1)) } else { b };
        let out = a.matrix_product(&b);
        let out = if column { out.squeeze_dim(-1) } else { out };
        let out = if row { out.squeeze_dim(if column { -1 } else { -2 }) } else { out };
        out.into_dtype(dtype)
    }

    #[track_caller]
    fn check_matmul(&self, other: &Array) {
        let (a, b) = (self.shape(), other.shape());
        self.same_device("matmul", other);
        if a.is_empty() || b.is_empty() {
            fail!("matmul: shapes {a:?} x {b:?}; both operands need at least one dim, use mul for scalars");
        }
        let (inner, rows) = (a[a.len() - 1], b[b.len().saturating_sub(2)]);
        if inner != rows {
            fail!(
                "matmul: inner dimensions differ: {a:?} x {b:?} ({inner} != {rows}); \
                 the last axis of the left must equal the {} of the right",
                if b.len() == 1 { "only axis" } else { "second-last" }
            );
        }
        if self.dtype() != other.dtype() {
            fail!(
                "matmul: dtypes differ: {} x {}; cast one with .to(DType::{:?})",
                self.dtype().name(),
                other.dtype().name(),
                self.dtype()
            );
        }
        if self.dtype() == DType::Bool {
            fail!("matmul: not defined for bool; cast with .to(DType::I64) first");
        }
    }

    /// Both have at least two dims; leading ones are broadcast.
    #[track_caller]
    fn matrix_product(&self, other: &Array) -> Array {
        let (a, b) = (self.shape(), other.shape());
        let (m, k, n) = (a[a.len() - 2], a[a.len() - 1], b[b.len() - 1]);
        if b.len() == 2 && a.len() > 2 && self.is_contiguous() {
            // One large product instead of a batch of small ones.
            let rows: usize = a[..a.len() - 1].iter().product();
            let mut shape: Short<usize> = Short::from_slice(&a[..a.len() - 1]);
            shape.push(n);
            return self.reshape([rows, k]).matrix_product(other).reshape(&shape[..]);
        }
        if a.len() == 2 && b.len() == 2 {
            return self.product(other);
        }
        let batch = broadcast_shapes("matmul", &a[..a.len() - 2], &b[..b.len() - 2]);
        let full = |rows: usize, columns: usize| -> Short<usize> {
            batch.iter().copied().chain([rows, columns]).collect()
        };
        let left = self.broadcast_to("matmul", &full(m, k));
        let right = other.broadcast_to("matmul", &full(k, n));
        left.product(&right)
    }

    fn product(&self, other: &Array) -> Array {
        match self.dtype() {
            DType::F16 | DType::BF16 => self.device().kernels().matmul_narrow(self, other),
            _ => self.device().kernels().matmul(self, other),
        }
    }
}
