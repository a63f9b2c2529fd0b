//! Schedules made of schedules.

use super::LRScheduler;
use super::base::merge;
use crate::Optimizer;
use crate::groups::ParamGroups;
use crate::options::{Options, Value};
use rushlight_array::{Error, Result, fail};
use std::fmt;

/// A schedule inside of another.
type Part = Box<dyn LRScheduler + Send>;

/// Schedules from what users have: a tuple of up to six, or a list of boxes.
pub trait IntoSchedulers {
    /// The schedules.
    fn into_schedulers(self) -> Vec<Box<dyn LRScheduler + Send>>;
}

impl IntoSchedulers for Vec<Part> {
    fn into_schedulers(self) -> Vec<Part> {
        self
    }
}

/// Implements [`IntoSchedulers`] for a tuple.
macro_rules! tuple {
    ($($name:ident),+) => {
        impl<$($name: LRScheduler + Send + 'static),+> IntoSchedulers for ($($name,)+) {
            #[allow(non_snake_case, reason = "the types' names serve for the values")]
            fn into_schedulers(self) -> Vec<Part> {
                let ($($name,)+) = self;
                vec![$(Box::new($name)),+]
            }
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
tuple!(A, B, C, D, E, F);

/// The schedules, which must be at least one and all of one optimiser.
#[track_caller]
fn parts(name: &str, schedulers: impl IntoSchedulers, groups: Option<&ParamGroups>) -> Vec<Part> {
    let parts = schedulers.into_schedulers();
    let Some(first) = parts.first() else { fail!("{name}: got no schedule") };
    let groups = groups.unwrap_or(first.param_groups());
    if let Some(k) = parts.iter().position(|part| !part.param_groups().is(groups)) {
        fail!("{name}: schedule {k} is of another optimiser");
    }
    parts
}

fn states(parts: &[Part]) -> Value {
    parts.iter().map(|part| part.state_dict().into()).collect::<Vec<Value>>().into()
}

/// Loads the states of parts, after the rest was found to fit. If a part does not fit, those before it are set back.
fn load(name: &str, parts: &mut [Part], states: &Options) -> Result<()> {
    let list = states.get("_schedulers").and_then(Value::as_list).unwrap_or_default();
    let before: Vec<Options> = parts.iter().map(|part| part.state_dict()).collect();
    let mut wrong = Vec::new();
    for (k, (part, state)) in parts.iter_mut().zip(list).enumerate() {
        let loaded = match state.as_options() {
            Some(state) => part.load_state_dict(state).map_err(|e| e.to_string()),
            None => Err(format!("{state:?} is no state")),
        };
        if let Err(why) = loaded {
            wrong.push(format!("schedule {k}: {why}"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    for (part, before) in parts.iter_mut().zip(&before) {
        part.load_state_dict(before)?;
    }
    Err(Error::invalid("load_state_dict", format!("{name} does not match: {}", wrong.join("; "))))
}

/// One schedule after another: PyTorch's `SequentialLR`.
///
/// Warm-up, for one:
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::lr_scheduler::{ExponentialLR, LRScheduler, LinearLR, SequentialLR};
/// use rushlight_optim::{Optimizer, SGD};
/// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
/// let warm_up = LinearLR::new(&optimizer).start_factor(0.5).total_iters(2);
/// let decay = ExponentialLR::new(&optimizer, 0.5);
/// let mut schedule = SequentialLR::new(&optimizer, (warm_up, decay), vec![2]);
/// assert_eq!(optimizer.lr(), 0.5);
/// let rates = [0; 4].map(|_| { schedule.step(); optimizer.lr() });
/// assert_eq!(rates, [0.75, 1.0, 0.5, 0.25]);
/// ```
pub struct SequentialLR {
    groups: ParamGroups,
    parts: Vec<Part>,
    milestones: Vec<usize>,
    last_epoch: i64,
    last_lr: Vec<f64>,
}

impl fmt::Debug for SequentialLR {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequentialLR({:?})", self.state_dict())
    }
}

impl SequentialLR {
    /// The schedules, and the epochs at which the second, third, ... begin.
    ///
    /// # Panics
    /// If there is no schedule, one is of another optimiser, or there is not one milestone less than schedules.
    #[track_caller]
    pub fn new(
        optimizer: &(impl Optimizer + ?Sized),
        schedulers: impl IntoSchedulers,
        milestones: Vec<usize>,
    ) -> Self {
        let groups = optimizer.param_groups().clone();
        let parts = parts("SequentialLR", schedulers, Some(&groups));
        if milestones.len() + 1 != parts.len() {
            fail!(
                "SequentialLR: {} schedules and {} milestones; it takes one less",
                parts.len(),
                milestones.len()
            );
        }
        let mut this = SequentialLR { groups, parts, milestones, last_epoch: 0, last_lr: Vec::new() };
        for group in this.groups.lock().iter_mut() {
            group.options.set("lr", group.options.float("initial_lr"));
        }
        this.undo();
        let at = this.part(0);
        this.parts[at].initial_step();
        this.last_lr = this.parts[at].get_last_lr();
        this
    }

    /// Which schedule an epoch belongs to.
    fn part(&self, epoch: i64) -> usize {
        self.milestones.iter().filter(|&&at| at as i64 <= epoch).count()
    }
}

impl LRScheduler for SequentialLR {
    fn param_groups(&self) -> &ParamGroups {
        &self.groups
    }

    fn step(&mut self) {
        self.last_epoch += 1;
        let at = self.part(self.last_epoch);
        let part = &mut self.parts[at];
        if at > 0 && self.milestones[at - 1] as i64 == self.last_epoch {
            part.restart();
        } else {
            part.step();
        }
        self.last_lr = part.get_last_lr();
    }

    fn get_last_lr(&self) -> Vec<f64> {
        self.last_lr.clone()
    }

    fn state_dict(&self) -> Options {
        Options::new([
            ("_milestones", self.milestones.clone().into()),
            ("last_epoch", self.last_epoch.into()),
            ("_last_lr", self.last_lr.clone().into()),
            ("_schedulers", states(&self.parts)),
        ])
    }

    fn load_state_dict(&mut self, state: &Options) -> Result<()> {
        let merged = merge("SequentialLR", &flat(&self.state_dict()), &flat(state))?;
        load("SequentialLR", &mut self.parts, state)?;
        let milestones = merged.floats("_milestones");
        self.milestones = milestones.into_iter().map(|at| at.max(0.0) as usize).collect();
        (self.last_epoch, self.last_lr) = (merged.int("last_epoch"), merged.floats("_last_lr"));
        Ok(())
    }

    fn undo(&mut self) {
        self.parts.iter_mut().for_each(|part| part.undo());
    }

    fn initial_step(&mut self) {
        self.step();
    }

    /// Begins with the first schedule again, which PyTorch refuses.
    fn restart(&mut self) {
        self.last_epoch = 0;
        self.parts[0].restart();
        self.last_lr = self.parts[0].get_last_lr();
    }
}

/// A state whose parts, which check themselves, are only counted.
fn flat(state: &Options) -> Options {
    let mut state = state.clone();
    if let Some(parts) = state.get("_schedulers").and_then(Value::as_list) {
        state.set("_schedulers", vec![Value::Null; parts.len()]);
    }
    state
}

/// Several schedules at once, each changing what the one before has left: PyTorch's `ChainedScheduler`.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::lr_scheduler::{ChainedScheduler, ExponentialLR, LRScheduler, StepLR};
/// use rushlight_optim::{Optimizer, SGD};
/// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
/// let parts = (ExponentialLR::new(&optimizer, 0.5), StepLR::new(&optimizer, 2).gamma(0.5));
/// let mut schedule = ChainedScheduler::new(parts);
/// let rates = [0; 2].map(|_| { schedule.step(); optimizer.lr() });
/// assert_eq!(rates, [0.5, 0.125]);
/// ```
pub struct ChainedScheduler {
    groups: ParamGroups,
    parts: Vec<Part>,
    last_lr: Vec<f64>,
}

impl fmt::Debug for ChainedScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainedScheduler({:?})", self.state_dict())
    }
}

impl ChainedScheduler {
    /// The schedules, in the order in which they are stepped.
    ///
    /// # Panics
    /// If there is no schedule, or they are not of one optimiser.
    #[track_caller]
    pub fn new(schedulers: impl IntoSchedulers) -> Self {
        let parts = parts("ChainedScheduler", schedulers, None);
        let groups = parts[0].param_groups().clone();
        ChainedScheduler { last_lr: groups.lrs(), groups, parts }
    }
}

impl LRScheduler for ChainedScheduler {
    fn param_groups(&self) -> &ParamGroups {
        &self.groups
    }

    fn step(&mut self) {
        self.parts.iter_mut().for_each(|part| part.step());
        self.last_lr = self.groups.lrs();
    }

    fn get_last_lr(&self) -> Vec<f64> {
        self.last_lr.clone()
    }

    fn state_dict(&self) -> Options {
        Options::new([("_last_lr", self.last_lr.clone().into()), ("_schedulers", states(&self.parts))])
    }

    fn load_state_dict(&mut self, state: &Options) -> Result<()> {
        let merged = merge("ChainedScheduler", &flat(&self.state_dict()), &flat(state))?;
        load("ChainedScheduler", &mut self.parts, state)?;
        self.last_lr = merged.floats("_last_lr");
        Ok(())
    }

    fn undo(&mut self) {
        self.parts.iter_mut().for_each(|part| part.undo());
    }

    fn initial_step(&mut self) {
        self.step();
    }

    /// Begins with all schedules again, which PyTorch refuses.
    fn restart(&mut self) {
        self.parts.iter_mut().for_each(|part| part.restart());
        self.last_lr = self.groups.lrs();
    }
}
