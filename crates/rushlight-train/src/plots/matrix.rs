//! A confusion matrix.

use super::{Area, COLORS, Drawn, SOFT, TEXT, text};
use crate::metrics::{ConfusionMatrix, Normalize};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rushlight_array::fail;

#[derive(Clone, Debug)]
pub(super) struct Matrix {
    title: String,
    classes: Vec<String>,
    counts: Vec<Vec<u64>>,
    shares: Vec<Vec<f64>>,
}

/// Room for the title, and for the names on the left and below.
const HEAD: i32 = 58;
const LEFT: i32 = 130;
const FOOT: i32 = 84;
const EDGE: i32 = 24;

impl Matrix {
    #[track_caller]
    pub(super) fn new(title: &str, matrix: &ConfusionMatrix, classes: &[&str]) -> Matrix {
        let counts = matrix.counts();
        if counts.len() != classes.len() {
            fail!(
                "confusion_matrix: {} names for {} classes; there must be one for each",
                classes.len(),
                counts.len()
            );
        }
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        Matrix { title: title.to_owned(), classes, counts, shares: matrix.normalized(Normalize::True) }
    }

    /// With fields large enough for their counts.
    pub(super) fn size(&self) -> (u32, u32) {
        let side = (52 * self.classes.len() as i32).clamp(260, 4000);
        ((LEFT + side + EDGE) as u32, (HEAD + side + FOOT) as u32)
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> Drawn<B> {
        let (width, height) = area.dim_in_pixel();
        let count = self.classes.len() as i32;
        let side = (width as i32 - LEFT - EDGE).min(height as i32 - HEAD - FOOT).max(count);
        let place = |index: usize| index as i32 * side / count;
        let cell = side / count;
        let size = (cell / 3).clamp(9, 18) as u32;
        let middle = Pos::new(HPos::Center, VPos::Center);
        let center =
            |x: usize, y: usize| (LEFT + (place(x) + place(x + 1)) / 2, HEAD + (place(y) + place(y + 1)) / 2);
        let title = text(24, &TEXT).pos(middle);
        area.draw(&Text::new(self.title.clone(), (LEFT + side / 2, HEAD / 2), title))?;
        for (row, (counts, shares)) in self.counts.iter().zip(&self.shares).enumerate() {
            for (column, (&number, &share)) in counts.iter().zip(shares).enumerate() {
                let corners = [
                    (LEFT + place(column), HEAD + place(row)),
                    (LEFT + place(column + 1), HEAD + place(row + 1)),
                ];
                area.draw(&Rectangle::new(corners, shade(share).filled()))?;
                area.draw(&Rectangle::new(corners, WHITE.stroke_width(1)))?;
                if cell >= 18 && number > 0 {
                    let color = if share > 0.6 { &WHITE } else { &TEXT };
                    let style = text(size, color).pos(middle);
                    area.draw(&Text::new(number.to_string(), center(column, row), style))?;
                }
            }
        }
        self.names(area, cell, side, size, center)?;
        let axis = text(18, &TEXT).pos(middle);
        area.draw(&Text::new("predicted", (LEFT + side / 2, HEAD + side + FOOT - 22), axis.clone()))?;
        let turned = axis.transform(FontTransform::Rotate270);
        area.draw(&Text::new("true", (22, HEAD + side / 2), turned))
    }

    /// The classes' names; of many, as many as there is room for.
    fn names<B: DrawingBackend>(
        &self,
        area: &Area<'_, B>,
        cell: i32,
        side: i32,
        size: u32,
        center: impl Fn(usize, usize) -> (i32, i32),
    ) -> Drawn<B> {
        let every = (14 + cell - 1) / cell.max(1);
        let size = size.clamp(11, 16);
        for (index, name) in self.classes.iter().enumerate().step_by(every.max(1) as usize) {
            let (x, y) = center(index, index);
            let left = text(size, &SOFT).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(shortened(name, 80, size), (LEFT - 8, y), left))?;
            let below = text(size, &SOFT).pos(Pos::new(HPos::Center, VPos::Top));
            let room = (cell * every.max(1)).max(14);
            area.draw(&Text::new(shortened(name, room, size), (x, HEAD + side + 8), below))?;
        }
        Ok(())
    }
}

/// As much of a name as stands in so many pixels, where a letter is about 0.55 of its height wide.
pub(super) fn shortened(name: &str, room: i32, size: u32) -> String {
    let most = (f64::from(room) / (0.55 * f64::from(size))).floor().max(1.0) as usize;
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1).max(1)).chain(['…']).collect()
}

/// From white to the first colour.
fn shade(share: f64) -> RGBColor {
    let RGBColor(r, g, b) = COLORS[0];
    let mix = |v: u8| (255.0 + (f64::from(v) - 255.0) * (0.04 + 0.96 * share)).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}
