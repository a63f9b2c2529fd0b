//! Where the time goes: a table of the operations of a program, or of a part of it, and a trace to look at.
//!
//! For a whole program set `RUSHLIGHT_PROFILE=1`: from its first operation on everything is recorded, and when
//! the program ends the table is printed to standard error and the trace is written to `rushlight-trace.json`
//! (`RUSHLIGHT_PROFILE=PATH.json` names another file). For a part of a program there is [`profile`]. The trace
//! opens in <https://ui.perfetto.dev> and in `chrome://tracing`.
//!
//! Operations announce themselves by [`span`]s. Spans of one thread nest: an operation's *self* time is its
//! time without that of the spans within it. Kernels are the innermost, named `exp kernel`; the operation that
//! called them, `exp` or `mul backward`, lies around them, so its self time is overhead.
//!
//! **One decision explained.** A span that nobody asked for costs one relaxed load and one branch: spans can
//! stay in the code, and a released program can be profiled as it is.

#[allow(unsafe_code, reason = "the C library's atexit, the only hook that a program's end has")]
mod exit;
pub(crate) mod kernels;
mod record;
mod table;
mod trace;

use crate::Error;
use record::{Session, Thread};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The work of one call, for the rates of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// Nominal traffic: the size of what is read and written, in bytes, as if nothing stayed in a cache.
    pub bytes: u64,
    /// Floating-point operations where they are the limit, as in a matrix product; else 0.
    pub flops: u64,
}

const OFF: u8 = 0;
const ON: u8 = 1;
/// Nobody has looked at `RUSHLIGHT_PROFILE` yet. Not 0, so that the first span takes the slow way and looks.
const UNKNOWN: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Ends its span when dropped. It belongs to its thread:
///
/// ```compile_fail,E0277
/// use rushlight_array::profile::{Work, span};
/// let span = span("load", Work::default);
/// std::thread::spawn(move || drop(span));
/// ```
#[derive(Debug)]
#[must_use = "the span ends when the guard is dropped"]
pub struct Span {
    /// How many spans were open on this thread, this one included; 0 if it is not recorded.
    depth: usize,
    of_thread: PhantomData<*const ()>,
}

/// Begins a span, to last until the guard is dropped; `work` is called only if someone profiles.
///
/// ```
/// use rushlight_array::profile::{Work, profile, span};
/// let ((), profile) = profile(|| {
///     let _span = span("load", || Work { bytes: 4096, flops: 0 });
/// });
/// assert_eq!(profile.ops()[0].name, "load");
/// ```
#[inline]
pub fn span(name: &'static str, work: impl FnOnce() -> Work) -> Span {
    span_of(name, "", work)
}

/// A span whose name is made of two texts, such as `linear` and `backward`.
#[inline]
pub fn span_of(name: &'static str, suffix: &'static str, work: impl FnOnce() -> Work) -> Span {
    let depth = if STATE.load(Ordering::Relaxed) == OFF { 0 } else { begin(name, suffix, work) };
    Span { depth, of_thread: PhantomData }
}

/// The span of a backend's kernel.
#[inline]
pub fn kernel(name: &'static str, work: impl FnOnce() -> Work) -> Span {
    span_of(name, "kernel", work)
}

#[cold]
#[inline(never)]
fn begin(name: &'static str, suffix: &'static str, work: impl FnOnce() -> Work) -> usize {
    if is_wanted() { record::begin(record::Name { name, suffix }, work()) } else { 0 }
}

/// Whether anyone profiles. Not inlined, as what it calls: a program has [`begin`] for each kernel.
#[inline(never)]
fn is_wanted() -> bool {
    record::look_at_the_variable();
    STATE.load(Ordering::Relaxed) != OFF
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if self.depth != 0 {
            record::end(self.depth);
        }
    }
}

/// Runs `f` and tells where its time went.
///
/// What other threads do meanwhile is recorded too, such as loader workers. Calls may nest and overlap, and
/// work within a program that is profiled as a whole. A panic in `f` ends the recording and goes on.
///
/// ```
/// use rushlight_array::{Array, profile::profile};
/// let x = Array::new([[1.0, 2.0], [3.0, 4.0]]);
/// let (product, profile) = profile(|| x.matmul(&x));
/// assert_eq!(product.to_vec::<f32>(), [7.0, 10.0, 15.0, 22.0]);
/// let matmul = &profile.ops()[0];
/// assert_eq!((matmul.name.as_str(), matmul.calls, matmul.flops), ("matmul kernel", 1, 16));
/// println!("{profile}"); // the table
/// ```
pub fn profile<R>(f: impl FnOnce() -> R) -> (R, Profile) {
    record::look_at_the_variable();
    let session = Session::begin();
    let result = f();
    (result, session.profile(record::this_thread()))
}

/// What was recorded; its `Display` is the table, one line for each operation, longest self time first.
///
/// `share` is self time against wall time, so the shares of several busy threads may add up to more than 100 %.
#[derive(Clone, Debug)]
pub struct Profile {
    threads: Vec<Thread>,
    /// The number of the thread whose time outside of operations counts: the caller of [`profile`], or main.
    caller: Option<usize>,
    /// Nanoseconds on the clock of the events.
    start: u64,
    wall: Duration,
}

/// All calls of one operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpProfile {
    /// The name of its spans.
    pub name: String,
    /// How often it was called.
    pub calls: u64,
    /// The time within it. A call within another one of the same name is not added again.
    pub total: Duration,
    /// The time within it, but not within spans inside of it.
    pub own: Duration,
    /// Nominal traffic, in bytes.
    pub bytes: u64,
    /// Floating-point operations, where they were told.
    pub flops: u64,
}

impl Profile {
    /// The operations, longest self time first.
    pub fn ops(&self) -> Vec<OpProfile> {
        table::ops(self)
    }

    /// The time from the begin of the recording to its end.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// The part of [`Profile::wall`] in which the thread that called [`profile`] was in no span.
    pub fn outside(&self) -> Duration {
        self.wall.saturating_sub(table::busy(self))
    }

    /// The number of calls that are in the table but not in the trace: a process keeps the first million
    /// events, and of those after them only the sums.
    pub fn left_out(&self) -> u64 {
        self.threads.iter().flat_map(|thread| thread.left_out.iter()).map(|(_, sums)| sums.calls).sum()
    }

    /// Writes the trace in Chrome's format, one row for each thread. The file appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_trace(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        trace::write(self, path.as_ref())
    }
}
