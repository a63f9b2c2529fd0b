use crate::map::MapDataset;
use crate::visits::Visits;
use rushlight_array::Result;
use rushlight_array::random::{Generator, Purpose, Seed};
use std::sync::Arc;

/// Samples that are found by their number: PyTorch's map-style `Dataset`.
///
/// Worker threads share a data set, so it is `Send + Sync`. `get` reads the world (files, a network) and
/// therefore returns a result; a panic in it is also reported by the loader, with the sample's index.
///
/// **Random numbers.** While a loader makes a sample, the default generator of that thread is the sample's own
/// stream, [`SampleSeed::generator`]. So `rand`, `dropout` and the like may be used in `get`: what they draw
/// depends on the loader's generator and the sample alone, for every number of workers. In PyTorch such draws
/// come from the process's generator with 0 workers and from each worker's with more. A `manual_seed` in
/// `get` holds for that one sample; threads that `get` starts itself draw from the process-wide generator.
///
/// ```
/// use rushlight_array::{Error, Result};
/// use rushlight_data::{DataLoader, Dataset};
///
/// /// The squares of 0, 1, 2, ...
/// struct Squares(usize);
///
/// impl Dataset for Squares {
///     type Item = f32;
///     fn len(&self) -> usize {
///         self.0
///     }
///     fn get(&self, index: usize) -> Result<f32> {
///         let number = u16::try_from(index).map_err(|e| Error::invalid("Squares", e.to_string()))?;
///         Ok(f32::from(number).powi(2))
///     }
/// }
///
/// let batch = DataLoader::new(Squares(5)).batch_size(5).iter().next().unwrap()?;
/// assert_eq!(batch.to_vec::<f32>(), [0.0, 1.0, 4.0, 9.0, 16.0]);
/// # Ok::<(), Error>(())
/// ```
pub trait Dataset: Send + Sync {
    /// One sample, for instance the pair of an image and its label.
    type Item: Send;

    /// The number of samples.
    fn len(&self) -> usize;

    /// The sample number `index`, below [`len`](Dataset::len).
    ///
    /// # Errors
    /// If the sample cannot be read.
    fn get(&self, index: usize) -> Result<Self::Item>;

    /// The sample as a loader asks for it: with a seed for random numbers, which most data sets ignore.
    ///
    /// A data set that augments its samples with a generator of its own choice implements this one too; `rand`
    /// and its kin need only `get`. A data set that wraps another passes the seed on.
    ///
    /// # Errors
    /// If the sample cannot be read.
    ///
    /// ```
    /// use rushlight_array::Result;
    /// use rushlight_data::{Dataset, SampleSeed};
    ///
    /// struct Noisy;
    /// impl Dataset for Noisy {
    ///     type Item = f64;
    ///     fn len(&self) -> usize {
    ///         10
    ///     }
    ///     fn get(&self, index: usize) -> Result<f64> {
    ///         Ok(index as f64)
    ///     }
    ///     fn get_random(&self, index: usize, seed: SampleSeed) -> Result<f64> {
    ///         let mut noise = [0.0];
    ///         seed.generator().normal_f64(&mut noise, 0.0, 0.1);
    ///         Ok(self.get(index)? + noise[0])
    ///     }
    /// }
    /// let seed = SampleSeed::new(0, 0, 3);
    /// assert_eq!(Noisy.get_random(3, seed)?, Noisy.get_random(3, seed)?);
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    fn get_random(&self, index: usize, seed: SampleSeed) -> Result<Self::Item> {
        let _ = seed;
        self.get(index)
    }

    /// All samples of a batch at once, for a data set that can do that faster than one by one: PyTorch's
    /// `__getitems__`. `None`, the default, leaves it to the loader to ask for each by itself.
    ///
    /// The result must be what [`get_random`](Dataset::get_random) gives for each visit, in order. Random numbers
    /// come from the visits' seeds: the default generator is not the samples' own in here.
    ///
    /// # Errors
    /// If a sample cannot be read: that of the visit which the iterator of `visits` gave last.
    fn get_items(&self, visits: &Visits<'_>) -> Option<Result<Vec<Self::Item>>> {
        let _ = visits;
        None
    }

    /// A data set of what `f` makes of each sample. Images have [`transform`](crate::ImageDataset::transform).
    ///
    /// ```
    /// use rushlight_data::{Dataset, from_fn};
    /// let squares = from_fn(4, |i| Ok(i)).map(|i| Ok(i * i));
    /// assert_eq!(squares.get(3)?, 9);
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    fn map<T: Send, F: Fn(Self::Item) -> Result<T> + Send + Sync>(self, f: F) -> MapDataset<Self, F>
    where
        Self: Sized,
    {
        MapDataset::new(self, f)
    }

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The seed of the random numbers of one visit to one sample.
///
/// It is a pure function of the epoch's base seed (which the loader draws at `iter()`), the sample's place in
/// the epoch and its index. No worker, batch size or earlier sample has a part in it; a sample that a sampler
/// visits twice in an epoch gets two seeds. Where torch seeds each worker, so that augmentation depends on
/// the worker count, here it does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleSeed {
    base: Seed,
    place: u64,
    index: u64,
}

impl SampleSeed {
    /// The seed of sample `index`, which is number `place` of an epoch with the base seed `base`.
    pub fn new(base: impl Into<Seed>, place: usize, index: usize) -> SampleSeed {
        SampleSeed { base: base.into(), place: place as u64, index: index as u64 }
    }

    /// A new generator, at the start of its stream, of the base seed's kind: stream (`Augment`, place modulo 2^24, index modulo 2^32).
    ///
    /// It is made here and not before, since most samples need none. In a loader the sample's default generator
    /// begins at the same place of the same stream: a data set that draws from both gets the same numbers
    /// twice, so use one of the two.
    pub fn generator(self) -> Generator {
        Generator::new(self.base).stream(Purpose::Augment, self.place % (1 << 24), self.index % (1 << 32))
    }
}

macro_rules! by_pointer {
    ($($pointer:ty),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $pointer {
            type Item = D::Item;
            fn len(&self) -> usize {
                (**self).len()
            }
            fn get(&self, index: usize) -> Result<D::Item> {
                (**self).get(index)
            }
            fn get_random(&self, index: usize, seed: SampleSeed) -> Result<D::Item> {
                (**self).get_random(index, seed)
            }
            fn get_items(&self, visits: &Visits<'_>) -> Option<Result<Vec<D::Item>>> {
                (**self).get_items(visits)
            }
        }
    )*};
}
by_pointer!(&D, Box<D>, Arc<D>);

/// The data set made by [`from_fn`].
#[derive(Clone, Debug)]
pub struct FromFn<F> {
    len: usize,
    get: F,
}

/// A data set of `len` samples, each made by a function of its index.
///
/// ```
/// use rushlight_data::{Dataset, from_fn};
/// let even = from_fn(10, |i| Ok(2 * i));
/// assert_eq!(even.get(4)?, 8);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub fn from_fn<T: Send, F: Fn(usize) -> Result<T> + Send + Sync>(len: usize, get: F) -> FromFn<F> {
    FromFn { len, get }
}

impl<T: Send, F: Fn(usize) -> Result<T> + Send + Sync> Dataset for FromFn<F> {
    type Item = T;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Result<T> {
        (self.get)(index)
    }
}
