//! Data sets and loaders.
//!
//! # A data set
//!
//! ```python
//! class ToyDataset(Dataset):
//!     def __init__(self, X, y):
//!         self.features = X
//!         self.labels = y
//!
//!     def __getitem__(self, index):
//!         return self.features[index], self.labels[index]
//!
//!     def __len__(self):
//!         return self.labels.shape[0]
//!
//! train_ds = ToyDataset(X_train, y_train)
//! len(train_ds)     # 5
//! ```
//!
//! ```
//! use rushlight::Result;
//! use rushlight::prelude::*;
//!
//! struct ToyDataset {
//!     features: Tensor,
//!     labels: Tensor,
//! }
//!
//! impl Dataset for ToyDataset {
//!     type Item = (Tensor, Tensor);
//!
//!     fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
//!         Ok((self.features.get(index), self.labels.get(index)))
//!     }
//!
//!     fn len(&self) -> usize {
//!         self.labels.size(0)
//!     }
//! }
//!
//! let features = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
//! let train_ds = ToyDataset { features, labels: tensor([0, 0, 0, 1, 1]) };
//! assert_eq!(train_ds.len(), 5);
//! assert_eq!(train_ds.get(3)?.1.item(), 1.0);
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! Reading a sample may fail, so `get` returns a `Result`; the loader reports the error in the place of the batch. A sample is
//! whatever you like: a tensor, a number, a pair or triple of them, a `Vec`.
//!
//! # A loader
//!
//! ```python
//! torch.manual_seed(123)
//! train_loader = DataLoader(train_ds, batch_size=2, shuffle=True, num_workers=0)
//! for x, y in train_loader:
//!     print(x, y)
//! # tensor([[ 2.3000, -1.1000], [-0.9000,  2.9000]]) tensor([1, 0])
//! # tensor([[-1.2000,  3.1000], [-0.5000,  2.6000]]) tensor([0, 0])
//! # tensor([[ 2.7000, -1.5000]]) tensor([1])
//! ```
//!
//! ```standalone_crate
//! use rushlight::prelude::*;
//!
//! let x = tensor([[-1.2, 3.1], [-0.9, 2.9], [-0.5, 2.6], [2.3, -1.1], [2.7, -1.5]]);
//! let y = tensor([0, 0, 0, 1, 1]);
//! manual_seed(TorchSeed(123));
//! let train_loader = DataLoader::new(TensorDataset::new(x, y)).batch_size(2).shuffle(true);
//! assert_eq!(train_loader.len(), 3);
//! let mut firsts = Vec::new();
//! for batch in &train_loader {
//!     let (x, y) = batch?;
//!     assert_eq!(x.size(0), y.size(0));
//!     firsts.push(x.get(0).to_string());
//! }
//! // The very order of PyTorch.
//! assert_eq!(firsts, ["tensor([ 2.3000, -1.1000])", "tensor([-1.2000,  3.1000])", "tensor([ 2.7000, -1.5000])"]);
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! Workers are threads and share the data set; nothing is pickled. Their number changes neither the order nor a random number:
//!
//! ```python
//! DataLoader(train_ds, batch_size=2, shuffle=True, drop_last=True, num_workers=2)
//! ```
//!
//! ```
//! use rushlight::data::from_fn;
//! use rushlight::prelude::*;
//!
//! let squares = from_fn(5, |i| Ok((i * i) as f32));
//! let loader = DataLoader::new(squares).batch_size(2).drop_last(true).num_workers(2);
//! let batches: Vec<Vec<f32>> = loader.iter().map(|batch| Ok(batch?.to_vec())).collect::<rushlight::Result<_>>()?;
//! assert_eq!(batches, [[0.0, 1.0], [4.0, 9.0]]);
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! # Splits and samplers
//!
//! ```python
//! g = torch.Generator().manual_seed(123)
//! train, test = random_split(range(5), [0.8, 0.2], generator=g)
//! DataLoader(train_ds, sampler=SubsetRandomSampler([0, 2]))
//! ```
//!
//! ```
//! use rushlight::array::random::Generator;
//! use rushlight::data::{SubsetRandomSampler, from_fn, random_split};
//! use rushlight::prelude::*;
//!
//! let generator = Generator::new(TorchSeed(123));
//! let [train, test] = random_split(from_fn(5, |i| Ok(i)), [0.8, 0.2], &generator);
//! assert_eq!((train.indices(), test.indices()), (&[2, 0, 1, 3][..], &[4][..]));
//!
//! let loader = DataLoader::new(from_fn(5, |i| Ok(i))).sampler(SubsetRandomSampler::new(vec![0, 2]));
//! assert_eq!(loader.iter().count(), 2);
//! ```
//!
//! # Images and transforms
//!
//! ```python
//! transform = Compose([RandomCrop(32, padding=4), ToTensor(), Normalize((0.5,) * 3, (0.25,) * 3)])
//! train_ds = torchvision.datasets.CIFAR10("data", train=True, transform=transform)
//! ```
//!
//! ```
//! use rushlight::data::{ImageDataset, InMemoryImages};
//! use rushlight::prelude::*;
//! use rushlight::transforms::{Normalize, RandomCrop, ToTensor};
//!
//! // datasets::CIFAR10::new("data", Split::Train)? has images of this form.
//! let images = InMemoryImages::new([3, 32, 32], vec![128; 4 * 3072], vec![0, 1, 2, 3]);
//! let transform = (RandomCrop::new(32).padding(4), ToTensor::new(), Normalize::new([0.5; 3], [0.25; 3]));
//! let loader = DataLoader::new(images.transform(transform)).batch_size(4);
//! let (x, y) = loader.iter().next().unwrap()?;
//! assert_eq!((x.shape().to_vec(), y.to_vec::<i64>()), (vec![4, 3, 32, 32], vec![0, 1, 2, 3]));
//! # Ok::<(), rushlight::Error>(())
//! ```
//!
//! A random transform draws from a stream of the epoch and the sample: the number of workers changes no augmentation.
//!
//! # Going on in the middle of an epoch
//!
//! `loader.state_dict()` and `load_state_dict` are those of torchdata's `StatefulDataLoader`: a fresh loader gives the
//! batches that were not read, bit for bit.
//!
//! # Data that is there
//!
//! ```python
//! torchvision.datasets.MNIST(root="data", train=True, download=True)
//! sklearn.datasets.load_digits()
//! ```
//!
//! ```
//! use rushlight::data::Digits;
//! use rushlight::prelude::*;
//!
//! let digits = Digits::new();
//! assert_eq!(digits.images().shape(), [1797, 8, 8]);
//! ```
//!
//! [`datasets::MNIST`](crate::datasets::MNIST) reads the images of one part.
//! [`DataRoot`](crate::datasets::DataRoot) says where files come from: a folder, or with the feature `download` a cache
//! that is filled from the mirrors.
