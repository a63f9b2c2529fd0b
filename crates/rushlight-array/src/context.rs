//! Where in a model an operation runs, so that its panic message can say so.
//!
//! Layers push a [`Frame`] while their forward pass runs; [`fail`] puts the innermost one before its
//! message. The stack is per thread and costs a few nanoseconds when nothing goes wrong.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// One layer on the way from the model to the operation that runs now.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The qualified name of the module (`layers`), empty while it has none.
    pub path: Arc<str>,
    /// The position of a child within the module, for containers.
    pub child: Option<usize>,
    /// The type of the layer: `Linear`.
    pub kind: &'static str,
    /// Where the layer was called.
    pub caller: &'static Location<'static>,
}

thread_local! {
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Takes its frame off the stack when dropped, also while unwinding.
#[derive(Debug)]
pub struct Guard(());

/// Pushes a frame until the guard is dropped.
pub fn enter(frame: Frame) -> Guard {
    FRAMES.with_borrow_mut(|frames| frames.push(frame));
    Guard(())
}

impl Drop for Guard {
    fn drop(&mut self) {
        FRAMES.with_borrow_mut(|frames| frames.pop());
    }
}

/// `in layers.2 (Linear), called at src/main.rs:12: `, or nothing outside of any layer.
fn prefix() -> String {
    FRAMES.with_borrow(|frames| {
        let (Some(inner), Some(outer)) = (frames.last(), frames.first()) else { return String::new() };
        let path = frames.iter().rev().find_map(|frame| match frame.child {
            Some(i) if frame.path.is_empty() => Some(i.to_string()),
            Some(i) => Some(format!("{}.{i}", frame.path)),
            None if frame.path.is_empty() => None,
            None => Some(frame.path.to_string()),
        });
        let place = match path {
            Some(path) => format!("{path} ({})", inner.kind),
            None => inner.kind.to_string(),
        };
        format!("in {place}, called at {}:{}: ", outer.caller.file(), outer.caller.line())
    })
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
