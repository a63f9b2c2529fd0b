//! What a trainer was told, as names and texts.

use crate::trainer::{Clip, Every, Schedule, Step, Trainer};
use rushlight_autograd::Tensor;
use rushlight_nn::summary_of;
use rushlight_optim::Optimizer;

impl<B> Trainer<'_, B> {
    /// The model's layers with their output shapes and parameters, as [`rushlight_nn::summary`](rushlight_nn::summary())
    /// shows them, and what the run is made of, for `println!`. `input` is a batch of the model's inputs.
    ///
    /// ```
    /// use rushlight_autograd::ones;
    /// use rushlight_nn::{Linear, Module, functional as F};
    /// use rushlight_optim::SGD;
    /// use rushlight_train::{ProgressBar, Trainer};
    /// let model = Linear::new(3, 2);
    /// let trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1).momentum(0.9), F::cross_entropy)
    ///     .max_epochs(5)
    ///     .callback(ProgressBar::new());
    /// let summary = trainer.summary(&ones([4, 3]));
    /// assert!(summary.contains("parameters: 8 (8 trainable)"));
    /// assert!(summary.contains("optimizer: SGD(lr=0.1, momentum=0.9,"));
    /// assert!(summary.contains("max epochs: 5") && summary.contains("callbacks: ProgressBar"));
    /// ```
    ///
    /// # Panics
    /// As the model's `forward`.
    #[track_caller]
    pub fn summary(&self, input: &Tensor) -> String {
        let mut summary = summary_of(self.model, input).to_string();
        let mut line = |name: &str, text: &str| summary.push_str(&format!("\n{name}: {text}"));
        self.settings_now().iter().for_each(|(name, text)| line(name, text));
        let joined = |names: Vec<String>| match names[..] {
            [] => "none".to_owned(),
            _ => names.join(", "),
        };
        line("metrics", &joined(self.metrics.iter().map(|metric| metric.name()).collect()));
        line("callbacks", &joined(self.callbacks.iter().map(|callback| callback.name()).collect()));
        if let Some(folder) = &self.run_folder {
            line("run folder", &folder.path().display().to_string());
        }
        summary
    }

    /// What the trainer was told, for [`Context::settings`](crate::Context::settings); what is left at its default is left
    /// out.
    pub(crate) fn settings_now(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |name: &str, text: String| settings.push((name.to_owned(), text));
        let (model, options) = (self.model, &self.options);
        set("model", format!("{}, {} parameters", model.type_name(), model.num_parameters()));
        for optimizer in &self.optimizers {
            set("optimizer", described(&**optimizer));
        }
        for schedule in &self.schedules {
            set(
                "schedule",
                match schedule {
                    Schedule::Plain(_, Every::Step) => "after each step".to_owned(),
                    Schedule::Plain(_, Every::Epoch) => "after each epoch".to_owned(),
                    Schedule::Plateau(_, monitor) => format!("ReduceLROnPlateau by {monitor}"),
                },
            );
        }
        if let Step::Manual(_) = self.step {
            set("step", "manual".to_owned());
        }
        set("max epochs", options.max_epochs.to_string());
        let limits = [
            ("max steps", options.max_steps, usize::MAX),
            ("batches of a step", options.accumulate, 1),
            ("batches of an epoch", options.limit, usize::MAX),
            ("batches of a validation", options.validation_limit, usize::MAX),
            ("overfitted batches", options.overfit, 0),
        ];
        for (name, value, default) in limits {
            if value != default {
                set(name, value.to_string());
            }
        }
        match options.clip {
            Some(Clip::Norm(norm)) => set("gradients' norm at most", norm.to_string()),
            Some(Clip::Value(value)) => set("gradients at most", value.to_string()),
            None => {}
        }
        settings
    }
}

/// `SGD(lr=0.1, momentum=0.9)`, with the options of its first group.
fn described(optimizer: &dyn Optimizer) -> String {
    use rushlight_optim::Value;
    fn text(value: &Value) -> Option<String> {
        match value {
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            // As 1e-8 where that is shorter.
            Value::Float(value) => Some(format!("{value:?}").trim_end_matches(".0").to_owned()),
            Value::Text(value) => Some(value.clone()),
            Value::List(values) => {
                Some(format!("({})", values.iter().map(text).collect::<Option<Vec<_>>>()?.join(", ")))
            }
            Value::Null | Value::Options(_) => None,
        }
    }
    let state = optimizer.state_dict();
    let options = state.param_groups.first().map(|group| {
        let options = group.options.iter();
        options.filter_map(|(name, value)| Some(format!("{name}={}", text(value)?))).collect::<Vec<_>>()
    });
    format!("{}({})", optimizer.param_groups().name(), options.unwrap_or_default().join(", "))
}
