//! Draws of the GPU against those of the CPU: the same bits, but for normals of f64, which are within 1e-14 of the deviation.

mod common;

use common::cuda;
use proptest::prelude::*;
use rushlight_array::random::{Draws, Generator, GeneratorState, Stretch, TorchSeed};
use rushlight_array::{Array, DType, Device, Storage};
use std::sync::Arc;

fn on_gpu(draws: Draws, from: Stretch, dtype: DType, count: usize) -> Array {
    let device = cuda();
    let buffer = device.backend().random(draws, from, dtype, count);
    let storage = Storage::new(buffer, dtype, count, device);
    Array::from_parts(Arc::new(storage), rushlight_array::Layout::contiguous(count))
}

fn kinds(a: f64, b: f64) -> Vec<(Draws, DType)> {
    let (low, high) = (a.min(b), a.max(b));
    let uniform = Draws::Uniform { low, high };
    let normal = Draws::Normal { mean: a, std: b.abs() };
    let integers = Draws::Integers { low: (low * 1e6) as i64, high: (high * 1e18) as i64 + 7_000_000 };
    vec![
        (uniform, DType::F32),
        (uniform, DType::F64),
        (normal, DType::F32),
        (normal, DType::F64),
        (Draws::Bernoulli { p: a.abs().fract() }, DType::Bool),
        (integers, DType::I64),
        (Draws::Integers { low: i64::MIN, high: i64::MAX }, DType::I64),
    ]
}

fn check(seed: u64, stream: u64, position: u64, count: usize, a: f64, b: f64) -> Result<(), TestCaseError> {
    for (draws, dtype) in kinds(a, b) {
        let from = Stretch { seed, stream, position };
        let here = Array::from_host(draws.on_host(from, dtype, count), count);
        let there = on_gpu(draws, from, dtype, count);
        match (draws, dtype) {
            (Draws::Normal { .. }, DType::F64) => {
                for (x, y) in here.to_vec::<f64>().into_iter().zip(there.to_vec::<f64>()) {
                    prop_assert!(
                        (x - y).abs() <= 1e-14 * (a.abs() + 8.0 * b.abs()),
                        "{:?}: {} {}",
                        draws,
                        x,
                        y
                    );
                }
            }
            (_, DType::F32) => {
                let [x, y] = [&here, &there]
                    .map(|x| x.to_vec::<f32>().into_iter().map(f32::to_bits).collect::<Vec<_>>());
                prop_assert_eq!(x, y, "{:?}", draws);
            }
            (_, DType::F64) => {
                let [x, y] = [&here, &there]
                    .map(|x| x.to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>());
                prop_assert_eq!(x, y, "{:?}", draws);
            }
            (_, DType::Bool) => prop_assert_eq!(here.to_vec::<bool>(), there.to_vec::<bool>(), "{:?}", draws),
            _ => prop_assert_eq!(here.to_vec::<i64>(), there.to_vec::<i64>(), "{:?}", draws),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::config(48))]

    #[test]
    fn draws_have_the_bits_of_the_cpu(
        (seed, stream) in any::<(u64, u64)>(),
        position in prop_oneof![0u64..100, any::<u32>().prop_map(|p| u64::from(p) << 5), (1u64 << 36) - 40..(1 << 36) + 40],
        count in prop_oneof![4 => 0usize..300, 1 => 1000usize..5000],
        (a, b) in (-2.0..2.0, -3.0..3.0),
    ) {
        check(seed, stream, position, count, a, b)?;
    }
}

#[test]
fn a_fill_of_many_blocks_has_the_bits_of_the_cpu() {
    check(3, 0, 5, 300_001, 0.0, 1.0).unwrap();
}

#[test]
fn a_generator_goes_on_as_if_the_cpu_had_drawn() {
    let draw = |generator: &Generator, device: &Device| {
        vec![
            Array::uniform_on([3, 5], -1.0, 1.0, DType::F32, generator, device),
            Array::normal_on([7], 0.0, 2.0, DType::F32, generator, device),
            Array::normal_on([7], 0.0, 2.0, DType::BF16, generator, device).cast(DType::F32),
            Array::uniform_on([2, 0], -1.0, 1.0, DType::F64, generator, device),
            Array::bernoulli_on([9], 0.3, generator, device),
            Array::randint_on(-5, 5, (), generator, device),
            Array::uniform_on([3], 0.0, 1.0, DType::F64, generator, device),
        ]
    };
    for seed in [rushlight_array::random::Seed::from(3), TorchSeed(3).into()] {
        let (here, there) = (Generator::new(seed), Generator::new(seed));
        let (a, b) = (draw(&here, &Device::cpu()), draw(&there, &cuda()));
        for (a, b) in a.iter().zip(&b) {
            assert_eq!((a.shape(), a.dtype(), b.device()), (b.shape(), b.dtype(), &cuda()));
            assert_eq!(a.cast(DType::F64).to_vec::<f64>(), b.cast(DType::F64).to_vec::<f64>());
        }
        assert_eq!(here.state(), there.state());
        let GeneratorState::ChaCha { position, .. } = there.state() else { continue };
        // 15 + 8 + 8 + 0 + 18 + 2 + 6 words.
        assert_eq!(position, 57);
    }
}
