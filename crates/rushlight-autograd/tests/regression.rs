//! Faults that were found and mended.

use rushlight_autograd::ops::{
    CrossEntropyOptions, Reduction, cross_entropy, cross_entropy_with, linear, linear_relu,
};
use rushlight_autograd::{GradOptions, Tensor, no_grad, ones, tensor, zeros};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn backward_from(y: &Tensor, grad: Tensor) {
    y.backward_with(&GradOptions { grad_outputs: vec![grad], ..GradOptions::default() });
}

#[test]
fn a_sum_in_place_that_fails_leaves_the_tensor_as_it_was() {
    let mut a = tensor([1.0, 2.0]);
    assert!(catch_unwind(AssertUnwindSafe(|| a += &tensor([5.0, 6.0, 7.0]))).is_err());
    assert_eq!(a.to_vec::<f32>(), [1.0, 2.0]);
    a += tensor([1.0, 1.0]);
    a -= &tensor([2.0]);
    assert_eq!(a.to_vec::<f32>(), [0.0, 1.0]);
}

#[test]
fn an_ignored_row_has_no_gradient_whatever_comes_in() {
    let x = zeros([3, 2]).requires_grad_();
    let options = CrossEntropyOptions { reduction: Reduction::None, ..CrossEntropyOptions::default() };
    let losses = cross_entropy_with(&x, &tensor([0, -100, 1]), &options);
    backward_from(&losses, tensor([1.0, f64::INFINITY, 1.0]));
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [-0.5, 0.5, 0.0, 0.0, 0.5, -0.5]);
}

#[test]
fn a_gradient_is_not_the_callers_own_cell() {
    let (x, buffer) = (tensor([2.0]).requires_grad_(), Tensor::new_leaf(tensor([1.0]).array(), false));
    backward_from(&(&x + 1.0), buffer.clone());
    no_grad(|| buffer.set(tensor([9.0])));
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [1.0]);
}

#[test]
fn a_linear_layer_without_features_gives_its_bias() {
    for call in [linear, linear_relu] {
        let (w, b) = (zeros([3, 0]).requires_grad_(), ones(3).requires_grad_());
        for shape in [vec![0], vec![4, 0], vec![2, 2, 0]] {
            let y = call(&zeros(shape.as_slice()), &w, Some(&b));
            assert_eq!(y.to_vec::<f32>(), vec![1.0; y.numel()]);
            y.sum().backward();
        }
        assert_eq!(w.grad().unwrap().shape(), [3, 0]);
        assert_eq!(b.grad().unwrap().to_vec::<f32>(), [9.0; 3]);
    }
}

#[test]
fn cross_entropy_without_classes_is_that_of_nothing() {
    let x = zeros([2, 0]).requires_grad_();
    let loss = cross_entropy(&x, &tensor([-100, -100]));
    assert!(loss.item().is_nan());
    loss.backward();
    assert_eq!(x.grad().unwrap().shape(), [2, 0]);
}
