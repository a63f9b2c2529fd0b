//! Schedules along a cosine (Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017).

use super::base::{Formula, Now, Place, schedule};
use crate::groups::ParamGroups;
use crate::options::{Options, Value};
use std::f64::consts::PI;

/// A schedule whose options are all that it is.
#[derive(Debug)]
pub(crate) struct Cosine;

schedule! {
    /// The rate falls along half a cosine, and would rise again afterwards: PyTorch's `CosineAnnealingLR`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{CosineAnnealingLR, LRScheduler};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = CosineAnnealingLR::new(&optimizer, 2).eta_min(0.5);
    /// schedule.step();
    /// assert!((optimizer.lr() - 0.75).abs() < 1e-12);
    /// schedule.step();
    /// assert!((optimizer.lr() - 0.5).abs() < 1e-12);
    /// ```
    CosineAnnealingLR: Cosine = Cosine;
    (T_max: usize)
    /// The lowest rate; 0 if left out.
    eta_min(eta_min: f64) = 0.0;
}

impl Formula for Cosine {
    fn name(&self) -> &'static str {
        "CosineAnnealingLR"
    }

    fn prepare(&self, options: &mut Options, _groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        match options.int("T_max") {
            n if n > 0 => Ok(()),
            n => Err(format!("T_max is {n}; it must be above 0")),
        }
    }

    fn lr(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (max, low) = (options.int("T_max"), options.float("eta_min"));
        let (epoch, length) = (now.epoch as f64, max as f64);
        if now.initial {
            place.lr
        } else if now.steps == 1 && now.epoch > 0 {
            low + (place.base - low) * (1.0 + (epoch * PI / length).cos()) / 2.0
        } else if (now.epoch - 1 - max).rem_euclid(2 * max) == 0 {
            // The lowest point is passed, where the rule below would divide by zero.
            place.lr + (place.base - low) * (1.0 - (PI / length).cos()) / 2.0
        } else {
            let before = 1.0 + (PI * (epoch - 1.0) / length).cos();
            (1.0 + (PI * epoch / length).cos()) / before * (place.lr - low) + low
        }
    }

    fn closed(&self, options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        let (length, low) = (options.int("T_max") as f64, options.float("eta_min"));
        low + (place.base - low) * (1.0 + (PI * now.epoch as f64 / length).cos()) / 2.0
    }
}

/// As [`Cosine`].
#[derive(Debug)]
pub(crate) struct Restarts;

schedule! {
    /// The rate falls along half a cosine, again and again: PyTorch's `CosineAnnealingWarmRestarts`. Its argument is the length
    /// of the first run in epochs.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{CosineAnnealingWarmRestarts, LRScheduler};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = CosineAnnealingWarmRestarts::new(&optimizer, 2);
    /// let rates = [0; 3].map(|_| { schedule.step(); (optimizer.lr() * 1e6).round() / 1e6 });
    /// assert_eq!(rates, [0.5, 1.0, 0.5]);
    /// ```
    CosineAnnealingWarmRestarts: Restarts = Restarts;
    (T_0: usize)
    /// By how much each run is longer than the one before; 1 if left out.
    T_mult(T_mult: usize) = 1_usize;
    /// The lowest rate; 0 if left out.
    eta_min(eta_min: f64) = 0.0;
}

impl Formula for Restarts {
    fn name(&self) -> &'static str {
        "CosineAnnealingWarmRestarts"
    }

    fn prepare(&self, options: &mut Options, _groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        for name in ["T_0", "T_mult"] {
            if options.int(name) <= 0 {
                return Err(format!("{name} is {}; it must be above 0", options.int(name)));
            }
        }
        options.set("T_cur", Value::Null);
        Ok(())
    }

    /// `T_cur` is the epoch in the run, `T_i` the run's length.
    fn advance(&self, options: &mut Options, epoch: i64) {
        let first = options.int("T_0");
        let (mut current, mut length) = match options.get("T_cur") {
            Some(Value::Int(_)) if epoch > 0 => (options.int("T_cur") + 1, options.int("T_i")),
            _ => (epoch, first),
        };
        if epoch > 0 && current >= length {
            current %= length;
            length = length.saturating_mul(options.int("T_mult"));
        }
        options.set("T_cur", current);
        options.set("T_i", length);
    }

    fn lr(&self, options: &Options, _now: Now, place: &mut Place<'_>) -> f64 {
        let (low, current, length) = (options.float("eta_min"), options.float("T_cur"), options.float("T_i"));
        low + (place.base - low) * (1.0 + (PI * current / length).cos()) / 2.0
    }
}
