//! Random numbers that a seed alone decides.
//!
//! A [`Generator`] is PyTorch's `torch.Generator`: a shared handle that fills slices, one draw after the
//! other. There are two kinds. The default is [`ChaCha`]: a draw is a pure function of (seed, stream,
//! word position), so it does not depend on threads, workers or devices. [`TorchCompat`] repeats PyTorch's
//! CPU generator bit for bit: `manual_seed(TorchSeed(123))` gives the numbers of `torch.manual_seed(123)`.
//!
//! ```
//! use rushlight_array::random::{Generator, TorchSeed};
//!
//! let mut x = [0.0; 2];
//! Generator::new(TorchSeed(42)).uniform_f32(&mut x, 0.0, 1.0);
//! assert_eq!(x, [0.88226926, 0.91500396]); // torch.manual_seed(42); torch.rand(2)
//! ```

mod chacha;
mod check;
mod draws;
mod generator;
mod polynomial;
mod source;
mod torch;

pub use chacha::ChaCha;
pub use draws::{Draws, Stretch};
pub use generator::{Generator, GeneratorState};
pub use source::RandomSource;
pub use torch::TorchCompat;

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

/// A seed that asks for the PyTorch-compatible generator: `manual_seed(TorchSeed(123))`.
///
/// PyTorch's engine uses the low 32 bits alone. A negative Python seed is taken modulo 2^64: write
/// `TorchSeed(-1_i64 as u64)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TorchSeed(pub u64);

/// A seed together with the kind of generator it starts.
///
/// Every integer turns into a ChaCha seed (a negative one modulo 2^64), a [`TorchSeed`] into a Torch seed.
///
/// ```
/// use rushlight_array::random::{Seed, TorchSeed};
/// assert_eq!(Seed::from(123), Seed::ChaCha(123));
/// assert_eq!(Seed::from(-1), Seed::ChaCha(u64::MAX));
/// assert_eq!(Seed::from(TorchSeed(123)), Seed::Torch(123));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seed {
    /// The default generator, [`ChaCha`].
    ChaCha(u64),
    /// PyTorch's CPU generator, [`TorchCompat`].
    Torch(u64),
}

impl From<u64> for Seed {
    fn from(seed: u64) -> Seed {
        Seed::ChaCha(seed)
    }
}

impl From<i64> for Seed {
    fn from(seed: i64) -> Seed {
        Seed::ChaCha(seed as u64)
    }
}

impl From<i32> for Seed {
    fn from(seed: i32) -> Seed {
        Seed::from(i64::from(seed))
    }
}

impl From<u32> for Seed {
    fn from(seed: u32) -> Seed {
        Seed::ChaCha(u64::from(seed))
    }
}

impl From<usize> for Seed {
    fn from(seed: usize) -> Seed {
        Seed::ChaCha(seed as u64)
    }
}

impl From<TorchSeed> for Seed {
    fn from(seed: TorchSeed) -> Seed {
        Seed::Torch(seed.0)
    }
}

/// What a stream of random numbers is for: the upper 8 bits of its id, see [`Generator::stream`].
///
/// The numbers are part of the file format of checkpoints and never change. 0 is the generator itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights: 1.
    Init,
    /// Dropout masks: 2.
    Dropout,
    /// The order of a data set: 3. Leave a rank out of the index, so that all ranks agree.
    Shuffle,
    /// Augmentation of samples: 4.
    Augment,
    /// Draws from a model: 5.
    Sample,
    /// Streams of your own: `User(n)` is 128 + n, for n up to 127.
    User(u8),
}

impl Purpose {
    /// The fixed number, 1-255.
    ///
    /// # Panics
    /// If `User(n)` has n above 127.
    ///
    /// ```
    /// use rushlight_array::random::Purpose;
    /// assert_eq!(Purpose::Dropout.number(), 2);
    /// assert_eq!(Purpose::User(1).number(), 129);
    /// ```
    #[track_caller]
    pub const fn number(self) -> u8 {
        match self {
            Purpose::Init => 1,
            Purpose::Dropout => 2,
            Purpose::Shuffle => 3,
            Purpose::Augment => 4,
            Purpose::Sample => 5,
            Purpose::User(n) => {
                assert!(n < 128, "Purpose::User: the number must be at most 127");
                128 + n
            }
        }
    }
}

static DEFAULT: LazyLock<Generator> = LazyLock::new(|| {
    // The standard library keys its hash maps from the system's entropy: the one source std offers.
    Generator::new(RandomState::new().build_hasher().finish())
});

/// Seeds the default generator again and returns its handle, as `torch.manual_seed`.
///
/// That is the process-wide one; inside of [`with_default_generator`] it is the scope's own, and the
/// process-wide one stays as it is.
///
/// ```
/// use rushlight_array::random::{manual_seed, TorchSeed};
/// let mut weights = [0.0; 2];
/// manual_seed(TorchSeed(42)).normal_f32(&mut weights, 0.0, 1.0);
/// assert_eq!(weights, [0.33669037, 0.1288094]); // torch.manual_seed(42); torch.randn(2)
/// ```
pub fn manual_seed(seed: impl Into<Seed>) -> Generator {
    let generator = default_generator();
    generator.manual_seed(seed);
    generator
}

/// The default generator: the process-wide one, or that of the innermost [`with_default_generator`] that this
/// thread is in.
///
/// Until [`manual_seed`] is called the process-wide one is a [`ChaCha`] with a seed of the system's, different
/// in each run.
pub fn default_generator() -> Generator {
    // Taken off while `make` runs, so that a default generator asked for in there is the scope's outside.
    match SCOPES.with_borrow_mut(Vec::pop) {
        None => DEFAULT.clone(),
        Some(scope) => {
            let generator = match scope {
                Scope::Unasked(make) => make(),
                Scope::Made(generator) => generator,
            };
            SCOPES.with_borrow_mut(|scopes| scopes.push(Scope::Made(generator.clone())));
            generator
        }
    }
}

/// A call of [`with_default_generator`] while it runs.
enum Scope {
    /// Nobody has asked for the default generator yet.
    Unasked(Box<dyn FnOnce() -> Generator>),
    Made(Generator),
}

thread_local! {
    /// The scopes that this thread is in, the innermost last.
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` with another default generator on this thread: the one that `make` gives, which is called when
/// `f` first asks for it, or never.
///
/// So `f` can draw, seed and shuffle without a part in the draws of the rest of the program; a loader makes
/// every sample in such a scope. Scopes nest, and a scope ends with `f`, also by a panic. Threads that `f`
/// starts are not in it.
///
/// ```
/// use rushlight_array::random::{Generator, default_generator, manual_seed, with_default_generator};
/// let die = |generator: &Generator| {
///     let mut die = [0];
///     generator.randint(&mut die, 1, 7);
///     die
/// };
/// manual_seed(1);
/// let before = default_generator().state();
/// let scoped = with_default_generator(|| Generator::new(5), || die(&default_generator()));
/// assert_eq!(scoped, die(&Generator::new(5)));
/// assert_eq!(default_generator().state(), before);
/// ```
pub fn with_default_generator<R>(make: impl FnOnce() -> Generator + 'static, f: impl FnOnce() -> R) -> R {
    /// Ends the scopes from this depth on when it is dropped.
    struct End(usize);
    impl Drop for End {
        fn drop(&mut self) {
            // A generator's drop could ask for the default generator: not while the list is borrowed.
            let ended = SCOPES.with_borrow_mut(|scopes| scopes.split_off(self.0.min(scopes.len())));
            drop(ended);
        }
    }
    let _end = SCOPES.with_borrow_mut(|scopes| {
        scopes.push(Scope::Unasked(Box::new(make)));
        End(scopes.len() - 1)
    });
    f()
}
