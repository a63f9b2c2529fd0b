use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    static ENABLED: Cell<bool> = const { Cell::new(true) };
}

/// Whether operations on this thread are recorded for a backward pass.
pub fn is_grad_enabled() -> bool {
    ENABLED.get()
}

/// Switches recording on this thread on or off until it is dropped, where the closures of [`no_grad`] and
/// [`enable_grad`] do not fit. Guards must be dropped in the reverse order of their creation, as local
/// variables are.
///
/// ```
/// use rushlight_autograd::{GradModeGuard, is_grad_enabled};
/// {
///     let _guard = GradModeGuard::no_grad();
///     assert!(!is_grad_enabled());
/// }
/// assert!(is_grad_enabled());
/// ```
///
/// It belongs to its thread:
///
/// ```compile_fail,E0277
/// let guard = rushlight_autograd::GradModeGuard::no_grad();
/// std::thread::spawn(move || drop(guard));
/// ```
#[derive(Debug)]
#[must_use = "the mode returns when the guard is dropped"]
pub struct GradModeGuard {
    before: bool,
    /// Neither `Send` nor `Sync`: dropped on another thread it would leave this one's mode switched.
    of_thread: PhantomData<*const ()>,
}

impl GradModeGuard {
    /// Stops recording: PyTorch's `torch.no_grad()`.
    pub fn no_grad() -> Self {
        GradModeGuard::set(false)
    }

    /// Records, also inside of [`no_grad`]: PyTorch's `torch.enable_grad()`.
    pub fn enable_grad() -> Self {
        GradModeGuard::set(true)
    }

    pub(crate) fn set(enabled: bool) -> Self {
        GradModeGuard { before: ENABLED.replace(enabled), of_thread: PhantomData }
    }
}

impl Drop for GradModeGuard {
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
    let _guard = GradModeGuard::set(false);
    f()
}

/// Runs `f` with recording, also inside of [`no_grad`].
pub fn enable_grad<R>(f: impl FnOnce() -> R) -> R {
    let _guard = GradModeGuard::set(true);
    f()
}
