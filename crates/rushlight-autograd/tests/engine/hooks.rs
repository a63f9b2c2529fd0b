//! Hooks on leaves and on computed tensors.

use crate::{grad_of, leaf, panic_of};
use rushlight_autograd::{GradOptions, Tensor, grad, tensor};
use std::sync::{Arc, Mutex};

/// A list that hooks write to.
type Log = Arc<Mutex<Vec<f64>>>;

fn logger(log: &Log, factor: f64) -> impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static {
    let log = Arc::clone(log);
    move |grad| {
        log.lock().unwrap().push(grad.item() * factor);
        None
    }
}

fn entries(log: &Log) -> Vec<f64> {
    std::mem::take(&mut log.lock().unwrap())
}

#[test]
fn hooks_run_in_order_each_on_what_the_last_left() {
    let (w, log) = (leaf(1.0), Log::default());
    w.register_hook(logger(&log, 1.0));
    w.register_hook(|grad| Some(grad * 10.0));
    w.register_hook(logger(&log, 1.0));
    (&w * 3.0).backward();
    assert_eq!(entries(&log), [3.0, 30.0]);
    assert_eq!(grad_of(&w), [30.0]);
}

#[test]
fn a_hook_on_a_computed_tensor_changes_what_flows_on() {
    // As PyTorch: h = 2w, y = h * x; h's gradient x = 2 becomes 20, w's 40, x's stays h = 6.
    let (w, x) = (leaf(3.0), leaf(2.0));
    let h = &w * 2.0;
    h.register_hook(|grad| Some(grad * 10.0));
    h.retain_grad();
    (&h * &x).backward();
    assert_eq!((grad_of(&h), grad_of(&w), grad_of(&x)), (vec![20.0], vec![40.0], vec![6.0]));
}

#[test]
fn a_hook_sees_the_whole_gradient_once() {
    let (w, log) = (leaf(3.0), Log::default());
    let h = &w * 1.0;
    h.register_hook(logger(&log, 1.0));
    w.register_hook(logger(&log, -1.0));
    (&h * &h + &h + &w).backward();
    assert_eq!(entries(&log), [7.0, -8.0]);
}

#[test]
fn removed_hooks_are_silent() {
    let (w, log) = (leaf(1.0), Log::default());
    let first = w.register_hook(logger(&log, 1.0));
    w.register_hook(logger(&log, 2.0));
    first.remove();
    first.remove();
    (&w * 3.0).backward();
    assert_eq!(entries(&log), [6.0]);
    // Dropping a handle keeps its hook.
    drop(first);
    (&w * 3.0).backward();
    assert_eq!(entries(&log), [6.0]);
}

#[test]
fn a_handle_outlives_its_tensor() {
    let handle = {
        let w = leaf(1.0);
        (&w * 2.0).register_hook(|_| None)
    };
    handle.remove();
}

#[test]
fn a_hook_may_remove_itself_and_add_others() {
    let (w, log) = (leaf(1.0), Log::default());
    let other = logger(&log, 1.0);
    let other = Mutex::new(Some(other));
    let target = w.clone();
    w.register_hook(move |_| {
        if let Some(other) = other.lock().unwrap().take() {
            target.register_hook(other);
        }
        None
    });
    (&w * 3.0).backward();
    assert_eq!(entries(&log), [] as [f64; 0]);
    (&w * 3.0).backward();
    assert_eq!(entries(&log), [3.0]);
}

#[test]
fn grad_runs_the_hooks_on_the_way_and_no_others() {
    // As PyTorch 2.15: neither the hook of w nor that of its branch runs for the gradient of x.
    let (x, w, log) = (leaf(2.0), leaf(3.0), Log::default());
    let h = &w * 2.0;
    for tensor in [&h, &w] {
        tensor.register_hook(logger(&log, 1.0));
    }
    x.register_hook(|grad| Some(grad * 10.0));
    assert_eq!(grad(&[&(&x * &x + &h)], &[&x])[0].item(), 40.0);
    assert_eq!(entries(&log), [] as [f64; 0]);
}

#[test]
fn post_accumulate_hooks_see_the_sum() {
    let (w, log) = (leaf(2.0), Log::default());
    let seen = Arc::clone(&log);
    let handle = w.register_post_accumulate_grad_hook(move |leaf| {
        seen.lock().unwrap().push(leaf.grad().unwrap().item());
    });
    (&w * &w + &w).backward();
    (&w * 1.0).backward();
    assert_eq!(entries(&log), [5.0, 6.0]);
    grad(&[&(&w * &w)], &[&w]);
    assert_eq!(entries(&log), [] as [f64; 0]);
    handle.remove();
    (&w * 1.0).backward();
    assert_eq!(entries(&log), [] as [f64; 0]);
}

#[test]
fn a_post_accumulate_hook_may_step_and_clear() {
    // Optimiser in backward: w - 0.5 * 2w = 0.
    let w = leaf(4.0);
    w.register_post_accumulate_grad_hook(|leaf| {
        let step = leaf.grad().unwrap().array().scale(0.5);
        leaf.update(|value| *value = value.sub(&step));
        leaf.zero_grad();
    });
    (&w * &w).backward();
    assert_eq!(w.item(), 0.0);
    assert!(w.grad().is_none());
}

#[test]
fn a_hook_may_go_backward_itself() {
    let (w, log) = (leaf(2.0), Log::default());
    let (inner, seen) = (w.clone(), Arc::clone(&log));
    let h = &w * 3.0;
    h.register_hook(move |_| {
        let y = rushlight_autograd::enable_grad(|| &inner * &inner);
        seen.lock().unwrap().push(grad_retaining(&y, &inner)[0].item());
        y.backward();
        None
    });
    h.backward();
    assert_eq!(entries(&log), [4.0]);
    // 2w of the inner pass and 3 of the outer.
    assert_eq!(grad_of(&w), [7.0]);
}

#[test]
fn retained_gradients_are_those_of_backward() {
    let w = leaf(3.0);
    let h = &w * 2.0;
    assert!(h.grad().is_none());
    h.retain_grad();
    let y = &h * &h;
    grad_retaining(&y, &w);
    assert!(h.grad().is_none());
    y.backward();
    assert_eq!(grad_of(&h), [12.0]);
    w.retain_grad();
    assert!(panic_of(|| tensor(1.0).retain_grad()).contains("retain_grad: this tensor does not require"));
}

fn grad_retaining(y: &Tensor, w: &Tensor) -> Vec<Tensor> {
    let options = GradOptions { retain_graph: true, ..GradOptions::default() };
    rushlight_autograd::grad_with(&[y], &[w], &options)
}

#[test]
fn a_hook_must_keep_shape_and_dtype() {
    let w = leaf(1.0);
    let handle = w.register_hook(|_| Some(tensor([1.0, 2.0])));
    let text = panic_of(|| (&w * 2.0).backward());
    assert!(text.contains("a gradient of shape [1] (float32) was replaced by one of shape [2]"), "{text}");
    handle.remove();
    w.register_hook(|_| Some(tensor([1])));
    assert!(panic_of(|| (&w * 2.0).backward()).contains("(int64)"));
}

#[test]
fn hooks_are_refused_where_they_would_never_run() {
    let text = panic_of(|| tensor(1.0).register_hook(|_| None));
    assert!(text.contains("register_hook: this tensor does not require a gradient"), "{text}");
    let w = leaf(1.0);
    let text = panic_of(|| (&w * 2.0).register_post_accumulate_grad_hook(|_| {}));
    assert!(text.contains("register_post_accumulate_grad_hook: only leaves"), "{text}");
}
