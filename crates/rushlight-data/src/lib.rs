//! Data sets, samplers and the [`DataLoader`]: from samples, one by one, to batches.
//!
//! The central type is [`DataLoader`]. It asks a [`Sampler`] for the order of an epoch, a [`Dataset`] for the
//! samples, and a [`Collate`] rule for the batch, here or on worker threads.
//!
//! **One decision explained.** The numbers of an epoch depend on the generator alone. The order is drawn
//! before the first batch is made, in PyTorch's order of draws, and a batch is a pure function of its number. So
//! whoever is free may make it; batches come in order, a failing sample is reported in its place, and the worker
//! count, the batch size and the speed of a worker change nothing. A sample that needs random numbers of its own
//! (augmentation) gets a [`SampleSeed`], which no worker has a part in.
//!
//! Modules and training are not known here.
//!
//! ```
//! use rushlight_array::random::{Generator, TorchSeed};
//! use rushlight_autograd::tensor;
//! use rushlight_data::{DataLoader, TensorDataset};
//!
//! let x = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
//! let y = tensor([0, 0, 0, 1, 1]);
//! let loader = DataLoader::new(TensorDataset::new(x, y))
//!     .batch_size(2)
//!     .shuffle(true)
//!     .generator(Generator::new(TorchSeed(123)));
//!
//! let mut sizes = Vec::new();
//! for batch in &loader {
//!     let (features, labels) = batch?;
//!     assert_eq!(features.len(), labels.len());
//!     sizes.push(labels.len());
//! }
//! assert_eq!(sizes, [2, 2, 1]);
//! # Ok::<(), rushlight_array::Error>(())
//! ```

mod batches;
mod collate;
mod concat;
mod dataset;
pub mod datasets;
mod digits;
mod distributed;
mod draws;
mod epoch;
pub mod idx;
mod image;
mod images;
mod iterable;
mod loader;
mod map;
mod pin;
mod progress;
mod sampler;
mod state;
mod subset;
mod tensor_dataset;
pub mod transforms;
mod visits;
mod workers;

pub use batches::Batches;
pub use collate::{Collate, CollateFn, DefaultCollate};
pub use concat::ConcatDataset;
pub use dataset::{Dataset, FromFn, SampleSeed, from_fn};
pub use digits::Digits;
pub use distributed::DistributedSampler;
pub use image::{Image, Pixels};
pub use images::{ImageDataset, InMemoryImages, TransformDataset};
pub use iterable::{IterableBatches, IterableDataset, IterableLoader};
pub use loader::DataLoader;
pub use map::MapDataset;
pub use pin::Pinned;
pub use sampler::{
    BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler,
};
pub use state::{EpochState, LoaderState, OrderState};
pub use subset::{Portion, Subset, random_split};
pub use tensor_dataset::{Rows, TensorDataset};
pub use visits::Visits;
