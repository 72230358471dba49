//! Line plots as SVG: small panels in a grid, readable on light and on dark pages, without scripts or fonts of their own.

use crate::results::{Panel, Series};
use std::fmt::Write;

/// A panel, and the part of it that is the plot.
const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 66.0;
const BOTTOM: f64 = 44.0;
/// So far from the edges the first and the last point stand, for the sake of their numbers.
const INSET: f64 = 20.0;
const COLUMNS: usize = 2;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:14px}.soft{fill:#59636e}\
.page{fill:#fff}.grid{stroke:#d1d9e0;stroke-width:1}.line{fill:none;stroke-width:2}.a{stroke:#0969da}.b{stroke:#bc4c00}\
.dot-a{fill:#0969da}.dot-b{fill:#bc4c00}.middle{text-anchor:middle}.end{text-anchor:end}\
.halo{paint-order:stroke;stroke:#fff;stroke-width:3px}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.soft{fill:#9198a1}.page{fill:#0d1117}.halo{stroke:#0d1117}.grid{stroke:#3d444d}\
.a{stroke:#4493f8}.b{stroke:#f0883e}.dot-a{fill:#4493f8}.dot-b{fill:#f0883e}}";

/// All panels in one picture.
pub fn picture(panels: &[Panel]) -> String {
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (WIDTH * COLUMNS as f64, HEIGHT * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (index, one) in panels.iter().enumerate() {
        let (x, y) = ((index % COLUMNS) as f64 * WIDTH, (index / COLUMNS) as f64 * HEIGHT);
        let _ = write!(svg, "<g transform=\"translate({x} {y})\">\n{}</g>\n", panel(one));
    }
    svg + "</svg>\n"
}

fn panel(panel: &Panel) -> String {
    let values = || panel.series.iter().flat_map(|series| &series.points);
    let across = Axis::new(panel.log_x, panel.ticks.iter().map(|(x, _)| *x), [LEFT + INSET, WIDTH - RIGHT - INSET]);
    let marks = marks(panel.log_y, values().map(|(_, y)| *y));
    let up = Axis::new(panel.log_y, marks.iter().copied(), [HEIGHT - BOTTOM, TOP]);
    let mut svg = String::new();
    text(&mut svg, [12.0, 20.0], "title", &panel.title);
    for mark in marks {
        let y = up.at(mark);
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/>", WIDTH - RIGHT);
        text(&mut svg, [LEFT - 6.0, y + 4.0], "soft end", &number(mark));
    }
    for (x, label) in &panel.ticks {
        text(&mut svg, [across.at(*x), HEIGHT - BOTTOM + 16.0], "soft middle", label);
    }
    text(&mut svg, [f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 10.0], "soft middle", &panel.x);
    text(&mut svg, [WIDTH - RIGHT, 20.0], "soft end", &panel.y);
    let mut legend = LEFT;
    for (series, class) in panel.series.iter().zip(["a", "b"]) {
        let _ = writeln!(svg, "<circle class=\"dot-{class}\" cx=\"{legend}\" cy=\"36\" r=\"4\"/>");
        text(&mut svg, [legend + 8.0, 40.0], "soft", &series.name);
        legend += 30.0 + 7.0 * series.name.chars().count() as f64;
        line(&mut svg, series, class, &across, &up);
    }
    // In front of all lines.
    for (x, y) in values() {
        // Of two points the upper one has its number above, the lower one below.
        let is_lower = values().any(|(other_x, other_y)| other_x == x && other_y > y);
        let shift = if is_lower { 17.0 } else { -7.0 };
        text(&mut svg, [across.at(*x), up.at(*y) + shift], "middle halo", &number(*y));
    }
    svg
}

fn line(svg: &mut String, series: &Series, class: &str, across: &Axis, up: &Axis) {
    let points: Vec<String> =
        series.points.iter().map(|(x, y)| format!("{:.1},{:.1}", across.at(*x), up.at(*y))).collect();
    let _ = writeln!(svg, "<polyline class=\"line {class}\" points=\"{}\"/>", points.join(" "));
    for (x, y) in &series.points {
        let (left, top) = (across.at(*x), up.at(*y));
        let _ = writeln!(svg, "<circle class=\"dot-{class}\" cx=\"{left:.1}\" cy=\"{top:.1}\" r=\"3\"/>");
    }
}

fn text(svg: &mut String, [x, y]: [f64; 2], class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

/// From values to places.
struct Axis {
    log: bool,
    values: [f64; 2],
    places: [f64; 2],
}

impl Axis {
    /// From the smallest to the largest of these values.
    fn new(log: bool, values: impl Iterator<Item = f64>, places: [f64; 2]) -> Self {
        let wide = |[low, high]: [f64; 2], value: f64| [low.min(value), high.max(value)];
        Self { log, values: values.fold([f64::INFINITY, f64::NEG_INFINITY], wide), places }
    }

    fn at(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.log { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let [low, high] = self.values.map(scale);
        let share = if high > low { (scale(value) - low) / (high - low) } else { 0.5 };
        let [start, end] = self.places;
        start + share * (end - start)
    }
}

/// Round values that enclose these: multiples of 1, 2 or 5 from zero on, or powers of ten.
fn marks(log: bool, values: impl Iterator<Item = f64>) -> Vec<f64> {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for value in values.filter(|value| value.is_finite() && *value > 0.0) {
        (low, high) = (low.min(value), high.max(value));
    }
    if high == 0.0 {
        return vec![0.0, 1.0];
    }
    if log {
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        return (first..=last.max(first + 1)).map(|power| 10_f64.powi(power)).collect();
    }
    let power = 10_f64.powf((high / 4.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| high / step <= 5.0).unwrap_or(high);
    (0..=(high / step).ceil() as u32).map(|count| f64::from(count) * step).collect()
}

/// Few digits.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => trimmed(format!("{value:.1}")),
        size if size >= 0.1 => trimmed(format!("{value:.2}")),
        _ => format!("{value}"),
    }
}

fn trimmed(text: String) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: values on linear and on logarithmic axes, a single one, none at all.
    /// Guarantee: the marks enclose the values, are few, and there are always at least two.
    #[test]
    fn marks_enclose_the_values() {
        for values in [vec![0.4, 2.3], vec![17.4, 47.9, 61.0], vec![1000.0], vec![3.0, 3.0], vec![0.07, 950.0]] {
            for log in [false, true] {
                let marks = marks(log, values.iter().copied());
                let (low, high) = (marks[0], marks[marks.len() - 1]);
                assert!(values.iter().all(|value| low <= *value && *value <= high), "{values:?} in {marks:?}");
                assert!((2..=7).contains(&marks.len()), "{marks:?}");
            }
        }
        assert_eq!(marks(true, [f64::NAN].into_iter()), [0.0, 1.0]);
    }

    /// Scenario: a panel with a title that is no markup, and a value that is no number.
    /// Guarantee: the picture is well-formed as far as tags go: every one that opens closes, text is escaped.
    #[test]
    fn pictures_are_well_formed() {
        let series = |name: &str| Series { name: name.to_owned(), points: vec![(1.0, 2.5), (100.0, 30.0)] };
        let panel = Panel {
            title: "a < b & c".to_owned(),
            x: "x".to_owned(),
            y: "y".to_owned(),
            ticks: vec![(1.0, "1".to_owned()), (100.0, "100".to_owned())],
            log_x: true,
            log_y: false,
            series: vec![series("one"), series("two")],
        };
        let svg = picture(&[panel]);
        assert!(svg.contains("a &lt; b &amp; c"), "{svg}");
        for tag in ["svg", "g", "style", "text"] {
            let count = |text: &str| svg.matches(text).count();
            assert_eq!(count(&format!("<{tag} ")) + count(&format!("<{tag}>")), count(&format!("</{tag}>")), "{tag}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 2);
    }
}
