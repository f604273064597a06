//! The cost of a language model on a plane, as a picture: SVG here, for the terminal in `map`.

mod map;

pub use map::map;

use crate::svg::{Axis, Curve, chart, escape, figure, open};
use crate::units::count;
use run::{CostLandscape, PlaneAxes};
use std::fmt::Write;

/// Side of the picture, and its margins: left, right, above, below.
const SIDE: f64 = 560.0;
const ROOM: (f64, f64, f64, f64) = (60.0, 20.0, 14.0, 142.0);
/// Cells per side of the picture, whose heights are between those of the grid.
const CELLS: usize = 112;
/// Bands of equal color, whose borders are the contours.
const BANDS: f64 = 24.0;
/// Viridis (van der Walt and Smith, 2015), which color-blind eyes can read: from low to high.
const VIRIDIS: [[u8; 3]; 10] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x28, 0x78],
    [0x3e, 0x49, 0x89],
    [0x31, 0x68, 0x8e],
    [0x26, 0x82, 0x8e],
    [0x1f, 0x9e, 0x89],
    [0x35, 0xb7, 0x79],
    [0x6e, 0xce, 0x58],
    [0xb5, 0xde, 0x2b],
    [0xfd, 0xe7, 0x25],
];
/// Colors and dashes of walkers, by optimizer; the run's own path is white.
const WALKERS: [(&str, &str, &str); 4] = [
    ("sgd", "#ff7a1a", ""),
    ("momentum", "#ff9ed8", "7 3"),
    ("adam", "#bfe3ff", "2 2.5"),
    ("muon", "#000000", "9 3 2 3"),
];

/// Heights on a surface, as shares of the range from the lowest to the highest cost, on a log
/// scale.
struct Relief<'a> {
    land: &'a CostLandscape,
    scale: Axis,
}

impl Relief<'_> {
    fn new(land: &CostLandscape) -> Relief<'_> {
        let all = land.cost.iter().flatten().flatten().copied();
        let scale = Axis::new(all, true, (0.0, 1.0));
        Relief { land, scale }
    }

    /// The height at a place given as shares of both sides, between the four points around it;
    /// `None` where a cost isn't finite.
    fn at(&self, x: f64, y: f64) -> Option<f64> {
        let place = |share: f64, count: usize| {
            let at = share * (count - 1) as f64;
            let low = (at as usize).min(count.saturating_sub(2));
            (low, at - low as f64)
        };
        let (i, right) = place(x, self.land.x.len());
        let (j, up) = place(y, self.land.y.len());
        let cost = |i: usize, j: usize| Some(self.scale.at((*self.land.cost.get(j)?.get(i)?)?));
        let row = |j| Some(cost(i, j)? * (1.0 - right) + cost(i + 1, j)? * right);
        Some(row(j)? * (1.0 - up) + row(j + 1)? * up)
    }
}

/// A color of the palette for a share from 0 to 1.
fn viridis(share: f64) -> [u8; 3] {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let low = (at as usize).min(VIRIDIS.len() - 2);
    let rest = at - low as f64;
    let mix = |k: usize| {
        let [a, b] = [VIRIDIS[low][k], VIRIDIS[low + 1][k]].map(f64::from);
        (a + (b - a) * rest).round() as u8
    };
    [mix(0), mix(1), mix(2)]
}

/// What the picture shows, and what of it is exact.
pub fn caption(land: &CostLandscape) -> Vec<String> {
    let tokens = count(land.tokens);
    let plane = match (land.axes, land.share_of_motion) {
        (PlaneAxes::Pca, _) if land.path.len() == 3 => {
            "The plane through all 3 checkpoints: any three points lie on one".into()
        }
        (PlaneAxes::Pca, Some(share)) => format!(
            "The plane through {} checkpoints that holds as much of their motion as possible: {:.1}%",
            land.path.len(),
            100.0 * share
        ),
        (PlaneAxes::Random, _) => {
            "A plane in two random directions through the last checkpoint, each row as long as the \
             weights' own"
                .into()
        }
        _ => "The straight line between two models: 0 is this run's, 1 the other's".into(),
    };
    let mut all = vec![
        plane,
        format!("Every cost on it is exact, for {tokens} validation tokens"),
    ];
    let beside = land
        .path
        .iter()
        .filter_map(|p| Some((p.slice? - p.cost?).abs()));
    let beside = beside.fold(0.0, f64::max);
    if land.axes != PlaneAxes::Line && !land.path.is_empty() {
        all.push(format!(
            "The run's path is projected on the plane: its own cost differs by up to {} nats",
            figure((beside * 1e4).round() / 1e4)
        ));
    }
    if !land.walkers.is_empty() {
        all.push("Walkers can't leave the plane: they follow the exact slope on it".into());
        if land.walkers.iter().any(|w| w.optimizer == "muon") {
            all.push(
                "Muon's step is computed for all weights, then projected: it may lead uphill"
                    .into(),
            );
        }
    }
    all
}

/// The report's section on it.
pub(crate) fn section(land: &CostLandscape) -> String {
    format!(
        "<h2>Cost landscape</h2><figure>{}</figure>",
        landscape(land)
    )
}

/// An SVG of the surface from above with the paths on it; of a line, its curve.
pub fn landscape(land: &CostLandscape) -> String {
    if land.axes == PlaneAxes::Line {
        return curve(land);
    }
    let (left, right, top, bottom) = ROOM;
    let x = Axis::new(land.x.iter().copied(), false, (left, left + SIDE));
    let y = Axis::new(land.y.iter().copied(), false, (top + SIDE, top));
    let mut svg = open(left + SIDE + right, top + SIDE + bottom);
    let relief = Relief::new(land);
    cells(&mut svg, &relief);
    // Writing to a string can't fail, here and below.
    let _ = writeln!(
        svg,
        "<clipPath id=\"plane\"><rect x=\"{left}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\"/>\
         </clipPath><g clip-path=\"url(#plane)\" fill=\"none\">"
    );
    paths(&mut svg, land, &x, &y);
    svg.push_str("</g>\n");
    ticks(&mut svg, &x, &y);
    legend(&mut svg, land, &relief);
    svg.push_str("</svg>\n");
    svg
}

/// The cost along a line.
fn curve(land: &CostLandscape) -> String {
    let costs = land.cost.iter().flatten();
    let costs = costs.map(|cost| cost.unwrap_or(f64::NAN));
    let ends = land.path.iter().filter_map(|p| Some((p.x, p.cost?)));
    let curves = [
        Curve {
            name: "cost along the line",
            color: "#1f5fbf",
            points: land.x.iter().copied().zip(costs).collect(),
            marks: false,
        },
        Curve {
            name: "the two models",
            color: "#b4540a",
            points: ends.collect(),
            marks: true,
        },
    ];
    let x = "from one model (0) to the other (1)";
    chart(&curves, &[], x, "nats per token", false)
}

/// The walkers' paths, and above them the run's own.
fn paths(svg: &mut String, land: &CostLandscape, x: &Axis, y: &Axis) {
    let line = |svg: &mut String, points: &[(f64, f64)], style: &str| {
        let points = points.iter().map(|(px, py)| (x.at(*px), y.at(*py)));
        let points: Vec<String> = points.map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" {style}/>", points.join(" "));
    };
    for walker in &land.walkers {
        let (color, dash) = look(&walker.optimizer);
        let points = walker.x.iter().copied().zip(walker.y.iter().copied());
        let points: Vec<(f64, f64)> = points.collect();
        let dash = format!("stroke-dasharray=\"{dash}\"");
        line(
            svg,
            &points,
            &format!("stroke=\"{color}\" stroke-width=\"1.6\" {dash}"),
        );
        if let Some((px, py)) = points.first() {
            let (px, py) = (x.at(*px), y.at(*py));
            let _ = writeln!(
                svg,
                "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"2.4\" fill=\"{color}\"/>"
            );
        }
    }
    let path: Vec<(f64, f64)> = land.path.iter().map(|p| (p.x, p.y)).collect();
    line(svg, &path, "stroke=\"#000\" stroke-width=\"4\"");
    line(svg, &path, "stroke=\"#fff\" stroke-width=\"2\"");
    for point in &land.path {
        let cost = point.cost.map_or("not finite".into(), figure);
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.6\" fill=\"#fff\" stroke=\"#000\"><title>step {}: \
             {cost} nats per token</title></circle>",
            x.at(point.x),
            y.at(point.y),
            point.step
        );
    }
}

/// Color and dashes of an optimizer's walkers.
fn look(optimizer: &str) -> (&'static str, &'static str) {
    let found = WALKERS.iter().find(|(name, ..)| *name == optimizer);
    found.map_or(("#ffffff", ""), |(_, color, dash)| (color, dash))
}

/// The surface, in runs of cells of one band.
fn cells(svg: &mut String, relief: &Relief) {
    let (left, _, top, _) = ROOM;
    let size = SIDE / CELLS as f64;
    let band = |column: usize, row: usize| {
        let share = |at: usize| (at as f64 + 0.5) / CELLS as f64;
        let height = relief.at(share(column), 1.0 - share(row))?;
        Some((height * BANDS).floor().min(BANDS - 1.0))
    };
    for row in 0..CELLS {
        let mut from = 0;
        for column in 1..=CELLS {
            let own = band(from, row);
            if column < CELLS && band(column, row) == own {
                continue;
            }
            let [r, g, b] = own.map_or([0xbb; 3], |own| viridis((own + 0.5) / BANDS));
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
                 fill=\"#{r:02x}{g:02x}{b:02x}\"/>",
                left + size * from as f64,
                top + size * row as f64,
                size * (column - from) as f64 + 0.3,
                size + 0.3
            );
            from = column;
        }
    }
}

fn ticks(svg: &mut String, x: &Axis, y: &Axis) {
    let (left, _, top, _) = ROOM;
    for tick in x.ticks() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x.at(tick),
            top + SIDE + 16.0,
            figure(tick)
        );
    }
    for tick in y.ticks() {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            y.at(tick) + 4.0,
            figure(tick)
        );
    }
}

/// The names of the paths, the scale of colors, and the caption.
fn legend(svg: &mut String, land: &CostLandscape, relief: &Relief) {
    let (left, _, top, _) = ROOM;
    let (mut at, line) = (left, top + SIDE + 36.0);
    let shown = |name: &str| land.walkers.iter().any(|w| w.optimizer == name);
    let walkers = WALKERS.into_iter().filter(|(name, ..)| shown(name));
    for (name, color, dash) in [("the run's path", "#fff", "")].into_iter().chain(walkers) {
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {0:.1}h22\" stroke=\"#555\" stroke-width=\"8\"/><path d=\"M{at:.1} \
             {0:.1}h22\" stroke=\"{color}\" stroke-width=\"2.4\" stroke-dasharray=\"{dash}\"/><text \
             x=\"{1:.1}\" y=\"{line:.1}\">{name}</text>",
            line - 4.0,
            at + 27.0
        );
        at += 46.0 + 7.6 * name.chars().count() as f64;
    }
    let (least, most) = (relief.scale.low, relief.scale.high);
    let told =
        format!("color: {least:.3} (dark violet) to {most:.3} (yellow) nats per token, log scale");
    for (number, text) in std::iter::once(told).chain(caption(land)).enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{left}\" y=\"{:.1}\" font-size=\"11\">{}</text>",
            line + 16.0 * (number + 1) as f64,
            escape(&text)
        );
    }
}
