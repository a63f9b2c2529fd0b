//! Indices out of range in steps that are collected, where nobody waits for the answer of each look: a number in the GPU's
//! memory, which is read when the host waits for the GPU anyway.

use crate::gpu::Gpu;
use crate::graph;
use crate::memory::Address;
use rushlight_array::{DType, fail};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
pub(crate) struct BadIndex {
    /// The number: 0, or 1 when an index was out of range.
    place: OnceLock<Address>,
    /// Whether anything may have been written there since it was read.
    open: AtomicBool,
}

impl BadIndex {
    /// Kernels that may write there were asked for.
    pub(crate) fn reopen(&self) {
        self.open.store(true, Ordering::Relaxed);
    }
}

impl Gpu {
    /// Where the kernels of a step that is collected say that an index is out of range.
    #[track_caller]
    pub(crate) fn bad_index(&'static self) -> Address {
        let place = self.bad_index.place.get_or_init(|| {
            let place = self.permanent(8);
            self.zero_now(place, 8);
            place
        });
        graph::note_check();
        *place
    }

    /// Asks, when all work that was asked for is done.
    ///
    /// # Panics
    /// If an index was out of range.
    #[track_caller]
    pub(crate) fn tell_bad_index(&self) {
        if !self.bad_index.open.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(&place) = self.bad_index.place.get() else { return };
        let seen = self.read_now(place, DType::I64, 1);
        if seen.as_slice::<i64>() != [0] {
            self.zero_now(place, 8);
            fail!(
                "{}: an index or a class number was out of range in a step of graph_step; the same step without it says which",
                self.name
            );
        }
    }
}
