use crate::dataset::SampleSeed;
use rushlight_array::random::Seed;
use std::cell::Cell;
use std::fmt;

/// The visits to samples that make up a batch: what [`Dataset::get_items`](crate::Dataset::get_items) is asked for.
///
/// ```
/// use rushlight_array::Result;
/// use rushlight_data::{DataLoader, Dataset, Visits};
///
/// struct Squares;
/// impl Dataset for Squares {
///     type Item = usize;
///     fn len(&self) -> usize {
///         4
///     }
///     fn get(&self, index: usize) -> Result<usize> {
///         Ok(index * index)
///     }
///     fn get_items(&self, visits: &Visits<'_>) -> Option<Result<Vec<usize>>> {
///         Some(visits.iter().map(|(index, _)| self.get(index)).collect())
///     }
/// }
/// let batch = DataLoader::new(Squares).batch_size(4).iter().next().unwrap()?;
/// assert_eq!(batch.to_vec::<i64>(), [0, 1, 4, 9]);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub struct Visits<'a> {
    /// The samples by their number in the loader's data set.
    pub(crate) order: &'a [usize],
    /// The place of the first one in the epoch.
    pub(crate) start: usize,
    pub(crate) seed: Seed,
    /// The visit that is being made, for messages.
    pub(crate) at: &'a Cell<usize>,
    /// Whether nobody wants the batch any more.
    pub(crate) stopped: &'a dyn Fn() -> bool,
    /// The visits as a data set around this one sees them, and the number of a sample in this one by that.
    pub(crate) outside: Option<(&'a Visits<'a>, &'a dyn Fn(usize) -> usize)>,
}

impl Visits<'_> {
    /// The number of visits.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none, which no loader asks for.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The index of each sample, and its seed. It ends early when the epoch is given up; what is made by then is
    /// thrown away.
    pub fn iter(&self) -> impl Iterator<Item = (usize, SampleSeed)> + '_ {
        (0..self.len()).map_while(|i| {
            if (self.stopped)() {
                return None;
            }
            self.at.set(i);
            Some((self.index(i), SampleSeed::new(self.seed, self.start + i, self.order[i])))
        })
    }

    /// The same visits, for a data set inside of the one that is asked: `inner` gives its index for the outer one.
    pub fn through<'b>(&'b self, inner: &'b dyn Fn(usize) -> usize) -> Visits<'b> {
        Visits {
            order: self.order,
            start: self.start,
            seed: self.seed,
            at: self.at,
            stopped: self.stopped,
            outside: Some((self, inner)),
        }
    }

    fn index(&self, i: usize) -> usize {
        match self.outside {
            Some((outside, inner)) => inner(outside.index(i)),
            None => self.order[i],
        }
    }
}

impl fmt::Debug for Visits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visits").field("order", &self.order).field("start", &self.start).finish()
    }
}
