//! Rounding errors stay small, and special values go where they go in PyTorch.

use rushlight_array::backend::Norm;
use rushlight_array::{Array, DType, Device};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

/// `count` values near 0.1 that fill their mantissas.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| 0.1 + (i.wrapping_mul(2_654_435_761) % 1_000_003) as f32 / 1e9).collect()
}

fn relative(got: f32, exact: f64) -> f64 {
    ((f64::from(got) - exact) / exact).abs()
}

#[test]
fn ten_million_f32_sum_to_seven_digits() {
    let values = values(10_000_000);
    let exact: f64 = values.iter().map(|&v| f64::from(v)).sum();
    let x = Array::from_vec(values, [10_000, 1_000]);
    // A plain loop is off by 8 %; in the tree a value meets some 60 roundings.
    assert!(relative(x.sum().item(), exact) < 3e-7);
    assert!(relative(x.t().sum().item(), exact) < 3e-7);
    assert!(relative(x.mean().item(), exact / 1e7) < 3e-7);
    let rows = x.sum_dim(1, false).to_vec::<f32>();
    assert!(relative(Array::from_vec(rows, 10_000).sum().item(), exact) < 3e-7);
    let columns = x.sum_dim(0, false).to_vec::<f32>();
    for (j, &column) in columns.iter().enumerate().step_by(97) {
        let exact: f64 = x.select(1, j as isize).to_vec::<f32>().iter().map(|&v| f64::from(v)).sum();
        assert!(relative(column, exact) < 3e-6, "column {j}");
    }
}

#[test]
fn softmax_of_a_long_row_keeps_its_digits() {
    // One 0 and a million times -1: the sum of exponentials is 1 + 10^6 / e.
    let mut row = vec![-1.0f32; 1_000_001];
    row[5] = 0.0;
    let (x, sum) = (Array::from_vec(row, [1, 1_000_001]), 1.0 + 1e6 * (-1.0f64).exp());
    assert!(relative(x.softmax(1).get([0, 5]).item(), 1.0 / sum) < 1e-6);
    assert!(relative(x.log_softmax(1).get([0, 5]).item(), -sum.ln()) < 1e-6);
}

#[test]
fn softmax_of_large_values_does_not_overflow() {
    let x = Array::new([[1000.0, 1000.0], [-1000.0, -1000.0], [0.0, -200.0]]);
    assert_eq!(x.softmax(1).to_vec::<f32>(), [0.5, 0.5, 0.5, 0.5, 1.0, 0.0]);
    let log = x.log_softmax(1).to_vec::<f32>();
    assert!(log[..4].iter().all(|v| (v + std::f32::consts::LN_2).abs() < 1e-6));
    // exp(-200) is no f32, its logarithm is.
    assert_eq!(log[4..], [0.0, -200.0]);
}

#[test]
fn softmax_of_special_values_is_as_in_torch() {
    let x = Array::new([[-INF, -INF], [INF, 0.0], [NAN, 1.0]]);
    assert!(x.softmax(1).to_vec::<f32>().iter().all(|v| v.is_nan()));
    assert!(x.log_softmax(1).to_vec::<f32>().iter().all(|v| v.is_nan()));
    let masked = Array::new([-INF, 0.0]);
    assert_eq!(masked.softmax(0).to_vec::<f32>(), [0.0, 1.0]);
    assert_eq!(masked.log_softmax(0).to_vec::<f32>(), [-INF, 0.0]);
}

#[test]
fn nan_wins_every_extreme_wherever_it_stands() {
    for len in [2, 9, 300, 40_000] {
        for place in [0, 1, len / 2, len - 1] {
            let mut values = vec![INF; len];
            values[place] = NAN;
            let x = Array::from_vec(values, len);
            assert!(x.max().item::<f32>().is_nan() && x.min().item::<f32>().is_nan(), "{place} of {len}");
            assert_eq!(x.argmax(0, false).item::<i64>(), place as i64);
            assert_eq!(x.argmin(0, false).item::<i64>(), place as i64);
            let column = x.unsqueeze(1).expand([-1, 2]);
            assert!(column.amax(0, false).to_vec::<f32>().iter().all(|v| v.is_nan()));
        }
    }
    let x = Array::new([1.0, NAN, 3.0, NAN]);
    assert_eq!([x.argmax(0, false).item::<i64>(), x.argmin(0, false).item::<i64>()], [1, 1]);
    let (a, b) = (Array::new([NAN, 1.0, NAN]), Array::new([1.0, NAN, NAN]));
    assert!(a.maximum(&b).to_vec::<f32>().iter().all(|v| v.is_nan()));
    assert!(a.minimum(&b).to_vec::<f32>().iter().all(|v| v.is_nan()));
}

#[test]
fn infinities_are_extremes_like_others() {
    let x = Array::new([-INF, -INF]);
    assert_eq!((x.max().item::<f32>(), x.argmax(0, false).item::<i64>()), (-INF, 0));
    let y = Array::new([INF, 1.0]);
    assert_eq!((y.min().item::<f32>(), y.sum().item::<f32>()), (1.0, INF));
    assert!(x.add(&y).to_vec::<f32>()[0].is_nan());
}

#[test]
fn functions_of_nan_are_as_in_torch() {
    let x = Array::new([NAN, -1.0]);
    assert!(x.relu().to_vec::<f32>()[0].is_nan());
    assert!(x.clamp(0.0, 1.0).to_vec::<f32>()[0].is_nan());
    // torch.sign(nan) is 0, unlike NumPy's.
    assert_eq!(x.sign().to_vec::<f32>(), [0.0, -1.0]);
    assert_eq!(x.eq(&x).to_vec::<bool>(), [false, true]);
    assert_eq!(x.ne(&x).to_vec::<bool>(), [true, false]);
    assert_eq!(x.cast(DType::Bool).to_vec::<bool>(), [true, true]);
    assert!(!x.allclose(&x, 1.0, 1.0));
}

#[test]
fn empty_reductions_are_as_in_torch() {
    let empty = Array::zeros([0], DType::F32);
    assert_eq!((empty.sum().item::<f32>(), empty.prod().item::<f32>()), (0.0, 1.0));
    assert_eq!((empty.all().item::<bool>(), empty.any().item::<bool>()), (true, false));
    assert!(empty.mean().item::<f32>().is_nan());
    let flat = Array::zeros([0, 3], DType::F32);
    assert_eq!(flat.sum_dim(0, false).to_vec::<f32>(), [0.0; 3]);
    assert!(flat.mean_dim(0, false).to_vec::<f32>().iter().all(|v| v.is_nan()));
    assert_eq!(flat.amax(1, false).shape(), &[0]);
    assert_eq!(flat.argmax(1, true).shape(), &[0, 1]);
    assert_eq!(flat.softmax(0).shape(), &[0, 3]);
}

#[test]
fn half_precision_is_rounded_from_f32_as_in_torch() {
    // Half an f16 step above 1, and a little: as f32 it is just half, which goes to the even side.
    let x = Array::from_vec(vec![1.0 + 2f64.powi(-11) + 2f64.powi(-30)], 1);
    assert_eq!(x.cast(DType::F16).item::<f64>(), 1.0);
    // The same for an integer: torch.tensor([2**24 + 2**16 + 1]).to(torch.bfloat16) is 2**24.
    let y = Array::new([(1 << 24) + (1 << 16) + 1]);
    assert_eq!(y.cast(DType::BF16).item::<i64>(), 1 << 24);
    assert_eq!(y.cast(DType::F64).cast(DType::BF16).item::<i64>(), 1 << 24);
}

#[test]
fn dividing_by_minus_zero_gives_minus_infinity() {
    let x = Array::new([1.0]);
    assert_eq!(x.div(&x.scalar_operand(-0.0)).to_vec::<f32>(), [-INF]);
}

#[test]
fn a_bound_that_is_no_number_makes_all_elements_none() {
    // torch.tensor([1., 2.]).clamp(min=nan) is tensor([nan, nan]).
    for dtype in [DType::F32, DType::F64, DType::F16, DType::I64] {
        let x = Array::new([1, 2]).cast(dtype);
        for (low, high) in [(f64::NAN, 5.0), (0.0, f64::NAN)] {
            assert!(x.clamp(low, high).cast(DType::F64).to_vec::<f64>().iter().all(|v| v.is_nan()));
        }
    }
}

#[test]
fn integers_stay_integers_between_whole_bounds_and_become_f32_between_others() {
    let x = Array::from_vec(vec![0u8, 1, 2, 3], 4);
    let whole = x.clamp(-5.0, 2.0);
    assert_eq!((whole.dtype(), whole.to_vec::<u8>()), (DType::U8, vec![0, 1, 2, 2]));
    assert_eq!(x.clamp(1.0, f64::INFINITY).to_vec::<u8>(), [1, 1, 2, 3]);
    assert_eq!(x.clamp(0.5, 2.5).to_vec::<f32>(), [0.5, 1.0, 2.0, 2.5]);
}

/// The rounding of a mean, times the inverse of a deviation of nothing, would show.
#[test]
fn rows_of_equal_numbers_are_normalised_to_zeros() {
    for value in [0.1, 3.3, 1000.0, 123_456.0, 1e6] {
        for size in 1..100 {
            let (y, _) =
                Array::full([2, size], value, DType::F32, &Device::cpu()).norm(Norm::Layer, None, None, 1e-5);
            assert_eq!(y.to_vec::<f32>(), vec![0.0; 2 * size], "{size} times {value}");
        }
    }
}
