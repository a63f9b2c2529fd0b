//! The same bits for every number of threads, and from several threads at once.

use rushlight_array::{Array, DType, num_threads, set_num_threads};
use std::sync::{Mutex, PoisonError};

/// The number of threads belongs to the process: one test at a time changes it.
static THREADS: Mutex<()> = Mutex::new(());

/// Values whose sums depend on the order.
fn values(shape: &[usize], seed: usize) -> Array {
    let numel: usize = shape.iter().product();
    let value = |i: usize| ((i + seed).wrapping_mul(2_654_435_761) % 1_000_003) as f32 / 333_331.0 - 1.5;
    Array::from_vec((0..numel).map(value).collect::<Vec<f32>>(), shape)
}

/// The elements as bits.
fn bits(x: &Array) -> Vec<u64> {
    x.cast(DType::F64).to_vec::<f64>().iter().map(|v| v.to_bits()).collect()
}

fn same_for_every_number_of_threads(name: &str, f: impl Fn() -> Array) {
    let _guard = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = num_threads();
    set_num_threads(1);
    let expected = bits(&f());
    for n in [2, 3, 8] {
        set_num_threads(n);
        for _ in 0..3 {
            assert!(bits(&f()) == expected, "{name} differs with {n} threads");
        }
    }
    set_num_threads(before);
}

#[test]
fn elementwise_functions_do_not_depend_on_threads() {
    let (x, y) = (values(&[300, 700], 0), values(&[700, 300], 1));
    same_for_every_number_of_threads("exp", || x.exp());
    same_for_every_number_of_threads("strided add", || x.add(&y.t()));
    same_for_every_number_of_threads("broadcast mul", || x.mul(&y.get((.., 0))));
    same_for_every_number_of_threads("where", || x.gt(&y.t()).where_(&x, &y.t()));
    same_for_every_number_of_threads("cast", || y.t().cast(DType::F16));
}

#[test]
fn sums_do_not_depend_on_threads() {
    let x = values(&[60, 70, 80], 2);
    for (name, x) in
        [("contiguous", x.clone()), ("transposed", x.transpose(0, 2)), ("sliced", x.narrow(1, 3, 60))]
    {
        same_for_every_number_of_threads(name, || x.sum());
        for dim in 0..3 {
            same_for_every_number_of_threads(name, || x.sum_dim(dim, false));
            same_for_every_number_of_threads(name, || x.amax(dim, true));
        }
        same_for_every_number_of_threads(name, || x.sum_dim([0, 2], false));
        same_for_every_number_of_threads(name, || x.mean());
        same_for_every_number_of_threads(name, || x.argmin(1, false));
    }
}

#[test]
fn softmax_does_not_depend_on_threads() {
    let x = values(&[40, 50, 60], 3);
    for dim in 0..3 {
        same_for_every_number_of_threads("softmax", || x.softmax(dim));
        same_for_every_number_of_threads("log_softmax", || x.log_softmax(dim));
    }
}

#[test]
fn products_do_not_depend_on_threads() {
    for (m, k, n) in
        [(200, 150, 170), (1, 4000, 300), (4000, 300, 1), (2000, 5, 90), (5, 2000, 90), (64, 64, 64)]
    {
        let (a, b) = (values(&[m, k], 4), values(&[n, k], 5));
        same_for_every_number_of_threads("matmul", || a.matmul(&b.t()));
        let (a, b) = (a.cast(DType::F64), b.cast(DType::F64));
        same_for_every_number_of_threads("matmul f64", || a.matmul(&b.t()));
    }
    let (a, b) = (values(&[6, 70, 80], 6), values(&[1, 80, 90], 7));
    same_for_every_number_of_threads("batched matmul", || {
        a.transpose(1, 2).contiguous().transpose(1, 2).matmul(&b)
    });
}

#[test]
fn index_operations_do_not_depend_on_threads() {
    let x = values(&[500, 300], 8);
    let rows = Array::from_vec((0..2000i64).map(|i| i * 7919 % 500).collect(), 2000);
    let source = values(&[2000, 300], 9);
    same_for_every_number_of_threads("index_select", || x.index_select(0, &rows));
    same_for_every_number_of_threads("index_add", || x.index_add(0, &rows, &source));
    let each = rows.unsqueeze(1).expand([2000, 300]);
    same_for_every_number_of_threads("gather", || x.gather(0, &each));
    same_for_every_number_of_threads("scatter_add", || x.scatter_add(0, &each, &source));
    same_for_every_number_of_threads("masked_select", || x.masked_select(&x.gt(&x.scalar_operand(0.0))));
}

#[test]
fn many_threads_may_compute_at_once() {
    let _guard = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = num_threads();
    let work = |seed: usize| {
        let x = values(&[150, 200], seed);
        bits(&x.matmul(&x.t()).softmax(1).add(&x.sum()))
    };
    set_num_threads(1);
    let expected: Vec<_> = (0..4).map(work).collect();
    set_num_threads(4);
    std::thread::scope(|scope| {
        for (seed, expected) in expected.iter().enumerate() {
            scope.spawn(move || {
                if seed == 3 {
                    rushlight_array::run_serially_on_this_thread();
                }
                for _ in 0..10 {
                    assert!(work(seed) == *expected, "thread {seed}");
                }
            });
        }
    });
    set_num_threads(before);
}

#[test]
fn a_panic_leaves_the_library_usable() {
    let _guard = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let x = values(&[300, 300], 10);
    let expected = bits(&x.matmul(&x));
    for _ in 0..3 {
        let failed = std::thread::scope(|scope| {
            // Once from an argument, once with a block half written.
            let wrong = scope.spawn(|| x.matmul(&x.narrow(0, 1, 299)));
            let half = scope.spawn(|| Array::build::<f32>([1000], |_| panic!("in the middle")));
            wrong.join().is_err() && half.join().is_err()
        });
        assert!(failed);
        assert!(bits(&x.matmul(&x)) == expected);
    }
}

#[test]
fn factorizations_do_not_depend_on_threads() {
    // Large enough for several parts of each product.
    let x = values(&[300, 300], 3);
    let definite = x.matmul(&x.t()).add(&Array::eye(300, 300, DType::F32).scale(300.0));
    same_for_every_number_of_threads("cholesky", || definite.cholesky().0);
    same_for_every_number_of_threads("cholesky_inverse", || definite.cholesky().0.cholesky_inverse());
    same_for_every_number_of_threads("lu", || x.lu().factors);
    same_for_every_number_of_threads("solve_triangular", || definite.solve_triangular(&x.t(), true, false));
    same_for_every_number_of_threads("qr", || x.narrow(0, 0, 100).qr(false).0);
}
