//! Optimisers: they change parameters along their gradients.
//!
//! The central trait is [`Optimizer`]. An optimiser holds handles on parameters, which are cells: the model
//! and the optimiser share them and neither borrows the other. Its [`ParamGroups`] are shared in the same way with the
//! schedules of [`lr_scheduler`].
//!
//! **One decision explained.** A step is one call of the backend for each parameter, in one pass over its
//! elements and in place where nobody else holds the old values; what a graph saved keeps them.
//!
//! Modules and data are not known here.
//!
//! ```
//! use rushlight_autograd::tensor;
//! use rushlight_optim::{Optimizer, SGD};
//! let w = tensor([1.0]).requires_grad_();
//! let mut optimizer = SGD::new([&w], 0.1);
//! (&w * &w).sum().backward();
//! optimizer.step();
//! assert_eq!(w.to_vec::<f32>(), [0.8]);
//! ```

mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod asgd;
mod base;
mod clip;
mod grad_scaler;
mod groups;
mod lbfgs;
mod line_search;
pub mod lr_scheduler;
mod muon;
mod nadam;
mod options;
mod radam;
mod rmsprop;
mod rprop;
mod sgd;
mod state;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use adamax::Adamax;
pub use asgd::ASGD;
pub use clip::{
    clip_grad_norm_, clip_grad_norm_with_, clip_grad_value_, clip_grads_with_norm_, get_total_norm,
    get_total_norm_with,
};
pub use grad_scaler::{GradScaler, GradScalerState};
pub use groups::{Group, IntoGroups, IntoParameters, ParamGroups};
pub use lbfgs::{LBFGS, LineSearch};
pub use muon::{AdjustLr, Muon};
pub use nadam::NAdam;
pub use options::{Options, Value};
pub use radam::RAdam;
pub use rmsprop::RMSprop;
pub use rprop::Rprop;
pub use sgd::SGD;
pub use state::{GroupState, ParamState, StateDict};

use rushlight_array::Result;
use rushlight_autograd::{Tensor, enable_grad};

/// Changes parameters along their gradients.
pub trait Optimizer {
    /// The groups of parameters with their options: a handle, which may be cloned and kept.
    fn param_groups(&self) -> &ParamGroups;

    /// One step. Parameters without a gradient, and their states, stay as they are.
    fn step(&mut self);

    /// One step after a closure that computes the gradients and returns the loss: PyTorch's `step(closure)`.
    ///
    /// [`LBFGS`] calls the closure more than once; it must clear the gradients, compute the loss and call `backward`.
    #[track_caller]
    fn step_with(&mut self, closure: &mut dyn FnMut() -> Tensor) -> Tensor {
        let loss = enable_grad(closure);
        self.step();
        loss
    }

    /// Adds a group of parameters, as when layers are unfrozen in the course of a training.
    ///
    /// # Panics
    /// If a parameter is not a float leaf or is known already, or an option is not one of this optimiser.
    fn add_param_group(&mut self, group: Group);

    /// States and options as plain data.
    fn state_dict(&self) -> StateDict;

    /// Continues from a state: later steps give the same bits as if there had been no break.
    ///
    /// # Errors
    /// If anything does not fit; the message lists all of it, and nothing is changed.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<()>;

    /// The parameters of all groups, in the order in which they were given.
    fn parameters(&self) -> Vec<Tensor> {
        self.param_groups().lock().iter().flat_map(|group| group.parameters.clone()).collect()
    }

    /// The learning rate of the first group.
    fn lr(&self) -> f64 {
        self.param_groups().lock()[0].options.float("lr")
    }

    /// Sets the learning rate of all groups.
    fn set_lr(&mut self, lr: f64) {
        self.param_groups().lock().iter_mut().for_each(|group| group.options.set("lr", lr));
    }

    /// Forgets all gradients, so that the next backward pass starts afresh.
    fn zero_grad(&self) {
        let groups = self.param_groups().lock();
        groups.iter().flat_map(|group| &group.parameters).for_each(Tensor::zero_grad);
    }
}

impl<O: Optimizer + ?Sized> Optimizer for Box<O> {
    fn param_groups(&self) -> &ParamGroups {
        (**self).param_groups()
    }

    #[track_caller]
    fn step(&mut self) {
        (**self).step();
    }

    #[track_caller]
    fn step_with(&mut self, closure: &mut dyn FnMut() -> Tensor) -> Tensor {
        (**self).step_with(closure)
    }

    #[track_caller]
    fn add_param_group(&mut self, group: Group) {
        (**self).add_param_group(group);
    }

    fn state_dict(&self) -> StateDict {
        (**self).state_dict()
    }

    fn load_state_dict(&mut self, state: &StateDict) -> Result<()> {
        (**self).load_state_dict(state)
    }
}
