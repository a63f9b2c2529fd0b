use rushlight_array::{Array, DType, Shape, fail};
use rushlight_autograd::Tensor;

/// An image on its way through [`transforms`](crate::transforms): plain numbers in host memory, channel by channel.
///
/// *Shape*: `(C, H, W)` as in PyTorch, though [`Lambda`](crate::transforms::Lambda) may make another one of it.
/// The numbers are `u8` (0-255), as files have them, or `f32`, after [`ToTensor`](crate::transforms::ToTensor).
///
/// One image is filled again and again: its buffers grow to the largest sample and stay, so that a transform asks
/// the system for no memory. That is why transforms work on this type and not on tensors.
///
/// ```
/// use rushlight_data::Image;
/// let mut image = Image::from_u8([1, 2, 3], &[0, 1, 2, 3, 4, 5]);
/// assert_eq!(image.dims(), [1, 2, 3]);
/// image.set_f32([2], |pixels| pixels.copy_from_slice(&[0.5, 1.0]));
/// assert_eq!((image.as_u8(), image.as_f32()), (None, Some(&[0.5, 1.0][..])));
/// ```
#[derive(Clone, Debug)]
pub struct Image {
    shape: Shape,
    dtype: Kind,
    bytes: Vec<u8>,
    floats: Vec<f32>,
    /// Where a transform that cannot work in place writes; then the two change places.
    spare_bytes: Vec<u8>,
    spare_floats: Vec<f32>,
}

/// Which of the two buffers holds the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    U8,
    F32,
}

/// The numbers of an image, of either kind.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pixels<'a> {
    /// 0-255.
    U8(&'a [u8]),
    /// Mostly 0-1, or normalised.
    F32(&'a [f32]),
}

/// A number that an image can be made of: `u8` or `f32`.
pub(crate) trait Pixel: Copy + Default + Send + Sync + 'static {
    /// The largest value of a picture of this kind.
    const WHITE: f32;
    fn to_f32(self) -> f32;
    /// Towards zero, as a cast does; out of range is cut to the range.
    fn truncated(value: f32) -> Self;
    /// To the nearest, halves to even.
    fn rounded(value: f32) -> Self;
}

impl Pixel for u8 {
    const WHITE: f32 = 255.0;

    fn to_f32(self) -> f32 {
        f32::from(self)
    }

    fn truncated(value: f32) -> u8 {
        value as u8
    }

    fn rounded(value: f32) -> u8 {
        value.round_ties_even() as u8
    }
}

impl Pixel for f32 {
    const WHITE: f32 = 1.0;

    fn to_f32(self) -> f32 {
        self
    }

    fn truncated(value: f32) -> f32 {
        value
    }

    fn rounded(value: f32) -> f32 {
        value
    }
}

/// What a transform does to the numbers of an image, the same for both kinds.
pub(crate) trait InPlace {
    fn run<P: Pixel>(&self, pixels: &mut [P]);
}

/// What a transform that changes the size does: it writes every number of `to`, whose contents are arbitrary.
pub(crate) trait Rewrite {
    fn run<P: Pixel>(&self, from: &[P], to: &mut [P]);
}

impl Default for Image {
    fn default() -> Self {
        Image::new()
    }
}

impl Image {
    /// An image without a number, to be filled.
    pub fn new() -> Image {
        Image {
            shape: Shape::from([0]),
            dtype: Kind::U8,
            bytes: Vec::new(),
            floats: Vec::new(),
            spare_bytes: Vec::new(),
            spare_floats: Vec::new(),
        }
    }

    /// An image of bytes, 0-255.
    ///
    /// # Panics
    /// If there are not as many as the shape holds.
    #[track_caller]
    pub fn from_u8(shape: impl Into<Shape>, pixels: &[u8]) -> Image {
        let (mut image, shape) = (Image::new(), shape.into());
        check_count(&shape, pixels.len());
        image.set_u8(shape, |out| out.copy_from_slice(pixels));
        image
    }

    /// An image of floating-point numbers.
    ///
    /// # Panics
    /// If there are not as many as the shape holds.
    #[track_caller]
    pub fn from_f32(shape: impl Into<Shape>, pixels: &[f32]) -> Image {
        let (mut image, shape) = (Image::new(), shape.into());
        check_count(&shape, pixels.len());
        image.set_f32(shape, |out| out.copy_from_slice(pixels));
        image
    }

    /// The image of a tensor of dtype `u8` or `f32`.
    ///
    /// # Panics
    /// If the tensor has another dtype.
    #[track_caller]
    pub fn from_tensor(tensor: &Tensor) -> Image {
        let mut image = Image::new();
        image.set_tensor(tensor);
        image
    }

    /// Replaces this image by a tensor's numbers.
    #[track_caller]
    pub(crate) fn set_tensor(&mut self, tensor: &Tensor) {
        match tensor.dtype() {
            DType::U8 => self.set_u8(tensor.shape(), |out| out.copy_from_slice(&tensor.to_vec())),
            DType::F32 => self.set_f32(tensor.shape(), |out| out.copy_from_slice(&tensor.to_vec())),
            other => fail!("Image: a tensor of dtype {}; an image is of uint8 or float32", other.name()),
        }
    }

    /// The image as a tensor of its own. *Shape*: that of the image; `u8` or `f32`.
    pub fn to_tensor(&self) -> Tensor {
        match self.pixels() {
            Pixels::U8(pixels) => {
                Array::build(self.shape.clone(), |out: &mut [u8]| out.copy_from_slice(pixels))
            }
            Pixels::F32(pixels) => {
                Array::build(self.shape.clone(), |out: &mut [f32]| out.copy_from_slice(pixels))
            }
        }
        .into()
    }

    /// The sizes, mostly `(C, H, W)`.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Channels, height, width.
    ///
    /// # Panics
    /// If the image has not three dims.
    #[track_caller]
    pub fn dims(&self) -> [usize; 3] {
        match self.shape[..] {
            [channels, height, width] => [channels, height, width],
            _ => fail!(
                "transform: an image of shape {:?}; this transform needs [channels, height, width]",
                self.shape
            ),
        }
    }

    /// The numbers, row by row within channel by channel.
    pub fn pixels(&self) -> Pixels<'_> {
        match self.dtype {
            Kind::U8 => Pixels::U8(&self.bytes),
            Kind::F32 => Pixels::F32(&self.floats),
        }
    }

    /// The numbers, if they are bytes.
    pub fn as_u8(&self) -> Option<&[u8]> {
        (self.dtype == Kind::U8).then_some(&self.bytes)
    }

    /// The numbers, if they are floating-point.
    pub fn as_f32(&self) -> Option<&[f32]> {
        (self.dtype == Kind::F32).then_some(&self.floats)
    }

    /// The numbers for writing, if they are bytes.
    pub fn as_u8_mut(&mut self) -> Option<&mut [u8]> {
        (self.dtype == Kind::U8).then_some(&mut self.bytes)
    }

    /// The numbers for writing, if they are floating-point.
    pub fn as_f32_mut(&mut self) -> Option<&mut [f32]> {
        (self.dtype == Kind::F32).then_some(&mut self.floats)
    }

    /// Makes it an image of bytes, which `write` fills in, every one: what stands there before is arbitrary.
    pub fn set_u8(&mut self, shape: impl Into<Shape>, write: impl FnOnce(&mut [u8])) {
        self.shape = shape.into();
        self.bytes.resize(self.shape.numel(), 0);
        self.dtype = Kind::U8;
        write(&mut self.bytes);
    }

    /// Makes it an image of floating-point numbers, which `write` fills in, every one: what stands there before
    /// is arbitrary.
    pub fn set_f32(&mut self, shape: impl Into<Shape>, write: impl FnOnce(&mut [f32])) {
        self.shape = shape.into();
        self.floats.resize(self.shape.numel(), 0.0);
        self.dtype = Kind::F32;
        write(&mut self.floats);
    }

    /// Bytes become floating-point numbers, each by `map`.
    pub(crate) fn convert_to_f32(&mut self, map: impl Fn(&[u8], &mut [f32])) {
        if self.dtype == Kind::U8 {
            self.floats.resize(self.bytes.len(), 0.0);
            map(&self.bytes, &mut self.floats);
            self.dtype = Kind::F32;
        }
    }

    pub(crate) fn in_place(&mut self, job: &impl InPlace) {
        match self.dtype {
            Kind::U8 => job.run(&mut self.bytes),
            Kind::F32 => job.run(&mut self.floats),
        }
    }

    /// Replaces the image by one of another shape, of the same kind.
    pub(crate) fn rewrite(&mut self, shape: [usize; 3], job: &impl Rewrite) {
        self.shape = shape.into();
        let len = self.shape.numel();
        match self.dtype {
            Kind::U8 => {
                self.spare_bytes.resize(len, 0);
                job.run(&self.bytes, &mut self.spare_bytes);
                std::mem::swap(&mut self.bytes, &mut self.spare_bytes);
            }
            Kind::F32 => {
                self.spare_floats.resize(len, 0.0);
                job.run(&self.floats, &mut self.spare_floats);
                std::mem::swap(&mut self.floats, &mut self.spare_floats);
            }
        }
    }
}

/// Two images are equal if their shapes and numbers are; the spare memory does not count.
impl PartialEq for Image {
    fn eq(&self, other: &Image) -> bool {
        self.shape == other.shape && self.pixels() == other.pixels()
    }
}

#[track_caller]
fn check_count(shape: &Shape, count: usize) {
    if shape.numel() != count {
        fail!("Image: {count} numbers do not fill shape {shape:?}, which holds {}", shape.numel());
    }
}
