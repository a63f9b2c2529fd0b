//! Several threads, over shared leaves and graphs; results do not depend on the number of kernel threads.

use crate::leaf;
use rushlight_autograd::array::{num_threads, set_num_threads};
use rushlight_autograd::ops::{cross_entropy, linear};
use rushlight_autograd::{GradOptions, Tensor, arange, grad, grad_with};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

#[test]
fn backward_passes_over_shared_leaves_lose_nothing() {
    // 8 threads * 200 passes, each adds d(w * i)/dw = i; all sums are small integers, exact in f32.
    let w = leaf(1.0);
    std::thread::scope(|scope| {
        for i in 0..8 {
            let w = &w;
            scope.spawn(move || (0..200).for_each(|_| (w * f64::from(i)).backward()));
        }
    });
    assert_eq!(w.grad().unwrap().item(), 200.0 * 28.0);
}

#[test]
fn backward_passes_through_a_shared_graph_lose_nothing() {
    // h = w^2 is shared; each pass adds i * 2w = 4i.
    let w = leaf(2.0);
    let h = &w * &w;
    let options = GradOptions { retain_graph: true, ..GradOptions::default() };
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for i in 0..8 {
            let (h, start, options) = (&h, &start, &options);
            scope.spawn(move || {
                start.wait();
                (0..100).for_each(|_| (h * f64::from(i)).backward_with(options));
            });
        }
    });
    assert_eq!(w.grad().unwrap().item(), 100.0 * 4.0 * 28.0);
}

#[test]
fn of_two_passes_that_free_one_graph_one_is_told() {
    for _ in 0..50 {
        let w = leaf(2.0);
        let h = &w * &w;
        let passed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let pass = std::panic::AssertUnwindSafe(|| h.backward());
                let passed = &passed;
                scope.spawn(move || {
                    passed.fetch_add(usize::from(std::panic::catch_unwind(pass).is_ok()), Ordering::Relaxed)
                });
            }
        });
        assert_eq!(passed.into_inner(), 1);
        assert_eq!(w.grad().unwrap().item(), 4.0);
    }
}

#[test]
fn hooks_run_once_for_each_pass_of_any_thread() {
    let (w, calls) = (leaf(2.0), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&calls);
    w.register_post_accumulate_grad_hook(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| (&w * 1.0).backward()));
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 200);
}

#[test]
fn leaves_may_be_set_while_others_read_them() {
    let w = leaf(1.0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..500).for_each(|i| rushlight_autograd::no_grad(|| w.set(leaf(f64::from(i)).detach())))
        });
        scope.spawn(|| {
            for _ in 0..500 {
                // Whatever value the graph took, value and gradient belong together.
                let y = &w * &w;
                let g = grad(&[&y], &[&w])[0].item();
                assert_eq!(g * g, 4.0 * y.item());
            }
        });
    });
}

/// The gradients of a layer that is large enough to be split among threads.
fn gradients() -> Vec<Vec<u32>> {
    let wave = |shape: [usize; 2], speed: f64| {
        let n = (shape[0] * shape[1]) as i64;
        (arange(0, n, 1) * speed).sin().reshape(shape.map(|s| s as isize)).detach().requires_grad_()
    };
    let (x, w, b) = (wave([300, 500], 0.37), wave([200, 500], 0.11), wave([1, 200], 0.73));
    let target = Tensor::from_vec((0..300).map(|i| i % 200).collect::<Vec<i64>>(), 300);
    let loss = cross_entropy(&linear(&x, &w, Some(&b.reshape([200]))).tanh(), &target)
        + (&x * &x).sum_dim(0, false).logsumexp(0, false) * 1e-3;
    let grads = grad_with(&[&loss], &[&x, &w, &b], &GradOptions::default());
    grads.iter().chain([&loss]).map(|g| g.to_vec::<f32>().into_iter().map(f32::to_bits).collect()).collect()
}

#[test]
fn gradients_are_bit_identical_for_any_number_of_threads() {
    let before = num_threads();
    let runs = [1, 2, 8].map(|n| {
        set_num_threads(n);
        gradients()
    });
    set_num_threads(before);
    assert!(runs[0] == runs[1] && runs[1] == runs[2]);
}
