use crate::callback::{Callback, Context};
use rushlight_array::Result;
use std::sync::{Arc, Mutex, PoisonError};

/// Says which parameters got no gradient in the first backward pass, by name: layers that are not in the graph, or are
/// cut off from the loss by a `detach` or an index. Parameters that are frozen do not count.
///
/// A clone is a handle on the same report.
///
/// ```
/// use rushlight_train::GradientReport;
/// let report = GradientReport::new();
/// assert_eq!(report.missing(), None); // There has been no backward pass.
/// ```
#[derive(Clone, Debug, Default)]
pub struct GradientReport {
    strict: bool,
    missing: Arc<Mutex<Option<Vec<String>>>>,
}

impl GradientReport {
    /// A report that warns.
    pub fn new() -> GradientReport {
        GradientReport::default()
    }

    /// Whether a parameter without a gradient is an error; the default is false, a warning.
    #[must_use]
    pub fn strict(self, strict: bool) -> GradientReport {
        GradientReport { strict, ..self }
    }

    /// The names of the parameters without a gradient, after the first backward pass.
    pub fn missing(&self) -> Option<Vec<String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Callback for GradientReport {
    fn on_backward(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if self.missing().is_some() {
            return Ok(());
        }
        let parameters = cx.model.named_parameters().into_iter();
        let without = parameters.filter(|(_, tensor)| tensor.requires_grad() && tensor.grad().is_none());
        let names: Vec<String> = without.map(|(name, _)| name).collect();
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(names.clone());
        if names.is_empty() {
            return Ok(());
        }
        let message = format!("these parameters got no gradient: [{}]", names.join(", "));
        if self.strict {
            return Err(rushlight_array::Error::invalid("GradientReport", message));
        }
        cx.say(&format!("warning: {message}"));
        Ok(())
    }
}
