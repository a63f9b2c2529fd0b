//! Operations in place: copy on write, leaves, gradients, dtypes, and the reuse of memory.

use rushlight_autograd::array::{Array, DType};
use rushlight_autograd::ops::RoundingMode;
use rushlight_autograd::{Tensor, grad, no_grad, tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of the panic that a change of a handle must end in.
fn panic_of(x: &Tensor, change: impl FnOnce(&mut Tensor) -> &mut Tensor) -> String {
    let mut x = x.clone();
    let changed = catch_unwind(AssertUnwindSafe(|| {
        change(&mut x);
    }));
    let Err(panic) = changed else { panic!("the call did not panic") };
    *panic.downcast::<String>().expect("a text")
}

/// Where the elements are.
fn place(x: &Tensor) -> *const f32 {
    x.array().as_slice::<f32>().expect("it lies without gaps").as_ptr()
}

#[test]
fn other_handles_keep_the_old_value() {
    let mut x = tensor([1.0, 2.0]);
    let (handle, view) = (x.clone(), x.narrow(0, 0, 1));
    x.add_(1.0).mul_(&tensor([2.0, 3.0])).sub_(1).div_(2.0);
    assert_eq!(x.to_vec::<f32>(), [1.5, 4.0]);
    assert_eq!(handle.to_vec::<f32>(), [1.0, 2.0]);
    assert_eq!(view.to_vec::<f32>(), [1.0]);
}

#[test]
fn what_a_graph_saved_stays() {
    let w = tensor([3.0]).requires_grad_();
    let mut x = tensor([2.0]);
    let y = &w * &x;
    x.fill_(7.0);
    y.backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0]);
}

#[test]
fn memory_of_nobody_else_is_reused() {
    let mut x = Tensor::from_vec(vec![1.0f32; 1000], 1000);
    let (start, y) = (place(&x), Tensor::from_vec(vec![2.0f32; 1000], 1000));
    x.add_(&y).mul_(&y).sub_(&y).div_(&y);
    assert_eq!((place(&x), x.to_vec::<f32>()[999]), (start, 2.0));
    let handle = x.clone();
    x.add_(&y);
    assert!(place(&x) != start && place(&handle) == start);
    // Also that of a leaf without a gradient, which all handles see.
    let mut buffer = Tensor::new_leaf(Array::from_vec(vec![1.0f32; 1000], 1000), false);
    let (start, handle) = (place(&buffer), buffer.clone());
    buffer.mul_(&y).add_(&y);
    assert_eq!((place(&handle), handle.to_vec::<f32>()[0]), (start, 4.0));
}

#[test]
fn a_leaf_that_requires_a_gradient_is_changed_in_no_grad_alone() {
    let mut w = tensor([1.0, 2.0]).requires_grad_();
    let message = "a leaf that requires grad is being changed in place; do it inside of no_grad";
    assert_eq!(panic_of(&w, |x| x.add_(1.0)), format!("add_: {message}"));
    assert_eq!(panic_of(&w, |x| x.clamp_(0, 1)), format!("clamp_: {message}"));
    assert_eq!(panic_of(&w, |x| x.zero_()), format!("zero_: {message}"));
    assert_eq!(panic_of(&w, |x| x.copy_(&tensor([0.0]))), format!("copy_: {message}"));
    let handle = w.clone();
    no_grad(|| {
        w.mul_(2.0).pow_(2).add_(&tensor([1.0, 1.0]));
        w.sub_(&w.clone());
        w.copy_(&tensor(5.0));
    });
    // The cell, not a new tensor.
    assert!(w.is(&handle) && w.requires_grad() && w.is_leaf());
    assert_eq!(handle.to_vec::<f32>(), [5.0, 5.0]);
}

/// y = 3 x, y += x, y *= x, y = 2 at the end: PyTorch's gradients of the same lines.
#[test]
fn a_change_of_a_computed_tensor_is_recorded() {
    let x = tensor([2.0, 3.0]).requires_grad_();
    let mut y = &x * 3.0;
    y.add_(&x).mul_(&x);
    assert_eq!(y.to_vec::<f32>(), [16.0, 36.0]);
    // y = 4 x^2.
    assert_eq!(grad(&[&y.sum()], &[&x])[0].to_vec::<f32>(), [16.0, 24.0]);
    let mut y = &x * 3.0;
    y.fill_(&x.select(0, 1));
    assert_eq!(grad(&[&y.sum()], &[&x])[0].to_vec::<f32>(), [0.0, 2.0]);
    let mut y = &x * 3.0;
    y.copy_(&x.narrow(0, 0, 1));
    assert_eq!(y.to_vec::<f32>(), [2.0, 2.0]);
    assert_eq!(grad(&[&y.sum()], &[&x])[0].to_vec::<f32>(), [2.0, 0.0]);
    // A constant takes part in the graph from the change on.
    let mut y = tensor([1.0, 1.0]);
    y.add_(&x);
    assert!(y.requires_grad());
}

#[test]
fn a_dtype_that_cannot_be_kept_is_refused() {
    let mut x = tensor([4, 9]);
    let cannot = |name: &str, from: &str, to: &str, cast: &str| {
        format!(
            "{name}: the result is {from}, which cannot be kept in a tensor of {to}; cast it with .to(DType::{cast}) first"
        )
    };
    assert_eq!(panic_of(&x, |x| x.div_(2)), cannot("div_", "float32", "int64", "F32"));
    assert_eq!(panic_of(&x, |x| x.pow_(0.5)), cannot("pow_", "float32", "int64", "F32"));
    assert_eq!(panic_of(&x.gt(4), |x| x.add_(1)), cannot("add_", "int64", "bool", "I64"));
    x.div_with_(2, RoundingMode::Floor).eq_(4);
    assert_eq!(x.to_vec::<i64>(), [0, 1]);
    // A wider float of the same kind is cast.
    let mut y = tensor([1.0]).to(DType::F16);
    y.add_(&tensor([0.5]));
    assert_eq!(y.dtype(), DType::F16);
}

#[test]
fn a_shape_that_would_change_is_refused() {
    let x = tensor([1.0, 2.0]);
    let text = panic_of(&x, |x| x.add_(&tensor([[1.0], [2.0]])));
    assert_eq!(
        text,
        "add_: the result has shape [2, 2], the tensor [2]; an operation in place must keep the shape"
    );
    assert_eq!(x.to_vec::<f32>(), [1.0, 2.0]);
}

#[test]
fn a_leaf_of_integers_is_set_and_keeps_its_dtype() {
    let mut steps = Tensor::new_leaf(Array::new([1, 2]), false);
    let handle = steps.clone();
    steps.add_(1).bitwise_or_(8).remainder_(&tensor([4, 5]));
    assert_eq!(handle.to_vec::<i64>(), [2, 1]);
    steps.copy_(&tensor([2.9, -2.9]));
    assert_eq!(handle.to_vec::<i64>(), [2, -2]);
    steps.zero_();
    assert_eq!(handle.to_vec::<i64>(), [0, 0]);
}

#[test]
fn assign_operators_are_the_forms_with_an_underscore() {
    let mut x = tensor([1.0, 2.0]);
    x += &tensor([0.5, 0.5]).to(DType::F64);
    assert_eq!((x.dtype(), x.to_vec::<f32>()), (DType::F32, vec![1.5, 2.5]));
    x %= 1;
    assert_eq!(x.to_vec::<f32>(), [0.5, 0.5]);
    let mut i = tensor([5, 6]);
    i += 1;
    i <<= 1;
    i &= 12;
    i |= &tensor([1, 2]);
    assert_eq!(i.to_vec::<i64>(), [13, 14]);
    let message = panic_of(&tensor([5, 6]), |i| {
        *i += 1.5;
        i
    });
    assert!(message.starts_with("add_: the result is float32"), "{message}");
    let message = panic_of(&tensor([1.0, 2.0]), |x| {
        *x *= &tensor([[1.0, 2.0], [3.0, 4.0]]);
        x
    });
    assert!(message.starts_with("mul_: the result has shape [2, 2]"), "{message}");
}
