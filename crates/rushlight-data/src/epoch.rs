use crate::collate::CollateFn;
use crate::dataset::{Dataset, SampleSeed};
use rushlight_array::profile::{Work, span_of};
use rushlight_array::random::{Seed, with_default_generator};
use rushlight_array::{Error, Result};
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// One epoch as it was drawn: any thread can make any of its batches.
pub(crate) struct Epoch<D, C> {
    pub(crate) dataset: Arc<D>,
    pub(crate) collate: Arc<C>,
    pub(crate) order: Vec<usize>,
    pub(crate) batch_size: usize,
    pub(crate) seed: Seed,
}

impl<D: Dataset, C: CollateFn<D::Item>> Epoch<D, C> {
    /// Batch number `number`, or nothing if `stopped` says so between two samples.
    pub(crate) fn batch(&self, number: usize, stopped: impl Fn() -> bool) -> Option<Result<C::Batch>> {
        let _span = span_of("DataLoader", "batch", Work::default);
        let places = self.places(number);
        let mut samples = Vec::with_capacity(places.len());
        for place in places.clone() {
            if stopped() {
                return None;
            }
            match self.sample(place) {
                Ok(sample) => samples.push(sample),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(self.collate(samples, places))
    }

    /// The places in the order that batch `number` covers.
    fn places(&self, number: usize) -> Range<usize> {
        let start = number * self.batch_size;
        start..self.order.len().min(start.saturating_add(self.batch_size))
    }

    fn sample(&self, place: usize) -> Result<D::Item> {
        let index = self.order[place];
        let seed = SampleSeed::new(self.seed, place, index);
        // A data set that panicked may be in any state, but it has a lock around what it changes: it is
        // `Sync`.
        match catch_unwind(AssertUnwindSafe(|| {
            with_default_generator(move || seed.generator(), || self.dataset.get_random(index, seed))
        })) {
            Ok(sample) => sample.map_err(|error| Error::sample(index, error)),
            Err(panic) => Err(Error::sample(index, message(&*panic))),
        }
    }

    fn collate(&self, samples: Vec<D::Item>, places: Range<usize>) -> Result<C::Batch> {
        // The stream of an index that no sample has in a data set of any size that fits memory.
        let seed = SampleSeed::new(self.seed, places.start, u32::MAX as usize);
        let indices = &self.order[places];
        catch_unwind(AssertUnwindSafe(|| {
            with_default_generator(move || seed.generator(), || self.collate.batch(samples, indices))
        }))
        .unwrap_or_else(|panic| {
            Err(Error::invalid(format!("collate of samples {indices:?}"), message(&*panic)))
        })
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}
