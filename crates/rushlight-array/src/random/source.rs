use crate::order::sort_by;

/// A source of random words, and the fills made from them.
///
/// Four methods make a source: its words, its integers below a bound and its two normal fills. The
/// provided methods are PyTorch's algorithms; a source may override them.
///
/// The arguments are not checked here: [`Generator`](super::Generator) checks them before it draws, so that
/// a panic names the line of the caller and leaves the state as it was.
pub trait RandomSource {
    /// The next 32 random bits.
    fn next_u32(&mut self) -> u32;

    /// An integer in 0..`range`; `range` is at least 1.
    fn below(&mut self, range: u64) -> u64;

    /// Fills `out` with normal draws of the given mean and standard deviation.
    fn normal_f32(&mut self, out: &mut [f32], mean: f64, std: f64);

    /// Fills `out` with normal draws of the given mean and standard deviation.
    fn normal_f64(&mut self, out: &mut [f64], mean: f64, std: f64);

    /// The next 64 random bits: two words, the first is the upper half.
    fn next_u64(&mut self) -> u64 {
        let high = self.next_u32();
        u64::from(high) << 32 | u64::from(self.next_u32())
    }

    /// A uniform draw from \[0, 1), a multiple of 2^-24, from one word.
    fn unit_f32(&mut self) -> f32 {
        unit_f32(self.next_u32())
    }

    /// A uniform draw from \[0, 1), a multiple of 2^-53, from two words.
    fn unit_f64(&mut self) -> f64 {
        const MASK: u64 = (1 << 53) - 1;
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() & MASK) as f64 * SCALE
    }

    /// Fills `out` with uniform draws from \[`low`, `high`), one word each.
    fn uniform_f32(&mut self, out: &mut [f32], low: f64, high: f64) {
        let (low, high) = (low as f32, high as f32);
        for value in out {
            let x = self.unit_f32().mul_add(high - low, low);
            *value = if x == high { low } else { x };
        }
    }

    /// Fills `out` with uniform draws from \[`low`, `high`), two words each.
    fn uniform_f64(&mut self, out: &mut [f64], low: f64, high: f64) {
        for value in out {
            let x = self.unit_f64().mul_add(high - low, low);
            *value = if x == high { low } else { x };
        }
    }

    /// Fills `out` with integers of `low..high`.
    fn randint(&mut self, out: &mut [i64], low: i64, high: i64) {
        // The difference of two i64 always fits an u64.
        let range = high.wrapping_sub(low) as u64;
        for value in out {
            *value = low.wrapping_add(self.below(range) as i64);
        }
    }

    /// An integer of 0..2^63 from two words: PyTorch's `random_()` on an int64 tensor.
    fn random_i64(&mut self) -> i64 {
        (self.next_u64() & i64::MAX as u64) as i64
    }

    /// The integers 0..`n` in random order, from n - 1 draws of [`below`](RandomSource::below).
    ///
    /// PyTorch takes another way from n = 214 748 364 on; this one keeps to the shuffle.
    fn randperm(&mut self, n: usize) -> Vec<i64> {
        let mut order: Vec<i64> = (0..n as i64).collect();
        for i in 0..n.saturating_sub(1) {
            let ahead = self.below((n - i) as u64) as usize;
            order.swap(i, i + ahead);
        }
        order
    }

    /// Fills `out` with truth values, true with probability `p`, two words each.
    fn bernoulli(&mut self, out: &mut [bool], p: f64) {
        for value in out {
            *value = self.unit_f64() < p;
        }
    }

    /// Fills `out` with truth values, the i-th true with probability `probs[i]`, one word each.
    fn bernoulli_f32(&mut self, out: &mut [bool], probs: &[f32]) {
        for (value, &p) in out.iter_mut().zip(probs) {
            *value = self.unit_f32() < p;
        }
    }

    /// Fills `out` with truth values, the i-th true with probability `probs[i]`, two words each.
    fn bernoulli_f64(&mut self, out: &mut [bool], probs: &[f64]) {
        for (value, &p) in out.iter_mut().zip(probs) {
            *value = self.unit_f64() < p;
        }
    }

    /// One exponential draw of rate `lambda`, from two words.
    fn exponential(&mut self, lambda: f64) -> f64 {
        (-1.0 / lambda) * (-self.unit_f64()).ln_1p()
    }

    /// Fills `out` with exponential draws of rate `lambda`, made in f64, two words each.
    fn exponential_f32(&mut self, out: &mut [f32], lambda: f64) {
        for value in out {
            *value = self.exponential(lambda) as f32;
        }
    }

    /// Fills `out` with exponential draws of rate `lambda`, two words each.
    fn exponential_f64(&mut self, out: &mut [f64], lambda: f64) {
        for value in out {
            *value = self.exponential(lambda);
        }
    }

    /// Draws `k` places of `weights`, each with a chance in proportion to its weight.
    ///
    /// Without replacement the places with the largest w / q win, q exponential (the race of Efraimidis and
    /// Spirakis, 2006); with replacement a draw is searched in the running sums, kept in f32 as PyTorch does.
    fn multinomial_f32(&mut self, weights: &[f32], k: usize, replacement: bool) -> Vec<i64> {
        if replacement && k > 1 {
            let total: f32 = running_sums(weights).last().unwrap_or(0.0);
            let chances = running_sums(weights).map(|sum| f64::from(sum / total)).collect();
            return search_all(chances, k, || self.unit_f64());
        }
        let scores: Vec<f64> =
            weights.iter().map(|&w| f64::from(race(w, self.exponential(1.0) as f32))).collect();
        largest(&scores, k)
    }

    /// Draws `k` places of `weights`, as [`multinomial_f32`](RandomSource::multinomial_f32) but in f64.
    fn multinomial_f64(&mut self, weights: &[f64], k: usize, replacement: bool) -> Vec<i64> {
        if replacement && k > 1 {
            let total: f64 = running_sums(weights).last().unwrap_or(0.0);
            let chances = running_sums(weights).map(|sum| sum / total).collect();
            return search_all(chances, k, || self.unit_f64());
        }
        let scores: Vec<f64> = weights.iter().map(|&w| race(w, self.exponential(1.0))).collect();
        largest(&scores, k)
    }
}

/// The lower 24 bits of a word as a fraction.
#[inline]
pub(super) fn unit_f32(word: u32) -> f32 {
    const SCALE: f32 = 1.0 / (1 << 24) as f32;
    // Through i32, because x86 without AVX-512 converts no unsigned integers in one step.
    (word & 0x00ff_ffff) as i32 as f32 * SCALE
}

/// The sums of the first 1, 2, 3, ... weights, rounded in the type of the weights.
fn running_sums<T: Copy + Default + std::ops::Add<Output = T>>(weights: &[T]) -> impl Iterator<Item = T> {
    weights.iter().scan(T::default(), |sum, &w| {
        *sum = *sum + w;
        Some(*sum)
    })
}

/// `k` draws, each the first place whose running chance reaches a uniform draw.
fn search_all(mut chances: Vec<f64>, k: usize, mut uniform: impl FnMut() -> f64) -> Vec<i64> {
    if let Some(last) = chances.last_mut() {
        *last = 1.0;
    }
    let search = |u: f64| chances.partition_point(|&chance| chance < u) as i64;
    (0..k).map(|_| search(uniform())).collect()
}

/// w / q, but 0 for weight 0 even where q is 0.
fn race<T: Copy + Default + PartialEq + std::ops::Div<Output = T>>(weight: T, time: T) -> T {
    if weight == T::default() { weight } else { weight / time }
}

/// The places of the `k` largest scores, largest first; of equal ones the first place.
fn largest(scores: &[f64], k: usize) -> Vec<i64> {
    let descending = |&a: &i64, &b: &i64| scores[b as usize].total_cmp(&scores[a as usize]).then(a.cmp(&b));
    let mut places: Vec<i64> = (0..scores.len() as i64).collect();
    if k < places.len() {
        places.select_nth_unstable_by(k, descending);
        places.truncate(k);
    }
    sort_by(&mut places, descending);
    places
}
