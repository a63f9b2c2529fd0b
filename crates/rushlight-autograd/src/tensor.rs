use crate::hooks::HookHandle;
use crate::leaf::Leaf;
use crate::node::{Edge, Node};
use rushlight_array::{Array, DType, Device, Element, Shape, fail};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// An n-dimensional array that can take part in gradients: PyTorch's `torch.Tensor`.
///
/// A tensor is a constant, a *leaf* (made by [`Tensor::requires_grad_`]: a cell that collects a gradient
/// and can be set), or computed from others by recorded operations. A clone is another handle on the
/// same tensor. Tensors may be shared between threads.
///
/// `Display` prints what PyTorch prints; with a precision, as in `{loss:.2}` or `{loss:>8.2}`, a tensor with one
/// element prints as a number, with width, fill and sign as for `f64`.
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

impl Tensor {
    /// A tensor without a gradient.
    #[inline(never)]
    pub fn constant(array: Array) -> Tensor {
        Tensor(Arc::new(Kind::Constant(array)))
    }

    #[inline(never)]
    pub(crate) fn tracked(value: Array, edge: Edge) -> Tensor {
        Tensor(Arc::new(Kind::Tracked { value, edge }))
    }

    pub(crate) fn of_leaf(leaf: Leaf) -> Tensor {
        Tensor(Arc::new(Kind::Leaf(leaf)))
    }

    pub(crate) fn leaf(&self) -> Option<&Leaf> {
        match &*self.0 {
            Kind::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    /// The values, unless this is a leaf, whose values can be set.
    pub(crate) fn fixed(&self) -> Option<&Array> {
        match &*self.0 {
            Kind::Constant(array) | Kind::Tracked { value: array, .. } => Some(array),
            Kind::Leaf(_) => None,
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
            Kind::Leaf(leaf) if leaf.requires_grad() => Some(Edge::Leaf(self.clone())),
            Kind::Tracked { edge, .. } => Some(edge.clone()),
            _ => None,
        }
    }

    /// The values. For a leaf they are those of now; a later [`Tensor::set`] does not change them.
    ///
    /// # Panics
    /// If this is a leaf inside of its own [`Tensor::update`].
    #[track_caller]
    pub fn array(&self) -> Array {
        match &*self.0 {
            Kind::Constant(array) => array.clone(),
            Kind::Tracked { value, .. } => value.clone(),
            Kind::Leaf(leaf) => Array::clone(&leaf.value()),
        }
    }

    /// A handle on the values of now of a leaf.
    #[track_caller]
    pub(crate) fn leaf_value(&self) -> Arc<Array> {
        Arc::clone(&self.leaf().expect("it is a leaf").value())
    }

    /// The values, lent where they cannot change meanwhile.
    #[track_caller]
    pub(crate) fn value(&self) -> Cow<'_, Array> {
        match self.fixed() {
            Some(array) => Cow::Borrowed(array),
            None => Cow::Owned(self.array()),
        }
    }

    /// The values of a constant that nobody else holds.
    pub(crate) fn into_unshared(self) -> Result<Array, Tensor> {
        match Arc::try_unwrap(self.0) {
            Ok(Kind::Constant(array)) => Ok(array),
            Ok(kind) => Err(Tensor(Arc::new(kind))),
            Err(shared) => Err(Tensor(shared)),
        }
    }

    #[track_caller]
    fn with<R>(&self, f: impl FnOnce(&Array) -> R) -> R {
        match &*self.0 {
            Kind::Constant(array) => f(array),
            Kind::Tracked { value, .. } => f(value),
            Kind::Leaf(leaf) => f(&leaf.value()),
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
    #[track_caller]
    pub fn dim(&self) -> usize {
        self.with(Array::rank)
    }

    /// The number of elements.
    #[track_caller]
    pub fn numel(&self) -> usize {
        self.with(Array::numel)
    }

    /// The number of dims: [`Tensor::dim`].
    #[track_caller]
    pub fn ndim(&self) -> usize {
        self.dim()
    }

    /// The number of elements: [`Tensor::numel`].
    #[track_caller]
    pub fn nelement(&self) -> usize {
        self.numel()
    }

    /// The bytes of one element.
    #[track_caller]
    pub fn element_size(&self) -> usize {
        self.dtype().size()
    }

    /// The bytes of all elements; an expanded tensor takes less memory.
    #[track_caller]
    pub fn nbytes(&self) -> usize {
        self.numel() * self.element_size()
    }

    /// Whether the dtype is a float.
    #[track_caller]
    pub fn is_floating_point(&self) -> bool {
        self.dtype().is_float()
    }

    /// By how many elements the places of neighbours along each dim differ in memory. Views that flip have negative ones,
    /// which PyTorch does not know.
    ///
    /// ```
    /// use rushlight_autograd::zeros;
    /// assert_eq!(zeros([2, 3]).t().stride(), [1, 3]);
    /// ```
    #[track_caller]
    pub fn stride(&self) -> Vec<isize> {
        self.with(|array| array.layout().strides().to_vec())
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
    #[track_caller]
    pub fn dtype(&self) -> DType {
        self.with(Array::dtype)
    }

    /// The device that holds the elements.
    #[track_caller]
    pub fn device(&self) -> Device {
        self.with(|array| array.device().clone())
    }

    /// Whether the elements lie in row-major order without gaps.
    #[track_caller]
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
            Kind::Leaf(leaf) => leaf.requires_grad(),
            Kind::Tracked { .. } => true,
        }
    }

    /// Whether this tensor was not computed by a recorded operation.
    pub fn is_leaf(&self) -> bool {
        !matches!(&*self.0, Kind::Tracked { .. })
    }

    /// The same values without history: the new tensor is a constant.
    #[must_use = "the detached tensor is a new one"]
    pub fn detach(&self) -> Tensor {
        Tensor::constant(self.array())
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
    /// A hook that captures its own tensor makes a cycle, which lasts until the hook is removed.
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

    /// The name of the operation that computed this tensor, in PyTorch's form: `AddmmBackward0`.
    pub fn grad_fn(&self) -> Option<String> {
        self.node().map(|node| node.op.grad_fn())
    }

    /// Whether two handles are the same tensor.
    pub fn is(&self, other: &Tensor) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
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
        tensor.into_unshared().unwrap_or_else(|tensor| tensor.array())
    }
}

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.precision().is_some() && self.numel() == 1 {
            return fmt::Display::fmt(&self.item(), f);
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
