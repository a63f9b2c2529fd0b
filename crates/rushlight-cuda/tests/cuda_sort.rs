//! Sorting, selecting and searching: the CPU against the GPU, bit for bit.

mod common;

use common::cuda;
use proptest::prelude::*;
use rushlight_array::backend::Rank;
use rushlight_array::random::Generator;
use rushlight_array::{Array, Backend, Cpu, DType};

/// Values with ties, zeros of both signs, NaN of both signs and infinities.
fn values(shape: &[usize], dtype: DType, spread: f64, seed: u64) -> Array {
    let x = Array::normal(shape, 0.0, spread, DType::F64, &Generator::new(seed));
    if !dtype.is_float() {
        return if dtype == DType::Bool {
            x.gt(&Array::new(0.0).cast(DType::F64))
        } else {
            x.scale(3.0).cast(dtype)
        };
    }
    let special = [-0.0, 0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.0, 1e-310];
    let mut list = x.to_vec::<f64>();
    for (i, x) in list.iter_mut().enumerate() {
        if (i as u64 ^ seed).is_multiple_of(5) {
            *x = special[(i / 5 + seed as usize) % special.len()];
        }
    }
    Array::from_vec(list, shape).cast(dtype)
}

/// The bits of an array's elements, and where a NaN is.
fn bits(x: &Array) -> Vec<u64> {
    match x.dtype() {
        DType::F32 => x.to_vec::<f32>().into_iter().map(|v| u64::from(v.to_bits())).collect(),
        DType::F64 => x.to_vec::<f64>().into_iter().map(f64::to_bits).collect(),
        _ => x.cast(DType::I64).to_vec::<i64>().into_iter().map(|v| v as u64).collect(),
    }
}

type Op = fn(&dyn Backend, &Array, usize) -> (Array, Array);

const TABLE: &[(&str, Op)] = &[
    ("sort", |b, x, axis| b.sort(x, axis, false)),
    ("sort, descending", |b, x, axis| b.sort(x, axis, true)),
    ("topk of 1", |b, x, axis| b.topk(x, axis, 1, true)),
    ("topk of half", |b, x, axis| b.topk(x, axis, x.shape()[axis].div_ceil(2), false)),
    ("first", |b, x, axis| b.kth(Rank::At(0), x, axis)),
    ("kth", |b, x, axis| b.kth(Rank::At(x.shape()[axis] / 2), x, axis)),
    ("median", |b, x, axis| b.kth(Rank::Median, x, axis)),
    ("nanmedian", |b, x, axis| b.kth(Rank::NanMedian, x, axis)),
    ("mode", |b, x, axis| b.mode(x, axis)),
];

fn check(x: &Array, axis: usize, view: u8) -> Result<(), TestCaseError> {
    let device = cuda();
    let last = x.rank() as isize - 1;
    let [here, there] = [x.clone(), x.to_device(&device)].map(|x| match view {
        1 => x.transpose(0, last),
        2 if x.shape()[last as usize] > 1 => x.narrow(last, 1, x.shape()[last as usize] - 1),
        _ => x,
    });
    for (name, op) in TABLE {
        let ((a, i), (b, j)) = (op(&Cpu, &here, axis), op(device.backend(), &there, axis));
        prop_assert!(b.device() == &device && j.device() == &device, "{}", name);
        prop_assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "{}", name);
        prop_assert_eq!((i.shape(), i.dtype()), (j.shape(), j.dtype()), "{}", name);
        let told = format!("{name} of {:?} along {axis}, {:?}", here.shape(), here.dtype());
        prop_assert_eq!(i.to_vec::<i64>(), j.to_vec::<i64>(), "{}", told);
        prop_assert_eq!(bits(&a), bits(&b), "{}", told);
    }
    Ok(())
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..8, 1 => 8usize..40, 1 => prop::sample::select(vec![31, 32, 33, 127, 255, 256, 257])]
}

fn dtype() -> impl Strategy<Value = DType> {
    prop::sample::select(vec![DType::F32, DType::F64, DType::I64, DType::Bool])
}

proptest! {
    #![proptest_config(common::config(48))]

    #[test]
    fn sorting_gives_the_places_of_the_cpu(
        shape in prop::collection::vec(size(), 1..4),
        (axis, view, seed) in (0usize..3, 0u8..3, 0u64..1 << 32),
        (dtype, spread) in (dtype(), prop::sample::select(vec![0.5, 1e3])),
    ) {
        prop_assume!(shape.iter().product::<usize>() < 4000);
        check(&values(&shape, dtype, spread, seed), axis % shape.len(), view)?;
    }

    #[test]
    fn searching_gives_the_places_of_the_cpu(
        (rows, n, m) in (0usize..4, 0usize..40, 0usize..40),
        (dtype, seed, right) in (dtype(), 0u64..1 << 32, any::<bool>()),
    ) {
        let device = cuda();
        let sorted = values(&[rows, n], dtype, 2.0, seed);
        let sorted = if rows * n > 0 && seed % 4 > 0 { Cpu.sort(&sorted, 1, false).0 } else { sorted };
        let wanted = values(&[rows, m], dtype, 2.0, seed + 1);
        let a = Cpu.search_sorted(&sorted, &wanted, right);
        let b = device.backend().search_sorted(&sorted.to_device(&device), &wanted.to_device(&device), right);
        prop_assert_eq!(a.shape(), b.shape());
        prop_assert_eq!(a.to_vec::<i64>(), b.to_vec::<i64>());
    }
}

#[test]
fn long_rows_are_dealt_out_by_digits() {
    for (shape, axis, dtype) in common::some([
        (vec![1, 2048], 1, DType::F32),
        (vec![2, 2049], 1, DType::F32),
        (vec![2049, 2], 0, DType::F64),
        (vec![1, 5000], 1, DType::I64),
        (vec![2, 4500], 1, DType::Bool),
    ]) {
        check(&values(&shape, dtype, 100.0, 3), axis, 0).unwrap();
    }
}
