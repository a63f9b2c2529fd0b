//! Lines over a common axis.

use super::{Area, COLORS, Drawn, FONT, LINES, SOFT, TEXT, text};
use crate::report::{label, thinned, ticks};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::ops::Range;

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

    /// Whether the lines are mostly in the upper half where they end: the legend is not to cover them.
    fn ends_high(&self) -> bool {
        let (least, greatest) =
            self.finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), p| {
                (least.min(p.1), greatest.max(p.1))
            });
        let middle = least / 2.0 + greatest / 2.0;
        let ends = self.series.iter().filter_map(|series| series.points.last());
        let (high, all) = ends.fold((0, 0), |(high, all), p| (high + usize::from(p.1 > middle), all + 1));
        2 * high > all
    }

    pub(super) fn draw<B: DrawingBackend>(&self, area: &Area<'_, B>) -> Drawn<B> {
        let x = Scale::linear(self.finite().map(|p| p.0), 8);
        let y = || self.finite().map(|p| p.1);
        let y = if self.log_y && y().all(|value| value > 0.0) && y().next().is_some() {
            Scale::logarithmic(y())
        } else {
            Scale::linear(y(), 6)
        };
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, text(26, &TEXT))
            .margin(14)
            .margin_right(24)
            .x_label_area_size(52)
            .y_label_area_size(78)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .axis_desc_style(text(19, &TEXT))
            .label_style(text(16, &SOFT))
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
                .position(if self.ends_high() {
                    SeriesLabelPosition::LowerRight
                } else {
                    SeriesLabelPosition::UpperRight
                })
                .label_font((FONT, 17).into_font().color(&TEXT))
                .background_style(WHITE.mix(0.85))
                .border_style(LINES)
                .margin(8)
                .draw()?;
        }
        Ok(())
    }
}

/// An axis between round numbers. Those of `plotters` never come to an end where numbers are so large that the steps
/// between them vanish.
#[derive(Clone, Debug)]
struct Scale {
    ticks: Vec<f64>,
    is_log: bool,
}

impl Scale {
    fn linear(values: impl Iterator<Item = f64>, count: usize) -> Scale {
        let (low, high) = bounds(values).unwrap_or((0.0, 1.0));
        Scale { ticks: ticks(low, high, count), is_log: false }
    }

    /// Over positive numbers: powers of ten, and 2 and 5 between them where there are few.
    fn logarithmic(values: impl Iterator<Item = f64>) -> Scale {
        let (low, high) = bounds(values).unwrap_or((1.0, 10.0));
        let first = low.log10().floor() as i32;
        let last = (high.log10().ceil() as i32).max(first + 1);
        let power = |exponent: i32| 10f64.powi(exponent).clamp(f64::MIN_POSITIVE, f64::MAX);
        let ticks: Vec<f64> = if last - first > 2 {
            let step = ((last - first) as usize).div_ceil(8);
            (first..last + step as i32).step_by(step).map(power).collect()
        } else {
            let all = (first..=last).flat_map(|e| [1.0, 2.0, 5.0].map(|m| (m * power(e)).min(f64::MAX)));
            let all: Vec<f64> = all.collect();
            // From the last that is not above all values to the first that is not below any.
            let start = all.iter().rposition(|&tick| tick <= low).unwrap_or(0);
            let end = all.iter().position(|&tick| tick >= high).unwrap_or(all.len() - 1).max(start + 1);
            all[start..=end.min(all.len() - 1)].to_vec()
        };
        Scale { ticks, is_log: true }
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.map(|v| (v, v)).reduce(|(low, high), (v, _)| (low.min(v), high.max(v)))
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        // Halves, because the whole range may be larger than the largest number.
        let at = |value: f64| if self.is_log { value.log10() } else { value / 2.0 };
        let Range { start, end } = self.range();
        let share = (at(*value) - at(start)) / (at(end) - at(start));
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.ticks[0]..self.ticks[self.ticks.len() - 1]
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        let step = if self.is_log { *value } else { self.ticks[1] - self.ticks[0] };
        label(*value, step)
    }
}
