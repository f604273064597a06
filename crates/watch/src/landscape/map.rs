//! The surface in a terminal: half-height cells in color, or signs where there is no color.

use super::{Relief, viridis};
use run::{CostLandscape, PlaneAxes};
use std::fmt::Write;

/// Columns and rows of the map.
const COLUMNS: usize = 60;
const ROWS: usize = 24;
/// Signs from low to high.
const SIGNS: &[u8] = b" .:-=+*#%@";
/// Bands of equal color.
const BANDS: f64 = 20.0;

/// The surface from above, with the run's path: `A` is its first checkpoint, `X` the last, `o` the
/// others. Of a line, its curve from the side.
pub fn map(land: &CostLandscape, color: bool) -> String {
    let relief = Relief::new(land);
    if land.axes == PlaneAxes::Line {
        return side(&relief);
    }
    let share = |at: usize, count: usize| (at as f64 + 0.5) / count as f64;
    let mut text = String::new();
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let x = share(column, COLUMNS);
            let mark = mark(land, column, row);
            if color {
                // Two heights in a cell: the upper one in the foreground.
                let paint = |half: usize| {
                    let height = relief.at(x, 1.0 - share(2 * row + half, 2 * ROWS));
                    let banded = |height: f64| viridis(((height * BANDS).floor() + 0.5) / BANDS);
                    height.map_or([0xbb; 3], banded)
                };
                let ([r, g, b], [s, h, c]) = (paint(0), paint(1));
                // Writing to a string can't fail, here and below.
                let _ = match mark {
                    None => write!(text, "\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m▀"),
                    Some(mark) => write!(
                        text,
                        "\x1b[1;38;2;255;255;255;48;2;{s};{h};{c}m{mark}\x1b[22m"
                    ),
                };
            } else {
                let height = relief.at(x, 1.0 - share(row, ROWS));
                let sign = |height: f64| {
                    let at = (height * SIGNS.len() as f64) as usize;
                    char::from(SIGNS[at.min(SIGNS.len() - 1)])
                };
                text.push(mark.unwrap_or_else(|| height.map_or('?', sign)));
            }
        }
        text += if color { "\x1b[0m\n" } else { "\n" };
    }
    text
}

/// The run's path in a cell.
fn mark(land: &CostLandscape, column: usize, row: usize) -> Option<char> {
    let place = |at: f64, all: &[f64], cells: usize| {
        let (first, last) = (*all.first()?, *all.last()?);
        let share = (at - first) / (last - first);
        (0.0..=1.0)
            .contains(&share)
            .then(|| ((share * cells as f64) as usize).min(cells - 1))
    };
    let here = |x: f64, y: f64| {
        place(x, &land.x, COLUMNS) == Some(column)
            && place(y, &land.y, ROWS).map(|at| ROWS - 1 - at) == Some(row)
    };
    let last = land.path.len().checked_sub(1)?;
    let mark = |at: usize| match at {
        _ if at == last => 'X',
        0 => 'A',
        _ => 'o',
    };
    let found = land.path.iter().rposition(|p| here(p.x, p.y))?;
    Some(mark(found))
}

/// The curve of a line.
fn side(relief: &Relief) -> String {
    let mut rows = vec![vec![b' '; COLUMNS]; ROWS / 2];
    let costs = &relief.land.cost[0];
    for column in 0..COLUMNS {
        let at = column as f64 / (COLUMNS - 1) as f64 * (costs.len() - 1) as f64;
        let low = (at as usize).min(costs.len().saturating_sub(2));
        let pair = costs
            .get(low)
            .copied()
            .flatten()
            .zip(costs.get(low + 1).copied().flatten());
        let Some((a, b)) = pair else { continue };
        let height = relief.scale.at(a + (b - a) * (at - low as f64));
        let row = ((1.0 - height) * (rows.len() - 1) as f64).round() as usize;
        let top = rows.len() - 1;
        rows[row.min(top)][column] = b'*';
    }
    let lines = rows
        .iter()
        .map(|row| String::from_utf8_lossy(row).trim_end().to_owned() + "\n");
    lines.collect()
}
