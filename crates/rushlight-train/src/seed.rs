use rushlight_array::random::{Generator, Seed, manual_seed};

/// Seeds all that rushlight draws from, and returns the default generator: Lightning's `seed_everything`.
///
/// There is one source: initial weights, shuffles, dropout and augmentation come from the default generator and from
/// streams that it seeds, on whatever threads and workers. So this is `manual_seed` by the name that texts use. Generators
/// that a program makes itself have seeds of their own.
///
/// ```
/// use rushlight_autograd::rand;
/// use rushlight_train::seed_everything;
/// seed_everything(7);
/// let first = rand([3]);
/// seed_everything(7);
/// assert!(rand([3]).equal(&first));
/// ```
pub fn seed_everything(seed: impl Into<Seed>) -> Generator {
    manual_seed(seed)
}
