use crate::sampler::{Sampler, to_indices};
use rushlight_array::fail;
use rushlight_array::random::{Generator, default_generator};
use std::sync::atomic::{AtomicU64, Ordering};

/// The share of one rank of a data set: PyTorch's `DistributedSampler`.
///
/// All ranks shuffle alike, by seed + epoch, and rank `r` of `n` takes places `r, r + n, ...`. So that every
/// rank has as many samples, the order is filled up from its own beginning, or cut with
/// [`drop_last`](DistributedSampler::drop_last).
///
/// The shuffle has a generator of its own, of the kind (ChaCha or Torch) of the loader's generator or else of
/// the default one; nothing is drawn from those.
///
/// ```
/// use rushlight_array::random::{Generator, TorchSeed};
/// use rushlight_data::{DistributedSampler, Sampler};
/// let torch = Generator::new(TorchSeed(0));
/// let sampler = DistributedSampler::new(5, 2, 0);
/// assert_eq!(sampler.indices(Some(&torch)), [4, 1, 2]);
/// sampler.set_epoch(1);
/// assert_eq!(sampler.indices(Some(&torch)), [0, 2, 1]);
/// ```
///
/// To call `set_epoch` while a loader has the sampler, give the loader a clone of an `Arc` of it.
#[derive(Debug)]
pub struct DistributedSampler {
    len: usize,
    replicas: usize,
    rank: usize,
    shuffle: bool,
    seed: u64,
    drop_last: bool,
    epoch: AtomicU64,
}

impl DistributedSampler {
    /// The share of `rank` of a data set with `len` samples, among `replicas` ranks. It shuffles, with seed
    /// 0.
    ///
    /// # Panics
    /// Unless `rank` is below `replicas`.
    #[track_caller]
    pub fn new(len: usize, replicas: usize, rank: usize) -> Self {
        if rank >= replicas {
            fail!(
                "DistributedSampler: rank {rank} of {replicas} replicas; the rank must be below the number"
            );
        }
        let epoch = AtomicU64::new(0);
        DistributedSampler { len, replicas, rank, shuffle: true, seed: 0, drop_last: false, epoch }
    }

    /// Whether to shuffle; the default is true.
    #[must_use]
    pub fn shuffle(self, shuffle: bool) -> Self {
        DistributedSampler { shuffle, ..self }
    }

    /// The seed of the shuffle, the same on all ranks; the default is 0.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        DistributedSampler { seed, ..self }
    }

    /// Whether to leave out the last samples where they do not go round, rather than to repeat the first
    /// ones.
    #[must_use]
    pub fn drop_last(self, drop_last: bool) -> Self {
        DistributedSampler { drop_last, ..self }
    }

    /// Says which epoch comes next; each has another order. Call it before each pass, on all ranks.
    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    fn order(&self, generator: Option<&Generator>) -> Vec<usize> {
        if !self.shuffle {
            return (0..self.len).collect();
        }
        let seed = self.seed.wrapping_add(self.epoch.load(Ordering::Relaxed));
        let generator = generator.cloned().unwrap_or_else(default_generator).fork(seed);
        to_indices(&generator.randperm(self.len))
    }
}

impl Sampler for DistributedSampler {
    fn len(&self) -> usize {
        if self.drop_last { self.len / self.replicas } else { self.len.div_ceil(self.replicas) }
    }

    fn indices(&self, generator: Option<&Generator>) -> Vec<usize> {
        let order = self.order(generator);
        order.iter().cycle().skip(self.rank).step_by(self.replicas).take(self.len()).copied().collect()
    }
}
