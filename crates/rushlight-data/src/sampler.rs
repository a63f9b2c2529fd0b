use rushlight_array::fail;
use rushlight_array::random::{Generator, default_generator};
use std::sync::Arc;

/// Decides which samples an epoch visits, and in which order.
///
/// ```
/// use rushlight_array::random::Generator;
/// use rushlight_data::{DataLoader, Sampler, from_fn};
///
/// struct Backwards(usize);
/// impl Sampler for Backwards {
///     fn len(&self) -> usize {
///         self.0
///     }
///     fn indices(&self, _: Option<&Generator>) -> Vec<usize> {
///         (0..self.0).rev().collect()
///     }
/// }
/// let loader = DataLoader::new(from_fn(3, |i| Ok(i))).sampler(Backwards(3)).batch_size(3);
/// assert_eq!(loader.iter().next().unwrap()?.to_vec::<i64>(), [2, 1, 0]);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub trait Sampler: Send + Sync {
    /// The number of indices in an epoch.
    fn len(&self) -> usize;

    /// The indices of an epoch that begins: exactly [`len`](Sampler::len) of them.
    ///
    /// `generator` is the one that the loader was given. Without one a sampler draws what it needs from
    /// [`default_generator`].
    fn indices(&self, generator: Option<&Generator>) -> Vec<usize>;

    /// Called when an epoch has been read to its end, for samplers whose draws go on there.
    fn finish(&self, generator: Option<&Generator>) {
        let _ = generator;
    }

    /// Whether an epoch is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: Sampler + ?Sized> Sampler for Arc<S> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        (**self).indices(generator)
    }

    fn finish(&self, generator: Option<&Generator>) {
        (**self).finish(generator);
    }
}

/// The samples in their own order, which is what a loader does by default. It draws nothing.
#[derive(Clone, Debug)]
pub struct SequentialSampler {
    len: usize,
}

impl SequentialSampler {
    /// The indices `0..len`.
    pub fn new(len: usize) -> Self {
        SequentialSampler { len }
    }
}

impl Sampler for SequentialSampler {
    fn len(&self) -> usize {
        self.len
    }

    fn indices(&self, _: Option<&Generator>) -> Vec<usize> {
        (0..self.len).collect()
    }
}

/// The samples in random order: what `shuffle(true)` does.
///
/// Each once, or with [`num_samples`](RandomSampler::num_samples) in one order after the other until there are enough;
/// with [`replacement`](RandomSampler::replacement) each draw is of all samples.
///
/// The draws are PyTorch's. Without a generator of the loader's: a seed from the default generator, and
/// `randperm` (or `randint`) from a fresh generator with that seed. With one: `randperm` from it, and one more,
/// thrown away, when the epoch has been read to its end.
///
/// ```
/// use rushlight_array::random::{Generator, TorchSeed};
/// use rushlight_data::{RandomSampler, Sampler};
/// let generator = Generator::new(TorchSeed(0));
/// // list(RandomSampler(range(5), replacement=True, num_samples=7, generator=torch.Generator().manual_seed(0)))
/// let sampler = RandomSampler::new(5).replacement(true).num_samples(7);
/// assert_eq!(sampler.indices(Some(&generator)), [4, 4, 3, 0, 3, 4, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct RandomSampler {
    len: usize,
    replacement: bool,
    num_samples: Option<usize>,
}

impl RandomSampler {
    /// The indices `0..len` in random order.
    pub fn new(len: usize) -> Self {
        RandomSampler { len, replacement: false, num_samples: None }
    }

    /// Whether an index may come again before all others came; the default is false.
    #[must_use]
    pub fn replacement(self, replacement: bool) -> Self {
        RandomSampler { replacement, ..self }
    }

    /// How many indices an epoch has; the default is one for each sample.
    ///
    /// # Panics
    /// If it is 0, or there is no sample to draw.
    #[must_use]
    #[track_caller]
    pub fn num_samples(self, num_samples: usize) -> Self {
        if num_samples == 0 || self.len == 0 {
            fail!(
                "RandomSampler: num_samples is {num_samples} of {} samples; both must be at least 1",
                self.len
            );
        }
        RandomSampler { num_samples: Some(num_samples), ..self }
    }

    fn draw(&self, generator: &Generator) -> Vec<usize> {
        if self.replacement {
            let mut order = vec![0; self.len()];
            if self.len > 0 {
                generator.randint(&mut order, 0, self.len as i64);
            }
            return to_indices(&order);
        }
        let mut order = Vec::with_capacity(self.len());
        while order.len() < self.len() {
            order.extend(to_indices(&generator.randperm(self.len)));
        }
        order.truncate(self.len());
        order
    }
}

impl Sampler for RandomSampler {
    fn len(&self) -> usize {
        self.num_samples.unwrap_or(self.len)
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        match generator {
            Some(generator) => self.draw(generator),
            None => {
                let generator = default_generator();
                let seed = generator.random_i64() as u64;
                self.draw(&generator.fork(seed))
            }
        }
    }

    fn finish(&self, generator: Option<&Generator>) {
        // PyTorch draws the order that the epoch would go on with, and takes none of it.
        let whole = self.len > 0 && self.len().is_multiple_of(self.len);
        if let Some(generator) = generator.filter(|_| whole && !self.replacement) {
            generator.randperm(self.len);
        }
    }
}

/// Some of the samples, each once, in random order.
///
/// As in PyTorch the `randperm` comes from the generator itself, without a seed in between.
#[derive(Clone, Debug)]
pub struct SubsetRandomSampler {
    indices: Vec<usize>,
}

impl SubsetRandomSampler {
    /// These indices in random order.
    pub fn new(indices: Vec<usize>) -> Self {
        SubsetRandomSampler { indices }
    }
}

impl Sampler for SubsetRandomSampler {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        let generator = generator.cloned().unwrap_or_else(default_generator);
        generator.randperm(self.indices.len()).into_iter().map(|i| self.indices[i as usize]).collect()
    }
}

/// Samples with a chance in proportion to their weights: PyTorch's `WeightedRandomSampler`.
///
/// The draw is `torch.multinomial` on the weights in f64, from the generator itself.
///
/// ```
/// use rushlight_data::{DataLoader, WeightedRandomSampler, from_fn};
/// // A class with a tenth of the samples is seen as often as the other one.
/// let labels: [i64; 10] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// let weights = labels.map(|label| if label == 1 { 1.0 } else { 1.0 / 9.0 });
/// let sampler = WeightedRandomSampler::new(weights, 100);
/// let loader = DataLoader::new(from_fn(10, move |i| Ok(labels[i]))).sampler(sampler).batch_size(100);
/// let rare = loader.iter().next().unwrap()?.to_vec::<i64>().iter().sum::<i64>();
/// assert!((20..80).contains(&rare));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WeightedRandomSampler {
    weights: Vec<f64>,
    num_samples: usize,
    replacement: bool,
}

impl WeightedRandomSampler {
    /// `num_samples` draws with replacement, one weight for each sample. The weights need not sum to 1.
    ///
    /// # Panics
    /// If `num_samples` is 0, or a weight is negative or not finite, or all are 0.
    #[track_caller]
    pub fn new(weights: impl Into<Vec<f64>>, num_samples: usize) -> WeightedRandomSampler {
        let weights = weights.into();
        if num_samples == 0 {
            fail!("WeightedRandomSampler: num_samples is 0; an epoch needs at least 1 sample");
        }
        if let Some(weight) = weights.iter().find(|weight| !(0.0..=f64::MAX).contains(*weight)) {
            fail!("WeightedRandomSampler: a weight of {weight}; weights must not be negative, and finite");
        }
        if !weights.iter().any(|&weight| weight > 0.0) {
            fail!("WeightedRandomSampler: no weight of {} is above 0; one must be", weights.len());
        }
        WeightedRandomSampler { weights, num_samples, replacement: true }
    }

    /// Whether a sample may come twice; the default is true.
    ///
    /// # Panics
    /// If false, and fewer samples than `num_samples` have a weight above 0.
    #[must_use]
    #[track_caller]
    pub fn replacement(self, replacement: bool) -> Self {
        let there = self.weights.iter().filter(|&&weight| weight > 0.0).count();
        if !replacement && there < self.num_samples {
            fail!(
                "WeightedRandomSampler: {} samples without replacement, but only {there} have a weight above 0",
                self.num_samples
            );
        }
        WeightedRandomSampler { replacement, ..self }
    }
}

impl Sampler for WeightedRandomSampler {
    fn len(&self) -> usize {
        self.num_samples
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        let generator = generator.cloned().unwrap_or_else(default_generator);
        to_indices(&generator.multinomial_f64(&self.weights, self.num_samples, self.replacement))
    }
}

/// The indices of a sampler in batches: PyTorch's `BatchSampler`. Give it to
/// [`DataLoader::batch_sampler`](crate::DataLoader::batch_sampler).
///
/// ```
/// use rushlight_data::{BatchSampler, SequentialSampler};
/// let batches = BatchSampler::new(SequentialSampler::new(5), 2, false);
/// assert_eq!((batches.len(), batches.batches(None)), (3, vec![vec![0, 1], vec![2, 3], vec![4]]));
/// ```
#[derive(Clone, Debug)]
pub struct BatchSampler<S> {
    pub(crate) sampler: S,
    pub(crate) batch_size: usize,
    pub(crate) drop_last: bool,
}

impl<S: Sampler> BatchSampler<S> {
    /// Batches of `batch_size`; the last one may be smaller, or is left out with `drop_last`.
    ///
    /// # Panics
    /// If the batch size is 0.
    #[track_caller]
    pub fn new(sampler: S, batch_size: usize, drop_last: bool) -> BatchSampler<S> {
        if batch_size == 0 {
            fail!("BatchSampler: batch_size is 0; a batch needs at least 1 sample");
        }
        BatchSampler { sampler, batch_size, drop_last }
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        let samples = self.sampler.len();
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }

    /// Whether an epoch has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batches of an epoch that begins; `generator` as for [`Sampler::indices`].
    pub fn batches(&self, generator: Option<&Generator>) -> Vec<Vec<usize>> {
        let order = self.sampler.indices(generator);
        order.chunks(self.batch_size).take(self.len()).map(<[usize]>::to_vec).collect()
    }
}

pub(crate) fn to_indices(order: &[i64]) -> Vec<usize> {
    order.iter().map(|&index| index as usize).collect()
}
