//! Modules that are computed in one pass give what they give one after the other.

use rushlight_array::DType;
use rushlight_array::random::manual_seed;
use rushlight_autograd::ops::conv2d_relu;
use rushlight_autograd::{Tensor, detect_anomaly, no_grad, randn};
use rushlight_nn::functional::{Conv2dOptions, MaxPool2dOptions, Padding};
use rushlight_nn::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The default generator is the process's: the tests take turns.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    manual_seed(0);
    turn
}

/// A convolution, a relu and a pool in a row are computed in one pass: the bits of results and gradients are those of
/// one after the other.
#[test]
fn convolutions_before_a_relu_and_a_pool_are_those_of_one_after_the_other() {
    let _turn = alone();
    for dtype in [DType::F32, DType::F64, DType::F16] {
        for (channels, kernel, padding, groups) in [(10, 5, 0, 1), (12, 3, 1, 1), (4, 3, 2, 2), (33, 1, 0, 1)]
        {
            for pool in [None, Some((2, None)), Some((3, Some([2, 2])))] {
                let options =
                    Conv2dOptions { padding: Padding::Zeros([padding; 2]), groups, ..Default::default() };
                let conv = Conv2d::with(2, channels, kernel, options);
                conv.to(dtype);
                let windows = pool.map(|(kernel, stride)| {
                    MaxPool2d::with(kernel, MaxPool2dOptions { stride, ..Default::default() })
                });
                let x = randn([3, 2, 12, 14]).to(dtype);
                let run = |forward: &dyn Fn(&Tensor) -> Tensor| {
                    conv.zero_grad();
                    let x = x.detach().requires_grad_();
                    let y = forward(&x);
                    (&y * &y).sum().backward();
                    let bits = |x: &Tensor| {
                        x.to(DType::F64).to_vec::<f64>().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
                    };
                    let without = no_grad(|| forward(&x));
                    assert_eq!(bits(&without), bits(&y));
                    let grads = conv.parameters().into_iter().map(|p| bits(&p.grad().expect("it was used")));
                    (
                        y.shape().to_vec(),
                        bits(&y),
                        bits(&x.grad().expect("a leaf")),
                        grads.collect::<Vec<_>>(),
                    )
                };
                let apart = run(&|x| {
                    let y = conv.forward(x).relu();
                    windows.as_ref().map_or(y.clone(), |pool| pool.forward(&y))
                });
                let options = pool.map(|(kernel, stride)| {
                    (kernel.into(), MaxPool2dOptions { stride, ..Default::default() })
                });
                let conv_options =
                    Conv2dOptions { padding: Padding::Zeros([padding; 2]), groups, ..Default::default() };
                let one = run(&|x| conv2d_relu(x, &conv.weight, conv.bias.as_deref(), conv_options, options));
                assert!(one == apart, "{dtype:?} {channels} channels, kernel {kernel}, pool {pool:?}");
            }
        }
    }
}

/// `Sequential` takes that pass, and not where a hook wants to see what lies between.
#[test]
fn a_sequence_computes_convolutions_with_what_follows() {
    let _turn = alone();
    let net =
        sequential![Conv2d::new(1, 3, 3), ReLU, MaxPool2d::new(2), Flatten::default(), Linear::new(27, 2)];
    let x = randn([2, 1, 8, 8]);
    let y = net.forward(&x);
    let apart = net.iter().fold(x.clone(), |x, module| module.forward(&x));
    assert_eq!(y.to_vec::<f32>(), apart.to_vec::<f32>());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let pool: &MaxPool2d = net.get(2);
    let handle = pool.register_forward_hook({
        let seen = Arc::clone(&seen);
        move |_, x, y| {
            seen.lock().unwrap().push((x.shape().to_vec(), y.shape().to_vec()));
            None
        }
    });
    assert_eq!(net.forward(&x).to_vec::<f32>(), y.to_vec::<f32>());
    assert_eq!(*seen.lock().unwrap(), [(vec![2, 3, 6, 6], vec![2, 3, 3, 3])]);
    drop(handle);
}

/// Where somebody looks for what is not a number, the operation and the module that gave it are named.
#[test]
fn who_looks_for_nan_sees_each_operation() {
    let _turn = alone();
    let model = sequential![
        Conv2d::new(1, 2, 3),
        ReLU,
        MaxPool2d::new(2),
        Flatten::default(),
        Linear::new(8, 3),
        ReLU
    ];
    let x = randn([1, 1, 6, 6]) * f64::INFINITY;
    let (_, found) = detect_anomaly(|| model.forward(&x));
    let first = found.first().expect("infinities of both signs add up to NaN").to_string();
    assert_eq!(first, "the result of `convolution` in 0 (Conv2d)");
}
