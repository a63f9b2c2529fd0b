//! Products of matrices on the CPU and on the GPU, at any shapes and strides.
//!
//! Both add up chains of multiply-adds in f32, in orders of their own; so results differ by at most so many roundings (of
//! numbers up to 1, or of the result if it is larger): `4 sqrt(k + 2) + k / 2` for sums of k terms. Integers are equal.

mod common;

use common::cuda;
use common::operands::{LIES, Lie, close, numbers, sent};
use proptest::prelude::*;
use rushlight_array::{Array, DType, Device};

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 1usize..40,
        1 => prop::sample::select(vec![0usize, 1, 31, 32, 33, 64, 65, 96, 127, 128, 129]),
    ]
}

fn inner_sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 1usize..40,
        1 => prop::sample::select(vec![0usize, 1, 16, 32, 128, 255, 257, 512, 700, 1024]),
    ]
}

fn batches() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::select(vec![vec![], vec![], vec![1], vec![3], vec![2, 3], vec![0, 2]])
}

const DTYPES: [DType; 5] = [DType::F32, DType::F64, DType::I64, DType::F16, DType::BF16];

proptest! {
    #![proptest_config(common::config(96))]

    #[test]
    fn products_are_those_of_the_cpu(
        m in sizes(), n in sizes(), k in inner_sizes(), batch in batches(),
        lies in (0..LIES.len(), 0..LIES.len()), dtype in 0..DTYPES.len(), seed in any::<u64>(),
    ) {
        let (a_lie, b_lie, dtype) = (LIES[lies.0], LIES[lies.1], DTYPES[dtype]);
        let what = format!("{batch:?} {m} x {k} x {n} of {dtype}, {a_lie:?} {b_lie:?}");
        let shape = |r, c| [&batch[..], &[r, c]].concat();
        let device = cuda();
        let a = a_lie.array(&shape(m, k), dtype, seed);
        let b = b_lie.array(&shape(k, n), dtype, seed ^ 1);
        let there = sent(&a, &device).matmul(&sent(&b, &device));
        close(&a.matmul(&b), &there.to_device(a.device()), k, &what);
    }
}

proptest! {
    #![proptest_config(common::config(48))]

    #[test]
    fn linear_layers_are_those_of_the_cpu(
        m in sizes(), n in sizes(), k in inner_sizes(), bias in any::<bool>(), relu in any::<bool>(),
        lie in 0..LIES.len(), dtype in 0..DTYPES.len(), seed in any::<u64>(),
    ) {
        let (lie, dtype) = (LIES[lie], DTYPES[dtype]);
        let what = format!("linear {m} x {k} x {n} of {dtype}, {lie:?}, bias {bias}, relu {relu}");
        let device = cuda();
        let x = lie.array(&[m, k], dtype, seed);
        let weight = lie.array(&[n, k], dtype, seed ^ 1);
        // Every second number of a longer one.
        let bias = bias.then(|| numbers(&[2 * n], dtype, seed ^ 2).step(0, 0, n, 2));
        let here = x.linear(&weight, bias.as_ref(), relu);
        let far = bias.as_ref().map(|bias| sent(bias, &device));
        let there = sent(&x, &device).linear(&sent(&weight, &device), far.as_ref(), relu);
        close(&here, &there.to_device(x.device()), k, &what);
    }
}

/// Sizes at which a product takes the tile of 128, one of 64, and parts of the inner axis.
#[test]
fn large_products_are_those_of_the_cpu() {
    use DType::{BF16, F16, F32};
    use Lie::{Dense, Gaps, Inside, Transposed};
    let device = cuda();
    for (dtype, m, k, n, batch, lies) in common::some([
        (F32, 257, 40, 130, 16, [Dense, Dense]),
        (F32, 128, 24, 256, 48, [Dense, Transposed]),
        (F32, 66, 17, 67, 96, [Transposed, Dense]),
        (F32, 130, 9, 70, 48, [Transposed, Transposed]),
        (F32, 66, 17, 67, 100, [Inside, Gaps]),
        (F32, 65, 17, 67, 24, [Dense, Transposed]),
        (F32, 70, 3000, 66, 1, [Transposed, Dense]),
        (F16, 128, 72, 136, 48, [Dense, Transposed]),
        (BF16, 136, 40, 128, 48, [Transposed, Dense]),
        (F16, 70, 3000, 66, 1, [Transposed, Dense]),
    ]) {
        let what = format!("{batch} x {m} x {k} x {n} of {dtype}, {lies:?}");
        let a = lies[0].array(&[batch, m, k], dtype, 5);
        let b = lies[1].array(&[batch, k, n], dtype, 6);
        let there = sent(&a, &device).matmul(&sent(&b, &device));
        close(&a.matmul(&b), &there.to_device(a.device()), k, &what);
    }
}

/// A layer with few samples has a kernel of its own, for weights without gaps at fitting addresses.
#[test]
fn few_rows_are_those_of_the_cpu() {
    let device = cuda();
    for dtype in DTYPES {
        for (m, k, n) in [(1, 128, 5), (2, 136, 33), (3, 200, 1), (4, 1040, 70), (5, 136, 7), (4, 130, 9)] {
            let x = numbers(&[m, k], dtype, 1);
            let weight = numbers(&[n, k], dtype, 2);
            let bias = numbers(&[n], dtype, 3);
            for (bias, relu) in [(None, false), (Some(&bias), true)] {
                let far = bias.map(|bias| sent(bias, &device));
                let there = sent(&x, &device).linear(&sent(&weight, &device), far.as_ref(), relu);
                let what = format!("{m} x {k} x {n} of {dtype}");
                close(&x.linear(&weight, bias, relu), &there.to_device(x.device()), k, &what);
            }
        }
    }
}

#[test]
fn what_is_not_finite_stays_so() {
    let device = cuda();
    for (k, n) in [(3, 5), (600, 5)] {
        let mut values = vec![1f32; 2 * k];
        values[0] = f32::NAN;
        values[k] = f32::INFINITY;
        let x = Array::from_vec(values, [2, k]);
        let w = Array::full([n, k], -1.0, DType::F32, &Device::cpu());
        for relu in [false, true] {
            let y = x.to_device(&device).linear(&w.to_device(&device), None, relu);
            close(&x.linear(&w, None, relu), &y.to_device(x.device()), k, "with NaN and infinity");
        }
    }
}
