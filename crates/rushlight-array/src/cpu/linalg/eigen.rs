//! Symmetric eigenvalues: reflections make a matrix tridiagonal, and QR steps with Wilkinson's shift make that diagonal
//! (Golub & Van Loan, "Matrix Computations", 8.3). All loops run over rows, which are neighbours in memory.

use super::svd::dots;
use crate::cpu::simd::vectorized;
use crate::order::sorted_places;

/// Steps for each row until the iteration counts as stuck; it needs about two.
const STEPS: usize = 60;

/// What stands beside the diagonal counts as nothing below this, however small its neighbours are. All elements are at
/// most 1.
const NOTHING: f64 = 1e-290;

/// Appends the eigenvalues, ascending, and the eigenvectors, as columns, of a symmetric matrix whose lower triangle is
/// read. `None` if elements are not finite.
pub(super) fn eigh(a: &[f64], n: usize, values: &mut Vec<f64>, vectors: &mut Vec<f64>) -> Option<()> {
    let lower = |i: usize, j: usize| a[i.max(j) * n + i.min(j)];
    let mut a: Vec<f64> = (0..n * n).map(|i| lower(i / n, i % n)).collect();
    if a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    // Divided by the largest element, so that no square overflows.
    let largest = a.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let scale = if largest > 0.0 { largest } else { 1.0 };
    a.iter_mut().for_each(|x| *x /= scale);
    let (mut diagonal, mut beside, turns) = tridiagonal(&mut a, n);
    let mut rows = basis(&a, &turns, n);
    diagonalize(&mut diagonal, &mut beside, &mut rows)?;
    let order = sorted_places(n, &|i, j| diagonal[i].total_cmp(&diagonal[j]));
    values.extend(order.iter().map(|&i| diagonal[i] * scale));
    vectors.extend((0..n * n).map(|i| rows[order[i % n]][i / n]));
    Some(())
}

/// The diagonal of a tridiagonal `T`, what stands beside it, and what makes `A` of it: `A = Q T Q^T`, where `Q` is the
/// product of reflections `1 - turn v v^T`. Row k of `a` holds the `v` of reflection k then, behind its diagonal.
fn tridiagonal(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut beside, mut turns) = (Vec::new(), Vec::new(), Vec::new());
    let mut w = vec![0.0; n];
    for k in 0..n {
        let (before, rest) = a.split_at_mut((k + 1) * n);
        let (last, v) = before[k * n + k..].split_at_mut(1);
        diagonal.push(last[0]);
        let Some(&first) = v.first() else { break };
        let largest = v[1..].iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        if largest == 0.0 {
            beside.push(first);
            turns.push(0.0);
            continue;
        }
        // Divided by the largest, so that no square vanishes.
        let largest = largest.max(first.abs());
        v.iter_mut().for_each(|x| *x /= largest);
        let length = dots(v, v)[0].sqrt();
        v[0] += length.copysign(first);
        beside.push(-largest * length.copysign(first));
        let turn = 2.0 / dots(v, v)[0];
        turns.push(turn);
        // H A H = A - v w^T - w v^T for w = turn p - (turn^2 / 2) (p v) v and p = A v.
        let w = &mut w[k + 1..];
        sum_of_rows(w, rest, n, v);
        let share = 0.5 * turn * turn * dots(w, v)[1];
        w.iter_mut().zip(&*v).for_each(|(w, v)| *w = turn * *w - share * v);
        for (row, (&v_i, &w_i)) in rest.chunks_exact_mut(n).zip(v.iter().zip(&*w)) {
            subtract(&mut row[k + 1..], [v_i, w_i], [w, v]);
        }
    }
    (diagonal, beside, turns)
}

/// The rows of `Q^T`, from what [`tridiagonal`] left.
fn basis(a: &[f64], turns: &[f64], n: usize) -> Vec<Vec<f64>> {
    let mut q: Vec<f64> = (0..n * n).map(|i| f64::from(u8::from(i / n == i % n))).collect();
    let mut p = vec![0.0; n];
    // From the last to the first: each meets only rows and columns behind its own.
    for (k, &turn) in turns.iter().enumerate().rev().filter(|(_, turn)| **turn != 0.0) {
        let (v, p) = (&a[k * n + k + 1..][..n - k - 1], &mut p[k + 1..]);
        let rows = &mut q[(k + 1) * n..];
        sum_of_rows(p, rows, n, v);
        for (row, &v_i) in rows.chunks_exact_mut(n).zip(v) {
            subtract(&mut row[k + 1..], [turn * v_i, 0.0], [p, v]);
        }
    }
    (0..n).map(|j| (0..n).map(|i| q[i * n + j]).collect()).collect()
}

/// The sum of the ends of rows, each by its factor.
fn sum_of_rows(out: &mut [f64], rows: &[f64], n: usize, factors: &[f64]) {
    vectorized(
        #[inline(always)]
        || {
            out.fill(0.0);
            for (row, &factor) in rows.chunks_exact(n).zip(factors) {
                for (o, &x) in out.iter_mut().zip(&row[n - factors.len()..]) {
                    *o += factor * x;
                }
            }
        },
    );
}

/// `out - (a x + b y)`.
fn subtract(out: &mut [f64], [a, b]: [f64; 2], [x, y]: [&[f64]; 2]) {
    vectorized(
        #[inline(always)]
        || {
            for ((o, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *o -= a * x + b * y;
            }
        },
    );
}

/// Makes a tridiagonal matrix diagonal, and turns the rows of `q` along with it.
fn diagonalize(d: &mut [f64], e: &mut [f64], q: &mut [Vec<f64>]) -> Option<()> {
    let mut end = d.len().saturating_sub(1);
    let mut steps = STEPS * d.len();
    while end > 0 {
        let counts = |i: usize| e[i].abs() > f64::EPSILON * (d[i].abs() + d[i + 1].abs()) + NOTHING;
        let start = (0..end).rev().find(|&i| !counts(i)).map_or(0, |i| i + 1);
        if start == end {
            end -= 1;
            continue;
        }
        steps = steps.checked_sub(1)?;
        let (d, e, q) = (&mut d[start..=end], &mut e[start..end], &mut q[start..=end]);
        vectorized(
            #[inline(always)]
            || step(d, e, q),
        );
    }
    Some(())
}

/// A QR step, by rotations of neighbours; the first one is that of the matrix without the shift, each other one moves
/// what the one before left beside the three diagonals.
#[inline(always)]
fn step(d: &mut [f64], e: &mut [f64], q: &mut [Vec<f64>]) {
    let last = e.len() - 1;
    let half = 0.5 * (d[last] - d[last + 1]);
    let shift = d[last + 1] - e[last] * (e[last] / (half + half.hypot(e[last]).copysign(half)));
    let (mut keep, mut clear) = (d[0] - shift, e[0]);
    for k in 0..=last {
        let square = keep * keep + clear * clear;
        // The square of what is very small is rounded to nothing; the slow way is not.
        let length = if square > 1e-280 { square.sqrt() } else { keep.hypot(clear) };
        if k > 0 {
            e[k - 1] = length;
        }
        if length == 0.0 {
            return;
        }
        let (cosine, sine) = (keep / length, -clear / length);
        let change = sine * (d[k] - d[k + 1]) + 2.0 * cosine * e[k];
        d[k] -= sine * change;
        d[k + 1] += sine * change;
        e[k] = cosine * change - e[k];
        if k < last {
            keep = e[k];
            clear = -sine * e[k + 1];
            e[k + 1] *= cosine;
        }
        let (low, high) = q.split_at_mut(k + 1);
        for (x, y) in low[k].iter_mut().zip(&mut high[0]) {
            (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    fn random(n: usize, seed: u64) -> Vec<f64> {
        let mut a = vec![0.0; n * n];
        Generator::new(seed).uniform_f64(&mut a, -1.0, 1.0);
        (0..n * n).map(|i| a[(i / n).max(i % n) * n + (i / n).min(i % n)]).collect()
    }

    /// `Q^T diag Q` of a random orthogonal matrix, the eigenvectors of another matrix.
    fn with_eigenvalues(d: &[f64], seed: u64) -> Vec<f64> {
        let n = d.len();
        let (mut values, mut q) = (Vec::new(), Vec::new());
        eigh(&random(n, seed), n, &mut values, &mut q).expect("it converges");
        let element = |i: usize, j: usize| (0..n).map(|k| q[i * n + k] * d[k] * q[j * n + k]).sum::<f64>();
        (0..n * n).map(|i| element((i / n).max(i % n), (i / n).min(i % n))).collect()
    }

    /// `A V - V diag` and `V^T V - 1` at a few times n eps of the largest eigenvalue, and the order. Returns the values.
    fn check(name: &str, a: &[f64], n: usize) -> Vec<f64> {
        let (mut d, mut v) = (Vec::new(), Vec::new());
        eigh(a, n, &mut d, &mut v).unwrap_or_else(|| panic!("{name}: it does not converge"));
        assert!(d.is_sorted(), "{name}: {d:?}");
        let norm = d.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        let bound = 4.0 * n as f64 * f64::EPSILON;
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let product: f64 = (0..n).map(|k| a[i * n + k] * v[k * n + j]).sum();
            let residual = (product - v[i * n + j] * d[j]).abs();
            assert!(
                residual <= bound * norm,
                "{name}, n {n}: residual {residual:e} at {i} {j}, norm {norm:e}"
            );
            let dot: f64 = (0..n).map(|k| v[k * n + i] * v[k * n + j]).sum();
            let wanted = f64::from(u8::from(i == j));
            assert!((dot - wanted).abs() <= bound, "{name}, n {n}: columns {i} {j} give {dot}");
        }
        d
    }

    #[test]
    fn random_matrices_of_all_sizes_are_taken_apart() {
        for n in (1..=40).chain([63, 64, 65, 100, 128, 200]) {
            check("random", &random(n, n as u64), n);
        }
        let (mut values, mut vectors) = (Vec::new(), Vec::new());
        assert_eq!(eigh(&[], 0, &mut values, &mut vectors), Some(()));
        assert!(values.is_empty() && vectors.is_empty());
    }

    #[test]
    fn known_eigenvalues_are_found_also_equal_ones_and_zeros() {
        for n in [2, 3, 7, 20, 60] {
            let all: [(&str, Vec<f64>); 5] = [
                ("equal", vec![1.5; n]),
                ("two values", (0..n).map(|i| if i < n / 2 { -2.0 } else { 3.0 }).collect()),
                ("rank one", (0..n).map(|i| f64::from(u8::from(i == n - 1))).collect()),
                ("near", (0..n).map(|i| 1.0 + 1e-14 * i as f64).collect()),
                ("graded", (0..n).map(|i| 10f64.powi(i as i32 - n as i32)).collect()),
            ];
            for (name, wanted) in all {
                let found = check(name, &with_eigenvalues(&wanted, 3), n);
                let norm = wanted.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
                for (found, wanted) in found.iter().zip(&wanted) {
                    let off = (found - wanted).abs();
                    assert!(off <= 8.0 * n as f64 * f64::EPSILON * norm, "{name}: {found} is not {wanted}");
                }
            }
        }
    }

    /// Eigenvalues `2 - 2 cos(pi k / (n + 1))`, which lie close at both ends.
    #[test]
    fn the_second_difference_has_its_cosines() {
        let n = 150;
        let element =
            |i: usize, j: usize| if i == j { 2.0 } else { -f64::from(u8::from(i.abs_diff(j) == 1)) };
        let a: Vec<f64> = (0..n * n).map(|i| element(i / n, i % n)).collect();
        for (k, found) in check("second difference", &a, n).into_iter().enumerate() {
            let wanted = 2.0 - 2.0 * (std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64).cos();
            assert!((found - wanted).abs() < 1e-14, "{k}: {found} is not {wanted}");
        }
    }

    #[test]
    fn shapes_of_all_kinds_end_at_any_magnitude() {
        let n = 30;
        let of = |element: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
            (0..n * n).map(|i| element((i / n).max(i % n), (i / n).min(i % n))).collect()
        };
        let ones = of(&|_, _| 1.0);
        let zeros = of(&|_, _| 0.0);
        let arrow = of(&|i, j| if j == 0 || i == j { 1.0 / (i + 1) as f64 } else { 0.0 });
        // Wilkinson's matrix, whose largest eigenvalues come in pairs that differ by less than eps.
        let pairs = of(&|i, j| match i - j {
            0 => (2.0 * i as f64 - (n - 1) as f64).abs() / 2.0,
            1 => 1.0,
            _ => 0.0,
        });
        let hilbert = of(&|i, j| 1.0 / (i + j + 1) as f64);
        let up = of(&|i, j| 10f64.powi(-(i as i32) - j as i32));
        let down = of(&|i, j| 10f64.powi(i as i32 + j as i32 - 2 * n as i32));
        let sparse = of(&|i, j| if i * j % 7 == 3 { 1.0 } else { 0.0 });
        let exchanged = of(&|i, j| f64::from(u8::from(i + j == n - 1)));
        for (name, a) in [
            ("ones", ones),
            ("zeros", zeros),
            ("arrow", arrow),
            ("pairs", pairs),
            ("hilbert", hilbert),
            ("graded up", up),
            ("graded down", down),
            ("sparse", sparse),
            ("exchanged", exchanged),
        ] {
            for size in [1.0, 1e-300, 1e-160, 1e160, 1e300] {
                let a: Vec<f64> = a.iter().map(|x| x * size).collect();
                check(&format!("{name} by {size:e}"), &a, n);
            }
        }
        assert_eq!(eigh(&[f64::NAN], 1, &mut Vec::new(), &mut Vec::new()), None);
    }
}
