use crate::dataset::{Dataset, SampleSeed};
use rushlight_array::{Result, fail};

/// Data sets one behind the other: PyTorch's `ConcatDataset`.
///
/// They are of one type; box them, as `Box<dyn Dataset<Item = T>>`, where their types differ.
///
/// ```
/// use rushlight_data::{ConcatDataset, Dataset, from_fn};
/// let numbers = |len| from_fn(len, |i| Ok(i));
/// let both = ConcatDataset::new(vec![numbers(2), numbers(3)]);
/// assert_eq!((both.len(), both.get(1)?, both.get(2)?, both.cumulative_sizes()), (5, 1, 0, &[2, 5][..]));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConcatDataset<D> {
    datasets: Vec<D>,
    ends: Vec<usize>,
}

impl<D: Dataset> ConcatDataset<D> {
    /// The samples of the first one, then those of the second one, and so on.
    ///
    /// # Panics
    /// If the list is empty, or there are more samples than a `usize` counts.
    #[track_caller]
    pub fn new(datasets: Vec<D>) -> ConcatDataset<D> {
        if datasets.is_empty() {
            fail!("ConcatDataset: an empty list of data sets; at least one is needed");
        }
        let mut end = 0_usize;
        let mut ends = Vec::with_capacity(datasets.len());
        for dataset in &datasets {
            let Some(sum) = end.checked_add(dataset.len()) else {
                fail!("ConcatDataset: {end} and {} samples are more than can be counted", dataset.len());
            };
            end = sum;
            ends.push(end);
        }
        ConcatDataset { datasets, ends }
    }

    /// The data sets.
    pub fn datasets(&self) -> &[D] {
        &self.datasets
    }

    /// For each data set the number of samples up to its end.
    pub fn cumulative_sizes(&self) -> &[usize] {
        &self.ends
    }

    /// The data set of a sample, and its index there.
    #[track_caller]
    fn place(&self, index: usize) -> (&D, usize) {
        if index >= self.len() {
            fail!("ConcatDataset: index {index} is out of range for {} samples", self.len());
        }
        let which = self.ends.partition_point(|&end| end <= index);
        let start = if which == 0 { 0 } else { self.ends[which - 1] };
        (&self.datasets[which], index - start)
    }
}

impl<D: Dataset> Dataset for ConcatDataset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    #[track_caller]
    fn get(&self, index: usize) -> Result<D::Item> {
        let (dataset, index) = self.place(index);
        dataset.get(index)
    }

    fn get_random(&self, index: usize, seed: SampleSeed) -> Result<D::Item> {
        let (dataset, index) = self.place(index);
        dataset.get_random(index, seed)
    }
}
