use crate::model::*;
use proptest::prelude::*;
use rushlight_array::{Array, DType};

/// The fold of the elements of every group that the axes (all if there is none) bring together.
fn folded(model: &Model, axes: &[usize], keepdim: bool, start: f64, f: impl Fn(f64, f64) -> f64) -> Model {
    let reduced = |d: usize| axes.is_empty() || axes.contains(&d);
    let mut out = Model { shape: vec![], data: vec![] };
    let full: Vec<usize> =
        model.shape.iter().enumerate().map(|(d, &s)| if reduced(d) { 1 } else { s }).collect();
    for place in places(&full) {
        let group = places(&model.shape)
            .into_iter()
            .filter(|at| (0..at.len()).all(|d| reduced(d) || at[d] == place[d]));
        out.data.push(group.fold(start, |t, at| f(t, model.at(&at))));
    }
    let kept = (0..full.len()).filter(|&d| keepdim || !reduced(d));
    out.shape = kept.map(|d| full[d]).collect();
    out
}

/// A sample, some of its axes, and whether they stay.
fn reduction(dtype: impl Strategy<Value = DType>) -> impl Strategy<Value = (Sample, Vec<usize>, bool)> {
    (any_sample(dtype, 0..=4), prop::collection::vec(any::<bool>(), 4), any::<bool>()).prop_map(
        |(s, pick, keep)| {
            let axes = (0..s.model.shape.len()).filter(|&d| pick[d]).collect();
            (s, axes, keep)
        },
    )
}

/// Axes as dims from the back, in descending order: neither may matter.
fn dims(axes: &[usize], rank: usize) -> Vec<isize> {
    axes.iter().rev().map(|&a| a as isize - rank as isize).collect()
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn sums_and_means_match_one_by_one((s, axes, keep) in reduction(dtype())) {
        let dtype = if s.array.dtype().is_float() { s.array.dtype() } else { DType::I64 };
        let dims = dims(&axes, s.array.rank());
        let sums = folded(&s.model, &axes, keep, 0.0, |t, v| t + v);
        check(&s.array.sum_dim(&dims[..], keep), &sums.map(|v| store(dtype, v)), dtype, 0.0);
        let total: f64 = s.model.data.iter().sum();
        check(&s.array.sum(), &Model { shape: vec![], data: vec![store(dtype, total)] }, dtype, 0.0);
        if s.array.dtype().is_float() {
            let count = s.model.data.len() as f64 / sums.data.len() as f64;
            let means = sums.map(|v| store(dtype, v / count));
            check(&s.array.mean_dim(&dims[..], keep), &means, dtype, tolerance(dtype));
            let mean = vec![store(dtype, total / s.model.data.len() as f64)];
            check(&s.array.mean(), &Model { shape: vec![], data: mean }, dtype, tolerance(dtype));
        }
    }

    #[test]
    fn extremes_match_one_by_one((s, axes, keep) in reduction(dtype())) {
        let reduced = |d: usize| axes.is_empty() || axes.contains(&d);
        prop_assume!((0..s.array.rank()).all(|d| !reduced(d) || s.model.shape[d] > 0));
        let dims = dims(&axes, s.array.rank());
        let max = folded(&s.model, &axes, keep, f64::NEG_INFINITY, f64::max);
        check(&s.array.amax(&dims[..], keep), &max, s.array.dtype(), 0.0);
        let min = folded(&s.model, &axes, keep, f64::INFINITY, f64::min);
        check(&s.array.amin(&dims[..], keep), &min, s.array.dtype(), 0.0);
        if !s.model.data.is_empty() {
            check(&s.array.max(), &folded(&s.model, &[], false, f64::NEG_INFINITY, f64::max), s.array.dtype(), 0.0);
            check(&s.array.min(), &folded(&s.model, &[], false, f64::INFINITY, f64::min), s.array.dtype(), 0.0);
        }
    }

    #[test]
    fn truth_and_products_match_one_by_one(s in any_sample(dtype(), 0..=3)) {
        let whole = |v: f64| Model { shape: vec![], data: vec![v] };
        let flag = |b: bool| whole(f64::from(u8::from(b)));
        check(&s.array.all(), &flag(s.model.data.iter().all(|&v| v != 0.0)), DType::Bool, 0.0);
        check(&s.array.any(), &flag(s.model.data.iter().any(|&v| v != 0.0)), DType::Bool, 0.0);
        let dtype = if s.array.dtype().is_float() { s.array.dtype() } else { DType::I64 };
        // Signs only, so that no product overflows.
        let signs = if s.array.dtype() == DType::Bool { s.clone() } else {
            let one = |v: f64| if v < 0.0 { -1.0 } else { 1.0 };
            let zero = s.array.zeros_like();
            let array = s.array.lt(&zero).where_(&s.array.scalar_operand(-1), &s.array.scalar_operand(1));
            Sample { model: s.model.map(|v| store(s.array.dtype(), one(v))), array }
        };
        check(&signs.array.prod(), &whole(signs.model.data.iter().product()), dtype, 0.0);
    }

    #[test]
    fn positions_of_extremes_are_the_first(s in any_sample(dtype(), 1..=4), p in 0..4usize, keep in any::<bool>()) {
        let axis = p % s.array.rank();
        prop_assume!(s.model.shape[axis] > 0);
        let mut shape = s.model.shape.clone();
        shape[axis] = 1;
        let first = |better: fn(f64, f64) -> bool| {
            let mut out = Model::from_fn(&shape, |at| {
                let line = s.model.line(axis, at);
                let best = line.iter().skip(1).fold(line[0], |m, &v| if better(v, m) { v } else { m });
                line.iter().position(|&v| v == best).expect("it is there") as f64
            });
            if !keep {
                out.shape.remove(axis);
            }
            out
        };
        check(&s.array.argmax(axis as isize, keep), &first(|a, b| a > b), DType::I64, 0.0);
        check(&s.array.argmin(axis as isize, keep), &first(|a, b| a < b), DType::I64, 0.0);
    }

    #[test]
    fn softmax_and_its_logarithm_match_one_by_one(s in any_sample(float(), 1..=4), p in 0..4usize) {
        let axis = p % s.array.rank();
        let sum = |at: &[usize]| s.model.line(axis, at).iter().map(|v| v.exp()).sum::<f64>();
        let soft = Model::from_fn(&s.model.shape, |at| s.model.at(at).exp() / sum(at));
        let dtype = s.array.dtype();
        check(&s.array.softmax(axis as isize), &soft, dtype, 3.0 * tolerance(dtype));
        let log = soft.map(f64::ln);
        let out = s.array.log_softmax(axis as isize - s.array.rank() as isize);
        check(&out, &log, dtype, 3.0 * tolerance(dtype));
        prop_assert!(out.is_contiguous() || out.numel() == 0);
    }

    #[test]
    fn sum_to_undoes_a_broadcast((small, _, shape) in broadcasting(), seed in 0..50usize, layout in 0..5usize) {
        let s = sample(&shape, DType::F64, seed, layout);
        let mut expected = Model::from_fn(&small, |_| 0.0);
        let rank = small.len();
        for at in places(&shape) {
            let own = at[at.len() - rank..].iter().zip(&small).map(|(&i, &size)| if size == 1 { 0 } else { i });
            let flat = own.zip(&small).fold(0, |flat, (i, &size)| flat * size + i);
            expected.data[flat] += s.model.at(&at);
        }
        check(&s.array.sum_to(&small.as_slice().into()), &expected, DType::F64, 0.0);
    }
}

#[test]
fn long_axes_match_one_by_one() {
    // Past the leaves (256), the chunks (32768) and the thresholds of the pool; all sums are exact in f64.
    for (shape, axes) in [
        (vec![100_003], vec![0]),
        (vec![300, 700], vec![0]),
        (vec![300, 700], vec![1]),
        (vec![20, 300, 40], vec![0, 2]),
    ] {
        for layout in 0..5 {
            for dtype in [DType::F64, DType::F32, DType::I64] {
                let s = sample(&shape, dtype, 3, layout);
                let kept: Vec<usize> = (0..shape.len()).filter(|d| !axes.contains(d)).collect();
                let small: Vec<usize> = kept.iter().map(|&d| shape[d]).collect();
                let (mut sum, mut max) =
                    (Model::from_fn(&small, |_| 0.0), Model::from_fn(&small, |_| f64::NEG_INFINITY));
                for (at, &v) in places(&shape).iter().zip(&s.model.data) {
                    let flat = kept.iter().fold(0, |flat, &d| flat * shape[d] + at[d]);
                    sum.data[flat] += v;
                    max.data[flat] = max.data[flat].max(v);
                }
                check(&s.array.sum_dim(&axes[..], false), &sum, dtype, 0.0);
                check(&s.array.amax(&axes[..], false), &max, dtype, 0.0);
            }
        }
    }
}

#[test]
fn rows_of_a_scalar_are_itself() {
    let x = Array::new(3.0);
    assert_eq!(x.softmax(0).item::<f32>(), 1.0);
    assert_eq!(x.log_softmax(-1).item::<f32>(), 0.0);
    assert_eq!(x.argmax(0, true).item::<i64>(), 0);
    assert_eq!(x.sum_dim(0, true).item::<f32>(), 3.0);
}
