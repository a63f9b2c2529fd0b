//! Pictures of a run: curves, confusion matrices, and samples with what was predicted, as SVG and PNG.
//!
//! Drawn by the crate `plotters`, in a font that comes along, so that they look alike on every machine.
//!
//! ```
//! use rushlight_train::plots::{Picture, Series};
//! let train = Series::new("train", vec![(1.0, 0.9), (2.0, 0.5), (3.0, 0.3)]);
//! let valid = Series::new("validation", vec![(1.0, 1.0), (2.0, 0.7), (3.0, 0.6)]);
//! let picture = Picture::curves("Loss", "epoch", "cross entropy", &[train, valid]);
//! assert!(picture.svg().contains("validation"));
//! assert!(picture.png().starts_with(b"\x89PNG"));
//! ```

mod curves;
mod matrix;
mod samples;

use crate::metrics::ConfusionMatrix;
use crate::png;
use curves::Curves;
use matrix::Matrix;
use plotters::coord::Shift;
use plotters::prelude::*;
use rushlight_array::{Error, Result, fail};
use rushlight_serialize::replace_file;
use samples::Samples;
use std::path::Path;
use std::sync::Once;

pub use curves::Series;
pub use samples::Sample;

const FONT: &str = "sans-serif";
const TEXT: RGBColor = RGBColor(33, 37, 41);
const SOFT: RGBColor = RGBColor(90, 98, 108);
const LINES: RGBColor = RGBColor(222, 226, 230);
/// Hues that stay apart in print and for the colour-blind (after M. Okabe and K. Ito, *Color Universal Design*, 2008).
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 140, 100),
    RGBColor(160, 90, 150),
    RGBColor(170, 125, 0),
    RGBColor(60, 60, 60),
];

/// A place to draw on.
type Area<'a, B> = DrawingArea<B, Shift>;
/// What drawing on it can end with.
type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A picture that can be written in two forms.
#[derive(Clone, Debug)]
pub struct Picture {
    kind: Kind,
    size: (u32, u32),
}

#[derive(Clone, Debug)]
enum Kind {
    Curves(Curves),
    Matrix(Matrix),
    Samples(Samples),
}

impl Picture {
    /// Lines over a common axis: losses, metrics, learning rates. Values that are not finite are gaps.
    ///
    /// ```
    /// use rushlight_train::plots::{Picture, Series};
    /// let rate = Series::new("lr", (0..100).map(|i| (f64::from(i), 0.1 * 0.95f64.powi(i))).collect());
    /// let picture = Picture::curves("Learning rate", "step", "lr", &[rate]).log_y();
    /// # let _ = picture.svg();
    /// ```
    pub fn curves(title: &str, x_label: &str, y_label: &str, series: &[Series]) -> Picture {
        let curves = Curves::new(title, x_label, y_label, series);
        Picture { kind: Kind::Curves(curves), size: (800, 500) }
    }

    /// Counts of true classes (rows) and decided ones (columns), coloured by their share of the row.
    ///
    /// # Panics
    /// If there is not one name for each class.
    #[track_caller]
    pub fn confusion_matrix(title: &str, matrix: &ConfusionMatrix, classes: &[&str]) -> Picture {
        let matrix = Matrix::new(title, matrix, classes);
        let size = matrix.size();
        Picture { kind: Kind::Matrix(matrix), size }
    }

    /// A grid of samples with what was predicted for them; `columns` in a row.
    ///
    /// # Panics
    /// If `columns` is 0.
    #[track_caller]
    pub fn samples(title: &str, samples: &[Sample], columns: usize) -> Picture {
        if columns == 0 {
            fail!("samples: columns is 0; it must be at least 1");
        }
        let samples = Samples::new(title, samples, columns);
        let size = samples.size();
        Picture { kind: Kind::Samples(samples), size }
    }

    /// A logarithmic axis of values, where all of them are positive; of curves alone.
    #[must_use]
    pub fn log_y(mut self) -> Picture {
        if let Kind::Curves(curves) = &mut self.kind {
            curves.log_y = true;
        }
        self
    }

    /// Another size, in pixels.
    ///
    /// # Panics
    /// If a side is shorter than 160 or longer than 10,000.
    #[must_use]
    #[track_caller]
    pub fn size(mut self, width: u32, height: u32) -> Picture {
        if !(160..=10_000).contains(&width) || !(160..=10_000).contains(&height) {
            fail!("Picture: {width} x {height} is no size for it; sides are from 160 to 10000 pixels");
        }
        self.size = (width, height);
        self
    }

    /// Width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, self.size).into_drawing_area();
            // Into memory, nothing can fail but memory itself.
            let _ = self.draw(&area);
        }
        text
    }

    /// The picture as the bytes of a PNG file.
    pub fn png(&self) -> Vec<u8> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let mut pixels = vec![255; 3 * width * height];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, self.size).into_drawing_area();
            let _ = self.draw(&area);
        }
        png::encode(width, height, 3, &pixels)
    }

    /// Writes a file in the form that its name ends with, `.svg` or `.png`; it is replaced as a whole.
    ///
    /// # Errors
    /// If the name ends otherwise, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => replace_file(path, self.svg().as_bytes()),
            Some("png") => replace_file(path, &self.png()),
            _ => Err(Error::invalid(path.display().to_string(), "a picture's name ends with .svg or .png")),
        }
    }

    fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> Drawn<B> {
        register_font();
        area.fill(&WHITE)?;
        match &self.kind {
            Kind::Curves(curves) => curves.draw(area),
            Kind::Matrix(matrix) => matrix.draw(area),
            Kind::Samples(samples) => samples.draw(area),
        }?;
        area.present()
    }
}

/// The one font, under the name that stands in an SVG, where the reader's own of that kind is taken.
fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let bytes = include_bytes!("../../assets/Go-Regular-subset.ttf");
        // The file is a font: a test draws with it.
        let _ = plotters::style::register_font(FONT, FontStyle::Normal, bytes);
    });
}

/// A font of so many pixels in a colour.
fn text<'a>(size: u32, color: &'a RGBColor) -> TextStyle<'a> {
    (FONT, size).into_font().color(color)
}

#[cfg(test)]
mod tests;
