//! Schedules that multiply the rate.

use super::base::{Formula, Now, Place, schedule};
use crate::groups::ParamGroups;
use crate::options::Options;

/// A schedule whose options are all that it is.
#[derive(Debug)]
pub(crate) struct Step;

schedule! {
    /// The rate falls by a factor every `step_size` epochs: PyTorch's `StepLR`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{LRScheduler, StepLR};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = StepLR::new(&optimizer, 2).gamma(0.5);
    /// let rates = [0; 4].map(|_| { schedule.step(); optimizer.lr() });
    /// assert_eq!(rates, [1.0, 0.5, 0.5, 0.25]);
    /// ```
    StepLR: Step = Step;
    (step_size: usize)
    /// The factor; 0.1 if left out.
    gamma(gamma: f64) = 0.1;
}

/// `gamma` to the power of a count, as Python computes it.
fn power(gamma: f64, count: i64) -> f64 {
    gamma.powf(count as f64)
}

fn positive(options: &Options, name: &str) -> Result<(), String> {
    match options.int(name) {
        n if n > 0 => Ok(()),
        n => Err(format!("{name} is {n}; it must be above 0")),
    }
}

impl Formula for Step {
    fn name(&self) -> &'static str {
        "StepLR"
    }

    fn prepare(&self, options: &mut Options, _groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        positive(options, "step_size")
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        if now.epoch == 0 || now.epoch % options.int("step_size") != 0 {
            return place.lr;
        }
        place.lr * options.float("gamma")
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        place.base * power(options.float("gamma"), now.epoch.div_euclid(options.int("step_size")))
    }
}

/// As [`Step`].
#[derive(Debug)]
pub(crate) struct MultiStep;

schedule! {
    /// The rate falls by a factor at certain epochs: PyTorch's `MultiStepLR`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{LRScheduler, MultiStepLR};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = MultiStepLR::new(&optimizer, vec![1, 3]).gamma(0.5);
    /// let rates = [0; 4].map(|_| { schedule.step(); optimizer.lr() });
    /// assert_eq!(rates, [0.5, 0.5, 0.25, 0.25]);
    /// ```
    MultiStepLR: MultiStep = MultiStep;
    (milestones: Vec<usize>)
    /// The factor; 0.1 if left out. An epoch that is named twice applies it twice.
    gamma(gamma: f64) = 0.1;
}

impl Formula for MultiStep {
    fn name(&self) -> &'static str {
        "MultiStepLR"
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let count = options.floats("milestones").iter().filter(|&&at| at == now.epoch as f64).count();
        if count == 0 { place.lr } else { place.lr * power(options.float("gamma"), count as i64) }
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let count = options.floats("milestones").iter().filter(|&&at| at <= now.epoch as f64).count();
        place.base * power(options.float("gamma"), count as i64)
    }
}

/// As [`Step`].
#[derive(Debug)]
pub(crate) struct Constant;

schedule! {
    /// The rate is lower at first: PyTorch's `ConstantLR`.
    ConstantLR: Constant = Constant;
    ()
    /// The factor of the first epochs, 0-1; a third if left out.
    factor(factor: f64) = 1.0 / 3.0;
    /// The number of these epochs; 5 if left out.
    total_iters(total_iters: usize) = 5_usize;
}

fn share(options: &Options, name: &str, least: f64) -> Result<(), String> {
    match options.float(name) {
        x if (least..=1.0).contains(&x) => Ok(()),
        x => Err(format!("{name} is {x}; it must be between 0 and 1")),
    }
}

impl Formula for Constant {
    fn name(&self) -> &'static str {
        "ConstantLR"
    }

    fn prepare(&self, options: &mut Options, _groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        share(options, "factor", 0.0)
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let factor = options.float("factor");
        match now.epoch {
            0 => place.lr * factor,
            epoch if epoch == options.int("total_iters") => place.lr * (1.0 / factor),
            _ => place.lr,
        }
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (factor, over) = (options.float("factor"), now.epoch >= options.int("total_iters"));
        place.base * (factor + f64::from(u8::from(over)) * (1.0 - factor))
    }
}

/// As [`Step`].
#[derive(Debug)]
pub(crate) struct Linear;

schedule! {
    /// The rate's factor goes from one value to another in a straight line: PyTorch's `LinearLR`, as for warm-up.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{LRScheduler, LinearLR};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = LinearLR::new(&optimizer).start_factor(0.5).total_iters(2);
    /// assert_eq!(optimizer.lr(), 0.5);
    /// let rates = [0; 3].map(|_| { schedule.step(); optimizer.lr() });
    /// assert_eq!(rates, [0.75, 1.0, 1.0]);
    /// ```
    LinearLR: Linear = Linear;
    ()
    /// The first factor, 0-1 (0 excluded); a third if left out.
    start_factor(start_factor: f64) = 1.0 / 3.0;
    /// The last factor, 0-1; 1 if left out.
    end_factor(end_factor: f64) = 1.0;
    /// The number of epochs from one to the other; 5 if left out.
    total_iters(total_iters: usize) = 5_usize;
}

impl Formula for Linear {
    fn name(&self) -> &'static str {
        "LinearLR"
    }

    fn prepare(&self, options: &mut Options, _groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        share(options, "start_factor", f64::MIN_POSITIVE)?;
        share(options, "end_factor", 0.0)
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (start, end) = (options.float("start_factor"), options.float("end_factor"));
        let total = options.int("total_iters");
        if now.epoch == 0 {
            return place.lr * start;
        }
        if now.initial || now.epoch > total {
            return place.lr;
        }
        place.lr * (1.0 + (end - start) / (total as f64 * start + (now.epoch - 1) as f64 * (end - start)))
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (start, end) = (options.float("start_factor"), options.float("end_factor"));
        let total = options.int("total_iters");
        place.base * (start + (end - start) * total.min(now.epoch) as f64 / total as f64)
    }
}

/// As [`Step`].
#[derive(Debug)]
pub(crate) struct Exponential;

schedule! {
    /// The rate falls by a factor in each epoch: PyTorch's `ExponentialLR`.
    ExponentialLR: Exponential = Exponential;
    (gamma: f64)
}

impl Formula for Exponential {
    fn name(&self) -> &'static str {
        "ExponentialLR"
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        if now.initial { place.lr } else { place.lr * options.float("gamma") }
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        place.base * power(options.float("gamma"), now.epoch)
    }
}

/// As [`Step`].
#[derive(Debug)]
pub(crate) struct Polynomial;

schedule! {
    /// The rate falls to zero as `(1 - epoch / total_iters)^power`: PyTorch's `PolynomialLR`.
    PolynomialLR: Polynomial = Polynomial;
    ()
    /// The number of epochs; 5 if left out.
    total_iters(total_iters: usize) = 5_usize;
    /// The power; 1, a straight line, if left out.
    power(power: f64) = 1.0;
}

impl Formula for Polynomial {
    fn name(&self) -> &'static str {
        "PolynomialLR"
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (total, power) = (options.int("total_iters"), options.float("power"));
        if now.initial || now.epoch > total {
            return place.lr;
        }
        let (epoch, total) = (now.epoch as f64, total as f64);
        place.lr * ((1.0 - epoch / total) / (1.0 - (epoch - 1.0) / total)).powf(power)
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (total, power) = (options.int("total_iters"), options.float("power"));
        place.base * (1.0 - total.min(now.epoch) as f64 / total as f64).powf(power)
    }
}
