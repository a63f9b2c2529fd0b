//! The checks of a generator's arguments, made before anything is drawn.

/// `low <= high`, and a finite range in the type (`f32` or `f64`) of the fill.
#[track_caller]
pub(super) fn uniform(op: &str, low: f64, high: f64, range: f64) {
    assert!(low <= high, "{op}: low {low:?} must not be above high {high:?}");
    assert!(
        range.is_finite(),
        "{op}: the range from low {low:?} to high {high:?} must be finite in its type"
    );
}

#[track_caller]
pub(super) fn normal(op: &str, std: f64) {
    assert!(std >= 0.0, "{op}: std {std:?} must be at least 0");
}

#[track_caller]
pub(super) fn randint(low: i64, high: i64) {
    assert!(low < high, "randint: low {low} must be below high {high}");
}

#[track_caller]
pub(super) fn probability(p: f64) {
    assert!((0.0..=1.0).contains(&p), "bernoulli: probability {p:?} must be between 0 and 1");
}

#[track_caller]
pub(super) fn probabilities(op: &str, length: usize, probs: impl ExactSizeIterator<Item = f64>) {
    let given = probs.len();
    assert!(given == length, "{op}: {length} places to fill, but {given} probabilities; one each is needed");
    for (i, p) in probs.enumerate() {
        assert!((0.0..=1.0).contains(&p), "{op}: probability {p:?} at index {i} must be between 0 and 1");
    }
}

#[track_caller]
pub(super) fn exponential(op: &str, lambda: f64) {
    assert!(lambda > 0.0, "{op}: lambda {lambda:?} must be above 0");
}

/// `total` is the sum of the weights in their own type, which must not overflow.
#[track_caller]
pub(super) fn multinomial(
    op: &str,
    weights: impl ExactSizeIterator<Item = f64>,
    total: f64,
    k: usize,
    replacement: bool,
) {
    let length = weights.len();
    let mut positive = 0;
    for (i, w) in weights.enumerate() {
        assert!(w.is_finite() && w >= 0.0, "{op}: weight {w:?} at index {i} must be finite and at least 0");
        positive += usize::from(w > 0.0);
    }
    assert!(k > 0, "{op}: 0 draws asked for; at least 1 is needed");
    assert!(positive > 0, "{op}: the sum of the {length} weights is 0; at least one must be above 0");
    assert!(total.is_finite(), "{op}: the sum of the {length} weights overflows its type");
    assert!(
        replacement || k <= positive,
        "{op}: {k} draws without replacement from {positive} weights above 0 (of {length})"
    );
}

/// The place of a stream in its id: 24 bits of step, 32 of index.
#[track_caller]
pub(super) fn stream(step: u64, index: u64) {
    assert!(step < 1 << 24, "stream: step {step} must be below 2^24 = 16777216");
    assert!(index < 1 << 32, "stream: index {index} must be below 2^32 = 4294967296");
}
