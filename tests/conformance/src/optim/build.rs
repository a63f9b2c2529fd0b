//! Optimizers and schedules from PyTorch's names and keyword arguments.

use super::number;
use rushlight::Tensor;
use rushlight::optim::lr_scheduler::{
    AnnealStrategy, ChainedScheduler, ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, CycleMode,
    CyclicLR, ExponentialLR, LRScheduler, LinearLR, Mode, MultiStepLR, OneCycleLR, PolynomialLR,
    ReduceLROnPlateau, SequentialLR, StepLR, ThresholdMode,
};
use rushlight::optim::{
    ASGD, Adadelta, Adagrad, Adam, AdamW, Adamax, Group, LBFGS, Muon, NAdam, Optimizer, RAdam, RMSprop,
    Rprop, SGD, Value as Setting,
};
use serde_json::Value;

/// What was asked for, or the name of what is not there.
pub type Known<T> = Result<T, String>;

/// The keyword arguments of a call, each taken once.
pub struct Kwargs(Vec<(String, Value)>);

/// How PyTorch computes, and not what.
const SWITCHES: [&str; 4] = ["foreach", "fused", "capturable", "differentiable"];

impl Kwargs {
    /// Those of a record.
    pub fn new(json: &Value) -> Self {
        let pairs = json.as_object().into_iter().flatten();
        Kwargs(pairs.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// A learning rate alone.
    pub fn of_lr(lr: f64) -> Self {
        Kwargs(vec![("lr".to_string(), lr.into())])
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    fn read<T>(&mut self, name: &str, form: impl Fn(&Value) -> Option<T>) -> Result<Option<T>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                form(&value).map(Some).ok_or_else(|| format!("{name} is {value}, which has no meaning"))
            }
        }
    }

    fn need<T>(&mut self, name: &str, form: impl Fn(&Value) -> Option<T>) -> Result<T, String> {
        self.read(name, form)?.ok_or_else(|| format!("there is no {name}"))
    }

    fn done(self) -> Result<(), String> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(format!("arguments that nothing took: {:?}", self.0)),
        }
    }
}

/// A value of JSON as an option.
fn option(json: &Value) -> Setting {
    match json {
        Value::Bool(x) => (*x).into(),
        Value::Number(x) => x.as_i64().map_or_else(|| x.as_f64().unwrap_or(f64::NAN).into(), Into::into),
        Value::String(text) => number(json).map_or_else(|| text.as_str().into(), Into::into),
        Value::Array(items) => items.iter().map(option).collect::<Vec<Setting>>().into(),
        _ => Setting::Null,
    }
}

/// An optimizer, with PyTorch's learning rate if there is none.
///
/// # Errors
/// If an argument has no meaning.
pub fn optimizer(
    name: &str,
    parameters: Vec<Tensor>,
    mut kwargs: Kwargs,
) -> Result<Known<Box<dyn Optimizer>>, String> {
    for switch in SWITCHES {
        if kwargs.take(switch).is_some_and(|value| value == Value::Bool(true)) {
            return Ok(Err(format!("{switch}=True")));
        }
    }
    let lr = kwargs.read("lr", number)?;
    let mut group = Group::new(parameters);
    for (name, value) in &kwargs.0 {
        group = group.option(name, option(value));
    }
    macro_rules! choose {
        ($($kind:ident: $lr:expr),*) => {
            match name {
                $(stringify!($kind) => Ok(Box::new($kind::new([group], lr.unwrap_or($lr))) as Box<dyn Optimizer>),)*
                _ => Err(name.to_string()),
            }
        };
    }
    Ok(choose!(
        SGD: 1e-3, Adam: 1e-3, AdamW: 1e-3, RMSprop: 1e-2, Adagrad: 1e-2, Adadelta: 1.0, Adamax: 2e-3, NAdam: 2e-3,
        RAdam: 1e-3, ASGD: 1e-2, Rprop: 1e-2, Muon: 1e-3, LBFGS: 1.0
    ))
}

/// A schedule, of either kind.
pub enum Scheduler {
    /// Steps by itself.
    Plain(Box<dyn LRScheduler + Send>),
    /// Steps by a measure.
    Plateau(ReduceLROnPlateau),
}

fn count(json: &Value) -> Option<usize> {
    usize::try_from(json.as_i64()?).ok()
}

fn counts(json: &Value) -> Option<Vec<usize>> {
    json.as_array()?.iter().map(count).collect()
}

/// Calls the methods of the arguments that are there.
macro_rules! with {
    ($kwargs:ident, $made:expr $(, $option:ident: $form:expr)*) => {{
        let mut made = $made;
        $(if let Some(value) = $kwargs.read(stringify!($option), $form)? {
            made = made.$option(value);
        })*
        made
    }};
}

/// A schedule. Those inside of another are `{scheduler, kwargs}` in its list `schedulers`.
///
/// # Errors
/// If an argument has no meaning or is missing.
pub fn scheduler(name: &str, of: &dyn Optimizer, mut kwargs: Kwargs) -> Result<Known<Scheduler>, String> {
    if kwargs.take("last_epoch").is_some_and(|epoch| epoch != -1) {
        return Ok(Err("last_epoch".to_string()));
    }
    let k = &mut kwargs;
    let plain: Box<dyn LRScheduler + Send> = match name {
        "StepLR" => Box::new(with!(k, StepLR::new(of, k.need("step_size", count)?), gamma: number)),
        "MultiStepLR" => {
            Box::new(with!(k, MultiStepLR::new(of, k.need("milestones", counts)?), gamma: number))
        }
        "ConstantLR" => Box::new(with!(k, ConstantLR::new(of), factor: number, total_iters: count)),
        "LinearLR" => Box::new(
            with!(k, LinearLR::new(of), start_factor: number, end_factor: number, total_iters: count),
        ),
        "ExponentialLR" => Box::new(ExponentialLR::new(of, k.need("gamma", number)?)),
        "PolynomialLR" => Box::new(with!(k, PolynomialLR::new(of), total_iters: count, power: number)),
        "CosineAnnealingLR" => {
            Box::new(with!(k, CosineAnnealingLR::new(of, k.need("T_max", count)?), eta_min: number))
        }
        "CosineAnnealingWarmRestarts" => {
            let made = CosineAnnealingWarmRestarts::new(of, k.need("T_0", count)?);
            Box::new(with!(k, made, T_mult: count, eta_min: number))
        }
        "OneCycleLR" => Box::new(one_cycle(of, k)?),
        "CyclicLR" => Box::new(cyclic(of, k)?),
        "SequentialLR" | "ChainedScheduler" => match parts(of, k)? {
            Err(unknown) => return Ok(Err(unknown)),
            Ok(parts) if name == "ChainedScheduler" => Box::new(ChainedScheduler::new(parts)),
            Ok(parts) => Box::new(SequentialLR::new(of, parts, k.need("milestones", counts)?)),
        },
        "ReduceLROnPlateau" => {
            let made = plateau(of, k)?;
            kwargs.done()?;
            return Ok(Ok(Scheduler::Plateau(made)));
        }
        _ => return Ok(Err(name.to_string())),
    };
    kwargs.done()?;
    Ok(Ok(Scheduler::Plain(plain)))
}

fn one_cycle(of: &dyn Optimizer, k: &mut Kwargs) -> Result<OneCycleLR, String> {
    let (epochs, each) = (k.read("epochs", count)?, k.read("steps_per_epoch", count)?);
    let total = match k.read("total_steps", |json| Some(count(json)))?.flatten() {
        Some(total) => total,
        None => epochs.zip(each).map(|(epochs, each)| epochs * each).ok_or("there is no total_steps")?,
    };
    let strategy = |json: &Value| match json.as_str()? {
        "cos" => Some(AnnealStrategy::Cos),
        "linear" => Some(AnnealStrategy::Linear),
        _ => None,
    };
    let made = OneCycleLR::new(of, k.need("max_lr", number)?, total);
    Ok(with!(k, made,
        cycle_momentum: Value::as_bool, pct_start: number, anneal_strategy: strategy, base_momentum: number,
        max_momentum: number, div_factor: number, final_div_factor: number, three_phase: Value::as_bool))
}

fn cyclic(of: &dyn Optimizer, k: &mut Kwargs) -> Result<CyclicLR, String> {
    let mode = |json: &Value| match json.as_str()? {
        "triangular" => Some(CycleMode::Triangular),
        "triangular2" => Some(CycleMode::Triangular2),
        "exp_range" => Some(CycleMode::ExpRange),
        _ => None,
    };
    let made = CyclicLR::new(of, k.need("base_lr", number)?, k.need("max_lr", number)?);
    Ok(with!(k, made,
        cycle_momentum: Value::as_bool, step_size_up: count, step_size_down: count, mode: mode, gamma: number,
        base_momentum: number, max_momentum: number))
}

fn plateau(of: &dyn Optimizer, k: &mut Kwargs) -> Result<ReduceLROnPlateau, String> {
    let mode = |json: &Value| match json.as_str()? {
        "min" => Some(Mode::Min),
        "max" => Some(Mode::Max),
        _ => None,
    };
    let threshold = |json: &Value| match json.as_str()? {
        "rel" => Some(ThresholdMode::Rel),
        "abs" => Some(ThresholdMode::Abs),
        _ => None,
    };
    Ok(with!(k, ReduceLROnPlateau::new(of),
        mode: mode, factor: number, patience: count, threshold: number, threshold_mode: threshold, cooldown: count,
        min_lr: number, eps: number))
}

/// The schedules inside of another.
#[allow(clippy::type_complexity, reason = "a list of what schedulers are")]
fn parts(of: &dyn Optimizer, k: &mut Kwargs) -> Result<Known<Vec<Box<dyn LRScheduler + Send>>>, String> {
    let list = k.need("schedulers", |json| json.as_array().cloned())?;
    let mut parts = Vec::new();
    for part in &list {
        let name = part["scheduler"].as_str().ok_or_else(|| format!("{part} is no schedule"))?;
        match scheduler(name, of, Kwargs::new(&part["kwargs"]))? {
            Ok(Scheduler::Plain(part)) => parts.push(part),
            Ok(Scheduler::Plateau(_)) => return Err("a plateau inside of a schedule".to_string()),
            Err(unknown) => return Ok(Err(unknown)),
        }
    }
    Ok(Ok(parts))
}
