use crate::dataset::{Dataset, SampleSeed};
use crate::visits::Visits;
use rushlight_array::Result;
use std::fmt;

/// What a function makes of each sample of a data set: made by [`Dataset::map`].
#[derive(Clone)]
pub struct MapDataset<D, F> {
    dataset: D,
    map: F,
}

impl<D, F> MapDataset<D, F> {
    pub(crate) fn new(dataset: D, map: F) -> Self {
        MapDataset { dataset, map }
    }

    /// The data set that the samples come from.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

impl<D: Dataset, T: Send, F: Fn(D::Item) -> Result<T> + Send + Sync> Dataset for MapDataset<D, F> {
    type Item = T;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<T> {
        (self.map)(self.dataset.get(index)?)
    }

    fn get_random(&self, index: usize, seed: SampleSeed) -> Result<T> {
        (self.map)(self.dataset.get_random(index, seed)?)
    }

    /// One by one: the function may draw from the default generator, which is the sample's own only then.
    fn get_items(&self, _: &Visits<'_>) -> Option<Result<Vec<T>>> {
        None
    }
}

impl<D: fmt::Debug, F> fmt::Debug for MapDataset<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapDataset").field("dataset", &self.dataset).finish()
    }
}
