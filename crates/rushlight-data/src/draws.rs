use crate::dataset::SampleSeed;
use rushlight_array::random::{Generator, default_generator};

/// The random numbers of one visit to one sample, for the transforms that it passes through.
///
/// In a loader they are the stream of its [`SampleSeed`], which depends on the epoch and the sample alone; so the
/// number of workers changes no augmentation. Outside of one they come from the default generator.
///
/// The draws are those of PyTorch's functions: with a Torch generator of the same seed, a transform does what
/// torchvision's does.
///
/// ```
/// use rushlight_array::random::{Generator, TorchSeed};
/// use rushlight_data::transforms::Draws;
/// let mut draws = Draws::new(Generator::new(TorchSeed(42)));
/// assert_eq!(draws.uniform(0.0, 1.0), 0.88226926); // torch.manual_seed(42); torch.rand(1)
/// ```
#[derive(Debug)]
pub struct Draws {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Nothing is drawn yet, so there is no generator: most samples need none.
    Seed(SampleSeed),
    Default,
    Generator(Generator),
}

impl Draws {
    /// Draws from a generator.
    pub fn new(generator: Generator) -> Draws {
        Draws { source: Source::Generator(generator) }
    }

    /// Draws from the default generator as it is when the first is made.
    pub fn from_default() -> Draws {
        Draws { source: Source::Default }
    }

    /// Draws from the stream of one visit to one sample.
    pub fn of(seed: SampleSeed) -> Draws {
        Draws { source: Source::Seed(seed) }
    }

    /// The generator that the numbers come from.
    pub fn generator(&mut self) -> &Generator {
        match self.source {
            Source::Seed(seed) => self.source = Source::Generator(seed.generator()),
            Source::Default => self.source = Source::Generator(default_generator()),
            Source::Generator(_) => {}
        }
        match &self.source {
            Source::Generator(generator) => generator,
            _ => unreachable!("it was made above"),
        }
    }

    /// One number of \[`low`, `high`), as `torch.empty(1).uniform_(low, high)`.
    ///
    /// # Panics
    /// If `low` is above `high`.
    #[track_caller]
    pub fn uniform(&mut self, low: f64, high: f64) -> f32 {
        let mut value = [0.0];
        self.generator().uniform_f32(&mut value, low, high);
        value[0]
    }

    /// True with probability `p`, as `torch.rand(1) < p`.
    pub fn chance(&mut self, p: f64) -> bool {
        // PyTorch, too, compares in f32.
        self.uniform(0.0, 1.0) < p as f32
    }

    /// A whole number below `end`, as `torch.randint(0, end, (1,))`.
    ///
    /// # Panics
    /// If `end` is 0.
    #[track_caller]
    pub fn below(&mut self, end: usize) -> usize {
        let mut value = [0];
        self.generator().randint(&mut value, 0, end as i64);
        value[0] as usize
    }
}
