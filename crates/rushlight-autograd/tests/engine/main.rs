//! The engine: what a backward pass does, keeps, frees and refuses.

mod backward;
mod custom;
mod graph;
mod hooks;
mod leaves;
mod parts;
mod rules;
mod threads;

use rushlight_autograd::array::DType;
use rushlight_autograd::{Tensor, tensor, tensor_as};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A leaf with one element, `f32`.
fn leaf(value: f64) -> Tensor {
    tensor([value]).requires_grad_()
}

/// A leaf of `f64` values.
fn leaf64<const N: usize>(values: [f64; N]) -> Tensor {
    tensor_as(values, DType::F64).requires_grad_()
}

/// The gradient of a leaf, as `f32` values.
fn grad_of(x: &Tensor) -> Vec<f32> {
    x.grad().expect("a gradient").to_vec()
}

/// The message of the panic that a call must end in.
fn panic_of<R>(call: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else { panic!("the call did not panic") };
    match panic.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => panic.downcast_ref::<&str>().expect("a text").to_string(),
    }
}
