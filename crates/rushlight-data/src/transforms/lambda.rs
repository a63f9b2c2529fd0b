use super::{Draws, Transform};
use crate::image::Image;
use rushlight_array::random::with_default_generator;
use rushlight_autograd::Tensor;
use std::fmt;

/// A function of tensors as a transform: torchvision's `Lambda`.
///
/// The tensor is `u8`, or `f32` behind [`ToTensor`](super::ToTensor), of shape `(C, H, W)`; the result may have any
/// shape. `rand` and its kin draw the sample's own numbers in it. It makes tensors for each sample, so the
/// transforms of this module are the faster ones.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Compose, Draws, Lambda, ToTensor, Transform};
/// let flat = Compose::new((ToTensor::new(), Lambda::new(|x| x.flatten(0, -1))));
/// let mut image = Image::from_u8([1, 2, 2], &[0, 0, 0, 255]);
/// flat.apply(&mut image, &mut Draws::from_default());
/// assert_eq!((image.shape().to_vec(), image.as_f32()), (vec![4], Some(&[0.0, 0.0, 0.0, 1.0][..])));
/// ```
pub struct Lambda<F> {
    function: F,
}

impl<F: Fn(Tensor) -> Tensor + Send + Sync + 'static> Lambda<F> {
    /// The function of a sample's tensor; it gives a `u8` or an `f32` tensor.
    pub fn new(function: F) -> Lambda<F> {
        Lambda { function }
    }
}

impl<F: Fn(Tensor) -> Tensor + Send + Sync + 'static> Transform for Lambda<F> {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        let generator = draws.generator().clone();
        let result = with_default_generator(move || generator, || (self.function)(image.to_tensor()));
        image.set_tensor(&result);
    }
}

impl<F> fmt::Debug for Lambda<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda")
    }
}
