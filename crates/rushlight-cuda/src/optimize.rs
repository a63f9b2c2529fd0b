//! The steps of optimisers: `kernels/optimize.cu`.
//!
//! Parameter and gradient are read as they are, in half precision, too; states are kept in the compute type. All are
//! changed in place where nobody else holds them.
//!
//! One kernel makes the steps of many parameters (what PyTorch calls multi-tensor): within [`together`] they are noted, and
//! asked for at its end, or before anything else is asked of a GPU.

use crate::backend::{Cuda, address};
use crate::elementwise::is_alone;
use crate::functions::variant;
use crate::gpu::{Gpu, KernelName};
use crate::launch::{Args, Grid, Numbers, THREADS};
use crate::memory::Address;
use rushlight_array::backend::{OptimizerStep, StepRule};
use rushlight_array::{Array, DType};
use std::cell::{Cell, RefCell};

/// The numbers of a rule, as its kernel takes them.
type RuleNumbers = [[f64; 3]; 3];

/// The parameters of one launch; `MANY` of the kernels.
const MANY: usize = 64;
/// Room for the arguments: the packing, four times three numbers, the ends of blocks, and the list.
const ROOM: usize = 1 + 4 * 3 + MANY / 2 + 6 * MANY;

/// `Parameter` of the kernels: the addresses of weight, gradient and states, and its size.
type Parameter = [u64; 6];

/// What parameters must have in common to be stepped by one launch.
#[derive(Clone, Copy, PartialEq)]
struct Kind {
    kernel: KernelName,
    /// Which states there are, and whether weights decay.
    packing: i64,
    numbers: [[f64; 3]; 4],
}

/// Steps that are not asked for yet.
struct Noted {
    gpu: &'static Gpu,
    kind: Kind,
    list: Vec<Parameter>,
    /// Elements, or packs of them.
    items: Vec<usize>,
    /// All that the list points to: nobody else may have the memory before the launch.
    held: Vec<Array>,
}

thread_local! {
    /// Whether this thread is within [`together`].
    static TOGETHER: Cell<bool> = const { Cell::new(false) };
    /// Whether there is anything in `NOTED`: what is asked for each kernel.
    static ANY: Cell<bool> = const { Cell::new(false) };
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// Calls `steps`, whose steps of optimisers are asked for in as few launches as can be.
#[track_caller]
pub(crate) fn together(steps: &mut dyn FnMut()) {
    /// Ends it, also if a step panics: then those that were noted are not made.
    struct Within;
    impl Drop for Within {
        fn drop(&mut self) {
            TOGETHER.set(false);
            ANY.set(false);
            NOTED.take();
        }
    }
    if TOGETHER.get() {
        return steps();
    }
    TOGETHER.set(true);
    let _within = Within;
    steps();
    flush();
}

/// Asks for the steps that were noted on this thread.
#[inline]
#[track_caller]
pub(crate) fn flush() {
    if ANY.get() {
        launch_noted();
    }
}

#[cold]
#[track_caller]
fn launch_noted() {
    ANY.set(false);
    if let Some(noted) = NOTED.take() {
        noted.launch();
    }
}

impl Noted {
    #[track_caller]
    fn launch(&self) {
        let (mut ends, mut list) = ([u32::MAX; MANY], [Parameter::default(); MANY]);
        // As many blocks as if the parameters were one, and each at least one: those of large ones go on when done.
        let most = (self.gpu.multiprocessors * 32) as usize;
        let rounds = self.items.iter().sum::<usize>().div_ceil(THREADS as usize * most).max(1);
        let mut blocks = 0;
        for (place, (&parameter, items)) in self.list.iter().zip(&self.items).enumerate() {
            blocks += items.div_ceil(THREADS as usize * rounds) as u32;
            (ends[place], list[place]) = (blocks, parameter);
        }
        let Kind { kernel, packing, numbers } = self.kind;
        let args = Args::<ROOM>::with_room().put(packing);
        let args = numbers.into_iter().fold(args, |args, numbers| args.put(Numbers(numbers)));
        self.gpu.launch(kernel, Grid::of([blocks, 1, 1], THREADS), args.put(ends).put(list));
    }
}

/// The name of the rule's kernel, and its numbers `a0` to `a8`. What does not depend on the element is worked out here, in
/// f64.
fn kernel(rule: &StepRule) -> (&'static str, RuleNumbers) {
    let flag = |is: bool| f64::from(u8::from(is));
    // Whether a mean moves by less than half of the way.
    let near = |take: f64| flag(take < 0.5);
    match *rule {
        StepRule::Sgd(r) => {
            ("sgd", [[r.lr, r.momentum, r.fresh], [flag(r.nesterov), flag(r.first), 0.0], [0.0; 3]])
        }
        StepRule::Adam(r) => {
            let (take, take_square) = (1.0 - r.beta1, 1.0 - r.beta2);
            // One division for each element is enough to be bound by: the root's is a product.
            ("adam", [[take, r.beta2, take_square], [r.eps, r.rate, near(take)], [1.0 / r.root, 0.0, 0.0]])
        }
        StepRule::RmsProp(r) => {
            let take = 1.0 - r.alpha;
            ("rmsprop", [[r.lr, r.alpha, take], [r.eps, r.momentum, near(take)], [0.0; 3]])
        }
        StepRule::Adagrad(r) => ("adagrad", [[r.rate, r.eps, 0.0], [0.0; 3], [0.0; 3]]),
        StepRule::Adadelta(r) => ("adadelta", [[r.lr, r.rho, 1.0 - r.rho], [r.eps, 0.0, 0.0], [0.0; 3]]),
        StepRule::Adamax(r) => {
            let take = 1.0 - r.beta1;
            ("adamax", [[take, r.beta2, r.eps], [r.rate, 0.0, near(take)], [0.0; 3]])
        }
        StepRule::NAdam(r) => {
            let (take, take_square) = (1.0 - r.beta1, 1.0 - r.beta2);
            let scale = 1.0 / r.correction;
            let numbers =
                [[take, r.beta2, take_square], [r.eps, scale, near(take)], [r.rate_grad, r.rate_mean, 0.0]];
            ("nadam", numbers)
        }
        StepRule::RAdam(r) => {
            let (take, take_square) = (1.0 - r.beta1, 1.0 - r.beta2);
            // A root below 0 says that the step does not adapt.
            let (root, rectification) = r.adaptive.unwrap_or((-1.0, 1.0));
            let scale = 1.0 / r.correction;
            let numbers =
                [[take, r.beta2, take_square], [r.eps, scale, near(take)], [root, rectification, r.lr]];
            ("radam", numbers)
        }
        StepRule::Asgd(r) => {
            ("asgd", [[r.rate, r.average, 0.0], [0.0, 0.0, flag(r.average == 1.0)], [0.0; 3]])
        }
        StepRule::Rprop(r) => ("rprop", [[r.minus, r.plus, r.min], [r.max, 0.0, 0.0], [0.0; 3]]),
    }
}

/// Which states a rule can have.
fn takes(rule: &StepRule, there: [bool; 3]) -> bool {
    match rule {
        StepRule::Sgd(_) => matches!(there, [_, false, false]),
        StepRule::Adam(_) => matches!(there, [true, true, _]),
        StepRule::RmsProp(_) => matches!(there, [true, _, _]),
        StepRule::Adagrad(_) | StepRule::Asgd(_) => matches!(there, [true, false, false]),
        _ => matches!(there, [true, true, false]),
    }
}

impl Cuda {
    #[track_caller]
    pub(crate) fn step(
        &self,
        step: &OptimizerStep,
        w: &mut Array,
        g: &Array,
        state: [Option<&mut Array>; 3],
    ) {
        let (dtype, compute) = (w.dtype(), w.dtype().compute());
        if g.dtype() == dtype {
            return self.step_in(step, w, &self.dense(g), state);
        }
        let mut wide = w.cast(compute);
        self.step_in(step, &mut wide, &self.dense(&g.cast(compute)), state);
        *w = wide.cast(dtype);
    }

    /// The step of a parameter and a gradient of one type.
    #[track_caller]
    fn step_in(&self, step: &OptimizerStep, w: &mut Array, g: &Array, state: [Option<&mut Array>; 3]) {
        let there = state.each_ref().map(Option::is_some);
        if !takes(&step.rule, there) {
            rushlight_array::fail!("optimizer_step: {:?} does not take the states {there:?}", step.rule);
        }
        let (name, [n1, n2, n3]) = kernel(&step.rule);
        let (count, weights) = (w.numel(), self.writable(w));
        if count == 0 {
            return;
        }
        let mut packing = i64::from(step.weight_decay != 0.0) << 3;
        for (k, &is) in there.iter().enumerate() {
            packing |= i64::from(is) << k;
        }
        let turn = if step.maximize { -1.0 } else { 1.0 };
        let kind = Kind {
            kernel: ("optimize", name, variant(w.dtype())),
            packing,
            numbers: [[turn, step.weight_decay, step.shrink], n1, n2, n3],
        };
        let mut held = vec![g.clone()];
        let states = state.map(|array| {
            array.map_or(0, |array| {
                let address = self.writable(array);
                held.push(array.clone());
                address
            })
        });
        held.push(w.clone());
        let width: usize = match w.dtype() {
            DType::F32 => 4,
            DType::F64 => 1,
            _ => 2,
        };
        let halves =
            [weights, address(g)].iter().all(|at| at.is_multiple_of((width * w.dtype().size()) as Address));
        let packs = halves && states.iter().all(|at| at.is_multiple_of(16));
        let items = if packs { count / width + width } else { count };
        let size = 2 * count as u64 + u64::from(packs);
        self.note(kind, [weights, address(g), states[0], states[1], states[2], size], items, held);
    }

    /// Notes a step, and asks for it at once outside of [`together`].
    #[track_caller]
    fn note(&self, kind: Kind, parameter: Parameter, items: usize, held: Vec<Array>) {
        let fits = |noted: &Noted| {
            std::ptr::eq(noted.gpu, self.gpu) && noted.kind == kind && noted.list.len() < MANY
        };
        if !NOTED.with_borrow(|noted| noted.as_ref().is_none_or(fits)) {
            flush();
        }
        NOTED.with_borrow_mut(|noted| {
            let noted = noted.get_or_insert_with(|| Noted {
                gpu: self.gpu,
                kind,
                list: Vec::new(),
                items: Vec::new(),
                held: Vec::new(),
            });
            noted.list.push(parameter);
            noted.items.push(items);
            noted.held.extend(held);
        });
        ANY.set(true);
        if !TOGETHER.get() {
            flush();
        }
    }

    /// Where the elements can be written: copied before if anybody else holds them, or if they have gaps.
    #[track_caller]
    fn writable(&self, x: &mut Array) -> Address {
        if !is_alone(x) {
            *x = self.copied(x);
        }
        address(x)
    }
}
