//! Singular values by one-sided Jacobi rotations: columns are turned in pairs until all are orthogonal; their lengths are
//! the singular values (Demmel & Veselic, "Jacobi's method is more accurate than QR", 1992). Slower than bidiagonal
//! iterations for large matrices, but exact to the last digits for every matrix, also one that lacks rank.

use super::qr::qr;
use crate::cpu::simd::vectorized;
use crate::order::sorted_places;

/// Rounds over all pairs of columns until the iteration counts as stuck; it needs about ten.
const ROUNDS: usize = 60;

/// A column below this length counts as zero: squares of shorter ones are rounded to nothing. All elements are at most 1.
const NOTHING: f64 = 1e-140;

/// Appends `U`, the singular values, descending, and `V^T` of an `[m, n]` matrix. `None` if elements are not finite.
pub(super) fn svd(a: &[f64], m: usize, n: usize, full: bool, out: [&mut Vec<f64>; 3]) -> Option<()> {
    let [u, s, vt] = out;
    let k = m.min(n);
    let largest = a.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    // Divided by the largest element, so that no square overflows.
    let scale = if largest > 0.0 { largest } else { 1.0 };
    let tall = |i: usize| if m >= n { a[i] } else { a[i % m * n + i / m] };
    let tall: Vec<f64> = (0..m * n).map(|i| tall(i) / scale).collect();
    let (long, values, short) = of_tall(tall, m.max(n), k)?;
    s.extend(values.iter().map(|value| value * scale));
    let (left, right) = if m >= n { (long, short) } else { (short, long) };
    let (rows, columns) = if full { (m, n) } else { (k, k) };
    u.extend(transposed(&basis(&left, m, rows), rows, m));
    vt.extend(basis(&right, n, columns));
    Some(())
}

/// The columns of `U` and of `V`, as rows, and the singular values of an `[m, n]` matrix that is not wide.
#[allow(clippy::type_complexity, reason = "the three parts of a decomposition")]
fn of_tall(
    a: Vec<f64>,
    m: usize,
    n: usize,
) -> Option<(Vec<Option<Vec<f64>>>, Vec<f64>, Vec<Option<Vec<f64>>>)> {
    let (mut q, mut r) = (Vec::new(), Vec::new());
    qr(a, m, n, n, &mut q, &mut r);
    let mut w: Vec<Vec<f64>> = (0..n).map(|j| (0..n).map(|i| r[i * n + j]).collect()).collect();
    let mut v: Vec<Vec<f64>> =
        (0..n).map(|j| (0..n).map(|i| f64::from(u8::from(i == j))).collect()).collect();
    turn(&mut w, &mut v)?;
    let lengths: Vec<f64> = w.iter().map(|x| dots(x, x)[0].sqrt()).collect();
    let order = sorted_places(n, &|i, j| lengths[j].total_cmp(&lengths[i]));
    let left = order.iter().map(|&j| {
        // Of nothing any direction will do.
        (lengths[j] > NOTHING).then(|| {
            let column = |i: usize| {
                q[i * n..(i + 1) * n].iter().zip(&w[j]).map(|(q, w)| q * w).sum::<f64>() / lengths[j]
            };
            (0..m).map(column).collect()
        })
    });
    let left = left.collect();
    let values = order.iter().map(|&j| if lengths[j] > NOTHING { lengths[j] } else { 0.0 }).collect();
    Some((left, values, order.iter().map(|&j| Some(std::mem::take(&mut v[j]))).collect()))
}

/// Turns pairs of columns, those of `w` until they are orthogonal and those of `v` along with them.
fn turn(w: &mut [Vec<f64>], v: &mut [Vec<f64>]) -> Option<()> {
    let n = w.len();
    let enough = f64::EPSILON * (n as f64).sqrt();
    for _ in 0..ROUNDS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let (low, high) = w.split_at_mut(q);
                let (x, y) = (&mut low[p], &mut high[0]);
                let [xx, xy, yy] = dots(x, y);
                // What is left of a column parallel to another is what rounding leaves, and parallel again: it shrinks
                // in every round, and would not end at the smallest numbers.
                let nothing = xx.min(yy) < NOTHING * NOTHING;
                if nothing || xy.abs() <= enough * xx.sqrt() * yy.sqrt() {
                    continue;
                }
                turned = true;
                let zeta = (yy - xx) / (2.0 * xy);
                let tangent = 1.0_f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                rotate(x, y, cosine, cosine * tangent);
                let (low, high) = v.split_at_mut(q);
                rotate(&mut low[p], &mut high[0], cosine, cosine * tangent);
            }
        }
        if !turned {
            return Some(());
        }
    }
    None
}

/// `x x`, `x y` and `y y`.
pub(super) fn dots(x: &[f64], y: &[f64]) -> [f64; 3] {
    const LANES: usize = 8;
    let mut sums = [[0.0f64; LANES]; 3];
    vectorized(
        #[inline(always)]
        || {
            for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
                for (lane, (&x, &y)) in x.iter().zip(y).enumerate() {
                    sums[0][lane] = x.mul_add(x, sums[0][lane]);
                    sums[1][lane] = x.mul_add(y, sums[1][lane]);
                    sums[2][lane] = y.mul_add(y, sums[2][lane]);
                }
            }
        },
    );
    sums.map(|lanes| lanes.iter().sum())
}

fn rotate(x: &mut [f64], y: &mut [f64], cosine: f64, sine: f64) {
    vectorized(
        #[inline(always)]
        || {
            for (x, y) in x.iter_mut().zip(y) {
                let (a, b) = (*x, *y);
                *x = cosine * a - sine * b;
                *y = sine * a + cosine * b;
            }
        },
    );
}

/// The first `count` vectors of an orthonormal basis of `[m]`, as rows, from those that are known.
fn basis(known: &[Option<Vec<f64>>], m: usize, count: usize) -> Vec<f64> {
    let given: Vec<&Vec<f64>> = known.iter().flatten().collect();
    let mut rest = Vec::new();
    if given.len() < count {
        let k = given.len();
        let columns: Vec<f64> = (0..m * k).map(|i| given[i % k][i / k]).collect();
        let (mut q, mut r) = (Vec::new(), Vec::new());
        qr(columns, m, k, m, &mut q, &mut r);
        rest = (k..m).map(|j| (0..m).map(|i| q[i * m + j]).collect::<Vec<f64>>()).collect();
    }
    let mut rest = rest.into_iter();
    let places = known.iter().map(Option::as_ref).chain(std::iter::repeat(None)).take(count);
    let mut out = Vec::with_capacity(m * count);
    for place in places {
        match place {
            Some(vector) => out.extend_from_slice(vector),
            None => out.extend(rest.next().expect("a basis has m vectors")),
        }
    }
    out
}

/// The `[n, m]` transpose of `[m, n]` rows.
fn transposed(x: &[f64], m: usize, n: usize) -> Vec<f64> {
    (0..m * n).map(|i| x[i % m * n + i / m]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    #[test]
    fn matrices_of_few_different_rows_have_as_many_singular_values() {
        for (rank, m, n) in [(1, 5, 15), (1, 11, 33), (2, 19, 57), (3, 38, 57), (1, 40, 40), (2, 30, 7)] {
            let mut rows = vec![0.0; rank * n];
            Generator::new(7).uniform_f64(&mut rows, -2.0, 2.0);
            let a: Vec<f64> = (0..m * n).map(|i| rows[(i / n) % rank * n + i % n]).collect();
            let (mut u, mut s, mut v) = (Vec::new(), Vec::new(), Vec::new());
            svd(&a, m, n, false, [&mut u, &mut s, &mut v]).expect("it converges");
            let k = m.min(n);
            assert!(
                s[rank - 1] > 0.1 && s[rank..].iter().all(|&x| x < 1e-13 * s[0]),
                "{rank} {m} {n}: {s:?}"
            );
            for i in 0..m * n {
                let back: f64 = (0..k).map(|j| u[i / n * k + j] * s[j] * v[j * n + i % n]).sum();
                assert!((back - a[i]).abs() < 1e-13, "{rank} {m} {n}: {back} {}", a[i]);
            }
            for (p, q) in (0..k).flat_map(|p| (0..k).map(move |q| (p, q))) {
                let left: f64 = (0..m).map(|i| u[i * k + p] * u[i * k + q]).sum();
                let right: f64 = (0..n).map(|i| v[p * n + i] * v[q * n + i]).sum();
                let wanted = f64::from(u8::from(p == q));
                assert!(
                    (left - wanted).abs() < 1e-13 && (right - wanted).abs() < 1e-13,
                    "{rank} {m} {n}: {p} {q}"
                );
            }
        }
    }
}
