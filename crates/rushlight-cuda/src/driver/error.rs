//! What the driver answers when it can't.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;

/// An answer of the driver other than success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) c_int);

impl Failure {
    pub(crate) const OUT_OF_MEMORY: Failure = Failure(2);
}

/// The answer as a result.
pub(crate) fn check(code: c_int) -> Result<(), Failure> {
    if code == 0 { Ok(()) } else { Err(Failure(code)) }
}

impl fmt::Display for Failure {
    /// `invalid argument (CUDA_ERROR_INVALID_VALUE, 1)`, by the driver's own words if it has some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (words(self.0, super::cuGetErrorString), words(self.0, super::cuGetErrorName)) {
            (Some(text), Some(name)) => write!(f, "{text} ({name}, {})", self.0),
            _ => write!(f, "error {} of the driver", self.0),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

/// One of the two functions that put a code into words.
type Words = unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int;

fn words(code: c_int, ask: Words) -> Option<&'static str> {
    let mut text: *const c_char = std::ptr::null();
    // SAFETY: the driver writes the address of a text of its own, or leaves null.
    let answer = unsafe { ask(code, &raw mut text) };
    if answer != 0 || text.is_null() {
        return None;
    }
    // SAFETY: the driver's texts end with zero and stay as long as the driver, which is never unloaded.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
