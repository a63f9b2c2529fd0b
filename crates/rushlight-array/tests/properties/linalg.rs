//! Factorizations by what they must give when they are multiplied out, on random shapes, batches and layouts.

use proptest::prelude::*;
use rushlight_array::random::Generator;
use rushlight_array::{Array, DType};

/// A batch of matrices, contiguous or transposed.
fn matrices(seed: u64, batch: usize, m: usize, n: usize, dtype: DType, turned: bool) -> Array {
    let generator = Generator::new(seed);
    match turned {
        true => Array::normal([batch, n, m], 0.0, 1.0, dtype, &generator).transpose(1, 2),
        false => Array::normal([batch, m, n], 0.0, 1.0, dtype, &generator),
    }
}

/// Symmetric positive-definite matrices.
fn definite(x: &Array) -> Array {
    let n = x.shape()[2];
    x.matmul(&x.transpose(1, 2)).add(&Array::eye(n, n, x.dtype()).scale(n.max(1) as f64))
}

/// Largest difference, relative to the largest expected element.
fn distance(found: &Array, expected: &Array) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    if found.numel() == 0 {
        return 0.0;
    }
    let size = expected.abs().max().item::<f64>().max(1.0);
    found.sub(expected).abs().max().item::<f64>() / size
}

fn tolerance(dtype: DType, n: usize) -> f64 {
    let precision = if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) };
    precision * 40.0 * n.max(1) as f64
}

/// Zeros outside of a triangle.
fn triangle(x: &Array, upper: bool, unit: bool) -> Array {
    let (m, n) = (x.shape()[1], x.shape()[2]);
    let (rows, columns) = (Array::arange(0, m as i64, 1).unsqueeze(1), Array::arange(0, n as i64, 1));
    let keep = match (upper, unit) {
        (true, false) => rows.le(&columns),
        (true, true) => rows.lt(&columns),
        (false, false) => rows.ge(&columns),
        (false, true) => rows.gt(&columns),
    };
    let kept = keep.where_(x, &x.zeros_like());
    if unit { kept.add(&Array::eye(m, n, x.dtype())) } else { kept }
}

/// The deviation of `x^T x` from the identity.
fn skew(x: &Array) -> f64 {
    let n = x.shape()[2];
    let square = x.transpose(1, 2).matmul(x);
    let shape = square.shape().clone();
    distance(&square, &Array::eye(n, n, x.dtype()).expand(shape))
}

fn sizes() -> impl Strategy<Value = usize> {
    // Around the sizes at which the plain loops end, and beyond.
    prop_oneof![0usize..4, 7usize..10, 15usize..18, 31usize..35, 60usize..80]
}

fn dtypes() -> impl Strategy<Value = DType> {
    prop_oneof![Just(DType::F32), Just(DType::F64)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lu_multiplies_to_the_rows_in_their_order(
        (m, n, batch, dtype, turned, seed) in (sizes(), sizes(), 0usize..3, dtypes(), any::<bool>(), any::<u64>())
    ) {
        let a = matrices(seed, batch, m, n, dtype, turned);
        let lu = a.lu();
        let k = m.min(n);
        let lower = triangle(&lu.factors.narrow(2, 0, k), false, true);
        let upper = triangle(&lu.factors.narrow(1, 0, k), true, false);
        let found = lower.matmul(&upper);
        prop_assert!(distance(&found, &lu.permutation(m).matmul(&a)) < tolerance(dtype, k));
        // Partial pivoting: no factor is larger than 1.
        prop_assert!(lower.numel() == 0 || lower.abs().max().item::<f64>() <= 1.0);
        prop_assert!(!lu.info.any().item::<bool>());
    }

    #[test]
    fn solutions_and_inverses_solve(
        (n, wide, batch, dtype, turned, seed) in (sizes(), sizes(), 0usize..3, dtypes(), any::<bool>(), any::<u64>())
    ) {
        let a = matrices(seed, batch, n, n, dtype, turned).add(&Array::eye(n, n, dtype).scale(8.0));
        let (lu, b) = (a.lu(), matrices(seed ^ 1, batch, n, wide, dtype, false));
        prop_assert!(distance(&a.matmul(&lu.solve(&b)), &b) < tolerance(dtype, 50 * n));
        let unit = Array::eye(n, n, dtype).expand(a.shape());
        prop_assert!(distance(&a.matmul(&lu.inverse()), &unit) < tolerance(dtype, 50 * n));
    }

    #[test]
    fn triangular_solutions_solve(
        (n, wide, batch, dtype, seed) in (sizes(), sizes(), 0usize..3, dtypes(), any::<u64>()),
        (upper, unit, turned) in any::<(bool, bool, bool)>(),
    ) {
        let a = matrices(seed, batch, n, n, dtype, turned).scale(1.0 / n.max(1) as f64).add(&Array::eye(n, n, dtype));
        let b = matrices(seed ^ 1, batch, n, wide, dtype, turned);
        let x = a.solve_triangular(&b, upper, unit);
        prop_assert!(distance(&triangle(&a, upper, unit).matmul(&x), &b) < tolerance(dtype, 10 * n));
    }

    #[test]
    fn cholesky_multiplies_out_and_gives_the_inverse(
        (n, batch, dtype, turned, seed) in (sizes(), 0usize..3, dtypes(), any::<bool>(), any::<u64>())
    ) {
        let a = definite(&matrices(seed, batch, n, n, dtype, turned));
        // Above the diagonal nothing is read.
        let (factor, info) = triangle(&a, false, false).sub(&triangle(&a.ones_like(), true, false)).add(&Array::eye(n, n, dtype)).cholesky();
        prop_assert!(!info.any().item::<bool>());
        prop_assert!(distance(&factor, &triangle(&factor, false, false)) == 0.0);
        prop_assert!(distance(&factor.matmul(&factor.transpose(1, 2)), &a) < tolerance(dtype, n));
        let unit = Array::eye(n, n, dtype).expand(a.shape());
        prop_assert!(distance(&a.matmul(&factor.cholesky_inverse()), &unit) < tolerance(dtype, 20 * n));
    }

    #[test]
    fn qr_multiplies_out_and_is_orthogonal(
        (m, n, batch, dtype, complete, seed) in (sizes(), sizes(), 0usize..3, dtypes(), any::<bool>(), any::<u64>())
    ) {
        let a = matrices(seed, batch, m, n, dtype, seed % 2 == 0);
        let (q, r) = a.qr(complete);
        prop_assert!(distance(&q.matmul(&r), &a) < tolerance(dtype, m));
        prop_assert!(skew(&q) < tolerance(dtype, m));
        prop_assert!(distance(&r, &triangle(&r, true, false)) == 0.0);
    }

    #[test]
    fn singular_values_multiply_out(
        (m, n, batch, dtype, full, seed) in (sizes(), sizes(), 0usize..3, dtypes(), any::<bool>(), any::<u64>()),
        low in any::<bool>(),
    ) {
        let mut a = matrices(seed, batch, m, n, dtype, seed % 2 == 0);
        if low && n > 1 {
            // The last column equal to the first: one singular value is 0.
            a = Array::cat(&[&a.narrow(2, 0, n - 1), &a.narrow(2, 0, 1)], 2);
        }
        let (u, s, v) = a.svd(full).expect("it converges");
        let k = m.min(n);
        let product = u.narrow(2, 0, k).mul(&s.unsqueeze(1)).matmul(&v.narrow(1, 0, k));
        let error = distance(&product, &a);
        prop_assert!(error < tolerance(dtype, m.max(n)), "{error}");
        prop_assert!(skew(&u) < tolerance(dtype, m.max(n)) && skew(&v.transpose(1, 2)) < tolerance(dtype, m.max(n)));
        let values = s.cast(DType::F64).to_vec::<f64>();
        prop_assert!(values.chunks(k.max(1)).all(|row| row.windows(2).all(|w| w[0] >= w[1]) && row.iter().all(|&s| s >= 0.0)));
    }

    #[test]
    fn eigenvectors_multiply_out(
        (n, batch, dtype, twice, seed) in (sizes(), 0usize..3, dtypes(), any::<bool>(), any::<u64>())
    ) {
        let x = matrices(seed, batch, n, n, dtype, false);
        // A projection has the same eigenvalue many times.
        let a = if twice && n > 0 {
            let (q, _) = x.narrow(2, 0, n.div_ceil(2)).qr(false);
            q.matmul(&q.transpose(1, 2))
        } else {
            x.add(&x.transpose(1, 2))
        };
        let (values, vectors) = a.eigh().expect("it converges");
        let product = vectors.mul(&values.unsqueeze(1)).matmul(&vectors.transpose(1, 2));
        prop_assert!(distance(&product, &a) < tolerance(dtype, 2 * n));
        prop_assert!(skew(&vectors) < tolerance(dtype, 2 * n));
        let values = values.cast(DType::F64).to_vec::<f64>();
        prop_assert!(values.chunks(n.max(1)).all(|row| row.windows(2).all(|w| w[0] <= w[1])));
    }
}

#[test]
fn what_cannot_be_factored_is_named() {
    // [[1, 2], [2, 1]] has the minors 1 and 1 - 4.
    let (_, info) = Array::new([[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]).cholesky();
    assert_eq!(info.to_vec::<i32>(), [2, 0]);
    // The third row is the sum of the others.
    let lu = Array::new([[1.0, 0.0, 2.0], [0.0, 1.0, 4.0], [1.0, 1.0, 6.0]]).lu();
    assert_eq!(lu.info.to_vec::<i32>(), [3]);
    assert_eq!(lu.det().item::<f64>(), 0.0);
    assert!(Array::new([[1.0, f32::NAN], [0.0, 1.0]]).svd(false).is_none());
    assert!(Array::new([[1.0, 0.0], [f32::INFINITY, 1.0]]).eigh().is_none());
}

#[test]
fn signs_of_qr_are_those_of_lapack() {
    // The first column is turned to minus its length; nothing lies below the last diagonal element, so it keeps its sign.
    let (q, r) = Array::new([[3.0, 1.0], [4.0, 7.0]]).qr(false);
    let expected = [-5.0, -6.2, 0.0, 3.4];
    assert!(r.to_vec::<f32>().iter().zip(expected).all(|(r, e)| (r - e).abs() < 1e-5), "{r}");
    assert!((q.get([0, 0]).item::<f64>() + 0.6).abs() < 1e-6);
}
