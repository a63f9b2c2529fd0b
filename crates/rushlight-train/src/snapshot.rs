//! A whole run as a value, and back.

use crate::callback::Callback;
use crate::convert;
use crate::folder;
use crate::loader::Loader;
use crate::logs::Means;
use crate::progress::Progress;
use crate::trainer::{Schedule, Trainer};
use rushlight_array::random::{GeneratorState, default_generator};
use rushlight_array::{Error, Result};
use rushlight_data::LoaderState;
use rushlight_nn::Module;
use rushlight_serialize::Value;

/// The version of the tree below.
const VERSION: i64 = 1;

impl<B> Trainer<'_, B> {
    /// All that the run needs to go on exactly here.
    pub(crate) fn snapshot(
        &self,
        callbacks: &[Box<dyn Callback + '_>],
        loader: &dyn Loader<Batch = B>,
    ) -> Value {
        let schedules = self.schedules.iter().map(|schedule| match schedule {
            Schedule::Plain(schedule, _) => convert::options(&schedule.state_dict()),
            Schedule::Plateau(schedule, _) => convert::options(&schedule.state_dict()),
        });
        let own = self.generators.iter().map(|(name, generator)| (name.as_str(), generator.state()));
        let mut generators = Value::map().with("default", Value::from(&default_generator().state()));
        own.for_each(|(name, state)| generators.set(format!("own.{name}"), Value::from(&state)));
        // Between epochs, and where an epoch was cut short, the next one begins anew.
        let mut loader = loader.state();
        if !self.progress.in_epoch {
            loader = LoaderState { generator: loader.generator, ..LoaderState::default() };
        }
        let optimizers = self.optimizers.iter().map(|optimizer| convert::optimizer(&optimizer.state_dict()));
        Value::map()
            .with("rushlight-train", VERSION)
            .with("progress", self.progress.to_value())
            .with("model", Value::state(&self.model.state_dict()))
            .with("optimizers", Value::List(optimizers.collect()))
            .with("schedules", Value::List(schedules.collect()))
            .with("generators", generators)
            .with("loader", convert::loader(&loader))
            .with("means", self.means.to_value())
            .with("metrics", named(self.metrics.iter().map(|metric| (metric.name(), metric.state()))))
            .with("callbacks", named(callbacks.iter().map(|callback| (callback.name(), callback.state()))))
    }

    /// Goes on from a checkpoint, if [`resume`](Trainer::resume) was called and there is one.
    pub(crate) fn restore(&mut self, loader: &dyn Loader<Batch = B>) -> Result<()> {
        let Some(path) = self.options.resume.take() else {
            if self.progress.in_epoch {
                // Interrupted in this very process: the loader goes on where it stands.
                loader.load_state(&loader.state())?;
            }
            return Ok(());
        };
        let Some((path, state)) = folder::newest(&path, &mut *self.say)? else { return Ok(()) };
        self.load(&state, loader)
            .map_err(|error| Error::invalid(path.display().to_string(), error.to_string()))?;
        self.resumed = true;
        let more = self.progress.epoch < self.options.max_epochs && self.progress.stopped.is_none();
        self.progress.finished &= !(more && self.progress.step < self.options.max_steps);
        if !self.progress.finished {
            let Progress { epoch, batch, step, .. } = &self.progress;
            (self.say)(&format!(
                "going on from {}: epoch {}, batch {batch}, step {step}",
                path.display(),
                epoch + 1
            ));
        }
        Ok(())
    }

    fn load(&mut self, state: &Value, loader: &dyn Loader<Batch = B>) -> Result<()> {
        let version: i64 = state.get("rushlight-train")?.int()?;
        if version != VERSION {
            return Err(Error::invalid(
                "checkpoint",
                format!("its version is {version}; this trainer reads {VERSION}"),
            ));
        }
        let progress = Progress::from_value(state.get("progress")?)?;
        self.model.load_state_dict(&state.get("model")?.tensors())?;
        let optimizers = counted("optimisers", state.get("optimizers")?, self.optimizers.len())?;
        for (optimizer, state) in self.optimizers.iter_mut().zip(optimizers) {
            optimizer.load_state_dict(&convert::to_optimizer(state)?)?;
        }
        let schedules = counted("schedules", state.get("schedules")?, self.schedules.len())?;
        for (schedule, state) in self.schedules.iter_mut().zip(schedules) {
            let state = convert::to_options(state)?;
            match schedule {
                Schedule::Plain(schedule, _) => schedule.load_state_dict(&state)?,
                Schedule::Plateau(schedule, _) => schedule.load_state_dict(&state)?,
            }
        }
        self.means = Means::from_value(state.get("means")?)?;
        let metrics = state.get("metrics")?;
        for (index, metric) in self.metrics.iter_mut().enumerate() {
            match find(metrics, &metric.name(), index)? {
                Some(state) => metric.load_state(state)?,
                None if !progress.in_epoch => {}
                None => {
                    let reason = format!("it has no metric `{}`, in the middle of an epoch", metric.name());
                    return Err(Error::invalid("checkpoint", reason));
                }
            }
        }
        self.load_callbacks(state.get("callbacks")?)?;
        (self.set_epoch)(progress.epoch);
        loader.load_state(&convert::to_loader(state.get("loader")?)?)?;
        let generators = state.get("generators")?;
        for (name, generator) in &self.generators {
            generator.set_state(&GeneratorState::try_from(generators.get(format!("own.{name}").as_str())?)?);
        }
        default_generator().set_state(&GeneratorState::try_from(generators.get("default")?)?);
        self.progress = progress;
        Ok(())
    }

    fn load_callbacks(&mut self, states: &Value) -> Result<()> {
        let names: Vec<String> = self.callbacks.iter().map(|callback| callback.name()).collect();
        for (index, callback) in self.callbacks.iter_mut().enumerate() {
            let nth = names[..index].iter().filter(|name| **name == names[index]).count();
            if let Some(state) = nth_of(states, &names[index], nth)? {
                callback.load_state(state)?;
            }
        }
        Ok(())
    }
}

fn named(states: impl Iterator<Item = (String, Value)>) -> Value {
    Value::List(states.map(|(name, state)| Value::map().with("name", name).with("state", state)).collect())
}

/// The state of the metric of a name, rather the one in its old place.
fn find<'v>(states: &'v Value, name: &str, index: usize) -> Result<Option<&'v Value>> {
    match states.list()?.get(index) {
        Some(state) if state.get("name")?.text()? == name => state.get("state").map(Some),
        _ => nth_of(states, name, 0),
    }
}

/// The state of the `nth` of a name.
fn nth_of<'v>(states: &'v Value, name: &str, nth: usize) -> Result<Option<&'v Value>> {
    let mut left = nth;
    for state in states.list()? {
        if state.get("name")?.text()? == name {
            if left == 0 {
                return state.get("state").map(Some);
            }
            left -= 1;
        }
    }
    Ok(None)
}

fn counted<'v>(what: &str, states: &'v Value, len: usize) -> Result<&'v [Value]> {
    let states = states.list()?;
    if states.len() != len {
        let reason = format!("it has {} {what}, the trainer {len}", states.len());
        return Err(Error::invalid("checkpoint", reason));
    }
    Ok(states)
}

/// The SHA-256 of a model's parameters and buffers, with their names, dtypes and shapes: 64 hexadecimal digits.
///
/// Two models have one hash if and only if they are equal bit for bit. It is the SHA-256 of the safetensors file of their
/// state, so that `sha256sum` says the same of a saved one.
///
/// # Errors
/// If a tensor has a dtype that safetensors does not have.
///
/// ```
/// use rushlight_nn::{Linear, Module};
/// use rushlight_train::weights_sha256;
/// let (a, b) = (Linear::new(2, 3), Linear::new(2, 3));
/// assert_ne!(weights_sha256(&a)?, weights_sha256(&b)?);
/// b.load_state_dict(&a.state_dict())?;
/// assert_eq!(weights_sha256(&a)?, weights_sha256(&b)?);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub fn weights_sha256(model: &dyn Module) -> Result<String> {
    use sha2::{Digest, Sha256};
    let bytes = rushlight_serialize::safetensors::to_bytes(&model.state_dict(), &[])?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
