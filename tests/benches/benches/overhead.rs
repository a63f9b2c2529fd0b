//! What a recorded operation costs beside its kernel: small tensors, where the arithmetic is next to nothing.

use criterion::Criterion;
use rushlight_array::backend::{OptimizerStep, StepRule, rule};
use rushlight_autograd::ops::{cross_entropy, linear};
use rushlight_autograd::{GradOptions, Tensor, no_grad, randn, tensor};
use std::hint::black_box;
use std::time::Duration;

/// One `relu` of a thousand elements.
fn one_op(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_op_1e3");
    let x = randn(1000);
    group.bench_function("forward_no_grad", |b| b.iter(|| no_grad(|| black_box(&x).relu())));
    let x = x.requires_grad_();
    group.bench_function("forward", |b| b.iter(|| black_box(&x).relu()));
    let options = GradOptions { grad_outputs: vec![x.detach().ones_like()], ..GradOptions::default() };
    group.bench_function("forward_backward", |b| {
        b.iter(|| {
            x.zero_grad();
            x.relu().backward_with(&options);
        });
    });
    group.finish();
}

/// A hundred additions, one after the other: the cost of the graph, not of a kernel.
fn chain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chain_of_100");
    let x = randn(1).requires_grad_();
    let run = || (0..100).fold(x.clone(), |y, _| &y + &x);
    group.bench_function("forward", |b| b.iter(|| black_box(run())));
    group.bench_function("forward_backward", |b| {
        b.iter(|| {
            x.zero_grad();
            run().backward();
        });
    });
    group.finish();
}

/// 2-30-20-2 with ReLU, batch 2, cross entropy, plain descent: the network of the texts, by hand, since the
/// crates of layers and optimisers lie above this one.
struct Toy {
    layers: Vec<(Tensor, Tensor)>,
    x: Tensor,
    y: Tensor,
}

impl Toy {
    fn new() -> Self {
        let layer = |(inputs, outputs): (usize, usize)| {
            ((randn([outputs, inputs]) * 0.1).detach().requires_grad_(), randn(outputs).requires_grad_())
        };
        let layers = [(2, 30), (30, 20), (20, 2)].map(layer).to_vec();
        Toy { layers, x: tensor([[-1.2, 3.1], [2.3, -1.1]]), y: tensor([0, 1]) }
    }

    fn forward(&self) -> Tensor {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(self.x.clone(), |x, (i, (weight, bias))| {
            let y = linear(&x, weight, Some(bias));
            if i == last { y } else { y.relu() }
        })
    }

    fn step(&self) {
        let loss = cross_entropy(&self.forward(), &self.y);
        let parameters = || self.layers.iter().flat_map(|(weight, bias)| [weight, bias]);
        parameters().for_each(Tensor::zero_grad);
        loss.backward();
        let rule =
            StepRule::Sgd(rule::Sgd { lr: 0.5, momentum: 0.0, fresh: 1.0, nesterov: false, first: true });
        let step = OptimizerStep::new(rule);
        for parameter in parameters() {
            let grad = parameter.grad().expect("every parameter takes part").array();
            let state = [None, None, None];
            parameter.update(|w| w.device().clone().backend().optimizer_step(&step, w, &grad, state));
        }
    }
}

fn toy_network(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("toy_network");
    let toy = Toy::new();
    group.bench_function("infer", |b| b.iter(|| no_grad(|| toy.forward())));
    group.bench_function("train_step", |b| b.iter(|| toy.step()));
    group.finish();
}

fn main() {
    // Short, so that all benches of the workspace together stay below three minutes.
    let second = Duration::from_secs(1);
    let criterion = Criterion::default().warm_up_time(second / 4).measurement_time(second).sample_size(20);
    let mut criterion = criterion.configure_from_args();
    one_op(&mut criterion);
    chain(&mut criterion);
    toy_network(&mut criterion);
    criterion.final_summary();
}
