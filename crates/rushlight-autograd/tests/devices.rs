//! A second device, which lets the CPU compute: nothing here may know where the elements are.

#[path = "../../rushlight-array/tests/delegate/mod.rs"]
mod delegate;

use delegate::Delegate;
use proptest::prelude::*;
use rushlight_autograd::array::Device;
use rushlight_autograd::ops::*;
use rushlight_autograd::table::{Derivative, Draw, OpInfo, Sample, op_table};
use rushlight_autograd::{GradOptions, Tensor, grad_with, no_grad, tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of a sample and, if it is recorded, the gradients of its inputs and their own gradients.
fn derivatives(info: &OpInfo, sample: &Sample) -> Vec<Tensor> {
    let x: Vec<&Tensor> = sample.inputs.iter().collect();
    let y = (sample.call)(&sample.inputs);
    let mut all = vec![y.clone()];
    let options = |y: &Tensor, create_graph| GradOptions {
        create_graph,
        retain_graph: true,
        allow_unused: true,
        grad_outputs: vec![y.ones_like()],
    };
    if y.requires_grad() && info.derivative != Derivative::None {
        all.extend(grad_with(&[&y], &x, &options(&y, false)));
        for first in grad_with(&[&y], &x, &options(&y, true)) {
            if first.requires_grad() && info.derivative == Derivative::Every {
                all.extend(grad_with(&[&first], &x, &options(&first, false)));
            }
            all.push(first);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// No rule knows the CPU: on another device nothing is made or left elsewhere.
    #[test]
    fn every_op_works_on_another_device(choices in prop::collection::vec(0u32..1000, 0..24)) {
        let device = Delegate::default().device();
        for info in op_table() {
            let here = derivatives(info, &(info.sample)(&mut Draw::new(&choices)));
            let there = derivatives(info, &(info.sample)(&mut Draw::on(&choices, &device)));
            prop_assert_eq!(here.len(), there.len(), "{}", info.name);
            for (i, (a, b)) in here.iter().zip(&there).enumerate() {
                // `to` a device is the one operation whose result lies elsewhere.
                prop_assert!(b.device() == device || (info.op == "Cast" && i == 0), "{}: {}", info.name, i);
                let b = b.to(a.device());
                prop_assert_eq!(a.shape(), b.shape(), "{}: {}", info.name, i);
                prop_assert!(a.allclose(&b, 1e-9, 1e-12), "{}, {}: {} is not {}", info.name, i, a, b);
            }
        }
    }
}

fn elsewhere() -> Device {
    Delegate::default().device()
}

/// The message of the panic that a call must end in.
fn panic_of<R>(call: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else { panic!("the call did not panic") };
    *panic.downcast::<String>().expect("a text")
}

#[test]
fn losses_name_themselves_when_devices_differ() {
    let x = tensor([[0.5, 0.25], [0.5, 0.75]]).to(elsewhere());
    let (classes, same) = (tensor([0, 1]), tensor([[0.0, 1.0], [1.0, 0.0]]));
    let weight = Some(tensor([1.0, 2.0]));
    let weighted = NllLossOptions { weight: weight.clone(), ..NllLossOptions::default() };
    let target = "the input is on delegate, the target on cpu; move one with .to(..)";
    let factor = "the input is on delegate, ";
    let (classes_there, same_there) = (classes.to(elsewhere()), same.to(elsewhere()));
    for (message, text) in [
        (format!("cross_entropy: {target}"), panic_of(|| cross_entropy(&x, &classes))),
        (format!("cross_entropy: {target}"), panic_of(|| cross_entropy(&x, &same))),
        (format!("nll_loss: {target}"), panic_of(|| nll_loss(&x, &classes))),
        (format!("nll_loss: {factor}the weight"), panic_of(|| nll_loss_with(&x, &classes_there, &weighted))),
        (format!("mse_loss: {target}"), panic_of(|| mse_loss(&x, &same))),
        (format!("binary_cross_entropy: {target}"), panic_of(|| binary_cross_entropy(&x, &same))),
        (
            format!("binary_cross_entropy: {factor}weight"),
            panic_of(|| binary_cross_entropy_with(&x, &same_there, weight.as_ref(), Reduction::Mean)),
        ),
    ] {
        assert!(text.starts_with(&message), "{text:?} should be {message:?}");
    }
}

#[test]
fn leaves_keep_their_device() {
    let device = elsewhere();
    let w = tensor([1.0, 2.0]).to(&device).requires_grad_();
    let text = panic_of(|| w.set_grad(Some(tensor([1.0, 1.0]))));
    assert_eq!(text, "set_grad: a gradient on cpu for a leaf on delegate; move one with .to(..)");
    let text = panic_of(|| no_grad(|| w.update(|value| *value = tensor([1.0]).array())));
    assert_eq!(text, "update: shape [1] does not replace shape [2]");
    assert_eq!(w.device(), device);
    (&w * 3.0).sum().backward();
    assert_eq!(w.grad().unwrap().device(), device);
}
