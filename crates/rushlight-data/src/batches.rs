use crate::collate::CollateFn;
use crate::dataset::Dataset;
use crate::epoch::Epoch;
use crate::loader::DataLoader;
use crate::progress::Progress;
use crate::sampler::Sampler;
use crate::state::{EpochState, OrderState};
use crate::workers::Workers;
use rushlight_array::profile::{Work, span_of};
use rushlight_array::random::{Generator, Seed, default_generator};
use rushlight_array::{Result, fail};
use std::iter::FusedIterator;
use std::sync::Arc;

/// One pass over the data: the iterator made by [`DataLoader::iter`].
///
/// Each item is a batch or the error that took its place; after an error the iterator ends. Dropping it early
/// stops its workers and waits until they are gone, which is at most the sample that each is busy with.
pub struct Batches<D: Dataset, C: CollateFn<D::Item>>
where
    D: 'static,
    C: 'static,
{
    state: State<D, C>,
    generator: Option<Generator>,
    sampler: Arc<dyn Sampler>,
    progress: Progress,
    next: usize,
    len: usize,
}

enum State<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> {
    /// No worker, and the order is not drawn yet: `order` is empty.
    Waiting(Epoch<D, C>),
    /// No worker: a batch is made when it is asked for.
    Here(Epoch<D, C>),
    Workers(Workers<Epoch<D, C>>),
    /// The workers could not be started.
    Failed(rushlight_array::Error),
    Ended,
}

/// An epoch to go on with in the middle.
pub(crate) struct Resume {
    pub(crate) epoch: EpochState,
    /// Drawn again, if it was drawn before.
    pub(crate) order: Vec<usize>,
    pub(crate) batches: usize,
}

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> Batches<D, C> {
    /// Draws the base seed; with workers also the order, since they begin at once.
    #[track_caller]
    pub(crate) fn new(loader: &DataLoader<D, C>, resume: Option<Resume>) -> Self {
        let generator = loader.generator.clone();
        let (state, order, next) = match resume {
            Some(resume) => (resume.epoch, resume.order, resume.batches),
            None => {
                let seed = base_seed(&generator.clone().unwrap_or_else(default_generator));
                (EpochState { seed, order: None }, Vec::new(), 0)
            }
        };
        let (len, sampler) = (loader.len(), loader.epoch_sampler());
        let epoch = Epoch {
            dataset: Arc::clone(&loader.dataset),
            collate: Arc::clone(&loader.collate),
            order,
            batch_size: loader.batch_size,
            batches: len,
            seed: state.seed,
        };
        let drawn = state.order.is_some();
        let progress = loader.progress.begin(state, next);
        let mut batches = Batches { state: State::Ended, generator, sampler, progress, next, len };
        batches.state = if loader.num_workers == 0 {
            if drawn { State::Here(epoch) } else { State::Waiting(epoch) }
        } else {
            let epoch = if drawn { epoch } else { batches.drawn(epoch) };
            match Workers::start(epoch, next, loader.num_workers.min(len - next), loader.prefetch_factor) {
                Ok(workers) => State::Workers(workers),
                Err(error) => State::Failed(error),
            }
        };
        batches
    }

    #[track_caller]
    fn drawn(&self, epoch: Epoch<D, C>) -> Epoch<D, C> {
        let (order, state) = OrderState::draw(&*self.sampler, self.generator.as_ref(), epoch.batch_size);
        if order.len() != self.sampler.len() {
            fail!(
                "DataLoader: the sampler gave {} indices, but its len() is {}; the two must be equal",
                order.len(),
                self.sampler.len()
            );
        }
        self.progress.ordered(state);
        Epoch { order, ..epoch }
    }

    /// The batch or error in place `self.next`.
    fn produce(&mut self) -> Option<Result<C::Batch>> {
        let _span = span_of("DataLoader", "wait", Work::default);
        match &self.state {
            State::Here(epoch) => epoch.batch(self.next, &|| false),
            State::Workers(workers) => workers.next(),
            _ => None,
        }
    }

    /// Ends the epoch, at its end or at an error, and joins the workers.
    fn end(&mut self) {
        self.next = self.len;
        self.state = State::Ended;
    }
}

/// The base seed of an epoch, with the kind of the generator that it is drawn from.
pub(crate) fn base_seed(generator: &Generator) -> Seed {
    let seed = generator.random_i64() as u64;
    generator.fork(seed).initial_seed()
}

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> Iterator for Batches<D, C> {
    type Item = Result<C::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Waiting(epoch) => State::Here(self.drawn(epoch)),
            State::Failed(error) => {
                self.end();
                return Some(Err(error));
            }
            State::Ended => return None,
            state => state,
        };
        if self.next == self.len {
            self.end();
            self.progress.ended();
            self.sampler.finish(self.generator.as_ref());
            return None;
        }
        let batch = self.produce()?;
        self.next += 1;
        self.progress.read(self.next);
        if batch.is_err() {
            self.end();
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = self.len - self.next;
        (if most == 0 { 0 } else { 1 }, Some(most))
    }
}

impl<D: Dataset + 'static, C: CollateFn<D::Item> + 'static> FusedIterator for Batches<D, C> {}
