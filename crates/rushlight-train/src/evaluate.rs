//! Passes without training.

use crate::loader::{Input, Loader};
use crate::logs::{Logs, Means};
use crate::output::Output;
use crate::trainer::{Step, Trainer};
use rushlight_array::{Error, Result};
use rushlight_autograd::ops::cat;
use rushlight_autograd::{Tensor, no_grad};
use std::borrow::Borrow;

impl<B> Trainer<'_, B> {
    /// The loss, the metrics and what the step logs, over all batches of a loader, weighed by samples. The model is left in
    /// evaluation mode.
    ///
    /// # Errors
    /// If a batch or the step fails, or the step is manual and there is no
    /// [`validation_step`](Trainer::validation_step).
    pub fn evaluate(&mut self, loader: &dyn Loader<Batch = B>) -> Result<Logs> {
        // Those of an epoch that was interrupted are needed when it goes on.
        let open: Vec<_> = match self.progress.in_epoch {
            true => self.metrics.iter().map(|metric| metric.state()).collect(),
            false => Vec::new(),
        };
        let mut logs = Logs::default();
        let result = self.validate(loader.batches().take(self.options.validation_limit), "", &mut logs);
        for (metric, state) in self.metrics.iter_mut().zip(&open) {
            metric.load_state(state)?;
        }
        result.map(|()| logs)
    }

    /// The model's outputs for all batches, in evaluation mode, one after the other along the first axis.
    ///
    /// ```
    /// use rushlight_autograd::{Tensor, ones};
    /// use rushlight_data::{DataLoader, TensorDataset};
    /// use rushlight_nn::{Linear, Module, functional as F};
    /// use rushlight_optim::SGD;
    /// use rushlight_train::Trainer;
    /// let model = Linear::new(2, 3);
    /// let trainer: Trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy);
    /// let loader = DataLoader::new(TensorDataset::new(ones([5, 2]), ones([5]))).batch_size(2);
    /// assert_eq!(trainer.predict(&loader)?.shape().to_vec(), [5, 3]);
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a batch fails, or there is none.
    pub fn predict<I: Input>(&self, loader: &dyn Loader<Batch = I>) -> Result<Tensor> {
        self.model.eval();
        let device = self.model.parameters().first().map(Tensor::device);
        let mut outputs = Vec::with_capacity(loader.len());
        for batch in loader.batches() {
            let batch = batch?;
            let input = match &device {
                Some(device) => batch.input().to(device.clone()),
                None => batch.input().clone(),
            };
            outputs.push(no_grad(|| self.model.forward(&input)));
        }
        if outputs.is_empty() {
            return Err(Error::invalid("predict", "the loader gave no batch"));
        }
        Ok(cat(&outputs.iter().collect::<Vec<_>>(), 0))
    }

    /// Writes the numbers of a pass into the logs, each name with `prefix` before it.
    pub(crate) fn validate<T: Borrow<B>>(
        &mut self,
        batches: impl Iterator<Item = Result<T>>,
        prefix: &str,
        logs: &mut Logs,
    ) -> Result<()> {
        self.model.eval();
        let mut means = Means::default();
        self.metrics.iter_mut().for_each(|metric| metric.reset());
        for batch in batches {
            let output = self.validated(batch?.borrow())?;
            means.add("loss", output.loss.item(), output.samples);
            for (name, value) in &output.logs {
                means.add(name, *value, output.samples);
            }
            if let Some((prediction, target)) = &output.compared {
                self.metrics.iter_mut().for_each(|metric| metric.update(prediction, target));
            }
        }
        means.write(prefix, logs);
        self.metrics
            .iter()
            .for_each(|metric| logs.set(&format!("{prefix}{}", metric.name()), metric.value()));
        Ok(())
    }

    fn validated(&mut self, batch: &B) -> Result<Output> {
        match (&mut self.validation_step, &mut self.step) {
            (Some(step), _) | (None, Step::Automatic(step)) => no_grad(|| step(batch)),
            (None, Step::Manual(_)) => {
                Err(Error::invalid("Trainer", "a manual step cannot validate; give a validation_step"))
            }
        }
    }
}
