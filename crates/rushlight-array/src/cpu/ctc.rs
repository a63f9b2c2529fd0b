//! Connectionist temporal classification: the sum over all alignments of a label sequence with the time steps, by the
//! forward and backward recursions (Graves et al., "Connectionist temporal classification: labelling unsegmented
//! sequence data with recurrent neural networks", 2006), in logarithms.
//!
//! A sample has `S` labels; between them, before and after lie blanks, so a path moves through `2 S + 1` states. In
//! each step it stays, moves to the next state, or skips a blank between two labels that differ.

use super::contiguous;
use super::float::Float;
use super::softmax::{slice, with_float};
use crate::array::Array;
use crate::backend::Ctc;
use crate::dtype::DType;
use crate::shape::Shape;

/// The losses of all samples.
pub(crate) fn losses(x: &Array, task: &Ctc) -> Array {
    let x = contiguous(x);
    with_float!(x, sample_losses(&x, task))
}

fn sample_losses<T: Float>(x: &Array, task: &Ctc) -> Array {
    let samples = x.shape()[1];
    Array::build(samples, |out: &mut [T]| {
        for (n, out) in out.iter_mut().enumerate() {
            let sample = Sample::<T>::new(x, task, n);
            *out = -sample.total(&sample.forward());
        }
    })
}

/// The gradient with respect to the log-probabilities, from that of the losses.
pub(crate) fn gradient(x: &Array, task: &Ctc, grad: &Array) -> Array {
    let x = contiguous(x);
    with_float!(x, sample_gradients(&x, task, &grad.to_vec()))
}

fn sample_gradients<T: Float>(x: &Array, task: &Ctc, grad: &[T]) -> Array {
    let shape: &Shape = x.shape();
    let (samples, classes) = (shape[1], shape[2]);
    Array::build(shape, |out: &mut [T]| {
        out.fill(T::ZERO);
        let mut shares = vec![T::NEG_INFINITY; classes];
        for (n, &grad) in grad.iter().enumerate() {
            let sample = Sample::<T>::new(x, task, n);
            let (before, after) = (sample.forward(), sample.backward());
            let total = sample.total(&before);
            if task.zero_infinity && total == T::NEG_INFINITY {
                continue;
            }
            for t in 0..sample.steps {
                // For each class the paths that are in one of its states at this time.
                shares.fill(T::NEG_INFINITY);
                for s in (0..sample.states).rev() {
                    let paths = before[t * sample.states + s] + after[t * sample.states + s];
                    let class = sample.class(s);
                    shares[class] = log_sum([shares[class], paths]);
                }
                let out = &mut out[(t * samples + n) * classes..][..classes];
                for ((c, out), &share) in out.iter_mut().enumerate().zip(&shares) {
                    let log_prob = sample.log_prob(t, c);
                    *out = grad * (log_prob.exp() - (share - total - log_prob).exp());
                }
            }
        }
    })
}

/// One sample of the batch.
struct Sample<'a, T> {
    log_probs: &'a [T],
    /// From one time step to the next.
    stride: usize,
    steps: usize,
    labels: &'a [usize],
    states: usize,
    blank: usize,
}

impl<'a, T: Float> Sample<'a, T> {
    fn new(x: &'a Array, task: &'a Ctc, n: usize) -> Self {
        let (samples, classes) = (x.shape()[1], x.shape()[2]);
        let (labels, steps) = (&task.labels[n], task.steps[n]);
        Sample {
            log_probs: &slice(x)[n * classes..],
            stride: samples * classes,
            steps,
            labels,
            states: 2 * labels.len() + 1,
            blank: task.blank,
        }
    }

    /// The class of a state.
    fn class(&self, state: usize) -> usize {
        if state % 2 == 1 { self.labels[state / 2] } else { self.blank }
    }

    fn log_prob(&self, t: usize, class: usize) -> T {
        self.log_probs[t * self.stride + class]
    }

    /// Whether a path may come to a state from the one before the last.
    fn skips(&self, state: usize) -> bool {
        state % 2 == 1 && state >= 3 && self.labels[state / 2] != self.labels[state / 2 - 1]
    }

    /// The logarithm of the probability of all paths that are in a state after a step, that step included.
    fn forward(&self) -> Vec<T> {
        let states = self.states;
        let mut sums = vec![T::NEG_INFINITY; self.steps * states];
        for t in 0..self.steps {
            for s in 0..states {
                let come = if t == 0 {
                    if s < 2 { T::ZERO } else { T::NEG_INFINITY }
                } else {
                    let before = &sums[(t - 1) * states..][..states];
                    let next = if s >= 1 { before[s - 1] } else { T::NEG_INFINITY };
                    log_sum([before[s], next, if self.skips(s) { before[s - 2] } else { T::NEG_INFINITY }])
                };
                sums[t * states + s] = come + self.log_prob(t, self.class(s));
            }
        }
        sums
    }

    /// The logarithm of the probability of all rests of paths from a state on, its own step included.
    fn backward(&self) -> Vec<T> {
        let (states, steps) = (self.states, self.steps);
        let mut sums = vec![T::NEG_INFINITY; steps * states];
        for t in (0..steps).rev() {
            for s in 0..states {
                let go = if t + 1 == steps {
                    if s + 2 >= states { T::ZERO } else { T::NEG_INFINITY }
                } else {
                    let after = &sums[(t + 1) * states..][..states];
                    let next = if s + 1 < states { after[s + 1] } else { T::NEG_INFINITY };
                    let skips = s + 2 < states && self.skips(s + 2);
                    log_sum([after[s], next, if skips { after[s + 2] } else { T::NEG_INFINITY }])
                };
                sums[t * states + s] = go + self.log_prob(t, self.class(s));
            }
        }
        sums
    }

    /// The logarithm of the probability of all paths: those that end in the last label or the blank behind it.
    fn total(&self, forward: &[T]) -> T {
        if self.steps == 0 {
            // Without a step there is one path, and it has no label.
            return if self.labels.is_empty() { T::ZERO } else { T::NEG_INFINITY };
        }
        let last = &forward[(self.steps - 1) * self.states..];
        match self.states {
            1 => last[0],
            n => log_sum([last[n - 1], last[n - 2]]),
        }
    }
}

/// The logarithm of the sum of exponentials. The steps are PyTorch's, so that in `f32`, where long sequences leave
/// few digits to the gradient, it is off by the same roundings.
fn log_sum<T: Float, const N: usize>(terms: [T; N]) -> T {
    let most = terms.into_iter().fold(terms[0], |most, term| if term > most { term } else { most });
    // Minus infinity less itself would be NaN.
    if most == T::NEG_INFINITY {
        return most;
    }
    let sum = terms[1..].iter().fold((terms[0] - most).exp(), |sum, &term| sum + (term - most).exp());
    sum.ln() + most
}
