use crate::idx;
use rushlight_array::{DType, Error, Result};
use rushlight_autograd::Tensor;
use std::path::Path;

/// The MNIST files of a directory, or those of a set with the same names and form (Fashion-MNIST, KMNIST).
///
/// ```no_run
/// use rushlight_array::DType;
/// use rushlight_data::{Mnist, TensorDataset};
/// let mnist = Mnist::open("data/mnist")?;
/// assert_eq!(mnist.train_images.shape().to_vec(), [60000, 28, 28]);
/// let inputs = mnist.train_images.to(DType::F32) / 255.0;
/// let train = TensorDataset::new(inputs, mnist.train_labels);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mnist {
    /// *Shape*: `(N, H, W)`, `u8`, 0 (background) to 255.
    pub train_images: Tensor,
    /// *Shape*: `(N)`, `i64`.
    pub train_labels: Tensor,
    /// *Shape*: `(N, H, W)`, `u8`, 0 (background) to 255.
    pub test_images: Tensor,
    /// *Shape*: `(N)`, `i64`.
    pub test_labels: Tensor,
}

impl Mnist {
    /// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same for `t10k`, all uncompressed.
    ///
    /// # Errors
    /// If a file cannot be read or is not of the idx form, or there are not as many labels as images.
    pub fn open(directory: impl AsRef<Path>) -> Result<Mnist> {
        let directory = directory.as_ref();
        let (train_images, train_labels) = part(directory, "train")?;
        let (test_images, test_labels) = part(directory, "t10k")?;
        Ok(Mnist { train_images, train_labels, test_images, test_labels })
    }
}

/// The images and labels of one part.
fn part(directory: &Path, name: &str) -> Result<(Tensor, Tensor)> {
    let read = |kind: &str, rank: usize| {
        let path = directory.join(format!("{name}-{kind}-idx{rank}-ubyte"));
        let tensor = idx::read(&path)?;
        if tensor.dim() == rank {
            return Ok(tensor);
        }
        let reason = format!("expected {rank} dims, found sizes {:?}", tensor.shape());
        Err(Error::invalid(path.display().to_string(), reason))
    };
    let (images, labels) = (read("images", 3)?, read("labels", 1)?);
    if images.len() != labels.len() {
        let reason =
            format!("expected as many {name} labels as images, found {} and {}", labels.len(), images.len());
        return Err(Error::invalid(directory.display().to_string(), reason));
    }
    Ok((images, labels.to(DType::I64)))
}
