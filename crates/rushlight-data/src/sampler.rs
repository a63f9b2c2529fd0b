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

/// Each sample once, in random order: what `shuffle(true)` does.
///
/// The draws are PyTorch's. Without a generator of the loader's: a seed from the default generator, and
/// `randperm` from a fresh generator with that seed. With one: `randperm` from it, and one more,
/// thrown away, when the epoch has been read to its end.
#[derive(Clone, Debug)]
pub struct RandomSampler {
    len: usize,
}

impl RandomSampler {
    /// The indices `0..len` in random order.
    pub fn new(len: usize) -> Self {
        RandomSampler { len }
    }
}

impl Sampler for RandomSampler {
    fn len(&self) -> usize {
        self.len
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        let order = match generator {
            Some(generator) => generator.randperm(self.len),
            None => {
                let generator = default_generator();
                let seed = generator.random_i64() as u64;
                generator.fork(seed).randperm(self.len)
            }
        };
        to_indices(&order)
    }

    fn finish(&self, generator: Option<&Generator>) {
        if let Some(generator) = generator {
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

pub(crate) fn to_indices(order: &[i64]) -> Vec<usize> {
    order.iter().map(|&index| index as usize).collect()
}
