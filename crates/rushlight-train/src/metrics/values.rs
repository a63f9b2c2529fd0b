//! Outputs and targets as plain numbers, in row-major order.

use rushlight_array::{DType, Device, fail};
use rushlight_autograd::Tensor;

/// Elements as f64, which holds every float of this library.
pub(super) fn floats(tensor: &Tensor) -> Vec<f64> {
    tensor.detach().to(Device::cpu()).to(DType::F64).to_vec()
}

/// The sizes of a tensor.
pub(super) fn sizes(tensor: &Tensor) -> Vec<usize> {
    tensor.shape().iter().copied().collect()
}

/// Targets or predictions that are classes.
#[track_caller]
pub(super) fn classes(what: &str, tensor: &Tensor) -> Vec<i64> {
    if tensor.dtype().is_float() {
        fail!("{what}: classes are of dtype {}; they must be integers", tensor.dtype());
    }
    tensor.detach().to(Device::cpu()).to(DType::I64).to_vec()
}

/// Outputs and targets of one element each.
#[track_caller]
pub(super) fn pairs(what: &str, output: &Tensor, target: &Tensor) -> Vec<(f64, f64)> {
    let (a, b) = (sizes(output), sizes(target));
    if a != b {
        fail!("{what}: output {a:?} and target {b:?} must have the same shape");
    }
    floats(output).into_iter().zip(floats(target)).collect()
}

/// What kind of decision is counted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Task {
    /// One of so many classes; 0 where any number will do.
    Classes(usize),
    /// Yes where a score is above a threshold.
    Binary(f64),
}

/// Decided classes beside the true ones, without those that are ignored.
#[track_caller]
pub(super) fn decisions(
    what: &str,
    task: Task,
    ignore_index: Option<i64>,
    output: &Tensor,
    target: &Tensor,
) -> Vec<(usize, usize)> {
    let (predicted, actual) = match task {
        Task::Classes(count) => (decided(what, count, output, target), classes(what, target)),
        Task::Binary(threshold) => {
            (decided_binary(what, threshold, output, target), yes_or_no(what, target, ignore_index))
        }
    };
    let kept = predicted.into_iter().zip(actual).filter(|(_, actual)| Some(*actual) != ignore_index);
    let count = match task {
        Task::Classes(0) => usize::MAX,
        Task::Classes(count) => count,
        Task::Binary(_) => 2,
    };
    let class = |name: &str, class: i64| match usize::try_from(class) {
        Ok(class) if class < count => class,
        _ if count == usize::MAX => fail!("{what}: {name} holds the class {class}; classes count from 0"),
        _ => fail!("{what}: {name} holds the class {class}; there are {count}, from 0"),
    };
    kept.map(|(predicted, actual)| (class("output", predicted), class("target", actual))).collect()
}

#[track_caller]
fn decided(what: &str, count: usize, output: &Tensor, target: &Tensor) -> Vec<i64> {
    let (scores, truth) = (sizes(output), sizes(target));
    if scores == truth && !output.dtype().is_float() {
        return classes(what, output);
    }
    let fits = scores.len() == truth.len() + 1
        && scores.first() == truth.first()
        && scores.get(2..) == truth.get(1..);
    if !fits || !output.dtype().is_float() {
        fail!(
            "{what}: output {scores:?} of {} does not go with target {truth:?}; scores are (N, C, ...), or classes as \
             integers (N, ...), where the target is (N, ...)",
            output.dtype()
        );
    }
    if count != 0 && scores[1] != count {
        fail!("{what}: output {scores:?} has scores of {} classes, but the metric counts {count}", scores[1]);
    }
    if truth.contains(&0) {
        return Vec::new();
    }
    output.detach().argmax_dim(1, false).to(Device::cpu()).to_vec()
}

#[track_caller]
fn decided_binary(what: &str, threshold: f64, output: &Tensor, target: &Tensor) -> Vec<i64> {
    let (scores, truth) = (sizes(output), sizes(target));
    if scores.len() == 2 && truth.len() == 1 && scores[0] == truth[0] && scores[1] == 2 {
        return decided(what, 2, output, target);
    }
    one_each(what, &scores, &truth);
    if output.dtype().is_float() {
        floats(output).into_iter().map(|score| i64::from(score > threshold)).collect()
    } else {
        classes(what, output)
    }
}

/// A score for each sample: the shapes are the same, but for an axis of one score.
#[track_caller]
pub(super) fn one_each(what: &str, scores: &[usize], truth: &[usize]) {
    let column = scores.len() == truth.len() + 1 && scores.last() == Some(&1);
    let same = scores == truth || (column && &scores[..truth.len()] == truth);
    let turned =
        truth.len() == scores.len() + 1 && truth.last() == Some(&1) && &truth[..scores.len()] == scores;
    if !same && !turned {
        fail!(
            "{what}: output {scores:?} does not go with target {truth:?}; there must be one score for each target"
        );
    }
}

/// Targets of two classes, which may be floats, as those of `binary_cross_entropy` are.
#[track_caller]
pub(super) fn yes_or_no(what: &str, target: &Tensor, ignore_index: Option<i64>) -> Vec<i64> {
    if !target.dtype().is_float() {
        return classes(what, target);
    }
    let class = |value: f64| match value {
        0.0 => 0,
        1.0 => 1,
        other if ignore_index.is_some_and(|ignored| ignored as f64 == other) => other as i64,
        other => fail!("{what}: target holds {other}; of two classes one is 0 and one is 1"),
    };
    floats(target).into_iter().map(class).collect()
}
