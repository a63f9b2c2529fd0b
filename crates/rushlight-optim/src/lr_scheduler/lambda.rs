//! Schedules by a function of the epoch.

use super::base::{Base, Formula, Now, Place, scheduler};
use crate::Optimizer;
use crate::groups::ParamGroups;
use crate::options::Options;
use std::fmt;

/// A function of the epoch.
type Lambda = Box<dyn Fn(usize) -> f64 + Send>;

/// One function for all groups, or one for each.
pub(crate) struct Lambdas(Vec<Lambda>);

impl fmt::Debug for Lambdas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} functions", self.0.len())
    }
}

impl Lambdas {
    fn at(&self, now: Now, index: usize) -> f64 {
        let lambda = self.0.get(index).unwrap_or(&self.0[0]);
        lambda(usize::try_from(now.epoch).unwrap_or(0))
    }

    fn check(&self, groups: &ParamGroups) -> Result<(), String> {
        match (self.0.len(), groups.len()) {
            (found, groups) if found == 1 || found == groups => Ok(()),
            (found, groups) => Err(format!("got {found} functions for {groups} groups")),
        }
    }
}

/// Writes the two types.
macro_rules! lambda {
    ($(#[$doc:meta])* $name:ident, $formula:ident) => {
        #[derive(Debug)]
        pub(crate) struct $formula(Lambdas);

        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            base: Base,
        }

        impl $name {
            /// By one function for all groups.
            #[track_caller]
            pub fn new(
                optimizer: &(impl Optimizer + ?Sized),
                lr_lambda: impl Fn(usize) -> f64 + Send + 'static,
            ) -> Self {
                $name::for_groups(optimizer, vec![Box::new(lr_lambda)])
            }

            /// By a function for each group.
            ///
            /// # Panics
            /// If there are not as many functions as groups.
            #[track_caller]
            pub fn for_groups(
                optimizer: &(impl Optimizer + ?Sized),
                lr_lambdas: Vec<Box<dyn Fn(usize) -> f64 + Send>>,
            ) -> Self {
                let formula = $formula(Lambdas(lr_lambdas));
                $name { base: Base::new(optimizer.param_groups(), formula, Options::default()) }
            }

            /// The number of the last epoch, to continue; -1, the default, begins at the start.
            ///
            /// # Panics
            /// If a group has no `initial_lr`, or the schedule is in use already.
            #[track_caller]
            pub fn last_epoch(self, last_epoch: i64) -> Self {
                $name { base: self.base.resume(last_epoch) }
            }
        }

        scheduler!($name);
    };
}

lambda! {
    /// The first rate times a function of the epoch: PyTorch's `LambdaLR`.
    ///
    /// ```
    /// use rushlight_autograd::tensor;
    /// use rushlight_optim::lr_scheduler::{LRScheduler, LambdaLR};
    /// use rushlight_optim::{Optimizer, SGD};
    /// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
    /// let mut schedule = LambdaLR::new(&optimizer, |epoch| 1.0 / (1 + epoch) as f64);
    /// schedule.step();
    /// assert_eq!(optimizer.lr(), 0.5);
    /// ```
    LambdaLR, OfEpoch
}

lambda! {
    /// The rate is multiplied by a function of the epoch in each step: PyTorch's `MultiplicativeLR`.
    MultiplicativeLR, Multiplicative
}

impl Formula for OfEpoch {
    fn name(&self) -> &'static str {
        "LambdaLR"
    }

    fn prepare(&self, _options: &mut Options, groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        self.0.check(groups)
    }

    fn lr(&self, _options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        place.base * self.0.at(now, place.index)
    }
}

impl Formula for Multiplicative {
    fn name(&self) -> &'static str {
        "MultiplicativeLR"
    }

    fn prepare(&self, _options: &mut Options, groups: &ParamGroups, _resumes: bool) -> Result<(), String> {
        self.0.check(groups)
    }

    fn lr(&self, _options: &Options, now: Now, place: &mut Place<'_>) -> f64 {
        if now.initial { place.lr } else { place.lr * self.0.at(now, place.index) }
    }
}
