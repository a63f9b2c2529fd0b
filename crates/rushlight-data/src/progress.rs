use crate::state::{EpochState, LoaderState, OrderState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far the last epoch that a loader began has come: shared by the loader and its iterators.
#[derive(Clone)]
pub(crate) struct Progress {
    shared: Arc<Mutex<Latest>>,
    /// Which iterator this is the handle of; an older one no longer counts.
    turn: u64,
}

#[derive(Default)]
struct Latest {
    turn: u64,
    state: LoaderState,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress { shared: Arc::default(), turn: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handle of an iterator that begins an epoch, or goes on with one.
    pub(crate) fn begin(&self, epoch: EpochState, batches: usize) -> Progress {
        let mut latest = self.lock();
        latest.turn += 1;
        latest.state = LoaderState { batches, epoch: Some(epoch), generator: None };
        Progress { shared: Arc::clone(&self.shared), turn: latest.turn }
    }

    /// Sets what a loader says before its next epoch begins.
    pub(crate) fn set(&self, state: LoaderState) {
        let mut latest = self.lock();
        latest.turn += 1;
        latest.state = state;
    }

    pub(crate) fn state(&self) -> LoaderState {
        self.lock().state.clone()
    }

    fn change(&self, change: impl FnOnce(&mut LoaderState)) {
        let mut latest = self.lock();
        if latest.turn == self.turn {
            change(&mut latest.state);
        }
    }

    pub(crate) fn ordered(&self, order: OrderState) {
        self.change(|state| {
            if let Some(epoch) = &mut state.epoch {
                epoch.order = Some(order);
            }
        });
    }

    pub(crate) fn read(&self, batches: usize) {
        self.change(|state| state.batches = batches);
    }

    pub(crate) fn ended(&self) {
        self.change(|state| *state = LoaderState::default());
    }
}
