use crate::module::Module;
use crate::walk::{Item, Walk};

/// The text that PyTorch prints for a module.
///
/// ```
/// use rushlight_nn::{Linear, ReLU, sequential};
/// let net = sequential![Linear::new(2, 3), ReLU];
/// assert_eq!(
///     net.to_string(),
///     "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n)"
/// );
/// ```
pub fn format_module(module: &dyn Module) -> String {
    let mut children = Vec::new();
    Walk::through(module, &mut |name, item| {
        if let Item::Module(child) = item {
            children.push(format!("({name}): {}", format_module(child)));
        }
        false
    });
    let extra = module.extra_repr();
    if children.is_empty() {
        return format!("{}({extra})", module.type_name());
    }
    let lines = (!extra.is_empty()).then_some(extra).into_iter().chain(children);
    let body: Vec<String> = lines.map(|line| format!("  {}", line.replace('\n', "\n  "))).collect();
    format!("{}(\n{}\n)", module.type_name(), body.join("\n"))
}
