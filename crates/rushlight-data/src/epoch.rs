use crate::collate::CollateFn;
use crate::dataset::{Dataset, SampleSeed};
use crate::visits::Visits;
use crate::workers::Maker;
use rushlight_array::profile::{Work, span_of};
use rushlight_array::random::{Seed, with_default_generator};
use rushlight_array::{Error, Result};
use std::any::Any;
use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// One epoch as it was drawn: any thread can make any of its batches.
pub(crate) struct Epoch<D, C> {
    pub(crate) dataset: Arc<D>,
    pub(crate) collate: Arc<C>,
    pub(crate) order: Vec<usize>,
    pub(crate) batch_size: usize,
    /// Fewer than the order has where the last one is dropped.
    pub(crate) batches: usize,
    pub(crate) seed: Seed,
}

impl<D: Dataset, C: CollateFn<D::Item>> Epoch<D, C> {
    /// Batch number `number`, or nothing if `stopped` says so between two samples.
    pub(crate) fn batch(&self, number: usize, stopped: &dyn Fn() -> bool) -> Option<Result<C::Batch>> {
        let _span = span_of("DataLoader", "batch", Work::default);
        let places = self.places(number);
        let at = Cell::new(0);
        let visits = Visits {
            order: &self.order[places.clone()],
            start: places.start,
            seed: self.seed,
            at: &at,
            stopped,
            outside: None,
        };
        // A data set that panicked may be in any state, but it has a lock around what it changes: it is
        // `Sync`.
        let samples = match catch_unwind(AssertUnwindSafe(|| self.samples(&visits))) {
            Ok(Ok(samples)) => samples,
            Ok(Err(error)) => return Some(Err(Error::sample(visits.order[at.get()], error))),
            Err(panic) => return Some(Err(Error::sample(visits.order[at.get()], message(&*panic)))),
        };
        if samples.len() == visits.len() {
            Some(self.collate(samples, places))
        } else if stopped() {
            None
        } else {
            let (given, asked) = (samples.len(), visits.len());
            let reason =
                format!("get_items gave {given} samples for {asked} visits; there must be one for each");
            Some(Err(Error::invalid("DataLoader", reason)))
        }
    }

    /// The places in the order that batch `number` covers.
    fn places(&self, number: usize) -> Range<usize> {
        let start = number * self.batch_size;
        start..self.order.len().min(start.saturating_add(self.batch_size))
    }

    fn samples(&self, visits: &Visits<'_>) -> Result<Vec<D::Item>> {
        if let Some(samples) = self.dataset.get_items(visits) {
            return samples;
        }
        let mut samples = Vec::with_capacity(visits.len());
        for (index, seed) in visits.iter() {
            samples.push(with_default_generator(
                move || seed.generator(),
                || self.dataset.get_random(index, seed),
            )?);
        }
        Ok(samples)
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

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> Maker for Epoch<D, C> {
    type Batch = C::Batch;
    type Job = ();

    fn take(&self, number: usize) -> Option<()> {
        (number < self.batches).then_some(())
    }

    fn make(&self, number: usize, (): (), stopped: &dyn Fn() -> bool) -> Option<Result<C::Batch>> {
        self.batch(number, stopped)
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}
