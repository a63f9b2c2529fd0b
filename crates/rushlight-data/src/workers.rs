use crate::collate::CollateFn;
use crate::dataset::Dataset;
use crate::epoch::Epoch;
use rushlight_array::{Error, Result, run_serially_on_this_thread};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// The threads that make the batches of one epoch; dropping it stops and joins them.
///
/// Batch `b` is made by worker `b mod workers`, as in PyTorch, and each worker has a bounded queue of its
/// own. So order needs no sorting, memory is bounded, and nobody waits for more than one other thread.
pub(crate) struct Workers<Batch> {
    queues: Vec<Receiver<Result<Batch>>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl<Batch: Send + 'static> Workers<Batch> {
    /// Starts `workers` threads that together make `batches` batches; each is at most `prefetch` batches
    /// ahead.
    ///
    /// # Errors
    /// If the system refuses a thread; those already started are stopped.
    pub(crate) fn start<D, C>(
        epoch: Epoch<D, C>,
        batches: usize,
        workers: usize,
        prefetch: usize,
    ) -> Result<Self>
    where
        D: Dataset + 'static,
        C: CollateFn<D::Item, Batch = Batch> + 'static,
    {
        let epoch = Arc::new(epoch);
        let mut pool = Workers { queues: Vec::new(), threads: Vec::new(), stop: Arc::default() };
        let workers = workers.min(batches);
        for worker in 0..workers {
            // One batch is in the worker's hands, finished or not; the others are in the queue.
            let (sender, queue) = sync_channel(prefetch - 1);
            let (epoch, stop) = (Arc::clone(&epoch), Arc::clone(&pool.stop));
            let numbers = (worker..batches).step_by(workers);
            let thread = Builder::new()
                .name(format!("loader-{worker}"))
                .spawn(move || work(&epoch, numbers, &sender, &stop))
                .map_err(|e| Error::invalid("DataLoader", format!("worker {worker} does not start: {e}")))?;
            pool.queues.push(queue);
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Batch number `number`; to be asked for in order.
    pub(crate) fn batch(&self, number: usize) -> Result<Batch> {
        let worker = number % self.queues.len();
        self.queues[worker].recv().unwrap_or_else(|_| {
            Err(Error::invalid("DataLoader", format!("worker {worker} ended before batch {number}")))
        })
    }
}

fn work<D: Dataset, C: CollateFn<D::Item>>(
    epoch: &Epoch<D, C>,
    numbers: impl Iterator<Item = usize>,
    queue: &SyncSender<Result<C::Batch>>,
    stop: &AtomicBool,
) {
    run_serially_on_this_thread();
    for number in numbers {
        let Some(batch) = epoch.batch(number, || stop.load(Ordering::Relaxed)) else { return };
        let failed = batch.is_err();
        if queue.send(batch).is_err() || failed {
            return;
        }
    }
}

impl<Batch> Drop for Workers<Batch> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A worker that waits for room in its queue wakes up when nobody is left to read it.
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // Panics of samples were caught; what is left is a panic in the drop of a user's value.
            let _ = thread.join();
        }
    }
}
