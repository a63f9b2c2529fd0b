use crate::module::Module;
use crate::walk::{Item, Walk};
use std::fmt;

/// [`format_module`] as the `Display` of a type of module, which [`fields!`](crate::fields) writes.
#[doc(hidden)]
pub fn write_module(module: &dyn Module, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&format_module(module))
}

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

/// Python's text of a bool.
pub(crate) fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Python's text of a float: the shortest that reads back the same, `1e-05` where it is small.
pub(crate) fn python_float(value: f64) -> String {
    let plain = value == 0.0 || !value.is_finite() || (1e-4..1e16).contains(&value.abs());
    if plain {
        return format!("{value:?}").replace("NaN", "nan");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
