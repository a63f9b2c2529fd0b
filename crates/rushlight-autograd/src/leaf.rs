//! Leaf cells: parameters and buffers, their values, gradients and hooks.

use crate::hooks::{GradHook, HookHandle, Hooks, LeafHook};
use crate::mode::is_grad_enabled;
use crate::node::next_id;
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Device, Shape, fail};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
};

thread_local! {
    /// The ids of the leaves that this thread is changing: waiting for one of their locks would never end.
    static CHANGING: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A cell with a value, and with the gradient that backward passes add up.
pub(crate) struct Leaf {
    pub(crate) id: u64,
    pub(crate) shape: Shape,
    /// Shared, so that a handle on the values of now is one reference count.
    value: RwLock<Arc<Array>>,
    requires_grad: AtomicBool,
    grad: Mutex<Option<Tensor>>,
    pub(crate) hooks: Arc<Hooks<GradHook>>,
    post_hooks: Arc<Hooks<LeafHook>>,
}

impl Leaf {
    /// The value of now.
    #[track_caller]
    pub(crate) fn value(&self) -> RwLockReadGuard<'_, Arc<Array>> {
        match self.value.try_read() {
            Ok(value) => return value,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
        self.check_not_changing();
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requires_grad(&self) -> bool {
        self.requires_grad.load(Ordering::Relaxed)
    }

    /// What runs after a gradient was added.
    pub(crate) fn post_hooks(&self) -> Vec<Arc<LeafHook>> {
        self.post_hooks.all()
    }

    fn grad(&self) -> MutexGuard<'_, Option<Tensor>> {
        self.grad.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn check_grad(&self, grad: &Tensor) {
        if grad.shape() != self.shape {
            fail!("set_grad: a gradient of shape {:?} for a leaf of shape {:?}", grad.shape(), self.shape);
        }
        let (dtype, device) = {
            let value = self.value();
            (value.dtype(), value.device().clone())
        };
        if grad.dtype() != dtype {
            fail!(
                "set_grad: a gradient of {} for a leaf of {}; cast one with .to(..)",
                grad.dtype().name(),
                dtype.name()
            );
        }
        if grad.device() != device {
            fail!("set_grad: a gradient on {} for a leaf on {device}; move one with .to(..)", grad.device());
        }
    }

    #[track_caller]
    fn check_not_changing(&self) {
        if CHANGING.with_borrow(|ids| ids.contains(&self.id)) {
            fail!("update: this leaf is read inside of its own update; use the closure's argument");
        }
    }
}

/// A value that is being changed. Whatever happens meanwhile, also a panic, the cell is left with a value
/// of its shape, and of a float dtype if it requires a gradient.
struct Change<'a> {
    leaf: &'a Leaf,
    value: RwLockWriteGuard<'a, Arc<Array>>,
    dtype: DType,
    device: Device,
}

impl<'a> Change<'a> {
    #[track_caller]
    fn start(leaf: &'a Leaf) -> Self {
        leaf.check_not_changing();
        let value = leaf.value.write().unwrap_or_else(PoisonError::into_inner);
        CHANGING.with_borrow_mut(|ids| ids.push(leaf.id));
        Change { leaf, dtype: value.dtype(), device: value.device().clone(), value }
    }

    /// That a leaf can have the value.
    #[track_caller]
    fn check(&self, op: &str) {
        let (shape, leaf) = (self.value.shape(), self.leaf);
        if *shape != leaf.shape {
            fail!("{op}: shape {shape:?} does not replace shape {:?}", leaf.shape);
        }
        if self.has_wrong_dtype() {
            fail!("{op}: {} cannot require gradients; only floats can", self.value.dtype().name());
        }
    }

    fn has_wrong_dtype(&self) -> bool {
        self.leaf.requires_grad() && !self.value.dtype().is_float()
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if *self.value.shape() != self.leaf.shape {
            *self.value = Arc::new(Array::full(&self.leaf.shape, 0.0, self.dtype, &self.device));
        } else if self.has_wrong_dtype() {
            *self.value = Arc::new(self.value.cast(self.dtype));
        }
        CHANGING.with_borrow_mut(|ids| ids.retain(|&id| id != self.leaf.id));
    }
}

/// Leaves: parameters and buffers.
impl Tensor {
    /// A leaf cell: a parameter if it requires a gradient, else a buffer that can be set.
    ///
    /// # Panics
    /// If a gradient is wanted for a dtype that is not a float.
    #[track_caller]
    pub fn new_leaf(array: Array, requires_grad: bool) -> Tensor {
        if requires_grad && !array.dtype().is_float() {
            fail!(
                "requires_grad_: only tensors of floating point dtype can require gradients, but this is {}; \
                 cast with .to(DType::F32) first",
                array.dtype().name()
            );
        }
        Tensor::of_leaf(Leaf {
            id: next_id(),
            shape: array.shape().clone(),
            value: RwLock::new(Arc::new(array)),
            requires_grad: AtomicBool::new(requires_grad),
            grad: Mutex::new(None),
            hooks: Arc::default(),
            post_hooks: Arc::default(),
        })
    }

    /// A leaf with these values that collects a gradient: PyTorch's `requires_grad=True`.
    ///
    /// A leaf stays the leaf it is; a constant becomes a new one.
    ///
    /// # Panics
    /// If the dtype is not a float, or the tensor was computed by recorded operations.
    #[track_caller]
    #[must_use = "the leaf is a new tensor"]
    pub fn requires_grad_(self) -> Tensor {
        if self.leaf().is_some() {
            self.set_requires_grad(true);
            return self;
        }
        if let Some(grad_fn) = self.grad_fn() {
            fail!(
                "requires_grad_: a tensor computed by {grad_fn} requires a gradient already; \
                 use detach for a new leaf"
            );
        }
        Tensor::new_leaf(self.array(), true)
    }

    /// Freezes a leaf, or lets it learn again.
    ///
    /// # Panics
    /// If this is not a leaf cell, or its dtype is not a float.
    #[track_caller]
    pub fn set_requires_grad(&self, requires_grad: bool) {
        let Some(leaf) = self.leaf() else {
            fail!("set_requires_grad: this tensor is not a leaf; make one with requires_grad_()")
        };
        if requires_grad && !self.dtype().is_float() {
            fail!("set_requires_grad: {} cannot require gradients; only floats can", self.dtype().name());
        }
        leaf.requires_grad.store(requires_grad, Ordering::Relaxed);
    }

    /// Replaces the values of a leaf, as optimisers do. What graphs saved of it keeps the old ones.
    ///
    /// As PyTorch's `w.data = value` it may also change the dtype and the device, which is how a module is
    /// cast or moved; the gradient stays what it was.
    ///
    /// ```
    /// use rushlight_autograd::{no_grad, tensor};
    /// let w = tensor([1.0]).requires_grad_();
    /// let y = &w * &w;
    /// no_grad(|| w.set(tensor([5.0])));
    /// y.backward();
    /// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not a leaf cell, the shape differs, or the leaf requires a gradient and the dtype is no
    /// float or recording is on: do it inside of [`no_grad`](crate::no_grad).
    #[track_caller]
    pub fn set(&self, value: impl Into<Array>) {
        let array: Array = value.into();
        let leaf = self.settable("set");
        if *array.shape() != leaf.shape {
            fail!("set: shape {:?} does not replace shape {:?}", array.shape(), leaf.shape);
        }
        if leaf.requires_grad() && !array.dtype().is_float() {
            fail!("set: {} cannot require gradients; only floats can", array.dtype().name());
        }
        *Change::start(leaf).value = Arc::new(array);
    }

    /// Changes the values of a leaf by a function; if nobody else holds them it may work in place.
    ///
    /// The cell is locked meanwhile: the function sees the values in its argument. If it leaves another
    /// shape there, also by a panic, the values are lost and zeros take their place.
    ///
    /// # Panics
    /// As [`Tensor::set`]; also if the function reads or changes this same leaf but through its argument.
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut Array) -> R) -> R {
        let mut changed = Change::start(self.settable("update"));
        let result = change(Arc::make_mut(&mut changed.value));
        changed.check("update");
        result
    }

    /// Changes the values of several leaves by one function, as [`Tensor::update`] does; `changed[i]` is of `leaves[i]`.
    /// All cells are locked meanwhile: other threads see none of them half changed.
    ///
    /// ```
    /// use rushlight_autograd::{Tensor, no_grad, tensor};
    /// let (a, b) = (tensor([1.0]).requires_grad_(), tensor([2.0]).requires_grad_());
    /// no_grad(|| {
    ///     Tensor::update_all(&[&a, &b], |changed| {
    ///         let (a, b) = changed.split_at_mut(1);
    ///         std::mem::swap(a[0], b[0]);
    ///     })
    /// });
    /// assert_eq!(a.to_vec::<f32>(), [2.0]);
    /// ```
    ///
    /// # Panics
    /// As [`Tensor::update`], and if a leaf is given twice.
    #[track_caller]
    pub fn update_all<R>(leaves: &[&Tensor], change: impl FnOnce(&mut [&mut Array]) -> R) -> R {
        let leaves: Vec<&Leaf> = leaves.iter().map(|tensor| tensor.settable("update_all")).collect();
        // In one order for all threads, so that no two wait for each other.
        let mut order: Vec<usize> = (0..leaves.len()).collect();
        order.sort_by_key(|&place| leaves[place].id);
        let mut changes: Vec<(usize, Change<'_>)> =
            order.into_iter().map(|place| (place, Change::start(leaves[place]))).collect();
        changes.sort_by_key(|(place, _)| *place);
        let mut arrays: Vec<&mut Array> =
            changes.iter_mut().map(|(_, changed)| Arc::make_mut(&mut changed.value)).collect();
        let result = change(&mut arrays);
        changes.iter().for_each(|(_, changed)| changed.check("update_all"));
        result
    }

    /// The cell of a leaf, if it may be changed now.
    #[track_caller]
    fn settable(&self, op: &str) -> &Leaf {
        let Some(leaf) = self.leaf() else {
            fail!("{op}: this tensor is not a leaf; only parameters and buffers can be set")
        };
        if is_grad_enabled() && leaf.requires_grad() {
            fail!("{op}: a leaf that requires grad is being changed in place; do it inside of no_grad");
        }
        leaf
    }

    /// The gradient that backward passes have added up in this leaf, or kept in a computed tensor
    /// after [`Tensor::retain_grad`].
    pub fn grad(&self) -> Option<Tensor> {
        if let Some(leaf) = self.leaf() {
            return leaf.grad().clone();
        }
        let extras = self.node()?.extras()?;
        extras.retained.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the gradient of a leaf; `None` clears it.
    ///
    /// # Panics
    /// If this is not a leaf, or shape, dtype or device of the gradient differ from the leaf's.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        let Some(leaf) = self.leaf() else { fail!("set_grad: this tensor is not a leaf") };
        if let Some(grad) = &grad {
            leaf.check_grad(grad);
        }
        *leaf.grad() = grad;
    }

    /// Forgets the gradient of a leaf.
    pub fn zero_grad(&self) {
        if let Some(leaf) = self.leaf() {
            *leaf.grad() = None;
        }
    }

    /// Adds to the gradient of a leaf.
    pub(crate) fn accumulate(&self, grad: Tensor) {
        let leaf = self.leaf().expect("only leaves collect gradients");
        let mut place = leaf.grad();
        *place = Some(match place.take() {
            // In place if the caller holds no handle on the gradient.
            Some(before) => before + grad,
            // Grad outputs of the caller may carry a graph that nobody asked to keep.
            // Also, a cell of theirs would change when it is set.
            None if grad.fixed().is_none() || (!is_grad_enabled() && grad.requires_grad()) => grad.detach(),
            None => grad,
        });
    }

    /// Calls `hook` with this leaf each time after a backward pass has added to its gradient.
    ///
    /// # Panics
    /// If this is not a leaf that requires a gradient.
    #[track_caller]
    pub fn register_post_accumulate_grad_hook(
        &self,
        hook: impl Fn(&Tensor) + Send + Sync + 'static,
    ) -> HookHandle {
        match self.leaf() {
            Some(leaf) if leaf.requires_grad() => leaf.post_hooks.add(Arc::new(hook)),
            _ => fail!(
                "register_post_accumulate_grad_hook: only leaves that require a gradient accumulate one"
            ),
        }
    }
}
