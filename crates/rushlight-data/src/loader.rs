use crate::batches::Batches;
use crate::collate::{CollateFn, DefaultCollate};
use crate::dataset::Dataset;
use crate::sampler::{RandomSampler, Sampler, SequentialSampler};
use rushlight_array::random::Generator;
use rushlight_array::{Result, fail};
use std::sync::Arc;

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

    /// Whether to leave out the last batch when it is not full; the default is false.
    #[must_use]
    pub fn drop_last(self, drop_last: bool) -> Self {
        DataLoader { drop_last, ..self }
    }

    /// The number of threads that make batches ahead; the default is 0, which makes them when they are asked
    /// for.
    ///
    /// The threads live as long as an epoch. Their tensor operations stay on them.
    #[must_use]
    pub fn num_workers(self, num_workers: usize) -> Self {
        DataLoader { num_workers, ..self }
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
        DataLoader {
            dataset: self.dataset,
            collate: Arc::new(collate),
            order: self.order,
            batch_size: self.batch_size,
            drop_last: self.drop_last,
            num_workers: self.num_workers,
            prefetch_factor: self.prefetch_factor,
            generator: self.generator,
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
        Batches::new(self)
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
