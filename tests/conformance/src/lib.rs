//! Runs the cases that PyTorch made from its own operator tests: inputs, arguments, outputs and gradients.
//!
//! `cargo xtask conformance [DIR]` runs a folder of cases, or the archive that the repository carries; with a file,
//! trajectories of optimizers and schedules ([`optim`]).
//! [`mod@reference`] writes the page of all operations from the same table.

pub mod args;
pub mod cli;
pub mod compare;
pub mod golden;
pub mod ops;
pub mod optim;
pub mod reference;
pub mod report;
pub mod run;
