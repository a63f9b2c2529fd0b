use crate::dataset::{Dataset, SampleSeed};
use crate::visits::Visits;
use rushlight_array::random::Generator;
use rushlight_array::{Result, fail};
use std::sync::Arc;

/// Some of the samples of a data set, in an order of your choice: PyTorch's `Subset`.
///
/// ```
/// use rushlight_data::{Dataset, Subset, from_fn};
/// let tens = Subset::new(from_fn(5, |i| Ok(10 * i)), vec![4, 0]);
/// assert_eq!((tens.len(), tens.get(0)?), (2, 40));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples of `dataset` with these indices.
    ///
    /// # Panics
    /// If an index is not below the length of the data set.
    #[track_caller]
    pub fn new(dataset: D, indices: Vec<usize>) -> Subset<D> {
        let len = dataset.len();
        if let Some(index) = indices.iter().find(|&&index| index >= len) {
            fail!("Subset: index {index} is out of range for a data set of {len} samples");
        }
        Subset { dataset, indices }
    }

    /// The whole data set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// The indices of the samples in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> Result<D::Item> {
        self.dataset.get(self.indices[index])
    }

    fn get_random(&self, index: usize, seed: SampleSeed) -> Result<D::Item> {
        self.dataset.get_random(self.indices[index], seed)
    }

    fn get_items(&self, visits: &Visits<'_>) -> Option<Result<Vec<D::Item>>> {
        self.dataset.get_items(&visits.through(&|index| self.indices[index]))
    }
}

/// Cuts a data set into parts at random, as `torch.utils.data.random_split`.
///
/// `lengths` are numbers of samples, or fractions that sum to 1. One `randperm` is drawn from the generator.
/// As in PyTorch, fractions are rounded down and the samples left over go to the first parts, one each.
///
/// # Panics
/// If the lengths do not sum to the number of samples, or the fractions to 1.
///
/// ```
/// use rushlight_array::random::{Generator, TorchSeed};
/// use rushlight_data::{Dataset, from_fn, random_split};
/// let generator = Generator::new(TorchSeed(123));
/// let [train, test] = random_split(from_fn(5, |i| Ok(i)), [0.8, 0.2], &generator);
/// // torch.manual_seed(123); torch.randperm(5)
/// assert_eq!((train.indices(), test.indices()), (&[2, 0, 1, 3][..], &[4][..]));
/// ```
#[track_caller]
pub fn random_split<D: Dataset, P: Portion, const N: usize>(
    dataset: D,
    lengths: [P; N],
    generator: &Generator,
) -> [Subset<Arc<D>>; N] {
    let lengths = P::counts(lengths, dataset.len());
    let dataset = Arc::new(dataset);
    let mut order = generator.randperm(dataset.len()).into_iter().map(|index| index as usize);
    lengths.map(|n| Subset::new(Arc::clone(&dataset), order.by_ref().take(n).collect()))
}

/// A part's size for [`random_split`]: a number of samples (`usize`) or a fraction (`f64`).
pub trait Portion: Sized {
    /// The parts as numbers of samples that sum to `total`.
    ///
    /// # Panics
    /// If they cannot.
    #[track_caller]
    fn counts<const N: usize>(parts: [Self; N], total: usize) -> [usize; N];
}

impl Portion for usize {
    #[track_caller]
    fn counts<const N: usize>(parts: [usize; N], total: usize) -> [usize; N] {
        let sum = parts.iter().try_fold(0_usize, |sum, &part| sum.checked_add(part));
        if sum != Some(total) {
            fail!("random_split: lengths {parts:?} do not sum to the {total} samples of the data set");
        }
        parts
    }
}

impl Portion for f64 {
    #[track_caller]
    fn counts<const N: usize>(parts: [f64; N], total: usize) -> [usize; N] {
        let sum: f64 = parts.iter().sum();
        // PyTorch's condition: close to 1 (`math.isclose`), and not above.
        let whole = (1.0 - 1e-9..=1.0).contains(&sum);
        if !whole || parts.iter().any(|part| !(0.0..=1.0).contains(part)) {
            fail!("random_split: fractions {parts:?} must each be between 0 and 1 and sum to 1, not {sum}");
        }
        let mut counts = parts.map(|part| (total as f64 * part).floor() as usize);
        let left = total - counts.iter().sum::<usize>();
        for i in 0..left {
            counts[i % N] += 1;
        }
        counts
    }
}
