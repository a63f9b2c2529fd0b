//! How often values fall into buckets.

use super::Message;

/// The right ends of the buckets: 1e-12 times powers of 1.1 up to 1e20, on both sides of zero.
fn limits() -> Vec<f64> {
    let positive: Vec<f64> = std::iter::successors(Some(1e-12), |limit| Some(limit * 1.1))
        .take_while(|&limit| limit < 1e20)
        .collect();
    let mut limits = vec![f64::MIN];
    limits.extend(positive.iter().rev().map(|limit| -limit));
    limits.push(0.0);
    limits.extend(&positive);
    limits.push(f64::MAX);
    limits
}

/// A `tensorflow.HistogramProto`. Empty buckets at both ends are left out, but for one on the left, whose end is where
/// the first full one begins.
pub(super) fn message(values: &[f64]) -> Message {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let limits = limits();
    let mut counts = vec![0.0; limits.len()];
    for value in finite() {
        counts[limits.partition_point(|&limit| limit < value)] += 1.0;
    }
    let first = counts.iter().position(|&count| count > 0.0).unwrap_or(0);
    let last = counts.iter().rposition(|&count| count > 0.0).unwrap_or(0);
    let kept = first.saturating_sub(1)..=last;
    let number = finite().count();
    let (least, most) = match number {
        0 => (0.0, 0.0),
        _ => (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max)),
    };
    Message::default()
        .double(1, least)
        .double(2, most)
        .double(3, number as f64)
        .double(4, finite().sum())
        .double(5, finite().map(|value| value * value).sum())
        .doubles(6, &limits[kept.clone()])
        .doubles(7, &counts[kept])
}
