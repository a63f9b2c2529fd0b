//! Leaves, modes, dtypes and printing.

use crate::{grad_of, leaf, leaf64, panic_of};
use rushlight_autograd::array::DType;
use rushlight_autograd::{
    GradModeGuard, GradOptions, Tensor, enable_grad, grad, grad_with, is_grad_enabled, no_grad, tensor,
    tensor_as,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn modes_nest_and_return() {
    assert!(is_grad_enabled());
    no_grad(|| {
        assert!(!is_grad_enabled());
        enable_grad(|| {
            assert!(is_grad_enabled());
            no_grad(|| assert!(!is_grad_enabled()));
            assert!(is_grad_enabled());
        });
        assert!(!is_grad_enabled());
    });
    assert!(is_grad_enabled());
    {
        let _guard = GradModeGuard::no_grad();
        assert!(!is_grad_enabled());
    }
    assert!(is_grad_enabled());
}

#[test]
fn a_panic_restores_the_mode() {
    assert!(catch_unwind(|| no_grad(|| panic!("on purpose"))).is_err());
    assert!(is_grad_enabled());
    let w = leaf(1.0);
    let y = (&w * 2.0).reshape([1]);
    y.register_hook(|_| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| y.backward())).is_err());
    assert!(is_grad_enabled());
}

#[test]
fn modes_are_of_one_thread() {
    no_grad(|| std::thread::spawn(|| assert!(is_grad_enabled())).join().unwrap());
}

#[test]
fn nothing_is_recorded_without_grad() {
    let w = leaf(2.0);
    let y = no_grad(|| &w * &w);
    assert!(!y.requires_grad() && y.is_leaf() && y.grad_fn().is_none());
    assert!(no_grad(|| enable_grad(|| &w * &w)).requires_grad());
}

#[test]
fn detach_cuts() {
    // y = w * stop(w): only one factor counts.
    let w = leaf(3.0);
    let cut = w.detach();
    assert!(!cut.requires_grad());
    (&w * &cut).backward();
    assert_eq!(grad_of(&w), [3.0]);
}

#[test]
fn requires_grad_makes_leaves_of_floats_only() {
    let w = leaf(1.0);
    assert!(w.is_leaf() && w.requires_grad());
    assert!(w.clone().requires_grad_().is(&w));
    let text = panic_of(|| tensor([1, 2]).requires_grad_());
    assert!(text.contains("requires_grad_: only tensors of floating point dtype"), "{text}");
    assert!(text.contains("int64"), "{text}");
    let text = panic_of(|| (&w * 2.0).requires_grad_());
    assert!(text.contains("computed by MulBackward0"), "{text}");
}

#[test]
fn frozen_leaves_learn_nothing() {
    let (w, b) = (leaf(2.0), leaf(1.0));
    w.set_requires_grad(false);
    (&w * &b).backward();
    assert!(w.grad().is_none());
    assert_eq!(grad_of(&b), [2.0]);
    w.set_requires_grad(true);
    (&w * &b).backward();
    assert_eq!(grad_of(&w), [1.0]);
    assert!(
        panic_of(|| tensor(1.0).set_requires_grad(true))
            .contains("set_requires_grad: this tensor is not a leaf")
    );
    assert!(
        panic_of(|| Tensor::new_leaf(tensor([1]).array(), false).set_requires_grad(true)).contains("int64")
    );
}

#[test]
fn set_needs_no_grad_a_leaf_and_the_shape() {
    let w = tensor([1.0, 2.0]).requires_grad_();
    let new = tensor([5.0, 6.0]).array();
    assert!(panic_of(|| w.set(&new)).contains("do it inside of no_grad"));
    assert!(panic_of(|| w.update(|_| ())).contains("update: a leaf that requires grad"));
    let text = panic_of(|| no_grad(|| w.set(tensor([1.0]))));
    assert!(text.contains("set: shape [1] does not replace shape [2]"), "{text}");
    assert!(panic_of(|| no_grad(|| tensor([1.0, 2.0]).set(&new))).contains("set: this tensor is not a leaf"));
    assert!(panic_of(|| no_grad(|| (&w * 2.0).set(&new))).contains("set: this tensor is not a leaf"));
    let text = panic_of(|| no_grad(|| w.set(tensor([1, 2]))));
    assert!(text.contains("set: int64 cannot require gradients"), "{text}");
    no_grad(|| w.set(&new));
    assert_eq!(w.to_vec::<f32>(), [5.0, 6.0]);
}

#[test]
fn buffers_are_set_without_ceremony() {
    let buffer = Tensor::new_leaf(tensor([1, 2]).array(), false);
    buffer.set(tensor([3, 4]));
    assert_eq!(buffer.to_vec::<i64>(), [3, 4]);
    assert!(!buffer.requires_grad());
}

#[test]
fn update_refuses_another_shape_and_stays_usable() {
    let w = tensor([1.0, 2.0]).requires_grad_();
    let text = panic_of(|| no_grad(|| w.update(|value| *value = tensor([1.0]).array())));
    assert!(text.contains("update: shape [1] does not replace shape [2]"), "{text}");
    assert_eq!(*w.array().shape(), [2]);
    assert!(panic_of(|| no_grad(|| w.update(|_| panic!("on purpose")))).contains("on purpose"));
    assert_eq!(*w.array().shape(), [2]);
}

#[test]
fn update_repairs_what_a_panic_leaves() {
    let w = leaf64([1.0, 2.0]);
    let wrong = [tensor([1.0]), tensor([7, 8])];
    for value in &wrong {
        let text = panic_of(|| {
            no_grad(|| {
                w.update(|w| {
                    *w = value.array();
                    panic!("on purpose")
                })
            })
        });
        assert!(text.contains("on purpose"));
        assert_eq!((&*w.array().shape().clone(), w.dtype()), (&[2][..], DType::F64));
    }
    // Integers are cast back; of another shape nothing is left.
    assert_eq!(w.to_vec::<f64>(), [7.0, 8.0]);
    let text = panic_of(|| no_grad(|| w.update(|w| *w = tensor([1, 2]).array())));
    assert!(text.contains("update: int64 cannot require gradients"), "{text}");
    no_grad(|| w.update(|w| *w = w.scale(2.0)));
    assert_eq!(w.to_vec::<f64>(), [2.0, 4.0]);
}

#[test]
fn an_update_that_reads_its_own_leaf_fails_instead_of_waiting() {
    let (w, other) = (leaf(1.0), leaf(2.0));
    let message = "update: this leaf is read inside of its own update; use the closure's argument";
    no_grad(|| {
        assert_eq!(panic_of(|| w.update(|_| w.item())), message);
        assert_eq!(panic_of(|| w.update(|_| &w * 2.0)), message);
        assert_eq!(panic_of(|| w.update(|_| w.set(tensor([1.0])))), message);
        assert_eq!(panic_of(|| w.update(|_| other.update(|_| w.dtype()))), message);
        // Other leaves may be read and changed, and the leaf itself afterwards.
        assert_eq!(w.update(|_| other.update(|_| w.shape().len())), 1);
        assert_eq!(w.update(|_| other.item()), 2.0);
        assert_eq!(w.item(), 1.0);
    });
}

#[test]
fn an_update_is_waited_for_by_other_threads() {
    let w = leaf(1.0);
    let (begun, wait) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reader = w.clone();
        let reader = scope.spawn(move || {
            wait.recv().unwrap();
            reader.item()
        });
        no_grad(|| {
            w.update(|value| {
                begun.send(()).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(20));
                *value = value.offset(4.0);
            })
        });
        assert_eq!(reader.join().unwrap(), 5.0);
    });
}

#[test]
fn a_leaf_set_in_another_dtype_takes_gradients_of_it() {
    let w = leaf(2.0);
    no_grad(|| w.set(tensor_as([3.0], DType::F64)));
    (&w * &w).backward();
    assert_eq!(w.grad().unwrap().to_vec::<f64>(), [6.0]);
}

#[test]
fn set_grad_checks_shape_and_dtype() {
    let w = tensor([1.0, 2.0]).requires_grad_();
    w.set_grad(Some(tensor([1.0, 1.0])));
    (&w * 3.0).sum().backward();
    assert_eq!(grad_of(&w), [4.0, 4.0]);
    let text = panic_of(|| w.set_grad(Some(tensor(1.0))));
    assert!(text.contains("set_grad: a gradient of shape [] for a leaf of shape [2]"), "{text}");
    w.set_grad(None);
    assert!(w.grad().is_none());
    let text = panic_of(|| w.set_grad(Some(tensor_as([1.0, 1.0], DType::F64))));
    assert_eq!(text, "set_grad: a gradient of float64 for a leaf of float32; cast one with .to(..)");
}

#[test]
fn mixed_dtypes_get_gradients_of_their_own() {
    // The product is f64; each gradient is cast back: d(ab)/da = b.
    let a = tensor_as([1.0, 2.0], DType::F16).requires_grad_();
    let b = leaf64([3.0, 4.0]);
    let c = tensor([5.0, 6.0]).requires_grad_();
    let y = &a * &b * &c;
    assert_eq!(y.dtype(), DType::F64);
    y.sum().backward();
    let grads = [&a, &b, &c].map(|x| x.grad().unwrap());
    assert_eq!(grads.each_ref().map(Tensor::dtype), [DType::F16, DType::F64, DType::F32]);
    let values = grads.map(|g| g.to(DType::F64).to_vec::<f64>());
    assert_eq!(values, [[15.0, 24.0], [5.0, 12.0], [3.0, 8.0]]);
}

#[test]
fn a_cast_casts_its_gradient_back() {
    let w = leaf(1.5);
    let y = w.to(DType::F64).to(DType::BF16).to(DType::F32);
    (&y * 2.0).backward();
    assert_eq!(grad_of(&w), [2.0]);
}

#[test]
fn integers_and_comparisons_are_never_tracked() {
    let w = tensor([1.0, -2.0]).requires_grad_();
    assert!(!w.gt(0.0).requires_grad());
    assert!(!w.to(DType::I64).requires_grad());
    assert!(!w.argmax_dim(0, false).requires_grad());
    // An integer factor has no gradient, but passes the other's.
    (&w * &tensor([2, 3])).sum().backward();
    assert_eq!(grad_of(&w), [2.0, 3.0]);
}

#[test]
fn display_with_a_precision_prints_one_number() {
    let w = leaf(2.0);
    assert_eq!(format!("{:.2}", (&w / 3.0).sum()), "0.67");
    assert_eq!(format!("{:.0}", tensor(7)), "7");
    assert_eq!(format!("{:.1}", tensor([[2.25]])), "2.2");
    assert_eq!(format!("{:.3}", tensor(f64::NAN)), "NaN");
    // As Rust's f64 with width, fill and sign.
    assert_eq!(format!("{:>8.2}|{:<6.1}|{:+.0}|{:*^7.1}", w, w, w, w), "    2.00|2.0   |+2|**2.0**");
    assert_eq!(tensor(0.1).item(), f64::from(0.1f32));
    assert_eq!(tensor([[7]]).item_as::<i64>(), 7);
    assert!(panic_of(|| tensor([1.0, 2.0]).item()).contains("item"));
}

#[test]
fn display_shows_requires_grad_and_grad_fn() {
    // torch.tensor([1., 2.], requires_grad=True) and its multiples print so.
    let w = tensor([1.0, 2.0]).requires_grad_();
    assert_eq!(w.to_string(), "tensor([1., 2.], requires_grad=True)");
    assert_eq!((&w * 2.0).to_string(), "tensor([2., 4.], grad_fn=<MulBackward0>)");
    assert_eq!(w.sum().to_string(), "tensor(3., grad_fn=<SumBackward0>)");
    assert_eq!(w.detach().to_string(), "tensor([1., 2.])");
}

#[test]
fn clones_are_one_tensor() {
    let w = leaf(2.0);
    let other = w.clone();
    (&other * 3.0).backward();
    assert!(w.is(&other) && !w.is(&w.detach()));
    assert_eq!(grad_of(&w), [3.0]);
    assert_eq!(grad(&[&(&w * &w)], &[&other])[0].item(), 4.0);
}

/// The caller's own leaf, as an output's gradient, arrives unchanged by what is added to it on the way.
#[test]
fn a_leaf_given_as_the_gradient_of_an_output_stays_as_it_is() {
    let (x, g) = (tensor([1.0, 2.0]).requires_grad_(), tensor([3.0, 4.0]).requires_grad_());
    let options = GradOptions { create_graph: true, grad_outputs: vec![g.clone()], ..GradOptions::default() };
    let sum = grad_with(&[&(&x + &x)], &[&x], &options);
    assert_eq!(sum[0].to_vec::<f32>(), [6.0, 8.0]);
    assert_eq!(g.to_vec::<f32>(), [3.0, 4.0]);
}
