use super::RandomSource;
use super::polynomial::normal_pair;
use std::f64::consts::TAU;

/// PyTorch's CPU generator, bit for bit: MT19937 with PyTorch's way of turning words into numbers.
///
/// Checked against PyTorch 2.15 on x86-64. Where PyTorch's builds differ (multiply-adds rounded once or
/// twice), this is the build for processors with AVX2 or AVX-512. Its f64 normals and its exponentials
/// use the C library's `ln`, `cos` and `sin`, as PyTorch does.
///
/// Seeds that differ by a multiple of 2^32 give the same stream.
///
/// ```
/// use rushlight_array::random::{RandomSource, TorchCompat};
/// let mut source = TorchCompat::new(5489);
/// assert_eq!(source.next_u32(), 3_499_211_612); // Matsumoto and Nishimura's reference output
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct TorchCompat {
    words: [u32; 624],
    position: usize,
    kept_normal: Option<f64>,
}

/// Below this length PyTorch draws normals one at a time.
const NORMAL_BLOCK: usize = 16;

impl TorchCompat {
    /// The generator after `torch.manual_seed(seed)`.
    pub fn new(seed: u64) -> TorchCompat {
        let mut words = [0; 624];
        words[0] = seed as u32;
        for j in 1..624 {
            // Knuth, The Art of Computer Programming, volume 2, third edition, section 3.3.4, line 30.
            let last: u32 = words[j - 1];
            words[j] = 1_812_433_253_u32.wrapping_mul(last ^ last >> 30).wrapping_add(j as u32);
        }
        TorchCompat { words, position: 624, kept_normal: None }
    }

    /// The generator that goes on from a saved state.
    ///
    /// # Panics
    /// If `position` is above 624.
    #[track_caller]
    pub fn from_parts(words: [u32; 624], position: usize, kept_normal: Option<f64>) -> TorchCompat {
        assert!(position <= 624, "TorchCompat: position {position} must be at most 624");
        TorchCompat { words, position, kept_normal }
    }

    /// The words of the engine's current block.
    pub fn words(&self) -> &[u32; 624] {
        &self.words
    }

    /// How many words of the block are used up, 0-624.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The second half of a pair of standard normals, kept for the next short normal fill.
    pub fn kept_normal(&self) -> Option<f64> {
        self.kept_normal
    }

    /// One standard normal in f64, from a pair of which the second is kept.
    fn next_normal(&mut self) -> f64 {
        if let Some(kept) = self.kept_normal.take() {
            return kept;
        }
        let angle = TAU * self.unit_f64();
        let radius = (-2.0 * (-self.unit_f64()).ln_1p()).sqrt();
        self.kept_normal = Some(radius * angle.sin());
        radius * angle.cos()
    }

    fn next_block(&mut self) {
        let words = &mut self.words;
        for k in 0..624 {
            let y = words[k] & 0x8000_0000 | words[(k + 1) % 624] & 0x7fff_ffff;
            let twist = if y & 1 == 0 { 0 } else { 0x9908_b0df };
            words[k] = words[(k + 397) % 624] ^ y >> 1 ^ twist;
        }
        self.position = 0;
    }
}

impl RandomSource for TorchCompat {
    fn next_u32(&mut self) -> u32 {
        if self.position == 624 {
            self.next_block();
        }
        let mut y = self.words[self.position];
        self.position += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// One word where `range` is below 2^28, two otherwise (PyTorch 2.15; older releases change at 2^32).
    fn below(&mut self, range: u64) -> u64 {
        let bits = if range < 1 << 28 { u64::from(self.next_u32()) } else { self.next_u64() };
        bits % range
    }

    fn normal_f32(&mut self, out: &mut [f32], mean: f64, std: f64) {
        if out.len() < NORMAL_BLOCK {
            out.iter_mut().for_each(|value| *value = self.next_normal().mul_add(std, mean) as f32);
            return;
        }
        self.uniform_f32(out, 0.0, 1.0);
        let transform = |block: &mut [f32]| normal_block_f32(block, mean as f32, std as f32);
        out.chunks_exact_mut(NORMAL_BLOCK).for_each(transform);
        if !out.len().is_multiple_of(NORMAL_BLOCK) {
            let last = last_block(out);
            self.uniform_f32(last, 0.0, 1.0);
            transform(last);
        }
    }

    fn normal_f64(&mut self, out: &mut [f64], mean: f64, std: f64) {
        if out.len() < NORMAL_BLOCK {
            out.iter_mut().for_each(|value| *value = self.next_normal().mul_add(std, mean));
            return;
        }
        self.uniform_f64(out, 0.0, 1.0);
        let transform = |block: &mut [f64]| normal_block_f64(block, mean, std);
        out.chunks_exact_mut(NORMAL_BLOCK).for_each(transform);
        if !out.len().is_multiple_of(NORMAL_BLOCK) {
            let last = last_block(out);
            self.uniform_f64(last, 0.0, 1.0);
            transform(last);
        }
    }
}

/// PyTorch draws the last 16 places anew when the length is no multiple of 16, finished ones included.
fn last_block<T>(out: &mut [T]) -> &mut [T] {
    let start = out.len() - NORMAL_BLOCK;
    &mut out[start..]
}

/// Turns 16 uniform draws into normals: place j and place j + 8 make a pair.
fn normal_block_f32(block: &mut [f32], mean: f32, std: f32) {
    for j in 0..8 {
        let (first, second) = normal_pair(1.0 - block[j], block[j + 8], f32::mul_add);
        block[j] = first.mul_add(std, mean);
        block[j + 8] = second.mul_add(std, mean);
    }
}

fn normal_block_f64(block: &mut [f64], mean: f64, std: f64) {
    for j in 0..8 {
        let radius = (-2.0 * (1.0 - block[j]).ln()).sqrt();
        let angle = TAU * block[j + 8];
        block[j] = (radius * angle.cos()).mul_add(std, mean);
        block[j + 8] = (radius * angle.sin()).mul_add(std, mean);
    }
}
