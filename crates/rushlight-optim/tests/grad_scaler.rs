//! The scaler of losses against PyTorch 2.15's.

use rushlight_autograd::array::DType;
use rushlight_autograd::{Tensor, tensor};
use rushlight_optim::{GradScaler, GradScalerState, Optimizer, SGD};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn small() -> GradScaler {
    GradScaler::new().init_scale(8.0).growth_interval(2)
}

fn pair() -> (Tensor, SGD) {
    let w = tensor([1.0, -2.0]).requires_grad_();
    let optimizer = SGD::new([&w], 0.5);
    (w, optimizer)
}

/// Scale, weights and counter after each step of
/// `loss = (w * [1, 0.25] * f).sum()` with SGD 0.5, as PyTorch's `GradScaler("cpu", 8.0, growth_interval=2)` has them.
#[test]
fn scales_and_weights_are_those_of_pytorch() {
    let torch = [
        (1.0, 8.0, [0.5, -2.125], 1),
        (1.0, 16.0, [0.0, -2.25], 0),
        (f64::INFINITY, 8.0, [0.0, -2.25], 0),
        (1.0, 8.0, [-0.5, -2.375], 1),
        (1.0, 16.0, [-1.0, -2.5], 0),
        (1.0, 16.0, [-1.5, -2.625], 1),
        (f64::NAN, 8.0, [-1.5, -2.625], 0),
        (1.0, 8.0, [-2.0, -2.75], 1),
    ];
    let ((w, mut optimizer), mut scaler) = (pair(), small());
    for (factor, scale, weights, tracker) in torch {
        optimizer.zero_grad();
        let loss = (&w * &tensor([1.0, 0.25]) * factor).sum();
        scaler.scale(&loss).backward();
        assert_eq!(scaler.step(&mut optimizer), factor.is_finite());
        scaler.update();
        assert_eq!(
            (scaler.get_scale(), w.to_vec::<f32>(), scaler.state_dict().growth_tracker),
            (scale, weights.to_vec(), tracker)
        );
        // A state that was loaded goes on in the same way.
        let mut other = GradScaler::new();
        other.load_state_dict(&scaler.state_dict()).unwrap();
        scaler = other;
    }
}

#[test]
fn unscaled_gradients_are_those_of_the_loss() {
    let ((w, mut optimizer), mut scaler) = (pair(), small());
    scaler.scale(&(&w * &w).sum()).backward();
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [16.0, -32.0]);
    scaler.unscale_(&optimizer);
    assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0, -4.0]);
    assert!(scaler.step(&mut optimizer));
    assert_eq!(w.to_vec::<f32>(), [0.0, 0.0]);
}

fn message(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("a panic");
    *panic.downcast::<String>().expect("a text")
}

#[test]
fn steps_out_of_order_are_told() {
    let ((w, mut optimizer), mut scaler) = (pair(), small());
    assert_eq!(message(|| scaler.update()), "GradScaler: update() is called without a step() before it");
    scaler.scale(&w.sum()).backward();
    scaler.unscale_(&optimizer);
    assert_eq!(
        message(|| scaler.unscale_(&optimizer)),
        "GradScaler: unscale_() was called on this optimizer already since the last update()"
    );
    scaler.step(&mut optimizer);
    assert_eq!(
        message(|| {
            scaler.step(&mut optimizer);
        }),
        "GradScaler: step() was called on this optimizer already since the last update()"
    );
    assert_eq!(message(|| scaler.unscale_(&optimizer)), "GradScaler: unscale_() is called after step()");
    scaler.update();
}

/// They have lost already what the factor is to save; PyTorch refuses them, too, and takes bf16.
#[test]
fn gradients_of_f16_are_refused() {
    for dtype in [DType::F16, DType::BF16] {
        let (wide, narrow) = (tensor([1.0]).requires_grad_(), tensor([1.0]).to(dtype).requires_grad_());
        let mut optimizer = SGD::new([&wide, &narrow], 0.5);
        let mut scaler = small();
        scaler.scale(&(wide.sum() + narrow.sum())).backward();
        if dtype == DType::BF16 {
            assert!(scaler.step(&mut optimizer));
            assert_eq!((wide.item(), narrow.item()), (0.5, 0.5));
            continue;
        }
        let told = "GradScaler: Attempting to unscale FP16 gradients. Keep parameters in float32 and compute in \
                    float16 by autocast";
        assert_eq!(message(|| scaler.unscale_(&optimizer)), told);
        assert_eq!(
            message(|| {
                scaler.step(&mut optimizer);
            }),
            told
        );
        // Nothing was changed.
        assert_eq!((wide.grad().unwrap().item(), wide.item()), (8.0, 1.0));
        small().enabled(false).unscale_(&optimizer);
    }
}

#[test]
fn without_effect_it_is_an_ordinary_step() {
    let ((w, mut optimizer), mut scaler) = (pair(), small().enabled(false));
    scaler.scale(&w.sum()).backward();
    scaler.unscale_(&optimizer);
    assert!(scaler.step(&mut optimizer));
    scaler.update();
    assert_eq!((w.to_vec::<f32>(), scaler.get_scale()), (vec![0.5, -2.5], 1.0));
}

#[test]
fn states_that_cannot_be_are_refused() {
    let good = small().state_dict();
    for bad in [
        GradScalerState { scale: 0.0, ..good },
        GradScalerState { scale: f64::NAN, ..good },
        GradScalerState { growth_factor: 1.0, ..good },
        GradScalerState { backoff_factor: 1.0, ..good },
    ] {
        let mut scaler = small();
        assert!(scaler.load_state_dict(&bad).is_err());
        assert_eq!(scaler.state_dict(), good);
    }
}
