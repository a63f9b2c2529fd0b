//! Arithmetic of two operands.

use super::Arms;

pub(crate) const ARMS: Arms = Arms { calls: &[], in_place: &[] };
