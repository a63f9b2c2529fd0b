use rushlight_array::{Error, Result, run_serially_on_this_thread};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Makes the batches of one epoch, on any thread.
pub(crate) trait Maker: Send + Sync + 'static {
    type Batch: Send + 'static;
    /// What a batch is made of.
    type Job;

    /// What batch `number` is made of, or nothing behind the last one. Called for 0, 1, 2, ... in order, by one
    /// thread at a time.
    fn take(&self, number: usize) -> Option<Self::Job>;

    /// The batch, or nothing if `stopped` says that nobody wants it any more. It does not panic for a user's
    /// mistake.
    fn make(&self, number: usize, job: Self::Job, stopped: &dyn Fn() -> bool) -> Option<Result<Self::Batch>>;
}

/// The threads that make the batches of one epoch; dropping it stops and joins them.
///
/// Whoever is free takes the next batch in order: a worker, as long as fewer than `workers * prefetch` batches
/// wait to be read, or the reader itself. A batch is a pure function of its number, so it does not matter who
/// makes it; and batches are read in order, so memory is bounded.
///
/// The reader makes a batch only where that takes less time than to fall asleep and be woken up. Without this,
/// workers made quick batches arrive at a third of the speed of no workers.
pub(crate) struct Workers<M: Maker> {
    shared: Arc<Shared<M>>,
    threads: Vec<JoinHandle<()>>,
}

/// Several times what waking a thread costs, and far below what a reader could notice.
const QUICK: Duration = Duration::from_micros(200);

struct Shared<M: Maker> {
    maker: M,
    /// Held while the next batch is taken, so that it is taken in order.
    turn: Mutex<()>,
    queue: Mutex<Queue<M::Batch>>,
    /// A batch was read.
    room: Condvar,
    /// A batch is ready, or there will be none.
    ready: Condvar,
    stop: AtomicBool,
    window: usize,
}

struct Queue<Batch> {
    /// The batches that are made or being made: those from `read` on.
    batches: VecDeque<Option<Result<Batch>>>,
    /// The number of batches that were read.
    read: usize,
    /// There is no batch behind those taken: the epoch is over, or one failed.
    ended: bool,
    /// How long the last batch took.
    cost: Option<Duration>,
    /// Workers that wait for room.
    idle: usize,
    /// Whether the reader waits.
    waiting: bool,
}

impl<Batch> Queue<Batch> {
    fn is_quick(&self) -> bool {
        self.cost.is_some_and(|cost| cost < QUICK)
    }
}

impl<M: Maker> Workers<M> {
    /// Starts `workers` threads, which begin with batch number `first`; together they are at most
    /// `workers * prefetch` batches ahead.
    ///
    /// # Errors
    /// If the system refuses a thread; those already started are stopped.
    pub(crate) fn start(maker: M, first: usize, workers: usize, prefetch: usize) -> Result<Self> {
        let queue = Queue {
            batches: VecDeque::new(),
            read: first,
            ended: false,
            cost: None,
            idle: 0,
            waiting: false,
        };
        let shared = Arc::new(Shared {
            maker,
            turn: Mutex::new(()),
            queue: Mutex::new(queue),
            room: Condvar::new(),
            ready: Condvar::new(),
            stop: AtomicBool::new(false),
            window: workers.saturating_mul(prefetch),
        });
        let mut pool = Workers { shared, threads: Vec::new() };
        for worker in 0..workers {
            let shared = Arc::clone(&pool.shared);
            let thread = Builder::new()
                .name(format!("loader-{worker}"))
                .spawn(move || shared.work())
                .map_err(|e| Error::invalid("DataLoader", format!("worker {worker} does not start: {e}")))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// The next batch in order, or nothing behind the last one.
    pub(crate) fn next(&self) -> Option<Result<M::Batch>> {
        let shared = &*self.shared;
        let mut queue = lock(&shared.queue);
        loop {
            if let Some(Some(_)) = queue.batches.front() {
                queue.read += 1;
                let batch = queue.batches.pop_front().flatten();
                // To wake a worker for each quick batch would cost more than the batch; half a window is worth it.
                if queue.idle > 0 && (!queue.is_quick() || queue.batches.len() <= shared.window / 2) {
                    shared.room.notify_one();
                }
                return batch;
            }
            if queue.ended && queue.batches.is_empty() {
                return None;
            }
            if queue.is_quick() {
                drop(queue);
                let helped = shared.help();
                queue = lock(&shared.queue);
                if helped {
                    continue;
                }
                if matches!(queue.batches.front(), Some(Some(_))) || (queue.ended && queue.batches.is_empty())
                {
                    continue;
                }
            }
            queue.waiting = true;
            queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.waiting = false;
        }
    }
}

impl<M: Maker> Shared<M> {
    fn work(&self) {
        run_serially_on_this_thread();
        while let Some((number, job)) = self.take() {
            if !self.make(number, job) {
                return;
            }
        }
    }

    /// Waits for room and takes the next batch; nothing if there is none, or if the epoch is given up.
    fn take(&self) -> Option<(usize, M::Job)> {
        let turn = lock(&self.turn);
        let mut queue = lock(&self.queue);
        while !self.stopped() && !queue.ended && queue.batches.len() >= self.window {
            queue.idle += 1;
            queue = self.room.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
        drop(queue);
        self.take_in_turn(turn)
    }

    fn take_in_turn(&self, turn: MutexGuard<'_, ()>) -> Option<(usize, M::Job)> {
        let queue = lock(&self.queue);
        if self.stopped() || queue.ended {
            return None;
        }
        let number = queue.read + queue.batches.len();
        // Only the holder of the turn changes this sum, so the queue need not be held while a stream is read.
        drop(queue);
        let job = self.maker.take(number);
        let mut queue = lock(&self.queue);
        match job {
            Some(_) => queue.batches.push_back(None),
            None => self.end(&mut queue),
        }
        drop(turn);
        job.map(|job| (number, job))
    }

    /// Makes a batch on the reader's thread, if there is one to be had at once.
    fn help(&self) -> bool {
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if lock(&self.queue).batches.len() >= self.window {
            return false;
        }
        self.take_in_turn(turn).is_some_and(|(number, job)| self.make(number, job))
    }

    /// Makes a batch; false if it was given up or failed, after which there is no other.
    fn make(&self, number: usize, job: M::Job) -> bool {
        let start = Instant::now();
        let mut place = Place { shared: self, number, filled: false };
        let Some(batch) = self.maker.make(number, job, &|| self.stopped()) else {
            place.filled = true;
            return false;
        };
        let good = batch.is_ok();
        place.fill(batch, Some(start.elapsed()));
        good
    }

    fn end(&self, queue: &mut Queue<M::Batch>) {
        queue.ended = true;
        self.room.notify_all();
        self.ready.notify_all();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The place of a batch that is being made. If the thread is lost, the reader is told.
struct Place<'a, M: Maker> {
    shared: &'a Shared<M>,
    number: usize,
    filled: bool,
}

impl<M: Maker> Place<'_, M> {
    fn fill(&mut self, batch: Result<M::Batch>, cost: Option<Duration>) {
        self.filled = true;
        let mut queue = lock(&self.shared.queue);
        if batch.is_err() {
            self.shared.end(&mut queue);
        }
        let place = self.number - queue.read;
        queue.batches[place] = Some(batch);
        queue.cost = cost;
        if place == 0 && queue.waiting {
            self.shared.ready.notify_one();
        }
    }
}

impl<M: Maker> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if !self.filled {
            let reason = format!("a worker ended before batch {}", self.number);
            self.fill(Err(Error::invalid("DataLoader", reason)), None);
        }
    }
}

/// What a lock protects here is whole at all times; a panic elsewhere does not change that.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: Maker> Drop for Workers<M> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Under the lock, so that no worker misses it between its last look and its sleep.
        let queue = lock(&self.shared.queue);
        self.shared.room.notify_all();
        drop(queue);
        for thread in self.threads.drain(..) {
            // Panics of samples were caught; what is left is a panic in the drop of a user's value.
            let _ = thread.join();
        }
    }
}
