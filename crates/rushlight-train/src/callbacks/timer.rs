use crate::callback::{Callback, Context};
use rushlight_array::{Error, Result};
use rushlight_serialize::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Measures how long a run takes, over all of its parts, and can end it when its time is over.
///
/// Times are no part of the logs: they are never the same. A clone is a handle on the same clock.
///
/// ```
/// use rushlight_train::Timer;
/// use std::time::Duration;
/// let timer = Timer::new().limit(Duration::from_secs(3600));
/// assert_eq!(timer.elapsed(), Duration::ZERO);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Timer {
    limit: Option<Duration>,
    clock: Arc<Mutex<Clock>>,
}

#[derive(Debug, Default)]
struct Clock {
    /// Of the parts that are over.
    before: Duration,
    since: Option<Instant>,
    /// How long each epoch took that began in this part.
    epochs: Vec<Duration>,
    epoch: Option<Instant>,
}

impl Clock {
    fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl Timer {
    /// A clock without a limit.
    pub fn new() -> Timer {
        Timer::default()
    }

    /// Ends the run after the step in which its time is over, parts before a resume included.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Timer {
        Timer { limit: Some(limit), ..self }
    }

    /// The time that the run has taken so far, in all of its parts.
    pub fn elapsed(&self) -> Duration {
        self.lock().elapsed()
    }

    /// The times of the epochs that were begun and ended in this process.
    pub fn epochs(&self) -> Vec<Duration> {
        self.lock().epochs.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Callback for Timer {
    fn on_start(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.lock().since = Some(Instant::now());
        Ok(())
    }

    fn on_epoch_start(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.lock().epoch = Some(Instant::now());
        Ok(())
    }

    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let elapsed = self.elapsed();
        if let Some(limit) = self.limit.filter(|limit| cx.stepped && elapsed >= *limit) {
            cx.stop(format!("the time of {:.1} s is over", limit.as_secs_f64()));
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        let mut clock = self.lock();
        let took = clock.epoch.take().map(|since| since.elapsed());
        clock.epochs.extend(took);
        Ok(())
    }

    fn on_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        let mut clock = self.lock();
        clock.before = clock.elapsed();
        clock.since = None;
        Ok(())
    }

    fn state(&self) -> Value {
        Value::map().with("seconds", self.elapsed().as_secs_f64())
    }

    fn load_state(&mut self, state: &Value) -> Result<()> {
        let seconds = state.get("seconds")?.float()?;
        self.lock().before = Duration::try_from_secs_f64(seconds)
            .map_err(|error| Error::invalid("Timer", format!("{seconds} seconds: {error}")))?;
        Ok(())
    }
}
