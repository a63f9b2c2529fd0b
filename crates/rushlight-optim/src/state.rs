//! The state of an optimiser as plain data, which a file can hold.

use crate::groups::ParamGroups;
use crate::options::Options;
use rushlight_array::{Array, DType, Error, Result};
use rushlight_autograd::Tensor;
use std::collections::BTreeMap;

/// The state of an optimiser: PyTorch's `optimizer.state_dict()`, with its names.
///
/// It holds the values of the moment; later steps do not change them.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::{Adam, Optimizer};
/// let w = tensor([1.0]).requires_grad_();
/// let mut optimizer = Adam::new([&w], 0.1);
/// w.set_grad(Some(tensor([2.0])));
/// optimizer.step();
/// let state = optimizer.state_dict();
/// assert_eq!(state.state[&0].scalars["step"], 1.0);
/// // A tenth of the gradient.
/// assert_eq!(state.state[&0].tensors["exp_avg"].to_vec::<f32>(), [0.2]);
/// Adam::new([&w], 0.1).load_state_dict(&state).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    /// For each parameter that has been stepped, by its place among the parameters of all groups.
    pub state: BTreeMap<usize, ParamState>,
    /// The options of each group, and which parameters are in it.
    pub param_groups: Vec<GroupState>,
}

/// The state of a parameter.
#[derive(Clone, Debug, Default)]
pub struct ParamState {
    /// Tensors by PyTorch's names: `exp_avg`.
    pub tensors: BTreeMap<String, Tensor>,
    /// Numbers by PyTorch's names: `step`. A tensor of one element under the name does as well.
    pub scalars: BTreeMap<String, f64>,
}

/// The options of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupState {
    /// By PyTorch's names: `lr`.
    pub options: Options,
    /// The places of its parameters, as keys of [`StateDict::state`].
    pub params: Vec<usize>,
}

/// Options that PyTorch writes and that mean nothing here.
const OF_PYTORCH: [&str; 6] =
    ["foreach", "fused", "capturable", "differentiable", "param_names", "decoupled_weight_decay"];

/// Options that schedules leave in a group.
const OF_SCHEDULES: [&str; 5] = ["initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"];

impl StateDict {
    pub(crate) fn of_groups(groups: &ParamGroups) -> StateDict {
        let mut at = 0;
        let mut group_of = |group: &crate::groups::ParamGroup| {
            let params = (at..at + group.parameters.len()).collect();
            at += group.parameters.len();
            GroupState { options: group.options.clone(), params }
        };
        StateDict { state: BTreeMap::new(), param_groups: groups.lock().iter().map(&mut group_of).collect() }
    }

    /// The options that the groups get from here; what does not fit is added to the list.
    pub(crate) fn check_groups(&self, groups: &ParamGroups, wrong: &mut Mismatches) -> Vec<Options> {
        let (here, mut at) = (groups.lock(), 0);
        if here.len() != self.param_groups.len() {
            wrong.add(format!("{} groups, the optimiser has {}", self.param_groups.len(), here.len()));
        }
        let mut result: Vec<Options> = here.iter().map(|group| group.options.clone()).collect();
        for (k, ((group, saved), options)) in here.iter().zip(&self.param_groups).zip(&mut result).enumerate()
        {
            let expected: Vec<usize> = (at..at + group.parameters.len()).collect();
            at += group.parameters.len();
            if saved.params.len() != expected.len() {
                let (file, own) = (saved.params.len(), expected.len());
                wrong.add(format!("group {k} has {file} parameters, that of the optimiser {own}"));
            } else if saved.params != expected {
                wrong.add(format!("group {k} has the parameters {:?}, not {expected:?}", saved.params));
            }
            load_options(k, &saved.options, options, groups, wrong);
        }
        result
    }

    pub(crate) fn check_indices(&self, len: usize, wrong: &mut Mismatches) {
        for index in self.state.keys().filter(|&&index| index >= len) {
            wrong.add(format!("state of parameter {index}, of which there are {len}"));
        }
    }
}

/// Takes the saved options of group `k` over.
fn load_options(
    k: usize,
    saved: &Options,
    options: &mut Options,
    groups: &ParamGroups,
    wrong: &mut Mismatches,
) {
    let defaults = groups.defaults().clone();
    for (name, default) in defaults.iter() {
        match saved.get(name) {
            None if OF_PYTORCH.contains(&name) => {}
            None => wrong.add(format!("group {k}: missing {name}")),
            Some(value) => match value.like(default) {
                Some(value) => options.set(name, value),
                None => wrong.add(format!("group {k}: {name} is {value:?}, it would be as {default:?}")),
            },
        }
    }
    for (name, value) in saved.iter().filter(|(name, _)| defaults.get(name).is_none()) {
        if OF_SCHEDULES.contains(&name) {
            options.set(name, value.clone());
        } else if !OF_PYTORCH.contains(&name) {
            wrong.add(format!("group {k}: unexpected {name}"));
        }
    }
}

impl ParamState {
    pub(crate) fn found<'a>(&'a self, index: usize, wrong: &'a mut Mismatches) -> Found<'a> {
        Found { state: self, index, wrong }
    }
}

/// The saved state of a parameter, while it is looked through.
pub(crate) struct Found<'a> {
    state: &'a ParamState,
    index: usize,
    wrong: &'a mut Mismatches,
}

impl Found<'_> {
    pub(crate) fn scalar(&mut self, name: &str) -> f64 {
        let tensor = || self.state.tensors.get(name).filter(|tensor| tensor.numel() == 1);
        let number = || tensor().map(|tensor| tensor.detach().to(DType::F64).item());
        match self.state.scalars.get(name).copied().or_else(number) {
            Some(value) => value,
            None => {
                self.wrong.add(format!("parameter {}: missing {name}", self.index));
                0.0
            }
        }
    }

    /// The array of a name, in the dtype and on the device where a parameter's state lives.
    pub(crate) fn array(&mut self, name: &str, parameter: &Tensor, wanted: bool) -> Option<Array> {
        let Some(tensor) = self.state.tensors.get(name) else {
            if wanted {
                self.wrong.add(format!("parameter {}: missing {name}", self.index));
            }
            return None;
        };
        if tensor.shape() != parameter.shape() {
            let (saved, own) = (tensor.shape(), parameter.shape());
            self.wrong.add(format!("parameter {}: {name} has shape {saved:?}, not {own:?}", self.index));
            return None;
        }
        Some(tensor.array().cast(parameter.dtype().compute()).to_device(&parameter.device()))
    }

    pub(crate) fn nothing_else(&mut self, known: impl Fn(&str) -> bool) {
        for name in self.state.tensors.keys().chain(self.state.scalars.keys()).filter(|name| !known(name)) {
            self.wrong.add(format!("parameter {}: unexpected {name}", self.index));
        }
    }
}

/// All that does not fit, for one message.
#[derive(Default)]
pub(crate) struct Mismatches(Vec<String>);

impl Mismatches {
    pub(crate) fn add(&mut self, what: String) {
        self.0.push(what);
    }

    pub(crate) fn finish(self, name: &str) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid(
                "load_state_dict",
                format!("{name} does not match: {}", self.0.join("; ")),
            )),
        }
    }
}
