//! Charts as SVG, for reports and single plots.

use std::fmt::Write;

/// Width and height of a chart.
const SIZE: (f64, f64) = (860.0, 320.0);
/// Margins left, right, above and below the axes.
const ROOM: (f64, f64, f64, f64) = (70.0, 20.0, 14.0, 40.0);
/// Columns into which a long curve is binned; each keeps its min and max.
const COLUMNS: usize = 800;

/// Width of a character and height of a line in the names of reference lines.
const NAME: (f64, f64) = (6.5, 13.0);

/// A curve.
pub struct Curve {
    /// Its name in the legend.
    pub name: &'static str,
    /// A CSS color.
    pub color: &'static str,
    /// Points in ascending order of x.
    pub points: Vec<(f64, f64)>,
    /// Whether each point has a marker.
    pub marks: bool,
}

/// A horizontal reference line: name and value.
pub type Level = (String, f64);

/// Escapes text, so that it can't become markup.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Other control characters aren't allowed in SVG.
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

pub(crate) struct Axis {
    pub low: f64,
    pub high: f64,
    log: bool,
    from: f64,
    to: f64,
}

impl Axis {
    pub(crate) fn new(all: impl Iterator<Item = f64>, log: bool, (from, to): (f64, f64)) -> Axis {
        let known = all.filter(|v| v.is_finite() && (!log || *v > 0.0));
        let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        });
        let (low, high) = match low <= high {
            true => (low, high),
            false => (1.0, 2.0),
        };
        let (low, high) = match (low < high, log) {
            (true, _) => (low, high),
            (false, true) => (low / 2.0, high * 2.0),
            (false, false) => (low - 0.5, high + 0.5),
        };
        Axis {
            low,
            high,
            log,
            from,
            to,
        }
    }

    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = match self.log {
            true => (value / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + share * (self.to - self.from)
    }

    /// Round values along the axis.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        if self.log && self.high / self.low > 3.0 {
            let decades = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
            let few = self.high / self.low > 300.0;
            let digits: &[f64] = if few {
                &[1.0]
            } else {
                &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]
            };
            let all = decades.flat_map(|d| digits.iter().map(move |x| x * 10f64.powi(d)));
            return all.filter(|v| (self.low..=self.high).contains(v)).collect();
        }
        let rough = (self.high - self.low) / 6.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|d| d * power)
            .into_iter()
            .find(|s| *s >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let all = (first..first + 12).map(|i| i as f64 * step);
        all.filter(|v| *v <= self.high).collect()
    }
}

pub(crate) fn figure(x: f64) -> String {
    match x.abs() {
        size if size != 0.0 && !(1e-5..1e6).contains(&size) => format!("{x:.0e}"),
        size if size >= 1.0 || size == 0.0 => trimmed(&format!("{x:.4}")),
        _ => trimmed(&format!("{x:.6}")),
    }
}

/// A number without zeros at its end.
fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reduces the points of each column to their min and max.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let per = points.len().div_ceil(COLUMNS).max(1);
    if per <= 2 {
        return points.to_vec();
    }
    let mut kept = Vec::new();
    for chunk in points.chunks(per) {
        let least = chunk.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        let most = chunk.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut both: Vec<(f64, f64)> = least.into_iter().chain(most).copied().collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(both);
    }
    kept
}

/// A chart of curves and reference lines over `x_name`; the y axis is logarithmic if `log`.
pub fn chart(curves: &[Curve], levels: &[Level], x_name: &str, y_name: &str, log: bool) -> String {
    let (width, height) = SIZE;
    let (left, right, top, bottom) = ROOM;
    let places = || curves.iter().flat_map(|c| &c.points);
    let x = Axis::new(places().map(|p| p.0), false, (left, width - right));
    let heights = places().map(|p| p.1).chain(levels.iter().map(|l| l.1));
    let y = Axis::new(heights, log, (height - bottom, top));
    let mut svg = open(width, height);
    grid(&mut svg, &x, &y, levels);
    let mut key = left + 8.0;
    for curve in curves {
        draw(&mut svg, curve, &x, &y, key);
        key += 34.0 + 7.5 * curve.name.chars().count() as f64;
    }
    let (end, below, middle) = (width - right, height - 6.0, height / 2.0);
    // Writing to a string can't fail, here and below.
    let _ = writeln!(
        svg,
        "<text x=\"{end}\" y=\"{below}\" text-anchor=\"end\">{}</text><text transform=\"rotate(-90 14 \
         {middle})\" x=\"14\" y=\"{middle}\" text-anchor=\"middle\">{}</text></svg>",
        escape(x_name),
        escape(y_name)
    );
    svg
}

/// Ticks, and reference lines with their names.
fn grid(svg: &mut String, x: &Axis, y: &Axis, levels: &[Level]) {
    let ((top, bottom), (left, right)) = ((y.to, y.from), (x.from, x.to));
    for tick in x.ticks() {
        let (at, below) = (x.at(tick), bottom + 16.0);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {top}V{bottom}\"/><text x=\"{at:.1}\" y=\"{below}\" \
             text-anchor=\"middle\">{}</text>",
            figure(tick)
        );
    }
    for tick in y.ticks() {
        let (at, before) = (y.at(tick), left - 6.0);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/><text x=\"{before}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            at + 4.0,
            figure(tick)
        );
    }
    // A name too close to those above it goes to their left.
    let mut placed: Vec<(f64, f64)> = Vec::new();
    for (name, level) in levels {
        let at = y.at(*level);
        let beside = placed
            .iter()
            .filter(|(other, _)| (other - at).abs() < NAME.1);
        let before = beside.map(|(_, x)| *x).fold(right - 4.0, f64::min);
        placed.push((at, before - NAME.0 * (name.chars().count() as f64 + 2.0)));
        let _ = writeln!(
            svg,
            "<path class=\"level\" d=\"M{left} {at:.1}H{right}\"/><text class=\"level\" x=\"{before}\" \
             y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            at - 3.0,
            escape(name)
        );
    }
}

/// A curve, and its name in the legend at the bottom.
fn draw(svg: &mut String, curve: &Curve, x: &Axis, y: &Axis, key: f64) {
    let known = thin(&curve.points);
    let known = known
        .iter()
        .filter(|p| p.1.is_finite() && (!y.log || p.1 > 0.0));
    let known: Vec<(f64, f64)> = known.map(|p| (x.at(p.0), y.at(p.1))).collect();
    let color = curve.color;
    let width = if curve.marks { 1.0 } else { 1.4 };
    let points: Vec<String> = known
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" points=\"{}\"/>",
        points.join(" ")
    );
    for (x, y) in known.iter().filter(|_| curve.marks) {
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\" fill=\"{color}\"/>"
        );
    }
    let bottom = SIZE.1;
    let _ = writeln!(
        svg,
        "<path stroke=\"{color}\" stroke-width=\"3\" d=\"M{key:.1} {:.1}h18\"/><text x=\"{:.1}\" \
         y=\"{:.1}\">{}</text>",
        bottom - 10.0,
        key + 23.0,
        bottom - 6.0,
        escape(curve.name)
    );
}

/// A heat map: one row per name, one column per step; the color is the logarithm of the value.
pub fn heat(names: &[String], steps: &[u64], values: &[Vec<Option<f32>>]) -> String {
    let (width, row, left) = (SIZE.0, 18.0, 150.0);
    let height = row * names.len() as f64 + 24.0;
    let known = values.iter().flatten().flatten().filter(|v| **v > 0.0);
    let logs = known.map(|v| f64::from(*v).log10());
    let axis = Axis::new(logs, false, (0.0, 1.0));
    let column = (width - left - 10.0) / steps.len().max(1) as f64;
    let mut svg = open(width, height);
    for (part, name) in names.iter().enumerate() {
        let y = row * part as f64;
        // Writing to a string can't fail.
        let _ = write!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y + 13.0,
            escape(name)
        );
        for (at, values) in values.iter().enumerate() {
            let value = values.get(part).copied().flatten().filter(|v| *v > 0.0);
            let Some(value) = value else { continue };
            let share = axis.at(f64::from(value).log10());
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{row}\" fill=\"hsl({:.0} 70% {:.0}%)\"/>",
                left + column * at as f64,
                column + 0.3,
                260.0 - 210.0 * share,
                25.0 + 40.0 * share
            );
        }
    }
    let (first, last) = (steps.first().unwrap_or(&0), steps.last().unwrap_or(&0));
    let [least, most] = [axis.low, axis.high].map(|log| figure(10f64.powf(log)));
    let _ = write!(
        svg,
        "<text x=\"{left}\" y=\"{:.1}\">step {first} · from {least} (dark violet) to {most} \
         (yellow), on a log scale</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">step \
         {last}</text></svg>",
        height - 6.0,
        width - 10.0,
        height - 6.0
    );
    svg
}

pub(crate) fn open(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\"><style>text{{font:12px system-ui,sans-serif;\
         fill:#333}}.grid{{stroke:#ddd}}path.level{{stroke:#1b7a46;stroke-dasharray:3 3}}text.level{{\
         fill:#1b7a46;font-size:11px}}</style><rect class=\"back\" width=\"{width:.0}\" height=\"{height:.0}\" \
         fill=\"#fff\"/>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let hostile = "<script>alert('x')</script> & \"\u{0}\"";
        let safe = escape(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}']), "{safe}");
        let curve = Curve {
            name: hostile,
            color: "#000",
            points: vec![(0.0, 1.0), (1.0, 2.0)],
            marks: true,
        };
        let svg = chart(&[curve], &[(hostile.into(), 1.5)], hostile, hostile, true);
        assert!(!svg.contains("<script"));
    }

    #[test]
    fn a_long_curve_keeps_its_spikes() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 9.0;
        let kept = thin(&points);
        assert!(kept.len() <= 2 * COLUMNS);
        assert!(kept.contains(&(54_321.0, 9.0)));
    }

    #[test]
    fn odd_numbers_draw_something() {
        let none = chart(&[], &[], "x", "y", true);
        assert!(none.ends_with("</svg>\n") && !none.contains("NaN"));
        let curve = Curve {
            name: "a",
            color: "#000",
            points: vec![(0.0, f64::NAN), (1.0, 0.0), (2.0, 3.0)],
            marks: false,
        };
        assert!(!chart(&[curve], &[], "x", "y", true).contains("NaN"));
        assert!(!heat(&["a".into()], &[1], &[vec![None]]).contains("NaN"));
    }
}
