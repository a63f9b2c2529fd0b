//! The table and the last line.

use crate::golden::Golden;
use crate::run::{Outcome, Tally};
use std::fmt::Write;

/// The totals of one priority: cases passed, of all that there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    /// As expected.
    pub passed: usize,
    /// All, also those of operations without an arm.
    pub all: usize,
}

/// What was run.
#[derive(Debug, Default)]
pub struct Report {
    /// The lines an operation.
    pub text: String,
    /// Of P0, P1 and P2.
    pub priorities: [Total; 3],
    /// Calls that must fail.
    pub errors: Total,
    /// In-place forms.
    pub in_place: Total,
    /// Whether a case of an implemented operation fails.
    pub failed: bool,
}

impl Report {
    /// Adds an operation.
    pub fn add(&mut self, golden: &Golden, outcome: &Outcome) {
        let variant = golden.variant.as_ref().map(|variant| format!(" ({variant})")).unwrap_or_default();
        let name = format!("{}{variant}", golden.op);
        let priority = match golden.priority.as_str() {
            "P0" => 0,
            "P1" => 1,
            _ => 2,
        };
        self.priorities[priority].all += golden.cases.len();
        self.errors.all += golden.errors.len();
        let (Some(calls), Some(errors)) = (&outcome.calls, &outcome.errors) else {
            self.line(&format!("{} {name}: not implemented", golden.priority));
            return;
        };
        self.priorities[priority].passed += calls.passed;
        self.errors.passed += errors.passed;
        let mut line = format!("{} {name}: {} of {}", golden.priority, calls.passed, calls.total());
        if errors.total() > 0 {
            let _ = write!(line, ", errors {} of {}", errors.passed, errors.total());
        }
        match &outcome.in_place {
            Some(tally) => {
                self.in_place.all += tally.total();
                self.in_place.passed += tally.passed;
                let _ = write!(line, ", in place {} of {}", tally.passed, tally.total());
            }
            None if golden.has_inplace => {
                self.in_place.all += 1;
                line.push_str(", in place not implemented");
            }
            None => {}
        }
        self.line(&line);
        self.failures("", calls);
        self.failures("must fail: ", errors);
        if let Some(tally) = &outcome.in_place {
            self.failures("in place: ", tally);
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The first failure, whole; of the others the names.
    fn failures(&mut self, kind: &str, tally: &Tally) {
        let Some((id, why)) = tally.failed.first() else { return };
        self.failed = true;
        let why: String = why.chars().take(1200).collect();
        self.line(&format!("    {kind}{id}: {}", why.trim_end().replace('\n', "\n        ")));
        if tally.failed.len() > 1 {
            let rest: Vec<&str> = tally.failed[1..].iter().map(|(id, _)| id.as_str()).collect();
            self.line(&format!("    {kind}also {}", rest.join(" ")));
        }
    }

    /// The last line.
    pub fn summary(&self) -> String {
        let [p0, p1, p2] = self.priorities;
        let of = |total: Total| format!("{}/{}", total.passed, total.all);
        format!(
            "P0 {}, P1 {}, P2 {}, errors {}, in place {}",
            of(p0),
            of(p1),
            of(p2),
            of(self.errors),
            of(self.in_place)
        )
    }
}
