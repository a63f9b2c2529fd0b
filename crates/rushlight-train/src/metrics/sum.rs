//! A sum that is rounded once.

use rushlight_array::{Error, Result};
use rushlight_serialize::Value;

/// A sum of `f64` without rounding errors: what comes out is the exact sum, rounded once.
///
/// So the order of the numbers, and how they were divided into batches, do not matter. The sum is held as a few
/// numbers of decreasing size that do not overlap (J. R. Shewchuk, *Adaptive Precision Floating-Point Arithmetic and
/// Fast Robust Geometric Predicates*, 1997). NaN and infinities are kept beside it and win over it. Only where the exact
/// sum of some of the numbers leaves the range of `f64` does the result depend on their order: it is infinite or NaN.
///
/// ```
/// use rushlight_train::metrics::ExactSum;
/// let mut sum = ExactSum::default();
/// for x in [1e100, 1.0, -1e100, 2.0] {
///     sum.add(x);
/// }
/// assert_eq!(sum.value(), 3.0);
/// ```
#[derive(Clone, Default, Debug)]
pub struct ExactSum {
    /// From the smallest to the largest; none is zero.
    parts: Vec<f64>,
    /// The sum of what is not finite.
    special: f64,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            self.special += number;
            return;
        }
        let (mut carry, mut kept) = (number, 0);
        for i in 0..self.parts.len() {
            let (sum, error) = two_sum(carry, self.parts[i]);
            if !sum.is_finite() {
                self.special += sum;
                return;
            }
            if error != 0.0 {
                self.parts[kept] = error;
                kept += 1;
            }
            carry = sum;
        }
        self.parts.truncate(kept);
        if carry != 0.0 {
            self.parts.push(carry);
        }
    }

    /// Adds `a * b` without rounding the product.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        // Exact unless the product is below the smallest normal numbers, or too large.
        if product.is_finite() {
            self.add(a.mul_add(b, -product));
        }
    }

    /// The sum, rounded to the nearest `f64`, ties to even.
    pub fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let mut lower = self.parts.iter().rev().copied();
        let mut sum = lower.next().unwrap_or(0.0);
        while let Some(part) = lower.next() {
            let error;
            (sum, error) = two_sum(sum, part);
            if error != 0.0 {
                // A tie that was broken towards even, while what follows shows that it was no tie.
                let twice = 2.0 * error;
                let other = sum + twice;
                let next = lower.next().unwrap_or(0.0);
                if next * error > 0.0 && other - sum == twice {
                    sum = other;
                }
                break;
            }
        }
        sum
    }

    /// The sum as `high + low`, where `high` is [`value`](ExactSum::value): twice the digits.
    pub(crate) fn wide(&self) -> (f64, f64) {
        let high = self.value();
        let mut rest = self.clone();
        rest.add(-high);
        (high, rest.value())
    }

    /// The parts as a list, for a checkpoint.
    pub fn state(&self) -> Value {
        Value::map().with("parts", self.parts.clone()).with("special", self.special)
    }

    /// The sum of a [`state`](ExactSum::state).
    ///
    /// # Errors
    /// If it is none.
    pub fn from_state(state: &Value) -> Result<ExactSum> {
        let mut sum = ExactSum { parts: Vec::new(), special: state.get("special")?.float()? };
        let mut below = 0.0;
        for part in state.get("parts")?.list()? {
            let part = part.float()?;
            if !part.is_finite() || part.abs() <= below {
                return Err(Error::invalid("exact sum", "the parts do not rise"));
            }
            below = part.abs();
            sum.parts.push(part);
        }
        Ok(sum)
    }
}

/// The rounded sum and its error (D. E. Knuth, *The Art of Computer Programming* 2, 4.2.2).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: impl IntoIterator<Item = f64>) -> f64 {
        let mut sum = ExactSum::default();
        numbers.into_iter().for_each(|number| sum.add(number));
        sum.value()
    }

    #[test]
    fn a_sum_is_the_nearest_number_to_the_exact_one() {
        assert_eq!(sum([0.1; 10]), 1.0);
        assert_eq!(sum([1.0, 1e-16, 1e-16]), 1.0 + f64::EPSILON);
        // 1 + 2^-53 is a tie, broken to 1; whatever lies above it is not.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum([1.0, half]), 1.0);
        assert_eq!(sum([1.0, half, 1e-300]), 1.0 + f64::EPSILON);
        assert_eq!(sum([1.0, half, -1e-300]), 1.0);
        assert_eq!(sum([]), 0.0);
    }

    #[test]
    fn the_order_does_not_matter() {
        let numbers: Vec<f64> = (1..2000).map(|i| f64::from(i).sin() * 10f64.powi(i % 40 - 20)).collect();
        let forward = sum(numbers.iter().copied());
        assert_eq!(forward.to_bits(), sum(numbers.iter().rev().copied()).to_bits());
        assert_eq!(forward, -sum(numbers.iter().map(|x| -x)));
    }

    #[test]
    fn products_are_added_without_rounding() {
        let mut sum = ExactSum::default();
        let x = 1.0 + f64::EPSILON;
        sum.add_product(x, x);
        sum.add(-1.0);
        sum.add(-2.0 * f64::EPSILON);
        assert_eq!(sum.value(), f64::EPSILON * f64::EPSILON);
    }

    #[test]
    fn what_is_not_finite_wins() {
        assert!(sum([1.0, f64::NAN, 2.0]).is_nan());
        assert_eq!(sum([f64::INFINITY, -1e300]), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }

    #[test]
    fn a_state_goes_on_with_the_same_bits_and_nonsense_is_refused() {
        let mut all = ExactSum::default();
        let mut resumed = ExactSum::default();
        for i in 0..100 {
            let x = f64::from(i).exp().recip() - 0.3;
            all.add(x);
            resumed = ExactSum::from_state(&resumed.state()).unwrap();
            resumed.add(x);
        }
        assert_eq!(all.value().to_bits(), resumed.value().to_bits());
        let bad = Value::map().with("parts", [2.0, 1.0]).with("special", 0.0);
        assert!(ExactSum::from_state(&bad).is_err());
        assert!(ExactSum::from_state(&Value::None).is_err());
    }
}
