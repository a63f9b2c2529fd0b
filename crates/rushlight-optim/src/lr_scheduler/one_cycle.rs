use super::base::{Formula, Now, PerGroup, Place, cycled, nth, schedule, set_momentum, spread};
use crate::groups::ParamGroups;
use crate::options::{Options, Value};
use rushlight_array::fail;
use std::f64::consts::PI;

/// How [`OneCycleLR`] goes from one rate to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AnnealStrategy {
    /// Along half a cosine.
    #[default]
    Cos,
    /// In a straight line.
    Linear,
}

impl From<AnnealStrategy> for Value {
    fn from(strategy: AnnealStrategy) -> Value {
        match strategy {
            AnnealStrategy::Cos => "cos".into(),
            AnnealStrategy::Linear => "linear".into(),
        }
    }
}

/// A schedule whose options are all that it is.
#[derive(Debug)]
pub(crate) struct OneCycle;

schedule! {
    /// The rate goes up once, and then down to nearly nothing, the momentum, or first beta, against it: PyTorch's `OneCycleLR`
    /// (Smith & Topin, "Super-convergence", 2018).
    ///
    /// It is stepped after each batch; `total_steps` is the number of epochs times that of batches. The rate is one number,
    /// or one for each group.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{LRScheduler, OneCycleLR};
    /// use rushlight_optim::{Adam, Optimizer};
    /// let optimizer = Adam::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = OneCycleLR::new(&optimizer, 0.5, 20);
    /// assert!((optimizer.lr() - 0.02).abs() < 1e-12); // a 25th
    /// (0..5).for_each(|_| schedule.step());
    /// assert_eq!(optimizer.lr(), 0.5);
    /// ```
    OneCycleLR: OneCycle = OneCycle;
    (max_lr: impl Into<PerGroup> => PerGroup, total_steps: usize)
    /// The part of the steps in which the rate rises, 0-1; 0.3 if left out.
    pct_start(pct_start: f64) = 0.3;
    /// How it goes from one rate to another.
    anneal_strategy(anneal_strategy: AnnealStrategy) = AnnealStrategy::Cos;
    /// Whether the momentum is cycled, too; it is if left out.
    cycle_momentum(cycle_momentum: bool) = true;
    /// The lowest momentum; 0.85 if left out.
    base_momentum(base_momentum: impl Into<PerGroup> => PerGroup) = 0.85;
    /// The highest momentum; 0.95 if left out.
    max_momentum(max_momentum: impl Into<PerGroup> => PerGroup) = 0.95;
    /// The first rate is `max_lr` divided by this; 25 if left out.
    div_factor(div_factor: f64) = 25.0;
    /// The last rate is the first divided by this; 1e4 if left out.
    final_div_factor(final_div_factor: f64) = 1e4;
    /// Come down to the first rate as fast as it rose, and to the last one in a third phase.
    three_phase(three_phase: bool) = false;
}

/// The end of a phase in steps, and its rates and momenta from and to, by the names of a group's options.
type Phase = (f64, [&'static str; 2], [&'static str; 2]);

fn phases(options: &Options) -> Vec<Phase> {
    let (start, total) = (options.float("pct_start"), options.float("total_steps"));
    let (up, high) = (["initial_lr", "max_lr"], ["max_momentum", "base_momentum"]);
    let (rise, end) = (start * total - 1.0, total - 1.0);
    if options.flag("three_phase") {
        let down = (2.0 * start * total - 2.0, ["max_lr", "initial_lr"], ["base_momentum", "max_momentum"]);
        let last = (end, ["initial_lr", "min_lr"], ["max_momentum", "max_momentum"]);
        return vec![(rise, up, high), down, last];
    }
    vec![(rise, up, high), (end, ["max_lr", "min_lr"], ["base_momentum", "max_momentum"])]
}

impl Formula for OneCycle {
    fn name(&self) -> &'static str {
        "OneCycleLR"
    }

    fn prepare(&self, options: &mut Options, groups: &ParamGroups, resumes: bool) -> Result<(), String> {
        for name in ["max_lr", "base_momentum", "max_momentum"] {
            spread(options, name, groups)?;
        }
        let (start, total) = (options.float("pct_start"), options.int("total_steps"));
        if total <= 0 {
            return Err(format!("total_steps is {total}; it must be above 0"));
        }
        if !(0.0..=1.0).contains(&start) {
            return Err(format!("pct_start is {start}; it must be in [0, 1]"));
        }
        let cycles = options.flag("cycle_momentum");
        if cycles {
            cycled(groups)?;
        }
        for (k, group) in groups.lock().iter_mut().enumerate().filter(|_| !resumes) {
            let first = nth(options, "max_lr", k) / options.float("div_factor");
            group.options.set("initial_lr", first);
            group.options.set("max_lr", nth(options, "max_lr", k));
            group.options.set("min_lr", first / options.float("final_div_factor"));
            if cycles {
                let high = nth(options, "max_momentum", k);
                set_momentum(&mut group.options, high);
                group.options.set("max_momentum", high);
                group.options.set("base_momentum", nth(options, "base_momentum", k));
            }
        }
        Ok(())
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        if now.epoch > options.int("total_steps") {
            fail!("OneCycleLR: step {} of a schedule of {} steps", now.epoch, options.int("total_steps"));
        }
        let (step, phases) = (now.epoch as f64, phases(options));
        // The first phase that has not ended, or else the last.
        let at = phases.iter().position(|phase| step <= phase.0).unwrap_or(phases.len() - 1);
        let begin = if at == 0 { 0.0 } else { phases[at - 1].0 };
        let (end, rates, momenta) = phases[at];
        let part = (step - begin) / (end - begin);
        let cosine = options.get("anneal_strategy").and_then(Value::as_text) != Some("linear");
        let between = |group: &Options, [from, to]: [&str; 2]| {
            let (from, to) = (group.float(from), group.float(to));
            match cosine {
                true => to + (from - to) / 2.0 * ((PI * part).cos() + 1.0),
                false => (to - from) * part + from,
            }
        };
        if options.flag("cycle_momentum") {
            let momentum = between(place.group, momenta);
            set_momentum(place.group, momentum);
        }
        between(place.group, rates)
    }
}
