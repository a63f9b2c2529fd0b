//! Logistic regression of one point, and its gradients: the autograd chapter of the PyTorch texts.
//!
//! `cargo run --example autograd`

use rushlight::prelude::*;

const HELP: &str = "Logistic regression of one point and its gradients, after the PyTorch texts.

Usage: cargo run --example autograd";

fn main() {
    if std::env::args().any(|arg| arg == "--help") {
        println!("{HELP}");
        return;
    }

    let y = tensor([1.0]); // true label
    let x1 = tensor([1.1]); // input
    let w1 = tensor([2.2]).requires_grad_(); // weight
    let b = tensor([0.0]).requires_grad_(); // bias

    // The graph is recorded while the prediction is computed ...
    let z = &x1 * &w1 + &b;
    let a = z.sigmoid();
    let loss = F::binary_cross_entropy(&a, &y);
    println!("[a] {a}");
    println!("[loss] {loss}");

    // ... and goes backward on request. A graph is freed after use, unless it is retained.
    let retain = GradOptions { retain_graph: true, ..GradOptions::default() };
    let grad_l_w1 = grad_with(&[&loss], &[&w1], &retain);
    let grad_l_b = grad_with(&[&loss], &[&b], &retain);
    println!("({},)", grad_l_w1[0]);
    println!("({},)", grad_l_b[0]);

    // The usual way: `backward` leaves the gradients in the leaves.
    loss.backward();
    for leaf in [&w1, &b] {
        if let Some(grad) = leaf.grad() {
            println!("{grad}");
        }
    }
}
