use crate::tensor::Tensor;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sees a gradient and may replace it.
pub(crate) type GradHook = dyn Fn(&Tensor) -> Option<Tensor> + Send + Sync;
/// Sees a leaf after its gradient was added.
pub(crate) type LeafHook = dyn Fn(&Tensor) + Send + Sync;

/// Functions that run when a gradient arrives, in the order of their registration.
pub(crate) struct Hooks<F: ?Sized> {
    list: Mutex<Vec<(u64, Arc<F>)>>,
    /// Whether there ever was one: most tensors have none, and need not take the lock to know.
    used: AtomicBool,
}

impl<F: ?Sized> Default for Hooks<F> {
    fn default() -> Self {
        Hooks { list: Mutex::new(Vec::new()), used: AtomicBool::new(false) }
    }
}

impl<F: ?Sized + Send + Sync + 'static> Hooks<F> {
    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Arc<F>)>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(self: &Arc<Self>, hook: Arc<F>) -> HookHandle {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.lock().push((id, hook));
        self.used.store(true, Ordering::Release);
        let hooks = Arc::downgrade(self);
        HookHandle(Box::new(move || {
            if let Some(hooks) = hooks.upgrade() {
                hooks.lock().retain(|(other, _)| *other != id);
            }
        }))
    }

    /// The hooks as they are now; one that adds or removes hooks changes only later runs.
    pub(crate) fn all(&self) -> Vec<Arc<F>> {
        if !self.used.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.lock().iter().map(|(_, hook)| Arc::clone(hook)).collect()
    }
}

/// Removes a hook. Dropping the handle leaves the hook in place, as in PyTorch.
pub struct HookHandle(Box<dyn Fn() + Send + Sync>);

impl HookHandle {
    /// Takes the hook off its tensor; doing so twice is harmless.
    pub fn remove(&self) {
        (self.0)();
    }
}

impl fmt::Debug for HookHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookHandle")
    }
}

/// Runs gradient hooks one after the other, each on what the one before left.
#[track_caller]
pub(crate) fn run(hooks: &Hooks<GradHook>, mut grad: Tensor) -> Tensor {
    for hook in hooks.all() {
        if let Some(new) = hook(&grad) {
            assert!(
                new.shape() == grad.shape() && new.dtype() == grad.dtype(),
                "hook: a gradient of shape {:?} ({}) was replaced by one of shape {:?} ({}); both must be equal",
                grad.shape(),
                grad.dtype().name(),
                new.shape(),
                new.dtype().name()
            );
            grad = new;
        }
    }
    grad
}
