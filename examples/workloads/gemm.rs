//! W5: f32 matrix products, squares and the shapes of W2's layers, in GFLOP/s. The result is allocated in
//! each call, as the interface has it.

use crate::{Args, seconds_per_call};
use rushlight::{no_grad, rand};
use std::hint::black_box;

/// Name, m, k, n. At the end of a name, `bt` says that the right operand is a transposed view, as in a layer's
/// `x W^T`, and `at` the left one, as in the gradient of its weight.
const PRODUCTS: [(&str, usize, usize, usize); 9] = [
    ("sq64", 64, 64, 64),
    ("sq128", 128, 128, 128),
    ("sq256", 256, 256, 256),
    ("sq512", 512, 512, 512),
    ("sq1024", 1024, 1024, 1024),
    ("sq2048", 2048, 2048, 2048),
    ("64x784x128_bt", 64, 784, 128),
    ("64x128x64_bt", 64, 128, 64),
    ("784x64x128_at", 784, 64, 128),
];

pub(crate) fn run(args: &Args) {
    for (name, m, k, n) in PRODUCTS {
        if args.quick && m > 512 && m == n {
            continue;
        }
        let a = if name.ends_with("_at") { rand([k, m]).t() } else { rand([m, k]) };
        let b = if name.ends_with("_bt") { rand([n, k]).t() } else { rand([k, n]) };
        let seconds = no_grad(|| seconds_per_call(args, 0.1, || drop(black_box(a.matmul(&b)))));
        args.print("W5", &format!("gflops_{name}"), 2.0 * (m * k * n) as f64 / seconds / 1e9);
    }
}
