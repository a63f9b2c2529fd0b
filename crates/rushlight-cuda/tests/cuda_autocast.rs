//! Mixed precision on the GPU, where PyTorch's lists are longer than on the CPU.

mod common;

use common::cuda;
use rushlight::amp::autocast;
use rushlight::nn::functional as F;
use rushlight::nn::{GRU, GRUCell, LSTM, LSTMCell, Module, RNNCell};
use rushlight::{DType, Tensor, manual_seed, randn, tensor};
use rushlight_autograd::ops::{cosine_similarity, group_norm, scaled_dot_product_attention, tensordot};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Near each other, as rounding to bf16 is.
fn assert_near(what: &str, got: &Tensor, wanted: &Tensor) {
    let (got, wanted) = (got.to(DType::F32), wanted.to(DType::F32));
    assert!(got.allclose(&wanted, 0.03, 0.03), "{what}: {got} and {wanted}");
}

/// An operation and the shapes of its operands.
type Case = (&'static str, &'static [&'static [usize]], fn(&[Tensor]) -> Tensor);

#[test]
fn products_of_any_floats_are_narrow() {
    let cases: [Case; 12] = [
        ("mm", &[&[2, 3], &[3, 4]], |x| x[0].mm(&x[1])),
        ("bmm", &[&[5, 2, 3], &[5, 3, 4]], |x| x[0].bmm(&x[1])),
        ("mv", &[&[2, 3], &[3]], |x| x[0].mv(&x[1])),
        ("addmm", &[&[4], &[2, 3], &[3, 4]], |x| x[0].addmm(&x[1], &x[2])),
        ("addmv", &[&[2], &[2, 3], &[3]], |x| x[0].addmv(&x[1], &x[2])),
        ("addr", &[&[2, 3], &[2], &[3]], |x| x[0].addr(&x[1], &x[2])),
        ("addbmm", &[&[2, 4], &[5, 2, 3], &[5, 3, 4]], |x| x[0].addbmm(&x[1], &x[2])),
        ("baddbmm", &[&[2, 4], &[5, 2, 3], &[5, 3, 4]], |x| x[0].baddbmm(&x[1], &x[2])),
        ("conv_transpose2d", &[&[2, 3, 4, 4], &[3, 4, 2, 2], &[4]], |x| {
            F::conv_transpose2d(&x[0], &x[1], Some(&x[2]))
        }),
        ("prelu", &[&[2, 3, 2], &[3]], |x| x[0].prelu(&x[1])),
        ("attention", &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 2]], |x| {
            scaled_dot_product_attention(&x[0], &x[1], &x[2], None)
        }),
        ("attention", &[&[2, 3, 4], &[2, 5, 4], &[2, 5, 2], &[3, 5]], |x| {
            scaled_dot_product_attention(&x[0], &x[1], &x[2], Some(&x[3]))
        }),
    ];
    let device = cuda();
    manual_seed(1);
    for (name, shapes, compute) in cases {
        let operands: Vec<Tensor> = shapes.iter().map(|&shape| randn(shape) * 0.5).collect();
        let wanted = compute(&operands);
        // Before the first there is no operand in bf16.
        for narrow in [None].into_iter().chain((0..operands.len()).map(Some)) {
            let mut leaves: Vec<Tensor> = operands.iter().map(|x| x.to(&device)).collect();
            if let Some(i) = narrow {
                leaves[i] = leaves[i].to(DType::BF16);
            }
            let leaves: Vec<Tensor> = leaves.iter().map(|x| x.detach().requires_grad_()).collect();
            let y = autocast(&device, DType::BF16, || compute(&leaves));
            assert_eq!(y.dtype(), DType::BF16, "{name}");
            assert_near(name, &y.to(wanted.device()), &wanted);
            y.sum().backward();
            for leaf in &leaves {
                assert_eq!(leaf.grad().unwrap().dtype(), leaf.dtype(), "{name}");
            }
        }
    }
}

#[test]
fn recurrent_layers_are_narrow() {
    let device = cuda();
    manual_seed(2);
    let (rnn, lstm, gru) = (RNNCell::new(3, 4, true), LSTMCell::new(3, 4, true), GRUCell::new(3, 4, true));
    let (many, gated) = (LSTM::new(3, 4), GRU::new(3, 4));
    rnn.to(&device);
    lstm.to(&device);
    gru.to(&device);
    many.to(&device);
    gated.to(&device);
    let (x, steps) = (randn([2, 3]).to(&device), randn([5, 2, 3]).to(&device));
    let (h, c) = autocast(&device, DType::BF16, || lstm.forward(&x, None));
    let (y, (last, cell)) = autocast(&device, DType::BF16, || many.forward(&steps, None));
    let all = autocast(&device, DType::BF16, || {
        [rnn.forward(&x, None), gru.forward(&x, None), gated.forward(&steps, None).0, h, c, y, last, cell]
    });
    for y in &all {
        assert_eq!(y.dtype(), DType::BF16);
    }
    assert_near("LSTM", &all[5], &many.forward(&steps, None).0);
}

/// Losses and distances of narrow operands are as exact as those of f32.
#[test]
fn what_loses_too_much_is_in_f32() {
    let device = cuda();
    manual_seed(3);
    type Compute = fn(&Tensor, &Tensor, &Tensor) -> Tensor;
    let cases: [(&str, Compute); 9] = [
        ("cosine_similarity", |a, b, _| cosine_similarity(a, b, 1)),
        ("cosine_embedding_loss", |a, b, sign| F::cosine_embedding_loss(a, b, sign)),
        ("hinge_embedding_loss", |a, _, sign| F::hinge_embedding_loss(a, &sign.unsqueeze(1))),
        ("margin_ranking_loss", |a, b, sign| F::margin_ranking_loss(a, b, &sign.unsqueeze(1))),
        ("soft_margin_loss", |a, _, sign| F::soft_margin_loss(a, &sign.unsqueeze(1))),
        ("triplet_margin_loss", |a, b, _| F::triplet_margin_loss(a, b, &(a * 0.5))),
        ("poisson_nll_loss", |a, b, _| F::poisson_nll_loss(a, b)),
        ("pdist", |a, _, _| F::pdist(a, 2.0)),
        ("group_norm", |a, _, _| group_norm(a, 2, None, None)),
    ];
    let [a, b] = [0, 1].map(|_| randn([4, 6]).to(DType::BF16).to(&device));
    let sign = tensor([1.0, -1.0, 1.0, -1.0]).to(&device);
    for (name, compute) in cases {
        let y = autocast(&device, DType::BF16, || compute(&a, &b, &sign));
        assert_eq!(y.dtype(), DType::F32, "{name}");
        let wanted = compute(&a.to(DType::F32), &b.to(DType::F32), &sign);
        assert_eq!(y.to_vec::<f32>(), wanted.to_vec::<f32>(), "{name}");
    }
    let (weight, bias) = (randn([6]).to(&device).requires_grad_(), randn([6]).to(&device).requires_grad_());
    let y = autocast(&device, DType::BF16, || group_norm(&a, 2, Some(&weight), Some(&bias)));
    let wanted = group_norm(&a.to(DType::F32), 2, Some(&weight), Some(&bias));
    assert_eq!((y.dtype(), y.to_vec::<f32>()), (DType::F32, wanted.to_vec::<f32>()));
    y.sum().backward();
    assert_eq!(weight.grad().unwrap().dtype(), DType::F32);
}

#[test]
fn tensordot_takes_the_widest_dtype() {
    let device = cuda();
    let (a, b) = (tensor([[1.0, 1.0 / 512.0]]).to(&device), tensor([[1.0], [1.0]]).to(&device));
    for b in [b.clone(), b.to(DType::BF16)] {
        let y = autocast(&device, DType::BF16, || tensordot(&a, &b, 1));
        assert_eq!((y.dtype(), y.item()), (DType::F32, 1.0 + 1.0 / 512.0));
    }
}

/// As in PyTorch, on the GPU only.
#[test]
fn probabilities_have_no_loss_within_autocast() {
    let (p, y) = (tensor([0.5]), tensor([1.0]));
    autocast(&p.device(), DType::BF16, || F::binary_cross_entropy(&p, &y));
    let device = cuda();
    let (p, y) = (p.to(&device), y.to(&device));
    F::binary_cross_entropy(&p, &y);
    let loss = AssertUnwindSafe(|| autocast(&device, DType::BF16, || F::binary_cross_entropy(&p, &y)));
    let told = *catch_unwind(loss).expect_err("a panic").downcast::<String>().unwrap();
    assert!(told.starts_with("binary_cross_entropy: unsafe within autocast"), "{told}");
}
