//! Against plain loops in f64, through every kernel of the machine.

use super::*;
use crate::cpu::simd::{SimdLevel, set_simd_level, simd_level};
use crate::cpu::threads::{num_threads, set_num_threads};
use std::sync::{Mutex, PoisonError};

/// Level and number of threads belong to the process: one test at a time changes them.
static SETTINGS: Mutex<()> = Mutex::new(());

const LEVELS: [SimdLevel; 3] = [SimdLevel::Portable, SimdLevel::Avx2, SimdLevel::Avx512];

/// Calls `f` with every level that the machine has.
fn at_every_level(mut f: impl FnMut()) {
    let _guard = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = simd_level();
    for level in LEVELS {
        if set_simd_level(level) == level {
            f();
        }
    }
    set_simd_level(before);
}

/// Whether this level computes a product in a moment: without FMA instructions each fused product is a call.
fn is_quick((m, k, n): (usize, usize, usize)) -> bool {
    simd_level() > SimdLevel::Portable || !cfg!(target_arch = "x86_64") || m * k * n <= 1 << 18
}

/// A matrix in some layout. What lies between its elements is NaN, so that whatever is read by mistake shows.
fn matrix<T: Product>(rows: usize, columns: usize, layout: usize, seed: usize) -> Array {
    let value = |i: usize| {
        let n = (i + seed).wrapping_mul(2_654_435_761) % 1009;
        T::from_f64(if T::DTYPE == DType::I64 { n as f64 - 500.0 } else { n as f64 / 504.5 - 1.0 })
    };
    let hole = T::from_f64(f64::NAN);
    let fresh = |rows: usize, columns: usize, gap: usize| {
        let data = (0..rows * columns).map(|i| if i % gap == 0 { value(i) } else { hole }).collect();
        Array::from_vec::<T>(data, [rows, columns])
    };
    match layout {
        0 => fresh(rows, columns, 1),
        1 => fresh(columns, rows, 1).t(),
        // Every second column; rows with one of the next row's elements between them.
        2 => fresh(rows, 2 * columns, 2).get((.., crate::Index::step(0, 2 * columns as isize, 2))),
        3 => fresh(1, columns, 1).expand([rows, columns]),
        4 => fresh(rows, 1, 1).expand([rows, columns]),
        // Inside a larger block.
        _ => fresh(rows + 2, columns + 3, 1).narrow(0, 1, rows).narrow(1, 2, columns),
    }
}

fn values(x: &Array) -> Vec<f64> {
    x.cast(DType::F64).to_vec::<f64>()
}

fn plain(a: &Array, b: &Array) -> Vec<f64> {
    let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
    let (a, b) = (values(a), values(b));
    let sum = |i: usize, j: usize| (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum::<f64>();
    (0..m * n).map(|ij| sum(ij / n, ij % n)).collect()
}

/// A bound of the rounding of k products of numbers up to 1, and of the sums of them.
fn tolerance<T: Product>(k: usize) -> f64 {
    let epsilon = match T::DTYPE {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F64 => f64::EPSILON,
        _ => 0.0,
    };
    epsilon * (k * (k + 1)) as f64
}

#[track_caller]
fn assert_near(got: &Array, expected: &[f64], tolerance: f64, what: &str) {
    let got = values(got);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= tolerance, "element {i} of {what}: got {g}, expected {e}");
    }
}

/// The sizes around which ways and tiles change.
const SIZES: [usize; 15] = [0, 1, 2, 3, 5, 6, 7, 8, 9, 13, 16, 17, 24, 33, 40];

fn small_shapes_match<T: Product>() {
    at_every_level(|| {
        let mut number = 0;
        for m in SIZES {
            for k in SIZES {
                for n in SIZES {
                    // Layouts in turn: all pairs come up in each neighbourhood of shapes.
                    number += 1;
                    let (a, b) = (matrix::<T>(m, k, number % 6, m), matrix::<T>(k, n, number / 6 % 6, n));
                    let what = format!("[{m}, {k}] x [{k}, {n}], number {number} at {:?}", simd_level());
                    assert_near(&matmul(&a, &b), &plain(&a, &b), tolerance::<T>(k), &what);
                }
            }
        }
    });
}

#[test]
fn small_products_of_f32_match_plain_loops() {
    small_shapes_match::<f32>();
}

#[test]
fn small_products_of_f64_match_plain_loops() {
    small_shapes_match::<f64>();
}

#[test]
fn small_products_of_i64_match_plain_loops() {
    small_shapes_match::<i64>();
}

/// More than one pass, panel, tile, part; few rows and few columns; every layout.
const LARGER: [(usize, usize, usize); 10] = [
    (70, 600, 101),
    (20, 270, 48),
    (1, 300, 200),
    (2, 77, 130),
    (200, 300, 1),
    (150, 270, 5),
    (300, 3, 100),
    (3, 520, 52),
    (130, 64, 50),
    (25, 1, 49),
];

#[test]
fn larger_products_match_plain_loops_in_every_layout() {
    at_every_level(|| {
        for (m, k, n) in LARGER.into_iter().filter(|&shape| is_quick(shape)) {
            for layouts in 0..36 {
                let (a, b) = (matrix::<f32>(m, k, layouts / 6, 1), matrix::<f32>(k, n, layouts % 6, 2));
                let what = format!("[{m}, {k}] x [{k}, {n}], layouts {layouts} at {:?}", simd_level());
                assert_near(&matmul(&a, &b), &plain(&a, &b), tolerance::<f32>(k), &what);
            }
        }
    });
}

/// The tests above allow a rounding error; but the order of every sum is the same.
#[test]
fn every_level_gives_the_same_bits() {
    for (m, k, n) in LARGER.into_iter().chain([(2, 30, 20), (9, 40, 17), (300, 100, 3), (26, 16, 520)]) {
        for layouts in [0, 6, 7, 13] {
            let mut all = Vec::new();
            at_every_level(|| {
                if !is_quick((m, k, n)) {
                    return;
                }
                let (a, b) = (matrix::<f32>(m, k, layouts / 6, 1), matrix::<f32>(k, n, layouts % 6, 2));
                let (c, d) = (matrix::<f64>(m, k, layouts / 6, 1), matrix::<f64>(k, n, layouts % 6, 2));
                all.push((values(&matmul(&a, &b)), values(&matmul(&c, &d))));
            });
            // Machines without FMA round twice, and have no other level.
            assert!(all.windows(2).all(|w| w[0] == w[1]), "[{m}, {k}] x [{k}, {n}], layouts {layouts}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let _guard = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = num_threads();
    for (m, k, n) in
        LARGER.into_iter().chain([(400, 300, 410), (64, 784, 128), (1000, 2, 100), (100, 900, 300)])
    {
        for layouts in [0, 1, 6, 7] {
            let (a, b) = (matrix::<f32>(m, k, layouts / 6, 1), matrix::<f32>(k, n, layouts % 6, 2));
            set_num_threads(1);
            let expected = values(&matmul(&a, &b));
            for threads in [2, 3, 8] {
                set_num_threads(threads);
                assert!(values(&matmul(&a, &b)) == expected, "[{m}, {k}] x [{k}, {n}] on {threads} threads");
            }
        }
    }
    set_num_threads(before);
}

/// Large for three threads and more. Rows in several blocks; columns in two; few rows, so that threads share columns; a rest in
/// every direction.
const LARGE: [(usize, usize, usize); 4] =
    [(450, 390, 100), (66, 300, 1600), (70, 800, 333), (129, 1024, 129)];

/// Large for any number of threads, with two passes over the inner index.
const TWO_PASSES: (usize, usize, usize) = (260, 520, 500);

fn packing_changes_no_bit<T: Product>(shapes: &[(usize, usize, usize)], layouts: &[usize], counts: &[usize]) {
    let threads = num_threads();
    for &(m, k, n) in shapes {
        for &layouts in layouts {
            let (a, b) = (matrix::<T>(m, k, layouts / 6, 1), matrix::<T>(k, n, layouts % 6, 2));
            let (x, y) = (Operand::<T>::new(&a).first, Operand::<T>::new(&b).first);
            let mut expected = vec![T::default(); m * n];
            multiply_into(&x, &y, &mut expected, n, false);
            for &count in counts {
                set_num_threads(count);
                assert!(Plan::new(&x, &y).is_shared(), "[{m}, {k}] x [{k}, {n}] is not large");
                let got = matmul(&a, &b).to_vec::<T>();
                let what = format!("layouts {layouts}, {count} threads, {:?}", simd_level());
                assert!(got == expected, "[{m}, {k}] x [{k}, {n}]: {what}");
            }
        }
    }
    set_num_threads(threads);
}

#[test]
fn large_products_have_the_bits_of_small_ones() {
    at_every_level(|| {
        if LARGE.into_iter().all(is_quick) {
            packing_changes_no_bit::<f32>(&LARGE, &[1, 14, 35], &[3, 5]);
            packing_changes_no_bit::<f32>(&[TWO_PASSES], &[14], &[1, 5]);
            packing_changes_no_bit::<f64>(&LARGE[..2], &[1, 14, 35], &[3, 5]);
        }
    });
    let _guard = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    packing_changes_no_bit::<i64>(&LARGE[3..], &[1, 14, 35], &[3, 5]);
}

#[test]
fn linear_has_the_bits_of_its_three_operations() {
    at_every_level(|| {
        let shapes = LARGER.into_iter().chain([(2, 2, 30), (2, 30, 20), (5, 0, 7), TWO_PASSES]);
        for (m, k, n) in shapes.filter(|&shape| is_quick(shape)) {
            // One pair of layouts is enough for the largest, which takes a while where nothing is optimised.
            for &layouts in &[1, 0, 6, 20, 35][..if (m, k, n) == TWO_PASSES { 1 } else { 5 }] {
                let (x, w) = (matrix::<f32>(m, k, layouts / 6, 1), matrix::<f32>(n, k, layouts % 6, 2));
                // Every second element of a block.
                let bias = matrix::<f32>(n, 2, 0, 3).get((.., 0));
                let product = matmul(&x, &w.t());
                let expected =
                    [product.clone(), product.relu(), product.add(&bias), product.add(&bias).relu()];
                let got = [
                    linear(&x, &w, None, false),
                    linear(&x, &w, None, true),
                    linear(&x, &w, Some(&bias), false),
                    linear(&x, &w, Some(&bias), true),
                ];
                for (form, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    let what = format!("form {form} of [{m}, {k}] x [{n}, {k}], layouts {layouts}");
                    assert_near(got, &values(expected), 0.0, &what);
                }
            }
        }
    });
}

#[test]
fn batches_match_one_by_one() {
    let _guard = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    // As in attention, with a transposed and an expanded operand; and one that is cut into parts, too.
    for (batch, m, k, n) in [(48, 64, 32, 64), (7, 1, 1, 1), (3, 100, 90, 110), (0, 2, 2, 2)] {
        let a = matrix::<f32>(batch * m, k, 0, 1).reshape([batch, m, k]);
        let b = matrix::<f32>(batch * n, k, 0, 2).reshape([batch, n, k]).transpose(1, 2);
        let one = matrix::<f32>(k, n, 0, 3).expand([batch, k, n]);
        for b in [b, one] {
            let out = matmul(&a, &b);
            assert_eq!(out.shape().to_vec(), [batch, m, n]);
            for i in 0..batch as isize {
                assert_eq!(values(&out.get(i)), values(&matmul(&a.get(i), &b.get(i))), "product {i}");
            }
        }
    }
}

#[test]
fn what_is_not_finite_passes_through() {
    at_every_level(|| {
        for (m, k, n) in [(3, 4, 5), (1, 100, 30), (30, 100, 1), (40, 300, 70), (64, 9, 3)] {
            let mut data = vec![0f32; m * k];
            data[k - 1] = f32::INFINITY;
            let a = Array::from_vec(data, [m, k]);
            // The first row meets infinity times zero; the others are zero.
            let zeros = Array::from_vec(vec![0f32; k * n], [k, n]);
            let out = values(&linear(&a, &zeros.t(), None, true));
            assert!(out[..n].iter().all(|x| x.is_nan()) && out[n..].iter().all(|&x| x == 0.0));
        }
    });
}

#[test]
fn nothing_is_read_from_a_fresh_block() {
    at_every_level(|| {
        for (m, k, n) in LARGER.into_iter().chain([(2, 2, 30), (5, 0, 7), TWO_PASSES]) {
            let (a, b) = (matrix::<f32>(m, k, 0, 1), matrix::<f32>(k, n, 1, 2));
            let mut out = vec![f32::NAN; m * n];
            multiply(&Operand::new(&a), &Operand::new(&b), &mut out, &Epilogue::NONE);
            assert_eq!(Array::from_vec(out, [m, n]).to_vec::<f32>(), matmul(&a, &b).to_vec::<f32>());
        }
    });
}
