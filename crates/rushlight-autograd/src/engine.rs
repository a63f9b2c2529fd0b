//! Backward: gradients flow from a heap ordered by node id, newest first. Since ids rise with creation,
//! all gradients of a node have arrived when its turn comes. No recursion, and no map: only `grad`, which
//! must know the nodes between outputs and inputs, finds them with one beforehand.

use crate::anomaly;
use crate::autocast;
use crate::hooks;
use crate::mode::GradModeGuard;
use crate::node::{Edge, Node};
use crate::op::{Flow, Gradients, Part, Saved};
use crate::tensor::Tensor;
use rushlight_array::profile::{Work, span, span_of};
use rushlight_array::{Shape, fail};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic;

/// How to go backward; the defaults are PyTorch's.
///
/// ```
/// use rushlight_autograd::GradOptions;
/// let options = GradOptions { retain_graph: true, ..GradOptions::default() };
/// assert!(!options.create_graph);
/// ```
#[derive(Clone, Default, Debug)]
pub struct GradOptions {
    /// Keep what the graph saved, for another backward pass through it. Implied by `create_graph`.
    pub retain_graph: bool,
    /// Record the backward pass itself, for derivatives of the gradients.
    ///
    /// With [`Tensor::backward_with`] this makes a cycle: the leaf holds its `grad`, which holds a graph,
    /// which holds the leaf. As PyTorch warns, that memory lasts until [`Tensor::zero_grad`] clears the
    /// gradient; [`grad_with`] makes none.
    pub create_graph: bool,
    /// In [`grad_with`]: give zeros, instead of an error, for an input that the outputs do not depend on.
    pub allow_unused: bool,
    /// The gradients of the outputs, one each; ones if empty, which only scalars may leave out.
    pub grad_outputs: Vec<Tensor>,
}

/// A gradient on its way to an edge.
struct Pending {
    id: u64,
    sequence: u64,
    edge: Edge,
    grad: Flow,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Pending {}
impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Pending {
    /// The newest node first; of one node's gradients the first sent first, so that sums have one order.
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id).then(other.sequence.cmp(&self.sequence))
    }
}

/// Where the gradients of a run end.
enum Target<'a> {
    /// In the leaves.
    Leaves,
    /// In a list, one place for each wanted edge.
    Wanted(&'a [Edge], Vec<Option<Tensor>>),
}

struct Run<'a> {
    heap: BinaryHeap<Pending>,
    sequence: u64,
    target: Target<'a>,
    retain: bool,
    /// The ids of all edges that matter, in order; `None` if all do.
    needed: Option<&'a [u64]>,
}

/// The ids of the wanted edges and of all between them and the outputs, in order. As in PyTorch nothing
/// else is computed, freed, or seen by hooks.
fn between(outputs: &[&Tensor], wanted: &[Edge]) -> Vec<u64> {
    let mut targets: Vec<u64> = wanted.iter().map(Edge::id).collect();
    targets.sort_unstable();
    let oldest = targets.first().copied().unwrap_or(u64::MAX);
    let mut open: Vec<Edge> = outputs.iter().filter_map(|output| output.edge()).collect();
    let mut seen = BTreeMap::new();
    while let Some(edge) = open.pop() {
        if edge.id() < oldest || seen.contains_key(&edge.id()) {
            continue;
        }
        if let Edge::Node(node) = &edge {
            open.extend(node.edges().cloned());
        }
        seen.insert(edge.id(), edge);
    }
    // From the oldest on, so that what an edge leads to is decided before it.
    let mut needed: Vec<u64> = Vec::new();
    for (id, edge) in &seen {
        let leads = |node: &Node| node.edges().any(|next| needed.binary_search(&next.id()).is_ok());
        if targets.binary_search(id).is_ok() || matches!(edge, Edge::Node(node) if leads(node)) {
            needed.push(*id);
        }
    }
    needed
}

impl Run<'_> {
    fn send(&mut self, edge: Edge, grad: Flow) {
        let id = edge.id();
        self.heap.push(Pending { id, sequence: self.sequence, edge, grad });
        self.sequence += 1;
    }

    #[track_caller]
    fn run(&mut self) {
        let _span = span("backward", Work::default);
        let _pass = anomaly::pass();
        while let Some(Pending { id, edge, grad, .. }) = self.heap.pop() {
            let mut sum = Sum::of(grad);
            while self.heap.peek().is_some_and(|next| next.id == id) {
                sum = sum.and(self.heap.pop().expect("it was peeked").grad);
            }
            let grad = sum.whole();
            match &edge {
                Edge::Leaf(leaf) => self.arrive(leaf, grad),
                Edge::Node(node) => self.pass(node, grad),
            }
        }
    }

    fn keep(&mut self, id: u64, grad: &Tensor) {
        let Target::Wanted(edges, grads) = &mut self.target else { return };
        for (edge, place) in edges.iter().zip(grads) {
            if edge.id() == id {
                *place = Some(grad.clone());
            }
        }
    }

    #[track_caller]
    fn arrive(&mut self, leaf: &Tensor, grad: Tensor) {
        let cell = leaf.leaf().expect("an edge leads to a leaf");
        let grad = hooks::run(&cell.hooks, grad);
        self.keep(cell.id, &grad);
        if matches!(self.target, Target::Leaves) {
            leaf.accumulate(grad);
            for hook in cell.post_hooks() {
                hook(leaf);
            }
        }
    }

    #[track_caller]
    fn pass(&mut self, node: &Arc<Node>, mut grad: Tensor) {
        if let Some(extras) = node.extras() {
            grad = hooks::run(&extras.hooks, grad);
            if extras.retains.load(atomic::Ordering::Relaxed) && matches!(self.target, Target::Leaves) {
                let mut retained = extras.retained.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *retained = Some(match retained.take() {
                    Some(before) => before + &grad,
                    // The caller's own cell would change when it is set.
                    None if grad.fixed().is_none() => grad.detach(),
                    None => grad.clone(),
                });
            }
        }
        self.keep(node.id, &grad);
        let mut give = Gradients::new(node, self.needed);
        if !(0..node.inputs.len()).any(|i| give.needs(i)) {
            return;
        }
        let name = node.op.name();
        let _span = span_of(name, "backward", Work::default);
        let Some(arrays) = node.saved(self.retain) else {
            fail!(
                "{name}: trying to backward through the graph a second time, but what it saved is freed; \
                 use retain_graph in the first backward"
            );
        };
        node.op.backward(&Saved { node, arrays: &arrays }, &grad, &mut give);
        if anomaly::is_anomaly_enabled() {
            for (i, given) in give.grads.iter().enumerate() {
                if let Some(given) = given {
                    anomaly::backward(name, node.id, &grad.array(), i, &given.array());
                }
            }
        }
        if give.without_rule {
            fail!(
                "{name}: this operation has no backward rule, so it cannot be differentiated; \
                 detach its inputs or implement Op::backward"
            );
        }
        for (i, input) in node.inputs.iter().enumerate() {
            let Some(edge) = input.edge.as_ref().filter(|_| give.needs(i)) else { continue };
            let Some(grad) = give.grads[i].take() else {
                fail!(
                    "{name}: the backward rule gave no gradient to input {i}, which requires one; \
                     a true zero must be given as zeros"
                );
            };
            let grad = match grad {
                Flow::Whole(grad) => Flow::Whole(fit(name, i, grad, &input.shape, input.dtype)),
                part => part,
            };
            self.send(edge.clone(), grad);
        }
    }
}

/// The gradients of one edge, added up in the order in which they came.
enum Sum {
    Whole(Tensor),
    /// Parts that have no place in common.
    Parts(Vec<Part>),
}

impl Sum {
    fn of(grad: Flow) -> Self {
        match grad {
            Flow::Whole(grad) => Sum::Whole(grad),
            Flow::Part(part) => Sum::Parts(vec![*part]),
        }
    }

    #[track_caller]
    fn and(self, grad: Flow) -> Self {
        match (self, grad) {
            (Sum::Parts(mut parts), Flow::Part(part))
                if parts.iter().all(|other| other.region.is_apart(&part.region)) =>
            {
                parts.push(*part);
                Sum::Parts(parts)
            }
            // Not `+=`, which would change a leaf that the caller gave as an output's gradient.
            (sum, grad) => Sum::Whole(sum.whole() + Sum::of(grad).whole()),
        }
    }

    #[track_caller]
    fn whole(self) -> Tensor {
        match self {
            Sum::Whole(sum) => sum,
            Sum::Parts(parts) => (parts[0].whole)(&parts).into(),
        }
    }
}

/// Sums a gradient over the axes along which its input was broadcast, and checks what is left.
#[track_caller]
fn fit(name: &str, i: usize, grad: Tensor, shape: &Shape, dtype: rushlight_array::DType) -> Tensor {
    let grad = if grad.shape() == *shape {
        grad
    } else if broadcasts(shape, &grad.shape()) {
        grad.sum_to(shape)
    } else {
        fail!(
            "{name}: the backward rule gave input {i} of shape {shape:?} a gradient of shape {:?}",
            grad.shape()
        );
    };
    if grad.dtype() == dtype {
        grad
    } else if grad.dtype().is_float() {
        grad.to(dtype)
    } else {
        fail!("{name}: the backward rule gave input {i} a gradient of {}", grad.dtype().name());
    }
}

/// Whether a shape broadcasts to another one.
pub(crate) fn broadcasts(from: &[usize], to: &[usize]) -> bool {
    to.len() >= from.len() && from.iter().rev().zip(to.iter().rev()).all(|(&f, &t)| f == t || f == 1)
}

#[track_caller]
fn start(op: &str, outputs: &[&Tensor], options: &GradOptions, run: &mut Run<'_>) {
    let given = &options.grad_outputs;
    if !given.is_empty() && given.len() != outputs.len() {
        fail!("{op}: {} grad_outputs for {} outputs; give one for each", given.len(), outputs.len());
    }
    for (i, output) in outputs.iter().enumerate() {
        let Some(edge) = output.edge() else {
            fail!(
                "{op}: element {i} of tensors does not require grad and does not have a grad_fn; \
                 no input of it was marked with requires_grad_()"
            );
        };
        let grad = match given.get(i) {
            Some(grad) if grad.shape() == output.shape() => grad.to(output.dtype()),
            Some(grad) => fail!(
                "{op}: the gradient for output {i} has shape {:?}, but the output has shape {:?}",
                grad.shape(),
                output.shape()
            ),
            None if output.numel() == 1 => Tensor::constant(output.array().ones_like()),
            None => fail!(
                "{op}: grad can be implicitly created only for scalar outputs, but output {i} has shape {:?}; \
                 sum it, or give grad_outputs",
                output.shape()
            ),
        };
        if run.needed.is_none_or(|needed| needed.binary_search(&edge.id()).is_ok()) {
            run.send(edge, Flow::Whole(grad));
        }
    }
}

/// The gradients of `outputs` with respect to `inputs`, which may be leaves or computed; the leaves'
/// `grad` stays as it is.
///
/// ```
/// use rushlight_autograd::{grad, tensor};
/// let w = tensor([3.0]).requires_grad_();
/// let y = &w * &w;
/// assert_eq!(grad(&[&y], &[&w])[0].to_vec::<f32>(), [6.0]);
/// ```
///
/// # Panics
/// If an output is not a scalar or was not computed from anything that requires a gradient, or does not
/// depend on one of the inputs.
#[track_caller]
pub fn grad(outputs: &[&Tensor], inputs: &[&Tensor]) -> Vec<Tensor> {
    grad_with(outputs, inputs, &GradOptions::default())
}

/// As [`grad`], with options.
///
/// # Panics
/// As [`grad`]; with `allow_unused` an input that does not matter gets zeros instead.
#[track_caller]
pub fn grad_with(outputs: &[&Tensor], inputs: &[&Tensor], options: &GradOptions) -> Vec<Tensor> {
    let mut edges = Vec::with_capacity(inputs.len());
    for (i, input) in inputs.iter().enumerate() {
        let Some(edge) = input.edge() else {
            fail!(
                "grad: input {i} of shape {:?} does not require grad; mark it with requires_grad_()",
                input.shape()
            );
        };
        edges.push(edge);
    }
    let needed = between(outputs, &edges);
    let mut run = Run {
        heap: BinaryHeap::new(),
        sequence: 0,
        retain: options.retain_graph || options.create_graph,
        needed: Some(&needed),
        target: Target::Wanted(&edges, vec![None; edges.len()]),
    };
    start("grad", outputs, options, &mut run);
    {
        let _precision = autocast::Guard::off();
        let _mode = GradModeGuard::set(options.create_graph);
        run.run();
    }
    let Target::Wanted(_, grads) = run.target else { unreachable!("set above") };
    let mut found = Vec::with_capacity(grads.len());
    for (i, (grad, input)) in grads.into_iter().zip(inputs).enumerate() {
        found.push(match grad {
            Some(grad) => grad,
            None if options.allow_unused => Tensor::constant(input.array().zeros_like()),
            None => fail!(
                "grad: the outputs do not depend on input {i} of shape {:?}; set allow_unused for zeros",
                input.shape()
            ),
        });
    }
    found
}

impl Tensor {
    /// Adds the derivatives of this scalar to the `grad` of every leaf it was computed from.
    ///
    /// What the graph saved is freed; a second pass needs `retain_graph` in [`Tensor::backward_with`].
    ///
    /// # Panics
    /// If this is not a scalar, was not computed from anything that requires a gradient, or the graph is
    /// freed already.
    #[track_caller]
    pub fn backward(&self) {
        self.backward_with(&GradOptions::default());
    }

    /// As [`Tensor::backward`], with options; `grad_outputs` holds this tensor's own gradient.
    ///
    /// # Panics
    /// As [`Tensor::backward`].
    #[track_caller]
    pub fn backward_with(&self, options: &GradOptions) {
        let mut run = Run {
            heap: BinaryHeap::new(),
            sequence: 0,
            retain: options.retain_graph || options.create_graph,
            needed: None,
            target: Target::Leaves,
        };
        start("backward", &[self], options, &mut run);
        let _precision = autocast::Guard::off();
        let _mode = GradModeGuard::set(options.create_graph);
        run.run();
    }
}
