//! Mixed precision: what is computed in which dtype, and that gradients come back in that of their tensors.

use proptest::prelude::*;
use rushlight_array::random::manual_seed;
use rushlight_autograd::array::{DType, Device};
use rushlight_autograd::ops::*;
use rushlight_autograd::{
    GradOptions, Tensor, autocast, grad_with, is_autocast_enabled, no_autocast, ones, randn, tensor,
};
use std::panic::AssertUnwindSafe;

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
        let (image, grid) = (ones([1, 2, 3, 3]).to(DType::BF16), ones([1, 2, 2, 2]).to(DType::BF16));
        full("grid_sample", grid_sample(&image, &grid));
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

/// An operation and the shapes of its operands.
type Case = (&'static str, &'static [&'static [usize]], fn(&[Tensor]) -> Tensor);

fn attend(x: &[Tensor], mask: Option<&Tensor>, is_causal: bool) -> Tensor {
    let options = AttentionOptions { is_causal, enable_gqa: true, ..AttentionOptions::default() };
    scaled_dot_product_attention_with(&x[0], &x[1], &x[2], mask, &options)
}

/// PyTorch's list of what is computed in the narrow dtype, some of it in several forms.
const NARROW: [Case; 34] = [
    ("matmul", &[&[2, 3], &[3, 4]], |x| x[0].matmul(&x[1])),
    ("mm", &[&[2, 3], &[3, 4]], |x| x[0].mm(&x[1])),
    ("bmm", &[&[5, 2, 3], &[5, 3, 4]], |x| x[0].bmm(&x[1])),
    ("mv", &[&[2, 3], &[3]], |x| x[0].mv(&x[1])),
    ("multi_dot", &[&[2, 3], &[3, 4], &[4]], |x| linalg::multi_dot(&[&x[0], &x[1], &x[2]])),
    ("einsum", &[&[2, 3], &[3, 4]], |x| einsum("ij,jk->ki", &[&x[0], &x[1]])),
    ("einsum", &[&[2], &[3]], |x| einsum("i,j->ij", &[&x[0], &x[1]])),
    ("linear", &[&[2, 3], &[4, 3], &[4]], |x| linear(&x[0], &x[1], Some(&x[2]))),
    ("linear", &[&[2, 3], &[4, 3], &[2, 1]], |x| linear(&x[0], &x[1], Some(&x[2]))),
    ("linear", &[&[2, 3], &[3]], |x| linear(&x[0], &x[1], None)),
    ("linear_relu", &[&[2, 3], &[4, 3], &[4]], |x| linear_relu(&x[0], &x[1], Some(&x[2]))),
    ("addmm", &[&[2, 4], &[2, 3], &[3, 4]], |x| x[0].addmm(&x[1], &x[2])),
    ("addmm", &[&[4], &[2, 3], &[3, 4]], |x| x[0].addmm(&x[1], &x[2])),
    ("addmm", &[&[4], &[2, 3], &[3, 4]], |x| x[0].addmm_with(&x[1], &x[2], 0.5, 2.0)),
    ("addmv", &[&[2], &[2, 3], &[3]], |x| x[0].addmv(&x[1], &x[2])),
    ("addr", &[&[2, 3], &[2], &[3]], |x| x[0].addr(&x[1], &x[2])),
    ("addbmm", &[&[2, 4], &[5, 2, 3], &[5, 3, 4]], |x| x[0].addbmm(&x[1], &x[2])),
    ("baddbmm", &[&[2, 4], &[5, 2, 3], &[5, 3, 4]], |x| x[0].baddbmm(&x[1], &x[2])),
    ("conv1d", &[&[2, 3, 5], &[4, 3, 2], &[4]], |x| conv1d(&x[0], &x[1], Some(&x[2]))),
    ("conv2d", &[&[2, 3, 5, 4], &[4, 3, 2, 2], &[4]], |x| conv2d(&x[0], &x[1], Some(&x[2]))),
    ("conv3d", &[&[1, 2, 3, 3, 3], &[2, 2, 2, 2, 2], &[2]], |x| conv3d(&x[0], &x[1], Some(&x[2]))),
    ("conv2d_relu", &[&[2, 3, 5, 4], &[4, 3, 2, 2], &[4]], |x| {
        conv2d_relu(&x[0], &x[1], Some(&x[2]), Default::default(), None)
    }),
    ("conv_transpose1d", &[&[2, 3, 5], &[3, 4, 2], &[4]], |x| conv_transpose1d(&x[0], &x[1], Some(&x[2]))),
    ("conv_transpose2d", &[&[2, 3, 5, 4], &[3, 4, 2, 2]], |x| conv_transpose2d(&x[0], &x[1], None)),
    ("conv_transpose2d", &[&[2, 3, 2, 4], &[3, 4, 2, 2], &[4]], |x| {
        conv_transpose2d(&x[0], &x[1], Some(&x[2]))
    }),
    ("conv_transpose3d", &[&[1, 2, 3, 3, 3], &[2, 2, 2, 2, 2], &[2]], |x| {
        conv_transpose3d(&x[0], &x[1], Some(&x[2]))
    }),
    ("prelu", &[&[2, 3, 2], &[3]], |x| x[0].prelu(&x[1])),
    ("attention", &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 2]], |x| attend(x, None, false)),
    ("attention", &[&[2, 3, 4], &[2, 3, 4], &[2, 3, 2]], |x| attend(x, None, true)),
    ("attention", &[&[4, 3, 4], &[2, 5, 4], &[2, 5, 2]], |x| attend(x, None, false)),
    ("attention", &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 2], &[3, 5]], |x| attend(x, Some(&x[3]), false)),
    ("attention", &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 2]], |x| {
        attend(x, Some(&ones([3, 5]).to(DType::Bool).tril()), false)
    }),
    ("tensordot", &[&[2, 3], &[3, 4]], |x| tensordot(&x[0], &x[1], 1)),
    ("inner", &[&[2, 3], &[4, 3]], |x| x[0].inner(&x[1])),
];

/// PyTorch's list of what is computed in the widest dtype of the operands.
const WIDEST: [Case; 9] = [
    ("dot", &[&[3], &[3]], |x| x[0].dot(&x[1])),
    ("vdot", &[&[3], &[3]], |x| x[0].vdot(&x[1])),
    ("bilinear", &[&[2, 3], &[2, 4], &[5, 3, 4], &[5]], |x| bilinear(&x[0], &x[1], &x[2], Some(&x[3]))),
    ("cross", &[&[2, 3], &[2, 3]], |x| x[0].cross(&x[1])),
    ("index_put", &[&[3, 2], &[2, 2]], |x| x[0].index_put(&tensor([2, 0]), &x[1])),
    ("scatter_add", &[&[3, 2], &[1, 2]], |x| x[0].scatter_add(0, &tensor([[2, 1]]), &x[1])),
    ("atan2", &[&[3], &[3]], |x| x[0].atan2(&x[1])),
    ("addcmul", &[&[3], &[3], &[3]], |x| x[0].addcmul(&x[1], &x[2])),
    ("addcdiv", &[&[3], &[3], &[3]], |x| x[0].addcdiv(&x[1], &x[2])),
];

/// A result and the gradients of its operands, which are in the operands' dtypes.
fn run(operands: &[Tensor], compute: impl Fn(&[Tensor]) -> Tensor) -> Vec<Tensor> {
    let leaves: Vec<Tensor> = operands.iter().map(|x| x.detach().requires_grad_()).collect();
    let y = compute(&leaves);
    (&y * &y).to(DType::F32).sum().backward();
    let grads = leaves.iter().map(|x| x.grad().unwrap());
    [y.detach()].into_iter().chain(grads).collect()
}

/// Operands with one of each dtype that is not f32, and with f32 alone.
fn mixtures(shapes: &[&[usize]], dtype: DType) -> Vec<Vec<Tensor>> {
    let operands: Vec<Tensor> =
        shapes.iter().map(|&shape| randn(shape).to(DType::BF16).to(DType::F32)).collect();
    let mut all = vec![operands.clone(), operands.iter().map(|x| x.to(dtype)).collect()];
    for i in 0..operands.len() {
        let mut mixed = operands.clone();
        mixed[i] = mixed[i].to(dtype);
        all.push(mixed);
    }
    all
}

#[test]
fn products_of_any_floats_are_narrow() {
    manual_seed(2);
    for (name, shapes, compute) in NARROW {
        for dtype in [DType::BF16, DType::F16] {
            for operands in mixtures(shapes, dtype) {
                let got = run(&operands, |x| autocast(&cpu(), dtype, || compute(x)));
                assert_eq!(got[0].dtype(), dtype, "{name}");
                let cast: Vec<Tensor> = operands.iter().map(|x| x.to(dtype)).collect();
                let by_hand = run(&cast, compute);
                assert_eq!(
                    got[0].to(DType::F32).to_vec::<f32>(),
                    by_hand[0].to(DType::F32).to_vec::<f32>(),
                    "{name}"
                );
                for ((x, got), by_hand) in operands.iter().zip(&got[1..]).zip(&by_hand[1..]) {
                    assert_eq!(got.dtype(), x.dtype(), "{name}");
                    assert_eq!(
                        got.to(DType::F32).to_vec::<f32>(),
                        by_hand.to(DType::F32).to_vec::<f32>(),
                        "{name}"
                    );
                }
            }
        }
    }
}

/// What `autocast` joins is refused outside of it, and beside f64.
#[test]
fn other_mixtures_are_refused() {
    for (name, shapes, compute) in NARROW {
        // These are no products of matrices, and promote.
        let promotes = name == "addr" || (name == "einsum" && shapes[0].len() == 1);
        for other in [DType::BF16, DType::F64] {
            let mut operands: Vec<Tensor> = shapes.iter().map(|&shape| randn(shape)).collect();
            operands[0] = operands[0].to(other);
            let on = other == DType::F64;
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| match on {
                true => autocast(&cpu(), DType::BF16, || compute(&operands)).dtype(),
                false => compute(&operands).dtype(),
            }));
            assert!(promotes || result.is_err(), "{name}: {result:?}");
        }
    }
}

#[test]
fn some_operations_take_the_widest_dtype() {
    manual_seed(3);
    for (name, shapes, compute) in WIDEST {
        for operands in mixtures(shapes, DType::BF16) {
            let narrow = operands.iter().all(|x| x.dtype() == DType::BF16);
            let dtype = if narrow { DType::BF16 } else { DType::F32 };
            let got = run(&operands, |x| autocast(&cpu(), DType::F16, || compute(x)));
            assert_eq!(got[0].dtype(), dtype, "{name}");
            let cast: Vec<Tensor> = operands.iter().map(|x| x.to(dtype)).collect();
            assert_eq!(
                got[0].to(DType::F32).to_vec::<f32>(),
                compute(&cast).to(DType::F32).to_vec::<f32>(),
                "{name}"
            );
            for (x, grad) in operands.iter().zip(&got[1..]) {
                assert_eq!(grad.dtype(), x.dtype(), "{name}");
            }
        }
    }
}

/// As in PyTorch: a sum that is kept in f32 is not rounded.
#[test]
fn forms_in_place_work_in_what_they_are_given() {
    let (a, b) = (tensor([[1.0, 1.0 / 512.0]]), tensor([[1.0], [1.0]]));
    let mut sum = tensor([[2.0]]);
    autocast(&cpu(), DType::BF16, || sum.addmm_(&a, &b));
    assert_eq!(sum.item(), 3.0 + 1.0 / 512.0);
}

#[test]
fn attention_with_its_projections_takes_masks_of_f32() {
    manual_seed(4);
    let (x, w, mask) = (randn([3, 2, 4]), randn([12, 4]).requires_grad_(), randn([3, 3]));
    let (own, out) = (randn([1, 1, 4]).requires_grad_(), randn([4, 4]));
    for need_weights in [false, true] {
        let options = MultiHeadAttentionOptions {
            in_proj_weight: Some(&w),
            bias_k: Some(&own),
            bias_v: Some(&own),
            attn_mask: Some(&mask),
            need_weights,
            ..Default::default()
        };
        let y = autocast(&cpu(), DType::BF16, || {
            multi_head_attention_forward(&x, &x, &x, 4, 2, &out, &options).0
        });
        assert_eq!(y.dtype(), DType::BF16);
        y.sum().backward();
        assert_eq!((w.grad().unwrap().dtype(), own.grad().unwrap().dtype()), (DType::F32, DType::F32));
    }
}

/// Weights of f32 are not rounded to the dtype of the input.
#[test]
fn group_norm_multiplies_by_the_whole_weight() {
    manual_seed(5);
    let x = randn([2, 4, 3]).to(DType::BF16).requires_grad_();
    let (weight, bias) = (randn([4]).requires_grad_(), randn([4]).requires_grad_());
    let exact = group_norm(&x.to(DType::F32), 2, Some(&weight), Some(&bias));
    let rounded = group_norm(&x, 2, Some(&weight.to(DType::BF16)), Some(&bias.to(DType::BF16)));
    let y = autocast(&cpu(), DType::BF16, || group_norm(&x, 2, Some(&weight), Some(&bias)));
    assert_eq!(y.dtype(), DType::BF16);
    assert_eq!(y.to(DType::F32).to_vec::<f32>(), exact.to(DType::BF16).to(DType::F32).to_vec::<f32>());
    assert_ne!(y.to(DType::F32).to_vec::<f32>(), rounded.to(DType::F32).to_vec::<f32>());
    y.sum().backward();
    assert_eq!(weight.grad().unwrap().dtype(), DType::F32);
    assert_eq!(x.grad().unwrap().dtype(), DType::BF16);
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
