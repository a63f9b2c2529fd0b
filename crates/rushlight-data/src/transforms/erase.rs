use super::crop::{check_range, log_range};
use super::{Draws, Transform, check_probability, round};
use crate::image::{Image, InPlace, Pixel};
use rushlight_array::fail;

/// Covers a random rectangle, with probability `p`: torchvision's `RandomErasing`.
///
/// *Shape*: `(C, H, W)` -> the same. It stands behind [`ToTensor`](super::ToTensor) mostly.
///
/// Source: Z. Zhong et al., *Random Erasing Data Augmentation*, 2017.
///
/// ```
/// use rushlight_data::Image;
/// use rushlight_data::transforms::{Draws, RandomErasing, Transform};
/// let mut image = Image::from_f32([1, 8, 8], &[1.0; 64]);
/// RandomErasing::new().p(1.0).scale([0.25, 0.25]).ratio([1.0, 1.0]).apply(&mut image, &mut Draws::from_default());
/// assert_eq!(image.as_f32().unwrap().iter().sum::<f32>(), 48.0); // 4 x 4 of 64 are gone
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct RandomErasing {
    p: f64,
    scale: [f64; 2],
    ratio: [f64; 2],
    value: ErasingValue,
}

/// What an erased rectangle is covered with.
#[derive(Clone, PartialEq, Debug)]
pub enum ErasingValue {
    /// One value.
    Number(f64),
    /// One for each channel.
    Channels(Vec<f64>),
    /// Standard normal draws.
    Random,
}

impl From<f64> for ErasingValue {
    fn from(value: f64) -> ErasingValue {
        ErasingValue::Number(value)
    }
}

impl RandomErasing {
    /// With probability 0.5: zeros on 2 % to 33 % of the area, with a height of 0.3 to 3.3 times the width.
    pub fn new() -> RandomErasing {
        RandomErasing { p: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: ErasingValue::Number(0.0) }
    }

    /// The probability.
    ///
    /// # Panics
    /// Unless it is between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn p(self, p: f64) -> Self {
        RandomErasing { p: check_probability("RandomErasing", p), ..self }
    }

    /// The least and greatest share of the area.
    ///
    /// # Panics
    /// Unless `0 <= scale[0] <= scale[1] <= 1`.
    #[must_use]
    #[track_caller]
    pub fn scale(self, scale: [f64; 2]) -> Self {
        check_range("RandomErasing", "scale", scale);
        if scale[1] > 1.0 {
            fail!("RandomErasing: scale is {scale:?}; no more than 1, the whole area, can be erased");
        }
        RandomErasing { scale, ..self }
    }

    /// The least and greatest height divided by width.
    ///
    /// # Panics
    /// Unless `0 < ratio[0] <= ratio[1]`.
    #[must_use]
    #[track_caller]
    pub fn ratio(self, ratio: [f64; 2]) -> Self {
        check_range("RandomErasing", "ratio", ratio);
        RandomErasing { ratio, ..self }
    }

    /// What to cover it with: a number, or an [`ErasingValue`].
    #[must_use]
    pub fn value(self, value: impl Into<ErasingValue>) -> Self {
        RandomErasing { value: value.into(), ..self }
    }
}

impl Default for RandomErasing {
    fn default() -> Self {
        RandomErasing::new()
    }
}

impl Transform for RandomErasing {
    fn apply(&self, image: &mut Image, draws: &mut Draws) {
        if !draws.chance(self.p) {
            return;
        }
        let [channels, height, width] = image.dims();
        if let ErasingValue::Channels(values) = &self.value
            && values.len() != 1
            && values.len() != channels
        {
            fail!(
                "RandomErasing: {} values for {channels} channels; give one, or one for each",
                values.len()
            );
        }
        let logs = log_range(self.ratio);
        for _ in 0..10 {
            let area = (height * width) as f64 * f64::from(draws.uniform(self.scale[0], self.scale[1]));
            let ratio = f64::from(draws.uniform(logs[0], logs[1]).exp());
            let (h, w) = (round((area * ratio).sqrt()), round((area / ratio).sqrt()));
            if h >= height || w >= width {
                continue;
            }
            let values = self.values(channels * h * w, channels, draws);
            let top = draws.below(height - h + 1);
            let left = draws.below(width - w + 1);
            return image.in_place(&Cover { size: [height, width], part: [top, left, h, w], values });
        }
    }
}

impl RandomErasing {
    /// One value, one for each channel, or one for each number of the rectangle.
    fn values(&self, count: usize, channels: usize, draws: &mut Draws) -> Vec<f32> {
        match &self.value {
            ErasingValue::Number(value) => vec![*value as f32; channels],
            ErasingValue::Channels(values) => {
                (0..channels).map(|i| values[i.min(values.len() - 1)] as f32).collect()
            }
            ErasingValue::Random => {
                let mut values = vec![0.0; count];
                draws.generator().normal_f32(&mut values, 0.0, 1.0);
                values
            }
        }
    }
}

struct Cover {
    size: [usize; 2],
    part: [usize; 4],
    values: Vec<f32>,
}

impl InPlace for Cover {
    fn run<P: Pixel>(&self, pixels: &mut [P]) {
        let ([height, width], [top, left, h, w]) = (self.size, self.part);
        let plane = height * width;
        let channels = pixels.len() / plane.max(1);
        for channel in 0..channels {
            for y in 0..h {
                for x in 0..w {
                    let own = (channel * h + y) * w + x;
                    let value = self.values[if self.values.len() == channels { channel } else { own }];
                    pixels[channel * plane + (top + y) * width + left + x] = P::truncated(value);
                }
            }
        }
    }
}
