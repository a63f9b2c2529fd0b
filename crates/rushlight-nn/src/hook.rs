//! What happens after a forward pass: hooks on one module, and the observers that see them all.

use crate::module::Module;
use rushlight_autograd::Tensor;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A function that is called with a module, its input and its output, and may give another output.
pub(crate) type ForwardHook = dyn Fn(&dyn Module, &Tensor, &Tensor) -> Option<Tensor> + Send + Sync;

/// The hooks of one module.
#[derive(Default)]
pub(crate) struct Hooks {
    list: Mutex<Vec<(u64, Arc<ForwardHook>)>>,
    /// Whether there is one, so that a module without hooks takes no lock.
    any: AtomicBool,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hooks", self.list.lock().unwrap_or_else(PoisonError::into_inner).len())
    }
}

impl Hooks {
    pub(crate) fn add(self: &Arc<Self>, hook: Arc<ForwardHook>) -> ForwardHookHandle {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.change(|list| list.push((id, hook)));
        ForwardHookHandle { hooks: Arc::clone(self), id }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<(u64, Arc<ForwardHook>)>)) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut list);
        self.any.store(!list.is_empty(), Ordering::Release);
    }

    /// Calls the hooks in the order in which they came.
    pub(crate) fn call(&self, module: &dyn Module, x: &Tensor, mut y: Tensor) -> Tensor {
        if !self.any.load(Ordering::Acquire) {
            return y;
        }
        // Not while they run: a hook may remove itself or call the module again.
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (_, hook) in list {
            if let Some(other) = hook(module, x, &y) {
                y = other;
            }
        }
        y
    }
}

/// A registered hook; it stays when this is dropped.
#[derive(Debug)]
pub struct ForwardHookHandle {
    hooks: Arc<Hooks>,
    id: u64,
}

impl ForwardHookHandle {
    /// Takes the hook away.
    pub fn remove(self) {
        self.hooks.change(|list| list.retain(|(id, _)| *id != self.id));
    }
}

/// Is told the qualified name, the input and the output of each forward pass.
pub(crate) type Observer = dyn FnMut(&str, &dyn Module, &Tensor, &Tensor);

thread_local! {
    static OBSERVED: Cell<bool> = const { Cell::new(false) };
    static OBSERVER: RefCell<Option<Box<Observer>>> = const { RefCell::new(None) };
}

/// Whether somebody watches this thread's forward passes.
#[inline]
pub(crate) fn observed() -> bool {
    OBSERVED.get()
}

/// Tells the observer of this thread.
pub(crate) fn tell(name: &str, module: &dyn Module, x: &Tensor, y: &Tensor) {
    OBSERVER.with_borrow_mut(|observer| {
        if let Some(observer) = observer {
            observer(name, module, x, y);
        }
    });
}

/// Runs `work` with an observer of this thread's forward passes.
pub(crate) fn observe<R>(observer: Box<Observer>, work: impl FnOnce() -> R) -> R {
    /// The observer before, also after a panic.
    struct Restore(Option<Box<Observer>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OBSERVED.set(self.0.is_some());
            OBSERVER.set(self.0.take());
        }
    }
    let _restore = Restore(OBSERVER.replace(Some(observer)));
    OBSERVED.set(true);
    work()
}
