use crate::callback::{Callback, Context};
use rushlight_array::{Error, Result};
use rushlight_autograd::{Tensor, detect_anomaly};
use rushlight_nn::Module;

/// Ends the run when a loss or a gradient is not finite, before the optimiser takes it, and says where it came from.
///
/// Every batch costs a look at the loss and at the gradients. Only when one of them is not finite the batch's passes are done
/// once more, with the same random numbers, and every operation is looked at: the error names the first one that gave such a
/// value, forward or backward, the module it ran in, the batch, and what to run to see it again. It has no effect in a
/// trainer with a [manual](crate::Trainer::manual) step.
///
/// ```
/// use rushlight_autograd::tensor;
/// use rushlight_data::{DataLoader, TensorDataset};
/// use rushlight_nn::{Linear, Module};
/// use rushlight_optim::SGD;
/// use rushlight_train::{NanGuard, Output, Trainer};
/// let model = Linear::new(1, 1);
/// let loader = DataLoader::new(TensorDataset::new(tensor([[1.0]]), tensor([[1.0]])));
/// let step = |(x, _): &(_, _)| Ok(Output::new((model.forward(x) * 0.0 - 1.0).log().sum(), 1));
/// let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 0.1), step).callback(NanGuard::new());
/// let error = trainer.fit(&loader, None).unwrap_err().to_string();
/// assert!(error.contains("the first was the result of `log`"), "{error}");
/// ```
#[derive(Clone, Debug)]
pub struct NanGuard {
    gradients: bool,
}

impl NanGuard {
    /// A guard of losses and gradients.
    pub fn new() -> NanGuard {
        NanGuard { gradients: true }
    }

    /// Whether gradients are looked at in every batch; the default is true. Where they are not, the loss of the next batch
    /// shows what went wrong in this one's backward pass, when it is too late to find the operation.
    #[must_use]
    pub fn gradients(self, gradients: bool) -> NanGuard {
        NanGuard { gradients }
    }
}

impl Default for NanGuard {
    fn default() -> Self {
        NanGuard::new()
    }
}

/// The names of parameters whose gradients, or values, are not finite.
fn not_finite(model: &dyn Module, of: fn(&Tensor) -> Option<Tensor>) -> Vec<String> {
    let parameters = model.named_parameters().into_iter();
    let wrong = parameters.filter(|(_, tensor)| of(tensor).is_some_and(|values| !is_finite(&values)));
    wrong.map(|(name, _)| name).collect()
}

/// A sum is finite if its parts are, but for an overflow, which is looked at closely.
fn is_finite(values: &Tensor) -> bool {
    let values = values.detach();
    values.sum().item().is_finite() || values.isfinite().all().item() != 0.0
}

impl Callback for NanGuard {
    fn on_backward(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let loss = cx.logs.get("loss").unwrap_or(0.0);
        let gradients = if self.gradients { not_finite(cx.model, Tensor::grad) } else { Vec::new() };
        if loss.is_finite() && gradients.is_empty() {
            return Ok(());
        }
        let what = match loss.is_finite() {
            false => format!("the loss is {loss}"),
            true => format!("the gradients of [{}] are not finite", gradients.join(", ")),
        };
        let parameters = not_finite(cx.model, |tensor| Some(tensor.clone()));
        let before = match parameters.is_empty() {
            true => String::new(),
            false => format!("; the parameters [{}] were not finite before", parameters.join(", ")),
        };
        cx.model.zero_grad();
        let (again, found) = detect_anomaly(|| cx.replay());
        again?;
        let first = match found.first() {
            Some(anomaly) => format!("the first was {anomaly}"),
            None => "done once more, every operation gave finite values: the step is not the same each time"
                .to_owned(),
        };
        let (epoch, batch, step) = (cx.progress.epoch_number(), cx.progress.batch, cx.progress.step);
        Err(Error::invalid(
            format!("NanGuard: epoch {epoch}, batch {batch} (from 0), step {}", step + 1),
            format!(
                "{what}{before}; {first}. To see it again, resume the last checkpoint before step {} with this guard, or \
                 run the step inside of detect_anomaly",
                step + 1
            ),
        ))
    }

    fn replays(&self) -> bool {
        true
    }
}
