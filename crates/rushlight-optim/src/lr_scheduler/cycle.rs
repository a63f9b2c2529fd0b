//! Schedules that go up and down (Smith, "Cyclical learning rates for training neural networks", 2017).

use super::base::{Formula, Now, PerGroup, Place, cycled, nth, schedule, set_momentum, spread};
use crate::groups::ParamGroups;
use crate::options::{Options, Value};
use std::fmt;

/// How the height of the cycles of [`CyclicLR`] changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CycleMode {
    /// Not at all.
    #[default]
    Triangular,
    /// It is halved from cycle to cycle.
    Triangular2,
    /// By `gamma` to the power of the epoch.
    ExpRange,
}

impl From<CycleMode> for Value {
    fn from(mode: CycleMode) -> Value {
        match mode {
            CycleMode::Triangular => "triangular".into(),
            CycleMode::Triangular2 => "triangular2".into(),
            CycleMode::ExpRange => "exp_range".into(),
        }
    }
}

/// What the function of [`CyclicLR::scale_fn`] is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScaleMode {
    /// The number of the cycle, from 1.
    Cycle,
    /// The number of the epoch, from 0.
    Iterations,
}

/// A function of the height, and what it is of.
type Scale = (Box<dyn Fn(f64) -> f64 + Send>, ScaleMode);

/// The function that a user may give instead of a mode.
#[derive(Default)]
pub(crate) struct Cycle(Option<Scale>);

impl fmt::Debug for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cycle({:?})", self.0.as_ref().map(|(_, mode)| mode))
    }
}

schedule! {
    /// The rate goes up and down between two values, and the momentum, or first beta, against it: PyTorch's `CyclicLR`.
    ///
    /// It is stepped after each batch. The rates are one number, or one for each group.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{CyclicLR, LRScheduler};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = CyclicLR::new(&optimizer, 0.5, 1.0).step_size_up(2).cycle_momentum(false);
    /// assert_eq!(optimizer.lr(), 0.5);
    /// let rates = [0; 4].map(|_| { schedule.step(); optimizer.lr() });
    /// assert_eq!(rates, [0.75, 1.0, 0.75, 0.5]);
    /// ```
    CyclicLR: Cycle = Cycle::default();
    (base_lr: impl Into<PerGroup> => PerGroup, max_lr: impl Into<PerGroup> => PerGroup)
    /// The number of steps up; 2000 if left out.
    step_size_up(step_size_up: usize) = 2000_usize;
    /// The number of steps down; that of steps up if left out.
    step_size_down(step_size_down: usize) = Value::Null;
    /// How the height changes from cycle to cycle.
    mode(mode: CycleMode) = CycleMode::Triangular;
    /// The factor of [`CycleMode::ExpRange`]; 1 if left out.
    gamma(gamma: f64) = 1.0;
    /// Whether the momentum is cycled, too; it is if left out.
    cycle_momentum(cycle_momentum: bool) = true;
    /// The lowest momentum; 0.8 if left out.
    base_momentum(base_momentum: impl Into<PerGroup> => PerGroup) = 0.8;
    /// The highest momentum; 0.9 if left out.
    max_momentum(max_momentum: impl Into<PerGroup> => PerGroup) = 0.9;
}

impl CyclicLR {
    /// A function of one's own for the height of the cycles, in place of a mode.
    ///
    /// # Panics
    /// If the schedule is in use already.
    #[track_caller]
    pub fn scale_fn(self, scale: impl Fn(f64) -> f64 + Send + 'static, mode: ScaleMode) -> Self {
        CyclicLR { base: self.base.change(Cycle(Some((Box::new(scale), mode)))) }
    }
}

impl Cycle {
    /// The factor of the height in a cycle, or in an epoch.
    fn scale(&self, options: &Options, cycle: f64, epoch: f64) -> f64 {
        match &self.0 {
            Some((scale, ScaleMode::Cycle)) => scale(cycle),
            Some((scale, ScaleMode::Iterations)) => scale(epoch),
            None => match options.get("mode").and_then(Value::as_text) {
                Some("triangular2") => 1.0 / 2.0_f64.powf(cycle - 1.0),
                Some("exp_range") => options.float("gamma").powf(epoch),
                _ => 1.0,
            },
        }
    }
}

impl Formula for Cycle {
    fn name(&self) -> &'static str {
        "CyclicLR"
    }

    fn prepare(&self, options: &mut Options, groups: &ParamGroups, resumes: bool) -> Result<(), String> {
        for name in ["base_lr", "max_lr", "base_momentum", "max_momentum"] {
            spread(options, name, groups)?;
        }
        if options.int("step_size_up") <= 0 {
            return Err(format!("step_size_up is {}; it must be above 0", options.int("step_size_up")));
        }
        let cycles = options.flag("cycle_momentum");
        if cycles {
            cycled(groups)?;
        }
        for (k, group) in groups.lock().iter_mut().enumerate().filter(|_| !resumes) {
            group.options.set("lr", nth(options, "base_lr", k));
            if cycles {
                let (low, high) = (nth(options, "base_momentum", k), nth(options, "max_momentum", k));
                set_momentum(&mut group.options, high);
                group.options.set("max_momentum", high);
                group.options.set("base_momentum", low);
            }
        }
        Ok(())
    }

    /// Those of the options, which count from the second step on in PyTorch as well.
    fn base_lrs(&self, options: &Options, _base: Vec<f64>) -> Vec<f64> {
        options.floats("base_lr")
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let up = options.float("step_size_up");
        let down = options.get("step_size_down").and_then(Value::as_float).unwrap_or(up);
        let (total, epoch) = (up + down, now.epoch as f64);
        let ratio = up / total;
        let cycle = (1.0 + epoch / total).floor();
        let x = 1.0 + epoch / total - cycle;
        let height = if x <= ratio { x / ratio } else { (x - 1.0) / (ratio - 1.0) };
        let scale = self.scale(options, cycle, epoch);
        if options.flag("cycle_momentum") {
            let (low, high) =
                (nth(options, "base_momentum", place.index), nth(options, "max_momentum", place.index));
            set_momentum(place.group, high - (high - low) * height * scale);
        }
        place.base + (nth(options, "max_lr", place.index) - place.base) * height * scale
    }
}
