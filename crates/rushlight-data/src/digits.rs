use crate::dataset::Dataset;
use crate::tensor_dataset::Rows;
use rushlight_array::{Array, Result, fail};
use rushlight_autograd::Tensor;

/// 64 pixels and a label for each image; `data/README.md` has the layout, the source and the licence.
static BYTES: &[u8] = include_bytes!("../data/digits.bin");

const PIXELS: usize = 64;
const ROW: usize = PIXELS + 1;
/// The darkest pixel: all 4 x 4 points of the scan that it counts.
const DARKEST: f32 = 16.0;

/// 1797 real images of handwritten digits, 8 x 8 pixels, within the program: scikit-learn's `load_digits`.
///
/// Sample `i` is the image as 64 numbers from 0 (white) to 1 (black), `f32`, row by row, and the digit 0-9.
/// With a loader that gives batches of shape `(N, 64)` and `(N)`.
///
/// Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
/// Repository, 1998 (the test set, from 13 people); DOI 10.24432/C50P49. Please name it where you show the
/// images.
///
/// ```
/// use rushlight_data::{DataLoader, Dataset, Digits};
/// let digits = Digits::new();
/// let (image, label) = digits.get(0)?;
/// assert_eq!((image.shape().to_vec(), label), (vec![64], 0));
///
/// let (images, labels) = DataLoader::new(digits).batch_size(32).iter().next().unwrap()?;
/// assert_eq!((images.shape().to_vec(), labels.shape().to_vec()), (vec![32, 64], vec![32]));
/// # Ok::<(), rushlight_array::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Digits {
    images: Tensor,
    inputs: Tensor,
    labels: Tensor,
}

impl Digits {
    /// The number of images.
    pub const LEN: usize = BYTES.len() / ROW;

    /// The data set, unpacked.
    pub fn new() -> Digits {
        let rows = || BYTES.chunks_exact(ROW);
        let pixels = Array::from_iter(rows().flat_map(|row| &row[..PIXELS]).map(|&pixel| f32::from(pixel)));
        let labels = Array::from_iter(rows().map(|row| i64::from(row[PIXELS])));
        let images = Tensor::from(pixels);
        // A division by a power of two, so the numbers are exact.
        let inputs = (&images / f64::from(DARKEST)).reshape([Digits::LEN, PIXELS]);
        Digits { images: images.reshape([Digits::LEN, 8, 8]), inputs, labels: labels.into() }
    }

    /// The images as they were scanned. *Shape*: `(1797, 8, 8)`, `f32`, whole numbers from 0 to 16.
    pub fn images(&self) -> &Tensor {
        &self.images
    }

    /// The images as a network takes them. *Shape*: `(1797, 64)`, `f32`, from 0 to 1; row `i` is that of
    /// sample `i`.
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }

    /// The digits. *Shape*: `(1797)`, `i64`, 0-9.
    pub fn labels(&self) -> &Tensor {
        &self.labels
    }
}

impl Default for Digits {
    fn default() -> Self {
        Digits::new()
    }
}

impl Dataset for Digits {
    type Item = (Tensor, i64);

    fn len(&self) -> usize {
        Digits::LEN
    }

    #[track_caller]
    fn get(&self, index: usize) -> Result<(Tensor, i64)> {
        if index >= Digits::LEN {
            fail!("Digits: index {index} is out of range for {} images", Digits::LEN);
        }
        let label = i64::from(BYTES[index * ROW + PIXELS]);
        Ok((self.inputs.row(index), label))
    }
}
