use crate::anomaly;
use crate::autocast;
use crate::mode::is_grad_enabled;
use crate::node::{Arrays, Edge, Input, Node};
use crate::ops::Region;
use crate::tensor::Tensor;
use rushlight_array::order::sort_by;
use rushlight_array::profile::{Work, span};
use rushlight_array::{Array, DType, Shape};
use smallvec::SmallVec;
use std::fmt::Debug;
use std::sync::Arc;

/// Which arrays an operation keeps for its backward rule. Keep as little as possible: it stays in
/// memory until the backward pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saves {
    /// All inputs, however many there are.
    all: bool,
    /// Else these: a bit for each.
    inputs: u32,
    output: bool,
}

impl Saves {
    /// Nothing: the rule needs the incoming gradient alone.
    pub const NOTHING: Saves = Saves { all: false, inputs: 0, output: false };
    /// The result.
    pub const OUTPUT: Saves = Saves { all: false, inputs: 0, output: true };
    /// All inputs.
    pub const INPUTS: Saves = Saves { all: true, inputs: 0, output: false };
    /// All inputs and the result.
    pub const ALL: Saves = Saves { all: true, inputs: 0, output: true };

    /// The first `n` inputs.
    ///
    /// # Panics
    /// If `n` is more than 31.
    #[track_caller]
    pub const fn first(n: u32) -> Saves {
        assert!(n < 32, "Saves::first: at most 31 inputs; use Saves::INPUTS for all");
        Saves { all: false, inputs: (1 << n) - 1, output: false }
    }

    /// These, and the result.
    pub const fn and_output(self) -> Saves {
        Saves { all: self.all, inputs: self.inputs, output: true }
    }

    fn has_input(self, i: usize) -> bool {
        self.all || (i < 32 && self.inputs >> i & 1 == 1)
    }
}

/// A differentiable operation: a value with a forward and a backward method.
///
/// The built-in operations and yours use this same trait and the same recorder, [`Tensor::apply`].
/// Parameters of the operation (a dim, a slope, an index array) are fields of the type.
///
/// ```
/// use rushlight_autograd::array::Array;
/// use rushlight_autograd::{Gradients, Op, Saved, Saves, Tensor, gradcheck, tensor_as};
/// use rushlight_autograd::array::DType;
///
/// /// x^3.
/// #[derive(Debug)]
/// struct Cube;
///
/// impl Op for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///     fn forward(&mut self, inputs: &[&Array]) -> Array {
///         inputs[0].mul(inputs[0]).mul(inputs[0])
///     }
///     fn saves(&self) -> Saves {
///         Saves::INPUTS
///     }
///     fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
///         let x = saved.input(0);
///         give.to(0, || grad * &x * &x * 3.0);
///     }
/// }
///
/// let x = tensor_as([1.0, -2.0], DType::F64).requires_grad_();
/// let y = Tensor::apply(Cube, &[&x]);
/// y.sum().backward();
/// assert_eq!(x.grad().unwrap().to_vec::<f64>(), [3.0, 12.0]);
/// gradcheck(|x| Tensor::apply(Cube, &[&x[0]]), &[x]).unwrap();
/// ```
pub trait Op: Debug + Send + Sync + 'static {
    /// The name that messages and graphs show, in PyTorch's spelling: `add`, `log_softmax`.
    fn name(&self) -> &'static str;

    /// Computes the result. It may keep by-products in `self` for the backward rule, but only such that
    /// the rule does not need for second derivatives. A large one should go through [`Op::by_product`].
    ///
    /// # Panics
    /// If the inputs do not fit; the message starts with the op's name.
    #[track_caller]
    fn forward(&mut self, inputs: &[&Array]) -> Array;

    /// What the backward rule reads through [`Saved`].
    fn saves(&self) -> Saves {
        Saves::NOTHING
    }

    /// An array that `forward` computed on the way and the backward rule reads by [`Saved::by_product`].
    /// Called once, after `forward`; unlike a field of the operation, the recorder frees it with the rest
    /// of what the graph saved.
    fn by_product(&mut self) -> Option<Array> {
        None
    }

    /// Gives each input that needs one its gradient, from the gradient of the result.
    ///
    /// The gradient may have the broadcast shape of the result; the engine sums it down. An input
    /// that needs a gradient and gets none is an error, never a silent zero.
    ///
    /// # Panics
    /// The default body makes the backward pass panic: an operation without a rule cannot be differentiated.
    fn backward(&self, saved: &Saved<'_>, grad: &Tensor, give: &mut Gradients<'_>) {
        let _ = (saved, grad);
        // The engine panics, at its caller's line; through `dyn Op` this place does not know that line.
        give.without_rule = true;
    }

    /// The name PyTorch prints as `grad_fn`: `AddBackward0`.
    fn grad_fn(&self) -> String {
        grad_fn(self.name())
    }
}

/// `LogSoftmaxBackward0` of `log_softmax`. Not a part of each operation's method.
#[inline(never)]
fn grad_fn(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    });
    words.collect::<String>() + "Backward0"
}

/// What an operation kept for its backward rule.
pub struct Saved<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) arrays: &'a Arrays,
}

impl Saved<'_> {
    /// An input, as it was in the forward pass. It is tracked when a second derivative is wanted.
    ///
    /// # Panics
    /// If the op does not save this input.
    #[track_caller]
    pub fn input(&self, i: usize) -> Tensor {
        self.tracked(i, self.input_array(i).clone())
    }

    /// The values of an input, for rules that are not recorded.
    #[track_caller]
    pub(crate) fn input_array(&self, i: usize) -> &Array {
        assert!(self.node.op.saves().has_input(i), "{}: input {i} is not saved", self.node.op.name());
        &self.arrays[self.saved_before(i)]
    }

    /// The values of the result, for rules that are not recorded.
    #[track_caller]
    pub(crate) fn output_array(&self) -> &Array {
        assert!(self.node.op.saves().output, "{}: the output is not saved", self.node.op.name());
        &self.arrays[self.saved_before(self.len())]
    }

    /// The number of saved inputs before input `i`: they lie first, then the output and the by-product.
    fn saved_before(&self, i: usize) -> usize {
        let saves = self.node.op.saves();
        (0..i).filter(|&j| saves.has_input(j)).count()
    }

    /// The result. It is tracked when a second derivative is wanted.
    ///
    /// # Panics
    /// If the op does not save its result.
    #[track_caller]
    pub fn output(&self) -> Tensor {
        let array = self.output_array().clone();
        if is_grad_enabled() {
            Tensor::tracked(array, Edge::Node(Arc::clone(self.node)))
        } else {
            Tensor::constant(array)
        }
    }

    /// What [`Op::by_product`] gave, as a constant.
    ///
    /// # Panics
    /// If it gave nothing.
    #[track_caller]
    pub fn by_product(&self) -> Tensor {
        self.by_product_array().clone().into()
    }

    #[track_caller]
    pub(crate) fn by_product_array(&self) -> &Array {
        let place = self.saved_before(self.len()) + usize::from(self.node.op.saves().output);
        match self.arrays.get(place) {
            Some(array) => array,
            None => panic!("{}: there is no by-product", self.node.op.name()),
        }
    }

    /// An array as the value of an input.
    fn tracked(&self, i: usize, array: Array) -> Tensor {
        let Input { edge, dtype, .. } = &self.node.inputs[i];
        match edge {
            // Cast within `autocast`: once more, as an operation, so that its gradient is cast back.
            Some(edge) if is_grad_enabled() && *dtype != array.dtype() => {
                Tensor::tracked(array.cast(*dtype), edge.clone()).to(array.dtype())
            }
            Some(edge) if is_grad_enabled() => Tensor::tracked(array, edge.clone()),
            _ => Tensor::constant(array),
        }
    }

    /// The shape of an input; it needs not be saved for this.
    pub fn shape(&self, i: usize) -> &Shape {
        &self.node.inputs[i].shape
    }

    /// The dtype of an input; it needs not be saved for this.
    pub fn dtype(&self, i: usize) -> DType {
        self.node.inputs[i].dtype
    }

    /// The number of inputs.
    pub fn len(&self) -> usize {
        self.node.inputs.len()
    }

    /// Whether the operation had no input.
    pub fn is_empty(&self) -> bool {
        self.node.inputs.is_empty()
    }
}

/// A gradient on its way to an input.
pub(crate) enum Flow {
    Whole(Tensor),
    Part(Box<Part>),
}

impl Flow {
    /// Its numbers; of a part those that it fills.
    pub(crate) fn array(&self) -> Array {
        match self {
            Flow::Whole(grad) => grad.array(),
            Flow::Part(part) => part.grad.clone(),
        }
    }
}

/// A gradient that is zero but for some places.
pub(crate) struct Part {
    pub(crate) region: Region,
    /// Those places.
    pub(crate) grad: Array,
    /// That of the whole.
    pub(crate) shape: Shape,
    /// [`Part::whole`], behind a pointer: the engine, which is in every program, does not hold the code of views.
    pub(crate) whole: fn(&[Part]) -> Array,
}

impl Part {
    /// What parts that have no place in common are together.
    fn whole(parts: &[Part]) -> Array {
        Self::joined(parts).unwrap_or_else(|| Self::placed(parts))
    }

    /// Parts that are all of the whole, cut along one axis.
    fn joined(parts: &[Part]) -> Option<Array> {
        let (axis, ..) = parts[0].region.run()?;
        let mut runs = Vec::with_capacity(parts.len());
        for part in parts {
            let (_, start, len) = part.region.run().filter(|&(other, ..)| other == axis)?;
            runs.push((start, len, part));
        }
        let size = parts[0].shape[axis];
        if size == 0 || runs.iter().map(|(_, len, _)| len).sum::<usize>() != size {
            return None;
        }
        sort_by(&mut runs, |a, b| a.0.cmp(&b.0));
        let array = |part: &Part| match part.region {
            Region::Select { axis, .. } => part.grad.unsqueeze(axis as isize),
            _ => part.grad.clone(),
        };
        let arrays: Vec<Array> = runs.into_iter().map(|(.., part)| array(part)).collect();
        Some(Array::rejoin(&arrays.iter().collect::<Vec<_>>(), axis as isize))
    }

    /// Parts in the midst of zeros.
    fn placed(parts: &[Part]) -> Array {
        let first = &parts[0];
        let zeros = Array::full(&first.shape, 0.0, first.grad.dtype(), first.grad.device());
        parts.iter().fold(zeros, |sum, part| {
            let region = part.region.of("slice_backward", sum.layout());
            sum.place(&region, &part.grad)
        })
    }
}

/// Takes the gradients that a backward rule computes.
pub struct Gradients<'a> {
    pub(crate) node: &'a Node,
    /// The ids of the edges that matter in this pass, in order; `None` if all do.
    needed: Option<&'a [u64]>,
    pub(crate) grads: SmallVec<[Option<Flow>; 3]>,
    pub(crate) without_rule: bool,
}

impl<'a> Gradients<'a> {
    pub(crate) fn new(node: &'a Node, needed: Option<&'a [u64]>) -> Self {
        let grads = node.inputs.iter().map(|_| None).collect();
        Gradients { node, needed, grads, without_rule: false }
    }

    /// Whether an input needs a gradient in this backward pass.
    #[inline(never)]
    pub fn needs(&self, i: usize) -> bool {
        match (&self.node.inputs[i].edge, self.needed) {
            (Some(edge), Some(needed)) => needed.binary_search(&edge.id()).is_ok(),
            (edge, _) => edge.is_some(),
        }
    }

    /// Gives input `i` its gradient; the closure runs only if the input needs one.
    ///
    /// # Panics
    /// If the input was given one already.
    #[track_caller]
    #[inline]
    pub fn to(&mut self, i: usize, grad: impl FnOnce() -> Tensor) {
        if self.needs(i) {
            self.put(i, Flow::Whole(grad()));
        }
    }

    /// Gives input `i` a gradient that is zero but for some places. They meet with others in one tensor, which is not
    /// written out for each of them.
    pub(crate) fn part(&mut self, i: usize, region: &Region, grad: &Tensor) {
        if self.needs(i) {
            let Input { shape, dtype, .. } = &self.node.inputs[i];
            let grad = grad.value().cast(*dtype);
            let (region, shape) = (region.clone(), shape.clone());
            self.put(i, Flow::Part(Box::new(Part { region, grad, shape, whole: Part::whole })));
        }
    }

    /// Apart from [`Gradients::to`], which is compiled for each gradient of each operation.
    #[inline(never)]
    #[track_caller]
    fn put(&mut self, i: usize, grad: Flow) {
        let before = self.grads[i].replace(grad);
        assert!(before.is_none(), "{}: input {i} was given two gradients", self.node.op.name());
    }
}

/// An operand's value: lent where it cannot change, copied (a handle) where it is a cell's.
enum Value<'a> {
    Fixed(&'a Array),
    OfLeaf(Arc<Array>),
}

type Values<'a> = SmallVec<[Value<'a>; 3]>;

impl Value<'_> {
    fn get(&self) -> &Array {
        match self {
            Value::Fixed(array) => array,
            Value::OfLeaf(array) => array,
        }
    }

    fn into_array(self) -> Array {
        match self {
            Value::Fixed(array) => array.clone(),
            Value::OfLeaf(array) => Array::clone(&array),
        }
    }
}

impl Tensor {
    /// Runs an operation and records it if gradients are enabled, the result is a float, and any input
    /// requires a gradient. Every operation passes through here.
    ///
    /// # Panics
    /// If the op rejects its inputs.
    #[track_caller]
    pub fn apply<O: Op>(mut op: O, inputs: &[&Tensor]) -> Tensor {
        let _span = span(op.name(), Work::default);
        // This is compiled for each operation: what does not depend on its type stands in functions below. `forward`
        // is called here, as through `dyn Op` its messages would not know the caller's line.
        let values = values(op.name(), inputs);
        let output = op.forward(&views(&values));
        finish(inputs, values, output, &mut Some(op))
    }
}

/// An operation that may go into a box. Not `dyn FnMut`, whose vtable also holds `call_once`: both would be compiled for
/// each operation.
trait Held {
    fn boxed(&mut self) -> Option<Box<dyn Op>>;
}

impl<O: Op> Held for Option<O> {
    fn boxed(&mut self) -> Option<Box<dyn Op>> {
        self.take().map(|op| -> Box<dyn Op> { Box::new(op) })
    }
}

/// What comes after `forward`. The operation is put in a box only where it is recorded.
#[inline(never)]
#[track_caller]
fn finish(inputs: &[&Tensor], values: Values<'_>, output: Array, op: &mut dyn Held) -> Tensor {
    let tracked = is_tracked(&output, inputs);
    let op = if tracked || anomaly::is_anomaly_enabled() { op.boxed() } else { None };
    if let Some(op) = op.as_ref().filter(|_| anomaly::is_anomaly_enabled()) {
        watch(op.name(), &values, &output);
    }
    match op {
        Some(op) if tracked => record(op, inputs, values, output),
        _ => Tensor::constant(output),
    }
}

/// The operands' values.
#[inline(never)]
fn values<'a>(name: &str, inputs: &[&'a Tensor]) -> Values<'a> {
    // Another thread may set a leaf meanwhile: one that stands twice is read once.
    let mut values = Values::with_capacity(inputs.len());
    for (i, tensor) in inputs.iter().enumerate() {
        values.push(match tensor.fixed() {
            Some(array) => Value::Fixed(array),
            None => match inputs[..i].iter().position(|other| other.is(tensor)).map(|j| &values[j]) {
                Some(Value::OfLeaf(before)) => Value::OfLeaf(Arc::clone(before)),
                _ => Value::OfLeaf(tensor.leaf_value()),
            },
        });
    }
    if autocast::is_on()
        && let Some(dtype) = autocast::wanted(name, &mut values.iter().map(Value::get))
    {
        for value in values.iter_mut().filter(|value| autocast::can_be_cast(value.get().dtype())) {
            *value = Value::OfLeaf(Arc::new(value.get().cast(dtype)));
        }
    }
    values
}

#[inline(never)]
fn views<'a>(values: &'a Values<'_>) -> SmallVec<[&'a Array; 3]> {
    values.iter().map(Value::get).collect()
}

/// Looks at an operation's result for what is not a number.
#[cold]
fn watch(name: &'static str, values: &Values<'_>, output: &Array) {
    anomaly::forward(name, &views(values), output);
}

fn is_tracked(output: &Array, inputs: &[&Tensor]) -> bool {
    is_grad_enabled() && output.dtype().is_float() && inputs.iter().any(|t| t.requires_grad())
}

/// The result, as computed by the operation.
#[inline(never)]
fn record(mut op: Box<dyn Op>, inputs: &[&Tensor], mut values: Values<'_>, output: Array) -> Tensor {
    let saves = op.saves();
    let mut saved = Arrays::new();
    let mut places = Vec::with_capacity(inputs.len());
    for (i, (tensor, value)) in inputs.iter().zip(values.drain(..)).enumerate() {
        let array = value.get();
        // A gradient goes back in the dtype of the tensor, whatever the operation was computed in.
        let dtype = if autocast::is_on() { tensor.dtype() } else { array.dtype() };
        places.push(Input { edge: tensor.edge(), shape: array.shape().clone(), dtype });
        if saves.has_input(i) {
            saved.push(value.into_array());
        }
    }
    if saves.output {
        saved.push(output.clone());
    }
    saved.extend(op.by_product());
    let node = Arc::new(Node::new(op, places, saved));
    if anomaly::is_anomaly_enabled() {
        anomaly::recorded(node.id);
    }
    Tensor::tracked(output, Edge::Node(node))
}
