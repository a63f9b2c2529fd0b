//! The steps of optimisers: `kernels/optimize.cu`.
//!
//! Parameter and gradient are read as they are, in half precision, too; states are kept in the compute type. All are
//! changed in place where nobody else holds them.

use crate::backend::{Cuda, address};
use crate::elementwise::is_alone;
use crate::functions::variant;
use crate::launch::{Args, Grid, Numbers};
use crate::memory::Address;
use rushlight_array::backend::{OptimizerStep, StepRule};
use rushlight_array::{Array, DType};

/// The numbers of a rule, as its kernel takes them.
type RuleNumbers = [[f64; 3]; 3];

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
        let states = state.map(|array| array.map_or(0, |array| self.writable(array)));
        let width: usize = match w.dtype() {
            DType::F32 => 4,
            DType::F64 => 1,
            _ => 2,
        };
        let halves =
            [weights, address(g)].iter().all(|at| at.is_multiple_of((width * w.dtype().size()) as Address));
        let packs = halves && states.iter().all(|at| at.is_multiple_of(16));
        let mut packing = i64::from(packs);
        for (k, &is) in there.iter().enumerate() {
            packing |= i64::from(is) << (k + 1);
        }
        packing |= i64::from(step.weight_decay != 0.0) << 4;
        let turn = if step.maximize { -1.0 } else { 1.0 };
        let args = Args::new().pointer(weights).pointer(address(g));
        let args = states.iter().fold(args, |args, &at| args.pointer(at)).put(packing).count(count);
        let numbers = [[turn, step.weight_decay, step.shrink], n1, n2, n3];
        let args = numbers.into_iter().fold(args, |args, numbers| args.put(Numbers(numbers)));
        let items = if packs { count / width + width } else { count };
        self.gpu.launch(("optimize", name, variant(w.dtype())), Grid::over(self.gpu, items), args);
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
