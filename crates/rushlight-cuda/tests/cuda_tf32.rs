//! Products of f32 with factors rounded to tf32, in a program of its own: the choice holds for all of it.

mod common;

use common::cuda;
use common::operands::{Lie, close, numbers, sent};
use rushlight_array::{Array, DType};
use rushlight_cuda::{Precision, set_float32_matmul_precision};

/// To the nearest number with 10 bits behind the point, the larger of two.
fn rounded(x: &Array) -> Array {
    let values: Vec<f32> =
        x.to_vec::<f32>().iter().map(|x| f32::from_bits((x.to_bits() + 0x1000) & !0x1fff)).collect();
    Array::from_vec(values, x.shape())
}

#[test]
fn factors_are_rounded_and_sums_are_not() {
    let device = cuda();
    set_float32_matmul_precision(Precision::High);
    for (m, k, n, batch, lies) in [
        (40, 50, 30, 2, [Lie::Dense, Lie::Dense]),
        (66, 44, 36, 1, [Lie::Dense, Lie::Transposed]),
        (33, 17, 65, 1, [Lie::Transposed, Lie::Dense]),
        (64, 16, 64, 1, [Lie::Transposed, Lie::Transposed]),
        (20, 1030, 24, 1, [Lie::Inside, Lie::Gaps]),
        (128, 36, 132, 48, [Lie::Dense, Lie::Transposed]),
        (132, 20, 128, 48, [Lie::Transposed, Lie::Dense]),
    ] {
        let what = format!("{batch} x {m} x {k} x {n}, {lies:?}");
        let a = lies[0].array(&[batch, m, k], DType::F32, 1);
        let b = lies[1].array(&[batch, k, n], DType::F32, 2);
        let there = sent(&a, &device).matmul(&sent(&b, &device)).to_device(a.device());
        close(&rounded(&a).matmul(&rounded(&b)), &there, k, &what);
        if k > 40 {
            let full = a.matmul(&b).sub(&there).abs().max();
            assert!(full.item::<f32>() > 1e-5, "{what}: the factors were not rounded");
        }
    }
    // f64 stays as it is.
    let [x, y] = [1, 2].map(|seed| numbers(&[20, 20], DType::F64, seed));
    close(&x.matmul(&y), &sent(&x, &device).matmul(&sent(&y, &device)).to_device(x.device()), 20, "f64");
    set_float32_matmul_precision(Precision::Highest);
    let [x, y] = [1, 2].map(|seed| numbers(&[20, 20], DType::F32, seed));
    close(
        &x.matmul(&y),
        &sent(&x, &device).matmul(&sent(&y, &device)).to_device(x.device()),
        20,
        "f32 again",
    );
}
