//! The trainer's parts, and the methods that put them together.

use crate::callback::Callback;
use crate::interrupt::Stopper;
use crate::logs::{Logs, Means};
use crate::metric::Metric;
use crate::output::{Criterion, Output};
use crate::progress::Progress;
use crate::run_folder::RunFolder;
use rushlight_array::random::Generator;
use rushlight_array::{Result, fail};
use rushlight_autograd::Tensor;
use rushlight_nn::Module;
use rushlight_optim::Optimizer;
use rushlight_optim::lr_scheduler::{LRScheduler, ReduceLROnPlateau};
use std::path::PathBuf;

/// Trains a model: the loop of PyTorch's texts, with events for all that happens beside it.
///
/// It borrows the model, whose parameters are cells, and owns the rest. Batches are of any type `B` if you give the
/// step; `(Tensor, Tensor)`, inputs and targets, if a loss is enough.
///
/// ```
/// use rushlight_array::random::manual_seed;
/// use rushlight_data::{DataLoader, Digits};
/// use rushlight_nn::{Linear, functional as F};
/// use rushlight_optim::SGD;
/// use rushlight_train::{Outcome, Trainer};
///
/// manual_seed(1);
/// let model = Linear::new(64, 10);
/// let loader = DataLoader::new(Digits::new()).batch_size(64).shuffle(true);
/// let optimizer = SGD::new(rushlight_nn::Module::parameters(&model), 0.5);
///
/// let mut trainer = Trainer::new(&model, optimizer, F::cross_entropy).max_epochs(2);
/// assert_eq!(trainer.fit(&loader, None)?, Outcome::Finished);
/// let history = &trainer.progress().history;
/// assert!(history[1].get("loss") < history[0].get("loss"));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
pub struct Trainer<'a, B = (Tensor, Tensor)> {
    pub(crate) model: &'a dyn Module,
    pub(crate) optimizers: Vec<Box<dyn Optimizer + 'a>>,
    pub(crate) schedules: Vec<Schedule<'a>>,
    pub(crate) step: Step<'a, B>,
    pub(crate) validation_step: Option<Validation<'a, B>>,
    pub(crate) metrics: Vec<Box<dyn Metric + 'a>>,
    pub(crate) callbacks: Vec<Box<dyn Callback + 'a>>,
    pub(crate) generators: Vec<(String, Generator)>,
    pub(crate) options: Options,
    pub(crate) stopper: Stopper,
    pub(crate) set_epoch: Box<dyn FnMut(usize) + 'a>,
    pub(crate) say: Box<dyn FnMut(&str) + 'a>,
    pub(crate) progress: Progress,
    /// The means of the epoch so far.
    pub(crate) means: Means,
    /// The numbers of the event that is going on.
    pub(crate) logs: Logs,
    pub(crate) resumed: bool,
    pub(crate) workers: usize,
    /// What the trainer was told, for reports.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) run_folder: Option<RunFolder>,
}

type Automatic<'a, B> = Box<dyn FnMut(&B) -> Result<Output> + 'a>;
type Manual<'a, B> = Box<dyn FnMut(&B, &mut [Box<dyn Optimizer + 'a>]) -> Result<Output> + 'a>;
pub(crate) type Validation<'a, B> = Box<dyn FnMut(&B) -> Result<Output> + 'a>;

/// What is done with a batch.
pub(crate) enum Step<'a, B> {
    /// The loss; backward, clipping and the optimiser's step are the trainer's.
    Automatic(Automatic<'a, B>),
    /// All of it.
    Manual(Manual<'a, B>),
}

/// When a schedule steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Every {
    /// After each step of the optimiser.
    Step,
    /// After each epoch.
    Epoch,
}

pub(crate) enum Schedule<'a> {
    Plain(Box<dyn LRScheduler + 'a>, Every),
    Plateau(ReduceLROnPlateau, String),
}

/// How gradients are bounded.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clip {
    Norm(f64),
    Value(f64),
}

pub(crate) struct Options {
    pub(crate) max_epochs: usize,
    pub(crate) max_steps: usize,
    pub(crate) accumulate: usize,
    pub(crate) clip: Option<Clip>,
    pub(crate) train_metrics: bool,
    pub(crate) limit: usize,
    pub(crate) validation_limit: usize,
    pub(crate) overfit: usize,
    pub(crate) dev_run: bool,
    pub(crate) resume: Option<PathBuf>,
    #[cfg(feature = "ctrlc")]
    pub(crate) ctrl_c: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_epochs: 1,
            max_steps: usize::MAX,
            accumulate: 1,
            clip: None,
            train_metrics: true,
            limit: usize::MAX,
            validation_limit: usize::MAX,
            overfit: 0,
            dev_run: false,
            resume: None,
            #[cfg(feature = "ctrlc")]
            ctrl_c: false,
        }
    }
}

impl<'a> Trainer<'a> {
    /// A trainer for batches of inputs and targets, with a loss of the model's output and the target.
    ///
    /// Batches are moved to the device of the model's first parameter. The number of samples in a batch is the length of
    /// the target's first axis.
    pub fn new(
        model: &'a impl Module,
        optimizer: impl Optimizer + 'a,
        criterion: impl Criterion + 'a,
    ) -> Trainer<'a> {
        // A handle: where the model is moved, it tells so.
        let first = model.parameters().into_iter().next();
        let step = move |(x, y): &(Tensor, Tensor)| {
            let (x, y) = match &first {
                Some(parameter) => (x.to(parameter.device()), y.to(parameter.device())),
                None => (x.clone(), y.clone()),
            };
            let prediction = model.forward(&x);
            let loss = criterion.loss(&prediction, &y);
            let samples = y.shape().first().copied().unwrap_or(1);
            Ok(Output::new(loss, samples).compare(&prediction, &y))
        };
        Trainer::with_step(model, optimizer, step)
    }
}

impl<'a, B> Trainer<'a, B> {
    /// A trainer for batches of any type, with a step that gives the loss of a batch.
    ///
    /// The trainer calls `backward` on the loss, clips, and lets the optimiser step. In validation the same closure is
    /// called, with the model in evaluation mode and nothing recorded.
    ///
    /// ```
    /// use rushlight_autograd::Tensor;
    /// use rushlight_data::{DataLoader, from_fn};
    /// use rushlight_nn::{Linear, Module};
    /// use rushlight_optim::SGD;
    /// use rushlight_train::{Output, Trainer};
    ///
    /// let model = Linear::new(1, 1);
    /// let loader = DataLoader::new(from_fn(8, |i| Ok(i as f32))).batch_size(4);
    /// let mut trainer = Trainer::with_step(&model, SGD::new(model.parameters(), 0.01), |x: &Tensor| {
    ///     let loss = (model.forward(&x.unsqueeze(1)) - 1.0).square().mean();
    ///     Ok(Output::new(loss, x.len()))
    /// });
    /// trainer.fit(&loader, None)?;
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    pub fn with_step(
        model: &'a impl Module,
        optimizer: impl Optimizer + 'a,
        step: impl FnMut(&B) -> Result<Output> + 'a,
    ) -> Self {
        Trainer::of(model, Step::Automatic(Box::new(step))).optimizer(optimizer)
    }

    /// A trainer whose step does everything with a batch, for what has several losses or optimisers, as a GAN: it calls
    /// `zero_grad`, `backward`, and `step` of the optimisers that [`optimizer`](Trainer::optimizer) gave.
    ///
    /// The gradients must be cleared in the step, before each backward pass: they are no part of a checkpoint. Since a
    /// manual step cannot validate, [`validation_step`](Trainer::validation_step) says what is done there.
    pub fn manual(
        model: &'a impl Module,
        step: impl FnMut(&B, &mut [Box<dyn Optimizer + 'a>]) -> Result<Output> + 'a,
    ) -> Self {
        Trainer::of(model, Step::Manual(Box::new(step)))
    }

    fn of(model: &'a dyn Module, step: Step<'a, B>) -> Self {
        Trainer {
            model,
            optimizers: Vec::new(),
            schedules: Vec::new(),
            step,
            validation_step: None,
            metrics: Vec::new(),
            callbacks: Vec::new(),
            generators: Vec::new(),
            options: Options::default(),
            stopper: Stopper::default(),
            set_epoch: Box::new(|_| {}),
            say: Box::new(|message| eprintln!("{message}")),
            progress: Progress::default(),
            means: Means::default(),
            logs: Logs::default(),
            resumed: false,
            workers: 0,
            settings: Vec::new(),
            run_folder: None,
        }
    }

    /// One more optimiser. An automatic step lets all of them step.
    #[must_use]
    pub fn optimizer(mut self, optimizer: impl Optimizer + 'a) -> Self {
        self.optimizers.push(Box::new(optimizer));
        self
    }

    /// Another step for validation.
    #[must_use]
    pub fn validation_step(mut self, step: impl FnMut(&B) -> Result<Output> + 'a) -> Self {
        self.validation_step = Some(Box::new(step));
        self
    }

    /// A schedule of the learning rate; make it of the optimiser before the trainer takes that.
    #[must_use]
    pub fn schedule(mut self, schedule: impl LRScheduler + 'a, every: Every) -> Self {
        self.schedules.push(Schedule::Plain(Box::new(schedule), every));
        self
    }

    /// A schedule that goes by a number of each epoch's logs: `val_loss`.
    #[must_use]
    pub fn plateau(mut self, schedule: ReduceLROnPlateau, monitor: impl Into<String>) -> Self {
        self.schedules.push(Schedule::Plateau(schedule, monitor.into()));
        self
    }

    /// A metric, of training and, with `val_` before its name, of validation.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric + 'a) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Whether metrics are computed in training, too; the default is true.
    #[must_use]
    pub fn train_metrics(mut self, train_metrics: bool) -> Self {
        self.options.train_metrics = train_metrics;
        self
    }

    /// A callback. Callbacks are called in the order in which they were given.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Checkpoints, logs, pictures and a run card in a folder of the run. Its callbacks come after all others.
    #[must_use]
    pub fn run_folder(mut self, folder: RunFolder) -> Self {
        self.run_folder = Some(folder);
        self
    }

    /// A generator of the program's own, by a name: its state becomes part of the checkpoints, beside those of the default
    /// generator and of the loader.
    #[must_use]
    pub fn generator(mut self, name: impl Into<String>, generator: &Generator) -> Self {
        self.generators.push((name.into(), generator.clone()));
        self
    }

    /// Called with the number of each epoch, from 0, before it begins, and again before it goes on after a resume: for
    /// samplers that want to know, as `DistributedSampler::set_epoch`.
    #[must_use]
    pub fn set_epoch(mut self, set_epoch: impl FnMut(usize) + 'a) -> Self {
        self.set_epoch = Box::new(set_epoch);
        self
    }

    /// The number of epochs; the default is 1.
    #[must_use]
    pub fn max_epochs(mut self, max_epochs: usize) -> Self {
        self.options.max_epochs = max_epochs;
        self
    }

    /// The most steps of the optimiser, after which the run ends with its epoch; without a limit if not called.
    #[must_use]
    pub fn max_steps(mut self, max_steps: usize) -> Self {
        self.options.max_steps = max_steps;
        self
    }

    /// The number of batches whose gradients make one step; the default is 1. The loss counts as the mean over them. The
    /// last step of an epoch takes the batches that are left.
    ///
    /// # Panics
    /// If it is 0.
    #[must_use]
    #[track_caller]
    pub fn accumulate(mut self, batches: usize) -> Self {
        if batches == 0 {
            fail!("Trainer: accumulate is 0; a step takes at least 1 batch");
        }
        self.options.accumulate = batches;
        self
    }

    /// Bounds the 2-norm of all gradients of an optimiser together, before each step.
    #[must_use]
    pub fn clip_grad_norm(mut self, max_norm: f64) -> Self {
        self.options.clip = Some(Clip::Norm(max_norm));
        self
    }

    /// Bounds each element of the gradients, before each step.
    #[must_use]
    pub fn clip_grad_value(mut self, clip_value: f64) -> Self {
        self.options.clip = Some(Clip::Value(clip_value));
        self
    }

    /// The most batches of an epoch, of training and of validation.
    #[must_use]
    pub fn limit_batches(mut self, train: usize, validation: usize) -> Self {
        (self.options.limit, self.options.validation_limit) = (train, validation);
        self
    }

    /// Runs so many batches of training and of validation once, to see that everything fits together. Checkpoints, log
    /// files and early stopping take no part.
    #[must_use]
    pub fn fast_dev_run(mut self, batches: usize) -> Self {
        self.options.dev_run = true;
        self.options.max_epochs = 1;
        self.options.resume = None;
        self.limit_batches(batches, batches)
    }

    /// Trains on the first so many batches of the loader in each epoch, the same ones, and validates on them: a model that
    /// learns at all learns them by heart.
    #[must_use]
    pub fn overfit_batches(mut self, batches: usize) -> Self {
        self.options.overfit = batches;
        self
    }

    /// Goes on from a checkpoint: a file, or a folder, of which the newest one that can be read is taken. Where the folder
    /// has none, or is not there, the run begins at its start.
    #[must_use]
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.resume = Some(path.into());
        self
    }

    /// Ctrl-C ends the run after the step that it is in, with a checkpoint; a second one ends the program at once.
    #[cfg(feature = "ctrlc")]
    #[must_use]
    pub fn ctrl_c(mut self) -> Self {
        self.options.ctrl_c = true;
        self
    }

    /// Where messages go; standard error if not called.
    #[must_use]
    pub fn messages(mut self, say: impl FnMut(&str) + 'a) -> Self {
        self.say = Box::new(say);
        self
    }

    /// A handle that ends the run from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// How far the run has come, with the logs of its epochs.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The optimisers.
    pub fn optimizers(&self) -> &[Box<dyn Optimizer + 'a>] {
        &self.optimizers
    }

    /// Says that the run has more epochs, after a [`fit`](Trainer::fit) that came to its end: the next one goes on.
    pub fn set_max_epochs(&mut self, max_epochs: usize) {
        self.options.max_epochs = max_epochs;
        self.progress.finished = false;
        self.progress.stopped = None;
    }
}
