//! The checks of a generator's arguments, made before anything is drawn. Messages have the names that users
//! write, without the dtype.

use crate::fail;

/// As `assert!`, with a message that names the layer it is in.
macro_rules! require {
    ($condition:expr, $($message:tt)*) => {
        // Not an `if !`: clippy takes a negated comparison of floats for a mistake, but NaN must fail here.
        match $condition {
            true => {}
            false => fail!($($message)*),
        }
    };
}

/// `low <= high`, and a finite range in the type (`f32` or `f64`) of the fill.
#[track_caller]
pub(super) fn uniform(low: f64, high: f64, range: f64) {
    require!(low <= high, "uniform: low {low:?} must not be above high {high:?}");
    require!(
        range.is_finite(),
        "uniform: the range from low {low:?} to high {high:?} must be finite in its type"
    );
}

#[track_caller]
pub(super) fn normal(std: f64) {
    require!(std >= 0.0, "normal: std {std:?} must be at least 0");
}

#[track_caller]
pub(super) fn randint(low: i64, high: i64) {
    require!(low < high, "randint: low {low} must be below high {high}");
}

#[track_caller]
pub(super) fn probability(p: f64) {
    require!((0.0..=1.0).contains(&p), "bernoulli: probability {p:?} must be between 0 and 1");
}

#[track_caller]
pub(super) fn probabilities(length: usize, probs: impl ExactSizeIterator<Item = f64>) {
    let given = probs.len();
    require!(
        given == length,
        "bernoulli: {length} places to fill, but {given} probabilities; one each is needed"
    );
    for (i, p) in probs.enumerate() {
        require!(
            (0.0..=1.0).contains(&p),
            "bernoulli: probability {p:?} at index {i} must be between 0 and 1"
        );
    }
}

#[track_caller]
pub(super) fn exponential(lambda: f64) {
    require!(lambda > 0.0, "exponential: lambda {lambda:?} must be above 0");
}

/// `total` is the sum of the weights in their own type, which must not overflow.
#[track_caller]
pub(super) fn multinomial(
    weights: impl ExactSizeIterator<Item = f64>,
    total: f64,
    k: usize,
    replacement: bool,
) {
    let length = weights.len();
    let mut positive = 0;
    for (i, w) in weights.enumerate() {
        require!(
            w.is_finite() && w >= 0.0,
            "multinomial: weight {w:?} at index {i} must be finite and at least 0"
        );
        positive += usize::from(w > 0.0);
    }
    require!(k > 0, "multinomial: 0 draws asked for; at least 1 is needed");
    require!(positive > 0, "multinomial: the sum of the {length} weights is 0; at least one must be above 0");
    require!(total.is_finite(), "multinomial: the sum of the {length} weights overflows its type");
    require!(
        replacement || k <= positive,
        "multinomial: {k} draws without replacement from {positive} weights above 0 (of {length})"
    );
}

/// The place of a stream in its id: 24 bits of step, 32 of index.
#[track_caller]
pub(super) fn stream(step: u64, index: u64) {
    require!(step < 1 << 24, "stream: step {step} must be below 2^24 = 16777216");
    require!(index < 1 << 32, "stream: index {index} must be below 2^32 = 4294967296");
}
