//! Where in a model an operation runs, so that its panic message can say so.
//!
//! Layers push a [`Frame`] while their forward pass runs; [`fail`] puts the innermost one before its
//! message. The stack is per thread and costs a few nanoseconds when nothing goes wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// A name that is kept for the whole program and stands for itself as a number: frames are pushed all the time and
/// read almost never, so a push must not touch a reference count. Names of modules are few.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Name(u32);

/// The names in the order of their numbers, and the numbers by name.
type Names = (Vec<&'static str>, BTreeMap<&'static str, u32>);

static NAMES: Mutex<Names> = Mutex::new((Vec::new(), BTreeMap::new()));

impl Name {
    /// The name of this text; the same for the same text.
    ///
    /// ```
    /// use rushlight_array::context::Name;
    /// assert_eq!(Name::new("layers.0").as_str(), "layers.0");
    /// assert_eq!(Name::new("layers.0"), Name::new("layers.0"));
    /// assert_eq!(Name::default().as_str(), "");
    /// ```
    pub fn new(text: &str) -> Name {
        if text.is_empty() {
            return Name(0);
        }
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let (list, numbers) = &mut *names;
        if let Some(&number) = numbers.get(text) {
            return Name(number);
        }
        let name: &'static str = Box::leak(text.into());
        list.push(name);
        let number = u32::try_from(list.len()).expect("fewer than 2^32 names");
        numbers.insert(name, number);
        Name(number)
    }

    /// The text.
    pub fn as_str(self) -> &'static str {
        let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.checked_sub(1).map_or("", |place| names.0[place as usize])
    }
}

/// A place for a name that can be changed while others read it.
#[derive(Debug, Default)]
pub struct NameCell(AtomicU32);

impl NameCell {
    /// The name of now; the empty one at first.
    #[inline]
    pub fn get(&self) -> Name {
        Name(self.0.load(Ordering::Relaxed))
    }

    /// Changes the name.
    pub fn set(&self, name: Name) {
        self.0.store(name.0, Ordering::Relaxed);
    }
}

/// One layer on the way from the model to the operation that runs now.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The qualified name of the module (`layers`), empty while it has none.
    pub path: Name,
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
    let Some(place) = place() else { return String::new() };
    FRAMES.with_borrow(|frames| match frames.first() {
        Some(outer) => format!("in {place}, called at {}:{}: ", outer.caller.file(), outer.caller.line()),
        None => String::new(),
    })
}

/// The layer that runs now on this thread, as messages name it: `layers.2 (Linear)`; nothing outside of any layer.
pub fn place() -> Option<String> {
    FRAMES.with_borrow(|frames| {
        let inner = frames.last()?;
        Some(match frames.iter().rev().find_map(|frame| Some((frame.place()?, frame.kind))) {
            Some((path, kind)) if kind == inner.kind => format!("{path} ({kind})"),
            Some((path, kind)) => format!("{path} ({kind}), {}", inner.kind),
            None => inner.kind.to_string(),
        })
    })
}

impl Frame {
    /// The qualified name of the module or of its child, if it is known.
    fn place(&self) -> Option<String> {
        match (self.path.as_str(), self.child) {
            ("", child) => child.map(|i| i.to_string()),
            (path, Some(i)) => Some(format!("{path}.{i}")),
            (path, None) => Some(path.to_string()),
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
        let frame =
            |&(path, child, kind): &(&str, _, _)| Frame { path: Name::new(path), child, kind, caller };
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
