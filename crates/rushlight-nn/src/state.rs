use crate::module::Module;
use crate::walk::{Item, Walk};
use rushlight_array::{Error, Result};
use rushlight_autograd::{Tensor, no_grad};

/// The body of [`Module::state_dict`].
pub(crate) fn state_dict(module: &(impl Module + ?Sized)) -> Vec<(String, Tensor)> {
    cells(module).into_iter().map(|(name, tensor)| (name, tensor.detach())).collect()
}

/// The body of [`Module::load_state_dict`].
pub(crate) fn load_state_dict(module: &(impl Module + ?Sized), state: &[(String, Tensor)]) -> Result<()> {
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
            format!("{} does not match: {}", module.type_name(), wrong.join("; ")),
        ));
    }
    for (name, cell) in cells {
        let value = find(&name).expect("none is missing").to(cell.dtype()).to(cell.device());
        no_grad(|| cell.set(value));
    }
    Ok(())
}

/// All parameters and buffers, by name; a shared one under each of its names.
pub(crate) fn cells(module: &(impl Module + ?Sized)) -> Vec<(String, Tensor)> {
    let mut cells = Vec::new();
    Walk::through(module, &mut |name, item| {
        match item {
            Item::Parameter(parameter) => cells.push((name.to_string(), (**parameter).clone())),
            Item::Buffer(buffer) => cells.push((name.to_string(), (**buffer).clone())),
            _ => {}
        }
        true
    });
    cells
}
