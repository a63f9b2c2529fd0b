//! The tensor tour: making, looking at and reshaping tensors, line by line after the PyTorch texts.
//!
//! `cargo run --example tensors`

use rushlight::prelude::*;

const HELP: &str = "The tensor tour of the PyTorch texts.

Usage: cargo run --example tensors";

fn main() {
    if std::env::args().any(|arg| arg == "--help") {
        println!("{HELP}");
        return;
    }

    // Scalars, vectors, matrices and more come from numbers and nested arrays of numbers.
    let tensor0d = tensor(1);
    let tensor1d = tensor([1, 2, 3]);
    let tensor2d = tensor([[1, 2, 3], [4, 5, 6]]);
    let tensor3d = tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]);
    println!("{tensor0d}\n{tensor1d}\n{tensor2d}\n{tensor3d}\n");

    // Integers are 64 bits wide, floats 32, and `to` casts.
    println!("{}", tensor1d.dtype());
    println!("{}", tensor([1.0, 2.0, 3.0]).dtype());
    println!("{}\n", tensor1d.to(DType::F32).dtype());

    // Shapes.
    println!("{}", tensor0d.shape());
    println!("{}", tensor2d.shape());
    println!("{}\n", tensor3d.shape());

    // The same six numbers in another shape, transposed, and multiplied.
    println!("{}", tensor2d.reshape([3, 2]));
    println!("{}", tensor2d.view([3, 2]));
    println!("{}", tensor2d.t());
    println!("{}", tensor2d.matmul(&tensor2d.t()));
    println!();

    // Indexing: one row, one column, a range with a step of its own, a mask.
    let x = arange(0, 12, 1).reshape([3, 4]);
    println!("{x}");
    println!("{}", x.get(1));
    println!("{}", x.get((.., -1)));
    println!("{}", x.get((1.., ..2)));
    println!("{}\n", x.get(&x.gt(8)));

    // Arithmetic is element by element; shapes broadcast, numbers widen nothing.
    let a = tensor([1.0, 2.0, 3.0]);
    let b = tensor([4.0, 5.0, 6.0]);
    println!("{}", &a + &b);
    println!("{}", &a + 2.0);
    println!("{}", &a * 3.0);
    println!("{}\n", a.unsqueeze(1) + &b);

    // Random tensors: the default generator, or PyTorch's own, number for number.
    manual_seed(TorchSeed(123));
    println!("{}", rand([2, 3]));
    println!("{}\n", randn([4, 5]));

    // Long tensors are cut when printed.
    println!("{}\n", arange(0, 2000, 1));

    // Devices.
    match device("cpu") {
        Ok(cpu) => println!("{} lives on {}", &a + &b, a.to(&cpu).device()),
        Err(error) => println!("{error}"),
    }
}
