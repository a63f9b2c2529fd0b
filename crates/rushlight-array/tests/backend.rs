//! A second backend can be plugged in from outside, and the provided operations follow from the required ones.

mod delegate;

use delegate::Delegate;
use rushlight_array::backend::{AdamStep, SgdStep};
use rushlight_array::{Array, Backend, Cpu, DType, Device, Index};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Values between -3 and 3, none of them round.
fn values(shape: &[usize], seed: usize, dtype: DType) -> Array {
    let numel: usize = shape.iter().product();
    let value = |i: usize| ((i * 37 + seed * 101) % 61) as f64 / 10.1 - 3.0;
    Array::from_vec((0..numel).map(value).collect::<Vec<f64>>(), shape).cast(dtype)
}

#[track_caller]
fn assert_close(a: &Array, b: &Array) {
    let (a, b) = (a.to_device(&Device::cpu()), b.to_device(&Device::cpu()));
    assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
    let rtol = if a.dtype() == DType::F64 { 1e-13 } else { 2e-6 };
    assert!(a.allclose(&b, rtol, rtol), "{a}\n{b}");
}

#[test]
fn results_stay_on_the_device_of_their_operands() {
    let delegate = Delegate::default();
    let device = delegate.device();
    let x = values(&[3, 4], 0, DType::F32).to_device(&device);
    assert_eq!((delegate.calls("upload"), x.device().to_string()), (1, "delegate".to_string()));
    let index = Array::new([2, 0]).to_device(&device);
    let results = [
        x.add(&x.t().reshape([3, 4])),
        x.cast(DType::F16).exp().sum_dim(0, false),
        x.matmul(&x.t()),
        x.gt(&x.scalar_operand(0.0)).where_(&x, &x.zeros_like()),
        x.get((Index::from(&index), 1..)),
        x.softmax(1),
        x.argmax(0, true),
        x.cast(DType::I64).floor(),
        x.masked_select(&x.lt(&x.scalar_operand(0.0))),
        Array::cat(&[&x, &x], 0),
        x.index_add(0, &index, &x.narrow(0, 0, 2)),
    ];
    for result in &results {
        assert_eq!(result.device(), &device, "{result}");
    }
    assert_eq!(results[2].to_device(&Device::cpu()).device(), &Device::cpu());
    assert!(x.to_string().contains("device='delegate'"));
}

#[test]
fn default_softmax_agrees_with_the_fused_one() {
    let delegate = Delegate::default();
    for dtype in [DType::F32, DType::F64] {
        let x = values(&[3, 5, 4], 1, dtype);
        let y = x.to_device(&delegate.device());
        for dim in 0..3 {
            assert_close(&x.softmax(dim), &y.softmax(dim));
            assert_close(&x.log_softmax(dim), &y.log_softmax(dim));
        }
    }
    // Two operations, two dtypes, three dims, each with one maximum and one sum.
    assert_eq!(delegate.calls("reduce"), 24);
}

#[test]
fn default_linear_is_a_product_and_a_sum() {
    let device = Delegate::default().device();
    let [x, w, b] =
        [values(&[6, 4], 1, DType::F32), values(&[3, 4], 2, DType::F32), values(&[3], 3, DType::F32)];
    let [p, q, r] = [&x, &w, &b].map(|a| a.to_device(&device));
    assert_close(&Cpu.linear(&x, &w, Some(&b)), &device.backend().linear(&p, &q, Some(&r)));
    assert_close(&Cpu.linear(&x, &w, None), &device.backend().linear(&p, &q, None));
    assert_close(&Cpu.linear(&x, &w, Some(&b)), &x.matmul(&w.t()).add(&b));
}

#[test]
fn default_sgd_agrees_with_the_fused_one() {
    let device = Delegate::default().device();
    let plain = SgdStep {
        lr: 0.1,
        momentum: 0.0,
        dampening: 0.0,
        nesterov: false,
        weight_decay: 0.0,
        maximize: false,
        first: false,
    };
    let momentum = SgdStep { momentum: 0.9, dampening: 0.3, weight_decay: 0.01, ..plain };
    let kinds = [
        plain,
        SgdStep { weight_decay: 0.1, maximize: true, ..plain },
        momentum,
        SgdStep { nesterov: true, dampening: 0.0, ..momentum },
        SgdStep { maximize: true, ..momentum },
    ];
    for dtype in [DType::F32, DType::F64, DType::F16] {
        for kind in kinds {
            // Velocity is kept in the type of the arithmetic.
            let (mut w, v) = (values(&[3, 5], 1, dtype), values(&[3, 5], 2, dtype.compute()));
            let mut v = (kind.momentum != 0.0).then_some(v);
            let (mut p, mut u) = (w.to_device(&device), v.as_ref().map(|v| v.to_device(&device)));
            for step in 0..3 {
                let g = values(&[5, 3], 3 + step, dtype).t();
                let step = SgdStep { first: step == 0, ..kind };
                Cpu.sgd_step(&step, &mut w, &g, v.as_mut());
                device.backend().sgd_step(&step, &mut p, &g.to_device(&device), u.as_mut());
            }
            if dtype == DType::F16 {
                assert!(w.allclose(&p.to_device(&Device::cpu()), 5e-3, 5e-3), "{w} {p}");
                continue;
            }
            assert_close(&w, &p);
            if let (Some(v), Some(u)) = (v, u) {
                assert_close(&v, &u);
            }
        }
    }
}

#[test]
fn default_adam_agrees_with_the_fused_one() {
    let device = Delegate::default().device();
    for (dtype, weight_decay) in [(DType::F32, 0.0), (DType::F64, 0.1)] {
        let mut w = values(&[3, 5], 1, dtype);
        let (mut m, mut v) = (w.zeros_like(), w.zeros_like());
        let [mut p, mut q, mut r] = [&w, &m, &v].map(|a| a.to_device(&device));
        for step in 1..4 {
            let g = values(&[3, 5], step as usize, dtype);
            let step = AdamStep { lr: 0.1, beta1: 0.9, beta2: 0.99, eps: 1e-8, weight_decay, step };
            Cpu.adam_step(&step, &mut w, &g, &mut m, &mut v);
            device.backend().adam_step(&step, &mut p, &g.to_device(&device), &mut q, &mut r);
        }
        assert_close(&w, &p);
        assert_close(&m, &q);
        assert_close(&v, &r);
    }
}

#[test]
fn steps_leave_shared_arrays_alone() {
    let mut w = Array::new([1.0, 2.0]);
    let before = w.clone();
    let step = SgdStep {
        lr: 0.5,
        momentum: 0.0,
        dampening: 0.0,
        nesterov: false,
        weight_decay: 0.0,
        maximize: false,
        first: true,
    };
    Cpu.sgd_step(&step, &mut w, &Array::new([2.0, 2.0]), None);
    assert_eq!(w.to_vec::<f32>(), [0.0, 1.0]);
    assert_eq!(before.to_vec::<f32>(), [1.0, 2.0]);
}

/// The kernels of the product are unsafe, and the trait is public: shapes that do not fit must panic, not be
/// read or written outside of their blocks.
#[test]
fn products_of_operands_that_do_not_fit_panic() {
    let ones = |shape: [usize; 2]| Array::ones(shape, DType::F32);
    // A layout of 64 rows of 64 over a block that holds fewer elements.
    let square_over = |len: usize| {
        let (block, _) = Array::ones([len], DType::F32).into_parts();
        Array::from_parts(block, ones([64, 64]).layout().clone())
    };
    let pairs = [
        (ones([4, 5_000_000]), ones([2, 64])),
        (ones([64, 2]), ones([64, 64])),
        (square_over(64), ones([64, 64])),
        (ones([64, 64]), square_over(64 * 63)),
    ];
    for (a, b) in pairs {
        let product = catch_unwind(AssertUnwindSafe(|| Cpu.matmul(&a, &b)));
        assert!(product.is_err(), "{:?} x {:?}", a.shape(), b.shape());
    }
}
