//! `backward` and `grad`: values, accumulation, options.

use crate::{grad_of, leaf, leaf64, panic_of};
use rushlight_autograd::{GradOptions, Tensor, grad, grad_with, no_grad, tensor};

#[test]
fn scalar_backward_gives_the_derivative() {
    // d(w^2 + 3w)/dw = 2w + 3 = 7.
    let w = leaf(2.0);
    (&w * &w + 3.0 * &w).sum().backward();
    assert_eq!(grad_of(&w), [7.0]);
}

#[test]
fn one_element_of_any_rank_needs_no_grad_outputs() {
    let w = tensor([[[3.0]]]).requires_grad_();
    (&w * 2.0).backward();
    assert_eq!(grad_of(&w), [2.0]);
}

#[test]
fn non_scalar_backward_takes_grad_outputs() {
    let w = tensor([1.0, 2.0]).requires_grad_();
    let options = GradOptions { grad_outputs: vec![tensor([10.0, 100.0])], ..GradOptions::default() };
    (&w * &w).backward_with(&options);
    assert_eq!(grad_of(&w), [20.0, 400.0]);
}

#[test]
fn non_scalar_backward_without_grad_outputs_is_an_error() {
    let w = tensor([1.0, 2.0]).requires_grad_();
    let text = panic_of(|| (&w * 2.0).backward());
    assert!(text.contains("backward: grad can be implicitly created only for scalar outputs"), "{text}");
    assert!(text.contains("[2]"), "{text}");
}

#[test]
fn grad_outputs_of_another_dtype_are_cast() {
    let w = leaf64([1.0, 2.0]);
    let options = GradOptions { grad_outputs: vec![tensor([1.0, 3.0])], ..GradOptions::default() };
    let grads = grad_with(&[&(&w * 2.0)], &[&w], &options);
    assert_eq!(grads[0].to_vec::<f64>(), [2.0, 6.0]);
}

#[test]
fn grad_outputs_must_fit_in_number_and_shape() {
    let w = tensor([1.0, 2.0]).requires_grad_();
    let y = &w * 2.0;
    let with = |grad_outputs| GradOptions { grad_outputs, ..GradOptions::default() };
    let text = panic_of(|| grad_with(&[&y], &[&w], &with(vec![tensor([1.0, 2.0, 3.0])])));
    assert!(text.contains("has shape [3], but the output has shape [2]"), "{text}");
    let text = panic_of(|| grad_with(&[&y], &[&w], &with(vec![tensor([1.0, 2.0]), tensor(1.0)])));
    assert!(text.contains("grad: 2 grad_outputs for 1 outputs"), "{text}");
}

#[test]
fn grad_outputs_with_a_history_leave_none_in_the_leaf() {
    // As PyTorch: without create_graph the collected gradient is a constant.
    let (w, v) = (leaf(1.0), leaf(5.0));
    let options = GradOptions { grad_outputs: vec![v], ..GradOptions::default() };
    (&w + 1.0).backward_with(&options);
    assert_eq!(grad_of(&w), [5.0]);
    assert!(!w.grad().unwrap().requires_grad());
}

#[test]
fn leaves_add_up_over_two_backwards() {
    let w = leaf(3.0);
    (&w * &w).backward();
    let first = w.grad().unwrap();
    (&w * &w).backward();
    assert_eq!(grad_of(&w), [12.0]);
    // Values are immutable: who kept the first gradient still has it.
    assert_eq!(first.to_vec::<f32>(), [6.0]);
    w.zero_grad();
    assert!(w.grad().is_none());
}

#[test]
fn grad_leaves_the_leaves_alone() {
    let w = leaf(3.0);
    assert_eq!(grad(&[&(&w * &w)], &[&w])[0].to_vec::<f32>(), [6.0]);
    assert!(w.grad().is_none());
    (&w * 2.0).backward();
    grad(&[&(&w * &w)], &[&w]);
    assert_eq!(grad_of(&w), [2.0]);
}

#[test]
fn grad_of_computed_tensors() {
    // h = 2w = 6, y = h^2: dy/dh = 12, dy/dw = 24, in any order of the inputs and twice over.
    let w = leaf(3.0);
    let h = &w * 2.0;
    let y = &h * &h;
    let grads = grad(&[&y], &[&w, &h, &y, &w]);
    let values: Vec<f64> = grads.iter().map(Tensor::item).collect();
    assert_eq!(values, [24.0, 12.0, 1.0, 24.0]);
}

#[test]
fn several_outputs_add_up() {
    // d(w^2 + 5w)/dw = 4 + 5.
    let w = leaf(2.0);
    assert_eq!(grad(&[&(&w * &w), &(&w * 5.0)], &[&w])[0].to_vec::<f32>(), [9.0]);
}

#[test]
fn unused_inputs_are_an_error_or_zeros() {
    let (w, other) = (leaf(2.0), tensor([[1.0, 2.0]]).requires_grad_());
    let y = &w * &w;
    let text = panic_of(|| {
        grad_with(&[&y], &[&w, &other], &GradOptions { retain_graph: true, ..GradOptions::default() })
    });
    assert!(text.contains("grad: the outputs do not depend on input 1 of shape [1, 2]"), "{text}");
    let options = GradOptions { allow_unused: true, ..GradOptions::default() };
    let grads = grad_with(&[&y], &[&w, &other], &options);
    assert_eq!(grads[1].to_vec::<f32>(), [0.0, 0.0]);
    assert_eq!(*grads[1].shape(), [1, 2]);
}

#[test]
fn grad_asks_only_for_what_can_have_one() {
    let (w, constant) = (leaf(2.0), tensor([1.0]));
    let text = panic_of(|| grad(&[&(&w * &constant)], &[&constant]));
    assert!(text.contains("grad: input 0 of shape [1] does not require grad"), "{text}");
    let text = panic_of(|| constant.backward());
    assert!(text.contains("backward: element 0 of tensors does not require grad"), "{text}");
}

#[test]
fn diamonds_meet() {
    // a = 2w, b = a + w, c = a * b = 2w * 3w = 6w^2; d = 12w = 36.
    let w = leaf(3.0);
    let a = &w * 2.0;
    let b = &a + &w;
    (&a * &b).backward();
    assert_eq!(grad_of(&w), [36.0]);
}

#[test]
fn a_ladder_of_diamonds_is_walked_once_a_node() {
    // Each rung doubles; a walk over all 2^60 paths would not end.
    let w = tensor([1.0]).requires_grad_();
    let mut x = w.clone();
    for _ in 0..60 {
        x = &x + &x;
    }
    x.backward();
    assert_eq!(grad_of(&w), [2f32.powi(60)]);
}

#[test]
fn the_same_tensor_twice_in_one_operation() {
    let w = leaf(3.0);
    w.pow(&w).backward();
    // d(w^w)/dw = w^w (ln w + 1) = 27 * 2.0986123.
    assert!((grad_of(&w)[0] - 27.0 * 2.098_612_3).abs() < 1e-3);
}

#[test]
fn a_leaf_may_be_the_output() {
    let w = leaf(3.0);
    w.backward();
    assert_eq!(grad_of(&w), [1.0]);
}

#[test]
fn third_derivatives_of_a_power() {
    // x^4: 4x^3, 12x^2, 24x, 24 at x = 2.
    for power in [|x: &Tensor| x * x * x * x, |x: &Tensor| x.pow(4)] {
        let x = leaf64([2.0]);
        let mut y = power(&x);
        for expected in [32.0, 48.0, 48.0, 24.0] {
            let options = GradOptions { create_graph: true, ..GradOptions::default() };
            y = grad_with(&[&y], &[&x], &options).remove(0);
            assert!((y.item() - expected).abs() < 1e-9, "{y} is not {expected}");
        }
    }
}

#[test]
fn create_graph_leaves_a_differentiable_gradient_in_the_leaf() {
    let w = leaf(3.0);
    (&w * &w * &w).backward_with(&GradOptions { create_graph: true, ..GradOptions::default() });
    let first = w.grad().unwrap();
    assert!(first.requires_grad());
    // 6w = 18.
    assert_eq!(grad(&[&first], &[&w])[0].to_vec::<f32>(), [18.0]);
    w.zero_grad();
}

#[test]
fn create_graph_records_also_inside_of_no_grad() {
    let w = leaf(3.0);
    let y = &w * &w;
    let options = GradOptions { create_graph: true, ..GradOptions::default() };
    assert!(no_grad(|| grad_with(&[&y], &[&w], &options))[0].requires_grad());
    assert!(!grad(&[&(&w * &w)], &[&w])[0].requires_grad());
}

#[test]
fn prod_needs_a_table_only_beside_zeros() {
    // The slope is the product of the others: 12 / x, and with one zero only that one has any.
    let x = leaf64([1.0, -3.0, -4.0]);
    x.prod().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [12.0, -4.0, -3.0]);
    let x = leaf64([2.0, 0.0, 5.0]);
    x.prod().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.0, 10.0, 0.0]);
    // Of this many an n by n table would not fit in memory.
    let x = Tensor::from_vec(vec![1f32; 1 << 20], 1 << 20).requires_grad_();
    x.prod().backward();
    assert_eq!(x.grad().unwrap().sum().item(), f64::from(1 << 20));
}

#[test]
fn std_along_a_dim_has_slope_zero_where_all_are_equal() {
    // Of 1 and 3: variance 2, and d(std)/dx = (x - mean) / std.
    let x = leaf64([1.0, 3.0, 5.0, 5.0]);
    let std = x.reshape([2, 2]).std_dim(1, true);
    assert_eq!(*std.shape(), [2, 1]);
    assert_eq!(std.to_vec::<f64>(), [2f64.sqrt(), 0.0]);
    std.sum().backward();
    let slope = 1.0 / 2f64.sqrt();
    let expected = Tensor::from_vec(vec![-slope, slope, 0.0, 0.0], 4);
    assert!(x.grad().unwrap().allclose(&expected, 1e-12, 0.0));
}
