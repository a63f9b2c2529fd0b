use crate::walk::{Item, Show, Walk};
use rushlight_array::{Error, Result};
use rushlight_autograd::{Tensor, no_grad};

/// The body of [`Module::named_parameters`](crate::Module::named_parameters).
#[inline(never)]
pub(crate) fn named_parameters(module: Show<'_>) -> Vec<(String, Tensor)> {
    let mut found: Vec<(String, Tensor)> = Vec::new();
    Walk::start(module, &mut |name, item| {
        if let Item::Parameter(parameter) = item
            && !found.iter().any(|(_, other)| other.is(parameter))
        {
            found.push((name.to_string(), parameter.0.clone()));
        }
        true
    });
    found
}

/// The body of [`Module::parameters`](crate::Module::parameters).
#[inline(never)]
pub(crate) fn without_names(named: Vec<(String, Tensor)>) -> Vec<Tensor> {
    named.into_iter().map(|(_, parameter)| parameter).collect()
}

/// The body of [`Module::num_parameters`](crate::Module::num_parameters).
#[inline(never)]
pub(crate) fn num_trainable(parameters: Vec<Tensor>) -> usize {
    parameters.into_iter().filter(Tensor::requires_grad).map(|p| p.numel()).sum()
}

/// The body of [`Module::zero_grad`](crate::Module::zero_grad).
#[inline(never)]
pub(crate) fn zero_grad(parameters: Vec<Tensor>) {
    parameters.into_iter().for_each(|p| p.zero_grad());
}

/// The body of [`Module::requires_grad_`](crate::Module::requires_grad_).
#[inline(never)]
pub(crate) fn set_requires_grad(parameters: Vec<Tensor>, requires_grad: bool) {
    parameters.into_iter().for_each(|p| p.set_requires_grad(requires_grad));
}

/// The body of [`Module::state_dict`](crate::Module::state_dict).
#[inline(never)]
pub(crate) fn state_dict(module: Show<'_>) -> Vec<(String, Tensor)> {
    cells(module).into_iter().map(|(name, tensor)| (name, tensor.detach())).collect()
}

/// The body of [`Module::load_state_dict`](crate::Module::load_state_dict).
#[inline(never)]
pub(crate) fn load_state_dict(module: Show<'_>, kind: &str, state: &[(String, Tensor)]) -> Result<()> {
    let cells = cells(module);
    let find = |name: &str| state.iter().find(|(other, _)| other == name).map(|(_, tensor)| tensor);
    let mut wrong = Vec::new();
    let missing: Vec<&str> =
        cells.iter().map(|(name, _)| name.as_str()).filter(|name| find(name).is_none()).collect();
    let unexpected: Vec<&str> = state
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !cells.iter().any(|(other, _)| other == name))
        .collect();
    let shapes: Vec<String> = cells
        .iter()
        .filter_map(|(name, cell)| Some((name, cell.shape(), find(name)?.shape())))
        .filter(|(_, model, file)| model != file)
        .map(|(name, model, file)| format!("{name}: file {file:?}, model {model:?}"))
        .collect();
    for (what, names) in [
        ("missing", missing.join(", ")),
        ("unexpected", unexpected.join(", ")),
        ("wrong shape", shapes.join(", ")),
    ] {
        if !names.is_empty() {
            wrong.push(format!("{what} [{names}]"));
        }
    }
    if !wrong.is_empty() {
        return Err(Error::invalid(
            "load_state_dict",
            format!("{kind} does not match: {}", wrong.join("; ")),
        ));
    }
    for (name, cell) in cells {
        let value = find(&name).expect("none is missing").to(cell.dtype()).to(cell.device());
        no_grad(|| cell.set(value));
    }
    Ok(())
}

/// All parameters and buffers, by name; a shared one under each of its names.
#[inline(never)]
pub(crate) fn cells(module: Show<'_>) -> Vec<(String, Tensor)> {
    let mut cells = Vec::new();
    Walk::start(module, &mut |name, item| {
        match item {
            Item::Parameter(parameter) => cells.push((name.to_string(), (**parameter).clone())),
            Item::Buffer(buffer) => cells.push((name.to_string(), (**buffer).clone())),
            _ => {}
        }
        true
    });
    cells
}
