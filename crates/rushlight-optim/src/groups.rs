//! Groups of parameters, each with options of its own.

use crate::options::{Options, Value};
use rushlight_array::fail;
use rushlight_autograd::Tensor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

impl IntoParameters for &Vec<Tensor> {
    fn into_parameters(self) -> Vec<Tensor> {
        self.clone()
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

impl IntoParameters for &Tensor {
    fn into_parameters(self) -> Vec<Tensor> {
        vec![self.clone()]
    }
}

/// Parameters with options of their own: PyTorch's `{'params': .., 'lr': ..}`.
///
/// What is not set here is what the optimiser's own methods say, whether they are called before or after.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::{Group, Optimizer, SGD};
/// let (base, head) = (tensor([1.0]).requires_grad_(), tensor([1.0]).requires_grad_());
/// let groups = [Group::new([&base]), Group::new([&head]).lr(0.1)];
/// let optimizer = SGD::new(groups, 0.01).momentum(0.9);
/// assert_eq!(optimizer.param_groups().lrs(), [0.01, 0.1]);
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    pub(crate) parameters: Vec<Tensor>,
    pub(crate) options: Options,
}

impl Group {
    /// These parameters, with the optimiser's options.
    pub fn new(parameters: impl IntoParameters) -> Self {
        Group { parameters: parameters.into_parameters(), options: Options::default() }
    }

    /// The learning rate.
    pub fn lr(self, lr: f64) -> Self {
        self.option("lr", lr)
    }

    /// The penalty on, or decay of, the weights.
    pub fn weight_decay(self, weight_decay: f64) -> Self {
        self.option("weight_decay", weight_decay)
    }

    /// The factor of the velocity.
    pub fn momentum(self, momentum: f64) -> Self {
        self.option("momentum", momentum)
    }

    /// The decays of the running means.
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        self.option("betas", (beta1, beta2))
    }

    /// Any option of the optimiser, by PyTorch's name.
    pub fn option(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.options.set(name, value);
        self
    }
}

/// What an optimiser can be made of: parameters, which become one group, or groups.
pub trait IntoGroups {
    /// The groups.
    fn into_groups(self) -> Vec<Group>;
}

impl<P: IntoParameters> IntoGroups for P {
    fn into_groups(self) -> Vec<Group> {
        vec![Group::new(self)]
    }
}

impl IntoGroups for Vec<Group> {
    fn into_groups(self) -> Vec<Group> {
        self
    }
}

impl<const N: usize> IntoGroups for [Group; N] {
    fn into_groups(self) -> Vec<Group> {
        self.into()
    }
}

/// A group inside of an optimiser: all of its options are known.
#[derive(Clone, Debug)]
pub(crate) struct ParamGroup {
    pub(crate) parameters: Vec<Tensor>,
    pub(crate) options: Options,
    /// The options that the group set for itself.
    own: Vec<String>,
}

#[derive(Debug)]
struct Inner {
    name: &'static str,
    /// What a group has that says nothing.
    defaults: Mutex<Options>,
    groups: Mutex<Vec<ParamGroup>>,
}

/// A handle on the groups of an optimiser: PyTorch's `optimizer.param_groups`.
///
/// The optimiser and its schedules share them, as the model and the optimiser share the parameters; so a schedule
/// borrows nothing.
#[derive(Clone, Debug)]
pub struct ParamGroups(Arc<Inner>);

impl ParamGroups {
    /// The groups of an optimiser of this name, whose options have these defaults.
    ///
    /// # Panics
    /// If there is no parameter, one is not a float leaf or is given twice, or a group has an option that is not among
    /// the defaults, or is of another kind than its default.
    #[track_caller]
    pub fn new(name: &'static str, groups: impl IntoGroups, defaults: Options) -> Self {
        let groups = groups.into_groups();
        if groups.iter().all(|group| group.parameters.is_empty()) {
            fail!("{name}: got an empty parameter list");
        }
        let this = ParamGroups(Arc::new(Inner { name, defaults: defaults.into(), groups: Mutex::default() }));
        groups.into_iter().for_each(|group| this.add(group));
        this
    }

    /// Adds a group; see [`ParamGroups::new`] for what it must be.
    /// Adds a group; see [`ParamGroups::new`] for what it must be.
    #[track_caller]
    pub(crate) fn add(&self, group: Group) {
        let (name, mut groups) = (self.0.name, self.lock());
        let mut known: Vec<&Tensor> = groups.iter().flat_map(|group| &group.parameters).collect();
        for p in &group.parameters {
            let i = known.len();
            if !(p.is_leaf() && p.dtype().is_float()) {
                fail!(
                    "{name}: parameter {i} of shape {:?} ({}) is not a leaf of floats, so it cannot be optimised",
                    p.shape(),
                    p.dtype().name()
                );
            }
            if let Some(j) = known.iter().position(|other| other.is(p)) {
                fail!("{name}: parameters {j} and {i} are the same tensor; give each once");
            }
            known.push(p);
        }
        let (mut options, mut own) = (self.defaults().clone(), Vec::new());
        for (option, value) in group.options.iter() {
            let Some(default) = options.get(option) else {
                let names: Vec<&str> = options.iter().map(|(name, _)| name).collect();
                fail!(
                    "{name}: group {} has the option `{option}`; {name} takes {}",
                    groups.len(),
                    names.join(", ")
                );
            };
            let Some(value) = value.like(default) else {
                fail!("{name}: group {} has {option} = {value:?}; it would be as {default:?}", groups.len());
            };
            options.set(option, value);
            own.push(option.to_string());
        }
        groups.push(ParamGroup { parameters: group.parameters, options, own });
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<ParamGroup>> {
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The optimiser's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// What tells these groups from others, whichever handle is asked.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is no group, which no optimiser has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The learning rates of the groups.
    pub fn lrs(&self) -> Vec<f64> {
        self.lock().iter().map(|group| group.options.float("lr")).collect()
    }

    /// The parameters of a group.
    ///
    /// # Panics
    /// If there is no such group.
    #[track_caller]
    pub fn parameters(&self, group: usize) -> Vec<Tensor> {
        self.with(group, |group| group.parameters.clone())
    }

    /// An option of a group, by PyTorch's name, if it has it.
    ///
    /// # Panics
    /// If there is no such group.
    #[track_caller]
    pub fn get(&self, group: usize, name: &str) -> Option<Value> {
        self.with(group, |group| group.options.get(name).cloned())
    }

    /// Sets an option of a group. A name that the optimiser does not know is kept, as schedules keep `initial_lr`.
    ///
    /// # Panics
    /// If there is no such group, or the option is of another kind.
    #[track_caller]
    pub fn set(&self, group: usize, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let optimizer = self.0.name;
        self.with(group, |group| {
            let value = match group.options.get(name) {
                None => value,
                Some(old) => match value.like(old) {
                    Some(value) => value,
                    None => fail!("{optimizer}: {name} = {value:?}; it would be as {old:?}"),
                },
            };
            group.options.set(name, value);
        });
    }

    #[track_caller]
    fn with<R>(&self, group: usize, f: impl FnOnce(&mut ParamGroup) -> R) -> R {
        let mut groups = self.lock();
        let len = groups.len();
        match groups.get_mut(group) {
            Some(group) => f(group),
            None => fail!("{}: there is no group {group}; there are {len}", self.0.name),
        }
    }

    /// Sets an option of all groups that did not set it for themselves, and of those to come.
    pub(crate) fn set_default(&self, name: &str, value: &Value) {
        self.defaults().set(name, value.clone());
        for group in self.lock().iter_mut().filter(|group| !group.own.iter().any(|own| own == name)) {
            group.options.set(name, value.clone());
        }
    }

    /// Whether the optimiser has an option of this name.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.defaults().get(name).is_some()
    }

    pub(crate) fn defaults(&self) -> MutexGuard<'_, Options> {
        self.0.defaults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All options of all groups, as they are.
    pub(crate) fn snapshot(&self) -> Vec<Options> {
        self.lock().iter().map(|group| group.options.clone()).collect()
    }

    pub(crate) fn restore(&self, options: &[Options]) {
        for (group, options) in self.lock().iter_mut().zip(options) {
            group.options = options.clone();
        }
    }

    /// Whether this is a handle on the same groups.
    pub(crate) fn is(&self, other: &ParamGroups) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
