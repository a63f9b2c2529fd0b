//! A second backend can be plugged in from outside, and the provided operations follow from the required ones.

mod delegate;

use delegate::Delegate;
use rushlight_array::backend::{Attention, Binary, Norm, OptimizerStep, StepRule, rule};
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
fn default_place_goes_over_the_host() {
    let delegate = Delegate::default();
    let (x, part) = (values(&[4, 5], 1, DType::F32), values(&[2, 3], 2, DType::F32));
    let region = x.narrow(0, 1, 2).narrow(1, 2, 3).layout().clone();
    let [y, source] = [&x, &part].map(|a| a.to_device(&delegate.device()));
    assert_close(&x.clone().place(&region, &part), &y.place(&region, &source));
}

#[test]
fn default_linear_is_a_product_and_a_sum() {
    let device = Delegate::default().device();
    let [x, w, b] =
        [values(&[6, 4], 1, DType::F32), values(&[3, 4], 2, DType::F32), values(&[3], 3, DType::F32)];
    let [p, q, r] = [&x, &w, &b].map(|a| a.to_device(&device));
    for relu in [false, true] {
        let fused = Cpu.linear(&x, &w, Some(&b), relu);
        assert_close(&fused, &device.backend().linear(&p, &q, Some(&r), relu));
        assert_close(&Cpu.linear(&x, &w, None, relu), &device.backend().linear(&p, &q, None, relu));
        let sum = x.matmul(&w.t()).add(&b);
        assert_close(&fused, &if relu { sum.relu() } else { sum });
    }
}

/// Rows shorter and longer than the kernels' blocks, also such that are no row-major block of their own.
fn rows(dtype: DType) -> Vec<Array> {
    vec![
        values(&[7, 3], 1, dtype),
        values(&[1, 1], 2, dtype),
        values(&[5, 700], 3, dtype),
        values(&[300, 10], 4, dtype),
        values(&[2, 5000], 5, dtype),
        values(&[40, 30], 6, dtype).t(),
    ]
}

#[test]
fn default_row_gradients_agree_with_the_fused_ones() {
    let device = Delegate::default().device();
    for dtype in [DType::F32, DType::F64] {
        for x in rows(dtype) {
            let g = values(x.shape(), 7, dtype);
            for dim in [0, 1] {
                let (y, log_y) = (x.softmax(dim), x.log_softmax(dim));
                let [h, z, log_z] = [&g, &y, &log_y].map(|a| a.to_device(&device));
                assert_close(&g.softmax_grad(&y, dim), &h.softmax_grad(&z, dim));
                assert_close(&g.log_softmax_grad(&log_y, dim), &h.log_softmax_grad(&log_z, dim));
            }
        }
    }
}

#[test]
fn default_cross_entropy_agrees_with_the_fused_one() {
    let device = Delegate::default().device();
    for dtype in [DType::F32, DType::F64] {
        for x in rows(dtype) {
            let (count, classes) = (x.shape()[0], x.shape()[1]);
            let target: Array = (0..count).map(|i| (i * 7 % classes) as i64).collect();
            let [p, t] = [&x, &target].map(|a| a.to_device(&device));
            let ((losses, stats), (q, r)) = (x.cross_entropy(&target), p.cross_entropy(&t));
            assert_close(&losses, &q);
            assert_close(&losses, &x.log_softmax(1).gather(1, &target.unsqueeze(1)).squeeze_dim(1).neg());
            let each = values(&[count], 8, dtype);
            for g in [each.clone(), each.narrow(0, 0, 1).expand([count])] {
                let slopes = x.cross_entropy_grad(&stats, &target, &g);
                assert_close(&slopes, &p.cross_entropy_grad(&r, &t, &g.to_device(&device)));
            }
        }
    }
}

#[test]
fn default_norms_agree_with_the_fused_ones() {
    let device = Delegate::default().device();
    for (dtype, kind) in [
        (DType::F32, Norm::Layer),
        (DType::F32, Norm::Rms),
        (DType::F64, Norm::Layer),
        (DType::F64, Norm::Rms),
    ] {
        for x in rows(dtype) {
            let size = x.shape()[1];
            let (w, b, g) =
                (values(&[size], 2, dtype), values(&[size], 3, dtype), values(x.shape(), 4, dtype));
            let [p, q, r, h] = [&x, &w, &b, &g].map(|a| a.to_device(&device));
            for (has_weight, has_bias) in [(false, false), (true, false), (false, true), (true, true)] {
                let of = |a: &'_ Array, has: bool| has.then(|| a.clone());
                let (w, b) = (of(&w, has_weight), of(&b, has_bias));
                let (q, r) = (of(&q, has_weight), of(&r, has_bias));
                let (y, stats) = x.norm(kind, w.as_ref(), b.as_ref(), 0.1);
                let (z, other) = p.norm(kind, q.as_ref(), r.as_ref(), 0.1);
                let near = |a: &Array, b: &Array| {
                    let tolerance = if dtype == DType::F64 { 1e-12 } else { 1e-5 };
                    let b = b.to_device(&Device::cpu());
                    assert!(a.allclose(&b, tolerance, 10.0 * tolerance), "{kind:?} {:?}: {a} {b}", x.shape());
                };
                near(&y, &z);
                near(&stats, &other);
                let grads = x.norm_grad(kind, &stats, w.as_ref(), &g);
                for (a, b) in grads.iter().zip(&p.norm_grad(kind, &other, q.as_ref(), &h)) {
                    near(a, b);
                }
            }
        }
    }
}

#[test]
fn an_array_is_reused_only_if_nobody_else_holds_it() {
    let (x, y) = (values(&[4, 5], 1, DType::F32), values(&[4, 5], 2, DType::F32));
    type Into = fn(Array, &Array) -> Array;
    let methods: [(Into, Array); 4] = [
        (Array::into_add, x.add(&y)),
        (Array::into_sub, x.sub(&y)),
        (Array::into_mul, x.mul(&y)),
        (Array::into_div, x.div(&y)),
    ];
    for (into, expected) in methods {
        for other in [y.clone(), y.t().contiguous().t()] {
            let own = x.contiguous().add(&x.zeros_like());
            let place = own.as_slice::<f32>().map(<[f32]>::as_ptr);
            let reused = into(own, &other);
            assert_close(&reused, &expected);
            if other.is_contiguous() {
                assert_eq!(reused.as_slice::<f32>().map(<[f32]>::as_ptr), place);
            }
            let (own, before) = (x.clone(), x.to_vec::<f32>());
            assert_close(&into(own, &other), &expected);
            assert_eq!(x.to_vec::<f32>(), before);
        }
    }
    // Other shapes and dtypes take the usual way.
    assert_eq!(Array::new([1, 2]).into_div(&Array::new([2])).to_vec::<f32>(), [0.5, 1.0]);
    // A backend is asked for any function.
    let mut own = x.clone();
    Cpu.binary_assign(Binary::Maximum, &mut own, &y);
    assert_close(&own, &x.maximum(&y));
}

/// Every rule, with the states that it takes.
fn step_rules() -> Vec<(StepRule, [bool; 3])> {
    let sgd =
        |nesterov, first| StepRule::Sgd(rule::Sgd { lr: 0.1, momentum: 0.9, fresh: 0.7, nesterov, first });
    let adam = StepRule::Adam(rule::Adam { beta1: 0.9, beta2: 0.99, eps: 1e-8, rate: 0.5, root: 0.3 });
    let rmsprop = StepRule::RmsProp(rule::RmsProp { lr: 0.1, alpha: 0.9, eps: 1e-8, momentum: 0.5 });
    let (beta1, beta2, eps) = (0.9, 0.99, 1e-6);
    let radam =
        |adaptive| StepRule::RAdam(rule::RAdam { lr: 0.1, beta1, beta2, eps, correction: 0.2, adaptive });
    let nadam =
        StepRule::NAdam(rule::NAdam { beta1, beta2, eps, correction: 0.2, rate_grad: 0.1, rate_mean: 0.2 });
    let (one, two) = ([true, false, false], [true, true, false]);
    vec![
        (sgd(false, false), [false; 3]),
        (sgd(false, true), one),
        (sgd(true, false), one),
        (adam, two),
        (adam, [true; 3]),
        (rmsprop, one),
        (rmsprop, two),
        (rmsprop, [true, false, true]),
        (rmsprop, [true; 3]),
        (StepRule::Adagrad(rule::Adagrad { rate: 0.1, eps }), one),
        (StepRule::Adadelta(rule::Adadelta { lr: 0.1, rho: 0.9, eps }), two),
        (StepRule::Adamax(rule::Adamax { beta1, beta2, eps, rate: 0.1 }), two),
        (nadam, two),
        (radam(None), two),
        (radam(Some((0.5, 0.3))), two),
        (StepRule::Asgd(rule::Asgd { rate: 0.1, average: 0.5 }), one),
        (StepRule::Asgd(rule::Asgd { rate: 0.1, average: 1.0 }), one),
        (StepRule::Rprop(rule::Rprop { minus: 0.5, plus: 1.2, min: 1e-6, max: 50.0 }), two),
    ]
}

#[test]
fn default_optimizer_steps_agree_with_the_fused_ones_on_strided_gradients() {
    let device = Delegate::default().device();
    for (rule, takes) in step_rules() {
        for dtype in [DType::F32, DType::F64, DType::F16] {
            let step = OptimizerStep { maximize: true, weight_decay: 0.1, shrink: 0.9, rule };
            // States are kept in the type of the arithmetic; here they are positive, as squares are.
            // The last is small: RMSprop takes its square from the first.
            let (scale, offset) = ([1.0, 1.0, 0.25], [1.0, 1.0, 0.0]);
            let state =
                |k: usize| values(&[3, 5], k + 2, dtype.compute()).abs().scale(scale[k]).offset(offset[k]);
            let mut states: Vec<Option<Array>> = (0..3).map(|k| takes[k].then(|| state(k))).collect();
            let mut others: Vec<Option<Array>> =
                states.iter().map(|state| state.as_ref().map(|state| state.to_device(&device))).collect();
            let mut w = values(&[3, 5], 1, dtype);
            let mut p = w.to_device(&device);
            for turn in 0..3 {
                let g = values(&[5, 3], 5 + turn, dtype).t();
                let mut of = states.iter_mut().map(Option::as_mut);
                Cpu.optimizer_step(&step, &mut w, &g, std::array::from_fn(|_| of.next().flatten()));
                let mut of = others.iter_mut().map(Option::as_mut);
                let state = std::array::from_fn(|_| of.next().flatten());
                device.backend().optimizer_step(&step, &mut p, &g.to_device(&device), state);
            }
            assert_eq!((w.dtype(), p.dtype()), (dtype, dtype));
            assert_close(&w, &p);
            for (state, other) in states.iter().zip(&others) {
                assert_eq!(state.is_some(), other.is_some());
                if let (Some(state), Some(other)) = (state, other) {
                    assert_eq!(state.dtype(), dtype.compute());
                    assert_close(state, other);
                }
            }
        }
    }
}

#[test]
fn optimizer_steps_do_not_depend_on_threads_or_vector_units() {
    let run = |rule, takes: [bool; 3]| {
        let step = OptimizerStep { weight_decay: 0.1, ..OptimizerStep::new(rule) };
        let (mut w, g) = (values(&[40_000], 1, DType::F32), values(&[40_000], 2, DType::F32));
        let mut states = takes.map(|takes| takes.then(|| Array::ones([40_000], DType::F32)));
        Cpu.optimizer_step(&step, &mut w, &g, states.each_mut().map(Option::as_mut));
        let bits = |x: &Array| x.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        (bits(&w), states.map(|state| state.as_ref().map(bits)))
    };
    let before = (rushlight_array::num_threads(), rushlight_array::simd_level());
    for (rule, takes) in step_rules() {
        rushlight_array::set_num_threads(1);
        rushlight_array::set_simd_level(rushlight_array::SimdLevel::Portable);
        let one = run(rule, takes);
        rushlight_array::set_num_threads(3);
        rushlight_array::set_simd_level(before.1);
        assert!(run(rule, takes) == one, "{rule:?}");
    }
    rushlight_array::set_num_threads(before.0);
}

#[test]
fn steps_leave_shared_arrays_alone() {
    let mut w = Array::new([1.0, 2.0]);
    let before = w.clone();
    let rule = StepRule::Sgd(rule::Sgd { lr: 0.5, momentum: 0.0, fresh: 1.0, nesterov: false, first: true });
    Cpu.optimizer_step(&OptimizerStep::new(rule), &mut w, &Array::new([2.0, 2.0]), [None, None, None]);
    assert_eq!(w.to_vec::<f32>(), [0.0, 1.0]);
    assert_eq!(before.to_vec::<f32>(), [1.0, 2.0]);
}

#[test]
#[should_panic(expected = "does not take the states [false, false, false]")]
fn a_rule_without_its_states_is_refused() {
    let rule = StepRule::Adagrad(rule::Adagrad { rate: 0.5, eps: 0.0 });
    Cpu.optimizer_step(
        &OptimizerStep::new(rule),
        &mut Array::new([1.0]),
        &Array::new([1.0]),
        [None, None, None],
    );
}

/// The kernels of the product are unsafe, and the trait is public: shapes that do not fit must panic, not be
/// read or written outside of their blocks.
#[test]
fn products_of_operands_that_do_not_fit_panic() {
    let ones = |shape: [usize; 2]| Array::ones(shape, DType::F32);
    let pairs = [(ones([4, 5_000_000]), ones([2, 64])), (ones([64, 2]), ones([64, 64]))];
    for (a, b) in pairs {
        let product = catch_unwind(AssertUnwindSafe(|| Cpu.matmul(&a, &b)));
        assert!(product.is_err(), "{:?} x {:?}", a.shape(), b.shape());
    }
}

#[test]
fn a_layout_that_leaves_its_storage_is_refused() {
    let layout = Array::ones([64, 64], DType::F32).layout().clone();
    for len in [64, 64 * 63, 64 * 64 - 1] {
        let (block, _) = Array::ones([len], DType::F32).into_parts();
        let layout = layout.clone();
        assert!(catch_unwind(AssertUnwindSafe(|| Array::from_parts(block, layout))).is_err(), "{len}");
    }
    let (block, _) = Array::ones([64 * 64], DType::F32).into_parts();
    assert_eq!(Array::from_parts(block, layout).shape(), &rushlight_array::Shape::from([64, 64]));
}

#[test]
fn default_functions_of_three_agree_with_the_fused_ones() {
    let delegate = Delegate::default();
    for dtype in [DType::F32, DType::F64] {
        let x: Vec<Array> = (0..3).map(|seed| values(&[3, 5], seed, dtype)).collect();
        let y: Vec<Array> = x.iter().map(|x| x.to_device(&delegate.device())).collect();
        assert_close(&x[0].addcmul(&x[1], &x[2], 1.5), &y[0].addcmul(&y[1], &y[2], 1.5));
        assert_close(&x[0].addcdiv(&x[1], &x[2], -1.5), &y[0].addcdiv(&y[1], &y[2], -1.5));
        assert_close(&x[0].lerp(&x[1], &x[2]), &y[0].lerp(&y[1], &y[2]));
        assert_close(&x[0].clamp_between(&x[1], &x[2]), &y[0].clamp_between(&y[1], &y[2]));
    }
    let whole: Vec<Array> = (0..3).map(|seed| values(&[3, 5], seed, DType::I64)).collect();
    let there: Vec<Array> = whole.iter().map(|x| x.to_device(&delegate.device())).collect();
    assert_close(&whole[0].addcmul(&whole[1], &whole[2], 3), &there[0].addcmul(&there[1], &there[2], 3));
    assert_close(
        &whole[0].clamp_between(&whole[1], &whole[2]),
        &there[0].clamp_between(&there[1], &there[2]),
    );
}

#[test]
fn what_lies_side_by_side_is_rejoined_without_a_copy() {
    let whole = Array::from_vec((0..24).map(|i| i as f32).collect(), [2, 4, 3]);
    let cut = |dim: isize, at: usize, len: usize| whole.narrow(dim, at, len);
    let other = whole.add(&whole.zeros_like());
    let empty = Array::zeros([0], DType::F32);
    // Parts, where they are joined, and whether nothing is copied.
    let cases: [(Vec<Array>, isize, bool); 12] = [
        (vec![cut(1, 0, 1), cut(1, 1, 3)], 1, true),
        (vec![cut(2, 0, 1), cut(2, 1, 1), cut(2, 2, 1)], -1, true),
        (vec![cut(0, 0, 1), cut(0, 1, 1)], 0, true),
        (vec![whole.clone()], 0, true),
        // Another order, a gap, a part that overlaps, rows of which some are missing.
        (vec![cut(1, 1, 3), cut(1, 0, 1)], 1, false),
        (vec![cut(1, 0, 1), cut(1, 2, 2)], 1, false),
        (vec![cut(1, 0, 2), cut(1, 1, 3)], 1, false),
        (vec![cut(1, 0, 1), cut(1, 1, 1)], 1, false),
        // Another storage, another dtype, one element for all, nothing.
        (vec![cut(1, 0, 1), other.narrow(1, 1, 3)], 1, false),
        (vec![cut(1, 0, 1), cut(1, 1, 3).cast(DType::F64)], 1, false),
        (vec![whole.narrow(1, 0, 1).expand([2, 2, 3]), cut(1, 1, 2)], 1, false),
        (vec![empty.clone(), cut(1, 0, 1), cut(1, 1, 3)], 1, false),
    ];
    for (i, (parts, dim, shares)) in cases.iter().enumerate() {
        let parts: Vec<&Array> = parts.iter().collect();
        let (joined, expected) = (Array::rejoin(&parts, *dim), Array::cat(&parts, *dim));
        assert_eq!(joined.shape(), expected.shape(), "case {i}");
        assert_eq!(joined.dtype(), expected.dtype(), "case {i}");
        let values = |x: &Array| x.cast(DType::F64).to_vec::<f64>();
        assert_eq!(values(&joined), values(&expected), "case {i}");
        assert_eq!(joined.shares_storage(&whole), *shares, "case {i}");
    }
    let huge = Array::zeros([0, 1 << 40, 1 << 40], DType::F32);
    assert_eq!(Array::rejoin(&[&huge, &huge], 0).shape(), &[0, 1 << 40, 1 << 40]);
}

#[test]
fn gradients_of_attention_lie_as_its_operands() {
    let what = Attention { scale: 0.5, causal: true };
    let all = Array::from_vec(
        (0..8 * 5 * 3 * 2 * 4).map(|i| (i % 13) as f32 / 7.0 - 1.0).collect(),
        [8, 5, 3, 2, 4],
    );
    let [q, k, v] = [0, 1, 2].map(|i| all.select(2, i).transpose(1, 2));
    let (y, weights) = q.attention(&k, &v, &what, true);
    let grads = y.attention_grad([&q, &k, &v], weights.as_ref().expect("they were asked for"), &what);
    assert!(grads[0].shares_storage(&grads[1]) && grads[0].shares_storage(&grads[2]));
    let apart = [&q, &k, &v].map(|x| x.contiguous());
    let [q, k, v] = &apart;
    let three = y.attention_grad([q, k, v], weights.as_ref().expect("they were asked for"), &what);
    assert!(!three[0].shares_storage(&three[1]));
    for (one, other) in grads.iter().zip(&three) {
        assert_eq!(one.to_vec::<f32>(), other.to_vec::<f32>());
    }
}
