//! Large products by cuBLAS, of which the emulated driver brings one: the order of its arguments, transposes, leading
//! dimensions, strides of batches. It refuses what cuBLAS refuses, and operands outside of the device's memory.

mod common;

use common::operands::{Lie, close, numbers, sent};
use common::{cuda, real};
use rushlight_array::{Array, DType};
use std::sync::Mutex;

/// How many products the emulated one has computed: the last digits of its version.
fn products() -> usize {
    let text = rushlight_cuda::cublas().expect("cuBLAS is there");
    let digits: String =
        text.chars().rev().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().unwrap()
}

static ALONE: Mutex<()> = Mutex::new(());

/// Runs with cuBLAS; on a GPU with the one that is installed, if there is one.
fn with_cublas(act: impl FnOnce(&dyn Fn(bool, &str))) {
    let _alone = ALONE.lock().unwrap_or_else(|error| error.into_inner());
    cuda();
    if real() && rushlight_cuda::cublas().is_none() {
        return eprintln!("skipped: no cuBLAS is installed");
    }
    if !real() {
        let emulator = std::env::var_os("RUSHLIGHT_LIBCUDA").map_or_else(common::emulator, Into::into);
        rushlight_cuda::use_cublas(emulator, 1 << 21);
    }
    let before = std::cell::Cell::new(products());
    act(&|used, what| {
        let now = products();
        assert!(real() || (now > before.get()) == used, "{what}: {} products by cuBLAS", now - before.get());
        before.set(now);
    });
}

#[test]
fn products_by_cublas_are_those_of_the_cpu() {
    use DType::{BF16, F16, F32, F64};
    use Lie::{Batch, Broadcast, Dense, Gaps, Inside, Transposed};
    let device = cuda();
    with_cublas(|check| {
        for (leading, m, k, n, dtype, lies, used) in [
            (&[][..], 130, 150, 140, F32, [Dense, Dense], true),
            (&[], 130, 150, 140, F64, [Dense, Transposed], true),
            (&[], 130, 150, 140, F16, [Transposed, Dense], true),
            (&[], 130, 150, 140, BF16, [Transposed, Transposed], true),
            (&[], 130, 150, 140, F32, [Inside, Inside], true),
            (&[], 1, 1500, 1500, F32, [Dense, Transposed], true),
            (&[], 1500, 1500, 1, F32, [Transposed, Dense], true),
            (&[], 1500, 1, 1500, F32, [Dense, Dense], true),
            (&[7], 65, 70, 75, F64, [Dense, Transposed], true),
            (&[7], 65, 70, 75, F16, [Inside, Dense], true),
            (&[2, 4], 65, 70, 75, F32, [Batch, Dense], true),
            (&[4, 2], 65, 70, 75, F32, [Dense, Batch], true),
            // What cuBLAS cannot read in place, the kernels do.
            (&[], 130, 150, 140, F32, [Gaps, Dense], false),
            (&[], 130, 150, 140, F32, [Broadcast, Dense], false),
            // And what is small.
            (&[], 100, 100, 100, F32, [Dense, Dense], false),
        ] {
            let what = format!("{leading:?} {m} x {k} x {n} of {dtype}, {lies:?}");
            let shape = |rows, columns| [leading, &[rows, columns]].concat();
            let a = lies[0].array(&shape(m, k), dtype, 3);
            let b = lies[1].array(&shape(k, n), dtype, 4);
            let there = sent(&a, &device).matmul(&sent(&b, &device));
            check(used, &what);
            close(&a.matmul(&b), &there.to_device(a.device()), k, &what);
        }
    });
}

#[test]
fn a_batch_that_is_broadcast_is_read_in_place() {
    let device = cuda();
    with_cublas(|check| {
        let a = numbers(&[6, 70, 80], DType::F32, 1);
        let b = numbers(&[80, 90], DType::F32, 2);
        let there = sent(&a, &device).transpose(-1, -2).matmul(&sent(&a, &device));
        close(&a.transpose(-1, -2).matmul(&a), &there.to_device(a.device()), 70, "A^T A");
        check(true, "A^T A");
        // The batch of the left is a view that is no matrix of all rows.
        let (left, far) = (a.step(0, 1, 2, 3), sent(&a, &device).step(0, 1, 2, 3));
        let there = far.matmul(&sent(&b, &device));
        check(false, "two small ones");
        close(&left.matmul(&b), &there.to_device(a.device()), 80, "two small ones");
    });
}

#[test]
fn a_linear_layer_gets_its_bias_and_relu_behind_the_product() {
    let device = cuda();
    with_cublas(|check| {
        for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
            let x = numbers(&[130, 150], dtype, 1);
            let weight = numbers(&[140, 150], dtype, 2);
            let bias = numbers(&[140], dtype, 3);
            for (bias, relu) in [(None, false), (None, true), (Some(&bias), false), (Some(&bias), true)] {
                let what = format!("{dtype}, bias {}, relu {relu}", bias.is_some());
                let far = bias.map(|bias: &Array| sent(bias, &device));
                let there = sent(&x, &device).linear(&sent(&weight, &device), far.as_ref(), relu);
                check(true, &what);
                close(&x.linear(&weight, bias, relu), &there.to_device(x.device()), 150, &what);
            }
        }
    });
}
