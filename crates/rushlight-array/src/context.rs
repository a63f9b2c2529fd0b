//! Where in a model an operation runs, so that its panic message can say so.
//!
//! Layers push a [`Frame`] while their forward pass runs; [`fail`] puts the innermost one before its
//! message. The stack is per thread and costs a few nanoseconds when nothing goes wrong.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

/// One layer on the way from the model to the operation that runs now.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The qualified name of the module (`layers`), empty while it has none.
    pub path: Arc<str>,
    /// The position of a child within the module, for containers.
    pub child: Option<usize>,
    /// The type of the layer, or of the child where there is one: `Linear`.
    pub kind: &'static str,
    /// Where the layer was called.
    pub caller: &'static Location<'static>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Takes its frame off the stack when dropped, also while unwinding. It stays on its thread, whose stack it is:
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<rushlight_array::context::Guard>();
/// ```
#[derive(Debug)]
pub struct Guard(PhantomData<*const ()>);

/// Pushes a frame until the guard is dropped.
pub fn enter(frame: Frame) -> Guard {
    FRAMES.with_borrow_mut(|frames| frames.push(frame));
    Guard(PhantomData)
}

impl Drop for Guard {
    fn drop(&mut self) {
        FRAMES.with_borrow_mut(|frames| frames.pop());
    }
}

/// `in layers.2 (Linear), called at src/main.rs:12: `, or nothing outside of any layer.
///
/// Where the layer has no path of its own yet, its place is the innermost one that is known, with the kind of
/// what stands there: `in 0 (Block), Linear` is a Linear somewhere inside of the Block that is module 0.
fn prefix() -> String {
    FRAMES.with_borrow(|frames| {
        let (Some(inner), Some(outer)) = (frames.last(), frames.first()) else { return String::new() };
        let place = match frames.iter().rev().find_map(|frame| Some((frame.place()?, frame.kind))) {
            Some((path, kind)) if kind == inner.kind => format!("{path} ({kind})"),
            Some((path, kind)) => format!("{path} ({kind}), {}", inner.kind),
            None => inner.kind.to_string(),
        };
        format!("in {place}, called at {}:{}: ", outer.caller.file(), outer.caller.line())
    })
}

impl Frame {
    /// The qualified name of the module or of its child, if it is known.
    fn place(&self) -> Option<String> {
        match self.child {
            Some(i) if self.path.is_empty() => Some(i.to_string()),
            Some(i) => Some(format!("{}.{i}", self.path)),
            None if self.path.is_empty() => None,
            None => Some(self.path.to_string()),
        }
    }
}

/// Panics at the caller's line with the message, preceded by the layer in which it happened.
///
/// # Panics
/// Always.
#[cold]
#[track_caller]
pub fn fail(message: fmt::Arguments<'_>) -> ! {
    panic!("{}{message}", prefix())
}

/// `fail!("add: shapes {a:?} and {b:?} do not broadcast")`: a panic that names the layer it is in.
#[macro_export]
macro_rules! fail {
    ($($arg:tt)*) => { $crate::context::fail(format_args!($($arg)*)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prefix inside of layers with these paths, children and kinds, up to the call's place.
    fn place(frames: &[(&str, Option<usize>, &'static str)]) -> String {
        let caller = Location::caller();
        let frame = |&(path, child, kind): &(&str, _, _)| Frame { path: path.into(), child, kind, caller };
        let _guards: Vec<Guard> = frames.iter().map(|f| enter(frame(f))).collect();
        prefix().split(", called at ").next().unwrap_or_default().to_string()
    }

    #[test]
    fn a_place_names_the_kind_that_stands_there() {
        let walked = [("layers", Some(2), "Linear"), ("layers.2", None, "Linear")];
        assert_eq!(place(&walked), "in layers.2 (Linear)");
        assert_eq!(place(&[("", Some(0), "Linear"), ("", None, "Linear")]), "in 0 (Linear)");
        // A Block of the user's own, which has no frame, before any walk and after it.
        assert_eq!(place(&[("", Some(0), "Block"), ("", None, "Linear")]), "in 0 (Block), Linear");
        assert_eq!(place(&[("", Some(0), "Block"), ("0.fc", None, "Linear")]), "in 0.fc (Linear)");
        assert_eq!(place(&[("", None, "Linear")]), "in Linear");
        assert_eq!(place(&[]), "");
    }

    #[test]
    fn a_frame_ends_with_its_guard() {
        let _ = place(&[("a", None, "Linear"), ("b", None, "Linear")]);
        assert_eq!(prefix(), "");
    }
}
