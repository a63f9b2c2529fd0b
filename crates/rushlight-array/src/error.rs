use std::fmt;
use std::path::PathBuf;

/// What can go wrong for reasons outside the program: files, data sets, worker threads.
///
/// Mistakes that the caller could have known from their own program (shapes, dtypes, index ranges)
/// are not errors but panics at the caller's line.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    Io {
        /// The file in question.
        path: PathBuf,
        /// The system's own reason.
        source: std::io::Error,
    },
    /// Bytes, text or arguments from outside do not have the form they must have.
    Invalid {
        /// What was read or asked for.
        what: String,
        /// Why it is not valid.
        reason: String,
    },
    /// A data set could not give one of its samples.
    Sample {
        /// The sample's index in the data set.
        index: usize,
        /// The data set's own error, or a text with the message of its panic.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// An [`Error::Invalid`] from two texts.
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Invalid { what: what.into(), reason: reason.into() }
    }

    /// An [`Error::Sample`] from an error of any type, or from a text.
    pub fn sample(index: usize, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Sample { index, source: source.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Error::Invalid { what, reason } => write!(f, "{what}: {reason}"),
            Error::Sample { index, source } => write!(f, "sample {index}: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Sample { source, .. } => Some(&**source),
            Error::Invalid { .. } => None,
        }
    }
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
