//! Draws that a device makes by itself: which, and from which words of a ChaCha stream.

use super::{ChaCha, RandomSource, check};
use crate::cpu::memory::HostBuffer;
use crate::dtype::DType;

/// What values are drawn; see [`Backend::random`](crate::Backend::random).
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Draws {
    /// Floats from \[`low`, `high`).
    #[allow(missing_docs)]
    Uniform { low: f64, high: f64 },
    /// Floats of the normal distribution.
    #[allow(missing_docs)]
    Normal { mean: f64, std: f64 },
    /// Bools, true with probability `p`.
    #[allow(missing_docs)]
    Bernoulli { p: f64 },
    /// `i64` from `low..high`.
    #[allow(missing_docs)]
    Integers { low: i64, high: i64 },
}

/// Where in which [`ChaCha`] stream draws begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// The seed.
    pub seed: u64,
    /// The number of the stream.
    pub stream: u64,
    /// The number of the first word.
    pub position: u64,
}

impl Draws {
    /// The words that so many values of a dtype take up.
    pub fn words(self, dtype: DType, count: usize) -> u64 {
        let count = count as u64;
        let wide = if dtype == DType::F32 { 1 } else { 2 };
        match self {
            Draws::Uniform { .. } => wide * count,
            Draws::Normal { .. } => wide * 2 * count.div_ceil(2),
            Draws::Bernoulli { .. } | Draws::Integers { .. } => 2 * count,
        }
    }

    /// The values as the CPU draws them. The dtype is one that [`Backend::random`](crate::Backend::random) names.
    pub fn on_host(self, from: Stretch, dtype: DType, count: usize) -> HostBuffer {
        let mut source = ChaCha::new(from.seed, from.stream, from.position);
        let mut out = HostBuffer::scratch(dtype, count);
        match (self, dtype) {
            (Draws::Uniform { low, high }, DType::F32) => source.uniform_f32(out.as_mut_slice(), low, high),
            (Draws::Uniform { low, high }, _) => source.uniform_f64(out.as_mut_slice(), low, high),
            (Draws::Normal { mean, std }, DType::F32) => source.normal_f32(out.as_mut_slice(), mean, std),
            (Draws::Normal { mean, std }, _) => source.normal_f64(out.as_mut_slice(), mean, std),
            (Draws::Bernoulli { p }, _) => source.bernoulli(out.as_mut_slice(), p),
            (Draws::Integers { low, high }, _) => source.randint(out.as_mut_slice(), low, high),
        }
        out
    }

    /// Refuses what cannot be drawn.
    #[track_caller]
    pub(super) fn check(self, dtype: DType) {
        match self {
            Draws::Uniform { low, high } if dtype == DType::F32 => {
                check::uniform(low, high, f64::from(high as f32 - low as f32));
            }
            Draws::Uniform { low, high } => check::uniform(low, high, high - low),
            Draws::Normal { std, .. } => check::normal(std),
            Draws::Bernoulli { p } => check::probability(p),
            Draws::Integers { low, high } => check::randint(low, high),
        }
    }
}
