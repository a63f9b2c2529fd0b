//! Samples with what was predicted for them.

use super::matrix::shortened;
use super::{Area, Drawn, SOFT, TEXT, text};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rushlight_array::{DType, Device, fail};
use rushlight_autograd::Tensor;

const RIGHT: RGBColor = RGBColor(0, 120, 85);
const WRONG: RGBColor = RGBColor(190, 50, 30);

/// A picture with its prediction.
#[derive(Clone, Debug)]
pub struct Sample {
    height: usize,
    width: usize,
    rgb: Vec<u8>,
    predicted: String,
    actual: String,
}

impl Sample {
    /// A picture `(C, H, W)` or `(H, W)` of 1 or 3 channels, floats from 0 to 1 or integers from 0 to 255, with the names
    /// of the predicted and the true class.
    ///
    /// # Panics
    /// If the shape is another.
    #[track_caller]
    pub fn new(image: &Tensor, predicted: &str, actual: &str) -> Sample {
        let shape = image.shape();
        let (channels, height, width) = match shape[..] {
            [height, width] => (1, height, width),
            [channels @ (1 | 3), height, width] => (channels, height, width),
            _ => fail!("Sample: shape {shape:?} is not (H, W) or (C, H, W) with 1 or 3 channels"),
        };
        if height == 0 || width == 0 {
            fail!("Sample: a picture of shape {shape:?} has no pixels");
        }
        let scale = if image.is_floating_point() { 255.0 } else { 1.0 };
        let values: Vec<f64> = image.detach().to(Device::cpu()).to(DType::F64).to_vec();
        let byte = |i: usize| (values[i] * scale).round().clamp(0.0, 255.0) as u8;
        let area = height * width;
        let rgb = (0..3 * area).map(|i| byte(i % 3 % channels * area + i / 3)).collect();
        Sample { height, width, rgb, predicted: predicted.to_owned(), actual: actual.to_owned() }
    }

    fn pixel(&self, x: usize, y: usize) -> RGBColor {
        let at = 3 * (y * self.width + x);
        RGBColor(self.rgb[at], self.rgb[at + 1], self.rgb[at + 2])
    }

    /// Fills a field with the picture, each pixel a rectangle; those beside each other of one colour are one.
    fn draw<B: DrawingBackend>(
        &self,
        area: &Area<'_, B>,
        (left, top): (i32, i32),
        (width, height): (i32, i32),
    ) -> Drawn<B> {
        // Pictures larger than their field are thinned to its pixels.
        let (columns, rows) = (self.width.min(width as usize), self.height.min(height as usize));
        let x_of = |x: usize| left + (x * width as usize / columns) as i32;
        let y_of = |y: usize| top + (y * height as usize / rows) as i32;
        for y in 0..rows {
            let color = |x: usize| self.pixel(x * self.width / columns, y * self.height / rows);
            let mut start = 0;
            for end in 1..=columns {
                if end == columns || color(end) != color(start) {
                    let corners = [(x_of(start), y_of(y)), (x_of(end), y_of(y + 1))];
                    area.draw(&Rectangle::new(corners, color(start).filled()))?;
                    start = end;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Samples {
    title: String,
    samples: Vec<Sample>,
    columns: usize,
}

/// A field with its picture, two lines of text, and what is between fields.
const FIELD: i32 = 96;
const WORDS: i32 = 44;
const GAP: i32 = 16;
const HEAD: i32 = 58;

impl Samples {
    pub(super) fn new(title: &str, samples: &[Sample], columns: usize) -> Samples {
        Samples { title: title.to_owned(), samples: samples.to_vec(), columns }
    }

    fn rows(&self) -> i32 {
        self.samples.len().div_ceil(self.columns).max(1) as i32
    }

    pub(super) fn size(&self) -> (u32, u32) {
        let width = self.columns as i32 * (FIELD + GAP) + GAP;
        let height = HEAD + self.rows() * (FIELD + WORDS + GAP);
        (width.clamp(300, 10_000) as u32, height.clamp(160, 10_000) as u32)
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> Drawn<B> {
        let (width, height) = area.dim_in_pixel();
        let middle = Pos::new(HPos::Center, VPos::Center);
        let title = text(24, &TEXT).pos(middle);
        area.draw(&Text::new(self.title.clone(), (width as i32 / 2, HEAD / 2), title))?;
        let across = (width as i32 - GAP) / self.columns as i32 - GAP;
        let down = (height as i32 - HEAD) / self.rows() - WORDS - GAP;
        let field = across.min(down).max(8);
        let left = (width as i32 - self.columns as i32 * (field + GAP) + GAP) / 2;
        for (index, sample) in self.samples.iter().enumerate() {
            let (row, column) = ((index / self.columns) as i32, (index % self.columns) as i32);
            let (x, y) = (left + column * (field + GAP), HEAD + row * (field + WORDS + GAP));
            // The longer side fills the field.
            let longest = sample.width.max(sample.height);
            let scaled = |side: usize| ((side * field as usize) / longest).max(1) as i32;
            let (w, h) = (scaled(sample.width), scaled(sample.height));
            let (x0, y0) = (x + (field - w) / 2, y + (field - h) / 2);
            sample.draw(area, (x0, y0), (w, h))?;
            let right = sample.predicted == sample.actual;
            let color = if right { &RIGHT } else { &WRONG };
            let frame = [(x0 - 2, y0 - 2), (x0 + w + 1, y0 + h + 1)];
            area.draw(&Rectangle::new(frame, color.stroke_width(2)))?;
            let line = |dy: i32| (x + field / 2, y + field + dy);
            let style = text(16, color).pos(middle);
            area.draw(&Text::new(shortened(&sample.predicted, field + GAP, 16), line(15), style))?;
            if !right {
                let style = text(14, &SOFT).pos(middle);
                let name = shortened(&format!("is {}", sample.actual), field + GAP, 14);
                area.draw(&Text::new(name, line(33), style))?;
            }
        }
        Ok(())
    }
}
