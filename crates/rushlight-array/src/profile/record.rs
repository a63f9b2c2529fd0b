//! Recording: each thread has a log of its own, and all logs stand in one list.

use super::{OFF, ON, Profile, STATE, Work, exit};
use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Events that a process keeps. Each takes 80 bytes, and viewers become slow with more.
const MOST_EVENTS: usize = 1_000_000;

/// The name of a span in its two parts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Name {
    pub(super) name: &'static str,
    pub(super) suffix: &'static str,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.suffix.is_empty() { Ok(()) } else { write!(f, " {}", self.suffix) }
    }
}

/// A span that has ended. Times are in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: Name,
    pub(super) start: u64,
    pub(super) duration: u64,
    pub(super) own: u64,
    pub(super) work: Work,
    /// A span of the same name lies around it.
    pub(super) repeated: bool,
}

/// Events added up. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) total: u64,
    pub(super) own: u64,
    pub(super) bytes: u64,
    pub(super) flops: u64,
}

impl Sums {
    pub(super) fn add_event(&mut self, event: &Event) {
        let Event { duration, own, work, .. } = *event;
        self.add(&Sums {
            calls: 1,
            total: if event.repeated { 0 } else { duration },
            own,
            bytes: work.bytes,
            flops: work.flops,
        });
    }

    pub(super) fn add(&mut self, other: &Sums) {
        self.combine(other, u64::wrapping_add);
    }

    fn combine(&mut self, other: &Sums, f: fn(u64, u64) -> u64) {
        self.calls = f(self.calls, other.calls);
        self.total = f(self.total, other.total);
        self.own = f(self.own, other.own);
        self.bytes = f(self.bytes, other.bytes);
        self.flops = f(self.flops, other.flops);
    }
}

/// Sums by name, in the order of the names: a few dozen, for which a hash table would be no faster and more code.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals(Vec<(Name, Sums)>);

impl Totals {
    /// The sums of a name, which begin with nothing.
    pub(super) fn of(&mut self, name: Name) -> &mut Sums {
        let place = self.0.binary_search_by(|(known, _)| known.cmp(&name)).unwrap_or_else(|place| {
            self.0.insert(place, (name, Sums::default()));
            place
        });
        &mut self.0[place].1
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, (Name, Sums)> {
        self.0.iter()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What was recorded on one thread.
#[derive(Clone, Debug)]
pub(super) struct Thread {
    /// From 1, in the order of their first spans.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) events: Vec<Event>,
    /// The sums of the events beyond the most that are kept.
    pub(super) left_out: Totals,
}

struct Registry {
    threads: Vec<Arc<Mutex<Thread>>>,
    started: usize,
    sessions: usize,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { threads: Vec::new(), started: 0, sessions: 0 });
/// The number of events in all logs.
static EVENTS: AtomicUsize = AtomicUsize::new(0);

/// A panic elsewhere leaves sums that are whole: nothing panics in between.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nanoseconds since the first call.
fn now() -> u64 {
    static ZERO: OnceLock<Instant> = OnceLock::new();
    ZERO.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// A span that has not ended.
struct Open {
    name: Name,
    start: u64,
    /// The time of the spans directly within it.
    children: u64,
    work: Work,
}

/// The recording side of a thread.
struct Recorder {
    thread: Arc<Mutex<Thread>>,
    stack: Vec<Open>,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

impl Recorder {
    fn new() -> Self {
        let mut registry = lock(&REGISTRY);
        registry.started += 1;
        let number = registry.started;
        let name = std::thread::current().name().map_or_else(|| format!("thread {number}"), str::to_owned);
        let thread = Thread { number, name, events: Vec::new(), left_out: Totals::default() };
        let thread = Arc::new(Mutex::new(thread));
        registry.threads.push(Arc::clone(&thread));
        Recorder { thread, stack: Vec::new() }
    }

    fn close(&mut self, open: &Open, end: u64) {
        let duration = end.saturating_sub(open.start);
        if let Some(parent) = self.stack.last_mut() {
            parent.children += duration;
        }
        let event = Event {
            name: open.name,
            start: open.start,
            duration,
            own: duration.saturating_sub(open.children),
            work: open.work,
            repeated: self.stack.iter().any(|outer| outer.name == open.name),
        };
        let mut thread = lock(&self.thread);
        if EVENTS.fetch_add(1, Ordering::Relaxed) < MOST_EVENTS {
            thread.events.push(event);
        } else {
            EVENTS.fetch_sub(1, Ordering::Relaxed);
            thread.left_out.of(event.name).add_event(&event);
        }
    }
}

/// Opens a span and gives the number of those that are open now; 0 while the thread ends and cannot record.
#[inline(never)]
pub(super) fn begin(name: Name, work: Work) -> usize {
    let depth = RECORDER.try_with(|recorder| {
        let mut recorder = recorder.borrow_mut();
        let stack = &mut recorder.get_or_insert_with(Recorder::new).stack;
        stack.push(Open { name, start: now(), children: 0, work });
        stack.len()
    });
    depth.unwrap_or(0)
}

/// Closes the span at this depth, and with it those whose guards were forgotten.
#[cold]
pub(super) fn end(depth: usize) {
    let end = now();
    // An error means that the thread ends; its log has what was closed before.
    let _ = RECORDER.try_with(|recorder| {
        let mut recorder = recorder.borrow_mut();
        let Some(recorder) = recorder.as_mut() else { return };
        while recorder.stack.len() >= depth {
            let Some(open) = recorder.stack.pop() else { return };
            recorder.close(&open, end);
        }
    });
}

/// The number of this thread, if it has recorded anything.
pub(super) fn this_thread() -> Option<usize> {
    let number = RECORDER.try_with(|r| r.borrow().as_ref().map(|r| lock(&r.thread).number));
    number.ok().flatten()
}

/// While it lives, spans are recorded.
pub(super) struct Session {
    start: u64,
    /// The sums at its start, by thread: those of another session, which began before this one.
    before: Vec<(usize, Totals)>,
}

impl Session {
    pub(super) fn begin() -> Session {
        let mut registry = lock(&REGISTRY);
        if registry.sessions == 0 {
            // A span that was open when the last session ended may have been closed since.
            registry.clear();
        }
        registry.sessions += 1;
        STATE.store(ON, Ordering::Relaxed);
        let sums = |thread: &Arc<Mutex<Thread>>| {
            let thread = lock(thread);
            (thread.number, thread.left_out.clone())
        };
        Session { start: now(), before: registry.threads.iter().map(sums).collect() }
    }

    /// What was recorded so far; the time of `caller` outside of operations is told.
    pub(super) fn profile(&self, caller: Option<usize>) -> Profile {
        let wall = Duration::from_nanos(now() - self.start);
        let registry = lock(&REGISTRY);
        let threads = registry.threads.iter().map(|thread| self.since_start(&lock(thread)));
        // A thread may live on after an earlier recording and do nothing in this one.
        let took_part = |thread: &Thread| !thread.events.is_empty() || !thread.left_out.is_empty();
        Profile { threads: threads.filter(took_part).collect(), caller, start: self.start, wall }
    }

    fn since_start(&self, thread: &Thread) -> Thread {
        let events = thread.events.iter().filter(|event| event.start >= self.start).cloned().collect();
        let mut left_out = thread.left_out.clone();
        if let Some((_, before)) = self.before.iter().find(|(number, _)| *number == thread.number) {
            before.iter().for_each(|(name, sums)| left_out.of(*name).combine(sums, u64::wrapping_sub));
        }
        left_out.0.retain(|(_, sums)| sums.calls > 0);
        Thread { number: thread.number, name: thread.name.clone(), events, left_out }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut registry = lock(&REGISTRY);
        registry.sessions -= 1;
        if registry.sessions == 0 {
            STATE.store(OFF, Ordering::Relaxed);
            registry.clear();
        }
    }
}

impl Registry {
    /// Forgets all events, and the threads that have ended.
    fn clear(&mut self) {
        // The recorder of a thread that lives holds a second handle.
        self.threads.retain(|thread| Arc::strong_count(thread) > 1);
        for thread in &self.threads {
            let mut thread = lock(thread);
            (thread.events, thread.left_out) = (Vec::new(), Totals::default());
        }
        EVENTS.store(0, Ordering::Relaxed);
    }
}

/// The recording of the whole program and where its trace goes.
static PROGRAM: Mutex<Option<(Session, PathBuf)>> = Mutex::new(None);

/// Finds out, once, whether the whole program is to be profiled.
pub(super) fn look_at_the_variable() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| match path_of(std::env::var_os("RUSHLIGHT_PROFILE")) {
        Some(path) => {
            *lock(&PROGRAM) = Some((Session::begin(), path));
            exit::at_exit(report);
        }
        None => STATE.store(OFF, Ordering::Relaxed),
    });
}

/// The trace file that the variable asks for, if it asks for one.
fn path_of(value: Option<std::ffi::OsString>) -> Option<PathBuf> {
    let value = value?;
    match value.to_str() {
        Some("" | "0") => None,
        Some("1") => Some(PathBuf::from("rushlight-trace.json")),
        _ => Some(PathBuf::from(value)),
    }
}

/// Prints and writes the profile of the program. Called by the C library, through which nothing may unwind.
extern "C" fn report() {
    let _ = std::panic::catch_unwind(|| {
        let Some((session, path)) = lock(&PROGRAM).take() else { return };
        let mut profile = session.profile(None);
        profile.caller = profile.threads.iter().find(|thread| thread.name == "main").map(|t| t.number);
        let written = match profile.write_trace(&path) {
            Ok(()) => format!("trace: {} (open it in https://ui.perfetto.dev)", path.display()),
            Err(error) => format!("RUSHLIGHT_PROFILE: no trace: {error}"),
        };
        // Not eprintln, which panics where nobody reads standard error any more.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{profile}{written}\n").as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_off_on_or_a_path() {
        let path = |value: &str| path_of(Some(value.into()));
        assert_eq!([path_of(None), path(""), path("0")], [None, None, None]);
        assert_eq!(path("1"), Some(PathBuf::from("rushlight-trace.json")));
        assert_eq!(path("runs/a.json"), Some(PathBuf::from("runs/a.json")));
    }
}
