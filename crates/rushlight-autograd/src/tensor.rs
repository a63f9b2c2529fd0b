use crate::hooks::{GradHook, HookHandle, Hooks, LeafHook};
use crate::mode::is_grad_enabled;
use crate::node::{Edge, Node, next_id};
use rushlight_array::{Array, DType, Device, Element, Shape, fail};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// An n-dimensional array that can take part in gradients: PyTorch's `torch.Tensor`.
///
/// A tensor is a constant, a *leaf* (made by [`Tensor::requires_grad_`]: a cell that collects a gradient
/// and can be set), or computed from others by recorded operations. A clone is another handle on the
/// same tensor. Tensors may be shared between threads.
///
/// `Display` prints what PyTorch prints; with a precision, as in `{loss:.2}`, a tensor with one element
/// prints as a number.
///
/// ```
/// use rushlight_autograd::tensor;
/// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!((&x + 1.0).to_string(), "tensor([[2., 3.],\n        [4., 5.]])");
/// assert_eq!(format!("{:.2}", x.mean()), "2.50");
/// ```
#[derive(Clone)]
pub struct Tensor(Arc<Kind>);

enum Kind {
    Constant(Array),
    Leaf(Leaf),
    Tracked { value: Array, edge: Edge },
}

/// A cell with a value, and with the gradient that backward passes add up.
pub(crate) struct Leaf {
    pub(crate) id: u64,
    shape: Shape,
    value: RwLock<Array>,
    requires_grad: AtomicBool,
    grad: Mutex<Option<Tensor>>,
    pub(crate) hooks: Arc<Hooks<GradHook>>,
    pub(crate) post_hooks: Arc<Hooks<LeafHook>>,
}

impl Leaf {
    fn grad(&self) -> MutexGuard<'_, Option<Tensor>> {
        self.grad.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tensor {
    /// A tensor without a gradient.
    pub fn constant(array: Array) -> Tensor {
        Tensor(Arc::new(Kind::Constant(array)))
    }

    pub(crate) fn tracked(value: Array, edge: Edge) -> Tensor {
        Tensor(Arc::new(Kind::Tracked { value, edge }))
    }

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
        Tensor(Arc::new(Kind::Leaf(Leaf {
            id: next_id(),
            shape: array.shape().clone(),
            value: RwLock::new(array),
            requires_grad: AtomicBool::new(requires_grad),
            grad: Mutex::new(None),
            hooks: Arc::default(),
            post_hooks: Arc::default(),
        })))
    }

    pub(crate) fn leaf(&self) -> Option<&Leaf> {
        match &*self.0 {
            Kind::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        match &*self.0 {
            Kind::Tracked { edge: Edge::Node(node), .. } => Some(node),
            _ => None,
        }
    }

    /// Where a gradient of this tensor goes, if it needs one.
    pub(crate) fn edge(&self) -> Option<Edge> {
        match &*self.0 {
            Kind::Leaf(leaf) if leaf.requires_grad.load(Ordering::Relaxed) => Some(Edge::Leaf(self.clone())),
            Kind::Tracked { edge, .. } => Some(edge.clone()),
            _ => None,
        }
    }

    /// The values. For a leaf they are those of now; a later [`Tensor::set`] does not change them.
    pub fn array(&self) -> Array {
        match &*self.0 {
            Kind::Constant(array) => array.clone(),
            Kind::Tracked { value, .. } => value.clone(),
            Kind::Leaf(leaf) => leaf.value.read().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&Array) -> R) -> R {
        match &*self.0 {
            Kind::Constant(array) => f(array),
            Kind::Tracked { value, .. } => f(value),
            Kind::Leaf(leaf) => f(&leaf.value.read().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// The sizes of the dims.
    pub fn shape(&self) -> Shape {
        match &*self.0 {
            Kind::Leaf(leaf) => leaf.shape.clone(),
            Kind::Constant(array) | Kind::Tracked { value: array, .. } => array.shape().clone(),
        }
    }

    /// The size of one dim; a negative one counts from the back.
    ///
    /// # Panics
    /// If the dim is out of range.
    #[track_caller]
    pub fn size(&self, dim: isize) -> usize {
        // No closure: the caller's line does not pass through one.
        let shape = self.shape();
        let axis = rushlight_array::axis("size", dim, &shape);
        match shape.get(axis) {
            Some(&size) => size,
            None => fail!("size: a scalar has no dim {dim}"),
        }
    }

    /// The number of dims.
    pub fn dim(&self) -> usize {
        self.with(Array::rank)
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.with(Array::numel)
    }

    /// The size of the first dim: Python's `len(x)`.
    ///
    /// # Panics
    /// If the tensor is a scalar.
    #[track_caller]
    #[allow(clippy::len_without_is_empty, reason = "a tensor is not a collection; the name is Python's")]
    pub fn len(&self) -> usize {
        match self.shape().first() {
            Some(&size) => size,
            None => fail!("len: a scalar tensor has no length; use numel"),
        }
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.with(Array::dtype)
    }

    /// The device that holds the elements.
    pub fn device(&self) -> Device {
        self.with(|array| array.device().clone())
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        self.with(Array::is_contiguous)
    }

    /// The elements in row-major order.
    ///
    /// # Panics
    /// If `T` is not the dtype.
    #[track_caller]
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.array().to_vec()
    }

    /// The value of a tensor with one element, as f64: PyTorch's `item()`.
    ///
    /// # Panics
    /// If there is not exactly one element.
    #[track_caller]
    pub fn item(&self) -> f64 {
        self.array().item()
    }

    /// The value of a tensor with one element, cast to `T`.
    ///
    /// # Panics
    /// If there is not exactly one element.
    #[track_caller]
    pub fn item_as<T: Element>(&self) -> T {
        self.array().item()
    }

    /// Whether operations on this tensor are recorded.
    pub fn requires_grad(&self) -> bool {
        match &*self.0 {
            Kind::Constant(_) => false,
            Kind::Leaf(leaf) => leaf.requires_grad.load(Ordering::Relaxed),
            Kind::Tracked { .. } => true,
        }
    }

    /// Whether this tensor was not computed by a recorded operation.
    pub fn is_leaf(&self) -> bool {
        !matches!(&*self.0, Kind::Tracked { .. })
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
        match &*self.0 {
            Kind::Constant(array) => Tensor::new_leaf(array.clone(), true),
            Kind::Leaf(_) => {
                self.set_requires_grad(true);
                self
            }
            Kind::Tracked { .. } => fail!(
                "requires_grad_: a tensor computed by {} requires a gradient already; use detach for a new leaf",
                self.grad_fn().unwrap_or_default()
            ),
        }
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

    /// The same values without history: the new tensor is a constant.
    #[must_use = "the detached tensor is a new one"]
    pub fn detach(&self) -> Tensor {
        Tensor::constant(self.array())
    }

    /// Replaces the values of a leaf, as optimisers do. What graphs saved of it keeps the old ones.
    ///
    /// ```
    /// use rushlight_autograd::{no_grad, tensor};
    /// let w = tensor([1.0]).requires_grad_();
    /// let y = &w * &w;
    /// no_grad(|| w.set(&tensor([5.0]).array()));
    /// y.backward();
    /// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0]);
    /// ```
    ///
    /// # Panics
    /// If this is not a leaf cell, the shape differs, or the leaf requires a gradient and the dtype is no
    /// float or recording is on: do it inside of [`no_grad`](crate::no_grad).
    #[track_caller]
    pub fn set(&self, array: &Array) {
        if **array.shape() != *self.shape() {
            fail!("set: shape {:?} does not replace shape {:?}", array.shape(), self.shape());
        }
        self.update(|value| *value = array.clone());
    }

    /// Changes the values of a leaf by a function; if nobody else holds them it may work in place.
    ///
    /// The cell is locked meanwhile: the function must not read this same leaf but through its argument.
    ///
    /// # Panics
    /// As [`Tensor::set`].
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut Array) -> R) -> R {
        let Some(leaf) = self.leaf() else {
            fail!("set: this tensor is not a leaf; only parameters and buffers can be set")
        };
        if is_grad_enabled() && self.requires_grad() {
            fail!("set: a leaf that requires grad is being changed in place; do it inside of no_grad");
        }
        let mut value = leaf.value.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut value);
        if *value.shape() != leaf.shape {
            // The cell must never hold another shape, not even after a panic.
            let wrong = std::mem::replace(&mut *value, Array::zeros(&leaf.shape, DType::F32));
            fail!("set: shape {:?} does not replace shape {:?}", wrong.shape(), leaf.shape);
        }
        if self.requires_grad() && !value.dtype().is_float() {
            let dtype = value.dtype();
            *value = value.cast(DType::F32);
            fail!("set: {} cannot require gradients; only floats can", dtype.name());
        }
        result
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
    /// If this is not a leaf, or the shapes differ.
    #[track_caller]
    pub fn set_grad(&self, grad: Option<Tensor>) {
        let Some(leaf) = self.leaf() else { fail!("set_grad: this tensor is not a leaf") };
        if let Some(grad) = &grad
            && grad.shape() != leaf.shape
        {
            fail!("set_grad: a gradient of shape {:?} for a leaf of shape {:?}", grad.shape(), leaf.shape);
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
            Some(before) => &before + &grad,
            // Grad outputs of the caller may carry a graph that nobody asked to keep.
            None if !is_grad_enabled() && grad.requires_grad() => grad.detach(),
            None => grad,
        });
    }

    /// Keeps the gradient of this computed tensor in a backward pass, to be read by [`Tensor::grad`].
    ///
    /// # Panics
    /// If the tensor requires no gradient.
    #[track_caller]
    pub fn retain_grad(&self) {
        match self.node() {
            Some(node) => node.make_extras().retains.store(true, Ordering::Relaxed),
            None if self.requires_grad() => {}
            None => fail!("retain_grad: this tensor does not require a gradient"),
        }
    }

    /// Calls `hook` with the gradient of this tensor whenever it is computed; a tensor that it returns
    /// takes the gradient's place.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// let w = tensor([1.0]).requires_grad_();
    /// let handle = w.register_hook(|grad| Some(grad * 0.5));
    /// (&w * 4.0).backward();
    /// assert_eq!(w.grad().unwrap().to_vec::<f32>(), [2.0]);
    /// handle.remove();
    /// ```
    ///
    /// # Panics
    /// If the tensor requires no gradient.
    #[track_caller]
    pub fn register_hook(
        &self,
        hook: impl Fn(&Tensor) -> Option<Tensor> + Send + Sync + 'static,
    ) -> HookHandle {
        match self.edge() {
            Some(Edge::Leaf(leaf)) => leaf.leaf().expect("it is one").hooks.add(Arc::new(hook)),
            Some(Edge::Node(node)) => node.make_extras().hooks.add(Arc::new(hook)),
            None => {
                fail!("register_hook: this tensor does not require a gradient, so the hook would never run")
            }
        }
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
            Some(leaf) if self.requires_grad() => leaf.post_hooks.add(Arc::new(hook)),
            _ => fail!(
                "register_post_accumulate_grad_hook: only leaves that require a gradient accumulate one"
            ),
        }
    }

    /// The name of the operation that computed this tensor, in PyTorch's form: `AddmmBackward0`.
    pub fn grad_fn(&self) -> Option<String> {
        self.node().map(|node| node.op.grad_fn())
    }

    /// Whether two handles are the same tensor.
    pub fn is(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What [`Tensor::to`] takes: a dtype or a device.
#[derive(Clone, Debug)]
pub enum To {
    /// Cast to this dtype.
    DType(DType),
    /// Move to this device.
    Device(Device),
}

impl From<DType> for To {
    fn from(dtype: DType) -> To {
        To::DType(dtype)
    }
}

impl From<&Device> for To {
    fn from(device: &Device) -> To {
        To::Device(device.clone())
    }
}

impl From<Array> for Tensor {
    fn from(array: Array) -> Tensor {
        Tensor::constant(array)
    }
}

impl From<&Tensor> for Array {
    fn from(tensor: &Tensor) -> Array {
        tensor.array()
    }
}

impl From<Tensor> for Array {
    fn from(tensor: Tensor) -> Array {
        tensor.array()
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(precision) = f.precision()
            && self.numel() == 1
        {
            return write!(f, "{:.precision$}", self.item());
        }
        let mut remarks = Vec::new();
        match &*self.0 {
            Kind::Tracked { edge: Edge::Node(node), .. } => {
                remarks.push(format!("grad_fn=<{}>", node.op.grad_fn()))
            }
            _ if self.requires_grad() => remarks.push("requires_grad=True".to_string()),
            _ => {}
        }
        f.write_str(&self.array().format(&remarks))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
