use super::base::{PerGroup, merge, spread};
use crate::Optimizer;
use crate::groups::ParamGroups;
use crate::options::{Options, Value};
use rushlight_array::{Result, fail};

/// Whether a measure shall fall or rise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Fall, as a loss.
    #[default]
    Min,
    /// Rise, as an accuracy.
    Max,
}

impl From<Mode> for Value {
    fn from(mode: Mode) -> Value {
        if mode == Mode::Min { "min".into() } else { "max".into() }
    }
}

/// What the threshold of [`ReduceLROnPlateau`] is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ThresholdMode {
    /// A part of the best measure.
    #[default]
    Rel,
    /// The change itself.
    Abs,
}

impl From<ThresholdMode> for Value {
    fn from(mode: ThresholdMode) -> Value {
        if mode == ThresholdMode::Rel { "rel".into() } else { "abs".into() }
    }
}

/// The rate falls when a measure has stopped getting better: PyTorch's `ReduceLROnPlateau`.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_optim::lr_scheduler::ReduceLROnPlateau;
/// use rushlight_optim::{Optimizer, SGD};
/// let optimizer = SGD::new([&tensor([1.0]).requires_grad_()], 1.0);
/// let mut schedule = ReduceLROnPlateau::new(&optimizer).patience(1);
/// let rates = [3.0, 2.0, 2.0, 2.0].map(|loss| { schedule.step(loss); optimizer.lr() });
/// assert_eq!(rates, [1.0, 1.0, 1.0, 0.1]);
/// ```
#[derive(Debug)]
pub struct ReduceLROnPlateau {
    groups: ParamGroups,
    options: Options,
    best: f64,
    cooldown_counter: i64,
    num_bad_epochs: i64,
    last_epoch: i64,
    last_lr: Vec<f64>,
}

/// A method for each option.
macro_rules! options {
    ($($(#[$about:meta])* $option:ident($argument:ident: $type:ty $(=> $via:ty)?);)*) => {
        impl ReduceLROnPlateau {$(
            $(#[$about])*
            ///
            /// # Panics
            /// If it is out of its range.
            #[track_caller]
            pub fn $option(mut self, $argument: $type) -> Self {
                $(let $argument: $via = $argument.into();)?
                self.options.set(stringify!($option), $argument);
                self.prepare();
                self
            }
        )*}
    };
}

options! {
    /// Whether the measure shall fall (if left out) or rise.
    mode(mode: Mode);
    /// The factor of the rate, below 1; 0.1 if left out.
    factor(factor: f64);
    /// How many epochs without progress are borne; 10 if left out.
    patience(patience: usize);
    /// What counts as progress; 1e-4 if left out.
    threshold(threshold: f64);
    /// Whether the threshold is a part of the best measure (if left out) or a change.
    threshold_mode(mode: ThresholdMode);
    /// How many epochs after a fall are not judged; 0 if left out.
    cooldown(cooldown: usize);
    /// The lowest rate, for all groups or for each; 0 if left out.
    min_lr(min_lr: impl Into<PerGroup> => PerGroup);
    /// The smallest change of a rate that is made; 1e-8 if left out.
    eps(eps: f64);
}

impl ReduceLROnPlateau {
    /// With PyTorch's defaults.
    #[track_caller]
    pub fn new(optimizer: &(impl Optimizer + ?Sized)) -> Self {
        let options = Options::new([
            ("mode", Mode::Min.into()),
            ("factor", 0.1.into()),
            ("patience", 10_usize.into()),
            ("threshold", 1e-4.into()),
            ("threshold_mode", ThresholdMode::Rel.into()),
            ("cooldown", 0_usize.into()),
            ("min_lr", 0.0.into()),
            ("eps", 1e-8.into()),
        ]);
        let groups = optimizer.param_groups().clone();
        let last_lr = groups.lrs();
        let mut this = ReduceLROnPlateau {
            groups,
            options,
            best: 0.0,
            cooldown_counter: 0,
            num_bad_epochs: 0,
            last_epoch: 0,
            last_lr,
        };
        this.prepare();
        this
    }

    #[track_caller]
    fn prepare(&mut self) {
        let factor = self.options.float("factor");
        if factor.is_nan() || factor >= 1.0 {
            fail!("ReduceLROnPlateau: factor is {factor}; it must be below 1");
        }
        if let Err(why) = spread(&mut self.options.clone(), "min_lr", &self.groups) {
            fail!("ReduceLROnPlateau: {why}");
        }
        self.best = if self.rises() { f64::NEG_INFINITY } else { f64::INFINITY };
    }

    fn rises(&self) -> bool {
        self.options.get("mode").and_then(Value::as_text) == Some("max")
    }

    fn is_better(&self, measure: f64) -> bool {
        let threshold = self.options.float("threshold");
        let relative = self.options.get("threshold_mode").and_then(Value::as_text) != Some("abs");
        match (self.rises(), relative) {
            (false, true) => measure < self.best * (1.0 - threshold),
            (false, false) => measure < self.best - threshold,
            (true, true) => measure > self.best * (threshold + 1.0),
            (true, false) => measure > self.best + threshold,
        }
    }

    /// One epoch further, with the measure after it.
    ///
    /// # Panics
    /// If there are lowest rates for each group, and the optimiser has got more groups.
    #[track_caller]
    pub fn step(&mut self, metrics: f64) {
        self.last_epoch += 1;
        if self.is_better(metrics) {
            (self.best, self.num_bad_epochs) = (metrics, 0);
        } else {
            self.num_bad_epochs += 1;
        }
        if self.cooldown_counter > 0 {
            self.cooldown_counter -= 1;
            self.num_bad_epochs = 0;
        }
        if self.num_bad_epochs > self.options.int("patience") {
            self.reduce();
            (self.cooldown_counter, self.num_bad_epochs) = (self.options.int("cooldown"), 0);
        }
        self.last_lr = self.groups.lrs();
    }

    #[track_caller]
    fn reduce(&self) {
        let mut options = self.options.clone();
        if let Err(why) = spread(&mut options, "min_lr", &self.groups) {
            fail!("ReduceLROnPlateau: {why}");
        }
        let (factor, eps, lowest) = (options.float("factor"), options.float("eps"), options.floats("min_lr"));
        for (group, lowest) in self.groups.lock().iter_mut().zip(lowest) {
            let old = group.options.float("lr");
            let new = (old * factor).max(lowest);
            if old - new > eps {
                group.options.set("lr", new);
            }
        }
    }

    /// The rates of the groups after the last step.
    pub fn get_last_lr(&self) -> Vec<f64> {
        self.last_lr.clone()
    }

    /// Options and counters by PyTorch's names.
    pub fn state_dict(&self) -> Options {
        let mut state = self.options.clone();
        state.set("best", self.best);
        state.set("cooldown_counter", self.cooldown_counter);
        state.set("num_bad_epochs", self.num_bad_epochs);
        state.set("last_epoch", self.last_epoch);
        state.set("_last_lr", self.last_lr.clone());
        state
    }

    /// Continues from a state.
    ///
    /// # Errors
    /// If anything does not fit; the message lists all of it, and nothing is changed.
    pub fn load_state_dict(&mut self, state: &Options) -> Result<()> {
        let merged = merge("ReduceLROnPlateau", &self.state_dict(), state)?;
        for (name, value) in self.options.clone().iter() {
            self.options.set(name, merged.get(name).unwrap_or(value).clone());
        }
        (self.best, self.last_lr) = (merged.float("best"), merged.floats("_last_lr"));
        (self.cooldown_counter, self.num_bad_epochs) =
            (merged.int("cooldown_counter"), merged.int("num_bad_epochs"));
        self.last_epoch = merged.int("last_epoch");
        Ok(())
    }
}
