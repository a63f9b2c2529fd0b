//! The same bits for every number of threads, of every operation and its gradients.

use proptest::prelude::*;
use rushlight_autograd::array::{Array, DType, SimdLevel, set_num_threads, set_simd_level, simd_level};
use rushlight_autograd::table::{Derivative, Draw, OpInfo, Sample, op_table};
use rushlight_autograd::{GradOptions, Tensor, grad_with};
use std::time::{Duration, Instant};

/// How much larger the sizes are than those of other tests, one after the other until several threads share the work:
/// a fixed one would make matrices too small or five dims larger than the memory. No multiple of a vector.
const STRETCHES: [usize; 5] = [3, 5, 7, 11, 19];

/// Elements of arguments and results that several threads share.
const ENOUGH: usize = 150_000;

/// Some operations do so much for each element that fewer will do.
const LONG: Duration = Duration::from_millis(20);

/// A sample of an operation that is large enough.
fn large_sample(info: &OpInfo, choices: &[u32]) -> Sample {
    let sample = |stretch| (info.sample)(&mut Draw::stretched(choices, stretch));
    let enough = |sample: &Sample| {
        let start = Instant::now();
        let result = (sample.call)(&sample.inputs).numel();
        start.elapsed() > LONG || result + sample.inputs.iter().map(Tensor::numel).sum::<usize>() > ENOUGH
    };
    STRETCHES.into_iter().map(sample).find(enough).unwrap_or_else(|| sample(STRETCHES[4]))
}

fn bits(x: &Array) -> Vec<u64> {
    x.cast(DType::F64).to_vec::<f64>().iter().map(|v| v.to_bits()).collect()
}

/// The bits of the result and of all gradients.
fn run(info: &OpInfo, sample: &Sample, inputs: &[Tensor]) -> Vec<Vec<u64>> {
    let y = (sample.call)(inputs);
    let mut all = vec![bits(&y.array())];
    if y.requires_grad() && info.derivative != Derivative::None {
        let options =
            GradOptions { allow_unused: true, grad_outputs: vec![y.ones_like()], ..GradOptions::default() };
        let grads = grad_with(&[&y], &inputs.iter().collect::<Vec<_>>(), &options);
        all.extend(grads.iter().map(|grad| bits(&grad.array())));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn threads_and_vector_units_change_no_bit(choices in prop::collection::vec(0u32..1000, 8..24)) {
        let best = simd_level();
        for info in op_table() {
            let sample = large_sample(info, &choices);
            for dtype in [DType::F64, DType::F32] {
                let cast = |x: &Tensor| Tensor::new_leaf(x.array().cast(dtype), true);
                let inputs: Vec<Tensor> = match dtype {
                    DType::F64 => sample.inputs.clone(),
                    _ => sample.inputs.iter().map(cast).collect(),
                };
                set_num_threads(1);
                let expected = run(info, &sample, &inputs);
                for threads in [3, 8] {
                    set_num_threads(threads);
                    prop_assert!(run(info, &sample, &inputs) == expected, "{} of {dtype}: {threads} threads", info.name);
                }
                for level in [SimdLevel::Portable, SimdLevel::Avx2] {
                    set_simd_level(level);
                    let found = run(info, &sample, &inputs);
                    set_simd_level(best);
                    prop_assert!(found == expected, "{} of {dtype}: {level:?}", info.name);
                }
            }
        }
    }
}
