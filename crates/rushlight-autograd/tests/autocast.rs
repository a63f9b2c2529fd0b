//! Mixed precision: what is computed in which dtype, and that gradients come back in that of their tensors.

use proptest::prelude::*;
use rushlight_array::random::manual_seed;
use rushlight_autograd::array::{DType, Device};
use rushlight_autograd::ops::*;
use rushlight_autograd::{
    GradOptions, Tensor, autocast, grad_with, is_autocast_enabled, no_autocast, randn, tensor,
};

fn cpu() -> Device {
    Device::cpu()
}

/// The dtypes that PyTorch 2.15 gives on the CPU for `y = linear(x, w)` with x and w in f32.
#[test]
fn dtypes_are_those_of_pytorch() {
    let (x, w) = (tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([[0.5, 0.25], [1.0, -1.0]]));
    let classes = tensor([0, 1]);
    autocast(&cpu(), DType::BF16, || {
        assert!(is_autocast_enabled(&cpu()));
        let y = linear(&x, &w, None);
        let half = |what: &str, y: Tensor| assert_eq!(y.dtype(), DType::BF16, "{what}");
        let full = |what: &str, y: Tensor| assert_eq!(y.dtype(), DType::F32, "{what}");
        half("linear", y.clone());
        half("matmul", x.matmul(&w));
        half("softmax", y.softmax(-1));
        half("sum", y.sum());
        half("exp", y.exp());
        half("layer_norm", layer_norm(&y, &[2], None, None));
        half("pow", y.pow(2.0));
        full("add", &y + &x);
        full("prod", y.prod());
        full("cross_entropy", cross_entropy(&y, &classes));
        full("mse_loss", mse_loss(&y, &y));
        no_autocast(|| full("disabled", x.matmul(&w)));
        assert!(!no_autocast(|| is_autocast_enabled(&cpu())));
    });
    assert!(!is_autocast_enabled(&cpu()));
    assert_eq!(x.matmul(&w).dtype(), DType::F32);
}

#[test]
fn f64_stays() {
    let x = tensor([[1.0, 2.0]]).to(DType::F64);
    let y = autocast(&cpu(), DType::BF16, || x.matmul(&x.t()));
    assert_eq!(y.dtype(), DType::F64);
}

#[test]
fn weights_of_f32_go_with_narrow_inputs() {
    let (images, weight) = (randn([2, 3, 5, 5]), randn([4, 3, 3, 3]).requires_grad_());
    let scale = randn([4, 3, 3]).requires_grad_();
    let loss = autocast(&cpu(), DType::BF16, || {
        let y = conv2d(&images, &weight, None);
        assert_eq!(y.dtype(), DType::BF16);
        let y = layer_norm(&y, &[4, 3, 3], Some(&scale), None);
        assert_eq!(y.dtype(), DType::BF16);
        y.to(DType::F32).pow(2.0).mean()
    });
    loss.backward();
    for leaf in [&weight, &scale] {
        assert_eq!(leaf.grad().unwrap().dtype(), DType::F32);
    }
}

#[test]
fn the_mode_ends_with_a_panic_and_belongs_to_its_thread() {
    let caught = std::panic::catch_unwind(|| autocast(&cpu(), DType::BF16, || panic!("on purpose")));
    assert!(caught.is_err() && !is_autocast_enabled(&cpu()));
    autocast(&cpu(), DType::BF16, || {
        assert!(!std::thread::spawn(|| is_autocast_enabled(&Device::cpu())).join().unwrap());
    });
}

#[test]
#[should_panic(expected = "autocast: the dtype is float32; it must be float16 or bfloat16")]
fn other_dtypes_are_refused() {
    autocast(&cpu(), DType::F32, || ());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// As if every operand had been cast by hand, and its gradient back: the same bits; of second order nearly, as
    /// gradients meet in f32 here and in the narrow dtype there.
    #[test]
    fn autocast_is_casting_by_hand(seed in 0u64..1000, f16: bool, n in 1usize..5, k in 1usize..5, m in 1usize..5) {
        manual_seed(seed);
        let dtype = if f16 { DType::F16 } else { DType::BF16 };
        let (a, b) = (randn([n, k]).requires_grad_(), randn([k, m]).requires_grad_());
        let by_itself = autocast(&cpu(), dtype, || a.matmul(&b).tanh());
        let by_hand = a.to(dtype).matmul(&b.to(dtype)).tanh();
        let gradients = |y: &Tensor| {
            let options = |create_graph| GradOptions { create_graph, retain_graph: true, ..GradOptions::default() };
            let loss = (y * y).sum();
            let first = grad_with(&[&loss], &[&a, &b], &options(true));
            let second = grad_with(&[&(&first[0] * &first[0]).sum()], &[&a, &b], &options(false));
            [y.clone()].into_iter().chain(first).chain(second).collect::<Vec<_>>()
        };
        for (i, (x, y)) in gradients(&by_itself).iter().zip(&gradients(&by_hand)).enumerate() {
            prop_assert_eq!(x.dtype(), y.dtype());
            let (x, y) = (x.to(DType::F32), y.to(DType::F32));
            if i < 3 {
                prop_assert_eq!(x.to_vec::<f32>(), y.to_vec::<f32>());
            } else {
                let far = (&x - &y).abs().max().item() / y.abs().max().item().max(1e-3);
                prop_assert!(far < 0.05, "{} and {}", x, y);
            }
        }
    }
}
