//! Which operation was the first to give what is not a number: `torch.autograd.detect_anomaly`, and its place in the model.

use rushlight_array::context;
use rushlight_array::{Array, DType};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;

/// The first operations that gave a value that is not finite, as [`detect_anomaly`] found them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Anomalies {
    /// The first that gave a NaN.
    pub nan: Option<Anomaly>,
    /// The first that gave an infinity. Some are meant, as in the mask of an attention.
    pub infinity: Option<Anomaly>,
}

impl Anomalies {
    /// The one to look at first: the infinity where it came before the NaN that it led to, or stands alone, is what an
    /// overflow looks like, but may be meant; so it is the NaN, if there is one.
    pub fn first(&self) -> Option<&Anomaly> {
        self.nan.as_ref().or(self.infinity.as_ref())
    }
}

/// An operation that gave a value that is not finite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Anomaly {
    /// The operation, as [`Op::name`](crate::Op::name) says it.
    pub op: &'static str,
    /// Whether its backward rule did it.
    pub backward: bool,
    /// The module it ran in, `layers.2 (Linear)`, if it ran in one.
    pub module: Option<String>,
    /// Which of its results: 0 for the value, or the place of the input whose gradient it is.
    pub place: usize,
    /// Whether what the operation was given had such a value already: it came from data, from a parameter, or, where
    /// nobody watched, from outside of any operation.
    pub given: bool,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Anomaly { op, backward, module, place, given, .. } = self;
        match backward {
            true => write!(f, "the gradient that `{op}` gave its input {place}")?,
            false => write!(f, "the result of `{op}`")?,
        }
        match module {
            Some(module) => write!(f, " in {module}")?,
            None => write!(f, ", outside of any module")?,
        }
        match given {
            true => write!(f, ", whose input had such a value already"),
            false => Ok(()),
        }
    }
}

/// What has been seen while [`detect_anomaly`] runs.
#[derive(Default)]
struct Watch {
    found: Anomalies,
    /// Where the recorded operations ran, by node.
    places: HashMap<u64, String>,
    /// Backward passes that are running: what the rules' own operations give is seen as what the rule gives.
    passes: usize,
}

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static WATCH: RefCell<Watch> = RefCell::default();
}

/// Runs `f` and looks at the results of all operations on this thread, forward and backward.
///
/// It makes every operation much slower, and is meant for a step that is known to go wrong. Calls do not nest: the inner
/// one takes the anomalies.
///
/// ```
/// use rushlight_autograd::{detect_anomaly, tensor};
/// let x = tensor([4.0, 0.0]).requires_grad_();
/// // The root of 0 has an infinite slope, and 0 times infinity is not a number.
/// let ((), found) = detect_anomaly(|| (x.sqrt() * 0.0).sum().backward());
/// let first = found.first().unwrap();
/// assert_eq!((first.op, first.backward), ("sqrt", true));
/// assert_eq!(first.to_string(), "the gradient that `sqrt` gave its input 0, outside of any module");
/// ```
pub fn detect_anomaly<R>(f: impl FnOnce() -> R) -> (R, Anomalies) {
    /// Ends the watch, also by a panic.
    struct End(bool);
    impl Drop for End {
        fn drop(&mut self) {
            WATCHING.set(self.0);
            WATCH.with_borrow_mut(|watch| *watch = Watch::default());
        }
    }
    let end = End(WATCHING.replace(true));
    WATCH.with_borrow_mut(|watch| *watch = Watch::default());
    let result = f();
    let found = WATCH.with_borrow_mut(|watch| std::mem::take(&mut watch.found));
    drop(end);
    (result, found)
}

/// Whether [`detect_anomaly`] watches this thread's operations.
///
/// ```
/// use rushlight_autograd::{detect_anomaly, is_anomaly_enabled};
/// assert!(!is_anomaly_enabled() && detect_anomaly(is_anomaly_enabled).0);
/// ```
#[inline]
pub fn is_anomaly_enabled() -> bool {
    WATCHING.get()
}

/// An operation gave a result.
#[cold]
pub(crate) fn forward(op: &'static str, inputs: &[&Array], output: &Array) {
    let state = Numbers::of(output);
    WATCH.with_borrow_mut(|watch| {
        if watch.passes > 0 {
            return;
        }
        watch.note(state, || Anomaly {
            op,
            backward: false,
            module: context::place(),
            place: 0,
            given: inputs.iter().any(|input| Numbers::of(input).covers(state)),
        });
    });
}

/// An operation was recorded under this id.
#[cold]
pub(crate) fn recorded(id: u64) {
    if let Some(place) = context::place() {
        WATCH.with_borrow_mut(|watch| watch.places.insert(id, place));
    }
}

/// A backward pass, until it is dropped.
pub(crate) struct Pass(bool);

/// A backward pass begins.
pub(crate) fn pass() -> Pass {
    if is_anomaly_enabled() {
        WATCH.with_borrow_mut(|watch| watch.passes += 1);
    }
    Pass(is_anomaly_enabled())
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.0 {
            WATCH.with_borrow_mut(|watch| watch.passes = watch.passes.saturating_sub(1));
        }
    }
}

/// A backward rule gave input `place` a gradient, from the one that it was given.
#[cold]
pub(crate) fn backward(op: &'static str, id: u64, given: &Array, place: usize, grad: &Array) {
    let state = Numbers::of(grad);
    WATCH.with_borrow_mut(|watch| {
        let module = watch.places.get(&id).cloned();
        watch.note(state, || Anomaly {
            op,
            backward: true,
            module,
            place,
            given: Numbers::of(given).covers(state),
        });
    });
}

impl Watch {
    fn note(&mut self, state: Numbers, anomaly: impl FnOnce() -> Anomaly) {
        let place = match state {
            Numbers { nan: true, .. } => &mut self.found.nan,
            Numbers { infinite: true, .. } => &mut self.found.infinity,
            _ => return,
        };
        place.get_or_insert_with(anomaly);
    }
}

/// What an array has among its numbers.
#[derive(Clone, Copy)]
struct Numbers {
    nan: bool,
    infinite: bool,
}

impl Numbers {
    fn of(array: &Array) -> Numbers {
        if !array.dtype().is_float() {
            return Numbers { nan: false, infinite: false };
        }
        let values = array.cast(DType::F64).to_vec::<f64>();
        Numbers {
            nan: values.iter().any(|value| value.is_nan()),
            infinite: values.iter().any(|value| value.is_infinite()),
        }
    }

    /// Whether a NaN, or else an infinity, was there before.
    fn covers(self, later: Numbers) -> bool {
        self.nan || (!later.nan && self.infinite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor;

    #[test]
    fn the_first_nan_is_found_behind_an_infinity_that_is_meant() {
        let x = tensor([1.0, 2.0]).requires_grad_();
        let ((), found) = detect_anomaly(|| {
            let masked = &x + tensor([f32::NEG_INFINITY, 0.0]);
            let _ = masked.softmax(0);
            let _ = (&x - 5.0).log() + &x;
        });
        let nan = found.nan.as_ref().unwrap();
        assert_eq!((nan.op, nan.given, nan.backward), ("log", false, false));
        let infinity = found.infinity.as_ref().unwrap();
        assert_eq!((infinity.op, infinity.given), ("add", true));
        assert_eq!(found.first(), Some(nan));
    }

    #[test]
    fn operators_that_reuse_their_operand_are_watched_too() {
        let zero = tensor([0.0]);
        let ((), found) = detect_anomaly(|| drop((&zero * 1.0) / &zero));
        assert_eq!(found.nan.unwrap().op, "div");
    }

    #[test]
    fn finite_steps_have_no_anomaly_and_the_watch_ends_by_a_panic() {
        let x = tensor([1.0, 2.0]).requires_grad_();
        assert_eq!(detect_anomaly(|| (&x * &x).sum().backward()).1, Anomalies::default());
        let caught = std::panic::catch_unwind(|| detect_anomaly(|| panic!("on purpose")));
        assert!(caught.is_err() && !is_anomaly_enabled());
    }
}
