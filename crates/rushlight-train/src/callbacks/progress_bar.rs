use crate::callback::{Callback, Context, Moment};
use crate::logs::Logs;
use rushlight_array::Result;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Shows how the run goes, on standard error: in a terminal a bar with epoch and batch, loss and metrics, samples per second
/// and the time that the epoch still takes, and after each epoch a line with its numbers. Where standard error is no
/// terminal, or without the feature `progress`, the lines alone.
#[derive(Debug)]
pub struct ProgressBar {
    lines: bool,
    /// The samples of the run and the time when this process's epoch began.
    began: Option<(usize, Instant)>,
    bar: bar::Bar,
}

impl ProgressBar {
    /// A bar if standard error is a terminal, else lines.
    pub fn new() -> ProgressBar {
        ProgressBar { lines: !stderr().is_terminal(), began: None, bar: bar::Bar::default() }
    }

    /// Whether there are lines alone, also in a terminal.
    #[must_use]
    pub fn lines(self, lines: bool) -> ProgressBar {
        ProgressBar { lines, ..self }
    }
}

impl Default for ProgressBar {
    fn default() -> Self {
        ProgressBar::new()
    }
}

/// `loss 0.1234  val_loss 0.2345`.
fn numbers(logs: &Logs) -> String {
    let shown = logs.iter().map(|(name, value)| format!("{name} {}", short(value)));
    shown.collect::<Vec<_>>().join("  ")
}

/// The parts of a line; where it is too wide what does not fit stands below the second part.
fn lines(parts: &[String], width: Option<usize>) -> String {
    let indent = parts.first().map_or(0, |part| part.chars().count());
    let (mut text, mut at) = (String::new(), 0);
    for (index, part) in parts.iter().enumerate() {
        let len = part.chars().count();
        if index > 1 && width.is_some_and(|width| at + 2 + len > width) {
            text.push_str(&format!("\n{:indent$}", ""));
            at = indent;
        }
        if index > 0 {
            text.push_str("  ");
            at += 2;
        }
        text.push_str(part);
        at += len;
    }
    text
}

/// Four digits behind the point, or an exponent where these would say little.
fn short(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{value:.3e}"),
        _ => format!("{value:.4}"),
    }
}

/// `1234 samples/s`, with a digit behind the point below 10.
fn speed(samples: usize, time: Duration) -> String {
    let speed = samples as f64 / time.as_secs_f64().max(1e-9);
    if speed < 10.0 { format!("{speed:.1} samples/s") } else { format!("{speed:.0} samples/s") }
}

impl Callback for ProgressBar {
    fn on_start(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.began = None;
        Ok(())
    }

    fn on_epoch_start(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.began = Some((cx.progress.samples, Instant::now()));
        Ok(())
    }

    fn on_batch_end(&mut self, cx: &mut Context<'_>) -> Result<()> {
        // Where an epoch goes on after a resume, its start was in another process.
        let &mut (samples, since) = self.began.get_or_insert((cx.progress.samples, Instant::now()));
        if !self.lines {
            let trained = cx.progress.samples - samples;
            self.bar.show(cx, || format!("{}  {}", numbers(cx.logs), speed(trained, since.elapsed())));
        }
        Ok(())
    }

    fn on_log(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if cx.moment != Moment::Epoch {
            return Ok(());
        }
        self.bar.clear();
        let mut parts = vec![format!("epoch {}/{}", cx.progress.epoch, cx.max_epochs)];
        parts.extend(cx.logs.iter().map(|(name, value)| format!("{name} {}", short(value))));
        if let Some((samples, since)) = self.began.take() {
            let time = since.elapsed();
            let trained = cx.progress.samples - samples;
            parts.extend([format!("{:.1} s", time.as_secs_f64()), speed(trained, time)]);
        }
        // Nobody may be there to read it: that is no reason to end a run.
        let _ = writeln!(stderr(), "{}", lines(&parts, if self.lines { None } else { bar::width() }));
        Ok(())
    }

    fn on_exception(&mut self, _: &mut Context<'_>, _: &str) {
        self.bar.clear();
    }

    fn on_end(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.bar.clear();
        Ok(())
    }
}

#[cfg(feature = "progress")]
mod bar {
    use crate::callback::Context;
    use indicatif::{ProgressBar, ProgressStyle};
    use std::time::{Duration, Instant};

    /// The least time between two drawings: what is drawn more often cannot be read, and costs time of the run.
    const BETWEEN: Duration = Duration::from_millis(66);

    #[derive(Debug, Default)]
    pub(super) struct Bar {
        bar: Option<ProgressBar>,
        drawn: Option<Instant>,
    }

    /// The columns of the terminal, if standard error is one.
    pub(super) fn width() -> Option<usize> {
        console::Term::stderr().size_checked().map(|(_, columns)| columns.into())
    }

    impl Bar {
        pub(super) fn show(&mut self, cx: &Context<'_>, message: impl FnOnce() -> String) {
            let (at, len) = (cx.progress.batch as u64, cx.batches as u64);
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::new(len).with_position(at.saturating_sub(1));
                bar.reset_eta();
                let prefix = format!("epoch {}/{}", cx.progress.epoch_number(), cx.max_epochs);
                let style =
                    ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len}  {eta} left  {wide_msg}");
                match style {
                    Ok(style) => bar.with_style(style).with_prefix(prefix),
                    Err(_) => bar.with_prefix(prefix),
                }
            });
            if at < len && self.drawn.is_some_and(|drawn| drawn.elapsed() < BETWEEN) {
                return;
            }
            self.drawn = Some(Instant::now());
            bar.set_message(message());
            bar.set_position(at);
        }

        pub(super) fn clear(&mut self) {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
        }
    }
}

#[cfg(not(feature = "progress"))]
mod bar {
    use crate::callback::Context;

    pub(super) fn width() -> Option<usize> {
        None
    }

    /// Without the feature there is none.
    #[derive(Debug, Default)]
    pub(super) struct Bar(());

    impl Bar {
        pub(super) fn show(&mut self, _: &Context<'_>, _: impl FnOnce() -> String) {}

        pub(super) fn clear(&mut self) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_something() {
        let shown = [0.0, 0.5, 123456.0, 0.00012345, -2e7, f64::NAN].map(short);
        assert_eq!(shown, ["0.0000", "0.5000", "123456.0000", "1.234e-4", "-2.000e7", "NaN"]);
        assert_eq!(speed(100, Duration::from_secs(20)), "5.0 samples/s");
        assert_eq!(speed(100, Duration::from_millis(50)), "2000 samples/s");
    }

    #[test]
    fn what_does_not_fit_stands_below() {
        let parts = ["epoch 1/9", "loss 0.5", "lr 0.1", "2.0 s"].map(str::to_owned);
        assert_eq!(lines(&parts, None), "epoch 1/9  loss 0.5  lr 0.1  2.0 s");
        // 9 + 2 + 8 + 2 + 6 columns fit in 27.
        assert_eq!(lines(&parts, Some(27)), "epoch 1/9  loss 0.5  lr 0.1\n           2.0 s");
        assert_eq!(lines(&parts, Some(26)), "epoch 1/9  loss 0.5\n           lr 0.1  2.0 s");
        assert_eq!(lines(&parts, Some(3)).lines().count(), 3);
    }
}
