//! A good learning rate by trying all.

use crate::loader::Loader;
use crate::trainer::{Step, Trainer};
use rushlight_array::random::default_generator;
use rushlight_array::{Error, Result, fail};

/// How [`Trainer::lr_find`] tries rates; the defaults are Lightning's.
///
/// ```
/// use rushlight_train::LrFindOptions;
/// let options = LrFindOptions { num_training: 50, ..LrFindOptions::default() };
/// assert_eq!((options.min_lr, options.max_lr), (1e-8, 1.0));
/// ```
#[derive(Clone, Debug)]
pub struct LrFindOptions {
    /// The first rate.
    pub min_lr: f64,
    /// The last rate.
    pub max_lr: f64,
    /// The number of rates, each a constant factor above the one before.
    pub num_training: usize,
    /// It ends where the smoothed loss is so many times the best one; `None` tries all rates.
    pub early_stop_threshold: Option<f64>,
    /// The weight of the past in the smoothed loss, 0-1.
    pub smoothing: f64,
}

impl Default for LrFindOptions {
    fn default() -> Self {
        LrFindOptions {
            min_lr: 1e-8,
            max_lr: 1.0,
            num_training: 100,
            early_stop_threshold: Some(4.0),
            smoothing: 0.98,
        }
    }
}

/// Losses by learning rate: what [`Trainer::lr_find`] gives.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LrCurve {
    /// The rates, rising.
    pub lrs: Vec<f64>,
    /// The smoothed loss of the batch before each rate's step.
    pub losses: Vec<f64>,
}

/// The points at either end of a curve that say little, as Lightning has it.
const SKIP_BEGIN: usize = 10;
const SKIP_END: usize = 1;

impl LrCurve {
    /// The rate at which the loss falls most steeply, the points at both ends left out; nothing if there are too few.
    ///
    /// ```
    /// use rushlight_train::LrCurve;
    /// let lrs: Vec<f64> = (0..20).map(|i| 10.0_f64.powi(i - 10)).collect();
    /// let losses = (0..20).map(|i| if i < 15 { 1.0 } else { 0.5 }).collect();
    /// // The central differences around the step are those of 14 and 15; the first counts.
    /// assert_eq!(LrCurve { lrs, losses }.suggestion(), Some(1e4));
    /// ```
    pub fn suggestion(&self) -> Option<f64> {
        let end = self.losses.len().checked_sub(SKIP_END)?;
        let losses = self.losses.get(SKIP_BEGIN..end)?;
        let slope = |i: usize| match i {
            0 => losses[1] - losses[0],
            i if i + 1 == losses.len() => losses[i] - losses[i - 1],
            i => (losses[i + 1] - losses[i - 1]) / 2.0,
        };
        if losses.len() < 2 {
            return None;
        }
        let slopes = (0..losses.len()).map(slope).enumerate().filter(|(_, slope)| slope.is_finite());
        let steepest = slopes.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some(self.lrs[SKIP_BEGIN + steepest.0])
    }
}

#[cfg(feature = "plots")]
impl LrCurve {
    /// The losses over the logarithm of the rates, to base 10, with the suggestion as the title.
    pub fn picture(&self) -> crate::plots::Picture {
        use crate::plots::{Picture, Series};
        let points = self.lrs.iter().map(|lr| lr.log10()).zip(self.losses.iter().copied()).collect();
        let title = match self.suggestion() {
            Some(lr) => format!("steepest at a rate of {lr:.1e}"),
            None => "loss by learning rate".to_owned(),
        };
        Picture::curves(&title, "log10 of the learning rate", "smoothed loss", &[Series::new("loss", points)])
    }
}

impl<B> Trainer<'_, B> {
    /// Tries learning rates from small to large, a step each, and gives the losses: L. N. Smith, "Cyclical Learning Rates
    /// for Training Neural Networks", 2017, as Lightning does it. Batches come from the loader, epoch after epoch.
    ///
    /// Afterwards model, optimisers, default generator and loader are as they were: only the curve is left.
    ///
    /// ```
    /// use rushlight_array::random::manual_seed;
    /// use rushlight_data::{DataLoader, Digits};
    /// use rushlight_nn::{Linear, Module, functional as F};
    /// use rushlight_optim::SGD;
    /// use rushlight_train::{LrFindOptions, Trainer};
    /// manual_seed(1);
    /// let model = Linear::new(64, 10);
    /// let loader = DataLoader::new(Digits::new()).batch_size(64).shuffle(true);
    /// let mut trainer = Trainer::new(&model, SGD::new(model.parameters(), 0.1), F::cross_entropy);
    /// let curve = trainer.lr_find(&loader, &LrFindOptions { max_lr: 100.0, ..Default::default() })?;
    /// assert!((0.001..10.0).contains(&curve.suggestion().unwrap()));
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a batch or a step fails, the step is manual, or an epoch has no batch.
    ///
    /// # Panics
    /// If the rates do not rise from above 0, there are fewer than 2, or the smoothing is not in \[0, 1).
    #[track_caller]
    pub fn lr_find(&mut self, loader: &dyn Loader<Batch = B>, options: &LrFindOptions) -> Result<LrCurve> {
        let LrFindOptions { min_lr, max_lr, num_training, smoothing, .. } = *options;
        if !(min_lr > 0.0 && max_lr > min_lr && num_training > 1 && (0.0..1.0).contains(&smoothing)) {
            fail!(
                "lr_find: {num_training} rates from {min_lr} to {max_lr} with smoothing {smoothing}; at least 2 rates \
                 must rise from above 0, and the smoothing must be below 1"
            );
        }
        let (model, generator, place) =
            (self.model.state_dict(), default_generator().state(), loader.state());
        let optimizers: Vec<_> = self.optimizers.iter().map(|optimizer| optimizer.state_dict()).collect();
        let curve = self.try_rates(loader, options);
        self.model.load_state_dict(&model)?;
        self.model.zero_grad();
        for (optimizer, state) in self.optimizers.iter_mut().zip(&optimizers) {
            optimizer.load_state_dict(state)?;
        }
        default_generator().set_state(&generator);
        loader.load_state(&place)?;
        curve
    }

    fn try_rates(&mut self, loader: &dyn Loader<Batch = B>, options: &LrFindOptions) -> Result<LrCurve> {
        let Trainer { step: Step::Automatic(step), optimizers, model, .. } = self else {
            return Err(Error::invalid("lr_find", "a manual step sets its own rates"));
        };
        model.train();
        let (mut curve, mut mean, mut best) = (LrCurve::default(), 0.0, f64::INFINITY);
        let mut batches = loader.batches();
        for i in 0..options.num_training {
            let batch = match batches.next() {
                Some(batch) => batch?,
                None => {
                    batches = loader.batches();
                    batches.next().ok_or_else(|| Error::invalid("lr_find", "the loader gave no batch"))??
                }
            };
            let part = i as f64 / (options.num_training - 1) as f64;
            let lr = options.min_lr * (options.max_lr / options.min_lr).powf(part);
            optimizers.iter_mut().for_each(|optimizer| {
                optimizer.set_lr(lr);
                optimizer.zero_grad();
            });
            let loss = step(&batch)?.loss;
            let value = loss.item();
            mean = options.smoothing * mean + (1.0 - options.smoothing) * value;
            // Divided by the weights so far: the mean begins at 0.
            let smoothed = mean / (1.0 - options.smoothing.powi(i as i32 + 1));
            curve.lrs.push(lr);
            curve.losses.push(smoothed);
            best = smoothed.min(best);
            let diverged = options.early_stop_threshold.is_some_and(|times| i > 0 && smoothed > times * best);
            if diverged || !smoothed.is_finite() {
                break;
            }
            loss.backward();
            optimizers.iter_mut().for_each(|optimizer| optimizer.step());
        }
        Ok(curve)
    }
}
