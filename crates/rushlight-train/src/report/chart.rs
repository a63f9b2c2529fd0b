//! A chart of some curves as SVG, whose colours come from the page around it.

use super::Curve;
use super::html::escaped;
use std::fmt::Write;

/// The size of a chart in its own units; the page scales it. Text of 13 is legible at 320 pixels, too.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 58.0;
/// Half of a number below the end of the axis.
const RIGHT: f64 = 24.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 44.0;
/// Colours that the page has.
pub(super) const COLORS: usize = 6;
/// More points than this are drawn as the least and the greatest of each stretch.
const MOST_POINTS: usize = 600;

/// Round numbers from at most `low` to at least `high`, about `count` of them.
pub(crate) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let (low, high) = if high > low { (low, high) } else { (low - 0.5 * pad(low), high + 0.5 * pad(high)) };
    let rough = (high - low) / count as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|&s| s >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    // Where the numbers are so large that steps between them vanish, or overflow, the ends are all there is.
    if !(step > 0.0 && step.is_finite() && last - first < 4.0 * count as f64 && low + step > low) {
        return vec![low, high];
    }
    (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect()
}

fn pad(value: f64) -> f64 {
    if value == 0.0 { 1.0 } else { value.abs() }
}

/// A tick's number: with the digits that its neighbours differ in, and no more.
pub(crate) fn label(value: f64, step: f64) -> String {
    let (greatest, digits) = (value.abs(), (-step.abs().log10().floor()).clamp(0.0, 12.0) as usize);
    if value == 0.0 {
        "0".to_owned()
    } else if greatest >= 1e6 || (greatest < 1e-3 && digits > 4) {
        // 2.50e-4 without zeros that say nothing.
        let text = format!("{value:.2e}");
        match text.split_once('e') {
            Some((digits, power)) if digits.contains('.') => {
                format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        }
    } else {
        format!("{value:.digits$}")
    }
}

/// Numbers to places.
struct Axis {
    ticks: Vec<f64>,
    start: f64,
    end: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64> + Clone, count: usize, start: f64, end: f64) -> Axis {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        Axis { ticks: ticks(low, high, count), start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = (self.ticks[0], self.ticks[self.ticks.len() - 1]);
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        self.start + share * (self.end - self.start)
    }

    fn labels(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        let step = self.ticks[1] - self.ticks[0];
        self.ticks.iter().map(move |&tick| (self.place(tick), label(tick, step)))
    }
}

/// The chart of curves that share a title.
pub(super) fn svg(title: &str, curves: &[&Curve]) -> String {
    let finite = || curves.iter().flat_map(|c| &c.points).filter(|p| p.0.is_finite() && p.1.is_finite());
    let x = Axis::new(finite().map(|p| p.0), 6, LEFT, WIDTH - RIGHT);
    let y = Axis::new(finite().map(|p| p.1), 5, HEIGHT - BOTTOM, TOP);
    let mut out =
        format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n", escaped(title));
    for (place, label) in y.labels() {
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{place:.1}\" y2=\"{place:.1}\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 7.0,
            place + 4.5
        );
    }
    let bottom = HEIGHT - BOTTOM;
    for (place, label) in x.labels() {
        let _ = writeln!(
            out,
            "<line class=\"axis\" x1=\"{place:.1}\" x2=\"{place:.1}\" y1=\"{bottom}\" y2=\"{}\"/><text x=\"{place:.1}\" \
             y=\"{}\" text-anchor=\"middle\">{label}</text>",
            bottom + 4.0,
            bottom + 18.0
        );
    }
    let _ = writeln!(
        out,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\n<text class=\"name\" x=\"{}\" \
         y=\"{}\" text-anchor=\"middle\">{}</text>",
        WIDTH - RIGHT,
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 6.0,
        escaped(curves.first().map_or("", |curve| &curve.x))
    );
    for (index, curve) in curves.iter().enumerate() {
        draw(curve, index % COLORS, &x, &y, &mut out);
    }
    out + "</svg>\n"
}

/// A curve as one path that begins anew after each gap; with a dot for each point where there are few.
fn draw(curve: &Curve, color: usize, x: &Axis, y: &Axis, out: &mut String) {
    let mut path = String::new();
    let mut pen_is_down = false;
    for &(px, py) in &thinned(&curve.points) {
        let drawn = px.is_finite() && py.is_finite();
        if drawn {
            let command = if pen_is_down { 'L' } else { 'M' };
            let _ = write!(path, "{command}{:.1} {:.1}", x.place(px), y.place(py));
        }
        pen_is_down = drawn;
    }
    let _ = writeln!(out, "<path class=\"curve c{color}\" d=\"{path}\"/>");
    if curve.points.len() <= 40 {
        for (px, py) in curve.points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()) {
            let _ = writeln!(
                out,
                "<circle class=\"c{color}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\"><title>{}, {} {px}: {py}</title></circle>",
                x.place(*px),
                y.place(*py),
                escaped(&curve.name),
                escaped(&curve.x),
            );
        }
    }
}

/// At most about [`MOST_POINTS`]: of each stretch its least and greatest, so that no spike is lost. Gaps stay.
pub(crate) fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(MOST_POINTS / 2);
    if stretch <= 2 {
        return points.to_vec();
    }
    let mut kept = Vec::new();
    for part in points.chunks(stretch) {
        let is_gap = |index: &usize| !part[*index].1.is_finite();
        let finite = || (0..part.len()).filter(|index| !is_gap(index));
        let by_value = |a: &usize, b: &usize| part[*a].1.total_cmp(&part[*b].1);
        let mut indices: Vec<usize> =
            [finite().min_by(by_value), finite().max_by(by_value), (0..part.len()).find(is_gap)]
                .into_iter()
                .flatten()
                .collect();
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| part[index]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_numbers() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.13, 0.87, 5), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        for (low, high) in [
            (3.0, 3.0),
            (0.0, 0.0),
            (-1e300, 1e300),
            (1e16, 1e16 + 2.0),
            (f64::MIN, f64::MAX),
            (5e-324, 1e-323),
        ] {
            let ticks = ticks(low, high, 5);
            assert!(ticks.len() >= 2 && ticks.len() < 30, "{low} {high}: {ticks:?}");
        }
    }

    #[test]
    fn labels_have_the_digits_that_matter() {
        assert_eq!(label(0.6000000000000001, 0.2), "0.6");
        assert_eq!(label(40.0, 20.0), "40");
        assert_eq!(label(2e-5, 1e-5), "2e-5");
        assert_eq!(label(2.5e7, 5e6), "2.5e7");
        assert_eq!(label(0.0, 1e-9), "0");
    }

    #[test]
    fn thinning_keeps_spikes_and_gaps() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        (points[5_000].1, points[70_000].1, points[90_001].1) = (9.0, -3.0, f64::NAN);
        let kept = thinned(&points);
        assert!(kept.len() <= 2 * MOST_POINTS);
        assert!(kept.contains(&(5_000.0, 9.0)) && kept.contains(&(70_000.0, -3.0)));
        assert!(kept.iter().any(|point| point.0 == 90_001.0 && point.1.is_nan()));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }
}
