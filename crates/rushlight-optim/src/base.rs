//! What all optimisers share: groups, states and their steps. An optimiser's file is its options and its rule.

use crate::groups::{Group, IntoGroups, ParamGroups};
use crate::options::{Options, Value};
use crate::state::{Found, Mismatches, ParamState, StateDict};
use rushlight_array::backend::{self, OptimizerStep};
use rushlight_array::profile::{Work, span_of};
use rushlight_array::{Array, Result, fail};
use rushlight_autograd::{GradModeGuard, Tensor};
use std::fmt;
use std::marker::PhantomData;

/// The numbers that an optimiser keeps for each parameter beside arrays.
pub(crate) type Scalars = [f64; 3];

/// How an optimiser changes one parameter.
pub(crate) trait Rule {
    /// PyTorch's name.
    const NAME: &'static str;
    /// The arrays that are kept for each parameter, in the places of the backend's rule; at most three.
    const ARRAYS: &'static [&'static str] = &[];
    /// The numbers that are kept for each parameter, and how they begin; at most three.
    const SCALARS: &'static [(&'static str, f64)] = &[];

    /// The options with PyTorch's defaults, without `lr`.
    fn defaults() -> Options;

    /// Whether the options are in their ranges.
    fn check(options: &Options) -> Result<(), String>;

    /// Whether a parameter is of the kind that can be optimised.
    fn fits(_parameter: &Tensor) -> Result<(), String> {
        Ok(())
    }

    /// Whether the options go together, which can be said when all are set.
    fn complete(_options: &Options) -> Result<(), String> {
        Ok(())
    }

    /// Whether an array is needed with these options.
    fn uses(_options: &Options, _array: &str) -> bool {
        true
    }

    /// The value that an array begins with.
    fn start(_options: &Options, _array: &str) -> f64 {
        0.0
    }

    /// Sets the numbers of a parameter that depend on the options, before its first step.
    fn begin(_options: &Options, _scalars: &mut Scalars) {}

    /// How each parameter of a group with these options is changed. Options are read once, not for each parameter.
    fn plan(options: &Options) -> impl FnMut(Turn<'_>);
}

/// A rule without its type: what all optimisers share is compiled once.
trait AnyRule {
    fn name(&self) -> &'static str;
    fn arrays(&self) -> &'static [&'static str];
    fn scalars(&self) -> &'static [(&'static str, f64)];
    fn check(&self, options: &Options) -> Result<(), String>;
    fn fits(&self, parameter: &Tensor) -> Result<(), String>;
    fn complete(&self, options: &Options) -> Result<(), String>;
    fn uses(&self, options: &Options, array: &str) -> bool;
    fn start(&self, options: &Options, array: &str) -> f64;
    fn begin(&self, options: &Options, scalars: &mut Scalars);
    /// Hands the plan to `walk`, which calls it for each parameter of the group.
    fn plan(&self, options: &Options, walk: &mut dyn FnMut(Plan<'_>));
}

type Plan<'a> = &'a mut dyn FnMut(Turn<'_>);

struct Of<R>(PhantomData<fn() -> R>);

impl<R: Rule> AnyRule for Of<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }
    fn arrays(&self) -> &'static [&'static str] {
        R::ARRAYS
    }
    fn scalars(&self) -> &'static [(&'static str, f64)] {
        R::SCALARS
    }
    fn check(&self, options: &Options) -> Result<(), String> {
        R::check(options)
    }
    fn fits(&self, parameter: &Tensor) -> Result<(), String> {
        R::fits(parameter)
    }
    fn complete(&self, options: &Options) -> Result<(), String> {
        R::complete(options)
    }
    fn uses(&self, options: &Options, array: &str) -> bool {
        R::uses(options, array)
    }
    fn start(&self, options: &Options, array: &str) -> f64 {
        R::start(options, array)
    }
    fn begin(&self, options: &Options, scalars: &mut Scalars) {
        R::begin(options, scalars);
    }
    fn plan(&self, options: &Options, walk: &mut dyn FnMut(Plan<'_>)) {
        walk(&mut R::plan(options));
    }
}

impl fmt::Debug for dyn AnyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// So many parameters are stepped at once, while their cells are locked.
const MANY: usize = 256;

/// Where the values of a parameter are.
enum Values<'a> {
    Cell(&'a Tensor),
    /// In a cell that is locked for a step of many.
    Taken(&'a mut Array),
}

impl Values<'_> {
    fn update(self, change: impl FnOnce(&mut Array)) {
        match self {
            Values::Cell(parameter) => parameter.update(change),
            Values::Taken(array) => change(array),
        }
    }
}

/// A parameter whose turn it is.
pub(crate) struct Turn<'a> {
    values: Values<'a>,
    pub(crate) grad: &'a Array,
    pub(crate) scalars: &'a mut Scalars,
    arrays: [Option<&'a mut Array>; 3],
    /// Whether an array of the state has just been made.
    pub(crate) first: bool,
}

impl Turn<'_> {
    /// One pass of the backend.
    pub(crate) fn run(self, step: &OptimizerStep<impl backend::Rule>) {
        self.values.update(|w| w.optimizer_step(step, self.grad, self.arrays));
    }

    /// Another change: `change(w, grad, first array of the state)`.
    pub(crate) fn change(self, change: impl FnOnce(&mut Array, &Array, &mut Array)) {
        let [Some(state), ..] = self.arrays else { fail!("optimizer: the rule has no state") };
        self.values.update(|w| change(w, self.grad, state));
    }
}

/// The state of a parameter.
#[derive(Debug, Default)]
struct Slot {
    arrays: [Option<Array>; 3],
    /// `None` until the first step.
    scalars: Option<Scalars>,
}

/// The groups of an optimiser and the states of their parameters, in order.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) groups: ParamGroups,
    slots: Vec<Slot>,
    rule: &'static dyn AnyRule,
}

impl Base {
    #[track_caller]
    pub(crate) fn new<R: Rule + 'static>(groups: impl IntoGroups, lr: f64) -> Self {
        Self::of(&Of::<R>(PhantomData), groups.into_groups(), &R::defaults(), lr)
    }

    #[track_caller]
    fn of(rule: &'static dyn AnyRule, groups: Vec<Group>, options: &Options, lr: f64) -> Self {
        let mut defaults = Options::default();
        defaults.set("lr", lr);
        options.iter().for_each(|(name, value)| defaults.set(name, value.clone()));
        let base = Base { groups: ParamGroups::new(rule.name(), groups, defaults), slots: Vec::new(), rule };
        base.check();
        base
    }

    #[track_caller]
    fn check(&self) {
        for group in self.groups.lock().iter() {
            let fits = group.parameters.iter().try_for_each(|parameter| self.rule.fits(parameter));
            if let Err(why) = self.rule.check(&group.options).and(fits) {
                fail!("{}: {why}", self.rule.name());
            }
        }
    }

    #[track_caller]
    pub(crate) fn set_default(&mut self, name: &str, value: &Value) {
        self.groups.set_default(name, value);
        self.check();
    }

    #[track_caller]
    pub(crate) fn add(&mut self, group: Group) {
        self.groups.add(group);
        self.check();
    }

    #[track_caller]
    pub(crate) fn step(&mut self) {
        let rule = self.rule;
        let _span = span_of(rule.name(), "step", Work::default);
        let _mode = GradModeGuard::no_grad();
        let groups = self.groups.lock();
        self.slots.resize_with(groups.iter().map(|group| group.parameters.len()).sum(), Slot::default);
        let mut slots = self.slots.iter_mut();
        for group in groups.iter() {
            let options = &group.options;
            if let Err(why) = rule.complete(options) {
                fail!("{}: {why}", rule.name());
            }
            // A GPU makes the steps of many parameters at once.
            let at_once = group.parameters.first().is_some_and(|parameter| !parameter.device().is_cpu());
            rule.plan(options, &mut |plan| {
                let slots = slots.by_ref().take(group.parameters.len());
                if at_once {
                    let mut turns = group.parameters.iter().zip(slots);
                    while let chunk @ [_, ..] = &mut turns.by_ref().take(MANY).collect::<Vec<_>>()[..] {
                        steps_of_many(rule, options, chunk, plan);
                    }
                    return;
                }
                for (parameter, slot) in group.parameters.iter().zip(slots) {
                    if let Some(grad) = parameter.grad() {
                        slot.step(rule, options, Values::Cell(parameter), &grad.array(), plan);
                    }
                }
            });
        }
    }

    pub(crate) fn state_dict(&self) -> StateDict {
        let mut dict = StateDict::of_groups(&self.groups);
        for (index, slot) in self.slots.iter().enumerate() {
            if let Some(scalars) = slot.scalars {
                let mut state = ParamState::default();
                for (array, name) in slot.arrays.iter().zip(self.rule.arrays()) {
                    if let Some(array) = array {
                        state.tensors.insert((*name).to_string(), Tensor::from(array.clone()));
                    }
                }
                for (value, (name, _)) in scalars.iter().zip(self.rule.scalars()) {
                    state.scalars.insert((*name).to_string(), *value);
                }
                dict.state.insert(index, state);
            }
        }
        dict
    }

    pub(crate) fn load_state_dict(&mut self, dict: &StateDict) -> Result<()> {
        let mut wrong = Mismatches::default();
        let options = dict.check_groups(&self.groups, &mut wrong);
        let mut slots = Vec::new();
        for (place, options) in self.groups.lock().iter().zip(&options) {
            for parameter in &place.parameters {
                let index = slots.len();
                let state = dict.state.get(&index);
                slots.push(state.map_or_else(Slot::default, |state| {
                    Slot::load(self.rule, options, parameter, &mut state.found(index, &mut wrong))
                }));
            }
        }
        dict.check_indices(slots.len(), &mut wrong);
        for options in &options {
            if let Err(why) = self.rule.check(options) {
                wrong.add(why);
            }
        }
        wrong.finish(self.rule.name())?;
        self.groups.restore(&options);
        self.slots = slots;
        Ok(())
    }
}

/// The steps of parameters of one group, which their device may make at once: until it has, nobody else sees them.
fn steps_of_many(rule: &dyn AnyRule, options: &Options, turns: &mut [(&Tensor, &mut Slot)], plan: Plan<'_>) {
    let mut turns: Vec<_> = turns
        .iter_mut()
        .filter_map(|(parameter, slot)| Some((*parameter, slot, parameter.grad()?)))
        .collect();
    let Some((first, ..)) = turns.first() else { return };
    let (device, parameters) = (first.device(), turns.iter().map(|turn| turn.0).collect::<Vec<_>>());
    Tensor::update_all(&parameters, |values| {
        device.backend().together(&mut || {
            for (values, (_, slot, grad)) in values.iter_mut().zip(&mut turns) {
                slot.step(rule, options, Values::Taken(values), &grad.array(), plan);
            }
        });
    });
}

impl Slot {
    /// Makes what is missing, and brings the rest to the dtype and device that the parameter may have been moved to.
    fn prepare(&mut self, rule: &dyn AnyRule, options: &Options, grad: &Array) -> bool {
        if self.scalars.is_none() {
            let mut scalars = [0.0; 3];
            scalars.iter_mut().zip(rule.scalars()).for_each(|(scalar, (_, start))| *scalar = *start);
            rule.begin(options, &mut scalars);
            self.scalars = Some(scalars);
        }
        let (dtype, mut first) = (grad.dtype().compute(), false);
        for (place, name) in self.arrays.iter_mut().zip(rule.arrays()) {
            match place {
                Some(array) if array.dtype() == dtype && array.device() == grad.device() => {}
                Some(array) => *array = array.cast(dtype).to_device(grad.device()),
                None if rule.uses(options, name) => {
                    let start = rule.start(options, name);
                    *place = Some(Array::full(grad.shape(), start, dtype, grad.device()));
                    first = true;
                }
                None => {}
            }
        }
        first
    }

    /// The step of a parameter.
    fn step(
        &mut self,
        rule: &dyn AnyRule,
        options: &Options,
        values: Values<'_>,
        grad: &Array,
        plan: Plan<'_>,
    ) {
        let first = self.prepare(rule, options, grad);
        let scalars = self.scalars.as_mut().expect("it was just prepared");
        let mut arrays = self.arrays.each_mut().map(Option::as_mut);
        for (array, name) in arrays.iter_mut().zip(rule.arrays()) {
            // One that is not wanted now, as the velocity while the momentum is 0, stays as it is.
            if !rule.uses(options, name) {
                *array = None;
            }
        }
        plan(Turn { values, grad, scalars, arrays, first });
    }

    fn load(rule: &dyn AnyRule, options: &Options, parameter: &Tensor, found: &mut Found<'_>) -> Slot {
        let mut slot = Slot::default();
        let mut scalars = [0.0; 3];
        for (scalar, (name, _)) in scalars.iter_mut().zip(rule.scalars()) {
            *scalar = found.scalar(name);
        }
        for (place, name) in slot.arrays.iter_mut().zip(rule.arrays()) {
            *place = found.array(name, parameter, rule.uses(options, name));
        }
        found.nothing_else(|name| {
            rule.arrays().contains(&name) || rule.scalars().iter().any(|(known, _)| *known == name)
        });
        slot.scalars = Some(scalars);
        slot
    }
}

/// Writes an optimiser's type: its constructor, a method for each option, and what [`crate::Optimizer`] wants.
///
/// An option is `name(arguments) = default`, and its value is what the arguments are together.
macro_rules! optimizer {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$about:meta])* $option:ident($($argument:ident: $type:ty),+) = $default:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            base: $crate::base::Base,
        }

        impl $name {
            /// With this learning rate, and PyTorch's defaults for all else.
            ///
            /// # Panics
            /// If there is no parameter, one is not a float leaf or is given twice, or an option of a group is not one
            /// of this optimiser or is out of its range.
            #[track_caller]
            pub fn new(parameters: impl $crate::IntoGroups, lr: f64) -> Self {
                $name { base: $crate::base::Base::new::<$name>(parameters, lr) }
            }

            $(
                $(#[$about])*
                ///
                /// # Panics
                /// If it is out of its range.
                #[track_caller]
                pub fn $option(mut self, $($argument: $type),+) -> Self {
                    self.base.set_default(stringify!($option), &($($argument),+).into());
                    self
                }
            )*

            fn options() -> $crate::Options {
                $crate::Options::new(vec![$((stringify!($option), ($default).into())),*])
            }
        }

        impl $crate::Optimizer for $name {
            fn param_groups(&self) -> &$crate::ParamGroups {
                &self.base.groups
            }

            #[track_caller]
            fn step(&mut self) {
                self.base.step();
            }

            #[track_caller]
            fn add_param_group(&mut self, group: $crate::Group) {
                self.base.add(group);
            }

            fn state_dict(&self) -> $crate::StateDict {
                self.base.state_dict()
            }

            fn load_state_dict(&mut self, state: &$crate::StateDict) -> rushlight_array::Result<()> {
                self.base.load_state_dict(state)
            }
        }
    };
}

pub(crate) use optimizer;

/// Whether none of these options is negative (or NaN).
pub(crate) fn not_negative(options: &Options, names: &[&str]) -> Result<(), String> {
    for name in names {
        let value = options.float(name);
        if value.is_nan() || value < 0.0 {
            let name = if *name == "lr" { "the learning rate" } else { name };
            return Err(format!("{name} is {value}; it must not be negative"));
        }
    }
    Ok(())
}

/// Whether both `betas` are in [0, 1).
pub(crate) fn betas_fit(options: &Options) -> Result<(), String> {
    let (beta1, beta2) = options.pair("betas");
    let fits = |beta: f64| (0.0..1.0).contains(&beta);
    match fits(beta1) && fits(beta2) {
        true => Ok(()),
        false => Err(format!("betas are {beta1} and {beta2}; both must be in [0, 1)")),
    }
}
