use crate::sampler::Sampler;
use rushlight_array::random::{Generator, GeneratorState, Seed, default_generator, with_default_generator};

/// Where a loader stands: what [`DataLoader::state_dict`](crate::DataLoader::state_dict) gives. Plain data, for a
/// checkpoint.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct LoaderState {
    /// How many batches of the epoch were read.
    pub batches: usize,
    /// The epoch, if one has begun and not ended.
    pub epoch: Option<EpochState>,
    /// The generator that the loader was given, if it was, as it is now.
    pub generator: Option<GeneratorState>,
}

/// An epoch that has begun.
#[derive(Clone, PartialEq, Debug)]
pub struct EpochState {
    /// The base seed of its samples.
    pub seed: Seed,
    /// How its order was drawn; nothing before the first batch, where it is not drawn yet.
    pub order: Option<OrderState>,
}

/// What the order of an epoch is drawn again from.
#[derive(Clone, PartialEq, Debug)]
pub struct OrderState {
    /// The generator before the sampler drew from it: the loader's, or the default one.
    pub generator: GeneratorState,
    /// A hash of the order and the batch size, to notice another data set.
    pub hash: u64,
}

impl OrderState {
    /// Draws an order, and says from what.
    #[track_caller]
    pub(crate) fn draw(
        sampler: &dyn Sampler,
        generator: Option<&Generator>,
        batch_size: usize,
    ) -> (Vec<usize>, OrderState) {
        let before = generator.cloned().unwrap_or_else(default_generator).state();
        let order = sampler.indices(generator);
        let hash = hash(&order, batch_size);
        (order, OrderState { generator: before, hash })
    }

    /// Draws the same order once more, with no part in the draws of anything else. The reason says what is
    /// different if it is not the same.
    pub(crate) fn draw_again(
        &self,
        sampler: &dyn Sampler,
        own_generator: bool,
        batch_size: usize,
    ) -> Result<Vec<usize>, String> {
        let generator = Generator::new(0);
        generator.set_state(&self.generator);
        let order = if own_generator {
            sampler.indices(Some(&generator))
        } else {
            with_default_generator(move || generator, || sampler.indices(None))
        };
        if hash(&order, batch_size) == self.hash {
            return Ok(order);
        }
        Err(format!(
            "the order of the epoch, {} samples in batches of {batch_size}, is not the one that was saved; \
             data set, sampler (with its epoch) and batch size must be the same",
            order.len()
        ))
    }
}

/// FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo, 1991) over the numbers.
fn hash(order: &[usize], batch_size: usize) -> u64 {
    let numbers = order.iter().chain([&batch_size]);
    numbers.fold(0xcbf2_9ce4_8422_2325, |hash, &number| {
        (number as u64)
            .to_le_bytes()
            .iter()
            .fold(hash, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    })
}
