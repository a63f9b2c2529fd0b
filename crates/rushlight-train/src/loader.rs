//! What the trainer reads from.

use rushlight_array::Result;
use rushlight_autograd::Tensor;
use rushlight_data::{CollateFn, DataLoader, Dataset, LoaderState};

/// A source of batches, epoch after epoch. Of the library's loaders [`DataLoader`] is one.
pub trait Loader {
    /// What comes in each turn: `(Tensor, Tensor)`, inputs and targets, unless you say otherwise.
    type Batch;

    /// Begins an epoch, or goes on with the one that was loaded.
    fn batches(&self) -> Box<dyn Iterator<Item = Result<Self::Batch>> + '_>;

    /// The number of batches in a whole epoch.
    fn len(&self) -> usize;

    /// Whether an epoch has no batch.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The threads that make batches ahead, for reports.
    fn num_workers(&self) -> usize {
        0
    }

    /// Where the loader stands, for a checkpoint.
    fn state(&self) -> LoaderState;

    /// Lets the next [`batches`](Loader::batches) go on from a state.
    ///
    /// # Errors
    /// If the state is not one of such a loader.
    fn load_state(&self, state: &LoaderState) -> Result<()>;
}

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> Loader for DataLoader<D, C> {
    type Batch = C::Batch;

    fn batches(&self) -> Box<dyn Iterator<Item = Result<C::Batch>> + '_> {
        Box::new(self.iter())
    }

    fn len(&self) -> usize {
        DataLoader::len(self)
    }

    fn num_workers(&self) -> usize {
        self.worker_count()
    }

    fn state(&self) -> LoaderState {
        self.state_dict()
    }

    fn load_state(&self, state: &LoaderState) -> Result<()> {
        self.load_state_dict(state)
    }
}

/// A batch that has the model's input in it, for [`Trainer::predict`](crate::Trainer::predict).
pub trait Input {
    /// The tensor that the model is called with.
    fn input(&self) -> &Tensor;
}

impl Input for Tensor {
    fn input(&self) -> &Tensor {
        self
    }
}

impl<T> Input for (Tensor, T) {
    fn input(&self) -> &Tensor {
        &self.0
    }
}
