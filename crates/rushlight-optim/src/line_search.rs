//! The line search of L-BFGS: a step that meets the strong Wolfe conditions.

use rushlight_array::Array;

/// A place on the line: how far, the value there, the gradient, and its slope along the line.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) t: f64,
    pub(crate) value: f64,
    pub(crate) grad: Array,
    pub(crate) slope: f64,
}

/// The factor of sufficient decrease.
const DECREASE: f64 = 1e-4;
/// The factor by which the slope must fall.
const CURVATURE: f64 = 0.9;

/// The smallest point of the cubic through two places, kept inside of the bounds.
fn cubic(a: &Place, b: &Place, bounds: Option<(f64, f64)>) -> f64 {
    let (low, high) = bounds.unwrap_or((a.t.min(b.t), a.t.max(b.t)));
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    // Also where it is NaN.
    if square.is_nan() || square < 0.0 {
        return f64::midpoint(low, high);
    }
    let d2 = square.sqrt();
    let place = if a.t <= b.t {
        b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
    } else {
        a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2.0 * d2))
    };
    place.max(low).min(high)
}

/// Searches from `start`, where `t` is 0, with the first guess `t`: Nocedal & Wright, "Numerical optimization", 2006,
/// algorithms 3.5 and 3.6, with the safeguards of PyTorch's. Gives the place and the number of evaluations.
///
/// `reach` is the greatest element of the direction, `tolerance` the smallest change of a parameter that counts, and `most`
/// bounds the evaluations.
pub(crate) fn strong_wolfe(
    start: &Place,
    t: f64,
    reach: f64,
    tolerance: f64,
    most: usize,
    mut at: impl FnMut(f64) -> Place,
) -> (Place, usize) {
    let mut new = at(t);
    let (mut evaluations, mut turns) = (1, 0);
    let too_high = |place: &Place| place.value > start.value + DECREASE * place.t * start.slope;
    let flat = |place: &Place| place.slope.abs() <= -CURVATURE * start.slope;

    // A bracket around a good place, unless one is found on the way.
    let mut before = start.clone();
    let mut bracket = loop {
        if turns == most {
            break [start.clone(), new];
        }
        if too_high(&new) || (turns > 1 && new.value >= before.value) {
            break [before, new];
        }
        if flat(&new) {
            return (new, evaluations);
        }
        if new.slope >= 0.0 {
            break [before, new];
        }
        let bounds = (new.t + 0.01 * (new.t - before.t), new.t * 10.0);
        let t = cubic(&before, &new, Some(bounds));
        before = std::mem::replace(&mut new, at(t));
        evaluations += 1;
        turns += 1;
    };

    // The bracket shrinks around it.
    // The second where values do not compare, as in PyTorch.
    let lower = |[a, b]: &[Place; 2]| if a.value <= b.value { 0 } else { 1 };
    let (mut low, mut stuck) = (lower(&bracket), false);
    while turns < most {
        let (left, right) = (bracket[0].t.min(bracket[1].t), bracket[0].t.max(bracket[1].t));
        if (right - left) * reach < tolerance {
            break;
        }
        let mut t = cubic(&bracket[0], &bracket[1], None);
        let margin = 0.1 * (right - left);
        if (right - t).min(t - left) < margin {
            // So near to an end for the second time, or at it, that it would not shrink.
            if stuck || t >= right || t <= left {
                t = if (t - right).abs() < (t - left).abs() { right - margin } else { left + margin };
                stuck = false;
            } else {
                stuck = true;
            }
        } else {
            stuck = false;
        }
        let new = at(t);
        evaluations += 1;
        turns += 1;
        if too_high(&new) || new.value >= bracket[low].value {
            bracket[1 - low] = new;
            low = lower(&bracket);
            continue;
        }
        let done = flat(&new);
        if !done && new.slope * (bracket[1 - low].t - bracket[low].t) >= 0.0 {
            bracket[1 - low] = bracket[low].clone();
        }
        bracket[low] = new;
        if done {
            break;
        }
    }
    let [first, second] = bracket;
    (if low == 0 { first } else { second }, evaluations)
}
