//! Singular values and symmetric eigenvalues: nalgebra's iterations.

use super::qr;
use nalgebra::{DMatrix, SVD, SymmetricEigen};

/// Steps for each row or column until the iteration counts as stuck; it needs two or three.
const STEPS: usize = 100;

/// Appends `U`, the singular values, descending, and `V^T` of an `[m, n]` matrix.
pub(super) fn svd(a: &[f64], m: usize, n: usize, full: bool, out: [&mut Vec<f64>; 3]) -> Option<()> {
    let [u, s, vt] = out;
    let k = m.min(n);
    if a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let (mut thin_u, mut thin_v) = (Vec::new(), Vec::new());
    if k > 0 {
        let matrix = DMatrix::from_row_slice(m, n, a);
        let found = SVD::try_new(matrix, true, true, 5.0 * f64::EPSILON, STEPS * (m + n))?;
        let (left, right) = (found.u.expect("it was asked for"), found.v_t.expect("it was asked for"));
        // Rows of the transposed are columns here, as nalgebra stores them.
        thin_u = left.transpose().as_slice().to_vec();
        thin_v = right.as_slice().to_vec();
        s.extend(found.singular_values.iter());
    }
    if full {
        extend_basis(thin_u, m, k, u);
        let mut v = Vec::new();
        extend_basis(thin_v, n, k, &mut v);
        vt.extend((0..n * n).map(|i| v[i % n * n + i / n]));
    } else {
        u.extend(thin_u);
        vt.extend((0..k * n).map(|i| thin_v[i % n * k + i / n]));
    }
    Some(())
}

/// Appends `k` orthonormal columns of `m` elements and as many others as make a basis.
fn extend_basis(columns: Vec<f64>, m: usize, k: usize, out: &mut Vec<f64>) {
    let (mut q, mut r) = (Vec::new(), Vec::new());
    let thin = columns.clone();
    qr::qr(columns, m, k, m, &mut q, &mut r);
    for i in 0..m {
        out.extend((0..m).map(|j| if j < k { thin[i * k + j] } else { q[i * m + j] }));
    }
}

/// Appends the eigenvalues, ascending, and the eigenvectors, as columns, of a symmetric matrix whose lower triangle is
/// read.
pub(super) fn eigh(a: &[f64], n: usize, values: &mut Vec<f64>, vectors: &mut Vec<f64>) -> Option<()> {
    let lower = |i: usize, j: usize| a[i.max(j) * n + i.min(j)];
    if (0..n * n).any(|i| !lower(i / n, i % n).is_finite()) {
        return None;
    }
    if n == 0 {
        return Some(());
    }
    let matrix = DMatrix::from_fn(n, n, lower);
    let found = SymmetricEigen::try_new(matrix, f64::EPSILON, STEPS * n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| found.eigenvalues[i].total_cmp(&found.eigenvalues[j]));
    values.extend(order.iter().map(|&i| found.eigenvalues[i]));
    for row in 0..n {
        vectors.extend(order.iter().map(|&i| found.eigenvectors[(row, i)]));
    }
    Some(())
}
