//! The training loop.

use crate::callback::{Callback, Context, Moment};
use crate::loader::Loader;
use crate::output::Output;
use crate::progress::Outcome;
use crate::trainer::{Clip, Every, Schedule, Step, Trainer};
use rushlight_array::random::{GeneratorState, default_generator};
use rushlight_array::{Error, Result};
use rushlight_optim::{clip_grad_norm_, clip_grad_value_};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Where the batches of an epoch come from, and how many there are.
pub(crate) struct Source<'l, B> {
    loader: &'l dyn Loader<Batch = B>,
    kept: Option<Vec<B>>,
    len: usize,
}

impl<B> Trainer<'_, B> {
    /// Trains, epoch after epoch, and validates after each one if there is something to validate on.
    ///
    /// The logs of an epoch have `loss` and the metrics of training, the mean of what the step logged, and the same of
    /// validation with `val_` before each name. With [`resume`](Trainer::resume) the run goes on bit for bit where its
    /// checkpoint was written; a run that has come to its end is loaded, and nothing is done.
    ///
    /// # Errors
    /// If a batch, a step, a callback or the checkpoint fails.
    ///
    /// # Panics
    /// If a step panics; callbacks are told.
    pub fn fit(
        &mut self,
        train: &dyn Loader<Batch = B>,
        validation: Option<&dyn Loader<Batch = B>>,
    ) -> Result<Outcome> {
        #[cfg(feature = "ctrlc")]
        let _listener =
            if self.options.ctrl_c { Some(crate::interrupt::signal::listen(&self.stopper)?) } else { None };
        if let Some(folder) = self.run_folder.take() {
            let (resume, callbacks) = folder.parts();
            if !self.options.dev_run && resume.is_some() {
                self.options.resume = resume;
            }
            self.callbacks.extend(callbacks.into_iter().map(|callback| callback as Box<dyn Callback>));
        }
        (self.workers, self.settings) = (train.num_workers(), self.settings_now());
        // Before a checkpoint is loaded, so that they are those of the run's start.
        let source = self.source(train)?;
        self.restore(train)?;
        if self.progress.finished {
            return Ok(self.outcome());
        }
        match catch_unwind(AssertUnwindSafe(|| self.run(&source, validation))) {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(error)) => {
                self.exception(&error.to_string());
                Err(error)
            }
            Err(panic) => {
                self.exception(message(&*panic));
                resume_unwind(panic)
            }
        }
    }

    fn source<'l>(&mut self, loader: &'l dyn Loader<Batch = B>) -> Result<Source<'l, B>> {
        let kept = match self.options.overfit {
            0 => None,
            most => Some(loader.batches().take(most).collect::<Result<Vec<B>>>()?),
        };
        let len = kept.as_ref().map_or(loader.len(), Vec::len).min(self.options.limit);
        Ok(Source { loader, kept, len })
    }

    fn run(&mut self, source: &Source<'_, B>, validation: Option<&dyn Loader<Batch = B>>) -> Result<Outcome> {
        self.logs = Default::default();
        self.event(Moment::Start, source, &mut |callback, cx| callback.on_start(cx))?;
        while self.progress.in_epoch || self.goes_on() {
            if self.train_epoch(source)? == Pass::Interrupted {
                return self.end(source, Outcome::Interrupted);
            }
            self.finish_epoch(source, validation)?;
            if self.stopper.is_interrupted() && self.goes_on() {
                return self.end(source, Outcome::Interrupted);
            }
        }
        let outcome = self.outcome();
        self.end(source, outcome)
    }

    /// Whether there is another batch or epoch to come.
    fn goes_on(&self) -> bool {
        let Trainer { progress, options, .. } = self;
        progress.epoch < options.max_epochs && progress.step < options.max_steps && progress.stopped.is_none()
    }

    fn outcome(&self) -> Outcome {
        self.progress.stopped.clone().map_or(Outcome::Finished, Outcome::Stopped)
    }

    /// An epoch, or what is left of it.
    fn train_epoch(&mut self, source: &Source<'_, B>) -> Result<Pass> {
        self.model.train();
        if !self.progress.in_epoch {
            self.progress.in_epoch = true;
            (self.set_epoch)(self.progress.epoch);
            self.means.clear();
            self.metrics.iter_mut().for_each(|metric| metric.reset());
            self.logs = Default::default();
            self.event(Moment::Epoch, source, &mut |callback, cx| callback.on_epoch_start(cx))?;
        }
        let mut batches = source.kept.is_none().then(|| source.loader.batches());
        while self.progress.batch < source.len && self.goes_on() {
            let read;
            let batch = match (&mut batches, &source.kept) {
                (Some(batches), _) => match batches.next() {
                    Some(batch) => {
                        read = batch?;
                        &read
                    }
                    None => break,
                },
                (None, Some(kept)) => &kept[self.progress.batch],
                (None, None) => unreachable!("what is not read is kept"),
            };
            let stepped = self.train_batch(batch, source)?;
            if stepped && self.stopper.is_interrupted() {
                return Ok(Pass::Interrupted);
            }
        }
        // The loader learns that its epoch is over, and draws what it draws then.
        let whole = source.len == source.loader.len() && self.progress.batch == source.len;
        if whole && batches.as_mut().is_some_and(|batches| batches.next().is_some()) {
            let reason = format!("there are more batches than its len() of {}", source.len);
            return Err(Error::invalid("Loader", reason));
        }
        Ok(Pass::Over)
    }

    /// A batch, and the optimiser's step if it is the last one of those that make a step.
    fn train_batch(&mut self, batch: &B, source: &Source<'_, B>) -> Result<bool> {
        let at = self.progress.batch;
        let first = at - at % self.options.accumulate;
        let window = self.options.accumulate.min(source.len - first);
        let stepped = at + 1 == first + window;
        let output = if matches!(self.step, Step::Manual(_)) {
            let Trainer { step: Step::Manual(step), optimizers, .. } = self else { unreachable!() };
            step(batch, optimizers)?
        } else {
            if at == first {
                self.optimizers.iter().for_each(|optimizer| optimizer.zero_grad());
            }
            self.automatic(batch, window, source)?
        };
        if stepped {
            self.update();
            self.progress.step += 1;
        }
        self.progress.batch += 1;
        self.progress.samples += output.samples;
        self.take_in(&output);
        self.event_of(Moment::Step, stepped, source.len, &mut |callback, cx| callback.on_batch_end(cx))?;
        if stepped {
            self.event_of(Moment::Step, true, source.len, &mut |callback, cx| callback.on_log(cx))?;
            self.checkpoint(Moment::Step, source, None)?;
        }
        Ok(stepped)
    }

    /// The passes forward and backward of one of `window` batches that make a step.
    fn automatic(&mut self, batch: &B, window: usize, source: &Source<'_, B>) -> Result<Output> {
        let replays = self.callbacks.iter().any(|callback| callback.replays());
        let before = replays.then(|| default_generator().state());
        let Step::Automatic(step) = &mut self.step else { unreachable!("the caller has looked") };
        let mut forward_backward = || -> Result<Output> {
            let output = step(batch)?;
            match window {
                1 => output.loss.backward(),
                batches => (&output.loss / batches as f64).backward(),
            }
            Ok(output)
        };
        let output = forward_backward()?;
        self.logs = Default::default();
        self.logs.set("loss", output.loss.item());
        let mut again = || -> Result<()> {
            before.iter().for_each(|before: &GeneratorState| default_generator().set_state(before));
            forward_backward().map(drop)
        };
        let dev_run = self.options.dev_run;
        for callback in self.callbacks.iter_mut().filter(|callback| !dev_run || callback.in_dev_run()) {
            let mut cx = Context {
                model: self.model,
                optimizers: &self.optimizers,
                metrics: &self.metrics,
                progress: &mut self.progress,
                logs: &mut self.logs,
                moment: Moment::Step,
                stepped: false,
                batches: source.len,
                max_epochs: self.options.max_epochs,
                workers: self.workers,
                settings: &self.settings,
                resumed: self.resumed,
                outcome: None,
                stopper: &self.stopper,
                say: &mut self.say,
                again: callback.replays().then_some(&mut again as &mut dyn FnMut() -> Result<()>),
            };
            callback.on_backward(&mut cx)?;
        }
        Ok(output)
    }

    /// Clips, and lets optimisers and schedules step.
    fn update(&mut self) {
        if let Step::Automatic(_) = self.step {
            for optimizer in &mut self.optimizers {
                match self.options.clip {
                    Some(Clip::Norm(max_norm)) => drop(clip_grad_norm_(optimizer.parameters(), max_norm)),
                    Some(Clip::Value(value)) => clip_grad_value_(optimizer.parameters(), value),
                    None => {}
                }
                optimizer.step();
            }
        }
        for schedule in &mut self.schedules {
            if let Schedule::Plain(schedule, Every::Step) = schedule {
                schedule.step();
            }
        }
    }

    /// The numbers of a batch go into those of the epoch.
    fn take_in(&mut self, output: &Output) {
        self.logs = Default::default();
        let loss = output.loss.item();
        for (name, value) in [("loss", loss)].into_iter().chain(pairs(&output.logs)) {
            self.logs.set(name, value);
            self.means.add(name, value, output.samples);
        }
        if let Some((prediction, target)) = output.compared.as_ref().filter(|_| self.options.train_metrics) {
            self.metrics.iter_mut().for_each(|metric| metric.update(prediction, target));
        }
    }

    /// Validation, schedules and the epoch's logs.
    fn finish_epoch(
        &mut self,
        source: &Source<'_, B>,
        validation: Option<&dyn Loader<Batch = B>>,
    ) -> Result<()> {
        let mut logs = Default::default();
        self.means.write("", &mut logs);
        if self.options.train_metrics {
            self.metrics.iter().for_each(|metric| logs.set(&metric.name(), metric.value()));
        }
        match (&source.kept, validation) {
            (Some(kept), Some(_)) => self.validate(kept.iter().map(Ok), "val_", &mut logs)?,
            (None, Some(validation)) => {
                let batches = validation.batches().take(self.options.validation_limit);
                self.validate(batches, "val_", &mut logs)?;
            }
            (_, None) => {}
        }
        self.logs = logs;
        self.epoch_schedules()?;
        (self.progress.epoch, self.progress.batch, self.progress.in_epoch) =
            (self.progress.epoch + 1, 0, false);
        self.event(Moment::Epoch, source, &mut |callback, cx| callback.on_epoch_end(cx))?;
        self.progress.history.push(self.logs.clone());
        self.event(Moment::Epoch, source, &mut |callback, cx| callback.on_log(cx))?;
        self.checkpoint(Moment::Epoch, source, None)
    }

    fn epoch_schedules(&mut self) -> Result<()> {
        for schedule in &mut self.schedules {
            match schedule {
                Schedule::Plain(schedule, Every::Epoch) => schedule.step(),
                Schedule::Plain(_, Every::Step) => {}
                Schedule::Plateau(schedule, monitor) => match self.logs.get(monitor) {
                    Some(value) => schedule.step(value),
                    None => {
                        let known = self.logs.names();
                        let reason = format!("there is no number `{monitor}` to go by; there are [{known}]");
                        return Err(Error::invalid("ReduceLROnPlateau", reason));
                    }
                },
            }
        }
        Ok(())
    }

    fn end(&mut self, source: &Source<'_, B>, outcome: Outcome) -> Result<Outcome> {
        self.progress.finished = outcome != Outcome::Interrupted;
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let ended =
            self.each(&mut callbacks, Moment::End, false, source.len, Some(&outcome), &mut |c, cx| {
                c.on_end(cx)
            });
        self.callbacks = callbacks;
        ended?;
        self.checkpoint(Moment::End, source, Some(&outcome))?;
        if outcome == Outcome::Interrupted {
            self.stopper.clear();
        }
        Ok(outcome)
    }

    fn exception(&mut self, message: &str) {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let _ = self.each(&mut callbacks, Moment::End, false, 0, None, &mut |callback, cx| {
            callback.on_exception(cx, message);
            Ok(())
        });
        self.callbacks = callbacks;
    }

    /// Writes the checkpoints that callbacks want: after all of them have seen the event, so that nothing of it is left to
    /// be done by a run that goes on from there.
    fn checkpoint(
        &mut self,
        moment: Moment,
        source: &Source<'_, B>,
        outcome: Option<&Outcome>,
    ) -> Result<()> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let result = self.checkpoint_of(&mut callbacks, moment, source, outcome);
        self.callbacks = callbacks;
        result
    }

    fn checkpoint_of(
        &mut self,
        callbacks: &mut [Box<dyn Callback + '_>],
        moment: Moment,
        source: &Source<'_, B>,
        outcome: Option<&Outcome>,
    ) -> Result<()> {
        let mut wanted = Vec::new();
        for (index, callback) in callbacks.iter_mut().enumerate() {
            if self.options.dev_run && !callback.in_dev_run() {
                continue;
            }
            let mut cx = self.context(moment, false, source.len, outcome);
            wanted.extend(callback.wants_checkpoint(&mut cx).map(|path| (index, path)));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        callbacks.iter_mut().try_for_each(|callback| callback.flush())?;
        let state = self.snapshot(callbacks, source.loader);
        for (index, path) in wanted {
            let result = rushlight_serialize::checkpoint::save(&path, &state);
            let mut cx = self.context(moment, false, source.len, outcome);
            callbacks[index].checkpoint_written(&mut cx, &path, result)?;
        }
        Ok(())
    }

    fn context<'c>(
        &'c mut self,
        moment: Moment,
        stepped: bool,
        batches: usize,
        outcome: Option<&'c Outcome>,
    ) -> Context<'c> {
        Context {
            model: self.model,
            optimizers: &self.optimizers,
            metrics: &self.metrics,
            progress: &mut self.progress,
            logs: &mut self.logs,
            moment,
            stepped,
            batches,
            max_epochs: self.options.max_epochs,
            workers: self.workers,
            settings: &self.settings,
            resumed: self.resumed,
            outcome,
            stopper: &self.stopper,
            say: &mut self.say,
            again: None,
        }
    }

    fn event(&mut self, moment: Moment, source: &Source<'_, B>, tell: &mut Tell<'_>) -> Result<()> {
        self.event_of(moment, false, source.len, tell)
    }

    fn event_of(&mut self, moment: Moment, stepped: bool, batches: usize, tell: &mut Tell<'_>) -> Result<()> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let result = self.each(&mut callbacks, moment, stepped, batches, None, tell);
        self.callbacks = callbacks;
        result
    }

    fn each(
        &mut self,
        callbacks: &mut [Box<dyn Callback + '_>],
        moment: Moment,
        stepped: bool,
        batches: usize,
        outcome: Option<&Outcome>,
        tell: &mut Tell<'_>,
    ) -> Result<()> {
        let dev_run = self.options.dev_run;
        let taking_part = callbacks.iter_mut().filter(|callback| !dev_run || callback.in_dev_run());
        for callback in taking_part {
            tell(&mut **callback, &mut self.context(moment, stepped, batches, outcome))?;
        }
        Ok(())
    }
}

/// Tells a callback of an event.
type Tell<'t> = dyn FnMut(&mut (dyn Callback + '_), &mut Context<'_>) -> Result<()> + 't;

/// How an epoch's batches ended.
#[derive(PartialEq)]
enum Pass {
    Over,
    Interrupted,
}

fn pairs(logs: &[(String, f64)]) -> impl Iterator<Item = (&str, f64)> {
    logs.iter().map(|(name, value)| (name.as_str(), *value))
}

/// The text of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}
