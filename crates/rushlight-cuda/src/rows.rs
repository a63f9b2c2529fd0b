//! Rows of neighbouring elements, each worked on by a team of threads that holds it in registers.

use crate::launch::{Grid, THREADS};
use rushlight_array::DType;

/// A team: how long rows it is for, its threads, and the kernels for f32 and f64.
struct Team {
    most: usize,
    threads: usize,
    variants: [&'static str; 2],
}

const fn team(most: usize, threads: usize, variants: [&'static str; 2]) -> Team {
    Team { most, threads, variants }
}

/// As in the kernels: `32x8` is for 32 threads with eight elements each.
const TEAMS: [Team; 6] = [
    team(16, 8, ["8x2_f32", "8x2_f64"]),
    team(64, 16, ["16x4_f32", "16x4_f64"]),
    team(256, 32, ["32x8_f32", "32x8_f64"]),
    team(1024, 32, ["32x32_f32", "32x32_f64"]),
    team(4096, 256, ["256x16_f32", "256x16_f64"]),
    // What does not fit is read again.
    team(usize::MAX, 512, ["512x32_f32", "512x32_f64"]),
];

/// The kernels and the blocks for so many rows, at least one, of a size.
pub(crate) fn rows(count: usize, size: usize, dtype: DType) -> (&'static str, Grid) {
    let team = TEAMS.iter().find(|team| size <= team.most).expect("the last is for all sizes");
    let block = team.threads.max(THREADS as usize);
    let blocks = count.div_ceil(block / team.threads);
    (team.variants[usize::from(dtype != DType::F32)], Grid::of([blocks as u32, 1, 1], block as u32))
}

/// The name of a dtype of floats.
pub(crate) fn float(dtype: DType) -> &'static str {
    if dtype == DType::F32 { "f32" } else { "f64" }
}
