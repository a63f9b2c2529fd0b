//! Loops over the op table, each written once for all operations.

use proptest::prelude::*;
use rushlight_autograd::array::DType;
use rushlight_autograd::table::{Derivative, Draw, OpInfo, op_table};
use rushlight_autograd::{GradOptions, Tensor, grad_with, gradcheck, gradgradcheck};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn choices() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0u32..1000, 0..24)
}

/// The message of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}

/// The rows of the table whose derivative is of a kind.
fn rows(kind: fn(Derivative) -> bool) -> Vec<&'static OpInfo> {
    op_table().into_iter().filter(|info| kind(info.derivative)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gradients_agree_with_finite_differences(choices in choices()) {
        for info in rows(|derivative| derivative != Derivative::None) {
            let sample = (info.sample)(&mut Draw::new(&choices));
            if let Err(error) = gradcheck(&sample.call, &sample.inputs) {
                return Err(TestCaseError::fail(format!("{}: {error}\n{sample:?}", info.name)));
            }
        }
    }

    #[test]
    fn second_derivatives_agree_with_finite_differences(choices in choices()) {
        for info in rows(|derivative| derivative == Derivative::Every) {
            let sample = (info.sample)(&mut Draw::new(&choices));
            if let Err(error) = gradgradcheck(&sample.call, &sample.inputs) {
                return Err(TestCaseError::fail(format!("{}: {error}\n{sample:?}", info.name)));
            }
        }
    }

    /// Contiguous copies of the inputs give the same result and, recorded or not, the same first gradients.
    #[test]
    fn layout_and_recording_change_nothing(choices in choices()) {
        for info in op_table() {
            let sample = (info.sample)(&mut Draw::new(&choices));
            let dense: Vec<Tensor> = sample
                .inputs
                .iter()
                .map(|x| Tensor::constant(x.array().contiguous()).requires_grad_())
                .collect();
            let (y, z) = ((sample.call)(&sample.inputs), (sample.call)(&dense));
            prop_assert_eq!(y.shape(), z.shape(), "{}", info.name);
            prop_assert!(y.allclose(&z, 1e-12, 1e-12), "{}: {} is not {}", info.name, y, z);
            if !y.requires_grad() || info.derivative == Derivative::None {
                continue;
            }
            let run = |y: &Tensor, x: &[Tensor], create_graph: bool| {
                let options = GradOptions {
                    create_graph,
                    retain_graph: true,
                    allow_unused: true,
                    grad_outputs: vec![y.ones_like()],
                };
                grad_with(&[y], &x.iter().collect::<Vec<_>>(), &options)
            };
            let plain = run(&y, &sample.inputs, false);
            let recorded = info.derivative == Derivative::Every;
            for other in [run(&y, &sample.inputs, recorded), run(&z, &dense, false)] {
                for (a, b) in plain.iter().zip(&other) {
                    prop_assert!(a.allclose(b, 1e-9, 1e-12), "{}: {} is not {}", info.name, a, b);
                }
            }
        }
    }
}

#[test]
fn every_op_says_no_in_words() {
    for info in op_table() {
        for reject in (info.rejects)() {
            let panic = catch_unwind(AssertUnwindSafe(|| (reject.call)()))
                .expect_err(&format!("{}: a wrong call was accepted ({:?})", info.name, reject.message));
            let text = message(&*panic);
            assert!(
                text.contains(reject.message),
                "{}: the message is {text:?}, not {:?}",
                info.name,
                reject.message
            );
        }
    }
}

#[test]
fn samples_are_f64_leaves_and_rows_are_distinct() {
    let distinct = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names.windows(2).for_each(|pair| assert_ne!(pair[0], pair[1]));
    };
    distinct(op_table().iter().map(|info| info.op).filter(|op| !op.is_empty()).collect());
    distinct(op_table().iter().filter(|info| info.op.is_empty()).map(|info| info.name).collect());
    for info in op_table() {
        for input in (info.sample)(&mut Draw::new(&[1, 2, 3, 4, 5])).inputs {
            assert!(input.dtype() == DType::F64 && input.is_leaf() && input.requires_grad(), "{}", info.name);
        }
    }
}

#[test]
fn what_has_no_derivative_refuses_to_be_differentiated() {
    for info in rows(|derivative| derivative == Derivative::None) {
        let sample = (info.sample)(&mut Draw::new(&[3, 1, 4, 1, 5, 9, 2, 6]));
        let y = (sample.call)(&sample.inputs);
        if !y.requires_grad() {
            continue;
        }
        let panic = catch_unwind(AssertUnwindSafe(|| y.sum().backward()))
            .expect_err(&format!("{}: it was differentiated", info.name));
        let text = message(&*panic);
        assert!(text.contains("cannot be differentiated"), "{}: the message is {text:?}", info.name);
    }
}
