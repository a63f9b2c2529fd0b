//! The helper threads and the slots through which callers hand them work.
//!
//! A caller owns a slot while its job runs. It writes the job, opens the slot's gate, wakes helpers only if some
//! sleep, works through the chunks itself, shuts the gate and waits for those helpers that are inside. So:
//!
//! - a job is read only by helpers that passed its gate, and the caller stays until the last of them has left: the
//!   job may point into the caller's stack;
//! - a helper that comes late finds the gate shut; nobody ever waits for a helper that has not come yet. This also
//!   holds where there are no helpers at all: the system refused the threads, or the process is a fork's child
//!   (unless the fork was made inside a chunk);
//! - while helpers are awake, a job costs a handful of cache line transfers: nothing is allocated, no lock is
//!   taken, the system is not called.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::{MAX_THREADS, SERIAL};

/// How long a helper looks for new work before it sleeps, if that is likely to pay. Operations of a training step
/// follow one another within it. Measured on 2 cores: waking costs the caller about 1.5 us and the helper comes
/// 5 us later, or 40 us later after pauses of 300 us and more, when the processor was halted. 100 us saves little more
/// and lost 5 to 10 % with two programs on the machine.
const SPIN: Duration = Duration::from_micros(50);

/// How long it looks if work came after longer pauses the last few times: only for the rest of the same burst.
const SHORT_SPIN: Duration = Duration::from_micros(6);

/// Looks between two readings of the clock, about 5 us.
const LOOKS: usize = 64;

/// A helper that was kept from looking for so long lost its processor to somebody else: far above an interrupt,
/// below the time slice of a processor (some ms).
const CROWD: Duration = Duration::from_micros(300);

/// For so long it then steps aside, and up to [`ASIDE_LONGER`] times as long if that goes on: about a time slice.
const ASIDE: Duration = Duration::from_millis(2);
const ASIDE_LONGER: u32 = 8;

/// A crowd met again within so many times the last stay aside still goes on.
const CROWD_LASTS: u32 = 8;

/// How long a caller spins for the helpers inside its job: about a chunk of a well cut operation.
const WAIT_SPIN: Duration = Duration::from_micros(20);

/// How long it waits in all until it sleeps. Meanwhile it offers its processor to others, perhaps to the helper.
const WAIT: Duration = Duration::from_micros(200);

/// The jobs that helpers can be shared among; a caller that finds every slot taken works alone.
const SLOTS: usize = 8;

/// The runs of chunks that a job is cut into at most, one for each thread.
const RUNS: usize = 16;

/// Sleepers that one thread wakes at once. Each helper that comes wakes others as long as there is room.
const WAKE: usize = 2;

const HELPERS: usize = MAX_THREADS - 1;

/// Something alone in its pair of cache lines (processors fetch them in pairs).
#[repr(align(128))]
struct Alone<T>(T);

/// What a slot hands to helpers.
#[derive(Clone, Copy)]
struct Job {
    work: *const (dyn Fn(usize) + Sync),
    chunks: usize,
    runs: usize,
    panic: *const Mutex<Option<Box<dyn Any + Send>>>,
}

/// The state of a gate is one number: helpers inside, whether the caller sleeps until they are out, how many may
/// still come, and how many were asked for.
const ONE_INSIDE: u64 = 1;
const INSIDE: u64 = 0x7fff_ffff;
const CALLER_SLEEPS: u64 = 1 << 31;
const ONE_ROOM: u64 = 1 << 32;
const ROOM: u64 = 0xffff << 32;
const ONE_ASKED: u64 = 1 << 48;

struct Gate {
    state: AtomicU64,
    /// Beside the state, in the same cache line: who sees the gate open has the job too.
    job: UnsafeCell<Option<Job>>,
}

/// What a helper learns at the gate: the run to begin with, how many helpers were asked, whether more may come.
struct Entry {
    run: usize,
    asked: usize,
    more: bool,
}

struct Slot {
    gate: Alone<Gate>,
    /// The next chunk of each run.
    next: [Alone<AtomicUsize>; RUNS],
    taken: Alone<AtomicBool>,
    door: Mutex<()>,
    left: Condvar,
}
// SAFETY: the job cell is written by the owner of the slot alone, while the gate is shut and nobody inside, and
// read by those inside alone. The closure behind it is Sync, and it and the place for the panic live until all are out.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new() -> Slot {
        Slot {
            gate: Alone(Gate { state: AtomicU64::new(0), job: UnsafeCell::new(None) }),
            next: [const { Alone(AtomicUsize::new(0)) }; RUNS],
            taken: Alone(AtomicBool::new(false)),
            door: Mutex::new(()),
            left: Condvar::new(),
        }
    }

    fn take(&self) -> bool {
        !self.taken.0.load(Ordering::Relaxed) && !self.taken.0.swap(true, Ordering::Acquire)
    }

    fn open(&self, helpers: usize, job: Job) {
        for (run, next) in self.next[..job.runs].iter().enumerate() {
            next.0.store(job.start(run), Ordering::Relaxed);
        }
        // SAFETY: the caller owns the slot and the gate is shut with nobody inside, so nobody reads the cell.
        unsafe { *self.gate.0.job.get() = Some(job) };
        // SeqCst: see `Pool::sleep`.
        self.gate.0.state.swap(helpers as u64 * (ONE_ASKED + ONE_ROOM), Ordering::SeqCst);
    }

    /// Whether this helper may come in. The first helpers are asked first: those above the number stay asleep.
    fn asks(&self, helper: usize) -> bool {
        let state = self.gate.0.state.load(Ordering::SeqCst);
        state & ROOM != 0 && (state / ONE_ASKED) as usize > helper
    }

    /// Goes in if there is room.
    fn enter(&self, helper: usize) -> Option<Entry> {
        if !self.asks(helper) {
            return None;
        }
        let mut state = self.gate.0.state.load(Ordering::Relaxed);
        while state & ROOM != 0 && (state / ONE_ASKED) as usize > helper {
            let new = state - ONE_ROOM + ONE_INSIDE;
            match self.gate.0.state.compare_exchange_weak(state, new, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    let (room, asked) = ((new & ROOM) / ONE_ROOM, state / ONE_ASKED);
                    let run = (asked - room) as usize;
                    return Some(Entry { run, asked: asked as usize, more: room > 0 });
                }
                Err(now) => state = now,
            }
        }
        None
    }

    /// Leaves, and shuts the gate: no chunk is open any more.
    fn leave(&self) {
        let mut state = self.gate.0.state.load(Ordering::Relaxed);
        loop {
            let new = (state & !ROOM) - ONE_INSIDE;
            match self.gate.0.state.compare_exchange_weak(state, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        // From here on the job may be gone, and the slot another caller's; it would only wake for nothing.
        if state & CALLER_SLEEPS != 0 && state & INSIDE == ONE_INSIDE {
            drop(lock(&self.door));
            self.left.notify_all();
        }
    }

    /// Runs chunks until none is left, those of run number `first` before those of others.
    fn work(&self, job: &Job, first: usize) {
        for k in 0..job.runs {
            let run = (first + k) % job.runs;
            let (next, end) = (&self.next[run].0, job.start(run + 1));
            while next.load(Ordering::Relaxed) < end {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i < end {
                    job.chunk(i);
                }
            }
        }
    }

    /// Shuts the gate and waits until all helpers are out.
    fn shut(&self) {
        let state = &self.gate.0.state;
        let mut seen = state.load(Ordering::Acquire);
        if seen & ROOM != 0 {
            seen = state.fetch_and(!ROOM, Ordering::Acquire);
        }
        if seen & INSIDE != 0 {
            self.wait();
        }
    }

    fn wait(&self) {
        let state = &self.gate.0.state;
        let inside = || state.load(Ordering::Acquire) & INSIDE != 0;
        let start = Instant::now();
        loop {
            for _ in 0..LOOKS {
                if !inside() {
                    return;
                }
                std::hint::spin_loop();
            }
            let waited = start.elapsed();
            if waited >= WAIT {
                break;
            }
            if waited >= WAIT_SPIN {
                thread::yield_now();
            }
        }
        let mut door = lock(&self.door);
        state.fetch_or(CALLER_SLEEPS, Ordering::Relaxed);
        while inside() {
            door = self.left.wait(door).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Job {
    /// The first chunk of a run. Runs follow from the number of threads, chunks never do.
    fn start(&self, run: usize) -> usize {
        let (each, more) = (self.chunks / self.runs, self.chunks % self.runs);
        run * each + run.min(more)
    }

    fn chunk(&self, i: usize) {
        // SAFETY: only the caller and helpers inside the gate get here, and the caller stays until these are out.
        let (work, panic) = unsafe { (&*self.work, &*self.panic) };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| work(i))) {
            let mut first = lock(panic);
            if first.is_none() {
                *first = Some(payload);
            } else if !payload.is::<&'static str>() && !payload.is::<String>() {
                // Not dropped: the drop of a user's payload may panic, and a helper that never leaves would keep
                // the caller waiting for ever. Messages are harmless.
                std::mem::forget(payload);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a helper met while it looked for work.
enum Found {
    Job,
    Nothing,
    Crowd,
}

pub(super) struct Pool {
    slots: [Slot; SLOTS],
    /// One bit for each helper.
    asleep: Alone<[AtomicU64; MAX_THREADS / 64]>,
    started: AtomicUsize,
    threads: [OnceLock<Thread>; HELPERS],
    starting: Mutex<()>,
}

pub(super) static POOL: Pool = Pool {
    slots: [const { Slot::new() }; SLOTS],
    asleep: Alone([const { AtomicU64::new(0) }; MAX_THREADS / 64]),
    started: AtomicUsize::new(0),
    threads: [const { OnceLock::new() }; HELPERS],
    starting: Mutex::new(()),
};

impl Pool {
    /// Calls `work(i)` for every `i` below `chunks`, on this thread and up to `helpers` others. Resumes the first
    /// panic when all are done.
    pub(super) fn run(&'static self, helpers: usize, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
        self.start(helpers);
        let panic = Mutex::new(None);
        // SAFETY: only the lifetime is erased; nothing below unwinds before `shut`, which waits for all who use it.
        let work: *const (dyn Fn(usize) + Sync + 'static) = unsafe { std::mem::transmute(work) };
        let job = Job { work, chunks, runs: (helpers + 1).min(RUNS).min(chunks), panic: &raw const panic };
        let slot = self.slots.iter().find(|slot| slot.take());
        // Nested calls from within a chunk run inline: the helpers are busy with this job already.
        let before = SERIAL.replace(true);
        if let Some(slot) = slot {
            slot.open(helpers, job);
            self.wake(helpers);
            slot.work(&job, 0);
            slot.shut();
            slot.taken.0.store(false, Ordering::Release);
        } else {
            // More callers than slots.
            (0..chunks).for_each(|i| job.chunk(i));
        }
        SERIAL.set(before);
        if let Some(payload) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(payload);
        }
    }

    /// Wakes a few of the first helpers, if they sleep.
    fn wake(&self, helpers: usize) {
        let mut woken = 0;
        for (word, asleep) in self.asleep.0[..helpers.div_ceil(64)].iter().enumerate() {
            // SeqCst: see `sleep`.
            let mut sleeping = asleep.load(Ordering::SeqCst);
            if helpers - word * 64 < 64 {
                sleeping &= (1 << (helpers - word * 64)) - 1;
            }
            while sleeping != 0 && woken < WAKE {
                let bit = sleeping & sleeping.wrapping_neg();
                sleeping &= !bit;
                if asleep.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
                    let helper = word * 64 + bit.trailing_zeros() as usize;
                    self.threads[helper].get().expect("a sleeping helper has told its thread").unpark();
                    woken += 1;
                }
            }
        }
    }

    fn start(&'static self, helpers: usize) {
        if self.started.load(Ordering::Relaxed) >= helpers {
            return;
        }
        // Who finds another caller at it goes on without: also in a fork's child, where that one is gone.
        let _starting = match self.starting.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        for helper in self.started.load(Ordering::Relaxed)..helpers {
            let name = format!("rushlight-{}", helper + 1);
            if thread::Builder::new().name(name).spawn(move || self.serve(helper)).is_err() {
                // The system gives no more threads; those that exist, and the caller, do the work.
                return;
            }
            self.started.store(helper + 1, Ordering::Relaxed);
        }
    }

    fn serve(&self, helper: usize) {
        SERIAL.set(true);
        self.threads[helper].get_or_init(thread::current);
        let (mut patience, mut woken) = (SPIN, false);
        let (mut crowded, mut aside) = (Instant::now(), ASIDE);
        loop {
            let start = Instant::now();
            match self.help(helper, start, patience) {
                // What it was woken for says nothing about looking.
                Found::Job if woken => woken = false,
                Found::Job => patience = SPIN,
                Found::Nothing => {
                    self.sleep(helper);
                    woken = true;
                    // Had a full spin met this job, then the next is likely to pay.
                    patience = if start.elapsed() < SPIN { SPIN } else { (patience / 2).max(SHORT_SPIN) };
                }
                Found::Crowd => {
                    let again = crowded.elapsed() < aside * CROWD_LASTS;
                    aside = if again { (aside * 2).min(ASIDE * ASIDE_LONGER) } else { ASIDE };
                    // Not as a sleeper that callers would wake: they work alone, which is faster now.
                    thread::sleep(aside);
                    crowded = Instant::now();
                    patience = SHORT_SPIN;
                }
            }
        }
    }

    /// Helps with one job if one comes in time.
    fn help(&self, helper: usize, start: Instant, patience: Duration) -> Found {
        let mut last = start;
        loop {
            for _ in 0..LOOKS {
                // Each helper begins with another slot, so that callers share them.
                for k in 0..SLOTS {
                    let slot = &self.slots[(helper + k) % SLOTS];
                    if let Some(Entry { run, asked, more }) = slot.enter(helper) {
                        if more {
                            self.wake(asked);
                        }
                        // SAFETY: this thread is inside the gate, where the job is not written.
                        let job = unsafe { *slot.gate.0.job.get() };
                        if let Some(job) = job {
                            slot.work(&job, run);
                        }
                        slot.leave();
                        return Found::Job;
                    }
                }
                std::hint::spin_loop();
            }
            let now = Instant::now();
            if now - last > CROWD {
                return Found::Crowd;
            }
            if now - start >= patience {
                return Found::Nothing;
            }
            last = now;
            // On the processor of its caller a helper would wait for what it keeps from happening.
            thread::yield_now();
        }
    }

    /// Sleeps until woken for a job.
    fn sleep(&self, helper: usize) {
        let (asleep, bit) = (&self.asleep.0[helper / 64], 1 << (helper % 64));
        // A caller opens its gate and then reads this bit; the helper sets the bit and then looks at the gates
        // again. With all four sequentially consistent, one of them sees the other's.
        asleep.fetch_or(bit, Ordering::SeqCst);
        if self.slots.iter().any(|slot| slot.asks(helper)) {
            asleep.fetch_and(!bit, Ordering::AcqRel);
            return;
        }
        while asleep.load(Ordering::Acquire) & bit != 0 {
            thread::park();
        }
    }
}
