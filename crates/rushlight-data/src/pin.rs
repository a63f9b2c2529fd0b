use crate::collate::CollateFn;
use rushlight_array::Result;
use std::sync::Arc;

/// A collate rule with a step behind it: made by [`DataLoader::pin_memory`](crate::DataLoader::pin_memory).
#[derive(Clone, Debug)]
pub struct Pinned<C, P> {
    collate: Arc<C>,
    pin: P,
}

impl<C, P> Pinned<C, P> {
    pub(crate) fn new(collate: Arc<C>, pin: P) -> Self {
        Pinned { collate, pin }
    }
}

impl<Item, Batch, C, P> CollateFn<Item> for Pinned<C, P>
where
    C: CollateFn<Item>,
    P: Fn(C::Batch) -> Result<Batch> + Send + Sync,
    Batch: Send + 'static,
{
    type Batch = Batch;

    fn batch(&self, samples: Vec<Item>, indices: &[usize]) -> Result<Batch> {
        (self.pin)(self.collate.batch(samples, indices)?)
    }
}
