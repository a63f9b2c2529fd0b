//! Whether a program insists on the same bits in every run: `torch.use_deterministic_algorithms`.

use crate::fail;
use std::sync::atomic::{AtomicBool, Ordering};

static INSISTED: AtomicBool = AtomicBool::new(false);

/// Says whether an operation for which a device has no deterministic kernel shall panic; it does not unless told to.
///
/// On the CPU every operation is deterministic whatever is said here: results do not depend on the number of threads.
/// On other devices sums by atomic additions may differ from run to run; their backends call
/// [`alert_not_deterministic`] before such a kernel.
///
/// ```
/// use rushlight_array::{alert_not_deterministic, are_deterministic_algorithms_enabled, use_deterministic_algorithms};
/// assert!(!are_deterministic_algorithms_enabled());
/// alert_not_deterministic("scatter_add on a device");
/// use_deterministic_algorithms(true);
/// assert!(std::panic::catch_unwind(|| alert_not_deterministic("scatter_add on a device")).is_err());
/// use_deterministic_algorithms(false);
/// ```
pub fn use_deterministic_algorithms(mode: bool) {
    INSISTED.store(mode, Ordering::Relaxed);
}

/// Whether [`use_deterministic_algorithms`] is on.
pub fn are_deterministic_algorithms_enabled() -> bool {
    INSISTED.load(Ordering::Relaxed)
}

/// For a backend, before a kernel whose result may differ from run to run: `what` is the operation and the device.
///
/// # Panics
/// If [`use_deterministic_algorithms`] is on.
#[track_caller]
pub fn alert_not_deterministic(what: &str) {
    if are_deterministic_algorithms_enabled() {
        fail!(
            "{what}: there is no deterministic kernel, and use_deterministic_algorithms(true) was called; compute it on \
             the CPU, or call use_deterministic_algorithms(false)"
        );
    }
}
