//! What a graph keeps and frees, and graphs of great depth.

use crate::{grad_of, leaf, panic_of};
use rushlight_autograd::{GradOptions, Tensor, grad, no_grad, tensor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const RETAIN: fn() -> GradOptions = || GradOptions { retain_graph: true, ..GradOptions::default() };

#[test]
fn a_second_backward_through_a_freed_graph_names_the_op() {
    let w = leaf(2.0);
    let y = w.exp();
    y.backward();
    let text = panic_of(|| y.backward());
    assert!(text.starts_with("exp: trying to backward through the graph a second time"), "{text}");
    assert!(text.contains("retain_graph"), "{text}");
}

#[test]
fn retain_graph_allows_a_second_backward() {
    let w = leaf(2.0);
    let y = &w * &w;
    y.backward_with(&RETAIN());
    y.backward();
    assert_eq!(grad_of(&w), [8.0]);
}

#[test]
fn operations_that_save_nothing_go_backward_twice() {
    // As PyTorch: an addition has nothing to free.
    let w = leaf(2.0);
    let y = &w + 1.0;
    y.backward();
    y.backward();
    assert_eq!(grad_of(&w), [2.0]);
}

#[test]
fn grad_frees_only_the_way_to_its_inputs() {
    // As PyTorch: after the gradient of x the branch of w is still whole, that of x is not.
    let (x, w) = (leaf(2.0), leaf(3.0));
    let y = &x * &x + &w * &w;
    assert_eq!(grad(&[&y], &[&x])[0].item(), 4.0);
    assert_eq!(grad(&[&y], &[&w])[0].item(), 6.0);
    assert!(panic_of(|| grad(&[&y], &[&x])).contains("mul: trying to backward"));
}

#[test]
fn grad_of_a_computed_tensor_does_not_go_below_it() {
    let w = leaf(3.0);
    let h = w.exp();
    assert_eq!(grad(&[&(&h * 2.0)], &[&h])[0].item(), 2.0);
    // The exponential was not passed, so it is not freed.
    h.backward();
}

#[test]
fn an_update_between_forward_and_backward_changes_no_gradient() {
    // PyTorch refuses this by version counters; here the graph keeps the old values.
    let w = leaf(3.0);
    let y = &w * &w;
    no_grad(|| w.set(tensor([100.0])));
    y.backward();
    assert_eq!(grad_of(&w), [6.0]);
    no_grad(|| w.update(|value| *value = value.scale(2.0)));
    assert_eq!(w.to_vec::<f32>(), [200.0]);
}

#[test]
fn an_update_in_place_does_not_reach_what_a_graph_saved() {
    let w = tensor([3.0, 4.0]).requires_grad_();
    let (y, view) = ((&w * &w).sum(), w.reshape([2, 1]));
    no_grad(|| w.update(|value| value.make_mut::<f32>().fill(-1.0)));
    y.backward();
    assert_eq!(grad_of(&w), [6.0, 8.0]);
    assert_eq!(view.to_vec::<f32>(), [3.0, 4.0]);
}

/// Runs on a thread whose stack is far too small for a recursion over the graph.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn(f).expect("a thread");
    thread.join().expect("no panic and no overflow");
}

fn chain(x: &Tensor, length: usize) -> Tensor {
    (0..length).fold(x.clone(), |y, _| &y + 0.0)
}

#[test]
fn a_chain_of_a_million_nodes_goes_backward_and_away() {
    on_a_small_stack(|| {
        let start = Instant::now();
        let w = leaf(1.0);
        let y = chain(&w, 1_000_000);
        y.backward();
        assert_eq!(grad_of(&w), [1.0]);
        assert_eq!(grad(&[&y], &[&w])[0].item(), 1.0);
        drop(y);
        // Half a microsecond each way is usual; a quadratic engine would take hours.
        assert!(start.elapsed().as_secs() < 60);
    });
}

#[test]
fn deep_graphs_that_share_nodes_are_dropped_without_recursion() {
    on_a_small_stack(|| {
        let w = leaf(1.0);
        let mut x = w.clone();
        for _ in 0..100_000 {
            x = &x * &x;
        }
        let middle = x.clone();
        let long = chain(&x, 100_000);
        drop(long);
        drop(x);
        drop(middle);
    });
}

#[test]
fn a_deep_graph_of_a_backward_pass_is_dropped_without_recursion() {
    on_a_small_stack(|| {
        let w = leaf(1.0);
        let y = (0..50_000).fold(w.clone(), |y, _| &y * 1.0);
        let y = &y * &y;
        let options = GradOptions { create_graph: true, ..GradOptions::default() };
        let first = rushlight_autograd::grad_with(&[&y], &[&w], &options).remove(0);
        assert_eq!(first.item(), 2.0);
        assert_eq!(grad(&[&first], &[&w])[0].item(), 2.0);
    });
}

#[test]
fn a_graph_dies_with_its_last_tensor() {
    // The hook's counter is shared with the graph, so its count tells whether the graph lives.
    let alive = Arc::new(AtomicUsize::new(0));
    let w = leaf(1.0);
    let y = &w * 2.0;
    let held = Arc::clone(&alive);
    y.register_hook(move |_| {
        held.fetch_add(1, Ordering::Relaxed);
        None
    });
    let z = chain(&y, 10);
    drop(y);
    assert_eq!(Arc::strong_count(&alive), 2);
    z.backward();
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    drop(z);
    assert_eq!(Arc::strong_count(&alive), 1);
}
