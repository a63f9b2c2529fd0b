//! QR factors by Householder's reflections.

use super::block::subtract_scaled;
use crate::cpu::simd::vectorized;

/// Appends `Q`, `[m, k]`, and `R`, `[k, n]`, of an `[m, n]` matrix. The signs are those of LAPACK's `geqrf`: a reflection
/// turns the diagonal's sign, unless the column below is zero already.
pub(super) fn qr(mut a: Vec<f64>, m: usize, n: usize, k: usize, q: &mut Vec<f64>, r: &mut Vec<f64>) {
    let reflections: Vec<(f64, Vec<f64>)> = (0..m.min(n)).map(|i| reflect(&mut a, m, n, i)).collect();
    for i in 0..k {
        r.extend((0..n).map(|j| if j < i { 0.0 } else { a[i * n + j] }));
    }
    let mut own = vec![0.0; m * k];
    (0..k).for_each(|i| own[i * k + i] = 1.0);
    for (i, (tau, v)) in reflections.iter().enumerate().rev() {
        apply(&mut own, k, i, i, *tau, v);
    }
    q.extend(own);
}

/// Clears column `i` below the diagonal: the factor and the vector of the reflection, whose first element is 1.
fn reflect(a: &mut [f64], m: usize, n: usize, i: usize) -> (f64, Vec<f64>) {
    let mut v: Vec<f64> = (i..m).map(|row| a[row * n + i]).collect();
    let scale = v.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let below = v[1..].iter().all(|&x| x == 0.0);
    let alpha = v[0];
    v[0] = 1.0;
    if below || !scale.is_finite() {
        // NaN and infinities stay what they are: LAPACK's result is NaN, too.
        let tau = if below { 0.0 } else { f64::NAN };
        return (tau, v);
    }
    // The largest is divided out, so that no square overflows.
    let square =
        v[1..].iter().fold((alpha / scale) * (alpha / scale), |sum, x| (x / scale).mul_add(x / scale, sum));
    let beta = -(scale * square.sqrt()).copysign(alpha);
    let tau = (beta - alpha) / beta;
    v[1..].iter_mut().for_each(|x| *x /= alpha - beta);
    apply(a, n, i, i + 1, tau, &v);
    a[i * n + i] = beta;
    (tau, v)
}

/// Reflects the columns from `column` on of the rows from `row` on: `A -= tau v (v^T A)`.
fn apply(a: &mut [f64], n: usize, row: usize, column: usize, tau: f64, v: &[f64]) {
    if tau == 0.0 || column >= n {
        return;
    }
    let mut sums = vec![0.0; n - column];
    vectorized(
        #[inline(always)]
        || {
            for (a, &v) in a.chunks(n).skip(row).zip(v) {
                subtract_scaled(&mut sums, -v, &a[column..]);
            }
            for (a, &v) in a.chunks_mut(n).skip(row).zip(v) {
                subtract_scaled(&mut a[column..], tau * v, &sums);
            }
        },
    );
}
