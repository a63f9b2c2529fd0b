//! Why bytes are not what they must be, and where.

use rushlight_array::Error;

/// What a parser found, without the name of the file.
#[derive(Debug)]
pub(crate) struct Fault {
    at: u64,
    reason: String,
}

pub(crate) type Parsed<T> = Result<T, Fault>;

impl Fault {
    /// A fault at a byte of the file, or of a part of it: see [`Fault::within`].
    pub(crate) fn new(at: usize, reason: impl Into<String>) -> Fault {
        Fault { at: at as u64, reason: reason.into() }
    }

    /// The same fault as seen from the file in which the part begins at `start`.
    pub(crate) fn within(self, start: usize) -> Fault {
        Fault { at: self.at + start as u64, ..self }
    }

    /// The same fault at another byte.
    pub(crate) fn at(self, at: usize) -> Fault {
        Fault { at: at as u64, ..self }
    }

    /// The same fault with what it is about in front: `tensor head.bias: ...`.
    pub(crate) fn about(self, what: &str) -> Fault {
        Fault { reason: format!("{what}: {}", self.reason), ..self }
    }

    /// The error that users see: file, offset, reason.
    pub(crate) fn of(self, file: &str) -> Error {
        Error::invalid(file, format!("byte {}: {}", self.at, self.reason))
    }
}

/// Returns a [`Fault`] from the parser that it stands in.
macro_rules! bail {
    ($at:expr, $($arg:tt)*) => { return Err($crate::fault::Fault::new($at, format!($($arg)*))) };
}
pub(crate) use bail;
