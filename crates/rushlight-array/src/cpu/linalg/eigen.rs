//! Symmetric eigenvalues: nalgebra's iteration.

use nalgebra::{DMatrix, SymmetricEigen};

/// Steps for each row until the iteration counts as stuck; it needs two or three.
const STEPS: usize = 100;

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
