//! W6: pointwise operations, reductions and the copy of a transpose, forward and forward with backward, in
//! GB/s of nominal traffic.

use crate::{Args, seconds_per_call};
use rushlight::prelude::*;
use std::hint::black_box;

const SIZES: [(&str, usize); 3] = [("1e3", 1_000), ("1e5", 100_000), ("1e7", 10_000_000)];

struct Operation {
    name: &'static str,
    call: fn(&[Tensor]) -> Tensor,
    inputs: fn(usize) -> Vec<Tensor>,
    /// Bytes that count for each element of the first input: what a forward pass reads and writes, and what
    /// both passes do.
    forward: f64,
    both: f64,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "add",
        call: |x| &x[0] + &x[1],
        inputs: |n| vec![randn(n), randn(n)],
        forward: 12.0,
        both: 24.0,
    },
    Operation { name: "relu", call: |x| x[0].relu(), inputs: flat, forward: 8.0, both: 20.0 },
    Operation { name: "exp", call: |x| x[0].exp(), inputs: flat, forward: 8.0, both: 20.0 },
    Operation { name: "gelu", call: |x| F::gelu(&x[0]), inputs: flat, forward: 8.0, both: 20.0 },
    Operation { name: "sum", call: |x| x[0].sum(), inputs: flat, forward: 4.0, both: 8.0 },
    Operation { name: "softmax", call: |x| x[0].softmax(1), inputs: rows, forward: 8.0, both: 20.0 },
    Operation {
        name: "layernorm",
        call: |x| F::layer_norm(&x[0], &[1000], Some(&x[1]), Some(&x[2])),
        inputs: |n| vec![randn([n / 1000, 1000]), ones(1000), zeros(1000)],
        forward: 8.0,
        both: 20.0,
    },
    Operation { name: "tcopy", call: |x| x[0].t().contiguous(), inputs: square, forward: 8.0, both: 16.0 },
];

fn flat(n: usize) -> Vec<Tensor> {
    vec![randn(n)]
}

fn rows(n: usize) -> Vec<Tensor> {
    vec![randn([n / 1000, 1000])]
}

fn square(n: usize) -> Vec<Tensor> {
    let side = n.isqrt();
    vec![randn([side, side])]
}

pub(crate) fn run(args: &Args) {
    let sizes = if args.quick { &SIZES[..2] } else { &SIZES[..] };
    for &(tag, n) in sizes {
        for operation in OPERATIONS {
            measure(args, operation, tag, n);
        }
    }
}

fn measure(args: &Args, operation: &Operation, tag: &str, n: usize) {
    let Operation { name, call, inputs, forward, both } = operation;
    let inputs = inputs(n);
    let elements = inputs[0].numel() as f64;
    let seconds = no_grad(|| seconds_per_call(args, 0.08, || drop(black_box(call(&inputs)))));
    args.print("W6", &format!("{name}_{tag}_fwd_GBps"), forward * elements / seconds / 1e9);

    let leaves: Vec<Tensor> = inputs.into_iter().map(Tensor::requires_grad_).collect();
    let seed = call(&leaves).detach().ones_like();
    let options = GradOptions { grad_outputs: vec![seed], ..GradOptions::default() };
    let seconds = seconds_per_call(args, 0.08, || {
        leaves.iter().for_each(Tensor::zero_grad);
        call(&leaves).backward_with(&options);
    });
    args.print("W6", &format!("{name}_{tag}_fb_GBps"), both * elements / seconds / 1e9);
}
