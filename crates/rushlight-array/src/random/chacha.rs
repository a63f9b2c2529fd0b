use super::RandomSource;
use super::polynomial::normal_pair;
use super::source::unit_f32;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::f64::consts::TAU;
use std::fmt;

/// The default source: ChaCha with 8 rounds (D. J. Bernstein, 2008), addressed by (seed, stream, position).
///
/// The seed is the lower 64 bits of the key (the other 192 are 0), the stream is the nonce, the position counts 32-bit
/// words. Value i of a fill that starts at word p needs no other value, because every value takes a
/// fixed number of words:
///
/// | draw | words |
/// | --- | --- |
/// | uniform f32, `bernoulli_f32` | 1 |
/// | uniform f64, integer, `bernoulli`, `bernoulli_f64`, exponential | 2 |
/// | a pair of normals f32 | 2 |
/// | a pair of normals f64 | 4 |
/// | `randperm(n)` | 2 (n - 1) |
/// | `multinomial` of n weights, without replacement or k = 1 | 2 n |
/// | `multinomial` of k > 1 with replacement | 2 k |
///
/// So a fill cut into pieces gives the same values as in one go; pieces of normals must have an even length,
/// because a normal fill of odd length uses up its last pair.
///
/// f32 draws have the same bits on every machine, the exponential aside; f64 normals and exponentials go
/// through the C library's `ln`, `sin` and `cos`, which may differ in the last bit elsewhere.
///
/// ```
/// use rushlight_array::random::{ChaCha, RandomSource};
/// let mut whole = [0.0; 1000];
/// let mut tail = [0.0; 400];
/// ChaCha::new(7, 0, 0).uniform_f32(&mut whole, -1.0, 1.0);
/// ChaCha::new(7, 0, 600).uniform_f32(&mut tail, -1.0, 1.0);
/// assert_eq!(whole[600..], tail);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ChaCha {
    seed: u64,
    words: ChaCha8Rng,
}

/// Words taken at a time by the f32 fills, in loops that the compiler vectorises.
const BLOCK: usize = 64;

impl ChaCha {
    /// The stream number `stream` of `seed`, from its word number `position` on.
    pub fn new(seed: u64, stream: u64, position: u64) -> ChaCha {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut words = ChaCha8Rng::from_seed(key);
        words.set_stream(stream);
        words.set_word_pos(u128::from(position));
        ChaCha { seed, words }
    }

    /// The same stream from its word number `position` on: what a thread needs to fill its chunk alone.
    pub fn at(&self, position: u64) -> ChaCha {
        ChaCha::new(self.seed, self.stream(), position)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of the stream.
    pub fn stream(&self) -> u64 {
        self.words.get_stream()
    }

    /// How many words of the stream are used up.
    pub fn position(&self) -> u64 {
        self.words.get_word_pos() as u64
    }

    /// Leaves out so many words.
    pub(super) fn skip(&mut self, words: u64) {
        self.words.set_word_pos(self.words.get_word_pos().wrapping_add(u128::from(words)));
    }

    /// The next standard normals: the first and the second ones of `pairs` pairs, at most half a [`BLOCK`].
    fn normal_pairs_f32(&mut self, pairs: usize) -> ([f32; BLOCK / 2], [f32; BLOCK / 2]) {
        let words = self.block(2 * pairs);
        let (mut first, mut second) = ([0.0; BLOCK / 2], [0.0; BLOCK / 2]);
        for i in 0..BLOCK / 2 {
            // 31 bits, and never 0: the tail ends at 6.7 standard deviations, with 24 bits it would at 5.8.
            let u1 = ((words[2 * i] >> 1) as i32 as f32 + 0.5) * (1.0 / (1_u32 << 31) as f32);
            (first[i], second[i]) = normal_pair(u1, unit_f32(words[2 * i + 1]), mad);
        }
        (first, second)
    }

    /// The next `count` words, at most [`BLOCK`]; the rest of the array stays 0.
    fn block(&mut self, count: usize) -> [u32; BLOCK] {
        let mut bytes = [0; 4 * BLOCK];
        self.words.fill_bytes(&mut bytes[..4 * count]);
        let (words, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|i| u32::from_le_bytes(words[i]))
    }

    fn normal_pair_f64(&mut self) -> (f64, f64) {
        let radius = (-2.0 * (1.0 - self.unit_f64()).ln()).sqrt();
        let (sin, cos) = (TAU * self.unit_f64()).sin_cos();
        (radius * cos, radius * sin)
    }
}

/// Rounded twice: no call into the C library where the processor's fused instruction may not be assumed.
fn mad(a: f32, b: f32, c: f32) -> f32 {
    a * b + c
}

impl RandomSource for ChaCha {
    fn next_u32(&mut self) -> u32 {
        self.words.next_u32()
    }

    /// Two words by D. Lemire's multiply-shift (2019) without its rejection, which would take a varying
    /// number of words; the bias is below `range` / 2^64.
    fn below(&mut self, range: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(range)) >> 64) as u64
    }

    fn uniform_f32(&mut self, out: &mut [f32], low: f64, high: f64) {
        let (low, high) = (low as f32, high as f32);
        let range = high - low;
        for block in out.chunks_mut(BLOCK) {
            let words = self.block(block.len());
            for (value, word) in block.iter_mut().zip(words) {
                let x = unit_f32(word) * range + low;
                // Rounding can reach `high`, and even pass it where |high| is tiny beside |low|.
                *value = if x < high { x } else { low };
            }
        }
    }

    fn uniform_f64(&mut self, out: &mut [f64], low: f64, high: f64) {
        let range = high - low;
        for value in out {
            let x = self.unit_f64() * range + low;
            *value = if x < high { x } else { low };
        }
    }

    fn normal_f32(&mut self, out: &mut [f32], mean: f64, std: f64) {
        let (mean, std) = (mean as f32, std as f32);
        for block in out.chunks_mut(BLOCK) {
            let (first, second) = self.normal_pairs_f32(block.len().div_ceil(2));
            for (i, value) in block.iter_mut().enumerate() {
                let z = if i % 2 == 0 { first[i / 2] } else { second[i / 2] };
                *value = z * std + mean;
            }
        }
    }

    fn normal_f64(&mut self, out: &mut [f64], mean: f64, std: f64) {
        for pair in out.chunks_mut(2) {
            let (first, second) = self.normal_pair_f64();
            for (value, z) in pair.iter_mut().zip([first, second]) {
                *value = z * std + mean;
            }
        }
    }
}

impl fmt::Debug for ChaCha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChaCha")
            .field("seed", &self.seed)
            .field("stream", &self.stream())
            .field("position", &self.position())
            .finish()
    }
}
