//! Tensors with gradients: the [`Tensor`] that users see, the [`Op`] trait with its one recorder, the
//! operations and their table, and the engine that goes backward.
//!
//! The central type is [`Tensor`]: an array that may be a *constant*, a *leaf* (a parameter: a cell that
//! collects a gradient and can be set), or *computed* by a recorded operation.
//!
//! **One decision explained.** A rule is written once, over tensors, and the engine does the rest: it sums
//! over broadcast axes, adds gradients that meet, skips what nobody needs, and checks shape and dtype. Since
//! rules are tensor code, second derivatives need nothing more. Values are immutable and a node keeps the
//! array it saved, so an optimiser step can never spoil a gradient and no version counters are needed.
//!
//! Which device runs, kernels, and modules are not known here.
//!
//! ```
//! use rushlight_autograd::{Tensor, tensor};
//! let w = tensor([2.0, 3.0]).requires_grad_();
//! let loss = (&w * &w).sum();
//! loss.backward();
//! assert_eq!(w.grad().unwrap().to_vec::<f32>(), [4.0, 6.0]);
//! ```

// Without the feature nothing leads to the rows, which stand beside their operations: no code is made for them.
#![cfg_attr(not(feature = "op-table"), allow(dead_code, unreachable_pub))]

mod anomaly;
mod autocast;
mod create;
mod engine;
mod gradcheck;
mod hooks;
mod leaf;
mod mode;
mod node;
mod op;
mod operators;
pub mod ops;
#[cfg(feature = "op-table")]
pub mod table;
#[cfg(not(feature = "op-table"))]
mod table;
mod tensor;

pub use anomaly::{Anomalies, Anomaly, detect_anomaly, is_anomaly_enabled};
pub use autocast::{autocast, is_autocast_enabled, no_autocast};
pub use create::{
    TensorOptions, arange, arange_with, empty, empty_with, eye, eye_with, full, full_with, linspace,
    linspace_with, logspace, logspace_with, ones, ones_with, rand, randint, randn, randperm, tensor,
    tensor_as, zeros, zeros_with,
};
pub use engine::{GradOptions, grad, grad_with};
pub use gradcheck::{Gradcheck, gradcheck, gradgradcheck};
pub use hooks::HookHandle;
pub use mode::{GradModeGuard, enable_grad, is_grad_enabled, no_grad};
pub use op::{Gradients, Op, Saved, Saves};
pub use ops::cast::To;
pub use tensor::Tensor;

/// The arrays below the tensors.
pub use rushlight_array as array;
