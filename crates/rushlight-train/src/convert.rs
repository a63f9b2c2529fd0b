//! The states of the other crates as values of a checkpoint, and back.

use rushlight_array::random::{GeneratorState, Seed};
use rushlight_array::{Error, Result};
use rushlight_data::{EpochState, LoaderState, OrderState};
use rushlight_optim::{GroupState, Options, ParamState, StateDict, Value as Option_};
use rushlight_serialize::{Key, Value};
use std::collections::BTreeMap;

fn invalid(reason: impl Into<String>) -> Error {
    Error::invalid("checkpoint", reason)
}

/// The state of an optimiser.
pub(crate) fn optimizer(state: &StateDict) -> Value {
    let parameter = |(index, state): (&usize, &ParamState)| {
        let tensors = state.tensors.iter().map(|(name, tensor)| (Key::from(name.as_str()), tensor.into()));
        let scalars = state.scalars.iter().map(|(name, value)| (Key::from(name.as_str()), (*value).into()));
        let value = Value::map()
            .with("tensors", Value::Map(tensors.collect()))
            .with("scalars", Value::Map(scalars.collect()));
        (Key::from(*index), value)
    };
    let group = |group: &GroupState| {
        Value::map().with("options", options(&group.options)).with("params", group.params.clone())
    };
    Value::map()
        .with("state", Value::Map(state.state.iter().map(parameter).collect()))
        .with("param_groups", Value::List(state.param_groups.iter().map(group).collect()))
}

/// The state of an optimiser from its value.
pub(crate) fn to_optimizer(value: &Value) -> Result<StateDict> {
    let parameter = |(key, value): &(Key, Value)| {
        let tensors = value.get("tensors")?.pairs()?.iter();
        let scalars = value.get("scalars")?.pairs()?.iter();
        // Put in one by one: to collect a map sorts its pairs, by an algorithm for each type.
        let mut state = ParamState::default();
        for (name, tensor) in tensors {
            state.tensors.insert(name.to_string(), tensor.tensor()?.clone());
        }
        for (name, number) in scalars {
            state.scalars.insert(name.to_string(), number.float()?);
        }
        match key {
            Key::Int(index) => {
                let index = usize::try_from(*index).map_err(|_| invalid(format!("parameter {index}")))?;
                Ok((index, state))
            }
            Key::Text(name) => Err(invalid(format!("an optimiser's parameters have numbers, not `{name}`"))),
        }
    };
    let group = |value: &Value| {
        let params = value.get("params")?.list()?.iter().map(Value::int).collect::<Result<_>>()?;
        Ok(GroupState { options: to_options(value.get("options")?)?, params })
    };
    let mut state = BTreeMap::new();
    for pair in value.get("state")?.pairs()? {
        let (index, parameter) = parameter(pair)?;
        state.insert(index, parameter);
    }
    Ok(StateDict {
        state,
        param_groups: value.get("param_groups")?.list()?.iter().map(group).collect::<Result<_>>()?,
    })
}

/// Options of an optimiser or a schedule.
pub(crate) fn options(options: &Options) -> Value {
    Value::Map(options.iter().map(|(name, value)| (Key::from(name), option(value))).collect())
}

fn option(value: &Option_) -> Value {
    match value {
        Option_::Null => Value::None,
        Option_::Bool(x) => Value::from(*x),
        Option_::Int(x) => Value::from(*x),
        Option_::Float(x) => Value::from(*x),
        Option_::Text(x) => Value::from(x.as_str()),
        Option_::List(x) => Value::List(x.iter().map(option).collect()),
        Option_::Options(x) => options(x),
    }
}

/// Options from their value.
pub(crate) fn to_options(value: &Value) -> Result<Options> {
    let mut options = Options::default();
    for (name, value) in value.pairs()? {
        options.set(&name.to_string(), to_option(value)?);
    }
    Ok(options)
}

fn to_option(value: &Value) -> Result<Option_> {
    Ok(match value {
        Value::None => Option_::Null,
        Value::Bool(x) => Option_::Bool(*x),
        Value::Int(_) => Option_::Int(value.int()?),
        Value::Float(x) => Option_::Float(*x),
        Value::Text(x) => Option_::Text(x.clone()),
        Value::List(x) => Option_::List(x.iter().map(to_option).collect::<Result<_>>()?),
        Value::Map(_) => Option_::Options(to_options(value)?),
        other => return Err(invalid(format!("{other:?} is no option"))),
    })
}

/// The state of a loader.
pub(crate) fn loader(state: &LoaderState) -> Value {
    let order = |order: &OrderState| {
        Value::map().with("generator", Value::from(&order.generator)).with("hash", order.hash)
    };
    let epoch = |epoch: &EpochState| {
        Value::map().with("seed", seed(epoch.seed)).with("order", epoch.order.as_ref().map(order))
    };
    Value::map()
        .with("batches", state.batches)
        .with("epoch", state.epoch.as_ref().map(epoch))
        .with("generator", state.generator.as_ref().map(Value::from))
}

/// The state of a loader from its value.
pub(crate) fn to_loader(value: &Value) -> Result<LoaderState> {
    let order = |value: &Value| {
        Ok(OrderState { generator: value.get("generator")?.try_into()?, hash: value.get("hash")?.int()? })
    };
    let epoch = |value: &Value| {
        Ok(EpochState {
            seed: to_seed(value.get("seed")?)?,
            order: optional(value.get("order")?).map(order).transpose()?,
        })
    };
    Ok(LoaderState {
        batches: value.get("batches")?.int()?,
        epoch: optional(value.get("epoch")?).map(epoch).transpose()?,
        generator: optional(value.get("generator")?).map(GeneratorState::try_from).transpose()?,
    })
}

fn optional(value: &Value) -> Option<&Value> {
    (!matches!(value, Value::None)).then_some(value)
}

fn seed(seed: Seed) -> Value {
    match seed {
        Seed::ChaCha(seed) => Value::map().with("chacha", seed),
        Seed::Torch(seed) => Value::map().with("torch", seed),
    }
}

fn to_seed(value: &Value) -> Result<Seed> {
    match value.get("torch") {
        Ok(seed) => Ok(Seed::Torch(seed.int()?)),
        Err(_) => Ok(Seed::ChaCha(value.get("chacha")?.int()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rushlight_array::random::{Generator, TorchSeed};
    use rushlight_autograd::tensor;
    use rushlight_data::{DataLoader, from_fn};
    use rushlight_optim::{Adam, Optimizer};

    #[test]
    fn the_state_of_an_optimiser_comes_back_whole() {
        let w = tensor([1.0, -2.0]).requires_grad_();
        let mut adam = Adam::new([&w], 0.1).betas(0.8, 0.95);
        w.set_grad(Some(tensor([0.3, 0.4])));
        adam.step();
        let state = adam.state_dict();
        let back = to_optimizer(&optimizer(&state)).unwrap();
        assert_eq!(format!("{back:?}"), format!("{state:?}"));
        adam.load_state_dict(&back).unwrap();
    }

    #[test]
    fn the_state_of_a_loader_comes_back_whole() {
        for generator in [Generator::new(3), Generator::new(TorchSeed(3))] {
            let set = DataLoader::new(from_fn(9, Ok)).shuffle(true).generator(generator);
            for read in 0..3 {
                let mut epoch = set.iter();
                epoch.by_ref().take(read).for_each(drop);
                let state = set.state_dict();
                assert_eq!(to_loader(&loader(&state)).unwrap(), state);
            }
        }
    }

    #[test]
    fn what_is_no_state_is_an_error() {
        assert!(to_optimizer(&Value::map()).is_err());
        assert!(to_loader(&Value::map().with("batches", -1)).is_err());
        assert!(to_options(&Value::map().with("lr", tensor([1.0]))).is_err());
    }
}
