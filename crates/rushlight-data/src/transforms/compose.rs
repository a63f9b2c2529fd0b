use super::Draws;
use super::tensor::ToTensor;
use crate::image::{Image, Pixels};
use std::any::Any;
use std::fmt;

/// One step on an image's way to a batch.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Compose, Draws, Transform};
///
/// /// The negative of a picture of bytes.
/// struct Negative;
/// impl Transform for Negative {
///     fn apply(&self, image: &mut Image, _: &mut Draws) {
///         image.as_u8_mut().expect("bytes").iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
///     }
/// }
/// let mut image = Image::from_u8([1, 1, 2], &[0, 55]);
/// Compose::new((Negative,)).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_u8(), Some(&[255, 200][..]));
/// ```
pub trait Transform: Send + Sync + Any {
    /// Changes the image; random numbers come from `draws` alone.
    ///
    /// # Panics
    /// If the image has not the form that this transform takes. In a loader that arrives as the sample's error.
    fn apply(&self, image: &mut Image, draws: &mut Draws);

    /// For a transform of `f32` images that gives each number a new value by its old one and its channel alone.
    /// Behind [`ToTensor`] such a one is worked out once for the 256 values of a byte.
    fn pointwise(&self) -> Option<&dyn Pointwise> {
        None
    }
}

/// A new value for each number of an image; see [`Transform::pointwise`].
pub trait Pointwise {
    /// The number of channels that the image must have; 1 goes with any.
    fn channels(&self) -> usize;

    /// The new value of `x` in channel `channel`.
    fn map(&self, channel: usize, x: f32) -> f32;
}

impl<T: Transform + ?Sized> Transform for Box<T>
where
    Box<T>: Any,
{
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        (**self).apply(image, draws);
    }

    fn pointwise(&self) -> Option<&dyn Pointwise> {
        (**self).pointwise()
    }
}

/// Several transforms, one after the other: torchvision's `Compose`.
///
/// They are given as a tuple, or as a `Vec` of boxed ones where their number is known at run time only; one alone
/// is given as it is. Those of a `Compose` among them take its place.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Compose, Draws, Normalize, ToTensor, Transform};
/// let transform = Compose::new((ToTensor::new(), Normalize::new([0.5], [0.5])));
/// let mut image = Image::from_u8([1, 1, 2], &[0, 255]);
/// transform.apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_f32(), Some(&[-1.0, 1.0][..]));
/// ```
pub struct Compose {
    steps: Vec<Box<dyn Transform>>,
    table: Option<Table>,
}

/// What a [`ToTensor`] and the steps behind it make of each byte.
struct Table {
    /// The place of that `ToTensor`.
    start: usize,
    /// The place of the first step behind it that is not a matter of value and channel.
    end: usize,
    /// For each channel, or for all of them.
    rows: Vec<[f32; 256]>,
}

impl Compose {
    /// These transforms in this order.
    pub fn new(transforms: impl IntoTransforms) -> Compose {
        let steps: Vec<_> = transforms.into_transforms().into_iter().flat_map(unfolded).collect();
        Compose { table: Table::of(&steps), steps }
    }

    /// The number of transforms.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none; the image stays as it is.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Runs the transforms up to the point from which the rest is a matter of one table.
    pub(crate) fn begin(&self, image: &mut Image, draws: &mut Draws) -> Finish<'_> {
        if let Some(table) = &self.table {
            self.steps[..table.start].iter().for_each(|step| step.apply(image, draws));
            if image.as_u8().is_some() && table.fits(image) {
                if table.end == self.steps.len() {
                    return Finish { table: Some(table) };
                }
                table.apply(image);
                self.steps[table.end..].iter().for_each(|step| step.apply(image, draws));
                return Finish { table: None };
            }
            self.steps[table.start..].iter().for_each(|step| step.apply(image, draws));
        } else {
            self.steps.iter().for_each(|step| step.apply(image, draws));
        }
        Finish { table: None }
    }
}

/// The steps of a [`Compose`], or the one step that this is.
fn unfolded(step: Box<dyn Transform>) -> Vec<Box<dyn Transform>> {
    if !(&*step as &dyn Any).is::<Compose>() {
        return vec![step];
    }
    (step as Box<dyn Any>).downcast::<Compose>().map_or_else(|_| Vec::new(), |compose| compose.steps)
}

impl Transform for Compose {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        if let Some(table) = self.begin(image, draws).table {
            table.apply(image);
        }
    }
}

impl fmt::Debug for Compose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compose({} transforms)", self.steps.len())
    }
}

/// What is left to do when the shape of the result is known already: to write it somewhere.
pub(crate) struct Finish<'a> {
    table: Option<&'a Table>,
}

impl Finish<'_> {
    /// Whether the result is made of bytes.
    pub(crate) fn is_u8(&self, image: &Image) -> bool {
        self.table.is_none() && image.as_u8().is_some()
    }

    /// Writes a result of floating-point numbers.
    pub(crate) fn write(&self, image: &Image, out: &mut [f32]) {
        match (self.table, image.pixels()) {
            (Some(table), Pixels::U8(pixels)) => {
                table.write(image.shape().first().copied().unwrap_or(1), pixels, out);
            }
            (_, Pixels::F32(pixels)) => out.copy_from_slice(pixels),
            (None, Pixels::U8(_)) => unreachable!("such a result is of bytes"),
        }
    }
}

impl Table {
    fn of(steps: &[Box<dyn Transform>]) -> Option<Table> {
        let is_to_tensor = |step: &dyn Transform| (step as &dyn Any).is::<ToTensor>();
        let start = steps.iter().position(|step| is_to_tensor(&**step))?;
        let rest: Vec<&dyn Pointwise> =
            steps[start + 1..].iter().map_while(|step| step.pointwise()).collect();
        let end = start + 1 + rest.len();
        let channels = rest.iter().map(|step| step.channels()).max().unwrap_or(1);
        let value = |channel: usize, byte: usize| {
            rest.iter().fold(ToTensor::value(byte as u8), |x, step| {
                step.map(if step.channels() == 1 { 0 } else { channel }, x)
            })
        };
        // Steps for different numbers of channels fit no image: they say so themselves when they are run.
        let agree = rest.iter().all(|step| matches!(step.channels(), 1) || step.channels() == channels);
        let row = |channel| std::array::from_fn(|byte| value(channel, byte));
        agree.then(|| Table { start, end, rows: (0..channels).map(row).collect() })
    }

    /// Whether the image has as many channels as the steps want, and the dims of an image.
    fn fits(&self, image: &Image) -> bool {
        let channels = image.shape().first().copied();
        image.shape().len() == 3 && (self.rows.len() == 1 || channels == Some(self.rows.len()))
    }

    fn apply(&self, image: &mut Image) {
        let channels = image.shape().first().copied().unwrap_or(1);
        image.convert_to_f32(|from, to| self.write(channels, from, to));
    }

    fn write(&self, channels: usize, from: &[u8], to: &mut [f32]) {
        let plane = from.len() / channels.max(1);
        if self.rows.len() == 1 || plane == 0 {
            return write_row(&self.rows[0], from, to);
        }
        for ((row, from), to) in
            self.rows.iter().zip(from.chunks_exact(plane)).zip(to.chunks_exact_mut(plane))
        {
            write_row(row, from, to);
        }
    }
}

fn write_row(row: &[f32; 256], from: &[u8], to: &mut [f32]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = row[usize::from(from)];
    }
}

/// The transforms of a [`Compose`]: a tuple of up to twelve, one [`Compose`], or a `Vec` of boxed ones.
pub trait IntoTransforms {
    /// The transforms in order.
    fn into_transforms(self) -> Vec<Box<dyn Transform>>;
}

impl IntoTransforms for Vec<Box<dyn Transform>> {
    fn into_transforms(self) -> Vec<Box<dyn Transform>> {
        self
    }
}

impl<T: Transform> IntoTransforms for T {
    fn into_transforms(self) -> Vec<Box<dyn Transform>> {
        vec![Box::new(self)]
    }
}

macro_rules! tuples {
    ($(($($t:ident $place:tt),*))*) => {$(
        impl<$($t: Transform),*> IntoTransforms for ($($t,)*) {
            fn into_transforms(self) -> Vec<Box<dyn Transform>> {
                vec![$(Box::new(self.$place)),*]
            }
        }
    )*};
}
tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}

/// Runs some transforms with a given probability, all or none: torchvision's `RandomApply`.
///
/// ```
/// use rushlight_data::transforms::{ColorJitter, Compose, RandomApply};
/// let transform = Compose::new((RandomApply::new((ColorJitter::new().brightness(0.4),)).p(0.8),));
/// assert_eq!(transform.len(), 1);
/// ```
#[derive(Debug)]
pub struct RandomApply {
    transforms: Compose,
    p: f64,
}

impl RandomApply {
    /// These transforms with probability 0.5.
    pub fn new(transforms: impl IntoTransforms) -> RandomApply {
        RandomApply { transforms: Compose::new(transforms), p: 0.5 }
    }

    /// The probability.
    ///
    /// # Panics
    /// Unless it is between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn p(self, p: f64) -> Self {
        RandomApply { p: super::check_probability("RandomApply", p), ..self }
    }
}

impl Transform for RandomApply {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        // `not p < draw`, as torchvision has it.
        if draws.uniform(0.0, 1.0) <= self.p as f32 {
            self.transforms.apply(image, draws);
        }
    }
}
