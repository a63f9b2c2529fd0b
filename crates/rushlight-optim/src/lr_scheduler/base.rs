//! What the schedules share: counters, groups and options. A schedule's file is its options and its formula.

use crate::groups::ParamGroups;
use crate::options::{Options, Value};
use crate::state::Mismatches;
use rushlight_array::{Result, fail};
use std::fmt;

/// The moment for which a rate is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) epoch: i64,
    /// Whether the schedule is being made.
    pub(crate) initial: bool,
    /// How many steps there have been, the one of the constructor included.
    pub(crate) steps: i64,
}

/// A group whose rate is wanted.
pub(crate) struct Place<'a> {
    pub(crate) index: usize,
    pub(crate) lr: f64,
    pub(crate) base: f64,
    /// The options of the group.
    pub(crate) group: &'a mut Options,
}

/// How a schedule computes rates.
pub(crate) trait Formula: fmt::Debug + Send {
    /// PyTorch's name.
    fn name(&self) -> &'static str;

    /// Checks the options and sets up what the groups need; `resumes` if the schedule does not begin at its start.
    fn prepare(
        &self,
        _options: &mut Options,
        _groups: &ParamGroups,
        _resumes: bool,
    ) -> std::result::Result<(), String> {
        Ok(())
    }

    /// The rates that count as the first, once the schedule is made.
    fn base_lrs(&self, _options: &Options, base: Vec<f64>) -> Vec<f64> {
        base
    }

    /// Counts of its own, before the rates of an epoch are computed.
    fn advance(&self, _options: &mut Options, _epoch: i64) {}

    /// The rate of a group, from that of the epoch before where that is possible.
    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64;

    /// The rate of a group from the number of the epoch alone.
    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        self.lr(options, now, place)
    }
}

/// A schedule of one formula.
#[derive(Debug)]
pub(crate) struct Base {
    formula: Box<dyn Formula>,
    pub(crate) options: Options,
    pub(crate) groups: ParamGroups,
    base_lrs: Vec<f64>,
    last_lr: Vec<f64>,
    last_epoch: i64,
    step_count: i64,
    /// The options of the groups before and after the schedule was made.
    made: (Vec<Options>, Vec<Options>),
}

impl Base {
    #[track_caller]
    pub(crate) fn new(groups: &ParamGroups, formula: impl Formula + 'static, options: Options) -> Self {
        Self::of(groups, Box::new(formula), options)
    }

    #[track_caller]
    fn of(groups: &ParamGroups, formula: Box<dyn Formula>, options: Options) -> Self {
        let mut base = Base {
            formula,
            options,
            groups: groups.clone(),
            base_lrs: Vec::new(),
            last_lr: Vec::new(),
            last_epoch: -1,
            step_count: 0,
            made: (groups.snapshot(), Vec::new()),
        };
        base.start(-1);
        base
    }

    /// Makes the schedule, as PyTorch's constructor.
    #[track_caller]
    fn start(&mut self, last_epoch: i64) {
        let (name, resumes) = (self.formula.name(), last_epoch != -1);
        self.last_epoch = last_epoch;
        if let Err(why) = self.formula.prepare(&mut self.options, &self.groups, resumes) {
            fail!("{name}: {why}");
        }
        self.base_lrs.clear();
        for (k, group) in self.groups.lock().iter_mut().enumerate() {
            if group.options.get("initial_lr").is_none() {
                if resumes {
                    fail!(
                        "{name}: last_epoch is {last_epoch}, but group {k} has no initial_lr; load the optimiser's state first"
                    );
                }
                group.options.set("initial_lr", group.options.float("lr"));
            }
            self.base_lrs.push(group.options.float("initial_lr"));
        }
        self.initial_step();
        self.base_lrs = self.formula.base_lrs(&self.options, std::mem::take(&mut self.base_lrs));
        self.made.1 = self.groups.snapshot();
    }

    /// Makes the schedule anew after a change of its options.
    #[track_caller]
    fn again(&mut self, last_epoch: i64) {
        if self.groups.snapshot() != self.made.1 {
            fail!(
                "{}: an option is set after the rates have changed; set it where the schedule is made",
                self.formula.name()
            );
        }
        self.groups.restore(&self.made.0);
        self.start(last_epoch);
    }

    #[track_caller]
    pub(crate) fn set(mut self, name: &str, value: Value) -> Self {
        self.options.set(name, value);
        self.again(self.last_epoch - 1);
        self
    }

    #[track_caller]
    pub(crate) fn change(mut self, formula: impl Formula + 'static) -> Self {
        self.formula = Box::new(formula);
        self.again(self.last_epoch - 1);
        self
    }

    #[track_caller]
    pub(crate) fn resume(mut self, last_epoch: i64) -> Self {
        self.again(last_epoch);
        self
    }

    #[track_caller]
    pub(crate) fn initial_step(&mut self) {
        self.step_count = 0;
        self.advance(true);
    }

    #[track_caller]
    pub(crate) fn step(&mut self) {
        self.advance(false);
    }

    pub(crate) fn undo(&mut self) {
        self.last_epoch -= 1;
    }

    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.last_epoch = 0;
        self.apply(false, |formula, options, now, place| formula.closed(options, now, place));
    }

    #[track_caller]
    fn advance(&mut self, initial: bool) {
        self.step_count += 1;
        self.last_epoch += 1;
        self.formula.advance(&mut self.options, self.last_epoch);
        self.apply(initial, |formula, options, now, place| formula.lr(options, now, place));
    }

    #[track_caller]
    fn apply(&mut self, initial: bool, formula: fn(&dyn Formula, &Options, Now, &mut Place<'_>) -> f64) {
        let now = Now { epoch: self.last_epoch, initial, steps: self.step_count };
        let mut groups = self.groups.lock();
        if groups.len() != self.base_lrs.len() {
            let (now, then) = (groups.len(), self.base_lrs.len());
            fail!(
                "{}: the optimiser has {now} groups; it had {then} when the schedule was made",
                self.formula.name()
            );
        }
        self.last_lr.clear();
        for (index, (group, base)) in groups.iter_mut().zip(&self.base_lrs).enumerate() {
            let lr = group.options.float("lr");
            let mut place = Place { index, lr, base: *base, group: &mut group.options };
            let lr = formula(&*self.formula, &self.options, now, &mut place);
            group.options.set("lr", lr);
            self.last_lr.push(lr);
        }
    }

    pub(crate) fn get_last_lr(&self) -> Vec<f64> {
        self.last_lr.clone()
    }

    pub(crate) fn state_dict(&self) -> Options {
        let mut state = self.options.clone();
        state.set("base_lrs", self.base_lrs.clone());
        state.set("last_epoch", self.last_epoch);
        state.set("_step_count", self.step_count);
        state.set("_last_lr", self.last_lr.clone());
        state
    }

    pub(crate) fn load_state_dict(&mut self, state: &Options) -> Result<()> {
        let merged = merge(self.formula.name(), &self.state_dict(), state)?;
        for (name, value) in self.options.clone().iter() {
            self.options.set(name, merged.get(name).unwrap_or(value).clone());
        }
        (self.base_lrs, self.last_lr) = (merged.floats("base_lrs"), merged.floats("_last_lr"));
        (self.last_epoch, self.step_count) = (merged.int("last_epoch"), merged.int("_step_count"));
        Ok(())
    }
}

/// What PyTorch keeps while it steps.
const OF_PYTORCH: [&str; 2] = ["_is_initial", "_get_lr_called_within_step"];

/// The values of `saved` in the forms of `here`, or all that does not fit.
pub(super) fn merge(name: &str, here: &Options, saved: &Options) -> Result<Options> {
    let (mut wrong, mut merged) = (Mismatches::default(), Options::default());
    for (key, value) in here.iter() {
        match saved.get(key) {
            None => wrong.add(format!("missing {key}")),
            Some(saved) => match saved.like(value) {
                Some(value) => merged.set(key, value),
                None => wrong.add(format!("{key} is {saved:?}, it would be as {value:?}")),
            },
        }
    }
    for (key, _) in saved.iter().filter(|(key, _)| here.get(key).is_none() && !OF_PYTORCH.contains(key)) {
        wrong.add(format!("unexpected {key}"));
    }
    wrong.finish(name)?;
    Ok(merged)
}

/// One number for all groups, or one for each.
#[derive(Clone, PartialEq, Debug)]
pub struct PerGroup(Value);

impl From<f64> for PerGroup {
    fn from(x: f64) -> Self {
        PerGroup(x.into())
    }
}

impl From<Vec<f64>> for PerGroup {
    fn from(x: Vec<f64>) -> Self {
        PerGroup(x.into())
    }
}

impl<const N: usize> From<[f64; N]> for PerGroup {
    fn from(x: [f64; N]) -> Self {
        x.to_vec().into()
    }
}

impl From<PerGroup> for Value {
    fn from(x: PerGroup) -> Value {
        x.0
    }
}

/// Turns an option that may be one number into one for each group.
pub(super) fn spread(
    options: &mut Options,
    name: &str,
    groups: &ParamGroups,
) -> std::result::Result<(), String> {
    let len = groups.len();
    let values = match options.get(name) {
        Some(Value::List(values)) => values.clone(),
        Some(value) => vec![value.clone(); len],
        None => Vec::new(),
    };
    if values.len() != len {
        return Err(format!("{name} has {} values, and the optimiser {len} groups", values.len()));
    }
    options.set(name, values);
    Ok(())
}

/// A number of [`spread`].
pub(super) fn nth(options: &Options, name: &str, index: usize) -> f64 {
    options.floats(name)[index]
}

/// The option that is cycled where momentum is.
pub(super) fn cycled(groups: &ParamGroups) -> std::result::Result<&'static str, String> {
    let found = ["betas", "momentum"].into_iter().find(|name| groups.takes(name));
    found
        .ok_or_else(|| format!("{} has neither momentum nor betas; use cycle_momentum(false)", groups.name()))
}

/// Sets the momentum of a group, or its first beta.
pub(super) fn set_momentum(group: &mut Options, momentum: f64) {
    match group.get("betas") {
        Some(_) => group.set("betas", (momentum, group.pair("betas").1)),
        None => group.set("momentum", momentum),
    }
}

/// Writes a schedule's type: its constructor, a method for each option, and [`super::LRScheduler`].
macro_rules! schedule {
    (
        $(#[$doc:meta])*
        $name:ident: $formula:ty = $value:expr;
        ($($required:ident: $kind:ty $(=> $by:ty)?),*)
        $($(#[$about:meta])* $option:ident($argument:ident: $type:ty $(=> $via:ty)?) = $default:expr;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            base: $crate::lr_scheduler::base::Base,
        }

        #[allow(non_snake_case, reason = "PyTorch's names, as `T_max`")]
        impl $name {
            /// A schedule of an optimiser's groups, with PyTorch's defaults for what is not said here.
            ///
            /// # Panics
            /// If an argument is out of its range.
            #[track_caller]
            pub fn new(optimizer: &(impl $crate::Optimizer + ?Sized), $($required: $kind),*) -> Self {
                $($(let $required: $by = $required.into();)?)*
                let options = $crate::Options::new([
                    $((stringify!($required), $required.into()),)*
                    $((stringify!($option), ($default).into()),)*
                ]);
                $name { base: $crate::lr_scheduler::base::Base::new(optimizer.param_groups(), $value, options) }
            }

            $(
                $(#[$about])*
                ///
                /// # Panics
                /// If it is out of its range, or the schedule is in use already.
                #[track_caller]
                pub fn $option(self, $argument: $type) -> Self {
                    $(let $argument: $via = $argument.into();)?
                    $name { base: self.base.set(stringify!($option), $argument.into()) }
                }
            )*

            /// The number of the last epoch, to continue: the optimiser's groups must have an `initial_lr`, as after
            /// loading their state. -1, the default, begins at the start.
            ///
            /// # Panics
            /// If a group has no `initial_lr`, or the schedule is in use already.
            #[track_caller]
            pub fn last_epoch(self, last_epoch: i64) -> Self {
                $name { base: self.base.resume(last_epoch) }
            }
        }

        $crate::lr_scheduler::base::scheduler!($name);
    };
}

/// Implements [`super::LRScheduler`] by the base.
macro_rules! scheduler {
    ($name:ident) => {
        impl $crate::lr_scheduler::LRScheduler for $name {
            fn param_groups(&self) -> &$crate::ParamGroups {
                &self.base.groups
            }

            #[track_caller]
            fn step(&mut self) {
                self.base.step();
            }

            fn get_last_lr(&self) -> Vec<f64> {
                self.base.get_last_lr()
            }

            fn state_dict(&self) -> $crate::Options {
                self.base.state_dict()
            }

            fn load_state_dict(&mut self, state: &$crate::Options) -> rushlight_array::Result<()> {
                self.base.load_state_dict(state)
            }

            fn undo(&mut self) {
                self.base.undo();
            }

            fn initial_step(&mut self) {
                self.base.initial_step();
            }

            fn restart(&mut self) {
                self.base.restart();
            }
        }
    };
}

pub(crate) use {schedule, scheduler};
