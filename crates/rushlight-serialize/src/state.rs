//! Named tensors: what a model's `state_dict()` is.

use rushlight_autograd::Tensor;
use std::collections::HashSet;

/// Named tensors in their order, as `Module::state_dict()` gives them and `load_state_dict` takes them.
pub type State = Vec<(String, Tensor)>;

/// Each name comes once, or the reason why not.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("the name `{name}` comes twice; a file has one tensor of a name"));
        }
    }
    Ok(())
}
