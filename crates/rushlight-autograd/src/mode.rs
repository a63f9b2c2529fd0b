use std::cell::Cell;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread are recorded for a backward pass.
pub fn is_grad_enabled() -> bool {
    ENABLED.get()
}

/// Switches recording on or off until it is dropped; see [`no_grad`].
#[derive(Debug)]
pub struct NoGradGuard {
    before: bool,
}

impl NoGradGuard {
    /// Stops recording on this thread until the guard is dropped.
    #[must_use = "recording goes on when the guard is dropped"]
    #[allow(clippy::new_without_default, reason = "creating it has an effect")]
    pub fn new() -> Self {
        NoGradGuard::set(false)
    }

    pub(crate) fn set(enabled: bool) -> Self {
        NoGradGuard { before: ENABLED.replace(enabled) }
    }
}

impl Drop for NoGradGuard {
    fn drop(&mut self) {
        ENABLED.set(self.before);
    }
}

/// Runs `f` without recording: PyTorch's `with torch.no_grad():`.
///
/// ```
/// use rushlight_autograd::{no_grad, tensor};
/// let w = tensor([1.0]).requires_grad_();
/// assert!((&w * 2.0).requires_grad());
/// assert!(!no_grad(|| &w * 2.0).requires_grad());
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    let _guard = NoGradGuard::set(false);
    f()
}

/// Runs `f` with recording, also inside of [`no_grad`].
pub fn enable_grad<R>(f: impl FnOnce() -> R) -> R {
    let _guard = NoGradGuard::set(true);
    f()
}
