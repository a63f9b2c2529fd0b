//! Optimisers: they change parameters along their gradients.
//!
//! The central trait is [`Optimizer`]. An optimiser holds handles on parameters, which are cells: the model
//! and the optimiser share them and neither borrows the other.
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

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::SGD;

use rushlight_array::Array;
use rushlight_autograd::Tensor;

/// Changes parameters along their gradients.
pub trait Optimizer {
    /// The parameters, in the order in which they were given.
    fn parameters(&self) -> &[Tensor];

    /// One step. Parameters without a gradient stay as they are.
    fn step(&mut self);

    /// The learning rate.
    fn lr(&self) -> f64;

    /// Sets the learning rate, as schedules do.
    fn set_lr(&mut self, lr: f64);

    /// Forgets all gradients, so that the next backward pass starts afresh.
    fn zero_grad(&self) {
        self.parameters().iter().for_each(Tensor::zero_grad);
    }
}

/// Handles on parameters from what users have: a `Vec<Tensor>`, as `model.parameters()` gives, or references.
pub trait IntoParameters {
    /// The handles.
    fn into_parameters(self) -> Vec<Tensor>;
}

impl IntoParameters for Vec<Tensor> {
    fn into_parameters(self) -> Vec<Tensor> {
        self
    }
}

impl<const N: usize> IntoParameters for [&Tensor; N] {
    fn into_parameters(self) -> Vec<Tensor> {
        self.into_iter().cloned().collect()
    }
}

impl IntoParameters for &[Tensor] {
    fn into_parameters(self) -> Vec<Tensor> {
        self.to_vec()
    }
}

/// Brings an optimiser's state to the dtype and device that its parameter may have been moved to since.
fn follow(state: &mut Array, grad: &Array) {
    let dtype = grad.dtype().compute();
    if state.dtype() != dtype || state.device() != grad.device() {
        *state = state.cast(dtype).to_device(grad.device());
    }
}

/// The parameters of an optimiser, checked.
#[track_caller]
fn checked(name: &str, parameters: impl IntoParameters, lr: f64) -> Vec<Tensor> {
    let parameters = parameters.into_parameters();
    assert!(!parameters.is_empty(), "{name}: got an empty parameter list");
    for (i, p) in parameters.iter().enumerate() {
        assert!(
            p.is_leaf() && p.dtype().is_float(),
            "{name}: parameter {i} of shape {:?} ({}) is not a leaf of floats, so it cannot be optimised",
            p.shape(),
            p.dtype().name()
        );
        if let Some(j) = parameters[..i].iter().position(|other| other.is(p)) {
            panic!("{name}: parameters {j} and {i} are the same tensor; give each once");
        }
    }
    assert!(lr >= 0.0, "{name}: the learning rate is {lr}; it must not be negative");
    parameters
}
