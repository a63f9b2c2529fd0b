use crate::hooks::{GradHook, Hooks};
use crate::op::Op;
use crate::tensor::Tensor;
use rushlight_array::{Array, DType, Shape};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Ids rise with creation, so whatever a node was computed from has a smaller id: their order is a
/// topological order of the graph.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Where a gradient goes.
#[derive(Clone)]
pub(crate) enum Edge {
    /// To a leaf, which collects it.
    Leaf(Tensor),
    /// Through a recorded operation.
    Node(Arc<Node>),
}

impl Edge {
    pub(crate) fn id(&self) -> u64 {
        match self {
            Edge::Leaf(leaf) => leaf.leaf().expect("an edge leads to a leaf").id,
            Edge::Node(node) => node.id,
        }
    }
}

/// One operand of a recorded operation.
pub(crate) struct Input {
    /// `None` if it needs no gradient.
    pub(crate) edge: Option<Edge>,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
}

/// Lists on the heap: a node is moved some times before it rests, and most lists are short or empty.
pub(crate) type Arrays = Vec<Array>;

/// A recorded operation: what backward needs, and nothing of the result that it does not.
pub(crate) struct Node {
    pub(crate) id: u64,
    pub(crate) op: Box<dyn Op>,
    pub(crate) inputs: Vec<Input>,
    /// What the op asked to save; `None` once a backward pass has freed it.
    saved: Mutex<Option<Arrays>>,
    extras: OnceLock<Extras>,
}

/// What few nodes have.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) hooks: Arc<Hooks<GradHook>>,
    /// The gradient, if the user asked to keep it.
    pub(crate) retained: Mutex<Option<Tensor>>,
    pub(crate) retains: std::sync::atomic::AtomicBool,
}

impl Node {
    pub(crate) fn new(op: Box<dyn Op>, inputs: Vec<Input>, saved: Arrays) -> Self {
        Node { id: next_id(), op, inputs, saved: Mutex::new(Some(saved)), extras: OnceLock::new() }
    }

    /// Where the gradients of its inputs go.
    pub(crate) fn edges(&self) -> impl Iterator<Item = &Edge> {
        self.inputs.iter().filter_map(|input| input.edge.as_ref())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arrays>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The saved arrays; without `retain` they are gone afterwards, unless there were none.
    pub(crate) fn saved(&self, retain: bool) -> Option<Arrays> {
        let mut saved = self.lock();
        if retain || saved.as_ref().is_some_and(|s| s.is_empty()) { saved.clone() } else { saved.take() }
    }

    pub(crate) fn extras(&self) -> Option<&Extras> {
        self.extras.get()
    }

    pub(crate) fn make_extras(&self) -> &Extras {
        self.extras.get_or_init(Extras::default)
    }
}

impl Drop for Node {
    /// Takes a chain of nodes apart in a loop: a recursive drop of a million of them would overflow
    /// the stack.
    fn drop(&mut self) {
        let mut open: Vec<Arc<Node>> = Vec::new();
        let take = |inputs: &mut Vec<Input>, open: &mut Vec<Arc<Node>>| {
            for input in inputs.drain(..) {
                if let Some(Edge::Node(node)) = input.edge {
                    open.push(node);
                }
            }
        };
        take(&mut self.inputs, &mut open);
        while let Some(node) = open.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                take(&mut node.inputs, &mut open);
            }
        }
    }
}
