use super::{ChaCha, Draws, Purpose, RandomSource, Seed, Stretch, TorchCompat, check};
use crate::dtype::DType;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A random number generator: a shared handle to one source, as `torch.Generator`.
///
/// A clone draws from the same source, and threads may share it; the order of their draws is then theirs. Where
/// the numbers must not depend on such an order, give each thread a [`stream`](Generator::stream).
///
/// ```
/// use rushlight_array::random::Generator;
/// let generator = Generator::new(0);
/// let mut x = [0; 5];
/// generator.clone().randint(&mut x, 1, 7);
/// assert!(x.iter().all(|die| (1..7).contains(die)));
///
/// generator.manual_seed(0);
/// let mut y = [0; 5];
/// generator.randint(&mut y, 1, 7);
/// assert_eq!(x, y);
/// ```
#[derive(Clone)]
pub struct Generator(Arc<Mutex<Seeded>>);

/// All that a generator needs to go on exactly where it was: plain data for a checkpoint.
#[derive(Clone, PartialEq, Debug)]
pub enum GeneratorState {
    /// Of a [`ChaCha`] generator.
    ChaCha {
        /// The initial seed.
        seed: u64,
        /// The stream id, 0 for a generator that is not a stream.
        stream: u64,
        /// The number of words used up.
        position: u64,
    },
    /// Of a [`TorchCompat`] generator.
    Torch {
        /// The initial seed.
        seed: u64,
        /// The words of the current block.
        words: Box<[u32; 624]>,
        /// The number of words used up in the block, 0-624.
        position: usize,
        /// The second half of a pair of standard normals.
        kept_normal: Option<f64>,
    },
}

struct Seeded {
    seed: Seed,
    source: Source,
}

enum Source {
    ChaCha(Box<ChaCha>),
    Torch(Box<TorchCompat>),
}

impl Seeded {
    fn new(seed: Seed) -> Seeded {
        Seeded::stream(seed, 0)
    }

    /// The source number `id` of `seed`; number 0 is that of the generator itself.
    fn stream(seed: Seed, id: u64) -> Seeded {
        let source = match seed {
            Seed::ChaCha(seed) => Source::ChaCha(Box::new(ChaCha::new(seed, id, 0))),
            Seed::Torch(seed) => Source::Torch(Box::new(TorchCompat::new(torch_stream_seed(seed, id)))),
        };
        Seeded { seed, source }
    }

    fn source(&mut self) -> &mut dyn RandomSource {
        match &mut self.source {
            Source::ChaCha(source) => &mut **source,
            Source::Torch(source) => &mut **source,
        }
    }
}

/// Stream 0 has the seed itself; another has `mix(mix(seed) ^ id)`, of which the engine uses the low 32 bits.
fn torch_stream_seed(seed: u64, id: u64) -> u64 {
    if id == 0 { seed } else { mix(mix(seed) ^ id) }
}

/// The output function of SplitMix64 (Steele, Lea, Flood, 2014; constants of Stafford's variant 13).
fn mix(mut z: u64) -> u64 {
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

impl Generator {
    /// A generator of the seed's kind: an integer gives [`ChaCha`], a [`TorchSeed`](super::TorchSeed) gives
    /// [`TorchCompat`].
    pub fn new(seed: impl Into<Seed>) -> Generator {
        Generator(Arc::new(Mutex::new(Seeded::new(seed.into()))))
    }

    /// Starts anew from `seed`, for every clone of this handle; the kind becomes the seed's.
    pub fn manual_seed(&self, seed: impl Into<Seed>) {
        *self.lock() = Seeded::new(seed.into());
    }

    /// The seed of the last [`manual_seed`](Generator::manual_seed), or the first one.
    pub fn initial_seed(&self) -> Seed {
        self.lock().seed
    }

    /// A new generator of the same kind with another seed; this one draws nothing.
    pub fn fork(&self, seed: u64) -> Generator {
        Generator::new(match self.initial_seed() {
            Seed::ChaCha(_) => Seed::ChaCha(seed),
            Seed::Torch(_) => Seed::Torch(seed),
        })
    }

    /// A new generator that depends on nothing but the initial seed and the arguments, whatever was drawn.
    ///
    /// The stream's id is `purpose` (8 bits), `step` or epoch (24 bits), `index` of a worker, layer or sample
    /// (32 bits). A ChaCha generator has one independent stream for each id. A Torch generator is seeded
    /// anew with `mix(mix(seed) ^ id)` (mix: the output function of SplitMix64); PyTorch's engine keeps 32
    /// bits of that, so two ids share a stream with a chance of 2^-32.
    ///
    /// A stream has the initial seed of its parent, so the streams of a stream are those of the parent.
    ///
    /// # Panics
    /// If `step` is 2^24 or more, `index` is 2^32 or more, or `purpose` is `User(n)` with n above 127.
    ///
    /// ```
    /// use rushlight_array::random::{Generator, Purpose};
    /// let generator = Generator::new(0);
    /// let before = generator.stream(Purpose::Shuffle, 3, 0).randperm(10);
    /// generator.random_i64();
    /// assert_eq!(generator.stream(Purpose::Shuffle, 3, 0).randperm(10), before);
    /// ```
    #[track_caller]
    pub fn stream(&self, purpose: Purpose, step: u64, index: u64) -> Generator {
        check::stream(step, index);
        let id = u64::from(purpose.number()) << 56 | step << 32 | index;
        Generator(Arc::new(Mutex::new(Seeded::stream(self.initial_seed(), id))))
    }

    /// The present state.
    pub fn state(&self) -> GeneratorState {
        let seeded = self.lock();
        let (Seed::ChaCha(seed) | Seed::Torch(seed)) = seeded.seed;
        match &seeded.source {
            Source::ChaCha(source) => {
                GeneratorState::ChaCha { seed, stream: source.stream(), position: source.position() }
            }
            Source::Torch(source) => GeneratorState::Torch {
                seed,
                words: Box::new(*source.words()),
                position: source.position(),
                kept_normal: source.kept_normal(),
            },
        }
    }

    /// Goes on from `state`, of either kind.
    ///
    /// # Panics
    /// If the position of a Torch state is above 624.
    ///
    /// ```
    /// use rushlight_array::random::Generator;
    /// let generator = Generator::new(1);
    /// let state = generator.state();
    /// let order = generator.randperm(8);
    /// generator.set_state(&state);
    /// assert_eq!(generator.randperm(8), order);
    /// ```
    #[track_caller]
    pub fn set_state(&self, state: &GeneratorState) {
        let seeded = match state {
            &GeneratorState::ChaCha { seed, stream, position } => Seeded {
                seed: Seed::ChaCha(seed),
                source: Source::ChaCha(Box::new(ChaCha::new(seed, stream, position))),
            },
            GeneratorState::Torch { seed, words, position, kept_normal } => Seeded {
                seed: Seed::Torch(*seed),
                source: Source::Torch(Box::new(TorchCompat::from_parts(**words, *position, *kept_normal))),
            },
        };
        *self.lock() = seeded;
    }

    /// Every argument is checked before a draw, so a panic elsewhere cannot leave half a state behind.
    fn lock(&self) -> MutexGuard<'_, Seeded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The draws. An empty slice uses up nothing.
impl Generator {
    /// Where in its stream a [`ChaCha`] generator would draw these; it goes on behind them, as if it had. `None` for a
    /// [`TorchCompat`] generator, which stays where it is: its draws depend on all before them.
    ///
    /// ```
    /// use rushlight_array::DType;
    /// use rushlight_array::random::{Draws, Generator};
    /// let (drawn, claimed) = (Generator::new(1), Generator::new(1));
    /// let mut x = [0.0; 5];
    /// drawn.normal_f32(&mut x, 0.0, 1.0);
    /// let draws = Draws::Normal { mean: 0.0, std: 1.0 };
    /// let from = claimed.claim(draws, DType::F32, 5).unwrap();
    /// assert_eq!(draws.on_host(from, DType::F32, 5).as_slice::<f32>(), x);
    /// assert_eq!(claimed.state(), drawn.state());
    /// ```
    ///
    /// # Panics
    /// As the draws of the generator.
    #[track_caller]
    pub fn claim(&self, draws: Draws, dtype: DType, count: usize) -> Option<Stretch> {
        draws.check(dtype);
        match &mut self.lock().source {
            Source::ChaCha(source) => {
                let from =
                    Stretch { seed: source.seed(), stream: source.stream(), position: source.position() };
                source.skip(draws.words(dtype, count));
                Some(from)
            }
            Source::Torch(_) => None,
        }
    }

    /// Fills `out` with uniform draws from \[`low`, `high`), as `uniform_`; all `low` where the two are equal.
    ///
    /// # Panics
    /// If `low` is above `high` or one is NaN; if `high - low` is not finite in f32.
    #[track_caller]
    pub fn uniform_f32(&self, out: &mut [f32], low: f64, high: f64) {
        check::uniform(low, high, f64::from(high as f32 - low as f32));
        self.lock().source().uniform_f32(out, low, high);
    }

    /// Fills `out` with uniform draws from \[`low`, `high`), as `uniform_`; all `low` where the two are equal.
    ///
    /// # Panics
    /// If `low` is above `high` or one is NaN; if `high - low` is not finite.
    #[track_caller]
    pub fn uniform_f64(&self, out: &mut [f64], low: f64, high: f64) {
        check::uniform(low, high, high - low);
        self.lock().source().uniform_f64(out, low, high);
    }

    /// Fills `out` with normal draws of the given mean and standard deviation, as `normal_`.
    ///
    /// # Panics
    /// If `std` is negative or NaN.
    #[track_caller]
    pub fn normal_f32(&self, out: &mut [f32], mean: f64, std: f64) {
        check::normal(std);
        self.lock().source().normal_f32(out, mean, std);
    }

    /// Fills `out` with normal draws of the given mean and standard deviation, as `normal_`.
    ///
    /// # Panics
    /// If `std` is negative or NaN.
    #[track_caller]
    pub fn normal_f64(&self, out: &mut [f64], mean: f64, std: f64) {
        check::normal(std);
        self.lock().source().normal_f64(out, mean, std);
    }

    /// Fills `out` with integers from `low` to `high - 1`, as `randint`.
    ///
    /// # Panics
    /// Unless `low < high`.
    #[track_caller]
    pub fn randint(&self, out: &mut [i64], low: i64, high: i64) {
        check::randint(low, high);
        self.lock().source().randint(out, low, high);
    }

    /// An integer from 0 to 2^63 - 1, as `random_` on an int64 tensor: a seed for another generator.
    pub fn random_i64(&self) -> i64 {
        self.lock().source().random_i64()
    }

    /// The integers from 0 to n - 1 in random order, as `randperm`.
    pub fn randperm(&self, n: usize) -> Vec<i64> {
        self.lock().source().randperm(n)
    }

    /// Fills `out` with truth values that are true with probability `p`, as `bernoulli_(p)`.
    ///
    /// # Panics
    /// Unless `p` is between 0 and 1.
    #[track_caller]
    pub fn bernoulli(&self, out: &mut [bool], p: f64) {
        check::probability(p);
        self.lock().source().bernoulli(out, p);
    }

    /// Fills `out` with truth values, the i-th true with probability `probs[i]`, as `torch.bernoulli`.
    ///
    /// # Panics
    /// If the lengths differ or a probability is not between 0 and 1.
    #[track_caller]
    pub fn bernoulli_f32(&self, out: &mut [bool], probs: &[f32]) {
        check::probabilities(out.len(), probs.iter().map(|&p| f64::from(p)));
        self.lock().source().bernoulli_f32(out, probs);
    }

    /// Fills `out` with truth values, the i-th true with probability `probs[i]`, as `torch.bernoulli`.
    ///
    /// # Panics
    /// If the lengths differ or a probability is not between 0 and 1.
    #[track_caller]
    pub fn bernoulli_f64(&self, out: &mut [bool], probs: &[f64]) {
        check::probabilities(out.len(), probs.iter().copied());
        self.lock().source().bernoulli_f64(out, probs);
    }

    /// Fills `out` with exponential draws of rate `lambda` (mean 1 / `lambda`), as `exponential_`.
    ///
    /// # Panics
    /// Unless `lambda` is above 0.
    #[track_caller]
    pub fn exponential_f32(&self, out: &mut [f32], lambda: f64) {
        check::exponential(lambda);
        self.lock().source().exponential_f32(out, lambda);
    }

    /// Fills `out` with exponential draws of rate `lambda` (mean 1 / `lambda`), as `exponential_`.
    ///
    /// # Panics
    /// Unless `lambda` is above 0.
    #[track_caller]
    pub fn exponential_f64(&self, out: &mut [f64], lambda: f64) {
        check::exponential(lambda);
        self.lock().source().exponential_f64(out, lambda);
    }

    /// `k` places of one row of `weights`, each drawn in proportion to its weight, as `multinomial`.
    ///
    /// PyTorch hands out places of weight 0 where `k` is above the number of the others; here that panics.
    ///
    /// # Panics
    /// If a weight is negative, NaN or infinite; if their sum is 0 or overflows; if `k` is 0; without
    /// `replacement`, if `k` is above the number of weights that are not 0.
    ///
    /// ```
    /// use rushlight_array::random::Generator;
    /// assert_eq!(Generator::new(0).multinomial_f32(&[0.0, 0.5, 0.0], 3, true), [1, 1, 1]);
    /// ```
    #[track_caller]
    pub fn multinomial_f32(&self, weights: &[f32], k: usize, replacement: bool) -> Vec<i64> {
        let total: f32 = weights.iter().sum();
        let each = weights.iter().map(|&w| f64::from(w));
        check::multinomial(each, f64::from(total), k, replacement);
        self.lock().source().multinomial_f32(weights, k, replacement)
    }

    /// `k` places of one row of `weights`, as [`multinomial_f32`](Generator::multinomial_f32).
    ///
    /// # Panics
    /// As [`multinomial_f32`](Generator::multinomial_f32).
    #[track_caller]
    pub fn multinomial_f64(&self, weights: &[f64], k: usize, replacement: bool) -> Vec<i64> {
        let total = weights.iter().sum();
        check::multinomial(weights.iter().copied(), total, k, replacement);
        self.lock().source().multinomial_f64(weights, k, replacement)
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeded = self.lock();
        let mut fields = f.debug_struct("Generator");
        fields.field("seed", &seeded.seed);
        match &seeded.source {
            Source::ChaCha(source) => {
                fields.field("stream", &source.stream()).field("position", &source.position())
            }
            Source::Torch(source) => fields.field("position", &source.position()),
        };
        fields.finish()
    }
}
