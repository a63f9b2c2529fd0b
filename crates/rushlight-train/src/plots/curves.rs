//! Lines over a common axis.

use super::{Area, COLORS, Drawn, FONT, LINES, SOFT, TEXT, text};
use crate::report::{label, thinned, ticks};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

/// A line of a picture.
#[derive(Clone, Debug)]
pub struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Series {
    /// A line from its name in the legend, and its points in the order of x.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Series {
        Series { name: name.to_owned(), points }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Curves {
    title: String,
    x_label: String,
    y_label: String,
    series: Vec<Series>,
    pub(super) log_y: bool,
}

impl Curves {
    pub(super) fn new(title: &str, x_label: &str, y_label: &str, series: &[Series]) -> Curves {
        let [title, x_label, y_label] = [title, x_label, y_label].map(str::to_owned);
        Curves { title, x_label, y_label, series: series.to_vec(), log_y: false }
    }

    fn finite(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.series.iter().flat_map(|s| &s.points).filter(|p| p.0.is_finite() && p.1.is_finite())
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> Drawn<B> {
        let least = self.finite().map(|p| p.1).fold(f64::INFINITY, f64::min);
        let most = self.finite().map(|p| p.1).fold(0.0, f64::max);
        let (low, high, step) = ends(self.finite().map(|p| p.1), 6);
        if self.log_y && least > 0.0 && least.is_finite() {
            // To whole powers where there are several, so that the ends have labels.
            let (low, high) = match (least.log10().floor(), most.log10().ceil()) {
                (low, high) if high - low >= 2.0 => (10f64.powf(low), 10f64.powf(high)),
                _ => (least / 1.2, most * 1.2),
            };
            let format = |value: &f64| label(*value, *value);
            self.draw_on(area, (low..high).log_scale(), &format)
        } else {
            self.draw_on(area, low..high, &|value: &f64| label(*value, step))
        }
    }

    fn draw_on<B: DrawingBackend, Y>(
        &self,
        area: &Area<'_, B>,
        y: Y,
        format_y: &dyn Fn(&f64) -> String,
    ) -> Drawn<B>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let (left, right, step) = ends(self.finite().map(|p| p.0), 8);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, text(26, &TEXT))
            .margin(14)
            .margin_right(24)
            .x_label_area_size(52)
            .y_label_area_size(78)
            .build_cartesian_2d(left..right, y)?;
        chart
            .configure_mesh()
            .x_labels(9)
            .y_labels(7)
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .axis_desc_style(text(19, &TEXT))
            .label_style(text(16, &SOFT))
            .x_label_formatter(&|value| label(*value, step))
            .y_label_formatter(&format_y)
            .axis_style(SOFT)
            .bold_line_style(LINES)
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (index, series) in self.series.iter().enumerate() {
            let color = COLORS[index % COLORS.len()];
            let points = thinned(&series.points);
            let mut named = false;
            for part in points.split(|p| !p.0.is_finite() || !p.1.is_finite()) {
                let drawn =
                    chart.draw_series(LineSeries::new(part.iter().copied(), color.stroke_width(2)))?;
                if !named {
                    let legend = move |(x, y)| Rectangle::new([(x, y - 2), (x + 20, y + 1)], color.filled());
                    drawn.label(&series.name).legend(legend);
                    named = true;
                }
            }
            if points.len() <= 40 {
                let finite = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
                chart.draw_series(finite.map(|&point| Circle::new(point, 3, color.filled())))?;
            }
        }
        if self.series.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .label_font((FONT, 17).into_font().color(&TEXT))
                .background_style(WHITE.mix(0.85))
                .border_style(LINES)
                .margin(8)
                .draw()?;
        }
        Ok(())
    }
}

/// Round ends that hold the values, and the step between round numbers.
fn ends(values: impl Iterator<Item = f64>, count: usize) -> (f64, f64, f64) {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let ticks = ticks(low, high, count);
    (ticks[0], ticks[ticks.len() - 1], ticks[1] - ticks[0])
}
