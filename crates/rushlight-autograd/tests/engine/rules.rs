//! Rules that are wrong: each is caught and named, never a silent zero.

use crate::{grad_of, leaf, panic_of};
use rushlight_autograd::array::{Array, DType};
use rushlight_autograd::{Gradients, Op, Saved, Saves, Tensor, grad, tensor};

/// x + y with a rule of your choice.
#[derive(Debug)]
enum Broken {
    NoInput1,
    WrongShape,
    WrongDtype,
    Twice,
    Unsaved,
    UnsavedOutput,
}

impl Op for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].add(inputs[1])
    }
    fn saves(&self) -> Saves {
        Saves::first(1)
    }
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        give.to(0, || grad.clone());
        match self {
            Broken::NoInput1 => {}
            Broken::WrongShape => give.to(1, || tensor([1.0, 2.0, 3.0])),
            Broken::WrongDtype => give.to(1, || tensor([1, 1])),
            Broken::Twice => give.to(0, || grad.clone()),
            Broken::Unsaved => give.to(1, || saved.input(1)),
            Broken::UnsavedOutput => give.to(1, || saved.output()),
        }
    }
}

fn complaint(broken: Broken) -> String {
    let (x, y) = (leaf(1.0), tensor([2.0, 3.0]).requires_grad_());
    panic_of(|| Tensor::apply(broken, &[&x, &y]).sum().backward())
}

#[test]
fn a_forgotten_input_is_named() {
    let text = complaint(Broken::NoInput1);
    assert!(text.starts_with("broken: the backward rule gave no gradient to input 1"), "{text}");
}

#[test]
fn a_forgotten_input_that_needs_nothing_is_fine() {
    let x = leaf(1.0);
    Tensor::apply(Broken::NoInput1, &[&x, &tensor([2.0])]).backward();
    assert_eq!(grad_of(&x), [1.0]);
    // grad() asks the rule only for what it was asked.
    let y = leaf(1.0);
    assert_eq!(grad(&[&Tensor::apply(Broken::NoInput1, &[&x, &y])], &[&x])[0].item(), 1.0);
}

#[test]
fn a_wrong_shape_is_named() {
    let text = complaint(Broken::WrongShape);
    assert_eq!(text, "broken: the backward rule gave input 1 of shape [2] a gradient of shape [3]");
}

#[test]
fn a_wrong_dtype_is_named() {
    let text = complaint(Broken::WrongDtype);
    assert_eq!(text, "broken: the backward rule gave input 1 a gradient of int64");
}

#[test]
fn two_gradients_are_named() {
    assert_eq!(complaint(Broken::Twice), "broken: input 0 was given two gradients");
}

#[test]
fn what_was_not_saved_is_named() {
    assert_eq!(complaint(Broken::Unsaved), "broken: input 1 is not saved");
    assert_eq!(complaint(Broken::UnsavedOutput), "broken: the output is not saved");
}

/// An operation without a rule.
#[derive(Debug)]
struct Ruleless;

impl Op for Ruleless {
    fn name(&self) -> &'static str {
        "ruleless"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].clone()
    }
}

#[test]
fn an_operation_without_a_rule_is_an_error_when_it_matters() {
    let x = leaf(1.0);
    let y = Tensor::apply(Ruleless, &[&x]);
    assert!(y.requires_grad());
    let text = panic_of(|| (&y * 2.0).backward());
    assert!(text.starts_with("ruleless: this operation has no backward rule"), "{text}");
    // Without a gradient to pass it is an operation like any other.
    assert_eq!(Tensor::apply(Ruleless, &[&x.detach()]).item(), 1.0);
    assert_eq!(grad(&[&(&y * &x)], &[&y])[0].item(), 1.0);
}

/// A float input, an integer result.
#[derive(Debug)]
struct Rounded;

impl Op for Rounded {
    fn name(&self) -> &'static str {
        "rounded"
    }
    fn forward(&mut self, inputs: &[&Array]) -> Array {
        inputs[0].cast(DType::I64)
    }
}

#[test]
fn integer_results_are_not_recorded() {
    assert!(!Tensor::apply(Rounded, &[&leaf(1.5)]).requires_grad());
}

#[test]
fn the_engine_sums_over_what_was_broadcast() {
    // out = row + column, (3) and (2, 1): each gets the number of its copies.
    let (row, column) = (tensor([1.0, 2.0, 3.0]).requires_grad_(), tensor([[1.0], [2.0]]).requires_grad_());
    (&row + &column).sum().backward();
    assert_eq!(grad_of(&row), [2.0, 2.0, 2.0]);
    assert_eq!(grad_of(&column), [3.0, 3.0]);
    let empty = Tensor::from_vec(Vec::<f32>::new(), [0, 3]).requires_grad_();
    let row = tensor([1.0, 2.0, 3.0]).requires_grad_();
    (&row + &empty).sum().backward();
    assert_eq!(grad_of(&row), [0.0, 0.0, 0.0]);
    assert_eq!(*empty.grad().unwrap().shape(), [0, 3]);
}
