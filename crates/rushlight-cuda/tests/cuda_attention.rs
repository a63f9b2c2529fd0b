//! Attention on the CPU and on the GPU: with weights kept and without, masks, heads of any size, and gradients.
//!
//! Results are means of values between -1 and 1, and agree within 1e-5 in f32 and 1e-12 in f64; gradients, which are sums
//! over up to 150 places of such numbers, within ten times as much.

mod common;

use common::cuda;
use common::operands::{Lie, numbers, sent};
use proptest::prelude::*;
use rushlight_array::backend::Attention;
use rushlight_array::{Array, DType};

fn close(a: &Array, b: &Array, room: f64, what: &str) {
    assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()), "{what}");
    let (here, there) = (a.cast(DType::F64).to_vec::<f64>(), b.cast(DType::F64).to_vec::<f64>());
    for (i, (x, y)) in here.iter().zip(&there).enumerate() {
        let same = x.is_nan() && y.is_nan() || (x - y).abs() <= room * x.abs().max(1.0);
        assert!(same, "{what}, element {i}: {x} is not {y}");
    }
}

fn places() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..40, 1 => prop::sample::select(vec![1usize, 31, 32, 33, 63, 64, 65, 100, 150])]
}

fn features() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..40, 1 => prop::sample::select(vec![32usize, 63, 64, 65, 127, 128, 129, 140])]
}

proptest! {
    #![proptest_config(common::config(64))]

    #[test]
    fn attention_is_that_of_the_cpu(
        l in places(), s in places(), e in features(), ev in features(),
        leading in prop::sample::select(vec![vec![], vec![3], vec![2, 3], vec![9, 2], vec![2, 1, 2]]),
        double in any::<bool>(), causal in any::<bool>(), keep in any::<bool>(),
        lie in prop::sample::select(vec![Lie::Dense, Lie::Transposed, Lie::Batch, Lie::Inside, Lie::Gaps]),
        scale in prop::sample::select(vec![0.125, 1.0, 4.0]), seed in any::<u64>(),
    ) {
        // The largest are met alone.
        let heads: usize = leading.iter().product();
        prop_assume!(heads * l * s * (e + ev) < 1_000_000);
        let (dtype, room) = if double { (DType::F64, 1e-12) } else { (DType::F32, 1e-5) };
        let what = Attention { scale, causal };
        let text = format!("{leading:?} {l} x {s}, {e} and {ev} features of {dtype}, {what:?}, keep {keep}, {lie:?}");
        let device = cuda();
        let shape = |rows, columns| [&leading[..], &[rows, columns]].concat();
        let here = [(l, e), (s, e), (s, ev)].map(|(rows, columns)| lie.array(&shape(rows, columns), dtype, seed ^ columns as u64 ^ rows as u64));
        let there = here.each_ref().map(|x| sent(x, &device));
        let [q, k, v] = &here;
        let (y, weights) = q.attention(k, v, &what, keep);
        let [q2, k2, v2] = &there;
        let (y2, weights2) = q2.attention(k2, v2, &what, keep);
        close(&y, &y2.to_device(q.device()), room, &text);
        prop_assert_eq!(weights.is_some(), weights2.is_some());
        if let (Some(weights), Some(weights2)) = (weights, weights2) {
            // What a causal mask hides is arbitrary.
            let seen = Array::arange(0, if causal { s as i64 } else { 0 }, 1).le(&Array::arange(0, l as i64, 1).unsqueeze(1));
            let shown = |x: Array| {
                let x = x.reshape(shape(l, s));
                if causal { seen.where_(&x, &x.scalar_operand(0.0)) } else { x }
            };
            close(&shown(weights.clone()), &shown(weights2.to_device(q.device())), room, &text);
            let grad = numbers(&shape(l, ev), dtype, seed ^ 7);
            let one = grad.attention_grad([q, k, v], &weights, &what);
            let other = sent(&grad, &device).attention_grad([q2, k2, v2], &weights2, &what);
            for (one, other) in one.iter().zip(&other) {
                close(one, &other.to_device(q.device()), 10.0 * room, &text);
            }
        }
    }
}

/// More keys than a lane's registers hold, and more than one tile of queries.
#[test]
fn rows_of_many_keys_are_those_of_the_cpu() {
    let device = cuda();
    for (l, s, causal, keep) in [(3, 1500, false, true), (70, 1030, true, true), (70, 130, true, false)] {
        let what = Attention { scale: 0.5, causal };
        let [q, k, v] = [(l, 4), (s, 4), (s, 3)]
            .map(|(rows, columns)| numbers(&[rows, columns], DType::F32, rows as u64));
        let [q2, k2, v2] = [&q, &k, &v].map(|x| sent(x, &device));
        let (y, _) = q.attention(&k, &v, &what, keep);
        let (y2, _) = q2.attention(&k2, &v2, &what, keep);
        close(&y, &y2.to_device(q.device()), 1e-5, &format!("{l} x {s}"));
    }
}

#[test]
fn scores_that_are_not_finite_make_the_same_weights() {
    let device = cuda();
    let big = f32::INFINITY;
    for (first, second) in [(-big, 1.0), (-big, -big), (big, 1.0), (f32::NAN, 1.0)] {
        // Keys on both sides of a tile's end.
        let mut keys = vec![first; 40];
        keys[32..].fill(second);
        let (q, k) = (Array::from_vec(vec![1f32], [1, 1]), Array::from_vec(keys, [40, 1]));
        let v = numbers(&[40, 2], DType::F32, 3);
        let [q2, k2, v2] = [&q, &k, &v].map(|x| sent(x, &device));
        let what = Attention { scale: 1.0, causal: false };
        for keep in [false, true] {
            let (y, _) = q.attention(&k, &v, &what, keep);
            let (y2, _) = q2.attention(&k2, &v2, &what, keep);
            close(&y, &y2.to_device(q.device()), 1e-6, &format!("scores {first} and {second}, keep {keep}"));
        }
    }
}
