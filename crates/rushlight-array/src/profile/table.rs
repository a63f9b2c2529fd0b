//! The table: what was recorded, added up by name.

use super::record::{Name, Sums, Totals};
use super::{OpProfile, Profile};
use crate::order::sort_by;
use std::fmt;
use std::time::Duration;

/// The operations, longest self time first; names decide between equals, so that the order is always the same.
pub(super) fn ops(profile: &Profile) -> Vec<OpProfile> {
    let mut sums = Totals::default();
    for thread in &profile.threads {
        thread.events.iter().for_each(|event| sums.of(event.name).add_event(event));
        thread.left_out.iter().for_each(|(name, more)| sums.of(*name).add(more));
    }
    let op = |(name, sums): &(Name, Sums)| OpProfile {
        name: name.to_string(),
        calls: sums.calls,
        total: Duration::from_nanos(sums.total),
        own: Duration::from_nanos(sums.own),
        bytes: sums.bytes,
        flops: sums.flops,
    };
    let mut ops: Vec<OpProfile> = sums.iter().map(op).collect();
    sort_by(&mut ops, |a, b| b.own.cmp(&a.own).then_with(|| a.name.cmp(&b.name)));
    ops
}

/// The time that the calling thread spent in spans: each moment of it is the self time of exactly one.
pub(super) fn busy(profile: &Profile) -> Duration {
    let caller = profile.threads.iter().filter(|thread| Some(thread.number) == profile.caller);
    let times = caller.flat_map(|thread| {
        let kept = thread.events.iter().map(|event| event.own);
        kept.chain(thread.left_out.iter().map(|(_, sums)| sums.own))
    });
    Duration::from_nanos(times.sum())
}

const HEAD: [&str; 8] = ["op", "calls", "total", "self", "mean", "bytes", "rate", "share"];

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(self.ops().iter().map(|op| cells(op, self.wall)));
        let widths: [usize; 8] =
            std::array::from_fn(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0));
        for line in &lines {
            write!(f, "{:<width$}", line[0], width = widths[0])?;
            for (cell, width) in line.iter().zip(widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        let outside = self.outside();
        let share = share(outside, self.wall);
        writeln!(f, "wall time {}, outside of any op {} ({share})", time(self.wall), time(outside))?;
        match self.left_out() {
            0 => Ok(()),
            calls => writeln!(f, "{calls} calls are in the table, but not in the trace, which is full"),
        }
    }
}

fn cells(op: &OpProfile, wall: Duration) -> [String; 8] {
    let mean = op.total.checked_div(u32::try_from(op.calls).unwrap_or(u32::MAX)).unwrap_or_default();
    [
        op.name.clone(),
        op.calls.to_string(),
        time(op.total),
        time(op.own),
        time(mean),
        if op.bytes == 0 { "-".to_owned() } else { scaled(op.bytes as f64, &["B", "kB", "MB", "GB", "TB"]) },
        rate(op),
        share(op.own, wall),
    ]
}

/// Arithmetic by time where the operation told any, else traffic by time.
fn rate(op: &OpProfile) -> String {
    let nanoseconds = op.total.as_nanos() as f64;
    match (op.flops, op.bytes) {
        (0, 0) => "-".to_owned(),
        _ if nanoseconds == 0.0 => "-".to_owned(),
        (0, bytes) => format!("{} GB/s", digits(bytes as f64 / nanoseconds)),
        (flops, _) => format!("{} GFLOP/s", digits(flops as f64 / nanoseconds)),
    }
}

fn share(part: Duration, wall: Duration) -> String {
    let percent = 100.0 * part.as_secs_f64() / wall.as_secs_f64().max(1e-9);
    format!("{percent:.1} %")
}

fn time(time: Duration) -> String {
    scaled(time.as_nanos() as f64, &["ns", "us", "ms", "s"])
}

/// A number in the unit in which it is below 1000; each unit is a thousand of the one before.
fn scaled(mut value: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // What would be rounded to 1000 takes the next unit as well.
    while value >= 999.5 {
        let Some(larger) = units.next() else { break };
        (value, unit) = (value / 1000.0, larger);
    }
    format!("{} {unit}", digits(value))
}

/// Three digits that count.
fn digits(value: f64) -> String {
    let decimals = if value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::super::Work;
    use super::super::record::{Event, Thread};
    use super::*;

    fn event(name: &'static str, suffix: &'static str, start: u64, duration: u64, own: u64) -> Event {
        let name = Name { name, suffix };
        Event { name, start, duration, own, work: Work::default(), repeated: false }
    }

    /// A product of 2 x 100 x 100 x 100 FLOP in 20 us, within a forward pass of 25 us; an `add` that moves
    /// 12 kB in 400 ns; and, on another thread, 30 us that the caller does not wait for.
    fn example() -> Profile {
        let product = Event {
            work: Work { bytes: 120_000, flops: 2_000_000 },
            ..event("matmul", "kernel", 2_000, 20_000, 20_000)
        };
        let add =
            Event { work: Work { bytes: 12_000, flops: 0 }, ..event("add", "kernel", 30_000, 400, 400) };
        let events =
            vec![product, event("matmul", "", 1_000, 25_000, 5_000), add, event("add", "", 29_900, 600, 200)];
        let mut left_out = Totals::default();
        *left_out.of(Name { name: "add", suffix: "" }) =
            Sums { calls: 9, total: 5_400, own: 5_400, bytes: 0, flops: 0 };
        let main = Thread { number: 1, name: "main".to_owned(), events, left_out };
        let worker = Thread {
            number: 2,
            name: "loader-0".to_owned(),
            events: vec![event("DataLoader", "batch", 0, 30_000, 30_000)],
            left_out: Totals::default(),
        };
        let wall = Duration::from_micros(50);
        Profile { threads: vec![main, worker], caller: Some(1), start: 0, wall }
    }

    #[test]
    fn the_table_is_aligned_and_sorted_by_self_time() {
        // Outside of any op: 50 us less 25 + 0.6 + 5.4 on the caller's thread.
        let expected = "\
op                calls    total     self     mean    bytes         rate   share
DataLoader batch      1  30.0 us  30.0 us  30.0 us        -            -  60.0 %
matmul kernel         1  20.0 us  20.0 us  20.0 us   120 kB  100 GFLOP/s  40.0 %
add                  10  6.00 us  5.60 us   600 ns        -            -  11.2 %
matmul                1  25.0 us  5.00 us  25.0 us        -            -  10.0 %
add kernel            1   400 ns   400 ns   400 ns  12.0 kB    30.0 GB/s   0.8 %
wall time 50.0 us, outside of any op 19.0 us (38.0 %)
9 calls are in the table, but not in the trace, which is full
";
        assert_eq!(example().to_string(), expected);
    }

    #[test]
    fn numbers_have_three_digits_and_the_unit_that_fits() {
        let times = [0, 7, 999, 999_499, 999_500, 1_234_567, 98_765_432_100].map(Duration::from_nanos);
        assert_eq!(
            times.map(time),
            ["0.00 ns", "7.00 ns", "999 ns", "999 us", "1.00 ms", "1.23 ms", "98.8 s"].map(str::to_owned)
        );
        assert_eq!(time(Duration::from_secs(4321)), "4321 s");
    }

    #[test]
    fn nothing_recorded_still_prints_a_table() {
        let empty = Profile { threads: Vec::new(), caller: None, start: 0, wall: Duration::ZERO };
        assert_eq!(
            empty.to_string(),
            "op  calls  total  self  mean  bytes  rate  share\n\
             wall time 0.00 ns, outside of any op 0.00 ns (0.0 %)\n"
        );
    }
}
