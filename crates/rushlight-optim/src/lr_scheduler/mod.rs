//! Schedules of learning rates: PyTorch's `torch.optim.lr_scheduler`.
//!
//! A schedule shares the optimiser's groups. It sets their rates once when it is made, and again in each
//! [`LRScheduler::step`], after the optimiser's own:
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_optim::lr_scheduler::{LRScheduler, StepLR};
//! use rushlight_optim::{Optimizer, SGD};
//! let w = tensor([1.0]).requires_grad_();
//! let mut optimizer = SGD::new([&w], 0.5);
//! let mut schedule = StepLR::new(&optimizer, 2).gamma(0.1);
//! for epoch in 0..4 {
//!     assert_eq!(optimizer.lr(), if epoch < 2 { 0.5 } else { 0.05 });
//!     optimizer.step();
//!     schedule.step();
//! }
//! ```
//!
//! Rates follow from those of before where PyTorch's do, so several schedules may drive one optimiser, and roundings are the
//! same. A method that sets an option makes the schedule anew, so it stands where the schedule is made.
//!
//! Warm-up is a [`LinearLR`] before another schedule, in a [`SequentialLR`].

mod base;
mod compose;
mod cosine;
mod cycle;
mod factor;
mod lambda;
mod one_cycle;
mod plateau;

pub use base::PerGroup;
pub use compose::{ChainedScheduler, IntoSchedulers, SequentialLR};
pub use cosine::{CosineAnnealingLR, CosineAnnealingWarmRestarts};
pub use cycle::{CycleMode, CyclicLR, ScaleMode};
pub use factor::{ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR};
pub use lambda::{LambdaLR, MultiplicativeLR};
pub use one_cycle::{AnnealStrategy, OneCycleLR};
pub use plateau::{Mode, ReduceLROnPlateau, ThresholdMode};

use crate::groups::ParamGroups;
use crate::options::Options;
use rushlight_array::Result;

/// A schedule that needs nothing but to be told that an epoch (or batch) is over.
pub trait LRScheduler {
    /// The groups whose rates it sets.
    fn param_groups(&self) -> &ParamGroups;

    /// One epoch further.
    ///
    /// # Panics
    /// If the optimiser has got more groups since the schedule was made.
    fn step(&mut self);

    /// The rates of the groups after the last step.
    fn get_last_lr(&self) -> Vec<f64>;

    /// Options and counters by PyTorch's names. Closures are not in it.
    fn state_dict(&self) -> Options;

    /// Continues from a state. The rates themselves are in the optimiser's own state.
    ///
    /// # Errors
    /// If anything does not fit; the message lists all of it, and nothing is changed.
    fn load_state_dict(&mut self, state: &Options) -> Result<()>;

    /// Takes the first step, that of the constructor, back from the counter, for a schedule around this one.
    fn undo(&mut self);

    /// Takes the first step again.
    fn initial_step(&mut self);

    /// Begins at epoch 0, where a schedule around this one comes to it.
    fn restart(&mut self);
}
