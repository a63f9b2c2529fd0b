use crate::batches::base_seed;
use crate::collate::{CollateFn, DefaultCollate};
use crate::epoch::message;
use crate::pin::Pinned;
use crate::progress::Progress;
use crate::state::{EpochState, LoaderState};
use crate::workers::{Maker, Workers};
use rushlight_array::random::{Generator, Purpose, Seed, default_generator, with_default_generator};
use rushlight_array::{Error, Result, fail};
use std::iter::FusedIterator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Samples that come one after the other, as from a socket or a log: PyTorch's `IterableDataset`.
///
/// ```
/// use rushlight_array::Result;
/// use rushlight_array::random::Generator;
/// use rushlight_data::{IterableDataset, IterableLoader};
///
/// struct Countdown(i64);
/// impl IterableDataset for Countdown {
///     type Item = i64;
///     fn iter(&self, _: &Generator) -> Box<dyn Iterator<Item = Result<i64>> + Send> {
///         Box::new((0..self.0).rev().map(Ok))
///     }
/// }
/// let loader = IterableLoader::new(Countdown(5)).batch_size(2);
/// let batches: Vec<Vec<i64>> = loader.iter().map(|batch| Ok(batch?.to_vec())).collect::<Result<_>>()?;
/// assert_eq!(batches, [vec![4, 3], vec![2, 1], vec![0]]);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub trait IterableDataset: Send + Sync {
    /// One sample.
    type Item: Send;

    /// The samples from the first one on. `generator` is the epoch's own, for a data set that shuffles; no other
    /// thread and no number of workers has a part in it.
    fn iter(&self, generator: &Generator) -> Box<dyn Iterator<Item = Result<Self::Item>> + Send>;
}

impl<D: IterableDataset + ?Sized> IterableDataset for Arc<D> {
    type Item = D::Item;

    fn iter(&self, generator: &Generator) -> Box<dyn Iterator<Item = Result<D::Item>> + Send> {
        (**self).iter(generator)
    }
}

/// Reads an [`IterableDataset`] in batches: PyTorch's `DataLoader` of one.
///
/// With workers the samples are read by one thread at a time, in order, and the batches are collated side by side.
/// So there is one stream, whatever the number of workers: where PyTorch gives each worker a copy of the data set,
/// which must then say what is its share, nothing comes twice here. Work that shall be done side by side belongs
/// into the collate function.
pub struct IterableLoader<D: IterableDataset, C = DefaultCollate> {
    dataset: Arc<D>,
    collate: Arc<C>,
    batch_size: usize,
    drop_last: bool,
    num_workers: usize,
    prefetch_factor: usize,
    generator: Option<Generator>,
    progress: Progress,
    resume: Mutex<Option<(EpochState, usize)>>,
}

impl<D: IterableDataset + 'static> IterableLoader<D> {
    /// A loader of single samples, without workers.
    pub fn new(dataset: D) -> Self {
        IterableLoader {
            dataset: Arc::new(dataset),
            collate: Arc::new(DefaultCollate),
            batch_size: 1,
            drop_last: false,
            num_workers: 0,
            prefetch_factor: 2,
            generator: None,
            progress: Progress::new(),
            resume: Mutex::new(None),
        }
    }
}

/// Options, as those of [`DataLoader`](crate::DataLoader).
impl<D: IterableDataset + 'static, C> IterableLoader<D, C> {
    /// The number of samples in a batch; the default is 1. The last batch may be smaller.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn batch_size(self, batch_size: usize) -> Self {
        if batch_size == 0 {
            fail!("IterableLoader: batch_size is 0; a batch needs at least 1 sample");
        }
        IterableLoader { batch_size, ..self }
    }

    /// Whether to leave out the last batch when it is not full; the default is false.
    #[must_use]
    pub fn drop_last(self, drop_last: bool) -> Self {
        IterableLoader { drop_last, ..self }
    }

    /// The number of threads that make batches ahead; the default is 0, which makes them when they are asked for.
    #[must_use]
    pub fn num_workers(self, num_workers: usize) -> Self {
        IterableLoader { num_workers, ..self }
    }

    /// How many batches each worker may be ahead, the one it is making included; the default is 2.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn prefetch_factor(self, prefetch_factor: usize) -> Self {
        if prefetch_factor == 0 {
            fail!("IterableLoader: prefetch_factor is 0; a worker makes at least 1 batch ahead");
        }
        IterableLoader { prefetch_factor, ..self }
    }

    /// The generator of the base seeds, in place of the default generator.
    #[must_use]
    pub fn generator(self, generator: Generator) -> Self {
        IterableLoader { generator: Some(generator), ..self }
    }

    /// A function that makes a batch of the samples, in place of the rule of their type.
    #[must_use]
    pub fn collate<Batch, F>(self, collate: F) -> IterableLoader<D, F>
    where
        F: Fn(Vec<D::Item>) -> Result<Batch> + Send + Sync + 'static,
        Batch: Send + 'static,
    {
        self.with_collate(|_| collate)
    }

    /// A function that each batch passes through, on the thread that makes it; see
    /// [`DataLoader::pin_memory`](crate::DataLoader::pin_memory).
    #[must_use]
    pub fn pin_memory<Batch, P>(self, pin: P) -> IterableLoader<D, Pinned<C, P>>
    where
        C: CollateFn<D::Item>,
        P: Fn(C::Batch) -> Result<Batch> + Send + Sync + 'static,
        Batch: Send + 'static,
    {
        self.with_collate(|collate| Pinned::new(collate, pin))
    }

    fn with_collate<New>(self, make: impl FnOnce(Arc<C>) -> New) -> IterableLoader<D, New> {
        IterableLoader {
            dataset: self.dataset,
            collate: Arc::new(make(self.collate)),
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor,
            generator: self.generator,
            progress: self.progress,
            resume: self.resume,
        }
    }

    /// Where the epoch that was begun last stands; see [`DataLoader::state_dict`](crate::DataLoader::state_dict).
    pub fn state_dict(&self) -> LoaderState {
        LoaderState { generator: self.generator.as_ref().map(Generator::state), ..self.progress.state() }
    }

    /// Goes on where [`state_dict`](IterableLoader::state_dict) was called: the next `iter()` reads the samples
    /// that were read before once more, and throws them away.
    ///
    /// # Errors
    /// If the state is not one of such a loader.
    pub fn load_state_dict(&self, state: &LoaderState) -> Result<()> {
        if self.generator.is_some() != state.generator.is_some() {
            let reason = "a generator in one of the two alone, the state and the loader";
            return Err(Error::invalid("IterableLoader::load_state_dict", reason));
        }
        if let (Some(generator), Some(state)) = (&self.generator, &state.generator) {
            generator.set_state(state);
        }
        self.progress.set(state.clone());
        let resume = state.epoch.clone().map(|epoch| (epoch, state.batches));
        *self.resume.lock().unwrap_or_else(PoisonError::into_inner) = resume;
        Ok(())
    }
}

impl<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> IterableLoader<D, C> {
    /// Begins an epoch. Each batch is a result; after an error the epoch is over.
    pub fn iter(&self) -> IterableBatches<D, C> {
        let resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (epoch, read) = resume.unwrap_or_else(|| {
            let seed = base_seed(&self.generator.clone().unwrap_or_else(default_generator));
            (EpochState { seed, order: None }, 0)
        });
        let stream = Stream {
            samples: Mutex::new(Samples::Unopened { skip: read.saturating_mul(self.batch_size) }),
            dataset: Arc::clone(&self.dataset),
            collate: Arc::clone(&self.collate),
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            seed: epoch.seed,
        };
        let progress = self.progress.begin(epoch, read);
        let state = if self.num_workers == 0 {
            State::Here(stream)
        } else {
            match Workers::start(stream, read, self.num_workers, self.prefetch_factor) {
                Ok(workers) => State::Workers(workers),
                Err(error) => State::Failed(error),
            }
        };
        IterableBatches { state, progress, next: read }
    }
}

impl<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> IntoIterator for &IterableLoader<D, C> {
    type Item = Result<C::Batch>;
    type IntoIter = IterableBatches<D, C>;

    fn into_iter(self) -> IterableBatches<D, C> {
        self.iter()
    }
}

/// One pass over a stream: the iterator made by [`IterableLoader::iter`].
///
/// Dropping it early stops its workers and waits until they are gone: at most the sample that is being read, and
/// the batches that are being collated.
pub struct IterableBatches<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> {
    state: State<D, C>,
    progress: Progress,
    next: usize,
}

enum State<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> {
    Here(Stream<D, C>),
    Workers(Workers<Stream<D, C>>),
    Failed(Error),
    Ended,
}

impl<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> Iterator for IterableBatches<D, C> {
    type Item = Result<C::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return None,
            State::Failed(error) => return Some(Err(error)),
            State::Here(stream) => {
                let job = stream.take(self.next);
                let batch = job.and_then(|job| stream.make(self.next, job, &|| false));
                self.state = State::Here(stream);
                batch
            }
            State::Workers(workers) => {
                let batch = workers.next();
                self.state = State::Workers(workers);
                batch
            }
        };
        match &batch {
            Some(Ok(_)) => {
                self.next += 1;
                self.progress.read(self.next);
            }
            Some(Err(_)) => self.state = State::Ended,
            None => {
                self.state = State::Ended;
                self.progress.ended();
            }
        }
        batch
    }
}

impl<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> FusedIterator for IterableBatches<D, C> {}

/// A stream that is being read.
struct Stream<D: IterableDataset, C> {
    samples: Mutex<Samples<D::Item>>,
    dataset: Arc<D>,
    collate: Arc<C>,
    batch_size: usize,
    drop_last: bool,
    seed: Seed,
}

enum Samples<Item> {
    /// Opened by the thread that reads first, since opening may take its time.
    Unopened {
        skip: usize,
    },
    Open(Box<dyn Iterator<Item = Result<Item>> + Send>),
    Ended,
}

impl<D: IterableDataset, C> Stream<D, C> {
    /// The next samples, at most a batch of them.
    fn read(&self) -> Result<Vec<D::Item>> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if let Samples::Unopened { skip } = *samples {
            let mut opened = self.dataset.iter(&Generator::new(self.seed));
            for _ in 0..skip {
                opened.next().transpose()?;
            }
            *samples = Samples::Open(opened);
        }
        let Samples::Open(open) = &mut *samples else { return Ok(Vec::new()) };
        let read = open.take(self.batch_size).collect::<Result<Vec<_>>>();
        if !matches!(&read, Ok(read) if read.len() == self.batch_size) {
            *samples = Samples::Ended;
        }
        read
    }
}

impl<D: IterableDataset + 'static, C: CollateFn<D::Item> + 'static> Maker for Stream<D, C> {
    type Batch = C::Batch;
    type Job = Result<Vec<D::Item>>;

    fn take(&self, number: usize) -> Option<Self::Job> {
        let generator = Generator::new(self.seed).stream(Purpose::Augment, number as u64 % (1 << 24), 0);
        let read = catch_unwind(AssertUnwindSafe(|| with_default_generator(|| generator, || self.read())));
        let read = read.unwrap_or_else(|panic| {
            // Nothing is known of an iterator that panicked.
            *self.samples.lock().unwrap_or_else(PoisonError::into_inner) = Samples::Ended;
            Err(Error::invalid("the stream", message(&*panic)))
        });
        match &read {
            Ok(samples) if samples.is_empty() => None,
            Ok(samples) if self.drop_last && samples.len() < self.batch_size => None,
            _ => Some(read.map_err(|error| Error::invalid(format!("batch {number}"), error.to_string()))),
        }
    }

    fn make(&self, number: usize, job: Self::Job, _: &dyn Fn() -> bool) -> Option<Result<C::Batch>> {
        let samples = match job {
            Ok(samples) => samples,
            Err(error) => return Some(Err(error)),
        };
        let first = number * self.batch_size;
        let indices: Vec<usize> = (first..first + samples.len()).collect();
        let generator = Generator::new(self.seed).stream(Purpose::Augment, number as u64 % (1 << 24), 1);
        let batch = catch_unwind(AssertUnwindSafe(|| {
            with_default_generator(|| generator, || self.collate.batch(samples, &indices))
        }));
        Some(batch.unwrap_or_else(|panic| {
            Err(Error::invalid(format!("collate of batch {number}"), message(&*panic)))
        }))
    }
}
