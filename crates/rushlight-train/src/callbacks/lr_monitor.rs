use crate::callback::{Callback, Context};
use rushlight_array::Result;

/// Puts the learning rates into the logs: `lr`, and where there are several groups or optimisers `lr.0`, `lr.1`, and so
/// on. The rate of a step is the one that the next step will take, as PyTorch's schedules set it.
///
/// ```
/// use rushlight_data::{DataLoader, Digits};
/// use rushlight_nn::{Linear, Module, functional as F};
/// use rushlight_optim::SGD;
/// use rushlight_train::{LrMonitor, Trainer};
/// let model = Linear::new(64, 10);
/// let loader = DataLoader::new(Digits::new()).batch_size(600);
/// let mut trainer =
///     Trainer::new(&model, SGD::new(model.parameters(), 0.25), F::cross_entropy).callback(LrMonitor::new());
/// trainer.fit(&loader, None)?;
/// assert_eq!(trainer.progress().history[0].get("lr"), Some(0.25));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct LrMonitor(());

impl LrMonitor {
    /// A monitor of all groups of all optimisers.
    pub fn new() -> LrMonitor {
        LrMonitor(())
    }
}

fn write(cx: &mut Context<'_>) {
    let rates: Vec<f64> = cx.optimizers.iter().flat_map(|optimizer| optimizer.param_groups().lrs()).collect();
    match rates[..] {
        [rate] => cx.logs.set("lr", rate),
        _ => rates.iter().enumerate().for_each(|(i, rate)| cx.logs.set(&format!("lr.{i}"), *rate)),
    }
}

impl Callback for LrMonitor {
    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        write(cx);
        Ok(())
    }

    fn on_epoch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        write(cx);
        Ok(())
    }
}
