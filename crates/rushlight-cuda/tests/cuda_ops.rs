//! Every operation of the table, with its gradients, on the CPU and on the GPU.

mod common;

use common::cuda;
use proptest::prelude::*;
use rushlight_autograd::table::{Derivative, Draw, OpInfo, Sample, op_table};
use rushlight_autograd::{GradOptions, Tensor, grad_with};

/// The result of a sample and, if it is recorded, the gradients of its inputs and their own gradients.
fn derivatives(info: &OpInfo, sample: &Sample) -> Vec<Tensor> {
    let x: Vec<&Tensor> = sample.inputs.iter().collect();
    let y = (sample.call)(&sample.inputs);
    let mut all = vec![y.clone()];
    let options = |y: &Tensor, create_graph| GradOptions {
        create_graph,
        retain_graph: true,
        allow_unused: true,
        grad_outputs: vec![y.ones_like()],
    };
    if y.requires_grad() && info.derivative != Derivative::None {
        all.extend(grad_with(&[&y], &x, &options(&y, false)));
        for first in grad_with(&[&y], &x, &options(&y, true)) {
            if first.requires_grad() && info.derivative == Derivative::Every {
                all.extend(grad_with(&[&first], &x, &options(&first, false)));
            }
            all.push(first);
        }
    }
    all
}

proptest! {
    #![proptest_config(common::config(16))]

    #[test]
    fn every_op_gives_the_numbers_of_the_cpu(choices in prop::collection::vec(0u32..1000, 0..24)) {
        let device = cuda();
        for info in op_table() {
            let here = derivatives(info, &(info.sample)(&mut Draw::new(&choices)));
            let there = derivatives(info, &(info.sample)(&mut Draw::on(&choices, &device)));
            prop_assert_eq!(here.len(), there.len(), "{}", info.name);
            for (i, (a, b)) in here.iter().zip(&there).enumerate() {
                // `to` a device is the one operation whose result lies elsewhere.
                prop_assert!(b.device() == device || (info.op == "Cast" && i == 0), "{}: {}", info.name, i);
                let b = b.to(a.device());
                prop_assert_eq!(a.shape(), b.shape(), "{}: {}", info.name, i);
                prop_assert_eq!(a.dtype(), b.dtype(), "{}: {}", info.name, i);
                prop_assert!(a.allclose(&b, 1e-9, 1e-12), "{}, {}: {} is not {}", info.name, i, a, b);
            }
        }
    }
}
