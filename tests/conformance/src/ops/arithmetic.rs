//! Arithmetic of two operands.

use super::{Arms, ok};
use rushlight::Tensor;

pub(crate) const ARMS: Arms = Arms {
    calls: &[
        ("neg", |a| ok(a.take::<Tensor>("input")?.neg())),
        ("abs", |a| ok(a.take::<Tensor>("input")?.abs())),
    ],
    in_place: &[],
};
