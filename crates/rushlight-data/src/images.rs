use crate::dataset::{Dataset, SampleSeed};
use crate::image::Image;
use crate::subset::Subset;
use crate::transforms::{Compose, Draws, Finish, IntoTransforms, Transform};
use crate::visits::Visits;
use rushlight_array::{Array, Element, Result, Shape, fail};
use rushlight_autograd::Tensor;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// A data set of images with labels, which can read one into memory that is there already.
///
/// As a [`Dataset`] it gives `(Tensor, i64)`: the bytes of an image, *shape* `(C, H, W)`, and its label.
/// [`transform`](ImageDataset::transform) gives what a network takes.
pub trait ImageDataset: Dataset {
    /// Reads image number `index` into `image`, mostly with [`Image::set_u8`], and gives its label.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, index: usize, image: &mut Image) -> Result<i64>;

    /// The data set with these transforms on each image: torchvision's argument `transform`. A tuple, or a
    /// [`Compose`].
    ///
    /// ```
    /// use rushlight_data::transforms::{Normalize, ToTensor};
    /// use rushlight_data::{Dataset, ImageDataset, InMemoryImages};
    /// let images = InMemoryImages::new([1, 1, 2], vec![0, 255], vec![7]);
    /// let (x, y) = images.transform((ToTensor::new(), Normalize::new([0.5], [0.5]))).get(0)?;
    /// assert_eq!((x.to_vec::<f32>(), y), (vec![-1.0, 1.0], 7));
    /// # Ok::<(), rushlight_array::Error>(())
    /// ```
    fn transform(self, transforms: impl IntoTransforms) -> TransformDataset<Self>
    where
        Self: Sized,
    {
        TransformDataset { dataset: self, transforms: Compose::new(transforms) }
    }
}

macro_rules! by_pointer {
    ($($pointer:ty),*) => {$(
        impl<D: ImageDataset + ?Sized> ImageDataset for $pointer {
            fn read(&self, index: usize, image: &mut Image) -> Result<i64> {
                (**self).read(index, image)
            }
        }
    )*};
}
by_pointer!(&D, Arc<D>);

impl<D: ImageDataset> ImageDataset for Subset<D> {
    fn read(&self, index: usize, image: &mut Image) -> Result<i64> {
        self.dataset().read(self.indices()[index], image)
    }
}

/// Images that are all in memory, with their labels.
///
/// ```
/// use rushlight_data::{Dataset, InMemoryImages};
/// let images = InMemoryImages::new([1, 2, 2], (0..8).collect(), vec![3, 5]);
/// let (x, y) = images.get(1)?;
/// assert_eq!((x.to_vec::<u8>(), y), (vec![4, 5, 6, 7], 5));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone)]
pub struct InMemoryImages {
    shape: [usize; 3],
    /// An array and not a `Vec`: it lies in large pages, in which a random image is found sooner.
    pixels: Array,
    targets: Arc<[i64]>,
}

impl InMemoryImages {
    /// Images of one shape `[C, H, W]`, one behind the other, and their labels.
    ///
    /// # Panics
    /// If there are not as many bytes as the labels and the shape call for.
    #[track_caller]
    pub fn new(shape: [usize; 3], pixels: Vec<u8>, targets: Vec<i64>) -> InMemoryImages {
        let needed = shape.iter().try_fold(targets.len(), |n, &size| n.checked_mul(size));
        if needed != Some(pixels.len()) {
            fail!(
                "InMemoryImages: {} bytes are not {} images of shape {shape:?}",
                pixels.len(),
                targets.len()
            );
        }
        let [channels, height, width] = shape;
        let pixels = Array::from_vec(pixels, [targets.len(), channels, height, width]);
        InMemoryImages { shape, pixels, targets: targets.into() }
    }

    /// Channels, height, width of each.
    pub fn image_shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The labels, one for each image.
    pub fn targets(&self) -> &[i64] {
        &self.targets
    }

    /// All images. *Shape*: `(N, C, H, W)`, `u8`.
    pub fn data(&self) -> Tensor {
        self.pixels.clone().into()
    }

    /// The bytes of one image.
    #[track_caller]
    fn pixels(&self, index: usize) -> &[u8] {
        if index >= self.targets.len() {
            fail!("InMemoryImages: index {index} is out of range for {} images", self.targets.len());
        }
        let size = self.shape.iter().product::<usize>();
        let pixels: &[u8] = self.pixels.as_slice().unwrap_or_default();
        &pixels[index * size..(index + 1) * size]
    }
}

impl fmt::Debug for InMemoryImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InMemoryImages({} of {:?})", self.targets.len(), self.shape)
    }
}

impl Dataset for InMemoryImages {
    type Item = (Tensor, i64);

    fn len(&self) -> usize {
        self.targets.len()
    }

    #[track_caller]
    fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        let pixels = self.pixels(index);
        let image = Array::build(self.shape, |out: &mut [u8]| out.copy_from_slice(pixels));
        Ok((image.into(), self.targets[index]))
    }
}

impl ImageDataset for InMemoryImages {
    fn read(&self, index: usize, image: &mut Image) -> Result<i64> {
        let pixels = self.pixels(index);
        image.set_u8(self.shape, |out| out.copy_from_slice(pixels));
        Ok(self.targets[index])
    }
}

/// Images with transforms: made by [`ImageDataset::transform`]. Samples are `(Tensor, i64)`.
///
/// In a loader a batch is written row by row into one piece of memory, without a tensor for each step.
#[derive(Debug)]
pub struct TransformDataset<D> {
    dataset: D,
    transforms: Compose,
}

impl<D: ImageDataset> TransformDataset<D> {
    /// The data set without the transforms.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    fn sample(&self, index: usize, draws: &mut Draws) -> Result<(Tensor, i64)> {
        with_scratch(|image| {
            let label = self.dataset.read(index, image)?;
            self.transforms.apply(image, draws);
            Ok((image.to_tensor(), label))
        })
    }
}

impl<D: ImageDataset> Dataset for TransformDataset<D> {
    type Item = (Tensor, i64);

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        self.sample(index, &mut Draws::from_default())
    }

    fn get_random(&self, index: usize, seed: SampleSeed) -> Result<(Tensor, i64)> {
        self.sample(index, &mut Draws::of(seed))
    }

    fn get_items(&self, visits: &Visits<'_>) -> Option<Result<Vec<(Tensor, i64)>>> {
        with_scratch(|image| {
            Together { dataset: self, visits, labels: Vec::with_capacity(visits.len()) }.all(image)
        })
    }
}

/// The samples of a batch, made in one piece of memory.
struct Together<'a, D> {
    dataset: &'a TransformDataset<D>,
    visits: &'a Visits<'a>,
    labels: Vec<i64>,
}

/// Why the samples cannot be made together.
enum Unlike {
    Failed(rushlight_array::Error),
    /// Their shapes differ; a collate function may still know what to do with them.
    Shape,
}

impl<'a, D: ImageDataset> Together<'a, D> {
    fn all(mut self, image: &mut Image) -> Option<Result<Vec<(Tensor, i64)>>> {
        let all: &Visits<'_> = self.visits;
        let mut visits = all.iter();
        let Some((index, seed)) = visits.next() else { return Some(Ok(Vec::new())) };
        let finish = match self.begin(index, &mut Draws::of(seed), image) {
            Ok(finish) => finish,
            Err(error) => return Some(Err(error)),
        };
        if image.shape().numel() == 0 {
            return None;
        }
        let rows = if finish.is_u8(image) {
            self.rows(image, finish, visits, |_, image, out: &mut [u8]| {
                out.copy_from_slice(image.as_u8().unwrap_or_default());
            })
        } else {
            self.rows(image, finish, visits, |finish, image, out: &mut [f32]| finish.write(image, out))
        };
        match rows {
            Ok(rows) => {
                let row = |(i, label)| (Tensor::from(rows.select(0, i as isize)), label);
                Some(Ok(self.labels.into_iter().enumerate().map(row).collect()))
            }
            Err(Unlike::Failed(error)) => Some(Err(error)),
            Err(Unlike::Shape) => None,
        }
    }

    fn begin(&mut self, index: usize, draws: &mut Draws, image: &mut Image) -> Result<Finish<'a>> {
        let label = self.dataset.dataset.read(index, image)?;
        self.labels.push(label);
        Ok(self.dataset.transforms.begin(image, draws))
    }

    fn rows<T: Element>(
        &mut self,
        image: &mut Image,
        first: Finish<'_>,
        mut visits: impl Iterator<Item = (usize, SampleSeed)>,
        write: impl Fn(Finish<'_>, &Image, &mut [T]),
    ) -> Result<Array, Unlike> {
        let (shape, is_u8) = (image.shape().clone(), first.is_u8(image));
        let batch: Shape = std::iter::once(self.visits.len()).chain(shape.iter().copied()).collect();
        let mut result = Ok(());
        let rows = Array::build(batch, |out: &mut [T]| {
            let mut out = out.chunks_exact_mut(shape.numel());
            if let Some(row) = out.next() {
                write(first, image, row);
            }
            result = out.zip(&mut visits).try_for_each(|(row, (index, seed))| {
                let finish = self.begin(index, &mut Draws::of(seed), image).map_err(Unlike::Failed)?;
                if *image.shape() != shape || finish.is_u8(image) != is_u8 {
                    return Err(Unlike::Shape);
                }
                write(finish, image, row);
                Ok(())
            });
        });
        result.map(|()| rows)
    }
}

thread_local! {
    /// One image for all samples that this thread makes.
    static SCRATCH: Cell<Option<Image>> = const { Cell::new(None) };
}

/// Runs `f` with the thread's image; a data set within a data set gets another one.
fn with_scratch<R>(f: impl FnOnce(&mut Image) -> R) -> R {
    let mut image = SCRATCH.take().unwrap_or_default();
    let result = f(&mut image);
    SCRATCH.set(Some(image));
    result
}
