use crate::batches::{Batches, Resume};
use crate::collate::{CollateFn, DefaultCollate};
use crate::dataset::Dataset;
use crate::pin::Pinned;
use crate::progress::Progress;
use crate::sampler::{BatchSampler, RandomSampler, Sampler, SequentialSampler};
use crate::state::LoaderState;
use rushlight_array::random::Generator;
use rushlight_array::{Error, Result, fail};
use std::sync::{Arc, Mutex, PoisonError};

/// Reads a data set in batches: PyTorch's `DataLoader`.
///
/// Each `iter()` is a pass over the data, an epoch, with draws in PyTorch's order: first a base seed (also
/// without a shuffle), then what the sampler draws. Without [`generator`](DataLoader::generator) they come
/// from the default generator, and a shuffled epoch costs it two `random_i64`. Neither batch size nor worker
/// count changes a number.
///
/// Draws from the default generator inside of [`get`](Dataset::get) come from the sample's own stream, those
/// inside of a collate function from the batch's, and cost the default generator nothing. PyTorch does so with
/// workers (one stream for each worker); with 0 workers it draws from the default generator itself.
///
/// The sampler draws at `iter()` with workers, since they begin at once, and in the first `next()` without.
/// So a draw from the same generator between the two changes the order with 0 workers, but not with
/// workers; as in PyTorch.
///
/// ```
/// use rushlight_data::{DataLoader, from_fn};
/// let loader = DataLoader::new(from_fn(5, |i| Ok((i as f32, i)))).batch_size(2).num_workers(2);
/// assert_eq!(loader.len(), 3);
/// for (i, batch) in loader.iter().enumerate() {
///     let (x, y) = batch?;
///     assert_eq!(x.to_vec::<f32>()[0], 2.0 * i as f32);
///     assert_eq!(x.len(), y.len());
/// }
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub struct DataLoader<D: Dataset, C = DefaultCollate> {
    pub(crate) dataset: Arc<D>,
    pub(crate) collate: Arc<C>,
    order: Order,
    pub(crate) batch_size: usize,
    drop_last: bool,
    pub(crate) num_workers: usize,
    pub(crate) prefetch_factor: usize,
    pub(crate) generator: Option<Generator>,
    pub(crate) progress: Progress,
    resume: Mutex<Option<Resume>>,
}

#[derive(Clone)]
enum Order {
    Sequential,
    Random,
    Custom(Arc<dyn Sampler>),
}

impl<D: Dataset + 'static> DataLoader<D> {
    /// A loader of single samples, in order, without workers.
    pub fn new(dataset: D) -> Self {
        DataLoader {
            dataset: Arc::new(dataset),
            collate: Arc::new(DefaultCollate),
            order: Order::Sequential,
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

/// Options.
impl<D: Dataset + 'static, C> DataLoader<D, C> {
    /// The number of samples in a batch; the default is 1. The last batch may be smaller.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn batch_size(self, batch_size: usize) -> Self {
        if batch_size == 0 {
            fail!("DataLoader: batch_size is 0; a batch needs at least 1 sample");
        }
        DataLoader { batch_size, ..self }
    }

    /// Whether each epoch has a random order of its own; the default is false.
    ///
    /// # Panics
    /// If true, and there is a sampler.
    #[must_use]
    #[track_caller]
    pub fn shuffle(self, shuffle: bool) -> Self {
        let order = match (shuffle, self.order) {
            (true, Order::Custom(sampler)) => contradiction(&*sampler),
            (true, _) => Order::Random,
            (false, Order::Custom(sampler)) => Order::Custom(sampler),
            (false, _) => Order::Sequential,
        };
        DataLoader { order, ..self }
    }

    /// The order of the samples by a sampler of your choice. Give a clone of an `Arc` to keep a hold of it.
    ///
    /// # Panics
    /// If `shuffle` is on.
    #[must_use]
    #[track_caller]
    pub fn sampler(self, sampler: impl Sampler + 'static) -> Self {
        if let Order::Random = self.order {
            contradiction(&sampler);
        }
        DataLoader { order: Order::Custom(Arc::new(sampler)), ..self }
    }

    /// The order and the batches of a [`BatchSampler`], in place of `sampler`, `batch_size` and `drop_last`.
    ///
    /// # Panics
    /// If `shuffle` is on.
    #[must_use]
    #[track_caller]
    pub fn batch_sampler<S: Sampler + 'static>(self, batches: BatchSampler<S>) -> Self {
        let BatchSampler { sampler, batch_size, drop_last } = batches;
        self.sampler(sampler).batch_size(batch_size).drop_last(drop_last)
    }

    /// Whether to leave out the last batch when it is not full; the default is false.
    #[must_use]
    pub fn drop_last(self, drop_last: bool) -> Self {
        DataLoader { drop_last, ..self }
    }

    /// The number of threads that make batches ahead; the default is 0, which makes them when they are asked
    /// for.
    ///
    /// The threads live as long as an epoch: to start one takes some 30 microseconds, so it would not pay to keep
    /// them, as `persistent_workers` does with PyTorch's processes. Their tensor operations stay on them. A batch
    /// that is ready sooner than a thread can be woken up (within 200 microseconds) may also be made by the thread
    /// that reads.
    #[must_use]
    pub fn num_workers(self, num_workers: usize) -> Self {
        DataLoader { num_workers, ..self }
    }

    /// The number that [`num_workers`](DataLoader::num_workers) was called with, or 0.
    pub fn worker_count(&self) -> usize {
        self.num_workers
    }

    /// How many batches each worker may be ahead, the one it is making included; the default is 2.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn prefetch_factor(self, prefetch_factor: usize) -> Self {
        if prefetch_factor == 0 {
            fail!("DataLoader: prefetch_factor is 0; a worker makes at least 1 batch ahead");
        }
        DataLoader { prefetch_factor, ..self }
    }

    /// The generator of the base seeds and of the sampler, in place of the default generator.
    #[must_use]
    pub fn generator(self, generator: Generator) -> Self {
        DataLoader { generator: Some(generator), ..self }
    }

    /// A function that makes a batch of the samples, in place of the rule of their type
    /// ([`Collate`](crate::Collate)).
    ///
    /// ```
    /// use rushlight_data::{DataLoader, from_fn};
    /// let words = from_fn(3, |i| Ok(["a", "bc", "def"][i]));
    /// let loader = DataLoader::new(words).batch_size(3).collate(|words| Ok(words.join("-")));
    /// assert_eq!(loader.iter().next().unwrap()?, "a-bc-def");
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    #[must_use]
    pub fn collate<Batch, F>(self, collate: F) -> DataLoader<D, F>
    where
        F: Fn(Vec<D::Item>) -> Result<Batch> + Send + Sync + 'static,
        Batch: Send + 'static,
    {
        self.with_collate(|_| collate)
    }

    /// A function that each batch passes through, on the thread that makes it. It stands where torch has `pin_memory=True`:
    /// `|(x, y)| Ok((x.to(&device), y.to(&device)))` sends each batch to a GPU, by way of pinned memory, while the training
    /// is still at those before.
    ///
    /// ```
    /// use rushlight_data::{DataLoader, from_fn};
    /// let loader = DataLoader::new(from_fn(3, |i| Ok(i))).batch_size(3).num_workers(1);
    /// let loader = loader.pin_memory(|batch| Ok((batch, std::thread::current().name().map(str::to_string))));
    /// let (batch, thread) = loader.iter().next().unwrap()?;
    /// assert_eq!((batch.len(), thread.as_deref()), (3, Some("loader-0")));
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    #[must_use]
    pub fn pin_memory<Batch, P>(self, pin: P) -> DataLoader<D, Pinned<C, P>>
    where
        C: CollateFn<D::Item>,
        P: Fn(C::Batch) -> Result<Batch> + Send + Sync + 'static,
        Batch: Send + 'static,
    {
        self.with_collate(|collate| Pinned::new(collate, pin))
    }

    fn with_collate<New>(self, make: impl FnOnce(Arc<C>) -> New) -> DataLoader<D, New> {
        DataLoader {
            dataset: self.dataset,
            collate: Arc::new(make(self.collate)),
            order: self.order,
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor,
            generator: self.generator,
            progress: self.progress,
            resume: self.resume,
        }
    }
}

#[track_caller]
fn contradiction(sampler: &dyn Sampler) -> ! {
    fail!(
        "DataLoader: shuffle(true) and a sampler of {} indices contradict each other; give one of the two",
        sampler.len()
    )
}

impl<D: Dataset + 'static, C> DataLoader<D, C> {
    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        let samples = self.epoch_sampler().len();
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }

    /// Whether an epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    pub(crate) fn epoch_sampler(&self) -> Arc<dyn Sampler> {
        let len = self.dataset.len();
        match &self.order {
            Order::Sequential => Arc::new(SequentialSampler::new(len)),
            Order::Random => Arc::new(RandomSampler::new(len)),
            Order::Custom(sampler) => Arc::clone(sampler),
        }
    }
}

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> DataLoader<D, C> {
    /// Begins an epoch. Each batch is a result: what fails in a sample, panics included, comes in its place
    /// as [`Error::Sample`](rushlight_array::Error::Sample), after which the epoch is over.
    ///
    /// # Panics
    /// If the sampler gives another number of indices than its `len()`; without workers in the first
    /// `next()`.
    #[track_caller]
    pub fn iter(&self) -> Batches<D, C> {
        let resume = self.resume.lock().unwrap_or_else(PoisonError::into_inner).take();
        Batches::new(self, resume)
    }

    /// Where the epoch that was begun last stands, for a checkpoint: as that of torchdata's `StatefulDataLoader`.
    ///
    /// Batches count as read when `next()` has given them. Of the generators it has the loader's own one, if there
    /// is one; the state of the default generator is the program's to save.
    pub fn state_dict(&self) -> LoaderState {
        LoaderState { generator: self.generator.as_ref().map(Generator::state), ..self.progress.state() }
    }

    /// Goes on where [`state_dict`](DataLoader::state_dict) was called, maybe in another process: the next
    /// `iter()` gives the batches that were not read, bit for bit, with any number of workers. The order is drawn
    /// again, and no sample that was read is made again.
    ///
    /// Data set, sampler (a [`DistributedSampler`](crate::DistributedSampler) with its epoch), batch size and the
    /// presence of a generator must be as they were.
    ///
    /// ```
    /// use rushlight_array::random::Generator;
    /// use rushlight_data::{DataLoader, from_fn};
    /// let loader = || DataLoader::new(from_fn(9, |i| Ok(i))).shuffle(true).generator(Generator::new(1));
    /// let first = loader();
    /// let mut epoch = first.iter();
    /// epoch.by_ref().take(4).for_each(drop);
    /// let state = first.state_dict();
    ///
    /// let second = loader();
    /// second.load_state_dict(&state)?;
    /// for (old, new) in epoch.zip(&second) {
    ///     assert_eq!(old?.to_vec::<i64>(), new?.to_vec::<i64>());
    /// }
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the state is not one of such a loader.
    pub fn load_state_dict(&self, state: &LoaderState) -> Result<()> {
        let wrong = |reason: String| Error::invalid("DataLoader::load_state_dict", reason);
        match (&self.generator, &state.generator) {
            (Some(_), None) => {
                return Err(wrong("the state has no generator, but the loader has one".into()));
            }
            (None, Some(_)) => {
                return Err(wrong("the state has a generator, but the loader has none".into()));
            }
            _ => {}
        }
        if state.batches > self.len() {
            let (batches, len) = (state.batches, self.len());
            return Err(wrong(format!("{batches} batches were read, but the loader has {len}")));
        }
        let resume = match &state.epoch {
            None => None,
            Some(epoch) => {
                let order = match &epoch.order {
                    Some(order) => order
                        .draw_again(&*self.epoch_sampler(), self.generator.is_some(), self.batch_size)
                        .map_err(wrong)?,
                    None if state.batches > 0 => {
                        return Err(wrong("batches were read without an order".into()));
                    }
                    None => Vec::new(),
                };
                Some(Resume { epoch: epoch.clone(), order, batches: state.batches })
            }
        };
        if let (Some(generator), Some(state)) = (&self.generator, &state.generator) {
            generator.set_state(state);
        }
        self.progress.set(state.clone());
        *self.resume.lock().unwrap_or_else(PoisonError::into_inner) = resume;
        Ok(())
    }
}

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> IntoIterator for &DataLoader<D, C> {
    type Item = Result<C::Batch>;
    type IntoIter = Batches<D, C>;

    #[track_caller]
    fn into_iter(self) -> Batches<D, C> {
        self.iter()
    }
}
